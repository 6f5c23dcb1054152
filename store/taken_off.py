"""What refunds are of: goods that are to be sent no more, whether the money went back yet or not."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from journey import events
from store import intake
from store.pool import Connection
from store.sums import read as read_sums

TAKEN_OFF: Final = """(SELECT coalesce(json_agg(r.units), '[]') FROM refunds r
    WHERE r.shop = o.shop AND r.order_id = o.order_id AND r.units IS NOT NULL AND r.status IN ('paid', 'pending'))"""
"""Of an order `o`: the units of each refund that is paid or to be paid, as a column that `units_of` reads."""

_REFUND = """
SELECT o.currency AS usual, o.total, o.sums, coalesce(r.currency, o.currency) AS currency, r.amount, r.status, r.units
FROM refunds r JOIN orders o USING (shop, order_id) WHERE shop = $1 AND order_id = $2 AND refund_id = $3
"""
_GOODS = "SELECT sku, quantity FROM lines WHERE shop = $1 AND order_id = $2 AND kind = 'physical' ORDER BY position"


def units_of(taken_off: str) -> tuple[tuple[str, int], ...]:
    """What refunds are of together, each SKU with how many, from `TAKEN_OFF`."""
    return tuple((sku, count) for units in json.loads(taken_off) for sku, count in units)


async def told(
    connection: Connection, event: intake.OrderRefunded, before: str | None, *, received_at: datetime
) -> list[events.Event]:
    """What to tell the journey of the goods that a refund is of, once it is written; nothing where it does not say.

    A pending one of the whole total is of all goods. One that failed, and was known `before`, is of none any more.
    """
    row = await connection.fetchrow(_REFUND, event.shop, event.order_id, event.refund_id)
    failed = row["status"] == "failed"
    units: Sequence[Sequence[object]] = json.loads(row["units"]) if row["units"] and not failed else []
    sums = read_sums(row["sums"])
    totals = {row["usual"]: row["total"], **({} if sums is None else {sums.currency: sums.total})}
    if row["status"] == "pending" and not units and 0 < totals.get(row["currency"], 0) <= row["amount"]:
        units = [tuple(one) for one in await connection.fetch(_GOODS, event.shop, event.order_id)]
    # Also where it is known to have failed: an earlier attempt may have written that and got no further.
    if not units and not (failed and before is not None):
        return []
    # That it failed is heard later than that it was to be, under the same moment.
    at = max(received_at, event.at) if failed else event.at
    return [events.GoodsTakenOff.model_validate({"at": at, "refund_id": event.refund_id, "units": units})]
