"""The in-app inbox on a real PostgreSQL."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from store import notes
from store.pool import Pool
from tests.store.books import NOON, Books
from tests.support.orders import Order


async def put(pool: Pool, order: Order, touch_key: str, **changes: Any) -> bool:
    usual = {
        "shop": order.shop,
        "order_id": order.order_id,
        "touch_key": touch_key,
        "title": f"About {touch_key}",
        "body": "It left us today.",
        "link": "https://shop.test/o/abc",
        "at": NOON,
        "expires_at": None,
    }
    return await notes.put(pool, **{**usual, **changes})


async def shown(pool: Pool, order: Order, after: timedelta = timedelta()) -> list[str] | None:
    found = await notes.listed(pool, order.shop, order.order_id, now=NOON + after)
    return None if found is None else [note.touch_key for note in found]


async def test_a_note_laid_in_twice_is_there_once_as_it_first_was(books: Books) -> None:
    """Twenty at once make one, and neither words nor a reading of it are lost to a later one."""
    order = await books.order()
    assert await put(books.pool, order, "shipped") is True
    await notes.mark_read(books.pool, order.shop, order.order_id, ["shipped"], at=NOON)
    again = await asyncio.gather(*(put(books.pool, order, "shipped", title="Other", body="") for _ in range(20)))
    assert again == [True] * 20
    assert await notes.listed(books.pool, order.shop, order.order_id, now=NOON) == [
        notes.Note("shipped", "About shipped", "It left us today.", "https://shop.test/o/abc", NOON, NOON)
    ]


async def test_a_note_for_an_order_that_was_erased_goes_nowhere(books: Books) -> None:
    """The caller is told, and there is nothing to list."""
    assert await put(books.pool, Order("no-such"), "shipped") is False
    assert await shown(books.pool, Order("no-such")) is None


async def test_an_inbox_shows_its_own_order_newest_first(books: Books) -> None:
    """Another order of the same customer is not in it, nor is the same number at another shop."""
    order = await books.order()
    await put(books.pool, order, "old")
    await put(books.pool, order, "new", at=NOON + timedelta(hours=1))
    await put(books.pool, await books.order(order.person), "elsewhere")
    assert await shown(books.pool, order) == ["new", "old"]
    assert await notes.listed(books.pool, "bolt", order.order_id, now=NOON) is None
    assert await shown(books.pool, await books.order()) == []


async def test_a_note_is_shown_until_it_expires(books: Books) -> None:
    """At the very moment it is gone."""
    order = await books.order()
    await put(books.pool, order, "offer", expires_at=NOON + timedelta(days=2))
    assert await shown(books.pool, order, timedelta(days=2) - timedelta(seconds=1)) == ["offer"]
    assert await shown(books.pool, order, timedelta(days=2)) == []


async def test_reading_is_remembered_once(books: Books) -> None:
    """Only what is named, only in this order, and the first moment stays."""
    order, other = await books.order(), await books.order()
    for one in (order, other):
        await put(books.pool, one, "a")
        await put(books.pool, one, "b")
    whose = (order.shop, order.order_id)
    assert await notes.mark_read(books.pool, *whose, ["a", "no-such"], at=NOON) == 1
    assert await notes.mark_read(books.pool, *whose, ["a", "b"], at=NOON + timedelta(hours=1)) == 1
    assert await notes.mark_read(books.pool, *whose, [], at=NOON) == 0
    assert await notes.mark_read(books.pool, "acme", "no-such", ["a"], at=NOON) is None
    rows = await books.pool.fetch("SELECT order_id, touch_key, read_at FROM notes ORDER BY touch_key")
    read = {(row["order_id"], row["touch_key"]): row["read_at"] for row in rows}
    assert read == {
        (order.order_id, "a"): NOON,
        (order.order_id, "b"): NOON + timedelta(hours=1),
        (other.order_id, "a"): None,
        (other.order_id, "b"): None,
    }


@pytest.mark.parametrize("link", ["javascript:alert(1)", "//shop.test", "data:text/html,x", "", " https://shop.test"])
async def test_only_web_addresses_are_links(books: Books, link: str) -> None:
    """What a browser might run never gets into the table."""
    order = await books.order()
    with pytest.raises(asyncpg.CheckViolationError):
        await put(books.pool, order, "a", link=link)
    assert await put(books.pool, order, "a", link=None)


async def test_an_erased_order_has_no_notes(books: Books) -> None:
    """Erasing the person takes the inbox with it."""
    order = await books.order()
    await put(books.pool, order, "a")
    await books.pool.execute("DELETE FROM customers WHERE customer_id = $1", order.person.customer_id)
    assert await books.pool.fetchval("SELECT count(*) FROM notes") == 0
