"""WooCommerce's webhooks, and what its orders say (REST API v3's own example, shortened)."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.shops.protocol import Delivery, Ignored, Malformed, SignatureError
from activities.shops.woocommerce import WooCommerce
from journey.order import LineKind
from journey.parcels import Method, ParcelStatus
from tests.gateway.kit import SECRET_KEY
from tests.shops.fuzz import JSON, holes, judge

SECRET = "woo-tést-secret"  # noqa: S105  # a test secret
ADAPTER = WooCommerce(SECRET, secret_key=SECRET_KEY)
ORDER = {
    "id": 727,
    "parent_id": 0,
    "number": "727",
    "created_via": "checkout",
    "status": "processing",
    "currency": "USD",
    "date_created": "2026-11-22T16:28:02",
    "date_created_gmt": "2026-11-22T19:28:02",
    "date_modified": "2026-11-22T16:28:08",
    "date_modified_gmt": "2026-11-22T19:28:08",
    "date_paid_gmt": "2026-11-22T19:28:08",
    "date_completed_gmt": None,
    "total": "29.35",
    "customer_id": 0,
    "billing": {
        "first_name": "John",
        "last_name": "Doe",
        "state": "CA",
        "country": "US",
        "email": "john.doe@example.com",
        "phone": "(555) 555-5555",
    },
    "shipping": {"first_name": "Jane", "state": "TX", "country": "US"},
    "line_items": [
        {
            "id": 315,
            "name": "Woo Single #1",
            "product_id": 93,
            "variation_id": 0,
            "quantity": 2,
            "total": "6.00",
            "total_tax": "0.45",
            "meta_data": [],
            "sku": "",
            "price": 3,
        },
        {
            "id": 316,
            "name": "Ship Your Idea &ndash; Color: Black",
            "product_id": 22,
            "variation_id": 23,
            "quantity": 1,
            "total": "12.00",
            "total_tax": "0.90",
            "sku": "Bar3",
            "price": 12,
        },
    ],
    "shipping_lines": [{"id": 317, "method_title": "Flat Rate", "method_id": "flat_rate", "total": "10.00"}],
    "refunds": [],
    "meta_data": [{"id": 13106, "key": "_download_permissions_granted", "value": "yes"}],
}
PARCEL = {
    "tracking_provider": "usps",
    "custom_tracking_provider": "",
    "custom_tracking_link": "",
    "tracking_number": "92001",
    "date_shipped": "1795513600",
    "tracking_id": "f2e7783b40837b83e1ec503a149ab4a1",
}
CUSTOMER = {
    "id": 25,
    "date_created_gmt": "2026-11-22T19:09:28",
    "date_modified_gmt": "2026-11-23T19:09:30",
    "email": "john.doe@example.com",
    "first_name": "John",
    "billing": {"country": "US", "state": "CA", "email": "other@example.com", "phone": "(555) 555-5555"},
    "shipping": {"country": "", "state": ""},
}
HEADERS = {"x-wc-webhook-source": "https://Shop.example/de/", "x-wc-webhook-delivery-id": "d"}


def _delivery(topic, payload, **headers):
    return Delivery(HEADERS | {"x-wc-webhook-topic": topic} | headers, json.dumps(payload).encode())


def _said(payload=ORDER, topic="order.updated", **changes):
    return ADAPTER.translate(_delivery(topic, payload | changes))


def _kinds(said):
    return [event.type for event in said]


def _with_parcels(value, **changes):
    return _said(meta_data=[{"id": 1, "key": "_wc_shipment_tracking_items", "value": value}], **changes)


def _signed(body, secret=SECRET):
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def test_the_signature_is_over_the_raw_body():
    """The base64 of an HMAC-SHA256 with the webhook's own secret; another body, another secret or none is refused."""
    ADAPTER.verify(Delivery({"x-wc-webhook-signature": _signed(b'{"id": 1}')}, b'{"id": 1}'))
    for given_, body in ((_signed(b"{}"), b"{ }"), (_signed(b"{}", "other"), b"{}"), ("", b"{}"), ("ü", b"{}")):
        with pytest.raises(SignatureError):
            ADAPTER.verify(Delivery({"x-wc-webhook-signature": given_}, body))


