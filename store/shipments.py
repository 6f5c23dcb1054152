"""Parcels as the shop and the carriers tell them. One number may carry several orders, and two shops may share one.

The core's own fold decides what each word changes, so that page and journey never differ, and the same words give the
same row in whatever order they come. `carrier` is its name as people know it, `carrier_code` the form in which it is
matched (`journey.carriers`).
"""

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import asyncpg

from journey import events
from journey.base import TrackingNumber
from journey.carriers import normal, shown
from journey.folding import denied, dispatched, scanned
from journey.lanes import lane_of
from journey.numbers import Number, made_up, normalised
from journey.parcels import Method, Parcel, Scan
from store import deliveries, intake, lanes
from store.fulfilments import keys_of, say
from store.parcel_rows import Place, find, find_number, keep, meant, parcel_of, promise_of
from store.pool import Connection

CAME_BEFORE = """EXISTS (SELECT FROM shipments s WHERE s.shop = o.shop AND s.order_id = o.order_id AND s.left_out
    AND s.delivered_at IS NOT NULL AND s.denied_at IS NULL)"""
"""Of an order `o`: whether a parcel was delivered that is none of its any more."""

REUSED = timedelta(days=60)
"""Carriers give a number to another parcel after some months: what is further apart than this is not one parcel's."""
_AHEAD = timedelta(days=1)
"""By how much a scan may be ahead of the shop's own word that the parcel left."""

_OF_ORDER = """
SELECT tracking_number, number, left_out FROM shipments WHERE shop = $1 AND order_id = $2
ORDER BY tracking_number FOR UPDATE
"""
_KEEP_NUMBER = """
UPDATE shipments SET number = coalesce($4, number), written = coalesce($5, written),
    fulfilment_id = coalesce($6, fulfilment_id)
WHERE shop = $1 AND order_id = $2 AND tracking_number = $3
  AND (number, written, fulfilment_id) IS DISTINCT FROM
      (coalesce($4, number), coalesce($5, written), coalesce($6, fulfilment_id))
"""
_KEEP_UNITS = "UPDATE shipments SET units = $4 WHERE shop = $1 AND order_id = $2 AND tracking_number = $3"
# A carrier may say the same once with a place and once without.
_KEEP_SCAN = """
INSERT INTO scans (shop, order_id, tracking_number, occurred_at, status, reason, location, received_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (shop, order_id, tracking_number, occurred_at, status, reason) DO UPDATE
    SET location = least(scans.location, excluded.location)
    WHERE scans.location IS DISTINCT FROM least(scans.location, excluded.location)
"""


async def ship(connection: Connection, event: intake.ShipmentCreated) -> tuple[list[events.Event], bool]:
    """Write down that a parcel left, or that several did; what to tell the journey, and whether anything was new."""
    place = (event.shop, event.order_id)
    known = await connection.fetch(_OF_ORDER, *place)
    event = await deliveries.collected(connection, event)
    fulfilment = event.fulfilment_id
    mine = keys_of(known, [event.tracking_number], fulfilment)
    whole = mine
    if event.tracking_numbers is not None:
        whole = keys_of(known, event.tracking_numbers, fulfilment)
        mine = mine if event.tracking_number is not None else whole
    parcels = sorted({key for key, _ in (*mine, *whole)})
    told: list[events.ShipmentCreated] = []
    new = False
    for key, number in mine:
        fact, news = await _sent(connection, event, key, number, alone=len(mine) == 1)
        new |= news
        told.append(fact)
    if fulfilment is None:
        return list(told), new
    said_at = event.said_at or event.at
    after, moved = await say(connection, place, fulfilment, parcels, said_at=said_at)
    # Told as it stands: an older word than the last one changes nothing for the journey either.
    more = {"fulfilment": fulfilment, "parcels": after.parcels, "said_at": after.said_at}
    return [fact.but(**more) for fact in told], new or moved


