"""Everything in one process and one event loop: embedded servers where none is configured, gateway, relay, worker."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from fastapi import FastAPI
from pydantic import SecretStr
from temporalio.client import Client, Interceptor

from activities.links import Links
from activities.messaging.templates import Templates
from journey.playbook import Playbook
from starters.dev_mails import forgetting
from starters.dev_pages import mail_pages
from starters.gallery import gallery_pages
from starters.listening import for_operators, listen, listen_as_asked, url_of
from starters.local import configured_temporal, secrets_of, with_addresses, with_secrets
from starters.publishing import bring_shops, publish_if_none
from starters.serving import serving, stop_signal
from store import playbooks
from store.migrate import migrate
from store.pool import Pool
from workers.codec import payload_codec
from workers.connecting import database, temporal_client
from workers.embedded import EmbeddedStack, embedded_stack
from workers.embedded_temporal import EmbeddedTemporalError
from workers.mail_catcher import MailCatcher
from workers.search_attributes import register_where_allowed
from workers.services import apis_of, load_templates, pollers_of, shop_parts
from workers.settings import Settings
from workers.shops import load_shops
from workers.worker import build_worker, playbooks_kept_fresh
from workflows.journey_input import SEARCH_ATTRIBUTES
from workflows.registry import PLAYBOOKS

_TEMPORAL_PORTS: Final = (7233, 8233)
"""Where people expect a local Temporal and its UI; a free port is taken when these are not."""


@dataclass(frozen=True, slots=True)
class Stack:
    """What is up. `mail`, `dev_url` and `ui_url` are None where the part is not embedded; `settings` are complete.

    `operations_url` has figures and readiness, `dev_url` the mails that were caught. `links_of` makes the links of a
    shop, `playbook` finds a published
    playbook by its digest.
    """

    settings: Settings
    url: str
    operations_url: str
    pool: Pool
    client: Client
    templates: Templates
    links_of: Callable[[str], Links]
    playbook: Callable[[str], Playbook]
    mail: MailCatcher | None
    dev_url: str | None
    ui_url: str | None


def _quiet(_step: str) -> None:
    """Nobody watches."""


@asynccontextmanager
async def whole_stack(
    settings: Settings,
    *,
    tell: Callable[[str], None] = _quiet,
    interceptor: Interceptor | None = None,
) -> AsyncIterator[Stack]:
    """Bring everything up and take it down again in order.

    Args:
        settings: what has an address there is used; the rest is embedded under `settings.home`.
        tell: called with each step as it is done, in a few words.
        interceptor: sits in the Temporal client that starts journeys.

    Raises:
        StackInUseError: another stack is up on this home.
        EmbeddedTemporalError, EmbeddedPostgresError, MigrationError, PlaybookError, TemplateError: as they say.
        OSError: the address to listen on is taken.
    """
    async with AsyncExitStack() as running:
        listener, operations = (_listener(settings, name, running) for name in ("listen", "operations_listen"))
        reading = asyncio.create_task(asyncio.to_thread(load_templates, settings))
        running.push_async_callback(asyncio.wait, [reading])
        temporal = configured_temporal() is None
        try:
            servers = _servers(settings, temporal=temporal, ports=_usual_ports() if temporal else (None, None))
            embedded = await running.enter_async_context(servers)
        except EmbeddedTemporalError:
            # Another stack may have taken the usual ports in the same moment.
            servers = _servers(settings, temporal=temporal, ports=(None, None))
            embedded = await running.enter_async_context(servers)
        tell("servers")
        settings = _completed(settings, listener)
        settings = with_addresses(settings, embedded.addresses)
        dsn = settings.needed("database_url")
        await migrate(dsn)
        await publish_if_none(dsn, settings.playbook_path)
        configured = list(load_shops(settings).values())
        await bring_shops(dsn, configured)
        pool = await database(dsn, size=20)
        running.push_async_callback(pool.close)
        tell("database")
        client = await temporal_client(address=embedded.addresses.temporal_address, codec=payload_codec(settings))
        await register_where_allowed(client, SEARCH_ATTRIBUTES)
        if interceptor is not None:
            config = client.config()
            config["interceptors"] = [*config["interceptors"], interceptor]
            client = Client(**config)
        await running.enter_async_context(playbooks_kept_fresh(pool, PLAYBOOKS))
        templates = await reading
        parts = await running.enter_async_context(shop_parts(settings, templates, configured))
        shops, pollers = apis_of(settings, configured), pollers_of(settings)
        running.push_async_callback(shops.aclose)
        running.push_async_callback(pollers.aclose)
        worker = build_worker(
            client,
            pool,
            settings,
            senders=parts.rest.senders,
            templates=templates,
            links=parts.rest.links,
            playbook=PLAYBOOKS.get,
            alerts=parts.rest.alerts,
            own=parts.own,
            shops=shops,
            pollers=pollers,
        )
        await running.enter_async_context(worker)
        tell("worker")
        dev_url = None
        if embedded.catcher is not None:
            dev = await _dev_pages(embedded.catcher, templates, pool)
            await running.enter_async_context(forgetting(pool, embedded.catcher))
            own = _listener(settings, "dev_listen", running)
            dev_url = await running.enter_async_context(for_operators(dev, own, anywhere=True))
        url = await running.enter_async_context(
            serving(
                settings,
                pool,
                client,
                parts,
                listener=listener,
                operations=operations,
                # Whoever stands in the way of journeys moves their clocks.
                orders_ahead=interceptor is not None,
            )
        )
        tell("gateway")
        yield Stack(
            settings=settings,
            url=url,
            operations_url=url_of(operations),
            pool=pool,
            client=client,
            templates=templates,
            links_of=lambda shop: parts.of(shop).links,
            playbook=PLAYBOOKS.get,
            mail=embedded.catcher,
            dev_url=dev_url,
            ui_url=embedded.addresses.ui_url,
        )


async def _dev_pages(catcher: MailCatcher, templates: Templates, pool: Pool) -> FastAPI:
    """The pages of the embedded stack alone: caught mails, and the gallery of the current playbook."""
    current = await playbooks.current(pool)
    # One that a newer version wrote cannot be shown, and need not be.
    gallery = gallery_pages(templates, PLAYBOOKS.get(current)) if current in PLAYBOOKS else None
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(mail_pages(catcher, gallery=gallery))
    return app


def _servers(
    settings: Settings, *, temporal: bool, ports: tuple[int | None, int | None]
) -> AbstractAsyncContextManager[EmbeddedStack]:
    return embedded_stack(
        settings.home,
        temporal=temporal,
        postgres=settings.database_url is None,
        mail=settings.email_url is None,
        temporal_port=ports[0],
        ui_port=ports[1],
        search_attributes=SEARCH_ATTRIBUTES,
    )


async def stopped() -> None:
    """Wait for SIGTERM or Ctrl-C."""
    await stop_signal().wait()


def _completed(settings: Settings, listener: socket.socket) -> Settings:
    """With the secrets of the home, and links that lead to where the gateway listens."""
    kept = secrets_of(settings.home, create=True)
    settings = with_secrets(settings, kept)
    if "public_url" not in settings.model_fields_set:
        host, port = listener.getsockname()[:2]
        settings = settings.model_copy(update={"public_url": f"http://{host}:{port}"})
    if settings.secret_key is None:
        settings = settings.model_copy(update={"secret_key": SecretStr(kept["secret_key"])})
    return settings


def _listener(settings: Settings, name: str, running: AsyncExitStack) -> socket.socket:
    """A socket on the address of a setting that is closed with the stack."""
    listener = listen_as_asked(settings, name)
    running.callback(listener.close)
    return listener


def _usual_ports() -> tuple[int | None, int | None]:
    """Temporal's usual ports when both are free, else none, which means any."""
    for port in _TEMPORAL_PORTS:
        try:
            listen("127.0.0.1", port).close()
        except OSError:
            return None, None
    return _TEMPORAL_PORTS
