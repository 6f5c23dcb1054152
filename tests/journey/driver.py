"""A journey on a virtual clock: the workflow's loop round the rules, without a workflow.

Every look asks twice (the rules are pure) and, when told to, sends the state through JSON first, as
continue-as-new does between any two steps.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from journey.answers import closed_ways, found_out, mended, opened, report, settle, unanswered
from journey.base import TouchKey
from journey.events import Event, Resumed
from journey.itinerary import Deliver, FindOut, Finish, Step, Wait, left_over, next_step, passed_over
from journey.mending import Mend
from journey.outcomes import DeliverRequest, Held, Outcome, Refused, Sent
from journey.playbook import Playbook
from journey.remedies import Action, By, Choice, RemedyAnswer, Stand
from journey.state import JourneyState
from journey.stops import Stop
from journey.telling import apply

Arrival = tuple[datetime, Event]
Answer = Callable[[Deliver, datetime], Outcome]


_OPENS_AFTER = timedelta(hours=5)


class LostError(Exception):
    """The attempt gives no answer; `found` is what the ledger says of it, at the moment it is asked."""

    def __init__(self, found: Callable[[datetime], Outcome]) -> None:
        super().__init__("no answer")
        self.found = found


def _lost(found: Callable[[datetime], Outcome]) -> Callable[[datetime], Outcome]:
    def answer(_now: datetime) -> Outcome:
        raise LostError(found)

    return answer


LOST_BEHIND_THE_SEND = _lost(lambda now: Sent(at=now))
LOST_BEFORE_IT = _lost(lambda now: Held(until=now, rule="attempt_lost"))
LOST_IN_DOUBT = _lost(lambda now: Held(until=now, rule="in_doubt", doubtful=True))


class NeverEndsError(AssertionError):
    """The journey took more steps than any journey may."""


@dataclass(frozen=True)
class Asked:
    """One `deliver`: the stop, when, what came back, and the state it was decided on."""

    stop: Stop
    at: datetime
    forced: bool
    outcome: Outcome
    state: JourneyState


@dataclass
class Drive:
    """One journey under way. `rules` collects every non-send with its rule, `asked` every delivery."""

    state: JourneyState
    playbook: Playbook
    now: datetime
    answer: Answer
    round_trips: bool = False
    asked: list[Asked] = field(default_factory=list)
    rules: dict[str, str] = field(default_factory=dict)
    heard: list[tuple[datetime, Event]] = field(default_factory=list)
    mended: list[tuple[Action, str, datetime]] = field(default_factory=list)
    finished: str | None = None
    opens: datetime | None = None
    lost: dict[str, tuple[Asked, Callable[[datetime], Outcome]]] = field(default_factory=dict)

    @property
    def sent(self) -> list[str]:
        """The keys that went out, in order."""
        return [one.stop.key for one in self.asked if isinstance(one.outcome, Sent)]

    def sent_at(self, name: TouchKey | str) -> datetime | None:
        """When that key went out, if it did."""
        return next((one.at for one in self.asked if one.stop.key == name and isinstance(one.outcome, Sent)), None)

    def hear(self, event: Event) -> None:
        self.state = apply(self.state, event, now=self.now)
        self.heard.append((self.now, event))

    def look(self) -> Step:
        if self.round_trips:
            self.state = round_trip(self.state)
        step = next_step(self.state, self.playbook, now=self.now)
        assert step == next_step(self.state, self.playbook, now=self.now)
        return step

    def until(self, end: datetime | None) -> None:
        """Run until `end` (None: until it finishes or can only be woken by a fact)."""
        for _ in range(3000):
            if self.finished is not None:
                return
            step = self.look()
            match step:
                case Deliver():
                    self._deliver(step)
                case FindOut():
                    self._find_out(step)
                case Mend():
                    self._mend(step)
                case Finish():
                    over = left_over(self.state, self.playbook, now=self.now)
                    self._note(over)
                    self.state = report(self.state, over, now=self.now)
                    self.finished = step.why
                case Wait():
                    if not self._wait(step, end):
                        return
        raise NeverEndsError(self.state.model_dump_json(exclude_unset=True))

    def _wait(self, step: Wait, end: datetime | None) -> bool:
        """Let time pass until the step's moment, or until a way opens; False when `end` or nothing comes before."""
        assert step.until is None or step.until > self.now, "a wait into the past would spin"
        closed = closed_ways(self.state)
        due = min(filter(None, [step.until, self.opens if closed else None]), default=None)
        if due is None or (end is not None and due > end):
            self.now = end or self.now
            return False
        self.now = max(due, self.now)
        if due == self.opens:
            for way in closed:
                self.state = opened(self.state, way, now=self.now)
        return True

    def _mend(self, step: Mend) -> None:
        """Write the offer down; with no choice in time the money goes back at once."""
        stands = {
            Action.OFFER: RemedyAnswer(status=Stand.OFFERED),
            Action.DEFAULT: RemedyAnswer(status=Stand.DONE, choice=Choice.REFUND, by=By.DEFAULT),
            Action.WITHDRAW: RemedyAnswer(status=Stand.WITHDRAWN),
        }
        self.mended.append((step.action, step.part, self.now))
        self.state = mended(self.state, step.step(self.state, self.now), stands[step.action])

    def _deliver(self, step: Deliver) -> None:
        stop, asked_on = step.stop, self.state
        over = passed_over(self.state, self.playbook, now=self.now)
        request = DeliverRequest(
            shop=self.state.order.shop,
            order_id=self.state.order.order_id,
            playbook=self.state.playbook,
            key=stop.key,
            due=stop.due,
            now=self.now,
            forced=step.forced,
            along=tuple(key for key, _ in stop.along),
            passed_over=over,
        )
        self._note(over)
        assert not self.state.unanswered, "something is decided before it is known what went out"
        try:
            outcome = self.answer(step, self.now)
        except LostError as lost:
            nothing = Asked(stop, self.now, step.forced, Held(until=self.now, rule="lost"), asked_on)
            self.asked.append(nothing)
            self.lost[stop.key] = nothing, lost.found
            self.state = unanswered(self.state, stop.key, request.along, now=self.now)
            return
        self.asked.append(Asked(stop, self.now, step.forced, outcome, asked_on))
        if isinstance(outcome, Held) and outcome.waits_for is not None:
            self.opens = self.now + _OPENS_AFTER
        self.state = settle(self.state, request, outcome, now=self.now)

    def _find_out(self, step: FindOut) -> None:
        attempt, found = self.lost.pop(step.key)
        outcome = found(self.now)
        if not isinstance(outcome, Held):
            self.asked.append(replace(attempt, outcome=outcome))
        self.state = found_out(self.state, step.key, outcome, now=self.now)

    def _note(self, over: Iterable) -> None:  # type: ignore[type-arg]  # PassedOver rows
        for one in over:
            assert one.rule, f"{one.key} was passed over without a rule"
            self.rules[one.key] = one.rule


