"""How an order comes, where to and where it is followed: kept, shown where it helps, and gone with its customer."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from activities.carriers.aftership import AfterShip
from activities.messaging.context import build_message
from activities.messaging.templates import Templates
from activities.shops import shopify_payloads
from activities.shops.bigcommerce_orders import order_events
from activities.shops.payloads import read
from activities.shops.protocol import Delivery
from activities.shops.shopify_parcels import parcels
from activities.shops.woocommerce_orders import order_events as woo_events
from journey.facts import attention
from store import erasure, intake, messages, privacy, views
from tests.gateway.kit import CHANGED
from tests.gateway.test_handover import SHOP, played, shopify, told, woo
from tests.journey.stories import PLAYBOOK
from tests.shops import test_bigcommerce

ADDRESS = {
    "name": "Ada <b>Lovelace</b>",
    "street": "Amselweg 3",
    "postcode": "10437",
    "city": "Berlin",
    "country": "de",
}
WRITTEN = ("Amselweg 3", "10437 Berlin")
POINT = {
    "name": "Store Mitte",
    "address": {"street": "Torstraße 1", "postcode": "10119", "city": "Berlin"},
    "opening_hours": "Mo-Fr 10-19\nSa 10-16",
}
LINK = "https://carrier.example/follow?id=P-1&lang=de"


@pytest.fixture(scope="module")
def templates():
    return Templates.load(Path(__file__).parents[2] / "playbooks")


async def mail(gate, templates, touch, parcel=None, order_id="1001"):
    facts = await messages.load(gate.pool, "acme", order_id)
    parcels = [facts.parcel(parcel)] if parcel else []
    return build_message(
        templates,
        gate.links,
        facts,
        PLAYBOOK.by_id[touch],
        parcels=parcels,
        subject=touch,
        key="k",
        message_id="<m@x>",
        now=gate.clock.now,
    )


async def page(gate, shop="acme", order_id="1001"):
    return (await gate.client.get(gate.links.order(shop, order_id))).text


async def test_the_confirmation_says_how_it_comes_and_where_to(gate, templates):
    """The method and the address as the customer chose them; the page, whose link is passed on, has no address."""
    await gate.send.order(customer={"locale": "en"}, delivery={"title": "Express", "address": ADDRESS})
    await gate.relay.drain()
    said = await mail(gate, templates, "order_confirmation")
    assert "Delivery: Express" in said.text
    assert [line for line in WRITTEN if line in said.text] == [*WRITTEN]
    assert "Ada &lt;b&gt;Lovelace&lt;/b&gt;" in said.html
    assert "\nGermany\n" in said.text
    assert "Amselweg" not in await page(gate)


async def test_whoever_fetches_it_reads_where_and_not_their_own_address(gate, templates):
    """A carrier's point stands in place of the customer's address; one of which only the name is known does not."""
    point = POINT | {"address": POINT["address"] | {"country": "DE"}}
    for order_id, known in (("1001", point), ("1002", {"name": "Kiosk"})):
        given = {"title": "Parcel shop", "address": ADDRESS, "pickup_point": known}
        await gate.send.order(order_id=order_id, customer={"locale": "fr"}, delivery=given)
    await gate.relay.drain()
    at_point = (await mail(gate, templates, "order_confirmation")).text
    assert ("Torstraße 1\n10119 Berlin\nAllemagne" in at_point, "Amselweg 3" in at_point) == (True, False)
    assert "Torstraße 1, 10119 Berlin, Allemagne" in await page(gate)
    named = (await mail(gate, templates, "order_confirmation", order_id="1002")).text
    assert ("Kiosk" in named, "Amselweg 3" in named) == (True, True)


async def test_a_pick_up_point_has_its_address_and_hours(gate, templates):
    """In the confirmation, in the word that it is ready, and on the page."""
    await gate.send.order(customer={"locale": "en"}, delivery={"method": "pickup", "pickup_point": POINT})
    await gate.send.event("pickup.ready", shop="acme", order_id="1001")
    await gate.relay.drain()
    places = [
        (await mail(gate, templates, "order_confirmation")).text,
        (await mail(gate, templates, "pickup_ready", "pickup:acme:1001")).text,
        await page(gate),
    ]
    assert "When we" not in places[1]
    for place in places:
        for text in ("Store Mitte", "Torstraße 1", "10119 Berlin", "Mo-Fr 10-19", "Sa 10-16"):
            assert text in place


async def test_a_parcel_is_followed_by_the_link_that_was_given(gate, templates):
    """The shop's, then the carrier's own, in the mail and on the page; what it causes is said with who says so."""
    await gate.send.order(customer={"locale": "en"})
    sent = {"shop": "acme", "order_id": "1001", "tracking_number": "P-1", "carrier": "DHL"}
    await gate.send.event("shipment.created", **sent, tracking_url="https://shop.example/track/P-1")
    await gate.relay.drain()
    assert "https://shop.example/track/P-1" in (await mail(gate, templates, "shipped", "P1")).text
    assert "CO₂" not in await page(gate)

    scan = {"tracking_number": "P-1", "carrier": "DHL", "status": "in_transit", "occurred_at": CHANGED}
    await gate.send.event(
        "shipment.updated", **scan, tracking_url=LINK, co2={"grams": "1412.4", "source": "DHL <GoGreen>"}
    )
    await gate.relay.drain()
    shown = await page(gate)
    assert LINK.replace("&", "&amp;") in shown
    assert "This parcel causes 1,412 g of CO₂, says DHL &lt;GoGreen&gt;." in shown


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:,x", "https://a@b.example/", 7])
async def test_no_other_link_is_followed(gate, url):
    """What is no link of the web is left out alone."""
    await gate.send.order()
    answer = await gate.send.event(
        "shipment.created", shop="acme", order_id="1001", tracking_number="P-1", tracking_url=url
    )
    await gate.relay.drain()
    assert answer.json()["left_out"] == ["data.tracking_url"]
    assert (await views.order_view(gate.pool, "acme", "1001")).parcels[0].tracking_url is None


@pytest.mark.parametrize("co2", [{"grams": "-1", "source": "x"}, {"grams": "12"}, {"grams": "lots", "source": "x"}, 12])
async def test_a_figure_without_its_source_is_none(gate, co2):
    """What nobody stands for is not shown."""
    await gate.send.order()
    await gate.send.event("shipment.created", shop="acme", order_id="1001", tracking_number="P-1", co2=co2)
    await gate.relay.drain()
    assert (await views.order_view(gate.pool, "acme", "1001")).parcels[0].co2_grams is None


async def test_the_address_is_told_to_its_customer_and_goes_with_them(gate):
    """It is in the export, and no table has it after the erasure."""
    await gate.send.order(delivery={"title": "Express", "address": ADDRESS})
    await gate.relay.drain()
    exported = await privacy.kept(gate.pool, "acme", "c-17")
    assert exported["deliveries"][0]["address"]["street"] == "Amselweg 3"
    async with gate.pool.acquire() as connection, connection.transaction():
        await erasure.erase_customer(connection, "acme", "c-17", now=gate.clock.now)
    assert await gate.pool.fetchval("SELECT count(*) FROM deliveries") == 0


async def test_every_shops_own_words_are_read(gate):
    """Shopify, WooCommerce and BigCommerce name the parts of an address each in their own way."""
    theirs = {"first_name": "Noa", "last_name": "B", "city": "Berlin"}
    await told(
        gate,
        "shopify",
        shopify(shipping_address=theirs | {"address1": "Amselweg 3", "zip": "10437", "country_code": "DE"}),
    )
    await told(
        gate,
        "woocommerce",
        woo(shipping=theirs | {"address_1": "Amselweg 3", "postcode": "10437", "country": "DE"}),
    )
    consigned = theirs | {"street_1": "Amselweg 3", "zip": "10437", "country_iso2": "DE", "shipping_method": "Post"}
    order = test_bigcommerce.ORDER | {"consignments": {"shipping": [consigned]}}
    await told(gate, "bigcommerce", (order, test_bigcommerce.PRODUCTS))
    rows = [("acme.myshopify.com", "100"), ("woo.example", "9006"), ("store", "250")]
    said = [(await messages.load(gate.pool, *place)).delivery for place in rows]
    assert [one.address.lines(str.lower) for one in said] == [("Noa B", "Amselweg 3", "10437 Berlin", "de")] * 3
    assert [one.title for one in said] == ["Standard", None, "Post"]


def links(events):
    return [one.tracking_url for one in events if isinstance(one, intake.ShipmentCreated | intake.ShipmentUpdated)]


def test_every_shops_own_link_is_read():
    """Of several links of one Shopify fulfilment nobody knows which is which number's."""
    fulfilment = {"id": 1, "order_id": 100, "status": "success", "created_at": CHANGED, "tracking_urls": [LINK]}
    single = read(shopify_payloads.Fulfilment, fulfilment | {"tracking_numbers": ["P-1"]})
    several = read(shopify_payloads.Fulfilment, fulfilment | {"tracking_numbers": ["P-1", "P-2"]})
    assert links(parcels(SHOP, single)) == [LINK]
    assert links(parcels(SHOP, several)) == [None, None]

    tracked = [{"tracking_number": "P-1", "custom_tracking_link": LINK}]
    body = woo(shipping_lines=[{}], meta_data=[{"key": "_wc_shipment_tracking_items", "value": tracked}])
    assert links(woo_events(body, shop="s", secret_key="k")) == [LINK]

    order, sold = test_bigcommerce.ORDER, test_bigcommerce.PRODUCTS
    shipment = test_bigcommerce.SHIPMENT | {"tracking_link": LINK}
    said = order_events(order, sold, [shipment], [], shop="s", secret_key="k", read_at=datetime.now(UTC))
    assert links(said) == [LINK]


