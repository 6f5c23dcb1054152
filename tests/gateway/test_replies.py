"""What people text back, from the provider's signed webhook to the answer at the provider and the alert."""

from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest

from activities.alerts import Alerts
from activities.by_shop import ByShop
from activities.links import Links
from activities.messaging.routes import Route
from activities.messaging.senders import Senders
from activities.messaging.text.segments import Encoding, count, plain
from journey.playbook import Channel
from journey.remedies import By, Choice
from starters.gateway import Front, Services, create_app
from starters.relay import Relay
from starters.replies import Replies, Voice
from starters.words import LANGUAGES, words_of
from store import remedies
from tests.feedback import payloads, signers
from tests.feedback.conftest import opened
from tests.feedback.payloads import PHONE
from tests.gateway.kit import SECRET_KEY, Clock, Recorder
from tests.messaging.text.standins import TwilioApi, WhatsAppApi, twilio_error
from tests.support.orders import Order, Person, put
from tests.support.providers import Impatient
from tests.support.remedies import step
from tests.support.sockets import HOST
from tests.support.standin import Said, StandIn

STRANGER = "+33612345678"


class SlackChannel(StandIn):
    """An incoming webhook: `ok`, in plain text."""

    def usual(self, _request):
        return Said(200, b"ok", {"Content-Type": "text/html"})


@dataclass
class Line:
    """A gateway with its senders, at the other end of which the vendors stand."""

    client: httpx.AsyncClient
    relay: Relay
    pool: object
    clock: Clock
    twilio: TwilioApi
    meta: WhatsAppApi
    slack: SlackChannel

    async def write(self, *requests):
        """Somebody's words, as their provider brings them; delivered once."""
        for sent in requests:
            answer = await self.client.post(sent.target, content=sent.body, headers=sent.headers)
            assert answer.status_code == 200
            await self.relay.drain()

    async def inbox(self):
        return [(row["status"], row["note"]) for row in await self.pool.fetch("SELECT * FROM inbox ORDER BY id")]

    async def listed(self):
        rows = await self.pool.fetch("SELECT shop, channel, address, reason FROM suppressions ORDER BY shop, channel")
        return [tuple(row) for row in rows]


@pytest.fixture
async def line(pool, brand):
    clock, twilio, meta, slack = Clock(), TwilioApi(), WhatsAppApi(), SlackChannel()
    for vendor in (twilio, meta, slack):
        await vendor.start()
    senders = Senders({Channel.SMS: Route([twilio.sms()], [1]), Channel.WHATSAPP: Route([meta.provider()], [1])})
    url = f"slack+https://{HOST}:{slack.port}/services/T0/B0/secret?insecure=1"
    alerts = Alerts(url, sender="hello@shop.test", transport=Impatient())
    relay = Relay(
        pool, Recorder(), clock=clock, replies=Replies(ByShop(Voice(senders, lambda _language: brand)), alerts=alerts)
    )
    links = Links(SECRET_KEY, "http://gate")
    sources = opened(clock, signers.Sns())
    app = create_app(Services(pool=pool, sources=sources, front=Front(links, brand), relay=relay, clock=clock))
    await put(pool, Order("1001", person=Person(customer_id="c-17", locale="de-DE")), "digest")
    await pool.execute("UPDATE customers SET phone = $1", PHONE)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gate") as client:
        yield Line(client, relay, pool, clock, twilio, meta, slack)
    await senders.aclose()
    await alerts.aclose()
    for vendor in (twilio, meta, slack):
        await vendor.stop()


def text(words, **more):
    return signers.twilio(payloads.twilio_incoming(words, **more))


def chat(words):
    return signers.whatsapp(payloads.whatsapp(messages=[payloads.whatsapp_message(words)]))


async def test_help_is_answered_in_the_customers_language(line):
    """Who writes, where to ask and how it ends, to the number that asked, and nobody is alerted."""
    await line.write(text("Hilfe!"))
    ((sent),) = line.twilio.requests
    assert sent["To"] == PHONE
    assert all(part in sent["Body"] for part in ("Fernhill Supply", "hello@fernhill.example", "STOP", "Bestellungen"))
    assert (await line.inbox(), await line.listed(), line.slack.asked) == ([("dispatched", "unknown message")], [], [])


