"""WooCommerce's REST API: remedies made once."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from activities.shops.api import Cannot, Done
from activities.shops.woocommerce_rest import WooCommerceRest
from activities.vendors.http import (
    VendorBusyError,
    VendorUnclearError,
)
from tests.shops.api.asking import wanted
from tests.shops.api.conftest import SECRET_KEY
from tests.shops.api.misbehaving import AWAY, CUT, FAILED_AFTER, SILENT, SLOW, Trouble, too_many

STEPS = {
    "refund": (lambda api: api.refund(wanted()), lambda server: len(server.refunds), "POST /orders/refunds"),
    "replace": (lambda api: api.replace(wanted()), lambda server: len(server.replacements), "POST /orders"),
    "coupon": (
        lambda api: api.coupon(wanted(), percent=10, days=90),
        lambda server: len(server.coupons),
        "POST /coupons",
    ),
}


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_repeated_is_one(woocommerce, rest, step):
    """The same call again finds what the first one made."""
    woocommerce.place(1001, ("YM-1", 2, "158.00"))
    do, made, _ = STEPS[step]
    first = await do(rest)

    assert isinstance(first, Done)
    assert await do(rest) == first
    assert made(woocommerce) == 1


@pytest.mark.parametrize("trouble", [CUT, FAILED_AFTER], ids=["cut", "bad-gateway"])
@pytest.mark.parametrize("step", STEPS)
async def test_a_step_is_one_when_an_answer_never_came(woocommerce, rest, step, trouble):
    """After a change whose answer was lost the same call looks, and makes nothing twice."""
    woocommerce.place(1001, ("YM-1", 2, "158.00"))
    do, made, change = STEPS[step]
    woocommerce.then(trouble, on=change)
    with pytest.raises(VendorUnclearError):
        await do(rest)

    assert isinstance(await do(rest), Done)
    assert made(woocommerce) == 1


@pytest.mark.parametrize("step", ["refund", "replace"])
async def test_a_request_that_still_runs_is_waited_for(woocommerce, step):
    """While the request of an attempt that gave up may still be at work, the next attempt makes nothing."""
    woocommerce.place(1001, ("YM-1", 2, "158.00"))
    do, made, change = STEPS[step]
    given_up, later = (WooCommerceRest(woocommerce.url, secret_key=SECRET_KEY) for _ in range(2))
    woocommerce.then(SLOW, on=change)
    attempt = asyncio.create_task(do(given_up))
    await woocommerce.came(change)
    with pytest.raises(VendorBusyError, match="settling") as caught:
        await do(later)
    woocommerce.release.set()
    await attempt

    assert timedelta(minutes=4) < caught.value.retry_after <= timedelta(minutes=5)
    assert await do(later) == attempt.result()
    assert made(woocommerce) == 1
    await given_up.aclose()
    await later.aclose()


@pytest.mark.parametrize("step", ["refund", "replace"])
async def test_what_nobody_began_to_make_is_made_once_it_has_settled(woocommerce, rest, step):
    """An attempt that died before its request is followed by one that makes it, after the wait."""
    woocommerce.place(1001, ("YM-1", 2, "158.00"))
    do, made, change = STEPS[step]
    woocommerce.then(SILENT, on=change)
    with pytest.raises(VendorUnclearError):
        await do(rest)
    await asyncio.sleep(0.2)

    assert isinstance(await do(rest), Done)
    assert made(woocommerce) == 1


@pytest.mark.parametrize("trouble", [AWAY, too_many(1)], ids=["away", "too-many"])
@pytest.mark.parametrize("step", ["refund", "replace"])
async def test_what_certainly_was_not_made_is_made_without_a_wait(woocommerce, step, trouble):
    """A shop that says it did nothing need not be waited for."""
    woocommerce.place(1001, ("YM-1", 2, "158.00"))
    do, made, change = STEPS[step]
    rest = WooCommerceRest(woocommerce.url, secret_key=SECRET_KEY)
    woocommerce.then(trouble, on=change)
    with pytest.raises(VendorBusyError, match="http_"):
        await do(rest)

    assert isinstance(await do(rest), Done)
    assert made(woocommerce) == 1
    await rest.aclose()


@pytest.mark.parametrize("status", [403, 503])
async def test_a_gateways_page_about_a_refund_is_no_word_of_the_shop(woocommerce, rest, status):
    """It was made, and a firewall or a cache that waited too long puts its own page before the answer."""
    woocommerce.place(1001)
    woocommerce.then(Trouble(status, done=True, body="<h1>Backend fetch failed</h1>"), on="POST /orders/refunds")
    with pytest.raises(VendorUnclearError):
        await rest.refund(wanted())

    assert isinstance(await rest.refund(wanted()), Done)
    assert len(woocommerce.refunds) == 1


async def test_a_refund_that_was_written_down_and_not_paid_is_for_a_person(woocommerce, rest):
    """WooCommerce may have asked the gateway or not: nothing is paid again."""
    woocommerce.place(1001)
    await rest.refund(wanted())
    woocommerce.refunds[0]["refunded_payment"] = False
    await asyncio.sleep(0.2)

    assert await rest.refund(wanted()) == Cannot("refund_in_doubt")
    assert len(woocommerce.refunds) == 1


@pytest.mark.parametrize(
    ("currency", "total", "amount", "paid"),
    [
        ("EUR", "79.01", "26.34", "26.34"),
        ("JPY", "7901", "1500", "1500"),
        ("JPY", "2157.84", "2158", "2157.84"),
        ("KWD", "79.010", "1.2345", "1.235"),
    ],
)
async def test_money_is_exact(woocommerce, rest, currency, total, amount, paid):  # noqa: PLR0917  one case a line
    """An amount is paid back in the units of its currency, and all of an order is what the shop itself has of it."""
    woocommerce.place(1001, ("YM-1", 1, total), currency=currency)
    await rest.refund(wanted(amount=Decimal(amount), currency=currency))

    assert [refund["amount"] for refund in woocommerce.refunds] == [paid]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"order_id": "999"}, "order_unknown"),
        ({"skus": (("NO-SUCH", 1),)}, "line_unknown"),
        ({"skus": (("YM-1", 2),)}, "already_refunded"),
        ({"amount": Decimal("79.01")}, "already_refunded"),
        ({"currency": "USD"}, "currency_differs"),
    ],
)
async def test_a_refund_that_cannot_be_has_a_reason(woocommerce, rest, changes, rule):
    """Nothing is paid, and the rule says why."""
    woocommerce.place(1001)

    assert await rest.refund(wanted(**changes)) == Cannot(rule)
    assert woocommerce.asked_for("POST /orders/refunds") == 0


@pytest.mark.parametrize("gateway", ["cod", "gone", ""])
async def test_a_gateway_that_cannot_pay_back_is_not_asked(woocommerce, rest, gateway):
    """What was paid on delivery, or by a gateway that is gone, is for a person."""
    woocommerce.place(1001, payment_method=gateway)

    assert await rest.refund(wanted()) == Cannot("gateway_cannot_refund")


async def test_what_was_paid_back_by_hand_is_not_paid_again(woocommerce, rest):
    """A line that the shop's people refunded meanwhile is done with, also when money of the order is left."""
    order = woocommerce.place(1001, ("YM-1", 1, "79.00"), ("BL-2", 1, "79.00"))
    by_hand = {**order["line_items"][0], "quantity": -1}
    woocommerce.refunds.append(
        {"id": 1, "parent_id": 1001, "amount": "79.00", "reason": "", "refunded_payment": True, "line_items": [by_hand]}
    )

    assert await rest.refund(wanted()) == Cannot("already_refunded")


