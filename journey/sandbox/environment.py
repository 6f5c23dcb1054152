"""The sandbox: Jinja that reads listed attributes of listed types, and counts what it does."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from types import BuiltinMethodType, MethodType
from typing import Any, Final

from jinja2 import Undefined
from jinja2.environment import TemplateModule
from jinja2.exceptions import SecurityError
from jinja2.runtime import BlockReference, Context, LoopContext, Macro, TemplateReference
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS
from jinja2.utils import Namespace
from markupsafe import Markup

from journey.sandbox.counting import JOIN, SEEK, SPEND, TAKE, WEIGH, Counting, joined
from journey.sandbox.filters import filters
from journey.sandbox.plain import SCALARS
from journey.sandbox.work import DOING, TooMuchError, kept, most, plus, power, remainder, spend, times, weigh

_TEXT: Final = frozenset(
    {
        *("capitalize", "casefold", "count", "endswith", "find", "index", "isalnum", "isalpha", "isascii", "isdecimal"),
        *("isdigit", "islower", "isnumeric", "isspace", "istitle", "isupper", "join", "lower", "lstrip", "partition"),
        *("removeprefix", "removesuffix", "replace", "rfind", "rindex", "rpartition", "rsplit", "rstrip", "split"),
        *("splitlines", "startswith", "strip", "swapcase", "title", "upper"),
    }
)
_DAY: Final = frozenset({"year", "month", "day", "weekday", "isoweekday", "isoformat"})
_CLOCK: Final = frozenset({"hour", "minute", "second", "isoformat"})
_LOOP: Final = frozenset(
    {
        *("index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0"),
        *("previtem", "nextitem", "cycle", "changed"),
    }
)
READABLE: Final[Mapping[type, frozenset[str]]] = {
    str: _TEXT,
    Markup: _TEXT,
    list: frozenset({"index", "count"}),
    tuple: frozenset({"index", "count"}),
    dict: frozenset({"get", "items", "keys", "values"}),
    date: _DAY,
    time: _CLOCK,
    datetime: _DAY | _CLOCK | {"date", "time"},
    LoopContext: _LOOP,
    BlockReference: frozenset({"super"}),
}
"""What stands behind a dot, by the exact type before it; of any other type, nothing does."""
_SUBSCRIBED: Final = frozenset({str, Markup, list, tuple, dict, TemplateReference})
_LONGEST_RANGE: Final = 10_000


def _range(*bounds: int) -> Sequence[int]:
    """Numbers in a row, at most ten thousand."""
    found = range(*bounds)
    if len(found) > _LONGEST_RANGE:
        raise TooMuchError(f"a range has at most {_LONGEST_RANGE} numbers")
    most(len(found) * DOING)
    return list(found)


class Sandbox(ImmutableSandboxedEnvironment):
    """A sandbox that plain data goes into. What it renders runs inside of `counted`.

    Refused at compile time, with the line: filters that are not in `filters`, and loops that call themselves.
    Refused when it runs, by `SecurityError`: everything that `READABLE` does not list, and `TooMuchError`.
    """

    intercepted_binops = frozenset({"+", "*", "**", "%"})
    code_generator_class = Counting

    def __init__(self, **options: Any) -> None:
        """Take Jinja's options; `finalize` gets what is to be written and gives it back."""
        own = options.pop("finalize", None)

        def finalized(value: Any) -> Any:
            kind = type(value)
            spend(len(value) + DOING if kind is str or kind is Markup else weigh(value))
            return value if own is None else own(value)

        super().__init__(**options, finalize=finalized, optimized=False)
        self.globals: dict[str, Any] = {"range": _range, "dict": dict, "namespace": Namespace}
        own_filters = {SPEND: lambda _, units: spend(units), TAKE: _taken, WEIGH: kept, SEEK: _sought, JOIN: joined}
        self.filters = filters() | own_filters
        self.tests = {name: test for name, test in TESTS.items() if name not in ("callable", "filter", "test")}
        self.binop_table |= {"+": plus, "*": times, "**": power, "%": remainder}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Read a key of a mapping, else an attribute that is listed."""
        kind = type(obj)
        if kind is dict and attribute in obj:
            return obj[attribute]
        if attribute in READABLE.get(kind, ()):
            return getattr(obj, attribute)
        _refuse_undefined(obj)
        own = _own(obj, kind)
        if attribute in own and not attribute.startswith("_"):
            return own[attribute]
        if kind is TemplateReference:
            return self.getitem(obj, attribute)
        there = hasattr(kind, attribute)
        return self.unsafe_undefined(obj, attribute) if there else self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Read an entry of a list, a text or a mapping, else an attribute that is listed."""
        _refuse_undefined(obj)
        kind = type(obj)
        if kind in _SUBSCRIBED:
            try:
                return obj[argument]
            except (TypeError, LookupError):
                pass
        if isinstance(argument, str) and kind is not TemplateReference:
            return self.getattr(obj, str(argument))
        return self.undefined(obj=obj, name=argument)

    def call_filter(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Run a filter that another one names, such as `map`: none of those that the compiler puts in."""
        if name.startswith("#"):
            raise SecurityError("there is no such filter")
        return super().call_filter(name, *args, **kwargs)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:  # noqa: ARG002  as Jinja's
        """Whether it is listed; asked by what reads attributes without `getattr`."""
        return attr in READABLE.get(type(obj), ())

    def is_safe_callable(self, obj: Any) -> bool:
        """Whether it is a macro, a block, one of the few functions, or a listed method of plain data."""
        kind = type(obj)
        if kind is Macro or kind is BlockReference or any(obj is one for one in (_range, dict, Namespace)):
            return True
        if kind is BuiltinMethodType or kind is MethodType:
            return obj.__name__ in READABLE.get(type(obj.__self__), ())
        return False

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805, PYI063  as Jinja's
        """Call what may be called; the result is paid for."""
        spend(DOING)
        _refuse_undefined(__obj)
        if not __self.is_safe_callable(__obj):
            raise SecurityError(f"a {type(__obj).__name__} cannot be called here")
        kind = type(__obj)
        if kind is BuiltinMethodType or kind is MethodType:
            _check_growth(__obj, args, kwargs)
        found = __context.call(__obj, *args, **kwargs)
        if type(found) is Namespace or isinstance(__obj, Macro | BlockReference):
            spend(len(found) if isinstance(found, str) else DOING)
            return found
        return kept(
            list(found) if kind is BuiltinMethodType and type(__obj.__self__) is dict and _view(found) else found
        )


def _refuse_undefined(obj: Any) -> None:
    if isinstance(obj, Undefined):
        obj._fail_with_undefined_error()  # noqa: SLF001  the only way to its own message


def _own(obj: Any, kind: type) -> Mapping[str, Any]:
    """What a template keeps itself: the macros of a file it imported, or its namespace."""
    found: Mapping[str, Any] = {}
    if kind is TemplateModule:
        found = vars(obj)
    elif kind is Namespace:
        found = object.__getattribute__(obj, "_Namespace__attrs")
    return found


def _view(found: Any) -> bool:
    return type(found) not in SCALARS and type(found) not in (dict, list, tuple, Markup)


def _check_growth(method: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Refuse a text that would grow too long before it does."""
    text = method.__self__
    if not isinstance(text, str):
        return
    spend(len(text))
    given = weigh([*args, *kwargs.values()])
    if method.__name__ == "replace":
        most(len(text) + (len(text) + 1) * given)
    elif method.__name__ == "join":
        most((len(text) + 1) * given)


def _taken(values: Any, weight: int) -> Any:
    """What a loop goes through, each turn paid for before the first."""
    if isinstance(values, Undefined) or not hasattr(values, "__iter__"):
        return values
    found = values if hasattr(values, "__len__") else list(values)
    spend(len(found) * weight)
    return found


def _sought(values: Any) -> Any:
    """What something is sought in, paid for by its length."""
    spend(DOING + len(values) // 2 if isinstance(values, str | list | tuple | dict) else DOING)
    return values


def line_of(error: BaseException) -> int | None:
    """The line of the template in which it failed, where Python knows."""
    line = None
    trace = error.__traceback__
    while trace is not None:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if template is not None:
            line = template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return line
