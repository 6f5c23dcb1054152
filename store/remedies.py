"""Remedies, a row for each parcel that will not come. Whoever writes the row's choice first has it.

The choice and its way to the journey are one transaction: the row, and `remedy.chosen` in the inbox.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from journey.made_good import Thing
from journey.remedies import By, Choice, RemedyStep, Stand, remedy_id
from store import inbox
from store.parcel_events import RemedyChosen
from store.pool import Connection, Pool
from store.remedy_books import CALLED_OFF, books_of
from store.remedy_goods import held
from store.remedy_rows import COLUMNS, Remedy, remedy_of

SOURCE = "remedy"
"""The source of choices in the inbox."""

_GET = f"SELECT {COLUMNS} FROM remedies WHERE shop = $1 AND order_id = $2 AND part = $3"  # noqa: S608  our own names
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
RETURNING {COLUMNS}
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
SELECT {COLUMNS} FROM remedies
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
# Its delivery is denied; or another remedy's parcel was taken out since, which may be this one under a wrong number.
_DOUBTED = """
SELECT EXISTS (SELECT 1 FROM shipments WHERE shop = $1 AND order_id = $2 AND tracking_number = $3
                 AND denied_at IS NOT NULL)
    OR EXISTS (SELECT FROM remedies r JOIN shipments s USING (shop, order_id)
               WHERE shop = $1 AND order_id = $2 AND r.part <> $3 AND s.tracking_number = r.part AND s.left_out
                 AND r.status NOT IN ('withdrawn', 'declined', 'failed'))
"""


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
    return None if row is None else remedy_of(row)


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
    order = await connection.fetchrow(f"{CALLED_OFF} FOR UPDATE", step.shop, step.order_id, step.part)
    if order is None:
        return None
    place = (step.shop, step.order_id, step.part)
    inside = await held(connection, step, total=order["total"], currency=order["currency"])
    books = await books_of(connection, step.shop, step.order_id, step.part)
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
    return [remedy_of(row) for row in await pool.fetch(_LIST, shop, order_id, still_open, limit)]
