"""A past journey played again: as it was under its own playbook, and under another one as far as that differs."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journey.base import TouchKey
from journey.outcomes import Status
from journey.past import Heard, Run
from journey.playbook import Channel, Playbook, touch_id
from journey.replay import Became, Compared, Message, compare, replay
from tests.support.pasts import became, followed, recorded_pasts

PASTS = recorded_pasts()
LATER = datetime(2099, 1, 1, tzinfo=UTC)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def again(runs: Sequence[Run], playbook: Playbook) -> dict[TouchKey, Message]:
    """How each message ends under that playbook."""
    return dict(replay(runs, playbook, followed(runs), channels={}, now=LATER).messages)


def did(runs: Sequence[Run]) -> dict[str, Message]:
    """How each message ended, by the journey's own record."""
    return {
        key: Message(status=attempt.answer.status, at=attempt.done_at or attempt.at, rule=attempt.answer.rule)
        for key, attempt in became(runs).items()
        if attempt.answer is not None
    }


def changed(playbook: Playbook, touch: str, **changes: object) -> Playbook:
    """The playbook with one touch changed."""
    touches = [one.but(**changes) if one.id == touch else one for one in playbook.touches]
    return rebuilt(playbook, touches)


def rebuilt(playbook: Playbook, touches: Sequence[object]) -> Playbook:
    """The playbook with these touches, as it would be read from a file."""
    values = playbook.model_dump() | {"touches": [one.model_dump() for one in touches]}  # type: ignore[attr-defined]
    return Playbook.model_validate(values)


@pytest.mark.parametrize("name", PASTS)
def test_a_journey_is_again_what_it_was(name: str) -> None:
    """Under its own playbook every message ends as it did, at the same moment, and nothing has to be assumed."""
    runs = PASTS[name]
    found = replay(runs, followed(runs), followed(runs), channels={}, now=LATER)
    assert found.notes == ()
    assert not [key for key, message in found.messages.items() if message.assumed]
    for key, was in did(runs).items():
        message = found.messages[TouchKey(key)]
        assert (message.status, message.rule) == (was.status, was.rule), key
        assert was.status is not Status.SENT or message.at == was.at, key
    sent = {key for key, message in found.messages.items() if message.status is Status.SENT}
    assert sent == {key for key, message in did(runs).items() if message.status is Status.SENT}


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(list(PASTS)), data=st.data())
def test_what_a_playbook_does_not_touch_stays(name: str, data: st.DataObject) -> None:
    """Without some touches a journey sends the others as it did; or sooner, which is assumed, into their slots."""
    runs = PASTS[name]
    playbook = followed(runs)
    out = data.draw(st.sets(st.sampled_from([touch.id for touch in playbook.touches]), max_size=5))
    other = rebuilt(playbook, [touch for touch in playbook.touches if touch.id not in out])
    found = again(runs, other)
    assert not [key for key in found if touch_id(key) in out]
    was = {key: one for key, one in did(runs).items() if touch_id(key) not in out and one.status is Status.SENT}
    sent = {key: one for key, one in found.items() if one.status is Status.SENT}
    assert sent.keys() == was.keys()
    assert not [
        key for key, one in sent.items() if (one.at != was[key].at if not one.assumed else one.at > was[key].at)
    ]


@pytest.mark.parametrize("name", [name for name in PASTS if name.startswith("first_order")])
def test_a_touch_that_moves_is_assumed_to_go(name: str) -> None:
    """Two days later in the playbook is two days later for the customer, by the contact rules; the others stay."""
    runs = PASTS[name]
    playbook = followed(runs)
    offset = playbook.by_id["check_in"].offset + timedelta(days=2)
    found = compare(did(runs), again(runs, changed(playbook, "check_in", offset=offset)))
    (moved,) = [one for one in found if one.became is Became.MOVED]
    assert moved.did is not None
    assert moved.would is not None
    assert (moved.touch, moved.would.assumed) == ("check_in", True)
    assert timedelta(days=2) <= moved.would.at - moved.did.at < timedelta(days=3)
    assert {one.became for one in found} <= {Became.SAME, Became.MOVED, Became.UNSENT}


