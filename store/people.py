"""Customers and what they agreed to. Consent is a history: every answer is a row, the newest one holds."""

from dataclasses import dataclass, replace
from datetime import datetime

from journey.consent import Answer, How, word_that_holds
from journey.playbook import Channel, Purpose
from store import consents
from store.consents import Evidence
from store.intake import Customer
from store.of_order import ITS_CUSTOMER
from store.pool import Connection, Pool
from store.standing import NUMBERS, Standing, standing

# A newer word replaces what is known, a late one only fills gaps; a region and a time zone go with their country. Of
# somebody new what nobody said is as the shop's file assumes it. Judged where the row is locked: of two first words at
# the same moment, one finds the other's row. A statement does not see what itself writes, so `new` is whether there was
# no such customer before it; whoever writes one down holds their lock.
_UPSERT = """
INSERT INTO customers AS known (shop, customer_id, email, phone, first_name, locale, time_zone, country, updated_at,
                                region)
SELECT $1, $2, $3, $4, $5, coalesce($6, assumed.locale, 'en'),
       coalesce($7, CASE WHEN $8::text IS NULL THEN assumed.time_zone END), coalesce($8, assumed.country), $9, $10
FROM (VALUES (1)) one LEFT JOIN shops assumed ON assumed.shop = $1
ON CONFLICT (shop, customer_id) DO UPDATE SET
    email = CASE WHEN $9 >= known.updated_at THEN coalesce($3, known.email) ELSE coalesce(known.email, $3) END,
    phone = CASE WHEN $9 >= known.updated_at THEN coalesce($4, known.phone) ELSE coalesce(known.phone, $4) END,
    first_name = CASE WHEN ($9 >= known.updated_at AND $5 <> '') OR known.first_name = '' THEN $5
                      ELSE known.first_name END,
    locale = CASE WHEN $9 >= known.updated_at THEN coalesce($6, known.locale) ELSE known.locale END,
    time_zone = CASE WHEN $9 >= known.updated_at AND $7::text IS NULL AND $8 <> known.country THEN NULL
                     WHEN $9 >= known.updated_at THEN coalesce($7, known.time_zone)
                     ELSE coalesce(known.time_zone, $7) END,
    country = CASE WHEN $9 >= known.updated_at THEN coalesce($8, known.country) ELSE coalesce(known.country, $8) END,
    region = CASE WHEN $8 <> known.country THEN CASE WHEN $9 >= known.updated_at THEN $10 ELSE known.region END
                  WHEN $9 >= known.updated_at THEN coalesce($10, known.region) ELSE coalesce(known.region, $10) END,
    updated_at = greatest(known.updated_at, $9)
RETURNING country, NOT EXISTS (SELECT FROM customers old WHERE old.shop = $1 AND old.customer_id = $2) AS new
"""
_CHOSEN_LOCALE = f"""
SELECT coalesce(p.locale, c.locale) FROM orders o {ITS_CUSTOMER}
LEFT JOIN preferences p ON p.shop = c.shop AND p.customer_id = c.customer_id WHERE o.shop = $1 AND o.order_id = $2
"""  # noqa: S608  a constant
_READER = """
SELECT c.*, o.contact_email FROM orders o, LATERAL (
    SELECT customer_id, email, country FROM customers
    WHERE shop = o.shop AND customer_id = o.customer_id OFFSET 0 FOR UPDATE) c
WHERE o.shop = $1 AND o.order_id = $2
"""
_EMAIL = "SELECT email FROM customers WHERE shop = $1 AND customer_id = $2"
_PHONE = "SELECT phone FROM customers WHERE shop = $1 AND customer_id = $2"
# The newest order is the likeliest to be meant.
_WHO_WRITES = """
SELECT c.shop, o.order_id, coalesce(p.locale, c.locale) AS locale, coalesce(o.number, o.order_id) AS number
FROM customers c JOIN orders o USING (shop, customer_id) LEFT JOIN preferences p USING (shop, customer_id)
WHERE (o.shop, o.order_id) IN (
    SELECT shop, order_id FROM customers JOIN orders USING (shop, customer_id) WHERE customers.phone = $1
    UNION ALL SELECT shop, order_id FROM orders WHERE contact_phone = $1)
  AND ($2::text IS NULL OR o.shop = $2)
ORDER BY o.placed_at DESC, o.order_id DESC LIMIT 1
"""

_HOW = {"order.created": How.ORDER_CHECKBOX, "customer.updated": How.SHOP_API}


