"""WooCommerce's REST API: orders read without a gap."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from activities.shops.api import Cannot
from activities.shops.protocol import Malformed
from activities.shops.woocommerce_orders import order_events
from activities.shops.woocommerce_rest import MOST_AT_ONCE, ORDERS_A_PAGE, WooCommerceRest
from activities.vendors.http import (
    VendorBusyError,
    VendorGarbledError,
    VendorRefusedError,
)
from tests.shops.api.asking import orders_of, read_all, wanted
from tests.shops.api.conftest import SECRET_KEY
from tests.shops.api.misbehaving import AWAY, CUT, LOGGED_OUT, SILENT, Trouble, too_many
from tests.shops.api.woocommerce_server import FIRST

PERSONAL = ("ada", "lovelace", "ck_test", "cs_test")


async def test_every_order_is_read_page_by_page(woocommerce, rest):
    """Pages go on from their cursor, oldest change first, and the total stays what it was."""
    count = 2 * ORDERS_A_PAGE + 7
    for number in range(count):
        woocommerce.place(1001 + number)
    pages = await read_all(rest)

    assert orders_of(pages) == [str(1001 + number) for number in range(count)]
    assert [page.total for page in pages] == [count] * 3
    assert pages[-1].changed_until == FIRST + timedelta(minutes=count - 1)


async def test_an_order_that_changes_while_pages_are_read_is_not_missed(woocommerce, rest):
    """What changes meanwhile leaves no gap where it was, and comes again at the end."""
    count = 2 * ORDERS_A_PAGE + 7
    for number in range(count):
        woocommerce.place(1001 + number)
    changing = iter((1001, 1101))
    read = orders_of(await read_all(rest, lambda _: woocommerce.touch(one) if (one := next(changing, None)) else 0))

    assert set(read) == {str(1001 + number) for number in range(count)}
    assert read[-2:] == ["1001", "1101"]


async def test_orders_of_one_second_are_all_read(woocommerce, rest):
    """A bulk change of more orders than a page holds leaves none out and repeats none."""
    count = 3 * ORDERS_A_PAGE + 1
    for number in range(count):
        woocommerce.place(1001 + number, at=FIRST)

    assert orders_of(await read_all(rest)) == [str(1001 + number) for number in range(count)]


async def test_too_many_orders_of_one_second_are_an_error_and_no_gap(woocommerce, rest):
    """What cannot be told apart is said, not left out."""
    for number in range(MOST_AT_ONCE + ORDERS_A_PAGE + 1):
        woocommerce.place(1001 + number, at=FIRST)
    with pytest.raises(VendorGarbledError, match="too_many_at_once"):
        await read_all(rest)


@pytest.mark.parametrize("cursor", ["", "2", "yesterday|1|2", "eyJsYXN0X2lkIjox"])
async def test_a_cursor_of_somebody_else_is_refused(rest, cursor):
    """Whoever kept it begins again, as with any cursor that is known no more."""
    with pytest.raises(VendorRefusedError, match="cursor_unknown"):
        await rest.changed(FIRST, cursor)


async def test_the_second_asked_for_is_read_too(woocommerce, rest):
    """A reading begins with the orders that changed at the very moment given."""
    woocommerce.place(1001, at=FIRST - timedelta(seconds=1))
    woocommerce.place(1002, at=FIRST)

    assert orders_of(await read_all(rest, since=FIRST + timedelta(milliseconds=400))) == ["1002"]


async def test_an_order_is_the_same_as_its_webhook(woocommerce, rest):
    """One translation serves both."""
    order = woocommerce.place(1001, ("YM-1", 2, "158.00"))

    assert await rest.order("1001") == order_events(order, shop=rest.shop, secret_key=SECRET_KEY)


@pytest.mark.parametrize("order_id", ["999", "1001/refunds", "", "../products"])
async def test_an_unknown_order_is_none(woocommerce, rest, order_id):
    """An id that is no number is not even asked for."""
    woocommerce.place(1001)
    assert await rest.order(order_id) == []
    assert await rest.refund(wanted(order_id=order_id)) == Cannot("order_unknown")


async def test_an_unreadable_order_does_not_stop_the_others(woocommerce, rest):
    """One order that makes no sense is left out, one that nobody placed says nothing; the page goes on."""
    woocommerce.place(1001, total="a lot")
    woocommerce.place(1002, status="checkout-draft")
    woocommerce.place(1003)
    (page,) = await read_all(rest)

    assert (orders_of([page]), page.orders, page.unreadable) == (["1003"], 3, 1)
    with pytest.raises(Malformed, match="total"):
        await rest.order("1001")


async def test_a_replacement_names_what_it_replaces(woocommerce, rest):
    """The order that a remedy had made says which one it stands for; the first one, that was marked too, does not."""
    woocommerce.place(1001)
    made = await rest.replace(wanted())
    woocommerce.orders[int(made.reference)]["date_created_gmt"] = "2026-11-02T10:00:00"
    first, replacement = [(await rest.order(order_id))[0] for order_id in ("1001", made.reference)]

    assert (first.replaces, replacement.replaces) == (None, "1001")


@pytest.mark.parametrize(
    ("trouble", "error", "rule"),
    [
        (AWAY, VendorBusyError, "http_503"),
        (too_many(7), VendorBusyError, "http_429"),
        (LOGGED_OUT, VendorBusyError, "http_401"),
        (CUT, VendorBusyError, "no_answer"),
        (SILENT, VendorBusyError, "no_answer"),
        (Trouble(200, body="<html>ada@example.com</html>"), VendorGarbledError, "not_json"),
        (Trouble(200, body='{"ada": 1}'), VendorGarbledError, "no_orders"),
        (Trouble(200, body="[]"), VendorGarbledError, "page_incomplete"),
    ],
    ids=["away", "too-many", "logged-out", "cut", "silent", "not-json", "no-orders", "no-headers"],
)
async def test_what_goes_wrong_has_a_name_and_nothing_personal(woocommerce, rest, trouble, error, rule):
    """Every failure is one of the vendor's errors, and none repeats what the answer said."""
    woocommerce.place(1001)
    woocommerce.then(trouble)
    with pytest.raises(error) as caught:
        await rest.changed(FIRST, None)

    assert caught.value.rule == rule
    assert not any(word in str(caught.value).lower() for word in PERSONAL)


@pytest.mark.parametrize(
    "url", ["woocommerce://shop.example", "woocommerce://ck_x@shop.example", "woocommerce://ck_x:y@"]
)
def test_a_url_that_lacks_something_is_named_by_its_setting(url):
    """The error says which setting is wrong and repeats none of it."""
    with pytest.raises(ValueError, match="POSTLUDE_SHOP_URLS") as caught:
        WooCommerceRest(urlsplit(url), secret_key="x")
    assert "ck_x" not in str(caught.value)
