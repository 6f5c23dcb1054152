"""The message of a double opt-in: from the form's POST to the mailbox or telephone, and from there to the yes."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import pytest

from activities.messaging.email.smtp import Smtp
from activities.messaging.routes import Route
from activities.messaging.senders import Senders
from journey.playbook import Channel, Purpose
from starters.confirmations import Confirmations
from starters.gateway import Front, Services, create_app
from store.standing import standing
from tests.gateway.test_preferences import Form
from tests.messaging.text.standins import TwilioApi, twilio_error
from workers.mail_catcher import MailCatcher


@dataclass
class Counter:
    """The preference centre of a German customer whose mail is caught and whose texts end at Twilio's stand-in."""

    gate: object
    client: httpx.AsyncClient
    twilio: TwilioApi
    catcher: object

    async def ask(self, via, *channels):
        """Tick these channels on the page that a message by `via` led to."""
        self.gate.clock.forward(minutes=1)
        link = self.gate.links.preferences("acme", "1001", via)
        form = Form((await self.client.get(link)).text)
        answer = await self.client.post(link, data={**form.fields, "channel": list(channels)})
        assert answer.status_code == 303
        return await self.client.get(link + answer.headers["location"])

    async def rule(self, channel):
        known = await standing(self.gate.pool, "acme", "c-17")
        return known.permission(channel, Purpose.MARKETING, now=self.gate.clock.now).rule


@pytest.fixture
async def counter(gate, brand, tmp_path):
    catcher = MailCatcher(tmp_path / "mail")
    await catcher.start()
    gate.clock.forward(minutes=5)
    await gate.send.order(customer={"consent": {"email_marketing": False}})
    await gate.relay.drain()
    twilio = TwilioApi()
    await twilio.start()
    mail = Smtp(urlsplit(catcher.url))
    senders = Senders({Channel.EMAIL: Route([mail], [1]), Channel.SMS: Route([twilio.sms()], [1])})
    confirmations = Confirmations(gate.pool, senders, lambda _language: brand)
    services = Services(
        pool=gate.pool, sources={}, front=Front(gate.links, brand, confirmations=confirmations), clock=gate.clock
    )
    transport = httpx.ASGITransport(create_app(services))
    async with httpx.AsyncClient(transport=transport, base_url="http://gate") as client:
        yield Counter(gate, client, twilio, catcher)
    await senders.aclose()
    await twilio.stop()
    await catcher.stop()


def link_in(text):
    return re.search(r"http://gate/confirm/\S+", text)[0]


async def test_a_mail_asks_the_mailbox(counter):
    """A link to an order proves no mailbox: ticking mail sends one there, and the button behind it counts."""
    page = await counter.ask(Channel.INBOX, "email")
    assert "Eines fehlt noch" in page.text
    (mail,) = counter.catcher.messages()
    parsed = mail.parsed()
    assert (mail.recipients, parsed["Auto-Submitted"]) == (("ada@example.com",), "auto-generated")
    assert parsed["Subject"] == "Bitte bestätigen: Nachrichten von Fernhill Supply"
    assert "List-Unsubscribe" not in parsed
    link = link_in(mail.text())
    assert link in mail.html().replace("&amp;", "&")
    assert await counter.rule(Channel.EMAIL) in {"no_consent", "unconfirmed"}
    counter.gate.clock.forward(minutes=1)
    assert (await counter.client.post(link, data={"confirm": "yes"})).status_code == 303
    assert await counter.rule(Channel.EMAIL) == "express"


async def test_a_text_message_asks_the_number_for_whatsapp_too(counter):
    """Whoever reads what goes to the number has it, by whichever way."""
    await counter.ask(Channel.EMAIL, "sms", "whatsapp")
    assert [sent["To"] for sent in counter.twilio.requests] == ["+4915112345678"] * 2
    assert all("StatusCallback" not in sent for sent in counter.twilio.requests)
    for sent in counter.twilio.requests:
        counter.gate.clock.forward(minutes=1)
        await counter.client.post(link_in(sent["Body"]), data={"confirm": "yes"})
    assert [await counter.rule(channel) for channel in (Channel.SMS, Channel.WHATSAPP)] == ["express", "express"]


async def test_a_link_that_could_not_be_sent_is_not_promised(counter):
    """The page says so, and the same wish a minute later is a new one."""
    counter.twilio.errors.append(twilio_error(429, 20429))
    page = await counter.ask(Channel.EMAIL, "sms")
    assert ("nicht schicken" in page.text, "Eines fehlt noch" in page.text) == (True, False)
    page = await counter.ask(Channel.EMAIL, "sms")
    assert ("Eines fehlt noch" in page.text, len(counter.twilio.arrivals())) == (True, 1)


async def test_what_nobody_can_send_is_not_offered(counter, brand):
    """Without a provider of text messages a German number cannot be asked, so there is no box for it."""
    senders = Senders({Channel.EMAIL: Route([Smtp(urlsplit(counter.catcher.url))], [1])})
    able = Confirmations(counter.gate.pool, senders, lambda _language: brand)
    assert able.channels == {Channel.EMAIL, Channel.PUSH, Channel.WEB_PUSH}
    gate = counter.gate
    services = Services(pool=gate.pool, sources={}, front=Front(gate.links, brand, confirmations=able))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(services)), base_url="http://gate") as client:
        page = await client.get(gate.links.preferences("acme", "1001", Channel.INBOX))
    assert Form(page.text).fields["channel_shown"] == ["email"]


async def test_an_address_that_is_a_header_is_never_written_to(counter):
    """What would end a header never becomes a customer's address, so there is no box to tick."""
    injected = {"customer_id": "c-66", "email": "eve@example.com\r\nBcc: all@example.com", "phone": None}
    await counter.gate.send.order(order_id="66", customer=injected)
    await counter.gate.relay.drain()
    link = counter.gate.links.preferences("acme", "66", Channel.INBOX)
    form = Form((await counter.client.get(link)).text)
    assert "channel_shown" not in form.fields
    await counter.client.post(link, data={**form.fields, "channel": "email", "channel_shown": "email"})
    assert counter.catcher.messages() == []
