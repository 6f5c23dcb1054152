"""What an upgrade makes of the rows that it finds."""

from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from journey.carriers import normal
from store import ledger_rows, ledger_sql
from store.migrate import migrations
from store.refunds import OF_ORDER, of_row, paid_back
from workers.embedded import EmbeddedStack

SPELLINGS = (
    "UPS",
    "United Parcel Service",
    "UPSDAP",
    "FedEx",
    "Federal Express",
    "FedExDefault",
    "usps",
    "United States Postal Service",
    "DHL",
    "DHL Express",
    "dhl-de",
    "DHL Germany",
    "DHL Parcel",
    "DHL Paket",
    "DHL eCommerce",
    "DhlEcs",
    "Royal Mail",
    "?",
    None,
)


@pytest.fixture
async def before(stack: EmbeddedStack):
    """A database of the version before carriers were matched in one form."""
    name = f"before_{uuid4().hex}"
    admin = await asyncpg.connect(stack.database_url)
    await admin.execute(f"CREATE DATABASE {name}")
    connection = await asyncpg.connect(stack.database_url, database=name)
    for file, sql in migrations():
        if file < "0007":
            await connection.execute(sql)
    yield connection
    await connection.close()
    await admin.execute(f"DROP DATABASE {name}")
    await admin.close()


async def test_carriers_of_before_are_matched_like_new_ones(before) -> None:
    """A parcel that is under way during the upgrade gets its carrier's poller, too."""
    await before.execute("INSERT INTO customers (shop, customer_id) VALUES ('acme', 'c-1')")
    await before.execute(
        """INSERT INTO orders (shop, order_id, customer_id, placed_at, currency, total, buyer, playbook)
           VALUES ('acme', '1', 'c-1', now(), 'EUR', 79, 'first', 'none')"""
    )
    await before.executemany(
        """INSERT INTO shipments (shop, order_id, tracking_number, carrier, created_at)
           VALUES ('acme', '1', $1, $2, now())""",
        [(str(position), carrier) for position, carrier in enumerate(SPELLINGS)],
    )
    for file, sql in migrations():
        if file >= "0007":
            await before.execute(sql)
    rows = await before.fetch("SELECT carrier, carrier_code FROM shipments ORDER BY tracking_number::int")
    assert [(carrier, normal(carrier)) for carrier in SPELLINGS] == [tuple(row) for row in rows]


async def test_claims_of_before_are_in_doubt_and_nothing_moves_a_version_any_more(before) -> None:
    """What an older worker claimed has no lease; a word of the customer is one row, and no write beside it."""
    for file, sql in migrations():
        if "0007" <= file < "0008":
            await before.execute(sql)
    await before.execute("INSERT INTO customers (shop, customer_id) VALUES ('acme', 'c-1')")
    await before.execute(
        """INSERT INTO orders (shop, order_id, customer_id, placed_at, currency, total, buyer, playbook)
           VALUES ('acme', '1', 'c-1', now(), 'EUR', 79, 'first', 'none')"""
    )
    await before.execute(
        """INSERT INTO ledger (shop, order_id, touch_key, touch, purpose, channel, priority, customer_id, status, due,
                               at, claim, claimed_at)
           VALUES ('acme', '1', 'care', 'care', 'transactional', 'email', 1, 'c-1', 'claimed', now(), now(),
                   gen_random_uuid(), now())"""
    )
    for file, sql in migrations():
        if file >= "0008":
            await before.execute(sql)
    row = await before.fetchrow(ledger_sql.LATEST, "acme", "1", "care")
    latest = ledger_rows.latest(row)
    assert latest is not None
    assert latest.claim is not None
    assert latest.rest == timedelta()
    await before.execute(
        """INSERT INTO consents (shop, customer_id, channel, purpose, granted, source, at)
           VALUES ('acme', 'c-1', 'email', 'marketing', false, 'test', now())"""
    )
    assert await before.fetchval("SELECT contact_version FROM customers") == 0


async def test_refunds_of_before_were_paid_in_their_orders_currency(before) -> None:
    """They were told as such; what a version that is still running writes without a currency counts the same."""
    await before.execute("INSERT INTO customers (shop, customer_id) VALUES ('acme', 'c-1')")
    await before.execute(
        """INSERT INTO orders (shop, order_id, customer_id, placed_at, currency, total, buyer, playbook)
           VALUES ('acme', '1', 'c-1', now(), 'JPY', 3000, 'first', 'none')"""
    )
    older = "INSERT INTO refunds (shop, order_id, refund_id, amount, at) VALUES ('acme', '1', $1, 1000, now())"
    await before.execute(older, "a")
    for file, sql in migrations():
        if file >= "0007":
            await before.execute(sql)
    assert tuple(await before.fetchrow("SELECT currency, status, whole FROM refunds")) == ("JPY", "paid", False)
    await before.execute(older, "b")
    both = of_row(await before.fetchval(f"SELECT {OF_ORDER} FROM orders o"))  # noqa: S608  a constant
    assert paid_back(both) == {"JPY": 2000}


async def test_devices_of_before_are_kept_for_each_order_of_their_customer(stack: EmbeddedStack) -> None:
    """A phone that was the customer's goes on hearing of the orders they had, dead ones stay dead, once each."""
    name = f"before_{uuid4().hex}"
    admin = await asyncpg.connect(stack.database_url)
    await admin.execute(f"CREATE DATABASE {name}")
    old = await asyncpg.connect(stack.database_url, database=name)
    for file, sql in migrations():
        if file < "0026":
            await old.execute(sql)
    for customer, orders in (("c-1", ("1", "2")), ("c-2", ("3",)), ("c-3", ())):
        await old.execute("INSERT INTO customers (shop, customer_id, updated_at) VALUES ('acme', $1, now())", customer)
        await old.execute(
            """INSERT INTO devices (shop, customer_id, channel, address, created_at, dead_at)
               VALUES ('acme', $1, 'push', $1 || ' phone', now(), CASE WHEN $1 = 'c-2' THEN now() END)""",
            customer,
        )
        for order in orders:
            await old.execute(
                """INSERT INTO orders (shop, order_id, customer_id, placed_at, currency, total, buyer, playbook)
                   VALUES ('acme', $1, $2, now(), 'EUR', 79, 'first', 'none')""",
                order,
                customer,
            )
    for file, sql in migrations():
        if file >= "0026":
            await old.execute(sql)
    found = await old.fetch("SELECT order_id, address, dead_at IS NULL FROM devices ORDER BY order_id")
    await old.close()
    await admin.execute(f"DROP DATABASE {name}")
    await admin.close()
    assert [tuple(row) for row in found] == [
        ("1", "c-1 phone", True),
        ("2", "c-1 phone", True),
        ("3", "c-2 phone", False),
    ]
