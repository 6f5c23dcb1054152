"""Shopify's payloads as canonical events."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.shops.protocol import Delivery, Ignored, Malformed
from activities.shops.shopify import Shopify
from journey.order import LineKind
from journey.parcels import Method, ParcelStatus
from store.intake import (
    Customer,
    CustomerDataRequested,
    CustomerRedacted,
    OrderCancelled,
    OrderChanged,
    OrderWithdrawn,
    ShopRedacted,
)
from tests.gateway.kit import SECRET_KEY, SHOPIFY_SECRET
from tests.shops.fuzz import JSON, holes, judge

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ADAPTER = Shopify(SHOPIFY_SECRET, secret_key=SECRET_KEY, clock=lambda: NOON)
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
    edit, _ = _said("orders/updated", ORDER, line_items=lines, current_total_price="79.99", refunds=[REFUND])
    assert ([line.quantity for line in edit.lines], edit.total) == ([1], Decimal("179.99"))
    assert isinstance(_said("orders/updated", ORDER, line_items=[]), Ignored)


def test_an_edit_down_to_nothing_leaves_no_lines():
    """Every quantity is none by now: nothing of it is to be sent, unless a cancellation says so already."""
    lines = [line | {"current_quantity": 0} for line in ORDER["line_items"]]
    (edit,) = _said("orders/updated", ORDER, line_items=lines, current_total_price="0.00")
    assert (edit.lines, edit.total) == ((), Decimal(0))
    gone = {"line_items": lines, "cancelled_at": "2026-11-22T13:00:00Z"}
    assert isinstance(_said("orders/updated", ORDER, **gone), Ignored)


def test_a_cancellation_and_a_refund():
    """Only money that really went back counts."""
    (cancelled,) = _said("orders/cancelled", ORDER, cancelled_at="2026-11-22T13:00:00Z")
    (refund,) = _said("refunds/create", REFUND)
    assert (cancelled.order_id, cancelled.at.hour) == ("820982911946154508", 13)
    assert (refund.amount, refund.refund_id) == (Decimal("100.00"), "890088186047892319")
    assert isinstance(_said("refunds/create", REFUND, transactions=[]), Ignored)


@pytest.mark.parametrize(
    ("moved", "said"),
    [
        ([("success", "EUR"), ("success", None)], [("7", "paid", "20.00", "EUR")]),
        ([("success", "EUR"), ("pending", "EUR")], [("7", "pending", "20.00", "EUR")]),
        (
            [("success", "EUR"), ("PENDING", "USD")],
            [("7", "paid", "10.00", "EUR"), ("7:USD", "pending", "10.00", "USD")],
        ),
        ([("success", None), ("error", None)], [("7", "paid", "10.00", None)]),
        ([("failure", "EUR")], [("7", "failed", "10.00", "EUR")]),
    ],
)
def test_a_refund_is_paid_when_nothing_of_it_is_pending(moved, said):
    """By currency; a transaction that names none is in that of the others."""
    attempts = [{"kind": "refund", "status": one, "amount": "10.00", "currency": currency} for one, currency in moved]
    events = _said("refunds/create", REFUND, id=7, transactions=attempts)
    assert [(one.refund_id, one.status, str(one.amount), one.currency) for one in events] == said


def test_an_attempt_takes_the_place_of_another():
    """It names it as its parent: the money moved once."""
    first = {"id": 1, "kind": "refund", "status": "pending", "amount": "10.00", "currency": "EUR"}
    again = first | {"id": 2, "parent_id": 1, "status": "success"}
    (paid,) = _said("refunds/create", REFUND, id=7, transactions=[first, again])
    assert (paid.status, paid.amount) == ("paid", Decimal("10.00"))


def test_a_fulfilment_is_its_parcels():
    """One event a tracking number, with all that the fulfilment has; what is inside is known when there is one."""
    (parcel,) = _said("fulfillments/create", FULFILMENT)
    assert (parcel.tracking_number, parcel.carrier, parcel.skus) == ("RM1", "Royal Mail", ("SSS-10",))
    two = _said("fulfillments/create", FULFILMENT, tracking_numbers=["RM1", "RM2"])
    assert [(one.tracking_number, one.skus) for one in two] == [("RM1", None), ("RM2", None)]
    assert {one.tracking_numbers for one in two} == {("RM1", "RM2")}
    typed = _said("fulfillments/create", FULFILMENT, tracking_number=None, tracking_numbers=["Rm 1, rm2"])
    assert [one.tracking_number for one in typed] == ["Rm 1", "rm2"]


@pytest.mark.parametrize("numbers", [[], ["N/A"], ["-"], ["https://carrier.example/track/1"]])
def test_a_fulfilment_without_a_number_is_sent(numbers):
    """It is a parcel by the fulfilment's own name, and Shopify's word about it is about this order's alone."""
    sent, arrived = _said(
        "fulfillments/update", FULFILMENT, tracking_number=None, tracking_numbers=numbers, shipment_status="delivered"
    )
    assert (sent.type, sent.numbers, sent.fulfilment_id, sent.skus) == ("shipment.created", (), "123456", ("SSS-10",))
    assert (arrived.number, arrived.fulfilment_id, arrived.order_id) == (None, sent.fulfilment_id, sent.order_id)
    assert arrived.subject == sent.subject