async def remember(
    connection: Connection, shop: str, customer: Customer, *, at: datetime, source: str, evidence: str
) -> None:
    """Write down a customer as known at `at`, and what they answered about marketing, each answer once.

    An order's yes after an opt-out of the customer's own is kept as evidence, followed by a row `opt_out_upheld`, so
    that the newest row is the opt-out still, whatever the customer's address has become. Their own later yes
    (`customer.updated`) takes their address off the suppression list, unless it bounced or complained.

    Args:
        connection: in a transaction.
        shop: the customer's shop.
        customer: with a `customer_id`.
        at: when this was so; a later moment than the arrival's would outlive every correction, so pass neither.
        source: the kind of event that said so.
        evidence: what to look up when the consent is questioned, such as `order 1001`.
    """
    kept = await connection.fetchrow(
        _UPSERT,
        shop,
        customer.customer_id,
        customer.email,
        customer.phone,
        customer.first_name,
        customer.locale,
        customer.time_zone,
        customer.country,
        at,
        customer.region,
    )
    whose = (shop, customer.customer_id or "")
    how = _HOW.get(source, How.IMPORT)
    said = {Channel.EMAIL: customer.consent.email_marketing, Channel.SMS: customer.consent.sms_marketing}
    answers = [
        Answer(channel, Purpose.MARKETING, granted, at, how, jurisdiction=kept["country"])
        for channel, granted in said.items()
        if granted is not None
    ]
    await consents.write_all(connection, *whose, answers, Evidence(source, evidence))
    granted = [answer for answer in answers if answer.granted]
    if how is How.SHOP_API:
        await consents.mirror(connection, *whose, [answer.channel for answer in granted if answer.channel], at)
    elif granted and not kept["new"]:  # who was not known before has opted out of nothing
        await _uphold(connection, *whose, granted)


async def _uphold(connection: Connection, shop: str, customer_id: str, boxes: list[Answer]) -> None:
    """Say once more, behind each ticked box, the opt-out that it does not undo."""
    known = await standing(connection, shop, customer_id)
    for box in boxes:
        held = _held(known, box.channel) if known and box.channel else None
        if held is not None and held.own and not held.granted and held.at <= box.at:
            upheld = replace(box, granted=False, how=held.how)
            await consents.write(
                connection,
                shop,
                customer_id,
                upheld,
                Evidence("opt_out_upheld", f"{held.how} of {held.at.isoformat()}"),
            )


async def opt_out(
    pool: Pool,
    *,
    shop: str,
    order_id: str,
    at: datetime,
    how: How = How.UNSUBSCRIBE_LINK,
    source_hash: str | None = None,
) -> bool:
    """Stop marketing mail to the customer of an order, at once and for good; False when there is no such order.

    Writes the withdrawn consent (with the link's order as its evidence) and puts the address on the suppression
    list. A later order whose box is ticked by default does not undo it, see `remember`. Doing it again changes
    nothing.

    Args:
        pool: the database.
        shop: the order's shop.
        order_id: the order whose mail had the link.
        at: when, aware.
        how: by the link's page or by a mail program's one click (RFC 8058).
        source_hash: as `consents.Evidence` has it.
    """
    async with pool.acquire() as connection, connection.transaction():
        person = await connection.fetchrow(
            _READER,
            shop,
            order_id,
        )
        if person is None:
            return False
        # Written even where the consent is none already: only the link's own word outlives a later order's box.
        held = _held(await standing(connection, shop, person["customer_id"]), Channel.EMAIL)
        if held is None or held.granted or not held.own:
            said = Answer(
                Channel.EMAIL, Purpose.MARKETING, False, at, how, jurisdiction=person["country"], confirmed=True
            )
            evidence = Evidence(how.value, f"order {order_id}", source_hash=source_hash)
            await consents.write(connection, shop, person["customer_id"], said, evidence)
        for address in filter(None, (person["email"], person["contact_email"])):
            await consents.suppress(connection, shop, Channel.EMAIL, address, at=at)
    return True


@dataclass(frozen=True, slots=True)
class Writer:
    """Somebody who wrote to us, as far as we know them: their newest order, and the language they read.

    `number` is what the shop shows of that order, its id where that is all.
    """

    shop: str
    order_id: str
    locale: str
    number: str


async def writer(connection: Connection, number: str, *, shop: str | None = None) -> Writer | None:
    """Whoever has that number (E.164) and ordered last, with `shop` there alone; None when nobody has."""
    row = await connection.fetchrow(_WHO_WRITES, number, shop)
    return Writer(**row) if row is not None else None


async def locale_of(pool: Pool, shop: str, order_id: str) -> str | None:
    """The language of an order's customer: the one they chose, or else the one the shop knows. None: no such order."""
    locale: str | None = await pool.fetchval(_CHOSEN_LOCALE, shop, order_id)
    return locale


async def reached_at(pool: Pool, shop: str, customer_id: str, channel: Channel) -> str | None:
    """The customer's own number for SMS and WhatsApp, else their mailbox; None: no address, or no such customer."""
    address: str | None = await pool.fetchval(_PHONE if channel in NUMBERS else _EMAIL, shop, customer_id)
    return address or None


def _held(known: Standing | None, channel: Channel) -> Answer | None:
    return word_that_holds(known.answers, channel=channel, country=known.country) if known else None
