"""What the journey's query and its current details say of what did not go."""

import re
from datetime import datetime

from journey.answers import settle
from journey.base import TouchKey
from journey.outcomes import DeliverAnswer, DeliverRequest, Held, Outcome, Refused
from journey.parcels import ParcelStatus
from journey.state import JourneyState
from journey.timeline import PastTouch, Timeline, markdown, tell
from tests.journey.makers import after, begun, default_playbook, folded, line, order, scan


def told(outcome: Outcome) -> tuple[JourneyState, Timeline]:
    """A journey that `deliver` gave this outcome, by way of the wire, and through JSON as between two runs."""
    state, now, key = begun(), after(5), "check_in"
    request = DeliverRequest(shop="acme", order_id="1001", playbook=state.playbook, key=TouchKey(key), due=now)
    wire = DeliverAnswer.model_validate_json(DeliverAnswer.of(outcome).model_dump_json(exclude_unset=True))
    state = settle(state, request, wire.outcome(now=now), now=now)
    state = JourneyState.model_validate_json(state.model_dump_json(exclude_unset=True))
    return state, tell(state, default_playbook(), now=now)


def past(timeline: Timeline) -> PastTouch:
    (found,) = [one for one in timeline.past if one.touch == "check_in"]
    return found


def test_what_several_channels_refuse_says_each_ones_rule() -> None:
    """The query and the current details show the rule, and beside it every channel's own."""
    why = {"sms": "no_address", "email": "no_consent"}
    _, timeline = told(Refused(rule="no_address", why=why))
    assert past(timeline).why == why
    assert "| check_in | refused: no_address (sms: no_address, email: no_consent) |" in markdown(timeline)


def test_what_the_only_channel_refuses_says_it_once() -> None:
    """One rule on one channel is shown, sent and kept as the rule alone."""
    state, timeline = told(Refused(rule="no_consent", why={"email": "no_consent"}))
    assert past(timeline).why == {}
    assert "| check_in | refused: no_consent |" in markdown(timeline)
    assert "why" not in state.settled["check_in"].model_dump(exclude_unset=True)
    assert "why" not in past(timeline).model_dump_json(exclude_unset=True)


def test_what_waits_says_why_it_cannot_go_by_another_channel() -> None:
    """The mail waits for the morning, and there is no number to text to."""
    _, timeline = told(Held(until=after(5.5), rule="quiet_hours", why={"sms": "no_address"}))
    assert past(timeline).why == {"sms": "no_address"}
    assert "| check_in | held: quiet_hours (sms: no_address) | until 2026-11-07 22:00 |" in markdown(timeline)


def test_a_history_from_before_says_the_rule_alone() -> None:
    """Answers and states that never heard of `why` are read as ever."""
    old = DeliverAnswer.model_validate_json(
        '{"status": "held", "until": "2026-11-08T07:00:00Z", "rule": "cap_per_day"}'
    )
    outcome = old.outcome(now=after(5))
    assert outcome == Held(until=datetime.fromisoformat("2026-11-08T07:00:00Z"), rule="cap_per_day")
    assert "why" not in outcome.model_dump(exclude_unset=True)
    _, timeline = told(outcome)
    assert past(timeline).rule == "cap_per_day"


def test_nothing_from_outside_is_markup() -> None:
    """Ids, numbers, SKUs and carriers full of Markdown make no link, no picture and no row of their own."""
    evil = "[x](https://evil.example)|\n# ![y](https://evil.example/z.png)"
    facts = order(line(evil)).but(order_id=evil, number=evil)
    moment = after(1)
    state = folded(scan(moment, ParcelStatus.IN_TRANSIT, carrier=evil), facts=facts)
    said = markdown(tell(state, default_playbook(), now=moment))
    assert "evil.example" in said
    outside_of_code = re.sub(r"`[^`\n]*`", "", said)
    assert not re.search(r"evil|\]\(|^#", outside_of_code, re.MULTILINE)
    rows = [row for row in said.splitlines() if row.startswith("| `T1`")]
    assert [row.count("|") for row in rows] == [5]
