"""Playbooks are data: read well, refused with the place named, and known by their digest."""

from datetime import timedelta

import pytest
import yaml

from journey.durations import format_duration, parse_duration
from journey.playbook import LatePolicy, PlaybookError, load_playbook, touch_id
from tests.journey.makers import default_playbook

SMALL = {
    "name": "small",
    "phases": [{"id": "first"}],
    "touches": [
        {"id": "hello", "phase": "first", "purpose": "marketing", "template": "hello", "anchor": "order_placed"}
    ],
}


def with_touch(**changes) -> str:
    return yaml.safe_dump(SMALL | {"touches": [SMALL["touches"][0] | changes]})


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (with_touch(offset="soon"), ("touch 'hello'", "offset", "9d, 12h or 1d12h")),
        (with_touch(phase="second"), ("touch 'hello'", "phase 'second'", "first")),
        (with_touch(anchor="full_moon"), ("touch 'hello'", "anchor", "order_placed")),
        (with_touch(purpose="spam"), ("touch 'hello'", "purpose")),
        (with_touch(when="customer.mood == 'good'"), ("touch 'hello'", "mood", "customer.first_time")),
        (with_touch(when="order.total >"), ("touch 'hello'", "order.total")),
        (with_touch(priorty=3), ("touch 'hello'", "priorty")),
        (with_touch(priority=101), ("touch 'hello'", "priority", "100")),
        (with_touch(late={"skip_after": "3x"}), ("touch 'hello'", "late", "'3x'")),
        (with_touch(ends_on=["doom"]), ("touch 'hello'", "ends_on")),
        (with_touch(id="Hello World"), ("touch 'Hello World'", "id")),
        (yaml.safe_dump(SMALL | {"touches": SMALL["touches"] * 2}), ("touch 'hello' stands twice",)),
        (yaml.safe_dump(SMALL | {"phases": SMALL["phases"] * 2}), ("phase 'first' stands twice",)),
        (yaml.safe_dump(SMALL | {"touches": []}), ("touches",)),
        (yaml.safe_dump(SMALL | {"touches": ["hello"]}), ("touch 0",)),
        (yaml.safe_dump(SMALL | {"contact": {"per_day": 0}}), ("contact", "per_day")),
        ("name: [", ("cannot be read as YAML",)),
        ("", ("empty",)),
        ("- a list", ("empty",)),
    ],
)
def test_a_mistake_is_named_with_its_touch_and_field(text, named):
    """Whoever wrote it reads where it is wrong and what would be right."""
    with pytest.raises(PlaybookError) as error:
        load_playbook(text)

    assert all(part in str(error.value) for part in named), str(error.value)


def test_every_mistake_is_named_at_once():
    """Two mistakes, both to be read."""
    with pytest.raises(PlaybookError) as error:
        load_playbook(with_touch(offset="soon", purpose="spam"))

    assert {"touch 'hello' → purpose", "touch 'hello' → offset"} <= {
        problem.partition(":")[0] for problem in str(error.value).splitlines()
    }


def test_the_short_forms_of_late_read_as_meant():
    """`send`, `reschedule` and `{skip_after: …}` are what marketers write."""
    policies = {
        name: load_playbook(with_touch(late=late)).touches[0].late
        for name, late in {"send": "send", "reschedule": "reschedule", "skip": {"skip_after": "3d"}}.items()
    }

    assert {name: late.policy for name, late in policies.items()} == {
        "send": LatePolicy.SEND,
        "reschedule": LatePolicy.RESCHEDULE,
        "skip": LatePolicy.SKIP,
    }
    assert policies["skip"].after == timedelta(days=3)


def test_a_playbook_stored_and_read_again_has_the_same_name():
    """What is pinned is found under its digest for ever: the canonical JSON is the playbook."""
    for playbook in (default_playbook(), load_playbook(with_touch(offset="1d12h", ends_on=["review_posted"]))):
        again = load_playbook(playbook.compact)
        assert again.digest == playbook.digest
        assert again.compact == playbook.compact
        assert again == playbook


def test_the_digest_does_not_depend_on_how_it_is_written():
    """The order of keys and of endings, and `36h` for `1d12h`, are the same rules; another offset is not."""
    one = load_playbook(with_touch(offset="1d12h", ends_on=["review_posted", "order_cancelled"]))
    same = load_playbook(with_touch(ends_on=["order_cancelled", "review_posted"], offset="36h"))
    other = load_playbook(with_touch(offset="2d", ends_on=["review_posted", "order_cancelled"]))

    assert one.digest == same.digest != other.digest


def test_a_touch_ends_by_its_own_facts_and_its_phases():
    """Endings add up."""
    endings = default_playbook().endings["review_request"]

    assert {"review_posted", "negative_review", "order_cancelled"} <= endings


def test_the_touch_of_a_key():
    """`shipped:1Z99` is about `shipped`, and so is a number with a colon in it."""
    assert [touch_id(key) for key in ("care", "shipped:1Z99", "parcel_problem:A:B:customs")] == [
        "care",
        "shipped",
        "parcel_problem",
    ]


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("9d", timedelta(days=9)),
        ("1d12h", timedelta(hours=36)),
        (" 1D 12H ", timedelta(hours=36)),
        ("2w", timedelta(days=14)),
        ("90s", timedelta(seconds=90)),
        ("0s", timedelta(0)),
    ],
)
def test_lengths_of_time_read_as_written_and_back(text, span):
    """Read, written and read again it is the same length."""
    assert parse_duration(text) == span
    assert parse_duration(format_duration(span)) == span


@pytest.mark.parametrize("text", ["", "9", "d", "9 days", "-1d", "1.5h", "1d-2h", "٣d x", "99999999999999d"])
def test_what_is_no_length_of_time_is_refused_with_its_text(text):
    """Nothing is guessed."""
    with pytest.raises(ValueError, match=r"length of time|longer than"):
        parse_duration(text)
