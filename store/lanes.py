"""What is usual on a shop's lanes: learnt from its own parcels, each shop for itself, and looked up for one parcel."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

import asyncpg

from journey import lanes
from journey.estimates import Estimate, estimate
from journey.lanes import LEAST_SAMPLES, PROBABILITIES, Expectation, Lane, Learnt, expectation, lane_of, widening
from journey.parcels import ParcelStatus, Reason
from store.of_order import ITS_CUSTOMER
from store.pool import Connection, Pool, joining_whole_tables

LEARNT_FROM = timedelta(days=180)
"""Parcels that arrived within this long: long enough for a thin lane, short enough that a new depot shows."""
_PATIENCE = 600.0
"""Seconds: one look over half a year of scans, once a day, is no query of a page."""

_SPELLINGS = """
SELECT DISTINCT coalesce(carrier, '') AS carrier, coalesce(service, '') AS service
FROM shipments WHERE delivered_at > $1 AND delivered_at <= $2
"""

# Only what arrived is learnt from, and by when it arrived: of what was sent lately only the quick ones would count.
# A parcel that waits to be picked up has arrived; how soon its customer comes is not the carrier's.
# A silence is a parcel's longest, not each of its gaps: one alarm in twenty parcels, not in twenty scans.
_LEARN = """
WITH spelt AS (
    SELECT * FROM unnest($3::text[], $4::text[], $5::text[], $6::text[]) AS s(said, said_service, carrier, service)),
zones AS MATERIALIZED (SELECT name FROM pg_timezone_names),
arrived AS (
    SELECT s.shop, s.order_id, s.tracking_number, spelt.carrier, spelt.service, coalesce(c.country, '') AS country,
           s.created_at, s.first_scan_at, s.out_for_delivery_at, s.delivered_at, s.first_estimate,
           least(s.waiting_at, s.delivered_at) AS arrived_at, coalesce(zones.name, 'UTC') AS zone
    FROM shipments s
    JOIN orders o USING (shop, order_id)
    JOIN customers c USING (shop, customer_id)
    JOIN spelt ON spelt.said = coalesce(s.carrier, '') AND spelt.said_service = coalesce(s.service, '')
    LEFT JOIN zones ON zones.name = c.time_zone
    WHERE s.method = 'delivery' AND NOT s.left_out AND NOT starts_with(s.tracking_number, 'fulfilment:')
      AND s.denied_at IS NULL AND s.delivered_at > $1 AND s.delivered_at <= $2),
silences AS (
    SELECT shop, order_id, tracking_number, max(gap) AS gap FROM (
        SELECT shop, order_id, tracking_number, occurred_at - lag(occurred_at) OVER (
                   PARTITION BY shop, order_id, tracking_number ORDER BY occurred_at) AS gap
        FROM scans JOIN arrived USING (shop, order_id, tracking_number)
        WHERE occurred_at BETWEEN first_scan_at AND arrived_at) gaps
    GROUP BY shop, order_id, tracking_number),
parcels AS (
    SELECT shop, carrier, service, country, gap,
           greatest(first_scan_at - created_at, interval '0') AS first_scan,
           arrived_at - CASE WHEN first_scan_at < arrived_at THEN first_scan_at ELSE created_at END AS transit,
           CASE WHEN out_for_delivery_at < arrived_at THEN arrived_at - out_for_delivery_at END AS last_mile,
           ((arrived_at AT TIME ZONE zone)::date <= first_estimate)::int AS kept
    FROM arrived LEFT JOIN silences USING (shop, order_id, tracking_number))
INSERT INTO lanes AS known
    (shop, carrier, service, country, samples, first_scan, gap, transit_days, last_mile, kept, learnt_at)
SELECT shop, coalesce(carrier, ''), coalesce(service, ''), coalesce(country, ''), count(*),
       percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM first_scan)),
       percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM gap)),
       percentile_cont($8::float8[]) WITHIN GROUP (ORDER BY extract(epoch FROM transit) / 86400),
       percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM last_mile)),
       CASE WHEN count(kept) >= $7 THEN avg(kept) END, $2
