"""What a BigCommerce order's total is made of: https://developer.bigcommerce.com/docs/rest-management/orders."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Protocol

from activities.shops.payloads import Payload
from store.fields import Amount


class Summed(Payload):
    """The amounts of an order beside its total."""

    total_tax: Amount | None = None
    shipping_cost_inc_tax: Amount | None = None
    handling_cost_inc_tax: Amount | None = None
    wrapping_cost_inc_tax: Amount | None = None
    discount_amount: Amount | None = None
    coupon_discount: Amount | None = None
    gift_certificate_amount: Amount | None = None
    store_credit_amount: Amount | None = None


class _Sold(Protocol):
    @property
    def quantity(self) -> int: ...
    @property
    def price_inc_tax(self) -> Decimal: ...
    @property
    def total_inc_tax(self) -> Decimal | None: ...


def sums(order: Summed, sold: Sequence[_Sold]) -> dict[str, Any] | None:
    """What the total is made of, the tax in every part of it.

    A gift certificate pays a part of the total. So does store credit, which is no gift: of an order with any nothing is
    said of what paid it. None where the order does not say its tax.
    """
    if order.total_tax is None:
        return None
    nothing = Decimal(0)
    return {
        "lines": [one.price_inc_tax * one.quantity if one.total_inc_tax is None else one.total_inc_tax for one in sold],
        "discount": (order.discount_amount or nothing) + (order.coupon_discount or nothing),
        "shipping": order.shipping_cost_inc_tax,
        "fees": (order.handling_cost_inc_tax or nothing) + (order.wrapping_cost_inc_tax or nothing),
        "tax": order.total_tax,
        "tax_included": True,
        "gift_cards": None if order.store_credit_amount else order.gift_certificate_amount,
    }
