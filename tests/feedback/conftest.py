"""A gateway open to every provider, over a real database, with its relay driven by hand."""

import uuid
from dataclasses import dataclass, field

import httpx
import pytest

from activities.links import Links
from activities.messaging.feedback.mailgun import MailgunEvents
from activities.messaging.feedback.sendgrid import SendGridEvents
from activities.messaging.feedback.ses import SesEvents
from activities.messaging.feedback.twilio import TwilioEvents
from journey.base import TouchKey
from journey.outcomes import DeliverRequest
from starters.gateway import Front, Services, create_app, sources
from starters.relay import Relay
from store.claims import message_key
from store.ledger import Ledger
from tests.feedback import signers
from tests.gateway.kit import SECRET_KEY, Clock, Recorder
from tests.support.brands import fernhill
from tests.support.orders import Order, Person, put


@dataclass
class Feed:
    """What a test of provider events needs at hand."""

    client: httpx.AsyncClient
    pool: object
    relay: Relay
    clock: Clock
    links: Links
    sns: signers.Sns
    orders: set = field(default_factory=set)

    async def message(self, touch="welcome", *, order_id="1001", status="sent", channel="email", provider_id=None):
        """A message of the ledger, by the key that its provider was given."""
        if order_id not in self.orders:
            self.orders.add(order_id)
            await put(self.pool, Order(order_id, person=Person(customer_id="c-17")), "digest")
            await self.pool.execute("UPDATE customers SET phone = '+4915112345678'")
        now = self.clock.now
        request = DeliverRequest(
            shop="acme", order_id=order_id, playbook="digest", key=TouchKey(touch), due=now, now=now
        )
        await self.pool.execute(
            "INSERT INTO ledger (shop, order_id, touch_key, touch, purpose, channel, priority, customer_id, status,"
            " rule, due, at, claim, claimed_at, message_id, provider, provider_id)"
            " VALUES ('acme', $1, $2, $2, 'marketing', $3, 1, 'c-17', $4, $5, $6, $6, $7, $6, $8, 'some', $9)",
            order_id,
            touch,
            channel,
            status,
            None if status in {"sent", "claimed"} else "provider_http_500",
            now,
            uuid.uuid4(),
            Ledger(self.pool, domain="shop.test").message_id(request, 0),
            provider_id,
        )
        return message_key(request, 0)

    async def send(self, *requests):
        """Send each, deliver what was kept, and answer the last one's status."""
        for sent in requests:
            answer = await self.client.post(sent.target, content=sent.body, headers=sent.headers)
            await self.relay.drain()
        return answer.status_code

    async def events(self):
        rows = await self.pool.fetch("SELECT * FROM message_events ORDER BY at, id")
        return [(row["kind"], row["machine"]) for row in rows]

    async def suppressions(self):
        rows = await self.pool.fetch("SELECT * FROM suppressions ORDER BY shop, channel")
        return {(row["shop"], row["channel"], row["address"]): row["reason"] for row in rows}

    async def statuses(self):
        rows = await self.pool.fetch("SELECT touch_key, status, rule FROM ledger ORDER BY id")
        return {row["touch_key"]: (row["status"], row["rule"]) for row in rows}

    async def inbox(self):
        return [(row["status"], row["note"]) for row in await self.pool.fetch("SELECT * FROM inbox ORDER BY id")]


def opened(clock, sns):
    """Every provider's adapter, with the test's clock where time matters."""
    made = sources(
        secret_key=SECRET_KEY,
        resend_secret=signers.RESEND_SECRET,
        sendgrid_key=signers.SENDGRID_KEY,
        postmark_login=signers.POSTMARK_LOGIN,
        mailgun_secret=signers.MAILGUN_SECRET,
        ses_topics=signers.TOPIC,
        twilio_secret=signers.TWILIO_SECRET,
        whatsapp_secret=signers.WHATSAPP_SECRET,
        whatsapp_verify_token=signers.VERIFY_TOKEN,
        public_url=signers.PUBLIC_URL,
    )
    timed = [
        SendGridEvents(signers.SENDGRID_KEY, clock=clock),
        MailgunEvents(signers.MAILGUN_SECRET, clock=clock),
        SesEvents(signers.TOPIC, clock=clock, transport=sns.transport),
        TwilioEvents(signers.TWILIO_SECRET, public_url=signers.PUBLIC_URL, clock=clock),
    ]
    return made | {source.name: source for source in timed}


@pytest.fixture(scope="session")
def brand():
    return fernhill()


@pytest.fixture(scope="session")
def sns():
    return signers.Sns()


@pytest.fixture
async def feed(pool, brand, sns):
    clock = Clock()
    links = Links(SECRET_KEY, "http://gate")
    relay = Relay(pool, Recorder(), clock=clock)
    app = create_app(
        Services(pool=pool, sources=opened(clock, sns), front=Front(links, brand), relay=relay, clock=clock)
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gate") as client:
        yield Feed(client, pool, relay, clock, links, sns)
