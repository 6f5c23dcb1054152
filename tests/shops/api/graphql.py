"""As much of GraphQL as a stand-in needs: a document is read, and only what it selects goes back."""

import re
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(r'"[^"]*"|\$?[A-Za-z_]\w*|-?\d+|[{}()\[\]:!@=]')


class GraphqlError(Exception):
    """An error of GraphQL itself, with its code."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Field:
    """A selected field: its arguments as written, its directives by name, and what is selected of it."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    directives: dict[str, dict[str, Any]] = field(default_factory=dict)
    selected: list["Field"] = field(default_factory=list)


@dataclass(frozen=True)
class Document:
    """One operation: `query` or `mutation`, its name, and its fields."""

    kind: str
    name: str
    fields: list[Field]


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens = _TOKEN.findall(text)
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, expected: str | None = None) -> str:
        token = self.peek()
        if not token or (expected is not None and token != expected):
            raise GraphqlError(f"syntax error at {token!r}", "undefined")
        self.at += 1
        return token

    def skip_variables(self) -> None:
        if self.peek() == "(":
            while self.take() != ")":
                pass

    def arguments(self) -> dict[str, Any]:
        given: dict[str, Any] = {}
        if self.peek() == "(":
            self.take("(")
            while self.peek() != ")":
                name = self.take()
                self.take(":")
                given[name] = self.take()
            self.take(")")
        return given

    def selection(self) -> list[Field]:
        fields = []
        self.take("{")
        while self.peek() != "}":
            one = Field(self.take(), self.arguments())
            while self.peek() == "@":
                self.take("@")
                name = self.take()
                one.directives[name] = self.arguments()
            if self.peek() == "{":
                one.selected = self.selection()
            fields.append(one)
        self.take("}")
        return fields


def read(text: str) -> Document:
    """The operation of a document."""
    reader = _Reader(text)
    kind, name = reader.take(), reader.take()
    reader.skip_variables()
    return Document(kind, name, reader.selection())


def resolved(arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
    """Arguments with their variables put in."""
    known = {"true": True, "false": False, "null": None}

    def value(token: str) -> Any:
        if token.startswith("$"):
            return variables.get(token[1:])
        if token.startswith('"'):
            return token[1:-1]
        return known[token] if token in known else int(token) if token.lstrip("-").isdecimal() else token

    return {name: value(token) for name, token in arguments.items()}


def project(value: Any, selected: list[Field], variables: dict[str, Any]) -> Any:
    """What was selected of a value; a list under `nodes` is paged by `first` and `after`."""
    if value is None or not selected:
        return value
    if isinstance(value, list):
        return [project(one, selected, variables) for one in value]
    made = {}
    for one in selected:
        if one.name not in value:
            raise GraphqlError(f"Field '{one.name}' doesn't exist", "undefinedField")
        arguments = resolved(one.arguments, variables)
        inner = value[one.name]
        if callable(inner):
            inner = inner(**arguments)
        if isinstance(inner, list) and "first" in arguments:
            inner = _page(inner, one, arguments)
        made[one.name] = project(inner, one.selected, variables)
    return made


def _page(items: list[Any], one: Field, arguments: dict[str, Any]) -> Any:
    if not any(inner.name == "nodes" for inner in one.selected):
        return items[: arguments["first"]]
    start = int(arguments.get("after") or 0)
    end = start + arguments["first"]
    return {"nodes": items[start:end], "pageInfo": {"hasNextPage": end < len(items), "endCursor": str(end)}}


def cost(selected: list[Field], variables: dict[str, Any]) -> int:
    """What a selection can cost at most: an object 1, a list or connection 2 and everything it can hold."""
    points = 0
    for one in selected:
        if not one.selected:
            continue
        first = resolved(one.arguments, variables).get("first")
        nodes = next((inner.selected for inner in one.selected if inner.name == "nodes"), one.selected)
        points += 1 + cost(nodes, variables) if first is None else 2 + first * (1 + cost(nodes, variables))
    return points