@pytest.mark.parametrize(
    "changes",
    [{"status": "open"}, {"status": "pending"}, {"line_items": [{"id": 1, "sku": "A", "requires_shipping": False}]}],
)
def test_what_is_not_sent_or_does_not_travel_is_no_parcel(changes):
    """A fulfilment that is only begun, or of access alone, says nothing."""
    assert isinstance(
        _said("fulfillments/create", FULFILMENT, tracking_number=None, tracking_numbers=[], **changes), Ignored
    )


def test_a_fulfilment_update_tells_the_parcels_state():
    """Shopify's own tracking is a word about this order's parcel; a cancelled fulfilment has none any more."""
    _, delivered = _said("fulfillments/update", FULFILMENT, shipment_status="delivered")
    (cancelled,) = _said("fulfillments/update", FULFILMENT, status="cancelled")
    for status in ("error", "failure"):
        assert _said("fulfillments/update", FULFILMENT, status=status) == [cancelled]
    assert (delivered.status, delivered.at.day) == (ParcelStatus.DELIVERED, 24)
    assert delivered.subject == "order:acme.myshopify.com:820982911946154508"
    assert (cancelled.type, cancelled.fulfilment_id, cancelled.at.day) == ("shipment.cancelled", "123456", 24)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"line_items": []}, "line_items"),
        ({"line_items": None}, "line_items"),
        ({"line_items": [None, 7, "line"]}, "line_items"),
        ({"total_price": "-1"}, "total_price"),
        ({"total_price": None}, "total_price"),
        ({"currency": None}, "currency"),
        ({"currency": "nope"}, "currency"),
        ({"created_at": None}, "created_at"),
        ({"id": None}, "id"),
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


def test_what_the_till_sends_out_is_sent():
    """A sale over the counter with a shipping line is no hand-over: its parcel is followed like any other."""
    (order,) = _said("orders/create", ORDER, source_name="pos", shipping_lines=[{"title": "Standard"}])
    assert order.channel == "online"


@pytest.mark.parametrize(
    ("shipment_status", "told"),
    [("ready_for_pickup", ParcelStatus.AVAILABLE_FOR_PICKUP), ("picked_up", ParcelStatus.DELIVERED)],
)
def test_a_pick_up_in_a_store_has_no_tracking_number(shipment_status, told):
    """Without a number the store itself keeps it ready; with one it is a parcel at a depot."""
    untracked = {"tracking_number": None, "tracking_numbers": [], "shipment_status": shipment_status}
    begun, scan = _said("fulfillments/update", FULFILMENT, **untracked)
    number = "pickup:acme.myshopify.com:820982911946154508"
    assert (begun.tracking_number, begun.method, begun.carrier, begun.skus) == (
        number,
        Method.PICKUP,
        None,
        ("SSS-10",),
    )
    assert (scan.tracking_number, scan.status, scan.shop) == (number, told, "acme.myshopify.com")
    parcel, at_depot = _said("fulfillments/update", FULFILMENT, shipment_status=shipment_status)
    assert (parcel.tracking_number, parcel.method, at_depot.status) == ("RM1", Method.DELIVERY, told)


