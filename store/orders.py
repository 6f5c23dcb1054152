"""Orders with their lines and reviews. Every write may be repeated without harm.

Functions take a connection inside the caller's transaction and answer what the journey has to be told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from journey import events
from journey.base import LONGEST
from journey.order import Buyer, LineFacts, LineKind, OrderFacts
from journey.zones import RELEASE
from store import deliveries, intake, lanes, line_facts, order_contacts, order_numbers, people, promises, refunds, sums
from store.money import in_currency
from store.of_order import ITS_CUSTOMER
from store.pool import Connection, Pool

REPLACEMENT = "replacement"
"""The channel of an order that was made to replace another: nobody bought again."""


_LOOK = """
SELECT EXISTS (SELECT FROM orders
               WHERE shop = $1 AND customer_id = $2 AND placed_at < $3 AND order_id <> $4) AS known,
       EXISTS (SELECT FROM shipments WHERE shop = $1) AS tells,
       (SELECT samples FROM dispatch_habits WHERE shop = $1) AS samples,
       (SELECT within_seconds FROM dispatch_habits WHERE shop = $1) AS within_seconds
"""
# The order and its lines in one trip; no row where the order was there before.
_CREATE = """
WITH new AS (
    INSERT INTO orders (shop, order_id, customer_id, placed_at, channel, currency, total, buyer, playbook, replaces,
                        collected)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, nullif($10, ''), $17) ON CONFLICT DO NOTHING RETURNING *),
written AS (
    INSERT INTO lines (shop, order_id, position, sku, title, quantity, unit_price, category, kind)
    SELECT shop, order_id, place - 1, sku, title, quantity, unit_price, category, kind
    FROM new, unnest($11::text[], $12::text[], $13::int[], $14::numeric[], $15::text[], $16::text[])
              WITH ORDINALITY AS line (sku, title, quantity, unit_price, category, kind, place))
SELECT new.placed_at, channel, currency, total, buyer, playbook, collected, ended_at, country, time_zone,
       false AS edited
FROM new JOIN customers USING (shop, customer_id)
"""
_KEPT = f"""
SELECT placed_at, channel, currency, total, buyer, playbook, collected, ended_at, country, time_zone,
       edited_at IS NOT NULL AS edited
FROM orders o {ITS_CUSTOMER} WHERE o.shop = $1 AND o.order_id = $2
"""  # noqa: S608  a constant
_KEPT_LINES = "SELECT sku, quantity, category, kind FROM lines WHERE shop = $1 AND order_id = $2 ORDER BY position"


@dataclass(frozen=True, slots=True)
class Placed:
    """An order as it was first written down, with the digest of the playbook it pinned then.

    `ended` when its journey wrote down its end, so that none is to be started, even where Temporal forgot it.
    `tell` is what the journey is to be told where it runs already.
    """

    facts: OrderFacts
    playbook: str
    ended: bool
    new: bool
    tell: tuple[events.Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What the customer bought at this shop next to one of their orders, by the moments of it; ids."""

    before: str | None
    after: str | None
    after_placed_at: datetime | None


