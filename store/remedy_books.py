"""What an order's books say for its remedies: what it was given back already, and what its other remedies claim."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from journey.made_good import Claim, Given, Thing, Verdict, judge, same, together
from journey.remedies import Bought, Choice, Stand
from store import refunds
from store.cleaning import minor_units
from store.pool import Connection
from store.remedy_goods import bought, units
from store.remedy_rows import COLUMNS, Remedy, remedy_of
from store.sums import read as read_sums

# Money that is on its way is as good as paid.
_REFUNDS = """
SELECT refund_id, amount, coalesce(r.currency, o.currency) AS currency, whole, at, units,
       o.currency AS own, o.total, o.sums
FROM refunds r JOIN orders o USING (shop, order_id) WHERE shop = $1 AND order_id = $2 AND r.status <> 'failed'
"""
# Orders that name this one, and free ones of the same customer since: of these nobody says what they are for.
_REPLACEMENTS = """
SELECT other.order_id, other.placed_at, coalesce(other.replaces = mine.order_id, false) AS linked,
       (SELECT json_agg(json_build_array(sku, quantity)) FROM
            (SELECT sku, sum(quantity)::int AS quantity FROM lines
             WHERE shop = other.shop AND order_id = other.order_id GROUP BY sku ORDER BY sku) held) AS units
FROM orders mine JOIN orders other ON other.shop = mine.shop AND other.order_id <> mine.order_id
    AND (other.replaces = mine.order_id
         OR other.replaces IS NULL AND other.customer_id = mine.customer_id AND other.total = 0
            AND other.placed_at > mine.placed_at)
WHERE mine.shop = $1 AND mine.order_id = $2 AND other.status <> 'cancelled'
"""
_OTHERS = f"""
SELECT {COLUMNS} FROM remedies
WHERE shop = $1 AND order_id = $2 AND part <> $3 AND status NOT IN ('withdrawn', 'declined', 'failed')
"""  # noqa: S608  our own names
_ARRIVED = """
SELECT EXISTS (
    SELECT 1 FROM shipments p WHERE shop = $1 AND order_id = $2 AND tracking_number = $3
       AND delivered_at IS NOT NULL AND denied_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM scans s
                       WHERE s.shop = p.shop AND s.order_id = p.order_id AND s.tracking_number = p.tracking_number
                         AND s.status IN ('returning', 'returned') AND s.occurred_at > p.delivered_at)) AS arrived,
  EXISTS (SELECT FROM shipments WHERE shop = $1 AND order_id = $2 AND tracking_number = $3 AND left_out) AS left_out
"""
# What was sent before its order was cancelled is made good like any other parcel.
CALLED_OFF = """
SELECT total, currency, status = 'cancelled' AND NOT EXISTS (
    SELECT FROM shipments s WHERE s.shop = o.shop AND s.order_id = o.order_id AND s.tracking_number = $3
       AND s.created_at <= o.cancelled_at) AS called_off
FROM orders o WHERE shop = $1 AND order_id = $2
"""


@dataclass(frozen=True, slots=True)
class Books:
    """What the tables say of an order that matters for one of its remedies.

    `given` is what the shop told that it gave back, without what was made for this remedy; `claims` are the order's
    other remedies, whose `keys` the shop may know something by.
    """

    lines: Sequence[Bought]
    given: Sequence[Given]
    claims: Sequence[Claim]

    def judge(
        self,
        thing: Thing,
        total: Decimal,
        currency: str,
        *,
        booked: Sequence[Given] = (),
        known: Collection[str] = (),
    ) -> Verdict:
        """What is left of the thing; `booked` is what the shop's own books have given back, see `made_good.judge`."""
        given = together(self.given, booked)
        digits = minor_units(currency)
        return judge(thing, self.lines, given, self.claims, total=total, digits=digits, known=known)


@dataclass(frozen=True, slots=True)
class Situation:
    """The order of a remedy as the tables have it.

    `cancelled` where that was before the parcel left, `arrived` when it came after all and nobody denies that,
    `left_out` where the shop has taken the parcel out of the order: its goods may be under way under another number.
    """

    books: Books
    total: Decimal
    cancelled: bool
    arrived: bool
    left_out: bool


async def situation(connection: Connection, remedy: Remedy) -> Situation:
    """What the tables say of a remedy's order, now."""
    place = (remedy.shop, remedy.order_id)
    order = await connection.fetchrow(CALLED_OFF, *place, remedy.part)
    books = await books_of(connection, *place, remedy.part)
    came = await connection.fetchrow(_ARRIVED, *place, remedy.part)
    ours = [*remedy.made, *([remedy.reference] if remedy.reference else [])]
    theirs = [one for one in books.given if not any(same(one.reference, own) for own in ours)]
    return Situation(
        replace(books, given=theirs), order["total"], order["called_off"], came["arrived"], came["left_out"]
    )


async def books_of(connection: Connection, shop: str, order_id: str, part: str) -> Books:
    """The books of an order for the remedy of one of its parcels."""
    paid_back = await connection.fetch(_REFUNDS, shop, order_id)
    replacements = await connection.fetch(_REPLACEMENTS, shop, order_id)
    given = [
        Given(
            what=Choice.REFUND,
            reference=row["refund_id"],
            amount=_worth(row),
            units=units(row["units"]),
            at=row["at"],
        )
        for row in paid_back
    ]
    given += [
        Given(
            what=Choice.REPLACEMENT,
            reference=row["order_id"],
            units=units(row["units"]),
            at=row["placed_at"],
            linked=row["linked"],
        )
        for row in replacements
    ]
    others = [remedy_of(row) for row in await connection.fetch(_OTHERS, shop, order_id, part)]
    lines = await bought(connection, shop, order_id)
    return Books(lines, given, [_claim(other) for other in others])


def _worth(row: Mapping[str, Any]) -> Decimal:
    """A refund's sum in the order's own currency; all of the total where the shop says no more than that it was all."""
    if row["whole"] and not row["amount"]:
        return Decimal(row["total"])
    refund = refunds.Refund(row["amount"], row["currency"])
    return refunds.in_own(refund, row["own"], row["total"], read_sums(row["sums"]))


def _claim(other: Remedy) -> Claim:
    return Claim(
        units=other.skus,
        worth=other.amount,
        paid_back=other.status is Stand.DONE and other.choice is Choice.REFUND,
        references=(*other.made, *([other.reference] if other.reference else [])),
        keys=other.keys,
    )
