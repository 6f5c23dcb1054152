"""The rows of an order's parcels: which one is meant, and how it is read and written as the core folds it."""

from datetime import date
from typing import Any

import asyncpg

from journey.carriers import normal
from journey.fulfilments import WHOLE_ORDER
from journey.numbers import fulfilment_key, made_up, tracking_numbers
from journey.parcels import Method, Parcel, ParcelStatus, Reason
from journey.parcels import meant as meant_day
from store import fulfilments, intake
from store.pool import Connection

Place = tuple[str, str]
"""Whose parcel it is: (shop, order id)."""

_KEEP = """
INSERT INTO shipments AS known (shop, order_id, tracking_number, method, carrier, carrier_code, carrier_by_shop,
    carrier_at, service, service_at, skus, status, status_at, reason, action_required, tracker, estimated_delivery,
    estimate_at, first_estimate, first_estimate_at, created_at, first_scan_at, last_scan_at, out_for_delivery_at,
    waiting_at, delivered_at, denied_at, found_at, handed_over_at, handed_over_by_shop_at, returning_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24,
    $25, $26, $27, $28, $29, $30, $31)
ON CONFLICT (shop, order_id, tracking_number) DO UPDATE SET
    method = excluded.method, carrier = excluded.carrier, carrier_code = excluded.carrier_code,
    carrier_by_shop = excluded.carrier_by_shop, carrier_at = excluded.carrier_at, service = excluded.service,
    service_at = excluded.service_at, skus = excluded.skus, status = excluded.status, status_at = excluded.status_at,
    reason = excluded.reason, action_required = excluded.action_required, tracker = excluded.tracker,
    estimated_delivery = excluded.estimated_delivery, estimate_at = excluded.estimate_at,
    first_estimate = excluded.first_estimate, first_estimate_at = excluded.first_estimate_at,
    created_at = excluded.created_at, first_scan_at = excluded.first_scan_at, last_scan_at = excluded.last_scan_at,
    out_for_delivery_at = excluded.out_for_delivery_at, waiting_at = excluded.waiting_at,
    delivered_at = excluded.delivered_at, denied_at = excluded.denied_at, found_at = excluded.found_at,
    handed_over_at = excluded.handed_over_at, handed_over_by_shop_at = excluded.handed_over_by_shop_at,
    returning_at = excluded.returning_at
"""


async def find(connection: Connection, place: Place, tracking_number: str) -> asyncpg.Record | None:
    """The row of an order's parcel by its key."""
    return await connection.fetchrow(
        "SELECT * FROM shipments WHERE shop = $1 AND order_id = $2 AND tracking_number = $3 FOR UPDATE",
        *place,
        tracking_number,
    )


async def find_number(connection: Connection, place: Place, number: str | None) -> asyncpg.Record | None:
    """The row of an order's parcel by its number in the normal form."""
    return await connection.fetchrow(
        """SELECT * FROM shipments WHERE shop = $1 AND order_id = $2 AND number = $3
           ORDER BY tracking_number <> number, tracking_number LIMIT 1 FOR UPDATE""",
        *place,
        number,
    )


async def meant(connection: Connection, place: Place, event: intake.ShipmentUpdated) -> list[asyncpg.Record]:
    """The rows of an order's parcels that a word is about.

    A shop's is about those under the numbers it writes, else about its fulfilment's, else about the order's only one.
    """
    if event.order_id is None:
        if event.number is not None:
            row = await find_number(connection, place, event.number)
        else:
            row = await find(connection, place, event.tracking_number or "")
        return [] if row is None else [row]
    text = event.tracking_number
    named = [] if text is None or made_up(text) else [number.normal for number in tracking_numbers(text)]
    if named:
        known = [await find_number(connection, place, number) for number in named]
        return [row for row in known if row is not None]
    row = None if text is None else await find(connection, place, text)
    if text is not None and (row is not None or made_up(text)):
        return [] if row is None else [row]
    keys = await fulfilments.parcels_of(connection, place, event.fulfilment_id)
    keys = keys or [fulfilment_key(event.fulfilment_id or WHOLE_ORDER)]
    return [found for key in keys if (found := await find(connection, place, key)) is not None]


def parcel_of(row: asyncpg.Record) -> Parcel:
    """A row as the core folds it; words of before their moments were kept are as old as the parcel."""
    since = row["created_at"]
    promised = {
        (row["first_estimate_at"] or since, row["first_estimate"]),
        (row["estimate_at"] or since, row["estimated_delivery"]),
    }
    named = row["carrier_at"] is not None
    return Parcel(
        tracking_number=row["tracking_number"],
        carrier=row["carrier"],
        carrier_by=(row["carrier_by_shop"], row["carrier_at"]) if named else None,
        service=row["service"],
        service_at=row["service_at"],
        method=Method(row["method"]),
        skus=None if row["skus"] is None else tuple(row["skus"]),
        shipped_at=since,
        status=ParcelStatus(row["status"]),
        status_at=row["status_at"],
        reason=Reason(row["reason"]) if row["reason"] else None,
        first_scan_at=row["first_scan_at"],
        last_scan_at=row["last_scan_at"],
        out_for_delivery_at=row["out_for_delivery_at"],
        waiting_at=row["waiting_at"],
        delivered_at=row["delivered_at"],
        handed_over_at=row["handed_over_at"],
        handed_over_by_shop_at=row["handed_over_by_shop_at"],
        returning_at=row["returning_at"],
        returns=row["returning_at"] is not None,
        denied_at=row["denied_at"],
        found_at=row["found_at"],
        estimates=tuple(sorted(one for one in promised if one[1] is not None)),
    )


async def promise_of(connection: Connection, place: Place, day: date | None) -> date | None:
    """A day of delivery that somebody promised for an order's parcel; None for one that nobody can mean."""
    query = "SELECT placed_at FROM orders WHERE shop = $1 AND order_id = $2"
    placed_at = None if day is None else await connection.fetchval(query, *place)
    return day if placed_at is None else meant_day(day, placed_at)


async def keep(
    connection: Connection, place: Place, parcel: Parcel, *, tracker: str | None, action_required: bool
) -> None:
    """Write a parcel as it is folded by now."""
    by_shop, carrier_at = parcel.carrier_by or (None, None)
    first: tuple[Any, Any] = parcel.estimates[0] if parcel.estimates else (None, None)
    last: tuple[Any, Any] = parcel.estimates[-1] if parcel.estimates else (None, None)
    found = parcel.found_at
    stands = parcel.denied_at is not None and (found is None or found < parcel.denied_at)
    await connection.execute(
        _KEEP,
        *place,
        parcel.tracking_number,
        parcel.method,
        parcel.carrier,
        normal(parcel.carrier),
        by_shop,
        carrier_at,
        parcel.service,
        parcel.service_at,
        parcel.skus,
        parcel.status,
        parcel.status_at,
        parcel.reason,
        action_required,
        tracker,
        last[1],
        last[0],
        first[1],
        first[0],
        parcel.shipped_at,
        parcel.first_scan_at,
        parcel.last_scan_at,
        parcel.out_for_delivery_at,
        parcel.waiting_at,
        parcel.delivered_at,
        parcel.denied_at if stands else None,
        found,
        parcel.handed_over_at,
        parcel.handed_over_by_shop_at,
        parcel.returning_at,
    )