async def create(
    connection: Connection,
    event: intake.OrderCreated,
    *,
    playbook: str,
    received_at: datetime,
    ahead: bool = False,
    again: bool = False,
) -> Placed:
    """Write an order down with its customer, consent and lines; a second time answers what the first one wrote.

    A buyer is a repeat buyer when an order of theirs was placed earlier, or the shop has counted more than one. Who
    gets a replacement has not bought again, and stays what they were.

    Args:
        connection: in a transaction.
        event: the order.
        playbook: the digest it pins when it is new.
        received_at: when it came; an order dated later was placed then.
        ahead: whether an order may be dated ahead all the same, where journeys have clocks that run ahead.
        again: whether an earlier try may have written it down and got no further.
    """
    before = await order_contacts.reached(connection, event.shop, event.order_id)
    event = _of_the_same_guest(event, before)
    customer = event.customer
    placed_at = event.at if ahead else min(event.at, received_at)
    await people.remember(
        connection,
        event.shop,
        customer,
        at=min(event.at, received_at),
        source=event.type,
        evidence=f"order {event.order_id}",
    )
    looked = await connection.fetchrow(_LOOK, event.shop, customer.customer_id, placed_at, event.order_id)
    buyer = Buyer.REPEAT if looked["known"] or (customer.orders_count or 0) > 1 else Buyer.FIRST
    if event.replaces is not None:
        buyer = await _buyer_before(connection, event, placed_at) or buyer
    kept = await connection.fetchrow(
        _CREATE,
        event.shop,
        event.order_id,
        customer.customer_id,
        placed_at,
        event.channel if event.replaces is None else REPLACEMENT,
        event.currency,
        event.total,
        buyer,
        playbook,
        event.replaces,
        *_columns(event.lines),
        event.delivery.collected,
    )
    lines = tuple(LineFacts(sku=n.sku, quantity=n.quantity, category=n.category, kind=n.kind) for n in event.lines)
    await deliveries.write(connection, event.shop, event.order_id, event.delivery)
    new = kept is not None
    known = {} if new else await line_facts.read(connection, event.shop, event.order_id)
    await line_facts.write(connection, event.shop, event.order_id, event.lines, known)
    if kept is None:
        kept = await connection.fetchrow(_KEPT, event.shop, event.order_id)
        rows = await connection.fetch(_KEPT_LINES, event.shop, event.order_id)
        lines = tuple(LineFacts(**(dict(row) | {"kind": LineKind(row["kind"])})) for row in rows)
    if event.sums is not None and not kept["edited"]:
        await sums.say(connection, event.shop, event.order_id, event, currency=event.currency, at=event.at)
    tell = await _as_known(connection, event, before, again=again)
    learnt = lanes.dispatch_habit(looked["samples"], looked["within_seconds"])
    facts = OrderFacts(
        shop=event.shop,
        order_id=event.order_id,
        placed_at=kept["placed_at"],
        channel=kept["channel"],
        currency=kept["currency"],
        total=kept["total"],
        country=kept["country"],
        time_zone=kept["time_zone"],
        buyer=Buyer(kept["buyer"]),
        # A shop that tells of no parcels never dispatches late; of one that does, the playbook says until it is learnt.
        dispatch_within=learnt if learnt is not None or looked["tells"] else LONGEST,
        zone_rules=RELEASE,
        collected=kept["collected"],
        number=event.number if new else await order_numbers.known(connection, event.shop, event.order_id),
        lines=lines,
    )
    if new:
        await promises.make(connection, event, facts, dispatch_within=learnt)
    return Placed(facts, kept["playbook"], ended=kept["ended_at"] is not None, new=new, tell=() if new else tuple(tell))


async def end(connection: Connection, shop: str, order_id: str, *, now: datetime, why: str) -> None:
    """Write down that an order's journey is over, or never begins, if nothing says so yet."""
    await connection.execute(
        """UPDATE orders SET ended_at = coalesce(ended_at, $3), ended_why = coalesce(ended_why, $4)
           WHERE shop = $1 AND order_id = $2""",
        shop,
        order_id,
        now,
        why,
    )


async def exists(connection: Connection, shop: str, order_id: str) -> bool:
    """Whether the order is known."""
    return bool(await connection.fetchval("SELECT true FROM orders WHERE shop = $1 AND order_id = $2", shop, order_id))


async def ended(pool: Pool, shop: str, order_id: str) -> bool:
    """Whether the order's journey wrote down its end."""
    return bool(
        await pool.fetchval("SELECT ended_at IS NOT NULL FROM orders WHERE shop = $1 AND order_id = $2", shop, order_id)
    )


