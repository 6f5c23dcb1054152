"""What follows from a journey's state: who is next, when, and what was passed over by which rule.

Nothing here is remembered. The itinerary is derived from state, playbook and `now` each time it is asked
for, so a moved delivery date, a cancellation or a newer order re-plans what lies ahead by itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from journey.base import TouchKey
from journey.conditions import ConditionError, holds
from journey.facts import Moment, ended, moments, order_delivered_at
from journey.hours import end_of_quiet
from journey.outcomes import PassedOver, Status
from journey.parcels import Parcel
from journey.playbook import Anchor, Ending, LatePolicy, Playbook, Touch, touch_id
from journey.state import JourneyState, Settled


class Stop(NamedTuple):
    """One message on the itinerary: `due` from its anchor, `at` when it is to be looked at (held, or rescheduled).

    `since` is the anchor's moment, `parcel` the one it speaks about; all moments UTC.
    """

    touch: Touch
    key: TouchKey
    due: datetime
    at: datetime
    parcel: Parcel | None
    since: datetime


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


class After(NamedTuple):
    """What follows once a stop is settled.

    `why` the journey is over then (None: it goes on), and the non-sends that the ledger has not been told of.
    """

    why: str | None
    passed: tuple[PassedOver, ...]


def next_step(state: JourneyState, playbook: Playbook, *, now: datetime) -> Step:
    """What to do at `now`: deliver a touch, wait, or finish."""
    if state.paused:
        return Wait(None, None, "paused by an operator")
    over = ended(state, playbook)
    if state.send_now:
        for stop in _stops(state, playbook, now):
            if stop.key in state.send_now and _ending(playbook, over, stop) is None:
                return Deliver(stop, forced=True)
    best, blocked = _next_stop(state, playbook, over, now)
    if best is None:
        return _what_remains(state, playbook, now, blocked=blocked)
    return Deliver(best) if best.at <= now else Wait(best.at, best.key, f"{best.touch.id} is next")


class Outlook(NamedTuple):
    """Every unsettled stop as things stand.

    Those still `ahead`, by time, and those that will not be sent, each with its rule: their time has come, or their
    reason is gone.
    """

    ahead: list[Stop]
    non_sends: list[tuple[Stop, str]]


def outlook(state: JourneyState, playbook: Playbook, *, now: datetime) -> Outlook:
    """What an operator is shown of what is to come, and of what was passed over."""
    over = ended(state, playbook)
    ahead: list[Stop] = []
    passed: list[tuple[Stop, str]] = []
    for stop in _stops(state, playbook, now):
        rule = _rule_against(state, playbook, over, stop, now)
        if rule is None:
            ahead.append(_awake(state, playbook, stop, now) if stop.touch.marketing else stop)
        elif stop.key not in state.send_now and (stop.at <= now or _ending(playbook, over, stop) is not None):
            passed.append((stop, rule))
    ahead.sort(key=lambda stop: (stop.at, -stop.touch.priority))
    return Outlook(ahead, passed)


def find_stop(state: JourneyState, playbook: Playbook, key: str, *, now: datetime) -> Stop | None:
    """The unsettled stop of that key, if its anchor is known."""
    for stop in _stops(state, playbook, now):
        if stop.key == key:
            return stop
    return None


def passed_over(state: JourneyState, playbook: Playbook, *, now: datetime) -> tuple[PassedOver, ...]:
    """The non-sends of this moment that the ledger has not been told of, each with its rule."""
    return _untold(state, outlook(state, playbook, now=now))


def left_over(state: JourneyState, playbook: Playbook, *, now: datetime) -> tuple[PassedOver, ...]:
    """At the end: all that was passed over and not yet told, and what would have followed a delivery that never was."""
    over = ended(state, playbook)
    troubled = _trouble(state)
    found = list(passed_over(state, playbook, now=now))
    told = {passed.key for passed in found} | state.reported | set(state.settled)
    for stop in _stops(state, playbook, now):
        if stop.key not in told:
            rule = _rule_against(state, playbook, over, stop, now)
            blocked = "open_parcel_problem" if troubled and stop.touch.marketing else "journey_ended"
            found.append(PassedOver(key=stop.key, rule=rule or blocked))
            told.add(stop.key)
    for touch in playbook.touches:
        if touch.anchor is Anchor.ORDER_DELIVERED and touch.id not in told:
            ending = _first_of(over, playbook.endings[touch.id])
            found.append(PassedOver(key=TouchKey(touch.id), rule=ending or "never_delivered"))
    return tuple(found)


def after(state: JourneyState, playbook: Playbook, stop: Stop, *, now: datetime) -> After:
    """What the ledger has to know beside this stop's message: the journey's end, or what was passed over."""
    settled = {**state.settled, stop.key: Settled(status=Status.SENT, at=now)}
    left = state.but(settled=settled, send_now=tuple(key for key in state.send_now if key != stop.key))
    seen = outlook(left, playbook, now=now)
    # Whatever is ahead keeps the journey going, but marketing does not while a parcel's problem stands open.
    if not seen.ahead or (_trouble(left) and all(one.touch.marketing for one in seen.ahead)):
        step = next_step(left, playbook, now=now)
        if isinstance(step, Finish):
            return After(step.why, left_over(left, playbook, now=now))
    return After(None, _untold(left, seen))


def phase(state: JourneyState, playbook: Playbook, ahead: Sequence[Stop]) -> str:
    """Where the journey stands: the phase of the next touch `ahead`, else that of the last one settled."""
    if ahead:
        return ahead[0].touch.phase
    last = next((playbook.by_id.get(touch_id(key)) for key in reversed(list(state.settled))), None)
    return playbook.phases[0].id if last is None else last.phase


def _next_stop(
    state: JourneyState, playbook: Playbook, over: Sequence[Ending], now: datetime
) -> tuple[Stop | None, bool]:
    """The stop to be looked at first, and whether an open problem keeps marketing back meanwhile."""
    troubled = _trouble(state)
    blocked = False
    best: Stop | None = None
    for touches, moment in moments(state, playbook):
        for candidate in _stops_of(state, playbook, touches, moment, now):
            if best is not None:
                # Within a group they come by due time, which nothing but delays: the rest of it is later still.
                if best.at < candidate.due > now:
                    break
                if not _goes_before(candidate, best, now):
                    continue
            if _rule_against(state, playbook, over, candidate, now) is not None:
                continue
            if candidate.touch.marketing:
                if troubled:
                    blocked = True
                    continue
                stop = _awake(state, playbook, candidate, now)
            else:
                stop = candidate
            if best is None or _goes_before(stop, best, now):
                best = stop
    return best, blocked


def _goes_before(stop: Stop, other: Stop, now: datetime) -> bool:
    """Whether this one is to be looked at first: by time, among those due by priority, then by who waits longest."""
    at, other_at = max(now, stop.at), max(now, other.at)
    if at != other_at:
        return at < other_at
    if stop.touch.priority != other.touch.priority:
        return stop.touch.priority > other.touch.priority
    return stop.due < other.due


def _stops(state: JourneyState, playbook: Playbook, now: datetime) -> Iterator[Stop]:
    """Every touch whose anchor is known and that is not settled."""
    for touches, moment in moments(state, playbook):
        yield from _stops_of(state, playbook, touches, moment, now)


def _stops_of(
    state: JourneyState, playbook: Playbook, touches: Sequence[Touch], moment: Moment, now: datetime
) -> Iterator[Stop]:
    """The unsettled stops that count from one fact, by due time."""
    settled, held = state.settled, state.held
    subject, since, parcel = moment
    for touch in touches:
        key = touch.id if subject is None else f"{touch.id}:{subject}"
        if key in settled:
            continue
        due = at = since + touch.offset
        hold = held.get(key) if held else None
        if hold is not None and hold.until > due:
            at = hold.until
        elif now > due and touch.late.policy is LatePolicy.RESCHEDULE and now - due > touch.late.after:
            at = _respaced(state, playbook, due)
        yield Stop(touch, TouchKey(key), due, at, parcel, since)


def _awake(state: JourneyState, playbook: Playbook, stop: Stop, now: datetime) -> Stop:
    """The stop when the customer's quiet hours are over: asking earlier would only be told to wait."""
    start = max(stop.at, now)
    at = _end_of_quiet(state, playbook, stop.touch, start)
    return stop if at == start else stop._replace(at=at)


