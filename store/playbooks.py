"""Published playbooks. A digest is for ever, so that a journey that pinned it always finds its rules."""

from collections.abc import Iterable

from journey.playbook import Playbook
from store.pool import Connection, Pool

_PUBLISH = "INSERT INTO current_playbook (digest) VALUES ($1) ON CONFLICT (singleton) DO UPDATE SET digest = $1"
_PUBLISH_OF_SHOP = "INSERT INTO shops (shop, playbook) VALUES ($1, $2) ON CONFLICT (shop) DO UPDATE SET playbook = $2"
_CURRENT = """
SELECT coalesce((SELECT playbook FROM shops WHERE shop = $1), (SELECT digest FROM current_playbook))
"""


class NoPlaybookError(LookupError):
    """None was ever published."""


async def publish(pool: Pool, playbook: Playbook, *, shop: str | None = None) -> str:
    """Store a playbook and let new journeys pin it; publishing the same one again changes nothing.

    With `shop` those of that shop alone, else those of all shops that have none of their own.
    """
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO playbooks (digest, name, content) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            playbook.digest,
            playbook.name,
            playbook.compact,
        )
        if shop is None:
            await connection.execute(_PUBLISH, playbook.digest)
        else:
            await connection.execute(_PUBLISH_OF_SHOP, shop, playbook.digest)
    return playbook.digest


async def current(pool: Pool | Connection, shop: str | None = None) -> str:
    """The digest that new journeys of that shop pin; None: of shops that have none of their own.

    Raises:
        NoPlaybookError: none was ever published.
    """
    digest = await pool.fetchval(_CURRENT, shop)
    if digest is None:
        raise NoPlaybookError("no playbook is published: run `postlude playbook publish playbooks/default.yaml`")
    return str(digest)


async def of_shops(pool: Pool) -> dict[str, str]:
    """The digests that shops with a playbook of their own pin, by shop."""
    rows = await pool.fetch("SELECT shop, playbook FROM shops WHERE playbook IS NOT NULL ORDER BY shop")
    return {row["shop"]: row["playbook"] for row in rows}


async def content(pool: Pool, digest: str) -> str | None:
    """The playbook of that digest as it was published; None where it never was."""
    found: str | None = await pool.fetchval("SELECT content FROM playbooks WHERE digest = $1", digest)
    return found


async def unknown_to(pool: Pool, known: Iterable[str]) -> dict[str, str]:
    """The contents of all playbooks except the `known` digests, by digest."""
    rows = await pool.fetch("SELECT digest, content FROM playbooks WHERE NOT digest = ANY($1)", list(known))
    return {row["digest"]: row["content"] for row in rows}
