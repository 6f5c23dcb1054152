"""Remedies, a row for each parcel that will not come. Whoever writes the row's choice first has it.

The choice and its way to the journey are one transaction: the row, and `remedy.chosen` in the inbox.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import asyncpg

from journey.parcels import ParcelStatus
from journey.remedies import Bought, By, Choice, RemedyStep, Stand, Worth, remedy_id, worth
from store import inbox
from store.cleaning import minor_units
from store.parcel_events import RemedyChosen
from store.pool import Connection, Pool

SOURCE = "remedy"
"""The source of choices in the inbox."""

_COLUMNS = """shop, order_id, part, reason, playbook, skus, amount, currency, options, sure, otherwise, status,
    offered_at, choose_by, choice, chosen_by, operator, chosen_at, approved_by, approved_at, reservation, reference,
    coupon, failure"""
_GET = f"SELECT {_COLUMNS} FROM remedies WHERE shop = $1 AND order_id = $2 AND part = $3"  # noqa: S608  our own names
_OFFER = f"""
INSERT INTO remedies (shop, order_id, part, reason, playbook, skus, amount, currency, options, sure, status, failure,
                      offered_at, choose_by, otherwise)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (shop, order_id, part) DO UPDATE SET part = excluded.part
RETURNING {_COLUMNS}
"""  # noqa: S608  our own names
# Two choices at the same moment: the second one waits for the first one's row and then finds it chosen.
_CHOOSE = """
UPDATE remedies SET choice = $4, chosen_by = $5, operator = $6, chosen_at = $7, status = 'chosen', updated_at = now()
WHERE shop = $1 AND order_id = $2 AND part = $3 AND choice IS NULL AND status = 'offered' AND $4 = ANY(options)
  AND ($5 IN ('operator', 'default') OR choose_by > $7)
RETURNING true
"""
_WITHDRAW = """
UPDATE remedies SET status = 'withdrawn', updated_at = now()
WHERE shop = $1 AND order_id = $2 AND part = $3 AND choice IS NULL AND status = 'offered'
"""
_LIST = f"""
SELECT {_COLUMNS} FROM remedies
WHERE ($1::text IS NULL OR shop = $1) AND ($2::text IS NULL OR order_id = $2)
  AND (NOT $3 OR status NOT IN ('done', 'failed', 'withdrawn', 'declined'))
ORDER BY offered_at DESC, shop, order_id, part LIMIT $4
"""  # noqa: S608  our own names
_OPEN_FOR = """
SELECT r.shop, r.order_id, r.part FROM customers c
JOIN orders o USING (shop, customer_id) JOIN remedies r USING (shop, order_id)
WHERE c.phone = $1 AND r.status = 'offered' AND r.choose_by > $2 ORDER BY r.shop, r.order_id, r.part
"""
# What other remedies of the order take of its total. A refund of theirs that is done may be among the refunds already,
# or its webhook may still be on its way: the larger sum holds both.
_GONE = """
WITH others AS (
    SELECT coalesce(sum(amount) FILTER (WHERE status = 'done' AND choice = 'refund'), 0) AS refunded,
           coalesce(sum(amount) FILTER (WHERE status NOT IN ('withdrawn', 'declined', 'failed')
                                          AND NOT (status = 'done' AND choice = 'refund')), 0) AS promised
    FROM remedies WHERE shop = $1 AND order_id = $2 AND part <> $3)
SELECT promised + greatest(refunded, (SELECT coalesce(sum(amount), 0) FROM refunds
                                      WHERE shop = $1 AND order_id = $2)) FROM others
