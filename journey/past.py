"""What a journey was: the facts it heard and the answers it got, each when it had it and in that order.

Ids, goods, places and moments, as in a journey's own state: nobody's name, address or words. It is kept beyond what
Temporal remembers, so its fields are a format: add optional ones, never rename.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter

from journey.base import Frozen, Instant, TouchKey
from journey.events import FACTS, Event, Paused, Resumed, SendNow, TouchSkipped
from journey.outcomes import DeliverAnswer
from journey.remedies import RemedyAnswer
from journey.state import JourneyState

OPERATORS: Final[Mapping[str, type[Event]]] = {
    "pause": Paused,
    "resume": Resumed,
    "skip_touch": TouchSkipped,
    "send_now": SendNow,
}
"""An operator's words, by the name of the update."""
_READERS: Final = {name: TypeAdapter[Event](kind) for name, kind in {**FACTS, **OPERATORS}.items()}


class _Kind(Frozen):
    def model_post_init(self, _context: object, /) -> None:
        """Count the tag as set: what is written down leaves out what was not."""
        self.__pydantic_fields_set__.add("kind")


class Heard(_Kind):
    """A fact or an operator's word that the journey took in at `at` of its clock; `name` is that of `EVENTS`."""

    kind: Literal["heard"] = "heard"
    at: Instant
    name: str
    fact: Mapping[str, Any]

    @property
    def event(self) -> Event:
        """The fact.

        Raises:
            KeyError, ValueError: a newer version wrote it down, in words that this one does not know.
        """
        return _READERS[self.name].validate_python(self.fact)


class Attempted(_Kind):
    """An attempt at a message, which the journey asked for at `asked_at` and had the answer to at `at` of its clock.

    `due` is when the message was due, `done_at` the moment that the ledger has: when a worker took it, None where none
    did. `answer` is None where there was none; `failure` then says why: `not_taken`, `called_back` or `unanswered`.
    """

    kind: Literal["attempted"] = "attempted"
    asked_at: Instant
    at: Instant
    key: TouchKey
    due: Instant
    done_at: Instant | None = None
    answer: DeliverAnswer | None = None
    failure: str | None = None


class FoundOut(_Kind):
    """What the ledger said became of an attempt without an answer."""

    kind: Literal["found_out"] = "found_out"
    asked_at: Instant
    at: Instant
    key: TouchKey
    answer: DeliverAnswer


class Mended(_Kind):
    """A step of the remedy of a parcel, and how that stood then; `answer` None where the step came to nothing."""

    kind: Literal["mended"] = "mended"
    asked_at: Instant
    at: Instant
    part: str
    action: str
    answer: RemedyAnswer | None = None


class Opened(_Kind):
    """A way that was closed, such as a provider's, was open again."""

    kind: Literal["opened"] = "opened"
    at: Instant
    way: str


Entry = Annotated[Heard | Attempted | FoundOut | Mended | Opened, Field(discriminator="kind")]


class Run(Frozen):
    """One run of a journey in Temporal: most journeys have one or two.

    `state` is what it began with, at `begun_at` of its clock. `continues` is the run before, None for the first.
    `ended` is Temporal's word for how it ended at `ended_at`, both None while it is open.
    """

    run_id: str
    continues: str | None = None
    begun_at: Instant
    ended_at: Instant | None = None
    ended: str | None = None
    state: JourneyState
    entries: tuple[Entry, ...] = ()


def chain(runs: Mapping[str, Run]) -> list[Run]:
    """The runs that led to the latest one, the first one first; what was begun anew from the middle is in it once.

    Where the first one in it continues another, that is not kept.
    """
    latest = max(runs.values(), key=lambda run: (run.ended_at is None, run.begun_at, run.ended_at or run.begun_at))
    found = [latest]
    while (before := runs.get(found[0].continues or "")) is not None:
        found.insert(0, before)
    return found
