"""BigCommerce's own API: pages without gaps, its quota, and remedies that are made once."""

import dataclasses
import time
from datetime import timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import pytest

from activities.shops.api import Cannot, Done, Wanted
from activities.shops.bigcommerce_rest import PAGE, BigCommerceRest
from activities.vendors.http import VendorBusyError, VendorGarbledError, VendorUnclearError
from store.intake import Malformed, OrderCreated, OrderRefunded, ShipmentCreated
from tests.shops.api.backend_server import answered
from tests.shops.api.bigcommerce_server import FIRST, STORE, BigCommerceServer, a_second

WANTED = Wanted("abc123/1/P-1", "1", [("YM-1", 1)], Decimal("79.00"), "USD", "lost")


@pytest.fixture
async def server():
    running = BigCommerceServer()
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
async def store(server):
    made = BigCommerceRest(urlsplit(server.url), secret_key="k")
    yield made
    await made.aclose()


async def read(store, since=FIRST):
    """Every page from there on."""
    pages, cursor = [], None
    while True:
        pages.append(await store.changed(since, cursor))
        cursor = pages[-1].cursor
        if cursor is None:
            return pages


def told(pages):
    """The orders that were told, without the repeats at the seams."""
    return list(dict.fromkeys(event.order_id for page in pages for event in page.events))


async def test_every_order_is_read(server, store):
    """Pages reach every order, oldest change first; the first one says how many there are."""
    for number in range(1, 131):
        server.sell(number, changed=a_second(number))
    pages = await read(store)
    assert told(pages) == [str(number) for number in range(1, 131)]
    assert [page.total for page in pages] == [130, None, None]
    assert [page.orders for page in pages] == [50, 50, 34]
    assert (store.shop, pages[-1].changed_until) == (STORE, a_second(130))


async def test_an_order_that_moves_meanwhile_pushes_none_past_the_reader(server, store):
    """Orders that change while pages are read move to the end: none of those behind them is missed."""
    for number in range(1, 131):
        server.sell(number, changed=a_second(number))
    late = iter(range(1, 100, 10))

    def shuffle():
        number = next(late)
        server.touch(number, a_second(1000 + number))

    server.between = shuffle
    assert set(told(await read(store))) == {str(number) for number in range(1, 131)}


async def test_more_orders_of_one_second_than_a_page_holds_are_read(server, store):
    """An import that touched everything at once is walked by number."""
    for number in range(1, 3 * PAGE):
        server.sell(number, changed=FIRST)
    assert told(await read(store)) == [str(number) for number in range(1, 3 * PAGE)]


async def test_a_store_without_changes_is_an_empty_page(store):
    """204 is no order, and no error."""
    (page,) = await read(store)
    assert (page.events, page.orders, page.changed_until, page.total) == ([], 0, None, 0)


async def test_a_new_order_costs_no_request_of_its_own(server, store):
    """Products come with the page; shipments and refunds are asked for where there are any."""
    server.sell(1)
    server.sell(2, items_shipped=1)
    server.sell(3, status_id=14)
    items = [{"order_product_id": 20, "quantity": 1}]
    shipment = {"id": 1, "tracking_number": "P-2", "tracking_carrier": "ups", "items": items}
    server.shipments[2] = [shipment | {"date_created": "Sun, 01 Nov 2026 10:00:00 +0000"}]
    server.refunds[3] = [{"id": 7, "created": FIRST.isoformat(), "total_amount": 5.0, "items": [], "payments": []}]
    (page,) = await read(store)
    assert sorted(server.asked) == [
        "GET /v2/orders",
        "GET /v2/orders/2/shipments",
        "GET /v2/orders/count",
        "GET /v3/orders/3/payment_actions/refunds",
    ]
    kinds = [type(event) for event in page.events]
    assert kinds == [OrderCreated, OrderCreated, ShipmentCreated, OrderCreated, OrderRefunded]