def test_a_fulfilled_order_is_its_fulfilments():
    """What is already known changes nothing; a fulfilment without a number is one like any other."""
    untracked = FULFILMENT | {"tracking_number": None, "tracking_numbers": []}
    said = _said("orders/fulfilled", ORDER, fulfillments=[untracked, FULFILMENT | {"shipment_status": "in_transit"}])
    assert [event.type for event in said] == ["shipment.created", "shipment.created", "shipment.updated"]
    assert _said("orders/partially_fulfilled", ORDER, fulfillments=[]) == Ignored("nothing was sent yet")


@pytest.mark.parametrize("topic", ["orders/create", "orders/updated"])
def test_an_order_carries_its_fulfilments_whatever_it_tells(topic):
    """A fulfilment's own webhook may be lost, and an order may be sent when it is first heard of."""
    said = _said(topic, ORDER, fulfillments=[FULFILMENT, FULFILMENT | {"id": 9, "status": "cancelled"}])
    assert [event.type for event in said[1:]] == ["shipment.created", "shipment.cancelled"]
    assert len(_said("orders/create", ORDER, fulfillments=[FULFILMENT], source_name="pos", shipping_lines=[])) == 1


@pytest.mark.parametrize("fulfilments", [None, []])
def test_an_order_that_is_fulfilled_and_does_not_say_how_was_sent(fulfilments):
    """Without a number; where nothing of it travels, or nothing is left of it, nothing was."""
    parcel = _said("orders/fulfilled", ORDER, fulfillments=fulfilments, fulfillment_status="fulfilled")[-1]
    assert (parcel.type, parcel.tracking_number, parcel.fulfilment_id) == ("shipment.created", None, "order")
    for gone in ({"requires_shipping": False}, {"current_quantity": 0}):
        lines = [line | gone for line in ORDER["line_items"]]
        said = _said("orders/fulfilled", ORDER, line_items=lines, fulfillment_status="fulfilled")
        assert said == Ignored("nothing was sent yet")


def test_an_event_of_a_fulfilment_is_of_its_parcels():
    """It names no number, so the order is read from the API as well."""
    happened = {"id": 1, "order_id": 42, "fulfillment_id": 7, "happened_at": NOON.isoformat()}
    word, changed = _said("fulfillment_events/create", happened | {"status": "delivered"})
    assert (word.order_id, word.fulfilment_id, word.status, word.at) == ("42", "7", ParcelStatus.DELIVERED, NOON)
    for status in ("confirmed", "ready_for_pickup", "picked_up"):
        assert _said("fulfillment_events/create", happened | {"status": status}) == [changed]


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        (
            "orders/edited",
            {"order_edit": {"id": 1, "order_id": 42, "created_at": "x", "committed_at": NOON.isoformat()}},
        ),
        ("orders/edited", {"order_edit": {"id": 1, "order_id": 42, "created_at": NOON.isoformat(), "line_items": {}}}),
        (
            "fulfillment_events/create",
            {"id": 1, "order_id": 42, "status": "in_transit", "happened_at": NOON.isoformat()},
        ),
    ],
)
def test_what_does_not_say_how_the_order_stands_is_read_from_the_api(topic, payload):
    """An edit tells differences, a fulfilment's event no tracking number."""
    assert _said(topic, payload) == [OrderChanged(at=NOON, shop="acme.myshopify.com", order_id="42")]


