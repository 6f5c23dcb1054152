from datetime import timedelta
from typing import Any

import pytest

from journey.lint import Level, lint
from journey.playbook import Playbook, load_playbook

_HEAD = """
name: small
contact: {quiet_hours: {start: "21:00", end: "08:00"}}
phases:
  - {id: service}
  - {id: feedback, ends_on: [order_cancelled, order_refunded]}
  - {id: win_back, ends_on: [order_cancelled, order_refunded, customer_reordered]}
touches:
"""


def small(*touches: str, head: str = _HEAD) -> Playbook:
    """A playbook of these touches, each a YAML flow mapping without its braces."""
    return load_playbook(head + "\n".join(f"  - {{{touch}}}" for touch in touches))


def marketing(more: str, *, name: str = "hello", phase: str = "feedback") -> str:
    """A marketing touch with nothing wrong, but for what `more` says."""
    return f"id: {name}, phase: {phase}, purpose: marketing, template: hello, {more}"


def rules(playbook: Playbook, **known: Any) -> list[tuple[str | None, str]]:
    return [(finding.touch, finding.rule) for finding in lint(playbook, **known)]


def test_the_shipped_playbook_is_clean(playbook, templates):
    """The playbook that ships has no finding, with its own templates and offers."""
    assert lint(playbook, templates.names, templates.brand.offers, templates.purposes) == []


def test_a_sound_small_playbook_is_clean():
    """What has none of the mistakes gets no finding."""
    assert rules(small(marketing("anchor: order_delivered, offset: 2d"))) == []


BAD = {
    "offset_huge": marketing("anchor: order_delivered, offset: 500d"),
    "patience_missing": marketing("anchor: order_delivered, offset: 2d, patience: 0s"),
    "late_marketing_sent": marketing("anchor: order_delivered, offset: 2d, late: send"),
    "marketing_on_problem": marketing("anchor: parcel_delayed"),
    "marketing_on_regret": marketing("anchor: refund"),
    "offer_in_transactional": "id: hello, phase: feedback, purpose: transactional, template: hello,"
    " anchor: order_delivered, offer: ten",
    "incentive_by_rating": marketing("anchor: order_delivered, offset: 2d, offer: ten, when: journey.rating >= 4"),
    "not_ended_by_cancellation": "id: hello, phase: service, purpose: transactional, template: hello,"
    " anchor: parcel_shipped",
    "not_ended_by_refund": marketing("anchor: order_delivered, ends_on: [order_cancelled]", phase="service"),
    "review_before_delivery": "id: hello, phase: feedback, purpose: marketing, template: review_request,"
    " anchor: order_placed, offset: 6d",
    "reminder_not_ended_by_review": "id: review_reminder, phase: feedback, purpose: marketing,"
    " template: review_reminder, anchor: order_delivered, offset: 12d",
}


@pytest.mark.parametrize(("rule", "touch"), BAD.items())
def test_each_mistake_is_named_with_its_touch(rule, touch):
    """One bad touch gives that one finding, and says which touch it is."""
    [(where, found)] = rules(small(touch))
    assert rule == found
    assert where in {"hello", "review_reminder"}


def test_an_offset_before_its_anchor_cannot_even_be_written():
    """A playbook with a negative offset is refused before lint sees it, and the touch is named."""
    with pytest.raises(ValueError, match=r"touch 'hello'.*offset.*not a length of time"):
        small(marketing("anchor: order_delivered, offset: -2d"))


def test_a_negative_offset_from_code_is_found_too():
    """A playbook built in code cannot carry an offset before its anchor either."""
    sound = small(marketing("anchor: order_delivered, offset: 2d"))
    touch = sound.touches[0].but(offset=timedelta(days=-1))
    assert ("hello", "offset_negative") in rules(sound.but(touches=(touch,)))


def test_a_win_back_that_a_new_order_does_not_end_is_an_error():
    """Who came back by themselves is not won back."""
    head = _HEAD.replace(", customer_reordered", "")
    playbook = small(marketing("anchor: order_delivered, offset: 30d", phase="win_back"), head=head)
    assert rules(playbook) == [("hello", "not_ended_by_reorder")]


def test_unknown_templates_and_offers_are_named():
    """What the brand and the template folder do not have is an error."""
    playbook = small(marketing("anchor: order_delivered, offset: 2d, offer: ten"))
    found = rules(playbook, template_names=["other"], offers=[])
    assert found == [("hello", "template_unknown"), ("hello", "offer_unknown")]


def test_a_marketing_template_in_a_transactional_touch_is_an_error():
    """Purpose is what the mail is for, not what the playbook calls it."""
    playbook = small("id: hello, phase: feedback, purpose: transactional, template: hello, anchor: order_delivered")
    assert rules(playbook, template_purposes={"hello": "marketing"}) == [("hello", "template_purpose")]


