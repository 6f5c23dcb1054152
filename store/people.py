"""Customers and what they agreed to. Consent is a history: every answer is a row, the newest one holds."""

from datetime import datetime

from store.intake import Customer
from store.pool import Connection, Pool

# A newer word replaces what is known, a late one only fills gaps. Judged where the row is locked: of two first words
# at the same moment, one finds the other's row.
_UPSERT = """
INSERT INTO customers AS known (shop, customer_id, email, phone, first_name, locale, time_zone, country, updated_at)
VALUES ($1, $2, $3, $4, $5, coalesce($6, 'en'), $7, $8, $9)
ON CONFLICT (shop, customer_id) DO UPDATE SET
    email = CASE WHEN $9 >= known.updated_at THEN coalesce($3, known.email) ELSE coalesce(known.email, $3) END,
    phone = CASE WHEN $9 >= known.updated_at THEN coalesce($4, known.phone) ELSE coalesce(known.phone, $4) END,
    first_name = CASE WHEN ($9 >= known.updated_at AND $5 <> '') OR known.first_name = '' THEN $5
                      ELSE known.first_name END,
    locale = CASE WHEN $9 >= known.updated_at THEN coalesce($6, known.locale) ELSE known.locale END,
    time_zone = CASE WHEN $9 >= known.updated_at THEN coalesce($7, known.time_zone)
                     ELSE coalesce(known.time_zone, $7) END,
    country = CASE WHEN $9 >= known.updated_at THEN coalesce($8, known.country) ELSE coalesce(known.country, $8) END,
    updated_at = greatest(known.updated_at, $9)
"""

_CONSENT = """
INSERT INTO consents (shop, customer_id, channel, purpose, granted, source, evidence, at)
SELECT $1::text, $2::text, $3::text, 'marketing', $4::boolean, $5::text, $6::text, $7::timestamptz
WHERE NOT EXISTS (
    SELECT 1 FROM consents WHERE shop = $1 AND customer_id = $2 AND channel = $3 AND purpose = 'marketing'
       AND granted = $4 AND source = $5 AND evidence IS NOT DISTINCT FROM $6 AND at = $7)
"""

# An opt-out by link that stands at a moment: no later word of the customer's own (an update of their account) took
# it back. A box at a checkout is ticked by default in many shops, so an order takes nothing back.
_STANDING_OPT_OUT = """
SELECT evidence FROM consents said
WHERE shop = $1 AND customer_id = $2 AND channel = $3 AND purpose = 'marketing' AND source = 'unsubscribe_link'
  AND NOT granted AND at <= $4 AND NOT EXISTS (
    SELECT 1 FROM consents later
    WHERE later.shop = said.shop AND later.customer_id = said.customer_id AND later.channel = said.channel
      AND later.purpose = said.purpose AND later.source = 'customer.updated' AND later.granted
      AND later.at <= $4 AND (later.at, later.id) > (said.at, said.id))
ORDER BY at DESC, id DESC LIMIT 1
"""

_OPT_OUT = """
INSERT INTO suppressions (shop, channel, address, reason, at) VALUES ($1, 'email', lower($2), 'opted_out', $3)
ON CONFLICT (shop, channel, address) DO NOTHING
"""


async def remember(
    connection: Connection, shop: str, customer: Customer, *, at: datetime, source: str, evidence: str
) -> None:
    """Write down a customer as known at `at`, and what they answered about marketing, each answer once.

    An order's yes after an opt-out by link is kept as evidence, followed by a row `opt_out_upheld`, so that the newest
    row is the opt-out still, whatever the customer's address has become.

    Args:
        connection: in a transaction.
        shop: the customer's shop.
        customer: with a `customer_id`.
        at: when this was so; a later moment than the arrival's would outlive every correction, so pass neither.
        source: the kind of event that said so.
        evidence: what to look up when the consent is questioned, such as `order 1001`.
    """
    await connection.execute(
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
    )
    answers = {"email": customer.consent.email_marketing, "sms": customer.consent.sms_marketing}
    for channel, granted in answers.items():
        if granted is None:
            continue
        whose = (shop, customer.customer_id, channel)
        await connection.execute(_CONSENT, *whose, granted, source, evidence, at)
        if granted and source == "order.created":
            standing = await connection.fetchrow(_STANDING_OPT_OUT, *whose, at)
            if standing is not None:
                await connection.execute(_CONSENT, *whose, False, "opt_out_upheld", standing["evidence"], at)


async def opt_out(pool: Pool, *, shop: str, order_id: str, at: datetime) -> bool:
    """Stop marketing mail to the customer of an order, at once and for good; False when there is no such order.

    Writes the withdrawn consent (with the link's order as its evidence) and puts the address on the suppression
    list. A later order whose box is ticked by default does not undo it, see `remember`. Doing it again changes
    nothing.
    """
    async with pool.acquire() as connection, connection.transaction():
        person = await connection.fetchrow(
            """SELECT customer_id, email FROM orders JOIN customers USING (shop, customer_id)
               WHERE shop = $1 AND order_id = $2 FOR UPDATE OF customers""",
            shop,
            order_id,
        )
        if person is None:
            return False
        # Written even where the consent is none already: only the link's own word outlives a later order's box.
        if await connection.fetchrow(_STANDING_OPT_OUT, shop, person["customer_id"], "email", at) is None:
            await connection.execute(
                _CONSENT, shop, person["customer_id"], "email", False, "unsubscribe_link", f"order {order_id}", at
            )
        if person["email"]:
            await connection.execute(_OPT_OUT, shop, person["email"], at)
    return True
