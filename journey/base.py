"""The one base class of the core's models, and the ids they share."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, NewType, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    ValidationInfo,
    model_validator,
)

from journey.authoring import published
from journey.durations import format_duration, parse_duration

ShopId = NewType("ShopId", str)
OrderId = NewType("OrderId", str)
CustomerId = NewType("CustomerId", str)
TrackingNumber = NewType("TrackingNumber", str)
TouchKey = NewType("TouchKey", str)
"""A touch, or `touch:subject` where one touch speaks about each parcel, problem or refund of an order."""


LONGEST = timedelta(days=3660)
"""No span of a playbook is longer: what lies further ahead is a slip of the pen, and would overflow a calendar."""


def _to_utc(moment: datetime) -> datetime:
    if moment.tzinfo is UTC:
        return moment
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("this moment lies outside of the calendar in UTC") from None


def _to_span(value: object) -> object:
    """Lengths are written with their unit; a bare number would be guessed at."""
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, timedelta):
        return value
    raise ValueError(f"{value!r} is not a length of time: write number and unit, such as 9d, 12h or 1d12h")


def _bounded(span: timedelta) -> timedelta:
    if not timedelta() <= span <= LONGEST:
        raise ValueError(f"{format_duration(span)} is out of bounds: from 0s to {format_duration(LONGEST)}")
    return span


Instant = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""A moment: aware on the way in (naive is refused), UTC once inside."""

Span = Annotated[
    timedelta,
    BeforeValidator(_to_span),
    AfterValidator(_bounded),
    PlainSerializer(format_duration, return_type=str),
]
"""A length of time, written `9d`, `12h`, `1d12h` in playbooks and payloads."""


_new, _set = object.__new__, object.__setattr__


class Frozen(BaseModel):
    """An immutable value that may travel between two versions of this code.

    A field that only the sender knows is passed over: refusing it would lose the whole fact, because a worker drops
    a signal it cannot read. What people write by hand is `Authored`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    def but(self, **changes: Any) -> Self:
        """A copy with these fields changed; the caller vouches for their types (no validation, for speed)."""
        # What `model_copy(update=…)` does, without the parts that models like these never need: it is the one
        # operation behind every fact that a journey takes in.
        copy = _new(type(self))
        _set(copy, "__dict__", {**self.__dict__, **changes})
        _set(copy, "__pydantic_fields_set__", self.__pydantic_fields_set__ | changes.keys())
        _set(copy, "__pydantic_extra__", None)
        _set(copy, "__pydantic_private__", None)
        return copy


class Authored(Frozen):
    """A value that people write. Unknown fields are refused, so that a misspelt one is never lost.

    So are those of a playbook that was published: a newer version wrote them, and by rules that a worker does not know
    it would decide otherwise than the next. Fields that meant something once and mean nothing now are `retired`: such
    a playbook may still have them, and they are passed over.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    retired: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _without_retired(cls, given: Any, info: ValidationInfo) -> Any:
        if not cls.retired or not published(info) or not isinstance(given, Mapping):
            return given
        return {name: value for name, value in given.items() if name not in cls.retired}


def workflow_id(shop: str, order_id: str) -> str:
    """The id of an order's journey: `order:{shop}:{order_id}`, the same for every process."""
    return f"order:{shop}:{order_id}"


def order_of(name: str) -> tuple[str, str] | None:
    """Shop and order id of a journey's `workflow_id`; None where it is none. A shop has no colon in it."""
    kind, _, order = name.partition(":")
    shop, _, order_id = order.partition(":")
    return (shop, order_id) if kind == "order" and shop and order_id else None


def cut(text: str, most: int = 200) -> str:
    """The text, or as much of its beginning as fits in `most` bytes of UTF-8.

    Temporal refuses a summary above 400 bytes and details above 20,000, and with it the whole task.
    """
    return text.encode()[:most].decode(errors="ignore")
