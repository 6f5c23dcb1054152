"""The journey's state, and `apply`: how each fact changes it.

State is one small frozen model that survives continue-as-new. `apply` only writes down what is known; what
follows from it (who gets what, and when) is derived by `journey.itinerary`, so that no two truths can differ.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import singledispatch
from typing import Any

from pydantic import PrivateAttr

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
from journey.outcomes import DeliverRequest, Held, Outcome, PassedOver, Sent, Status
from journey.parcels import Parcel, Reason, Scan, dispatched, scanned


class Settled(Frozen):
    """How a touch ended: its status, when by the journey's clock, and the rule where it did not go."""

    status: Status
    at: Instant
    rule: str | None = None


class JourneyState(Frozen):
    """All that a journey remembers. Moments are UTC on the journey's clock or, for facts, as they happened."""

    order: OrderFacts
    playbook: str
    """The digest of the pinned playbook."""
    parcels: tuple[Parcel, ...] = ()
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

    # Verdicts of conditions under these circumstances. Copies share it; whatever changes the circumstances
    # gives the new state a fresh one. It is a cache of a pure function, never serialised.
    _verdicts: dict[str, bool | str] = PrivateAttr(default_factory=dict)
    _circumstances: Circumstances | None = PrivateAttr(default=None)

    @property
    def verdicts(self) -> dict[str, bool | str]:
        """Conditions judged so far under the present circumstances."""
        return self._verdicts

    @property
    def circumstances(self) -> Circumstances:
        """What conditions can read, now."""
        if self._circumstances is None:
            self._circumstances = _look_around(self)
        return self._circumstances

    def looked_at_anew(self) -> "JourneyState":
        """This state with nothing judged yet; only for one just copied and not yet handed out."""
        self._verdicts = {}
        self._circumstances = None
        return self

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

    Idempotent, and for facts from outside order does not matter. A fact dated after `now` happened now.
    """
    if event.at > now:
        event = event.but(at=now)
    return _apply(event, state)


def settle(state: JourneyState, request: DeliverRequest, outcome: Outcome, *, now: datetime) -> JourneyState:
    """The state after `deliver` answered at `now` what became of one touch."""
    key = request.key
    reported = state.reported | {passed.key for passed in request.passed_over}
    send_now = tuple(wanted for wanted in state.send_now if wanted != key)
    if isinstance(outcome, Held):
        return state.but(held={**state.held, key: outcome}, reported=reported, send_now=send_now)
    at = outcome.at if isinstance(outcome, Sent) else now
    rule = None if isinstance(outcome, Sent) else outcome.rule
    return state.but(
        settled={**state.settled, key: Settled(status=Status(outcome.status), at=at, rule=rule)},
        held={held: until for held, until in state.held.items() if held != key} if state.held else state.held,
        last_sent_at=at if isinstance(outcome, Sent) else state.last_sent_at,
        reported=reported,
        send_now=send_now,
    )


def report(state: JourneyState, passed_over: tuple[PassedOver, ...]) -> JourneyState:
    """The state after these non-sends reached the ledger."""
    return state.but(reported=state.reported | {passed.key for passed in passed_over})


def _changed(state: JourneyState, **changes: Any) -> JourneyState:
    """A copy whose circumstances may be others, so nothing judged before counts."""
    return state.but(**changes).looked_at_anew()


@singledispatch
def _apply(event: Any, _state: JourneyState) -> JourneyState:
    raise TypeError(f"a journey knows no event of type {type(event).__name__}")


@_apply.register
def _(event: OrderCancelled, state: JourneyState) -> JourneyState:
    return state.but(cancelled_at=_earliest(state.cancelled_at, event.at))


@_apply.register
def _(event: OrderEdited, state: JourneyState) -> JourneyState:
    # Built anew rather than copied: OrderFacts caches what it derives from its lines.
    edited = dict(state.order) | {"total": event.total, "lines": event.lines}
    return _changed(state, order=OrderFacts(**edited))


@_apply.register
def _(event: OrderRefunded, state: JourneyState) -> JourneyState:
    first = dict(state.refunds)
    first[event.refund_id] = _earliest(first.get(event.refund_id), event.at)
    full = _earliest(state.fully_refunded_at, event.at) if event.full else state.fully_refunded_at
    return _changed(state, refunds=tuple(sorted(first.items())), fully_refunded_at=full)


@_apply.register
def _(event: ShipmentCreated, state: JourneyState) -> JourneyState:
    parcel = dispatched(
        state.parcel(event.tracking_number),
        tracking_number=event.tracking_number,
        carrier=event.carrier,
        skus=event.skus,
        estimated_delivery=event.estimated_delivery,
        at=event.at,
    )
    return _with_parcel(state, parcel)


@_apply.register
def _(event: ShipmentUpdated, state: JourneyState) -> JourneyState:
    scan = Scan(
        status=event.status,
        occurred_at=event.at,
        reason=event.reason,
        estimated_delivery=event.estimated_delivery,
    )
    parcel = scanned(
        state.parcel(event.tracking_number), scan, tracking_number=event.tracking_number, carrier=event.carrier
    )
    return _with_parcel(state, parcel)


@_apply.register
def _(event: ReviewPosted, state: JourneyState) -> JourneyState:
    changes: dict[str, Any] = {"reviewed_at": _earliest(state.reviewed_at, event.at)}
    worst = (state.worst_rating, state.worst_review_at)
    if state.worst_rating is None or (event.rating, event.at) < worst:
        changes |= {"worst_rating": event.rating, "worst_review_at": event.at}
    return _changed(state, **changes)


@_apply.register
def _(event: CustomerReordered, state: JourneyState) -> JourneyState:
    if event.order_id == state.order.order_id:
        return state
    return state.but(reordered_at=_earliest(state.reordered_at, event.at))


@_apply.register
def _(_event: Paused, state: JourneyState) -> JourneyState:
    return state.but(paused=True)


@_apply.register
def _(_event: Resumed, state: JourneyState) -> JourneyState:
    return state.but(paused=False)


@_apply.register
def _(event: TouchSkipped, state: JourneyState) -> JourneyState:
    if event.key in state.settled:
        return state
    skipped = Settled(status=Status.REFUSED, at=event.at, rule="skipped_by_operator")
    return state.but(
        settled={**state.settled, event.key: skipped},
        send_now=tuple(key for key in state.send_now if key != event.key),
    )


@_apply.register
def _(event: SendNow, state: JourneyState) -> JourneyState:
    if event.key in state.settled or event.key in state.send_now:
        return state
    return state.but(send_now=(*state.send_now, event.key))


def _with_parcel(state: JourneyState, parcel: Parcel) -> JourneyState:
    before = state.parcel(parcel.tracking_number)
    if before == parcel:
        return state
    others = tuple(known for known in state.parcels if known.tracking_number != parcel.tracking_number)
    parcels = tuple(sorted((*others, parcel), key=_tracking))
    changed = before is None or (before.delayed_at is None) != (parcel.delayed_at is None)
    return _changed(state, parcels=parcels) if changed else state.but(parcels=parcels)


def _tracking(parcel: Parcel) -> TrackingNumber:
    return parcel.tracking_number


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


def lost_at(parcel: Parcel) -> datetime | None:
    """When the carrier gave the parcel up, if it did and the parcel has not turned up since."""
    if parcel.delivered_at is not None:
        return None
    return dict(parcel.problems).get(Reason.LOST)
