"""A shop's own backend, asked over its contract."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlsplit

import pytest

from activities.shops.api import Cannot, Done, Wanted
from activities.shops.backend import Backend
from activities.vendors.http import VendorBusyError, VendorGarbledError, VendorUnclearError
from store.intake import Malformed, OrderCreated, ShipmentUpdated
from tests.shops.api.backend_server import FIRST, SECRET, BackendServer, Sold, answered, created, moment

WANTED = Wanted("acme/1001/P-1", "1001", [("YM-1", 1)], Decimal("79.00"), "EUR", "lost")


@pytest.fixture
async def server():
    running = BackendServer()
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
async def backend(server):
    made = Backend(urlsplit(server.url), secret_key="k")
    yield made
    await made.aclose()


async def test_pages_are_walked_to_the_end(server, backend):
    """Every order comes once, oldest change first, with the total and the newest change."""
    server.page = 2
    server.sell(5)
    first = await backend.changed(FIRST, None)
    second = await backend.changed(FIRST, first.cursor)
    third = await backend.changed(FIRST, second.cursor)
    told = [event.order_id for page in (first, second, third) for event in page.events]
    assert told == ["1001", "1002", "1003", "1004", "1005"]
    assert (first.orders, first.total, first.changed_until) == (2, 5, FIRST + timedelta(minutes=1))
    assert third.cursor is None


async def test_nothing_changed_is_an_empty_last_page(backend):
    """A shop without changes says so with an empty page."""
    page = await backend.changed(FIRST, None)
    assert (page.events, page.orders, page.cursor, page.changed_until) == ([], 0, None, None)


async def test_the_query_is_signed_as_it_is_sent(server, backend):
    """A moment with its colons and an order id with blanks and slashes are signed just as they go out."""
    server.orders.append(Sold("a/b c", FIRST, [created("a/b c", FIRST)]))
    (event,) = await backend.order("a/b c")
    assert event.order_id == "a/b c"
    await backend.changed(FIRST, None)
    assert server.asked == [
        "GET /api/postlude/orders/a%2Fb%20c",
        "GET /api/postlude/orders?since=2026-11-01T00%3A00%3A00Z",
    ]


async def test_a_wrong_secret_is_a_refusal_that_somebody_mends(server):
    """Requests under another secret are turned away, and that is no answer about any order."""
    other = SECRET[:-4] + "AAA="
    stranger = Backend(
        urlsplit(f"backend://{other}@127.0.0.1:{server.port}/api/postlude?shop=acme&insecure=1"), secret_key="k"
    )
    with pytest.raises(VendorBusyError, match="http_401"):
        await stranger.changed(FIRST, None)
    await stranger.aclose()


async def test_an_unknown_order_says_nothing(backend):
    """An order that the shop does not know has no events."""
    assert await backend.order("9") == []


async def test_what_cannot_be_read_stops_nothing_else(server, backend):
    """Events of another shop, without a moment, of an unknown kind, or that an API must not say are left out."""
    good = created("1001", FIRST)
    server.orders.append(
        Sold(
            "1001",
            FIRST,
            [
                created("1002", FIRST, shop="bolt"),
                {"type": "order.created", "data": good["data"]},
                {"type": "order.sung", "timestamp": moment(FIRST), "data": {}},
                {"type": "order.changed", "timestamp": moment(FIRST), "data": {"shop": "acme", "order_id": "1001"}},
                {"type": "shop.redacted", "timestamp": moment(FIRST), "data": {"shop": "acme"}},
                good,
            ],
        )
    )
    page = await backend.changed(FIRST, None)
    assert ([type(event) for event in page.events], page.unreadable) == ([OrderCreated], 5)
    with pytest.raises(Malformed, match=r"events\.0\.data\.shop"):
        await backend.order("1001")


async def test_a_replacement_names_what_it_replaces(server, backend):
    """A shop's own backend says so in the order's data."""
    server.orders.append(Sold("1001-R", FIRST, [created("1001-R", FIRST, replaces="1001")]))
    (event,) = await backend.order("1001-R")
    assert event.replaces == "1001"


async def test_a_scan_is_the_shops_own(server, backend):
    """A parcel's update from a shop's backend names that shop."""
    scan = {"tracking_number": "P-1", "status": "in_transit", "occurred_at": moment(FIRST)}
    server.orders.append(Sold("1001", FIRST, [{"type": "shipment.updated", "timestamp": moment(FIRST), "data": scan}]))
    (event,) = await backend.order("1001")
    assert isinstance(event, ShipmentUpdated)
    assert event.shop == "acme"


@pytest.mark.parametrize(
    ("ask", "kind"),
    [
        (lambda api: api.reserve(WANTED), "reserve"),
        (lambda api: api.replace(WANTED), "replacement"),
        (lambda api: api.cancel_replacement(WANTED), "cancel_replacement"),
        (lambda api: api.refund(WANTED), "refund"),
        (lambda api: api.coupon(WANTED, percent=10, days=30), "coupon"),
    ],
)
async def test_a_remedy_asked_for_twice_is_made_once(server, backend, ask, kind):
    """The second request of a key and kind is answered with the first outcome, also after an answer was lost."""
    assert await ask(backend) == Done("R-1")
    assert await ask(backend) == Done("R-1")
    (key,) = server.remedies
    asked = server.remedies[key]["asked"]
    assert key == f"acme/1001/P-1:{kind}"
    assert asked | {"percent": 0, "days": 0} == {
        "key": "acme/1001/P-1",
        "kind": kind,
        "shop": "acme",
        "order_id": "1001",
        "skus": [{"sku": "YM-1", "quantity": 1}],
        "amount": "79.00",
        "currency": "EUR",
        "note": "lost",
        "percent": 0,
        "days": 0,
    }


async def test_what_is_undone_is_asked_for_by_the_same_key(server, backend):
    """Release and withdrawal name the remedy that they undo, under idempotency keys of their own."""
    await backend.release(WANTED)
    await backend.withdraw_coupon(WANTED)
    assert list(server.remedies) == ["acme/1001/P-1:release", "acme/1001/P-1:withdraw_coupon"]


async def test_a_refusal_keeps_the_shops_rule(server, backend):
    """409 with a rule is that rule, for good."""
    server.refuses["replacement"] = "out_of_stock"
    assert await backend.replace(WANTED) == Cannot("out_of_stock")


async def test_a_refusal_without_a_rule_is_named_by_its_status(server, backend):
    """422 without a rule of its own is still a refusal."""
    server.then.append(answered(422, {"why": "no"}))
    assert await backend.refund(WANTED) == Cannot("http_422")


async def test_an_error_after_a_remedy_leaves_it_unclear(server, backend):
    """500 says nothing about whether it was made; asked again, the shop answers for its key."""
    server.then.append(answered(500, {}))
    with pytest.raises(VendorUnclearError):
        await backend.refund(WANTED)
    assert await backend.refund(WANTED) == Done("R-1")


async def test_a_shop_that_asks_to_wait_is_waited_for(server, backend):
    """429 says how long."""
    server.then.append(answered(429, {}, {"Retry-After": "17"}))
    with pytest.raises(VendorBusyError) as caught:
        await backend.changed(FIRST, None)
    assert caught.value.retry_after == timedelta(seconds=17)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"events": "none"},
        {"events": [], "changed_until": "yesterday"},
        {"events": [], "total": -1},
        {"events": [], "next_cursor": "c-7"},
    ],
)
async def test_a_page_off_the_contract_is_garbled(server, backend, document):
    """A page without its parts, or one that leads to itself, is no page."""
    server.then.append(answered(200, document))
    with pytest.raises(VendorGarbledError):
        await backend.changed(datetime(2026, 11, 1, tzinfo=UTC), "c-7")


@pytest.mark.parametrize(
    "url",
    [
        "backend://shop.example/api?shop=acme",
        "backend://whsec_%21%21@shop.example/api?shop=acme",
        f"backend://{SECRET}@shop.example/api",
        f"backend://{SECRET}@shop.example/api?shop=a%2Fb",
        f"backend://{SECRET}@/api?shop=acme",
    ],
)
def test_a_url_without_its_parts_is_refused(url):
    """The error names the setting and keeps the secret to itself."""
    with pytest.raises(ValueError, match="POSTLUDE_SHOP_URLS: backend://") as caught:
        Backend(urlsplit(url), secret_key="k")
    assert SECRET[6:] not in str(caught.value)
