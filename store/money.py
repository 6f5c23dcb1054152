"""Money as its currency has it: one rule, for every shop, every carrier and the canonical endpoint.

Half up, away from zero (`1.5` yen are 2, `-1.5` are -2): so shops' platforms themselves round prices and taxes for
print, and so does whoever adds up an invoice by hand. Half even would be fairer over thousands of sums; a message shows
one.
"""

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, TypeVar

from pydantic import BaseModel

from store import cleaning

_M = TypeVar("_M", bound=BaseModel)
_EXACT = Context(prec=60)
_DIGITS = 28


def rounded(amount: Decimal, currency: str | None) -> Decimal:
    """An amount in its currency's own units (ISO 4217), half up; two decimals where the currency is not known."""
    unit = Decimal(1).scaleb(-cleaning.minor_units((currency or "").upper()))
    return plain(amount.quantize(unit, ROUND_HALF_UP, _EXACT))


def plain(amount: Decimal) -> Decimal:
    """The same amount without an exponent and without a sign of zero, to 28 decimals at most."""
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and not -_DIGITS <= exponent <= 0:
        amount = amount.quantize(Decimal(1).scaleb(-_DIGITS if exponent < 0 else 0), ROUND_HALF_UP, _EXACT)
    return amount.copy_abs() if amount.is_zero() else amount


def in_currency(said: _M, currency: str | None = None) -> _M:
    """A thing with every amount in it rounded, those of its parts too.

    An amount is in the `currency` that stands beside it, else in that of what it is a part of. Where nobody says which,
    it stays as it is: whoever knows the order rounds it.
    """
    currency = getattr(said, "currency", None) or currency
    changed = {}
    for name in type(said).model_fields:
        value = getattr(said, name)
        other = _in_currency(value, currency)
        if other is not value:
            changed[name] = other
    return said.model_copy(update=changed) if changed else said


def _in_currency(value: Any, currency: str | None) -> Any:
    if isinstance(value, Decimal):
        return value if currency is None else rounded(value, currency)
    if isinstance(value, BaseModel):
        return in_currency(value, currency)
    if isinstance(value, tuple) and any(isinstance(one, BaseModel | Decimal) for one in value):
        return tuple(_in_currency(one, currency) for one in value)
    return value
