"""What a Shopify order's total is made of, in the currency that the customer paid in.

A `…_set` has an amount for the shop and one as the customer was charged it; the `current_…` are those of before after
edits: https://shopify.dev/docs/api/admin-rest/latest/resources/order. Which part of it a gift card paid stands in the
order's payments, which no webhook of an order has.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from activities.shops.shopify_payloads import Line, Moneys, Order
from activities.shops.shopify_refunds import taken_off

_In = Callable[[Moneys], Decimal | None]


def sums(order: Order, bought: Sequence[tuple[Line, int]], *, edited: bool = False) -> dict[str, Any] | None:
    """The sums of these lines and quantities: of the order as it was placed, or as it stands since it was `edited`.

    None where the webhook has no such amounts. Refunds lower the current amounts, too: an order that has refunds but no
    edits is what it was when it was placed, and of one that has both the lines and the total are sure.
    """
    placed, current = order.total_price_set, order.current_total_price_set
    paid_in = placed.presentment_money.currency_code
    read: _In = _paid if paid_in and placed.presentment_money.amount is not None else _own
    total, now = read(placed), read(current)
    if total is None:
        return None
    currency = paid_in if read is _paid else placed.shop_money.currency_code or order.currency
    edited = edited and now is not None
    if edited and now is not None and now != total and order.refunds:
        off = taken_off(order, currency)
        if off is None or now + off != total:
            return None if off is None else {"currency": currency, "total": now + off, "lines": _each(bought, read)}
        edited = False
    shipping = read(order.current_shipping_price_set) if edited else None
    duties = read(order.current_total_duties_set if edited else order.original_total_duties_set)
    tip = order.total_tip_received if currency == order.currency else None
    return {
        "currency": currency,
        "total": now if edited else total,
        "lines": _each(bought, read),
        "discount": read(order.current_total_discounts_set if edited else order.total_discounts_set),
        "shipping": read(order.total_shipping_price_set) if shipping is None else shipping,
        "fees": None if tip is None and duties is None else (tip or Decimal(0)) + (duties or Decimal(0)),
        "tax": read(order.current_total_tax_set if edited else order.total_tax_set),
        "tax_included": order.taxes_included,
    }


def _each(bought: Sequence[tuple[Line, int]], read: _In) -> list[Decimal]:
    """What each line costs; none where one of them does not say it in that currency."""
    prices = [(line.price if read is _own else read(line.price_set), quantity) for line, quantity in bought]
    known = [price * quantity for price, quantity in prices if price is not None]
    return known if len(known) == len(bought) else []


def _paid(both: Moneys) -> Decimal | None:
    return both.presentment_money.amount


def _own(both: Moneys) -> Decimal | None:
    return both.shop_money.amount