def test_a_ping_is_unsigned_and_says_nothing():
    """What saving a webhook sends is taken, once for all of them; nothing else gets past the signature like it."""
    pings = [Delivery({"content-type": "application/x-www-form-urlencoded"}, b"webhook_id=%d" % n) for n in (1, 2)]
    for ping in pings:
        ADAPTER.verify(ping)
        assert (ADAPTER.topic(ping), ADAPTER.translate(ping)) == ("ping", Ignored("a ping"))
    assert {ADAPTER.event_id(ping) for ping in pings} == {"ping"}
    for body in (b"webhook_id=1&x=1", b"webhook_id=", b'{"id": 1}', b""):
        with pytest.raises(SignatureError):
            ADAPTER.verify(Delivery({}, body))
    with pytest.raises(SignatureError):
        ADAPTER.verify(Delivery({"x-wc-webhook-topic": "order.created"}, b"webhook_id=1"))


def test_a_repeat_is_one_event_and_two_orders_of_a_second_are_two():
    """WooCommerce's delivery id is the same for all of a second and another for a repeat: what is said is the id."""
    first = ADAPTER.event_id(_delivery("order.created", ORDER))
    assert first == ADAPTER.event_id(_delivery("order.created", ORDER, **{"x-wc-webhook-delivery-id": "e"}))
    others = [
        _delivery("order.created", ORDER | {"id": 728}),
        _delivery("order.updated", ORDER),
        _delivery("order.created", ORDER, **{"x-wc-webhook-source": "https://other.example/"}),
    ]
    assert len({first, *map(ADAPTER.event_id, others)}) == 4


def test_an_order():
    """Ids, money with its tax, lines without a SKU, the guest and where it goes come out of an `order.created`."""
    created, edited = _said(topic="order.created")
    assert _kinds([created, edited]) == ["order.created", "order.edited"]
    assert (created.shop, created.order_id, created.channel) == ("shop.example", "727", "online")
    assert (created.total, created.currency) == (Decimal("29.35"), "USD")
    assert (created.at, edited.at.second) == (datetime(2026, 11, 22, 19, 28, 2, tzinfo=UTC), 8)
    assert [(line.sku, line.quantity, line.unit_price, line.kind) for line in created.lines] == [
        ("product-93", 2, Decimal("3.23"), LineKind.PHYSICAL),
        ("Bar3", 1, Decimal("12.90"), LineKind.PHYSICAL),
    ]
    person = created.customer
    assert (person.email, person.phone, person.first_name) == ("john.doe@example.com", "+15555555555", "John")
    assert (person.customer_id[:6], person.country, person.region) == ("guest-", "US", "TX")
    assert (person.consent.email_marketing, person.consent.sms_marketing) == (None, None)
    assert _said(customer_id=26)[0].customer.customer_id == "26"


@pytest.mark.parametrize("status", ["pending", "checkout-draft", "draft"])
def test_what_was_not_paid_or_promised_is_no_order_yet(status):
    """A checkout that waits for its payment, or did not get it, is confirmed to nobody."""
    assert _said(status=status) == Ignored(f"not placed: the order is {status}")


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"status": "on-hold", "date_paid_gmt": None}, ["order.created", "order.edited"]),
        ({"status": "completed"}, ["order.created", "order.edited", "shipment.created"]),
        ({"status": "delivered"}, ["order.created", "order.edited", "shipment.created", "shipment.updated"]),
        ({"line_items": []}, ["order.edited"]),
        ({"status": "a-custom-one"}, ["order.created", "order.edited"]),
        ({"date_modified_gmt": ORDER["date_created_gmt"]}, ["order.created"]),
        ({"status": "cancelled"}, ["order.created", "order.cancelled"]),
        ({"status": "cancelled", "date_paid_gmt": None}, ["order.cancelled"]),
        (
            {"status": "refunded", "refunds": [{"id": 1, "total": "-29.35"}]},
            ["order.created", "order.refunded"],
        ),
    ],
)
def test_an_orders_status_tells_its_story_so_far(changes, kinds):
    """One payload is all that the order has come to; one cancelled without a payment may never have been placed."""
    assert _kinds(_said(**changes)) == kinds


