"""What a journey costs at Temporal Cloud's list price, and what each way of continuing as new would make of it.

    dollars = actions * $50 / 1,000,000  +  sum over time of (bytes of the open run's history) / 1e9 * hours * $0.042

A run's history counts as open storage from its start to its end; the state it passes on begins the next one's.
Closed histories are stored at a fortieth of that price and depend on the namespace's retention: left out, for all.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio.api.enums.v1 import EventType

from bench.histories import Entry, Record
from bench.rules import PLACED, Pause
from bench.scenario import DELIVERED_AFTER
from workers.connecting import DATA_CONVERTER
from workflows.journey_input import JourneyInput

ACTION = 50 / 1_000_000
"""Dollars an action, at Temporal Cloud's list price (https://temporal.io/pricing)."""
ACTIVE_GB_HOUR = 0.042
"""Dollars for holding one GB of open history for one hour."""
_HOUR = 3600
_SAME_MOMENT = timedelta(minutes=30)
"""The played journey runs some seconds behind the core's; its facts lie two hours apart at least."""
_HEAD = 4
"""A run's start event and its first workflow task: what continuing as new adds besides the event that ends a run."""


Rule = Callable[[int, int, Pause], bool]
"""Whether to begin a new run, from the position in the history, the bytes it has, and the pause ahead."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A way of continuing as new, played over the default journey."""

    name: str
    new_runs: int
    actions: int
    dollars: float
    history_bytes: int
    events: int


def price(record: Record) -> float:
    """Dollars of a journey as it was recorded."""
    stored = 0.0
    for run in record.runs:
        scale = run.size / sum(entry.size for entry in run.entries)
        held = 0.0
        for entry, following in itertools.pairwise(run.entries):
            held += entry.size * scale
            stored += held * _hours(entry.at, following.at)
    return record.actions * ACTION + stored / 1e9 * ACTIVE_GB_HOUR


class Ledger:
    """One journey as it would be in a single run, with the price of a fresh run at each of its timers."""

    def __init__(self, record: Record, pauses: Sequence[Pause]) -> None:
        """Join the recorded runs into one.

        Raises:
            ValueError: the recorded journey has a timer where the pure core's has none.
        """
        self._entries: list[Entry] = []
        for number, run in enumerate(record.runs):
            scale = run.size / sum(entry.size for entry in run.entries)
            for entry in run.entries[_HEAD if number else 0 :]:
                if entry.kind != EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
                    self._entries.append(Entry(entry.kind, entry.at, round(entry.size * scale), entry.actions))
        began = self._entries[0].at
        self._pauses = {
            position: _pause_at(pauses, entry.at - began)
            for position, entry in enumerate(self._entries)
            if entry.kind == EventType.EVENT_TYPE_TIMER_STARTED
        }
        started = payload_bytes(pauses[0])  # as good as the first run's own: nothing has happened yet
        head = sum(entry.size for entry in self._entries[:_HEAD])
        self._fixed = max(0, head - started)
        self._farewell = _attributes(record)

    def fresh(self, pause: Pause) -> int:
        """Bytes a run begins with that is continued at this pause."""
        return self._fixed + payload_bytes(pause)

    @property
    def timers(self) -> Sequence[int]:
        """Positions at which a new run could begin."""
        return tuple(self._pauses)

    def play(self, name: str, wanted: Rule) -> Policy:
        """The journey under a rule."""
        held, stored, actions, written, cuts = 0, 0.0, 0, 0, 0
        for position, entry in enumerate(self._entries):
            pause = self._pauses.get(position)
            if pause is not None and wanted(position, held, pause):
                held = self.fresh(pause)
                written += held + payload_bytes(pause) + self._farewell
                actions, cuts = actions + 1, cuts + 1
            held += entry.size
            written += entry.size
            actions += entry.actions
            if position + 1 < len(self._entries):
                stored += held * _hours(entry.at, self._entries[position + 1].at)
        dollars = actions * ACTION + stored / 1e9 * ACTIVE_GB_HOUR
        return Policy(name, cuts, actions, dollars, written, len(self._entries) + cuts * (_HEAD + 1))

    def best(self, most_new_runs: int = 3) -> Policy:
        """The cheapest set of new runs there is, by trying them all."""
        sets = (
            frozenset(chosen)
            for count in range(most_new_runs + 1)
            for chosen in itertools.combinations(self.timers, count)
        )
        return min((self._cut(chosen) for chosen in sets), key=lambda policy: policy.dollars)

    def _cut(self, chosen: frozenset[int]) -> Policy:
        days = ", ".join(f"D{self._day(position):.0f}" for position in sorted(chosen))
        return self.play(f"the best there is: {days or 'never'}", lambda position, *_: position in chosen)

    def policies(self) -> list[Policy]:
        """The rules worth comparing."""
        return [
            self.play("never", lambda *_: False),
            self.play("as shipped: before the first wait of more than a week", lambda _, __, pause: _long_tail(pause)),
            self.play("at every phase boundary", lambda _, __, pause: pause.new_phase),
            *(self.play(f"when the rest saves {least} actions", self._saves(least)) for least in (1, 2, 3, 4, 6)),
            self.best(),
        ]

    def _saves(self, least: int) -> Rule:
        """At any wait, when a fresh run would save that many actions' price by the last touch foreseen."""
        return lambda _, held, pause: self._saved(held, pause) > least * ACTION

    def _saved(self, held: int, pause: Pause) -> float:
        if pause.last is None:
            return 0.0
        return (held - self.fresh(pause)) / 1e9 * _hours(pause.at, pause.last) * ACTIVE_GB_HOUR

    def _day(self, position: int) -> float:
        """Days after the parcel's delivery at which a pause begins."""
        return (self._pauses[position].at - PLACED - DELIVERED_AFTER).total_seconds() / 86_400


def _attributes(record: Record) -> int:
    """Bytes that the event ending a run has besides the state: the search attributes and the new run's id."""
    for run in record.runs:
        last, raw = run.entries[-1], run.raw.events[-1].workflow_execution_continued_as_new_event_attributes
        if last.kind == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
            return last.size - sum(payload.ByteSize() for payload in raw.input.payloads)
    return 0


def _pause_at(pauses: Sequence[Pause], after: timedelta) -> Pause:
    """What the core says at the moment of a recorded timer, `after` the order was placed."""
    for pause in pauses:
        if abs(pause.at - PLACED - after) < _SAME_MOMENT:
            return pause
    raise ValueError(f"the core's journey starts no timer {after} after the order, the recorded one does")


def payload_bytes(pause: Pause) -> int:
    """Bytes of the state that a run continued at this pause is given."""
    payload = DATA_CONVERTER.payload_converter.to_payloads([JourneyInput(state=pause.state)])[0]
    return payload.ByteSize()


def _long_tail(pause: Pause) -> bool:
    return "discount" in pause.state.settled and "miss_you" not in pause.state.settled


def _hours(earlier: datetime, later: datetime) -> float:
    return max(0.0, (later - earlier).total_seconds()) / _HOUR
