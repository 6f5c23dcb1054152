"""Whose turn it is to be asked about at a carrier: parcels are leased, asked about, and given their next moment.

`shipments.poll_at` is that moment: null where nobody asks. A parcel that is leased has its `poll_at` where the lease
ends, so that a poller which dies gives it back, and what a poller says about it counts only while that is unchanged.
Whoever writes parcels down need not know of any of this: a parcel with no moment is found by `plan`, and one that a
webhook told about meanwhile is put off by `take`, both by `journey.polling.next_poll`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import asyncpg

from journey.parcels import ParcelStatus, Reason
from journey.polling import GIVES_UP, Reach, next_poll
from store.of_order import ITS_CUSTOMER
from store.pool import Connection, Pool

LEASE = timedelta(minutes=5)
"""How long a poller may take over its request; the request's own time limits must be shorter."""
_PLANNED_AT_ONCE = 1000
_KEY = ("shop", "order_id", "tracking_number")

_REACHED = "($1::text[] IS NULL OR carrier_code = ANY($1)) AND coalesce(carrier_code <> ALL($2::text[]), true)"
# The predicate of the index `shipments_unplanned`, word for word.
_OPEN = """poll_at IS NULL AND method = 'delivery' AND status NOT IN ('delivered', 'returned', 'cancelled')
      AND number IS NOT NULL AND NOT left_out"""
_TO_PLAN = f"{_OPEN} AND created_at > $3 AND (polled_at IS NULL OR last_scan_at > polled_at) AND {_REACHED}"

# Nobody waits to hear of the parcels of an order whose journey has ended.
_ENDED = """
EXISTS (SELECT FROM orders WHERE orders.shop = shipments.shop AND orders.order_id = shipments.order_id
    AND orders.ended_at IS NOT NULL)
"""

# One that was polled to its end comes back when a webhook tells of it again. The ended orders are gathered once and not
# joined: how a join is done depends on what is known of tables that a shop's first reading has just filled.
_UNPLANNED = f"""
WITH open AS MATERIALIZED (SELECT shop, order_id FROM shipments WHERE {_TO_PLAN})
SELECT shop, order_id, tracking_number, status, created_at, last_scan_at, estimated_delivery, polled_at
FROM shipments
WHERE {_TO_PLAN} AND (shop, order_id) NOT IN (
    SELECT shop, order_id FROM orders
    WHERE ended_at IS NOT NULL AND shop = ANY (ARRAY(SELECT shop FROM open))
      AND order_id = ANY (ARRAY(SELECT order_id FROM open)))
LIMIT $4 FOR UPDATE SKIP LOCKED
"""  # noqa: S608  only this module's own words

# What was due so long ago is nobody's: its poller was taken away. Left in, it would be looked at for ever.
_DUE = f"""
SELECT shop, order_id, tracking_number, carrier_code, tracker, status, created_at, last_scan_at, estimated_delivery,
       estimate_at, polled_at, poll_at, {_ENDED} AS ended,
       (SELECT country FROM orders o {ITS_CUSTOMER}
        WHERE o.shop = shipments.shop AND o.order_id = shipments.order_id) AS country
FROM shipments
WHERE poll_at <= $3 AND poll_at > $4 AND NOT left_out AND {_REACHED}
ORDER BY poll_at LIMIT $5 FOR UPDATE SKIP LOCKED
"""  # noqa: S608  only this module's own words

_NEXT = f"SELECT min(poll_at) FROM shipments WHERE poll_at > $3 AND NOT left_out AND {_REACHED}"  # noqa: S608  own words

_MOVE = "UPDATE shipments SET poll_at = $4 WHERE shop = $1 AND order_id = $2 AND tracking_number = $3"

# Also ends what was leased, so it has to find the lease as it was.
_SETTLE = """
UPDATE shipments SET poll_at = $5, polled_at = coalesce($6::timestamptz, polled_at),
    polls = polls + ($6::timestamptz IS NOT NULL)::int
WHERE shop = $1 AND order_id = $2 AND tracking_number = $3 AND poll_at = $4
"""

_KNOWN = """
SELECT asked.*, said.*
FROM unnest($1::text[], $2::text[], $3::text[]) AS asked (shop, order_id, tracking_number), LATERAL (
    SELECT occurred_at, status, reason FROM scans
    WHERE scans.shop = asked.shop AND scans.order_id = asked.order_id
      AND scans.tracking_number = asked.tracking_number OFFSET 0) AS said
"""


@dataclass(frozen=True, slots=True)
class Turn:
    """A parcel of one order, leased to be asked about. Moments are aware UTC.

    `carrier` is in its normal form (`journey.carriers.normal`), `tracker` as in `ShipmentUpdated`, `estimated_at` when
    the estimate was said, `was_due` when the parcel fell due, `lease` until when it is the poller's.
    """

    shop: str
    order_id: str
    tracking_number: str
    carrier: str | None
    country: str | None
    tracker: str | None
    status: ParcelStatus
    created_at: datetime
    last_scan_at: datetime | None
    estimated_delivery: date | None
    estimated_at: datetime | None
    was_due: datetime
    lease: datetime


