"""Shopify's webhooks (Admin REST payloads).

- The shop is `X-Shopify-Shop-Domain`, the order id the payload's numeric `id`, since fulfilments and refunds know
  an order by it alone; `name` (`#1001`) is the number that customers see, and can be edited.
- The event id is `X-Shopify-Event-Id` with the topic (one event fires several topics), else the delivery's
  `X-Shopify-Webhook-Id`. One event may create several fulfilments, which are told apart by their bodies; a retry
  repeats its body. Headers are not under the signature, so a repeat under another id is possible: every later step
  is idempotent.
- `email` and `phone` are those of this checkout, the customer's are the account's.
- What sells over the counter is handed over there, unless it has a shipping line: then it is sent like any other.
- A store pick-up is a fulfilment without a tracking number that is `ready_for_pickup` or `picked_up`; with a number
  these are a parcel's, at a depot (Admin REST, "Fulfillment", `shipment_status`). That an order is to be picked up
  the order itself does not say, and `fulfillment_orders/line_items_prepared_for_pickup` names no order: its sample
  is `{"fulfillment_order": {"id", "preparable", "status", "delivery_method"}}`.
- `orders/edited` tells differences and `fulfillment_events/create` no tracking number: the order is read from the
  shop's API. What the latter says is of its fulfilment's parcels, also where no API is configured.
- A fulfilment is a fulfilment with tracking numbers, corrected ones or none; `updated_at` says which word is the last.
- A refund that is pending in `refunds/create` succeeds in a later `orders/updated` alone, see `shopify_refunds`.
- An order edited down to nothing (`current_quantity` 0 everywhere) is an edit that leaves no lines.
- A well-formed webhook that says nothing for a journey is ignored with its reason, never refused: Shopify drops a
  subscription whose deliveries keep failing.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from activities.shops import shopify_parcels as fulfilments
from activities.shops import shopify_payloads as payloads
from activities.shops import shopify_people as people
from activities.shops import shopify_topics
from activities.shops.payloads import read
from activities.shops.protocol import Delivery, Ignored, Malformed
from activities.shops.shopify_delivery import delivery
from activities.shops.shopify_lines import is_gift, is_of_a_subscription
from activities.shops.shopify_parcels import over_the_counter, parcels, sku
from activities.shops.shopify_refunds import moves_money, of_order, refunded, total_now
from activities.shops.shopify_sums import sums
from activities.shops.signatures import check_hmac
from journey.order import LineKind
from store.intake import (
    Event,
    OrderCancelled,
    OrderChanged,
    OrderCreated,
    OrderEdited,
    OrderWithdrawn,
    build,
)

_NAMES = {
    "shop": "X-Shopify-Shop-Domain",
    "order_id": "id",
    "number": "name",
    "at": "created_at",
    "total": "total_price",
    "lines": "line_items",
    "unit_price": "price",
}
_OPTED_IN = "subscribed"
_SPLIT = "fulfillments/create"
_PRIVACY: Final = frozenset({"customers/data_request", "customers/redact", "shop/redact"})
_IGNORED: Final = {
    "orders/paid": "orders/create told it",
    "customers/delete": "an account was closed: customers/redact says when it is to be forgotten",
    "fulfillment_orders/line_items_prepared_for_pickup": "names no order: its fulfilment tells when it is ready",
}
_Translator = Callable[[str, dict[str, Any]], Sequence[Event] | Ignored]


def _now() -> datetime:
    return datetime.now(UTC)


class Shopify:
    """Verifies and translates Shopify's webhooks. `secret` is the app's client secret."""

    name = "shopify"

    def __init__(self, secret: str, *, secret_key: str, clock: Callable[[], datetime] = _now) -> None:
        """Prepare the adapter.

        Args:
            secret: the app's client secret.
            secret_key: keys the ids of guests.
            clock: UTC, for the privacy topics and what is deleted, which come without any moment.

        Raises:
            ValueError: the secret is empty.
        """
        if not secret:
            raise ValueError("the Shopify secret may not be empty")
        self._secret = secret.encode()
        self._secret_key = secret_key
        self._clock = clock
        self._translators: dict[str, _Translator] = {
            "orders/create": self._created,
            "orders/updated": self._updated,
            "orders/edited": self._edited,
            "orders/cancelled": self._cancelled,
            "orders/delete": self._deleted,
            "orders/fulfilled": self._sent,
            "orders/partially_fulfilled": self._sent,
            _SPLIT: self._fulfilled,
            "fulfillments/update": self._fulfilled,
            "fulfillment_events/create": self._happened,
            "refunds/create": self._refunded,
            "customers/create": people.account,
            "customers/update": people.account,
            "customers_email_marketing_consent/update": people.email_consent,
            "customers_marketing_consent/update": people.sms_consent,
        }

    def verify(self, delivery: Delivery) -> None:
        """See `Source.verify`; Shopify signs no timestamp, and retries for four hours with the first payload."""
        check_hmac(delivery, header="X-Shopify-Hmac-Sha256", secret=self._secret)

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
        topic, shop = self.topic(delivery), delivery.headers.get("x-shopify-shop-domain", "")
        if topic in _PRIVACY:
            shopify_topics.check_privacy(topic, shop, delivery.payload)
            at = delivery.headers.get("x-shopify-triggered-at") or self._clock().isoformat()
            return people.privacy(topic, delivery.payload, at=at, secret_key=self._secret_key)
        translator = self._translators.get(topic)
        if translator is None:
            return Ignored(_IGNORED.get(topic, "unknown topic"))
        shopify_topics.check(topic, shop, delivery.payload)
        return translator(shop, delivery.payload)

    def _created(self, shop: str, payload: dict[str, Any]) -> Sequence[Event]:
        order = read(payloads.Order, payload)
        values = {
            "shop": shop,
            "order_id": order.id,
            "number": order.name,
            "at": order.created_at,
            "channel": "pos" if over_the_counter(order) else "online",
            "currency": order.currency or order.total_price_set.shop_money.currency_code,
            "total": order.total_price,
            "customer": _customer(order),
            "email": order.email or order.contact_email,
            "phone": order.phone,
            "lines": _lines(order),
            "sums": sums(order, _bought(order)),
            "delivery": delivery(order),
            "estimated_delivery": order.promised,
            "test": order.test,
            # Which order it replaces stands there by a name alone, that can be edited.
            "replaces": "" if payloads.TAG in [tag.strip() for tag in (order.tags or "").split(",")] else None,
        }
        event = build(OrderCreated, values, names=_NAMES)
        customer = event.customer.identified(event.order_id, self._secret_key)
        return [event.model_copy(update={"customer": customer}), *fulfilments.of_order(shop, order)]

    def _updated(self, shop: str, payload: dict[str, Any]) -> Sequence[Event] | Ignored:
        order = read(payloads.Order, payload)
        lines = _lines(order)
        told = [*fulfilments.of_order(shop, order), *of_order(shop, order)]
        # A list that is not there says nothing; one whose every quantity is none by now is an edit to nothing.
        if not lines and (order.cancelled_at or not order.line_items):
            why = "no lines left: the cancellation speaks for itself" if order.cancelled_at else "no lines"
            return told or Ignored(why)
        values = {
            "shop": shop,
            "order_id": order.id,
            "number": order.name,
            "at": order.updated_at or order.created_at,
            "currency": order.currency,
            "total": total_now(order),
            "email": order.email or order.contact_email,
            "phone": order.phone,
            "lines": lines,
            "sums": sums(order, _bought(order), edited=True),
            "test": order.test,
        }
        return [build(OrderEdited, values, names=_NAMES | {"at": "updated_at"}), *told]

    def _edited(self, shop: str, payload: dict[str, Any]) -> Sequence[Event]:
        edit = read(payloads.Edited, payload).order_edit
        return [_changed(shop, edit.order_id, edit.committed_at or edit.created_at, field="order_edit.committed_at")]

    def _happened(self, shop: str, payload: dict[str, Any]) -> Sequence[Event]:
        event = read(payloads.Happened, payload)
        changed = _changed(shop, event.order_id, event.happened_at or event.created_at, field="happened_at")
        return [*fulfilments.happened(shop, event), changed]

    def _cancelled(self, shop: str, payload: dict[str, Any]) -> Sequence[Event] | Ignored:
        order = read(payloads.Cancelled, payload)
        if order.cancelled_at is None:
            # The topic is outside the signature: an order that does not say so itself is not cancelled.
            return Ignored("not cancelled")
        values = {"shop": shop, "order_id": order.id, "at": order.cancelled_at, "test": order.test}
        return [build(OrderCancelled, values, names=_NAMES | {"at": "cancelled_at"}), *of_order(shop, order)]

    def _deleted(self, shop: str, payload: dict[str, Any]) -> Sequence[Event]:
        order = read(payloads.Deleted, payload)
        return [build(OrderWithdrawn, {"shop": shop, "order_id": order.id, "at": self._clock()}, names=_NAMES)]

    def _refunded(self, shop: str, payload: dict[str, Any]) -> Sequence[Event] | Ignored:
        refund = read(payloads.Refund, payload)
        return refunded(shop, refund.order_id, refund) or Ignored("nothing is paid back")

    def _sent(self, shop: str, payload: dict[str, Any]) -> Sequence[Event] | Ignored:
        order = read(payloads.Fulfilled, payload)
        return fulfilments.of_order(shop, order) or Ignored("nothing was sent yet")

    def _fulfilled(self, shop: str, payload: dict[str, Any]) -> Sequence[Event] | Ignored:
        return parcels(shop, read(payloads.Fulfilment, payload))


def _changed(shop: str, order_id: str, at: str | None, *, field: str) -> Event:
    """An order to be read from the shop's API."""
    return build(OrderChanged, {"shop": shop, "order_id": order_id, "at": at}, names=_NAMES | {"at": field})


