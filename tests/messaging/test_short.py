"""Short texts: in every language within their limits, plain, and with no address in them that is not the shop's."""

import re
from pathlib import Path
from typing import Any

import pytest

from activities.messaging.proof import SHORT_CHANNELS
from activities.messaging.samples import PROBLEMS, samples
from activities.messaging.templates import Short, TemplateError, Templates
from activities.messaging.text.segments import Encoding, count
from journey.playbook import Channel
from journey.remedies import Choice
from journey.remedy_words import chosen

PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
STOP = {"en": "Reply STOP", "de": "Antworte STOP", "fr": "Répondez STOP", "es": "Responde STOP"}
HOSTILE = "<b>x</b>\r\nhttps://evil.example/a www.evil.example javascript:alert(1) {{ 7*7 }}\u2028\u202e"
ORDER_LINK = "https://shop.example/orders/1001?key=sample"


@pytest.fixture(scope="module")
def templates() -> Templates:
    return Templates.load(PLAYBOOKS)


def rich(purpose: str, about: str, **more: Any) -> dict[str, Any]:
    """The sample that has everything, changed."""
    context = next(context for what, context in samples(purpose, about) if "rich" in what)
    return context | more


@pytest.mark.parametrize("language", STOP)
def test_an_sms_says_who_writes_and_how_to_stop(templates: Templates, language: str) -> None:
    """The shop's name comes first, marketing says how to stop, and all of it is in the cheap alphabet."""
    for name in templates.names:
        for _, context in samples(templates.purposes[name], templates.about[name], language):
            body = templates.render_short(name, Channel.SMS, context, language).body
            marketing = context["touch"] == {"id": "sample", "purpose": "marketing"}
            assert re.match(r"Fernhill Supply ?: \S", body)
            assert (STOP[language] in body) == marketing
            assert count(body).encoding is Encoding.GSM, body


def test_letters_are_folded_only_where_that_saves_the_alphabet(templates: Templates) -> None:
    """é is in GSM 7-bit and stays, í is not and goes; a text with a Greek name is left as it was written."""
    context = rich("marketing", "order")
    assert "Suelen comprarse" in templates.render_short("bundle", Channel.SMS, context, "es").body
    assert "Que silencio sin ti, Ada" not in templates.render_short("miss_you", Channel.SMS, context, "es").body
    assert "Qué silencio" in templates.render_short("miss_you", Channel.SMS, context, "es").body
    shipped = templates.render_short("shipped", Channel.SMS, rich("transactional", "parcel"), "es").body
    assert ("Siguelo" in shipped, "Síguelo" in shipped) == (True, False)
    greek = {**context, "customer": {"first_name": "Ελένη", "buyer": "first"}}
    assert "Ελένη, heißt" not in templates.render_short("miss_you", Channel.SMS, greek, "de").body
    assert "Ελένη" in templates.render_short("miss_you", Channel.SMS, greek, "es").body
    assert "Lo que pondríamos" in templates.render_short("also_enjoyed", Channel.INBOX, context, "es").body


@pytest.mark.parametrize("channel", SHORT_CHANNELS)
def test_hostile_strings_stay_text_on_one_line(templates: Templates, channel: Channel) -> None:
    """Line ends, hidden marks, template code and foreign links of any string never reach a phone."""
    for name in sorted(templates.names):
        context = rich(templates.purposes[name].replace("either", "marketing"), templates.about[name])
        context["order"] = {**context["order"], "number": HOSTILE, "total": HOSTILE}
        context["customer"] = {"first_name": HOSTILE, "buyer": "first"}
        context["parcel"] = context["parcel"] and {**context["parcel"], "carrier": HOSTILE}
        made = templates.render_short(name, channel, context, "en")
        for text in (made.body, made.title, *made.parameters):
            assert not re.search(r"evil|javascript:|[\r\n\u2028\u202e]", text), name
            assert "49" not in text


def test_the_shops_own_links_stay(templates: Templates) -> None:
    """Signed links pass unchanged, with a full stop behind them, too."""
    context = rich("transactional", "parcel")
    assert templates.render_short("shipped", Channel.SMS, context, "de").body.endswith(ORDER_LINK)
    assert templates.render_short("shipped", Channel.WHATSAPP, context, "de").parameters[-1] == ORDER_LINK


