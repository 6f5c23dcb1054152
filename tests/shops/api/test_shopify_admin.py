"""Shopify's GraphQL Admin API: orders read without a gap."""

from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlsplit

import pytest

from activities.shops.protocol import Delivery, Malformed
from activities.shops.shopify import Shopify
from activities.shops.shopify_admin import INDEX_LAG, ShopifyAdmin
from activities.vendors.http import (
    VendorBusyError,
    VendorGarbledError,
    VendorRefusedError,
)
from tests.shops.api.asking import orders_of, read_all, wanted
from tests.shops.api.conftest import SECRET_KEY
from tests.shops.api.misbehaving import AWAY, CUT, LOGGED_OUT, SILENT, Trouble, too_many
from tests.shops.api.shopify_server import FIRST

PERSONAL = ("ada", "lovelace", "ringstr", "shpat_test")


async def test_every_order_is_read_page_by_page(shopify, admin):
    """Pages go on from their cursor, oldest change first, each event with its order's version."""
    for number in range(1001, 1021):
        shopify.place(str(number))
    pages = await read_all(admin)

    assert orders_of(pages) == [str(number) for number in range(1001, 1021)]
    assert [page.total for page in pages] == [20, None, None, None, None]
    assert pages[-1].changed_until == FIRST + timedelta(minutes=19)


async def test_an_order_that_changes_while_pages_are_read_is_not_missed(shopify, admin):
    """What changes meanwhile comes again at the end, and nothing else moves out of sight."""
    for number in range(1001, 1021):
        shopify.place(str(number))
    changing = iter(("1002", "1015", "1020"))
    read = orders_of(await read_all(admin, lambda _: shopify.touch(number) if (number := next(changing, None)) else 0))

    assert set(read) == {str(number) for number in range(1001, 1021)}
    assert read[-3:] == ["1002", "1015", "1020"]


async def test_a_reading_begins_before_what_the_search_may_not_know_yet(shopify, admin):
    """An order that the index learnt of late is read by the next reading, though it is older than the last one."""
    shopify.place("1001", at=FIRST - INDEX_LAG + timedelta(seconds=1))
    shopify.unindexed.add("1001")
    assert orders_of(await read_all(admin)) == []

    shopify.unindexed.clear()
    assert orders_of(await read_all(admin)) == ["1001"]


async def test_money_is_read_as_it_was_paid(shopify, admin):
    """In the customer's currency, refunds too, of which a later attempt takes the place of one that still waits."""
    order = shopify.place("1001", ("YM-1", 1, "79.00"), rate=("USD", "1.1"), displayFinancialStatus="REFUNDED")
    money = order["money"](Decimal("79.00"))
    waiting = {"id": "gid://shopify/OrderTransaction/1", "kind": "REFUND", "status": "PENDING", "amountSet": money}
    paid = waiting | {"id": "gid://shopify/OrderTransaction/2", "status": "SUCCESS", "parentTransaction": waiting}
    order["refunds"] = [
        {
            "id": "gid://shopify/Refund/5",
            "legacyResourceId": "5",
            "createdAt": "2026-11-02T10:00:00Z",
            "processedAt": "2026-11-02T10:00:00Z",
            "transactions": [waiting | {"parentTransaction": None}, paid],
            "refundLineItems": [],
        }
    ]
    shopify.touch("1001", currentTotalPriceSet=order["money"](Decimal(0)))
    created, edited, refunded = await admin.order("1001")
    assert created.sums is None
    assert (edited.total, edited.sums.currency, edited.sums.total) == (Decimal("79.00"), "USD", Decimal("86.90"))
    assert (refunded.amount, refunded.currency) == (Decimal("86.90"), "USD")
    assert (refunded.status, refunded.full) == ("paid", True)


