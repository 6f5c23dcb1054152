"""The fields of canonical events: each takes what a sender wrote and keeps it in one form, or says what is wrong."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from store import cleaning
from store.money import plain
from store.reading import listed

ID_LENGTH = 200
# In bytes of UTF-8: together they name a workflow, a Message-ID and a link, whose limits are in bytes.
SHOP_BYTES = 60
ORDER_ID_BYTES = 180
NAME_LENGTH = 100
NUMBER_LENGTH = 64
TITLE_LENGTH = 300
TEXT_LENGTH = 5000
_YEARS = range(1970, 2201)
_EARLIEST, _LATEST = 1, 9999  # at the ends of the calendar there is no other zone to go to
_PAIR = 2
_MOST_UNITS = 1_000_000


def identifier(value: object) -> str:
    """A name by which others know something: a text, or a number as one, of 200 printable characters at most.

    Raises:
        ValueError: it is none.
    """
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not text.strip():
        raise ValueError("must be a non-empty text")
    text = text.strip()
    if len(text) > ID_LENGTH or not text.isprintable():
        raise ValueError(f"must be at most {ID_LENGTH} printable characters")
    return text


def _shop(value: object) -> str:
    # A workflow is `order:{shop}:{order_id}`, operators and providers say `{shop}/{order_id}`: without these two in
    # the shop no two orders can share a name.
    text = _at_most(SHOP_BYTES, identifier(value))
    if ":" in text or "/" in text:
        raise ValueError("must not contain a colon or a slash")
    return text


def _order_id(value: object) -> str:
    return _at_most(ORDER_ID_BYTES, identifier(value))


def _at_most(size: int, text: str) -> str:
    if len(text.encode()) > size:
        raise ValueError(f"must be at most {size} bytes of UTF-8")
    return text


def moment(value: object) -> datetime:
    """A moment in UTC, from ISO 8601 with an offset.

    Raises:
        ValueError: it is none, or of a year that nobody means.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("must be a date and time in ISO 8601") from None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError("must be a date and time with its offset from UTC")
    # The year in UTC, as it is kept: 1970 began in Paris while it still was 1969 there.
    at = value.astimezone(UTC) if _EARLIEST < value.year < _LATEST else None
    if at is None or at.year not in _YEARS:
        raise ValueError(f"must lie in the years {_YEARS.start} to {_YEARS.stop - 1}")
    return at


def day(value: object) -> date | None:
    """A day, from a date or from one with a time of day; None for none.

    Raises:
        ValueError: it is none, or of a year that nobody means.
    """
    if value is None or type(value) is date:
        return value
    try:
        # Some senders write the day with a time of day, which says nothing about the delivery.
        found = date.fromisoformat(str(value)[:10])
    except ValueError:
        raise ValueError("must be a date, YYYY-MM-DD") from None
    if found.year not in _YEARS:
        raise ValueError(f"must lie in the years {_YEARS.start} to {_YEARS.stop - 1}")
    return found


def _amount(value: object) -> object:
    # A truth is no sum, though Python counts with it.
    if isinstance(value, bool):
        raise ValueError("must be an amount")  # noqa: TRY004  # pydantic's own word for a wrong value
    return value


def _currency(value: object) -> str:
    code = value.strip().upper() if isinstance(value, str) else ""
    if not cleaning.is_currency(code):
        raise ValueError("must be an ISO 4217 currency code")
    return code


def one_line(cap: int) -> BeforeValidator:
    """Text of one line, cut at `cap` characters; whatever is no text becomes empty."""
    return BeforeValidator(lambda value: cleaning.plain(value, cap) if isinstance(value, str) else "")


def _skus(value: object) -> object:
    """What is in a parcel: SKUs, or lines that have one."""
    value = listed(value)
    if not isinstance(value, list | tuple):
        return value
    return [item.get("sku") if isinstance(item, Mapping) else item for item in value] or None


def _units(value: object) -> object:
    """How many of which SKU: lines with `sku` and `quantity`, one entry for each SKU; empty where that is not clear.

    What cannot be read is not guessed: whoever needs the units asks a person then.
    """
    counted: dict[str, int] = {}
    value = listed(value)
    for item in value if isinstance(value, list | tuple) else ():
        pair = (item.get("sku"), item.get("quantity")) if isinstance(item, Mapping) else item
        sku, quantity = pair if isinstance(pair, list | tuple) and len(pair) == _PAIR else (None, None)
        try:
            name = identifier(sku if isinstance(sku, str) else None)
        except ValueError:
            return ()
        if type(quantity) is not int or not 0 < quantity < _MOST_UNITS - counted.get(name, 0):
            return ()
        counted[name] = counted.get(name, 0) + quantity
    return tuple(sorted(counted.items()))


def _order_number(value: object) -> str | None:
    """What a shop calls an order, as one line; one that is cut would be another, so it is not cut."""
    text = str(value) if type(value) is int else value
    if value is None:
        return None
    found = cleaning.plain(text, NUMBER_LENGTH + 1) if isinstance(text, str) else ""
    if not found or len(found) > NUMBER_LENGTH:
        raise ValueError(f"must be a text of at most {NUMBER_LENGTH} characters")
    return found


def _email(value: object) -> str | None:
    found = cleaning.email(value)
    if value is not None and found is None:
        raise ValueError("must be an e-mail address")
    return found


def _phone(value: object, info: ValidationInfo) -> str | None:
    # A number without its country's code is one of the customer's country.
    found = cleaning.phone(value, getattr(info.data.get("customer"), "country", None))
    if value is not None and found is None:
        raise ValueError("must be a telephone number, with its country's code")
    return found


def lower(value: object) -> object:
    """One of our own words, however it is written."""
    return value.strip().lower() if isinstance(value, str) else value


def _optional(value: object) -> str | None:
    return (cleaning.plain(value, NAME_LENGTH) or None) if isinstance(value, str) else None


def named(value: object) -> str:
    """Who says something: a text.

    Raises:
        ValueError: it is none.
    """
    text = _optional(value)
    if text is None:
        raise ValueError("must be a text")
    return text


RefundStatus = Annotated[Literal["paid", "pending", "failed"], BeforeValidator(lower)]
Identifier = Annotated[str, BeforeValidator(identifier)]
OrderId = Annotated[str, BeforeValidator(_order_id)]
Email = Annotated[str | None, BeforeValidator(_email)]
Phone = Annotated[str | None, BeforeValidator(_phone)]
OrderNumber = Annotated[str | None, BeforeValidator(_order_number)]
Shop = Annotated[str, BeforeValidator(_shop)]
Moment = Annotated[datetime, BeforeValidator(moment)]
Day = Annotated[date | None, BeforeValidator(day)]
Currency = Annotated[str, BeforeValidator(_currency)]
Amount = Annotated[Decimal, BeforeValidator(_amount), Field(ge=0, lt=10**12), AfterValidator(plain)]
Word = Annotated[str | None, BeforeValidator(_optional)]
Channel = Annotated[str, BeforeValidator(lambda value: _optional(value) or "online")]
Skus = Annotated[tuple[Identifier, ...] | None, BeforeValidator(_skus)]
Units = Annotated[tuple[tuple[str, int], ...], BeforeValidator(_units)]
Category = Annotated[
    str | None, BeforeValidator(lambda value: _optional(value.lower()) if isinstance(value, str) else None)
]
"""The shop's word in lower case, as playbooks write it."""
