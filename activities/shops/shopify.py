"""Shopify's webhooks (Admin REST payloads).

- The shop is `X-Shopify-Shop-Domain`, the order id the payload's numeric `id`, since fulfilments and refunds know
  an order by it alone; `name` (`#1001`), which customers see, is not unique over shops and can be edited.
- The event id is `X-Shopify-Event-Id` with the topic (one event fires several topics), else the delivery's
  `X-Shopify-Webhook-Id`. One event may create several fulfilments, which are told apart by their bodies; a retry
  repeats its body. Headers are not under the signature, so a repeat under another id is possible: every later step
  is idempotent.
- A well-formed webhook that says nothing for a journey (no tracking number yet, an order edited down to nothing)
  is ignored with its reason, never refused: Shopify drops a subscription whose deliveries keep failing.
"""

import base64
import hmac
from collections.abc import Mapping, Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Any

from pydantic import ValidationError

from activities.shops import shopify_payloads as payloads
from activities.shops.protocol import Delivery, Ignored, Malformed, SignatureError
from journey.order import LineKind
from journey.parcels import ParcelStatus
from store.intake import (
    Event,
    OrderCancelled,
    OrderCreated,
    OrderEdited,
    OrderRefunded,
    ShipmentCreated,
    ShipmentUpdated,
    build,
)

_NAMES = {
    "shop": "X-Shopify-Shop-Domain",
    "order_id": "id",
    "at": "created_at",
    "total": "total_price",
    "lines": "line_items",
    "unit_price": "price",
}
_PARCEL_STATUS = {
    "label_purchased": ParcelStatus.LABEL_CREATED,
    "label_printed": ParcelStatus.LABEL_CREATED,
    "carrier_picked_up": ParcelStatus.PICKED_UP,
    "in_transit": ParcelStatus.IN_TRANSIT,
    "delayed": ParcelStatus.IN_TRANSIT,
    "out_for_delivery": ParcelStatus.OUT_FOR_DELIVERY,
    "attempted_delivery": ParcelStatus.ATTEMPT_FAILED,
    "ready_for_pickup": ParcelStatus.AVAILABLE_FOR_PICKUP,
    "delivered": ParcelStatus.DELIVERED,
    "failure": ParcelStatus.EXCEPTION,
}
_OPTED_IN = "subscribed"
_SPLIT = "fulfillments/create"