async def test_what_only_the_api_knows_of_an_order(shopify, admin):
    """A line's picture and selling plan, and the days between which it is to come."""
    order = shopify.place("1001")
    order["lineItems"][0] |= {"image": {"url": "https://cdn.example/mat.jpg"}, "sellingPlan": {"name": "Monthly"}}
    way = {"minDeliveryDateTime": "2026-11-24T10:00:00Z", "maxDeliveryDateTime": "2026-11-26T10:00:00Z"}
    order["fulfillmentOrders"][0]["deliveryMethod"] |= way
    (created,) = await admin.order("1001")
    assert (created.lines[0].image_url, created.lines[0].subscription) == ("https://cdn.example/mat.jpg", True)
    promise = created.estimated_delivery
    assert (promise.earliest.isoformat(), promise.latest.isoformat()) == ("2026-11-24", "2026-11-26")


async def test_an_order_is_the_same_as_its_webhook(shopify, admin):
    """Sync and webhook make one event of one order, whatever its line has for a SKU."""
    shopify.place("1001", ("YM-1", 2, "79.00"), (None, 1, "5.00"), rate=("USD", "1.1"))
    payload = b"""{"id": 1001, "name": "#1001", "created_at": "2026-11-01T10:00:00Z", "currency": "EUR",
        "total_price": "163.00",
        "source_name": "web", "customer_locale": "de-DE", "buyer_accepts_marketing": false, "email": "ada@example.com",
        "customer": {"id": 17, "first_name": "Ada", "email": "ada@example.com", "orders_count": 3,
            "email_marketing_consent": {"state": "subscribed"}},
        "shipping_address": {"country_code": "DE", "first_name": "Ada", "last_name": "Lovelace",
            "address1": "Ringstr. 1", "city": "Berlin", "zip": "10115"}, "shipping_lines": [{"title": "Standard"}],
        "presentment_currency": "USD", "taxes_included": true, "total_tip_received": "0",
        "total_price_set": {"shop_money": {"amount": "163.00", "currency_code": "EUR"},
            "presentment_money": {"amount": "179.30", "currency_code": "USD"}},
        "total_discounts_set": NOTHING, "total_shipping_price_set": NOTHING, "total_tax_set": NOTHING,
        "line_items": [
            {"id": 1001000, "variant_id": 90, "product_id": 7, "sku": "YM-1", "title": "Yoga mat", "quantity": 2,
             "price": "79.00", "product_type": "Fitness",
             "price_set": {"shop_money": {"amount": "79.00", "currency_code": "EUR"},
                "presentment_money": {"amount": "86.90", "currency_code": "USD"}}},
            {"id": 1001001, "variant_id": 91, "product_id": 7, "sku": null, "title": "Yoga mat", "quantity": 1,
             "price": "5.00", "product_type": "Fitness",
             "price_set": {"shop_money": {"amount": "5.00", "currency_code": "EUR"},
                "presentment_money": {"amount": "5.50", "currency_code": "USD"}}}]}"""
    nothing = (
        b'{"shop_money": {"amount": "0", "currency_code": "EUR"},'
        b' "presentment_money": {"amount": "0", "currency_code": "USD"}}'
    )
    payload = payload.replace(b"NOTHING", nothing)
    headers = {"x-shopify-topic": "orders/create", "x-shopify-shop-domain": admin.shop}
    expected = Shopify("secret", secret_key=SECRET_KEY).translate(Delivery(headers, payload))

    assert await admin.order("1001") == expected


async def test_all_lines_parcels_and_refunds_of_a_large_order_are_read(shopify, admin):
    """An order with more of everything than a page holds is read to its end."""
    lines = [(f"SKU-{number}", 1, "1.00") for number in range(250)]
    order = shopify.place("1001", *lines)
    for number in range(7):
        shopify.fulfil("1001", f"JJD{number}")
    for number in range(5):
        await admin.refund(wanted(key=f"k{number}", skus=((f"SKU-{number}", 1),), amount=Decimal("1.00")))
    shopify.restore(60)
    created, *events = await admin.order("1001")

    assert len(created.lines) == 250
    shipped = [event for event in events if event.type == "shipment.created"]
    assert {event.tracking_number: len(event.skus) for event in shipped} == {f"JJD{n}": 250 for n in range(7)}
    refunds = [event.refund_id for event in events if event.type == "order.refunded"]
    assert refunds == [refund["legacyResourceId"] for refund in order["refunds"]]
    assert len(refunds) == 5