@pytest.mark.parametrize(
    "topic",
    ["orders/paid", "customers/delete", "fulfillment_orders/line_items_prepared_for_pickup"],
)
def test_topics_that_tell_nothing_of_their_own_are_ignored_with_a_reason(topic):
    """They are rightly sent; what they mean is told by another topic."""
    said = _said(topic, {"id": 1})
    assert isinstance(said, Ignored)
    assert said.reason != "unknown topic"


CUSTOMER = {
    "id": 706405506930370000,
    "email": "bob@biller.com",
    "first_name": "Bob",
    "phone": None,
    "orders_count": 3,
    "updated_at": "2026-11-22T12:00:00Z",
    "default_address": {"country_code": "US", "province_code": "CA", "phone": "+1 555 555 5555"},
    "email_marketing_consent": {"state": "subscribed", "consent_updated_at": "2026-11-01T00:00:00Z"},
    "sms_marketing_consent": {"state": "unsubscribed", "consent_updated_at": None},
}


def test_an_order_that_is_deleted_is_not_to_be_sent():
    """Shopify says its id alone."""
    (gone,) = _said("orders/delete", {"id": 42})
    assert (gone.type, gone.order_id) == ("order.withdrawn", "42")


def test_an_account_and_its_consents_each_since_their_own_moment():
    """A yes counts from when it was given, or any later change of the account would undo an opt-out given to us."""
    account, mail, texts = _said("customers/update", CUSTOMER)
    person = account.customer
    assert (account.at, person.customer_id, person.email) == (NOON, "706405506930370000", "bob@biller.com")
    assert (person.phone, person.country, person.region) == ("+15555555555", "US", "CA")
    assert (person.consent.email_marketing, person.consent.sms_marketing) == (None, None)
    assert (mail.at.day, mail.customer.consent.email_marketing, mail.customer.email) == (1, True, None)
    assert (texts.at, texts.customer.consent.sms_marketing) == (NOON, False)


@pytest.mark.parametrize(
    "consent",
    [
        None,
        {"state": "not_subscribed", "consent_updated_at": "2026-11-01T00:00:00Z"},
        {"state": "pending", "consent_updated_at": "2026-11-01T00:00:00Z"},
        {"state": "subscribed", "consent_updated_at": None},
    ],
)
def test_a_consent_that_says_nothing_is_none(consent):
    """Never asked, not answered, and since nobody knows when, are neither a yes nor a no."""
    said = _said("customers/update", CUSTOMER, email_marketing_consent=consent, sms_marketing_consent=None)
    assert len(said) == 1


def test_consents_have_topics_of_their_own():
    """Since 2025-01 an account says nothing of them."""
    given = {"state": "unsubscribed", "consent_updated_at": "2026-11-22T12:00:00Z"}
    mail = {"customer_id": 7, "email_address": "bob@biller.com", "email_marketing_consent": given}
    (no_mail,) = _said("customers_email_marketing_consent/update", mail)
    (no_texts,) = _said("customers_marketing_consent/update", {"id": 7, "phone": "+1", "sms_marketing_consent": given})
    assert (no_mail.customer.customer_id, no_mail.customer.consent.email_marketing, no_mail.at) == ("7", False, NOON)
    assert (no_texts.customer.customer_id, no_texts.customer.consent.sms_marketing) == ("7", False)
    pending = mail | {"email_marketing_consent": {"state": "pending"}}
    assert isinstance(_said("customers_email_marketing_consent/update", pending), Ignored)


@pytest.mark.parametrize("topic", ["customers/update", "customers_marketing_consent/update"])
def test_an_account_without_an_id_is_nobodys(topic):
    """What cannot be told whose it is cannot be taken in."""
    with pytest.raises(Malformed) as caught:
        _said(topic, CUSTOMER, id="", sms_marketing_consent=CUSTOMER["email_marketing_consent"])
    assert caught.value.field == "id"


