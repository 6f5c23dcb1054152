"""Histories as files, and the command sequence of a history as lines a person can read.

A story that was recorded is `{story}.commands`, its command sequence, beside `{story}.{playbook}-{sequence}.{run}
.history.json`, a history for each run. `sequence` is a digest of the command sequence. So a story that is recorded
anew, because its commands are others now, takes no older history's place: journeys like the older one may be open.
"""

import hashlib
import json
from pathlib import Path

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHistory

from journey.playbook import Playbook
from tests.support.replaying import named

FOLDER = Path(__file__).parent.parent / "histories"
_END = ".history.json"
_START = "workflow_execution_continued_as_new_event_attributes"


def known(story: str) -> list[str]:
    """The command sequence that the story was last recorded with; nothing where it never was."""
    file = FOLDER / f"{story}.commands"
    return file.read_text().splitlines() if file.exists() else []


def keep(story: str, playbook: Playbook, runs: list[WorkflowHistory], issued: list[str]) -> None:
    """Record a story: its runs, its command sequence, and the playbook that it pinned. What is there already stays."""
    (FOLDER / "playbooks").mkdir(parents=True, exist_ok=True)
    (FOLDER / "playbooks" / f"{playbook.digest}.json").write_text(playbook.compact)
    (FOLDER / f"{story}.commands").write_text("\n".join(issued) + "\n")
    for number, run in enumerate(runs, 1):
        file = FOLDER / f"{story}.{playbook.digest}-{_sequence(issued)}.{number}{_END}"
        if not file.exists():
            file.write_text(run.to_json())


def recorded() -> dict[str, WorkflowHistory]:
    """Every history there is, by its file's name: also of journeys as only older versions began them.

    Of a run that an older version continued as new, what there was while it was open: an older version decided on a
    new run by another rule, and a run that was continued is closed.
    """
    return {file.name: _read(file) for file in sorted(FOLDER.glob(f"*{_END}"))}


def todays() -> dict[str, WorkflowHistory]:
    """Those of journeys that begin today: the ones that were recorded with the command sequences of today."""
    stories = {file.stem: _sequence(known(file.stem)) for file in FOLDER.glob("*.commands")}
    return {
        name: history
        for name, history in recorded().items()
        if name.split(".")[1].partition("-")[2] == stories.get(name.partition(".")[0])
    }


def _read(file: Path) -> WorkflowHistory:
    history = WorkflowHistory.from_json(f"replay-{file.name.removesuffix(_END)}", file.read_text())
    older = "-" not in file.name.split(".")[1]
    if older and history.events[-1].HasField(_START):
        decided = [
            position
            for position, event in enumerate(history.events)
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
        ]
        return WorkflowHistory(history.workflow_id, history.events[: decided[-1]])
    return history


def _sequence(issued: list[str]) -> str:
    return hashlib.sha256("\n".join(issued).encode()).hexdigest()[:8]


async def runs_of(client: Client, workflow_id: str) -> list[WorkflowHistory]:
    """Every run of a journey, first to last."""
    found = []
    run = (await client.get_workflow_handle(workflow_id).describe()).raw_description

    run_id: str | None = run.workflow_execution_info.first_run_id
    while run_id:
        history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
        found.append(history)
        last = history.events[-1]
        run_id = (
            last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
            if last.HasField(_START)
            else None
        )
    return found


def commands(history: WorkflowHistory) -> list[str]:
    """The commands a run issued, one line each: what a replay must produce again, in this order.

    Where a run ends for a new one depends on the history's bytes, so on the length of a host's name: left out.
    """
    return [line for event in history.events if (line := _command(event))]


def _command(event: HistoryEvent) -> str | None:
    kind = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_").lower()
    summary = json.loads(event.user_metadata.summary.data) if event.user_metadata.summary.data else ""
    match event.event_type:
        case EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            scheduled = event.activity_task_scheduled_event_attributes
            return f"activity {scheduled.activity_type.name} {named(scheduled.activity_id, summary)}".strip()
        case EventType.EVENT_TYPE_TIMER_STARTED:
            return f"timer {summary}".strip()
        case (
            EventType.EVENT_TYPE_TIMER_CANCELED
            | EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED
            | EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
            | EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED
            | EventType.EVENT_TYPE_MARKER_RECORDED
            | EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES
        ):
            return kind
    return None