@pytest.mark.parametrize(
    ("said", "days", "fields"),
    [
        ([("in_transit", "03"), ("delivered", "05")], {"inTransitAt": "03", "deliveredAt": "05"}, {}),
        ([("delivered", "05")], {"deliveredAt": "05"}, {}),
        ([("delivered", "20")], {}, {}),
        ([("in_transit", "03")], {"inTransitAt": "03"}, {"displayStatus": "IN_TRANSIT"}),
        ([("out_for_delivery", "20")], {"inTransitAt": "03"}, {"displayStatus": "OUT_FOR_DELIVERY"}),
    ],
)
async def test_a_parcel_arrived_when_it_did(shopify, admin, said, days, fields):
    """Not when somebody touched the fulfilment weeks later, which is what Shopify knows of the other words."""
    moments = {name: f"2026-11-{day}T10:00:00Z" for name, day in ({"updatedAt": "20"} | days).items()}
    shopify.place("1001")
    shopify.fulfil("1001", "JJD1", **{"displayStatus": "DELIVERED"} | moments | fields)

    events = await admin.order("1001")
    assert [event.type for event in events].count("shipment.created") == 1
    scans = [event for event in events if event.type == "shipment.updated"]
    assert [(scan.status, f"{scan.at:%d}") for scan in scans] == said


async def test_a_fulfilment_is_what_it_was_changed_to_last(shopify, admin):
    """One that was cancelled has no parcels, and a corrected number counts from when it was corrected."""
    shopify.place("1001")
    shopify.fulfil("1001", "JJD1", status="CANCELLED", updatedAt="2026-11-20T10:00:00Z")
    shopify.place("1002")
    shopify.fulfil("1002", "JJD2", displayStatus="DELIVERED", deliveredAt="2026-11-05T10:00:00Z",
                   updatedAt="2026-11-21T10:00:00Z")  # fmt: skip

    gone = [event for event in await admin.order("1001") if event.type == "shipment.cancelled"]
    assert [(event.tracking_numbers, event.at.day) for event in gone] == [(("JJD1",), 20)]
    (sent,) = [event for event in await admin.order("1002") if event.type == "shipment.created"]
    assert (sent.tracking_numbers, sent.said_at.day) == (("JJD2",), 21)


async def test_a_cancelled_order_was_placed_first(shopify, admin):
    """What was ordered is told as it was, though a cancellation takes every line away."""
    order = shopify.place("1001")
    order["lineItems"][0]["currentQuantity"] = 0
    shopify.touch("1001", cancelledAt="2026-11-02T10:00:00Z")

    events = await admin.order("1001")
    assert [event.type for event in events] == ["order.created", "order.cancelled"]
    assert events[0].lines[0].quantity == 1


PICK_UP = {"methodType": "PICK_UP", "minDeliveryDateTime": None, "maxDeliveryDateTime": None}


@pytest.mark.parametrize(
    ("status", "said"), [("OPEN", []), ("CLOSED", ["delivered"]), ("SCHEDULED", [])], ids=["open", "closed", "later"]
)
async def test_a_pick_up_is_known_from_the_start(shopify, admin, status, said):
    """Fulfilment orders of the method PICK_UP make a pick-up, which is over when all of them are closed."""
    part = {"status": status, "updatedAt": "2026-11-03T10:00:00Z", "deliveryMethod": PICK_UP, "assignedLocation": None}
    place = {"name": "Store Berlin", "address1": "Lindenweg 12", "address2": None, "city": "Berlin", "zip": "10437"}
    part["assignedLocation"] = place | {"countryCode": "DE"}
    shopify.place("1001", fulfillmentOrders=[part])
    events = await admin.order("1001")
    point = events[0].delivery.pickup_point
    assert (point.name, point.address.lines(str)) == ("Store Berlin", ("Lindenweg 12", "10437 Berlin", "DE"))

    assert [event.method for event in events if event.type == "shipment.created"] == ["pickup"]
    assert [event.status for event in events if event.type == "shipment.updated"] == said


async def test_what_sold_in_a_shop_is_told_as_such(shopify, admin):
    """An order of a retail location without a shipping line is one of the point of sale."""
    shopify.place("1001", retailLocation={"id": "gid://shopify/Location/1"}, shippingLine=None)

    (created,) = await admin.order("1001")
    assert created.channel == "pos"


