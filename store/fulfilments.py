"""The fulfilments of an order as its shop said them last, and which of its parcels are left out by that."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from journey.base import TrackingNumber
from journey.fulfilments import WHOLE_ORDER, Fulfilment, left_out, with_word
from journey.numbers import Number, fulfilment_key, made_up, tracking_numbers
from store.pool import Connection

_SAID = """
SELECT fulfilment_id AS fulfilment, said_at, parcels, named FROM fulfilments WHERE shop = $1 AND order_id = $2
ORDER BY fulfilment_id FOR UPDATE
"""
_SAY = """
INSERT INTO fulfilments (shop, order_id, fulfilment_id, said_at, parcels, named) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (shop, order_id, fulfilment_id) DO UPDATE
    SET said_at = excluded.said_at, parcels = excluded.parcels, named = excluded.named
"""
_LEAVE_OUT = """
UPDATE shipments SET left_out = NOT left_out
WHERE shop = $1 AND order_id = $2 AND left_out IS DISTINCT FROM (tracking_number = ANY($3))
"""

Known = Sequence[Mapping[str, Any]]
"""The rows of an order's parcels: their keys and their numbers."""


async def say(
    connection: Connection,
    place: tuple[str, str],
    fulfilment: str,
    parcels: Iterable[TrackingNumber],
    *,
    said_at: datetime,
    named: Iterable[TrackingNumber] = (),
) -> tuple[Fulfilment, bool]:
    """Write down of which parcels a fulfilment consists as of `said_at`; how it stands, and whether that is another.

    `named` are parcels that were once in it.
    """
    said = tuple(
        Fulfilment(
            fulfilment=row["fulfilment"],
            said_at=row["said_at"],
            parcels=tuple(row["parcels"]),
            named=tuple(row["named"]),
        )
        for row in await connection.fetch(_SAID, *place)
    )
    now = with_word(said, fulfilment, parcels, said_at=said_at, named=named)
    after = next(one for one in now if one.fulfilment == fulfilment)
    if now is not said:
        await connection.execute(_SAY, *place, fulfilment, after.said_at, list(after.parcels), list(after.named))
    moved = await connection.execute(_LEAVE_OUT, *place, list(left_out(now)))
    before = next((one.parcels for one in said if one.fulfilment == fulfilment), ())
    return after, before != after.parcels or not moved.endswith(" 0")


async def parcels_of(connection: Connection, place: tuple[str, str], fulfilment: str | None) -> list[TrackingNumber]:
    """The keys of a fulfilment's parcels as its last word has them; of none in particular the order's, where it is one.

    What the shop says of an order that has several is not of any of them.
    """
    if fulfilment is not None:
        query = (
            "SELECT unnest(parcels) AS key FROM fulfilments WHERE shop = $1 AND order_id = $2 AND fulfilment_id = $3"
        )
        return [row["key"] for row in await connection.fetch(query, *place, fulfilment)]
    query = "SELECT tracking_number AS key FROM shipments WHERE shop = $1 AND order_id = $2 AND NOT left_out LIMIT 2"
    keys = [row["key"] for row in await connection.fetch(query, *place)]
    return keys if len(keys) == 1 else []


def keys_of(
    known: Known, texts: Iterable[str | None], fulfilment: str | None
) -> list[tuple[TrackingNumber, Number | None]]:
    """The parcels that a shop means by these texts, each by its key and with its number; at least one.

    What has no number is one parcel, that of the fulfilment. A key that was given before numbers were read stays.
    """
    given = [text.strip() for text in texts if text]
    found: dict[TrackingNumber, Number | None] = {}
    for text in given:
        if made_up(text):
            found[TrackingNumber(text)] = None
            continue
        for number in tracking_numbers(text):
            found[key_of(known, number.normal)] = number
    if not found:
        old = next((row["tracking_number"] for row in known if row["tracking_number"] in given), None)
        found[TrackingNumber(old or fulfilment_key(fulfilment or WHOLE_ORDER))] = None
    return list(found.items())


def key_of(known: Known, number: str) -> TrackingNumber:
    """The key of the order's parcel under a number in its normal form, be there one or not."""
    keys = sorted(row["tracking_number"] for row in known if row["number"] == number)
    return TrackingNumber(number if number in keys or not keys else keys[0])
