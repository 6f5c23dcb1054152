"""Remedies, a row for each parcel that will not come. Whoever writes the row's choice first has it.

The choice and its way to the journey are one transaction: the row, and `remedy.chosen` in the inbox.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

import asyncpg

from journey.made_good import Claim, Given, Thing, Verdict, judge, same, together
from journey.remedies import Bought, By, Choice, RemedyRequest, RemedyStep, Stand, remedy_id
from store import inbox
from store.cleaning import minor_units
from store.parcel_events import RemedyChosen
from store.pool import Connection, Pool
from store.remedy_goods import bought, held, units

SOURCE = "remedy"
"""The source of choices in the inbox."""

_COLUMNS = """shop, order_id, part, reason, playbook, skus, amount, currency, options, sure, otherwise, status,
    offered_at, choose_by, choice, chosen_by, operator, chosen_at, approved_by, approved_at, reservation, reference,
    coupon, failure, known, made, turn"""
_GET = f"SELECT {_COLUMNS} FROM remedies WHERE shop = $1 AND order_id = $2 AND part = $3"  # noqa: S608  our own names
# One that was withdrawn before anybody chose is offered anew where the journey asks for it: its reason has come back.
_OFFER = f"""
INSERT INTO remedies (shop, order_id, part, reason, playbook, skus, amount, currency, options, sure, status, failure,
                      offered_at, choose_by, otherwise, known)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
ON CONFLICT (shop, order_id, part) DO UPDATE SET
    reason = excluded.reason, playbook = excluded.playbook, skus = excluded.skus, amount = excluded.amount,
    currency = excluded.currency, options = excluded.options, sure = excluded.sure, status = excluded.status,
    failure = excluded.failure, offered_at = excluded.offered_at, choose_by = excluded.choose_by,
    otherwise = excluded.otherwise, known = excluded.known, updated_at = now()
WHERE remedies.status = 'withdrawn' AND remedies.choice IS NULL AND remedies.offered_at < excluded.offered_at
RETURNING {_COLUMNS}
"""  # noqa: S608  our own names
# Two choices at the same moment: the second one waits for the first one's row and then finds it chosen.
_CHOOSE = """
UPDATE remedies SET choice = $4, chosen_by = $5, operator = $6, chosen_at = $7, status = 'chosen', failure = NULL,
    updated_at = now()
WHERE shop = $1 AND order_id = $2 AND part = $3 AND choice IS NULL AND $4 = ANY(options)
  AND (status = 'offered' AND ($5 IN ('operator', 'default') OR choose_by > $7)
       OR status = 'withdrawn' AND failure = 'no_shop_api' AND $5 = 'operator')
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
WHERE (o.shop, o.order_id) IN (
    SELECT shop, order_id FROM customers JOIN orders USING (shop, customer_id)
     WHERE customers.phone = $1 AND orders.contact_phone IS NULL
    UNION ALL SELECT shop, order_id FROM orders WHERE contact_phone = $1)
  AND r.status = 'offered' AND r.choose_by > $2 AND ($3::text IS NULL OR r.shop = $3)
ORDER BY r.shop, r.order_id, r.part
"""
# Money that is on its way is as good as paid; of a sum in another currency nobody here knows what it comes to.
_REFUNDS = """
SELECT refund_id, CASE WHEN coalesce(r.currency, o.currency) = o.currency THEN amount ELSE 0 END AS amount, at, units
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
SELECT {_COLUMNS} FROM remedies
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
# Its delivery is denied; or another remedy's parcel was taken out since, which may be this one under a wrong number.
_DOUBTED = """
SELECT EXISTS (SELECT 1 FROM shipments WHERE shop = $1 AND order_id = $2 AND tracking_number = $3
                 AND denied_at IS NOT NULL)
    OR EXISTS (SELECT FROM remedies r JOIN shipments s USING (shop, order_id)
               WHERE shop = $1 AND order_id = $2 AND r.part <> $3 AND s.tracking_number = r.part AND s.left_out
                 AND r.status NOT IN ('withdrawn', 'declined', 'failed'))
"""
# What was sent before its order was cancelled is made good like any other parcel.
_CALLED_OFF = """
SELECT total, currency, status = 'cancelled' AND NOT EXISTS (
    SELECT FROM shipments s WHERE s.shop = o.shop AND s.order_id = o.order_id AND s.tracking_number = $3
       AND s.created_at <= o.cancelled_at) AS called_off
FROM orders o WHERE shop = $1 AND order_id = $2
"""
MOST_TURNS: Final = 3
"""So many replacements of one remedy are looked for, where it is not known how many were begun."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """A row. `amount` is in `currency`; moments are UTC; what has not happened yet is None.

    `skus` is each SKU with how many of it. `otherwise` is what is done when nobody chooses in time; None leaves it to a
    person. `operator` is who of the shop's people chose, `failure` the rule by which
    it did not go as chosen. `known` are the names of what had been given back when it was offered, `made` every id of
    what the shop made for it, `turn` how often a replacement was begun.
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
    known: tuple[str, ...]
    made: tuple[str, ...]
    turn: int

    @property
    def request(self) -> RemedyRequest:
        """Its saga's, as its choice began it."""
        at = self.chosen_at or self.offered_at
        return RemedyRequest(shop=self.shop, order_id=self.order_id, part=self.part, playbook=self.playbook, at=at)

    @property
    def keys(self) -> list[str]:
        """The keys under which the shop may have made a refund or a replacement for it."""
        turns = range(1, max(self.turn, MOST_TURNS) + 1)
        return [self.request.refund_key, *(self.request.replacement_key(turn) for turn in turns)]


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


