"""The filters there are, each with its work counted, and none that would lead out or grow a text without bound.

Left out of Jinja's own: `attr` and `xmlattr` (they read or write names), `pprint`, `random` (another answer each time),
`striptags` and `urlize` (they take long with texts made for it), `groupby`.
"""

from collections.abc import Callable, Iterator
from types import GeneratorType
from typing import Any, Final

from jinja2 import pass_environment
from jinja2.environment import Environment
from jinja2.filters import FILTERS, make_attrgetter
from jinja2.utils import _PassArg

from journey.sandbox.work import TooMuchError, check_format, kept, metered, most, plus, spend, weigh

# What comes of these is what went in, or a part of it, in an order.
_SAME: Final = (
    *("select", "selectattr", "reject", "rejectattr", "sort", "unique", "list", "reverse", "first", "last"),
    *("min", "max", "items", "dictsort", "default", "d", "length", "count"),
)
# What comes of these is at most some times as long as what went in.
_LINEAR: Final = (
    *("abs", "capitalize", "e", "escape", "filesizeformat", "float", "forceescape", "int", "lower", "map", "safe"),
    *("string", "title", "trim", "truncate", "upper", "urlencode", "wordcount"),
)
_GROWING: Final = ("batch", "center", "indent", "join", "replace", "slice", "tojson", "wordwrap")
_DIGITS: Final = 50


def filters() -> dict[str, Callable[..., Any]]:
    """The filters of a sandbox by name."""
    found: dict[str, Callable[..., Any]] = {name: _same(FILTERS[name]) for name in _SAME}
    found |= {name: paid(FILTERS[name]) for name in _LINEAR}
    found |= {name: _bounded(name, FILTERS[name]) for name in _GROWING}
    return found | {"sum": _sum, "round": _round, "format": paid(_format)}


def paid(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter whose result is paid for by its weight."""
    at = _given(function)

    def filtered(*args: Any, **kwargs: Any) -> Any:
        spend(weigh(args[at:]))
        found = function(*args, **kwargs)
        if type(found) is str:
            spend(len(found))
            return found
        if type(found) is GeneratorType:
            return _weighed(found)
        spend(weigh(found))
        return found

    return _as(function, filtered)


def _weighed(values: Any) -> Any:
    for one in values:
        spend(weigh(one))
        yield one


def _same(function: Callable[..., Any]) -> Callable[..., Any]:
    at = _given(function)

    def filtered(*args: Any, **kwargs: Any) -> Any:
        value = args[at] if len(args) > at else None
        spend(len(value) + 4 if isinstance(value, str | list | tuple | dict) else 4)
        found = function(*args, **kwargs)
        return metered(found) if isinstance(found, Iterator) else found

    return _as(function, filtered)


def _bounded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter whose result may be as long as its value times its longest argument: refused before it is made."""
    dues = paid(function)
    at = _given(function)

    def filtered(*args: Any, **kwargs: Any) -> Any:
        given = list(args[:at])
        value = list(args[at]) if type(args[at]) is GeneratorType else args[at]
        others = (*args[at + 1 :], *kwargs.values())
        factor = max((_size(one, numbers=name != "wordwrap") for one in others), default=1)
        most(weigh(value) * max(factor, 4))
        return dues(*given, value, *args[at + 1 :], **kwargs)

    return _as(function, filtered)


def _size(value: object, *, numbers: bool) -> int:
    if isinstance(value, int):
        return abs(value) if numbers else 1
    return weigh(value) - 4 if value is not None else 1


@pass_environment
def _sum(environment: Environment, iterable: Any, attribute: str | int | None = None, start: Any = 0) -> Any:
    read = None if attribute is None else make_attrgetter(environment, attribute)
    total = start
    for one in iterable:
        total = plus(total, one if read is None else read(one))
    return total


def _round(value: Any, precision: int = 0, method: Any = "common") -> Any:
    if abs(precision) > _DIGITS:
        raise TooMuchError(f"a number is rounded to at most {_DIGITS} digits")
    return kept(FILTERS["round"](value, precision, method))


def _format(value: Any, *args: Any, **kwargs: Any) -> Any:
    check_format(str(value))
    most(len(str(value)) * 100 + weigh([*args, *kwargs.values()]))
    return FILTERS["format"](value, *args, **kwargs)


def _given(function: Callable[..., Any]) -> int:
    """How many arguments Jinja puts before the value."""
    return 0 if _PassArg.from_obj(function) is None else 1


def _as(function: Callable[..., Any], filtered: Callable[..., Any]) -> Callable[..., Any]:
    """The new function, called by Jinja as the old one was."""
    wanted = _PassArg.from_obj(function)
    if wanted is not None:
        filtered.jinja_pass_arg = wanted  # type: ignore[attr-defined]  # as Jinja's own decorators do
    return filtered