REQUESTED = {
    "shop_id": 954889,
    "shop_domain": "acme.myshopify.com",
    "orders_requested": [299938, 280263],
    "customer": {"id": 191167, "email": "john@example.com", "phone": "555-625-1199"},
    "data_request": {"id": 9999},
}
REDACTED = {
    "shop_id": 954889,
    "shop_domain": "acme.myshopify.com",
    "customer": {"id": 191167, "email": "john@example.com", "phone": "555-625-1199"},
    "orders_to_redact": [299938, 280263],
}
LEFT = {"shop_id": 954889, "shop_domain": "acme.myshopify.com"}


def test_the_three_privacy_topics():
    """Shop and person are those of the signed body; without a moment of its own it is when it came."""
    shop = "acme.myshopify.com"
    assert _said("customers/data_request", REQUESTED) == [
        CustomerDataRequested(at=NOON, shop=shop, customer_id="191167", request_id="9999")
    ]
    assert _said("customers/redact", REDACTED) == [CustomerRedacted(at=NOON, shop=shop, customer_id="191167")]
    headers = {"x-shopify-topic": "shop/redact", "x-shopify-triggered-at": "2026-11-21T10:00:00Z"}
    (left,) = ADAPTER.translate(Delivery(headers, json.dumps(LEFT).encode()))
    assert left == ShopRedacted(at=datetime(2026, 11, 21, 10, tzinfo=UTC), shop=shop)


KINDS = {
    "orders/create": ("Order", {"cancelled_at": None}),
    "orders/updated": ("Order", {"cancelled_at": None}),
    "orders/fulfilled": ("Order", {}),
    "fulfillments/create": ("Fulfillment", {}),
    "fulfillments/update": ("Fulfillment", {}),
    "refunds/create": ("Refund", {}),
    "customers/update": ("Customer", {}),
}


def test_a_body_under_another_topic_is_refused_or_does_what_it_says_itself():
    """The topic is outside the signature: no order is cancelled, deleted or erased by a body that does not say so."""
    for own, body in TOPICS.items():
        kind, more = KINDS.get(own, (None, {}))
        said = body | more | ({"admin_graphql_api_id": f"gid://shopify/{kind}/1"} if kind else {})
        for topic in ("orders/cancelled", "orders/delete", "customers/redact", "customers/data_request", "shop/redact"):
            if topic == own or (kind is None and not topic.startswith(("shop/", "customers/"))):
                continue
            try:
                found = _said(topic, said)
            except Malformed:
                continue
            ends = (OrderCancelled, CustomerRedacted, CustomerDataRequested, ShopRedacted, OrderWithdrawn)
            assert isinstance(found, Ignored) or not any(isinstance(event, ends) for event in found), (own, topic)
        for topic, (other, _) in KINDS.items():
            if kind is not None and other != kind:
                with pytest.raises(Malformed) as caught:
                    _said(topic, said)
                assert caught.value.field == "admin_graphql_api_id"


@pytest.mark.parametrize(
    ("topic", "body", "field"),
    [
        ("shop/redact", LEFT | {"shop_domain": None}, "shop_domain"),
        ("shop/redact", LEFT, "shop_domain"),
        ("customers/redact", REDACTED, "shop_domain"),
        ("customers/data_request", REQUESTED, "shop_domain"),
        (
            "orders/create",
            {"order_status_url": "https://snowdevil.myshopify.com/1/orders/x/authenticate"},
            "order_status_url",
        ),
    ],
)
def test_a_body_of_another_shop_than_the_headers_is_refused(topic, body, field):
    """Neither header is under the signature; the body is."""
    headers = {"x-shopify-topic": topic, "x-shopify-shop-domain": "other.myshopify.com"}
    whole = ORDER | body if topic == "orders/create" else body
    with pytest.raises(Malformed) as caught:
        ADAPTER.translate(Delivery(headers, json.dumps(whole).encode()))
    assert caught.value.field == field


def test_a_guest_is_redacted_by_their_address():
    """A person without an account has the id that their orders were given; nobody at all is an error."""
    (redacted,) = _said("customers/redact", REDACTED, customer={"email": "John@example.com"})
    assert redacted.customer_id == Customer(email="john@example.com").identified("1", SECRET_KEY).customer_id
    with pytest.raises(Malformed) as caught:
        _said("customers/redact", REDACTED, customer={})
    assert caught.value.field == "customer.id"


