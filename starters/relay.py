"""Delivers the inbox: takes what is due, in order per subject, and tries again while anything is away."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import asyncpg
import structlog
from temporalio.service import RPCError, RPCStatusCode

from starters.dispatch import Journeys, Replies, dispatch
from store import feedback, inbox
from store.inbox import Claimed
from store.playbooks import NoPlaybookError
from store.pool import AWAY, Pool

_log = structlog.get_logger(__name__)

DEAD_AFTER = timedelta(days=7)
# What a webhook said about people is kept for as long as somebody may ask what came of it, and no longer: a month for
# what was dispatched or ignored, a season for a dead letter, which somebody has yet to look into.
FORGET_AFTER = timedelta(days=30)
FORGET_DEAD_AFTER = timedelta(days=90)
_FORGET_EVERY = timedelta(hours=1)
_FORGET_AT_ONCE = 1000
_POLL_SECONDS = 1.0
_SLOTS = 8
_BACKOFF_CAP_SECONDS = 60
# Less than the lease, so that a row is never in two hands.
_TIME_LIMIT_SECONDS = inbox.LEASE.total_seconds() * 0.6
_HAND_BACK_TRIES = 8
_SWEEP_EVERY = timedelta(seconds=30)
_PASSING = {
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.RESOURCE_EXHAUSTED,
    RPCStatusCode.CANCELLED,
    RPCStatusCode.ABORTED,
    RPCStatusCode.INTERNAL,
    RPCStatusCode.UNKNOWN,
}


def _now() -> datetime:
    return datetime.now(UTC)


def passes(error: BaseException) -> bool:
    """Whether patience alone mends this: the database or Temporal away, or no playbook published yet."""
    if isinstance(error, RPCError):
        return error.status in _PASSING
    return isinstance(error, (*AWAY, TimeoutError, NoPlaybookError))


class Relay:
    """One relay; any number may run against one database, in one process or several.

    `clock` (UTC) decides what is due and what is too old; real time by default. `orders_ahead` is for where journeys
    have clocks that run ahead: an order may then be dated ahead too. `replies` listens to what people answer to
    messages.
    """

    def __init__(
        self,
        pool: Pool,
        journeys: Journeys,
        *,
        clock: Callable[[], datetime] = _now,
        orders_ahead: bool = False,
        replies: Replies = feedback.unheard,
    ) -> None:
        self._pool = pool
        self._journeys = journeys
        self._clock = clock
        self._orders_ahead = orders_ahead
        self._replies = replies
        self._woken = asyncio.Event()
        self._stopping = False
        self._running: set[asyncio.Task[None]] = set()
        self._next_sweep = self._next_forget = datetime.min.replace(tzinfo=UTC)

    def wake(self) -> None:
        """Look into the inbox at once rather than at the next poll."""
        self._woken.set()

    async def run(self) -> None:
        """Deliver until `stop`, whatever happens; outages of the database and of Temporal are waited out."""
        self._stopping = False
        away = 0
        while not self._stopping:
            self._woken.clear()
            taken = 0
            try:
                taken = await self._take()
                away = 0
            except Exception as error:  # noqa: BLE001  # without a relay nothing is delivered at all
                away += 1
                known = isinstance(error, (*AWAY, asyncpg.PostgresError))
                _log.warning("database away" if known else "relay stumbled", error=type(error).__name__)
            pause = min(_POLL_SECONDS * 2 ** min(away, 4), 10.0)
            if not taken and not self._stopping:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), pause)
        if self._running:
            await asyncio.wait(self._running)

    def stop(self) -> None:
        """Take nothing more; `run` returns once what is in hand is finished."""
        self._stopping = True
        self.wake()

    async def drain(self) -> int:
        """Deliver what is due by now, and what that lets go, then return how many rows were worked on."""
        total = 0
        while taken := await self._take():
            total += taken
            await asyncio.wait(self._running)
        return total

    async def _take(self) -> int:
        """Start on as many rows as there are free slots; how many that were."""
        now = self._clock()
        if now >= self._next_sweep:
            self._next_sweep = now + _SWEEP_EVERY
            for dead in await inbox.expire(self._pool, now=now, age=DEAD_AFTER):
                _log.error("dead letter", inbox_id=dead["id"], source=dead["source"], topic=dead["topic"])
        if now >= self._next_forget:
            forgotten = await inbox.forget(
                self._pool,
                finished_before=now - FORGET_AFTER,
                dead_before=now - FORGET_DEAD_AFTER,
                limit=_FORGET_AT_ONCE,
            )
            if forgotten < _FORGET_AT_ONCE:
                self._next_forget = now + _FORGET_EVERY
        free = _SLOTS - len(self._running)
        if free <= 0:
            return 0
        rows = await inbox.claim(self._pool, now=now, limit=free)
        for row in rows:
            task = asyncio.create_task(self._deliver(row))
            self._running.add(task)
            task.add_done_callback(self._finished)
        return len(rows)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self.wake()

    async def _deliver(self, row: Claimed) -> None:
        try:
            async with asyncio.timeout(_TIME_LIMIT_SECONDS):
                outcome = await dispatch(
                    self._pool,
                    self._journeys,
                    row,
                    now=self._clock(),
                    orders_ahead=self._orders_ahead,
                    replies=self._replies,
                )
            _log.info(outcome, inbox_id=row.id, source=row.source, topic=row.topic, subject=_shown(row.subject))
        except Exception as error:  # noqa: BLE001  # one row's trouble must not stop the others
            await self._put_off(row, error)

    async def _put_off(self, row: Claimed, error: Exception) -> None:
        now = self._clock()
        kind = type(error).__name__
        delay = min(2 ** min(row.attempts - 1, _BACKOFF_CAP_SECONDS), _BACKOFF_CAP_SECONDS)
        log = _log.bind(inbox_id=row.id, source=row.source, topic=row.topic, error=kind, attempts=row.attempts)
        given_up = not passes(error) and now - row.received_at >= DEAD_AFTER
        if given_up:
            log.error("dead letter")
        else:
            log.warning("put off", seconds=delay)
        # When the database itself is what is away, asking again soon hands the row back sooner than its lease does.
        for _ in range(_HAND_BACK_TRIES):
            try:
                if given_up:
                    await inbox.bury(self._pool, row, now=now, note=f"failed for a week: {kind}")
                else:
                    await inbox.retry(self._pool, row, at=now + timedelta(seconds=delay), note=f"put off: {kind}")
            except Exception:  # noqa: BLE001  # the lease hands the row back in any case
                await asyncio.sleep(_POLL_SECONDS)
            else:
                return


def _shown(subject: str) -> str | None:
    """What a log may say: orders and parcels, not customers."""
    return None if subject.startswith("customer:") else subject
