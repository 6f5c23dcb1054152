"""What is still waited for: the one rule by which an order is said to be packed, to be got ready, or not to have left.

Journeys, messages and pages ask here, so that nobody is told of a parcel that will never be.
"""

from collections import Counter
from collections.abc import Iterable

from journey.order import Handover


def awaits_dispatch(way: Handover, *, over: bool, sent: bool) -> bool:
    """Whether an order still has to leave.

    Args:
        way: how its goods are handed over. An order that was edited down to nothing, or to access and services, has
            none.
        over: whether it was called off or paid back, as a whole or in all that is to be sent (`left_to_send`).
        sent: whether anything of it was handed over, with a tracking number or without one, or is kept ready in the
            shop's own store. What was called off again was not, unless it had been delivered by then.
    """
    return way is Handover.SENT and not over and not sent


def left_to_send(goods: Iterable[tuple[str, int]], taken_off: Iterable[tuple[str, int]]) -> frozenset[str]:
    """The SKUs of which anything is still to be handed over: what was refunded as a whole is not.

    Args:
        goods: what travels of the order's lines, each SKU with how many.
        taken_off: what refunds are of, likewise.
    """
    left: Counter[str] = Counter()
    for sku, count in goods:
        left[sku] += count
    for sku, count in taken_off:
        left[sku] -= count
    return frozenset(sku for sku, count in left.items() if count > 0)


def awaits_pickup(way: Handover, *, over: bool, ready: bool) -> bool:
    """Whether an order still has to be got ready in the shop's own store; `ready` once it is, and ever after."""
    return way is Handover.COLLECTED and not over and not ready
