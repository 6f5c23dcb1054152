"""Refunds: each its own sum in its own currency, that counts once it was paid. Every write may be repeated.

Functions take a connection inside the caller's transaction and answer what the journey has to be told.
"""

import json
from datetime import datetime
from decimal import Decimal
from typing import Final

from journey import events
from store import intake
from store.money import in_currency
from store.pool import Connection

PAID: Final = "(r.status = 'paid' AND coalesce(r.currency, o.currency) = o.currency)"
"""Of a row `r` of refunds and its order `o`: it lowers what the order came to. Sums of two currencies never meet."""

_KEPT = """
SELECT o.currency, r.refund_id IS NOT NULL AS known, r.status, r.whole, r.at
FROM orders o LEFT JOIN refunds r ON (r.shop, r.order_id, r.refund_id) = (o.shop, o.order_id, $3)
WHERE o.shop = $1 AND o.order_id = $2 FOR UPDATE OF o
"""
# What was paid stays as it was told. What is not paid is as the last word has it.
_WRITE = """
INSERT INTO refunds (shop, order_id, refund_id, amount, currency, at, units, status, whole)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (shop, order_id, refund_id) DO UPDATE SET
    units = coalesce(refunds.units, excluded.units),
    amount = CASE WHEN refunds.status = 'paid' THEN refunds.amount ELSE excluded.amount END,
    currency = CASE WHEN refunds.status = 'paid' THEN refunds.currency ELSE excluded.currency END,
    at = CASE WHEN refunds.status = 'paid' THEN refunds.at ELSE excluded.at END,
    status = CASE WHEN refunds.status = 'paid' THEN refunds.status ELSE excluded.status END,
    whole = refunds.whole OR excluded.whole
RETURNING amount, at, status, whole
"""
_PAID_ROWS = f"""
SELECT r.refund_id, r.amount, r.at, o.total FROM refunds r JOIN orders o USING (shop, order_id)
WHERE shop = $1 AND order_id = $2 AND {PAID} ORDER BY r.at, r.refund_id
"""  # noqa: S608  a constant


async def write(
    connection: Connection, event: intake.OrderRefunded, *, received_at: datetime
) -> tuple[list[events.Event], bool]:
    """Write a refund down; what to tell the journey, and whether it was not known before.

    One that was pending was paid when that is heard of, unless its own moment is a later one. The journey hears of none
    that is not paid, and of none of nothing.
    """
    place = (event.shop, event.order_id, event.refund_id)
    before = await connection.fetchrow(_KEPT, *place)
    currency = event.currency or before["currency"]
    refund = in_currency(event, currency)
    at = event.at
    if before["status"] == "pending" and event.status == "paid" and at <= before["at"]:
        at = max(received_at, before["at"])
    kept = await connection.fetchrow(
        _WRITE,
        *place,
        refund.amount,
        currency,
        at,
        json.dumps(event.units) if event.units else None,
        event.status,
        event.full and event.status == "paid",
    )
    if kept["status"] != "paid" or not kept["amount"]:
        return [], False
    this = events.OrderRefunded(at=kept["at"], refund_id=event.refund_id, amount=kept["amount"], full=kept["whole"])
    changed = before["status"] != "paid" or before["whole"] != kept["whole"]
    last = await completing(connection, event.shop, event.order_id)
    if last is None:
        return [this], changed
    return ([last] if last.refund_id == this.refund_id else [this, last]), changed


async def completing(connection: Connection, shop: str, order_id: str) -> events.OrderRefunded | None:
    """The refund with which the whole total was paid back, whatever order the refunds became known in."""
    paid_back = Decimal(0)
    for row in await connection.fetch(_PAID_ROWS, shop, order_id):
        paid_back += row["amount"]
        if row["amount"] and paid_back >= row["total"]:
            return events.OrderRefunded(at=row["at"], refund_id=row["refund_id"], amount=row["amount"], full=True)
    return None
