"""The in-app inbox: messages that wait for the customer on their order's page and in the shop's app."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from store.pool import Connection, Pool

MOST = 100
"""Notes of one order that are ever shown, the newest ones."""

_PUT = """
INSERT INTO notes (shop, customer_id, order_id, touch_key, title, body, link, created_at, expires_at)
SELECT shop, customer_id, order_id, $3, $4, $5, $6, $7, $8 FROM orders WHERE shop = $1 AND order_id = $2
ON CONFLICT (shop, order_id, touch_key) DO UPDATE SET touch_key = excluded.touch_key
RETURNING true
"""
_LIST = """
SELECT touch_key, title, body, link, created_at, read_at FROM notes
WHERE shop = $1 AND order_id = $2 AND (expires_at IS NULL OR expires_at > $3)
ORDER BY created_at DESC, touch_key LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class Note:
    """A message as its customer sees it. `link` is http or https; moments are UTC, `read_at` None while unread."""

    touch_key: str
    title: str
    body: str
    link: str | None
    created_at: datetime
    read_at: datetime | None


async def put(
    connection: Connection | Pool,
    *,
    shop: str,
    order_id: str,
    touch_key: str,
    title: str,
    body: str,
    link: str | None,
    at: datetime,
    expires_at: datetime | None,
) -> bool:
    """Lay a message into the inbox, once: what is there already under its key stays as it is, read or unread.

    Args:
        connection: the database, inside a transaction or not.
        shop: the order's shop.
        order_id: whose inbox.
        touch_key: names the message within the order.
        title: one line of plain text.
        body: plain text.
        link: an http or https address, or None.
        at: now, UTC.
        expires_at: from when it is not shown any more; None for never.

    Returns:
        Whether it is there; False when the order is unknown or was erased.

    Raises:
        asyncpg.CheckViolationError: the link has another scheme.
    """
    there = await connection.fetchval(_PUT, shop, order_id, touch_key, title, body, link, at, expires_at)
    return there is not None


async def listed(pool: Pool, shop: str, order_id: str, *, now: datetime, limit: int = MOST) -> list[Note] | None:
    """The notes of an order that have not expired, the newest first; None when there is no such order."""
    async with pool.acquire() as connection:
        rows = await connection.fetch(_LIST, shop, order_id, now, limit)
        if not rows and not await _is_known(connection, shop, order_id):
            return None
    return [Note(**dict(row)) for row in rows]


async def mark_read(pool: Pool, shop: str, order_id: str, touch_keys: Sequence[str], *, at: datetime) -> int | None:
    """Mark notes of an order as read; those that were read before keep their moment.

    Returns:
        How many were unread until now; None when there is no such order.
    """
    async with pool.acquire() as connection:
        done = await connection.fetch(
            """UPDATE notes SET read_at = $4
               WHERE shop = $1 AND order_id = $2 AND touch_key = ANY($3) AND read_at IS NULL RETURNING touch_key""",
            shop,
            order_id,
            list(touch_keys),
            at,
        )
        if not done and not await _is_known(connection, shop, order_id):
            return None
    return len(done)


async def _is_known(connection: Connection, shop: str, order_id: str) -> bool:
    return bool(await connection.fetchval("SELECT true FROM orders WHERE shop = $1 AND order_id = $2", shop, order_id))
