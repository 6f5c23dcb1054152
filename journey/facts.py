"""The facts a journey's touches count from, and those that end them, read out of its state."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from journey.parcels import Parcel, Reason
from journey.playbook import PARCEL_ANCHORS, Anchor, Ending, Playbook, Touch
from journey.state import JourneyState

Moment = tuple[str | None, datetime, Parcel | None]
"""For whom (None: the order), since when, and with which parcel an anchor's fact holds."""


def order_delivered_at(state: JourneyState) -> datetime | None:
    """When the customer had everything: the last parcel's delivery, or the order itself where nothing travels."""
    order = state.order
    if not order.physical:
        return order.placed_at
    latest: datetime | None = None
    carried: set[str] | None = set()
    for parcel in state.parcels:
        if parcel.void:
            continue
        if parcel.delivered_at is None:
            return None
        if latest is None or parcel.delivered_at > latest:
            latest = parcel.delivered_at
        # A parcel whose contents the shop did not name is taken to carry what is missing.
        carried = None if carried is None or parcel.skus is None else carried.union(parcel.skus)
    if latest is None or (carried is not None and not order.goods <= carried):
        return None
    return latest


def negative_review_at(state: JourneyState, playbook: Playbook) -> datetime | None:
    """When the customer said it was bad, by the playbook's measure."""
    if state.worst_rating is not None and state.worst_rating <= playbook.negative_rating:
        return state.worst_review_at
    return None


def ended(state: JourneyState, playbook: Playbook) -> Sequence[Ending]:
    """The facts about the whole order that end touches, as far as they hold."""
    over = []
    if state.cancelled_at is not None:
        over.append(Ending.ORDER_CANCELLED)
    if state.fully_refunded_at is not None:
        over.append(Ending.ORDER_REFUNDED)
    if state.reordered_at is not None:
        over.append(Ending.CUSTOMER_REORDERED)
    if state.reviewed_at is not None:
        over.append(Ending.REVIEW_POSTED)
    if negative_review_at(state, playbook) is not None:
        over.append(Ending.NEGATIVE_REVIEW)
    if not any(parcel.problems or parcel.going_back for parcel in state.parcels):
        return over
    live = [parcel for parcel in state.parcels if parcel.delivered_at is None and not parcel.void]
    if live and len(live) == sum(not parcel.void for parcel in state.parcels):
        if all(parcel.going_back for parcel in live):
            over.append(Ending.ORDER_RETURNED)
        if all(parcel.lost_at for parcel in live):
            over.append(Ending.ORDER_LOST)
    return over


def _of_order(at: datetime | None) -> Sequence[Moment]:
    return () if at is None else ((None, at, None),)


def _problems(state: JourneyState) -> Iterator[Moment]:
    for parcel in state.parcels:
        for reason, at in parcel.problems:
            if reason not in _TOLD_BY_OTHERS:
                yield f"{parcel.tracking_number}:{reason}", at, parcel


_TOLD_BY_OTHERS = (Reason.DELAYED, Reason.LOST)
"""Problems with an anchor of their own."""

MOMENTS: dict[Anchor, Callable[[JourneyState, Playbook], Iterable[Moment]]] = {
    Anchor.ORDER_PLACED: lambda state, _: _of_order(state.order.placed_at),
    Anchor.ORDER_DELIVERED: lambda state, _: _of_order(order_delivered_at(state)),
    Anchor.ORDER_CANCELLED: lambda state, _: _of_order(state.cancelled_at),
    Anchor.REFUND: lambda state, _: [(refund, at, None) for refund, at in state.refunds],
    Anchor.NEGATIVE_REVIEW: lambda state, playbook: _of_order(negative_review_at(state, playbook)),
    Anchor.PARCEL_SHIPPED: lambda state, _: [
        (p.tracking_number, p.shipped_at, p) for p in state.parcels if p.shipped_at and not p.void
    ],
    Anchor.PARCEL_OUT_FOR_DELIVERY: lambda state, _: [
        (p.tracking_number, p.out_for_delivery_at, p) for p in state.parcels if p.out_for_delivery_at
    ],
    Anchor.PARCEL_DELIVERED: lambda state, _: [
        (p.tracking_number, p.delivered_at, p) for p in state.parcels if p.delivered_at
    ],
    Anchor.PARCEL_DELAYED: lambda state, _: [(p.tracking_number, at, p) for p in state.parcels if (at := p.delayed_at)],
    Anchor.PARCEL_LOST: lambda state, _: [(p.tracking_number, at, p) for p in state.parcels if (at := p.lost_at)],
    Anchor.PARCEL_PROBLEM: lambda state, _: _problems(state),
}
"""When, and for whom, each anchor's fact holds."""

_OF_ORDINARY_ORDERS = frozenset({Anchor.ORDER_CANCELLED, Anchor.REFUND, Anchor.NEGATIVE_REVIEW})
_OF_TROUBLED_PARCELS = frozenset({Anchor.PARCEL_DELAYED, Anchor.PARCEL_PROBLEM, Anchor.PARCEL_LOST})


def moments(state: JourneyState, playbook: Playbook) -> list[tuple[Sequence[Touch], Moment]]:
    """Each fact that touches count from, with its touches by offset.

    What most journeys never have is not looked for in each: this is done for every step of every journey.
    """
    ordinary = state.cancelled_at is None and not state.refunds and state.worst_rating is None
    absent = _OF_ORDINARY_ORDERS if ordinary else frozenset[Anchor]()
    if not state.parcels:
        absent |= PARCEL_ANCHORS
    elif not any(parcel.problems or len(parcel.estimates) > 1 for parcel in state.parcels):
        absent |= _OF_TROUBLED_PARCELS
    return [
        (touches, moment)
        for anchor, touches in playbook.by_anchor
        if anchor not in absent
        for moment in MOMENTS[anchor](state, playbook)
    ]
