"""Work, counted: how much a template or a condition may do, by its doings and not by the clock.

The same words and the same data cost the same on every machine and in every replay. A unit is about a character
written; whatever is done costs a few more.
"""

import operator
import re
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from decimal import Decimal
from types import GeneratorType
from typing import Any, Final

from jinja2 import Undefined
from jinja2.exceptions import SecurityError
from markupsafe import Markup

from journey.sandbox.plain import SCALARS

MESSAGE: Final = 10_000_000
"""What one part of a message may cost: some hundred times what an ordinary mail does."""
CONDITION: Final = 1_000_000
"""What one condition may cost."""
DOING: Final = 4
"""What anything costs at least."""
LARGEST: Final = 1_000_000
"""The longest text, in characters, and the longest list that may come of one operation."""
_BITS: Final = 4096
_EXPONENT: Final = 1000
# %s, %d, %.2f, %(name)s: a width or a precision of at most two digits, and none that an argument gives.
_FORMAT = re.compile(r"%(?:%|(?:\(\w{1,64}\))?[-+ #0]{0,5}\d{0,2}(?:\.\d{0,2})?[sdifFeEgGxXoc])")
_left: ContextVar[list[int] | None] = ContextVar("left", default=None)


class TooMuchError(SecurityError):
    """More work than anything honest needs."""


class counted:  # noqa: N801  read as a word: `with counted(MESSAGE):`
    """Let what runs inside cost this many units altogether; it raises `TooMuchError` beyond that."""

    __slots__ = ("_token", "_units")

    def __init__(self, units: int) -> None:
        self._units = units

    def __enter__(self) -> None:
        self._token = _left.set([self._units])

    def __exit__(self, *_: object) -> None:
        _left.reset(self._token)


def spend(units: int) -> None:
    """Take this from what is left.

    Raises:
        TooMuchError: there is not as much left, or nobody counts.
    """
    left = _left.get()
    if left is None:
        raise TooMuchError("nobody counts the work of this template: run it inside of `counted`")
    if type(units) is not int or units < 0:
        raise TooMuchError("nothing gives work back")
    left[0] -= units
    if left[0] < 0:
        raise TooMuchError("it does more than a message needs: look for a loop in a loop, or for a text that grows")


def weigh(value: object) -> int:
    """What a value comes to when it is written out, in characters and parts, counted through everything inside.

    Raises:
        TooMuchError: it is too large.
        SecurityError: it is no plain value.
    """
    total, stack = 0, [value]
    while stack:
        one: Any = stack.pop()
        kind = type(one)
        total += DOING
        if kind is str or kind is Markup:
            total += len(one)
        elif kind is dict:
            stack.extend(one.keys())
            stack.extend(one.values())
        elif kind is list or kind is tuple:
            stack.extend(one)
        else:
            _check_single(one, kind)
        if total + len(stack) > MESSAGE:
            raise TooMuchError("a value is larger than any message needs")
    return total


def _check_single(one: Any, kind: type) -> None:
    if kind is int and one.bit_length() > _BITS:
        raise TooMuchError("a number has more than a thousand digits")
    if kind is Decimal and one.is_finite() and abs(one.adjusted()) > _EXPONENT:
        raise TooMuchError("a number has more than a thousand digits")
    if kind not in SCALARS and kind is not GeneratorType and not isinstance(one, Undefined):
        raise SecurityError(f"a {kind.__name__} is no value that can be used here")


def kept(value: Any) -> Any:
    """The value, its weight paid for."""
    spend(weigh(value))
    return value


def most(size: int) -> None:
    """Refuse a result of this size before it is made, and pay for it.

    Raises:
        TooMuchError: it is too large.
    """
    if size > LARGEST:
        raise TooMuchError(f"a text or a list of more than {LARGEST} characters or entries")
    spend(max(size, DOING))


def metered(values: Iterable[Any]) -> Iterator[Any]:
    """The values one by one, each paid for when it is taken."""
    for one in values:
        spend(DOING)
        yield one


def _sized(value: object) -> bool:
    return isinstance(value, str | list | tuple)


def plus(left: Any, right: Any) -> Any:
    """Add, a text or a list only as far as the result is not too long."""
    if _sized(left) and _sized(right):
        most(len(left) + len(right))
        return operator.add(left, right)
    return kept(operator.add(left, right))


def times(left: Any, right: Any) -> Any:
    """Multiply, a text or a list only as far as the result is not too long."""
    for one, other in ((left, right), (right, left)):
        if _sized(one) and isinstance(other, int):
            # Weighed with all that is inside, so that lists of lists do not grow unseen.
            most(weigh(one) * max(other, 0))
    return kept(operator.mul(left, right))


def power(left: Any, right: Any) -> Any:
    """Raise a number to a power of at most a thousand digits."""
    bits = left.bit_length() if isinstance(left, int) else 1
    largest = _BITS if isinstance(left, int) else _EXPONENT
    if isinstance(right, int | Decimal | float) and bits * abs(float(right)) > largest:
        raise TooMuchError("a power has more than a thousand digits")
    return kept(operator.pow(left, right))


def remainder(left: Any, right: Any) -> Any:
    """The remainder of a division; for a text, fill in its places, none of them wider than two digits say."""
    if isinstance(left, str):
        check_format(left)
        most(len(left) * 100 + weigh(right))
    return kept(operator.mod(left, right))


def check_format(text: str) -> None:
    """Refuse a text with a place that may become very wide.

    Raises:
        TooMuchError: naming the rule.
    """
    if "%" in _FORMAT.sub("", text):
        raise TooMuchError("a place in a text takes at most two digits for its width: '%5d', '%.2f', '%s'")
