"""Plain data: all that a sandbox is ever given."""

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from pydantic import BaseModel

SCALARS: Final = frozenset({str, int, float, bool, type(None), Decimal, date, datetime, time})
"""Types whose values hold nothing but themselves. A subclass of one is none of them."""


class NotPlainError(TypeError):
    """A value that no template may hold; the text names its type, never the value."""


def plain(value: object) -> Any:  # noqa: PLR0911  one a type
    """Copy a value as dicts, lists, texts, numbers and moments.

    Models, named tuples and other mappings become dicts, sets and tuples lists, members of an enumeration what they
    stand for. Whatever a text says of itself (`Markup`) is dropped: it is a text.

    Raises:
        NotPlainError: there is something else in it.
    """
    kind = type(value)
    if kind in SCALARS:
        return value
    if kind is dict:
        # Said in full here, because it is what nearly everything is.
        return {
            key if type(key) is str else _key(key): one if type(one) in SCALARS else plain(one)
            for key, one in value.items()  # type: ignore[attr-defined]  # it is a dict
        }
    if kind is list:
        return [plain(one) for one in value]  # type: ignore[attr-defined]  # it is a list
    match value:
        case Enum():
            return plain(value.value)
        case str():
            return str.__str__(value)
        case BaseModel():
            return plain(value.model_dump(mode="json"))
        case Mapping():
            return {_key(key): plain(one) for key, one in value.items()}
        case tuple() if hasattr(value, "_asdict"):
            return plain(value._asdict())
        case list() | tuple() | set() | frozenset():
            return [plain(one) for one in value]
    raise NotPlainError(f"a {kind.__name__} is no plain data: give texts, numbers, moments, lists and mappings of them")


def _key(key: object) -> Any:
    if type(key) in SCALARS:
        return key
    return plain(key)
