"""Replays that are watched: what the workflow asks for now, beside what its history says it asked for.

Temporal compares the kinds of commands and their ids. It compares neither the length of a timer nor the summary that
names a touch, so a replay can pass although the rules chose another message. Here these are compared, too.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import EventType
from temporalio.api.sdk.v1 import UserMetadata
from temporalio.client import WorkflowHistory
from temporalio.worker import (
    Replayer,
    UnsandboxedWorkflowRunner,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowRunner,
)

from workers.connecting import DATA_CONVERTER

SLACK = 0.01
"""Seconds by which two timers may differ and be the same: the server keeps milliseconds."""


@dataclass(frozen=True)
class Asked:
    """One command: `about` names the decision in it, `seconds` is the length of a timer, None of anything else."""

    kind: str
    about: str = ""
    seconds: float | None = None

    def like(self, other: "Asked") -> bool:
        """Whether both are the same command with the same decision in it."""
        if (self.kind, self.about) != (other.kind, other.about):
            return False
        return self.seconds is None or other.seconds is None or abs(self.seconds - other.seconds) < SLACK


@dataclass
class Replay:
    """What a replay came to. `failure` is Temporal's own objection, None where it has none.

    `closed`: the history is that of a run that has ended, so it has everything that was asked for.
    """

    failure: Exception | None
    recorded: list[Asked]
    asked: list[Asked]
    closed: bool = True

    @property
    def difference(self) -> str | None:
        """The first command that is another one now, in words; None where all are the same."""
        for position in range(max(len(self.recorded), len(self.asked) if self.closed else 0)):
            then = self.recorded[position] if position < len(self.recorded) else None
            now = self.asked[position] if position < len(self.asked) else None
            if then is None or now is None or not then.like(now):
                return f"command {position + 1} was {then} and is {now}"
        return None


async def replay(history: WorkflowHistory, workflow: type, runner: WorkflowRunner | None = None) -> Replay:
    """Replay one history of `workflow`, by default outside the sandbox, and note what it asks for."""
    watching = Watching(runner or UnsandboxedWorkflowRunner())
    replayer = Replayer(workflows=[workflow], data_converter=DATA_CONVERTER, workflow_runner=watching)
    result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    closed = history.events[-1].event_type != EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED
    return Replay(result.replay_failure, recorded(history), watching.asked, closed)


def recorded(history: WorkflowHistory) -> list[Asked]:
    """The commands that a history shows, in order."""
    found = []
    for event in history.events:
        about = _said(event.user_metadata)
        match event.event_type:
            case EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                scheduled = event.activity_task_scheduled_event_attributes
                found.append(Asked(f"activity {scheduled.activity_type.name}", named(scheduled.activity_id, about)))
            case EventType.EVENT_TYPE_TIMER_STARTED:
                length = event.timer_started_event_attributes.start_to_fire_timeout
                found.append(Asked("timer", about, _seconds(length)))
            case EventType.EVENT_TYPE_TIMER_CANCELED:
                found.append(Asked("timer cancelled"))
            case EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
                attributes = event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
                if set(attributes) - _BY_CORE:
                    found.append(Asked("search attributes", ", ".join(sorted(attributes))))
    return found


_BY_CORE = {"TemporalChangeVersion"}
"""Set beside a patch's marker by the SDK itself, without a command of ours."""


@dataclass
class Watching(WorkflowRunner):
    """Runs workflows as `inner` does and notes every command in `asked`."""

    inner: WorkflowRunner
    asked: list[Asked] = field(default_factory=list)

    def prepare_workflow(self, defn: Any) -> None:
        """See the base class."""
        self.inner.prepare_workflow(defn)

    def set_worker_level_failure_exception_types(self, types: Sequence[type[BaseException]]) -> None:
        """See the base class."""
        self.inner.set_worker_level_failure_exception_types(types)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """See the base class."""
        made = self.inner.create_instance(det)
        activate = made.activate

        def watched(act: Any) -> Any:
            completion = activate(act)
            self.asked += _commands(completion.successful.commands)
            return completion

        # A wrapper of its own class would have to know every method of the SDK's, private ones too.
        made.activate = watched  # type: ignore[method-assign]
        return made


def _commands(commands: Sequence[Any]) -> list[Asked]:
    """The commands of one turn. A timer that is called off in the turn that started it never reaches the server."""
    started = {one.start_timer.seq for one in commands if one.HasField("start_timer")}
    undone = started & {one.cancel_timer.seq for one in commands if one.HasField("cancel_timer")}
    found = []
    for one in commands:
        about = _said(one.user_metadata)
        match one.WhichOneof("variant"):
            case "schedule_activity":
                asked = one.schedule_activity
                found.append(Asked(f"activity {asked.activity_type}", named(asked.activity_id, about)))
            case "start_timer" if one.start_timer.seq not in undone:
                found.append(Asked("timer", about, _seconds(one.start_timer.start_to_fire_timeout)))
            case "cancel_timer" if one.cancel_timer.seq not in undone:
                found.append(Asked("timer cancelled"))
            case "upsert_workflow_search_attributes":
                names = one.upsert_workflow_search_attributes.search_attributes.indexed_fields
                found.append(Asked("search attributes", ", ".join(sorted(names))))
    return found


def named(activity_id: str, summary: str) -> str:
    """The decision in an activity: its id, where the workflow gave it one, and its summary."""
    return summary if activity_id.isdecimal() or activity_id == summary else f"{activity_id} ({summary})"


def _said(metadata: UserMetadata) -> str:
    return str(json.loads(metadata.summary.data)) if metadata.summary.data else ""


def _seconds(length: Duration) -> float:
    return length.seconds + length.nanos / 1e9
