"""From facts to a message in the customer's language: money, dates, offers and what is only for some."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from activities.links import Links
from activities.messaging.context import build_message, build_short
from activities.messaging.templates import Templates
from journey.playbook import Channel, Playbook
from starters.gallery import example_order, example_parcel
from store.messages import MessageFacts

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
LINKS = Links("a test key", "https://shop.example")


@pytest.fixture(scope="module")
def templates() -> Templates:
    return Templates.load(Path(__file__).parents[2] / "playbooks")


def mail(templates: Templates, playbook: Playbook, touch: str, facts: MessageFacts):
    return build_message(
        templates,
        LINKS,
        facts,
        playbook.by_id[touch],
        parcel=example_parcel(NOW.date(), None),
        subject=touch,
        key="k",
        message_id="<m@shop.example>",
        now=NOW,
    )


@pytest.mark.parametrize(
    ("locale", "money", "day", "offer"),
    [
        ("en-GB", "€1,152.90", "Sunday 6 December", "10% off anything on the shelf"),
        ("de-AT", "€\u00a01.152,90", "Sonntag, 6. Dezember", "10 % auf alles im Regal"),
        ("fr-FR", "1\u202f152,90\u00a0€", "dimanche 6 décembre", "10\u00a0% sur toute l\u2019étagère"),
        ("es-ES", "1.152,90\u00a0€", "domingo, 6 de diciembre", "10 % en todo el estante"),
    ],
)
def test_a_mail_is_in_one_language(templates, playbook, locale, money, day, offer):  # noqa: PLR0917  pytest names them
    """Words, money, dates and the shop's own offers are all in the customer's language."""
    facts = example_order(locale)
    assert money in mail(templates, playbook, "order_confirmation", facts).text
    discount = mail(templates, playbook, "discount", facts)
    assert (offer.replace("\u00a0", " ") in discount.subject, day in discount.text, offer in discount.html) == (
        True,
        True,
        True,
    )


@pytest.mark.parametrize(
    ("touch", "words"),
    [("order_confirmation", "good to have you back"), ("miss_you", "your coffee must be about finished")],
)
def test_some_lines_are_for_some_customers(templates, playbook, touch, words):
    """A repeat customer is greeted as one, and only who bought coffee hears of coffee."""
    known = example_order("en")
    stranger = replace(known, buyer="first", lines=known.lines[:1])
    assert [words in mail(templates, playbook, touch, facts).text for facts in (known, stranger)] == [True, False]


def test_a_short_text_comes_from_the_same_facts(templates, playbook):
    """What a mail says of the order, its text says, too."""
    made = build_short(
        templates,
        LINKS,
        example_order("de-DE"),
        playbook.by_id["shipped"],
        Channel.SMS,
        parcel=example_parcel(NOW.date(), None),
        subject="shipped:1",
        now=NOW,
    )
    assert "Samstag, 28. November" in made.body
    assert made.body.endswith(LINKS.order("acme", "1001"))
