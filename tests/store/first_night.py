"""A shop's first night: what its history of two months was, read within minutes, and what the database knows of it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from store.pool import Pool

NOW = datetime(2026, 12, 20, 12, tzinfo=UTC)
MANY = 1500
"""Customers with an order, a parcel and a message each, and six times as many scans."""

_FILL = (
    """INSERT INTO customers (shop, customer_id, email, phone, country, time_zone, updated_at)
       SELECT 'acme', 'c-' || n, n || '@example.com', '+49' || n, (ARRAY['DE', 'FR'])[1 + n % 2], 'Europe/Berlin',
              $3::timestamptz
       FROM generate_series($1::int, $2::int) n""",
    """INSERT INTO orders (shop, order_id, customer_id, placed_at, currency, total, buyer, playbook, ended_at,
           ended_why)
       SELECT 'acme', 'o-' || n, 'c-' || n, $3::timestamptz - interval '1 hour' * (n % 1400 + 24), 'EUR', 79, 'first',
              'd', CASE WHEN n % 3 = 0 THEN $3 END, CASE WHEN n % 3 = 0 THEN 'finished' END
       FROM generate_series($1::int, $2::int) n""",
    """INSERT INTO lines SELECT 'acme', 'o-' || n, 0, 'YM-1', 'Yoga mat', 1, 79, 'fitness', 'physical'
       FROM generate_series($1::int, $2::int) n WHERE $3::timestamptz IS NOT NULL""",
    """INSERT INTO shipments (shop, order_id, tracking_number, carrier, carrier_code, created_at, first_scan_at,
           last_scan_at, delivered_at, status, poll_at, number)
       SELECT shop, order_id, 't-' || order_id, 'DHL', 'dhl', placed_at + interval '5 hours',
              placed_at + interval '9 hours', placed_at + interval '60 hours',
              CASE WHEN n % 4 > 0 THEN placed_at + interval '60 hours' END,
              CASE WHEN n % 4 > 0 THEN 'delivered' ELSE 'in_transit' END,
              CASE WHEN n % 8 = 0 THEN $3::timestamptz - interval '1 hour' END, (1000000 + n)::text
       FROM generate_series($1::int, $2::int) n JOIN orders ON order_id = 'o-' || n""",
    """INSERT INTO scans (shop, order_id, tracking_number, occurred_at, status, received_at)
       SELECT shop, order_id, tracking_number, first_scan_at + interval '8 hours' * k, 'in_transit', $3
       FROM generate_series($1::int, $2::int) n JOIN shipments ON order_id = 'o-' || n, generate_series(0, 5) k""",
    """INSERT INTO ledger (shop, order_id, touch_key, touch, purpose, channel, priority, customer_id, status, due, at,
           message_id, provider_id)
       SELECT 'acme', 'o-' || n, 'welcome', 'welcome', 'marketing', 'email', 50, 'c-' || n, 'sent', $3, $3,
              '<' || n || '@shop.test>', 'p-' || n
       FROM generate_series($1::int, $2::int) n""",
    """INSERT INTO message_events (ledger_id, provider, event_id, kind, at, shop, channel)
       SELECT id, 'resend', id::text, 'opened', $3, shop, channel
       FROM generate_series($1::int, $2::int) n JOIN ledger ON order_id = 'o-' || n""",
    """INSERT INTO inbox (source, event_id, topic, body, subject, event, occurred_at, received_at, next_attempt, shop)
       SELECT 'sync:x', 'e-' || n, 'order.created', '', 'order:acme:o-' || n,
              jsonb_build_object('type', 'order.created', 'shop', 'acme'), $3, $3, $3,
              CASE WHEN n % 10 = 0 THEN 'shop-' || n % 100 ELSE 'acme' END
       FROM generate_series($1::int, $2::int) n""",
)
_TABLES = """
SELECT format('%I', tablename) FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migrations'
"""


@pytest.fixture(params=["absent", "stale", "fresh"])
async def known(request: pytest.FixtureRequest, pool: Pool) -> AsyncIterator[str]:
    """What the database knows of its tables: nothing; what they were with one row each; what they are."""
    tables = [row[0] for row in await pool.fetch(_TABLES)]
    for table in tables:
        await pool.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
    await pool.execute(f"TRUNCATE {', '.join(tables)}")
    await pool.execute("DELETE FROM pg_statistic WHERE starelid >= 16384")
    first = 1
    if request.param == "stale":
        await _fill(pool, 1, 1)
        await pool.execute("ANALYZE")
        first = 2
    await _fill(pool, first, MANY)
    if request.param == "fresh":
        await pool.execute("ANALYZE")
    yield request.param
    for table in tables:
        await pool.execute(f"ALTER TABLE {table} RESET (autovacuum_enabled)")


async def _fill(pool: Pool, first: int, last: int) -> None:
    for statement in _FILL:
        await pool.execute(statement, first, last, NOW)