def always_sent(_step: Deliver, now: datetime) -> Outcome:
    return Sent(at=now)


def patient(outcomes: Iterable[Callable[[datetime], Outcome]]) -> Answer:
    """Answers in turn, then sends; what is held past its patience is refused, as the contact rules do."""
    left = iter(outcomes)

    def answer(step: Deliver, now: datetime) -> Outcome:
        make = next(left, None)
        outcome = Sent(at=now) if make is None else make(now)
        if isinstance(outcome, Held) and outcome.until > step.stop.due + step.stop.touch.patience:
            return Refused(rule=f"expired_{outcome.rule}")
        return outcome

    return answer


def drive(
    state: JourneyState,
    playbook: Playbook,
    arrivals: Iterable[Arrival] = (),
    *,
    now: datetime,
    answer: Answer = always_sent,
    round_trips: bool = False,
    end: datetime | None = None,
) -> Drive:
    """The whole journey: facts at their moments, in between whatever the rules ask for; resumed if left paused."""
    journey = Drive(state, playbook, now, answer, round_trips=round_trips)
    for moment, event in sorted(arrivals, key=lambda arrival: arrival[0]):
        if journey.finished is not None:
            break
        journey.until(max(moment, journey.now))
        if journey.finished is None:
            journey.hear(event)
    journey.until(end)
    if journey.finished is None and end is None:
        journey.now += timedelta(days=1)
        journey.hear(Resumed(at=journey.now))
        journey.until(None)
    return journey


def round_trip(state: JourneyState) -> JourneyState:
    """The state as the next run would find it."""
    text = state.model_dump_json(exclude_unset=True)
    back = JourneyState.model_validate_json(text)
    assert back.model_dump() == state.model_dump()
    assert back.model_dump(exclude_unset=True) == state.model_dump(exclude_unset=True)
    return back
