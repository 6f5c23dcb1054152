"""How an order comes and where to, as rows of their own: an address names a person, and goes with them.

Also the links and figures of single parcels that carriers and shops give.
"""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from journey.parcels import Method, pickup_number
from store.delivery import Address, Delivery, PickupPoint
from store.parcel_events import Footprint, ShipmentCreated
from store.pool import Connection

_WRITE = """
INSERT INTO deliveries (shop, order_id, title, address, pickup_point) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (shop, order_id) DO UPDATE SET
    title = coalesce(excluded.title, deliveries.title), address = coalesce(excluded.address, deliveries.address),
    pickup_point = coalesce(excluded.pickup_point, deliveries.pickup_point)
"""
_FOLLOW = """
UPDATE shipments SET tracking_url = coalesce($4, tracking_url), co2_grams = coalesce($5, co2_grams),
    co2_source = CASE WHEN $5::numeric IS NULL THEN co2_source ELSE $6 END
WHERE shop = $1 AND order_id = $2 AND tracking_number = $3
"""


async def write(connection: Connection, shop: str, order_id: str, said: Delivery) -> None:
    """Write down what the shop says of how an order comes; what it does not say stays as it was."""
    address = said.address if said.address != Address() else None
    point = said.pickup_point if said.pickup_point != PickupPoint() else None
    if said.title is None and address is None and point is None:
        return
    parts = [None if part is None else json.dumps(part.model_dump(exclude_none=True)) for part in (address, point)]
    await connection.execute(_WRITE, shop, order_id, said.title, *parts)


async def follow(
    connection: Connection, place: tuple[str, str], key: str, *, url: str | None, co2: Footprint | None
) -> None:
    """Keep the link by which a parcel is followed, and what it causes, where somebody said so; the last word counts."""
    if url is None and co2 is None:
        return
    grams, source = (None, None) if co2 is None else (co2.grams, co2.source)
    await connection.execute(_FOLLOW, *place, key, url, grams, source)


async def collected(connection: Connection, event: ShipmentCreated) -> ShipmentCreated:
    """What the shop says of a parcel; without a number, of an order that is collected, it is the order's pick-up.

    Nobody was sent anything then, and whether it is ready, or was fetched, it does not say.
    """
    if event.numbers or event.method is Method.PICKUP:
        return event
    query = "SELECT collected FROM orders WHERE shop = $1 AND order_id = $2"
    if not await connection.fetchval(query, event.shop, event.order_id):
        return event
    number = pickup_number(event.shop, event.order_id)
    same = {"tracking_number": number, "tracking_numbers": (number,), "carrier": None, "service": None}
    return event.model_copy(update={**same, "method": Method.PICKUP})


def read(row: str | None, *, collected: bool) -> Delivery:
    """A delivery from its row as JSON; what a newer version wrote otherwise is left out."""
    found: Mapping[str, Any] = json.loads(row) if row else {}
    given = {name: found[name] for name in ("title", "address", "pickup_point") if found.get(name) is not None}
    try:
        return Delivery.model_validate({"method": "pickup" if collected else "delivery", **given})
    except ValidationError:
        return Delivery.model_validate({"method": "pickup" if collected else "delivery"})
