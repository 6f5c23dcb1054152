"""A gateway over ASGI, with its relay driven by hand."""

from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest

from activities.links import Links
from starters.gateway import Front, Services, create_app, sources
from starters.metrics import Metrics
from starters.operations import operations_app
from starters.relay import Relay
from store import playbooks
from tests.gateway.kit import (
    EASYPOST_SECRET,
    SECRET_KEY,
    SEVENTEENTRACK_SECRET,
    SHOPIFY_SECRET,
    WEBHOOK_SECRET,
    WOO_SECRET,
    Clock,
    Recorder,
    Sender,
)
from tests.support.brands import fernhill


@dataclass
class Gate:
    app: object
    client: httpx.AsyncClient
    send: Sender
    relay: Relay
    journeys: Recorder
    clock: Clock
    pool: object
    links: Links
    operations: httpx.AsyncClient

    async def rows(self):
        return await self.pool.fetch("SELECT * FROM inbox ORDER BY id")

    async def states(self):
        return [row["status"] for row in await self.rows()]


@pytest.fixture(scope="session")
def brand():
    return fernhill()


@pytest.fixture
async def gate(pool, playbook, brand):
    await playbooks.publish(pool, playbook)
    clock, journeys = Clock(), Recorder()
    links = Links(SECRET_KEY, "http://gate")
    # Its poll comes in an hour: what runs at once was woken.
    relay = Relay(pool, journeys, clock=clock, poll=timedelta(hours=1))
    opened = sources(
        secret_key=SECRET_KEY,
        webhook_secret=WEBHOOK_SECRET,
        shopify_secret=SHOPIFY_SECRET,
        easypost_secret=EASYPOST_SECRET,
        woocommerce_secret=WOO_SECRET,
        seventeentrack_secret=SEVENTEENTRACK_SECRET,
    )
    # Without the app's life the relay runs only when a test says so.
    services = Services(pool=pool, sources=opened, front=Front(links, brand), relay=relay, clock=clock)
    metrics = Metrics()
    app = create_app(services, metrics)
    seen = httpx.ASGITransport(operations_app(services, metrics, app))
    async with (
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gate") as client,
        httpx.AsyncClient(transport=seen, base_url="http://gate") as operations,
    ):
        yield Gate(app, client, Sender(client), relay, journeys, clock, pool, links, operations)
