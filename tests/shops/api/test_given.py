"""What every shop's API says was given back for an order, and that nothing is made on top: one contract for all."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest

from activities.remedies import Remedies
from activities.shops.api import Cannot, Done, Wanted
from activities.shops.backend import Backend
from activities.shops.bigcommerce_rest import BigCommerceRest
from activities.shops.shopify_admin import ShopifyAdmin
from activities.shops.woocommerce_rest import WooCommerceRest
from journey.remedies import By, Choice
from journey.remedy_steps import Answer, RemedyTask
from journey.saga.moves import CHANGED
from store import remedies
from tests.shops.api.backend_server import BackendServer, Sold, created
from tests.shops.api.bigcommerce_server import BigCommerceServer
from tests.shops.api.conftest import SECRET_KEY
from tests.shops.api.misbehaving import Trouble
from tests.shops.api.shopify_server import ShopifyServer
from tests.shops.api.woocommerce_server import WooCommerceServer
from tests.support.counter import Only
from tests.support.orders import Order, put, put_parcel
from tests.support.providers import Impatient
from tests.support.remedies import book, request, step

ORDER = "1001"
KEY = "remedy:acme:1001:p1:refund"
REPLACEMENT_KEY = "remedy:acme:1001:p1:replacement"


@dataclass
class Place:
    """A shop with one order of a mat and a block, its API, and its people, who refund by hand."""

    api: Any
    server: Any
    currency: str

    def pay_back(self, amount, *units):
        """By hand: the refund's reference."""
        return getattr(self, f"_pay_back_at_{self.api.name}")(amount, units)

    def _pay_back_at_shopify(self, amount, units):
        order = self.server.orders[ORDER]
        lines = {line["sku"]: line for line in order["lineItems"]}
        number = str(next(self.server.ids))
        order["refunds"].append(
            {
                "id": f"gid://shopify/Refund/{number}", "legacyResourceId": number, "note": "by hand",
                "createdAt": "2026-11-02T10:00:00Z", "processedAt": "2026-11-02T10:00:00Z", "transactions": [],
                "totalRefundedSet": order["money"](Decimal(amount)),
                "refundLineItems": [{"quantity": count, "lineItem": lines[sku]} for sku, count in units],
            }
        )  # fmt: skip
        return number

    def _pay_back_at_woocommerce(self, amount, units):
        number = next(self.server.ids)
        lines = {line["sku"]: line for line in self.server.orders[int(ORDER)]["line_items"]}
        inside = [{**lines[sku], "quantity": -count} for sku, count in units]
        self.server.refunds.append(
            {
                "id": number, "parent_id": int(ORDER), "amount": str(amount), "reason": "by hand",
                "refunded_payment": True, "line_items": inside,
            }
        )  # fmt: skip
        return str(number)

    def _pay_back_at_bigcommerce(self, amount, units):
        number = next(self.server.ids)
        lines = {line["sku"]: line for line in self.server.products[int(ORDER)]}
        items = [{"item_type": "PRODUCT", "item_id": lines[sku]["id"], "quantity": count} for sku, count in units]
        self.server.refunds.setdefault(int(ORDER), []).append(
            {
                "id": number, "order_id": int(ORDER), "created": "2026-11-02T10:00:00+00:00", "reason": "by hand",
                "total_amount": amount, "items": items or [{"item_type": "ORDER", "item_id": int(ORDER)}],
                "payments": [{"provider_id": "braintree", "is_declined": False}],
            }
        )  # fmt: skip
        return str(number)

    def _pay_back_at_backend(self, amount, units):
        reference = f"P-{len(self.server.given_back) + 1}"
        lines = [{"sku": sku, "quantity": count} for sku, count in units]
        self.server.given_back.append({"kind": "refund", "reference": reference, "amount": str(amount), "lines": lines})
        return reference


