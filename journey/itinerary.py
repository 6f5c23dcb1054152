"""What follows from a journey's state: who is next, when, and what was passed over by which rule.

Nothing here is remembered. The itinerary is derived from state, playbook and `now` each time it is asked
for, so a moved delivery date, a cancellation or a newer order re-plans what lies ahead by itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from journey.base import TouchKey
from journey.conditions import ConditionError, holds
from journey.outcomes import PassedOver, Status
from journey.parcels import Parcel
from journey.playbook import Anchor, Ending, LatePolicy, Playbook, Touch
from journey.state import JourneyState, lost_at


@dataclass(frozen=True, slots=True)
class Stop:
    """One message on the itinerary: `due` from its anchor, `at` when it is to be looked at (held, or rescheduled)."""

    touch: Touch
    key: TouchKey
    due: datetime
    at: datetime
    parcel: Parcel | None


@dataclass(frozen=True, slots=True)
class Deliver:
    """Send this one now. `forced` when an operator asked for it: caps and quiet hours then stand aside."""

    stop: Stop
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do until `until` (None: until something happens). `key` is the touch waited for, if one is."""

    until: datetime | None
    key: TouchKey | None
    why: str


@dataclass(frozen=True, slots=True)
class Finish:
    """Nothing can come any more."""

    why: str


Step = Deliver | Wait | Finish
_Moment = tuple[str | None, datetime, Parcel | None]


def next_step(state: JourneyState, playbook: Playbook, *, now: datetime) -> Step:
    """What to do at `now`: deliver a touch, wait, or finish."""
    if state.paused:
        return Wait(None, None, "paused by an operator")
    if state.send_now:
        for stop in _stops(state, playbook, now):
            if stop.key in state.send_now and _ending(state, playbook, stop) is None:
                return Deliver(stop, forced=True)
    blocked = False
    ahead = [(max(now, stop.at), -stop.touch.priority, stop) for stop in _stops(state, playbook, now)]
    ahead.sort(key=_by_time_then_priority)
    for at, _, stop in ahead:
        if _rule_against(state, playbook, stop, now) is not None:
            continue
        if stop.touch.marketing and _trouble(state):
            blocked = True
            continue
        if at <= now:
            return Deliver(stop)
        return Wait(at, stop.key, f"{stop.touch.id} is next")
    return _what_remains(state, playbook, now, blocked=blocked)


def upcoming(state: JourneyState, playbook: Playbook, *, now: datetime) -> list[Stop]:
    """Everything still ahead as things stand, by time; what an operator is shown."""
    stops = [stop for stop in _stops(state, playbook, now) if _rule_against(state, playbook, stop, now) is None]
    return sorted(stops, key=lambda stop: (stop.at, -stop.touch.priority))


def find_stop(state: JourneyState, playbook: Playbook, key: str, *, now: datetime) -> Stop | None:
    """The unsettled stop of that key, if its anchor is known."""
    for stop in _stops(state, playbook, now):
        if stop.key == key:
            return stop
    return None


def passed_over(state: JourneyState, playbook: Playbook, *, now: datetime) -> tuple[PassedOver, ...]:
    """The non-sends of this moment that the ledger has not been told of, each with its rule."""
    found = []
    for stop in _stops(state, playbook, now):
        if stop.key not in state.reported and stop.key not in state.send_now:
            rule = _rule_against(state, playbook, stop, now)
            if rule is not None and (stop.at <= now or _ending(state, playbook, stop) is not None):
                found.append(PassedOver(key=stop.key, rule=rule))
    return (*found, *_skipped(state))