@dataclass(frozen=True, slots=True)
class Settled:
    """What becomes of a turn: when the next one is, and, if the vendor answered, when that was."""

    turn: Turn
    poll_at: datetime | None
    polled_at: datetime | None = None


KnownScan = tuple[str, str, str, datetime, ParcelStatus, Reason | None]
"""Shop, order, tracking number, and the scan's moment, status and reason."""


async def plan(pool: Pool, reach: Reach, *, now: datetime) -> int:
    """Give every open parcel within reach, of orders that go on, that has none its first moment; how many that were.

    Those are new ones, those whose carrier was named or corrected, or whose poller is new.
    """
    planned = 0
    while True:
        async with pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(_UNPLANNED, *_of(reach), now - GIVES_UP, _PLANNED_AT_ONCE)
            await _move(connection, [(row, _next(row, now) or now) for row in rows])
        planned += len(rows)
        if len(rows) < _PLANNED_AT_ONCE:
            return planned


async def take(pool: Pool, reach: Reach, *, now: datetime, limit: int) -> list[Turn]:
    """Lease at most `limit` parcels within reach that are due, oldest first; none when none is.

    One that is over or long quiet, or whose order has ended, loses its moment, one that was heard of meanwhile gets a
    later one; neither is asked about.
    """
    while True:
        async with pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(_DUE, *_of(reach), now, now - GIVES_UP, limit)
            if not rows:
                return []
            due, moves = [], []
            for row in rows:
                at = None if row["ended"] else _next(row, now)
                if at is not None and at <= now:
                    due.append(row)
                else:
                    moves.append((row, at))
            lease = now + LEASE
            await _move(connection, [*moves, *((row, lease) for row in due)])
        if due:
            return [_turn(row, lease) for row in due]


async def known(pool: Pool, turns: Sequence[Turn]) -> set[KnownScan]:
    """The scans that are written down already."""
    rows = await pool.fetch(_KNOWN, *([getattr(turn, name) for turn in turns] for name in _KEY))
    return {
        (
            row["shop"],
            row["order_id"],
            row["tracking_number"],
            row["occurred_at"],
            ParcelStatus(row["status"]),
            Reason(row["reason"]) if row["reason"] else None,
        )
        for row in rows
    }


async def settle(pool: Pool, settled: Sequence[Settled]) -> None:
    """End these turns, where their leases still hold."""
    # Whoever writes a scan down locks a number's parcels one after another, by shop and order: here they are locked in
    # the same order.
    in_order = sorted(settled, key=lambda one: _key(one.turn))
    rows = [(*_key(one.turn), one.turn.lease, one.poll_at, one.polled_at) for one in in_order]
    async with pool.acquire() as connection:
        await connection.executemany(_SETTLE, rows)


async def next_due(pool: Pool, reach: Reach, *, now: datetime) -> datetime | None:
    """When the next parcel within reach falls due, or fell; None when none has a moment."""
    found: datetime | None = await pool.fetchval(_NEXT, *_of(reach), now - GIVES_UP)
    return found


def _of(reach: Reach) -> tuple[list[str] | None, list[str]]:
    return None if reach.carriers is None else sorted(reach.carriers), sorted(reach.besides)


def _next(row: asyncpg.Record, now: datetime) -> datetime | None:
    return next_poll(
        ParcelStatus(row["status"]),
        tracking_number=row["tracking_number"],
        created_at=row["created_at"],
        last_scan_at=row["last_scan_at"],
        estimated_delivery=row["estimated_delivery"],
        polled_at=row["polled_at"],
        now=now,
    )


async def _move(connection: Connection, moves: Sequence[tuple[asyncpg.Record, datetime | None]]) -> None:
    rows = [(*(row[name] for name in _KEY), at) for row, at in moves]
    await connection.executemany(_MOVE, rows)


def _key(turn: Turn) -> tuple[str, str, str]:
    return turn.shop, turn.order_id, turn.tracking_number


def _turn(row: asyncpg.Record, lease: datetime) -> Turn:
    return Turn(
        shop=row["shop"],
        order_id=row["order_id"],
        tracking_number=row["tracking_number"],
        carrier=row["carrier_code"],
        country=row["country"],
        tracker=row["tracker"],
        status=ParcelStatus(row["status"]),
        created_at=row["created_at"],
        last_scan_at=row["last_scan_at"],
        estimated_delivery=row["estimated_delivery"],
        estimated_at=row["estimate_at"],
        was_due=row["poll_at"],
        lease=lease,
    )
