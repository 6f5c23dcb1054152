"""WooCommerce's webhooks.

https://developer.woocommerce.com/docs/apis/rest-api/v3/webhooks/

What its documents leave open is read off its own code, `includes/class-wc-webhook.php`:

- `X-WC-Webhook-Delivery-ID` is a hash of the webhook and the second: two orders of one second share it, and nothing is
  ever delivered again under it, since WooCommerce does not retry. So an event's id is what it says: shop, topic and
  the body's hash. Where a repeat comes all the same (a second webhook of one topic, a queue between), it is one event.
- The shop is the host of `X-WC-Webhook-Source`, which is its home address. Only the body is under the signature.
- After more than five failures in a row WooCommerce switches a webhook off, so whatever is well formed is taken.
- Saving a webhook sends a ping, `webhook_id=…` as a form, with none of the headers and unsigned, and wants exactly 200.
  It says nothing, so all pings are one event: whoever forges them fills no table.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from activities.shops import woocommerce_payloads as payloads
from activities.shops.payloads import read
from activities.shops.protocol import Delivery, Ignored, Malformed
from activities.shops.signatures import check_hmac
from activities.shops.woocommerce_orders import customer_of, order_events
from activities.shops.woocommerce_payloads import utc
from store.intake import CustomerUpdated, Event, OrderWithdrawn, build

_SIGNATURE: Final = "X-WC-Webhook-Signature"
_PING: Final = re.compile(rb"webhook_id=[0-9]{1,20}")
PING: Final = "ping"
_ORDERS: Final = frozenset({"order.created", "order.updated", "order.restored"})
_CUSTOMERS: Final = frozenset({"customer.created", "customer.updated"})
_DELETED: Final = "order.deleted"
_IGNORED: Final = {
    PING: "a ping",
    "customer.deleted": "an account was closed: whoever asks to be forgotten is erased by their id",
}


def _now() -> datetime:
    return datetime.now(UTC)


class WooCommerce:
    """Verifies and translates WooCommerce's webhooks. `secret` is the one typed into each webhook's form."""

    name = "woocommerce"

    def __init__(self, secret: str, *, secret_key: str, clock: Callable[[], datetime] = _now) -> None:
        """Prepare the adapter.

        Args:
            secret: shared with the shop's webhooks.
            secret_key: keys the ids of guests.
            clock: UTC, for what is deleted, which comes without any moment.

        Raises:
            ValueError: the secret is empty.
        """
        if not secret:
            raise ValueError("the WooCommerce secret may not be empty")
        self._secret = secret.encode()
        self._secret_key = secret_key
        self._clock = clock

    def verify(self, delivery: Delivery) -> None:
        """See `Source.verify`; a ping is unsigned and passes."""
        if not _is_ping(delivery):
            check_hmac(delivery, header=_SIGNATURE, secret=self._secret)

    def event_id(self, delivery: Delivery) -> str:
        """The shop, the topic and the body's hash."""
        topic = self.topic(delivery)
        return PING if topic == PING else f"{_shop(delivery)}:{topic}:{delivery.digest}"

    def topic(self, delivery: Delivery) -> str:
        """The header `X-WC-Webhook-Topic`."""
        topic = PING if _is_ping(delivery) else delivery.headers.get("x-wc-webhook-topic")
        if not topic:
            raise Malformed("X-WC-Webhook-Topic", "must name the event, such as order.created")
        return topic

    def translate(self, delivery: Delivery) -> Sequence[Event] | Ignored:
        """See `Source.translate`; one payload is all that an order has come to."""
        topic = self.topic(delivery)
        if topic in _ORDERS | _CUSTOMERS:
            _check(topic, delivery)
        if topic in _ORDERS:
            return order_events(delivery.payload, shop=_shop(delivery), secret_key=self._secret_key)
        if topic == _DELETED:
            if delivery.payload.get("line_items"):
                # What is in the trash is told by its id alone; a whole order under this topic is another's body.
                raise Malformed("line_items", f"is no part of {topic}")
            return [_withdrawn(delivery.payload, _shop(delivery), self._clock())]
        if topic in _CUSTOMERS:
            return [_customer(delivery.payload, _shop(delivery))]
        return Ignored(_IGNORED.get(topic, "unknown topic"))


def _check(topic: str, delivery: Delivery) -> None:
    """Refuse a body that is of another kind than its topic, or of another shop: neither header is under the signature.

    Its own address says both, `https://shop.example/wp-json/wc/v3/orders/1`, where it is there.

    Raises:
        Malformed: names the field.
    """
    payload = delivery.payload
    if topic in _CUSTOMERS and payload.get("line_items"):
        raise Malformed("line_items", f"is no part of {topic}")
    links = payload.get("_links")
    own = links.get("self") if isinstance(links, dict) else None
    for one in own if isinstance(own, list) else ():
        href = one.get("href") if isinstance(one, dict) else None
        try:
            address = urlsplit(href) if isinstance(href, str) else None
        except ValueError:
            continue
        if address is None or not address.hostname:
            continue
        kind = "orders" if topic in _ORDERS else "customers"
        asked = address.path + address.query  # a shop without pretty addresses has the path in the query
        if not re.search(rf"(?:/|%2F){kind}(?:/|%2F)", asked):
            raise Malformed("_links.self", f"is not the address of one of the {kind}, as X-WC-Webhook-Topic has it")
        if address.hostname.removeprefix("www.") != _shop(delivery).removeprefix("www."):
            raise Malformed("_links.self", "is not of the shop of X-WC-Webhook-Source")


def _withdrawn(payload: Mapping[str, Any], shop: str, at: datetime) -> Event:
    """An order in the trash: of it WooCommerce says its id alone."""
    values = {"shop": shop, "order_id": read(payloads.Deleted, payload).id, "at": at}
    return build(OrderWithdrawn, values, names={"order_id": "id"})


def _is_ping(delivery: Delivery) -> bool:
    signed = {_SIGNATURE.lower(), "x-wc-webhook-topic"} & delivery.headers.keys()
    return not signed and _PING.fullmatch(delivery.body) is not None


def _shop(delivery: Delivery) -> str:
    try:
        host = urlsplit(delivery.headers.get("x-wc-webhook-source", "")).hostname
    except ValueError:
        host = None
    if not host:
        raise Malformed("X-WC-Webhook-Source", "must be the shop's address, such as https://shop.example/")
    return host


def _customer(payload: Mapping[str, Any], shop: str) -> Event:
    account = read(payloads.Customer, payload)
    values = {
        "shop": shop,
        "at": utc(account.date_modified_gmt or account.date_created_gmt),
        "customer": {
            **customer_of(account.shipping, account.billing, customer_id=account.id, email=account.email),
            "first_name": account.first_name or account.billing.first_name or "",
        },
    }
    customer = build(CustomerUpdated, values, names={"at": "date_modified_gmt", "customer_id": "id"})
    if customer.customer.customer_id is None:
        raise Malformed("id", "must be an account's")
    return customer