@pytest.mark.parametrize("name", [name for name in PASTS if name.startswith("no_consent")])
def test_who_did_not_agree_gets_no_new_marketing(name: str) -> None:
    """A refusal that was about the person speaks against what another playbook would send them."""
    runs = PASTS[name]
    playbook = followed(runs)
    touch = playbook.by_id["check_in"]
    other = rebuilt(playbook, [*playbook.touches, touch.but(id="another", offset=touch.offset + timedelta(days=1))])
    new = [message for key, message in again(runs, other).items() if touch_id(key) == "another"]
    assert [(message.status, message.rule) for message in new] == [(Status.REFUSED, "no_consent")]


@pytest.mark.parametrize("name", [name for name in PASTS if name.startswith("lost")])
def test_a_remedy_that_was_not_asked_for_is_said_to_be_assumed(name: str) -> None:
    """Another playbook's default is not the customer's word, and a playbook without remedies offers nothing."""
    runs = PASTS[name]
    playbook = followed(runs)
    if playbook.remedies is None:
        pytest.skip("it followed a playbook without remedies")
    terms = playbook.remedies.but(choose_within=timedelta(days=30))
    found = replay(runs, playbook.but(remedies=terms), playbook, channels={}, now=LATER)
    assert "remedy_offer" in {touch_id(key) for key in found.messages}
    touches = [touch for touch in playbook.touches if not touch.anchor.value.startswith("remedy")]
    none = replay(runs, rebuilt(playbook.but(remedies=None), touches), playbook, channels={}, now=LATER)
    assert "remedy_offer" not in {touch_id(key) for key in none.messages}


def test_a_word_about_a_touch_that_is_not_there_is_left_out() -> None:
    """An operator skipped a touch that the other playbook does not have: it is said, and nothing fails."""
    runs = next(runs for name, runs in PASTS.items() if name.startswith("steered"))
    playbook = followed(runs)
    skipped = {
        touch_id(TouchKey(entry.fact["key"]))
        for run in runs
        for entry in run.entries
        if isinstance(entry, Heard) and entry.name in {"skip_touch", "send_now"}
    }
    other = rebuilt(playbook, [touch for touch in playbook.touches if touch.id not in skipped])
    found = replay(runs, other, playbook, channels={}, now=LATER)
    assert {note.partition(" ")[0] for note in found.notes} == {"skip_touch", "send_now"}


def test_a_journey_whose_first_run_is_gone_says_so() -> None:
    """It goes on from what the second run was handed, and sends from there on what it sent."""
    runs = next(runs for name, runs in PASTS.items() if name.startswith("first_order"))
    found = replay(runs[1:], followed(runs), followed(runs), channels={}, now=LATER)
    assert [note for note in found.notes if "first run is not kept" in note]
    sent = {key: one.at for key, one in found.messages.items() if one.status is Status.SENT}
    assert sent == {key: one.at for key, one in did(runs[1:]).items() if one.status is Status.SENT}


def test_a_journey_that_was_ended_from_outside_ends_there() -> None:
    """What would have come after it was terminated is not counted as sent."""
    runs = next(runs for name, runs in PASTS.items() if name.startswith("digital"))
    entries = runs[0].entries[:3]
    cut = [runs[0].but(entries=entries, ended="terminated", ended_at=entries[-1].at + timedelta(hours=1))]
    found = replay(cut, followed(runs), followed(runs), channels={}, now=LATER)
    assert (found.why, found.ended_at) == ("it was terminated", cut[0].ended_at)
    sent = {key for key, one in found.messages.items() if one.status is Status.SENT}
    assert sent == {key for key, one in did(cut).items() if one.status is Status.SENT}


def test_what_became_of_a_message_is_said_by_its_moment() -> None:
    """Same, moved, new, gone, or not sent either way."""

    def sent(hours: float) -> Message:
        return Message(status=Status.SENT, at=NOON + timedelta(hours=hours), channel=Channel.EMAIL)

    refused = Message(status=Status.REFUSED, at=NOON, rule="condition")
    was = {"a": sent(1), "b": sent(2), "c": sent(3), "d": refused, "e": refused}
    would = {"a": sent(1.001), "b": sent(9), "d": sent(5), "e": refused, "f": sent(4)}
    found: list[Compared] = compare(was, {TouchKey(key): one for key, one in would.items()})
    assert [(one.touch, one.became.value) for one in found] == [
        ("e", "unsent"),
        ("a", "same"),
        ("c", "gone"),
        ("f", "new"),
        ("d", "new"),
        ("b", "moved"),
    ]