async def offer(
    connection: Connection, step: RemedyStep, *, otherwise: Choice | None = None, unoffered: str | None = None
) -> Remedy | None:
    """Offer a remedy, once: what there is already stays as it is. None when there is no such order.

    One that was withdrawn before anybody chose is offered again when it is asked for later. An order that was paid
    back, or cancelled before the parcel left, has nothing left to be made good: its remedy is withdrawn from the start.

    Args:
        connection: in a transaction.
        step: the parcel, why, and until when there is a choice.
        otherwise: what is done when nobody chooses in time; None leaves it to a person.
        unoffered: why the customer is not to be asked, though there is something to offer: it is withdrawn at once.
    """
    order = await connection.fetchrow(f"{_CALLED_OFF} FOR UPDATE", step.shop, step.order_id, step.part)
    if order is None:
        return None
    place = (step.shop, step.order_id, step.part)
    inside = await held(connection, step, total=order["total"], currency=order["currency"])
    books = await _books(connection, step.shop, step.order_id, step.part)
    verdict = books.judge(Thing(inside.skus, inside.amount), order["total"], order["currency"])
    over = "order_cancelled" if order["called_off"] else verdict.over
    if not verdict.units and not verdict.amount:
        over = over or "nothing_to_offer"
    options = ([Choice.REPLACEMENT] if verdict.units else []) + ([Choice.REFUND] if verdict.amount else [])
    await connection.execute(
        _OFFER,
        step.shop,
        step.order_id,
        step.part,
        step.reason,
        step.playbook,
        json.dumps(verdict.units),
        verdict.amount,
        order["currency"],
        options,
        # A person looks before anything is spent.
        inside.sure and not verdict.concerns and not await connection.fetchval(_DOUBTED, *place),
        Stand.WITHDRAWN if over or unoffered else Stand.OFFERED,
        over or unoffered,
        step.at,
        step.choose_by,
        otherwise if otherwise in options else None,
        list(verdict.seen),
    )
    return await get(connection, step.shop, step.order_id, step.part)


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
            What was not offered for want of an API may be chosen by people of the shop, who then do it by hand.
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


async def open_for(
    connection: Connection, number: str, *, now: datetime, shop: str | None = None
) -> list[tuple[str, str, str]]:
    """The offers (shop, order id, part) of whoever has that number (E.164) that are still open, there or anywhere."""
    return [tuple(row) for row in await connection.fetch(_OPEN_FOR, number, now, shop)]


async def listed(
    pool: Pool, *, shop: str | None = None, order_id: str | None = None, still_open: bool = False, limit: int = 1000
) -> list[Remedy]:
    """Remedies, the newest offer first; `still_open` leaves out those that have ended."""
    return [_remedy(row) for row in await pool.fetch(_LIST, shop, order_id, still_open, limit)]


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
    order = await connection.fetchrow(_CALLED_OFF, *place, remedy.part)
    books = await _books(connection, *place, remedy.part)
    came = await connection.fetchrow(_ARRIVED, *place, remedy.part)
    ours = [*remedy.made, *([remedy.reference] if remedy.reference else [])]
    theirs = [one for one in books.given if not any(same(one.reference, own) for own in ours)]
    return Situation(
        replace(books, given=theirs), order["total"], order["called_off"], came["arrived"], came["left_out"]
    )


async def _books(connection: Connection, shop: str, order_id: str, part: str) -> Books:
    refunds = await connection.fetch(_REFUNDS, shop, order_id)
    replacements = await connection.fetch(_REPLACEMENTS, shop, order_id)
    given = [
        Given(
            what=Choice.REFUND,
            reference=row["refund_id"],
            amount=row["amount"],
            units=units(row["units"]),
            at=row["at"],
        )
        for row in refunds
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
    others = [_remedy(row) for row in await connection.fetch(_OTHERS, shop, order_id, part)]
    lines = await bought(connection, shop, order_id)
    return Books(lines, given, [_claim(other) for other in others])


def _claim(other: Remedy) -> Claim:
    return Claim(
        units=other.skus,
        worth=other.amount,
        paid_back=other.status is Stand.DONE and other.choice is Choice.REFUND,
        references=(*other.made, *([other.reference] if other.reference else [])),
        keys=other.keys,
    )


def _remedy(row: asyncpg.Record) -> Remedy:
    values = dict(row)
    return Remedy(
        **values
        | {
            "skus": units(values["skus"]),
            "known": tuple(values["known"]),
            "made": tuple(values["made"]),
            "options": tuple(Choice(option) for option in values["options"]),
            "otherwise": Choice(values["otherwise"]) if values["otherwise"] else None,
            "status": Stand(values["status"]),
            "choice": Choice(values["choice"]) if values["choice"] else None,
            "chosen_by": By(values["chosen_by"]) if values["chosen_by"] else None,
        }
    )
