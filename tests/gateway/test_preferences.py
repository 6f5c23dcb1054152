"""The preference centre and the double opt-in over HTTP: what it shows, what each field does, what it never does."""

import re
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from activities.links import Links
from journey.playbook import Channel, Purpose
from starters import portal, preferences
from starters.portal import Pages
from starters.words import LANGUAGES, language_of, words_of
from store.double_opt_in import Pending
from store.standing import standing
from tests.gateway.kit import SECRET_KEY

TABLES = ("consents", "preferences", "suppressions", "double_opt_ins", "customers")


@dataclass
class Postbox:
    """Sends nothing and remembers what it was given; while `away`, not even that."""

    sent: list[tuple[Pending, str]] = field(default_factory=list)
    channels: frozenset[Channel] = frozenset({Channel.EMAIL, Channel.SMS, Channel.WHATSAPP})
    away: bool = False

    async def send(self, pending, link):
        if not self.away:
            self.sent.append((pending, link))
        return not self.away


@dataclass
class Centre:
    gate: object
    client: httpx.AsyncClient
    postbox: Postbox

    def link(self, channel=Channel.EMAIL):
        return self.gate.links.preferences("acme", "1001", channel)

    async def fields(self, link=None):
        """The form as a browser would send it untouched."""
        page = await self.client.get(link or self.link())
        return Form(page.text)

    async def save(self, form, link=None, **changes):
        """Send the form with some fields changed, and follow to the page after it."""
        self.gate.clock.forward(minutes=1)
        answer = await self.client.post(link or self.link(), data={**form.fields, **changes})
        assert answer.status_code == 303
        assert answer.headers["location"] in {"?saved=yes", "?saved=asked"}
        return answer.headers["location"]

    async def standing(self):
        return await standing(self.gate.pool, "acme", "c-17")

    async def may(self, channel):
        return (await self.standing()).permission(channel, Purpose.MARKETING, now=self.gate.clock.now).rule

    async def everything(self):
        return [await self.gate.pool.fetch(f"SELECT * FROM {table}") for table in TABLES]  # noqa: S608


class Form:
    """What a page's form holds."""

    def __init__(self, html):
        self.html = html
        self.fields = {"do": "save"}
        for tag in re.findall(r"<input[^>]*>", html):
            parts = dict(re.findall(r'(\w+)="([^"]*)"', tag))
            if parts["type"] == "hidden" or (" checked" in tag and " disabled" not in tag):
                self.fields.setdefault(parts["name"], []).append(parts["value"])
        for name, options in re.findall(r'<select id="\w+" name="(\w+)">(.*?)</select>', html, re.DOTALL):
            chosen = re.search(r'value="(\w+)"[^>]* selected', options) or re.search(r'value="(\w+)"', options)
            self.fields[name] = chosen[1]

    def ticked(self, name, *values):
        return {name: list(values)}


@pytest.fixture
async def centre(gate, brand):
    gate.clock.forward(minutes=5)
    await gate.send.order(customer={"email": "Ada@Example.com", "country": "DE", "locale": "en-GB"})
    await gate.relay.drain()
    postbox = Postbox()
    app = FastAPI()
    parts = {"pool": gate.pool, "links": gate.links, "pages": Pages(brand), "clock": gate.clock}
    app.include_router(preferences.router(**parts, confirmations=postbox))
    app.include_router(portal.router(**parts))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gate") as client:
        yield Centre(gate, client, postbox)


# ---- looking -------------------------------------------------------------------------------------------------


async def test_the_page_shows_how_things_stand(centre):
    """Mail is on, text messages are off, every topic is on, and nothing names the person."""
    page = await centre.client.get(centre.link())
    form = Form(page.text)
    assert page.status_code == 200
    assert form.fields["channel"] == ["email"]
    assert form.fields["channel_shown"] == ["email", "sms", "whatsapp"]
    assert form.fields["topic"] == ["tips", "reviews", "offers", "news"]
    assert (form.fields["frequency"], form.fields["preferred"], form.fields["locale"]) == (["all"], "none", "en")
    assert not any(secret in page.text.lower() for secret in ("ada", "4915112345678", "c-17"))
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<script" not in page.text


async def test_looking_changes_nothing(centre):
    """Neither the page nor the page after saving, nor a HEAD, nor a parameter that says so."""
    before = await centre.everything()
    for _ in range(2):
        await centre.client.get(centre.link())
        await centre.client.get(centre.link() + "?saved=yes&do=off&channel_shown=email&channel_had=email")
        await centre.client.head(centre.link())
    assert await centre.everything() == before


