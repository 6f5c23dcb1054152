"""The numbers by which shops and their customers know orders, such as `#1006` or `RE-2026-0042`, beside the ids.

A number is for people alone: everything else names an order by its id. Several orders may have one number.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import asyncpg

from store.pool import AWAY, Connection, Pool

# A late word fills what is not known; the row's lock decides between two at once.
_SAY: Final = """
UPDATE orders known SET number = $3, numbered_at = $4
FROM (SELECT number, numbered_at FROM orders WHERE shop = $1 AND order_id = $2 FOR NO KEY UPDATE) was
WHERE shop = $1 AND order_id = $2 AND (was.number IS NULL OR was.numbered_at <= $4)
RETURNING $5 OR was.number IS DISTINCT FROM $3
"""
_FIND: Final = """
SELECT order_id FROM orders WHERE shop = $1 AND lower(ltrim(number, '#')) = lower(ltrim($2, '#'))
ORDER BY number = $2 DESC, placed_at DESC, order_id LIMIT $3
"""
_EXISTS: Final = "SELECT true FROM orders WHERE shop = $1 AND order_id = $2"
_SHOWN: Final = """
SELECT shop, order_id, number FROM orders JOIN unnest($1::text[], $2::text[]) AS asked (shop, order_id)
USING (shop, order_id) WHERE number IS NOT NULL AND number <> order_id
"""
MOST_FOUND: Final = 20
"""Orders of one number that are listed at most."""


async def say(
    connection: Connection, shop: str, order_id: str, number: str | None, *, at: datetime, again: bool = False
) -> bool:
    """Write down what an order is called since `at`, which None does not say; whether its journey is to hear of it.

    It is when that is new, or said `again` after a try that may have got no further than the tables.
    """
    return number is not None and bool(await connection.fetchval(_SAY, shop, order_id, number, at, again))


async def known(connection: Connection | Pool, shop: str, order_id: str) -> str | None:
    """What an order is called; None where only its id is known, or there is no such order."""
    number: str | None = await connection.fetchval(
        "SELECT number FROM orders WHERE shop = $1 AND order_id = $2", shop, order_id
    )
    return number


async def for_an_alert(pool: Pool, shop: str, order_id: str) -> str | None:
    """The same for a word to people, which does not wait for a database that is away."""
    try:
        return await known(pool, shop, order_id)
    except (*AWAY, asyncpg.PostgresError):
        return None


async def find(pool: Pool, shop: str, name: str) -> Sequence[str]:
    """The ids of the orders that somebody means by a name: the one with that id, else all with that number.

    A number is found in whatever case, with its `#` or without; at most `MOST_FOUND`, the newest first.
    """
    if await pool.fetchval(_EXISTS, shop, name):
        return [name]
    return [row["order_id"] for row in await pool.fetch(_FIND, shop, name, MOST_FOUND)]


async def shown(pool: Pool, orders: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
    """The numbers of orders by shop and id, of those that have another than their id."""
    asked = list(dict.fromkeys(orders))
    rows = await pool.fetch(_SHOWN, [shop for shop, _ in asked], [order_id for _, order_id in asked])
    return {(row["shop"], row["order_id"]): row["number"] for row in rows}
