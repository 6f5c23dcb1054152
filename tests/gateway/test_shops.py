"""Several shops behind one gateway: the secret names the shop, and nothing of one shows in another's."""

import asyncio
from contextlib import asynccontextmanager

import httpx
import pytest

from starters.doors import Door
from starters.gateway import Front, Services, create_app
from starters.relay import Relay
from starters.sources import doors_of, sources
from tests.gateway.kit import SECRET_KEY, WEBHOOK_SECRET, Sender, order_data
from tests.support import shop_files
from workers.services import shop_parts
from workers.settings import Settings
from workers.shops import load_shops


@pytest.fixture(scope="module")
async def configured(templates, tmp_path_factory):
    """The two shops' parts, whose templates take a while to compile."""
    with pytest.MonkeyPatch.context() as environment:
        folder = await asyncio.to_thread(shop_files.write, tmp_path_factory.mktemp("shops"), environment)
        settings = Settings(
            _env_file=None,
            secret_key=SECRET_KEY,
            shops=folder,
            public_url="http://gate",
            email_url="smtp://127.0.0.1:25",
        )
        shops = list(load_shops(settings).values())
    async with shop_parts(settings, templates, shops) as parts:
        yield settings, shops, parts


@asynccontextmanager
async def _street(gate, templates, configured):
    settings, shops, parts = configured
    fronts = {shop: Front(own.links, own.templates.brand, own.templates.brand_in) for shop, own in parts.own.items()}
    relay = Relay(gate.pool, gate.journeys, clock=gate.clock)
    services = Services(
        pool=gate.pool,
        sources=sources(secret_key=SECRET_KEY, webhook_secret=WEBHOOK_SECRET),
        front=Front(parts.rest.links, templates.brand),
        fronts=fronts,
        shops=doors_of(settings, shops),
        closed=frozenset().union(*(shop.names for shop in shops)),
        relay=relay,
        clock=gate.clock,
    )
    transport = httpx.ASGITransport(create_app(services))
    async with httpx.AsyncClient(transport=transport, base_url="http://gate") as client:
        yield Street(gate, client, parts, relay)


class Street:
    """Two shops, and the deployment's own secret."""

    def __init__(self, gate, client, parts, relay):
        self.gate, self.client, self.parts, self.relay = gate, client, parts, relay
        self.send = Sender(client)

    async def order(self, secret, shop, *, event_id=None, order_id="1001", **changes):
        data = order_data(shop=shop, order_id=order_id, **changes)
        body = {"type": "order.created", "timestamp": "2026-11-22T10:00:00Z", "data": data}
        return await self.send.standard(body, secret=secret, event_id=event_id)

    async def shops(self):
        await self.relay.drain()
        return sorted(row["shop"] for row in await self.gate.pool.fetch("SELECT shop FROM orders"))


@pytest.fixture
async def street(gate, templates, configured):
    async with _street(gate, templates, configured) as found:
        yield found


async def test_the_secret_names_the_shop(street):
    """A shop's order comes in by any of its secrets, under its id or what its platform calls it."""
    assert (await street.order(shop_files.TEA_SECRET, "tea")).status_code == 202
    old = await street.order(shop_files.TEA_OLD_SECRET, "tea.myshopify.com", order_id="1002")
    assert old.status_code == 202
    assert await street.shops() == ["tea", "tea"]


@pytest.mark.parametrize(
    ("secret", "shop"),
    [
        (shop_files.TEA_SECRET, "bikes"),
        (shop_files.TEA_SECRET, "acme"),
        (shop_files.BIKE_SECRET, "tea.myshopify.com"),
        (WEBHOOK_SECRET, "tea"),
        (WEBHOOK_SECRET, "bikes.myshopify.com"),
    ],
)
async def test_no_secret_speaks_for_another_shop(street, secret, shop):
    """Neither a shop's for its neighbour nor the deployment's for a shop with a file."""
    answer = await street.order(secret, shop)
    assert (answer.status_code, answer.json()["field"]) == (422, "shop")
    assert await street.shops() == []


async def test_the_deployments_secret_speaks_for_the_shops_without_a_file(street):
    """One shop by environment alone goes on beside the others."""
    assert (await street.order(WEBHOOK_SECRET, "acme")).status_code == 202
    assert await street.shops() == ["acme"]


async def test_shopifys_header_is_checked_against_the_secret(street):
    """It stands outside the signature: a body of one shop is not another's under another header."""
    body = {"shop_id": 1, "shop_domain": "bikes.myshopify.com"}
    refused = await street.send.shopify("shop/redact", body, secret=shop_files.TEA_SHOPIFY, shop="bikes.myshopify.com")
    assert (refused.status_code, refused.json()["field"]) == (422, "shop")