FROM parcels WHERE transit > interval '0'
GROUP BY GROUPING SETS ((shop, carrier, service, country), (shop, carrier, country), (shop, carrier), (shop, country))
HAVING (grouping(carrier) = 1 OR carrier <> '') AND (grouping(service) = 1 OR service <> '')
   AND (grouping(country) = 1 OR country <> '')
ON CONFLICT (shop, carrier, service, country) DO UPDATE SET
    samples = excluded.samples, first_scan = excluded.first_scan, gap = excluded.gap,
    transit_days = excluded.transit_days, last_mile = excluded.last_mile, kept = excluded.kept,
    learnt_at = excluded.learnt_at
"""
_FORGET = "DELETE FROM lanes WHERE learnt_at < $1"

# A shop sends from where more than half of its customers live, unless they show nothing that clear.
_LEARN_HABITS = """
WITH sent AS (
    SELECT o.shop, extract(epoch FROM greatest(min(s.created_at) - o.placed_at, interval '0')) AS took
    FROM orders o JOIN shipments s USING (shop, order_id)
    WHERE s.method = 'delivery' AND NOT s.left_out AND o.channel <> 'replacement'
    GROUP BY o.shop, o.order_id, o.placed_at
    HAVING min(s.created_at) > $1 AND min(s.created_at) <= $2),
habits AS (
    SELECT shop, count(*) AS samples, percentile_cont(0.95) WITHIN GROUP (ORDER BY took) AS within
    FROM sent GROUP BY shop),
homes AS (
    SELECT shop, country FROM (
        SELECT o.shop, c.country, count(*) AS here, sum(count(*)) OVER (PARTITION BY o.shop) AS everywhere
        FROM orders o JOIN customers c USING (shop, customer_id)
        WHERE o.placed_at > $1 AND o.channel <> 'replacement' AND c.country IS NOT NULL
        GROUP BY o.shop, c.country) counted
    WHERE here * 2 > everywhere AND everywhere >= $3)
INSERT INTO dispatch_habits AS known (shop, samples, within_seconds, home, learnt_at)
SELECT shop, coalesce(samples, 0), within, country, $2 FROM habits FULL JOIN homes USING (shop)
ON CONFLICT (shop) DO UPDATE SET samples = excluded.samples, within_seconds = excluded.within_seconds,
    home = excluded.home, learnt_at = excluded.learnt_at
"""

_LEARNT = """
SELECT lanes.* FROM lanes JOIN unnest($2::text[], $3::text[], $4::text[]) AS wanted(carrier, service, country)
    USING (carrier, service, country)
WHERE shop = $1
"""

_TRAVELLING = """
SELECT tracking_number, carrier, service, s.status, s.reason, estimated_delivery, first_estimate, s.created_at,
    first_scan_at, country