async def test_products_that_came_as_links_are_fetched(server, store):
    """Where the list does not expand products, each order's are asked for, all pages of them."""
    server.expands = False
    server.sell(1, skus=[(f"S-{number}", 77, 0) for number in range(PAGE + 1)])
    (event,) = await store.order("1")
    assert len(event.lines) == PAGE + 1


async def test_one_odd_order_stops_no_other(server, store):
    """An order that cannot be read is left out, and the page goes on."""
    server.sell(1, total_inc_tax="much")
    server.sell(2)
    (page,) = await read(store)
    assert (page.orders, page.unreadable, told([page])) == (2, 1, ["2"])
    with pytest.raises(Malformed, match="total_inc_tax"):
        await store.order("1")


@pytest.mark.parametrize("order_id", ["9", "A-9"])
async def test_an_unknown_order_says_nothing(store, order_id):
    """404 is an order without events, and what cannot be an id is not asked for."""
    assert await store.order(order_id) == []


async def test_a_wrong_token_is_for_somebody_to_mend(server):
    """401 is no answer about any order."""
    stranger = BigCommerceRest(urlsplit(server.url.replace("bc-token", "other")), secret_key="k")
    with pytest.raises(VendorBusyError, match="http_401"):
        await stranger.order("1")
    await stranger.aclose()


@pytest.mark.parametrize(
    ("headers", "wait"),
    [({}, timedelta(seconds=12)), ({"Retry-After": "3"}, timedelta(seconds=3))],
)
async def test_a_full_quota_is_waited_out(server, store, headers, wait):
    """429 is waited for as long as the window lasts by the last answer, or as it says itself."""
    server.sell(1)
    server.reset_ms = 12_000
    await store.order("1")
    server.then.append(answered(429, {"status": 429}, headers))
    with pytest.raises(VendorBusyError) as caught:
        await store.order("1")
    assert wait - timedelta(seconds=2) < caught.value.retry_after <= wait


async def test_the_first_answer_being_429_is_waited_for_a_window(server, store):
    """Nothing is known of the window then but its documented length."""
    server.then.append(answered(429, {"status": 429}))
    with pytest.raises(VendorBusyError) as caught:
        await store.order("1")
    assert caught.value.retry_after == timedelta(seconds=30)


async def test_the_last_requests_are_left_to_others(server, store):
    """With the quota all but used up the next page is asked for once it is fresh."""
    server.sell(1)
    server.left, server.reset_ms = 5, 150
    await store.order("1")
    before = time.monotonic()
    await store.changed(FIRST, None)
    assert time.monotonic() - before >= 0.14


async def test_who_asks_for_one_order_is_not_kept_waiting(server, store):
    """They have other work meanwhile: the error says how long the quota takes, here an hour."""
    server.sell(1)
    server.left, server.reset_ms = 5, 3_600_000
    await store.order("1")
    with pytest.raises(VendorBusyError, match="quota_spent") as caught:
        await store.order("1")
    assert timedelta(0) < caught.value.retry_after <= timedelta(hours=1)


async def test_a_replacement_names_what_it_replaces(server, store):
    """By the key that it was made under; what another app writes there means nothing."""
    server.sell(1)
    made = await store.replace(dataclasses.replace(WANTED, key="remedy:abc123:1:P-1:replacement"))
    for number, external in ((2, "ERP-7"), (3, "remedy:other:1:P-1:replacement"), (4, None)):
        server.sell(number, external_order_id=external)
    server.sell(5, external_order_id=server.orders[int(made.reference)]["external_order_id"])
    said = [(await store.order(str(number)))[0].replaces for number in range(1, 6)]
    assert said == [None, None, None, None, "1"]


# ---- remedies -----------------------------------------------------------------------------------------------