def test_refunds_are_told_apart_and_dated_by_the_last_change():
    """Each of several refunds is an event of its own; a line that moves no money is none."""
    given_ = [{"id": 724, "reason": "", "total": "-9.00"}, {"id": 723, "total": "-1.5"}, {"id": 722, "total": "0.00"}]
    refunds = [event for event in _said(refunds=given_) if event.type == "order.refunded"]
    assert [(one.refund_id, one.amount, one.at.second) for one in refunds] == [
        ("724", Decimal("9.00"), 8),
        ("723", Decimal("1.50"), 8),
    ]


def test_the_parcels_of_shipment_tracking():
    """A parcel for each number; the moment it left is a day, and never before the order."""
    early = PARCEL | {"tracking_number": "29", "tracking_provider": "", "custom_tracking_provider": "Dropp"}
    *_, first, second = _with_parcels([PARCEL, early | {"date_shipped": "1"}, PARCEL | {"tracking_number": " "}])
    assert (first.tracking_number, first.carrier, first.skus) == ("92001", "usps", None)
    assert (second.tracking_number, second.carrier) == ("29", "Dropp")
    assert first.tracking_numbers == second.tracking_numbers == ("92001", "29")
    assert (first.at, second.at.isoformat()) == (
        datetime.fromtimestamp(1795513600, UTC),
        "2026-11-22T19:28:02+00:00",
    )


@pytest.mark.parametrize(
    ("left", "day", "changes"),
    [
        ("2026-11-24T00:00:00", "2026-11-23", {"date_modified_gmt": "2026-11-25T09:00:00"}),
        ("2026-11-23T15:00:00", "2026-11-23", {"date_modified_gmt": "2026-11-23T15:00:00"}),
        ("2026-11-27T00:00:00", "2026-11-27", {"date_modified_gmt": "2026-11-25T09:00:00"}),
        ("2026-11-25T09:00:00", None, {"date_modified_gmt": "2026-11-25T09:00:00"}),
        (
            "2026-11-24T12:00:00",
            None,
            {"date_modified_gmt": "2026-12-20T09:00:00", "date_completed_gmt": "2026-11-24T12:00:00"},
        ),
    ],
)
def test_a_parcel_did_not_leave_as_its_day_began(left, day, changes):
    """By a day's end, or when it was heard of; without a day when the order was completed or changed, not placed."""
    shipped = "" if day is None else str(int(datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp()))
    *_, parcel = _with_parcels([PARCEL | {"date_shipped": shipped}], **changes)
    assert parcel.at.isoformat() == f"{left}+00:00"


@pytest.mark.parametrize("value", [{"3": PARCEL}, [PARCEL, "", None]])
def test_php_writes_a_list_with_gaps_as_an_object(value):
    """A parcel that was deleted between two others leaves an object, not a list."""
    assert [event.tracking_number for event in _with_parcels(value) if event.type == "shipment.created"] == ["92001"]


@pytest.mark.parametrize("value", [[], {}])
def test_an_empty_list_of_parcels_takes_back_what_was_on_it(value):
    """A number that was deleted is none of the order's any more."""
    assert _kinds(_with_parcels(value)) == ["order.created", "order.edited", "shipment.cancelled"]


@pytest.mark.parametrize("number", ["N/A", "-", "ohne"])
def test_a_word_in_a_numbers_place_is_a_parcel_without_a_number(number):
    """The order left, and nobody can follow it."""
    parcel = _with_parcels([PARCEL | {"tracking_number": number}])[-1]
    assert (parcel.type, parcel.tracking_number, parcel.fulfilment_id) == ("shipment.created", None, "order")


@pytest.mark.parametrize("value", ["", None, "text", 7])
def test_what_is_no_list_of_parcels_is_none(value):
    """What other extensions may keep there says nothing."""
    assert _kinds(_with_parcels(value)) == ["order.created", "order.edited"]


