"""What holds of a journey as a whole, read out of its state: delivered, troubled, ended, and what is overdue."""

from collections.abc import Collection, Sequence
from datetime import datetime

from journey.conditions import DeliveryView
from journey.deadlines import Deadline
from journey.deadlines import deadlines as all_deadlines
from journey.order import Handover
from journey.parcels import Parcel
from journey.playbook import ABSENCES, Anchor, Ending, Playbook
from journey.remedies import Stand
from journey.state import JourneyState


def order_delivered_at(state: JourneyState, *, told: bool = False) -> datetime | None:
    """When the customer had everything: the last parcel's delivery, or the order itself where nothing travels.

    A parcel that was made good is not waited for; where nothing else came, nothing was delivered. One that no carrier
    tells of is taken to be there after the usual time, which may lie ahead, unless only what was `told` counts.
    """
    order = state.order
    if not order.physical and state.called_off_at is not None and state.cancelled_at is None:
        return None
    if not order.physical:
        return order.placed_at
    latest: datetime | None = None
    carried: set[str] | None = set()
    for parcel in state.parcels:
        if parcel.void:
            continue
        arrived = parcel.arrived_at
        if arrived is None and not told:
            arrived = parcel.assumed_at
        if not state.written_off(parcel):
            if arrived is None:
                return None
            if latest is None or arrived > latest:
                latest = arrived
        # A parcel whose contents the shop did not name is taken to carry what is missing.
        carried = None if carried is None or parcel.skus is None else carried.union(parcel.skus)
    if latest is None or (carried is not None and not state.goods <= carried):
        return None
    return latest


def negative_review_at(state: JourneyState, playbook: Playbook) -> datetime | None:
    """When the customer said it was bad, by the playbook's measure."""
    if state.worst_rating is not None and state.worst_rating <= playbook.negative_rating:
        return state.worst_review_at
    return None


def deadlines(
    state: JourneyState, playbook: Playbook, *, until: datetime | None = None
) -> Sequence[tuple[Parcel | None, list[Deadline]]]:
    """The deadlines that are open, by parcel, as far as the playbook speaks of any: all, or those up to `until`."""
    watched = playbook.watched
    if not watched or state.called_off_at is not None or state.fully_refunded_at is not None:
        return ()
    for parcel in state.parcels:
        if parcel.delivered_at is None:
            break
    else:
        # Everything that is known of has come, as in most journeys for most of their time.
        if state.parcels:
            return ()
    everything = until is None and len(watched) == len(ABSENCES)
    return [
        (
            parcel,
            found if everything else [one for one in found if one[0] in watched and (until is None or one[1] <= until)],
        )
        for parcel, found in all_deadlines(
            state.order,
            state.parcels,
            dispatch=playbook.dispatch_within,
            keeps=playbook.store_keeps,
            awaited=state.to_be_sent,
        )
        if parcel is None or not state.remedies or not state.written_off(parcel)
    ]


def overdue(state: JourneyState, playbook: Playbook, now: datetime) -> set[Anchor]:
    """What should have come by now and did not; a pick-up's last call is its customer's own business."""
    return {
        anchor
        for _, found in deadlines(state, playbook, until=now)
        for anchor, _ in found
        if anchor is not Anchor.PICKUP_LAST_CALL
    }


def troubled(state: JourneyState, playbook: Playbook, now: datetime) -> bool:
    """Whether a parcel's problem, an overdue event or a remedy stands open: nobody wants an offer then."""
    for parcel in state.parcels:
        if parcel.troubled and not state.written_off(parcel):
            return True
    if state.remedies and any(remedy.open for remedy in state.remedies.values()):
        return True
    return bool(overdue(state, playbook, now))


def delivery_state(state: JourneyState) -> str:
    """The order's state, derived over its parcels and lines: what of it is where."""
    live = [parcel for parcel in state.parcels if not parcel.void]
    if state.cancelled_at is not None:
        return "cancelled"
    if state.called_off_at is not None:
        return "nothing left of it"
    if not state.order.physical:
        return "handed over"
    if not live:
        return _unsent(state)
    return "delivered" if order_delivered_at(state, told=True) is not None else _under_way(state, live)


def _unsent(state: JourneyState) -> str:
    if not state.goods:
        return "nothing left of it"
    if any(parcel.arrived_at is not None for parcel in state.left_out):
        return "delivered, then called off"
    return "to be collected" if state.order.handover is Handover.COLLECTED else "not dispatched"