async def test_a_replacement_is_made_once(server, store):
    """Free of charge, to the same address, bearing its key; a second attempt finds it."""
    server.sell(1, skus=[("YM-1", 77, 0), ("YB-2", 78, 780)])
    wanted = dataclasses.replace(WANTED, skus=[("YB-2", 1)])
    first = await store.replace(wanted)
    assert await store.replace(wanted) == first
    (made,) = [order for number, order in server.orders.items() if number != 1]
    assert first == Done(str(made["id"]))
    assert made["products"] == [
        {"product_id": 78, "variant_id": 780, "quantity": 1, "price_inc_tax": 0, "price_ex_tax": 0}
    ]
    assert (made["external_order_id"], made["status_id"]) == ("abc123/1/P-1", 11)
    assert made["shipping_addresses"][0]["street_1"] == "Main Street 1"
    assert "form_fields" not in made["shipping_addresses"][0]


async def test_a_replacement_whose_answer_was_lost_is_found(server, store):
    """After 502 nobody knows; the next attempt looks, and makes no second one."""
    server.sell(1)
    server.loses = "POST /v2/orders"
    with pytest.raises(VendorUnclearError):
        await store.replace(WANTED)
    assert await store.replace(WANTED) == Done("9000")
    assert server.asked.count("POST /v2/orders") == 1


@pytest.mark.parametrize(
    ("wanted", "rule"),
    [
        (dataclasses.replace(WANTED, order_id="9"), "order_unknown"),
        (dataclasses.replace(WANTED, order_id="A-9"), "order_unknown"),
        (dataclasses.replace(WANTED, skus=[("YM-1", 1), ("YZ-9", 1)]), "sku_unknown"),
    ],
)
async def test_what_the_store_does_not_know_cannot_be_replaced(server, store, wanted, rule):
    """Neither an unknown order nor an unknown SKU makes anything."""
    server.sell(1)
    assert await store.replace(wanted) == Cannot(rule)
    assert "POST /v2/orders" not in server.asked


@pytest.mark.parametrize(
    ("change", "outcome", "status"),
    [
        ({}, Done("9000"), 5),
        ({"status_id": 5}, Done("9000"), 5),
        ({"status_id": 2}, Cannot("already_sent", "9000"), 2),
        ({"items_shipped": 1}, Cannot("already_sent", "9000"), 11),
    ],
)
async def test_a_replacement_is_cancelled_unless_it_was_sent(server, store, change, outcome, status):
    """What has left cannot be taken back; what was cancelled is left alone."""
    server.sell(1)
    await store.replace(WANTED)
    server.orders[9000] |= change
    assert await store.cancel_replacement(WANTED) == outcome
    assert server.orders[9000]["status_id"] == status


async def test_no_replacement_is_nothing_to_cancel(server, store):
    """Undoing what was never made changes nothing."""
    server.sell(1)
    assert await store.cancel_replacement(WANTED) == Done("")


@pytest.mark.parametrize(
    ("product", "quantity", "outcome"),
    [
        ((77, 0), 10, Done("")),
        ((77, 0), 11, Cannot("out_of_stock")),
        ((78, 780), 3, Done("")),
        ((78, 781), 1, Cannot("out_of_stock")),
        ((79, 0), 999, Done("")),
        ((80, 0), 1, Cannot("out_of_stock")),
        ((0, 0), 1, Done("")),
    ],
)
async def test_stock_is_looked_at_where_it_is_counted(server, store, product, quantity, outcome):
    """By product, by variant, not at all, gone from the catalogue, or never in it."""
    server.sell(1, skus=[("YM-1", *product)])
    assert await store.reserve(dataclasses.replace(WANTED, skus=[("YM-1", quantity)])) == outcome


async def test_a_refund_is_made_once(server, store):
    """Quoted, paid back by card rather than as store credit, and found by its key the second time."""
    server.sell(1)
    first = await store.refund(WANTED)
    assert await store.refund(WANTED) == first == Done("9000")
    (made,) = server.refunds[1]
    assert made["items"] == [
        {"item_type": "ORDER", "item_id": 1, "amount": 79.0, "reason": "abc123/1/P-1 lost"},
    ]
    assert [(one["provider_id"], one["amount"]) for one in made["payments"]] == [("braintree", 79.0)]


