"""The canonical events: what every shop's and carrier's webhook is brought to before it is kept.

Unlike the core's events these name people. They live in the inbox and become rows of the tables; the core's
own events (`journey.events`) are what is left of them when they go to a workflow.

Strict about what makes an order (ids, lines, money, moments), forgiving about what a shop cannot help: a missing
or impossible e-mail address, phone, time zone or locale becomes None, is noted (a locale is not), and the order's
journey goes on without it. Fields nobody knows are ignored, since shops send more than is asked.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticSerializationError

from journey.order import LineKind
from journey.zones import is_zone
from store import cleaning
from store.delivery import Delivery, Promise
from store.fields import (
    ID_LENGTH,
    NAME_LENGTH,
    TEXT_LENGTH,
    TITLE_LENGTH,
    Amount,
    Category,
    Channel,
    Currency,
    Email,
    Identifier,
    Moment,
    OrderId,
    OrderNumber,
    Phone,
    RefundStatus,
    Shop,
    Units,
    lower,
    one_line,
)
from store.line_facts import AccessKey, Variant, WebAddress
from store.message_feedback import MessageFeedback
from store.money import in_currency
from store.parcel_events import (
    DeliveryDenied,
    OrderWithdrawn,
    RemedyChosen,
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentUpdated,
)
from store.reading import EXACT, TELLING, Lenient, Malformed, Reading, blank, listed
from store.shop_events import CustomerDataRequested, CustomerRedacted, OrderChanged, ShopRedacted
from store.sums import SaidSums

__all__ = [
    "Customer",
    "CustomerDataRequested",
    "CustomerRedacted",
    "CustomerUpdated",
    "DeliveryDenied",
    "Event",
    "Line",
    "Malformed",
    "MessageFeedback",
    "OrderCancelled",
    "OrderChanged",
    "OrderCreated",
    "OrderEdited",
    "OrderEvent",
    "OrderRefunded",
    "OrderWithdrawn",
    "RemedyChosen",
    "ReviewPosted",
    "ShipmentCancelled",
    "ShipmentCreated",
    "ShipmentUpdated",
    "ShopRedacted",
    "build",
    "from_json",
    "readable",
    "to_json",
    "unknown",
]

MAX_LINES = 1000
# As JSON writes it: PostgreSQL keeps no such character in jsonb. After two backslashes it is a text about one.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_REGION = re.compile(r"(?:[A-Z]{2}-)?([A-Z0-9]{1,3})")


def _region(value: object) -> str | None:
    found = _REGION.fullmatch(value.strip().upper()) if isinstance(value, str) else None
    return found[1] if found else None


def _lines(value: object) -> object:
    """Lines without the empty places between them; where there is nothing else, as they came, to be refused."""
    found = listed(value)
    return ([one for one in found if not blank(one)] or found) if isinstance(found, list | tuple) else found


def _said(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


class _Edge(Lenient):
    model_config = ConfigDict(frozen=True)


class Consent(_Edge):
    """What the customer said at this moment; None where nothing was asked."""

    email_marketing: bool | None = None
    sms_marketing: bool | None = None


class Customer(_Edge):
    """A person as the shop knows them. `notes` names what was given but could not be used, never the value.

    `notes` are ours alone: what a sender puts there is about a person in somebody's own words, and goes no further.

    `locale` None is one that was not said or means nothing, so that a known one stays. `region` is the part of ISO
    3166-2 after the hyphen (`CA` of `US-CA`), taken with its country in front, too; what is none becomes None.
    """

    customer_id: Identifier | None = None
    email: str | None = None
    phone: str | None = None
    first_name: Annotated[str, one_line(NAME_LENGTH)] = ""
    locale: Annotated[str | None, BeforeValidator(cleaning.locale)] = None
    time_zone: str | None = None
    country: Annotated[str | None, BeforeValidator(cleaning.country)] = None
    region: Annotated[str | None, BeforeValidator(_region)] = None
    consent: Consent = Consent()
    orders_count: int | None = None
    notes: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _usable(cls, given: Any, info: ValidationInfo) -> Any:
        """Turn what cannot be used into None, and note that it was there."""
        if not isinstance(given, Mapping):
            return given
        count, zone = given.get("orders_count"), given.get("time_zone")
        usable = {
            "email": cleaning.email(given.get("email")),
            "phone": cleaning.phone(given.get("phone"), cleaning.country(given.get("country"))),
            "time_zone": zone if isinstance(zone, str) and is_zone(zone) else None,
        }
        notes = [f"{name}_invalid" for name, value in usable.items() if value is None and _said(given.get(name))]
        # Read back from the inbox, where the values themselves are gone; a sender has no say in it.
        outside, before = isinstance(info.context, Reading), given.get("notes")
        known = {f"{name}_invalid" for name in usable}
        told = before if isinstance(before, list | tuple) and not outside else ()
        kept = [note for note in told if isinstance(note, str) and note in known]
        return {
            **given,
            **usable,
            "customer_id": given.get("customer_id") or None,
            "consent": given.get("consent") or Consent(),
            "orders_count": count if isinstance(count, int) and 0 <= count < 10**9 else None,
            "notes": tuple(dict.fromkeys([*kept, *notes])),
        }

    def identified(self, order_id: str, secret_key: str) -> Self:
        """This customer with an id: a guest's is derived from the e-mail address, or else from the order.

        Keyed with the secret, so that the id, which workflows may show, does not give the address away.
        """
        if self.customer_id:
            return self
        if self.email is None:
            return self.model_copy(update={"customer_id": f"guest-order-{order_id}"})
        digest = hmac.new(secret_key.encode(), self.email.lower().encode(), hashlib.sha256).hexdigest()
        return self.model_copy(update={"customer_id": f"guest-{digest[:16]}"})


class Line(_Edge):
    """One line of an order; `unit_price` in the order's currency. SKUs and categories are the shop's own words.

    `access_url` and `access_key` open what is digital; a link is `http` or `https`.
    """

    sku: Identifier
    title: Annotated[str, one_line(TITLE_LENGTH)] = ""
    quantity: int = Field(ge=1, le=1_000_000)
    unit_price: Amount
    category: Category = None
    kind: Annotated[LineKind, BeforeValidator(lower), EXACT] = LineKind.PHYSICAL
    variant: Variant = None
    image_url: WebAddress = None
    product_url: WebAddress = None
    access_url: WebAddress = None
    access_key: AccessKey = None
    gift: bool = False
    subscription: bool = False


Lines = Annotated[tuple[Line, ...], BeforeValidator(_lines), Field(min_length=1, max_length=MAX_LINES)]
LinesLeft = Annotated[tuple[Line, ...], BeforeValidator(_lines), Field(max_length=MAX_LINES)]
Replaces = Annotated[
    str | None,
    BeforeValidator(lambda value: cleaning.plain(str(value), ID_LENGTH) if type(value) in {int, str} else None),
]


class _OrderEvent(_Edge):
    """Something about an order; a `test` is about one that nobody means."""

    at: Moment
    shop: Shop
    order_id: OrderId
    test: bool = False

    @property
    def subject(self) -> str:
        """What the inbox keeps the order of events for: `order:{shop}:{order_id}`."""
        return f"order:{self.shop}:{self.order_id}"


class OrderCreated(_OrderEvent):
    """An order was placed, `at` that moment. `number` is what the shop shows of it, None where that is its id.

    `email` and `phone` are those given for this order, None where they are the customer's own, or none were said.
    `replaces` is the order that it was made to replace, empty where only that is known; None for one that was bought.
    `estimated_delivery` is the shop's own word at checkout, a day or a window of days. `sums` is what the total is made
    of, in the currency that the customer paid in.
    """

    type: Literal["order.created"] = "order.created"
    number: OrderNumber = None
    channel: Channel = "online"
    currency: Currency
    total: Amount
    customer: Annotated[Customer, BeforeValidator(lambda value: value or Customer())] = Customer()
    email: Email = None
    phone: Phone = None
    lines: Lines
    replaces: Annotated[Replaces, TELLING] = None
    delivery: Delivery = Delivery()
    estimated_delivery: Promise | None = None
    sums: SaidSums | None = None


class OrderEdited(_OrderEvent):
    """The order as it stands since `at`; without lines nothing is left of it, and no parcel is to come.

    `number`, `email` and `phone`, those of this order, say nothing where they are None.
    """

    type: Literal["order.edited"] = "order.edited"
    number: OrderNumber = None
    email: Email = None
    phone: Phone = None
    currency: Annotated[Currency | None, EXACT] = None
    total: Amount
    lines: LinesLeft
    sums: SaidSums | None = None


class OrderCancelled(_OrderEvent):
    """The order was called off."""

    type: Literal["order.cancelled"] = "order.cancelled"


class OrderRefunded(_OrderEvent):
    """Money went back, or is to; `full` when the shop says that with it all of it did.

    `units` is what it is of, where the shop says so. `status` is `pending` until the payment provider has confirmed it,
    and `failed` where it will not: after a payment only with when that was said, `said_at`. `currency` None is the
    order's. An `amount` of nothing that is `full` is a sum that nobody says.
    """

    type: Literal["order.refunded"] = "order.refunded"
    refund_id: Identifier
    amount: Amount
    currency: Annotated[Currency | None, EXACT] = None
    full: bool = False
    units: Units = ()
    status: Annotated[RefundStatus, EXACT] = "paid"
    said_at: Moment | None = None


class ReviewPosted(_OrderEvent):
    """A review of one line or the whole order, one to five stars."""

    type: Literal["review.posted"] = "review.posted"
    rating: int = Field(ge=1, le=5)
    sku: Identifier | None = None
    text: Annotated[str, one_line(TEXT_LENGTH)] = ""


class CustomerUpdated(_Edge):
    """A customer's data or consent as they stand since `at`; `customer.customer_id` is always there."""

    type: Literal["customer.updated"] = "customer.updated"
    at: Moment
    shop: Shop
    customer: Customer

    @property
    def subject(self) -> str:
        """What the inbox keeps the order of events for: `customer:{shop}:{customer_id}`."""
        return f"customer:{self.shop}:{self.customer.customer_id}"


