"""The stops of a journey: which messages lie on its way, when each is to be looked at, and what speaks against it.

Nothing here is remembered: stops are derived from state, playbook and `now` each time they are asked for.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import blake2s
from typing import NamedTuple

from journey.base import TouchKey
from journey.conditions import ConditionError, holds
from journey.facts import delivery_view, over_for, troubled
from journey.gathering import alone, complete, gathered
from journey.hours import end_of_quiet
from journey.moments import MOMENTS, Moment, looked_for, missed
from journey.parcels import Parcel
from journey.playbook import Ending, LatePolicy, Playbook, Touch
from journey.state import JourneyState


class Stop(NamedTuple):
    """One message on the itinerary: `due` from its anchor, `at` when it is to be looked at (held, or rescheduled).

    `since` is the anchor's moment, `parcel` the one it speaks about; all moments UTC. `along` are further parcels that
    one message speaks about, each with its own key.
    """

    touch: Touch
    key: TouchKey
    due: datetime
    at: datetime
    parcel: Parcel | None
    since: datetime
    along: tuple[tuple[TouchKey, Parcel], ...] = ()

    @property
    def keys(self) -> tuple[TouchKey, ...]:
        """Everything that this one message tells."""
        return (self.key, *(key for key, _ in self.along))

    @property
    def identity(self) -> str:
        """The decision to send this message, in at most 200 characters: all that it tells.

        It is the id of the command, so that a replay in which the rules choose another message fails.
        """
        said = " + ".join(self.keys)
        return said if len(said) <= _LONGEST_ID else f"{said[:160]} {blake2s(said.encode()).hexdigest()[:32]}"

    @property
    def parcels(self) -> list[Parcel]:
        """Every parcel that it speaks about."""
        first = [] if self.parcel is None else [self.parcel]
        return first + [parcel for _, parcel in self.along] if self.along else first

    def each(self) -> "list[Stop]":
        """A stop for each thing that it tells, for who keeps books over all of them."""
        if not self.along:
            return [self]
        return [
            self._replace(key=key, parcel=parcel, along=()) for key, parcel in ((self.key, self.parcel), *self.along)
        ]


_LONGEST_ID = 200

Fact = tuple[Sequence[Touch], Moment]
"""A fact with the touches that count from it."""


def stops(state: JourneyState, playbook: Playbook, now: datetime) -> Iterator[Stop]:
    """Every touch whose anchor is known and that is not settled."""
    facts, bundles = _facts(state, playbook, now)
    yield from bundles
    for touches, (subject, since, parcel) in (*facts, *missed(state, playbook)):
        for touch in touches:
            key = _key(touch, subject)
            if key not in state.settled:
                due = since + touch.offset
                yield Stop(touch, key, due, _looked_at(state, playbook, (touch, key, due), now), parcel, since)


def first_stop(
    state: JourneyState, playbook: Playbook, over: Sequence[Ending], now: datetime
) -> tuple[Stop | None, bool]:
    """The first of the stops that nothing speaks against, and whether an open problem keeps an earlier one back."""
    best: Stop | None = None
    kept_back: list[Stop] = []
    trouble: bool | None = None
    for stop in stops(state, playbook, now):
        # Quiet hours only delay a stop, so what is no earlier without them needs no further look.
        if best is not None and not goes_before(stop, best, now):
            continue
        if rule_against(state, playbook, over, stop, now) is not None:
            continue
        if stop.touch.marketing:
            if trouble is None:
                trouble = troubled(state, playbook, now)
            if trouble:
                kept_back.append(stop)
                continue
            stop = awake(state, playbook, stop, now)  # noqa: PLW2901  the same stop, seen by the customer's clock
            if best is not None and not goes_before(stop, best, now):
                continue
        best = stop
    return best, any(best is None or goes_before(stop, best, now) for stop in kept_back)


def _facts(state: JourneyState, playbook: Playbook, now: datetime) -> tuple[list[Fact], list[Stop]]:
    """What has happened; apart from it the stops that tell of several parcels in one message."""
    by_anchor, gathering = looked_for(state, playbook)
    gather = bool(gathering) and not complete(state)
    facts: list[Fact] = []
    bundles: list[Stop] = []
    for anchor, touches in gathering:
        found = MOMENTS[anchor](state, playbook)
        if len(found) > 1 or (found and gather and not alone(touches, state, found[0])):
            bundles += [
                _bundled(state, playbook, touch, bundle, now)
                for touch in touches
                for bundle in gathered(touch, found, state, playbook)
            ]
        elif found:
            facts.append((touches, found[0]))
    for anchor, touches in by_anchor:
        for moment in MOMENTS[anchor](state, playbook):
            facts.append((touches, moment))  # noqa: PERF401  there is mostly one
    return facts, bundles


def _bundled(
    state: JourneyState, playbook: Playbook, touch: Touch, bundle: tuple[datetime, list[Moment]], now: datetime
) -> Stop:
    due, members = bundle
    # A message that was asked for keeps its name when an earlier parcel joins: its row and its doubt have that name.
    members = sorted(members, key=lambda moment: _key(touch, moment[0]) not in state.held)
    subject, since, parcel = members[0]
    key = _key(touch, subject)
    along = tuple((_key(touch, other), further) for other, _, further in members[1:] if further is not None)
    return Stop(touch, key, due, _looked_at(state, playbook, (touch, key, due), now), parcel, since, along)


def _key(touch: Touch, subject: str | None) -> TouchKey:
    return TouchKey(touch.id if subject is None else f"{touch.id}:{subject}")


def _looked_at(state: JourneyState, playbook: Playbook, wanted: tuple[Touch, str, datetime], now: datetime) -> datetime:
    """When a touch's stop, by key and due time, is to be looked at: held, or late and in its place in a row."""
    touch, key, due = wanted
    held = state.held_until(key) if state.held else None
    if held is not None and held > due:
        return held
    if now > due and touch.late.policy is _RESCHEDULE and now - due > touch.late.after:
        return _respaced(state, playbook, due)
    return due