def _end_of_quiet(state: JourneyState, playbook: Playbook, touch: Touch, moment: datetime) -> datetime:
    """When the first of the touch's channels is out of the playbook's quiet hours: which one it takes is seen then."""
    zones, hours = state.order.zones, playbook.quiet_of[touch.id]
    if len(hours) == 1:
        return end_of_quiet(moment, hours[0], zones)
    return min(end_of_quiet(moment, quiet, zones) for quiet in hours)


def _respaced(state: JourneyState, playbook: Playbook, due: datetime) -> datetime:
    """Late ones go one at a time, each a space after the message before it."""
    if state.last_sent_at is None:
        return due
    return max(due, state.last_sent_at + playbook.contact.spacing)


def _rule_against(
    state: JourneyState, playbook: Playbook, over: Sequence[Ending], stop: Stop, now: datetime
) -> str | None:
    """The rule by which this stop will not be sent, as things stand; None when nothing speaks against it."""
    ending = _ending(playbook, over, stop)
    if ending is not None:
        return ending
    # The condition before the clock: what was never meant for this customer is not called late.
    condition = stop.touch.when
    if condition is not None:
        verdict = state.verdicts.get(condition)
        if verdict is None:
            try:
                verdict = holds(condition, state.circumstances) or "condition"
            except ConditionError:
                verdict = "condition_error"
            state.verdicts[condition] = verdict
        if verdict is not True:
            return str(verdict)
    return "too_late" if now > stop.at and _too_late(state, playbook, stop, now) else None