def left_over(state: JourneyState, playbook: Playbook, *, now: datetime) -> tuple[PassedOver, ...]:
    """At the end: all that was passed over and not yet told, and what would have followed a delivery that never was."""
    found = list(passed_over(state, playbook, now=now))
    told = {passed.key for passed in found} | state.reported | set(state.settled)
    for stop in _stops(state, playbook, now):
        if stop.key not in told:
            rule = _rule_against(state, playbook, stop, now) or "journey_ended"
            found.append(PassedOver(key=stop.key, rule=rule))
            told.add(stop.key)
    for touch in playbook.touches:
        if touch.anchor is Anchor.ORDER_DELIVERED and touch.id not in told:
            ending = _order_ending(state, playbook, playbook.endings[touch.id])
            found.append(PassedOver(key=TouchKey(touch.id), rule=ending or "never_delivered"))
    return tuple(found)


def phase(state: JourneyState, playbook: Playbook, *, now: datetime) -> str:
    """Where the journey stands: the next touch's phase, else that of the last one settled."""
    ahead = upcoming(state, playbook, now=now)
    if ahead:
        return ahead[0].touch.phase
    return playbook.phases[0].id if not state.settled else playbook.phases[-1].id


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


def _by_time_then_priority(entry: tuple[datetime, int, Stop]) -> tuple[datetime, int, datetime]:
    return entry[0], entry[1], entry[2].due


def _stops(state: JourneyState, playbook: Playbook, now: datetime) -> Iterator[Stop]:
    """Every touch whose anchor is known and whose end is not."""
    settled, held = state.settled, state.held
    for anchor, touches in playbook.by_anchor:
        moments = _moments(state, playbook, anchor)
        if not moments:
            continue
        for touch in touches:
            for subject, since, parcel in moments:
                key = TouchKey(touch.id if subject is None else f"{touch.id}:{subject}")
                if key in settled:
                    continue
                due = since + touch.offset
                at = due
                if held and key in held and held[key].until > at:
                    at = held[key].until
                elif touch.late.policy is LatePolicy.RESCHEDULE and now - due > touch.late.after:
                    at = _respaced(state, playbook, due)
                yield Stop(touch, key, due, at, parcel)


def _respaced(state: JourneyState, playbook: Playbook, due: datetime) -> datetime:
    """Late ones go one at a time, each a space after the message before it."""
    if state.last_sent_at is None:
        return due
    return max(due, state.last_sent_at + playbook.contact.spacing)


def _moments(state: JourneyState, playbook: Playbook, anchor: Anchor) -> list[_Moment]:  # noqa: PLR0911, C901  one line an anchor
    """When, for whom and since when an anchor's fact holds."""
    parcels = state.parcels
    match anchor:
        case Anchor.ORDER_PLACED:
            return [(None, state.order.placed_at, None)]
        case Anchor.ORDER_DELIVERED:
            at = order_delivered_at(state)
            return [(None, at, None)] if at else []
        case Anchor.ORDER_CANCELLED:
            return [(None, state.cancelled_at, None)] if state.cancelled_at else []
        case Anchor.REFUND:
            return [(refund, at, None) for refund, at in state.refunds]
        case Anchor.NEGATIVE_REVIEW:
            at = negative_review_at(state, playbook)
            return [(None, at, None)] if at else []
        case Anchor.PARCEL_SHIPPED:
            return [(p.tracking_number, p.shipped_at, p) for p in parcels if p.shipped_at and not p.void]
        case Anchor.PARCEL_OUT_FOR_DELIVERY:
            return [(p.tracking_number, p.out_for_delivery_at, p) for p in parcels if p.out_for_delivery_at]
        case Anchor.PARCEL_DELIVERED:
            return [(p.tracking_number, p.delivered_at, p) for p in parcels if p.delivered_at]
        case Anchor.PARCEL_DELAYED:
            return [(p.tracking_number, at, p) for p in parcels if (at := p.delayed_at)]
        case Anchor.PARCEL_LOST:
            return [(p.tracking_number, at, p) for p in parcels if (at := lost_at(p))]
        case Anchor.PARCEL_PROBLEM:
            return [
                (f"{p.tracking_number}:{reason}", at, p)
                for p in parcels
                for reason, at in p.problems
                if reason not in {"delayed", "lost"}
            ]