async def test_a_replacement_goes_free_to_the_same_address(woocommerce, rest):
    """The order has the goods at nothing, the customer, the address and the order it stands for."""
    order = woocommerce.place(1001, ("YM-1", 2, "158.00"))
    made = await rest.replace(wanted(skus=(("YM-1", 2),)))
    (replacement,) = woocommerce.replacements

    assert made == Done(str(replacement["id"]))
    assert (replacement["parent_id"], replacement["set_paid"], replacement["total"]) == (1001, True, "0")
    assert replacement["shipping"] == order["shipping"]
    assert [line["quantity"] for line in replacement["line_items"]] == [2]


async def test_two_remedies_of_an_order_are_two_replacements(woocommerce, rest):
    """Another parcel's key finds nothing of the first."""
    woocommerce.place(1001, ("YM-1", 2, "158.00"))
    first, second = await rest.replace(wanted()), await rest.replace(wanted(key="another"))

    assert first != second
    assert len(woocommerce.replacements) == 2


@pytest.mark.parametrize("step", ["reserve", "replace"])
async def test_goods_that_are_not_there_are_not_promised(woocommerce, rest, step):
    """Too little in stock, or a product that is gone, is said before an order is made."""
    order = woocommerce.place(1001, ("YM-1", 2, "158.00"))
    product = order["line_items"][0]["product_id"]
    woocommerce.stock[product] = 1
    assert await getattr(rest, step)(wanted(skus=(("YM-1", 2),))) == Cannot("out_of_stock")

    del woocommerce.stock[product]
    assert await getattr(rest, step)(wanted()) == Cannot("product_gone")
    assert woocommerce.replacements == []


