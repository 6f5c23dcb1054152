"""The gateway as a running HTTP server: by itself for `postlude gateway`, or beside a worker in one process."""

import asyncio
import gc
import signal
import socket
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI
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
from starters.gateway import Services, create_app, sources
from starters.journeys import TemporalJourneys
from starters.relay import Relay
from starters.replies import Replies
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
        async with serving(settings, pool, client, templates, listener=listen(host, port)) as url:
            # What is loaded by now stays: looking it over in every full collection would hold up the answers.
            gc.freeze()
            log.info("gateway_started", url=url)
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
    more_routes: Sequence[APIRouter] = (),
    orders_ahead: bool = False,
) -> AsyncIterator[str]:
    """Serve the gateway and run its relay; yields the URL it listens on. Leaving finishes what is under way.

    `more_routes` are added to the gateway's own: the pages of the embedded stack. `orders_ahead` as the relay has it.

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
        app = create_app(services)
        for router in more_routes:
            app.include_router(router)
        await running.enter_async_context(
            kept_at_work(client, shops=shops.shops(), vendors=pollers.names, task_queue=settings.task_queue)
        )
        yield await running.enter_async_context(_server_of(app, settings, listener))


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


@asynccontextmanager
async def _server_of(app: FastAPI, settings: Settings, listener: socket.socket) -> AsyncIterator[str]:
    """Run an app on a socket; yields its URL."""
    config = uvicorn.Config(
        app,
        log_config=None,  # ours stands; uvicorn's access log would write signed links down
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.graceful_shutdown_seconds,
    )
    server = _Server(config)
    host, port = listener.getsockname()[:2]
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if task.done():
                await task
                raise RuntimeError("the HTTP server ended while it started")
            await asyncio.sleep(0.01)
        yield f"http://{'127.0.0.1' if host in {'0.0.0.0', '::'} else host}:{port}"  # noqa: S104  compared, not bound
    finally:
        server.should_exit = True
        await task


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 means a free one.

    Raises:
        OSError: the address is taken or not this machine's.
    """
    # With the protocol named, asyncio switches Nagle's algorithm off on what is accepted here; without, an answer on
    # a kept connection waits 40 ms for an acknowledgement.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), port))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"{host}:{port}: {error.strerror}") from error
    return listener


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


class _Server(uvicorn.Server):
    """A server that leaves signals to the process it runs in."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield
