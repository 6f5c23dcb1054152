"""Marks the creations of orders as dispatched once their journeys are started: in a burst, many in one transaction."""

import asyncio
from datetime import datetime

from store import inbox
from store.inbox import Begun
from store.pool import Pool


class BegunOrders:
    """Collects what becomes ready while a transaction is under way, and writes all of it with the next one.

    A burst of orders then costs a few transactions instead of one each; an order that comes alone waits for none.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._ready: dict[int, Begun] = {}
        self._turn = asyncio.Lock()

    async def write(self, one: Begun, *, now: datetime) -> None:
        """Mark this creation dispatched and let go what waited for its order; returns when that is on disk.

        Raises:
            Exception: whatever the database raises; nothing is written then, of the others of the group either,
                and each of them tries by itself.
        """
        self._ready[one.row.id] = one
        try:
            async with self._turn:
                group = dict(self._ready)
                if one.row.id not in group:
                    return  # the one before wrote this one too
                async with self._pool.acquire() as connection, connection.transaction():
                    await inbox.begun(connection, list(group.values()), now=now)
                for written in group:
                    self._ready.pop(written, None)
        finally:
            self._ready.pop(one.row.id, None)
