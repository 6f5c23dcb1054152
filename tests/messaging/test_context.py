"""From facts to a message in the customer's language: money, dates, offers and what is only for some."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from activities.links import Links
from activities.messaging.context import build_message, build_short
from activities.messaging.samples import samples
from activities.messaging.templates import Templates
from journey.playbook import Channel, Playbook
from starters.gallery import example_order, example_parcel, example_remedy
from store.messages import MessageFacts, MessageParcel

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
LINKS = Links("a test key", "https://shop.example")


@pytest.fixture(scope="module")
def templates() -> Templates:
    return Templates.load(Path(__file__).parents[2] / "playbooks")


def mail(
    templates: Templates,
    playbook: Playbook,
    touch: str,
    facts: MessageFacts,
    parcels: Sequence[MessageParcel] = (example_parcel(NOW.date(), None),),
):
    return build_message(
        templates,
        LINKS,
        facts,
        playbook.by_id[touch],
        parcels=parcels,
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


def test_a_mail_about_some_parcels_is_about_their_lines(templates, playbook):
    """Care and reviews speak of what has come; the order's other line waits for its own parcel."""
    first, second = (
        replace(example_parcel(NOW.date(), None), tracking_number=number, skus=(sku,), number=place)
        for place, (number, sku) in enumerate((("1", "YM-1"), ("2", "CF-3")), start=1)
    )
    facts = replace(example_order("en"), parcels=(first, second))
    asked = mail(templates, playbook, "review_request", facts, (second,))
    assert asked.subject == "What do you think of your Slow Drip house coffee, 1 kg?"
    assert "Yoga mat" not in asked.text
    assert "Part of your order came in a parcel of its own" in mail(templates, playbook, "care", facts, (second,)).text


@pytest.mark.parametrize(
    ("touch", "words"),
    [
        ("not_scanned", "hasn\u2019t scanned it yet"),
        ("stuck", "hasn\u2019t moved for longer"),
        ("overdue", "should have been with you by now"),
        ("not_brought", "on the van, and then it didn\u2019t come"),
    ],
)
def test_an_absence_is_told_in_its_own_words(templates, playbook, touch, words):
    """What did not happen is said as such, with no carrier, day or earlier day to go by."""
    bare = replace(example_parcel(NOW.date(), None), carrier=None, estimated_delivery=None, first_estimate=None)
    told = mail(templates, playbook, touch, example_order("en"), (bare,))
    assert words in told.text
    assert "The carrier hasn\u2019t named a new day yet" in told.text
    assert "None" not in told.subject + told.text


def test_a_remedy_is_offered_with_its_signed_link(templates, playbook):
    """The amount and the last day are the row's, and the one button leads to the page of that parcel."""
    parcel = example_parcel(NOW.date(), None)
    facts = replace(example_order("en-GB"), remedies={parcel.tracking_number: example_remedy(None)})
    offered = mail(templates, playbook, "remedy_offer", facts, (parcel,))
    for said in ("€79.00", "Wednesday 25 November", LINKS.remedy("acme", "1001", parcel.tracking_number)):
        assert said in offered.text
    assert "Parcel 1 of 2" in offered.text


@pytest.mark.parametrize(
    ("name", "subject", "alone"),
    [
        ("shipped", "2 parcels of your order are on their way (#1001)", "Parcel 3 of 3 is on its way (#1001)"),
        (
            "out_for_delivery",
            "Today\u2019s the day: 2 parcels of order #1001 are out for delivery",
            "Today\u2019s the day: parcel 3 of 3 of order #1001 is out for delivery",
        ),
        ("delivered", "Delivered: 2 parcels of your order (#1001)", "Delivered: parcel 3 of 3 (#1001)"),
    ],
)
def test_one_mail_speaks_about_several_parcels(templates: Templates, name: str, subject: str, alone: str) -> None:
    """Two parcels at once are a list by number and a plural; one of three is called by its number."""
    context = next(context for what, context in samples("transactional", "parcel") if "two parcels" in what)
    both = templates.render(name, context, locale="en")
    assert both.subject == subject
    for part in (both.text, both.html):
        assert part.index("Parcel 1 of 3") < part.index("Parcel 3 of 3")
        assert "1Z999AA10123456784" in part
        assert ("November 26" in part) == (name == "shipped")
    assert "- Parcel 3 of 3: 1Z999AA10123456784\n" in both.text
    one = templates.render(name, {**context, "parcels": context["parcels"][:1]}, locale="en")
    assert one.subject == alone
    assert "Parcel 1 of 3" not in one.text


def test_a_settled_remedy_says_what_was_done(templates: Templates) -> None:
    """The new order or the money, and the code where there is one."""
    for what, context in samples("transactional", "remedy"):
        remedy = context["remedy"]
        mail = templates.render("remedy_settled", context, locale="en")
        assert ("1002" in mail.subject) == (remedy["reference"] == "1002"), what
        assert (remedy["amount"] in mail.subject) == (remedy["choice"] == "refund")
        assert ("SORRY-7QX2" in mail.text, "SORRY-7QX2" in mail.html) == (bool(remedy["coupon"]),) * 2
        assert "R-1" not in mail.text


@pytest.mark.parametrize("name", ["pickup_last_call", "pickup_not_collected"])
def test_a_pickup_knows_the_store_from_the_carriers_point(templates: Templates, name: str) -> None:
    """In the store the order's number is asked for, at a carrier's point the parcel's."""
    context = next(context for what, context in samples("transactional", "parcel") if "in the store" in what)
    store = templates.render(name, context, locale="en")
    assert ("our store" in store.text, "Order number: #1001" in store.text, "pickup:" in store.text) == (
        True,
        True,
        False,
    )
    parcel = {**context["parcel"], "tracking_number": "00340434161094021501", "pickup": False}
    point = templates.render(name, {**context, "parcel": parcel, "parcels": [parcel]}, locale="en")
    assert ("our store" in point.text, "pick-up point" in point.text) == (False, True)
    assert "The carrier · 00340434161094021501" in point.text


def test_a_short_text_comes_from_the_same_facts(templates, playbook):
    """What a mail says of the order, its text says, too."""
    made = build_short(
        templates,
        LINKS,
        example_order("de-DE"),
        playbook.by_id["shipped"],
        Channel.SMS,
        parcels=(example_parcel(NOW.date(), None),),
        subject="shipped:1",
        now=NOW,
    )
    assert "Samstag, 28. November" in made.body
    assert made.body.endswith(LINKS.order("acme", "1001"))
