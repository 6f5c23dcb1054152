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

from activities.links import Links
from activities.messaging.templates import Templates
from activities.shops.apis import ShopApis
from activities.shops.bigcommerce import BigCommerce
from activities.shops.protocol import Source
from journey.playbook import Channel
from starters import dead_letters
from starters.confirmations import Confirmations
from starters.denials import to_people
from starters.gateway import create_app, sources
from starters.journeys import TemporalJourneys
from starters.limits import PostsOfALink
from starters.listening import for_operators, listen, listen_as_asked, served, url_of
from starters.metrics import Metrics
from starters.operations import operations_app
from starters.portal import Pages
from starters.relay import Relay
from starters.replies import Replies
from starters.services import Services
from starters.standing import kept_at_work
from store.intake import Event
from store.pool import Pool
from workers.connecting import database, temporal_client
from workers.search_attributes import register_where_allowed
from workers.settings import SettingMissingError, Settings
from workers.worker import alerts_of, apis_of, load_templates, pollers_of, senders_of
from workflows.journey_input import SEARCH_ATTRIBUTES

log = structlog.get_logger()

_SECRETS = (
    "webhook_secret",
    "shopify_secret",
    "woocommerce_secret",
    "bigcommerce_secret",
    "easypost_secret",
    "aftership_secret",
    "shippo_secret",
    "seventeentrack_secret",
    "resend_secret",
    "sendgrid_key",
    "postmark_login",
    "mailgun_secret",
    "ses_topics",
    "twilio_secret",
    "whatsapp_secret",
    "whatsapp_verify_token",
)


async def run_gateway(settings: Settings, *, temporal_address: str | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests and deliveries under way.

    Raises:
        SettingMissingError: a setting is missing or malformed.
        OSError: the address to listen on is taken.
    """
    stopping = stop_signal()
    host, port = settings.host_and_port("listen")
    settings.needed("secret_key")
    templates = load_templates(settings)
    pool = await database(settings.needed("database_url"), size=20)
    try:
        client = await temporal_client(address=temporal_address)
        await register_where_allowed(client, SEARCH_ATTRIBUTES)
        listener, operations = listen(host, port), listen_as_asked(settings, "operations_listen")
        async with serving(settings, pool, client, templates, listener=listener, operations=operations) as url:
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
    templates: Templates,
    *,
    listener: socket.socket,
    operations: socket.socket | None = None,
    orders_ahead: bool = False,
) -> AsyncIterator[str]:
    """Serve the gateway and run its relay; yields the URL it listens on. Leaving finishes what is under way.

    `operations` is where `starters.operations` is served; without it nowhere. `orders_ahead` as the relay has it.

    Raises:
        SettingMissingError: the secret key is unset, a webhook secret or a provider's URL is not usable, or webhooks
            are taken that nobody could make anything of.
    """
    async with AsyncExitStack() as running:
        # What this process sends itself: confirmations, and answers to HELP.
        senders = senders_of(settings, (Channel.EMAIL, Channel.SMS, Channel.WHATSAPP))
        running.push_async_callback(senders.aclose)
        alerts = alerts_of(settings, senders, templates)
        running.push_async_callback(alerts.aclose)
        replies = Replies(senders, templates.brand_in, alerts=alerts)
        journeys = TemporalJourneys(client, settings.task_queue)
        shops = apis_of(settings)
        running.push_async_callback(shops.aclose)
        _check_readable(settings, shops)
        pollers = pollers_of(settings)
        running.push_async_callback(pollers.aclose)
        services = Services(
            pool=pool,
            sources=_sources(settings),
            links=Links(settings.needed("secret_key"), settings.public_url),
            brand=templates.brand,
            brand_in=templates.brand_in,
            confirmations=Confirmations(pool, senders, templates.brand_in),
            policy=settings.policy,
            relay=Relay(
                pool,
                journeys,
                orders_ahead=orders_ahead,
                replies=replies,
                fetch=partial(_fetched, shops),
                unheard=to_people(pool, alerts),
                buried=dead_letters.to_people(alerts),
                test_orders=settings.test_orders,
            ),
            temporal_ready=client.service_client.check_health,
        )
        metrics = Metrics()
        app = create_app(services, metrics)
        within = PostsOfALink(app, Pages(services.brand, brand_in=services.brand_in))
        if operations is not None:
            await running.enter_async_context(for_operators(operations_app(services, metrics, app), operations))
        await running.enter_async_context(
            kept_at_work(client, shops=shops.shops(), vendors=pollers.names, task_queue=settings.task_queue)
        )
        yield await running.enter_async_context(served(within, listener, finish=settings.graceful_shutdown_seconds))


def _check_readable(settings: Settings, shops: ShopApis) -> None:
    """Refuse webhooks that only name an order where no API could be asked for it: each would be taken and lost."""
    if settings.bigcommerce_secret is not None and BigCommerce.name not in shops.platforms():
        raise SettingMissingError(
            "POSTLUDE_SHOP_URLS: BigCommerce's webhooks (POSTLUDE_BIGCOMMERCE_SECRET) only name an order, which is "
            "read from the store's API: bigcommerce://TOKEN@api.bigcommerce.com/STORE_HASH"
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


def _sources(settings: Settings) -> dict[str, Source]:
    secrets = {
        name: getattr(settings, name).get_secret_value() if getattr(settings, name) is not None else None
        for name in _SECRETS
    }
    try:
        return sources(secret_key=settings.needed("secret_key"), public_url=settings.public_url, **secrets)
    except ValueError as error:
        raise SettingMissingError(f"a webhook secret is not usable: {error}") from error