def test_three_messages_within_a_day_are_the_textbook_mistake():
    """Three touches whose offsets from one anchor lie within 24 h are an error, two are not."""
    touches = [
        marketing(f"anchor: order_delivered, offset: {offset}, patience: 1h", name=name)
        for name, offset in (("one", "48h"), ("two", "55h"), ("three", "71h"))
    ]
    assert ("one", "crowded_day") in rules(small(*touches))
    assert rules(small(*touches[:2])) == []


def test_a_text_without_a_limit_is_a_warning():
    """A marketing text that may be any length is worth a second look; one with most_segments, or a receipt, is not."""
    text = marketing("anchor: order_delivered, offset: 2d, channels: [sms, email]")
    [finding] = lint(small(text))
    assert (finding.touch, finding.rule, finding.level) == ("hello", "sms_without_limit", Level.WARNING)
    assert lint(small(text + ", most_segments: 2")) == []
    receipt = "id: hello, phase: feedback, purpose: transactional, template: hello, anchor: order_delivered"
    assert lint(small(receipt + ", channels: [sms]")) == []


def test_a_merge_group_of_one_is_a_warning():
    """Nothing can be merged with nothing: the name of the other groups is given, for the misspelt one."""
    tips = [
        marketing(f"anchor: order_delivered, offset: {day}d, patience: 1d, merge: {group}", name=name)
        for name, day, group in (("one", 2, "tips"), ("two", 4, "tips"), ("three", 6, "tipps"))
    ]
    [finding] = lint(small(*tips))
    assert (finding.touch, finding.rule, finding.level) == ("three", "merge_alone", Level.WARNING)
    assert "'tipps'; there is tips" in finding.message
    assert lint(small(*tips[:2])) == []


def test_a_channel_that_the_template_has_no_part_for_is_an_error():
    """What cannot be rendered for a channel cannot be sent on it; templates nobody knows about are passed over."""
    playbook = small(marketing("anchor: order_delivered, offset: 2d, channels: [push, email]"))
    assert rules(playbook, template_channels={"hello": ["email"]}) == [("hello", "template_part_missing")]
    assert rules(playbook, template_channels={"hello": ["email", "push"]}) == []
    assert rules(playbook, template_channels={"other": ["email"]}) == []


def test_quiet_hours_may_be_each_channels_own():
    """A channel with a line of its own was thought about, and an inbox row wakes nobody."""
    head = _HEAD.replace("quiet_hours:", "quiet_by_channel: {email: null}, transactional:").replace(
        '{start: "21:00", end: "08:00"}', "{per_day: 9}"
    )
    assert rules(small(marketing("anchor: order_delivered, offset: 2d, channels: [email, inbox]"), head=head)) == []
    texts = marketing("anchor: order_delivered, offset: 2d, channels: [email, sms], most_segments: 2")
    assert rules(small(texts, head=head)) == [(None, "quiet_hours_missing")]


def test_marketing_without_quiet_hours_and_with_a_high_cap_is_refused():
    """The playbook as a whole must let people sleep, and not write three times a day."""
    head = _HEAD.replace('{quiet_hours: {start: "21:00", end: "08:00"}}', "{per_day: 3}")
    found = rules(small(marketing("anchor: order_delivered, offset: 2d"), head=head))
    assert found == [(None, "quiet_hours_missing"), (None, "cap_too_high")]


def test_patience_longer_than_the_gap_to_the_next_touch_is_a_warning():
    """A touch that may be held until after the next one is worth a second look, and no error."""
    playbook = small(
        marketing("anchor: order_delivered, offset: 2d, patience: 9d", name="one"),
        marketing("anchor: order_delivered, offset: 4d", name="two"),
    )
    [finding] = lint(playbook)
    assert (finding.touch, finding.rule, finding.level) == ("one", "patience_meets_next", Level.WARNING)
    assert "warning: touch 'one': patience_meets_next: " in str(finding)


def test_a_transactional_touch_that_a_short_outage_ends_is_a_warning():
    """Less than an hour of patience is less than many providers' bad mornings."""
    text = "id: hello, phase: feedback, purpose: transactional, template: hello, anchor: order_delivered, patience: "
    [finding] = lint(small(text + "30m"))
    assert (finding.touch, finding.rule, finding.level) == ("hello", "patience_short", Level.WARNING)
    assert lint(small(text + "1h")) == []


@pytest.mark.parametrize("told", [False, True])
def test_who_makes_good_tells_a_loss_without_an_offer_too(told):
    """A playbook with remedies is asked for words for a loss at a shop where nothing can be offered."""
    head = _HEAD.replace("phases:", "remedies: {severe_delay: 7d, choose_within: 3d, default: refund}\nphases:")
    plain = "phase: service, purpose: transactional, template: hello, late: send"
    anchors = ["remedy_offered", "remedy_settled", *(["parcel_lost"] if told else [])]
    playbook = small(*(f"id: {anchor}, {plain}, anchor: {anchor}" for anchor in anchors), head=head)

    assert ((None, "loss_untold") in rules(playbook)) is not told
