"""Where a customer's notifications go: browsers' push subscriptions and apps' registration tokens."""

from datetime import datetime
from typing import Literal

from store.pool import Connection, Pool

PushChannel = Literal["web_push", "push"]
"""Web push, whose addresses are subscriptions as JSON, and mobile push, whose addresses are FCM tokens."""

MOST = 20
"""Devices that one order's link can register in one channel; those registered longest ago give way, the dead first."""

_TURN = "SELECT pg_advisory_xact_lock(hashtextextended('device:' || $1 || ':' || $2 || ':' || md5($3), 7067))"
_REGISTER = """
INSERT INTO devices (shop, customer_id, order_id, channel, address, created_at)
SELECT shop, customer_id, order_id, $3, $4, $5 FROM orders WHERE shop = $1 AND order_id = $2
ON CONFLICT (shop, order_id, channel, md5(address)) DO UPDATE
   SET customer_id = excluded.customer_id, created_at = excluded.created_at, dead_at = NULL
RETURNING customer_id
"""
_TAKE_OVER = """
DELETE FROM devices
WHERE md5(address) = md5($3) AND address = $3 AND shop = $1 AND channel = $2 AND customer_id <> $4
"""
_ALIVE = """
UPDATE devices SET dead_at = NULL WHERE md5(address) = md5($3) AND address = $3 AND shop = $1 AND channel = $2
"""
_CROWD_OUT = """
DELETE FROM devices WHERE id IN (
    SELECT id FROM devices WHERE shop = $1 AND order_id = $2 AND channel = $3
    ORDER BY dead_at IS NOT NULL, created_at DESC, address OFFSET $4)
"""


async def register(pool: Pool, *, shop: str, order_id: str, channel: PushChannel, address: str, at: datetime) -> bool:
    """Let notifications about an order go to this address too; False when there is no such order.

    For that order alone: its link is what the device came with, and links to an order are passed on. Doing it again
    changes nothing but the moment. An address that was another customer's is theirs no more, and one that was dead is
    taken for alive: its owner has just been there.

    Args:
        pool: the database.
        shop: the order's shop.
        order_id: whose link it was.
        channel: of the address.
        address: in one written form, see `Subscription.text`; at most 2,200 bytes.
        at: now, UTC.
    """
    async with pool.acquire() as connection, connection.transaction():
        # Two who register one address take turns: it belongs to who is last, not to both.
        await connection.execute(_TURN, shop, channel, address)
        customer_id = await connection.fetchval(_REGISTER, shop, order_id, channel, address, at)
        if customer_id is None:
            return False
        await connection.execute(_TAKE_OVER, shop, channel, address, customer_id)
        await connection.execute(_ALIVE, shop, channel, address)
        await connection.execute(_CROWD_OUT, shop, order_id, channel, MOST)
    return True


async def drop(pool: Pool, *, shop: str, channel: PushChannel, address: str, at: datetime) -> None:
    """Send nothing to this address any more: its push service says that it is gone. Doing it again changes nothing.

    `at` is when the message was sent: a device that came back since then stays.
    """
    await pool.execute(
        """UPDATE devices SET dead_at = $4
           WHERE md5(address) = md5($3) AND address = $3 AND shop = $1 AND channel = $2 AND dead_at IS NULL
             AND created_at <= $4""",
        shop,
        channel,
        address,
        at,
    )


async def addresses(
    connection: Connection | Pool, shop: str, order_id: str, channel: PushChannel, limit: int = MOST
) -> list[str]:
    """Up to `limit` living addresses of an order, the one registered last first."""
    rows = await connection.fetch(
        """SELECT address FROM devices WHERE shop = $1 AND order_id = $2 AND channel = $3 AND dead_at IS NULL
           ORDER BY created_at DESC, address LIMIT $4""",
        shop,
        order_id,
        channel,
        limit,
    )
    return [row["address"] for row in rows]
