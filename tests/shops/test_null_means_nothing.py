"""Every field of what every shop and carrier says, nulled and mangled."""

import copy
import json
import os
import random

import pytest

from activities.shops.protocol import Ignored, Malformed
from store.intake import from_json, to_json
from tests.shops.spoken import EVERYTHING

EXAMPLES = int(os.environ.get("READING_EXAMPLES", "3000"))
"""A seeded sample; the whole proof is `READING_EXAMPLES=30000`, see CONTRIBUTING.md."""
SEED = int(os.environ.get("READING_SEED", "9"))
SILENT = (None, "", " ", [], {})
DEEP = json.loads("[" * 60 + "]" * 60)
LONG = "x" * 5000
ODD = (
    *SILENT,
    LONG,
    "\u0000",
    "a\u0000b",
    "\ud800",
    "\u202eevil\u2028",
    "0001-01-01T00:00:00+23:59",
    "1970-01-01T00:00:00+01:00",
    "9999-12-31T23:59:59-12:00",
    "2026-11-22T10:00:00",
    "soon",
    "0E-99999",
    "0E+99999",
    "1E+3",
    "1E-40",
    "1E+99999",
    "-0",
    "-1.005",
    "NaN",
    0,
    -1,
    1.5,
    -0.0,
    1e300,
    float("nan"),
    float("inf"),
    10**40,
    2**63,
    True,
    False,
    DEEP,
    [None],
    [[]],
    {"a": {"b": [{"c": 1}]}},
    {"0": None},
)
_GONE = object()
# An empty list of lines is an edit to nothing, and one of parcels says that none is left.
_MEANT = {
    ("events order.edited", ("data", "lines")),
    ("woocommerce order.created", ("line_items",)),
    ("woocommerce order.updated", ("line_items",)),
    ("woocommerce order.created", ("meta_data", 0, "value")),
}


def _within(place):
    """The place and all that it is in."""
    return [place[:length] for length in range(1, len(place) + 1)]


def _mangled(spoken, place):
    """What the field cannot mean. The lines of an edit are refused rather than lost, since their sender reads it."""
    if spoken.name == "events order.edited" and place[:2] == ("data", "lines"):
        return ()
    return _wrong(_at(spoken.body, place))


def _wrong(value):
    """What is of a type that the field cannot mean."""
    if isinstance(value, dict):
        return (True, [7], [[]])
    if isinstance(value, list):
        return ("x", 7, True)
    if isinstance(value, bool):
        return ({"a": 1}, "perhaps", LONG)
    if isinstance(value, int | float):
        return ({"a": 1}, [[7]], LONG)
    return ({"a": {"b": [1]}}, [[7]], DEEP)


def _places(value, path=()):
    if path:
        yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in children:
        yield from _places(part, (*path, key))


def _at(body, path):
    for key in path:
        body = body[key]
    return body


def _apart(body):
    """A copy of which no two places are one object."""
    return json.loads(json.dumps(body))


def _with(body, *changes):
    """The same body with other values at these places; what is gone is not there at all."""
    changed = _apart(body)
    for path, value in changes:
        _at(changed, path[:-1])[path[-1]] = value
    return _swept(changed)


def _swept(value):
    if isinstance(value, dict):
        return {key: _swept(part) for key, part in value.items() if part is not _GONE}
    return [_swept(part) for part in value if part is not _GONE] if isinstance(value, list) else value


def _said(spoken, body):
    """The events as they are kept, why it was ignored, or the field that it was refused for."""
    try:
        said = spoken.read(body)
    except Malformed as error:
        return "refused", error.field or pytest.fail("no field is named")
    if isinstance(said, Ignored):
        return "ignored", said.reason
    texts = [to_json(event) for event in said]
    assert [from_json(text) for text in texts] == list(said)
    return texts


def _same(said, without):
    """The same outcome; of two refusals one may name a part of what the other names, or another field beside it."""
    if isinstance(said, tuple) and isinstance(without, tuple) and said[0] == without[0] == "refused":
        return True
    return said == without


@pytest.mark.parametrize("spoken", EVERYTHING, ids=lambda spoken: spoken.name)
def test_one_field_that_says_nothing_is_as_if_it_were_not_there(spoken):
    """Null, blank, empty or of a wrong type: what is said is what is said without that field."""
    for place in _places(spoken.body):
        without = _said(spoken, _with(spoken.body, (place, _GONE)))
        for nothing in (*SILENT, *_mangled(spoken, place)):
            if nothing in ([], {}) and (spoken.name, place) in _MEANT:
                continue
            said = _said(spoken, _with(spoken.body, (place, nothing)))
            assert _same(said, without), (spoken.name, place, nothing)


def test_two_fields_that_say_nothing_are_as_if_they_were_not_there():
    """The same, two at a time, over everybody."""
    dice = random.Random(SEED)
    for _ in range(EXAMPLES):
        spoken = dice.choice(EVERYTHING)
        one, other = dice.sample(list(_places(spoken.body)), 2)
        if (
            one[: len(other)] == other
            or other[: len(one)] == one
            or any((spoken.name, part) in _MEANT for place in (one, other) for part in _within(place))
        ):
            continue
        pair = [(place, dice.choice((*SILENT, *_mangled(spoken, place)))) for place in (one, other)]
        said = _said(spoken, _with(spoken.body, *pair))
        without = _said(spoken, _with(spoken.body, (one, _GONE), (other, _GONE)))
        assert _same(said, without), (SEED, spoken.name, pair)


def test_what_is_accepted_can_be_kept_and_read_again():
    """Whatever stands in one to three places: events that read back equal, or a refusal that names a field."""
    dice = random.Random(SEED)
    outcomes = {"kept": 0, "refused": 0, "ignored": 0}
    for _ in range(EXAMPLES):
        spoken = dice.choice(EVERYTHING)
        body = {"": _apart(spoken.body)}
        changes = []
        for _ in range(dice.randint(1, 3)):
            place = dice.choice(list(_places(body))[1:])
            changes.append((place, odd := copy.deepcopy(dice.choice(ODD))))
            _at(body, place[:-1])[place[-1]] = odd
        try:
            said = _said(spoken, body[""])
        except Exception as error:
            raise AssertionError((SEED, spoken.name, changes)) from error
        outcomes[said[0] if isinstance(said, tuple) else "kept"] += 1
    print(f"\n{EXAMPLES} bodies, seed {SEED}: {outcomes}")  # noqa: T201  # the figure of the proof