def _under_way(state: JourneyState, live: Sequence[Parcel]) -> str:
    goods, there = state.goods, [parcel for parcel in live if parcel.arrived_at is not None]
    sent = {sku for parcel in live for sku in (goods if parcel.skus is None else parcel.skus)}
    said = []
    if not goods <= sent:
        said.append(f"{len(goods & sent)} of {len(goods)} goods dispatched")
    made_good = sum(state.written_off(parcel) for parcel in live)
    if there or made_good:
        said.append(f"{len(there)} of {len(live)} parcels delivered")
    if made_good:
        said.append(f"{made_good} made good")
    if not said:
        collected = all(parcel.pickup for parcel in live)
        ready = any(parcel.waiting_at is not None for parcel in live)
        said.append("dispatched" if not collected else "ready in the store" if ready else "to be collected")
    return ", ".join(said)


def attention(state: JourneyState, playbook: Playbook, now: datetime) -> tuple[str, ...]:
    """What a person may want to look at now, in a few fixed words each; they are search attributes, too."""
    found: set[str] = set()
    for parcel in state.parcels:
        if state.written_off(parcel):
            continue
        if parcel.denied:
            found.add("denied")
        elif parcel.disputed:
            found.add("delivery_disputed")
        elif parcel.troubled:
            back = parcel.going_back and parcel.status_at is not None and parcel.back_by(parcel.status_at)
            found.add("returning" if back else str(parcel.reason or parcel.status))
    found |= {str(anchor) for anchor in overdue(state, playbook, now)}
    found |= {f"remedy_{remedy.stand}" for remedy in state.remedies.values() if remedy.open or remedy.stand in _STUCK}
    return tuple(sorted(found))


_STUCK = frozenset({Stand.FAILED, Stand.DECLINED})


def delivery_view(state: JourneyState, parcels: Sequence[Parcel]) -> DeliveryView:
    """The lines that these parcels carry; what no parcel is said to carry is in the one that does not say."""
    order = state.order
    if not parcels:
        return state.circumstances.delivery
    said = {sku for parcel in parcels for sku in parcel.skus or ()}
    if any(parcel.skus is None for parcel in parcels):
        named = {sku for parcel in state.parcels for sku in parcel.skus or ()}
        said |= {line.sku for line in order.lines} - named
    lines = [line for line in order.lines if line.sku in said]
    return DeliveryView(
        categories=tuple(dict.fromkeys(line.category for line in lines if line.category)),
        skus=tuple(line.sku for line in lines),
    )


def ended(state: JourneyState, playbook: Playbook) -> Sequence[Ending]:
    """The facts about the whole order that end touches, as far as they hold."""
    over = []
    if state.called_off_at is not None:
        over.append(Ending.ORDER_CANCELLED)
    if state.fully_refunded_at is not None:
        over.append(Ending.ORDER_REFUNDED)
    if state.reordered_at is not None:
        over.append(Ending.CUSTOMER_REORDERED)
    if state.reviewed_at is not None:
        over.append(Ending.REVIEW_POSTED)
    if negative_review_at(state, playbook) is not None:
        over.append(Ending.NEGATIVE_REVIEW)
    for parcel in state.parcels:
        if parcel.problems or parcel.going_back:
            return over + _never_comes(state)
    return over


def _never_comes(state: JourneyState) -> list[Ending]:
    live = [parcel for parcel in state.parcels if parcel.delivered_at is None and not parcel.void]
    if not live or len(live) != sum(not parcel.void for parcel in state.parcels):
        return []
    over = []
    if all(parcel.going_back for parcel in live):
        over.append(Ending.ORDER_RETURNED)
    if all(parcel.lost_at for parcel in live):
        over.append(Ending.ORDER_LOST)
    return over


def over_for(parcel: Parcel, since: datetime, endings: Collection[Ending]) -> str | None:
    """What of a parcel takes away the reason to tell what happened to it at `since`, as a rule's name."""
    if parcel.delivered_at is not None and Ending.PARCEL_DELIVERED in endings:
        return "ended_by_parcel_delivered"
    # A van that came before the fact says nothing about it: a delay after a failed attempt is news.
    came = parcel.out_for_delivery_at
    if came is not None and came >= since and Ending.PARCEL_OUT_FOR_DELIVERY in endings:
        return "ended_by_parcel_out_for_delivery"
    return None
