"""Delivers the inbox: takes what is due, in order per subject, and tries again while anything is away."""

import asyncio
import contextlib
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import asyncpg
import structlog

from starters.begun import BegunOrders
from starters.dispatch import dispatch
from starters.ports import Buried, Concerned, Fetch, Journeys, Replies, Unheard, no_shop, nobody, unsaid
from starters.troubles import GIVEN_UP_AFTER, MOST_FAULTS, Trouble, pause, said, trouble
from store import concerns, feedback, inbox, letters, pasts, personal, privacy
from store.inbox import Claimed
from store.intake import readable
from store.pool import AWAY, Pool

_log = structlog.get_logger(__name__)

WAITS_FOR = timedelta(days=7)
"""So long a fact waits for its order or parcel."""
UNREAD_DEAD_AFTER = timedelta(days=30)
"""For what a newer version stored: nothing is amiss with it, and a deploy may take its time."""
_UNREAD_AT_ONCE = 1000
_FORGET_EVERY = timedelta(hours=1)
_FORGET_AT_ONCE = 1000
_POLL = timedelta(seconds=1)
_LONGEST_PAUSE = timedelta(seconds=10)
_HAND_BACK_SECONDS = 1.0
_SLOTS = 32
_REFILL = _SLOTS // 2
"""While fewer of the slots than this are free, rows are left until more are: in a burst one look for what is due then
serves many rows. One that is put off comes when `poll` has passed, whatever the slots wait for."""
_MOST_AGAIN = _SLOTS * 3 // 4
"""The others are for what is tried for the first time: what fails slowly does not keep it waiting."""
_FETCHES = 3
"""Slots of their own for reading orders from shops: one that is slow keeps no fact waiting."""
# Less than the lease, so that a row is never in two hands.
_TIME_LIMIT_SECONDS = inbox.LEASE.total_seconds() * 0.6
_HAND_BACK_TRIES = 8
_SWEEP_EVERY = timedelta(seconds=30)


def _now() -> datetime:
    return datetime.now(UTC)