async def test_an_unknown_order_is_none(admin):
    """Nothing is made up of an order that Shopify does not know."""
    assert await admin.order("999") == []


async def test_an_unreadable_order_does_not_stop_the_others(shopify, admin):
    """One order that makes no sense is left out; the page goes on."""
    shopify.place("1001", createdAt="yesterday")
    shopify.place("1002")
    (page,) = await read_all(admin)

    assert (orders_of([page]), page.orders, page.unreadable) == (["1002"], 2, 1)
    with pytest.raises(Malformed, match="created_at"):
        await admin.order("1001")


async def test_a_replacement_bears_its_tag(shopify, admin):
    """What a remedy had made is told from what was bought, whoever tagged it with something else besides."""
    await admin.replace(wanted(order_id=shopify.place("1001")["legacyResourceId"]))
    (made,) = shopify.replacements
    shopify.place("1002", tags=["vip", *made["tags"]])
    shopify.place("1003", tags=["postlude"])
    said = [event for page in await read_all(admin) for event in page.events if event.type == "order.created"]

    assert [(event.order_id, event.replaces) for event in said] == [("1001", None), ("1002", ""), ("1003", None)]


async def test_throttling_says_when_to_come_back(shopify, admin):
    """The wait is what the bucket needs to hold the query; after it the same query runs."""
    shopify.place("1001")
    shopify.available, shopify.restore_rate = 10.0, 50.0
    with pytest.raises(VendorBusyError) as caught:
        await admin.changed(FIRST, None)
    wait = caught.value.retry_after

    assert caught.value.rule == "throttled"
    shopify.restore(wait.total_seconds() - 1)
    with pytest.raises(VendorBusyError):
        await admin.changed(FIRST, None)
    shopify.restore(1)
    assert orders_of([await admin.changed(FIRST, None)]) == ["1001"]


async def test_a_query_that_costs_too_much_is_refused(shopify, admin):
    """Asking again for what may not be asked is no use."""
    shopify.limit = 100
    with pytest.raises(VendorRefusedError, match="max_cost_exceeded"):
        await admin.changed(FIRST, None)


@pytest.mark.parametrize(
    ("trouble", "error", "rule"),
    [
        (AWAY, VendorBusyError, "http_503"),
        (too_many(7), VendorBusyError, "http_429"),
        (LOGGED_OUT, VendorBusyError, "http_401"),
        (CUT, VendorBusyError, "no_answer"),
        (SILENT, VendorBusyError, "no_answer"),
        (Trouble(200, body="[]"), VendorGarbledError, "not_graphql"),
        (Trouble(200, body='{"data": null}'), VendorGarbledError, "no_data"),
        (Trouble(200, body='{"errors": [{"message": "ada@example.com"}]}'), VendorRefusedError, "graphql_error"),
    ],
    ids=["away", "too-many", "logged-out", "cut", "silent", "not-graphql", "no-data", "error"],
)
async def test_what_goes_wrong_has_a_name_and_nothing_personal(shopify, admin, trouble, error, rule):
    """Every failure is one of the vendor's errors, and none repeats what the answer said."""
    shopify.place("1001")
    shopify.then(trouble)
    with pytest.raises(error) as caught:
        await admin.order("1001")

    assert caught.value.rule == rule
    assert not any(word in str(caught.value).lower() for word in PERSONAL)


async def test_a_missing_right_is_for_somebody_to_mend(shopify, admin):
    """ACCESS_DENIED beside 200 is like 403: asked again until the scope is granted."""
    shopify.place("1001")
    shopify.denied.add("Order")
    with pytest.raises(VendorBusyError, match="access_denied"):
        await admin.order("1001")


@pytest.mark.parametrize("url", ["shopify://acme.myshopify.com", "shopify://shpat_x@"])
def test_a_url_that_lacks_something_is_named_by_its_setting(url):
    """The error says which setting is wrong and repeats none of it."""
    with pytest.raises(ValueError, match="POSTLUDE_SHOP_URLS") as caught:
        ShopifyAdmin(urlsplit(url), secret_key="x")
    assert "shpat_x" not in str(caught.value)
