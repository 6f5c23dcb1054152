"""Parcels as the shop and the carriers tell them. One number may carry several orders."""

from journey import events
from journey.base import TrackingNumber
from journey.parcels import Parcel, ParcelStatus, Reason, Scan, scanned
from store import intake
from store.pool import Connection


async def ship(connection: Connection, event: intake.ShipmentCreated) -> tuple[list[events.Event], bool]:
    """Write a parcel down; what to tell the journey, and whether anything was new in it."""
    before = await connection.fetchrow(
        """SELECT carrier, skus, estimated_delivery FROM shipments
           WHERE shop = $1 AND order_id = $2 AND tracking_number = $3 FOR UPDATE""",
        event.shop,
        event.order_id,
        event.tracking_number,
    )
    skus = None if event.skus is None else sorted({*((before and before["skus"]) or ()), *event.skus})
    await connection.execute(
        """INSERT INTO shipments AS known
               (shop, order_id, tracking_number, carrier, skus, estimated_delivery, first_estimate, created_at)
           VALUES ($1, $2, $3, $4, $5, $6, $6, $7)
           ON CONFLICT (shop, order_id, tracking_number) DO UPDATE SET
               carrier = coalesce($4, known.carrier), skus = coalesce($5, known.skus),
               estimated_delivery = coalesce(known.estimated_delivery, $6),
               first_estimate = coalesce(known.first_estimate, $6),
               created_at = least(known.created_at, $7)""",
        event.shop,
        event.order_id,
        event.tracking_number,
        event.carrier,
        skus,
        event.estimated_delivery,
        event.at,
    )
    changed = (
        before is None
        or event.carrier not in {None, before["carrier"]}
        or (skus is not None and skus != before["skus"])
        or event.estimated_delivery not in {None, before["estimated_delivery"]}
    )
    told = events.ShipmentCreated(
        at=event.at,
        tracking_number=TrackingNumber(event.tracking_number),
        carrier=event.carrier,
        skus=event.skus,
        estimated_delivery=event.estimated_delivery,
    )
    return [told], changed


async def carrying(connection: Connection, tracking_number: str) -> list[tuple[str, str]]:
    """The orders (shop, order id) with a parcel of this number, in a fixed order."""
    rows = await connection.fetch(
        "SELECT shop, order_id FROM shipments WHERE tracking_number = $1 ORDER BY shop, order_id", tracking_number
    )
    return [(row["shop"], row["order_id"]) for row in rows]


async def numbers_of(connection: Connection, shop: str, order_id: str) -> list[str]:
    """The tracking numbers of an order."""
    rows = await connection.fetch(
        "SELECT tracking_number FROM shipments WHERE shop = $1 AND order_id = $2 ORDER BY 1", shop, order_id
    )
    return [row["tracking_number"] for row in rows]


async def scan(connection: Connection, event: intake.ShipmentUpdated) -> list[events.Event]:
    """Write a carrier's word down with every parcel of that number; what to tell their journeys."""
    number = TrackingNumber(event.tracking_number)
    said = Scan(
        status=event.status,
        occurred_at=event.at,
        reason=event.reason,
        estimated_delivery=event.estimated_delivery,
    )
    rows = await connection.fetch("SELECT * FROM shipments WHERE tracking_number = $1 FOR UPDATE", number)
    for row in rows:
        # The core's own fold decides which word is the last, so that page and journey never differ.
        parcel = Parcel(
            tracking_number=number,
            carrier=row["carrier"],
            status=ParcelStatus(row["status"]),
            status_at=row["status_at"],
            reason=Reason(row["reason"]) if row["reason"] else None,
        )
        folded = scanned(parcel, said, tracking_number=number, carrier=event.carrier)
        newest = folded.status_at == event.at
        await connection.execute(
            """UPDATE shipments SET carrier = $4, status = $5, status_at = $6, reason = $7,
                   estimated_delivery = CASE WHEN $8 THEN coalesce($9, estimated_delivery)
                                             ELSE coalesce(estimated_delivery, $9) END,
                   first_estimate = coalesce(first_estimate, $9)
               WHERE shop = $1 AND order_id = $2 AND tracking_number = $3""",
            row["shop"],
            row["order_id"],
            number,
            folded.carrier,
            folded.status,
            folded.status_at,
            folded.reason,
            newest,
            event.estimated_delivery,
        )
    return [
        events.ShipmentUpdated(
            at=event.at,
            tracking_number=number,
            carrier=event.carrier,
            status=event.status,
            reason=event.reason,
            estimated_delivery=event.estimated_delivery,
        )
    ]
