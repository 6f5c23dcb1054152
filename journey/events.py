"""Facts that reach a journey. Each is a signal's payload, so its fields are a wire format: add, never rename.

Moments are the moments at which things happened, as the outside told them; what lies in the future when it
arrives is taken as happening on arrival (`apply` sees to that).
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from pydantic import Field

from journey.base import Frozen, Instant, TouchKey, TrackingNumber
from journey.lanes import Expectation
from journey.order import LineFacts
from journey.parcels import Method, ParcelStatus, Reason
from journey.remedies import By, Choice, Stand


class OrderCancelled(Frozen):
    """The shop or the customer called the order off."""

    at: Instant


class OrderEdited(Frozen):
    """The order as it stands after an edit."""

    at: Instant
    total: Decimal = Field(ge=0)
    lines: tuple[LineFacts, ...]


class OrderNumbered(Frozen):
    """What the shop shows of the order became known, or another."""

    at: Instant
    number: str


class AddressGiven(Frozen):
    """The customer can be reached about the order where they could not before."""

    at: Instant


class OrderRefunded(Frozen):
    """Money went back. `full` when nothing of the order's total remains paid."""

    at: Instant
    refund_id: str
    amount: Decimal = Field(ge=0)
    full: bool = False


class GoodsTakenOff(Frozen):
    """Goods that are to be sent no more: a refund, be it paid yet or not, is of these `units`, each SKU with how many.

    The latest word of each `refund_id` counts; of one that failed it is of none.
    """

    at: Instant
    refund_id: str
    units: tuple[tuple[str, int], ...] = ()


class ShipmentCreated(Frozen):
    """The shop handed a parcel over, or keeps one ready in its store (`method` pickup).

    `skus` is what is in it, None when the shop did not say; `expected` what is usual on its lane, None when nobody
    looked. `tracking_number` is the parcel's key: the number in its normal form, or of one without a number a name of
    ours. Where the shop names the `fulfilment`, that consists of these `parcels` as of `said_at`, None for as of `at`:
    this one was in it once, and is not where it is none of them.
    """

    at: Instant
    tracking_number: TrackingNumber
    fulfilment: str | None = None
    parcels: tuple[TrackingNumber, ...] = ()
    said_at: Instant | None = None
    carrier: str | None = None
    service: str | None = None
    method: Method = Method.DELIVERY
    skus: tuple[str, ...] | None = None
    estimated_delivery: date | None = None
    expected: Expectation | None = None


class ShipmentCancelled(Frozen):
    """The shop called a fulfilment off: as of `at` no parcel is in it, and these `parcels` were."""

    at: Instant
    fulfilment: str
    parcels: tuple[TrackingNumber, ...] = ()


class ShipmentUpdated(Frozen):
    """The carrier scanned a parcel, or changed its promise, which it said at `estimated_at`, None for with the scan.

    `expected` comes along where the lane became known; `by_shop`: it is the shop's own word.
    """

    at: Instant
    tracking_number: TrackingNumber
    carrier: str | None = None
    service: str | None = None
    status: ParcelStatus
    reason: Reason | None = None
    estimated_delivery: date | None = None
    estimated_at: Instant | None = None
    expected: Expectation | None = None
    by_shop: bool = False


class DeliveryDenied(Frozen):
    """The customer says that a parcel which counts as delivered never came; `found` takes it back."""

    at: Instant
    tracking_number: TrackingNumber
    found: bool = False


class RemedyChosen(Frozen):
    """Somebody's choice stands for a parcel that will not come; `part` is the parcel."""

    at: Instant
    part: TrackingNumber
    choice: Choice
    by: By


class RemedySettled(Frozen):
    """A remedy came to its end: `stand` is done, failed, withdrawn or declined; `choice` None when nobody chose.

    `reference` is the shop's own id of what it made, such as the refund's.
    """

    at: Instant
    part: TrackingNumber
    stand: Stand
    choice: Choice | None = None
    reference: str | None = None


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
    | OrderNumbered
    | AddressGiven
    | OrderRefunded
    | GoodsTakenOff
    | ShipmentCreated
    | ShipmentCancelled
    | ShipmentUpdated
    | DeliveryDenied
    | RemedyChosen
    | RemedySettled
    | ReviewPosted
    | CustomerReordered
    | Paused
    | Resumed
    | TouchSkipped
    | SendNow
)


FACTS: Mapping[str, type[Event]] = {
    "order_cancelled": OrderCancelled,
    "order_edited": OrderEdited,
    "order_numbered": OrderNumbered,
    "address_given": AddressGiven,
    "order_refunded": OrderRefunded,
    "goods_taken_off": GoodsTakenOff,
    "shipment_created": ShipmentCreated,
    "shipment_cancelled": ShipmentCancelled,
    "shipment_updated": ShipmentUpdated,
    "delivery_denied": DeliveryDenied,
    "remedy_chosen": RemedyChosen,
    "remedy_settled": RemedySettled,
    "review_posted": ReviewPosted,
    "customer_reordered": CustomerReordered,
}
"""What comes from outside, by the name of its signal. An operator's words are updates and not among them."""
