"""The connection pool, and what counts as the database being away for a moment."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from asyncpg.pool import Pool, PoolConnectionProxy

__all__ = ["AWAY", "Connection", "Pool", "apart", "connect", "joining_whole_tables"]

Connection = PoolConnectionProxy

AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    # What the driver says of a connection that the server hung up on in the middle of a word.
    asyncpg.InternalClientError,
    asyncpg.TooManyConnectionsError,
)
"""Errors that a little patience mends: refused, restarting, dropped."""


class _Named(asyncpg.pool.Pool):  # type: ignore[misc]  # asyncpg has no types
    """A pool that remembers what it was given."""

    def __init__(self, dsn: str, size: int) -> None:
        super().__init__(
            dsn,
            min_size=1,
            max_size=size,
            command_timeout=30,
            reset=_nothing_to_reset,
            # What `asyncpg.create_pool` says for these.
            max_queries=50_000,
            max_inactive_connection_lifetime=300.0,
            loop=None,
            connection_class=asyncpg.Connection,
            record_class=asyncpg.Record,
        )
        self.dsn = dsn


async def connect(dsn: str, *, size: int = 10) -> Pool:
    """A pool of up to `size` connections to the database `dsn` names.

    Raises:
        OSError, asyncpg.PostgresError: the server is not there or refuses; nothing is retried here.
    """
    return await _Named(dsn, size)


@asynccontextmanager
async def apart(pool: Pool) -> AsyncIterator[PoolConnectionProxy]:
    """A connection of its own to the pool's database, for as long as the block runs: it takes none of the pool's.

    What a session holds, such as a lock, ends with it in every case. `pool` is from `connect`.

    Raises:
        OSError, asyncpg.PostgresError: the server is not there or refuses.
    """
    own = await connect(pool.dsn, size=1)
    try:
        async with own.acquire() as connection:
            yield connection
    finally:
        own.terminate()


async def joining_whole_tables(connection: PoolConnectionProxy) -> None:
    """Have the joins of this transaction read each table once, by hashing, in the order in which they are written.

    The planner may believe that tables which were just filled hold one row, and then go through one table for each row
    of the other. Statements that look up a few rows by an index do better without this.
    """
    await connection.execute(
        "SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off;"
        " SET LOCAL join_collapse_limit = 1; SET LOCAL from_collapse_limit = 1"
    )


async def _nothing_to_reset(_connection: object) -> None:
    """No statement here leaves anything behind in a session: the reset between two uses would be a wasted trip."""
