"""Conditions of touches: sandboxed Jinja expressions over order, customer and journey.

What a condition can read is what `Circumstances` holds; nothing else exists for it. Its work is counted, so that it
ends the same way in every replay.
"""

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from jinja2 import StrictUndefined, TemplateError
from jinja2.environment import TemplateExpression

from journey.sandbox import CONDITION, Sandbox, counted

_ENVIRONMENT = Sandbox(undefined=StrictUndefined)
_ENVIRONMENT.globals.clear()


class OrderView(NamedTuple):
    """`order.…` in a condition; `country` is empty when unknown."""

    total: Decimal
    currency: str
    country: str
    channel: str
    categories: tuple[str, ...]
    skus: tuple[str, ...]
    digital: bool
    physical: bool
    items: int


class CustomerView(NamedTuple):
    """`customer.…` in a condition."""

    first_time: bool
    repeat: bool


class JourneyView(NamedTuple):
    """`journey.…` in a condition; `rating` is 0 until there is a review."""

    parcels: int
    refunded: bool
    reviewed: bool
    rating: int
    delayed: bool
    remedied: bool = False


class DeliveryView(NamedTuple):
    """`delivery.…` in a condition: the lines of the parcels it speaks about, else all of the order's."""

    categories: tuple[str, ...]
    skus: tuple[str, ...]


class Circumstances(NamedTuple):
    """All that a condition can read."""

    order: OrderView
    customer: CustomerView
    journey: JourneyView
    delivery: DeliveryView


SAMPLE = Circumstances(
    OrderView(Decimal(79), "EUR", "DE", "online", ("fitness",), ("YM-1",), digital=False, physical=True, items=1),
    CustomerView(first_time=True, repeat=False),
    JourneyView(parcels=1, refunded=False, reviewed=False, rating=5, delayed=False),
    DeliveryView(categories=("fitness",), skus=("YM-1",)),
)


class ConditionError(ValueError):
    """A condition that does not compile or reads what does not exist."""


_FAULTS = (
    *(TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError),
    *(RecursionError, MemoryError, SyntaxError),
)
_SHOWN = 400


@lru_cache(maxsize=1024)
def _compiled(condition: str) -> TemplateExpression:
    return _ENVIRONMENT.compile_expression(condition, undefined_to_none=False)


def holds(condition: str, circumstances: Circumstances) -> bool:
    """Whether the condition is true.

    Raises:
        ConditionError: it reads something that does not exist, or does what cannot be done with it.
    """
    views: Mapping[str, Any] = {name: view._asdict() for name, view in circumstances._asdict().items()}
    try:
        with counted(CONDITION):
            return bool(_compiled(condition)(**views))
    except _FAULTS as error:
        raise ConditionError(f"condition {_shown(condition)}: {error}") from error


def _shown(condition: str) -> str:
    return repr(condition if len(condition) <= _SHOWN else condition[:_SHOWN] + "…")


def check_condition(condition: str) -> None:
    """Refuse a condition that does not compile, or fails on a sample order.

    Raises:
        ConditionError: with what is wrong and what can be read.
    """
    try:
        holds(condition, SAMPLE)
    except (TemplateError, ConditionError) as error:
        known = ", ".join(f"{name}.{field}" for name, view in SAMPLE._asdict().items() for field in view._fields)
        raise ConditionError(f"{error}; a condition can read {known}") from error
