"""Where an order's messages go: the e-mail address and number given for this order before its customer's own.

What was given for an order is kept with it alone, and only where it is not the customer's own: a customer who changes
their address is then written to there about every other order.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from journey.state import UNREACHED
from store.of_order import ITS_CUSTOMER
from store.pool import Connection

# The customer before the order, as everywhere.
_LOCK: Final = """
SELECT o.customer_id, c.email, c.phone, o.contact_email, o.contact_phone, o.contact_at
FROM orders o, LATERAL (
    SELECT * FROM customers WHERE shop = o.shop AND customer_id = o.customer_id OFFSET 0 FOR NO KEY UPDATE) c
WHERE o.shop = $1 AND o.order_id = $2 FOR NO KEY UPDATE OF o
"""
_FILL: Final = """
UPDATE customers SET email = coalesce(email, $3), phone = coalesce(phone, $4) WHERE shop = $1 AND customer_id = $2
"""
_SAY: Final = """
UPDATE orders SET contact_email = $3, contact_phone = $4, contact_at = greatest(contact_at, $5)
WHERE shop = $1 AND order_id = $2
"""
_REACHED: Final = f"""
SELECT o.customer_id, coalesce(o.contact_email, c.email) AS email, coalesce(o.contact_phone, c.phone) AS phone
FROM orders o {ITS_CUSTOMER} WHERE o.shop = $1 AND o.order_id = $2
"""  # noqa: S608  a constant
_MISSED: Final = """
SELECT EXISTS (SELECT FROM ledger WHERE shop = $1 AND order_id = $2 AND status = 'refused'
    AND (rule = ANY($3) OR EXISTS (SELECT FROM jsonb_each_text(why) AS by (channel, said) WHERE said = ANY($3))))
"""


_UNREACHED: Final = f"""
SELECT o.order_id, o.customer_id, coalesce(o.contact_email, c.email) AS email,
       coalesce(o.contact_phone, c.phone) AS phone
FROM (SELECT * FROM orders WHERE shop = $1 AND customer_id = $2 OFFSET 0) o {ITS_CUSTOMER}
WHERE o.ended_at IS NULL AND EXISTS (
    SELECT FROM ledger l WHERE l.shop = o.shop AND l.order_id = o.order_id AND l.status = 'refused'
       AND (l.rule = ANY($3) OR EXISTS (SELECT FROM jsonb_each_text(l.why) AS by (channel, said) WHERE said = ANY($3))))
"""  # noqa: S608  a constant


@dataclass(frozen=True, slots=True)
class Reached:
    """Whose an order is, and where its messages go; None where nowhere."""

    customer_id: str
    email: str | None
    phone: str | None

    def better_than(self, before: "Reached") -> bool:
        """Whether there is an address that was not there before."""
        return self.email not in {None, before.email} or self.phone not in {None, before.phone}


async def reached(connection: Connection, shop: str, order_id: str) -> Reached | None:
    """Where an order's messages go; None when there is no such order."""
    row = await connection.fetchrow(_REACHED, shop, order_id)
    return None if row is None else Reached(**row)


async def say(
    connection: Connection, shop: str, order_id: str, *, email: str | None, phone: str | None, at: datetime
) -> None:
    """Write down what was given for an order as of `at`; None says nothing, and a late word only fills gaps.

    A customer without an address has the order's. Takes the lock on the customer and the order.
    """
    if email is None and phone is None:
        return
    row = await connection.fetchrow(_LOCK, shop, order_id)
    newest = row["contact_at"] is None or row["contact_at"] <= at
    own: dict[str, str | None] = {}
    for name, said in (("email", email), ("phone", phone)):
        theirs, known = row[name], row[f"contact_{name}"]
        if said is None or (not newest and (known or theirs) is not None):
            own[name] = known
        else:
            own[name] = None if theirs is None or theirs.lower() == said.lower() else said
    if (row["email"], row["phone"]) != (row["email"] or email, row["phone"] or phone):
        await connection.execute(_FILL, shop, row["customer_id"], email, phone)
    await connection.execute(_SAY, shop, order_id, own["email"], own["phone"], at)


async def unreached(connection: Connection, shop: str, customer_id: str) -> Mapping[str, Reached]:
    """A customer's open orders of which a message did not go for want of a good address, by id."""
    rows = await connection.fetch(_UNREACHED, shop, customer_id, sorted(UNREACHED))
    return {row["order_id"]: Reached(row["customer_id"], row["email"], row["phone"]) for row in rows}


async def missed(connection: Connection, shop: str, order_id: str) -> bool:
    """Whether a message of the order did not go for want of a good address."""
    return bool(await connection.fetchval(_MISSED, shop, order_id, sorted(UNREACHED)))
