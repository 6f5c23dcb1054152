"""What a customer's page shows of an order, in one look."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from journey.order import LineKind
from journey.parcels import ParcelStatus, Reason
from store.pool import Pool


@dataclass(frozen=True, slots=True)
class LineView:
    """A line; `unit_price` in the order's currency."""

    title: str
    quantity: int
    unit_price: Decimal
    kind: LineKind


@dataclass(frozen=True, slots=True)
class ParcelView:
    """A parcel as the last word about it has it."""

    tracking_number: str
    carrier: str | None
    status: ParcelStatus
    status_at: datetime | None
    reason: Reason | None
    estimated_delivery: date | None


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order with its lines and parcels; `refunded` is what was paid back so far. Moments are UTC."""

    order_id: str
    status: str
    placed_at: datetime
    channel: str
    currency: str
    total: Decimal
    refunded: Decimal
    first_name: str
    locale: str
    time_zone: str | None
    lines: tuple[LineView, ...]
    parcels: tuple[ParcelView, ...]


async def order_view(pool: Pool, shop: str, order_id: str) -> OrderView | None:
    """The order as its customer may see it; None when there is none."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        order = await connection.fetchrow(
            """SELECT order_id, status, placed_at, channel, currency, total, first_name, locale, time_zone,
                   (SELECT coalesce(sum(amount), 0) FROM refunds WHERE shop = $1 AND order_id = $2) AS refunded
               FROM orders JOIN customers USING (shop, customer_id) WHERE shop = $1 AND order_id = $2""",
            shop,
            order_id,
        )
        if order is None:
            return None
        lines = await connection.fetch(
            """SELECT title, quantity, unit_price, kind FROM lines
               WHERE shop = $1 AND order_id = $2 ORDER BY position""",
            shop,
            order_id,
        )
        parcels = await connection.fetch(
            """SELECT tracking_number, carrier, status, status_at, reason, estimated_delivery FROM shipments
               WHERE shop = $1 AND order_id = $2 ORDER BY created_at, tracking_number""",
            shop,
            order_id,
        )
    return OrderView(
        **order,
        lines=tuple(LineView(**(dict(row) | {"kind": LineKind(row["kind"])})) for row in lines),
        parcels=tuple(
            ParcelView(
                **(
                    dict(row)
                    | {
                        "status": ParcelStatus(row["status"]),
                        "reason": Reason(row["reason"]) if row["reason"] else None,
                    }
                )
            )
            for row in parcels
        ),
    )