@pytest.mark.parametrize(
    ("products", "skus"),
    [
        ([{"product": "23", "item_id": "316", "qty": "1"}], ("Bar3",)),
        ([{"product": "93", "qty": "1"}], ("product-93",)),
        ([{"product": "0", "item_id": "", "qty": "1"}], None),
        ([], None),
        ("", None),
    ],
)
def test_advanced_shipment_tracking_says_what_is_inside(products, skus):
    """Lines are named by their item or product; what names no line leaves open what is inside."""
    assert _with_parcels([PARCEL | {"products_list": products}])[-1].skus == skus


PICKUP = [{"method_id": "pickup_location"}]


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("processing", None),
        ("ready-pickup", ParcelStatus.AVAILABLE_FOR_PICKUP),
        ("pickup", ParcelStatus.DELIVERED),
        ("completed", ParcelStatus.DELIVERED),
        ("cancelled", ParcelStatus.CANCELLED),
    ],
)
def test_a_local_pickup_is_followed_like_a_parcel(status, told):
    """An order that is collected has a pick-up from the start, then ready, collected or called off."""
    said = _said(status=status, shipping_lines=PICKUP)
    begun = next(event for event in said if event.type == "shipment.created")
    assert (begun.method, begun.tracking_number, begun.carrier) == (Method.PICKUP, "pickup:shop.example:727", None)
    assert begun.skus == ("product-93", "Bar3")
    scans = [event for event in said if event.type == "shipment.updated"]
    assert [(scan.tracking_number, scan.status) for scan in scans] == ([(begun.tracking_number, told)] if told else [])


def test_one_shipped_line_makes_it_an_order_that_is_sent():
    """An order of which only a part is collected is followed by its parcels."""
    said = _with_parcels([PARCEL], shipping_lines=[*PICKUP, {"method_id": "flat_rate"}])
    assert [event.method for event in said if event.type == "shipment.created"] == [Method.DELIVERY]


@pytest.mark.parametrize(
    ("created_via", "channel"), [("pos-rest-api", "pos"), ("woocommerce-pos", "pos"), ("checkout", "online")]
)
def test_a_till_is_a_channel_of_its_own(created_via, channel):
    """What sells over the counter is handed over there: no parcel, no pick-up."""
    said = _said(created_via=created_via, shipping_lines=PICKUP)
    assert said[0].channel == channel
    assert ("shipment.created" in _kinds(said)) is (channel != "pos")


def test_downloadable_lines_are_digital_and_virtual_ones_services():
    """By the line where it says so, else by the order as a whole, which then needs no processing."""
    lines = [line | {"virtual": True} for line in ORDER["line_items"][:1]] + ORDER["line_items"][1:]
    assert [line.kind for line in _said(line_items=lines)[0].lines] == [LineKind.SERVICE, LineKind.PHYSICAL]
    lines[0] |= {"downloadable": True}
    assert [line.kind for line in _said(line_items=lines)[0].lines] == [LineKind.DIGITAL, LineKind.PHYSICAL]
    assert {line.kind for line in _said(needs_processing=False)[0].lines} == {LineKind.DIGITAL}


def test_quantities_in_between_are_rounded_up():
    """Cloth is sold by the metre: the next whole one stands for it, and what was paid is what was paid."""
    (line,) = _said(line_items=[ORDER["line_items"][1] | {"quantity": 1.5}])[0].lines
    assert (line.quantity, line.unit_price) == (2, Decimal("6.45"))
    assert _said(line_items=[ORDER["line_items"][0] | {"quantity": 0}])[0].lines == ()


def test_a_customer():
    """An account's own address counts, its empty shipping address does not; it says nothing of consent."""
    (updated,) = _said(CUSTOMER, "customer.updated")
    person = updated.customer
    assert (updated.at.day, updated.shop, person.customer_id) == (23, "shop.example", "25")
    assert (person.email, person.country, person.region) == ("john.doe@example.com", "US", "CA")
    assert person.consent.email_marketing is None
    with pytest.raises(Malformed) as caught:
        _said(CUSTOMER, "customer.created", id=0)
    assert caught.value.field == "id"


