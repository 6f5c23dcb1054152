"""BigCommerce's webhooks.

https://developer.bigcommerce.com/docs/integrations/webhooks and …/webhooks/events

- A webhook says that something changed, never how: `scope`, `producer` (`stores/{hash}`), `data.type`, `data.id`. The
  order is read from the shop's API when the event is dispatched, see `bigcommerce_orders`.
- Nothing proves a sender but a header of our own choice, which is set when the webhook is made:
  `"headers": {"X-Postlude-Secret": "…"}` (`POST /v3/hooks`). Public documents disagree on a signature of the body.
- `hash` is made of what the event says, which two updates of one order have in common, and orders of two stores too:
  an event is told from the next by its `producer`, scope and `created_at` (seconds since 1970) as well; a retry repeats
  all four.
- Webhooks that keep failing are switched off, so whatever is well formed is taken.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import Field

from activities.shops.payloads import Id, MaybeId, Payload, read
from activities.shops.protocol import Delivery, Ignored, Malformed
from activities.shops.signatures import check_secret
from store.intake import Event, OrderChanged, build

HEADER: Final = "X-Postlude-Secret"
_BY_ID: Final = frozenset(
    f"store/order/{what}" for what in ("created", "updated", "statusUpdated", "archived", "refund/created")
)
_BY_ORDER: Final = frozenset({"store/shipment/created", "store/shipment/updated", "store/shipment/deleted"})
_CUSTOMERS: Final = "store/customer/"
_STORES: Final = "stores"


class _Data(Payload):
    id: Id
    # `orderId` of a shipment; its older form says `order_id`.
    order: MaybeId = Field(default=None, alias="orderId")
    order_older: MaybeId = Field(default=None, alias="order_id")


class _Hook(Payload):
    producer: str
    created_at: Annotated[int, Field(ge=0, lt=2**32)]
    data: _Data


class BigCommerce:
    """Verifies and translates BigCommerce's webhooks. `secret` is the value of their header `X-Postlude-Secret`."""

    name = "bigcommerce"

    def __init__(self, secret: str) -> None:
        if not secret:
            raise ValueError("the BigCommerce secret may not be empty")
        self._secret = secret.encode()

    def verify(self, delivery: Delivery) -> None:
        """See `Source.verify`; nothing signs the body, TLS alone guards it."""
        check_secret(delivery, header=HEADER, secret=self._secret)

    def event_id(self, delivery: Delivery) -> str:
        """The store, scope, moment and `hash` of the event, or the body's hash where it has none of its own."""
        payload = delivery.payload
        known = payload.get("hash")
        if not isinstance(known, str) or not known:
            return delivery.digest
        return f"{payload.get('producer')}:{self.topic(delivery)}:{payload.get('created_at')}:{known}"

    def topic(self, delivery: Delivery) -> str:
        """The body's `scope`."""
        scope = delivery.payload.get("scope")
        if not isinstance(scope, str) or not scope.strip():
            raise Malformed("scope", "must name the event, such as store/order/created")
        return scope

    def translate(self, delivery: Delivery) -> Sequence[Event] | Ignored:
        """See `Source.translate`."""
        scope = self.topic(delivery)
        if scope.startswith(_CUSTOMERS):
            return Ignored("a customer is known by their orders")
        if scope not in _BY_ID | _BY_ORDER:
            return Ignored("unknown topic")
        hook = read(_Hook, delivery.payload)
        store, _, shop = hook.producer.partition("/")
        if store != _STORES or not shop:
            raise Malformed("producer", "must be stores/ and the store's hash")
        order_id = hook.data.id
        if scope in _BY_ORDER:
            order_id = hook.data.order or hook.data.order_older or ""
        values = {"shop": shop, "order_id": order_id, "at": datetime.fromtimestamp(hook.created_at, UTC)}
        field = "data.orderId" if scope in _BY_ORDER else "data.id"
        return [build(OrderChanged, values, names={"shop": "producer", "order_id": field, "at": "created_at"})]