"""
_LINES = "SELECT sku, quantity, unit_price, kind FROM lines WHERE shop = $1 AND order_id = $2 ORDER BY position"
_PARCELS = """
SELECT tracking_number, skus FROM shipments
WHERE shop = $1 AND order_id = $2 AND (status <> $4 OR tracking_number = $3) ORDER BY created_at, tracking_number
"""


@dataclass(frozen=True, slots=True)
class Remedy:
    """A row. `amount` is in `currency`; moments are UTC; what has not happened yet is None.

    `skus` is each SKU with how many of it. `otherwise` is what is done when nobody chooses in time; None leaves it to a
    person. `operator` is who of the shop's people chose, `failure` the rule by which
    it did not go as chosen.
    """

    shop: str
    order_id: str
    part: str
    reason: str
    playbook: str
    skus: tuple[tuple[str, int], ...]
    amount: Decimal
    currency: str
    options: tuple[Choice, ...]
    sure: bool
    otherwise: Choice | None
    status: Stand
    offered_at: datetime
    choose_by: datetime
    choice: Choice | None
    chosen_by: By | None
    operator: str | None
    chosen_at: datetime | None
    approved_by: str | None
    approved_at: datetime | None
    reservation: str | None
    reference: str | None
    coupon: str | None
    failure: str | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """What stands after somebody tried to choose: `new` when it is what they chose just now.

    `stands` and `by` are None when nobody has chosen: it was withdrawn, time is up, or that was not among the options.
    """

    status: Stand
    stands: Choice | None
    by: By | None
    new: bool


async def get(connection: Connection | Pool, shop: str, order_id: str, part: str) -> Remedy | None:
    """The remedy of a parcel; None when none was ever offered."""
    row = await connection.fetchrow(_GET, shop, order_id, part)
    return None if row is None else _remedy(row)


async def offer(connection: Connection, step: RemedyStep, *, otherwise: Choice | None = None) -> Remedy | None:
    """Offer a remedy, once: what there is already stays as it is. None when there is no such order.

    An order that was cancelled or paid back has nothing left to be made good: its remedy is withdrawn from the start.

    Args:
        connection: in a transaction.
        step: the parcel, why, and until when there is a choice.
        otherwise: what is done when nobody chooses in time; None leaves it to a person.
    """
    order = await connection.fetchrow(
        "SELECT status, total, currency FROM orders WHERE shop = $1 AND order_id = $2 FOR UPDATE",
        step.shop,
        step.order_id,
    )
    if order is None:
        return None
    gone = await _gone(connection, step.shop, step.order_id, step.part)
    held = await _held(connection, step, total=order["total"], currency=order["currency"], gone=gone)
    over = _over(order["status"], order["total"], gone)
    if not held.skus and not held.amount:
        over = over or "nothing_to_offer"
    options = ([Choice.REPLACEMENT] if held.skus else []) + ([Choice.REFUND] if held.amount else [])
    row = await connection.fetchrow(
        _OFFER,
        step.shop,
        step.order_id,
        step.part,
        step.reason,
        step.playbook,
        json.dumps(held.skus),
        held.amount,
        order["currency"],
        options,
        held.sure,
        Stand.WITHDRAWN if over else Stand.OFFERED,
        over,
        step.at,
        step.choose_by,
        otherwise if otherwise in options else None,
    )
    return _remedy(row)


async def choose(
    connection: Connection,
    shop: str,
    order_id: str,
    part: str,
    choice: Choice,
    *,
    by: By,
    at: datetime,
    received_at: datetime,
    operator: str | None = None,
) -> Chosen | None:
    """Choose, unless somebody has; whoever comes second is told what stands. None when nothing was ever offered.

    Args:
        connection: in a transaction: the choice and its event are one.
        shop: the order's.
        order_id: whose parcel.
        part: the parcel's number.
        choice: what they want.
        by: who chooses. Customers may until `choose_by`; people of the shop, and the default, after that as well.
        at: when, by the clock the offer was made by.
        received_at: now, by the relay's clock.
        operator: who of the shop's people.
    """
    new = await connection.fetchval(_CHOOSE, shop, order_id, part, choice, by, operator, at)
    if new:
        event = RemedyChosen(at=at, shop=shop, order_id=order_id, part=part)
        await inbox.keep(
            connection,
            source=SOURCE,
            event_id=remedy_id(shop, order_id, part),
            topic=event.type,
            body=b"",
            events=[event],
            received_at=received_at,
        )
    row = await get(connection, shop, order_id, part)
    return None if row is None else Chosen(row.status, row.choice, row.chosen_by, new=bool(new))


async def withdraw(connection: Connection | Pool, shop: str, order_id: str, part: str) -> None:
    """Take an offer back, unless somebody has chosen."""
    await connection.execute(_WITHDRAW, shop, order_id, part)


async def open_for(connection: Connection, number: str, *, now: datetime) -> list[tuple[str, str, str]]:
    """The offers (shop, order id, part) that whoever has that number (E.164) may still choose from."""
    return [tuple(row) for row in await connection.fetch(_OPEN_FOR, number, now)]


async def listed(
    pool: Pool, *, shop: str | None = None, order_id: str | None = None, still_open: bool = False, limit: int = 1000
) -> list[Remedy]:
    """Remedies, the newest offer first; `still_open` leaves out those that have ended."""
    return [_remedy(row) for row in await pool.fetch(_LIST, shop, order_id, still_open, limit)]


async def look(connection: Connection, remedy: Remedy) -> tuple[Decimal, str | None]:
    """What may still be spent on a remedy, and why nothing is to be done any more: None where something is.

    `already_refunded` when the order's money went back in another way meanwhile, `order_cancelled`, or
    `parcel_arrived` when it came after all and nobody denies that.
    """
    order = await connection.fetchrow(
        """SELECT status, total, EXISTS (
               SELECT 1 FROM shipments s WHERE s.shop = o.shop AND s.order_id = o.order_id
                 AND s.tracking_number = $3 AND s.delivered_at IS NOT NULL AND s.denied_at IS NULL) AS arrived
           FROM orders o WHERE shop = $1 AND order_id = $2""",
        remedy.shop,
        remedy.order_id,
        remedy.part,
    )
    gone = await _gone(connection, remedy.shop, remedy.order_id, remedy.part)
    left = max(min(remedy.amount, order["total"] - gone), Decimal(0))
    arrived = "parcel_arrived" if order["arrived"] else None
    return left, _over(order["status"], order["total"], gone) or arrived


def _over(status: str, total: Decimal, gone: Decimal) -> str | None:
    if status == "cancelled":
        return "order_cancelled"
    return "already_refunded" if 0 < total <= gone else None


async def _gone(connection: Connection, shop: str, order_id: str, part: str) -> Decimal:
    gone: Decimal = await connection.fetchval(_GONE, shop, order_id, part)
    return gone


async def _held(connection: Connection, step: RemedyStep, *, total: Decimal, currency: str, gone: Decimal) -> Worth:
    lines = await connection.fetch(_LINES, step.shop, step.order_id)
    rows = await connection.fetch(_PARCELS, step.shop, step.order_id, step.part, ParcelStatus.CANCELLED)
    parcels: dict[str, Sequence[str] | None] = {row["tracking_number"]: row["skus"] for row in rows}
    # The journey may have heard of the contents what the tables have not, and of a parcel that they lack.
    parcels[step.part] = step.skus or parcels.get(step.part)
    return worth(
        [Bought(row["sku"], row["quantity"], row["unit_price"], row["kind"] == "physical") for row in lines],
        parcels,
        step.part,
        total=total,
        gone=gone,
        digits=minor_units(currency),
    )


def _remedy(row: asyncpg.Record) -> Remedy:
    values = dict(row)
    return Remedy(
        **values
        | {
            "skus": tuple((sku, quantity) for sku, quantity in json.loads(values["skus"])),
            "options": tuple(Choice(option) for option in values["options"]),
            "otherwise": Choice(values["otherwise"]) if values["otherwise"] else None,
            "status": Stand(values["status"]),
            "choice": Choice(values["choice"]) if values["choice"] else None,
            "chosen_by": By(values["chosen_by"]) if values["chosen_by"] else None,
        }
    )
