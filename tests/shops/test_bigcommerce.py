"""BigCommerce's webhooks, and what its orders say once they are read from the API."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.shops.bigcommerce import BigCommerce
from activities.shops.bigcommerce_orders import order_events
from activities.shops.protocol import Delivery, Ignored, Malformed, SignatureError
from journey.order import LineKind
from journey.parcels import Method, ParcelStatus
from store.intake import OrderChanged, from_json
from tests.gateway.kit import SECRET_KEY
from tests.shops.fuzz import JSON, holes, judge

ADAPTER = BigCommerce("bigcommerce-test-secret")
HOOK = {
    "scope": "store/order/created",
    "store_id": "1025646",
    "data": {"type": "order", "id": 250},
    "hash": "dd70c0976e06b67aaf671e73f49dcb79230ebf9d",
    "created_at": 1795341600,
    "producer": "stores/abc123",
}
SHIPMENT_HOOK = HOOK | {"scope": "store/shipment/created", "data": {"type": "shipment", "id": 12, "orderId": 251}}
ORDER = {
    "id": 250,
    "customer_id": 0,
    "date_created": "Sun, 22 Nov 2026 02:35:28 +0000",
    "date_modified": "Sun, 22 Nov 2026 03:57:46 +0000",
    "status_id": 11,
    "status": "Awaiting Fulfillment",
    "total_inc_tax": "98.1800",
    "refunded_amount": "0.0000",
    "currency_code": "EUR",
    "default_currency_code": "USD",
    "order_source": "www",
    "external_source": None,
    "is_deleted": False,
    "billing_address": {
        "first_name": "Rusty",
        "last_name": "Gates",
        "state": "Texas",
        "country": "United States",
        "country_iso2": "US",
        "phone": "5128675309",
        "email": "rusty.gates@example.com",
    },
    "consignments": {"url": "https://api.bigcommerce.com/", "resource": "/orders/250/consignments"},
}
PRODUCTS = [
    {
        "id": 16,
        "product_id": 184,
        "variant_id": 421,
        "parent_order_product_id": None,
        "name": "Coffee Mug",
        "sku": "",
        "type": "physical",
        "price_inc_tax": "45.0900",
        "quantity": 2,
    },
    {
        "id": 17,
        "product_id": 185,
        "sku": "GUIDE",
        "name": "Guide",
        "type": "digital",
        "price_inc_tax": "8.0000",
        "quantity": 1,
    },
    {"id": 18, "parent_order_product_id": 16, "sku": "PART", "quantity": 2, "price_inc_tax": "0.0000"},
]
SHIPMENT = {
    "id": 4,
    "order_id": 250,
    "date_created": "Mon, 23 Nov 2026 10:00:00 +0000",
    "tracking_number": "EJ958083578UK",
    "shipping_method": "Next day",
    "shipping_provider": "",
    "tracking_carrier": "royal-mail",
    "items": [{"order_product_id": 16, "product_id": 184, "quantity": 2}],
}
READ = datetime(2026, 11, 25, tzinfo=UTC)
REFUND = {"id": 7, "order_id": 250, "created": "2026-11-24T09:00:00+00:00", "total_amount": 12.5}


def _delivery(body, secret=None):
    return Delivery({"x-postlude-secret": secret} if secret else {}, json.dumps(body).encode())


def _said(products=PRODUCTS, shipments=(), refunds=(), **changes):
    return order_events(
        ORDER | changes, products, shipments, refunds, shop="abc123", secret_key=SECRET_KEY, read_at=READ
    )


def test_a_secret_header_proves_the_sender():
    """The header that was set when the webhook was made, and nothing else."""
    ADAPTER.verify(_delivery(HOOK, "bigcommerce-test-secret"))
    for secret in (None, "", "bigcommerce-test", "bigcommerce-test-secret ", "ü"):
        with pytest.raises(SignatureError):
            ADAPTER.verify(_delivery(HOOK, secret))
    with pytest.raises(ValueError, match="BigCommerce"):
        BigCommerce("")


@pytest.mark.parametrize(
    "scope",
    [
        "store/order/created",
        "store/order/updated",
        "store/order/statusUpdated",
        "store/order/archived",
        "store/order/refund/created",
    ],
)
def test_an_order_that_changed_is_to_be_read(scope):
    """The webhook names the order and no more."""
    at = datetime.fromtimestamp(1795341600, UTC)
    assert ADAPTER.translate(_delivery(HOOK | {"scope": scope})) == [OrderChanged(at=at, shop="abc123", order_id="250")]


def test_a_shipment_names_its_order():
    """A shipment has an id of its own, which is no order's."""
    (changed,) = ADAPTER.translate(_delivery(SHIPMENT_HOOK))
    assert changed.order_id == "251"


