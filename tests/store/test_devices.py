"""Where a customer's notifications go, on a real PostgreSQL."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from store import devices
from store.pool import Pool
from tests.store.books import NOON, Books
from tests.support.orders import Order, Person
from tests.support.world import order_id


async def register(pool: Pool, order: Order, address: str, **changes: Any) -> bool:
    usual = {"shop": order.shop, "order_id": order.order_id, "channel": "push", "address": address, "at": NOON}
    return await devices.register(pool, **{**usual, **changes})


async def living(pool: Pool, order: Order, channel: devices.PushChannel = "push", limit: int = 100) -> list[str]:
    async with pool.acquire() as connection:
        return await devices.addresses(connection, order.shop, order.order_id, channel, limit)


async def test_a_device_registered_twice_is_one(books: Books) -> None:
    """Also when an app does it from two places at once; for another order of the same customer it is one more."""
    order = await books.order()
    other = await books.order(order.person)
    registered = await asyncio.gather(*(register(books.pool, one, "t-1") for one in (order, other, order, other)))
    assert registered == [True] * 4
    assert (await living(books.pool, order), await living(books.pool, other)) == (["t-1"], ["t-1"])


async def test_a_link_registers_for_its_own_order_alone(books: Books) -> None:
    """Whoever was handed one order's link hears nothing of the customer's other orders."""
    order = await books.order()
    other = await books.order(order.person)
    await register(books.pool, order, "a stranger's")
    assert (await living(books.pool, order), await living(books.pool, other)) == (["a stranger's"], [])


async def test_a_link_crowds_out_no_device_of_another(books: Books) -> None:
    """A link that was passed on may fill up its own order; the customer's phone stays where it was registered."""
    order = await books.order()
    passed_on = await books.order(order.person)
    await register(books.pool, order, "phone", at=NOON - timedelta(days=9))
    for number in range(devices.MOST + 5):
        await register(books.pool, passed_on, f"t-{number}", at=NOON + timedelta(minutes=number))
    assert (await living(books.pool, order), len(await living(books.pool, passed_on))) == (["phone"], devices.MOST)


async def test_one_address_is_one_customers_whoever_is_quicker(books: Books) -> None:
    """Two customers who register one address at the same moment do not both keep it."""
    first, second = await books.order(), await books.order()
    await asyncio.gather(*(register(books.pool, one, "t-1") for one in (first, second) * 3))
    assert sorted([await living(books.pool, first), await living(books.pool, second)]) == [[], ["t-1"]]


async def test_a_device_belongs_to_who_registered_last(books: Books) -> None:
    """A phone that changed hands gets nothing of its last owner's, dead or alive."""
    first, second = await books.order(), await books.order()
    await register(books.pool, first, "t-1")
    await register(books.pool, second, "t-1", at=NOON + timedelta(days=1))
    assert (await living(books.pool, first), await living(books.pool, second)) == ([], ["t-1"])


async def test_the_same_device_at_two_shops_is_two(books: Books) -> None:
    """What one shop's customer registers moves nothing at another shop."""
    here, there = await books.order(), await books.order(shop="bolt")
    await register(books.pool, here, "t-1")
    await register(books.pool, there, "t-1")
    assert (await living(books.pool, here), await living(books.pool, there)) == (["t-1"], ["t-1"])


async def test_channels_are_apart(books: Books) -> None:
    """A browser is asked for under web push, an app under push."""
    order = await books.order()
    await register(books.pool, order, '{"endpoint":"…"}', channel="web_push")
    assert (await living(books.pool, order, "web_push"), await living(books.pool, order)) == (['{"endpoint":"…"}'], [])


async def test_an_unknown_order_registers_nothing(books: Books) -> None:
    """There is no customer to send anything to."""
    assert await register(books.pool, Order("no-such"), "t-1") is False
    assert await books.pool.fetchval("SELECT count(*) FROM devices") == 0


async def test_a_dropped_device_is_silent_until_it_registers_again(books: Books) -> None:
    """The push service's word ends it, at this shop and in this channel only; its owner's return begins it anew."""
    order, there = await books.order(), await books.order(shop="bolt")
    for one in (order, there):
        await register(books.pool, one, "t-1")
    await register(books.pool, order, "t-2")
    for _ in range(2):
        await devices.drop(books.pool, shop="acme", channel="push", address="t-1", at=NOON + timedelta(hours=1))
    assert (await living(books.pool, order), await living(books.pool, there)) == (["t-2"], ["t-1"])
    await register(books.pool, order, "t-1", at=NOON + timedelta(hours=2))
    assert await living(books.pool, order) == ["t-1", "t-2"]


async def test_a_late_word_does_not_drop_who_has_just_come_back(books: Books) -> None:
    """A refusal of a message sent before the device registered again says nothing about now."""
    order = await books.order()
    await register(books.pool, order, "t-1", at=NOON + timedelta(hours=2))
    await devices.drop(books.pool, shop="acme", channel="push", address="t-1", at=NOON + timedelta(hours=1))
    assert await living(books.pool, order) == ["t-1"]


async def test_the_newest_devices_come_first_and_crowd_out_the_oldest(books: Books) -> None:
    """Nobody fills the table through one link: twenty stay, the dead go before the living, others' stay untouched."""
    order, neighbour = await books.order(), await books.order()
    await register(books.pool, neighbour, "theirs")
    for number in range(25):
        await register(books.pool, order, f"t-{number:02}", at=NOON + timedelta(minutes=number))
        if number == 20:
            await devices.drop(books.pool, shop="acme", channel="push", address="t-20", at=NOON + timedelta(hours=1))
    kept = [f"t-{number:02}" for number in range(24, 3, -1) if number != 20]
    assert await living(books.pool, order) == kept
    assert await living(books.pool, order, limit=2) == ["t-24", "t-23"]
    assert await living(books.pool, neighbour) == ["theirs"]


async def test_an_address_no_device_has_is_refused(books: Books) -> None:
    """A random text of 2,200 bytes fits the key, one of megabytes is not kept at all."""
    order = await books.order()
    assert await register(books.pool, order, "".join(chr(33 + number * 7919 % 90) for number in range(2200)))
    with pytest.raises(asyncpg.CheckViolationError):
        await register(books.pool, order, "x" * 2201)


async def test_an_erased_customer_has_no_devices(books: Books) -> None:
    """Erasing the person takes their addresses with it."""
    order = await books.order(Person(customer_id=order_id()))
    await register(books.pool, order, "t-1")
    await books.pool.execute("DELETE FROM customers WHERE customer_id = $1", order.person.customer_id)
    assert await books.pool.fetchval("SELECT count(*) FROM devices") == 0
