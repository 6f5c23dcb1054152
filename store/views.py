"""What a customer's page shows of an order, in one look."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

import asyncpg

from journey.lanes import Expectation, Lane, lane_of
from journey.numbers import made_up
from journey.order import LineKind
from journey.parcels import Method, ParcelStatus, Reason
from journey.sums import Sums
from store import deliveries, lanes
from store.delivery import UNSAID, Delivery
from store.of_order import ITS_CUSTOMER
from store.pool import Pool
from store.refunds import OF_ORDER, all_back, of_row, paid_back, totals_of
from store.shipments import CAME_BEFORE
from store.sums import read as read_sums
from store.taken_off import TAKEN_OFF, units_of


@dataclass(frozen=True, slots=True)
class LineView:
    """A line; `unit_price` in the order's currency."""

    sku: str
    title: str
    quantity: int
    unit_price: Decimal
    kind: LineKind
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class ScanView:
    """One word of a carrier; `location` is a place as the carrier writes it. Moments are the carrier's, UTC."""

    occurred_at: datetime
    status: ParcelStatus
    reason: Reason | None
    location: str | None


@dataclass(frozen=True, slots=True)
class ParcelView:
    """A parcel as the last word about it has it. Moments are UTC.

    Attributes:
        skus: what it carries; None where nobody said.
        first_estimate: the day that was promised first, `estimated_delivery` the one promised last.
        denied_at: since when the customer's word stands that it never came; `found_at` when they took one back.
        scans: the newest first.
        expected: what is usual on its lane; None where nobody waits for a carrier (any more).
        written: its number as the shop wrote it; None where it has none of a carrier's, or only its key is known.
    """

    tracking_number: str
    carrier: str | None
    service: str | None
    method: Method
    status: ParcelStatus
    status_at: datetime | None
    reason: Reason | None
    action_required: bool
    skus: tuple[str, ...] | None
    estimated_delivery: date | None
    first_estimate: date | None
    created_at: datetime
    first_scan_at: datetime | None
    delivered_at: datetime | None
    denied_at: datetime | None
    found_at: datetime | None
    scans: tuple[ScanView, ...] = ()
    expected: Expectation | None = None
    written: str | None = None
    tracking_url: str | None = None
    co2_grams: Decimal | None = None
    co2_source: str | None = None

    @property
    def number(self) -> str | None:
        """The number that people are shown; None where it was sent without one."""
        return self.written or (None if made_up(self.tracking_number) else self.tracking_number)

    @property
    def pickup(self) -> bool:
        """Whether it is kept ready in the shop's own store."""
        return self.method is Method.PICKUP


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order with its lines and parcels. Moments are UTC.

    `number` is what its customer knows it by, its id where that is all there is. `collected`: it is kept ready in the
    shop's own store. `sums` is what the total is made of, in the currency that was paid in, None where nobody said.
    `paid_back` is what was paid back so far, by currency, `all_back` whether with it all was. `taken_off` is what
    refunds are of, paid or not, each SKU with how many; `came_before` whether a parcel was delivered that is none of
    the order's any more.
    """

    order_id: str
    number: str
    status: str
    placed_at: datetime
    channel: str
    currency: str
    total: Decimal
    first_name: str
    locale: str
    time_zone: str | None
    country: str | None
    collected: bool = False
    delivery: Delivery = UNSAID
    promised_from: date | None = None
    promised_until: date | None = None
    sums: Sums | None = None
    paid_back: Mapping[str, Decimal] = field(default_factory=dict)
    all_back: bool = False
    taken_off: tuple[tuple[str, int], ...] = ()
    came_before: bool = False
    lines: tuple[LineView, ...] = field(default=())
    parcels: tuple[ParcelView, ...] = field(default=())


_ORDER = f"""
SELECT order_id, coalesce(number, order_id) AS number, status, placed_at, channel, currency, total,
    first_name, locale, time_zone, country, collected, promised_from, promised_until, sums,
    (SELECT row_to_json(d) FROM deliveries d WHERE d.shop = o.shop AND d.order_id = o.order_id) AS delivery,
    {OF_ORDER} AS refunds, {TAKEN_OFF} AS taken_off, {CAME_BEFORE} AS came_before
