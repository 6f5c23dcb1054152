"""The journeys' own histories: every stop of a message, and what operators could filter by at which moment."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from temporalio.api.common.v1 import SearchAttributes
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from journey.base import workflow_id
from workflows.journey_input import ATTENTION


async def runs(client: Client, shop: str, order_id: str) -> list[list[HistoryEvent]]:
    """The events of every run of one journey, oldest first.

    Raises:
        RPCError: the history is gone, or Temporal is away.
    """
    found: list[list[HistoryEvent]] = []
    run_id: str | None = None
    while True:
        handle = client.get_workflow_handle(workflow_id(shop, order_id), run_id=run_id)
        events = [event async for event in handle.fetch_history_events()]
        found.insert(0, events)
        run_id = events[0].workflow_execution_started_event_attributes.continued_execution_run_id
        if not run_id:
            return found


def attention(events: Iterable[HistoryEvent]) -> list[tuple[datetime, Sequence[str]]]:
    """The search attribute Attention from when (UTC, the journey's clock) to the next entry."""
    found: list[tuple[datetime, Sequence[str]]] = []
    for event in events:
        set_to = (
            event.workflow_execution_started_event_attributes.search_attributes,
            event.upsert_workflow_search_attributes_event_attributes.search_attributes,
        )
        found += [
            (event.event_time.ToDatetime(UTC), _words(one)) for one in set_to if ATTENTION.name in one.indexed_fields
        ]
    return found


def _words(attributes: SearchAttributes) -> Sequence[str]:
    words: list[str] = json.loads(attributes.indexed_fields[ATTENTION.name].data or "[]")
    return words