async def neighbours(pool: Pool, shop: str, order_id: str) -> Neighbours:
    """The customer's orders at this shop just before and just after this one, whatever became of their journeys.

    Replacements are none of them.
    """
    row = await pool.fetchrow(
        """SELECT before.order_id AS before, after.order_id AS after, after.placed_at AS after_placed_at
           FROM orders mine
           LEFT JOIN LATERAL (
               SELECT order_id FROM orders other
               WHERE other.shop = mine.shop AND other.customer_id = mine.customer_id AND other.channel <> $3
                 AND (other.placed_at, other.order_id) < (mine.placed_at, mine.order_id)
               ORDER BY placed_at DESC, order_id DESC LIMIT 1) before ON true
           LEFT JOIN LATERAL (
               SELECT order_id, placed_at FROM orders other
               WHERE other.shop = mine.shop AND other.customer_id = mine.customer_id AND other.channel <> $3
                 AND (other.placed_at, other.order_id) > (mine.placed_at, mine.order_id)
               ORDER BY placed_at, order_id LIMIT 1) after ON true
           WHERE mine.shop = $1 AND mine.order_id = $2""",
        shop,
        order_id,
        REPLACEMENT,
    )
    return Neighbours(**row) if row is not None else Neighbours(None, None, None)


async def edit(
    connection: Connection, event: intake.OrderEdited, *, again: bool = False
) -> tuple[list[events.Event], bool]:
    """Write an edit down; what to tell the journey, and whether the order changed by it.

    An edit older than the newest one known changes nothing and has nothing to tell, but for what nothing was known of.
    """
    reached = await order_contacts.reached(connection, event.shop, event.order_id)
    told = await _as_known(connection, event, reached, again=again)
    order = await connection.fetchrow(
        "SELECT total, currency, edited_at FROM orders WHERE shop = $1 AND order_id = $2 FOR UPDATE",
        event.shop,
        event.order_id,
    )
    # What says no currency is in the order's.
    event = in_currency(event, order["currency"])
    if order["edited_at"] is not None and order["edited_at"] > event.at:
        return told, bool(told)
    before = await _lines(connection, event.shop, event.order_id)
    after = [(n.sku, n.title or n.sku, n.quantity, n.unit_price, n.category, n.kind.value) for n in event.lines]
    changed = before != after or order["total"] != event.total
    await connection.execute(
        "UPDATE orders SET total = $3, edited_at = $4 WHERE shop = $1 AND order_id = $2",
        event.shop,
        event.order_id,
        event.total,
        event.at,
    )
    known = await line_facts.read(connection, event.shop, event.order_id)
    if changed:
        await connection.execute("DELETE FROM lines WHERE shop = $1 AND order_id = $2", event.shop, event.order_id)
        await _write_lines(connection, event.shop, event.order_id, event.lines)
    await line_facts.write(connection, event.shop, event.order_id, event.lines, known)
    if changed or event.sums is not None:
        currency = event.currency or order["currency"]
        await sums.say(connection, event.shop, event.order_id, event, currency=currency, at=event.at)
    facts = tuple(LineFacts(sku=n.sku, quantity=n.quantity, category=n.category, kind=n.kind) for n in event.lines)
    edited = events.OrderEdited(at=event.at, total=event.total, lines=facts)
    completing = await refunds.completing(connection, event.shop, event.order_id)
    tell: list[events.Event] = [edited] if completing is None else [edited, completing]
    return [*tell, *told], changed or bool(told)


async def _as_known(
    connection: Connection,
    event: intake.OrderCreated | intake.OrderEdited,
    before: order_contacts.Reached | None,
    *,
    again: bool,
) -> list[events.Event]:
    """Write down how its customer knows the order and is reached about it; what to tell the journey of both.

    `before` is where its messages went until now, None where it was not there.
    """
    tell: list[events.Event] = []
    order = (event.shop, event.order_id)
    email, phone = event.email, event.phone
    if isinstance(event, intake.OrderCreated) and before and before.customer_id != event.customer.customer_id:
        # Another guest by another address: the order stays whose it was, and was given this address.
        email, phone = email or event.customer.email, phone or event.customer.phone
    await order_contacts.say(connection, *order, email=email, phone=phone, at=event.at)
    if before is not None:
        tell += await readdressed(connection, *order, before, at=event.at, again=again)
    if await order_numbers.say(connection, *order, event.number, at=event.at, again=again) and event.number:
        tell.append(events.OrderNumbered(at=event.at, number=event.number))
    return tell


