"""Forgetting people for good: their rows, what the inbox kept of them, and every address but one bit of it.

An opt-out outlives the person's record, or the next order would undo it (GDPR Art. 17(3)(b) with Art. 21(3); the law
on texts alike): of an address that is not to be written to a keyed hash is left, and the database itself puts the
address back on the list when a customer has it again, see `erased_suppressions` in the migrations. Nothing else stays
but ids: the inbox's rows, so that a late repeat is known for one, who was erased, and that a request was honoured.

What is still to be dispatched about an erased order is settled, and what comes of it later is not taken in, see
`store.erased`. What the person said to us that is not heard yet, such as a STOP, is left alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from store import erased, inbox, personal
from store.personal import Traces
from store.pool import Connection

SHOP_BATCH: Final = 500
"""Customers of a shop that are forgotten in one transaction, and ten times as many rows of the inbox."""

_HASH_LISTED: Final = """
INSERT INTO erased_suppressions (shop, channel, address_hash, reason, at)
SELECT s.shop, s.channel, erased_hash(s.address), s.reason, s.at FROM suppressions s
WHERE s.shop IN ($1, '') AND s.address = ANY($2) AND NOT EXISTS (
    SELECT 1 FROM customers c WHERE (s.shop = '' OR c.shop = s.shop)
      AND (s.channel = 'email' AND lower(c.email) = s.address OR s.channel <> 'email' AND c.phone = s.address))
  AND NOT EXISTS (
    SELECT 1 FROM orders o WHERE (s.shop = '' OR o.shop = s.shop)
      AND (s.channel = 'email' AND lower(o.contact_email) = s.address
           OR s.channel <> 'email' AND o.contact_phone = s.address))
ON CONFLICT (shop, channel, address_hash) DO UPDATE SET reason = excluded.reason, at = excluded.at
RETURNING shop, channel, address_hash
"""
_UNLIST: Final = """
DELETE FROM suppressions WHERE address = ANY($1)
  AND (shop, channel, erased_hash(address)) IN (SELECT * FROM unnest($2::text[], $3::text[], $4::bytea[]))
"""
# A request itself may be the very row that is being dispatched: of it, and of one that a person still has to answer,
# the ids stay.
_REQUESTS: Final = "('customer.redacted', 'customer.data_requested', 'shop.redacted')"
_SETTLE: Final = f"""
UPDATE inbox SET status = 'ignored', note = $2, done_at = $3
WHERE subject = ANY($1) AND status IN ('pending', 'waiting') AND event->>'type' NOT IN {_REQUESTS}
"""  # noqa: S608  only the constant is put in
# What a person said back to a message and is not heard yet is left to be heard, and what waits for a parcel that is
# somebody else's too. What waits for an order that nobody knows, and names them, waits no more.
_BLANK: Final = f"""
UPDATE inbox SET body = '', event = CASE WHEN event->>'type' IN {_REQUESTS} THEN event END,
    status = CASE WHEN status = 'waiting' THEN 'ignored' ELSE status END,
    note = CASE WHEN status = 'waiting' THEN $6 ELSE note END,
    done_at = CASE WHEN status = 'waiting' THEN $7 ELSE done_at END
WHERE (subject = ANY($1) OR status NOT IN ('pending', 'waiting')
       OR status = 'waiting' AND NOT starts_with(subject, 'message:') AND NOT subject = ANY($4))
  AND {personal.IN_INBOX}
