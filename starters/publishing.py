"""What a deployment's files say, brought to the database when a process starts: playbooks, and what shops assume."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from journey.playbook import load_playbook
from store import playbooks
from store.pool import Pool, connect
from store.shops import Assumed, assume
from workers.shops import Shop


async def publish_if_none(dsn: str, path: Path) -> str | None:
    """Publish the playbook in `path` when the database has none current; its digest, or None when there was one.

    Raises:
        PlaybookError: the file is no playbook.
        OSError: the file cannot be read, or the database is away.
    """
    pool = await connect(dsn, size=1)
    try:
        try:
            await playbooks.current(pool)
        except LookupError:
            return await _publish(pool, path, shop=None)
        return None
    finally:
        await pool.close()


async def bring_shops(dsn: str, shops: Iterable[Shop]) -> list[str]:
    """Write down what the shops' files say of their people, and publish the playbooks of those that have none yet.

    Returns the ids of the shops whose playbook was published.

    Raises:
        PlaybookError: a shop's playbook is none.
        OSError: a file cannot be read, or the database is away.
    """
    shops = list(shops)
    pool = await connect(dsn, size=1)
    try:
        async with pool.acquire() as connection:
            await assume(connection, [Assumed(one.id, one.locale, one.time_zone, one.country) for one in shops])
        known = await playbooks.of_shops(pool)
        published = []
        for shop in shops:
            if shop.playbook is not None and shop.id not in known:
                await _publish(pool, shop.playbook, shop=shop.id)
                published.append(shop.id)
        return published
    finally:
        await pool.close()


async def _publish(pool: Pool, path: Path, *, shop: str | None) -> str:
    text = await asyncio.to_thread(path.read_text, encoding="utf-8")
    return await playbooks.publish(pool, load_playbook(text), shop=shop)
