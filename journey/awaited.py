"""What is still waited for: the one rule by which an order is said to be packed, to be got ready, or not to have left.

Journeys, messages and pages ask here, so that nobody is told of a parcel that will never be.
"""

from journey.order import Handover


def awaits_dispatch(way: Handover, *, over: bool, sent: bool) -> bool:
    """Whether an order still has to leave.

    Args:
        way: how its goods are handed over. An order that was edited down to nothing, or to access and services, has
            none.
        over: whether it was called off or paid back.
        sent: whether anything of it was handed over, with a tracking number or without one, or is kept ready in the
            shop's own store. What was called off again was not.
    """
    return way is Handover.SENT and not over and not sent


def awaits_pickup(way: Handover, *, over: bool, ready: bool) -> bool:
    """Whether an order still has to be got ready in the shop's own store; `ready` once it is, and ever after."""
    return way is Handover.COLLECTED and not over and not ready
