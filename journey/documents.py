"""YAML as people write it, bounded before it is worked through: one small file can stand for a very large one."""

from typing import Any, Final

import yaml

# libyaml's reads ten times as fast; a PyYAML built without it has the other.
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LONGEST: Final = 20_000
_MOST: Final = 100_000
_DEEPEST: Final = 50


class DocumentError(ValueError):
    """YAML that cannot be read, or that nobody would write; says why in words that follow the file's name."""


def read_yaml(text: str) -> object:
    """What a YAML document holds: mappings, lists, texts, numbers, moments.

    Raises:
        DocumentError: it is no YAML; or it is nested more than 50 deep, has more than 100,000 entries, its aliases
            counted each time, or a text of more than 20,000 characters.
    """
    try:
        _check_depth(text)
        found: object = yaml.load(text, Loader=_LOADER)  # noqa: S506  both are safe ones
    except (yaml.YAMLError, RecursionError) as error:
        raise DocumentError(f"cannot be read as YAML: {error}") from error
    _check_size(found)
    return found


def _check_depth(text: str) -> None:
    """Refuse what is nested so deeply that libyaml, which does not look, would take the process with it."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise DocumentError(f"is nested more than {_DEEPEST} deep; see the shipped one for its shape")


def _check_size(found: object) -> None:
    parts, stack = 0, [found]
    while stack:
        one = stack.pop()
        parts += 1
        if isinstance(one, dict):
            stack.extend(one.values())
        elif isinstance(one, list):
            stack.extend(one)
        elif isinstance(one, str) and len(one) > _LONGEST:
            raise DocumentError(f"has a text of {len(one)} characters; {_LONGEST} are the most")
        if parts + len(stack) > _MOST:
            raise DocumentError(f"has more than {_MOST} entries, aliases counted each time; shorten it")
