"""What a shop tells of its lines beside what they cost: kept, shown where it helps, and nothing that harms."""

from pathlib import Path

import pytest

from activities.messaging.context import build_message
from activities.messaging.templates import Templates
from store import messages
from tests.gateway.test_handover import shopify, woo
from tests.journey.stories import PLAYBOOK

ACCESS = {"access_url": "https://shop.example/watch?course=1&key=a", "access_key": "7QX2-K<b>"}
KNOWN = {
    "kind": "digital",
    "variant": "Morning <b>edition</b>",
    "image_url": "https://cdn.shop.example/course.jpg",
    "product_url": "http://shop.example/p/course",
    "gift": True,
    "subscription": True,
    **ACCESS,
}


@pytest.fixture(scope="module")
def templates():
    return Templates.load(Path(__file__).parents[2] / "playbooks")


async def mail(gate, templates, touch):
    facts = await messages.load(gate.pool, "acme", "1001")
    return build_message(
        templates,
        gate.links,
        facts,
        PLAYBOOK.by_id[touch],
        parcels=(),
        subject=touch,
        key="k",
        message_id="<m@x>",
        now=gate.clock.now,
    )


async def known(gate):
    facts = await messages.load(gate.pool, "acme", "1001")
    return [line.more for line in facts.lines]


async def test_a_digital_line_is_opened_by_its_own_link_and_key(gate, templates):
    """The access mail has both, the confirmation the variant; all of it is text, whatever it holds."""
    await gate.send.order(customer={"locale": "en-GB"}, line=KNOWN)
    await gate.relay.drain()

    access = await mail(gate, templates, "digital_access")
    assert f"Yoga mat (Morning <b>edition</b>)\n{ACCESS['access_url']}\n" in access.text
    assert "Your key: 7QX2-K<b>" in access.text
    assert 'href="https://shop.example/watch?course=1&amp;key=a"' in access.html
    assert "7QX2-K&lt;b&gt;" in access.html
    confirmation = await mail(gate, templates, "order_confirmation")
    assert "Yoga mat (Morning <b>edition</b>)" in confirmation.text
    assert "Morning &lt;b&gt;edition&lt;/b&gt;" in confirmation.html
    assert ACCESS["access_key"] not in confirmation.text


async def test_the_page_that_is_passed_on_opens_nothing(gate):
    """Whoever has the link to an order's page has no key to what was bought."""
    await gate.send.order(line=KNOWN)
    await gate.relay.drain()
    page = (await gate.client.get(gate.links.order("acme", "1001"))).text
    assert "7QX2" not in page
    assert "watch?course" not in page


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://shop.example/x",
        "//shop.example/x",
        "https://",
        "https://shop.example@evil.example/",
        "https://shop.example/\r\nX: y",
        "https://shop.example/\u202ex",
        'https://shop.example/"><b>',
        "https://shop.example:x/",
        "https://[::1/",
        "x" * 3000,
        7,
        ["https://shop.example/"],
    ],
)
async def test_only_links_of_the_web_are_kept(gate, url):
    """Anything else is left out alone, and the sender is told which field it was."""
    answer = await gate.send.order(line=KNOWN | {"access_url": url})
    await gate.relay.drain()
    assert (answer.status_code, answer.json()["left_out"]) == (202, ["data.lines.0.access_url"])
    (line,) = await known(gate)
    assert (line.access_url, line.access_key) == (None, ACCESS["access_key"])


async def test_an_edit_that_says_nothing_of_a_line_takes_nothing_from_it(gate):
    """A download's link outlives an edit of the order; what an edit does say counts."""
    await gate.send.order(line=KNOWN)
    other = {"sku": "NEW", "quantity": 1, "unit_price": "5.00", "variant": "Red"}
    plain = {"sku": "YM-1", "title": "Yoga mat", "quantity": 2, "unit_price": "79.00", "kind": "digital"}
    await gate.send.event(
        "order.edited", shop="acme", order_id="1001", total="163.00", lines=[other, plain | {"access_key": "NEW-KEY"}]
    )
    await gate.relay.drain()
    new, course = await known(gate)
    assert (new.variant, new.access_url) == ("Red", None)
    assert (course.access_url, course.access_key) == (ACCESS["access_url"], "NEW-KEY")


async def test_a_link_that_comes_later_is_kept(gate):
    """A shop that sends the order again once a download is ready gives the line what it lacked."""
    await gate.send.order(line={"kind": "digital"})
    await gate.send.order(line={"kind": "digital"} | ACCESS)
    await gate.relay.drain()
    (line,) = await known(gate)
    assert line.access_url == ACCESS["access_url"]


async def test_every_shop_has_its_own_words_for_a_variant(gate):
    """Shopify's `variant_title`, WooCommerce's chosen attributes: one word here."""
    line = {"variant_title": "Blue / M"}
    await gate.send.shopify("orders/create", shopify(line=line))
    await gate.send.shopify("orders/create", shopify(id=101, line={"variant_title": "Default Title"}))
    chosen = [{"key": "pa_colour", "display_value": "Blue"}, {"key": "_internal", "display_value": "x"}]
    sold = woo()["line_items"][0] | {
        "variation_id": 10,
        "meta_data": chosen,
        "image": {"id": "1", "src": "https://woo.example/cup.jpg"},
    }
    await gate.send.woo("order.created", woo(line_items=[sold]))
    await gate.relay.drain()
    rows = await gate.pool.fetch("SELECT order_id, variant, image_url FROM lines ORDER BY order_id")
    assert [tuple(row) for row in rows] == [
        ("100", "Blue / M", None),
        ("101", None, None),
        ("9006", "Blue", "https://woo.example/cup.jpg"),
    ]
