"""A test's database is as good as new, whatever the test before did to it."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.support.databases import Databases
from tests.support.orders import Order, put, put_parcel
from workers.embedded import EmbeddedStack


@pytest.fixture
async def own(stack: EmbeddedStack) -> AsyncIterator[Databases]:
    made = Databases(stack.database_url)
    await made.start()
    yield made
    await made.stop()


async def test_a_used_database_is_empty_for_the_next_test(own: Databases) -> None:
    """Rows, counters and open connections are gone, and the old name leads nowhere."""
    url = await own.take()
    pool = await asyncpg.create_pool(url)
    order = Order("1001")
    await put(pool, order, "a playbook")
    await put_parcel(pool, order, "T1", order.placed_at)
    counted = await pool.fetchval("SELECT nextval('inbox_id_seq')")
    await own.give_back(url)
    again = await own.take()
    fresh = await asyncpg.connect(again)
    left = "SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM lines) + (SELECT count(*) FROM shipments)"
    assert await fresh.fetchval(left) == 0
    assert await fresh.fetchval("SELECT nextval('inbox_id_seq')") == counted == 1
    assert await fresh.fetchval("SELECT count(*) FROM schema_migrations") > 0
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(url)
    with pytest.raises(asyncpg.PostgresError):
        await pool.fetchval("SELECT count(*) FROM orders")
    pool.terminate()
    await fresh.close()
    await own.give_back(again)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE ledger ADD CHECK (customer_id IS NULL) NOT VALID",
        "ALTER TABLE lines RENAME TO lines_away",
        "ALTER TABLE lines ALTER COLUMN title DROP NOT NULL",
        "DROP TABLE reviews",
    ],
)
async def test_a_database_that_was_altered_is_nobodys_any_more(own: Databases, change: str) -> None:
    """A test may bend its tables; the next one gets straight ones."""
    url = await own.take()
    bent = await asyncpg.connect(url)
    await bent.execute(change)
    await bent.close()
    await own.give_back(url)
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(url)
    again = await own.take()
    straight = await asyncpg.connect(again)
    assert await straight.fetchval("SELECT count(*) FROM lines") == 0
    assert await straight.fetchval("SELECT count(*) FROM reviews") == 0
    await straight.close()
    await own.give_back(again)
