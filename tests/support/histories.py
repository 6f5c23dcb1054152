"""Histories as files, and the command sequence of a history as lines a person can read."""

import json
from pathlib import Path

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHistory

FOLDER = Path(__file__).parent.parent / "histories"
_START = "workflow_execution_continued_as_new_event_attributes"


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
            return f"activity {event.activity_task_scheduled_event_attributes.activity_type.name} {summary}".strip()
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