async def test_a_note_is_one_of_the_pages_own(centre):
    """What an address line says is never shown."""
    page = await centre.client.get(centre.link() + "?saved=<b>You+won</b>")
    assert ("won" in page.text, 'role="status"' in page.text) == (False, False)
    assert 'role="status"' in (await centre.client.get(centre.link() + "?saved=yes")).text


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["p", "confirm"])
async def test_altered_links_open_nothing(centre, method, path):
    """Cut, altered, foreign and swapped tokens are answered 404 and change nothing."""
    links, foreign = centre.gate.links, Links("another key", "http://gate")
    link = centre.link() if path == "p" else links.confirm("acme", "x" * 22)
    token = link.rpartition("/")[2]
    tokens = [
        *(token[:-1], token[1:], token[:5] + ("A" if token[5] != "A" else "B") + token[6:], token + ".", token + token),
        *("x", "%00", "%ff%fe", "é", "a" * 5000, "%0d%0aLocation:%20http:"),
        foreign.preferences("acme", "1001").rpartition("/")[2],
        links.unsubscribe("acme", "1001").rpartition("/")[2],
        links.order("acme", "1001").rpartition("/")[2],
        (links.confirm("acme", "x") if path == "p" else centre.link()).rpartition("/")[2],
        links.preferences("acme", "no-such-order").rpartition("/")[2] if path == "p" else token,
    ]
    before = await centre.everything()
    data = {"do": "off", "confirm": "yes"} if method == "POST" else None
    answers = [(await centre.client.request(method, f"/{path}/{one}", data=data)).status_code for one in tokens]
    assert answers == [404] * len(tokens)
    assert await centre.everything() == before


# ---- choosing ------------------------------------------------------------------------------------------------


async def test_a_form_sent_as_it_was_changes_nothing(centre):
    """Saving without a change writes no evidence."""
    before = await centre.everything()
    await centre.save(await centre.fields())
    assert await centre.everything() == before


async def test_the_channel_of_the_link_is_switched_at_once(centre):
    """On counts for who never said no; off puts the address on the list; on again is confirmed from the mailbox."""
    await centre.gate.pool.execute("DELETE FROM consents")
    form = await centre.fields()
    await centre.save(form, **form.ticked("channel", "email"))
    assert await centre.may(Channel.EMAIL) == "express"
    await centre.save(await centre.fields(), channel=[])
    assert await centre.may(Channel.EMAIL) == "opted_out"
    assert (await centre.standing()).suppressed == {Channel.EMAIL: "opted_out"}
    form = await centre.fields()
    assert "channel" not in form.fields
    assert await centre.save(form, **form.ticked("channel", "email")) == "?saved=asked"
    assert await centre.may(Channel.EMAIL) == "opted_out"
    await centre.client.post(centre.postbox.sent[0][1])
    assert (await centre.may(Channel.EMAIL), (await centre.standing()).suppressed) == ("express", {})
    row = await centre.gate.pool.fetchrow("SELECT * FROM consents WHERE how = 'preference_centre' AND granted")
    assert row["wording"] == "E-mail: offers, tips and news from Fernhill Supply"
    assert (row["confirmed"], row["jurisdiction"], len(row["source_hash"])) == (True, "DE", 32)
    assert "127.0.0.1" not in str(tuple(row))


async def test_a_box_that_was_left_does_not_undo_an_opt_out_from_elsewhere(centre):
    """The page was open while the customer opted out by the link: saving it keeps the opt-out."""
    form = await centre.fields()
    centre.gate.clock.forward(minutes=1)
    await centre.client.post(centre.gate.links.unsubscribe("acme", "1001"), data={"List-Unsubscribe": "One-Click"})
    await centre.save(form, frequency="fewer")
    assert await centre.may(Channel.EMAIL) == "opted_out"


async def test_topics_frequency_pause_language_and_the_preferred_channel(centre):
    """Each field does its own thing, and the page shows it afterwards."""
    form = await centre.fields()
    await centre.save(form, topic=["tips", "news"], frequency="fewer", pause="start", preferred="sms", locale="fr")
    found = await centre.standing()
    assert found.topics_refused == {"reviews", "offers"}
    wishes = found.preferences
    assert (wishes.frequency, wishes.channel, wishes.locale) == ("fewer", Channel.SMS, "fr")
    assert wishes.paused_until == centre.gate.clock.now + timedelta(days=30)
    page = await centre.client.get(centre.link())
    form = Form(page.text)
    assert form.fields["topic"] == ["tips", "news"]
    assert (form.fields["frequency"], form.fields["preferred"], form.fields["locale"]) == (["fewer"], "sms", "fr")
    assert '<html lang="fr">' in page.text
    assert words_of("fr")["pause"]["until"].format(day="22 décembre 2026") in page.text
    await centre.save(form, topic=["tips", "news", "offers"], pause="end", preferred="none", frequency="all")
    found = await centre.standing()
    assert found.topics_refused == {"reviews"}
    assert (found.preferences.paused_until, found.preferences.channel, found.preferences.locale) == (None, None, "fr")


