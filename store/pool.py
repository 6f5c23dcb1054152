"""The connection pool, and what counts as the database being away for a moment."""

import asyncpg
from asyncpg.pool import Pool, PoolConnectionProxy

__all__ = ["AWAY", "Connection", "Pool", "connect"]

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


async def connect(dsn: str, *, size: int = 10) -> Pool:
    """A pool of up to `size` connections to the database `dsn` names.

    Raises:
        OSError, asyncpg.PostgresError: the server is not there or refuses; nothing is retried here.
    """
    return await asyncpg.create_pool(dsn, min_size=1, max_size=size, command_timeout=30, reset=_nothing_to_reset)


async def _nothing_to_reset(_connection: object) -> None:
    """No statement here leaves anything behind in a session: the reset between two uses would be a wasted trip."""
