"""Any backend, by Standard Webhooks: `POST /webhooks/events` with `{"type", "timestamp", "data"}`.

https://www.standardwebhooks.com. A pick-up in a store is told in its own words, `pickup.ready`, `pickup.collected` and
`pickup.returned` (nobody came), and kept as a parcel of its own, see `journey.parcels.pickup_number`.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, Final

from activities.shops.protocol import Delivery, Malformed
from activities.shops.signatures import check_standard, standard_key
from activities.shops.standard_fields import unread
from journey.parcels import Method, ParcelStatus, pickup_number
from store import cleaning
from store.intake import (
    CustomerDataRequested,
    CustomerRedacted,
    CustomerUpdated,
    DeliveryDenied,
    Event,
    OrderCancelled,
    OrderChanged,
    OrderCreated,
    OrderEdited,
    OrderRefunded,
    ReviewPosted,
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentUpdated,
    ShopRedacted,
    build,
)
from store.reading import blank

_LONGEST_TYPE: Final = 100
# Where an event's own moment may stand in its data, before the envelope's timestamp is taken.
_MOMENTS = {"order.created": "placed_at"}
_NAMES = {"skus": "lines", "at": "occurred_at"}
_PLAIN: dict[str, type[Event]] = {
    "order.edited": OrderEdited,
    "order.cancelled": OrderCancelled,
    "order.refunded": OrderRefunded,
    "order.changed": OrderChanged,
    "shipment.cancelled": ShipmentCancelled,
    "shipment.updated": ShipmentUpdated,
    "delivery.denied": DeliveryDenied,
    "review.posted": ReviewPosted,
    "customer.data_requested": CustomerDataRequested,
    "customer.redacted": CustomerRedacted,
    "shop.redacted": ShopRedacted,
}
_PICKUPS = {
    "pickup.ready": ParcelStatus.AVAILABLE_FOR_PICKUP,
    "pickup.collected": ParcelStatus.DELIVERED,
    "pickup.returned": ParcelStatus.RETURNING,
}


KNOWN: Final = tuple(sorted({*_PLAIN, *_PICKUPS, "order.created", "shipment.created", "customer.updated"}))
"""Every `type` that is understood."""


class StandardWebhooks:
    """Verifies and translates Standard Webhooks; the tolerance for their timestamp is five minutes, by real time."""

    name = "events"

    def __init__(self, secret: str, *, secret_key: str) -> None:
        """Prepare the adapter.

        Args:
            secret: `whsec_` and base64, shared with the shop's backend.
            secret_key: keys the ids of guests.

        Raises:
            ValueError: the secret is empty or not base64.
        """
        try:
            self._key = standard_key(secret)
        except ValueError as error:
            raise ValueError("the webhook secret must be whsec_ and base64 of 24 to 64 bytes") from error
        self._secret_key = secret_key
        self._translators: dict[str, Callable[[dict[str, Any]], Event]] = {
            "order.created": self._created,
            "shipment.created": self._shipped,
            "customer.updated": self._customer,
        }

    def verify(self, delivery: Delivery) -> None:
        """See `Source.verify`."""
        check_standard(delivery, self._key, prefix="webhook-")

    def event_id(self, delivery: Delivery) -> str:
        """The `webhook-id`, which the signature covers."""
        return delivery.headers["webhook-id"]

    def topic(self, delivery: Delivery) -> str:
        """The body's `type`."""
        topic = delivery.payload.get("type")
        if not isinstance(topic, str) or not topic:
            raise Malformed("type", "must name the event, such as order.created", known=KNOWN)
        return topic

    def translate(self, delivery: Delivery) -> Sequence[Event]:
        """See `Source.translate`; nothing is passed over."""
        topic = self.topic(delivery)
        if topic not in KNOWN:
            raise Malformed("type", _did_you_mean(topic), known=KNOWN)
        data = delivery.payload.get("data")
        if not isinstance(data, dict):
            raise Malformed("data", "must be an object")
        # `type` and `at` are ours: what a sender puts there must not change what the event is.
        at = data.get(_MOMENTS.get(topic, "occurred_at"))
        if not _says(at):
            at = _sent_at(delivery)
        values = {**data, "type": topic, "at": at}
        if topic == "shipment.created" and not _says(data.get("said_at")):
            # A parcel left once; which of its fulfilment's words is the last goes by when each was sent.
            values["said_at"] = _sent_at(delivery)
        if topic in _PICKUPS:
            return _picked_up(values, _PICKUPS[topic])
        if topic in _PLAIN:
            return [build(_PLAIN[topic], values, prefix="data.", names=_NAMES)]
        return [self._translators[topic](values)]

    def unread(self, delivery: Delivery) -> Sequence[str]:
        """See `Answering`."""
        return unread(delivery.payload)

    def _created(self, values: dict[str, Any]) -> Event:
        event = build(OrderCreated, values, prefix="data.", names={"at": "placed_at"})
        customer = event.customer
        if customer.customer_id is None and customer.email is None:
            # A guest has no other address than the order's.
            customer = customer.model_copy(update={"email": event.email})
        customer = customer.identified(event.order_id, self._secret_key)
        return event.model_copy(update={"customer": customer})

    def _shipped(self, values: dict[str, Any]) -> Event:
        # What is in it may be told as lines, or by the words that a refund has.
        inside = values.get("lines")
        given = {**values, "skus": inside or values.get("skus"), "units": inside or values.get("units")}
        if given.get("method") == Method.PICKUP:
            given["tracking_number"] = _pickup(values)
        return build(ShipmentCreated, given, prefix="data.", names=_NAMES)

    def _customer(self, values: dict[str, Any]) -> Event:
        given = values.get("customer")
        customer = given if isinstance(given, dict) and given else values
        prefix = "customer." if customer is given else ""
        if not customer.get("customer_id"):
            raise Malformed(f"data.{prefix}customer_id", "must be a non-empty text")
        updated = build(CustomerUpdated, {**values, "customer": customer}, prefix="data.", names=_NAMES)
        if updated.customer.customer_id is None:
            raise Malformed(f"data.{prefix}customer_id", "must be an id")
        return updated


