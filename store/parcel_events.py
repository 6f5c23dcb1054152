"""Canonical events about parcels: what shops, carriers and customers say of them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from journey.parcels import Method, ParcelStatus, Reason
from store.fields import Day, Identifier, Moment, OrderId, Shop, Skus, Units, Word


class _Edge(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _OrderEvent(_Edge):
    at: Moment
    shop: Shop
    order_id: OrderId

    @property
    def subject(self) -> str:
        """What the inbox keeps the order of events for: `order:{shop}:{order_id}`."""
        return f"order:{self.shop}:{self.order_id}"


class ShipmentCreated(_OrderEvent):
    """A parcel left, or, with `method` pickup, is being made ready in a store; `skus` None when nobody said.

    `units` is how many of which SKU are in it, empty when nobody said.

    A pick-up's `tracking_number` is `journey.parcels.pickup_number`.
    """

    type: Literal["shipment.created"] = "shipment.created"
    tracking_number: Identifier
    carrier: Word = None
    service: Word = None
    skus: Skus = None
    units: Units = ()
    estimated_delivery: Day = None
    method: Method = Method.DELIVERY


class ShipmentUpdated(_Edge):
    """A carrier's word about a parcel, `at` the carrier's own time.

    `tracker` is the id by which the source knows the parcel, with the source in front (`easypost:trk_…`): it stays
    when a wrong carrier is corrected. `shop` is whose parcel it is, where the source can say. `location` is a place
    as the carrier writes it, never a person's address. `estimated_at` is when the estimate was said, where that is
    known better than by the scan that it came with: carriers move their estimate between two scans.
    """

    type: Literal["shipment.updated"] = "shipment.updated"
    at: Moment
    tracking_number: Identifier
    carrier: Word = None
    service: Word = None
    status: ParcelStatus
    reason: Reason | None = None
    action_required: bool = False
    estimated_delivery: Day = None
    estimated_at: Moment | None = None
    location: Word = None
    tracker: Word = None
    shop: Shop | None = None

    @property
    def subject(self) -> str:
        """What the inbox keeps the order of events for: `tracking:{number}`."""
        return f"tracking:{self.tracking_number}"


class DeliveryDenied(_OrderEvent):
    """The customer says that a parcel which counts as delivered never came; `found` takes that back."""

    type: Literal["delivery.denied"] = "delivery.denied"
    tracking_number: Identifier
    found: bool = False


class RemedyChosen(_OrderEvent):
    """Somebody's choice of a remedy stands, written down in `remedies`; `part` is the parcel's number."""

    type: Literal["remedy.chosen"] = "remedy.chosen"
    part: Identifier