@pytest.mark.parametrize("language", STOP)
@pytest.mark.parametrize("name", ["remedy_offer", "remedy_reminder"])
def test_the_words_of_an_offer_are_those_that_a_reply_is_understood_by(
    templates: Templates, language: str, name: str
) -> None:
    """What a text asks to be answered is a choice, only what is to be had is asked for, and its link is whole."""
    for what, context in samples("transactional", "remedy", language):
        made = templates.render_short(name, Channel.SMS, context, language).body
        remedy = context["remedy"]
        words = re.findall(r"\b(?:[12]\b(?= (?:for|to|für|\(nouvel|\(rembours|para))|[A-Z]{6,})", made.split(":", 1)[1])
        both = [Choice.REPLACEMENT, Choice.REFUND]
        assert [chosen(word) for word in words] == (both if "replacement" in remedy["options"] else both[1:]), (
            what,
            made,
        )
        assert made.endswith(remedy["link"])
        assert templates.render_short(name, Channel.WHATSAPP, context, language).parameters[-1] == remedy["link"]


def test_an_offer_with_a_link_that_may_not_be_linked_is_not_sent(templates: Templates) -> None:
    """The link of a remedy is checked as every other."""
    context = rich("transactional", "remedy")
    context["remedy"] = {**context["remedy"], "link": "javascript:alert(1)"}
    with pytest.raises(TemplateError, match=r"'remedy_offer'.*link"):
        templates.render_short("remedy_offer", Channel.SMS, context, "en")


@pytest.mark.parametrize(
    ("language", "said"), [("en", "2 parcels"), ("de", "2 Pakete"), ("fr", "2 colis"), ("es", "2 paquetes")]
)
@pytest.mark.parametrize("name", ["shipped", "out_for_delivery", "delivered"])
def test_several_parcels_are_several(templates: Templates, name: str, language: str, said: str) -> None:
    """A text and a notification about two parcels say two, in the language's own plural."""
    context = next(context for what, context in samples("transactional", "parcel", language) if "two parcels" in what)
    assert said in templates.render_short(name, Channel.SMS, context, language).body
    pushed = templates.render_short(name, Channel.PUSH, context, language)
    assert said in f"{pushed.title} {pushed.body}"


@pytest.mark.parametrize("link", [None, "javascript:alert(1)", "/orders/1"])
def test_a_link_that_may_not_be_linked_stops_the_text(templates: Templates, link: str | None) -> None:
    """The allow-list of mails holds for texts, and the error does not repeat the address."""
    context = rich("transactional", "parcel")
    context["links"] = {**context["links"], "order": link}
    with pytest.raises(TemplateError, match=r"'shipped'.*link") as caught:
        templates.render_short("shipped", Channel.SMS, context, "en")
    assert "alert" not in str(caught.value)


def test_a_notification_is_cut_to_what_a_phone_shows(templates: Templates) -> None:
    """40 characters of title and 120 of body at most, the rest as an ellipsis."""
    context = rich("marketing", "order", offer={"code": "C", "text": "x" * 300, "expires_on": "now"})
    made = templates.render_short("bundle", Channel.PUSH, context, "en")
    assert (len(made.body), made.body[-1], made.title) == (120, "…", "Often bought together")
    assert made == templates.render_short("bundle", Channel.WEB_PUSH, context, "en")


def test_whatsapp_takes_the_approved_template(templates: Templates) -> None:
    """Name, language code and values in order; the body says the same in full."""
    made = templates.render_short("shipped", Channel.WHATSAPP, rich("transactional", "parcel"), "de-AT")
    assert made == Short(
        body="Paket 1 von 2 aus Bestellung #1001 ist unterwegs und sollte am Thursday, November 26 bei dir sein. "
        f"Verfolgen: {ORDER_LINK}",
        template="shipped_1",
        language="de",
        parameters=("#1001", "DHL", "Thursday, November 26", ORDER_LINK),
    )


def test_each_problem_has_its_own_words_and_template(templates: Templates) -> None:
    """Cases hold for short texts as for mails; an unknown reason takes the plain one."""
    made = {}
    for reason in (*PROBLEMS, None, "asteroid"):
        context = rich("transactional", "parcel")
        context["parcel"] = {**context["parcel"], "reason": reason}
        made[reason] = templates.render_short("parcel_problem", Channel.WHATSAPP, context, "fr")
    assert len({one.body for one in made.values()}) == len({one.template for one in made.values()}) == len(PROBLEMS)
    assert made["asteroid"] == made[None] == made["other"]


def test_a_channel_without_a_form_says_so(templates: Templates) -> None:
    """A mail is no short text."""
    with pytest.raises(TemplateError, match="no email form"):
        templates.render_short("shipped", Channel.EMAIL, rich("transactional", "parcel"), "en")