def negative_review_at(state: JourneyState, playbook: Playbook) -> datetime | None:
    """When the customer said it was bad, by the playbook's measure."""
    if state.worst_rating is not None and state.worst_rating <= playbook.negative_rating:
        return state.worst_review_at
    return None


def _rule_against(state: JourneyState, playbook: Playbook, stop: Stop, now: datetime) -> str | None:
    """The rule by which this stop will not be sent, as things stand; None when nothing speaks against it."""
    ending = _ending(state, playbook, stop)
    if ending is not None:
        return ending
    touch = stop.touch
    if touch.late.policy is LatePolicy.SKIP and now - stop.at > touch.late.after:
        return "too_late"
    if touch.when is None:
        return None
    verdict = state.verdicts.get(touch.when)
    if verdict is None:
        try:
            verdict = holds(touch.when, state.circumstances) or "condition"
        except ConditionError:
            verdict = "condition_error"
        state.verdicts[touch.when] = verdict
    return None if verdict is True else str(verdict)


def _ending(state: JourneyState, playbook: Playbook, stop: Stop) -> str | None:
    """The fact that took this stop's reason away, as a rule's name."""
    endings = playbook.endings[stop.touch.id]
    if not endings:
        return None
    parcel = stop.parcel
    if parcel is not None:
        if parcel.delivered_at is not None and Ending.PARCEL_DELIVERED in endings:
            return "ended_by_parcel_delivered"
        if parcel.out_for_delivery_at is not None and Ending.PARCEL_OUT_FOR_DELIVERY in endings:
            return "ended_by_parcel_out_for_delivery"
    return _order_ending(state, playbook, endings)


def _order_ending(state: JourneyState, playbook: Playbook, endings: frozenset[Ending]) -> str | None:
    """The first fact about the whole order that is among these endings, as a rule's name."""
    facts: list[tuple[Ending, object]] = [
        (Ending.ORDER_CANCELLED, state.cancelled_at),
        (Ending.ORDER_REFUNDED, state.fully_refunded_at),
        (Ending.CUSTOMER_REORDERED, state.reordered_at),
        (Ending.REVIEW_POSTED, state.reviewed_at),
        (Ending.NEGATIVE_REVIEW, negative_review_at(state, playbook)),
    ]
    live = [parcel for parcel in state.parcels if not parcel.void]
    if live:
        facts.append((Ending.ORDER_RETURNED, all(parcel.going_back for parcel in live)))
        facts.append((Ending.ORDER_LOST, all(lost_at(parcel) for parcel in live)))
    for ending, fact in facts:
        if fact and ending in endings:
            return f"ended_by_{ending}"
    return None


def _trouble(state: JourneyState) -> bool:
    """Whether a parcel's problem stands open: nobody wants an offer then."""
    return any(parcel.troubled for parcel in state.parcels)


def _skipped(state: JourneyState) -> tuple[PassedOver, ...]:
    return tuple(
        PassedOver(key=TouchKey(key), rule=settled.rule or "")
        for key, settled in state.settled.items()
        if settled.status is Status.REFUSED and settled.rule == "skipped_by_operator" and key not in state.reported
    )


def _what_remains(state: JourneyState, playbook: Playbook, now: datetime, *, blocked: bool) -> Step:
    """No touch is ahead: either something can still happen, until a bound, or this is the end."""
    if state.fully_refunded_at is not None:
        return Finish("order refunded")
    if state.cancelled_at is not None:
        return _until(state.cancelled_at + playbook.after_cancel, now, "waiting for the refund", "order cancelled")
    if order_delivered_at(state) is not None and not blocked:
        return Finish("every touch is settled")
    horizon = state.order.placed_at + playbook.gives_up_after
    why = "waiting for an open parcel problem" if blocked else "waiting for the parcels"
    return _until(horizon, now, why, "no delivery within the playbook's limit")


def _until(bound: datetime, now: datetime, waiting: str, ended: str) -> Step:
    return Finish(ended) if now >= bound else Wait(bound, None, waiting)
