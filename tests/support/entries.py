"""Rows of the contact ledger put straight into the database, for tests of what is read from it."""

import json
from collections.abc import Mapping
from datetime import datetime

from store.pool import Pool

_INSERT = """
INSERT INTO ledger (shop, order_id, touch_key, attempt_class, touch, purpose, channel, priority, customer_id, status,
                    rule, why, due, at, until, message_id, provider, provider_id)
SELECT shop, order_id, $3, $4, split_part($3, ':', 1), $5, $6, 50, customer_id, $7, $8, $9, $10, $10, $11, $12, $13, $12
FROM orders WHERE shop = $1 AND order_id = $2 RETURNING id
"""


async def entry(
    pool: Pool,
    order: str,
    touch: str,
    at: datetime,
    *,
    status: str = "sent",
    channel: str = "email",
    purpose: str = "marketing",
    rule: str | None = None,
    why: Mapping[str, str] | None = None,
    until: datetime | None = None,
    provider: str | None = None,
    name: str | None = None,
    attempt_class: int = 0,
) -> int:
    """A row for a touch of `order` (SHOP/ID); `name` is its Message-ID and the provider's own. The row's id."""
    row: int = await pool.fetchval(
        _INSERT,
        *order.split("/"),
        touch,
        attempt_class,
        purpose,
        channel,
        status,
        rule,
        json.dumps(why) if why else None,
        at,
        until,
        name,
        provider,
    )
    return row
