"""Reading the shop's own files: YAML into checked models, with errors a marketer can act on."""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from activities.messaging.language import tag

# libyaml's reads ten times as fast; a PyYAML built without it has the other.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LONGEST = 20_000
_MOST = 100_000
_DEEPEST = 50
_T = TypeVar("_T", bound=BaseModel)


class TemplateError(Exception):
    """A mail cannot be built: the text names the template, the file, what is wrong and what to do about it."""


def pick(folders: list[Path], name: str) -> Path:
    """Return the first folder's file of that name.

    Raises:
        TemplateError: if none has it.
    """
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise TemplateError(f"{name} is missing in {folders[-1]}: copy the shipped one and edit it")


def read_yaml(file: Path) -> dict[str, object]:
    """Read a YAML mapping.

    Raises:
        TemplateError: if the file cannot be read, is no YAML or holds no mapping.
    """
    try:
        written = file.read_text(encoding="utf-8")
        _check_depth(written, file)
        found = yaml.load(written, Loader=_LOADER)  # noqa: S506  both are safe ones
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as e:
        raise TemplateError(f"{file.name} cannot be read as YAML: {e}") from e
    if not isinstance(found, dict):
        raise TemplateError(f"{file.name} holds no mapping; see the shipped one for its shape")
    _check_size(found, file)
    return {str(key): value for key, value in found.items()}


def _check_depth(written: str, file: Path) -> None:
    """Refuse what is nested so deeply that libyaml, which does not look, would take the process with it."""
    depth = 0
    for event in yaml.parse(written, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise TemplateError(f"{file.name} is nested more than {_DEEPEST} deep; see the shipped one for its shape")


def _check_size(found: object, file: Path) -> None:
    """Refuse what would take long to work through: one very long text, or aliases that repeat themselves."""
    parts, stack = 0, [found]
    while stack:
        one = stack.pop()
        parts += 1
        if isinstance(one, dict):
            stack.extend(one.values())
        elif isinstance(one, list):
            stack.extend(one)
        elif isinstance(one, str) and len(one) > _LONGEST:
            raise TemplateError(f"{file.name} has a text of {len(one)} characters; {_LONGEST} are the most")
        if parts + len(stack) > _MOST:
            raise TemplateError(f"{file.name} has more than {_MOST} entries, aliases counted each time; shorten it")


def by_language(folder: Path) -> dict[str, Path]:
    """Return the YAML files of a folder by the language each is named after: de-AT.yaml is de-at. None is no fault."""
    return {tag(file.stem): file for file in sorted(folder.glob("*.yaml"))}


def merge(base: object, over: object) -> object:
    """Lay one mapping over another, level by level; anything but a mapping replaces what was there."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return base | {key: merge(base[key], value) if key in base else value for key, value in over.items()}


def to_model(kind: type[_T], raw: object, where: str) -> _T:
    """Check raw YAML against a model.

    Raises:
        TemplateError: naming every field that is wrong.
    """
    try:
        return kind.model_validate(raw)
    except ValidationError as e:
        faults = "; ".join(f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in e.errors())
        raise TemplateError(f"{where}: {faults}") from e
