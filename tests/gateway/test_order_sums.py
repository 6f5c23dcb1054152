"""What an order comes to is shown as the customer paid it, part by part where that adds up, and only then."""

import re
import uuid

import pytest

from starters.account import account
from tests.gateway.kit import order_data
from tests.gateway.shopfront import SHOPIFY, WOO, ago, numeric_id, of_shopify, of_woo, opened


@pytest.fixture
async def front(journeys, stack):
    async with opened(journeys, stack) as made:
        yield made


def both(own: str, paid: str, currency: str = "USD") -> dict:
    """An amount for the shop in euros, and as its customer paid it."""
    return {
        "shop_money": {"amount": own, "currency_code": "EUR"},
        "presentment_money": {"amount": paid, "currency_code": currency},
    }


def abroad(order_id: int, **changes) -> dict:
    """Two cups for 100 dollars, 10 off, 5 for shipping and 7.60 of tax on top: 102.60."""
    line = of_shopify(order_id)["line_items"][0]
    line |= {"quantity": 2, "current_quantity": 2, "price": "46.00", "price_set": both("46.00", "50.00")}
    return of_shopify(
        order_id,
        total_price="94.39",
        current_total_price="94.39",
        presentment_currency="USD",
        line_items=[line],
        total_price_set=both("94.39", "102.60"),
        current_total_price_set=both("94.39", "102.60"),
        total_discounts_set=both("9.20", "10.00"),
        current_total_discounts_set=both("9.20", "10.00"),
        total_shipping_price_set=both("4.60", "5.00"),
        total_tax_set=both("6.99", "7.60"),
        current_total_tax_set=both("6.99", "7.60"),
        taxes_included=False,
        **changes,
    )


async def shown(front, shop: str, order_id: str) -> tuple[str, str]:
    """The confirmation's text, and the words of the page."""
    mail = await front.mail(shop, order_id)
    text = mail.parsed().get_body(("plain",)).get_content()
    return text, " ".join(re.sub(r"<[^>]+>", " ", await front.page(shop, order_id)).split())


async def money(front, shop: str, order_id: str):
    return (await account(front.pool, None, shop, order_id)).money


async def test_a_customer_abroad_is_shown_what_they_paid(front):
    """In dollars in mail and page, part by part; an operator has the shop's euros beside them."""
    order_id = numeric_id()
    await front.shopify("orders/create", abroad(order_id))
    text, _ = await shown(front, SHOPIFY, str(order_id))
    rows = ["- Cup, 2 \u00d7 $50.00: $100.00", "Goods: $100.00", "Discount: -$10.00", "Shipping: $5.00", "Tax: $7.60"]
    assert [line for line in text.splitlines() if "$" in line][-6:] == [*rows, "Total: $102.60"]
    for words in await shown(front, SHOPIFY, str(order_id)):
        for said in ("100.00", "10.00", "5.00", "7.60", "102.60"):
            assert said in words
        assert "94.39" not in words
        assert "€" not in words
    kept = await money(front, SHOPIFY, str(order_id))
    assert str(kept) == (
        "102.60 USD (for the shop 94.39 EUR): goods 100.00, discount 10.00, shipping 5.00, fees 0.00, tax 7.60"
    ).replace(", fees 0.00", "")


async def test_what_does_not_add_up_is_said_to_people_alone(front):
    """The customer sees lines and total, and no sum that is a riddle; `order show` says what the shop said."""
    order_id = numeric_id()
    await front.shopify("orders/create", abroad(order_id) | {"total_tax_set": both("6.99", "9.99")})
    for words in await shown(front, SHOPIFY, str(order_id)):
        assert "102.60" in words
        assert "100.00" in words
        assert "9.99" not in words
        assert "5.00" not in words.replace("55.00", "")
    kept = await money(front, SHOPIFY, str(order_id))
    assert kept.adds_up is False
    assert "do not add up" in str(kept)


async def test_taxes_inside_of_woocommerces_prices(front):
    """WooCommerce tells every part with its tax beside it: they are shown with it in them, and come to the total."""
    order_id = numeric_id()
    line = of_woo(order_id)["line_items"][0]
    line |= {"quantity": 3, "subtotal": "8.40", "subtotal_tax": "1.60", "total": "7.56", "total_tax": "1.44"}
    sums = {
        "discount_total": "0.84",
        "discount_tax": "0.16",
        "shipping_total": "4.12",
        "shipping_tax": "0.78",
        "total_tax": "2.22",
        "total": "13.90",
    }
    await front.woo("order.created", of_woo(order_id, line_items=[line], **sums))
    for words in await shown(front, WOO, str(order_id)):
        for said in ("10.00", "1.00", "4.90", "13.90", "2.22"):
            assert said in words
    told = await money(front, WOO, str(order_id))
    assert (told.adds_up, "tax included 2.22" in str(told)) == (True, True)


