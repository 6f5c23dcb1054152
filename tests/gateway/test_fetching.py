"""Orders that shops only say have changed: read from the shops' own APIs, which may be slow, shut, or old news."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlsplit

import httpx
import pytest

from activities.shops.shopify_admin import ShopifyAdmin
from activities.shops.woocommerce_rest import WooCommerceRest
from activities.vendors.http import VendorBusyError
from journey.base import workflow_id
from starters.relay import Relay
from store import inbox
from tests.gateway.kit import SECRET_KEY, ShopApi, changed, placed
from tests.support.patience import PATIENCE


async def test_an_order_that_changed_is_read_from_its_shop_once(gate):
    """One word that it changed is one question, whose answer goes the way of any webhook; told again it is nothing."""
    api = ShopApi(placed())
    relay = Relay(gate.pool, gate.journeys, clock=gate.clock, fetch=api)
    assert await changed(gate)
    assert not await changed(gate)
    await relay.drain()
    assert api.asked == [("acme", "1001")]
    assert [(row["source"], row["status"], row["note"]) for row in await gate.rows()] == [
        ("woocommerce", "dispatched", None),
        ("woocommerce:api", "dispatched", None),
        ("woocommerce:api", "dispatched", None),
    ]
    assert list(gate.journeys.started) == [workflow_id("acme", "1001")]
    assert gate.journeys.kinds("acme", "1001") == ["ShipmentCreated"]
    await changed(gate, event_id="wc-2")
    await relay.drain()
    assert [row["note"] for row in await gate.rows()][3:] == [None, "nothing new", "nothing new"]
    assert gate.journeys.kinds("acme", "1001") == ["ShipmentCreated"]
    assert await gate.pool.fetchval("SELECT total FROM orders") == Decimal("79.00")


async def test_an_answer_that_was_kept_is_not_kept_again(gate):
    """An attempt that died after the shop's answer was kept asks again, and leaves the first answer as it is."""
    await changed(gate)
    (row,) = await gate.rows()
    await inbox.keep(
        gate.pool,
        source="woocommerce:api",
        event_id=str(row["id"]),
        topic="order.updated",
        body=b"",
        events=placed(),
        received_at=gate.clock.now,
    )
    await Relay(gate.pool, gate.journeys, clock=gate.clock, fetch=ShopApi(placed(total="99.00"))).drain()
    assert await gate.states() == ["dispatched"] * 3
    assert await gate.pool.fetchval("SELECT total FROM orders") == Decimal("79.00")


async def test_a_shop_that_is_away_is_asked_again(gate):
    """Its trouble is patience's matter, however long it lasts, and holds up nobody else."""
    api = ShopApi(*[VendorBusyError("woocommerce", "http_503")] * 12, placed())
    relay = Relay(gate.pool, gate.journeys, clock=gate.clock, fetch=api)
    await changed(gate)
    await gate.send.order(order_id="2", customer={"customer_id": "c-2"})
    await relay.drain()
    assert await gate.states() == ["pending", "dispatched"]
    for _ in range(12):
        gate.clock.forward(minutes=15)
        await relay.drain()
    assert await gate.states() == ["dispatched"] * 4
    assert len(api.asked) == 13


REFUSED = httpx.Response(401, json={"code": "woocommerce_rest_cannot_view"})
DENIED = httpx.Response(200, json={"errors": [{"message": "No.", "extensions": {"code": "ACCESS_DENIED"}}]})


@pytest.mark.parametrize(
    ("url", "make", "said", "rule"),
    [
        ("woocommerce://k:s@shop.example", WooCommerceRest, REFUSED, "woocommerce: http_401"),
        ("shopify://t@acme.myshopify.com", ShopifyAdmin, DENIED, "shopify: access_denied"),
    ],
)
async def test_a_token_that_was_taken_back_is_a_dead_letter_after_a_week(gate, url, make, said, rule):
    """A person mends it, who finds the row; nobody asks for ever."""
    api = make(urlsplit(url), secret_key=SECRET_KEY, transport=httpx.MockTransport(lambda _: said))
    relay = Relay(gate.pool, gate.journeys, clock=gate.clock, fetch=lambda _, order_id: api.order(order_id))
    await changed(gate)
    await relay.drain()
    assert [row["note"] for row in await gate.rows()] == [f"put off: VendorBusyError {rule}"]
    gate.clock.forward(days=7)
    await relay.drain()
    assert [(row["status"], row["note"]) for row in await gate.rows()] == [
        ("dead", f"failed for a week: VendorBusyError {rule}")
    ]
    await api.aclose()