def _respaced(state: JourneyState, playbook: Playbook, due: datetime) -> datetime:
    """Late ones go one at a time, each a space after the message before it."""
    if state.last_sent_at is None:
        return due
    return max(due, state.last_sent_at + playbook.contact.spacing)


_SKIP, _RESCHEDULE = LatePolicy.SKIP, LatePolicy.RESCHEDULE


def goes_before(stop: Stop, other: Stop, now: datetime) -> bool:
    """Whether this one is to be looked at first: by time, among those due by priority, then by who waits longest."""
    at, other_at = stop.at, other.at
    # All that are due by now are due alike.
    if at != other_at and (at > now or other_at > now):
        return at < other_at
    if stop.touch.priority != other.touch.priority:
        return stop.touch.priority > other.touch.priority
    return stop.due < other.due


def awake(state: JourneyState, playbook: Playbook, stop: Stop, now: datetime) -> Stop:
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


def rule_against(
    state: JourneyState, playbook: Playbook, over: Sequence[Ending], stop: Stop, now: datetime
) -> str | None:
    """The rule by which this stop will not be sent, as things stand; None when nothing speaks against it."""
    rule = ending_of(playbook, over, stop)
    if rule is not None:
        return rule
    # The condition before the clock: what was never meant for this customer is not called late.
    if stop.touch.when is not None:
        verdict = _verdict(state, stop.touch.when, stop)
        if verdict is not True:
            return str(verdict)
    return "too_late" if now > stop.at and _too_late(state, playbook, stop, now) else None


def _verdict(state: JourneyState, condition: str, stop: Stop) -> bool | str:
    """True, or the rule's name: judged once under the same circumstances."""
    carried: tuple[object, ...] | None = None
    # Only a condition that says `delivery` can mean different lines from stop to stop.
    by_parcel = stop.parcel is not None and stop.touch.by_parcel
    if by_parcel:
        carried = tuple([parcel.skus for parcel in stop.parcels])
        if None in carried:
            # What is in it is what the others do not name.
            carried = (carried, tuple([parcel.skus for parcel in state.parcels]))
    judged = condition if carried is None else f"{condition}\0{carried}"
    verdict = state.verdicts.get(judged)
    if verdict is None:
        seen = state.circumstances
        if by_parcel:
            seen = seen._replace(delivery=delivery_view(state, stop.parcels))
        try:
            verdict = holds(condition, seen) or "condition"
        except ConditionError:
            verdict = "condition_error"
        state.verdicts[judged] = verdict
    return verdict


def _too_late(state: JourneyState, playbook: Playbook, stop: Stop, now: datetime) -> bool:
    """Whether its time is longer past than its touch allows; a night it had to wait for does not count."""
    late = stop.touch.late
    if late.policy is not _SKIP or now - stop.at <= late.after:
        return False
    if not stop.touch.marketing:
        return True
    return now - _end_of_quiet(state, playbook, stop.touch, stop.at) > late.after


def ending_of(playbook: Playbook, over: Sequence[Ending], stop: Stop) -> str | None:
    """The fact that took this stop's reason away, as a rule's name; `over` are those that hold of the whole order."""
    parcel = stop.parcel
    if parcel is None and not over:
        return None
    endings = playbook.endings[stop.touch.id]
    if parcel is not None and endings:
        rule = over_for(parcel, stop.since, endings)
        if rule is not None:
            return rule
    return first_of(over, endings)


def first_of(over: Sequence[Ending], endings: frozenset[Ending]) -> str | None:
    """The first of those facts that is one of the endings, as a rule's name."""
    if not over or endings.isdisjoint(over):
        return None
    return next(f"ended_by_{ending}" for ending in over if ending in endings)
