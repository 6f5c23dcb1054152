"""Who was erased stays erased: what a shop tells of them later is not taken in again.

Of an erased customer a later order is welcome, and with it they are a customer like any other; what is older than the
erasure is not. Of a shop that has left nothing is taken in until a person says that it is back.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from store import intake
from store.inbox import Claimed
from store.pool import Connection, Pool

NOTE: Final = "erased"

# The shop is shared: whoever marks it as gone waits for those who had looked before. Then the customer, then the
# order, as the erasure does.
_LOCK: Final = """
SELECT pg_advisory_xact_lock_shared(hashtextextended('shop:' || $1, 7067)),
       pg_advisory_xact_lock(hashtextextended($2, 7067)), pg_advisory_xact_lock(hashtextextended($3, 7067))
"""
_LOOK: Final = """
SELECT status = 'pending' AND attempts = $2 AS mine,
       EXISTS (SELECT FROM erased WHERE shop = $3 AND kind = 'shop') AS shop_gone,
       EXISTS (SELECT FROM erased WHERE shop = $3 AND kind = 'order' AND id = $4) AS order_gone,
       (SELECT at FROM erased WHERE shop = $3 AND kind = 'customer' AND id = $5) AS customer_gone_at,
       EXISTS (SELECT FROM customers WHERE shop = $3 AND customer_id = $5) AS customer_back
FROM inbox WHERE id = $1
"""
_REFUSE: Final = """
UPDATE inbox SET status = 'ignored', note = $3, done_at = $4, body = '', event = NULL
WHERE id = $1 AND attempts = $2 AND status = 'pending'
"""
_MARK: Final = """
INSERT INTO erased (shop, kind, id, at) SELECT $1, $2, id, $4 FROM unnest($3::text[]) AS id
ON CONFLICT (shop, kind, id) DO UPDATE SET at = greatest(erased.at, excluded.at)
"""

About = intake.OrderEvent | intake.OrderChanged | intake.CustomerUpdated | intake.ShipmentUpdated
"""Events that name an order or a customer of a shop."""


async def admit(connection: Connection, row: Claimed, event: About, *, now: datetime) -> bool:
    """Whether a row may be written down: it is still this relay's, and about nobody who was erased.

    One about somebody who was is settled as ignored, and nothing of it is kept but its ids.

    Args:
        connection: in a transaction; takes the locks of the customer, where the event names one, and of its subject.
        row: as it was given out.
        event: what it says.
        now: the moment, aware.
    """
    customer = event.customer.customer_id if isinstance(event, intake.OrderCreated | intake.CustomerUpdated) else None
    order = None if isinstance(event, intake.CustomerUpdated) else event.order_id
    person = f"customer:{event.shop}:{customer}" if order and customer else None
    await connection.execute(_LOCK, event.shop, person, event.subject)
    found = await connection.fetchrow(_LOOK, row.id, row.attempts, event.shop, order, customer)
    if found is None or not found["mine"]:
        return False
    gone = found["shop_gone"] or found["order_gone"]
    if not gone and found["customer_gone_at"] is not None:
        # What a shop dates ahead of its own telling was so when it told.
        late = min(event.at, row.received_at) < found["customer_gone_at"]
        gone = late or (order is None and not found["customer_back"])
    if not gone:
        return True
    if isinstance(event, intake.OrderCreated):
        await mark(connection, event.shop, "order", [event.order_id], now=now)
    await connection.execute(_REFUSE, row.id, row.attempts, NOTE, now)
    return False


async def mark(connection: Connection, shop: str, kind: str, ids: Sequence[str], *, now: datetime) -> None:
    """Write down that these are erased; `kind` is order, customer or shop, whose id is empty."""
    await connection.execute(_MARK, shop, kind, list(ids), now)


async def orders_among(pool: Pool, orders: Collection[str]) -> list[str]:
    """Those of these orders (SHOP/ID) that were erased."""
    query = "SELECT shop || '/' || id FROM erased WHERE kind = 'order' AND shop || '/' || id = ANY($1)"
    return [row[0] for row in await pool.fetch(query, list(orders))]


async def shop_is(connection: Connection, shop: str) -> bool:
    """Whether the shop has left."""
    query = "SELECT EXISTS (SELECT FROM erased WHERE shop = $1 AND kind = 'shop')"
    return bool(await connection.fetchval(query, shop))
