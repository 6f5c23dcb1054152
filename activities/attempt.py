"""What one attempt of an activity knows of itself: the journey's clock, its number, and how to ask for another."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta

import asyncpg
from temporalio import activity
from temporalio.exceptions import ApplicationError

from journey.outcomes import Outcome, Sent
from journey.playbook import touch_id
from store.pool import AWAY

QUICK_RETRIES = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2))
"""Waits between the first tries within one activity; after them the journey itself holds the touch."""
HOLDS = (timedelta(minutes=15), timedelta(hours=6))
"""Shortest and longest hold while a provider is away: half of how long it has been, within these."""
_BEAT = 2.0
_WRITES = 25


def domain_now(asked_at: datetime | None) -> datetime:
    """The journey's clock at this attempt: when a worker took it, by the server's, the workflow's own virtual clock.

    A retry after a virtual day so sees a day gone by, and so does an attempt that nobody was there to take.
    `asked_at` is for calls outside of an activity.

    Raises:
        ValueError: outside of an activity nobody else can tell the time.
    """
    if activity.in_activity():
        return activity.info().started_time.astimezone(UTC)
    if asked_at is None:
        raise ValueError("outside of an activity a request needs its `now`")
    return asked_at


def attempt_number() -> int:
    """Which attempt this is, from 1; 1 outside of an activity."""
    return activity.info().attempt if activity.in_activity() else 1


def try_again(rule: str, delay: timedelta) -> ApplicationError:
    """The error that asks Temporal for another attempt after `delay`, because of `rule`."""
    return ApplicationError(rule, type="TryAgain", next_retry_delay=delay)


def soon(attempt: int, retry_after: timedelta | None) -> timedelta | None:
    """The wait until the next quick try, at least `retry_after`; None when it is for the journey to wait."""
    if attempt > len(QUICK_RETRIES):
        return None
    delay = max(QUICK_RETRIES[attempt - 1], retry_after or timedelta())
    return delay if delay < HOLDS[0] else None


def hold_until(now: datetime, since: datetime, retry_after: timedelta | None) -> datetime:
    """Until when a touch is held that has been waited with `since` then; at least for `retry_after`."""
    shortest, longest = HOLDS
    return now + max(min((now - since) / 2, longest), shortest, retry_after or timedelta())


def count(key: str, outcome: Outcome) -> None:
    """Count a settled touch in the worker's metrics."""
    if activity.in_activity():
        labels = {"touch": touch_id(key), "outcome": outcome.status}
        labels["rule"] = "" if isinstance(outcome, Sent) else outcome.rule
        meter = activity.metric_meter().with_additional_attributes(labels)
        meter.create_counter("postlude_messages_total", "Touches settled, by outcome and rule").add(1)


async def patiently(write: Callable[[], Awaitable[None]]) -> None:
    """Write down what this process alone knows: a database away for a moment is worth waiting for, not a doubt.

    Raises:
        OSError, asyncpg.PostgresError, asyncpg.InterfaceError: it is away still.
    """
    for _ in range(_WRITES - 1):
        try:
            return await write()
        except (*AWAY, asyncpg.PostgresError):
            await asyncio.sleep(1)
    return await write()


@contextmanager
def discreet() -> Iterator[None]:
    """Let an error of the database out by its type alone: its text may quote a row, and a history keeps it.

    Raises:
        ApplicationError: of the type `Database`; ask again.
    """
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise ApplicationError(type(error).__name__, type="Database") from None


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