def _shopify():
    server = ShopifyServer()
    server.place(ORDER, ("YM-1", 1, "79.00"), ("B-1", 1, "21.00"))
    return server, "EUR", lambda: ShopifyAdmin(server.url, secret_key=SECRET_KEY, transport=Impatient())


def _woocommerce():
    server = WooCommerceServer()
    server.place(int(ORDER), ("YM-1", 1, "79.00"), ("B-1", 1, "21.00"))
    quick = {"secret_key": SECRET_KEY, "transport": Impatient(), "settled_after": timedelta(seconds=0.2)}
    return server, "EUR", lambda: WooCommerceRest(server.url, **quick)


def _bigcommerce():
    server = BigCommerceServer()
    server.sell(int(ORDER), skus=(("YM-1", 77, 0), ("B-1", 79, 0)), total_inc_tax="100.0000")
    return server, "USD", lambda: BigCommerceRest(urlsplit(server.url), secret_key=SECRET_KEY)


def _backend():
    server = BackendServer()
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    server.orders.append(Sold(ORDER, moment, [created(ORDER, moment)]))
    return server, "EUR", lambda: Backend(urlsplit(server.url), secret_key=SECRET_KEY)


@pytest.fixture(params=[_shopify, _woocommerce, _bigcommerce, _backend], ids=lambda make: make.__name__[1:])
async def place(request):
    server, currency, adapter = request.param()
    await server.start()
    api = adapter()
    yield Place(api, server, currency)
    await api.aclose()
    await server.stop()


def wanted(place, key=KEY):
    return Wanted(key, ORDER, (("YM-1", 1),), Decimal("79.00"), place.currency, "parcel lost")


async def test_nothing_was_given_back_at_first(place):
    """An order of which nothing is known but that it is there."""
    assert list(await place.api.given(ORDER, [KEY])) == []


async def test_a_refund_by_hand_is_seen_with_its_units(place):
    """With what it is of, and without where the shop's people named an amount alone."""
    by_units, by_amount = place.pay_back(79, ("YM-1", 1)), place.pay_back(10)
    found = {one.reference: (one.what, one.amount, one.units, one.key) for one in await place.api.given(ORDER, [KEY])}
    assert found == {
        by_units: (Choice.REFUND, Decimal(79), (("YM-1", 1),), None),
        by_amount: (Choice.REFUND, Decimal(10), (), None),
    }


async def test_what_was_made_for_a_remedy_is_known_by_its_key(place):
    """Its refund and its replacement, and the latter no more once it is called off."""
    assert isinstance(await place.api.refund(wanted(place)), Done)
    await place.api.reserve(wanted(place, REPLACEMENT_KEY))
    made = await place.api.replace(wanted(place, REPLACEMENT_KEY))
    keys = [KEY, REPLACEMENT_KEY, "remedy:acme:1001:p1:replacement:2"]
    found = {(one.what, one.key) for one in await place.api.given(ORDER, keys)}
    assert found == {(Choice.REFUND, KEY), (Choice.REPLACEMENT, REPLACEMENT_KEY)}
    undone = await place.api.cancel_replacement(wanted(place, REPLACEMENT_KEY))
    assert isinstance(undone, Done)
    assert isinstance(made, Done)
    assert {one.what for one in await place.api.given(ORDER, keys)} == {Choice.REFUND}


async def test_an_order_that_the_shop_does_not_know_is_said_to_be_unknown(place):
    """Nothing given back, and not knowing, are two things."""
    assert isinstance(await place.api.given("999", [KEY]), Cannot)


async def test_how_long_a_request_may_still_be_carried_out_is_the_adapters_to_say(place):
    """Every shop's API says when what got no answer has been done or never will be."""
    assert timedelta(0) < place.api.settles <= timedelta(minutes=10)