async def test_an_order_link_that_was_passed_on_asks_for_less_only(centre):
    """What the person switched off or wants less of is shown as fixed, and a forged form changes none of it."""
    await centre.save(await centre.fields(), topic=["tips"], frequency="fewer", pause="start", channel=[])
    passed_on = centre.link(Channel.INBOX)
    form = await centre.fields(passed_on)
    assert words_of("en")["less_only"] in form.html
    assert form.fields["topic_shown"] == ["tips"]
    before = await centre.standing()
    forged = {"topic": ["tips", "news"], "topic_shown": ["tips", "news"], "frequency": "all", "pause": "end"}
    assert await centre.save(form, passed_on, **forged, **form.ticked("channel", "email")) == "?saved=asked"
    found = await centre.standing()
    assert (found.topics_refused, found.preferences) == (before.topics_refused, before.preferences)
    assert await centre.may(Channel.EMAIL) == "opted_out"
    assert words_of("en")["less_only"] not in (await centre.fields()).html


async def test_very_many_changes_are_told_so(centre):
    """The page says that it is enough for today; switching everything off still works."""
    form, said = await centre.fields(), []
    for number in range(30):
        topics = ["tips", "reviews", "offers"] + ["news"] * (number % 2)
        centre.gate.clock.forward(seconds=9)
        shown = {"topic_had": ["tips", "reviews", "offers"] + ["news"] * (1 - number % 2)}
        answer = await centre.client.post(centre.link(), data={**form.fields, **shown, "topic": topics})
        said.append(answer.headers["location"])
    assert said[-1] == "?saved=too_many"
    assert words_of("en")["too_many"] in (await centre.client.get(centre.link() + said[-1])).text
    await centre.save(await centre.fields(), do="off")
    assert await centre.may(Channel.EMAIL) == "opted_out"


async def test_everything_off_is_one_press(centre):
    """Whatever else stands in the form."""
    form = await centre.fields()
    await centre.save(form, do="off", **form.ticked("channel", "email", "sms"))
    assert {await centre.may(channel) for channel in (Channel.EMAIL, Channel.SMS, Channel.PUSH)} == {"opted_out"}
    assert "channel" not in (await centre.fields()).fields


async def test_somebodys_own_kind_of_a_language_is_kept(centre):
    """Saving the page does not make British English any English."""
    await centre.save(await centre.fields(), frequency="fewer")
    assert (await centre.standing()).locale == "en-GB"


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"channel": "email\r\nSet-Cookie: a=b", "channel_shown": "email\r\nX: y", "do": "save\r\nLocation: //evil"},
        {"frequency": "fewer\r\n", "preferred": "sms\x00", "pause": "start' OR 1=1", "locale": "de\r\nX: y"},
        {"locale": "xx", "frequency": "hourly", "preferred": "inbox", "pause": "forever", "topic_shown": "politics"},
        {"channel_shown": "push", "channel": "push"},
        {"channel_shown": "inbox", "channel_had": "inbox"},
        b"\xff\xfe%ff%fe=%00&channel_shown=%ff",
        b"a=1&" * 5000,
        b"do=off&pad=" + b"x" * 70_000,
        b'{"do": "off"}',
    ],
)
async def test_values_that_no_form_sends_change_nothing(centre, data):
    """Injected headers, unknown words, channels that were not offered, bytes that are no text and far too much."""
    before = await centre.everything()
    centre.gate.clock.forward(minutes=1)
    parts = {"content": data} if isinstance(data, bytes) else {"data": data}
    answer = await centre.client.post(centre.link(), **parts)
    assert (answer.status_code, answer.headers["location"]) == (303, "?saved=yes")
    assert not {"set-cookie", "x"} & set(answer.headers)
    assert await centre.everything() == before


async def test_a_dead_address_is_shown_as_one(centre):
    """A channel whose messages come back cannot be ticked, and the other channels can."""
    await centre.gate.pool.execute(
        "INSERT INTO suppressions VALUES ('acme', 'email', 'ada@example.com', 'bounced', $1)", centre.gate.clock.now
    )
    form = await centre.fields()
    assert "Messages to this address come back" in form.html
    assert form.fields["channel_shown"] == ["sms", "whatsapp"]


