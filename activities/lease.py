"""The lease of one claim, by this process's clock: until when a hand-over may be begun under it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import asyncpg

from journey.intervals import BEAT
from store.claims import Claim
from store.ledger import Ledger
from store.pool import AWAY


class Lease:
    """Measured from before each statement that begins or renews it, so it is over here before the database says so.

    `clock` is monotonic, in seconds: it runs on while the process stands still.
    """

    def __init__(self, ledger: Ledger, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._ledger = ledger
        self._clock = clock
        self._asked = clock()
        self._until = float("-inf")
        self._claim: Claim | None = None

    def begin(self) -> None:
        """The statement that claims, or claims for another provider, is about to be sent."""
        self._asked = self._clock()

    def take(self, claim: Claim) -> None:
        """That statement wrote this claim."""
        self._claim = claim
        self._until = self._asked + self._ledger.lease.total_seconds()

    def give_up(self) -> None:
        """The claim is settled: nothing is begun under it any more."""
        self._claim, self._until = None, float("-inf")

    def is_live(self) -> bool:
        """Whether the claim is surely this process's still."""
        return self._clock() < self._until

    async def renew(self) -> None:
        """Let it begin anew; when the database is away, it runs out."""
        claim, asked = self._claim, self._clock()
        if claim is None:
            return
        with suppress(*AWAY, asyncpg.PostgresError):
            renewed = await self._ledger.renew(claim)
            if self._claim is claim:
                self._until = asked + self._ledger.lease.total_seconds() if renewed else float("-inf")


@asynccontextmanager
async def renewing(lease: Lease) -> AsyncIterator[None]:
    """Renew it with every beat while the block runs, whether Temporal can be reached or not."""
    task = asyncio.create_task(_renew(lease))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _renew(lease: Lease) -> None:
    while True:
        await asyncio.sleep(BEAT.total_seconds())
        await lease.renew()
