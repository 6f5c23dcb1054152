"""How each fact changes a journey's state: `apply` only writes down what is known."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from journey.base import TrackingNumber
from journey.events import (
    AddressGiven,
    CustomerReordered,
    DeliveryDenied,
    Event,
    GoodsTakenOff,
    OrderCancelled,
    OrderEdited,
    OrderNumbered,
    OrderRefunded,
    Paused,
    RemedyChosen,
    RemedySettled,
    Resumed,
    ReviewPosted,
    SendNow,
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentUpdated,
    TouchSkipped,
)
from journey.folding import denied, dispatched, scanned
from journey.fulfilments import Fulfilment, left_out, with_word
from journey.order import OrderFacts
from journey.outcomes import Status
from journey.parcels import Parcel, Scan, meant
from journey.remedies import Stand
from journey.state import SKIPPED, JourneyState, Remedy, Settled, TakenOff, changed, unreached, with_remedy, without

REUSED_NUMBER = timedelta(days=1)
"""A scan this long before the order was placed tells of another parcel: carriers use their numbers again."""
_FOURTH = 4
"""The number of the `RULES` before those of named numbers, ways back and days that nobody means."""
_NOT_OFFERED = "operator"
"""The reason of a remedy that somebody chose unasked."""


def apply(state: JourneyState, event: Event, *, now: datetime) -> JourneyState:
    """The state after one more fact, received at `now`.

    Idempotent, and for facts from outside order does not matter. A fact dated after `now` happened now, and
    nothing can happen to an order before it was placed.
    """
    placed_at = state.order.placed_at
    if isinstance(event, ShipmentCancelled):
        # It is only held against the moments of other words about the fulfilment, which stay as they were said.
        return _called_back(state, event)
    if event.at < placed_at:
        if isinstance(event, ShipmentUpdated) and placed_at - event.at > REUSED_NUMBER:
            return state
        event = event.but(at=min(placed_at, now))
    elif event.at > now:
        event = event.but(at=now)
    if isinstance(event, ShipmentUpdated) and event.estimated_at is not None and event.estimated_at > now:
        event = event.but(estimated_at=now)
    if state.rules > _FOURTH and isinstance(event, ShipmentCreated | ShipmentUpdated):
        promise = meant(event.estimated_delivery, placed_at)
        event = event if promise == event.estimated_delivery else event.but(estimated_delivery=promise)
    return _FOLDS[type(event)](state, event)


def _cancelled(state: JourneyState, event: OrderCancelled) -> JourneyState:
    return state.but(cancelled_at=_earliest(state.cancelled_at, event.at))


def _edited(state: JourneyState, event: OrderEdited) -> JourneyState:
    order = state.order
    if state.edited_at is not None:
        # The latest edit stands; of two in one second either may, as long as it is always the same one.
        known, said = (state.edited_at, order.total, repr(order.lines)), (event.at, event.total, repr(event.lines))
        if said <= known:
            return state
    # Built anew from its fields rather than copied: OrderFacts caches what it derives from its lines.
    fields = {name: getattr(order, name) for name in order.model_fields_set}
    edited = OrderFacts(**(fields | {"total": event.total, "lines": event.lines}))
    return changed(state, order=edited, edited_at=event.at)


def _numbered(state: JourneyState, event: OrderNumbered) -> JourneyState:
    order = state.order
    # As with edits: the latest word stands, and of two at once always the same one.
    if state.numbered_at is not None and (event.at, event.number) <= (state.numbered_at, order.number or ""):
        return state
    return state.but(order=order.but(number=event.number), numbered_at=event.at)


def _addressed(state: JourneyState, _event: AddressGiven) -> JourneyState:
    """What did not go for want of an address is decided again: the rules say whether it is too late by now."""
    left = {key: settled for key, settled in state.settled.items() if not unreached(settled)}
    return state.but(readdressed=True, **({"settled": left} if len(left) < len(state.settled) else {}))


def _refunded(state: JourneyState, event: OrderRefunded) -> JourneyState:
    first = dict(state.refunds)
    first[event.refund_id] = _earliest(first.get(event.refund_id), event.at)
    full = _earliest(state.fully_refunded_at, event.at) if event.full else state.fully_refunded_at
    return changed(state, refunds=tuple(sorted(first.items())), fully_refunded_at=full)


def _taken_off(state: JourneyState, event: GoodsTakenOff) -> JourneyState:
    known = next((one for one in state.taken_off if one.refund_id == event.refund_id), None)
    if known is not None and (event.at, event.units) <= (known.at, known.units):
        return state
    others = [one for one in state.taken_off if one is not known]
    said = TakenOff(refund_id=event.refund_id, at=event.at, units=event.units)
    return changed(state, taken_off=tuple(sorted((*others, said), key=lambda one: one.refund_id)))


def _shipped(state: JourneyState, event: ShipmentCreated) -> JourneyState:
    named_at = None
    if event.fulfilment is not None:
        said_at = event.said_at or event.at
        named = (event.tracking_number,)
        named_at = said_at if state.rules > _FOURTH else None
        words = with_word(state.fulfilments, event.fulfilment, event.parcels, said_at=said_at, named=named)
        state = _with_fulfilments(state, words)
    before = _known(state, event.tracking_number)
    parcel = dispatched(
        before,
        tracking_number=event.tracking_number,
        carrier=event.carrier,
        skus=event.skus,
        estimated_delivery=event.estimated_delivery,
        at=event.at,
        service=event.service,
        method=event.method,
        expected=event.expected,
        named_at=named_at,
    )
    return _with_parcel(state, before, parcel)


def _called_back(state: JourneyState, event: ShipmentCancelled) -> JourneyState:
    words = with_word(state.fulfilments, event.fulfilment, (), said_at=event.at, named=event.parcels)
    return _with_fulfilments(state, words)


def _scanned(state: JourneyState, event: ShipmentUpdated) -> JourneyState:
    before = _known(state, event.tracking_number)
    scan = Scan(event.status, event.at, event.reason, event.estimated_delivery, event.estimated_at)
    parcel = scanned(
        before,
        scan,
        tracking_number=event.tracking_number,
        carrier=event.carrier,
        service=event.service,
        expected=event.expected,
        by_shop=event.by_shop,
        to_sender=state.rules > 2,  # noqa: PLR2004  the third of the RULES
        returns=state.rules > _FOURTH,
    )
    return _with_parcel(state, before, parcel)


def _denied(state: JourneyState, event: DeliveryDenied) -> JourneyState:
    before = _known(state, event.tracking_number)
    # It may be heard before the scan that it denies.
    parcel = denied(before or Parcel(tracking_number=event.tracking_number), event.at, found=event.found)
    return _with_parcel(state, before, parcel)


def _chosen(state: JourneyState, event: RemedyChosen) -> JourneyState:
    remedy = _remedy(state, event)
    changes: dict[str, Any] = {}
    if remedy.stand is Stand.OFFERED or remedy.reopens:
        changes |= {"stand": Stand.CHOSEN, "settled_at": None}
    if remedy.choice is None:
        changes["choice"] = event.choice
    if remedy.by is None:
        changes["by"] = event.by
    return with_remedy(state, event.part, remedy.but(**changes))


def _settled(state: JourneyState, event: RemedySettled) -> JourneyState:
    remedy = _remedy(state, event)
    if not remedy.open and not remedy.reopens:
        first = _earliest(remedy.settled_at, event.at)
        return with_remedy(state, event.part, remedy if first == remedy.settled_at else remedy.but(settled_at=first))
    changes: dict[str, Any] = {"stand": event.stand, "settled_at": event.at}
    if event.choice is not None:
        changes["choice"] = event.choice
    if event.reference is not None:
        changes["reference"] = event.reference
    return with_remedy(state, event.part, remedy.but(**changes))


def _remedy(state: JourneyState, event: RemedyChosen | RemedySettled) -> Remedy:
    """The remedy that is spoken of; one that no journey offered began with the first word of it."""
    known = state.remedies.get(event.part)
    if known is None or (known.reason == _NOT_OFFERED and event.at < known.offered_at):
        begun = known or Remedy(reason=_NOT_OFFERED, offered_at=event.at, choose_by=event.at)
        return begun.but(offered_at=event.at, choose_by=event.at)
    return known


def _reviewed(state: JourneyState, event: ReviewPosted) -> JourneyState:
    changes: dict[str, Any] = {"reviewed_at": _earliest(state.reviewed_at, event.at)}
    worst = (state.worst_rating, state.worst_review_at)
    if state.worst_rating is None or (event.rating, event.at) < worst:
        changes |= {"worst_rating": event.rating, "worst_review_at": event.at}
    return changed(state, **changes)


def _reordered(state: JourneyState, event: CustomerReordered) -> JourneyState:
    if event.order_id == state.order.order_id:
        return state
    return state.but(reordered_at=_earliest(state.reordered_at, event.at))


def _paused(state: JourneyState, _event: Paused) -> JourneyState:
    return state.but(paused=True)


def _resumed(state: JourneyState, _event: Resumed) -> JourneyState:
    return state.but(paused=False)


def _skipped(state: JourneyState, event: TouchSkipped) -> JourneyState:
    if event.key in state.settled:
        return state
    hold = state.held.get(event.key)
    # One that may have gone out stays in doubt, as it does in the ledger.
    status = Status.IN_DOUBT if hold is not None and hold.doubtful else Status.REFUSED
    skipped = Settled(status=status, at=event.at, rule=SKIPPED)
    return state.but(
        settled={**state.settled, event.key: skipped},
        held=without(state.held, {event.key}),
        send_now=tuple(key for key in state.send_now if key != event.key),
    )


def _wanted_now(state: JourneyState, event: SendNow) -> JourneyState:
    if event.key in state.settled or event.key in state.send_now:
        return state
    return state.but(send_now=(*state.send_now, event.key))


_FOLDS: dict[type, Callable[[JourneyState, Any], JourneyState]] = {
    OrderCancelled: _cancelled,
    OrderEdited: _edited,
    OrderNumbered: _numbered,
    AddressGiven: _addressed,
    OrderRefunded: _refunded,
    GoodsTakenOff: _taken_off,
    ShipmentCreated: _shipped,
    ShipmentCancelled: _called_back,
    ShipmentUpdated: _scanned,
    DeliveryDenied: _denied,
    RemedyChosen: _chosen,
    RemedySettled: _settled,
    ReviewPosted: _reviewed,
    CustomerReordered: _reordered,
    Paused: _paused,
    Resumed: _resumed,
    TouchSkipped: _skipped,
    SendNow: _wanted_now,
}


def _with_parcel(state: JourneyState, before: Parcel | None, parcel: Parcel) -> JourneyState:
    if parcel is before:
        return state
    if state.fulfilments and (before is None or before not in state.parcels):
        everything = [one for one in (*state.parcels, *state.left_out) if one is not before]
        return _divided(state, [*everything, parcel])
    if before is None:
        return changed(state, parcels=tuple(sorted((*state.parcels, parcel), key=_tracking)))
    parcels = tuple([parcel if known is before else known for known in state.parcels])
    # A condition sees of a parcel only that it is there, and whether it is late.
    told_alike = before.problems is parcel.problems and before.estimates is parcel.estimates
    if told_alike or (before.delayed_at is None) == (parcel.delayed_at is None):
        return state.but(parcels=parcels)
    return changed(state, parcels=parcels)


def _known(state: JourneyState, number: TrackingNumber) -> Parcel | None:
    """The parcel of that key, also one that is left out: it may come back."""
    found = state.parcel(number)
    if found is None and state.left_out:
        found = next((parcel for parcel in state.left_out if parcel.tracking_number == number), None)
    return found


def _with_fulfilments(state: JourneyState, fulfilments: tuple[Fulfilment, ...]) -> JourneyState:
    if fulfilments is state.fulfilments:
        return state
    return _divided(state.but(fulfilments=fulfilments), [*state.parcels, *state.left_out])


def _divided(state: JourneyState, everything: list[Parcel]) -> JourneyState:
    """The state with these parcels, those that are in the order apart from those that are not."""
    out = left_out(state.fulfilments, whole_gives_way=state.rules > _FOURTH)
    everything.sort(key=_tracking)
    return changed(
        state,
        parcels=tuple(parcel for parcel in everything if parcel.tracking_number not in out),
        left_out=tuple(parcel for parcel in everything if parcel.tracking_number in out),
    )


def _tracking(parcel: Parcel) -> TrackingNumber:
    return parcel.tracking_number


def _earliest(known: datetime | None, at: datetime) -> datetime:
    return at if known is None or at < known else known
