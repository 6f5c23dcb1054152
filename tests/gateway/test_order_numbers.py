"""Orders are called what the shop calls them: in mails, on pages, by whoever operates, in search."""

import re
import uuid

import pytest
from temporalio.client import Client

from journey.base import workflow_id
from tests.gateway.kit import order_data
from tests.gateway.shopfront import SHOPIFY, WOO, ago, gmt, numeric_id, of_shopify, of_woo, opened
from workflows.journey_input import NUMBER

EVIL = "<b>#1</b>[red]|`x`\u202e\n1"
SHOWN = "&lt;b&gt;#1&lt;/b&gt;[red]|`x` 1"


@pytest.fixture
async def front(journeys, stack):
    async with opened(journeys, stack) as made:
        yield made


async def found_by_number(client: Client, order_id: str) -> str | None:
    described = await client.get_workflow_handle(workflow_id(SHOPIFY, order_id)).describe()
    return described.typed_search_attributes.get(NUMBER)


async def test_mails_and_pages_say_the_number_that_the_shop_shows(front):
    """Shopify's name and the number of a WooCommerce plugin stand in subject, text and page, and the ids nowhere."""
    shopify, woo = numeric_id(), numeric_id()
    await front.shopify("orders/create", of_shopify(shopify))
    await front.woo("order.created", of_woo(woo))
    for shop, order_id, number in ((SHOPIFY, str(shopify), "#1042"), (WOO, str(woo), "RE-2026-0042")):
        mail = await front.mail(shop, order_id)
        page = await front.page(shop, order_id)
        text = mail.parsed().get_body(("plain",)).get_content()
        html = mail.parsed().get_body(("html",)).get_content()
        for said in (mail.subject, text, html, page):
            assert number in said
            assert order_id not in re.sub(r"https?://\S+|%\S+", "", said)


async def test_a_journey_is_found_by_its_number(front, client):
    """The number is a search attribute and stands in the summary of the UI; one that comes later, or changes, is."""
    order_id = numeric_id()
    await front.shopify("orders/create", of_shopify(order_id, name=None))
    await front.mail(SHOPIFY, str(order_id))
    assert str(order_id) in await front.page(SHOPIFY, str(order_id))
    assert await found_by_number(client, str(order_id)) is None
    for minutes, number in ((4, "#1042"), (3, "#1042-B")):
        await front.shopify("orders/updated", of_shopify(order_id, name=number, updated_at=ago(minutes)))
        assert await front.called(SHOPIFY, str(order_id)) == number
        assert await found_by_number(client, str(order_id)) == number
        assert f"Order {number}, placed" in await front.page(SHOPIFY, str(order_id))
    await front.shopify("orders/updated", of_shopify(order_id, name="#9", updated_at=ago(4)))
    assert await front.called(SHOPIFY, str(order_id)) == "#1042-B"


async def test_the_canonical_number_is_taken_and_may_be_corrected(front):
    """`order.created` has a `number`, and so has `order.edited`; sent again with another, the order is called that."""
    order_id = uuid.uuid4().hex[:10]
    data = order_data(order_id=order_id, placed_at=ago(), customer={"customer_id": order_id, "locale": "en"})
    for number, called in ((1001, "1001"), ("R-1", "R-1"), (None, "R-1"), ("", "R-1"), ("x" * 65, "R-1")):
        await front.event("order.created", **data, number=number)
        assert f"Order {called}, placed" in await front.page("acme", order_id)
    assert await front.called("acme", order_id) == "R-1"
    edited = {"shop": "acme", "order_id": order_id, "occurred_at": ago(1), "total": "79.00", "lines": data["lines"]}
    await front.event("order.edited", **edited, number="R-2")
    assert await front.called("acme", order_id) == "R-2"


async def test_a_woocommerce_plugin_may_number_an_order_late(front):
    """Plugins number an order when it is paid: the update brings the number."""
    order_id = numeric_id()
    await front.woo("order.created", of_woo(order_id, number=str(order_id)))
    await front.mail(WOO, str(order_id))
    await front.woo("order.updated", of_woo(order_id, date_modified_gmt=gmt(1)))
    assert "Order RE-2026-0042, placed" in await front.page(WOO, str(order_id))


async def test_a_hostile_number_is_text(front):
    """Markup, marks that turn a line round and line ends of a number do nothing in mails, pages and the UI."""
    order_id = numeric_id()
    await front.shopify("orders/create", of_shopify(order_id, name=EVIL))
    mail = await front.mail(SHOPIFY, str(order_id))
    html = mail.parsed().get_body(("html",)).get_content()
    page = await front.page(SHOPIFY, str(order_id))
    assert "<b>#1" not in html + page
    assert SHOWN in page
    assert "\u202e" not in mail.subject + html + page
    assert await front.called(SHOPIFY, str(order_id)) == "<b>#1</b>[red]|`x` 1"
