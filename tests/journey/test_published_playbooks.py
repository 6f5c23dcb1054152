"""A playbook that was published is read for ever: what is asked of authors may become stricter, journeys stay."""

import json
from typing import Annotated

import pytest
from pydantic import TypeAdapter, ValidationError

from journey.authoring import PUBLISHED, Limits
from journey.base import Authored
from journey.playbook import PlaybookError, load_playbook, read_published
from tests.journey.makers import default_playbook
from tests.support.histories import FOLDER

RECORDED = sorted(FOLDER.glob("playbooks/*.json"))


def changed(**fields) -> str:
    """The default playbook, as it is stored, with other values in its first touch."""
    content = json.loads(default_playbook().compact)
    content["touches"][0] |= fields
    return json.dumps(content)


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.stem)
def test_every_recorded_playbook_is_read_under_its_digest(file):
    """Open journeys find the rules that they pinned, and the same ones."""
    assert read_published(file.read_text()).digest == file.stem


@pytest.mark.parametrize(
    "beyond",
    [
        {"priority": 101},
        {"template": "Nicht mehr erlaubt"},
        {"when": "order.mood == 'good'"},
        {"when": "order.total >"},
        {"most_segments": 0},
    ],
    ids=lambda beyond: next(iter(beyond)),
)
def test_what_an_author_is_refused_is_still_read_once_published(beyond):
    """Limits of a field and the check of conditions are for authors alone."""
    content = changed(**beyond)
    with pytest.raises(PlaybookError):
        load_playbook(content)
    assert getattr(read_published(content).touches[0], next(iter(beyond))) == next(iter(beyond.values()))


def test_a_limit_that_becomes_stricter_strands_no_published_value():
    """The same value is refused an author and read from a playbook of before; a value of another type never is."""
    stricter = TypeAdapter(Annotated[int, Limits(le=3)])
    with pytest.raises(ValidationError):
        stricter.validate_python(4)
    assert stricter.validate_python(4, context=PUBLISHED) == 4
    with pytest.raises(ValidationError):
        stricter.validate_python("many", context=PUBLISHED)


def test_a_field_that_was_retired_is_passed_over_where_it_was_published():
    """A field that means nothing any more is refused an author and keeps no journey from its playbook."""

    class Letter(Authored):
        retired = frozenset({"stamp"})
        to: str

    said = {"to": "Ada", "stamp": "red"}
    with pytest.raises(ValidationError):
        Letter.model_validate(said)
    assert Letter.model_validate(said, context=PUBLISHED).to == "Ada"


@pytest.mark.parametrize("newer", [{"sings": True}, {"anchor": "full_moon"}], ids=lambda newer: next(iter(newer)))
def test_the_words_of_a_newer_version_are_not_guessed_at(newer):
    """A worker that does not know a rule leaves the journey to one that does, and says which word it is."""
    with pytest.raises(PlaybookError, match=next(iter(newer))):
        read_published(changed(**newer))
