"""Shopify's GraphQL Admin API: remedies made once."""

import asyncio
import itertools
import json
from datetime import timedelta
from decimal import Decimal

import pytest

from activities.shops.api import Cannot, Done
from activities.shops.shopify_admin import ShopifyAdmin
from activities.vendors.http import (
    VendorBusyError,
    VendorError,
    VendorUnclearError,
)
from tests.shops.api.asking import wanted
from tests.shops.api.misbehaving import AWAY, CUT, FAILED_AFTER, SLOW, Trouble

STEPS = {
    "refund": (lambda api: api.refund(wanted()), lambda server: len(server.refunds)),
    "replace": (lambda api: api.replace(wanted()), lambda server: len(server.replacements)),
    "coupon": (lambda api: api.coupon(wanted(), percent=10, days=90), lambda server: len(server.codes)),
}
CHANGES = {
    "refund": ["RefundCreate"],
    "replace": ["DraftCreate", "Claim", "DraftComplete"],
    "coupon": ["CodeCreate"],
}


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_repeated_is_one(shopify, admin, step):
    """The same call again finds what the first one made."""
    shopify.place("1001", ("YM-1", 2, "79.00"))
    do, made = STEPS[step]
    first = await do(admin)

    assert isinstance(first, Done)
    assert await do(admin) == first
    assert made(shopify) == 1


@pytest.mark.parametrize(
    ("step", "change", "trouble"),
    [
        (step, change, trouble)
        for step, changes in CHANGES.items()
        for change, trouble in itertools.product(changes, (CUT, FAILED_AFTER))
    ],
    ids=lambda value: value.how + str(value.status) if isinstance(value, Trouble) else value,
)
async def test_a_step_is_one_when_an_answer_never_came(shopify, admin, step, change, trouble):
    """After a change whose answer was lost the same call looks, and makes nothing twice."""
    shopify.place("1001", ("YM-1", 2, "79.00"))
    do, made = STEPS[step]
    shopify.then(trouble, on=change)
    with pytest.raises(VendorUnclearError):
        await do(admin)

    assert isinstance(await do(admin), Done)
    assert made(shopify) == 1


def answered(data, *errors):
    """200 with what GraphQL says: `data` where it is known, and an error for each code and path."""
    said = [{"message": "No.", "extensions": {"code": code}, "path": path} for code, path in errors]
    return json.dumps({"errors": said} | ({} if data is ... else {"data": data}))


@pytest.mark.parametrize(
    "body",
    [
        answered({"refundCreate": {"refund": None}}, ("ACCESS_DENIED", ["refundCreate", "refund"])),
        answered({"refundCreate": None}, ("ACCESS_DENIED", ["refundCreate", "refund", "legacyResourceId"])),
        answered(None, ("ACCESS_DENIED", ["refundCreate", "refund"])),
        answered({"refundCreate": None}, ("INTERNAL_SERVER_ERROR", ["refundCreate"])),
        answered(..., ("INTERNAL_SERVER_ERROR", None)),
        answered(..., (None, None)),
        '{"errors": "No."}',
    ],
    ids=["a field", "a field of it", "nothing left", "failed", "failed before", "no code", "a text"],
)
async def test_a_mutation_that_ran_is_not_busy(shopify, admin, body):
    """What is denied may be a field of what was made: the shop is looked at, and it is paid once."""
    shopify.place("1001")
    shopify.then(Trouble(200, done=True, body=body), on="RefundCreate")
    with pytest.raises(VendorUnclearError):
        await admin.refund(wanted())

    assert isinstance(await admin.refund(wanted()), Done)
    assert len(shopify.refunds) == 1


@pytest.mark.parametrize(
    "body",
    [
        answered({"refundCreate": None}, ("ACCESS_DENIED", ["refundCreate"])),
        answered(..., ("SHOP_INACTIVE", None)),
        answered(..., ("THROTTLED", None)),
    ],
    ids=["denied", "shop inactive", "throttled"],
)
async def test_a_mutation_that_was_not_begun_is_asked_for_again(shopify, admin, body):
    """Somebody grants a right or pays a bill, or the bucket fills up: certainly nothing was made."""
    shopify.place("1001")
    shopify.then(Trouble(200, body=body), on="RefundCreate")
    with pytest.raises(VendorBusyError):
        await admin.refund(wanted())


async def test_of_an_order_that_cannot_be_seen_nobody_says_that_nothing_stands(admin):
    """Shopify hides older orders from apps that may not see all of them."""
    assert await admin.cancel_replacement(wanted()) == Cannot("order_unknown")