@pytest.mark.parametrize("status", ["failed", "trash"])
def test_what_failed_or_was_thrown_away_is_not_to_be_sent(status):
    """Of what is deleted WooCommerce says the id alone."""
    (gone,) = _said(status=status)
    (deleted,) = _said({"id": 727}, "order.deleted")
    assert (gone.type, deleted.type, gone.order_id, deleted.order_id) == (*["order.withdrawn"] * 2, "727", "727")


@pytest.mark.parametrize("topic", ["customer.deleted", "product.updated", "action.woocommerce_x"])
def test_other_topics_are_taken_and_ignored(topic):
    """A webhook that is refused too often is switched off, so what means nothing here is taken."""
    assert isinstance(_said({"id": 1}, topic), Ignored)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"total": None}, "total"),
        ({"total": "-29.35"}, "total"),
        ({"currency": "nope"}, "currency"),
        ({"date_created_gmt": None}, "date_created_gmt"),
        ({"date_created_gmt": "yesterday"}, "date_created_gmt"),
        ({"id": None}, "id"),
    ],
)
def test_malformed_orders_name_woocommerces_field(changes, field):
    """An error speaks WooCommerce's language."""
    with pytest.raises(Malformed) as caught:
        _said(**changes)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("headers", "field"),
    [
        ({"x-wc-webhook-topic": ""}, "X-WC-Webhook-Topic"),
        ({"x-wc-webhook-source": ""}, "X-WC-Webhook-Source"),
        ({"x-wc-webhook-source": "https://[/"}, "X-WC-Webhook-Source"),
    ],
)
def test_malformed_headers_are_named(headers, field):
    """A webhook that does not say what it is about or whose it is cannot be taken in."""
    with pytest.raises(Malformed) as caught:
        ADAPTER.translate(_delivery("order.created", ORDER, **headers))
    assert caught.value.field == field


def test_no_secret_is_a_configuration_error():
    """An empty secret would let everybody in."""
    with pytest.raises(ValueError, match="WooCommerce"):
        WooCommerce("", secret_key=SECRET_KEY)


FULL = ORDER | {
    "refunds": [{"id": 724, "total": "-9.00"}],
    "meta_data": [{"key": "_wc_shipment_tracking_items", "value": [PARCEL | {"products_list": [{"item_id": "316"}]}]}],
}
TOPICS = {
    "order.created": FULL,
    "order.updated": FULL | {"shipping_lines": PICKUP, "status": "completed"},
    "customer.updated": CUSTOMER,
}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(list(TOPICS)), st.data())
def test_nothing_but_malformed_comes_out_of_random_json(topic, data):
    """Whatever a signed body holds, it becomes events, is ignored, or is refused with a field."""
    body = data.draw(JSON | st.binary() | holes(TOPICS[topic]))
    judge(ADAPTER, body, HEADERS | {"x-wc-webhook-topic": topic})


def test_names_are_read_as_they_are_meant():
    """WordPress writes a dash and an ampersand as entities; nobody reads those."""
    assert _said()[0].lines[1].title == "Ship Your Idea \N{EN DASH} Color: Black"
    shipping = [{"method_id": "flat_rate", "method_title": "Post &amp; Co"}]
    assert _said(shipping_lines=shipping)[0].delivery.title == "Post & Co"


def test_where_a_pick_up_is_fetched():
    """A pick-up location of WooCommerce's own says its name and address."""
    meta = [{"key": "pickup_location", "value": "Store"}, {"key": "pickup_address", "value": "Lindenweg 12, Berlin"}]
    line = {"method_id": "pickup_location", "method_title": "Pickup (Store)", "meta_data": meta}
    said = _said(shipping_lines=[line])[0].delivery
    assert (said.collected, said.pickup_point.name) == (True, "Store")
    assert said.pickup_point.address.lines(str) == ("Lindenweg 12, Berlin",)
    assert _said(shipping_lines=[line, line])[0].delivery.pickup_point.name is None
    assert _said(shipping_lines=[line | {"method_id": "flat_rate"}])[0].delivery.pickup_point.name is None


