"""Every message about an order names it as its shop does, on every channel and in every language."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from activities.messaging.templates import Templates
from journey.playbook import Channel, Touch, load_playbook
from starters.gallery import SHOWN, card, example_order
from store.messages import MessageFacts

PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
PLAYBOOK = load_playbook((PLAYBOOKS / "default.yaml").read_text(encoding="utf-8"))
ID, NUMBER = "gid-555001", "RE-2026-0042"
_LINK = re.compile(r"https?://[^\s\"<]+")


@pytest.fixture(scope="module")
def templates() -> Templates:
    return Templates.load(PLAYBOOKS)


def written(templates: Templates, facts: MessageFacts, touch: Touch, channel: Channel) -> list[str]:
    """The texts of a touch, without the addresses of links, which are signed over the id."""
    shown = card(templates, facts, touch, channel)
    if shown.mail is not None:
        texts = [shown.mail.html, shown.mail.text]
    else:
        assert shown.short is not None
        texts = [f"{shown.short.title} {shown.short.body}"]
    return [_LINK.sub("", text) for text in texts]


@pytest.mark.parametrize("language", ["en", "de", "fr", "es"])
@pytest.mark.parametrize("channel", SHOWN)
def test_what_is_about_an_order_has_its_number(templates: Templates, language: str, channel: Channel) -> None:
    """A shop's number differs from the id: nobody is told the id, and what is no advertisement has the number."""
    facts = replace(example_order(language), order_id=ID, number=NUMBER)
    nameless, revealing = set(), set()
    for touch in PLAYBOOK.touches:
        for text in written(templates, facts, touch, channel):
            if not touch.marketing and NUMBER not in text:
                nameless.add(touch.id)
            if ID in text:
                revealing.add(touch.id)
    assert (nameless, revealing) == (set(), set())