async def test_a_replacement_that_could_not_be_read_again_is_not_certainly_missing(shopify, admin):
    """Its draft was completed: a shop that is away behind that has made the order, and nobody may say it has not."""
    shopify.place("1001", ("YM-1", 2, "79.00"))
    await admin.reserve(wanted())
    # Twice the draft is read before it is completed; `SLOW` is answered at once here.
    shopify.release.set()
    shopify.then(SLOW, SLOW, AWAY, on="Draft")
    with pytest.raises(VendorUnclearError):
        await admin.replace(wanted())

    assert len(shopify.replacements) == 1


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_done_by_two_at_once_is_one(shopify, admin, step):
    """Shopify's own guards hold: the idempotency key, compare-and-set on the order, the unique code."""
    shopify.place("1001", ("YM-1", 2, "79.00"))
    do, made = STEPS[step]
    outcomes = await asyncio.gather(*(do(admin) for _ in range(4)), return_exceptions=True)

    assert all(isinstance(outcome, Done | VendorError) for outcome in outcomes)
    assert made(shopify) == 1
    assert len({outcome.reference for outcome in outcomes if isinstance(outcome, Done)}) == 1


async def test_a_draft_that_lost_its_place_is_deleted(shopify, admin):
    """Of two reservations at once one stays, and its goods alone are held."""
    shopify.place("1001")
    first, second = await asyncio.gather(admin.reserve(wanted()), admin.reserve(wanted()))

    assert first == second
    assert len(shopify.drafts) == 1
    assert shopify.stock["YM-1"] == 9


async def test_a_refund_is_found_when_shopify_has_forgotten_its_key(shopify, admin):
    """After the 24 hours of an idempotency key the note on the refund still tells that it was made."""
    shopify.place("1001", ("YM-1", 2, "79.00"))
    first = await admin.refund(wanted())
    shopify.idempotent.clear()

    assert await admin.refund(wanted()) == first
    assert len(shopify.refunds) == 1


async def test_a_refund_that_was_declined_can_be_tried_again(shopify, admin):
    """A key whose attempt failed is used up: the next attempt pays under another one, once."""
    shopify.place("1001")
    shopify.declines = 2
    declined = [await admin.refund(wanted()), await admin.refund(wanted())]

    assert declined == [Cannot("rejected"), Cannot("rejected")]
    assert isinstance(await admin.refund(wanted()), Done)
    assert len(shopify.refunds) == 1


@pytest.mark.parametrize(
    ("currency", "rate", "amount", "paid"),
    [
        ("EUR", None, "26.34", "26.34"),
        ("JPY", None, "1500", "1500"),
        ("KWD", None, "1.234", "1.234"),
        ("EUR", ("USD", "1.08533"), "26.34", "28.59"),
        ("EUR", ("JPY", "163.4"), "26.34", "4304"),
        ("EUR", ("USD", "1.08533"), "79.01", "85.75"),
    ],
    ids=["euro", "yen", "dinar", "paid-in-dollars", "paid-in-yen", "all-that-is-left"],
)
async def test_money_is_exact(shopify, admin, currency, rate, amount, paid):  # noqa: PLR0917  one case a line
    """An amount is paid back in the units of the currency it was paid in, at the order's own rate."""
    price = {"JPY": "7901", "KWD": "79.010"}.get(currency, "79.01")
    shopify.place("1001", ("YM-1", 1, price), currency=currency, rate=rate)
    await admin.refund(wanted(amount=Decimal(amount), currency=currency))

    (refund,) = shopify.refunds
    assert [one["amount"] for one in refund["transactions"]] == [paid]


async def test_refunds_of_parts_add_up_to_what_was_paid(shopify, admin):
    """The last part is all that is left in the customer's currency, so that roundings leave nothing over."""
    shopify.place("1001", ("YM-1", 3, "3.35"), rate=("USD", "1.1"))
    for part in range(3):
        await admin.refund(wanted(key=f"part {part}", amount=Decimal("3.35")))

    assert [refund["transactions"][0]["amount"] for refund in shopify.refunds] == ["3.69", "3.69", "3.68"]


async def test_a_refund_goes_back_over_every_payment(shopify, admin):
    """What one payment cannot take any more goes to the next."""
    order = shopify.place("1001", ("YM-1", 1, "79.00"))
    order["paid"] = [
        {"id": "gid://shopify/OrderTransaction/1", "gateway": "gift_card", "left": Decimal("30.00")},
        {"id": "gid://shopify/OrderTransaction/2", "gateway": "shopify_payments", "left": Decimal("49.00")},
    ]
    await admin.refund(wanted(amount=Decimal("50.10")))

    assert [one["amount"] for one in shopify.refunds[0]["transactions"]] == ["30.00", "20.10"]


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
async def test_a_refund_that_cannot_be_has_a_reason(shopify, admin, changes, rule):
    """Nothing is paid, and the rule says why."""
    shopify.place("1001")

    assert await admin.refund(wanted(**changes)) == Cannot(rule)
    assert shopify.refunds == []


async def test_what_was_paid_back_by_hand_is_not_paid_again(shopify, admin):
    """A line that the shop's people refunded meanwhile is done with, under whatever key."""
    shopify.place("1001", ("YM-1", 1, "79.00"), ("BL-2", 1, "79.00"))
    await admin.refund(wanted(key="by hand"))

    assert await admin.refund(wanted()) == Cannot("already_refunded")


