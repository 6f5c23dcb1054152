"""The orders whose books are open, and how they are closed for a journey that cannot do it itself any more."""

from dataclasses import dataclass
from datetime import datetime

from store import inbox
from store.ledger_sql import END_ORDER, SETTLE_REST
from store.pool import Pool

_PAGE = """
SELECT shop, order_id, created_at FROM orders
WHERE ended_at IS NULL AND (shop, order_id) > ($1, $2) AND created_at <= $3
ORDER BY shop, order_id LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order whose journey has not written down its end. `created_at` is when it was written down here, UTC."""

    shop: str
    order_id: str
    created_at: datetime


async def page(pool: Pool, after: tuple[str, str], *, created_by: datetime, limit: int) -> list[OpenOrder]:
    """At most `limit` open orders behind `after` (shop, order id), by these, that were here at `created_by` (UTC)."""
    return [OpenOrder(**row) for row in await pool.fetch(_PAGE, *after, created_by, limit)]


async def was_started(pool: Pool, order: OpenOrder) -> bool:
    """Whether a journey of this order was begun: what told of it is dispatched, and not still to be."""
    async with pool.acquire() as connection:
        return not await inbox.order_still_to_start(connection, order.shop, order.order_id)


async def close(pool: Pool, order: OpenOrder, *, now: datetime, why: str) -> None:
    """Write down that the order's journey ended at `now` (UTC) and why, and settle what it left.

    What was held is refused, what may have gone out is in doubt and stays so. May be repeated; an end that is written
    down already stays as it is.
    """
    async with pool.acquire() as connection, connection.transaction():
        if await connection.fetchval(END_ORDER, order.shop, order.order_id, now, why) is not None:
            await connection.execute(SETTLE_REST, order.shop, order.order_id, now)
