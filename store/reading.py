"""How what others say is read: strict in what nobody can do without, lenient in all else, and the same for everybody.

A field with a default is one that nobody needs. Where it is null, blank, of another type or out of reach it counts as
not said: the field alone is lost, and its default must be right without it. A field without a default is needed: where
it is wrong its object cannot be read, and whoever holds that object loses it alone, or refuses the whole.

Leniency is asked for by a `Reading` in pydantic's context. What was kept (the inbox, a workflow) is read without one,
strictly: there an unknown word is a newer version's, see docs/decisions/0015-unknown-words.md.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Annotated, Any, Final, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

_T = TypeVar("_T")
_MOST_NOTED: Final = 50
_noticed: ContextVar[list[str] | None] = ContextVar("noticed", default=None)


class Malformed(ValueError):  # noqa: N818  # the word of the brief to shops, and of every adapter
    """A webhook that cannot be taken in.

    Attributes:
        field: where in the body, dotted (`data.lines.0.quantity`), in the sender's own words.
        problem: what is wrong with it; never holds the value, which may be personal.
        known: the words that are known there, where it is a matter of words.
    """

    def __init__(self, field: str, problem: str, *, known: Sequence[str] = ()) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem
        self.known = tuple(known)


class Exact:
    """Marks a field whose text is refused where it is no known word: to guess it would be to say something untrue."""


EXACT: Final = Exact()


class Telling:
    """Marks a field whose empty text or list says something."""


TELLING: Final = Telling()


class Reading:
    """One body being read: the context of its validation.

    Args:
        body: what is read.
        named: a place in it, in the sender's words.
    """

    def __init__(self, body: object, named: Callable[..., str]) -> None:
        self._body = body
        self._named = named
        self._left = _MOST_NOTED

    def lose(self, part: object, *path: object) -> None:
        """Note that what is at `path` within a part of the body is lost; null and blank are no loss."""
        lost = _noticed.get()
        # To look for a place takes as long as the body: one of nothing but garbage is not looked through for ever.
        if lost is not None and self._left > 0:
            self._left -= 1
            where = self._named(*(() if part is None else _place(self._body, part)), *path)
            if where not in lost:
                lost.append(where)


def _place(body: object, part: object) -> tuple[object, ...]:
    """Where an object or a list stands in a body; nowhere where it was made on the way."""
    waiting: list[tuple[tuple[object, ...], object]] = [((), body)]
    while waiting:
        path, found = waiting.pop()
        if found is part:
            return path
        inside = found.items() if isinstance(found, Mapping) else enumerate(found) if isinstance(found, list) else ()
        waiting += [((*path, key), one) for key, one in inside if isinstance(one, dict | list)]
    return ()


@contextmanager
def noticing() -> Iterator[list[str]]:
    """What is lost of the bodies that are read within, dotted and in the senders' words, never a value."""
    lost: list[str] = []
    token = _noticed.set(lost)
    try:
        yield lost
    finally:
        _noticed.reset(token)


def blank(value: object) -> bool:
    """Whether a value says nothing: null, a blank text, an empty list or object (PHP writes one for the other)."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, list | tuple | dict) and not value)


def listed(value: object) -> object:
    """A list; PHP writes one with gaps in its keys as an object."""
    return list(value.values()) if isinstance(value, Mapping) and value else value


class Lenient(BaseModel):
    """A part of what others say; see the module."""

    model_config = ConfigDict(extra="ignore")

    @model_validator(mode="wrap")
    @classmethod
    def _without_what_nobody_needs(
        cls, given: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        reading = info.context
        if not isinstance(reading, Reading) or not isinstance(given, Mapping):
            return handler(given)
        spare = _spare(cls)
        said = {name: value for name, value in given.items() if name not in spare or not _silent(cls, name, value)}
        while True:
            try:
                return handler(said)
            except ValidationError as error:
                wrong = {found["loc"][0] if found["loc"] else None for found in error.errors(include_url=False)}
                lost = [name for name in said if name in wrong and _may_go(spare.get(name), said[name])]
                if not lost or wrong - set(lost):
                    raise
                for name in lost:
                    reading.lose(given, name)
                    del said[name]


@lru_cache(maxsize=256)
def _spare(model: type[BaseModel]) -> Mapping[str, bool]:
    """The fields that a model can do without, by the sender's name, and whether each is exact."""
    return {
        field.alias or name: any(isinstance(mark, Exact) for mark in field.metadata)
        for name, field in model.model_fields.items()
        if not field.is_required()
    }


def _silent(model: type[BaseModel], name: str, value: object) -> bool:
    field = model.model_fields.get(name)
    telling = value in ("", [], ()) and field is not None and any(isinstance(mark, Telling) for mark in field.metadata)
    return blank(value) and not telling


def _may_go(exact: bool | None, value: object) -> bool:
    return exact is False or (exact is True and not isinstance(value, str))


_GONE: Final = object()


def _or_gone(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    try:
        return handler(value)
    except ValidationError:
        if not isinstance(info.context, Reading):
            raise
        info.context.lose(*((value,) if isinstance(value, dict | list) else (None, info.field_name)))
        return _GONE


def _readable(value: object) -> object:
    found = listed(value)
    return _something([one for one in found if not blank(one)], found) if isinstance(found, list | tuple) else found


def _kept(found: list[Any]) -> list[Any]:
    return _something([one for one in found if one is not _GONE], found)


def _something(kept: list[Any], found: Sequence[Any]) -> list[Any]:
    """What is left of a list: an empty one says that there is nothing, a list of nothing readable does not."""
    if found and not kept:
        raise ValueError("holds nothing that can be read")
    return kept


Many = Annotated[
    list[Annotated[_T, WrapValidator(_or_gone)]],
    BeforeValidator(_readable),
    AfterValidator(_kept),
    Field(default_factory=list),
]
"""A list of which every part that cannot be read is lost alone."""
