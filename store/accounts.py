"""What commands and the demo read: an order's account from the ledger, lists of orders, who waits where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from journey.numbers import made_up
from journey.sums import Sums
from store.history import Echo, against, echoes
from store.of_order import ITS_CUSTOMER
from store.pool import Pool, joining_whole_tables
from store.sums import read as read_sums


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order with its journey's end. Moments are UTC.

    `number` is what the shop shows, its id where that is all; `zone` and `country` are the customer's when known.
    `total` is in `currency`, the order's own; `sums` what it is made of, in the currency that was paid in.
    """

    shop: str
    order_id: str
    number: str
    status: str
    placed_at: datetime
    playbook: str
    ended_at: datetime | None
    ended_why: str | None
    zone: str | None
    country: str | None
    currency: str
    total: Decimal
    sums: Sums | None
    sent: int


@dataclass(frozen=True, slots=True)
class ParcelRow:
    """A parcel as its last scan left it, by its key; `written` is its number as the shop wrote it."""

    tracking_number: str
    carrier: str | None
    status: str
    estimated_delivery: date | None
    written: str | None = None

    @property
    def number(self) -> str | None:
        """The number that people are shown; None where it was sent without one."""
        return self.written or (None if made_up(self.tracking_number) else self.tracking_number)


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One message or non-send: `touch` is the touch's key, `at` when it was settled, `until` when a held one may go.

    `why` has by channel the rule that spoke against it there, `merged_into` the order and touch key of the message it
    went along in, `echoes` what was said of it afterwards.
    """

    touch: str
    purpose: str
    channel: str
    status: str
    rule: str | None
    due: datetime
    at: datetime
    until: datetime | None
    message_id: str | None
    provider: str | None
    provider_id: str | None
    why: Mapping[str, str]
    merged_into: str | None
    echoes: tuple[Echo, ...]


_ORDER = """
SELECT o.shop, o.order_id, coalesce(o.number, o.order_id) AS number,
       o.status, o.placed_at, o.playbook, o.ended_at, o.ended_why, c.time_zone AS zone, c.country,
       o.currency, o.total, o.sums,
       (SELECT count(*) FROM ledger l WHERE l.shop = o.shop AND l.order_id = o.order_id AND l.status = 'sent') AS sent
FROM ({orders}) o {customer}
"""
_ONE_ORDER = _ORDER.format(orders="SELECT * FROM orders WHERE shop = $1 AND order_id = $2", customer=ITS_CUSTOMER)
# Customers and ledger are looked up for the orders of the list alone.
_LIST = """
SELECT * FROM orders WHERE ($1::text IS NULL OR shop = $1) AND CASE $2
    WHEN 'running' THEN ended_at IS NULL WHEN 'finished' THEN ended_at IS NOT NULL
    WHEN 'cancelled' THEN status = 'cancelled' ELSE true END
ORDER BY placed_at DESC, order_id LIMIT $3
"""
_ORDERS = _ORDER.format(orders=_LIST, customer=ITS_CUSTOMER) + "ORDER BY o.placed_at DESC, o.order_id"


async def order(pool: Pool, shop: str, order_id: str) -> OrderRow | None:
    """One order; None when there is none."""
    row = await pool.fetchrow(_ONE_ORDER, shop, order_id)
    return None if row is None else _order(row)


async def orders(pool: Pool, *, shop: str | None = None, status: str | None = None, limit: int = 100) -> list[OrderRow]:
    """Orders, newest first; `status` is running, finished or cancelled."""
    rows = await pool.fetch(
        _ORDERS,
        shop,
        status,
        limit,
    )
    return [_order(row) for row in rows]


async def parcels(pool: Pool, shop: str, order_id: str) -> list[ParcelRow]:
    """An order's parcels in the order they left."""
    rows = await pool.fetch(
        "SELECT tracking_number, carrier, status, estimated_delivery, written FROM shipments"
        " WHERE shop = $1 AND order_id = $2 AND NOT left_out ORDER BY created_at, tracking_number",
        shop,
        order_id,
    )
    return [ParcelRow(**row) for row in rows]


async def messages(pool: Pool, shop: str, order_id: str) -> list[LedgerRow]:
    """An order's ledger by time. A row that is only claimed is being sent at this moment, and is not in it."""
    rows = await pool.fetch(
        "SELECT id, touch_key AS touch, purpose, channel, status, rule, why, due, at, until, message_id, provider,"
        " provider_id FROM ledger WHERE shop = $1 AND order_id = $2 AND status <> 'claimed'"
        " ORDER BY coalesce(until, at), id",
        shop,
        order_id,
    )
    heard = await echoes(pool, [row["id"] for row in rows])
    return [_message(row, heard.get(row["id"], ())) for row in rows]


async def waiting(pool: Pool) -> list[tuple[str, str | None, int]]:
    """Running journeys counted by playbook digest and the touch last sent (None before the first)."""
    async with pool.acquire() as connection, connection.transaction(readonly=True):
        await joining_whole_tables(connection)
        rows = await connection.fetch(
            """WITH last AS (
                   SELECT DISTINCT ON (shop, order_id) shop, order_id, touch FROM ledger WHERE status = 'sent'
                   ORDER BY shop, order_id, at DESC, id DESC)
               SELECT playbook, touch, count(*) AS journeys FROM orders LEFT JOIN last USING (shop, order_id)
               WHERE ended_at IS NULL GROUP BY 1, 2 ORDER BY 1, 2"""
        )
    return [(row["playbook"], row["touch"], row["journeys"]) for row in rows]


async def undelivered(pool: Pool, source: str, event_ids: Sequence[str]) -> list[tuple[str, str, str | None]]:
    """Of these webhooks, those whose fact has not reached its journey: event id, status and note."""
    rows = await pool.fetch(
        "SELECT event_id, status, note FROM inbox"
        " WHERE source = $1 AND split_part(event_id, '#', 1) = ANY($2) AND status IN ('pending', 'waiting', 'dead')",
        source,
        list(event_ids),
    )
    return [(row["event_id"], row["status"], row["note"]) for row in rows]


def _order(row: Any) -> OrderRow:
    return OrderRow(**dict(row) | {"sums": read_sums(row["sums"])})


def _message(row: Any, heard: tuple[Echo, ...]) -> LedgerRow:
    columns = dict(row)
    del columns["id"]
    columns["why"], columns["merged_into"] = against(row["why"])
    return LedgerRow(**columns, echoes=heard)
