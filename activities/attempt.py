"""What one attempt of an activity knows of itself: the journey's clock, its beats, and when it may be stopped."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import asyncpg
from temporalio import activity
from temporalio.exceptions import ApplicationError

from journey.intervals import BEAT, RECORDING
from journey.outcomes import Outcome, Sent
from journey.playbook import touch_id
from store.pool import AWAY

T = TypeVar("T")
SOON: Final = timedelta(seconds=5)
"""The shortest hold of a message that a provider turned away."""
MENDED: Final = timedelta(minutes=15)
"""The shortest hold of a message that people have to mend something for."""
LONGEST: Final = timedelta(hours=6)
"""The longest hold of either: as long again as it has been waited, within these."""


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


def hold_until(now: datetime, since: datetime, shortest: timedelta, wished: timedelta | None = None) -> datetime:
    """Until when a touch is held that has been waited with `since` then; at least for what the provider `wished`."""
    return now + max(min(now - since, LONGEST), shortest, wished or timedelta())


def count(key: str, outcome: Outcome) -> None:
    """Count a settled touch in the worker's metrics."""
    if activity.in_activity():
        labels = {"touch": touch_id(key), "outcome": outcome.status}
        labels["rule"] = "" if isinstance(outcome, Sent) else outcome.rule
        meter = activity.metric_meter().with_additional_attributes(labels)
        meter.create_counter("postlude_messages_total", "Touches settled, by outcome and rule").add(1)


async def patiently(write: Callable[[], Awaitable[None]]) -> None:
    """Write down what this process alone knows: a database away for minutes is worth waiting for, not a doubt.

    Raises:
        OSError, asyncpg.PostgresError, asyncpg.InterfaceError: it is away still.
    """
    give_up = time.monotonic() + RECORDING.total_seconds()
    while True:
        try:
            return await write()
        except (*AWAY, asyncpg.PostgresError):
            if time.monotonic() > give_up:
                raise
        await asyncio.sleep(1)


class Guard:
    """When an attempt may be stopped: at any time, but for the stretches from `hold` on until `free`.

    A cancellation that comes in such a stretch is kept, and raised by `free`.
    """

    def __init__(self) -> None:
        self._held = False
        self._stopped = False

    def hold(self) -> None:
        """From here on nothing is cut off."""
        self._held = True

    def free(self) -> None:
        """From here on it may be stopped.

        Raises:
            asyncio.CancelledError: it was to stop in the meantime.
        """
        if self._stopped:
            raise asyncio.CancelledError
        self._held = False

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work, which holds and frees this guard.

        Raises:
            asyncio.CancelledError: it was stopped where it could be.
        """
        task = asyncio.create_task(work)
        while True:
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                if task.done():
                    raise
                self._stopped = True
                if not self._held:
                    task.cancel()


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
        await asyncio.sleep(BEAT.total_seconds())
        activity.heartbeat()
