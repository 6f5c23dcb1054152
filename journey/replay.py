"""A past journey once more, by the same rules and under any playbook: what it did beside what it would do.

What the journey heard it hears again, each fact at the moment at which it heard it. Where the rules ask for a touch at
the moment at which the journey asked for it, the answer is the one that it got. Whatever else they ask for is answered
as in a preview, and marked as assumed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from journey.answers import found_out, mended, not_mended, not_taken, opened, unanswered
from journey.base import Frozen, Instant, TouchKey
from journey.contact import Evidence
from journey.events import SendNow, TouchSkipped
from journey.itinerary import Deliver, FindOut
from journey.mending import Mend
from journey.outcomes import DeliverRequest, InDoubt, Outcome, Refused, Sent, Status
from journey.past import Attempted, Entry, FoundOut, Heard, Mended, Opened, Run
from journey.playbook import Channel, Playbook, Purpose, Touch, touch_id
from journey.simulate import Play, Recipient, Simulation
from journey.state import renewed
from journey.stops import Stop
from journey.telling import apply

SLACK: Final = timedelta(minutes=1)
"""Two moments so near to each other are the same."""
_OF_TIME: Final = ("expired_", "hours_never_meet", "order_cancelled", "merged")
"""How rules begin that refuse a message for when it would have gone; the others speak against the message itself."""
_OF_PERSON: Final = ("no_consent", "opted_out", "unconfirmed", "no_address", "suppressed_")
"""How rules begin that speak against every message of its purpose to this person."""


class Message(Frozen):
    """How a message ended: sent on `channel` at `at`, or not, by `rule`. `assumed`: nobody can know it."""

    status: Status
    at: Instant
    channel: Channel | None = None
    rule: str | None = None
    assumed: bool = False


class Became(StrEnum):
    """What another playbook makes of a message."""

    SAME = "same"
    MOVED = "moved"
    """Sent as it was, at another moment."""
    NEW = "new"
    """Sent, and was not."""
    GONE = "gone"
    """Not sent, and was."""
    UNSENT = "unsent"
    """Not sent, as it was not, be it by another rule."""


class Compared(Frozen):
    """One message: what it `did` become, and what it `would` under the other playbook; None for no word of it."""

    touch: TouchKey
    became: Became
    did: Message | None
    would: Message | None


class Replayed(Frozen):
    """A journey played again from `began_at` to `ended_at`, and `why` it ended.

    `messages` are how each touch ended, in the order in which that was known. `notes` say in plain words where
    something had to be assumed or left out.
    """

    began_at: Instant
    ended_at: Instant
    why: str
    messages: Mapping[TouchKey, Message]
    notes: tuple[str, ...]


def replay(
    runs: Sequence[Run],
    playbook: Playbook,
    lived: Playbook,
    *,
    channels: Mapping[str, Channel],
    now: datetime,
) -> Replayed:
    """Play the journey of these runs again.

    Args:
        runs: the whole chain, the first one first, as `journey.past.chain` has it.
        playbook: under this one.
        lived: the one that the journey followed.
        channels: by touch key, on which one the message really went.
        now: until when, where the journey is still open.

    Raises:
        RuntimeError: the journey did not come to an end.
        ValueError: a fact is written down in words that this version does not know.
    """
    record = _Record(runs, lived, channels, now)
    again = first = _Again(record, lived, wanted=None)
    played = first.to_the_end()
    if playbook.digest != lived.digest:
        again = _Again(record, playbook, wanted=first.asked)
        played = again.to_the_end()
    messages: dict[TouchKey, Message] = {}
    for entry, assumed in zip(played.entries, again.assumed, strict=True):
        if entry.status != Status.HELD or entry.touch not in messages:
            status, rule = Status(entry.status), entry.rule
            messages.pop(entry.touch, None)
            messages[entry.touch] = Message(
                status=status, at=entry.at, channel=entry.channel, rule=rule, assumed=assumed
            )
    return Replayed(
        began_at=runs[0].begun_at,
        ended_at=played.ended_at,
        why=played.why,
        messages=messages,
        notes=tuple(dict.fromkeys(again.notes)),
    )


def compare(did: Mapping[str, Message], would: Mapping[TouchKey, Message]) -> list[Compared]:
    """Each message of either side, by the moment that counts: when it would be sent, else when it was."""
    found = []
    for key in dict.fromkeys((*did, *would)):
        then, now = did.get(key), would.get(TouchKey(key))
        was = then is not None and then.status is Status.SENT
        is_ = now is not None and now.status is Status.SENT
        if then is not None and now is not None and was and is_:
            became = Became.SAME if abs(then.at - now.at) <= SLACK else Became.MOVED
        else:
            became = Became.GONE if was else Became.NEW if is_ else Became.UNSENT
        found.append(Compared(touch=TouchKey(key), became=became, did=then, would=now))
    return sorted(found, key=lambda one: _at(one.would if one.became is not Became.GONE else one.did, one))


def _at(message: Message | None, one: Compared) -> tuple[datetime, str]:
    known = message or one.did or one.would
    return (known.at if known else datetime.max.replace(tzinfo=UTC), one.touch)


class _Record:
    """What is known of a journey beside the rules."""

    def __init__(self, runs: Sequence[Run], lived: Playbook, channels: Mapping[str, Channel], now: datetime) -> None:
        self.runs = runs
        self.entries: list[Entry] = [entry for run in runs for entry in run.entries]
        self.channels = channels
        last = runs[-1]
        # Who ended it from outside ended what it would have done, too.
        self.until = None if last.ended == "completed" else last.ended_at or now
        self.over = "it is still open" if last.ended is None else f"it was {last.ended.replace('_', ' ')}"
        self.refused: dict[str, str] = {}
        self.barred: dict[Purpose, str] = {}
        reached: set[Purpose] = set()
        for entry in self.entries:
            touch = lived.by_id.get(touch_id(entry.key)) if isinstance(entry, Attempted) else None
            if touch is None or not isinstance(entry, Attempted) or entry.answer is None:
                continue
            rule = entry.answer.rule or ""
            if entry.answer.status is Status.SENT:
                reached.add(touch.purpose)
            if entry.answer.status is Status.REFUSED and not rule.startswith(_OF_TIME):
                self.refused[entry.key] = rule
                if rule.startswith(_OF_PERSON):
                    self.barred[touch.purpose] = rule
        for purpose in reached & self.barred.keys():
            del self.barred[purpose]

    def stream(self) -> list[Heard | Opened | Run]:
        """What happened round it, in order; each run but the first where it began."""
        found: list[Heard | Opened | Run] = []
        for number, run in enumerate(self.runs):
            found += [run] if number else []
            found += [entry for entry in run.entries if isinstance(entry, Heard | Opened)]
        return found


class _Again(Play):
    """A journey that has been.

    `wanted` is when the playbook that it followed wanted each attempt and step, by its place in the record; None while
    that is being found out. `asked` is when this one did.
    """

    def __init__(self, record: _Record, playbook: Playbook, *, wanted: Mapping[int, datetime] | None) -> None:
        first = record.runs[0]
        super().__init__(first.state.but(playbook=playbook.digest), playbook, Recipient(), now=first.begun_at)
        self._record = record
        self._wanted = wanted
        self._stream = record.stream()
        entries = list(enumerate(record.entries))
        self._attempts = {number: entry for number, entry in entries if isinstance(entry, Attempted)}
        self._steps = {number: entry for number, entry in entries if isinstance(entry, Mended)}
        self._found = [entry for _, entry in entries if isinstance(entry, FoundOut)]
        self._taken: dict[str, Attempted] = {}
        self.asked: dict[int, datetime] = {}
        self.assumed: list[bool] = []
        self.notes: list[str] = []
        if first.continues:
            self.notes.append("its first run is not kept, so it goes on from what the next one was handed")

    def to_the_end(self) -> Simulation:
        """Play it to its own end, or to that which came from outside."""
        try:
            return super().to_the_end()
        except _OverError:
            return self._ended(self._record.over)

    # ---- what happens round it ------------------------------------------------------------------------------

    def _hear(self) -> None:
        until = self._record.until
        if until is not None and self._now > until:
            self._now = until
            raise _OverError
        while self._stream and _moment(self._stream[0]) <= self._now:
            match self._stream.pop(0):
                case Heard() as heard:
                    self._take_in(heard)
                case Opened() as way:
                    self._state = opened(self._state, way.way, now=way.at)
                case Run() as run:
                    self._renew(run)

    def _next(self) -> datetime | None:
        until = self._record.until
        ahead = [_moment(self._stream[0])] if self._stream else []
        return min(ahead if until is None else [*ahead, until + SLACK], default=None)

    def _take_in(self, heard: Heard) -> None:
        event = heard.event
        if isinstance(event, TouchSkipped | SendNow) and touch_id(event.key) not in self._playbook.by_id:
            self.notes.append(f"{heard.name} of {event.key} is left out: the playbook has no such touch")
            return
        self._state = apply(self._state, event, now=heard.at)

    def _renew(self, run: Run) -> None:
        """A new run goes on by the rules and zones that it began with."""
        if (run.state.rules, run.state.order.zone_rules) != (self._state.rules, self._state.order.zone_rules):
            self._state = renewed(self._state).but(rules=run.state.rules)

    # ---- what it is answered --------------------------------------------------------------------------------

    def _deliver(self, step: Deliver) -> None:
        found = self._same(step.stop)
        if found is None:
            self._suppose(step)
            return
        number, attempt = found
        if self._waits(number, attempt.asked_at):
            return
        del self._attempts[number]
        self._taken[step.stop.key] = attempt
        request = self._request(step)
        self._now = max(self._now, attempt.at)
        self._hear()
        if attempt.answer is not None:
            self._answered(step.stop, request, attempt.answer.outcome(now=self._now), at=attempt.done_at)
        elif attempt.failure == "not_taken":
            until = max(self._now, step.stop.due) + step.stop.touch.patience
            self._state = not_taken(self._state, request.key, now=self._now, until=until)
        elif attempt.failure == "unanswered":
            self._state = unanswered(self._state, request.key, request.along, now=self._now)

    def _same(self, stop: Stop) -> tuple[int, Attempted] | None:
        """The attempt at this message that the journey made when it was wanted as now."""
        for number, attempt in self._attempts.items():
            alike = attempt.key == stop.key and abs(attempt.due - stop.due) <= SLACK
            if alike and self._is_time(number, attempt.asked_at):
                return number, attempt
        return None

    def _is_time(self, number: int, asked_at: datetime) -> bool:
        """Whether this is the moment at which the journey wanted it, be it that it asked later."""
        if asked_at < self._now - SLACK:
            return False
        if self._wanted is None or number in self.asked:
            return True
        return number in self._wanted and abs(self._wanted[number] - self._now) <= SLACK

    def _waits(self, number: int, asked_at: datetime) -> bool:
        """Go on to the moment at which it asked; True where there is something to be heard before that."""
        self.asked.setdefault(number, self._now)
        if asked_at <= self._now:
            return False
        # It was late: no worker was there, or the server was slow.
        ahead = _moment(self._stream[0]) if self._stream else None
        earlier = ahead is not None and ahead <= asked_at
        self._now = ahead if ahead is not None and earlier else asked_at
        return earlier

    def _suppose(self, step: Deliver) -> None:
        """Nobody asked for it then: what spoke against it still does, else the contact rules decide."""
        stop, record = step.stop, self._record
        request = self._request(step)
        self._mark(assumed=False)
        said = record.refused.get(stop.key) or record.barred.get(stop.touch.purpose)
        self._decided(stop, request, Refused(rule=said) if said else self._decide(stop, forced=step.forced))
        self._mark(assumed=True)

    def _evidence(self, touch: Touch) -> Evidence:
        """On the channels on which this person was written to, where the touch has one of them."""
        evidence = super()._evidence(touch)
        known = [reach for reach in evidence.reaches if reach.channel in self._record.channels.values()]
        return replace(evidence, reaches=known or evidence.reaches)

    def _answered(self, stop: Stop, request: DeliverRequest, outcome: Outcome, *, at: datetime | None) -> None:
        channel = self._record.channels.get(stop.key, stop.touch.channels[0]) if isinstance(outcome, Sent) else None
        self._settle(stop, request, outcome, channel, at=at if isinstance(outcome, Sent) else None)

    def _find_out(self, step: FindOut) -> None:
        attempt = self._taken.get(step.key)
        found = next((one for one in self._found if one.key == step.key), None)
        if found is None:
            # Its end came first.
            outcome: Outcome = InDoubt(rule="attempt_lost")
        else:
            self._found.remove(found)
            self._now = max(self._now, found.at)
            self._hear()
            outcome = found.answer.outcome(now=self._now)
        self._state = found_out(self._state, step.key, outcome, now=self._now)
        channel = self._record.channels.get(step.key) if isinstance(outcome, Sent) else None
        at = attempt.done_at if attempt is not None and isinstance(outcome, Sent) else None
        self._enter(step.key, outcome, attempt.due if attempt else None, channel, at=at)

    def _mend(self, mend: Mend) -> None:
        step = mend.step(self._state, self._now)
        about = f"{step.action} of a remedy for {step.part}"
        known = [
            (number, one) for number, one in self._steps.items() if (one.part, one.action) == (step.part, step.action)
        ]
        timely = next(((number, one) for number, one in known if self._is_time(number, one.asked_at)), None)
        if timely is not None and self._waits(timely[0], timely[1].asked_at):
            return
        if timely is None and not known:
            self.notes.append(f"{about} is assumed: the journey did not ask for it")
            super()._mend(mend)
            return
        number, done = timely or known[0]
        del self._steps[number]
        if timely is None:
            self.notes.append(f"{about} is answered as it was at another moment")
        else:
            step = mend.step(self._state, self._now)
            self._now = max(self._now, done.at)
            self._hear()
        if done.answer is None:
            self._state = not_mended(self._state, step.part, now=self._now)
        else:
            self._state = mended(self._state, step, done.answer)

    def _mark(self, *, assumed: bool) -> None:
        """Whether what was entered since the last mark is assumed."""
        self.assumed += [assumed] * (len(self._entries) - len(self.assumed))

    def _ended(self, why: str) -> Simulation:
        found = super()._ended(why)
        self._mark(assumed=False)
        return found


def _moment(one: Heard | Opened | Run) -> datetime:
    return one.begun_at if isinstance(one, Run) else one.at


class _OverError(Exception):
    """The end that came from outside."""
