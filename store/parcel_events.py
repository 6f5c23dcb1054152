"""Canonical events about parcels: what shops, carriers and customers say of them."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from journey.numbers import made_up, normalised, tracking_numbers
from journey.parcels import Method, ParcelStatus, Reason
from store.fields import Day, Identifier, Moment, OrderId, Shop, Skus, Units, Word, named
from store.line_facts import WebAddress
from store.reading import EXACT, TELLING, Lenient


def tracked(shop: str | None, number: str) -> str:
    """The subject of what is said of a number, by a shop or (None) by a carrier that names none."""
    return f"tracking:{shop or ''}:{number}"


def _listed(value: object) -> object:
    """What of a list may be a number: a shop leaves places in it empty."""
    given = value if isinstance(value, list | tuple) else () if value is None else (value,)
    return [one for one in given if type(one) in {str, int} and str(one).strip()] if value is not None else None


class _Edge(Lenient):
    model_config = ConfigDict(frozen=True)


class _OrderEvent(_Edge):
    at: Moment
    shop: Shop
    order_id: OrderId

    @property
    def subject(self) -> str:
        """What the inbox keeps the order of events for: `order:{shop}:{order_id}`."""
        return f"order:{self.shop}:{self.order_id}"


class OrderWithdrawn(_OrderEvent):
    """The shop took the order off its list, or never got its money: what has not left by now is not to be sent.

    Nobody is told of that, and the shop may take it back by a later edit.
    """

    type: Literal["order.withdrawn"] = "order.withdrawn"


class Footprint(_Edge):
    """What a parcel causes, in grams of CO2 equivalent, with who says so."""

    grams: Annotated[Decimal, Field(ge=0, lt=10**9)]
    source: Annotated[str, BeforeValidator(named)]


class ShipmentCreated(_OrderEvent):
    """A parcel left, or, with `method` pickup, is being made ready in a store; `skus` None when nobody said.

    `units` is how many of which SKU are in it, empty when nobody said.

    `tracking_number` is as the shop writes it, None or a word such as `N/A` where it was sent without one; a pick-up's
    is `journey.parcels.pickup_number`. `fulfilment_id` is the shop's name of the fulfilment, which as of `said_at`
    consists of all the `tracking_numbers`, None for this one alone: a parcel that it named before and does not name
    any more is none of the order's. `tracking_url` is where the carrier or the shop has it followed.
    """

    type: Literal["shipment.created"] = "shipment.created"
    tracking_number: Identifier | None = None
    fulfilment_id: Identifier | None = None
    tracking_numbers: Annotated[tuple[Identifier, ...] | None, BeforeValidator(_listed), TELLING] = None
    said_at: Moment | None = None
    carrier: Word = None
    service: Word = None
    skus: Skus = None
    units: Units = ()
    estimated_delivery: Day = None
    method: Annotated[Method, EXACT] = Method.DELIVERY
    tracking_url: WebAddress = None
    co2: Footprint | None = None

    @property
    def numbers(self) -> tuple[str, ...]:
        """The numbers in it, in their normal form, by which scans may be waiting for it."""
        texts = [text for text in (self.tracking_number, *(self.tracking_numbers or ())) if text and not made_up(text)]
        return tuple(dict.fromkeys(number.normal for text in texts for number in tracking_numbers(text)))


class ShipmentCancelled(_OrderEvent):
    """The shop called a fulfilment off, `at` that moment: its parcels are none of the order's any more.

    `tracking_numbers` are those it had, where the shop still says so.
    """

    type: Literal["shipment.cancelled"] = "shipment.cancelled"
    fulfilment_id: Identifier
    tracking_numbers: Annotated[tuple[Identifier, ...] | None, BeforeValidator(_listed), TELLING] = None


class ShipmentUpdated(_Edge):
    """A carrier's word about a parcel, `at` the carrier's own time; a shop's own, where it names the order.

    A shop's word is about that order's parcel alone: under the `tracking_number`, or, without one, of the fulfilment.
    A carrier's is about the parcel of every order under that number.

    `tracker` is the id by which the source knows the parcel, with the source in front (`easypost:trk_…`): it stays
    when a wrong carrier is corrected. `shop` is whose parcel it is, where the source can say. `location` is a place
    as the carrier writes it, never a person's address. `estimated_at` is when the estimate was said, where that is
    known better than by the scan that it came with: carriers move their estimate between two scans.
    """

    type: Literal["shipment.updated"] = "shipment.updated"
    at: Moment
    tracking_number: Identifier | None = None
    order_id: Annotated[OrderId | None, EXACT] = None
    fulfilment_id: Identifier | None = None
    carrier: Word = None
    service: Word = None
    status: ParcelStatus
    reason: Reason | None = None
    action_required: bool = False
    estimated_delivery: Day = None
    estimated_at: Moment | None = None
    location: Word = None
    tracker: Word = None
    tracking_url: WebAddress = None
    co2: Footprint | None = None
    shop: Annotated[Shop | None, EXACT] = None

    @model_validator(mode="after")
    def _names_a_parcel(self) -> Self:
        if self.order_id is not None and self.shop is None:
            raise ValueError("an order is of a shop: say which")
        if self.order_id is None and self.tracking_number is None:
            raise ValueError("must have a tracking number, or an order")
        return self

    @property
    def number(self) -> str | None:
        """The number in its normal form; None where there is none, or what it is called is a name of ours."""
        text = self.tracking_number
        return None if text is None or made_up(text) else normalised(text)

    @property
    def subject(self) -> str:
        """What the inbox keeps the order of events for: `order:{shop}:{order_id}`, else `tracking:{shop}:{number}`.

        The shop is empty where only the carrier speaks.
        """
        if self.order_id is not None:
            return f"order:{self.shop}:{self.order_id}"
        return tracked(self.shop, self.number or self.tracking_number or "")


class DeliveryDenied(_OrderEvent):
    """The customer says that a parcel which counts as delivered never came; `found` takes that back."""

    type: Literal["delivery.denied"] = "delivery.denied"
    tracking_number: Identifier
    found: bool = False


class RemedyChosen(_OrderEvent):
    """Somebody's choice of a remedy stands, written down in `remedies`; `part` is the parcel's number."""

    type: Literal["remedy.chosen"] = "remedy.chosen"
    part: Identifier