async def test_an_order_that_makes_no_sense_is_not_an_unknown_one(gate):
    """It is read a few times and is then a dead letter that names the field: an edit that mends it is told anew."""
    said = httpx.Response(200, json={"id": 1001, "status": "processing", "total": "a lot", "line_items": []})
    api = WooCommerceRest(
        urlsplit("woocommerce://k:s@shop.example"),
        secret_key=SECRET_KEY,
        transport=httpx.MockTransport(lambda _: said),
    )
    relay = Relay(gate.pool, gate.journeys, clock=gate.clock, fetch=lambda _, order_id: api.order(order_id))
    await changed(gate)
    await relay.drain()
    assert [(row["status"], row["note"]) for row in await gate.rows()] == [("pending", "put off: Malformed total")]
    for _ in range(5):
        gate.clock.forward(minutes=2)
        await relay.drain()
    assert [(row["status"], row["note"]) for row in await gate.rows()] == [("dead", "failed 5 times: Malformed total")]
    await api.aclose()


async def test_a_shop_is_asked_again_when_it_says(gate):
    """A longer wait than the relay's own is kept to."""
    api = ShopApi(VendorBusyError("bigcommerce", "http_429", timedelta(seconds=90)))
    await changed(gate)
    await Relay(gate.pool, gate.journeys, clock=gate.clock, fetch=api).drain()
    (row,) = await gate.rows()
    assert row["next_attempt"] - gate.clock.now == timedelta(seconds=90)


async def test_a_slow_shop_keeps_no_fact_waiting(gate):
    """However many orders are to be read from it, three are at a time, and what webhooks say goes past them."""
    asked, answers = [], asyncio.Event()

    async def slow(_shop, order_id):
        asked.append(order_id)
        await answers.wait()
        return []

    for number in range(10):
        await changed(gate, event_id=f"wc-{number}", order_id=str(number))
    relay = Relay(gate.pool, gate.journeys, clock=gate.clock, fetch=slow)
    running = asyncio.create_task(relay.run())
    await gate.send.order()
    relay.wake()
    await asyncio.wait_for(gate.journeys.first.wait(), PATIENCE)
    assert len(asked) == 3
    answers.set()
    relay.stop()
    await asyncio.wait_for(running, PATIENCE)


@pytest.mark.parametrize(
    ("source", "begins"),
    [
        ("woocommerce", False),
        ("bigcommerce:api", False),
        ("sync:shopify", False),
        ("shopify", False),
        ("events", True),
        ("cli", True),
    ],
)
async def test_an_old_order_begins_no_journey(gate, source, begins):
    """Platforms tell of an order whenever it is touched, years later too; a backend or an operator means it."""
    placed_at = gate.clock.now - timedelta(days=700)
    (event, _) = placed(placed_at=placed_at)
    await inbox.keep(
        gate.pool, source=source, event_id="1", topic="t", body=b"", events=[event], received_at=gate.clock.now
    )
    await gate.relay.drain()
    assert bool(gate.journeys.started) is begins
    assert await gate.pool.fetchval("SELECT placed_at FROM orders") == placed_at


@pytest.mark.parametrize(
    ("answer", "note"), [(None, "no API of this shop is configured"), ([], "the shop does not know it")]
)
async def test_an_order_that_nobody_can_read_is_noted(gate, answer, note):
    """Nobody to ask, or nothing to hear: the row says which, and waits for nothing."""
    await changed(gate)
    await Relay(gate.pool, gate.journeys, clock=gate.clock, fetch=ShopApi(answer)).drain()
    assert [(row["status"], row["note"]) for row in await gate.rows()] == [("dispatched", note)]