async def lost(pool, place, *parts, choice=Choice.REFUND):
    """The order, and a remedy that was chosen for each of those parcels; the first one has the mat."""
    order = Order(ORDER, shop=place.api.shop, total=Decimal(100), currency=place.currency, sku="YM-1")
    await put(pool, order, "digest")
    await pool.execute("UPDATE lines SET unit_price = 79 WHERE order_id = $1", ORDER)
    block = "INSERT INTO lines VALUES ($1, $2, 1, 'B-1', 'Block', 1, 21, 'x', 'physical')"
    await pool.execute(block, order.shop, ORDER)
    now = datetime.now(UTC)
    for part, sku in zip(parts, ("YM-1", "B-1"), strict=False):
        await put_parcel(pool, order, part, order.placed_at)
        await pool.execute(
            "UPDATE shipments SET skus = $3, units = $4 WHERE order_id = $1 AND tracking_number = $2",
            *(ORDER, part, [sku], f'[["{sku}", 1]]'),
        )
        async with pool.acquire() as connection, connection.transaction():
            await remedies.offer(connection, step(order, part=part))
            chosen = {"by": By.CUSTOMER, "at": now, "received_at": now}
            await remedies.choose(connection, order.shop, ORDER, part, choice, **chosen)
    return order


def activities(work):
    return {activity.__name__: activity for activity in work.activities}


def task(asked, look, **more):
    return RemedyTask(request=asked, skus=look.skus, amount=look.amount, seen=look.seen, **more)


@pytest.mark.parametrize("choice", Choice)
async def test_nothing_is_made_on_top_of_what_was_given_back_meanwhile(place, pool, playbook, choice):
    """Staff refund the parcel between the look and the request: no shop is asked for goods or money then."""
    order = await lost(pool, place, "p1", choice=choice)
    asked = request(order, part="p1")
    work = Remedies(pool, book(playbook), Only(place.api))
    look = await work.look(asked)
    paid = place.pay_back(79, ("YM-1", 1))
    did = await activities(work)["refund" if choice is Choice.REFUND else "replace"](task(asked, look))
    assert (did.answer, did.rule) == (Answer.REFUSED, CHANGED)
    assert [one.reference for one in await place.api.given(ORDER, [])] == [paid]
    again = await work.look(asked)
    assert (again.over, again.covered_by) == ("already_refunded", paid)


async def test_what_another_remedy_of_the_order_had_made_meanwhile_is_its_own(place, pool, playbook):
    """Both were looked at before either was paid: the second is for its own goods, and is not looked at again."""
    order = await lost(pool, place, "p1", "p2")
    work = Remedies(pool, book(playbook), Only(place.api))
    looks = {part: await work.look(request(order, part=part)) for part in ("p1", "p2")}
    assert [look.amount for look in looks.values()] == [Decimal(79), Decimal(21)]
    for part, look in looks.items():
        did = await activities(work)["refund"](task(request(order, part=part), look))
        assert did.answer is Answer.DONE, did


@pytest.mark.parametrize("status", [400, 404, 410, 422])
async def test_a_look_that_is_refused_is_no_refusal_of_a_refund_that_may_have_been_made(place, pool, playbook, status):
    """The refund was made and its answer lost; the next attempt cannot look for it, and does not say that it is not."""
    order = await lost(pool, place, "p1")
    work = Remedies(pool, book(playbook), Only(place.api))
    asked = request(order, part="p1")
    look = await work.look(asked)
    assert (await activities(work)["refund"](task(asked, look))).answer is Answer.DONE
    refused_from_here_on(place, status)
    did = await activities(work)["refund"](task(asked, look, maybe=True, tries=2))
    assert (did.answer, did.unseen) == (Answer.BUSY, True)


def refused_from_here_on(place, status):
    """Whatever is asked: by the shop's web server, say, which has lost its way to the application."""
    if place.api.name in {"shopify", "woocommerce"}:
        place.server.then(*[Trouble(status, body="<html>no</html>")] * 20)
    else:
        place.server.then.extend([f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode()] * 20)