def _too_late(state: JourneyState, playbook: Playbook, stop: Stop, now: datetime) -> bool:
    """Whether its time is longer past than its touch allows; a night it had to wait for does not count."""
    late = stop.touch.late
    if late.policy is not LatePolicy.SKIP or now - stop.at <= late.after:
        return False
    if not stop.touch.marketing:
        return True
    return now - _end_of_quiet(state, playbook, stop.touch, stop.at) > late.after


def _ending(playbook: Playbook, over: Sequence[Ending], stop: Stop) -> str | None:
    """The fact that took this stop's reason away, as a rule's name."""
    parcel = stop.parcel
    if parcel is None and not over:
        return None
    endings = playbook.endings[stop.touch.id]
    if parcel is not None and endings:
        if parcel.delivered_at is not None and Ending.PARCEL_DELIVERED in endings:
            return "ended_by_parcel_delivered"
        # A van that came before the fact says nothing about it: a delay after a failed attempt is news.
        came = parcel.out_for_delivery_at
        if came is not None and came >= stop.since and Ending.PARCEL_OUT_FOR_DELIVERY in endings:
            return "ended_by_parcel_out_for_delivery"
    return _first_of(over, endings)


def _first_of(over: Sequence[Ending], endings: frozenset[Ending]) -> str | None:
    return next((f"ended_by_{ending}" for ending in over if ending in endings), None)


def _trouble(state: JourneyState) -> bool:
    """Whether a parcel's problem stands open: nobody wants an offer then."""
    return any(parcel.troubled for parcel in state.parcels)


def _untold(state: JourneyState, seen: Outlook) -> tuple[PassedOver, ...]:
    found = [PassedOver(key=stop.key, rule=rule) for stop, rule in seen.non_sends if stop.key not in state.reported]
    return (*found, *_skipped(state))


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
    delivered = order_delivered_at(state)
    if delivered is not None and not blocked:
        # Somebody may still send it back: the refund is then told by a journey that is there to hear of it.
        return _until(delivered + playbook.stays_open, now, "open for a refund or a return", "every touch is settled")
    # A parcel sent late, or a replacement months on, is waited for as long as one sent at once.
    sent = [parcel.shipped_at for parcel in state.parcels if parcel.shipped_at is not None and not parcel.void]
    horizon = max([state.order.placed_at, *sent]) + playbook.gives_up_after
    why = "waiting for an open parcel problem" if blocked else "waiting for the parcels"
    return _until(horizon, now, why, "no delivery within the playbook's limit")


def _until(bound: datetime, now: datetime, waiting: str, ended: str) -> Step:
    return Finish(ended) if now >= bound else Wait(bound, None, waiting)