class Relay:
    """One relay; any number may run against one database, in one process or several.

    `clock` (UTC) decides what is due and what is too old; real time by default. `orders_ahead` is for where journeys
    have clocks that run ahead: an order may then be dated ahead too. `replies` listens to what people answer to
    messages, `fetch` reads orders from the shops' own APIs, `unheard` is told of what no journey hears any more,
    `buried` of dead letters, `concerned` of what people are to know of an order. `test_orders`: orders that nobody
    means have a journey, too.
    `poll` is how long it waits for `wake` before it looks by itself.
    """

    def __init__(
        self,
        pool: Pool,
        journeys: Journeys,
        *,
        clock: Callable[[], datetime] = _now,
        poll: timedelta = _POLL,
        orders_ahead: bool = False,
        replies: Replies = feedback.unheard,
        fetch: Fetch = no_shop,
        unheard: Unheard = nobody,
        buried: Buried = unsaid,
        concerned: Concerned = unsaid,
        test_orders: bool = False,
    ) -> None:
        self._pool = pool
        self._journeys = journeys
        self._clock = clock
        self._poll = poll
        self._orders_ahead = orders_ahead
        self._replies = replies
        self._fetch = fetch
        self._unheard = unheard
        self._buried = buried
        self._concerned = concerned
        self._test_orders = test_orders
        self._begun = BegunOrders(pool)
        self._woken = asyncio.Event()
        self._stopping = False
        self._looked = -math.inf
        self._running: dict[asyncio.Task[None], Claimed] = {}
        self._erasing: asyncio.Task[None] | None = None
        self._telling: asyncio.Task[None] | None = None
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
                taken = await self._take(patient=True)
                away = 0
            except Exception as error:  # noqa: BLE001  # without a relay nothing is delivered at all
                away += 1
                known = isinstance(error, (*AWAY, asyncpg.PostgresError))
                _log.warning("database away" if known else "relay stumbled", error=type(error).__name__)
            pause = self._poll if not away else min(self._poll * 2 ** min(away, 4), _LONGEST_PAUSE)
            if not taken and not self._stopping:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), pause.total_seconds())
        if self._running:
            await asyncio.wait(self._running)
        for beside in (self._erasing, self._telling):
            if beside is not None:
                beside.cancel()
                await asyncio.wait([beside])

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
        for beside in (self._erasing, self._telling):
            if beside is not None:
                await beside
        return total

    async def _take(self, *, patient: bool = False) -> int:
        """Start on as many rows as there are free slots; how many that were.

        `patient` leaves them until `_REFILL` slots are free, or `poll` has passed since the last look.
        """
        now = self._clock()
        if now >= self._next_sweep:
            self._next_sweep = now + _SWEEP_EVERY
            if self._erasing is None or self._erasing.done():
                self._erasing = asyncio.create_task(self._erase(now))
            await inbox.take_up(self._pool, readable=readable, now=now, limit=_UNREAD_AT_ONCE)
            for dead in await inbox.expire(self._pool, now=now, age=WAITS_FOR, unread_age=UNREAD_DEAD_AFTER):
                _log.error("dead letter", inbox_id=dead["id"], source=dead["source"], topic=dead["topic"])
            if self._telling is None or self._telling.done():
                self._telling = asyncio.create_task(self._tell_people(now))
        if now >= self._next_forget:
            blanked = await inbox.forget(
                self._pool,
                finished_before=now - personal.FORGET_AFTER,
                dead_before=now - personal.FORGET_DEAD_AFTER,
                ignored_before=now - personal.FORGET_IGNORED_AFTER,
                limit=_FORGET_AT_ONCE,
            )
            gone = await pasts.forget(self._pool, ended_before=now - personal.FORGET_PAST_AFTER, limit=_FORGET_AT_ONCE)
            if max(blanked, gone) < _FORGET_AT_ONCE:
                self._next_forget = now + _FORGET_EVERY
        fetching = sum(row.fetches for row in self._running.values())
        free, fetches = _SLOTS - (len(self._running) - fetching), _FETCHES - fetching
        # Counted from the last look and not from being woken: what keeps coming must not put the next one off for ever.
        due = time.monotonic() - self._looked >= self._poll.total_seconds()
        if (patient and free < _REFILL and not due) or not (free or fetches):
            return 0
        self._looked = time.monotonic()
        again = _MOST_AGAIN - sum(row.attempts > 1 and not row.fetches for row in self._running.values())
        rows = await inbox.claim(self._pool, now=now, limit=free, fetches=fetches, again=max(0, min(free, again)))
        for row in rows:
            task = asyncio.create_task(self._deliver(row))
            self._running[task] = row
            task.add_done_callback(self._finished)
        return len(rows)

    async def _erase(self, now: datetime) -> None:
        """Forget the shops that have left, beside all deliveries: a large one takes minutes."""
        try:
            await privacy.sweep(self._pool, now=now)
        except Exception as error:  # noqa: BLE001  the next sweep goes on with what is left
            _log.warning("erasure put off", error=type(error).__name__)

    async def _tell_people(self, now: datetime) -> None:
        """Have people told of the dead letters, and of what is amiss with an order, that they have not heard of."""
        try:
            for concern in await concerns.take_untold(self._pool, now=now):
                if not await self._concerned(concern):
                    await concerns.put_back(self._pool, concern)
            for found in await letters.take_untold(self._pool, now=now):
                if not await self._buried(found):
                    await letters.put_back(self._pool, found, now=now)
        except Exception as error:  # noqa: BLE001  the next sweep goes on with what is left
            _log.warning("people not told", error=type(error).__name__)

    def _finished(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self.wake()

    async def _deliver(self, row: Claimed) -> None:
        try:
            async with asyncio.timeout(_TIME_LIMIT_SECONDS):
                outcome = await dispatch(
                    self._pool,
                    self._journeys,
                    row,
                    now=self._clock(),
                    begun=self._begun,
                    orders_ahead=self._orders_ahead,
                    replies=self._replies,
                    fetch=self._fetch,
                    unheard=self._unheard,
                    test_orders=self._test_orders,
                )
            log = _log.warning if outcome == "unread" else _log.info
            log(outcome, inbox_id=row.id, source=row.source, topic=row.topic, subject=_shown(row.subject))
        except Exception as error:  # noqa: BLE001  # one row's trouble must not stop the others
            await self._put_off(row, error)

    async def _put_off(self, row: Claimed, error: Exception) -> None:
        now = self._clock()
        kind = trouble(error)
        fault = kind is Trouble.FAULT
        faults = row.faults + fault
        log = _log.bind(inbox_id=row.id, source=row.source, topic=row.topic, error=said(error), attempts=row.attempts)
        given_up = None
        if fault and faults >= MOST_FAULTS:
            given_up = f"failed {faults} times: {said(error)}"
        elif kind is Trouble.AMISS and now - row.received_at >= GIVEN_UP_AFTER:
            given_up = f"failed for a week: {said(error)}"
        at = now + pause(error, attempts=row.attempts, faults=faults)
        if given_up is not None:
            log.error("dead letter")
        else:
            log.warning("put off", seconds=math.ceil((at - now).total_seconds()))
        # When the database itself is what is away, asking again soon hands the row back sooner than its lease does.
        for _ in range(_HAND_BACK_TRIES):
            try:
                if given_up is not None:
                    await inbox.bury(self._pool, row, now=now, note=given_up)
                else:
                    await inbox.retry(self._pool, row, at=at, note=f"put off: {said(error)}", fault=fault)
            except Exception:  # noqa: BLE001  # the lease hands the row back in any case
                await asyncio.sleep(_HAND_BACK_SECONDS)
            else:
                return


def _shown(subject: str) -> str | None:
    """What a log may say: orders and parcels, not customers."""
    return None if subject.startswith("customer:") else subject
