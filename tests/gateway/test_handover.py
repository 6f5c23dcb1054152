"""What is sent, collected, taken along or handed to nobody, through the real endpoints: each is told its own."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.messaging.context import build_message, build_short
from activities.messaging.templates import Templates
from activities.shops.bigcommerce_orders import order_events
from journey.base import workflow_id
from journey.facts import attention
from journey.playbook import Channel
from store import inbox, messages
from tests.gateway.kit import order_data
from tests.journey.driver import drive
from tests.journey.makers import begun
from tests.journey.stories import PLAYBOOK
from tests.shops import test_bigcommerce

SHOP, WOO, STORE = "acme.myshopify.com", "woo.example", "store"
LANGUAGES = ("en", "de", "fr", "es")
PLACED = "2026-11-22T09:55:00"
# What only an order that will be packed, or will leave, is told.
PACKED = (
    *("pack", "leaves the house", "when it leaves", "emball", "départ", "quittera", "embal", "salga"),
    *("aus dem haus", "losgeht", "preparamos. volverás"),
)


@pytest.fixture(scope="module")
def templates():
    return Templates.load(Path(__file__).parents[2] / "playbooks")


def woo(**changes):
    return {
        "id": 9006,
        "number": "9006",
        "parent_id": 0,
        "status": "processing",
        "currency": "EUR",
        "total": "80.00",
        "created_via": "checkout",
        "customer_id": 0,
        "date_created_gmt": PLACED,
        "date_modified_gmt": PLACED,
        "date_paid_gmt": PLACED,
        "date_completed_gmt": None,
        "needs_processing": True,
        "billing": {"first_name": "Ida", "email": "ida@buyer.example", "country": "DE"},
        "shipping": {"country": "", "first_name": "", "address_1": "", "city": ""},
        "line_items": [
            {"id": 1, "product_id": 9, "sku": "COURSE-1", "name": "Course", "quantity": 1, "total": "80.00"},
        ],
        "shipping_lines": [],
        "refunds": [],
        "meta_data": [],
    } | changes


def shopify(*, line=None, **changes):
    thing = {"id": 1, "sku": "CUP-1", "title": "Cup", "quantity": 1, "price": "49.90"} | (line or {})
    return {
        "id": 100,
        "email": "noa@buyer.example",
        "created_at": f"{PLACED}Z",
        "updated_at": f"{PLACED}Z",
        "currency": "EUR",
        "total_price": "49.90",
        "source_name": "web",
        "customer": {"id": 500, "email": "noa@buyer.example"},
        "shipping_address": {"country_code": "DE"},
        "line_items": [thing],
        "shipping_lines": [{"title": "Standard", "source": "shopify"}],
    } | changes


async def told(gate, vendor, body):
    """Send it by the vendor's own endpoint; a BigCommerce order is what its API answers. Returns whose order it is."""
    if vendor == "bigcommerce":
        order, sold = body
        events = order_events(order, sold, [], [], shop=STORE, secret_key="key", read_at=datetime.now(UTC))
        received = gate.clock.now
        await inbox.keep(
            gate.pool, source="b", event_id="1", topic="t", body=b"{}", events=events, received_at=received
        )
        place = STORE, str(order["id"])
    elif vendor == "woocommerce":
        assert (await gate.send.woo("order.created", body)).is_success
        place = WOO, str(body["id"])
    elif vendor == "shopify":
        assert (await gate.send.shopify("orders/create", body)).is_success
        place = SHOP, str(body["id"])
    else:
        assert (await gate.send.event("order.created", **body)).is_success
        place = body["shop"], body["order_id"]
    await gate.relay.drain()
    return place


def played(gate, place, *, days=12):
    """The journey with all it was told, so many days on."""
    key = workflow_id(*place)
    facts = gate.journeys.started[key]
    arrivals = [(max(event.at, facts.placed_at), event) for name, event in gate.journeys.told if name == key]
    end = facts.placed_at + timedelta(days=days)
    return drive(begun(facts, now=facts.placed_at), PLAYBOOK, arrivals, now=facts.placed_at, end=end)