"""  # noqa: S608  as above

_SOME_CUSTOMERS: Final = "SELECT customer_id FROM customers WHERE shop = $1 ORDER BY customer_id LIMIT $2 FOR UPDATE"
_THEIR_ORDERS: Final = "SELECT order_id FROM orders WHERE shop = $1 AND customer_id = ANY($2)"
_THEIR_PARCELS: Final = """
SELECT DISTINCT name FROM shipments, LATERAL (VALUES (tracking_number), (written), (number)) AS by (name)
WHERE shop = $1 AND order_id = ANY($2) AND name IS NOT NULL
"""
_OTHERS_TOO: Final = """
SELECT DISTINCT tracking_number FROM shipments WHERE shop <> $1 AND tracking_number = ANY($2)
UNION SELECT DISTINCT number FROM shipments WHERE shop <> $1 AND number = ANY($2)
"""
_FORGET_PARCELS: Final = f"""
UPDATE inbox SET body = '', event = NULL, status = CASE WHEN open THEN 'ignored' ELSE inbox.status END,
    note = CASE WHEN open THEN $2 ELSE note END, done_at = CASE WHEN open THEN $3 ELSE done_at END
FROM (SELECT id AS this, status IN ('pending', 'waiting') AS open FROM inbox
      WHERE subject = ANY($1) AND {personal.KEPT}) AS theirs
WHERE id = this
"""  # noqa: S608  as above
_FORGET_ROWS: Final = f"""
UPDATE inbox SET body = '', event = CASE WHEN request THEN event END,
    status = CASE WHEN open THEN 'ignored' ELSE inbox.status END,
    note = CASE WHEN open THEN $2 ELSE note END, done_at = CASE WHEN open THEN $3 ELSE done_at END
FROM (SELECT i.id AS this, asked.request, i.status IN ('pending', 'waiting') AND NOT asked.request AS open
      FROM unnest($1::text[]) AS begun, inbox i,
           LATERAL (SELECT coalesce(i.event->>'type' IN {_REQUESTS}, false)) AS asked (request)
      WHERE i.subject ~>=~ begun AND i.subject ~<~ (left(begun, -1) || chr(ascii(right(begun, 1)) + 1))
        AND {personal.KEPT} AND (octet_length(body) > 0 OR NOT asked.request)
      LIMIT $4) AS theirs
