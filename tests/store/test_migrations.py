"""What an upgrade makes of the rows that it finds."""

from uuid import uuid4

import asyncpg
import pytest

from journey.carriers import normal
from store.migrate import migrations
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