async def test_a_replacement_goes_free_to_the_same_address(shopify, admin):
    """The draft has the goods, the customer, the address and a discount of all of it."""
    shopify.place("1001", ("YM-1", 2, "79.00"))
    await admin.replace(wanted(skus=(("YM-1", 2),)))
    (draft,) = shopify.drafts.values()
    given = draft["input"]

    assert given["lineItems"] == [{"variantId": "gid://shopify/ProductVariant/YM-1", "quantity": 2}]
    assert given["appliedDiscount"]["value"] == 100
    assert given["shippingLine"]["priceWithCurrency"] == {"amount": "0", "currencyCode": "EUR"}
    assert (given["shippingAddress"]["city"], given["shippingAddress"]["countryCode"]) == ("Berlin", "DE")
    assert given["tags"] == ["postlude-replacement"]
    assert draft["order"]["replaces"] == "#1001"


@pytest.mark.parametrize("step", ["reserve", "replace"])
async def test_goods_that_are_not_there_are_not_promised(shopify, admin, step):
    """Too little in stock is said before a draft is made."""
    shopify.place("1001", ("YM-1", 2, "79.00"))
    shopify.stock["YM-1"] = 1

    assert await getattr(admin, step)(wanted(skus=(("YM-1", 2),))) == Cannot("out_of_stock")
    assert shopify.drafts == {}


async def test_a_reservation_becomes_the_replacement(shopify, admin):
    """What was reserved is what is completed: the goods are taken once."""
    shopify.place("1001")
    await admin.reserve(wanted())
    await admin.replace(wanted())

    assert len(shopify.replacements) == 1
    assert shopify.stock["YM-1"] == 9


async def test_a_released_reservation_is_never_completed(shopify, admin):
    """After the release the goods are back, and a late attempt makes no order."""
    shopify.place("1001")
    await admin.reserve(wanted())
    await admin.release(wanted())

    assert shopify.stock["YM-1"] == 10
    assert await admin.replace(wanted()) == Cannot("withdrawn")
    assert shopify.replacements == []


async def test_releasing_undoes_no_replacement(shopify, admin):
    """A draft that became an order stays, and nothing is wrong with releasing nothing."""
    shopify.place("1001")
    await admin.release(wanted())
    made = await admin.replace(wanted())
    await admin.release(wanted())

    assert await admin.replace(wanted()) == made


@pytest.mark.parametrize(
    ("parcels", "outcome", "stock"),
    [([], Done, 10), ([{"status": "CANCELLED"}], Done, 10), ([{"status": "SUCCESS"}], Cannot, 9)],
    ids=["not-sent", "sending-called-off", "sent"],
)
async def test_a_replacement_is_called_off_until_it_is_sent(shopify, admin, parcels, outcome, stock):
    """Cancelling puts the goods back, twice is once, and what is on its way stays."""
    shopify.place("1001")
    await admin.replace(wanted())
    shopify.replacements[0]["fulfillments"] = parcels

    assert isinstance(await admin.cancel_replacement(wanted()), outcome)
    assert isinstance(await admin.cancel_replacement(wanted()), outcome)
    assert shopify.stock["YM-1"] == stock


async def test_a_cancellation_in_the_making_is_looked_at_again(shopify, admin):
    """Shopify cancels by a job: until it is done the step is not, and then it is done once."""
    shopify.place("1001")
    made = await admin.replace(wanted())
    shopify.cancels_later = True
    with pytest.raises(VendorBusyError, match="cancelling") as caught:
        await admin.cancel_replacement(wanted())

    assert caught.value.retry_after == timedelta(seconds=5)
    assert await admin.cancel_replacement(wanted()) == made
    assert shopify.asked_for("OrderCancel") == 1


async def test_calling_off_nothing_is_done(shopify, admin):
    """A replacement that was never made needs no undoing."""
    shopify.place("1001")
    assert await admin.cancel_replacement(wanted()) == Done("")


async def test_a_code_is_the_buyers_alone(shopify, admin):
    """Once, for the order's customer, for so many days, and taken back it works no more."""
    shopify.place("1001")
    code = (await admin.coupon(wanted(), percent=15, days=30)).reference
    (node,) = shopify.codes.values()

    assert node["context"] == {"customers": {"add": ["gid://shopify/Customer/17"]}}
    assert (node["usageLimit"], node["customerGets"]["value"]) == (1, {"percentage": 0.15})
    await admin.withdraw_coupon(wanted())
    assert shopify.codes[code]["active"] is False


async def test_codes_cannot_be_guessed(shopify, admin):
    """Another key or another secret makes another code."""
    other = ShopifyAdmin(shopify.url, secret_key="another")
    codes = {admin.code(wanted()), admin.code(wanted(key="another")), other.code(wanted())}
    await other.aclose()
    assert len(codes) == 3