async def cancel(connection: Connection, event: intake.OrderCancelled) -> list[events.Event]:
    """Write a cancellation down; what to tell the journey."""
    await connection.execute(
        """UPDATE orders SET status = 'cancelled', cancelled_at = least(cancelled_at, $3)
           WHERE shop = $1 AND order_id = $2""",
        event.shop,
        event.order_id,
        event.at,
    )
    return [events.OrderCancelled(at=event.at)]


async def review(connection: Connection, event: intake.ReviewPosted) -> list[events.Event]:
    """Write a review down; what to tell the journey (its text stays here)."""
    await connection.execute(
        """INSERT INTO reviews (shop, order_id, sku, rating, body, at) VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT DO NOTHING""",
        event.shop,
        event.order_id,
        event.sku,
        event.rating,
        event.text or None,
        event.at,
    )
    return [events.ReviewPosted(at=event.at, rating=event.rating, sku=event.sku)]


async def readdressed(
    connection: Connection, shop: str, order_id: str, before: order_contacts.Reached, *, at: datetime, again: bool
) -> list[events.Event]:
    """What to tell a journey whose messages may go now, after something was written down; `before` is from before it.

    `again`: an earlier try may have written it down and got no further.
    """
    after = await order_contacts.reached(connection, shop, order_id)
    better = after is not None and (again or after.better_than(before))
    return [events.AddressGiven(at=at)] if better and await order_contacts.missed(connection, shop, order_id) else []


def _of_the_same_guest(event: intake.OrderCreated, before: order_contacts.Reached | None) -> intake.OrderCreated:
    """The order with its guest as they were named first, where nothing but the order named them."""
    if before is None or before.customer_id != f"guest-order-{event.order_id}":
        return event
    customer_id = event.customer.customer_id or ""
    if not customer_id.startswith("guest-"):
        return event
    customer = event.customer.model_copy(update={"customer_id": before.customer_id})
    return event.model_copy(update={"customer": customer})


async def _buyer_before(connection: Connection, event: intake.OrderCreated, placed_at: datetime) -> Buyer | None:
    """What the buyer was at the order that this one replaces, or at their last one where nobody says which that is."""
    found = await connection.fetchval(
        """SELECT buyer FROM orders
           WHERE shop = $1 AND order_id <> $2 AND (order_id = $3 OR customer_id = $4 AND placed_at < $5)
           ORDER BY order_id = $3 DESC, placed_at DESC LIMIT 1""",
        event.shop,
        event.order_id,
        event.replaces,
        event.customer.customer_id,
        placed_at,
    )
    return Buyer(found) if found is not None else None


async def _lines(connection: Connection, shop: str, order_id: str) -> list[tuple[object, ...]]:
    rows = await connection.fetch(
        """SELECT sku, title, quantity, unit_price, category, kind FROM lines
           WHERE shop = $1 AND order_id = $2 ORDER BY position""",
        shop,
        order_id,
    )
    return [tuple(row) for row in rows]


async def _write_lines(connection: Connection, shop: str, order_id: str, lines: Sequence[intake.Line]) -> None:
    await connection.execute(
        """INSERT INTO lines (shop, order_id, position, sku, title, quantity, unit_price, category, kind)
           SELECT $1, $2, place - 1, sku, title, quantity, unit_price, category, kind
           FROM unnest($3::text[], $4::text[], $5::int[], $6::numeric[], $7::text[], $8::text[])
                WITH ORDINALITY AS line (sku, title, quantity, unit_price, category, kind, place)""",
        shop,
        order_id,
        *_columns(lines),
    )


def _columns(lines: Sequence[intake.Line]) -> tuple[list[object], ...]:
    """What the table of lines keeps of each, column by column: SKU, title, quantity, price, category, kind."""
    return (
        [line.sku for line in lines],
        [line.title or line.sku for line in lines],
        [line.quantity for line in lines],
        [line.unit_price for line in lines],
        [line.category for line in lines],
        [line.kind.value for line in lines],
    )
