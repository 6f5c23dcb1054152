"""What one attempt of an activity knows of itself: the journey's clock, its number, and how to ask for another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from journey.outcomes import Outcome, Sent
from journey.playbook import touch_id

_BEAT = 2.0


def domain_now(asked_at: datetime | None) -> datetime:
    """The journey's clock at this attempt: when the server scheduled it, by the workflow's own virtual clock.

    A retry after a virtual day so sees a day gone by. `asked_at` is for calls outside of an activity.

    Raises:
        ValueError: outside of an activity nobody else can tell the time.
    """
    if activity.in_activity():
        return activity.info().current_attempt_scheduled_time.astimezone(UTC)
    if asked_at is None:
        raise ValueError("outside of an activity a request needs its `now`")
    return asked_at


def attempt_number() -> int:
    """Which attempt this is, from 1; 1 outside of an activity."""
    return activity.info().attempt if activity.in_activity() else 1


def try_again(rule: str, delay: timedelta) -> ApplicationError:
    """The error that asks Temporal for another attempt after `delay`, because of `rule`."""
    return ApplicationError(rule, type="TryAgain", next_retry_delay=delay)


def count(key: str, outcome: Outcome) -> None:
    """Count a settled touch in the worker's metrics."""
    if activity.in_activity():
        labels = {"touch": touch_id(key), "outcome": outcome.status}
        labels["rule"] = "" if isinstance(outcome, Sent) else outcome.rule
        meter = activity.metric_meter().with_additional_attributes(labels)
        meter.create_counter("postlude_messages_total", "Touches settled, by outcome and rule").add(1)


@asynccontextmanager
async def beating() -> AsyncIterator[None]:
    """Beat while the block runs, so that a dead worker is told from a slow provider within seconds."""
    task = asyncio.create_task(_beat()) if activity.in_activity() else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _beat() -> None:
    while True:
        await asyncio.sleep(_BEAT)
        activity.heartbeat()
