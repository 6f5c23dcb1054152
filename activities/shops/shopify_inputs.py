"""The inputs of Shopify's mutations for remedies. Money is exact, in its currency's own units (ISO 4217)."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from activities.shops.api import Cannot, Wanted
from activities.shops.payloads import rounded
from activities.shops.shopify_goods import Goods
from activities.shops.shopify_payloads import TAG

_RESERVED_FOR: Final = timedelta(days=2)


def order_gid(order_id: str) -> str:
    """The global id of an order that webhooks know by its number."""
    return f"gid://shopify/Order/{order_id}"


def draft_input(wanted: Wanted, order: Mapping[str, Any], lines: Goods) -> dict[str, Any]:
    """The input of `draftOrderCreate`: the same goods to the same person, everything taken off, held for two days.

    Args:
        wanted: what is to be sent again; `lines.missing` has nothing against it.
        order: a node of `shopify_queries.MENDING`.
        lines: the order's.
    """
    customer = order["customer"]
    given = {
        "purchasingEntity": {"customerId": customer["id"]} if customer is not None else None,
        "email": order["email"],
        "phone": order["phone"],
        "shippingAddress": _address(order["shippingAddress"]),
        "billingAddress": _address(order["billingAddress"]),
        "note": wanted.note or None,
    }
    return {name: value for name, value in given.items() if value is not None} | {
        "lineItems": [{"variantId": lines.variant(sku), "quantity": count} for sku, count in wanted.skus],
        "appliedDiscount": {"valueType": "PERCENTAGE", "value": 100, "title": "Replacement"},
        "shippingLine": {
            "title": "Replacement",
            "priceWithCurrency": {"amount": "0", "currencyCode": wanted.currency},
        },
        "acceptAutomaticDiscounts": False,
        "allowDiscountCodesInCheckout": False,
        "tags": [TAG],
        "customAttributes": [{"key": "Replaces", "value": order["name"]}],
        "reserveInventoryUntil": (datetime.now(UTC) + _RESERVED_FOR).isoformat(),
    }


def _address(address: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if address is None:
        return None
    renamed = {"countryCode": address["countryCodeV2"], **address}
    return {name: value for name, value in renamed.items() if value is not None and name != "countryCodeV2"}


def refund_input(wanted: Wanted, order: Mapping[str, Any], lines: Goods, *, note: str) -> dict[str, Any] | Cannot:
    """The input of `refundCreate`, its amounts in the currency that the customer paid in.

    The money goes back over the payments that Shopify suggests for what is left to refund, each up to its own limit.

    Args:
        wanted: `amount` in the shop's currency.
        order: a node of `shopify_queries.REFUNDABLE`.
        lines: the order's.
        note: by which the refund is found again; the shop's people see it.

    Returns:
        `Cannot`: `currency_differs`, `line_unknown`, or `already_refunded` when less than that is left.
    """
    if wanted.currency != order["currencyCode"]:
        return Cannot("currency_differs")
    inside = lines.refundable(wanted)
    if isinstance(inside, Cannot):
        return inside
    suggested = order["suggestedRefund"]
    most = suggested["maximumRefundableSet"] if suggested is not None else None
    if most is None or wanted.amount > Decimal(most["shopMoney"]["amount"]):
        return Cannot("already_refunded")
    left = _presented(wanted.amount, order, most)
    transactions = []
    for paid in suggested["suggestedTransactions"]:
        limit = paid["maximumRefundableSet"]
        part = left if limit is None else min(left, Decimal(limit["presentmentMoney"]["amount"]))
        if part <= 0 or paid["parentTransaction"] is None:
            continue
        left -= part
        transactions.append(
            {
                "orderId": order_gid(wanted.order_id),
                "parentId": paid["parentTransaction"]["id"],
                "gateway": paid["gateway"],
                "kind": "REFUND",
                "amount": str(rounded(part, order["presentmentCurrencyCode"])),
            }
        )
    if left > 0:
        return Cannot("already_refunded")
    return {
        "orderId": order_gid(wanted.order_id),
        "currency": order["presentmentCurrencyCode"],
        "note": note,
        "refundLineItems": inside,
        "transactions": transactions,
        "discrepancyReason": "OTHER",
    }


def _presented(amount: Decimal, order: Mapping[str, Any], most: Mapping[str, Any]) -> Decimal:
    """An amount of the shop's currency in the customer's, at the order's own rate; all that is left is all of it."""
    if order["presentmentCurrencyCode"] == order["currencyCode"]:
        return amount
    if amount == Decimal(most["shopMoney"]["amount"]):
        return Decimal(most["presentmentMoney"]["amount"])
    total = order["totalPriceSet"]
    rate = Decimal(total["presentmentMoney"]["amount"]) / Decimal(total["shopMoney"]["amount"])
    return rounded(amount * rate, order["presentmentCurrencyCode"])