@pytest.mark.parametrize(
    ("key", "value", "day"),
    [
        ("_orddd_lite_timestamp", "1795478400", "2026-11-24"),
        ("_orddd_timestamp", 1795478400, "2026-11-24"),
        ("jckwds_date_ymd", "20261124", "2026-11-24"),
        ("_delivery_date", "2026-11-24", "2026-11-24"),
        ("_delivery_date", "24 November", None),
        ("jckwds_date_ymd", "20261399", None),
        ("_orddd_timestamp", "9" * 40, None),
        ("_orddd_timestamp", ["1795478400"], None),
    ],
)
def test_the_day_that_was_chosen_is_promised(key, value, day):
    """By what extensions note of it; what is no day promises nothing."""
    promise = _said(meta_data=[{"id": 1, "key": key, "value": value}])[0].estimated_delivery
    assert (promise and promise.latest.isoformat()) == day


def test_what_gift_cards_paid_is_a_part_of_the_total():
    """Two extensions take it off the total, and say so in their own places."""
    sums = {"total": "9.35", "total_tax": "1.35", "shipping_total": "10.00", "shipping_tax": "0.00"}
    noted = [{"key": "_ywgc_applied_gift_cards_totals", "value": 20}]
    for more in ({"gift_cards": [{"id": 1, "code": "X", "amount": 20}]}, {"meta_data": noted}):
        (created, *_) = _said(**sums, **more)
        assert (created.total, created.sums.total, created.sums.gift_cards) == (Decimal("9.35"), Decimal("29.35"), 20)


def test_gifts_and_subscriptions():
    """By what their extensions write of a line, and of the order that renews one."""
    line = FULL["line_items"][0]
    gift = line | {"meta_data": [{"key": "gift_message", "value": "For you", "display_value": "For you"}]}
    scheme = line | {"meta_data": [{"key": "_wcsatt_scheme", "value": "1_month"}]}
    (created, *_) = _said(line_items=[gift, scheme, line])
    assert [(one.gift, one.subscription) for one in created.lines] == [(True, False), (False, True), (False, False)]
    (renewal, *_) = _said(created_via="subscription", meta_data=[{"key": "_subscription_renewal", "value": "9"}])
    assert all(one.subscription for one in renewal.lines)


@pytest.mark.parametrize(
    ("topic", "href", "source", "taken"),
    [
        ("order.updated", "https://woo.example/wp-json/wc/v3/orders/727", "https://woo.example/", True),
        (
            "order.updated",
            "https://www.woo.example/index.php?rest_route=/wc/v3/orders/727",
            "https://woo.example/",
            True,
        ),
        ("order.updated", "https://woo.example/wp-json/wc/v3/orders/727", "https://other.example/", False),
        ("customer.updated", "https://woo.example/wp-json/wc/v3/orders/727", "https://woo.example/", False),
        ("order.updated", "https://woo.example/wp-json/wc/v3/customers/7", "https://woo.example/", False),
    ],
)
def test_a_body_says_itself_whose_and_what_it_is(topic, href, source, taken):
    """Topic and source are outside the signature: a body replayed under others is refused."""
    body = ORDER | {"_links": {"self": [{"href": href}]}}
    headers = {"x-wc-webhook-topic": topic, "x-wc-webhook-source": source}
    if taken:
        assert ADAPTER.translate(Delivery(headers, json.dumps(body).encode()))
        return
    with pytest.raises(Malformed):
        ADAPTER.translate(Delivery(headers, json.dumps(body).encode()))


def test_a_whole_order_is_no_word_of_a_deletion():
    """Of what is in the trash WooCommerce says the id alone."""
    headers = {"x-wc-webhook-topic": "order.deleted", "x-wc-webhook-source": "https://woo.example/"}
    with pytest.raises(Malformed, match="line_items"):
        ADAPTER.translate(Delivery(headers, json.dumps(ORDER).encode()))
