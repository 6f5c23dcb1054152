"""Processes under their own role of the database, as they are deployed: what they may not do fails here too."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg

from store.pool import Pool, connect
from store.roles import Role, creation, grant


@asynccontextmanager
async def running_as(dsn: str, role: Role) -> AsyncIterator[Pool]:
    """A pool of connections of a role to the owner's database, in which it has its rights."""
    await with_roles(dsn)
    own = await connect(logged_in(dsn, role.name))
    try:
        yield own
    finally:
        own.terminate()


async def with_roles(dsn: str) -> None:
    """Make the roles of the server, and give them their rights in this database."""
    owner = await asyncpg.connect(dsn)
    try:
        await owner.execute(creation())
    finally:
        await owner.close()
    await grant(dsn)


def logged_in(dsn: str, name: str) -> str:
    """The same database's address for another user of the test server, which asks for no password."""
    parts = urlsplit(dsn)
    return parts._replace(netloc=f"{name}@{parts.netloc.rpartition('@')[2]}").geturl()