TOPICS = {
    "orders/create": ORDER,
    "orders/updated": ORDER,
    "orders/cancelled": ORDER,
    "refunds/create": REFUND,
    "fulfillments/create": FULFILMENT,
    "fulfillments/update": FULFILMENT | {"shipment_status": "delayed"},
    "orders/fulfilled": ORDER | {"fulfillments": [FULFILMENT]},
    "orders/edited": {"order_edit": {"order_id": 42, "committed_at": NOON.isoformat()}},
    "fulfillment_events/create": {"order_id": 42, "happened_at": NOON.isoformat()},
    "customers/update": CUSTOMER,
    "customers_email_marketing_consent/update": {
        "customer_id": 7,
        "email_marketing_consent": CUSTOMER["email_marketing_consent"],
    },
    "customers_marketing_consent/update": {"id": 7, "sms_marketing_consent": CUSTOMER["email_marketing_consent"]},
    "customers/data_request": REQUESTED,
    "customers/redact": REDACTED,
    "shop/redact": LEFT,
}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(list(TOPICS)), st.data())
def test_nothing_but_malformed_comes_out_of_random_json(topic, data):
    """Whatever a signed body holds, it becomes events, is ignored, or is refused with a field."""
    body = data.draw(JSON | st.binary() | holes(TOPICS[topic]))
    judge(ADAPTER, body, {"x-shopify-topic": topic, "x-shopify-shop-domain": "acme.myshopify.com"})


def test_a_pick_up_of_shopifys_own_is_called_by_its_place():
    """Its shipping line's title is the store's; an app's word for a pick-up is not."""
    own = {"shipping_address": None, "shipping_lines": [{"title": "Store Berlin", "source": "shopify"}]}
    assert _said("orders/create", ORDER, **own)[0].delivery.pickup_point.name == "Store Berlin"
    app = {"shipping_lines": [{"title": "Collect", "delivery_category": "pickup", "source": "zapiet"}]}
    assert _said("orders/create", ORDER, **app)[0].delivery.pickup_point.name is None


@pytest.mark.parametrize(
    ("changes", "properties", "facts"),
    [
        ({"source_name": "subscription_contract_checkout_one"}, [], (False, True)),
        ({"tags": "vip, Subscription Recurring Order"}, [], (False, True)),
        ({}, [{"name": "shipping_interval_frequency", "value": "1"}], (False, True)),
        ({}, [{"name": "Gift note", "value": "For you"}], (True, False)),
        ({}, [{"name": "_gift", "value": "true"}, {"name": "gift_wrap", "value": "No"}], (True, False)),
        ({}, [{"name": "gift_wrap", "value": "No"}, {"name": "gift card code", "value": "X"}], (False, False)),
        ({}, [{"name": None, "value": None}, {"name": "Gifted by", "value": "Ada"}], (False, False)),
    ],
)
def test_gifts_and_subscriptions_by_what_apps_write(changes, properties, facts):
    """No field of Shopify's own says either: an order's source and tags do, and the properties of a line."""
    line = ORDER["line_items"][0] | {"properties": properties}
    (created, *_) = _said("orders/create", ORDER, **changes, line_items=[line])
    assert (created.lines[0].gift, created.lines[0].subscription) == facts


def test_an_account_of_the_number_nought_is_nobodys():
    """Its orders are guests', each known by their own address."""
    people = [
        _said("orders/create", ORDER, email=email, customer={"id": 0})[0].customer.customer_id
        for email in ("ada@example.com", "bob@example.com")
    ]
    assert len(set(people)) == 2
    assert all(one.startswith("guest-") for one in people)


def test_a_currency_that_only_the_sums_name():
    """The order's own may be null where its total says in what it is, for the shop."""
    total = {"shop_money": {"amount": "414.95", "currency_code": "EUR"}}
    assert _said("orders/create", ORDER, currency=None, total_price_set=total)[0].currency == "EUR"
