"""What was held on its way, from the journeys' own histories: the ledger keeps how a message ended, not its stops."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from journey.hours import end_of_quiet
from journey.outcomes import DeliverAnswer, DeliverRequest, Held
from journey.playbook import QuietHours
from journey.zones import possible_zones
from store.accounts import LedgerRow, OrderRow

_WAITED: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Hold:
    """A touch (by its key) that `rule` held from `since` until `until`, both UTC on the journey's clock."""

    touch: str
    rule: str
    since: datetime
    until: datetime


async def holds(client: Client, found: Sequence[Sequence[HistoryEvent]]) -> list[Hold]:
    """Every hold of one journey, oldest first; `found` are its runs, see `starters.demo.histories.runs`."""
    return [hold for events in found for hold in await _of_run(events, client)]


def nights(order: OrderRow, messages: Iterable[LedgerRow], quiet: QuietHours | None) -> list[Hold]:
    """The messages that the itinerary itself let wait for the customer's morning: due in their night, sent after it."""
    zones = possible_zones(order.zone, order.country)
    return [
        Hold(one.touch, "quiet_hours", one.due, one.at)
        for one in messages
        if one.status == "sent"
        and one.purpose == "marketing"
        and one.at - one.due >= _WAITED
        and end_of_quiet(one.due, quiet, zones) > one.due
    ]


async def _of_run(events: Sequence[HistoryEvent], client: Client) -> list[Hold]:
    asked: dict[int, tuple[DeliverRequest, datetime]] = {}
    found: list[Hold] = []
    for event in events:
        scheduled = event.activity_task_scheduled_event_attributes
        completed = event.activity_task_completed_event_attributes
        if scheduled.activity_type.name == "deliver":
            (request,) = await client.data_converter.decode(scheduled.input.payloads, [DeliverRequest])
            asked[event.event_id] = request, event.event_time.ToDatetime(UTC)
        elif completed.scheduled_event_id in asked:
            (answer,) = await client.data_converter.decode(completed.result.payloads, [DeliverAnswer])
            request, at = asked[completed.scheduled_event_id]
            outcome = answer.outcome(now=at)
            if isinstance(outcome, Held):
                found.append(Hold(request.key, outcome.rule, at, outcome.until))
    return found