class Shopify:
    """Verifies and translates Shopify's webhooks. `secret` is the app's client secret."""

    name = "shopify"

    def __init__(self, secret: str, *, secret_key: str) -> None:
        if not secret:
            raise ValueError("the Shopify secret may not be empty")
        self._secret = secret.encode()
        self._secret_key = secret_key
        self._translators = {
            "orders/create": self._created,
            "orders/updated": self._updated,
            "orders/cancelled": self._cancelled,
            _SPLIT: self._fulfilled,
            "fulfillments/update": self._fulfilled,
            "refunds/create": self._refunded,
        }

    def verify(self, delivery: Delivery) -> None:
        """See `Source.verify`; Shopify signs no timestamp, and retries for four hours with the first payload."""
        given = delivery.headers.get("x-shopify-hmac-sha256", "")
        expected = base64.b64encode(hmac.new(self._secret, delivery.body, sha256).digest())
        if not hmac.compare_digest(given.encode(), expected):
            raise SignatureError("No matching signature found" if given else "Missing X-Shopify-Hmac-Sha256")

    def event_id(self, delivery: Delivery) -> str:
        """The event, topic and (of a fulfilment) body, else the delivery, else the body's hash with its topic."""
        event = delivery.headers.get("x-shopify-event-id")
        topic = self.topic(delivery)
        if event:
            return f"{event}:{topic}:{delivery.digest}" if topic == _SPLIT else f"{event}:{topic}"
        return delivery.headers.get("x-shopify-webhook-id") or f"{delivery.digest}:{topic}"

    def topic(self, delivery: Delivery) -> str:
        """The header `X-Shopify-Topic`."""
        topic = delivery.headers.get("x-shopify-topic")
        if not topic:
            raise Malformed("X-Shopify-Topic", "must name the event, such as orders/create")
        return topic

    def translate(self, delivery: Delivery) -> Sequence[Event] | Ignored:
        """See `Source.translate`."""
        translator = self._translators.get(self.topic(delivery))
        if translator is None:
            return Ignored("unknown topic")
        try:
            return translator(delivery.headers.get("x-shopify-shop-domain", ""), delivery.payload)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise Malformed(".".join(map(str, first["loc"])), first["msg"]) from None

    def _created(self, shop: str, payload: dict[str, Any]) -> Sequence[Event]:
        order = payloads.Order.model_validate(payload)
        values = {
            "shop": shop,
            "order_id": order.id,
            "at": order.created_at,
            "channel": "pos" if order.source_name == "pos" else "online",
            "currency": order.currency,
            "total": order.total_price,
            "customer": _customer(order),
            "lines": _lines(order),
        }
        event = build(OrderCreated, values, names=_NAMES)
        customer = event.customer.identified(event.order_id, self._secret_key)
        return [event.model_copy(update={"customer": customer})]

    def _updated(self, shop: str, payload: dict[str, Any]) -> Sequence[Event] | Ignored:
        order = payloads.Order.model_validate(payload)
        lines = _lines(order)
        if not lines:
            return Ignored("no lines left: the cancellation or refund speaks for itself")
        # What the order came to after its edits. Refunds lower Shopify's current total too, but they tell their own
        # story, so they are added again.
        total = order.total_price
        if order.current_total_price is not None:
            total = order.current_total_price + sum((_paid_back(refund) for refund in order.refunds), Decimal(0))
        values = {
            "shop": shop,
            "order_id": order.id,
            "at": order.updated_at or order.created_at,
            "currency": order.currency,
            "total": total,
            "lines": lines,
        }
        return [build(OrderEdited, values, names=_NAMES | {"at": "updated_at"})]

    def _cancelled(self, shop: str, payload: dict[str, Any]) -> Sequence[Event]:
        order = payloads.Cancelled.model_validate(payload)
        values = {"shop": shop, "order_id": order.id, "at": order.cancelled_at or order.updated_at}
        return [build(OrderCancelled, values, names=_NAMES | {"at": "cancelled_at"})]

    def _refunded(self, shop: str, payload: dict[str, Any]) -> Sequence[Event] | Ignored:
        refund = payloads.Refund.model_validate(payload)
        amount = _paid_back(refund)
        if not amount:
            return Ignored("nothing was paid back")
        values = {
            "shop": shop,
            "order_id": refund.order_id,
            "refund_id": refund.id,
            "at": refund.processed_at or refund.created_at,
            "amount": amount,
            "currency": next((paid.currency for paid in refund.transactions if paid.currency), None),
        }
        return [build(OrderRefunded, values, names=_NAMES | {"order_id": "order_id", "amount": "transactions.amount"})]

    def _fulfilled(self, shop: str, payload: dict[str, Any]) -> Sequence[Event] | Ignored:
        fulfilment = payloads.Fulfilment.model_validate(payload)
        numbers = list(dict.fromkeys(filter(None, [*fulfilment.tracking_numbers, fulfilment.tracking_number])))
        if not numbers:
            return Ignored("no tracking number yet")
        if fulfilment.status in {"error", "failure"}:
            return Ignored("the fulfilment failed")
        updated = fulfilment.updated_at or fulfilment.created_at
        status = _PARCEL_STATUS.get(fulfilment.shipment_status or "")
        if fulfilment.status == "cancelled":
            status = ParcelStatus.CANCELLED
        # Which line is in which of several parcels Shopify does not say.
        skus = [_sku(line) for line in fulfilment.line_items] if len(numbers) == 1 else None
        names = _NAMES | {"order_id": "order_id", "tracking_number": "tracking_number"}
        events: list[Event] = []
        for number in numbers:
            parcel = {"tracking_number": number, "carrier": fulfilment.tracking_company}
            values = {
                **parcel,
                "shop": shop,
                "order_id": fulfilment.order_id,
                "at": fulfilment.created_at,
                "skus": skus or None,
                "estimated_delivery": fulfilment.estimated_delivery_at,
            }
            events.append(build(ShipmentCreated, values, names=names))
            if status is not None:
                reason = "delayed" if fulfilment.shipment_status == "delayed" else None
                scan = {**parcel, "at": updated, "status": status, "reason": reason}
                events.append(build(ShipmentUpdated, scan, names=names | {"at": "updated_at"}))
        return events


def _paid_back(refund: payloads.Refunded) -> Decimal:
    amounts = (
        paid.amount for paid in refund.transactions if paid.kind == "refund" and paid.status in {None, "success"}
    )
    return sum(amounts, Decimal(0))


def _sku(line: payloads.Line) -> str:
    """The SKU, or a name for a line that has none (a tip, a custom item), the same each time."""
    if line.sku and line.sku.strip():
        return line.sku
    known = line.variant_id or line.product_id or line.id
    return f"variant-{known}" if known else "no-sku"


def _lines(order: payloads.Order) -> list[dict[str, Any]]:
    return [
        {
            "sku": _sku(line),
            "title": line.title or line.name or "",
            "quantity": line.now,
            "unit_price": line.price,
            "category": line.product_type,
            "kind": LineKind.PHYSICAL if line.requires_shipping else LineKind.DIGITAL,
        }
        for line in order.line_items
        if line.now != 0
    ]


def _customer(order: payloads.Order) -> Mapping[str, Any]:
    customer = order.customer or payloads.Customer()
    address = order.shipping_address or order.billing_address or payloads.Address()
    # The account's state counts; the box at this checkout only where the account says nothing.
    email_consent = _granted(customer.email_marketing_consent)
    if email_consent is None:
        email_consent = order.buyer_accepts_marketing
    return {
        "customer_id": customer.id,
        "email": customer.email or order.email or order.contact_email,
        "phone": customer.phone or order.phone or address.phone,
        "first_name": customer.first_name or address.first_name or "",
        "locale": order.customer_locale,
        "country": address.country_code,
        "region": address.province_code,
        "orders_count": customer.orders_count,
        "consent": {
            "email_marketing": email_consent,
            "sms_marketing": _granted(customer.sms_marketing_consent),
        },
    }


def _granted(consent: payloads.Consent | None) -> bool | None:
    return None if consent is None or consent.state is None else consent.state == _OPTED_IN