@pytest.mark.parametrize("said", [{"data": None}, {"data": {}}, {}, None])
async def test_what_is_no_list_of_refunds_says_of_none_that_it_was_not_made(server, store, said):
    """Garbled, the shop is asked again; taken for an empty list, it would be paid twice."""
    server.sell(1)
    assert isinstance(await store.refund(WANTED), Done)
    server.then.append(answered(200, server.products[1]))
    server.then.append(answered(200, said))
    with pytest.raises(VendorGarbledError):
        await store.given("1", [WANTED.key])


async def test_a_refund_of_another_parcel_is_not_taken_for_this_one(server, store):
    """A key that begins with this one is another key."""
    server.sell(1)
    half = Decimal("39.50")
    other = await store.refund(dataclasses.replace(WANTED, key="abc123/1/P-10", amount=half))
    this = await store.refund(dataclasses.replace(WANTED, amount=half))
    assert other != this
    assert len(server.refunds[1]) == 2


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"order_id": "9"}, "order_unknown"),
        ({"currency": "EUR"}, "currency_differs"),
        ({"amount": Decimal("79.01")}, "already_refunded"),
    ],
)
async def test_a_refund_that_cannot_be_right_is_not_asked_for(server, store, change, rule):
    """Of an unknown order, in another currency, of more than is left."""
    server.sell(1)
    assert await store.refund(dataclasses.replace(WANTED, **change)) == Cannot(rule)
    assert not [asked for asked in server.asked if asked.startswith("POST")]


async def test_more_than_is_left_is_not_paid_back(server, store):
    """What other refunds have paid back already counts."""
    server.sell(1)
    server.refunds[1] = [{"id": 7, "total_amount": 0.01, "items": [], "payments": []}]
    assert await store.refund(WANTED) == Cannot("already_refunded")


async def test_money_that_only_people_can_pay_back_is_left_to_them(server, store):
    """An offline payment is marked as refunded by BigCommerce and paid by nobody."""
    server.sell(1)
    server.offline = True
    assert await store.refund(WANTED) == Cannot("not_refundable")


async def test_an_order_paid_with_store_credit_gets_it_back(server, store):
    """Store credit is the way it was paid then."""
    server.sell(1, store_credit_amount="79.0000")
    server.offline = True
    await store.refund(WANTED)
    assert [one["provider_id"] for one in server.refunds[1][0]["payments"]] == ["storecredit"]


async def test_a_declined_refund_is_none(server, store):
    """A payment that the provider declined is told for what it is, also when it is looked up."""
    server.sell(1)
    server.declines = True
    assert await store.refund(WANTED) == await store.refund(WANTED) == Cannot("payment_declined")


async def test_a_coupon_is_made_once_and_taken_back(server, store):
    """One code for one use, the same for its key, gone after its withdrawal."""
    first = await store.coupon(WANTED, percent=10, days=30)
    assert await store.coupon(WANTED, percent=10, days=30) == first
    (made,) = server.coupons.values()
    assert first == Done(made["code"])
    assert made["code"].startswith("SORRY-")
    assert (made["type"], made["amount"], made["max_uses"]) == ("percentage_discount", "10", 1)
    assert parsedate_to_datetime(made["expires"]).tzinfo is not None
    await store.withdraw_coupon(WANTED)
    await store.withdraw_coupon(WANTED)
    assert server.coupons == {}


async def test_a_coupons_code_tells_nothing(store, server):
    """Who knows an order and not the secret cannot guess its code."""
    other = BigCommerceRest(urlsplit(server.url), secret_key="another")
    assert await other.coupon(WANTED, percent=10, days=1) != await store.coupon(WANTED, percent=10, days=1)
    await other.aclose()


@pytest.mark.parametrize("url", ["bigcommerce://api.bigcommerce.com/abc", "bigcommerce://t0ken@api.bigcommerce.com"])
def test_a_url_without_its_parts_is_refused(url):
    """The error names the setting and keeps the token to itself."""
    with pytest.raises(ValueError, match="POSTLUDE_SHOP_URLS: bigcommerce://") as caught:
        BigCommerceRest(urlsplit(url), secret_key="k")
    assert "t0ken" not in str(caught.value)
