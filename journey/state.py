"""The journey's state, and `apply`: how each fact changes it.

State is one small frozen model that survives continue-as-new. `apply` only writes down what is known; what
follows from it (who gets what, and when) is derived by `journey.itinerary`, so that no two truths can differ.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from journey.base import Frozen, Instant, TouchKey, TrackingNumber
from journey.conditions import Circumstances, CustomerView, JourneyView, OrderView
from journey.events import (
    CustomerReordered,
    Event,
    OrderCancelled,
    OrderEdited,
    OrderRefunded,
    Paused,
    Resumed,
    ReviewPosted,
    SendNow,
    ShipmentCreated,
    ShipmentUpdated,
    TouchSkipped,
)
from journey.order import Buyer, OrderFacts
from journey.outcomes import DeliverRequest, Held, Outcome, PassedOver, Refused, Sent, Status, Why, unsaid
from journey.parcels import Parcel, Scan, dispatched, scanned

REUSED_NUMBER = timedelta(days=1)
"""A scan this long before the order was placed tells of another parcel: carriers use their numbers again."""


class Settled(Frozen):
    """How a touch ended: its status, when by the journey's clock, and the rule, or each channel's, against it."""

    status: Status
    at: Instant
    rule: str | None = None
    why: Why = unsaid()


class JourneyState(Frozen):
    """All that a journey remembers. Moments are UTC on the journey's clock or, for facts, as they happened."""

    order: OrderFacts
    playbook: str
    """The digest of the pinned playbook."""
    parcels: tuple[Parcel, ...] = ()
    edited_at: Instant | None = None
    cancelled_at: Instant | None = None
    refunds: tuple[tuple[str, Instant], ...] = ()
    fully_refunded_at: Instant | None = None
    reviewed_at: Instant | None = None
    worst_rating: int | None = None
    worst_review_at: Instant | None = None
    reordered_at: Instant | None = None
    settled: Mapping[str, Settled] = {}
    held: Mapping[str, Held] = {}
    last_sent_at: Instant | None = None
    paused: bool = False
    send_now: tuple[TouchKey, ...] = ()
    reported: frozenset[str] = frozenset()
    """Keys of non-sends that the ledger already has."""

    # Both are caches of pure functions, never serialised. Copies share them; whatever changes the circumstances
    # (`_changed`) gives the new state fresh ones.

    @cached_property
    def verdicts(self) -> dict[str, bool | str]:
        """Conditions judged so far under the present circumstances."""
        return {}

    @cached_property
    def circumstances(self) -> Circumstances:
        """What conditions can read, now."""
        return _look_around(self)

    def parcel(self, tracking_number: str) -> Parcel | None:
        """The parcel of that number, if the journey has heard of it."""
        for parcel in self.parcels:
            if parcel.tracking_number == tracking_number:
                return parcel
        return None


def start(state: JourneyState, *, now: datetime) -> JourneyState:
    """The state a run begins with at `now`: as given, but an order dated in the future was placed now."""
    if state.order.placed_at <= now:
        return state
    return state.but(order=state.order.but(placed_at=now))


def apply(state: JourneyState, event: Event, *, now: datetime) -> JourneyState:
    """The state after one more fact, received at `now`.

    Idempotent, and for facts from outside order does not matter. A fact dated after `now` happened now, and
    nothing can happen to an order before it was placed.
    """
    placed_at = state.order.placed_at
    if event.at < placed_at:
        if isinstance(event, ShipmentUpdated) and placed_at - event.at > REUSED_NUMBER:
            return state
        event = event.but(at=min(placed_at, now))
    elif event.at > now:
        event = event.but(at=now)
    return _FOLDS[type(event)](state, event)


def settle(state: JourneyState, request: DeliverRequest, outcome: Outcome, *, now: datetime) -> JourneyState:
    """The state after `deliver` answered at `now` what became of one touch."""
    key = request.key
    reported = state.reported | {passed.key for passed in request.passed_over}
    send_now = tuple(wanted for wanted in state.send_now if wanted != key)
    if isinstance(outcome, Held):
        # The ledger's last word on it is now the hold: should it be passed over later, that is news again.
        held = {**_without(state.held, reported), key: outcome}
        return state.but(held=held, reported=reported - {key}, send_now=send_now)
    # What stays as it was is not mentioned: fields that nobody set are left out when a state is written down.
    changes: dict[str, Any] = {}
    if isinstance(outcome, Sent):
        settled = Settled(status=Status.SENT, at=outcome.at)
        changes["last_sent_at"] = outcome.at
    else:
        why = {"why": outcome.why} if isinstance(outcome, Refused) and outcome.why else {}
        settled = Settled(status=Status(outcome.status), at=now, rule=outcome.rule, **why)
    if state.held:
        changes["held"] = _without(state.held, {key} | reported)
    if state.send_now:
        changes["send_now"] = send_now
    if request.passed_over:
        changes["reported"] = reported
    return state.but(settled={**state.settled, key: settled}, **changes)