FROM orders o {ITS_CUSTOMER} WHERE o.shop = $1 AND o.order_id = $2
"""  # noqa: S608  a constant
_PARCELS = """
SELECT tracking_number, carrier, service, method, status, status_at, reason, action_required, skus, estimated_delivery,
    first_estimate, created_at, first_scan_at, delivered_at, denied_at, found_at, written,
    tracking_url, co2_grams, co2_source, returning_at
FROM shipments WHERE shop = $1 AND order_id = $2 AND NOT left_out ORDER BY created_at, tracking_number
"""


async def order_view(pool: Pool, shop: str, order_id: str) -> OrderView | None:
    """The order as its customer may see it; None when there is none."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        order = await connection.fetchrow(
            _ORDER,
            shop,
            order_id,
        )
        if order is None:
            return None
        lines = await connection.fetch(
            """SELECT sku, title, quantity, unit_price, kind, variant FROM lines
               WHERE shop = $1 AND order_id = $2 ORDER BY position""",
            shop,
            order_id,
        )
        parcels = await connection.fetch(_PARCELS, shop, order_id)
        scans = await connection.fetch(
            """SELECT tracking_number, occurred_at, status, reason, location FROM scans
               WHERE shop = $1 AND order_id = $2 ORDER BY occurred_at DESC, received_at DESC, status""",
            shop,
            order_id,
        )
        travelling = {row["tracking_number"]: _lane(row, order["country"]) for row in parcels if _is_waited_for(row)}
        known = await lanes.expected(connection, shop, list(travelling.values())) if travelling else {}
        expected = {number: known[lane] for number, lane in travelling.items()}
    given = dict(order)
    refunds = of_row(given.pop("refunds"))
    sums = read_sums(order["sums"])
    return OrderView(
        **given
        | {
            "paid_back": paid_back(refunds),
            "all_back": all_back(refunds, totals_of(order["currency"], order["total"], sums)),
            "delivery": deliveries.read(order["delivery"], collected=order["collected"]),
            "sums": sums,
            "taken_off": units_of(order["taken_off"]),
        },
        lines=tuple(LineView(**(dict(row) | {"kind": LineKind(row["kind"])})) for row in lines),
        parcels=tuple(_parcel(row, scans, expected.get(row["tracking_number"])) for row in parcels),
    )


def _is_waited_for(row: asyncpg.Record) -> bool:
    return row["method"] == Method.DELIVERY and row["delivered_at"] is None


def _lane(row: asyncpg.Record, country: str | None) -> Lane:
    return lane_of(row["carrier"], row["service"], country)


def _parcel(row: asyncpg.Record, scans: Iterable[asyncpg.Record], expected: Expectation | None) -> ParcelView:
    number = row["tracking_number"]
    status, reason = _stands(row)
    return ParcelView(
        **(
            {name: row[name] for name in row.keys() if name != "returning_at"}  # noqa: SIM118  a record's keys
            | {
                "method": Method(row["method"]),
                "status": status,
                "reason": reason,
                "skus": None if row["skus"] is None else tuple(row["skus"]),
                "scans": tuple(
                    ScanView(scan["occurred_at"], ParcelStatus(scan["status"]), _reason(scan), scan["location"])
                    for scan in scans
                    if scan["tracking_number"] == number
                ),
                "expected": expected,
            }
        )
    )


def _stands(row: asyncpg.Record) -> tuple[ParcelStatus, Reason | None]:
    """Where it is: what a carrier scans on the way back to the sender is no news of its way to the customer."""
    status, back, found, at = ParcelStatus(row["status"]), row["returning_at"], row["found_at"], row["status_at"]
    known = found is not None and back is not None and found >= back
    travels = row["method"] == Method.DELIVERY and row["delivered_at"] is None and status not in _ENDS
    if back is None or at is None or at <= back or known or not travels:
        return status, _reason(row)
    return ParcelStatus.RETURNING, Reason.RETURNING


_ENDS = frozenset({ParcelStatus.RETURNING, ParcelStatus.RETURNED, ParcelStatus.CANCELLED})


def _reason(row: asyncpg.Record) -> Reason | None:
    return Reason(row["reason"]) if row["reason"] else None