async def confirmed(gate, templates, place, language):
    """Every word of its confirmation, in each of its forms, and of its page."""
    await gate.pool.execute("UPDATE customers SET locale = $1", language)
    facts = await messages.load(gate.pool, *place)
    touch, now = PLAYBOOK.by_id["order_confirmation"], gate.clock.now
    mail = build_message(
        templates, gate.links, facts, touch, parcels=(), subject=touch.id, key="k", message_id="<m@x>", now=now
    )
    forms = [
        build_short(templates, gate.links, facts, touch, channel, parcels=(), subject=touch.id, now=now)
        for channel in (Channel.SMS, Channel.WEB_PUSH)
    ]
    page = await gate.client.get(gate.links.order(*place))
    main = page.text.partition("<main")[2].partition("<ol class")[0]
    return " ".join([mail.subject, mail.text, mail.html, *map(str, forms), main]).lower()


def bigcommerce(kind, **changes):
    order = test_bigcommerce.ORDER | {"status_id": 11, "date_modified": test_bigcommerce.ORDER["date_created"]}
    return order | changes, [test_bigcommerce.PRODUCTS[0] | {"type": kind}]


NOT_SENT = {
    "woo: virtual, no shipping line, no address": ("woocommerce", woo()),
    "woo: its plugin says virtual": (
        "woocommerce",
        woo(shipping_lines=[{"method_id": "flat_rate"}], line_items=[woo()["line_items"][0] | {"virtual": True}]),
    ),
    "woo: downloadable": ("woocommerce", woo(needs_processing=False)),
    "woo: collected": ("woocommerce", woo(shipping_lines=[{"method_id": "local_pickup", "method_title": "Store"}])),
    "woo: till": ("woocommerce", woo(created_via="pos-rest-api", shipping={"country": "DE"})),
    "shopify: nothing to ship": ("shopify", shopify(line={"requires_shipping": False}, shipping_lines=[])),
    "shopify: gift card": ("shopify", shopify(line={"requires_shipping": False, "gift_card": True})),
    "shopify: gift card, null": ("shopify", shopify(line={"requires_shipping": None, "gift_card": True})),
    "shopify: till": ("shopify", shopify(source_name="pos", shipping_lines=[], shipping_address=None)),
    "shopify: local pick-up": (
        "shopify",
        shopify(shipping_address=None, shipping_lines=[{"title": "Store", "code": "Store", "source": "shopify"}]),
    ),
    "shopify: an app's pick-up": ("shopify", shopify(shipping_lines=[{"delivery_category": "pickup"}])),
    "shopify: a pick-up by its note": (
        "shopify",
        shopify(note_attributes=[{"name": "Checkout-Method", "value": "pickup"}]),
    ),
    "bigcommerce: digital": ("bigcommerce", bigcommerce("digital")),
    "bigcommerce: gift certificate": ("bigcommerce", bigcommerce("giftcertificate")),
    "bigcommerce: no consignment": (
        "bigcommerce",
        bigcommerce("physical", consignments={"pickups": [], "shipping": [], "downloads": [], "email": {}}),
    ),
    "bigcommerce: collected": ("bigcommerce", bigcommerce("physical", consignments={"pickups": [{"id": 1}]})),
    "custom: a service": ("custom", order_data(line={"kind": "service"})),
    "custom: digital": ("custom", order_data(line={"kind": "digital"})),
    "custom: till": ("custom", order_data(channel="pos")),
    "custom: collected": ("custom", order_data(delivery={"method": "pickup"})),
}