OrderEvent = (
    OrderCreated
    | OrderEdited
    | OrderCancelled
    | OrderWithdrawn
    | OrderRefunded
    | ShipmentCreated
    | ShipmentCancelled
    | ReviewPosted
    | DeliveryDenied
    | RemedyChosen
)
Event = (
    OrderEvent
    | ShipmentUpdated
    | CustomerUpdated
    | OrderChanged
    | CustomerDataRequested
    | CustomerRedacted
    | ShopRedacted
    | MessageFeedback
)
_ANY: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])
_E = TypeVar("_E", bound=BaseModel)


def from_json(text: str) -> Event:
    """An event as the inbox kept it.

    Raises:
        pydantic.ValidationError: the row was written by hand, or by a newer version.
    """
    return _ANY.validate_json(text)


def to_json(event: Event) -> str:
    """An event as the inbox keeps it, when it reads back equal: what is accepted can be delivered.

    Raises:
        Malformed: it does not, or the database cannot keep it; names the field.
    """
    try:
        text = event.model_dump_json()
        back = _ANY.validate_json(text)
    except ValidationError as error:
        raise Malformed(unknown(error).removeprefix(f"{event.type}."), "cannot be kept") from None
    except PydanticSerializationError:
        raise Malformed("body", "cannot be kept") from None
    changed = [name for name in type(event).model_fields if getattr(back, name, None) != getattr(event, name)]
    if changed or back != event:
        raise Malformed(next(iter(changed), "body"), "cannot be kept as it is")
    if _NUL.search(text):
        raise Malformed("body", "must not hold the character U+0000")
    return text


def readable(text: str) -> bool:
    """Whether this version knows every word of an event that the inbox kept."""
    try:
        _ANY.validate_json(text)
    except ValidationError:
        return False
    return True


def unknown(error: ValidationError) -> str:
    """What of a kept event is not known here: the first field, and never its value, which may name a person."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return ".".join(str(part) for part in first["loc"]) or "type"


def build(
    model: type[_E], values: Mapping[str, Any], *, prefix: str = "", names: Mapping[str, str] | None = None
) -> _E:
    """An event from an adapter's values.

    Args:
        model: the event to build.
        values: its fields, as they came.
        prefix: what stands before a field in the sender's body, such as `data.`.
        names: the sender's words for our fields, where they differ.

    Every amount is rounded as its currency has it, see `store.money`. What nobody needs is lost alone where it is
    wrong, see `store.reading`.

    Raises:
        Malformed: names the first field that is wrong and cannot be done without, in the sender's words.
    """

    def named(*path: object) -> str:
        return (prefix + ".".join((names or {}).get(str(part), str(part)) for part in path)).rstrip(".")

    try:
        return in_currency(model.model_validate(values, context=Reading(values, named)))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise Malformed(named(*first["loc"]), first["msg"].removeprefix("Value error, ")) from None
