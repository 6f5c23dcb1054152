"""Facts that reach a journey. Each is a signal's payload, so its fields are a wire format: add, never rename.

Moments are the moments at which things happened, as the outside told them; what lies in the future when it
arrives is taken as happening on arrival (`apply` sees to that).
"""

from datetime import date
from decimal import Decimal

from pydantic import Field

from journey.base import Frozen, Instant, TouchKey, TrackingNumber
from journey.order import LineFacts
from journey.parcels import ParcelStatus, Reason


class OrderCancelled(Frozen):
    """The shop or the customer called the order off."""

    at: Instant


class OrderEdited(Frozen):
    """The order as it stands after an edit."""

    at: Instant
    total: Decimal = Field(ge=0)
    lines: tuple[LineFacts, ...]


class OrderRefunded(Frozen):
    """Money went back. `full` when nothing of the order's total remains paid."""

    at: Instant
    refund_id: str
    amount: Decimal = Field(ge=0)
    full: bool = False


class ShipmentCreated(Frozen):
    """The shop handed a parcel over. `skus` is what is in it, None when the shop did not say."""

    at: Instant
    tracking_number: TrackingNumber
    carrier: str | None = None
    skus: tuple[str, ...] | None = None
    estimated_delivery: date | None = None


class ShipmentUpdated(Frozen):
    """The carrier scanned a parcel, or changed its promise."""

    at: Instant
    tracking_number: TrackingNumber
    carrier: str | None = None
    status: ParcelStatus
    reason: Reason | None = None
    estimated_delivery: date | None = None


class ReviewPosted(Frozen):
    """A review of one line or of the order; `rating` counts one to five stars."""

    at: Instant
    rating: int = Field(ge=1, le=5)
    sku: str | None = None


class CustomerReordered(Frozen):
    """The same customer placed a newer order."""

    at: Instant
    order_id: str


class Paused(Frozen):
    """An operator stopped the journey's messages."""

    at: Instant


class Resumed(Frozen):
    """An operator let it go on."""

    at: Instant


class TouchSkipped(Frozen):
    """An operator decided that this touch is not to be sent."""

    at: Instant
    key: TouchKey


class SendNow(Frozen):
    """An operator wants this touch sent at once."""

    at: Instant
    key: TouchKey


Event = (
    OrderCancelled
    | OrderEdited
    | OrderRefunded
    | ShipmentCreated
    | ShipmentUpdated
    | ReviewPosted
    | CustomerReordered
    | Paused
    | Resumed
    | TouchSkipped
    | SendNow
)
