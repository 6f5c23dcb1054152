"""A Shopify fulfilment as parcels, or as a pick-up in a store (Admin REST, "Fulfillment").

`ready_for_pickup` and `picked_up` of a fulfilment with a tracking number are a parcel's, at a depot; without one they
are the store's own.

An order carries all its fulfilments, whatever it tells, so what a fulfilment's own webhook would have told is not lost
with it. One that is `fulfilled` and lists none was sent all the same.
"""

from collections.abc import Sequence
from typing import Final

from activities.shops import shopify_payloads as payloads
from activities.shops.payloads import lost_alone
from activities.shops.protocol import Ignored
from journey.fulfilments import WHOLE_ORDER
from journey.numbers import tracking_numbers
from journey.parcels import Method, ParcelStatus, pickup_number
from store.intake import Event, ShipmentCancelled, ShipmentCreated, ShipmentUpdated, build

_NAMES: Final = {"shop": "X-Shopify-Shop-Domain", "at": "created_at"}
_PARCEL_STATUS = {
    "label_purchased": ParcelStatus.LABEL_CREATED,
    "label_printed": ParcelStatus.LABEL_CREATED,
    "carrier_picked_up": ParcelStatus.PICKED_UP,
    "in_transit": ParcelStatus.IN_TRANSIT,
    "delayed": ParcelStatus.IN_TRANSIT,
    "out_for_delivery": ParcelStatus.OUT_FOR_DELIVERY,
    "attempted_delivery": ParcelStatus.ATTEMPT_FAILED,
    "ready_for_pickup": ParcelStatus.AVAILABLE_FOR_PICKUP,
    "picked_up": ParcelStatus.DELIVERED,
    "delivered": ParcelStatus.DELIVERED,
    "failure": ParcelStatus.EXCEPTION,
}
_PICKUP: Final = frozenset({"ready_for_pickup", "picked_up"})
_CALLED_OFF: Final = frozenset({"cancelled", "error", "failure"})
"""Of a fulfilment: what failed was not sent, whatever was said of it before."""


def parcels(shop: str, fulfilment: payloads.Fulfilment) -> Sequence[Event] | Ignored:
    """A fulfilment's parcels, or its pick-up, with what Shopify knows of where they are.

    One that was sent without a number is a parcel of its own; so is whatever stands in a number's place.
    """
    texts = [text for text in (*fulfilment.tracking_numbers, fulfilment.tracking_number) if text and text.strip()]
    numbers = [number.written for number in tracking_numbers("\n".join(texts))]
    said_at = fulfilment.said_at or fulfilment.updated_at or fulfilment.created_at
    about = {"shop": shop, "order_id": fulfilment.order_id, "fulfilment_id": fulfilment.id}
    if fulfilment.status in _CALLED_OFF:
        gone = {**about, "fulfilment_id": fulfilment.id or WHOLE_ORDER, "at": said_at, "tracking_numbers": texts}
        return [build(ShipmentCancelled, gone, names=_NAMES | {"at": "updated_at"})]
    pickup = not numbers and fulfilment.shipment_status in _PICKUP
    if not numbers and not pickup:
        if fulfilment.line_items and not any(line.requires_shipping for line in fulfilment.line_items):
            return Ignored("nothing in it travels")
        if fulfilment.status in {"pending", "open"}:
            return Ignored("not sent yet")
    named: list[str | None] = [pickup_number(shop, fulfilment.order_id)] if pickup else list(numbers)
    # Which line is in which of several parcels Shopify does not say.
    inside = fulfilment.line_items if len(named) <= 1 else []
    status = _PARCEL_STATUS.get(fulfilment.shipment_status or "")
    links = [link for link in (*fulfilment.tracking_urls, fulfilment.tracking_url) if link]
    events: list[Event] = []
    for number in named or [texts[0] if texts else None]:
        parcel = {**about, "tracking_number": number, "carrier": None if pickup else fulfilment.tracking_company}
        values = {
            **parcel,
            "at": fulfilment.created_at,
            "said_at": said_at,
            "tracking_numbers": named or texts[:1],
            "skus": [sku(line) for line in inside] or None,
            "units": [(sku(line), line.quantity) for line in inside],
            "method": Method.PICKUP if pickup else Method.DELIVERY,
            "estimated_delivery": fulfilment.estimated_delivery_at,
            # Which of several links is which number's Shopify does not say.
            "tracking_url": links[0] if links and len(named) <= 1 and not pickup else None,
        }
        events.append(build(ShipmentCreated, values, names=_NAMES | {"said_at": "updated_at"}))
        if status is not None:
            reason = "delayed" if fulfilment.shipment_status == "delayed" else None
            updated = fulfilment.updated_at or fulfilment.created_at
            scan = {**parcel, "at": updated, "status": status, "reason": reason}
            events.append(build(ShipmentUpdated, scan, names=_NAMES | {"at": "updated_at"}))
    return events


def of_order(shop: str, order: payloads.Fulfilled) -> list[Event]:
    """The parcels of every fulfilment that an order carries; of one sold over the counter nothing travels."""
    if over_the_counter(order):
        return []
    events: list[Event] = []
    for one in order.fulfillments:
        with lost_alone("fulfillments"):
            told = parcels(shop, one)
            events += [] if isinstance(told, Ignored) else told
    goods = [line for line in order.line_items if line.requires_shipping and line.now > 0]
    at = order.updated_at or order.created_at
    if order.fulfillments or order.fulfillment_status != "fulfilled" or not goods or not order.id or not at:
        return events
    whole = {"shop": shop, "order_id": order.id, "fulfilment_id": WHOLE_ORDER, "at": at}
    return [build(ShipmentCreated, whole, names=_NAMES | {"at": "updated_at"})]


def happened(shop: str, event: payloads.Happened) -> list[Event]:
    """What Shopify says happened to a fulfilment, where it says to which; of a pick-up the fulfilment itself tells."""
    status = _PARCEL_STATUS.get(event.status or "")
    if status is None or event.status in _PICKUP or event.fulfillment_id is None:
        return []
    word = {
        "shop": shop,
        "order_id": event.order_id,
        "fulfilment_id": event.fulfillment_id,
        "at": event.happened_at or event.created_at,
        "status": status,
        "reason": "delayed" if event.status == "delayed" else None,
        "estimated_delivery": event.estimated_delivery_at,
    }
    return [build(ShipmentUpdated, word, names=_NAMES | {"at": "happened_at"})]


def over_the_counter(order: payloads.Fulfilled) -> bool:
    """Whether an order was sold at a till and taken along; with a shipping line it is sent like any other."""
    return order.source_name == "pos" and not order.shipping_lines


def sku(line: payloads.Line) -> str:
    """The SKU, or a name for a line that has none (a tip, a custom item), the same each time."""
    if line.sku and line.sku.strip():
        return line.sku
    known = line.variant_id or line.product_id or line.id
    return f"variant-{known}" if known else "no-sku"
