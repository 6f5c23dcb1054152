"""What commands share: settings, connections that do not dawdle, and one way to fail."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from temporalio.client import Client

from starters.local import resolved, temporal_address
from store.pool import Pool
from workers.codec import payload_codec
from workers.connecting import database, temporal_client
from workers.logs import configure
from workers.settings import Settings

T = TypeVar("T")
_PATIENCE: Final = 2.0
"""Seconds a person waits for a server that is not there."""


class CommandError(Exception):
    """A command that cannot be done; the text names the thing and what to do, in one line."""


def settings_from_environment() -> Settings:
    """The settings of this process.

    Raises:
        CommandError: a variable has a value that it cannot have; named without the value.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        raise CommandError(f"POSTLUDE_{name} is not usable: {first['msg']}") from error


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a short command's work; logs show errors alone."""
    configure("error")
    return asyncio.run(work)


@asynccontextmanager
async def connected_database(settings: Settings) -> AsyncIterator[Pool]:
    """The database of the environment, else of the stack that is up on POSTLUDE_HOME.

    Raises:
        CommandError: neither is there.
        OSError, asyncpg.PostgresError: it does not answer.
    """
    found = resolved(settings)
    if found.database_url is None:
        raise CommandError(
            f"no database is known: set POSTLUDE_DATABASE_URL, or start `postlude up` on {settings.home}"
        )
    pool = await database(found.database_url, size=2, patience=_PATIENCE)
    try:
        yield pool
    finally:
        await pool.close()


async def connected_temporal(settings: Settings) -> Client:
    """The Temporal server of the environment, else of the stack that is up on POSTLUDE_HOME.

    Raises:
        SettingMissingError: neither is there.
        CommandError: it does not answer.
    """
    address = temporal_address(settings)
    try:
        return await temporal_client(address=address, codec=payload_codec(settings), patience=_PATIENCE)
    except RuntimeError as error:
        raise CommandError("Temporal does not answer: check TEMPORAL_ADDRESS, or start `postlude up`") from error


def split_order(order: str) -> tuple[str, str]:
    """SHOP/ID as its two parts; the id may hold further slashes.

    Raises:
        CommandError: there is no slash, or nothing on one of its sides.
    """
    shop, _, order_id = order.partition("/")
    if not shop or not order_id:
        raise CommandError(f"{order!r} is not an order: write SHOP/ID, such as acme/1001")
    return shop, order_id


def clock(at: datetime | None) -> str:
    """A moment as a person reads it, UTC."""
    return "-" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
