"""No statement over freshly written tables depends on what the database happens to know about them."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest

from journey.polling import Reach
from store import accounts, erasure, history, inbox, lanes, polling, privacy, shop_sync
from store.pool import Pool
from tests.support.plans import explained

NOW = datetime(2026, 12, 20, 12, tzinfo=UTC)
MANY = 1500
"""Customers with an order, a parcel and a message each, and six times as many scans."""
EACH = 120
"""Rows that may be worked through for each of them, in one statement. Each with each would be 1,500."""

# A shop's first night: what its history of two months was, read within minutes.
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
              CASE WHEN n % 8 = 0 THEN $3::timestamptz - interval '1 hour' END, 'T' || order_id
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


async def relearn(pool: Pool) -> None:
    assert (await lanes.relearn(pool, now=NOW)).lanes == 5


async def plan_polling(pool: Pool) -> None:
    await polling.plan(pool, Reach(None), now=NOW)


async def poll(pool: Pool) -> None:
    turns = await polling.take(pool, Reach(None), now=NOW, limit=20)
    assert turns
    assert await polling.known(pool, turns)
    await polling.settle(pool, [polling.Settled(turn, NOW + timedelta(hours=1), NOW) for turn in turns])
    await polling.next_due(pool, Reach(None), now=NOW)


async def claim(pool: Pool) -> None:
    assert len(await inbox.claim(pool, now=NOW, limit=8, fetches=3)) == 8


async def claim_all(pool: Pool) -> None:
    assert len(await inbox.claim(pool, now=NOW, limit=MANY, fetches=3)) > MANY * 0.8


async def begin_all(pool: Pool) -> None:
    rows = await inbox.claim(pool, now=NOW + timedelta(minutes=1), limit=MANY, fetches=3)
    assert len(rows) > MANY * 0.8
    begun = [inbox.Begun(row, "acme", row.subject.rpartition(":")[2], None) for row in rows]
    async with pool.acquire() as connection, connection.transaction():
        await inbox.begun(connection, begun, now=NOW)


async def tidy_inbox(pool: Pool) -> None:
    await inbox.expire(pool, now=NOW, age=timedelta(days=7), unread_age=timedelta(days=30))
    await inbox.forget(pool, finished_before=NOW, dead_before=NOW, ignored_before=NOW, limit=1000)
    await inbox.figures(pool)


async def keep_page(pool: Pool) -> None:
    async with pool.acquire() as connection:
        rows = await connection.fetch(shop_sync._KNOWN, "acme", [f"o-{n}" for n in range(1, 251)])
        assert len(rows) == 250
        await shop_sync.crowded(connection)


async def look_customer_up(pool: Pool) -> None:
    assert len(await history.messages(pool, "acme", "c-7", limit=50)) == 1


async def forget_customer(pool: Pool) -> None:
    assert await privacy.kept(pool, "acme", "c-7")
    async with pool.acquire() as connection, connection.transaction():
        assert not (await erasure.erase_customer(connection, "acme", "c-7", now=NOW)).nothing


async def forget_shop(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await erasure.close_shop(connection, "acme", now=NOW)
        while await erasure.erase_shop(connection, "acme", now=NOW):
            pass


async def lists(pool: Pool) -> None:
    assert len(await accounts.waiting(pool)) == 1
    assert len(await accounts.orders(pool, status="running")) == 100


WORKS = [
    relearn,
    lists,
    look_customer_up,
    plan_polling,
    poll,
    keep_page,
    claim,
    claim_all,
    begin_all,
    tidy_inbox,
    forget_customer,
    forget_shop,
]


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


async def test_no_statistics_can_hurt(known: str, database_url: str, say: Callable[[str], None]) -> None:
    """Whatever is known of the tables, a statement works through a few rows for each that there is."""
    told, dear = [], []
    for work in WORKS:
        async with explained(database_url) as (pool, taken):
            await work(pool)
        most = max(rows for rows, _, _ in taken)
        told.append(f"{work.__name__} {most / MANY:.1f}")
        dear += [f"{rows / MANY:.0f} each: {query}\n{plan}" for rows, query, plan in taken if rows > EACH * MANY]
    say(f"rows each, {known}: {', '.join(told)}")
    assert not dear, "\n\n".join(dear)


async def _fill(pool: Pool, first: int, last: int) -> None:
    for statement in _FILL:
        await pool.execute(statement, first, last, NOW)