async def test_the_way_out_leads_to_the_centre_too(centre):
    """Who opens the unsubscribe page may choose less instead."""
    page = await centre.client.get(centre.gate.links.unsubscribe("acme", "1001"))
    assert f'href="{centre.link()}"' in page.text


async def test_the_database_away_is_said_and_nothing_is_lost(centre):
    """503 with a page, for every address."""
    await centre.gate.pool.close()
    for link in (centre.link(), centre.gate.links.confirm("acme", "x")):
        answers = [await centre.client.get(link), await centre.client.post(link, data={"do": "off"})]
        assert [answer.status_code for answer in answers] == [503, 503]


# ---- double opt-in -------------------------------------------------------------------------------------------


async def test_another_address_is_confirmed_from_there(centre):
    """In Germany a yes to text messages sends one link to the number; the button behind it settles it, not the look."""
    form = await centre.fields()
    assert "We will send you a link" in form.html
    assert await centre.save(form, **form.ticked("channel", "email", "sms")) == "?saved=asked"
    await centre.save(form, **form.ticked("channel", "email", "sms"))
    ((pending, link),) = centre.postbox.sent
    assert (pending.channel, pending.locale, await centre.may(Channel.SMS)) == (Channel.SMS, "en-GB", "no_consent")
    before = await centre.everything()
    page = await centre.client.get(link)
    assert ("Text message (SMS)" in page.text, "Fernhill Supply" in page.text) == (True, True)
    assert await centre.everything() == before
    centre.gate.clock.forward(minutes=1)
    answer = await centre.client.post(link, data={"confirm": "yes"})
    assert (answer.status_code, answer.headers["location"]) == (303, "?")
    assert await centre.may(Channel.SMS) == "express"
    done = await centre.client.get(link)
    assert ("Thank you" in done.text, "<form" in done.text) == (True, False)


async def test_a_link_by_text_message_proves_the_number(centre):
    """Who came by SMS switches text messages and WhatsApp on at once."""
    link = centre.link(Channel.SMS)
    form = await centre.fields(link)
    await centre.save(form, link, **form.ticked("channel", "email", "sms", "whatsapp"))
    assert centre.postbox.sent == []
    assert [await centre.may(channel) for channel in (Channel.SMS, Channel.WHATSAPP)] == ["express", "express"]


async def test_without_a_sender_nothing_is_offered_that_needs_one(centre, brand):
    """Better no box than a promise that nobody keeps."""
    app = FastAPI()
    gate = centre.gate
    app.include_router(preferences.router(pool=gate.pool, links=gate.links, pages=Pages(brand), clock=gate.clock))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gate") as client:
        page = await client.get(centre.link())
    assert Form(page.text).fields["channel_shown"] == ["email"]


# ---- words ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("locale", "language"), [("de-AT", "de"), ("FR", "fr"), ("es-419", "es"), ("ja", "en")])
def test_the_language_is_the_customers(locale, language):
    """By its first part; English where these pages do not speak it."""
    assert language_of(locale) == language


def test_every_language_says_everything():
    """The four files have the same texts, with the same places to fill in."""

    def shape(texts, prefix=""):
        for name, text in texts.items():
            if isinstance(text, dict):
                yield from shape(text, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", tuple(sorted(re.findall(r"{\w*}", text)))

    shapes = {language: dict(shape(words_of(language))) for language in LANGUAGES}
    assert all(shapes[language] == shapes["en"] for language in LANGUAGES)
    assert len(shapes["en"]) > 30


@pytest.mark.parametrize(
    ("language", "shown"),
    [("de", "Deine Nachrichten von uns"), ("fr", "Nos messages"), ("es", "Nuestros mensajes"), ("en", "Your messages")],
)
async def test_pages_speak_the_customers_language(centre, language, shown):
    """Preference centre and confirmation alike."""
    await centre.gate.pool.execute("UPDATE customers SET locale = $1", language)
    form = await centre.fields()
    assert (f'<html lang="{language}">' in form.html, shown in form.html) == (True, True)
    await centre.save(form, **form.ticked("channel", "email", "whatsapp"))
    page = await centre.client.get(centre.postbox.sent[0][1])
    assert words_of(language)["confirm"]["title"] in page.text


def test_a_source_address_is_hashed_with_the_key():
    """The same address gives the same hash under one key only, and none of it can be read."""
    links, others = Links(SECRET_KEY, "http://gate"), Links("another key", "http://gate")
    assert links.source_hash("203.0.113.7") == links.source_hash("203.0.113.7")
    assert links.source_hash("203.0.113.7") != others.source_hash("203.0.113.7")
    assert links.source_hash(None) is None
