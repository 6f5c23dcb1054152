"""The gateway as a running HTTP server: by itself for `postlude gateway`, or beside a worker in one process."""

import asyncio
import gc
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import structlog
from temporalio.client import Client

from activities.by_shop import ByShop
from activities.shops.apis import ShopApis
from activities.shops.bigcommerce import BigCommerce
from journey.playbook import Channel
from starters import dead_letters
from starters.codec_server import codec_routes
from starters.confirmations import Confirmations
from starters.denials import to_people
from starters.gateway import create_app
from starters.journeys import TemporalJourneys
from starters.listening import for_operators, listen, listen_as_asked, served, url_of
from starters.metrics import Metrics
from starters.operations import operations_app
from starters.publishing import bring_shops
from starters.relay import Relay
from starters.replies import Replies, Voice
from starters.services import Front, Services
from starters.sources import doors_of, sources_of
from starters.standing import kept_at_work
from store.intake import Event
from store.pool import Pool
from workers.codec import payload_codec
from workers.connecting import database, temporal_client
from workers.search_attributes import register_where_allowed
from workers.services import ShopParts, alerts_by_shop, apis_of, load_templates, pollers_of, shop_parts
from workers.settings import SettingMissingError, Settings
from workers.shops import Shop, load_shops
from workflows.journey_input import SEARCH_ATTRIBUTES

log = structlog.get_logger()


async def run_gateway(settings: Settings, *, temporal_address: str | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests and deliveries under way.

    Raises:
        SettingMissingError: a setting is missing or malformed.
        OSError: the address to listen on is taken.
    """
    stopping = stop_signal()
    host, port = settings.host_and_port("listen")
    settings.needed("secret_key")
    shops, templates = list(load_shops(settings).values()), load_templates(settings)
    await bring_shops(settings.needed("database_url"), shops)
    pool = await database(settings.needed("database_url"), size=20)
    try:
        client = await temporal_client(address=temporal_address, codec=payload_codec(settings))
        await register_where_allowed(client, SEARCH_ATTRIBUTES)
        listener, operations = listen(host, port), listen_as_asked(settings, "operations_listen")
        async with (
            # What this process sends itself: confirmations, and answers to HELP.
            shop_parts(settings, templates, shops, channels=(Channel.EMAIL, Channel.SMS, Channel.WHATSAPP)) as parts,
            serving(settings, pool, client, parts, listener=listener, operations=operations) as url,
        ):
            # What is loaded by now stays: looking it over in every full collection would hold up the answers.
            gc.freeze()
            log.info("gateway_started", url=url, operations=url_of(operations))
            await stopping.wait()
            log.info("gateway_stopping")
    finally:
        await pool.close()
    log.info("gateway_stopped")


@asynccontextmanager
async def serving(
    settings: Settings,
    pool: Pool,
    client: Client,
    parts: ByShop[ShopParts],
    *,
    listener: socket.socket,
    operations: socket.socket | None = None,
    orders_ahead: bool = False,
) -> AsyncIterator[str]:
    """Serve the gateway and run its relay; yields the URL it listens on. Leaving finishes what is under way.

    `parts` are what each shop writes with, its caller's to close. `operations` is where `starters.operations` is
    served; without it nowhere. `orders_ahead` as the relay has it.

    Raises:
        SettingMissingError: the secret key is unset, a webhook secret or a provider's URL is not usable, or webhooks
            are taken that nobody could make anything of.
    """
    async with AsyncExitStack() as running:
        alerts = alerts_by_shop(parts)
        voices = ByShop(_voice(parts.rest), {shop: _voice(own) for shop, own in parts.own.items()})
        journeys = TemporalJourneys(client, settings.task_queue)
        configured = [own.shop for own in parts.own.values() if own.shop is not None]
        shops = apis_of(settings, configured)
        running.push_async_callback(shops.aclose)
        _check_readable(settings, configured, shops)
        pollers = pollers_of(settings)
        running.push_async_callback(pollers.aclose)
        services = Services(
            pool=pool,
            sources=sources_of(settings),
            front=_front(pool, parts.rest),
            fronts={shop: _front(pool, own) for shop, own in parts.own.items()},
            shops=doors_of(settings, configured),
            closed=frozenset().union(*(shop.names for shop in configured)),
            relay=Relay(
                pool,
                journeys,
                orders_ahead=orders_ahead,
                replies=Replies(voices, alerts=alerts),
                fetch=partial(_fetched, shops),
                unheard=to_people(pool, alerts),
                buried=dead_letters.to_people(alerts),
                concerned=dead_letters.of_orders(alerts),
                test_orders=settings.test_orders,
            ),
            temporal_ready=client.service_client.check_health,
        )
        metrics = Metrics()
        app = create_app(services, metrics)
        if operations is not None:
            own = operations_app(services, metrics, app)
            codec, origin = payload_codec(settings), settings.codec_origin
            if codec is not None and origin is not None:
                own.include_router(codec_routes(codec, origin.rstrip("/")))
            await running.enter_async_context(for_operators(own, operations))
        await running.enter_async_context(
            kept_at_work(client, shops=shops.shops(), vendors=pollers.names, task_queue=settings.task_queue)
        )
        yield await running.enter_async_context(served(app, listener, finish=settings.graceful_shutdown_seconds))


def _voice(parts: ShopParts) -> Voice:
    return Voice(parts.senders, parts.templates.brand_in)


def _front(pool: Pool, parts: ShopParts) -> Front:
    brand_in = parts.templates.brand_in
    confirmations = Confirmations(pool, parts.senders, brand_in)
    return Front(parts.links, parts.templates.brand, brand_in, confirmations, parts.settings.policy)


def _check_readable(settings: Settings, configured: Sequence[Shop], shops: ShopApis) -> None:
    """Refuse webhooks that only name an order where no API could be asked for it: each would be taken and lost."""
    if settings.bigcommerce_secret is not None and BigCommerce.name not in shops.platforms():
        raise SettingMissingError(
            "POSTLUDE_SHOP_URLS: BigCommerce's webhooks (POSTLUDE_BIGCOMMERCE_SECRET) only name an order, which is "
            "read from the store's API: bigcommerce://TOKEN@api.bigcommerce.com/STORE_HASH"
        )
    for shop in configured:
        if BigCommerce.name in shop.secrets and shops.of(shop.id) is None:
            raise SettingMissingError(
                f"shop {shop.id}: BigCommerce's webhooks only name an order, which is read from the store's API: "
                "give its file `api:`, a bigcommerce:// URL"
            )


async def _fetched(shops: ShopApis, shop: str, order_id: str) -> Sequence[Event] | None:
    """An order as the shop's own API has it; None where none is configured for that shop."""
    api = shops.of(shop)
    return None if api is None else await api.order(order_id)


def stop_signal() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set, instead of what they would do otherwise."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping
