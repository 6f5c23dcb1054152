"""Shopify's payloads as canonical events."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.shops.protocol import Delivery, Ignored, Malformed
from activities.shops.shopify import Shopify
from journey.order import LineKind
from journey.parcels import ParcelStatus
from tests.gateway.kit import SECRET_KEY, SHOPIFY_SECRET
from tests.shops.fuzz import JSON, holes, judge

ADAPTER = Shopify(SHOPIFY_SECRET, secret_key=SECRET_KEY)
ORDER = {
    "id": 820982911946154508,
    "name": "#9999",
    "created_at": "2026-11-22T11:00:00+01:00",
    "updated_at": "2026-11-22T12:00:00+01:00",
    "currency": "EUR",
    "total_price": "414.95",
    "current_total_price": "414.95",
    "source_name": "web",
    "email": "jon@example.com",
    "customer_locale": "en-GB",
    "buyer_accepts_marketing": True,
    "customer": {
        "id": 115310627314723954,
        "email": "john@example.com",
        "phone": None,
        "first_name": "John",
        "email_marketing_consent": {"state": "not_subscribed", "opt_in_level": None},
        "sms_marketing_consent": None,
    },
    "shipping_address": {"first_name": "Steve", "country_code": "GB", "province_code": "ENG", "phone": "020 7946 0958"},
    "line_items": [
        {
            "id": 487817672276298554,
            "variant_id": 808950810,
            "sku": "SSS-10",
            "title": "Aviator sunglasses",
            "quantity": 2,
            "current_quantity": 2,
            "price": "89.99",
            "requires_shipping": True,
            "product_type": "Eyewear",
        },
        {
            "id": 976318377106520349,
            "sku": "",
            "title": "Guide",
            "quantity": 1,
            "price": "234.97",
            "requires_shipping": False,
        },
    ],
    "refunds": [],
}
FULFILMENT = {
    "id": 123456,
    "order_id": 820982911946154508,
    "status": "success",
    "created_at": "2026-11-23T11:00:00+01:00",
    "updated_at": "2026-11-24T11:00:00+01:00",
    "tracking_company": "Royal Mail",
    "tracking_number": "RM1",
    "tracking_numbers": ["RM1"],
    "shipment_status": None,
    "line_items": [{"id": 1, "sku": "SSS-10", "quantity": 2, "price": "89.99"}],
}
REFUND = {
    "id": 890088186047892319,
    "order_id": 820982911946154508,
    "created_at": "2026-11-25T11:00:00+01:00",
    "transactions": [
        {"kind": "refund", "status": "success", "amount": "100.00", "currency": "EUR"},
        {"kind": "refund", "status": "failure", "amount": "14.95", "currency": "EUR"},
        {"kind": "sale", "status": "success", "amount": "1.00", "currency": "EUR"},
    ],
}


def _said(topic, payload, **changes):
    headers = {"x-shopify-topic": topic, "x-shopify-shop-domain": "acme.myshopify.com"}
    return ADAPTER.translate(Delivery(headers, json.dumps(payload | changes).encode()))


def test_an_order():
    """Ids, money, lines, the person and their consent come out of an `orders/create`."""
    (order,) = _said("orders/create", ORDER)
    assert (order.shop, order.order_id, order.channel) == ("acme.myshopify.com", "820982911946154508", "online")
    assert (order.total, order.currency, order.at.hour) == (Decimal("414.95"), "EUR", 10)
    assert [(line.sku, line.quantity, line.category, line.kind) for line in order.lines] == [
        ("SSS-10", 2, "eyewear", LineKind.PHYSICAL),
        ("variant-976318377106520349", 1, None, LineKind.DIGITAL),
    ]
    person = order.customer
    assert (person.customer_id, person.email, person.first_name) == ("115310627314723954", "john@example.com", "John")
    assert (person.phone, person.country, person.region, person.locale) == ("+442079460958", "GB", "ENG", "en-GB")
    assert (person.consent.email_marketing, person.consent.sms_marketing) == (False, None)


def test_a_guest_at_the_till():
    """An order without customer or address is an order of the point of sale."""
    (order,) = _said("orders/create", ORDER, customer=None, email="", shipping_address=None, source_name="pos")
    assert (order.channel, order.customer.customer_id) == ("pos", "guest-order-820982911946154508")
    assert order.customer.consent.email_marketing is True


def test_an_edit_is_what_is_left():
    """Removed lines go, the total follows edits but not refunds."""
    lines = [ORDER["line_items"][0] | {"current_quantity": 1}, ORDER["line_items"][1] | {"current_quantity": 0}]
    (edit,) = _said("orders/updated", ORDER, line_items=lines, current_total_price="79.99", refunds=[REFUND])
    assert ([line.quantity for line in edit.lines], edit.total) == ([1], Decimal("179.99"))
    assert isinstance(_said("orders/updated", ORDER, line_items=[]), Ignored)


def test_a_cancellation_and_a_refund():
    """Only money that really went back counts."""
    (cancelled,) = _said("orders/cancelled", ORDER, cancelled_at="2026-11-22T13:00:00Z")
    (refund,) = _said("refunds/create", REFUND)
    assert (cancelled.order_id, cancelled.at.hour) == ("820982911946154508", 13)
    assert (refund.amount, refund.refund_id) == (Decimal("100.00"), "890088186047892319")
    assert isinstance(_said("refunds/create", REFUND, transactions=[]), Ignored)


def test_a_fulfilment_is_its_parcels():
    """One event a tracking number; what is inside is known when there is one; no number is no parcel yet."""
    (parcel,) = _said("fulfillments/create", FULFILMENT)
    assert (parcel.tracking_number, parcel.carrier, parcel.skus) == ("RM1", "Royal Mail", ("SSS-10",))
    two = _said("fulfillments/create", FULFILMENT, tracking_numbers=["RM1", "RM2"])
    assert [(one.tracking_number, one.skus) for one in two] == [("RM1", None), ("RM2", None)]
    assert isinstance(_said("fulfillments/create", FULFILMENT, tracking_number=None, tracking_numbers=[]), Ignored)


def test_a_fulfilment_update_tells_the_parcels_state():
    """Shopify's own tracking is a carrier's word too, and so is a cancelled fulfilment."""
    _, delivered = _said("fulfillments/update", FULFILMENT, shipment_status="delivered")
    _, cancelled = _said("fulfillments/update", FULFILMENT, status="cancelled")
    assert (delivered.status, delivered.at.day) == (ParcelStatus.DELIVERED, 24)
    assert cancelled.status is ParcelStatus.CANCELLED


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"line_items": []}, "line_items"),
        ({"line_items": None}, "line_items"),
        ({"total_price": "-1"}, "total_price"),
        ({"total_price": None}, "total_price"),
        ({"currency": "JPY"}, "total_price"),
        ({"currency": "nope"}, "currency"),
        ({"created_at": None}, "created_at"),
        ({"id": None}, "id"),
        ({"line_items": [ORDER["line_items"][0] | {"price": None}]}, "line_items.0.price"),
        ({"line_items": [ORDER["line_items"][0] | {"current_quantity": -1}]}, "line_items.0.quantity"),
    ],
)
def test_malformed_orders_name_shopifys_field(changes, field):
    """An error speaks Shopify's language."""
    with pytest.raises(Malformed) as caught:
        _said("orders/create", ORDER, **changes)
    assert caught.value.field == field


