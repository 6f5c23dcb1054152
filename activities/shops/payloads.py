"""What shops' payloads have in common: forgiving fields, errors in the sender's own words, money and tills."""

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from store import cleaning
from store.fields import Malformed

# Many fields are null where a shop left them empty.
Text = Annotated[str | None, BeforeValidator(lambda value: value if isinstance(value, str) else None)]
"""A text, or None for whatever is none."""
Id = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) in {int, str} else value)]
"""An id as a text; platforms count in numbers."""
MaybeId = Annotated[str | None, BeforeValidator(lambda value: str(value) if type(value) in {int, str} else None)]
"""The same, or None for whatever is none."""
_WORD: Final = re.compile(r"[^a-z]+")
_P = TypeVar("_P", bound="Payload")


def _objects(value: object) -> object:
    """A list of objects; PHP writes one with gaps in its keys as an object, and an empty one as a text or null."""
    given = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return [one for one in given if isinstance(one, Mapping)]


Objects = Annotated[list[dict[str, Any]], BeforeValidator(_objects), Field(default_factory=list)]
"""Objects of any shape, whatever else stands between them left out."""


class Payload(BaseModel):
    """A part of a payload, with the sender's names; what nobody reads is left out."""

    model_config = ConfigDict(extra="ignore")


def read(model: type[_P], payload: Mapping[str, Any]) -> _P:
    """A payload as its model.

    Raises:
        Malformed: names the first field that is wrong, in the sender's words.
    """
    try:
        return model.model_validate(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise Malformed(where, first["msg"].removeprefix("Value error, ")) from None


def rounded(amount: Decimal, currency: str | None) -> Decimal:
    """An amount that the platform computed, in the currency's own units (ISO 4217), half up."""
    unit = Decimal(1).scaleb(-cleaning.minor_units((currency or "").upper()))
    return amount.quantize(unit, ROUND_HALF_UP)


def at_a_till(*origins: str | None) -> bool:
    """Whether one of the words for where an order comes from is a point of sale's: `pos` as a word of its own."""
    return any("pos" in _WORD.split(origin.lower()) for origin in origins if origin)
