"""Reading the shop's own files: YAML into checked models, with errors a marketer can act on."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from activities.messaging.language import tag
from journey.documents import DocumentError
from journey.documents import read_yaml as read

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
        found = read(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as e:
        raise TemplateError(f"{file.name} cannot be read: {e}") from e
    except DocumentError as e:
        raise TemplateError(f"{file.name} {e}") from e
    if not isinstance(found, dict):
        raise TemplateError(f"{file.name} holds no mapping; see the shipped one for its shape")
    return {str(key): value for key, value in found.items()}


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