async def call_off(connection: Connection, event: intake.ShipmentCancelled) -> tuple[list[events.Event], bool]:
    """Write down that a fulfilment was called off; what to tell the journey, and whether that was new."""
    place = (event.shop, event.order_id)
    known = await connection.fetch(_OF_ORDER, *place)
    meant = {key for key, _ in keys_of(known, event.tracking_numbers or (), event.fulfilment_id)}
    named = sorted(meant & {row["tracking_number"] for row in known})
    after, moved = await say(connection, place, event.fulfilment_id, (), said_at=event.at, named=named)
    told = events.ShipmentCancelled(at=event.at, fulfilment=event.fulfilment_id, parcels=after.named)
    return [told], moved and not after.parcels


async def _sent(
    connection: Connection, event: intake.ShipmentCreated, key: TrackingNumber, number: Number | None, *, alone: bool
) -> tuple[events.ShipmentCreated, bool]:
    """Write one parcel down; what to tell the journey, and whether anything was new in it.

    Of several under one word nobody knows which carries what, unless it is `alone`.
    """
    place = (event.shop, event.order_id)
    row = await find(connection, place, key)
    before = None if row is None else parcel_of(row)
    carrier, skus = shown(event.carrier), event.skus if alone else None
    promise = await promise_of(connection, place, event.estimated_delivery)
    parcel = dispatched(
        before,
        tracking_number=key,
        carrier=carrier,
        service=event.service,
        method=event.method,
        skus=skus,
        estimated_delivery=promise,
        at=event.at,
    )
    await keep(
        connection,
        place,
        parcel,
        tracker=row["tracker"] if row else None,
        action_required=row is not None and row["action_required"],
    )
    await deliveries.follow(connection, place, key, url=event.tracking_url if alone else None, co2=event.co2)
    if event.units and alone:
        await connection.execute(_KEEP_UNITS, *place, key, json.dumps(event.units))
    normal_form, written = number or (None, None)
    await connection.execute(_KEEP_NUMBER, *place, key, normal_form, written, event.fulfilment_id)
    expected = None
    if parcel.method is Method.DELIVERY:
        expected = await lanes.expected_of(connection, *place, carrier=parcel.carrier, service=parcel.service)
    told = events.ShipmentCreated(
        at=event.at,
        tracking_number=key,
        carrier=carrier,
        service=event.service,
        method=event.method,
        skus=skus,
        estimated_delivery=event.estimated_delivery,
        expected=expected,
    )
    return told, before is None or _said(before) != _said(parcel)


async def carrying(connection: Connection, event: intake.ShipmentUpdated) -> list[Place]:
    """Whose parcel a scan means, in a fixed order; nobody's yet where the list is empty.

    A number alone may stand with several shops, and with a parcel of last year: the shop that the source names, the
    source's own id of the parcel, the carrier and the dates narrow it down, in this order, each only as far as it says
    anything. What is left are orders that travel together, or shops that nothing tells apart. A shop's word about an
    order's parcel means that one alone.
    """
    if event.order_id is not None and event.shop is not None:
        place = (event.shop, event.order_id)
        return [place] if await meant(connection, place, event) else []
    rows = await connection.fetch(
        """SELECT shop, order_id, carrier_code, tracker, created_at, delivered_at FROM shipments
           WHERE (number = $1 OR tracking_number = $4 AND ($1 IS NULL OR number IS NULL)) AND created_at <= $2
             AND ($3::text IS NULL OR shop = $3)
           ORDER BY shop, order_id""",
        event.number,
        # A scan this old is of a parcel that had the number before, whoever sent it.
        event.at + REUSED,
        event.shop,
        event.tracking_number if made_up(event.tracking_number or "") else None,
    )
    if any(row["tracker"] == event.tracker for row in rows if event.tracker):
        rows = _narrowed(rows, event.tracker, lambda row: row["tracker"])
    else:
        # Only without the source's id: it stays when a wrong carrier is corrected.
        rows = _narrowed(rows, normal(event.carrier), lambda row: row["carrier_code"])
    rows = [row for row in rows if row["created_at"] - _AHEAD <= event.at] or rows
    rows = [row for row in rows if row["delivered_at"] is None or event.at - row["delivered_at"] <= REUSED] or rows
    return [(row["shop"], row["order_id"]) for row in rows]


