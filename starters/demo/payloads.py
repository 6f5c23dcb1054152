"""What the sample shop's two backends send: canonical events, and Shopify's own payloads."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from starters.demo.backend import Entry
from starters.demo.story import Said
from starters.demo.wire import Post, Senders

OWN_SHOP: Final = "fernhill"
"""Its backend speaks Standard Webhooks."""
SHOPIFY_SHOP: Final = "fernhill.myshopify.com"


def person(name: str, run: int, *, first_name: str, locale: str, zone: str, country: str) -> Mapping[str, Any]:
    """A customer of the shop's own backend, who has agreed to marketing mail."""
    return {
        "customer_id": f"{name}-{run}",
        "email": f"{name}@example.com",
        "first_name": first_name,
        "locale": locale,
        "time_zone": zone,
        "country": country,
        "consent": {"email_marketing": True, "sms_marketing": False},
    }


def line(sku: str, title: str, price: str, category: str, *, kind: str = "physical") -> Mapping[str, Any]:
    """A line of the shop's own backend."""
    return {"sku": sku, "title": title, "quantity": 1, "unit_price": price, "category": category, "kind": kind}


def ordered(
    order: str,
    currency: str,
    total: str,
    customer: Mapping[str, Any],
    lines: list[Mapping[str, Any]],
    *,
    shop: str = OWN_SHOP,
) -> Said:
    """`order.created`."""
    data = {
        "shop": shop,
        "order_id": order,
        "number": f"#{order}",
        "channel": "online",
        "currency": currency,
        "total": total,
    }

    def say(senders: Senders, at: datetime) -> Post:
        return senders.event(
            "order.created", {**data, "placed_at": at.isoformat(), "customer": customer, "lines": lines}
        )

    return say


def shipped(
    order: str, parcel: str, carrier: str, *, days: int, lines: list[str] | None = None, shop: str = OWN_SHOP
) -> Said:
    """`shipment.created`, promised in `days`; `lines` are the SKUs in it, None when the shop does not say."""

    def say(senders: Senders, at: datetime) -> Post:
        data: dict[str, Any] = {
            "shop": shop,
            "order_id": order,
            "occurred_at": at.isoformat(),
            "tracking_number": parcel,
            "carrier": carrier,
            "estimated_delivery": (at + timedelta(days=days)).date().isoformat(),
        }
        if lines is not None:
            data["lines"] = [{"sku": sku} for sku in lines]
        return senders.event("shipment.created", data)

    return say


def reviewed(shop: str, order: str, rating: int, sku: str) -> Said:
    """`review.posted`."""

    def say(senders: Senders, at: datetime) -> Post:
        data = {"shop": shop, "order_id": order, "occurred_at": at.isoformat(), "rating": rating, "sku": sku}
        return senders.event("review.posted", data)

    return say


def ready(order: str) -> Said:
    """`pickup.ready`: it can be fetched in the store."""
    return _pickup("pickup.ready", order)


def collected(order: str) -> Said:
    """`pickup.collected`: somebody fetched it."""
    return _pickup("pickup.collected", order)


def _pickup(kind: str, order: str) -> Said:
    def say(senders: Senders, at: datetime) -> Post:
        return senders.event(kind, {"shop": OWN_SHOP, "order_id": order, "occurred_at": at.isoformat()})

    return say


def paid_back(entry: Entry) -> Said:
    """`order.refunded`, after the backend's own book."""

    def say(senders: Senders, at: datetime) -> Post:
        data = {
            "shop": OWN_SHOP,
            "order_id": entry.order_id,
            "occurred_at": at.isoformat(),
            "refund_id": entry.reference,
            "amount": entry.amount,
            "currency": entry.currency,
        }
        return senders.event("order.refunded", data)

    return say


def shopify_id(run: int, number: int) -> str:
    """Shopify's numeric order id of the `number`th order of a run."""
    return str(5_400_000_000_000 + run * 1000 + number)


def buyer(name: str, run: int, first_name: str, country: str, *, subscribed: bool) -> Mapping[str, Any]:
    """Shopify's customer and address."""
    return {
        "customer": {
            "id": 7_000_000_000 + run * 1000 + sum(name.encode()),
            "email": f"{name}@example.com",
            "first_name": first_name,
            "email_marketing_consent": {"state": "subscribed" if subscribed else "not_subscribed"},
        },
        "shipping_address": {"first_name": first_name, "country_code": country},
    }


def item(sku: str, title: str, price: str, category: str) -> Mapping[str, Any]:
    """A line of a Shopify order."""
    return {
        "sku": sku,
        "title": title,
        "quantity": 1,
        "price": price,
        "requires_shipping": True,
        "product_type": category,
    }


def shopify_order(
    order: str, currency: str, total: str, buyer: Mapping[str, Any], items: list[Mapping[str, Any]], *, locale: str
) -> Said:
    """`orders/create`."""

    def say(senders: Senders, at: datetime) -> Post:
        payload = {
            "id": int(order),
            "name": f"#{order[-4:]}",
            "created_at": at.isoformat(),
            "currency": currency,
            "total_price": total,
            "source_name": "web",
            "customer_locale": locale,
            "line_items": items,
            **buyer,
        }
        return senders.shopify("orders/create", SHOPIFY_SHOP, payload)

    return say


def fulfilled(order: str, parcel: str, carrier: str, items: list[Mapping[str, Any]], *, days: int) -> Said:
    """`fulfillments/create`, promised in `days`."""

    def say(senders: Senders, at: datetime) -> Post:
        payload = {
            "id": int(order) + 1,
            "order_id": int(order),
            "status": "success",
            "created_at": at.isoformat(),
            "tracking_company": carrier,
            "tracking_number": parcel,
            "tracking_numbers": [parcel],
            "estimated_delivery_at": (at + timedelta(days=days)).isoformat(),
            "line_items": items,
        }
        return senders.shopify("fulfillments/create", SHOPIFY_SHOP, payload)

    return say


def refunded(order: str, currency: str, amount: str) -> Said:
    """`refunds/create` of the whole amount."""

    def say(senders: Senders, at: datetime) -> Post:
        paid_back = {"kind": "refund", "status": "success", "amount": amount, "currency": currency}
        payload = {
            "id": int(order) + 2,
            "order_id": int(order),
            "created_at": at.isoformat(),
            "processed_at": at.isoformat(),
            "transactions": [paid_back],
        }
        return senders.shopify("refunds/create", SHOPIFY_SHOP, payload)

    return say


def called_off(order: str) -> Said:
    """`orders/cancelled`."""

    def say(senders: Senders, at: datetime) -> Post:
        payload = {"id": int(order), "cancelled_at": at.isoformat(), "cancel_reason": "customer"}
        return senders.shopify("orders/cancelled", SHOPIFY_SHOP, payload)

    return say