def test_the_event_id_tells_topics_apart():
    """One event over several topics is several facts; a delivery without an event id has its own."""

    def event_id(**headers):
        given = {"x-shopify-topic": "orders/updated"} | {f"x-shopify-{k}": v for k, v in headers.items()}
        return ADAPTER.event_id(Delivery(given, b"{}"))

    assert event_id(**{"event-id": "e", "webhook-id": "w"}) == "e:orders/updated"
    assert event_id(**{"webhook-id": "w"}) == "w"
    assert event_id().startswith("sha256:")


def test_the_fulfilments_of_one_event_are_told_apart():
    """A split shipment's fulfilments may share an event id; a repeat of one of them has its first id."""

    def event_id(**changes):
        headers = {"x-shopify-topic": "fulfillments/create", "x-shopify-event-id": "e"}
        return ADAPTER.event_id(Delivery(headers, json.dumps(FULFILMENT | changes).encode()))

    assert event_id() == event_id()
    assert event_id().startswith("e:fulfillments/create:sha256:")
    assert event_id() != event_id(id=123457)


TOPICS = {
    "orders/create": ORDER,
    "orders/updated": ORDER,
    "orders/cancelled": ORDER,
    "refunds/create": REFUND,
    "fulfillments/create": FULFILMENT,
    "fulfillments/update": FULFILMENT | {"shipment_status": "delayed"},
}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(list(TOPICS)), st.data())
def test_nothing_but_malformed_comes_out_of_random_json(topic, data):
    """Whatever a signed body holds, it becomes events, is ignored, or is refused with a field."""
    body = data.draw(JSON | st.binary() | holes(TOPICS[topic]))
    judge(ADAPTER, body, {"x-shopify-topic": topic, "x-shopify-shop-domain": "acme.myshopify.com"})
