"""A database full of customers and of what was written to them, on the bench's own server."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import asyncpg

from bench.sides import SHOP
from journey.playbook import Playbook
from store.migrate import migrate
from store.pool import Connection, Pool, connect

NOW = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
"""A Monday about noon in every zone that the customers live in."""
PLACES = (
    ("de-DE", "Europe/Berlin", "DE"),
    ("fr-FR", "Europe/Paris", "FR"),
    ("es-ES", "Europe/Madrid", "ES"),
    ("en-GB", "Europe/London", "GB"),
)
"""Locale, time zone and country of every fourth customer."""
OFFSETS = {
    "order_confirmation": 0,
    "shipped": 1,
    "out_for_delivery": 3,
    "delivered": 3,
    "care": 5,
    "check_in": 7,
    "review_request": 9,
    "also_enjoyed": 10,
    "thank_you": 11,
}
"""Touch and days after the order: the first weeks of the default journey."""

_CUSTOMERS = """
INSERT INTO customers (shop, customer_id, email, phone, first_name, locale, time_zone, country, updated_at)
SELECT $1, 'c-' || n, 'buyer-' || n || '@example.com', '+49151' || lpad(n::text, 8, '0'), 'Ada',
       ($3::text[])[1 + n % 4], ($4::text[])[1 + n % 4], ($5::text[])[1 + n % 4], $6
FROM generate_series(1, $2::int) n
"""
# A yes at the first order, a third again at a later one; one in fifty has said no since.
_CONSENTS = """
INSERT INTO consents (shop, customer_id, channel, purpose, granted, source, at)
SELECT $1, 'c-' || n, 'email', 'marketing', answer < 3, CASE answer WHEN 3 THEN 'unsubscribe_link'
       ELSE 'order.created' END, $3::timestamptz - make_interval(days => 400 - 100 * answer)
FROM generate_series(1, $2::int) n, generate_series(1, 3) answer
WHERE answer = 1 OR answer = 2 AND n % 3 = 0 OR answer = 3 AND n % 50 = 7
"""
# Most have ordered once, one in ten three times, one in a thousand is a shop's best friend. Spread over 400 days.
_ORDERS = """
INSERT INTO orders (shop, order_id, customer_id, placed_at, currency, total, buyer, playbook, ended_at, ended_why)
SELECT $1, 'o-' || n || '-' || k, 'c-' || n, placed, 'EUR', 79.00, CASE k WHEN 1 THEN 'first' ELSE 'repeat' END, $4,
       CASE WHEN placed < $3::timestamptz - interval '70 days' THEN placed + interval '70 days' END,
       CASE WHEN placed < $3 - interval '70 days' THEN 'finished' END
FROM generate_series(1, $2::int) n,
     generate_series(1, CASE WHEN n % 1000 = 0 THEN 43 WHEN n % 10 = 0 THEN 3 ELSE 1 END) k,
     LATERAL (SELECT $3::timestamptz - make_interval(hours => 24 + (n * 7919 + k * 104729) % 9576) AS placed) at
"""
# In the order in which it happened, the latest `$7`. Nine of ten went out; a message of today may wait.
_LEDGER = """
INSERT INTO ledger (shop, order_id, touch_key, touch, purpose, channel, priority, customer_id, status, rule, due,
                    asked_at, at, until, claim, claimed_at, message_id, provider, provider_id)
SELECT $1, order_id, touch, touch, purpose, 'email', priority, customer_id, status,
       CASE status WHEN 'sent' THEN NULL WHEN 'held' THEN 'quiet_hours' WHEN 'refused' THEN 'no_consent'
                   ELSE 'crash_between_send_and_record' END,
       due, due, due, CASE status WHEN 'held' THEN $2::timestamptz + interval '2 hours' END,
       CASE WHEN went THEN hash::uuid END, CASE WHEN went THEN due END,
       CASE WHEN went THEN '<' || hash || '@shop.test>' END, CASE WHEN went THEN 'resend' END,
       CASE WHEN went THEN hash END