async def test_reserving_looks_and_holds_nothing(woocommerce, rest):
    """WooCommerce holds goods for checkouts alone: what is there is said, and nothing changes."""
    woocommerce.place(1001)
    before = dict(woocommerce.stock)

    assert await rest.reserve(wanted()) == Done("")
    await rest.release(wanted())
    assert woocommerce.stock == before


async def test_a_replacement_is_called_off_until_it_is_sent(woocommerce, rest):
    """Cancelling puts the goods back, twice is once, and it is never made again."""
    order = woocommerce.place(1001)
    product = order["line_items"][0]["product_id"]
    made = await rest.replace(wanted())
    assert woocommerce.stock[product] == 9

    assert await rest.cancel_replacement(wanted()) == made
    assert await rest.cancel_replacement(wanted()) == made
    assert woocommerce.stock[product] == 10
    assert await rest.replace(wanted()) == Cannot("withdrawn")


async def test_a_replacement_that_was_sent_stays(woocommerce, rest):
    """A completed order is on its way; one that was never made needs no undoing."""
    woocommerce.place(1001)
    assert await rest.cancel_replacement(wanted()) == Done("")
    await rest.replace(wanted())
    woocommerce.replacements[0]["status"] = "completed"

    assert await rest.cancel_replacement(wanted()) == Cannot("already_sent", str(woocommerce.replacements[0]["id"]))


async def test_a_code_is_the_buyers_alone(woocommerce, rest):
    """Once, for the order's address, for so many days, and taken back it is gone, twice as well as once."""
    woocommerce.place(1001)
    code = (await rest.coupon(wanted(), percent=15, days=30)).reference
    coupon = woocommerce.coupons[code.lower()]

    assert (coupon["amount"], coupon["usage_limit"], coupon["email_restrictions"]) == ("15", 1, ["ada@example.com"])
    expires = datetime.fromisoformat(coupon["date_expires_gmt"]).replace(tzinfo=UTC)
    assert timedelta(days=29) < expires - datetime.now(UTC) <= timedelta(days=30)
    await rest.withdraw_coupon(wanted())
    await rest.withdraw_coupon(wanted())
    assert woocommerce.coupons == {}


async def test_a_code_made_by_two_at_once_is_one(woocommerce, rest):
    """WooCommerce says that the code is taken: by us."""
    woocommerce.place(1001)
    codes = await asyncio.gather(*(rest.coupon(wanted(), percent=10, days=90) for _ in range(3)))

    assert len(set(codes)) == 1
    assert len(woocommerce.coupons) == 1