async def test_a_secret_of_nobody_opens_nothing(street):
    """However many doors there are."""
    assert (await street.order("whsec_" + "A" * 40, "tea")).status_code == 401


async def test_a_shop_has_an_address_of_its_own_for_webhooks(street):
    """There only its own secrets count."""
    street.send.client.base_url = "http://gate/s/tea/"
    assert (await street.order(shop_files.BIKE_SECRET, "bikes")).status_code == 401
    assert (await street.order(shop_files.TEA_SECRET, "tea")).status_code == 202
    street.send.client.base_url = "http://gate/s/nobody/"
    assert (await street.order(shop_files.TEA_SECRET, "tea")).status_code == 404


async def test_a_shop_cannot_take_anothers_place_in_the_inbox(street):
    """An id that one shop chose is not a repeat of the other's."""
    assert (await street.order(shop_files.TEA_SECRET, "tea", event_id="msg_1")).json()["status"] == "accepted"
    assert (await street.order(shop_files.BIKE_SECRET, "bikes", event_id="msg_1")).json()["status"] == "accepted"
    assert (await street.order(WEBHOOK_SECRET, "acme", event_id="msg_1")).json()["status"] == "accepted"
    assert (await street.order(shop_files.TEA_SECRET, "tea", event_id="msg_1")).json()["status"] == "repeated"


async def test_a_shops_scan_is_of_its_own_parcels_alone(street):
    """Two shops have one number: a shop's own carrier tells its own journey."""
    for secret, shop in ((shop_files.TEA_SECRET, "tea"), (shop_files.BIKE_SECRET, "bikes")):
        await street.order(secret, shop)
        body = {
            "type": "shipment.created",
            "timestamp": "2026-11-22T11:00:00Z",
            "data": {"shop": shop, "order_id": "1001", "tracking_number": "00340434161094015902", "carrier": "DHL"},
        }
        assert (await street.send.standard(body, secret=secret)).status_code == 202
    await street.relay.drain()
    street.gate.journeys.told.clear()
    result = {
        "tracking_code": "00340434161094015902",
        "status": "delivered",
        "carrier": "DHL",
        "updated_at": "2026-11-23T09:00:00Z",
    }
    body = {"id": "evt_1", "description": "tracker.updated", "result": result}
    assert (await street.send.easypost(body, secret=shop_files.CARRIER)).status_code == 202
    await street.relay.drain()
    assert {key for key, _ in street.gate.journeys.told} == {"order:tea:1001"}


async def test_the_shops_own_word_about_a_parcel_is_of_its_own_alone(street):
    """`shipment.updated` without a shop is its secret's; by the deployment's it would be of all and is refused."""
    data = {"tracking_number": "00340434161094015902", "carrier": "DHL", "status": "delivered"}
    body = {"type": "shipment.updated", "timestamp": "2026-11-23T09:00:00Z", "data": data}
    assert (await street.send.standard(body, secret=shop_files.TEA_SECRET)).status_code == 202
    row = await street.gate.pool.fetchrow("SELECT subject FROM inbox")
    assert row["subject"].startswith("tracking:tea:")
    assert (await street.send.standard(body)).status_code == 422


async def test_each_shops_pages_wear_its_brand_and_open_its_links_alone(street):
    """A link of one shop opens nothing under the other's path; a bare one is the shop's that it names."""
    await street.order(shop_files.TEA_SECRET, "tea")
    await street.order(shop_files.BIKE_SECRET, "bikes")
    await street.relay.drain()
    tea, bikes = (street.parts.own[shop].links.order(shop, "1001") for shop in ("tea", "bikes"))
    assert tea.startswith("http://gate/s/tea/o/")
    page = (await street.client.get(tea)).text
    assert "Teeladen" in page
    assert "Two Wheels" not in page
    assert 'href="/s/tea/notes/' in page
    crossed = await street.client.get(tea.replace("/s/tea/", "/s/bikes/"))
    assert crossed.status_code == 404
    bare = await street.client.get(bikes.replace("/s/bikes/", "/"))
    assert (bare.status_code, "Two Wheels" in bare.text) == (200, True)
    assert (await street.client.get("/s/nobody/o/x.y")).status_code == 404
    for link in (
        street.parts.own["tea"].links.unsubscribe("tea", "1001"),
        street.parts.own["tea"].links.preferences("tea", "1001"),
    ):
        shown = await street.client.get(link)
        assert (shown.status_code, "Teeladen" in shown.text, "Two Wheels" in shown.text) == (200, True, False)


def test_a_door_of_the_deployment_has_the_plain_key():
    """Webhooks kept before there were shops with files are still known when they come again."""
    source = sources(secret_key=SECRET_KEY, webhook_secret=WEBHOOK_SECRET)["events"]
    assert Door(source).key("msg_1") == "msg_1"