FROM (SELECT *, status IN ('sent', 'in_doubt') AS went
      FROM (SELECT o.order_id, o.customer_id, t.touch, t.purpose, t.priority, d.due,
                   md5(o.order_id || t.touch) AS hash,
                   CASE WHEN t.purpose = 'marketing' AND d.due > $2::timestamptz - interval '12 hours' THEN 'held'
                        ELSE (ARRAY['sent', 'refused', 'in_doubt'])[
                            1 + (h.dice >= 88)::int + (h.dice >= 99)::int] END AS status
            FROM orders o
            CROSS JOIN unnest($3::text[], $4::text[], $5::int[], $6::int[]) t (touch, purpose, priority, days)
            CROSS JOIN LATERAL (SELECT o.placed_at + make_interval(days => t.days) AS due) d
            CROSS JOIN LATERAL (SELECT abs(hashtext(o.order_id || t.touch)) % 100 AS dice) h
            WHERE o.shop = $1 AND d.due < $2
            ORDER BY d.due DESC LIMIT $7) latest) rows
ORDER BY due
"""
# Built once from all rows rather than a million times.
_INDEXES = """
SELECT indexname, indexdef FROM pg_indexes
WHERE tablename = 'ledger' AND NOT EXISTS (SELECT FROM pg_constraint WHERE conname = indexname)
"""
_OPENS = """
INSERT INTO message_events (ledger_id, provider, event_id, kind, at, shop, channel)
SELECT id, 'resend', 'open-' || id, 'opened', at + interval '3 hours', shop, channel
FROM ledger WHERE status = 'sent' AND id % 5 = 0
"""
_LINES = """
INSERT INTO lines (shop, order_id, position, sku, title, quantity, unit_price, category, kind)
SELECT shop, order_id, 0, 'YM-1', 'Yoga mat', 1, total, 'fitness', 'physical' FROM orders WHERE shop = $1
"""


@asynccontextmanager
async def database(url: str, *, size: int = 10) -> AsyncIterator[tuple[str, Pool]]:
    """A migrated database of its own on the server of `url`, as address and pool; gone with the block."""
    name = f"bench_{uuid.uuid4().hex[:12]}"
    own = urlsplit(url)._replace(path=f"/{name}").geturl()
    admin = await asyncpg.connect(url)
    try:
        await admin.execute(f"CREATE DATABASE {name}")
        await migrate(own)
        pool = await connect(own, size=size)
        try:
            yield own, pool
        finally:
            pool.terminate()
            await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


async def fill(pool: Pool, playbook: Playbook, *, customers: int, rows: int) -> None:
    """Customers with their consents, their orders, and up to `rows` of ledger about them, as of `NOW`."""
    touches = [playbook.by_id[touch] for touch in OFFSETS]
    async with pool.acquire() as connection:
        async with connection.transaction():
            # The rows fit together as they are; to have a million looked at one by one would take minutes.
            await connection.execute("SET LOCAL session_replication_role = replica; SET LOCAL work_mem = '256MB'")
            await people(connection, customers)
            await connection.execute(_ORDERS, SHOP, customers, NOW, playbook.digest)
            later = await connection.fetch(_INDEXES)
            for index in later:
                await connection.execute(f"DROP INDEX {index['indexname']}")
            await connection.execute(
                _LEDGER,
                SHOP,
                NOW,
                list(OFFSETS),
                [touch.purpose.value for touch in touches],
                [touch.priority for touch in touches],
                list(OFFSETS.values()),
                rows,
                timeout=300,
            )
            for index in later:
                await connection.execute(index["indexdef"], timeout=120)
            await connection.execute(_OPENS, timeout=60)
        await connection.execute("VACUUM (ANALYZE)", timeout=120)


async def people(connection: Connection, customers: int) -> None:
    """`c-1`, `c-2`, … with a word on marketing each."""
    locales, zones, countries = (list(column) for column in zip(*PLACES, strict=True))
    await connection.execute(_CUSTOMERS, SHOP, customers, locales, zones, countries, NOW)
    await connection.execute(_CONSENTS, SHOP, customers, NOW)


async def order(connection: Connection, playbook: Playbook, orders: Sequence[tuple[str, str]], ago: timedelta) -> None:
    """Orders of one yoga mat, as (order id, customer id), placed `ago` before `NOW`."""
    await connection.execute(
        "INSERT INTO orders (shop, order_id, customer_id, placed_at, currency, total, buyer, playbook)"
        " SELECT $1, o.id, o.customer, $4, 'EUR', 79.00, 'repeat', $5"
        " FROM unnest($2::text[], $3::text[]) o (id, customer)",
        SHOP,
        [order_id for order_id, _ in orders],
        [customer for _, customer in orders],
        NOW - ago,
        playbook.digest,
    )


async def goods(connection: Connection) -> None:
    """A line for every order, without which no mail can be written."""
    await connection.execute(_LINES, SHOP)
