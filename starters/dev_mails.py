"""The embedded stack's caught mails forget whom the database has forgotten."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import structlog

from store import erased
from store.pool import AWAY, Pool
from workers.mail_catcher import MailFolder

_PAUSE_SECONDS: Final = 30.0
_log = structlog.get_logger(__name__)


async def forget_erased(pool: Pool, mails: MailFolder) -> int:
    """Remove the mails of erased orders and what went to the same people besides; how many."""
    orders = {mail.order for mail in mails.messages() if mail.order is not None}
    return mails.forget(await erased.orders_among(pool, orders)) if orders else 0


async def forget_erased_at(pool: Pool, home: Path) -> int:
    """The same of the embedded stack on a home, up or not; 0 where there is none."""
    folder = home / "mail"
    return await forget_erased(pool, MailFolder(folder)) if folder.is_dir() else 0


@asynccontextmanager
async def forgetting(pool: Pool, mails: MailFolder) -> AsyncIterator[None]:
    """Look for erased orders now and then, whoever erased them."""
    task = asyncio.create_task(_keep_forgetting(pool, mails))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _keep_forgetting(pool: Pool, mails: MailFolder) -> None:
    while True:
        try:
            gone = await forget_erased(pool, mails)
            if gone:
                _log.info("caught mails of erased orders removed", mails=gone)
        except AWAY as error:
            _log.warning("caught mails not looked through", error=type(error).__name__)
        await asyncio.sleep(_PAUSE_SECONDS)