async def scan(
    connection: Connection,
    event: intake.ShipmentUpdated,
    places: Sequence[Place],
    *,
    received_at: datetime,
    again: bool = False,
) -> dict[Place, list[events.Event]]:
    """Write a carrier's word down with the parcels of these places; what to tell the journey of each.

    What is usual on the lane comes along when this word made the lane known or another. `again` says that an earlier
    attempt may have written without getting to tell, so it comes along in any case.
    """
    told: dict[Place, list[events.Event]] = {}
    for place in places:
        rows = await meant(connection, place, event)
        if rows:
            told[place] = [await _heard(connection, event, place, row, received_at, again=again) for row in rows]
    return told


async def _heard(
    connection: Connection,
    event: intake.ShipmentUpdated,
    place: Place,
    row: asyncpg.Record,
    received_at: datetime,
    *,
    again: bool,
) -> events.ShipmentUpdated:
    """Write a word down with one parcel; what to tell its journey."""
    before = parcel_of(row)
    by_shop = event.order_id is not None
    promise = await promise_of(connection, place, event.estimated_delivery)
    said = Scan(event.status, event.at, event.reason, promise, event.estimated_at)
    number = before.tracking_number
    carrier = shown(event.carrier)
    parcel = scanned(before, said, tracking_number=number, carrier=carrier, service=event.service, by_shop=by_shop)
    trackers = [one for one in (row["tracker"], event.tracker) if one]
    await keep(
        connection,
        place,
        parcel,
        tracker=min(trackers, default=None),
        action_required=_action_required(row["action_required"], before, parcel, event),
    )
    await connection.execute(
        _KEEP_SCAN, *place, number, event.at, event.status, event.reason, event.location, received_at
    )
    await deliveries.follow(connection, place, number, url=event.tracking_url, co2=event.co2)
    expected = None
    moved = lane_of(before.carrier, before.service, None) != lane_of(parcel.carrier, parcel.service, None)
    if parcel.method is Method.DELIVERY and (moved or again):
        expected = await lanes.expected_of(connection, *place, carrier=parcel.carrier, service=parcel.service)
    return events.ShipmentUpdated(
        at=event.at,
        tracking_number=number,
        carrier=carrier,
        service=event.service,
        status=event.status,
        reason=event.reason,
        estimated_delivery=event.estimated_delivery,
        estimated_at=event.estimated_at,
        expected=expected,
        by_shop=by_shop,
    )


async def deny(connection: Connection, event: intake.DeliveryDenied) -> tuple[list[events.Event], bool]:
    """Write down that the customer never got a parcel, or found it after all; what to tell, and whether it is news.

    Nothing is told of a number that is none of the order's.
    """
    place = (event.shop, event.order_id)
    row = await find(connection, place, event.tracking_number)
    row = row or await find_number(connection, place, normalised(event.tracking_number))
    if row is None:
        return [], False
    before = parcel_of(row)
    parcel = denied(before, event.at, found=event.found)
    await keep(connection, place, parcel, tracker=row["tracker"], action_required=row["action_required"])
    told = events.DeliveryDenied(at=event.at, tracking_number=parcel.tracking_number, found=event.found)
    return [told], parcel != before


def _narrowed(
    rows: list[asyncpg.Record], said: str | None, known: Callable[[asyncpg.Record], str | None]
) -> list[asyncpg.Record]:
    """The rows that know the same as was said, with those of their shops that know nothing; all where none does."""
    shops = {row["shop"] for row in rows if said is not None and known(row) == said}
    return [row for row in rows if row["shop"] in shops and known(row) in {said, None}] or rows


def _said(parcel: Parcel) -> tuple[object, ...]:
    """What a shop's word can change, without the moments at which it was said."""
    return parcel.carrier, parcel.service, parcel.method, parcel.skus, parcel.estimated_delivery


def _action_required(known: bool, before: Parcel, parcel: Parcel, event: intake.ShipmentUpdated) -> bool:
    """Whether somebody is asked to do something by the last word; two words that are one ask for it together."""
    word = (parcel.status, parcel.status_at, parcel.reason)
    stays = word == (before.status, before.status_at, before.reason)
    said = word == (event.status, event.at, event.reason)
    return (known and stays) or (event.action_required and said)
