"""Published playbooks. A digest is for ever, so that a journey that pinned it always finds its rules."""

from collections.abc import Iterable

from journey.playbook import Playbook
from store.pool import Connection, Pool


class NoPlaybookError(LookupError):
    """None was ever published."""


async def publish(pool: Pool, playbook: Playbook) -> str:
    """Store a playbook and let new journeys pin it; publishing the same one again changes nothing."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO playbooks (digest, name, content) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            playbook.digest,
            playbook.name,
            playbook.compact,
        )
        await connection.execute(
            "INSERT INTO current_playbook (digest) VALUES ($1) ON CONFLICT (singleton) DO UPDATE SET digest = $1",
            playbook.digest,
        )
    return playbook.digest


async def current(pool: Pool | Connection) -> str:
    """The digest that new journeys pin.

    Raises:
        NoPlaybookError: none was ever published.
    """
    digest = await pool.fetchval("SELECT digest FROM current_playbook")
    if digest is None:
        raise NoPlaybookError("no playbook is published: run `postlude playbook publish playbooks/default.yaml`")
    return str(digest)


async def unknown_to(pool: Pool, known: Iterable[str]) -> dict[str, str]:
    """The contents of all playbooks except the `known` digests, by digest."""
    rows = await pool.fetch("SELECT digest, content FROM playbooks WHERE NOT digest = ANY($1)", list(known))
    return {row["digest"]: row["content"] for row in rows}
