"""What an order and its parcels hold, as remedies count it: units, and what they are worth."""

import json
from collections.abc import Sequence
from decimal import Decimal

from journey.parcels import ParcelStatus
from journey.remedies import Bought, RemedyStep, Worth, worth
from store.cleaning import minor_units
from store.pool import Connection

_LINES = "SELECT sku, quantity, unit_price, kind FROM lines WHERE shop = $1 AND order_id = $2 ORDER BY position"
_PARCELS = """
SELECT tracking_number, skus, units FROM shipments
WHERE shop = $1 AND order_id = $2 AND (status <> $4 AND NOT left_out OR tracking_number = $3)
ORDER BY created_at, tracking_number
"""


async def bought(connection: Connection, shop: str, order_id: str) -> list[Bought]:
    """The lines of an order, in their order."""
    lines = await connection.fetch(_LINES, shop, order_id)
    return [Bought(row["sku"], row["quantity"], row["unit_price"], row["kind"] == "physical") for row in lines]


async def held(connection: Connection, step: RemedyStep, *, total: Decimal, currency: str) -> Worth:
    """What the parcel holds and is worth, and whether that is certain: with quantities where the shop says them."""
    rows = await connection.fetch(_PARCELS, step.shop, step.order_id, step.part, ParcelStatus.CANCELLED)
    parcels: dict[str, Sequence[str] | None] = {row["tracking_number"]: row["skus"] for row in rows}
    # The journey may have heard of the contents what the tables have not, and of a parcel that they lack.
    parcels[step.part] = step.skus or parcels.get(step.part)
    said = {row["tracking_number"]: units(row["units"]) for row in rows if row["units"] is not None}
    return worth(
        await bought(connection, step.shop, step.order_id),
        parcels,
        step.part,
        total=total,
        digits=minor_units(currency),
        said=said,
    )


def units(text: str | None) -> tuple[tuple[str, int], ...]:
    """Units as the tables keep them: each SKU with how many of it; none where nothing is said."""
    return tuple((sku, quantity) for sku, quantity in json.loads(text)) if text else ()
