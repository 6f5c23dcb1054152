"""Facts from outside: each is a signal, named in `journey.events.FACTS`, and all are taken in alike.

A fact in words that this worker does not know (a newer gateway sends it) is kept in the state. The first worker that
knows the words takes it in when the journey next wakes. Both are recorded by markers, so that a worker that knows the
words replays what a worker without them did: `kept-{n}` where the n-th signal of the run was kept, `taken-{n}-{look}`
where the n-th kept fact was taken in when the run looked for the look-th time.
"""

from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError
from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from journey.events import FACTS, Event
    from journey.state import JourneyState, Unread

_READERS = {name: TypeAdapter[Event](kind) for name, kind in FACTS.items()}
_MOST = 200_000
"""Bytes of kept facts that a journey carries along: a new run's input may have 2 MB in all."""


class Facts:
    """The one signal handler of a journey."""

    _state: JourneyState

    def __init__(self) -> None:
        """No signal has come in this run."""
        self._signals = 0
        self._looks = 0

    def _hear(self, event: Event) -> None:
        raise NotImplementedError

    @workflow.signal(dynamic=True)
    def fact(self, name: str, args: Sequence[RawValue]) -> None:
        """Take in one fact, or keep it where its words are unknown here."""
        self._signals += 1
        body = bytes(args[0].payload.data).decode(errors="replace") if args else ""
        event = self._read(name, body)
        if event is None:
            workflow.patched(f"kept-{self._signals}")
        elif not _recorded(f"kept-{self._signals}"):
            self._hear(event)
            return
        workflow.logger.warning("a fact is kept for a newer worker: %s", name)
        unread = self._state.unread
        if len(body.encode()) + sum(len(kept.body.encode()) for kept in unread) <= _MOST:
            number = unread[-1].number + 1 if unread else 1
            self._state = self._state.but(unread=(*unread, Unread(number=number, name=name, body=body)))

    def _read(self, name: str, body: str) -> Event | None:
        """The fact that a signal means; None where its name or a word in it is unknown here."""
        reader = _READERS.get(name)
        try:
            return None if reader is None else reader.validate_json(body)
        except ValidationError:
            return None

    def _take_in_unread(self) -> None:
        """Take in the kept facts that this worker can read."""
        if not self._state.unread:
            return
        self._looks += 1
        for kept in self._state.unread:
            marker = f"taken-{kept.number}-{self._looks}"
            event = self._read(kept.name, kept.body)
            # A look that finds nothing it can read leaves no marker.
            if event is not None and (not workflow.unsafe.is_replaying() or _recorded(marker)):
                workflow.patched(marker)
                left = tuple(other for other in self._state.unread if other is not kept)
                self._state = self._state.but(unread=left)
                self._hear(event)


def _recorded(marker: str) -> bool:
    """Whether the run's history has this marker; never while the run makes its history."""
    return workflow.unsafe.is_replaying() and workflow.patched(marker)