@pytest.mark.parametrize("scope", ["store/customer/updated", "store/product/created", "store/order/message/created"])
def test_other_scopes_are_taken_and_ignored(scope):
    """A webhook that is refused too often is switched off."""
    assert isinstance(ADAPTER.translate(_delivery({"scope": scope, "data": {"id": 1}})), Ignored)


def test_a_repeat_is_one_event_and_the_next_change_is_another():
    """The hash is of what is said, which two changes of one order and orders of two stores have in common."""
    first = ADAPTER.event_id(_delivery(HOOK))
    assert first == ADAPTER.event_id(_delivery(HOOK))
    changes = [{"created_at": 1795341601}, {"scope": "store/order/updated"}, {"hash": None}, {"producer": "stores/b"}]
    assert len({first, *(ADAPTER.event_id(_delivery(HOOK | change)) for change in changes)}) == 5


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"scope": None}, "scope"),
        ({"producer": "abc123"}, "producer"),
        ({"producer": "stores/"}, "producer"),
        ({"producer": "stores/a:b"}, "producer"),
        ({"producer": None}, "producer"),
        ({"created_at": "yesterday"}, "created_at"),
        ({"data": {}}, "data.id"),
        ({"scope": "store/shipment/created"}, "data.orderId"),
    ],
)
def test_malformed_hooks_name_bigcommerces_field(changes, field):
    """An error speaks BigCommerce's language."""
    with pytest.raises(Malformed) as caught:
        ADAPTER.translate(_delivery(HOOK | changes))
    assert caught.value.field == field


def test_an_order():
    """Ids, the money that was paid in, lines without the parts of a bundle, and the guest."""
    created, edited, _ = _said()
    assert (created.shop, created.order_id, created.channel) == ("abc123", "250", "online")
    assert (created.total, created.currency, created.at.hour, edited.at.hour) == (Decimal("98.18"), "USD", 2, 3)
    assert [(line.sku, line.quantity, line.unit_price, line.kind) for line in created.lines] == [
        ("product-421", 2, Decimal("45.09"), LineKind.PHYSICAL),
        ("GUIDE", 1, Decimal("8.00"), LineKind.DIGITAL),
    ]
    person = created.customer
    assert (person.customer_id[:6], person.email, person.phone) == (
        "guest-",
        "rusty.gates@example.com",
        "+15128675309",
    )
    assert (person.country, person.region, person.consent.email_marketing) == ("US", None, None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status_id": 0}, "not placed: the checkout was not finished"),
        ({"status_id": 1}, "not placed: the checkout was not finished"),
        ({"products": [], "date_modified": ORDER["date_created"]}, "no lines"),
    ],
)
def test_what_is_no_order_is_ignored(changes, reason):
    """An unfinished checkout tells a journey nothing."""
    assert _said(**changes) == Ignored(reason)


def test_an_archived_order_is_not_to_be_sent():
    """As of when it was read: nothing says when it was archived."""
    (gone,) = _said(is_deleted=True)
    assert (gone.type, gone.order_id, gone.at) == ("order.withdrawn", "250", READ)


@pytest.mark.parametrize("status", [5, 6])
def test_a_cancelled_or_declined_order_is_called_off(status):
    """The end is the order's last change."""
    assert [event.type for event in _said(status_id=status)] == ["order.created", "order.cancelled"]


def test_shipments_are_parcels():
    """Each is a parcel, with what is inside, one without a number too; together they are all that the order has."""
    *_, bare, parcel = _said(shipments=[SHIPMENT | {"id": 9, "tracking_number": ""}, SHIPMENT])
    assert (bare.tracking_number, bare.numbers) == ("fulfilment:shipment-9", ("EJ958083578UK",))
    assert bare.tracking_numbers == parcel.tracking_numbers == ("fulfilment:shipment-9", "EJ958083578UK")
    assert (parcel.fulfilment_id, parcel.said_at) == ("order", READ)
    assert (parcel.tracking_number, parcel.carrier, parcel.service) == ("EJ958083578UK", "royal-mail", "Next day")
    assert (parcel.skus, parcel.at.day, parcel.method) == (("product-421",), 23, Method.DELIVERY)


@pytest.mark.parametrize(("status", "kind"), [(2, "created"), (3, "created"), (10, "created"), (11, "cancelled")])
def test_an_order_without_shipments_was_sent_or_not(status, kind):
    """Shipped, in part or as a whole, it left without a number; where it still has to, what was on the list is none.

    A refund or a dispute says nothing of that.
    """
    told = _said(status_id=status)[-1]
    assert (told.type, told.fulfilment_id) == (f"shipment.{kind}", "order")
    assert _said(status_id=14)[-1].type == "order.edited"
    (edit,) = _said(products=[])
    assert (edit.type, edit.lines) == ("order.edited", ())


