"""What a journey left on the server: its runs' events, their bytes, and the actions they are billed as.

Temporal Cloud's rule: an execution's start, each signal, timer, activity attempt, update, query, search-attribute
upsert and continue-as-new is one action, a child workflow two. Search attributes at start and replay are free.
"""

import asyncio
import re
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHistory

# They exist only where a virtual clock is used, and no journey in production has one.
VIRTUAL = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED,
    }
)
_ONE_ACTION = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
        EventType.EVENT_TYPE_TIMER_STARTED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
    }
)
_TWO_ACTIONS = frozenset({EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED})
_CLOCK_MOVED = "grpc_UpdateWorkflowExecutionOptions"
_LOOK_SECONDS = 0.6
_STEADY_LOOKS = 3
_ACTION = re.compile(r"^action(?:_total)?\{(?P<labels>[^}]*)\} (?P<count>\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One event: its kind, when it was written on the journey's clock, its stored bytes, and its actions."""

    kind: "EventType.ValueType"
    at: datetime
    size: int
    actions: int


@dataclass(frozen=True, slots=True)
class Run:
    """One run's events without those of the virtual clock; `size` is what the server calls its history's bytes."""

    entries: tuple[Entry, ...]
    size: int
    raw: WorkflowHistory


@dataclass(frozen=True, slots=True)
class Record:
    """A whole journey: all its runs, first to last."""

    runs: tuple[Run, ...]

    @property
    def events(self) -> int:
        """Events over all runs."""
        return sum(len(run.entries) for run in self.runs)

    @property
    def size(self) -> int:
        """Bytes of history over all runs."""
        return sum(run.size for run in self.runs)

    @property
    def actions(self) -> int:
        """Billed actions over all runs."""
        return sum(entry.actions for run in self.runs for entry in run.entries)

    def count(self, *kinds: "EventType.ValueType") -> int:
        """How many events of these kinds there are."""
        return sum(entry.kind in kinds for run in self.runs for entry in run.entries)


async def record(client: Client, workflow_id: str) -> Record:
    """Fetch every run of a journey that has ended."""
    described = await client.get_workflow_handle(workflow_id).describe()
    run_id = described.raw_description.workflow_execution_info.first_run_id
    runs = []
    while run_id:
        handle = client.get_workflow_handle(workflow_id, run_id=run_id)
        history = await handle.fetch_history()
        info = (await handle.describe()).raw_description.workflow_execution_info
        virtual = sum(event.ByteSize() for event in history.events if event.event_type in VIRTUAL)
        kept = [event for event in history.events if event.event_type not in VIRTUAL]
        runs.append(Run(tuple(map(_entry, kept)), info.history_size_bytes - virtual, history))
        run_id = history.events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return Record(tuple(runs))


async def counted_actions(metrics_url: str) -> dict[str, float]:
    """The server's own `action` counter, by kind of action, once it stands still: it is written with some delay."""
    async with httpx.AsyncClient(trust_env=False) as http:
        before, steady = await _read_actions(http, metrics_url), 0
        while steady < _STEADY_LOOKS:
            await asyncio.sleep(_LOOK_SECONDS)
            now = await _read_actions(http, metrics_url)
            steady = steady + 1 if now == before else 0
            before = now
    return before


async def _read_actions(http: httpx.AsyncClient, url: str) -> dict[str, float]:
    text = (await http.get(url)).text
    found: dict[str, float] = {}
    for match in _ACTION.finditer(text):
        labels = dict(re.findall(r'(\w+)="([^"]*)"', match["labels"]))
        # Moving a virtual clock is counted too; nobody does so in production.
        if labels.get("namespace") == "default" and labels.get("action_type") != _CLOCK_MOVED:
            kind = labels.get("action_type", "")
            found[kind] = found.get(kind, 0.0) + float(match["count"])
    return found


def _entry(event: HistoryEvent) -> Entry:
    at = event.event_time.ToDatetime(tzinfo=UTC)
    return Entry(event.event_type, at, event.ByteSize(), _actions(event))


def _actions(event: HistoryEvent) -> int:
    match event.event_type:
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
            # A continued run was counted with the event that continued it.
            return int(not event.workflow_execution_started_event_attributes.continued_execution_run_id)
        case EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            return max(1, event.activity_task_started_event_attributes.attempt)
        case EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
            # The version that `workflow.patched` notes is free (https://docs.temporal.io/cloud/actions).
            fields = event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
            return int(set(fields) != {"TemporalChangeVersion"})
        case kind:
            return 2 if kind in _TWO_ACTIONS else int(kind in _ONE_ACTION)
