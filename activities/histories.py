"""Reads a run's history in Temporal as what the journey heard and was answered, see `journey.past`.

A journey hears at the moment of the workflow task that hands it something, which is what its clock then says, and not
when the signal came; what no task handed it any more, it never heard. Signals come before the answers of the same task,
as the SDK has it.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import TypeAdapter, ValidationError
from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType, TimeoutType
from temporalio.api.history.v1 import HistoryEvent

from journey.base import Frozen
from journey.events import FACTS
from journey.outcomes import DeliverAnswer, DeliverRequest, FindOutRequest, WaitRequest
from journey.past import OPERATORS, Attempted, Entry, FoundOut, Heard, Mended, Opened, Run
from journey.remedies import RemedyAnswer, RemedyStep
from journey.state import JourneyState, Unread

M = TypeVar("M", bound=Frozen)
_ENDED: Final = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: "completed",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW: "continued",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: "cancelled",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: "failed",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: "terminated",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: "timed_out",
}
_ANSWERED: Final = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: "activity_task_completed_event_attributes",
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED: "activity_task_failed_event_attributes",
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: "activity_task_timed_out_event_attributes",
    EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED: "activity_task_canceled_event_attributes",
}
_FACTS: Final = {name: TypeAdapter[Any](kind) for name, kind in FACTS.items()}


class UnreadableError(ValueError):
    """A newer version wrote this history, in words that this one does not know."""


class _Input(Frozen):
    """What a run begins with, as the workflow has it."""

    state: JourneyState


class _Asked(NamedTuple):
    """An activity that was asked for."""

    name: str
    given: Payloads
    at: datetime


def read_run(run_id: str, events: Iterable[HistoryEvent]) -> Run:
    """The run of a journey whose history these are, whole and from the first event on.

    Raises:
        UnreadableError: a newer version wrote it.
    """
    try:
        return _Reader(run_id).read(events)
    except (ValidationError, KeyError) as error:
        raise UnreadableError(f"run {run_id}: {type(error).__name__}") from error


class _Reader:
    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._entries: list[Entry] = []
        self._came: list[tuple[str, str]] = []
        self._answers: list[HistoryEvent] = []
        self._tasks: dict[int, datetime] = {}
        self._asked: dict[int, _Asked] = {}
        self._taken_at: dict[int, datetime] = {}
        self._updates: dict[str, Any] = {}
        self._signals: list[tuple[str, str, Heard | None]] = []
        self._unknown: set[int] = set()
        self._kept: list[Unread] = []
        self._begun_at: datetime | None = None
        self._now = datetime.min.replace(tzinfo=UTC)

    def read(self, events: Iterable[HistoryEvent]) -> Run:
        first, *others = events
        began = first.workflow_execution_started_event_attributes
        state = _read(_Input, began.input).state
        self._kept = list(state.unread)
        for event in others:
            self._see(event)
        if self._unknown:
            raise KeyError(self._run_id)
        last = others[-1] if others else first
        ended = _ENDED.get(last.event_type)
        return Run(
            run_id=self._run_id,
            state=state,
            begun_at=self._begun_at or _moment(first.event_time),
            entries=tuple(self._entries),
            **{"continues": began.continued_execution_run_id} if began.continued_execution_run_id else {},
            **{"ended": ended, "ended_at": _moment(last.event_time)} if ended else {},
        )

    def _see(self, event: HistoryEvent) -> None:
        match event.event_type:
            case EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED:
                self._tasks[event.event_id] = _moment(event.event_time)
            case EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
                self._hand_over(self._tasks[event.workflow_task_completed_event_attributes.started_event_id])
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
                told = event.workflow_execution_signaled_event_attributes
                given = told.input.payloads
                self._came.append((told.signal_name, given[0].data.decode(errors="replace") if given else ""))
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED:
                request = event.workflow_execution_update_admitted_event_attributes.request
                self._updates[request.meta.update_id] = request
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
                self._hear_operator(event)
            case EventType.EVENT_TYPE_MARKER_RECORDED:
                self._mark(event)
            case EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                asked = event.activity_task_scheduled_event_attributes
                self._asked[event.event_id] = _Asked(asked.activity_type.name, asked.input, self._now)
            case EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
                taken = event.activity_task_started_event_attributes
                # As the activity reads it, see `activities.attempt.domain_now`.
                self._taken_at[taken.scheduled_event_id] = event.event_time.ToDatetime(UTC)
            case kind if kind in _ANSWERED:
                self._answers.append(event)

    def _hand_over(self, now: datetime) -> None:
        """A workflow task: the journey is handed what came by then, and its clock says when."""
        self._begun_at = self._begun_at or now
        self._now = now
        for name, body in self._came:
            heard = self._hear(name, body)
            self._signals.append((name, body, heard))
            if heard is None:
                self._unknown.add(len(self._signals))
        for event in self._answers:
            self._take(event)
        self._came, self._answers = [], []

    # ---- facts ----------------------------------------------------------------------------------------------

    def _hear(self, name: str, body: str) -> Heard | None:
        try:
            fact = _FACTS[name].validate_json(body)
        except (KeyError, ValidationError):
            return None  # a marker that follows may say that the journey did not know the words either
        heard = Heard(at=self._now, name=name, fact=fact.model_dump(mode="json", exclude_unset=True))
        self._entries.append(heard)
        return heard

    def _hear_operator(self, event: HistoryEvent) -> None:
        accepted = event.workflow_execution_update_accepted_event_attributes
        request = accepted.accepted_request
        if not request.input.name:
            request = self._updates[accepted.protocol_instance_id]
        key = [json.loads(one.data) for one in request.input.args.payloads]
        word = OPERATORS[request.input.name](at=self._now, **({"key": key[0]} if key else {}))
        fact = word.model_dump(mode="json", exclude_unset=True)
        self._entries.append(Heard(at=self._now, name=request.input.name, fact=fact))

    def _mark(self, event: HistoryEvent) -> None:
        """What `workflows.facts` wrote down of a fact whose words the worker of that moment did not know."""
        data = event.marker_recorded_event_attributes.details.get("patch-data")
        said = str(json.loads(data.payloads[0].data).get("id", "")) if data else ""
        word, _, numbers = said.partition("-")
        if word == "kept":
            name, body, heard = self._signals[int(numbers) - 1]
            self._unknown.discard(int(numbers))
            self._entries = [entry for entry in self._entries if entry is not heard]
            number = self._kept[-1].number + 1 if self._kept else 1
            self._kept.append(Unread(number=number, name=name, body=body))
        elif word == "taken":
            number = int(numbers.partition("-")[0])
            kept = next(one for one in self._kept if one.number == number)
            self._kept.remove(kept)
            if self._hear(kept.name, kept.body) is None:
                raise KeyError(kept.name)

    # ---- answers --------------------------------------------------------------------------------------------

    def _take(self, event: HistoryEvent) -> None:
        number = getattr(event, _ANSWERED[event.event_type]).scheduled_event_id
        asked = self._asked[number]
        result = event.activity_task_completed_event_attributes.result
        done = event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
        moments = {"asked_at": asked.at, "at": self._now}
        if asked.name == "deliver":
            request = _read(DeliverRequest, asked.given)
            became = {"answer": _read(DeliverAnswer, result)} if done else {"failure": _failure(event)}
            taken = {"done_at": self._taken_at[number]} if number in self._taken_at else {}
            self._entries.append(Attempted(key=request.key, due=request.due, **moments, **taken, **became))
        elif asked.name == "find_out" and done:
            key = _read(FindOutRequest, asked.given).key
            self._entries.append(FoundOut(key=key, answer=_read(DeliverAnswer, result), **moments))
        elif asked.name == "remedy":
            step = _read(RemedyStep, asked.given)
            answer = {"answer": _read(RemedyAnswer, result)} if done else {}
            self._entries.append(Mended(part=step.part, action=step.action.value, **moments, **answer))
        elif asked.name == "wait_for" and done:
            self._entries.append(Opened(at=self._now, way=_read(WaitRequest, asked.given).waits_for))


def _failure(event: HistoryEvent) -> str:
    if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
        return "called_back"
    late = event.activity_task_timed_out_event_attributes.failure.timeout_failure_info.timeout_type
    return "not_taken" if late == TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START else "unanswered"


def _read(kind: type[M], given: Payloads) -> M:
    return kind.model_validate_json(given.payloads[0].data)


def _moment(at: Timestamp) -> datetime:
    # As the SDK tells the time in a workflow.
    return datetime.fromtimestamp(at.ToNanoseconds() / 1e9, UTC)