def _did_you_mean(topic: str) -> str:
    word = cleaning.plain(topic, _LONGEST_TYPE)
    near = get_close_matches(word.lower(), KNOWN, n=1)
    return f"{word}: unknown" + (f"; did you mean {near[0]}?" if near else "")


def _picked_up(values: dict[str, Any], status: ParcelStatus) -> Sequence[Event]:
    """A pick-up's whole story so far: that there is one, and where it stands."""
    common = {
        "shop": values.get("shop"),
        "order_id": values.get("order_id"),
        "at": values["at"],
        "tracking_number": _pickup(values),
    }
    order = {**common, "skus": values.get("skus"), "method": Method.PICKUP}
    begun = build(ShipmentCreated, order, prefix="data.", names={"at": "occurred_at"})
    return [begun, build(ShipmentUpdated, {**common, "status": status}, prefix="data.", names=_NAMES)]


def _pickup(values: dict[str, Any]) -> str:
    """The number a pick-up goes by; the order is checked first, by the rules of any fact about one."""
    known = build(
        OrderChanged, {key: values.get(key) for key in ("shop", "order_id", "at")}, prefix="data.", names=_NAMES
    )
    return pickup_number(known.shop, known.order_id)


def _says(moment: object) -> bool:
    """Whether something was said, be it no moment: a list or an object in its place is nothing."""
    return not blank(moment) and not isinstance(moment, list | dict)


def _sent_at(delivery: Delivery) -> object:
    """The envelope's timestamp, else the signed header's."""
    if _says(delivery.payload.get("timestamp")):
        # Built through a throw-away event, so that one rule decides what a moment is.
        probe = {"at": delivery.payload["timestamp"], "shop": "-", "order_id": "-"}
        return build(OrderCancelled, probe, names={"at": "timestamp"}).at
    if "webhook-timestamp" not in delivery.headers:
        raise Malformed("timestamp", "must be there")
    return datetime.fromtimestamp(float(delivery.headers["webhook-timestamp"]), UTC)