def report(state: JourneyState, passed_over: tuple[PassedOver, ...]) -> JourneyState:
    """The state after these non-sends reached the ledger."""
    reported = state.reported | {passed.key for passed in passed_over}
    return state.but(reported=reported, held=_without(state.held, reported))


def _changed(state: JourneyState, **changes: Any) -> JourneyState:
    """A copy whose circumstances may be others: only what was judged of an unchanged order alone still counts."""
    changed = state.but(**changes)
    changed.__dict__.pop("circumstances", None)
    judged = changed.__dict__.pop("verdicts", None)
    if judged and "order" not in changes:
        # A condition that does not say `journey` cannot read it.
        changed.__dict__["verdicts"] = {said: verdict for said, verdict in judged.items() if "journey" not in said}
    return changed


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
    return _changed(state, order=edited, edited_at=event.at)


def _refunded(state: JourneyState, event: OrderRefunded) -> JourneyState:
    first = dict(state.refunds)
    first[event.refund_id] = _earliest(first.get(event.refund_id), event.at)
    full = _earliest(state.fully_refunded_at, event.at) if event.full else state.fully_refunded_at
    return _changed(state, refunds=tuple(sorted(first.items())), fully_refunded_at=full)


def _shipped(state: JourneyState, event: ShipmentCreated) -> JourneyState:
    before = state.parcel(event.tracking_number)
    parcel = dispatched(
        before,
        tracking_number=event.tracking_number,
        carrier=event.carrier,
        skus=event.skus,
        estimated_delivery=event.estimated_delivery,
        at=event.at,
    )
    return _with_parcel(state, before, parcel)


def _scanned(state: JourneyState, event: ShipmentUpdated) -> JourneyState:
    before = state.parcel(event.tracking_number)
    scan = Scan(event.status, event.at, event.reason, event.estimated_delivery)
    parcel = scanned(before, scan, tracking_number=event.tracking_number, carrier=event.carrier)
    return _with_parcel(state, before, parcel)


def _reviewed(state: JourneyState, event: ReviewPosted) -> JourneyState:
    changes: dict[str, Any] = {"reviewed_at": _earliest(state.reviewed_at, event.at)}
    worst = (state.worst_rating, state.worst_review_at)
    if state.worst_rating is None or (event.rating, event.at) < worst:
        changes |= {"worst_rating": event.rating, "worst_review_at": event.at}
    return _changed(state, **changes)


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
    skipped = Settled(status=Status.REFUSED, at=event.at, rule="skipped_by_operator")
    return state.but(
        settled={**state.settled, event.key: skipped},
        held=_without(state.held, {event.key}),
        send_now=tuple(key for key in state.send_now if key != event.key),
    )


def _wanted_now(state: JourneyState, event: SendNow) -> JourneyState:
    if event.key in state.settled or event.key in state.send_now:
        return state
    return state.but(send_now=(*state.send_now, event.key))


_FOLDS: dict[type, Callable[[JourneyState, Any], JourneyState]] = {
    OrderCancelled: _cancelled,
    OrderEdited: _edited,
    OrderRefunded: _refunded,
    ShipmentCreated: _shipped,
    ShipmentUpdated: _scanned,
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
    parcels = tuple(parcel if known is before else known for known in state.parcels)
    if before is None:
        return _changed(state, parcels=tuple(sorted((*parcels, parcel), key=_tracking)))
    # A condition sees of a parcel only that it is there, and whether it is late.
    told_alike = before.problems is parcel.problems and before.estimates is parcel.estimates
    if told_alike or (before.delayed_at is None) == (parcel.delayed_at is None):
        return state.but(parcels=parcels)
    return _changed(state, parcels=parcels)


def _tracking(parcel: Parcel) -> TrackingNumber:
    return parcel.tracking_number


def _without(held: Mapping[str, Held], keys: Collection[str]) -> Mapping[str, Held]:
    """The holds but those of `keys`; the same ones where none of them is held."""
    if held.keys().isdisjoint(keys):
        return held
    return {key: hold for key, hold in held.items() if key not in keys}


def _earliest(known: datetime | None, at: datetime) -> datetime:
    return at if known is None or at < known else known


def _look_around(state: JourneyState) -> Circumstances:
    order = state.order
    return Circumstances(
        OrderView(
            total=order.total,
            currency=order.currency,
            country=order.country or "",
            channel=order.channel,
            categories=order.categories,
            skus=tuple(line.sku for line in order.lines),
            digital=order.digital,
            physical=order.physical,
            items=sum(line.quantity for line in order.lines),
        ),
        CustomerView(first_time=order.buyer is Buyer.FIRST, repeat=order.buyer is Buyer.REPEAT),
        JourneyView(
            parcels=len(state.parcels),
            refunded=bool(state.refunds),
            reviewed=state.reviewed_at is not None,
            rating=state.worst_rating or 0,
            delayed=any(parcel.delayed_at is not None for parcel in state.parcels),
        ),
    )
