"""Real endpoints in front of real journeys: what shops send comes out as mails and pages."""

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from activities.links import Links
from journey.base import workflow_id
from starters.gateway import Front, Services, create_app, sources
from starters.relay import Relay
from tests.gateway.kit import SECRET_KEY, SHOPIFY_SECRET, WEBHOOK_SECRET, Sender
from tests.support.brands import fernhill
from tests.support.patience import PATIENCE
from tests.support.world import World
from workers.embedded import EmbeddedStack
from workers.mail_catcher import CaughtMail
from workflows.order_journey import OrderJourney

WOO_SECRET = "woo-test-secret"  # noqa: S105  # a test secret
SHOPIFY = "acme.myshopify.com"
WOO = "woo.example"
_counted = itertools.count(1)


def numeric_id() -> int:
    """An order id as platforms count them, that nobody else has."""
    return uuid.uuid4().int % 10**12 * 1000 + next(_counted)


class Shopfront:
    """Shops on one side, their customers on the other."""

    def __init__(self, client: httpx.AsyncClient, relay: Relay, world: World, stack: EmbeddedStack) -> None:
        self.client, self.relay, self.world, self.stack = client, relay, world, stack
        self.send = Sender(client)
        self.pool = world.pool
        self.links = Links(SECRET_KEY, "http://gate")

    async def shopify(self, topic: str, body: dict[str, Any]) -> None:
        """A webhook of Shopify's, on its way to its journey."""
        answer = await self.send.shopify(topic, body, shop=SHOPIFY)
        assert answer.status_code == 202, answer.text
        await self.relay.drain()

    async def woo(self, topic: str, body: dict[str, Any]) -> None:
        """The same of WooCommerce."""
        raw = json.dumps(body).encode()
        signed = base64.b64encode(hmac.new(WOO_SECRET.encode(), raw, hashlib.sha256).digest()).decode()
        headers = {
            "x-wc-webhook-topic": topic,
            "x-wc-webhook-source": f"https://{WOO}/",
            "x-wc-webhook-signature": signed,
        }
        answer = await self.client.post("/webhooks/woocommerce", content=raw, headers=headers)
        assert answer.status_code == 200, answer.text
        await self.relay.drain()

    async def event(self, kind: str, **data: Any) -> None:
        """The same of a backend of the shop's own."""
        answer = await self.send.event(kind, timestamp=datetime.now(UTC).isoformat(), **data)
        assert answer.status_code == 202, answer.text
        await self.relay.drain()

    def mails(self, shop: str, order_id: str) -> Sequence[CaughtMail]:
        """What an order's customer has got."""
        return [mail for mail in self.stack.mail.messages() if mail.order == f"{shop}/{order_id}"]

    async def mail(self, shop: str, order_id: str, touch: str = "order_confirmation") -> CaughtMail:
        """One mail, once it is there."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for mail in self.mails(shop, order_id):
                    if mail.touch == touch:
                        return mail
                await asyncio.sleep(0.05)

    async def page(self, shop: str, order_id: str) -> str:
        """The order's page."""
        return (await self.client.get(self.links.order(shop, order_id))).text

    async def called(self, shop: str, order_id: str) -> str | None:
        """What the order's journey calls it."""
        handle = self.world.client.get_workflow_handle_for(OrderJourney.run, workflow_id(shop, order_id))
        return (await handle.query(OrderJourney.timeline)).number


@asynccontextmanager
async def opened(world: World, stack: EmbeddedStack) -> AsyncIterator[Shopfront]:
    """A gateway whose relay starts and tells the journeys of `world`."""
    relay = Relay(world.pool, world.journeys, poll=timedelta(hours=1))
    brand = fernhill()
    found = sources(
        secret_key=SECRET_KEY,
        webhook_secret=WEBHOOK_SECRET,
        shopify_secret=SHOPIFY_SECRET,
        woocommerce_secret=WOO_SECRET,
    )
    links = Links(SECRET_KEY, "http://gate")
    app = create_app(Services(pool=world.pool, sources=found, front=Front(links, brand)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gate") as client:
        yield Shopfront(client, relay, world, stack)


def ago(minutes: int = 5) -> str:
    """A moment as Shopify writes it."""
    return (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()


def gmt(minutes: int = 5) -> str:
    """A moment as WooCommerce writes it."""
    return (datetime.now(UTC) - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S")


def of_shopify(order_id: int, **changes: Any) -> dict[str, Any]:
    """An order of one cup, as `orders/create` sends it."""
    email = f"b{order_id}@buyer.example"
    return {
        "id": order_id,
        "name": "#1042",
        "email": email,
        "created_at": ago(),
        "updated_at": ago(),
        "currency": "EUR",
        "total_price": "49.90",
        "current_total_price": "49.90",
        "source_name": "web",
        "customer_locale": "en",
        "customer": {"id": order_id + 1, "email": email, "first_name": "Noa"},
        "shipping_address": {"first_name": "Noa", "country_code": "DE"},
        "line_items": [
            {
                "id": 1,
                "sku": "CUP-1",
                "title": "Cup",
                "quantity": 1,
                "current_quantity": 1,
                "price": "49.90",
                "requires_shipping": True,
            }
        ],
        "shipping_lines": [{"title": "Standard"}],
        "refunds": [],
    } | changes


def of_woo(order_id: int, **changes: Any) -> dict[str, Any]:
    """An order of one cup, as `order.created` sends it."""
    return {
        "id": order_id,
        "number": "RE-2026-0042",
        "parent_id": 0,
        "status": "processing",
        "currency": "EUR",
        "total": "30.00",
        "created_via": "checkout",
        "customer_id": 0,
        "date_created_gmt": gmt(),
        "date_modified_gmt": gmt(),
        "date_paid_gmt": gmt(),
        "date_completed_gmt": None,
        "needs_processing": True,
        "billing": {"first_name": "Ida", "email": f"w{order_id}@buyer.example", "country": "DE"},
        "shipping": {"country": ""},
        "line_items": [
            {
                "id": 1,
                "product_id": 5,
                "variation_id": 0,
                "sku": "W-1",
                "name": "Cup",
                "quantity": 1,
                "total": "25.21",
                "total_tax": "4.79",
            }
        ],
        "shipping_lines": [{"method_id": "flat_rate"}],
        "refunds": [],
        "meta_data": [],
    } | changes