FROM shipments s JOIN orders USING (shop, order_id) JOIN customers USING (shop, customer_id)
WHERE shop = $1 AND order_id = $2 AND method = 'delivery' AND NOT left_out AND delivered_at IS NULL
"""
_OVER = {
    ParcelStatus.AVAILABLE_FOR_PICKUP,
    ParcelStatus.CANCELLED,
    ParcelStatus.RETURNING,
    ParcelStatus.RETURNED,
}


@dataclass(frozen=True, slots=True)
class Relearnt:
    """What one look over the history wrote: how many lanes and shops, and how many lanes it gave up."""

    lanes: int
    shops: int
    forgotten: int


async def relearn(pool: Pool, *, now: datetime, least_samples: int = LEAST_SAMPLES) -> Relearnt:
    """Learn every lane of every shop anew, from what arrived in the `LEARNT_FROM` before `now` (UTC).

    Running it again writes the same. `least_samples` is of the shares alone that customers are told; whoever reads a
    lane decides whether its samples are enough.
    """
    since = now - LEARNT_FROM
    async with pool.acquire() as connection, connection.transaction():
        await joining_whole_tables(connection)
        said = await connection.fetch(_SPELLINGS, since, now, timeout=_PATIENCE)
        spelt = [lane_of(row["carrier"] or None, row["service"] or None, None) for row in said]
        learnt = await connection.execute(
            _LEARN,
            since,
            now,
            [row["carrier"] for row in said],
            [row["service"] for row in said],
            [lane.carrier or "" for lane in spelt],
            [lane.service or "" for lane in spelt],
            least_samples,
            list(PROBABILITIES),
            timeout=_PATIENCE,
        )
        forgotten = await connection.execute(_FORGET, now)
        shops = await connection.execute(_LEARN_HABITS, since, now, least_samples, timeout=_PATIENCE)
    return Relearnt(*(int(result.split()[-1]) for result in (learnt, shops, forgotten)))


async def learnt(connection: Connection, shop: str, *wanted: Lane) -> dict[Lane, Learnt]:
    """What these lanes of the shop did, and the wider ones that may have to speak for them; the unknown left out."""
    asked = list(dict.fromkeys(wider for lane in wanted for wider in widening(lane)))
    columns = [[part or "" for part in column] for column in zip(*asked, strict=True)] or [[], [], []]
    return {
        Lane(row["carrier"] or None, row["service"] or None, row["country"] or None): _learnt(row)
        for row in await connection.fetch(_LEARNT, shop, *columns)
    }


async def expected(connection: Connection, shop: str, wanted: Collection[Lane]) -> dict[Lane, Expectation]:
    """What is usual on each of these lanes of the shop."""
    known = await learnt(connection, shop, *wanted)
    home = await connection.fetchval("SELECT home FROM dispatch_habits WHERE shop = $1", shop)
    return {lane: expectation(lane, known, home=home) for lane in wanted}


async def expected_of(
    connection: Connection, shop: str, order_id: str, *, carrier: str | None, service: str | None
) -> Expectation:
    """What is usual for a parcel of this order; carrier and service as somebody wrote them."""
    country = await connection.fetchval(
        f"SELECT country FROM orders o {ITS_CUSTOMER} WHERE o.shop = $1 AND o.order_id = $2",  # noqa: S608  a constant
        shop,
        order_id,
    )
    lane = lane_of(carrier, service, country)
    return (await expected(connection, shop, [lane]))[lane]


async def estimates(
    connection: Connection, shop: str, order_id: str, *, now: datetime, zone: tzinfo
) -> dict[str, Estimate]:
    """When each parcel of an order comes, by tracking number, as known at `now` (UTC) in the customer's `zone`.

    Left out: what has come, waits to be picked up, goes back, was lost or called off, and what nobody can say of.
    """
    rows = {
        row["tracking_number"]: row
        for row in await connection.fetch(_TRAVELLING, shop, order_id)
        if row["status"] not in _OVER and row["reason"] != Reason.LOST
    }
    way = {number: lane_of(row["carrier"], row["service"], row["country"]) for number, row in rows.items()}
    usual = await expected(connection, shop, list(way.values()))
    found = {
        number: estimate(
            expectation=usual[way[number]],
            shipped_at=row["created_at"],
            first_scan_at=row["first_scan_at"],
            carrier_estimate=row["estimated_delivery"],
            now=now,
            zone=zone,
            revised=row["estimated_delivery"] != row["first_estimate"],
        )
        for number, row in rows.items()
    }
    return {number: one for number, one in found.items() if one is not None}


async def dispatch_within(connection: Connection, shop: str) -> timedelta | None:
    """How soon 95 of 100 of the shop's orders leave; None where too few have left to say."""
    row = await connection.fetchrow("SELECT samples, within_seconds FROM dispatch_habits WHERE shop = $1", shop)
    return None if row is None else dispatch_habit(row["samples"], row["within_seconds"])


def dispatch_habit(samples: int | None, within_seconds: float | None) -> timedelta | None:
    """The same from the columns of `dispatch_habits`; both None where the shop has no row."""
    return None if samples is None else lanes.dispatch_within(samples, _span(within_seconds))


def _learnt(row: asyncpg.Record) -> Learnt:
    return Learnt(
        samples=row["samples"],
        first_scan=_span(row["first_scan"]),
        gap=_span(row["gap"]),
        transit=tuple(zip(PROBABILITIES, row["transit_days"], strict=True)),
        last_mile=_span(row["last_mile"]),
        kept=row["kept"],
    )


def _span(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