async def test_help_by_whatsapp_is_answered_there(line):
    """As free text, since the customer wrote just now."""
    await line.write(chat("help"))
    (sent,) = line.meta.requests
    assert (sent["to"], sent["type"], "Bestellungen" in sent["text"]["body"]) == (PHONE, "text", True)
    assert line.twilio.requests == []


async def test_a_strangers_help_is_answered_too(line):
    """Whoever has our number may ask whose it is; in English, since nobody knows better."""
    await line.write(text("AIDE", sender=STRANGER))
    (sent,) = line.twilio.requests
    assert (sent["To"], "Reply STOP" in sent["Body"]) == (STRANGER, True)


async def test_help_that_the_provider_answered_is_not_answered_twice(line):
    """Twilio's Advanced Opt-Out says by OptOutType that it has answered."""
    await line.write(text("HELP", opted="HELP"))
    assert (line.twilio.requests, line.slack.asked) == ([], [])


async def test_the_same_help_again_is_one(line):
    """A replayed webhook is known by the message's name."""
    await line.write(text("help"), text("help"))
    assert len(line.twilio.requests) == 1


async def test_help_is_tried_again_while_the_provider_is_busy(line):
    """What was certainly not sent goes out later, once."""
    line.twilio.errors.append(twilio_error(429, 20429))
    await line.write(text("help"))
    assert (await line.inbox())[0][0] == "pending"
    line.clock.forward(seconds=5)
    await line.relay.drain()
    assert len(line.twilio.arrivals()) == 1
    assert await line.inbox() == [("dispatched", "unknown message")]


async def test_help_is_given_up_when_nobody_can_send_for_minutes(line):
    """Ten tries, then it is over: nobody waits longer for that, and it is no dead letter."""
    line.twilio.errors.extend([twilio_error(429, 20429)] * 20)
    await line.write(text("help"))
    for _ in range(20):
        line.clock.forward(minutes=2)
        await line.relay.drain()
    assert (len(line.twilio.requests), await line.inbox()) == (10, [("dispatched", "unknown message")])


@pytest.mark.parametrize("words", ["Wo bleibt mein Paket? ada@example.com", "👍", "stop it, the parcel is here"])
async def test_any_other_reply_is_an_alert_without_its_words(line, words):
    """The shop's people learn of the order and where to read it, once, and never what was said or by whom."""
    await line.write(text(words), text(words))
    (asked,) = line.slack.asked
    said = asked.json()["text"]
    row = await line.pool.fetchrow("SELECT id, body FROM inbox")
    assert (f"inbox {row['id']}" in said, "acme/1001" in said, "sms" in said) == (True, True, True)
    assert not any(part in asked.body.decode() for part in ("Paket", "ada@", "parcel", PHONE[1:]))
    assert (await line.listed(), line.twilio.requests) == ([], [])


async def test_a_strangers_reply_is_an_alert_too(line):
    """Without an order, as none is known."""
    await line.write(text("who is this?", sender=STRANGER))
    assert "inbox" in line.slack.asked[0].json()["text"]


async def test_two_replies_are_two_alerts(line):
    """Each names its own place, so that no mailbox takes the second for the first."""
    await line.write(chat("Wo ist es?"), text("Hallo?"))
    first, second = (asked.json()["text"] for asked in line.slack.asked)
    assert first != second


async def test_stop_and_start_are_acted_on_and_not_answered(line):
    """The number leaves and comes back; a STOP is no reason to write to it once more."""
    await line.write(text("STOPP"))
    assert await line.listed() == [("acme", "sms", PHONE, "opted_out")]
    line.clock.forward(minutes=1)
    await line.write(text("start", sid="SM" + "1" * 32))
    assert (await line.listed(), line.twilio.requests, line.slack.asked) == ([], [], [])


async def test_a_stop_from_an_unknown_number_is_kept_for_whoever_has_it_later(line):
    """Nobody's number is on the list for every shop, and a customer who brings it is not texted."""
    await line.write(text("stop", sender=STRANGER))
    assert await line.listed() == [("", "sms", STRANGER, "opted_out")]
    assert (await line.inbox(), line.slack.asked) == ([("dispatched", "unknown message")], [])