async def test_the_canonical_event_has_sums(front):
    """A gift card pays a part of the total; an edit has its own sums, and one without them forgets the old ones."""
    order_id = uuid.uuid4().hex[:10]
    data = order_data(
        order_id=order_id,
        placed_at=ago(),
        customer={"customer_id": order_id, "email": "s@buyer.example", "locale": "en"},
    )
    sums = {"shipping": "4.00", "gift_cards": "20", "tax_included": True, "tax": "13.25"}
    await front.event("order.created", **data | {"total": "83.00", "sums": sums})
    page = await front.page("acme", order_id)
    for said in ("79.00", "4.00", "83.00", "13.25", "20.00", "63.00"):
        assert said in page
    edited = {"shop": "acme", "order_id": order_id, "occurred_at": ago(2), "lines": data["lines"], "total": "79.00"}
    await front.event("order.edited", **edited)
    page = await front.page("acme", order_id)
    assert "79.00" in page
    assert "63.00" not in page
    await front.event("order.edited", **edited | {"occurred_at": ago(1), "total": "80.00", "sums": {"fees": "1"}})
    assert (await money(front, "acme", order_id)).parts["fees"] == 1


async def test_whole_yen_and_thousandths_of_a_dinar(front):
    """Amounts have the decimals of the currency that was paid in, whatever the shop's own has."""
    for currency, paid, said in (("JPY", "12500.40", "12,500"), ("KWD", "31.2345", "31.235")):
        order_id = numeric_id()
        line = of_shopify(order_id)["line_items"][0] | {"price_set": both("49.90", paid, currency)}
        await front.shopify(
            "orders/create",
            of_shopify(order_id, line_items=[line], total_price_set=both("49.90", paid, currency)),
        )
        text, page = await shown(front, SHOPIFY, str(order_id))
        assert said in text
        assert said in page
        assert (await money(front, SHOPIFY, str(order_id))).adds_up


async def test_a_price_that_nobody_said_is_not_shown_as_nothing(front):
    """A line without a price has none in mail and page; a gift that costs nothing, beside lines that add up, does."""
    order_id = numeric_id()
    line = of_shopify(order_id)["line_items"][0]
    await front.shopify("orders/create", of_shopify(order_id, line_items=[line | {"price": None, "quantity": 2}]))
    for words in await shown(front, SHOPIFY, str(order_id)):
        assert "49.90" in words
        assert "0.00" not in words
    order_id = numeric_id()
    free = line | {"id": 2, "sku": "GIFT", "title": "Sticker", "price": "0.00"}
    await front.shopify("orders/create", of_shopify(order_id, line_items=[line, free]))
    for words in await shown(front, SHOPIFY, str(order_id)):
        assert "0.00" in words


async def test_how_many_stands_before_a_line_whose_one_price_is_not_whole(front):
    """Two for 6.45: no price of one comes to that, so the line says how many, and what all of them cost."""
    order_id = numeric_id()
    line = of_woo(order_id)["line_items"][0] | {"quantity": 2, "subtotal": "6.00", "subtotal_tax": "0.45"}
    line |= {"total": "6.00", "total_tax": "0.45"}
    await front.woo("order.created", of_woo(order_id, line_items=[line], total="6.45", total_tax="0.45"))
    text, _ = await shown(front, WOO, str(order_id))
    assert "- 2 \u00d7 Cup: \u20ac6.45" in text


async def test_a_sync_that_says_no_sums_keeps_those_of_before(front):
    """Shopify's API says an order again without them: nothing changed, so what the webhook said still holds."""
    order_id = numeric_id()
    await front.shopify("orders/create", abroad(order_id))
    plain = {"line_items": abroad(order_id)["line_items"], "total_price": "94.39", "current_total_price": "94.39"}
    await front.shopify("orders/updated", of_shopify(order_id, updated_at=ago(1), **plain))
    assert "102.60" in await front.page(SHOPIFY, str(order_id))