def _lines(order: payloads.Order) -> list[dict[str, Any]]:
    """The lines as they were bought."""
    return [
        {
            "sku": sku(line),
            "title": line.title or line.name or "",
            "quantity": quantity,
            "unit_price": line.price,
            "category": line.product_type,
            "kind": _kind(line),
            # A product without variants has one of this name.
            "variant": None if line.variant_title == "Default Title" else line.variant_title,
            "product_url": line.product_url,
            "image_url": line.image_url,
            "gift": is_gift(line),
            "subscription": line.subscription or is_of_a_subscription(order, line),
        }
        for line, quantity in _bought(order)
    ]


def _bought(order: payloads.Order) -> list[tuple[payloads.Line, int]]:
    """Each line and how many of it are left by edits.

    What was paid back counts, since refunds tell it themselves; what was taken out of an unpaid order is left no more.
    """
    back: Counter[str] = Counter()
    for refund in filter(moves_money, order.refunds):
        for one in refund.refund_line_items:
            back[one.line_item_id or ""] += one.quantity
    bought = [(line, min(line.now + back[line.id or ""], line.quantity)) for line in order.line_items]
    return [(line, quantity) for line, quantity in bought if quantity != 0]


def _kind(line: payloads.Line) -> LineKind:
    """A gift card's code Shopify sends by itself; one of plastic is shipped like any other thing, and says so."""
    shipped = line.requires_shipping and (not line.gift_card or "requires_shipping" in line.model_fields_set)
    if shipped:
        return LineKind.PHYSICAL
    return LineKind.SERVICE if line.gift_card else LineKind.DIGITAL


def _customer(order: payloads.Order) -> Mapping[str, Any]:
    customer = order.customer or payloads.Customer()
    address = order.shipping_address or order.billing_address or payloads.Address()
    # The account's state counts; the box at this checkout only where the account says nothing.
    email_consent = _granted(customer.email_marketing_consent)
    if email_consent is None:
        email_consent = order.buyer_accepts_marketing
    return {
        # No account has that number: it stands for nobody, and would make one person of all of them.
        "customer_id": None if customer.id == "0" else customer.id,
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