@pytest.mark.parametrize("case", NOT_SENT)
async def test_what_is_sent_to_nobody_is_never_said_to_be_packed_or_late(gate, templates, case):
    """Tills, pick-ups, downloads and services: no word of packing or leaving, be it mail, text, push or page."""
    vendor, body = NOT_SENT[case]
    # Of a shop that hands its orders over within a day, silence would mean something.
    for shop in ("acme", SHOP, WOO, STORE):
        await gate.pool.execute("INSERT INTO dispatch_habits VALUES ($1, 100, 86400, NULL, now())", shop)
    place = await told(gate, vendor, body)

    journey = played(gate, place)
    assert not [key for key in journey.sent if key.startswith(("not_dispatched", "shipped"))]
    assert "order_not_dispatched" not in attention(
        journey.state, PLAYBOOK, journey.state.order.placed_at + timedelta(6)
    )
    for language in LANGUAGES:
        said = await confirmed(gate, templates, place, language)
        assert [word for word in PACKED if word in said] == []


@pytest.mark.parametrize(
    ("vendor", "body"),
    [
        ("woocommerce", woo(shipping_lines=[{"method_id": "flat_rate"}])),
        ("woocommerce", woo(shipping={"country": "DE", "city": "Berlin"})),
        ("shopify", shopify()),
        ("shopify", shopify(line={"requires_shipping": True, "gift_card": True})),
        ("bigcommerce", bigcommerce("physical")),
        ("custom", order_data()),
    ],
)
async def test_what_is_sent_is_packed_and_missed_where_it_does_not_leave(gate, templates, vendor, body):
    """Goods with a way to their customer: the confirmation says what comes next, and their absence is told."""
    place = await told(gate, vendor, body)
    facts = gate.journeys.started[workflow_id(*place)].but(dispatch_within=timedelta(days=2))
    gate.journeys.started[workflow_id(*place)] = facts

    assert "not_dispatched" in played(gate, place).sent
    said = await confirmed(gate, templates, place, "en")
    assert "we pack it" in said
    assert "we are packing it" in said


async def test_a_completed_order_with_a_parcel_is_told_as_sent(gate, templates):
    """By WooCommerce's own word for it: it left, and neither its confirmation nor its page says that it will."""
    tracked = [
        {"key": "_wc_shipment_tracking_items", "value": [{"tracking_number": "WOO1", "tracking_provider": "DHL"}]}
    ]
    body = woo(
        id=9005,
        status="completed",
        date_completed_gmt="2026-11-22T09:59:00",
        date_modified_gmt="2026-11-22T09:59:00",
        shipping_lines=[{"method_id": "flat_rate"}],
        meta_data=tracked,
    )
    place = await told(gate, "woocommerce", body)

    journey = played(gate, place)
    assert any(key.startswith("shipped:") for key in journey.sent)
    assert "not_dispatched" not in journey.sent
    assert "we pack it" not in await confirmed(gate, templates, place, "en")


SENTENCES = {
    "en": ("come for it", "took it along", "need a van", "none of it comes in a box", "we pack it"),
    "de": ("abholen kannst", "gleich aus unserem laden", "lieferwagen", "kommt in einem karton", "packen wir"),
    "fr": ("venir la chercher", "emportée de notre", "de camion", "dans un carton", "emballons"),
    "es": ("puedas recogerlo", "te lo llevaste", "no necesita furgoneta", "viene en una caja", "salga de casa"),
}


@pytest.mark.parametrize("language", LANGUAGES)
async def test_each_way_has_its_own_true_sentence(gate, templates, language):
    """What is collected, taken along, opened, only booked or sent is said to be that and nothing else."""
    ways = (
        {"delivery": {"method": "pickup"}},
        {"channel": "pos"},
        {"line": {"kind": "digital"}},
        {"line": {"kind": "service"}},
        {},
    )
    for number, changes in enumerate(ways):
        place = await told(gate, "custom", order_data(order_id=str(number), **changes))
        said = await confirmed(gate, templates, place, language)
        assert [one for one in SENTENCES[language] if one in said] == [SENTENCES[language][number]]