@pytest.mark.parametrize(("link", "kept"), [(LINK, LINK), ("javascript:x", None), (None, None), ({}, None)])
def test_the_carriers_own_link_is_read(link, kept):
    """AfterShip has it beside each tracking; what is no link costs nobody the scan."""
    tracking = {
        "tracking_number": "P-1",
        "slug": "dhl",
        "tag": "InTransit",
        "updated_at": CHANGED,
        "courier_tracking_link": link,
        "checkpoints": [{"checkpoint_time": CHANGED, "tag": "InTransit"}],
    }
    body = json.dumps({"event": "tracking_update", "msg": tracking}).encode()
    assert set(links(AfterShip("secret").translate(Delivery({}, body)))) == {kept}


@pytest.mark.parametrize("topic", ["fulfillments/create", "orders/fulfilled"])
async def test_a_pick_up_that_is_fulfilled_without_a_word_was_sent_to_nobody(gate, topic):
    """Without a `shipment_status`: nobody hears that it left, is late, or came; once it is ready that is told."""
    place = await told(
        gate,
        "shopify",
        shopify(shipping_address=None, shipping_lines=[{"title": "Store", "source": "shopify"}]),
    )
    done = {
        "id": 1,
        "order_id": 100,
        "status": "success",
        "created_at": CHANGED,
        "updated_at": CHANGED,
        "tracking_numbers": [],
        "shipment_status": None,
        "line_items": [{"id": 1, "sku": "CUP-1", "quantity": 1}],
    }
    await gate.send.shopify(topic, {"id": 100, "fulfillments": [done]} if topic.startswith("orders") else done)
    await gate.relay.drain()

    journey = played(gate, place, days=20)
    assert [key for key in journey.sent if key.startswith(("shipped", "delivered", "not_", "care", "pickup"))] == []
    assert attention(journey.state, PLAYBOOK, journey.state.order.placed_at) == ()
    (parcel,) = (await views.order_view(gate.pool, *place)).parcels
    assert (parcel.pickup, parcel.number) == (True, None)
    await gate.send.shopify("fulfillments/update", done | {"shipment_status": "ready_for_pickup"})
    await gate.relay.drain()
    assert any(key.startswith("pickup_ready") for key in played(gate, place).sent)