WHERE id = this
"""  # noqa: S608  as above
_SHOPS_OWN: Final = ("suppressions", "erased_suppressions", "lanes", "dispatch_habits", "shop_sync")


@dataclass(frozen=True, slots=True)
class Erased:
    """What is gone: rows by table, `inbox` those that were blanked, `suppressions` those of which a hash is left."""

    counts: Mapping[str, int]

    @property
    def nothing(self) -> bool:
        """Whether nothing was kept of them."""
        return not any(self.counts.values())

    def __str__(self) -> str:
        said = ", ".join(f"{count} {table}" for table, count in self.counts.items() if count)
        return f"erased: {said}" if said else "nothing was kept"


async def erase_customer(connection: Connection, shop: str, customer_id: str, *, now: datetime) -> Erased:
    """Forget a customer of a shop, with every order; doing it again finds nothing.

    Another record of the same person (a guest's beside an account's) has an id of its own and stays.

    Args:
        connection: in a transaction; it takes the locks of the customer's parcels and orders.
        shop: the customer's shop.
        customer_id: whom.
        now: when, aware.
    """
    found = await personal.traces(connection, shop, customer_id)
    await _lock(connection, [*found.subjects, *found.shared])
    await connection.execute(
        "SELECT 1 FROM customers WHERE shop = $1 AND customer_id = $2 FOR UPDATE", shop, customer_id
    )
    found = await personal.traces(connection, shop, customer_id)
    counts = {
        table: await connection.fetchval(f"SELECT count(*) FROM {table} WHERE {theirs}", shop, customer_id)  # noqa: S608  constants
        for table, theirs in personal.TABLES.items()
    }
    orders = [row[0] for row in await connection.fetch(_THEIR_ORDERS, shop, [customer_id])]
    await erased.mark(connection, shop, "customer", [customer_id], now=now)
    await erased.mark(connection, shop, "order", orders, now=now)
    await connection.execute("DELETE FROM customers WHERE shop = $1 AND customer_id = $2", shop, customer_id)
    counts["suppressions"] = await _hash(connection, shop, found.addresses)
    counts["inbox"] = await _blank(connection, found, now=now)
    return Erased(counts)


async def close_shop(connection: Connection, shop: str, *, now: datetime) -> None:
    """Take nothing more in of a shop that has left, and stop reading it; `erase_shop` then forgets it, batch by batch.

    Args:
        connection: in a transaction; it waits for whoever is writing something of the shop down.
        shop: which.
        now: when, aware.
    """
    await inbox.lock(connection, f"shop:{shop}")
    await erased.mark(connection, shop, "shop", [""], now=now)
    await connection.execute("DELETE FROM shop_sync WHERE shop = $1", shop)


async def erase_shop(connection: Connection, shop: str, *, now: datetime, limit: int = SHOP_BATCH) -> bool:
    """Forget a part of a closed shop: its people, then its rows of the inbox, then what was learnt; False at the end.

    Args:
        connection: in a transaction; takes no locks but of rows, since nothing of the shop is taken in any more.
        shop: one that `close_shop` has closed.
        now: when, aware.
        limit: customers at once.
    """
    people = [row[0] for row in await connection.fetch(_SOME_CUSTOMERS, shop, limit)]
    if people:
        orders = [row[0] for row in await connection.fetch(_THEIR_ORDERS, shop, people)]
        numbers = {row[0] for row in await connection.fetch(_THEIR_PARCELS, shop, orders)}
        numbers -= {row[0] for row in await connection.fetch(_OTHERS_TOO, shop, list(numbers))}
        parcels = [f"tracking:{form}{number}" for number in sorted(numbers) for form in ("", ":", f"{shop}:")]
        await erased.mark(connection, shop, "customer", people, now=now)
        await erased.mark(connection, shop, "order", orders, now=now)
        await connection.execute(
            "DELETE FROM customers WHERE shop = $1 AND customer_id = ANY($2)", shop, people, timeout=personal.PATIENCE
        )
        await connection.execute(_FORGET_PARCELS, parcels, erased.NOTE, now, timeout=personal.PATIENCE)
        return True
    begun = [*(f"{kind}:{shop}:" for kind in ("order", "changed", "customer", "tracking")), f"message:{shop}/"]
    done = await connection.execute(_FORGET_ROWS, begun, erased.NOTE, now, 10 * limit, timeout=personal.PATIENCE)
    if not done.endswith(" 0"):
        return True
    # What was ignored has no subject. A short name may stand for anything.
    marks = [shop.lower()] if len(shop) >= personal.SURE_LENGTH else []
    found = Traces((f"shop:{shop}",), shared=(), addresses=(), marks=tuple(marks), messages=(), names=())
    await _blank(connection, found, now=now)
    for table in _SHOPS_OWN:
        await connection.execute(f"DELETE FROM {table} WHERE shop = $1", shop)  # noqa: S608  constants
    return False


async def _lock(connection: Connection, subjects: Sequence[str]) -> None:
    """The relay's locks, in its order: parcels before orders."""
    for subject in sorted(subjects, key=lambda one: (not one.startswith("tracking:"), one)):
        await inbox.lock(connection, subject)


async def _hash(connection: Connection, shop: str, addresses: Sequence[str]) -> int:
    """Leave of listed addresses that nobody has any more a hash alone; how many those were."""
    await connection.execute("INSERT INTO erasure_key DEFAULT VALUES ON CONFLICT DO NOTHING")
    kept = await connection.fetch(_HASH_LISTED, shop, list(addresses))
    columns = ([row[at] for row in kept] for at in ("shop", "channel", "address_hash"))
    await connection.execute(_UNLIST, list(addresses), *columns)
    return len(kept)


async def _blank(connection: Connection, found: Traces, *, now: datetime) -> int:
    await connection.execute(_SETTLE, list(found.subjects), erased.NOTE, now)
    done = await connection.execute(_BLANK, *found.arguments, erased.NOTE, now, timeout=personal.PATIENCE)
    return int(done.split()[-1])
