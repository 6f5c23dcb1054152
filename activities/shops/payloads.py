"""What shops' payloads have in common: one base, lenient field types, errors in the sender's own words, and tills.

A field without a default is one that the journey cannot do without: an order's id, a refund's id and sum, what a
fulfilment is of. Everything else has a default that is right without it, and falls back to it (`store.reading`).
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from store import cleaning
from store.fields import ID_LENGTH, TEXT_LENGTH, day, identifier, moment
from store.money import rounded
from store.reading import Lenient, Malformed, Many, Reading, blank, listed

__all__ = [
    "ALL_BACK",
    "At",
    "Code",
    "Count",
    "Estimate",
    "Id",
    "Many",
    "MaybeId",
    "Objects",
    "Payload",
    "Text",
    "Whole",
    "Written",
    "at",
    "at_a_till",
    "code",
    "lost_alone",
    "read",
    "read_each",
    "rounded",
    "says_gift",
    "text",
    "written",
]

ALL_BACK: Final = "all"
"""The id of a refund that a shop's order only says has been: all was paid back, and nobody says how much that was."""
_MOST: Final = 1_000_000
_WORD: Final = re.compile(r"[^a-z]+")
_GIFT: Final = re.compile(r"_*gift(?![a-z])(?!.?card)", re.IGNORECASE)
_NO: Final = frozenset({"", "0", "no", "false", "none", "off", "nein", "non"})
_P = TypeVar("_P", bound=Lenient)


def text(value: object) -> str | None:
    """A text without control characters, or None for whatever is none."""
    if not isinstance(value, str):
        return None
    return (value if value.isprintable() else cleaning.plain(value, TEXT_LENGTH)).strip() or None


def _code(value: object) -> str:
    return identifier(cleaning.plain(value, ID_LENGTH + 1) if isinstance(value, str) else value)


def code(value: object) -> str | None:
    """An SKU, a tracking number or an id as one printable line, or None for whatever is none."""
    try:
        return _code(value)
    except ValueError:
        return None


def written(value: object) -> str | None:
    """What somebody typed, line ends and all, or a number as a text; None for whatever is neither, or blank."""
    found = str(value) if type(value) is int else value
    return found if isinstance(found, str) and found.strip() and len(found) <= TEXT_LENGTH else None


def _written(value: object) -> str:
    found = written(value)
    if found is None:
        raise ValueError("must be a text")
    return found


def _at(value: str) -> str:
    moment(value)
    return value


def _estimate(value: str) -> str:
    day(value)
    return value


def _whole(value: object) -> object:
    """What is sold by the metre or the kilogram has quantities in between; the next whole one stands for it."""
    if isinstance(value, bool):
        raise ValueError("must be a number")  # noqa: TRY004  # pydantic's own word for a wrong value
    if isinstance(value, str):
        value = float(value) if len(value) < ID_LENGTH else value
    return math.ceil(value) if isinstance(value, float) and math.isfinite(value) else value


def _objects(value: object) -> object:
    found = listed(value)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list | tuple) else []


Text = Annotated[str | None, BeforeValidator(text)]
"""A text without control characters, or None for whatever is none."""
Id = Annotated[str, BeforeValidator(identifier)]
"""An id as a text; platforms count in numbers."""
Code = Annotated[str, BeforeValidator(_code)]
"""An SKU, or the number by which a carrier's service knows a parcel."""
Written = Annotated[str, BeforeValidator(_written)]
"""A tracking number, or several, as somebody typed them: see `journey.numbers`."""
MaybeId = Annotated[str | None, BeforeValidator(code)]
"""The same or an id, or None for whatever is none."""
At = Annotated[str, AfterValidator(_at)]
"""A moment with its offset, as it was written."""
Estimate = Annotated[str, AfterValidator(_estimate)]
"""A day, with or without a time of day, as it was written."""
Whole = Annotated[int, BeforeValidator(_whole), Field(ge=-_MOST, le=_MOST)]
"""A whole number that somebody may have counted."""
Count = Annotated[Whole, Field(ge=0)]
"""The same, from nought."""
Objects = Annotated[list[dict[str, Any]], BeforeValidator(_objects), Field(default_factory=list)]
"""Objects of any shape, whatever else stands between them left out."""


class Payload(Lenient):
    """A part of a payload, with the sender's names; what nobody reads is left out."""


def read(model: type[_P], payload: object, *, prefix: str = "") -> _P:
    """A payload as its model.

    Args:
        model: what it should be.
        payload: what came.
        prefix: what stands before its fields in the sender's body, such as `data.`.

    Raises:
        Malformed: names the first field that is wrong and cannot be done without, in the sender's words.
    """

    def named(*path: object) -> str:
        return (prefix + ".".join(map(str, path))).removesuffix(".") or "body"

    try:
        return model.model_validate(payload, context=Reading(payload, named))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise Malformed(named(*first["loc"]), first["msg"].removeprefix("Value error, ")) from None


def read_each(model: type[_P], given: Sequence[object], name: str) -> list[_P]:
    """Each of an answer's objects under `name`; one that cannot be read is lost alone."""
    found = []
    reading = Reading(given, lambda *path: ".".join(map(str, (name, *path))))
    for position, one in enumerate(given):
        if blank(one):
            continue
        try:
            found.append(read(model, one, prefix=f"{name}.{position}."))
        except Malformed:
            reading.lose(given, position)
    return found


def at(value: object) -> datetime | None:
    """A moment in UTC, or None for whatever is none."""
    try:
        return moment(value)
    except ValueError:
        return None


@contextmanager
def lost_alone(name: str) -> Iterator[None]:
    """What cannot be made of one of several parts costs that part alone, and is noted."""
    try:
        yield
    except Malformed as error:
        Reading(None, lambda *path: ".".join(map(str, path))).lose(None, name, error.field)


def says_gift(name: str | None, value: str | None) -> bool:
    """Whether a field of a line's own says that it is wrapped, or what to write on its card: `gift_note`, `_gift`."""
    return bool(_GIFT.match(name or "")) and (value or "").strip().lower() not in _NO


def at_a_till(*origins: str | None) -> bool:
    """Whether one of the words for where an order comes from is a point of sale's: `pos` as a word of its own."""
    return any("pos" in _WORD.split(origin.lower()) for origin in origins if origin)
