"""Making a playbook the one that new journeys pin."""

import asyncio
from pathlib import Path

from journey.playbook import load_playbook
from store import playbooks
from store.pool import connect


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
            text = await asyncio.to_thread(path.read_text, encoding="utf-8")
            return await playbooks.publish(pool, load_playbook(text))
        return None
    finally:
        await pool.close()