async def test_a_word_is_not_lost_when_the_answer_fails_badly(line):
    """An answer that cannot be sent keeps the row open, and the word that came with it stays heard."""
    await line.twilio.stop()
    await line.write(text("help"))
    assert (await line.inbox())[0][0] == "pending"
    await line.twilio.start()
    line.clock.forward(seconds=5)
    await line.relay.drain()
    assert len(line.twilio.arrivals()) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_by_the_pages_are_cheap(language):
    """The answer to HELP and the text with a confirmation's link need no second alphabet, and few messages."""
    said = words_of(language)
    answer = said["help_reply"].format(shop="Fernhill Supply", email="hello@fernhill.example")
    link = "https://mail.fernhill.example/confirm/" + "x" * 60
    confirm = said["confirm"]["sms"].format(shop="Fernhill Supply", link=link)
    for body, most in ((answer, 2), (confirm, 2)):
        counted = count(plain(body))
        assert (counted.encoding, counted.segments <= most) == (Encoding.GSM, True)


# ---- remedies ------------------------------------------------------------------------------------------------


async def offered(line, part="T1", order_id="1001"):
    """A lost parcel of the customer's, which they may choose about for three days."""
    now = line.clock.now
    order = Order(order_id)
    async with line.pool.acquire() as connection, connection.transaction():
        await remedies.offer(connection, step(order, part=part, at=now, choose_by=now + timedelta(days=3)))


async def chosen(line, part="T1"):
    row = await remedies.get(line.pool, "acme", "1001", part)
    return row.choice, row.chosen_by


@pytest.mark.parametrize("how", [text, chat])
@pytest.mark.parametrize(("words", "choice"), [("2", Choice.REFUND), ("Bitte noch einmal", Choice.REPLACEMENT)])
async def test_a_word_chooses_the_remedy_that_is_offered(line, how, words, choice):
    """By SMS and WhatsApp alike: it stands, its event is on its way, and nobody is alerted."""
    await offered(line)
    await line.write(how(words))
    assert await chosen(line) == (choice, By.REPLY)
    assert await line.pool.fetchval("SELECT count(*) FROM inbox WHERE source = 'remedy'") == 1
    assert line.slack.asked == []


@pytest.mark.parametrize("words", ["Wo bleibt mein Geld?", "1 oder 2?", "nein"])
async def test_what_is_no_choice_is_for_a_person(line, words):
    """A question is answered by somebody, and nothing is chosen."""
    await offered(line)
    await line.write(text(words))
    assert (await chosen(line), len(line.slack.asked)) == ((None, None), 1)


async def test_a_choice_between_two_remedies_is_for_a_person(line):
    """Nobody knows which parcel is meant."""
    await line.pool.execute("UPDATE orders SET total = 200")
    await line.pool.execute("UPDATE lines SET quantity = 2")
    await offered(line)
    await line.pool.execute("""UPDATE remedies SET amount = 79, skus = '[["YM-1", 1]]'""")
    await offered(line, part="T2")
    await line.write(text("2"))
    assert [await chosen(line, part) for part in ("T1", "T2")] == [(None, None)] * 2
    assert len(line.slack.asked) == 1


@pytest.mark.parametrize(
    "over", ["DELETE FROM remedies", "UPDATE remedies SET choose_by = offered_at - interval '10 days'"]
)
async def test_a_word_without_an_offer_is_for_a_person(line, over):
    """Where nothing was offered, or the time is up."""
    await offered(line)
    await line.pool.execute(over)
    await line.write(text("2"))
    assert len(line.slack.asked) == 1
    assert await line.pool.fetchval("SELECT count(choice) FROM remedies") == 0


async def test_a_strangers_word_chooses_nothing(line):
    """A number that no customer has is offered nothing."""
    await offered(line)
    await line.write(text("2", sender=STRANGER))
    assert (await chosen(line), len(line.slack.asked)) == ((None, None), 1)


async def test_a_stop_is_no_choice(line):
    """Whoever wants no more messages has chosen nothing."""
    await offered(line)
    await line.write(text("STOP"))
    assert (await chosen(line), len(await line.listed())) == ((None, None), 1)
