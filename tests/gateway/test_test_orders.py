"""Orders that nobody means, and orders of which hardly anything is said."""

import pytest

from starters.dispatch import TEST
from starters.relay import Relay
from tests.gateway.kit import order_data
from tests.gateway.test_handover import SHOP, shopify

CHANGED = "2026-11-22T09:58:00Z"


async def test_a_test_order_has_no_journey(gate):
    """Of Shopify's and of a backend's own: no order, no customer, no journey, and the inbox says why."""
    await gate.send.shopify("orders/create", shopify(test=True))
    await gate.send.shopify("orders/updated", shopify(test=True, updated_at=CHANGED))
    await gate.send.shopify("orders/cancelled", {"id": 100, "test": True, "cancelled_at": CHANGED})
    await gate.send.order(order_id="2001", test=True)
    await gate.relay.drain()

    assert {(row["status"], row["note"]) for row in await gate.rows()} == {("ignored", TEST)}
    assert gate.journeys.started == {}
    assert await gate.pool.fetchval("SELECT count(*) FROM orders") == 0
    assert await gate.pool.fetchval("SELECT count(*) FROM customers") == 0


@pytest.mark.parametrize("test", [False, None, "", "no", 0])
async def test_what_is_no_test_is_an_order(gate, test):
    """False, null or nothing sensible: it is meant."""
    await gate.send.shopify("orders/create", shopify(test=test))
    await gate.relay.drain()
    assert len(gate.journeys.started) == 1


async def test_a_test_order_has_a_journey_where_that_is_asked_for(gate):
    """By POSTLUDE_TEST_ORDERS, as somebody does who is just connecting a shop."""
    relay = Relay(gate.pool, gate.journeys, clock=gate.clock, test_orders=True)
    await gate.send.shopify("orders/create", shopify(test=True))
    await gate.send.order(order_id="2001", test=True)
    await relay.drain()
    assert set(gate.journeys.started) == {f"order:{SHOP}:100", "order:acme:2001"}


BARE = {
    "a gift card alone": {
        "line_items": [{"id": 1, "title": "Gift card", "price": "50", "gift_card": True, "requires_shipping": False}]
    },
    "made from a draft": {"source_name": "shopify_draft_order", "shipping_lines": [], "shipping_address": None},
    "nobody's": {"customer": None, "email": None, "phone": None, "shipping_address": None, "billing_address": None},
    "all null": dict.fromkeys(
        (
            *("email", "source_name", "customer", "shipping_address", "shipping_lines", "note_attributes", "tags"),
            *("customer_locale", "buyer_accepts_marketing", "refunds", "billing_address", "test", "updated_at"),
        )
    ),
}


@pytest.mark.parametrize("case", BARE)
async def test_an_order_of_which_hardly_anything_is_said_has_its_journey(gate, case):
    """Drafts that became orders, gift cards, no customer and nulls everywhere: taken in, begun, and shown."""
    answer = await gate.send.shopify("orders/create", shopify(**BARE[case]))
    await gate.relay.drain()

    assert answer.status_code == 202
    assert set(gate.journeys.started) == {f"order:{SHOP}:100"}
    assert (await gate.client.get(gate.links.order(SHOP, "100"))).status_code == 200


async def test_a_draft_is_no_order_yet(gate):
    """Its own topic means nothing here: the order that it becomes is told by itself."""
    await gate.send.shopify("draft_orders/create", shopify())
    assert [(row["status"], row["note"]) for row in await gate.rows()] == [("ignored", "unknown topic")]


async def test_a_backends_order_with_nulls_everywhere_else_has_its_journey(gate):
    """What an order can do without is null."""
    fields = ("customer", "channel", "placed_at", "delivery", "estimated_delivery", "replaces", "test")
    await gate.send.event("order.created", **order_data() | dict.fromkeys(fields))
    await gate.relay.drain()
    assert set(gate.journeys.started) == {"order:acme:1001"}
