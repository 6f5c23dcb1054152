"""What the gateway's tests share: senders with real signatures, a journey recorder and a clock to move by hand."""

import asyncio
import base64
import hashlib
import hmac
import json
import unicodedata
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from standardwebhooks import Webhook
from temporalio.service import RPCError, RPCStatusCode

from journey.base import workflow_id
from starters.ports import JourneyMissingError
from store import inbox, intake

SECRET_KEY = "test-secret-key"  # noqa: S105  # a test secret
WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"a test secret of thirty bytes!").decode()
SHOPIFY_SECRET = "shopify-test-secret"  # noqa: S105  # a test secret
EASYPOST_SECRET = "easypost-tést-secret"  # noqa: S105  # a test secret
SEVENTEENTRACK_SECRET = "17track-test-key"  # noqa: S105  # a test secret
WOO_SECRET = "woo-test-secret"  # noqa: S105  # a test secret
PLACED = "2026-11-22T09:59:58Z"
CHANGED = "2026-11-22T10:01:00Z"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self):
        self.now = datetime(2026, 11, 22, 10, tzinfo=UTC)

    def __call__(self):
        return self.now

    def forward(self, **span):
        self.now += timedelta(**span)


class Recorder:
    """Journeys that only remember what they were told.

    `away` plays an outage, `ended` a finished journey, `lost` one that Temporal does not know. `settling` are the sagas
    of remedies.
    """

    def __init__(self):
        self.started = {}
        self.playbooks = []
        self.told = []
        self.settling = {}
        self.away = False
        self.broken = set()
        self.ended = set()
        self.lost = set()
        self.first = asyncio.Event()

    async def start(self, facts, playbook):
        self._outage(facts.shop, facts.order_id)
        self.playbooks.append(playbook)
        self.first.set()
        return self.started.setdefault(workflow_id(facts.shop, facts.order_id), facts) is facts

    async def settle(self, request):
        self._outage(request.shop, request.order_id)
        return self.settling.setdefault(request.workflow_id, request) is request

    async def signal(self, shop, order_id, event):
        self._outage(shop, order_id)
        key = workflow_id(shop, order_id)
        if key not in self.started or key in self.lost:
            raise JourneyMissingError
        if key in self.ended:
            return False
        self.told.append((key, event))
        return True

    def kinds(self, shop, order_id):
        return [type(event).__name__ for key, event in self.told if key == workflow_id(shop, order_id)]

    def _outage(self, shop, order_id):
        if self.away or workflow_id(shop, order_id) in self.broken:
            raise RPCError("Temporal is away", RPCStatusCode.UNAVAILABLE, b"")


class Sender:
    """Sends webhooks as shops and carriers do."""

    def __init__(self, client: httpx.AsyncClient):
        self.client = client

    async def standard(self, body, *, event_id=None, sent=None, secret=WEBHOOK_SECRET, headers=None):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        event_id = event_id or f"msg_{uuid.uuid4().hex}"
        sent = sent or datetime.now(UTC)
        signature = Webhook(secret).sign(event_id, sent, raw.decode())
        given = {
            "webhook-id": event_id,
            "webhook-timestamp": str(int(sent.timestamp())),
            "webhook-signature": signature,
        }
        return await self.client.post("/webhooks/events", content=raw, headers=given | (headers or {}))

    async def event(self, kind, *, event_id=None, timestamp="2026-11-22T10:00:00Z", **data):
        return await self.standard({"type": kind, "timestamp": timestamp, "data": data}, event_id=event_id)

    async def order(self, *, event_id=None, **changes):
        return await self.event("order.created", event_id=event_id, **order_data(**changes))

    async def shopify(self, topic, body, *, event_id=None, secret=SHOPIFY_SECRET, shop="acme.myshopify.com"):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {
            "x-shopify-topic": topic,
            "x-shopify-shop-domain": shop,
            "x-shopify-event-id": event_id or uuid.uuid4().hex,
            "x-shopify-hmac-sha256": base64.b64encode(hmac.new(secret.encode(), raw, hashlib.sha256).digest()).decode(),
        }
        return await self.client.post("/webhooks/shopify", content=raw, headers=given)

    async def woo(self, topic, body, *, shop="https://woo.example/"):
        raw = json.dumps(body).encode()
        given = {
            "x-wc-webhook-topic": topic,
            "x-wc-webhook-source": shop,
            "x-wc-webhook-signature": base64.b64encode(
                hmac.new(WOO_SECRET.encode(), raw, hashlib.sha256).digest()
            ).decode(),
        }
        return await self.client.post("/webhooks/woocommerce", content=raw, headers=given)

    async def seventeentrack(self, body):
        raw = json.dumps(body).encode()
        sign = hashlib.sha256(raw + b"/" + SEVENTEENTRACK_SECRET.encode()).hexdigest()
        return await self.client.post("/webhooks/seventeentrack", content=raw, headers={"sign": sign})

    async def easypost(self, body, *, secret=EASYPOST_SECRET):
        raw = json.dumps(body).encode()
        return await self.client.post("/webhooks/easypost", content=raw, headers=easypost_headers(raw, secret=secret))

    async def scan(self, number, status, at, *, event_id=None, **more):
        result = {"tracking_code": number, "status": status, "carrier": "DHL", "updated_at": at, **more}
        body = {"id": event_id or f"evt_{uuid.uuid4().hex}", "description": "tracker.updated", "result": result}
        return await self.easypost(body)


def easypost_headers(raw: bytes, *, secret=EASYPOST_SECRET):
    key = unicodedata.normalize("NFKD", secret).encode()
    return {"x-hmac-signature": "hmac-sha256-hex=" + hmac.new(key, raw, hashlib.sha256).hexdigest()}


def order_data(**changes: Any) -> dict[str, Any]:
    """The data of a plain order; `customer` and `lines` may be changed in part."""
    customer = {
        "customer_id": "c-17",
        "email": "ada@example.com",
        "phone": "+4915112345678",
        "first_name": "Ada",
        "locale": "de-DE",
        "time_zone": "Europe/Berlin",
        "country": "DE",
        "consent": {"email_marketing": True, "sms_marketing": False},
    } | changes.pop("customer", {})
    line = {
        "sku": "YM-1",
        "title": "Yoga mat",
        "quantity": 1,
        "unit_price": "79.00",
        "category": "fitness",
        "kind": "physical",
    } | changes.pop("line", {})
    return {
        "shop": "acme",
        "order_id": "1001",
        "placed_at": PLACED,
        "channel": "online",
        "currency": "EUR",
        "total": "79.00",
        "customer": customer,
        "lines": [line],
    } | changes


class ShopApi:
    """A shop's API as the relay sees it. `then` are its answers, or what it raises; the last one stays."""

    def __init__(self, *then):
        self.then = list(then)
        self.asked = []

    async def __call__(self, shop, order_id):
        self.asked.append((shop, order_id))
        answer = self.then.pop(0) if len(self.then) > 1 else self.then[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def placed(**changes):
    """The order as the shop's API tells it, and that a parcel of it left."""
    data = order_data(**changes)
    return [
        intake.OrderCreated(at=data.pop("placed_at"), **data),
        intake.ShipmentCreated(at=CHANGED, shop="acme", order_id="1001", tracking_number="P-1"),
    ]


async def changed(gate, *, event_id="wc-1", order_id="1001"):
    event = intake.OrderChanged(at=CHANGED, shop="acme", order_id=order_id)
    return await inbox.keep(
        gate.pool,
        source="woocommerce",
        event_id=event_id,
        topic="order.updated",
        body=b"{}",
        events=[event],
        received_at=gate.clock.now,
    )