def test_refunds():
    """Of an order that was refunded in full the last refund made it so."""
    partly = _said(refunds=[REFUND])[-1]
    assert (partly.amount, partly.refund_id, partly.full, partly.at.day) == (Decimal("12.50"), "7", False, 24)
    full = _said(refunds=[REFUND, REFUND | {"id": 8}, REFUND | {"id": 9, "total_amount": 0}], status_id=4)
    assert [(one.refund_id, one.full) for one in full if one.type == "order.refunded"] == [("7", False), ("8", True)]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"status_id": 8}, ParcelStatus.AVAILABLE_FOR_PICKUP),
        ({"status_id": 11, "consignments": [{"pickups": [{"id": 1}], "shipping": []}]}, None),
        ({"status_id": 10, "consignments": [{"pickups": [{"id": 1}]}]}, ParcelStatus.DELIVERED),
        ({"status_id": 5, "consignments": {"pickups": [{"id": 1}]}}, ParcelStatus.CANCELLED),
    ],
)
def test_a_pick_up_is_followed_like_a_parcel(changes, told):
    """By the status that awaits it, or by the order's consignments."""
    said = _said(**changes)
    begun = next(event for event in said if event.type == "shipment.created")
    assert (begun.method, begun.tracking_number, begun.skus) == (Method.PICKUP, "pickup:abc123:250", ("product-421",))
    assert [event.status for event in said if event.type == "shipment.updated"] == ([told] if told else [])


@pytest.mark.parametrize("consignments", [None, {"url": "u"}, [{"pickups": [{}], "shipping": [{}]}], "text"])
def test_an_order_that_is_sent_has_no_pick_up(consignments):
    """Unasked for, consignments are a link; one that is partly shipped is followed by its parcels."""
    said = _said(status_id=10, consignments=consignments)
    assert [event.method for event in said if event.type == "shipment.created"] == [Method.DELIVERY]


def test_a_till_is_a_channel_of_its_own():
    """What sells over the counter is handed over there."""
    said = _said(order_source="POS", shipments=[SHIPMENT], status_id=8)
    assert (said[0].channel, [event.type for event in said]) == ("pos", ["order.created", "order.edited"])


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"total_inc_tax": "-1"}, "total_inc_tax"),
        ({"status_id": None}, "status_id"),
        ({"date_created": "yesterday"}, "date_created"),
        ({"default_currency_code": "nope"}, "default_currency_code"),
    ],
)
def test_malformed_answers_name_bigcommerces_field(arguments, field):
    """An error speaks BigCommerce's language."""
    with pytest.raises(Malformed) as caught:
        _said(**arguments)
    assert caught.value.field == field


@settings(max_examples=200, deadline=None)
@given(JSON | st.binary() | holes(HOOK) | holes(SHIPMENT_HOOK))
def test_nothing_but_malformed_comes_out_of_random_json(body):
    """Whatever a body holds, it becomes an event, is ignored, or is refused with a field."""
    judge(ADAPTER, body, {})


def _object(value):
    return holes(value).filter(lambda drawn: isinstance(drawn, dict))


@settings(max_examples=200, deadline=None)
@given(_object(ORDER), _object(PRODUCTS[0]), _object(SHIPMENT), _object(REFUND))
def test_nothing_but_malformed_comes_out_of_random_answers(order, product, shipment, refund):
    """Whatever the API answers, it becomes events that can be kept, is ignored, or is refused with a field."""
    try:
        said = order_events(order, [product], [shipment], [refund], shop="abc123", secret_key=SECRET_KEY, read_at=READ)
    except Malformed:
        return
    for event in () if isinstance(said, Ignored) else said:
        assert from_json(event.model_dump_json()) == event


def test_a_wrapped_product_is_a_gift():
    """Its wrapping has a name, or what to write on it."""
    wrapped = PRODUCTS[0] | {"wrapping_name": "Red paper", "wrapping_message": "For you"}
    assert [line.gift for line in _said(products=[wrapped, PRODUCTS[1] | {"wrapping_name": ""}])[0].lines] == [
        True,
        False,
    ]


def test_where_a_pick_up_is_fetched():
    """One pick-up has its place; of two none is said to be the one."""
    place = {
        "name": "Store Austin",
        "address_line_1": "2802 Skyway Cir",
        "address_line_2": "",
        "city": "Austin",
        "state": "Texas",
        "postal_code": "78704",
        "country_alpha2": "US",
    }
    pickup = {"id": 13, "pickup_method_display_name": "Fetch it", "location": place, "line_items": []}
    said = _said(consignments={"pickups": [pickup], "shipping": []})[0].delivery
    assert (said.collected, said.title, said.pickup_point.name) == (True, "Fetch it", "Store Austin")
    assert said.pickup_point.address.lines(str) == ("2802 Skyway Cir", "78704 Austin", "Texas", "US")
    two = _said(consignments={"pickups": [pickup, pickup], "shipping": []})[0].delivery
    assert (two.collected, two.pickup_point.name) == (True, None)
    bare = _said(consignments={"pickups": [{"id": 1, "location": []}]})[0].delivery
    assert (bare.collected, bare.pickup_point.name) == (True, None)
