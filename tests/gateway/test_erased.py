"""Who was erased does not come back by what their shop tells later; a later order of theirs is welcome."""

import asyncio
import json

import pytest

from journey.base import workflow_id
from starters.dispatch import dispatch
from starters.relay import Relay
from store import erasure, inbox, intake, privacy
from tests.support.patience import PATIENCE

MINE = "acme.myshopify.com"


@pytest.fixture
async def forgotten(gate):
    """A customer with one order, erased a minute later."""
    await gate.send.order()
    await gate.relay.drain()
    gate.clock.forward(minutes=1)
    gone = await privacy.erase(gate.pool, "acme", "c-17", now=gate.clock.now)
    assert gone.counts["orders"] == 1
    gate.clock.forward(minutes=1)
    return gate


async def nobody(gate):
    """Whether no row names the customer, in the tables or in the inbox."""
    said = await gate.pool.fetch("SELECT concat(encode(body, 'escape'), event) AS said FROM inbox")
    people = await gate.pool.fetchval("SELECT count(*) FROM customers")
    return people == 0 and not any("ada" in row["said"].lower() or "15112345678" in row["said"] for row in said)


async def known_order(gate):
    await gate.send.order(total="80.00")


async def older_order(gate):
    await gate.send.order(order_id="0999", placed_at="2026-11-20T10:00:00Z")


async def account(gate):
    customer = {"customer_id": "c-17", "email": "ada@example.com", "phone": "+4915112345678"}
    await gate.send.event("customer.updated", timestamp="2026-11-22T11:00:00Z", shop="acme", customer=customer)


async def review(gate):
    said = {"rating": 5, "text": "Ada loves it", "sku": "YM-1"}
    await gate.send.event("review.posted", timestamp="2026-11-22T11:00:00Z", shop="acme", order_id="1001", **said)


@pytest.mark.parametrize("late", [known_order, older_order, account, review])
async def test_what_is_told_later_is_let_go(forgotten, late):
    """The order again, an older one, the account and a fact: each ends ignored, with nothing left of it but ids."""
    started = dict(forgotten.journeys.started)
    await late(forgotten)
    await forgotten.relay.drain()
    assert [(row["status"], row["note"]) for row in (await forgotten.rows())[1:]] == [("ignored", "erased")]
    assert await nobody(forgotten)
    assert forgotten.journeys.started == started


async def test_an_order_that_a_shop_only_names_is_not_read(forgotten):
    """Nobody asks the shop's API for an erased order."""
    asked = []

    async def fetch(shop, order_id):
        asked.append((shop, order_id))

    event = intake.OrderChanged(at=forgotten.clock.now, shop="acme", order_id="1001")
    await inbox.keep(
        forgotten.pool,
        source="bigcommerce",
        event_id="b",
        topic="t",
        body=b"{}",
        events=[event],
        received_at=forgotten.clock.now,
    )
    await Relay(forgotten.pool, forgotten.journeys, clock=forgotten.clock, fetch=fetch).drain()
    assert (asked, (await forgotten.states())[-1]) == ([], "ignored")


async def test_a_later_order_is_welcome(forgotten):
    """With it they are a customer again, whose account may change; the old order stays unknown."""
    await forgotten.send.order(order_id="1002", placed_at="2026-11-22T10:02:00Z")
    await forgotten.relay.drain()
    await account(forgotten)
    await known_order(forgotten)
    await forgotten.relay.drain()
    assert (await forgotten.states())[1:] == ["dispatched", "dispatched", "ignored"]
    assert [row["order_id"] for row in await forgotten.pool.fetch("SELECT order_id FROM orders")] == ["1002"]
    assert workflow_id("acme", "1002") in forgotten.journeys.started


@pytest.mark.parametrize("about", ["order", "customer"])
async def test_an_erasure_that_is_under_way_is_waited_for(gate, about):
    """What was given out before somebody is erased, and is dispatched meanwhile, writes them down no more."""
    await gate.send.order()
    await gate.relay.drain()
    gate.clock.forward(minutes=1)
    await (known_order(gate) if about == "order" else account(gate))
    (row,) = await inbox.claim(gate.pool, now=gate.clock.now)
    async with gate.pool.acquire() as connection, connection.transaction():
        await erasure.erase_customer(connection, "acme", "c-17", now=gate.clock.now)
        dispatching = asyncio.create_task(dispatch(gate.pool, gate.journeys, row, now=gate.clock.now))
        await asyncio.sleep(0.3)
        assert not dispatching.done()
    async with asyncio.timeout(PATIENCE):
        assert await dispatching == "ignored"
    assert (await gate.states())[1:] == ["ignored"]
    assert await nobody(gate)


async def test_nothing_of_a_shop_that_left_is_taken_in(gate):
    """What still comes of it is let go, also a request for what is kept; another shop goes on."""
    await gate.send.shopify("shop/redact", {"shop_id": 1, "shop_domain": MINE})
    await gate.relay.drain()
    gate.clock.forward(minutes=1)
    await gate.send.order(shop=MINE)
    await gate.send.order()
    person = {"shop_id": 1, "shop_domain": MINE, "customer": {"id": 17, "email": "ada@example.com"}}
    await gate.send.shopify("customers/data_request", person | {"data_request": {"id": 9}})
    await gate.relay.drain()
    assert [(row["status"], row["note"]) for row in (await gate.rows())[1:]] == [
        ("ignored", "erased"),
        ("dispatched", None),
        ("dispatched", "nothing is kept: the shop has left"),
    ]
    assert [row["shop"] for row in await gate.pool.fetch("SELECT shop FROM customers")] == ["acme"]
    assert await privacy.open_requests(gate.pool) == []


@pytest.mark.parametrize(("hours", "left"), [(23, True), (25, False)])
async def test_what_was_ignored_is_forgotten_after_a_day(gate, hours, left):
    """It names people, and no subject says whom."""
    body = {"id": 1, "email": "ada@example.com"}
    await gate.send.shopify("orders/paid", body)
    gate.clock.forward(hours=hours)
    await gate.relay.drain()
    (row,) = await gate.rows()
    assert (row["status"], row["body"]) == ("ignored", json.dumps(body).encode() if left else b"")
