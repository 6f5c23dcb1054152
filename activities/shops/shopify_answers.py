"""An order as Shopify's API answers it, with everything that was asked for in its place.

What is null, missing or of another type where a list, a connection, a sum of money or an object stands becomes an
empty one, or None for an object that may be missing: whoever reads the order need not look at each step. What was asked
for is read off the query itself, so that both cannot drift apart.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from activities.shops.shopify_queries import ORDER

_Shape = dict[str, "_Shape | None"]
_TOKEN: Final = re.compile(r"[{}]|\([^)]*\)|\w+")
_LISTS: Final = frozenset({"nodes", "fulfillments", "refunds", "trackingInfo"})
_NEVER_NULL: Final = frozenset({"pageInfo", "shopMoney", "presentmentMoney"})


def _selected(tokens: Iterator[str]) -> _Shape:
    """What stands between two braces: names, each with what is selected of it."""
    found: _Shape = {}
    last = ""
    for part in tokens:
        if part == "}":
            break
        if part == "{":
            found[last] = _selected(tokens)
        elif not part.startswith("("):
            last = part
            found[last] = None
    return found


def _of(query: str, *path: str) -> _Shape:
    shape = _selected(iter(_TOKEN.findall(query[query.index("{") + 1 :])))
    for name in path:
        inside = shape[name]
        assert inside is not None  # noqa: S101  # a query of this project's own
        shape = inside
    return shape


_ORDER: Final = _of(ORDER, "order")


def filled(order: Mapping[str, Any]) -> dict[str, Any]:
    """A node of `shopify_queries.ORDERS` with every list, connection and sum in it; what else it holds stays."""
    return _filled(order, _ORDER)


def _plain(name: str, value: object) -> object:
    # Of plain values only `tags` are a list, and only a truth is one.
    if name == "tags":
        return value if isinstance(value, list) else []
    return value is True if name == "hasNextPage" else value


def _filled(given: object, shape: _Shape) -> dict[str, Any]:
    found = dict(given) if isinstance(given, Mapping) else {}
    for name, inside in shape.items():
        value = found.get(name)
        if inside is None:
            found[name] = _plain(name, value)
        elif name in _LISTS:
            parts = value if isinstance(value, list | tuple) else []
            found[name] = [_filled(one, inside) for one in parts if isinstance(one, Mapping) and one]
        else:
            part = _filled(value, inside)
            there = name in _NEVER_NULL or inside.keys() & {"nodes", "shopMoney"}
            found[name] = part if there or any(part[one] is not None for one in inside) else None
    return found
