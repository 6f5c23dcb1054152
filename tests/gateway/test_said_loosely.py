"""What shops and carriers leave empty or write in another shape, over HTTP: taken, and right without it."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from starters.gateway import Front, Services, create_app, sources
from tests.gateway.kit import SECRET_KEY, SHOPIFY_SECRET, WEBHOOK_SECRET, Sender, order_data

WOO_SECRET = "woo-test-secret"  # noqa: S105  # a test secret
SHOP = "acme.myshopify.com"
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


def _iso(minutes):
    return (NOW - timedelta(minutes=minutes)).isoformat()


def _gmt(minutes):
    return (NOW - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S")


TILL = {
    "id": 101,
    "name": "#1042",
    "email": None,
    "created_at": _iso(5),
    "updated_at": _iso(5),
    "currency": "EUR",
    "total_price": "49.90",
    "current_total_price": "49.90",
    "source_name": "pos",
    "customer_locale": "en",
    "customer": None,
    "shipping_address": None,
    "line_items": [
        {
            "id": 1,
            "sku": "CUP-1",
            "title": "Cup",
            "quantity": 1,
            "current_quantity": 1,
            "price": "49.90",
            "requires_shipping": True,
        }
    ],
    "shipping_lines": None,
    "refunds": [],
}
PARCEL = {
    "id": 10101,
    "order_id": 101,
    "status": "success",
    "created_at": _iso(1),
    "updated_at": _iso(1),
    "tracking_company": "DHL",
    "tracking_number": "JJD1",
    "tracking_numbers": None,
    "shipment_status": None,
    "line_items": [{"id": 1, "sku": "CUP-1", "quantity": 1}],
}
REFUND = {
    "id": 55,
    "order_id": 101,
    "created_at": _iso(1),
    "processed_at": None,
    "refund_line_items": None,
    "transactions": [{"kind": "refund", "status": "success", "amount": "49.90", "currency": "EUR"}],
}
WOO = {
    "id": 9001,
    "number": "9001",
    "parent_id": 0,
    "status": "processing",
    "currency": "EUR",
    "total": "30.00",
    "created_via": "checkout",
    "customer_id": 0,
    "date_created_gmt": _gmt(5),
    "date_modified_gmt": _gmt(5),
    "date_paid_gmt": _gmt(5),
    "date_completed_gmt": None,
    "needs_processing": True,
    "billing": {"first_name": "Ida", "email": "ida@buyer.example", "country": "DE"},
    "shipping": {"country": ""},
    "line_items": [
        {
            "id": 1,
            "product_id": 5,
            "variation_id": 0,
            "sku": "W-1",
            "name": "Cup",
            "quantity": 1,
            "total": "25.21",
            "total_tax": "4.79",
        }
    ],
    "shipping_lines": [{"method_id": "flat_rate"}],
    "refunds": [],
    "meta_data": [],
}


class Loose:
    """A gateway that shops of every kind send to."""

    def __init__(self, gate, client):
        self.gate, self.client = gate, client
        self.send = Sender(client)

    async def woo(self, topic="order.created", **changes):
        raw = json.dumps(WOO | changes).encode()
        signed = base64.b64encode(hmac.new(WOO_SECRET.encode(), raw, hashlib.sha256).digest()).decode()
        headers = {
            "x-wc-webhook-topic": topic,
            "x-wc-webhook-source": "https://woo.example/",
            "x-wc-webhook-signature": signed,
        }
        return await self.client.post("/webhooks/woocommerce", content=raw, headers=headers)

    async def events(self):
        return [json.loads(row["event"]) for row in await self.gate.rows() if row["event"]]


@pytest.fixture
async def loose(gate, brand):
    opened = sources(
        secret_key=SECRET_KEY,
        webhook_secret=WEBHOOK_SECRET,
        shopify_secret=SHOPIFY_SECRET,
        woocommerce_secret=WOO_SECRET,
    )
    app = create_app(Services(pool=gate.pool, sources=opened, front=Front(gate.links, brand), clock=gate.clock))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gate") as client:
        yield Loose(gate, client)


async def test_a_till_order_with_nulls_for_lists_begins_its_journey(loose):
    """No customer, no address, null for the shipping lines and the tracking numbers: the order and its parcel go on."""
    answers = [
        await loose.send.shopify("orders/create", TILL),
        await loose.send.shopify("fulfillments/create", PARCEL),
        await loose.send.shopify("refunds/create", REFUND),
    ]
    await loose.gate.relay.drain()
    assert [answer.status_code for answer in answers] == [202, 202, 202]
    assert list(loose.gate.journeys.started) == [f"order:{SHOP}:101"]
    assert [event["type"] for event in await loose.events()] == ["order.created", "shipment.created", "order.refunded"]


@pytest.mark.parametrize(
    "changes",
    [
        {"shipping_lines": None},
        {"refunds": None},
        {"customer": []},
        {"shipping_address": {}},
        {"buyer_accepts_marketing": None},
        {"line_items": {"3": TILL["line_items"][0]}},
        {"line_items": [TILL["line_items"][0], None]},
        {"line_items": [TILL["line_items"][0] | {"requires_shipping": None, "title": None, "sku": None}]},
        {"line_items": [TILL["line_items"][0] | {"quantity": None, "price": None}]},
    ],
)
async def test_a_shopify_order_is_taken_whatever_is_null(loose, changes):
    """One null, list or object at a time: the order has its one physical line."""
    answer = await loose.send.shopify("orders/create", TILL | changes)
    (created,) = await loose.events()
    assert answer.status_code == 202
    assert [(line["kind"], line["quantity"]) for line in created["lines"]] == [("physical", 1)]


@pytest.mark.parametrize(
    "changes",
    [
        {"shipping": []},
        {"shipping": None},
        {"billing": []},
        {"shipping_lines": None},
        {"shipping_lines": {"9": {"method_id": "flat_rate"}}},
        {"refunds": None},
        {"meta_data": None},
        {"needs_processing": None},
        {"line_items": {"3": WOO["line_items"][0]}},
        {"line_items": [WOO["line_items"][0] | {"virtual": None, "downloadable": None}]},
        {"line_items": [WOO["line_items"][0] | {"total_tax": ""}]},
    ],
)
async def test_a_woocommerce_order_is_taken_in_phps_shapes(loose, changes):
    """An array for an object, an object for a list, null and an empty text: the order has its one physical line."""
    answer = await loose.woo(**changes)
    (created,) = await loose.events()
    assert answer.status_code == 200
    assert [(line["sku"], line["kind"]) for line in created["lines"]] == [("W-1", "physical")]


async def test_a_line_that_is_none_is_lost_alone_and_people_see_it(loose):
    """What could not be read stands beside the inbox's row by the fields' names; the order itself is taken."""
    garbled = TILL["line_items"][0] | {"quantity": "a lot"}
    answer = await loose.send.shopify("orders/create", TILL | {"line_items": [garbled, "a cup"]})
    (row,) = await loose.gate.rows()
    assert (answer.status_code, row["left_out"]) == (202, ["line_items.0.quantity", "line_items"])
    assert len(json.loads(row["event"])["lines"]) == 1


@pytest.mark.parametrize(
    ("currency", "said", "kept"),
    [
        ("JPY", "2157.84", "2158"),
        ("JPY", "2157.50", "2158"),
        ("JPY", "2157.00", "2157"),
        ("EUR", "30.005", "30.01"),
        ("EUR", "30.0049", "30.00"),
        ("KWD", "30.0005", "30.001"),
        ("KWD", "30", "30.000"),
    ],
)
async def test_amounts_are_rounded_as_their_currency_has_them(loose, currency, said, kept):
    """A shop that writes two decimals of yen, or three of euros, is taken; half up, by one rule for every sender."""
    line = WOO["line_items"][0] | {"total": said, "total_tax": "0"}
    answers = [
        await loose.woo(currency=currency, total=said, line_items=[line]),
        await loose.send.order(currency=currency, total=said, line={"unit_price": said}),
        await loose.send.shopify(
            "orders/create",
            TILL | {"currency": currency, "total_price": said, "line_items": [TILL["line_items"][0] | {"price": said}]},
        ),
        await loose.send.event(
            "order.refunded", shop="acme", order_id="1", refund_id="r", amount=said, currency=currency
        ),
    ]
    events = await loose.events()
    assert [answer.status_code for answer in answers] == [200, 202, 202, 202]
    assert [event.get("total", event.get("amount")) for event in events] == [kept] * 4
    assert {line["unit_price"] for event in events for line in event.get("lines", ())} == {kept}


async def test_a_slip_in_the_type_is_answered_with_the_nearest_word(loose):
    """An unknown type is refused, so that the sender sees it; the answer has the nearest word and all of them."""
    answer = await loose.send.event("order.creatd", **order_data())
    said = answer.json()
    assert (answer.status_code, said["field"]) == (422, "type")
    assert said["error"] == "order.creatd: unknown; did you mean order.created?"
    assert {"order.created", "shipment.updated", "pickup.ready"} <= set(said["known"])
    far = (await loose.send.event("cart.abandoned")).json()
    assert (far["field"], far["error"].partition(";")[0]) == ("type", "cart.abandoned: unknown")
    assert await loose.gate.rows() == []


async def test_fields_that_nobody_reads_are_told(loose):
    """The 202 lists them, dotted and without their values; what could not be used is listed, too."""
    plain = await loose.send.order()
    data = order_data(order_id="2", customer={"emial": "ada@example.com"}, line={"colour": "red"}, coupon={"code": "X"})
    slips = await loose.send.standard(
        {"type": "order.created", "timestamp": "2026-11-22T10:00:00Z", "data": data, "source": "erp"}
    )
    junk = await loose.send.event(
        "shipment.created", shop="acme", order_id="2", tracking_number="P", estimated_delivery="soon"
    )
    assert plain.json() == {"status": "accepted"}
    assert sorted(slips.json()["unknown_fields"]) == [
        "data.coupon",
        "data.customer.emial",
        "data.lines.0.colour",
        "source",
    ]
    assert "ada@example.com" not in slips.text
    assert junk.json() == {"status": "accepted", "left_out": ["data.estimated_delivery"]}


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ({}, {"customer": []}),
        ({}, {"customer": ""}),
        ({}, {"channel": None}),
        ({}, {"placed_at": ""}),
        ({}, {"lines": {"3": {"sku": "YM-1", "quantity": 1, "unit_price": "79.00"}}}),
        ({"line": {"kind": None}}, {}),
        ({"line": {"title": None, "category": []}}, {}),
        ({"customer": {"locale": {}, "country": 7}}, {}),
    ],
)
async def test_a_canonical_order_is_taken_whatever_is_empty(loose, parts, whole):
    """The canonical endpoint reads as leniently: a line of no kind is a thing, an empty customer nobody."""
    answer = await loose.send.event("order.created", **(order_data(**parts) | whole))
    (created,) = await loose.events()
    assert answer.status_code == 202
    assert [(line["sku"], line["kind"]) for line in created["lines"]] == [("YM-1", "physical")]


@pytest.mark.parametrize("consent", ["yes", [], None, {"email_marketing": {}}, {"email_marketing": None}])
async def test_a_consent_that_nobody_gave_is_none(loose, consent):
    """Whatever stands in its place, only a yes is a yes."""
    answer = await loose.send.order(customer={"consent": consent})
    (created,) = await loose.events()
    assert answer.status_code == 202
    assert created["customer"]["consent"] == {"email_marketing": None, "sms_marketing": None}


@pytest.mark.parametrize(
    "placed_at",
    ["1970-01-01T00:00:00+01:00", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-12:00", "2201-01-01T00:00:00Z"],
)
async def test_a_moment_that_cannot_be_kept_is_refused_at_the_door(loose, placed_at):
    """What is answered 2xx reads back equal: these would not, and the sender hears so."""
    answer = await loose.send.order(placed_at=placed_at)
    assert (answer.status_code, answer.json()["field"], await loose.gate.rows()) == (422, "data.placed_at", [])


@pytest.mark.parametrize(
    ("amount", "kept"),
    [("0E-99999", "0.00"), ("-0", "0.00"), (-0.0, "0.00"), ("1E+3", "1000.00"), ("79", "79.00"), (79.5, "79.50")],
)
async def test_amounts_in_odd_spellings_are_kept_as_plain_ones(loose, amount, kept):
    """Noughts with an exponent or a sign, and thousands with one, are the same amounts written out."""
    answer = await loose.send.order(total=amount, line={"unit_price": amount})
    (created,) = await loose.events()
    assert (answer.status_code, created["total"], created["lines"][0]["unit_price"]) == (202, kept, kept)
