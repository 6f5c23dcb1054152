"""The HTTP side: webhooks in, health and figures out, and the customers' pages.

A webhook is verified over its raw bytes, read, kept in the inbox and answered; everything else is the relay's,
so the answer depends on the database alone. While Temporal is away webhooks are still taken.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.requests import ClientDisconnect

from activities.shops.protocol import (
    Answering,
    Delivery,
    Ignored,
    Malformed,
    SignatureError,
    UnreachableError,
)
from starters import clicks, notes, portal, preferences, remedies
from starters.doors import Door, Doors, WrongShopError
from starters.limits import PostsOfALink
from starters.metrics import CountedFailures, Metrics
from starters.operations import database_answers
from starters.relay import Relay
from starters.services import Front, Services
from starters.shop_pages import ShopPages
from starters.sources import answer, greetings, sources
from store import cleaning, inbox
from store.intake import Event
from store.pool import AWAY
from store.reading import noticing

__all__ = ["BODY_LIMIT", "Front", "Services", "create_app", "sources"]

_log = structlog.get_logger(__name__)

BODY_LIMIT = 1024 * 1024
"""Bytes of a webhook's body; Shopify's largest orders stay well below."""
_DISCARDED = 4 * BODY_LIMIT
_TOPIC_LENGTH = 100
_RETRY = {"Retry-After": "5"}


def create_app(services: Services, metrics: Metrics | None = None) -> FastAPI:
    """The gateway's app, for customers and senders; its life runs the relay, if it was given one.

    `metrics` counts its webhooks, for `starters.operations`; without it nobody reads the figures.
    """
    counted = metrics or Metrics()
    doors = Doors(services.sources, services.shops, closed=services.closed)
    clicked = clicks.Clicks(services.pool, clock=services.clock)
    life = partial(_life, services.relay, clicked)
    # Its description is the operators', and interactive docs would load scripts from elsewhere.
    app = FastAPI(title="Postlude", docs_url=None, redoc_url=None, openapi_url=None, lifespan=life)

    async def webhook(request: Request) -> Response:
        """Take one webhook: 202 kept or kept before, 401, 404 closed, 413, 422 with the field, 503 try again."""
        source = request.path_params["source"]
        shown = doors.at(source, request.path_params.get("shop"))
        if not shown:
            return JSONResponse({"error": "this endpoint is closed"}, status_code=404)
        started = time.perf_counter()
        outcome, response = await _take(services, doors, shown, request)
        counted.webhooks.labels(source, outcome).inc()
        counted.seconds.labels(source).observe(time.perf_counter() - started)
        return response

    # A plain route: the body is read as it came, and FastAPI takes longer over arguments than over all the rest.
    app.add_route("/webhooks/{source}", webhook, methods=["POST"])
    app.add_route("/s/{shop}/webhooks/{source}", webhook, methods=["POST"])

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Whether the process is alive."""
        return {"status": "alive"}

    @app.get("/readyz")
    async def readyz() -> Response:
        """Whether webhooks can be taken; why not is told to operators, see `starters.operations`."""
        ready = await database_answers(services)
        return JSONResponse({"status": "ready" if ready else "not ready"}, status_code=200 if ready else 503)

    for router in _pages(services, services.front, clicked):
        app.include_router(router)
    app.include_router(greetings(doors))
    front = services.front
    app.add_middleware(PostsOfALink, pages=portal.Pages(front.brand, brand_in=front.brand_in))
    if services.fronts:
        own = {shop: _shop_pages(services, front, clicked) for shop, front in services.fronts.items()}
        app.add_middleware(ShopPages, shops=own)
    # The last that is added is the first that is asked.
    app.add_middleware(CountedFailures, metrics=counted)
    return app


@asynccontextmanager
async def _life(relay: Relay | None, clicked: clicks.Clicks, _app: FastAPI) -> AsyncIterator[None]:
    running = asyncio.create_task(relay.run()) if relay is not None else None
    yield
    if relay is not None and running is not None:
        relay.stop()
        await running
    await clicked.finish()


def _nobody() -> None:
    """Nobody to wake: relays run elsewhere, and poll."""


def _pages(services: Services, front: Front, clicked: clicks.Clicks) -> Sequence[APIRouter]:
    """The customers' pages of one shop, or of all that have no file."""
    pages = portal.Pages(front.brand, brand_in=front.brand_in)
    pool, links, clock = services.pool, front.links, services.clock
    wake = services.relay.wake if services.relay is not None else _nobody
    return (
        portal.router(pool=pool, links=links, pages=pages, clock=clock, wake=wake),
        remedies.router(pool=pool, links=links, pages=pages, clock=clock),
        notes.router(pool=pool, links=links, pages=pages, clock=clock),
        preferences.router(
            pool=pool,
            links=links,
            pages=pages,
            clock=clock,
            confirmations=front.confirmations,
            policy=front.policy,
        ),
        clicks.router(clicked, links=links, pages=pages),
    )


def _shop_pages(services: Services, front: Front, clicked: clicks.Clicks) -> FastAPI:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    for router in _pages(services, front, clicked):
        app.include_router(router)
    app.add_middleware(PostsOfALink, pages=portal.Pages(front.brand, brand_in=front.brand_in))
    return app


async def _take(services: Services, doors: Doors, shown: Sequence[Door], request: Request) -> tuple[str, Response]:
    """One webhook's outcome, as the metrics name it, and its answer."""
    try:
        body = await _read(request)
    except ClientDisconnect:
        return "broken_off", Response(status_code=400)
    if body is None:
        # Closed, since the rest of a far too large body is still on its way and nobody reads it.
        refusal = {"error": f"the body is larger than {BODY_LIMIT} bytes"}
        return "too_large", JSONResponse(refusal, status_code=413, headers={"Connection": "close"})
    delivery = Delivery(dict(request.headers), body, query=dict(request.query_params), target=_target(request.scope))
    door = await _proven(doors, shown, delivery)
    return await _taken(services, doors, door, delivery) if isinstance(door, Door) else door


async def _taken(services: Services, doors: Doors, door: Door, delivery: Delivery) -> tuple[str, Response]:
    source, topic = door.source, ""
    try:
        topic = cleaning.plain(source.topic(delivery), _TOPIC_LENGTH)
        with noticing() as lost:
            translated = doors.for_its_shop(door, source.translate(delivery))
        key = door.key(source.event_id(delivery))
        outcome = await _keep(services, delivery, translated, source=source.name, key=key, topic=topic, lost=lost)
    except Malformed as error:
        _log.warning("malformed", source=source.name, topic=topic, field=error.field, problem=error.problem)
        words = {"known": list(error.known)} if error.known else {}
        return "malformed", JSONResponse({"error": error.problem, "field": error.field, **words}, status_code=422)
    except WrongShopError:
        _log.warning("another shop's secret", source=source.name, topic=topic, shop=door.shop)
        refusal = {"error": "is not the shop whose secret this is", "field": "shop"}
        return "wrong_shop", JSONResponse(refusal, status_code=422)
    except AWAY as error:
        _log.warning("database away", source=source.name, topic=topic, error=type(error).__name__)
        return "unavailable", JSONResponse({"error": "not kept: send it again"}, status_code=503, headers=_RETRY)
    if outcome == "accepted" and services.relay is not None:
        services.relay.wake()
    more = {"unknown_fields": source.unread(delivery), "left_out": lost} if isinstance(source, Answering) else {}
    return outcome, answer(source.name, outcome, **more)


async def _proven(doors: Doors, shown: Sequence[Door], delivery: Delivery) -> Door | tuple[str, Response]:
    """The door whose secret proves the sender, else the outcome and the answer."""
    name = shown[0].source.name
    try:
        return await doors.proven(shown, delivery)
    except SignatureError as error:
        _log.warning("bad signature", source=name, problem=str(error))
        return "bad_signature", JSONResponse({"error": "bad signature"}, status_code=401)
    except UnreachableError as error:
        _log.warning("sender unreachable", source=name, problem=str(error))
        refusal = {"error": "not proven just now: send it again"}
        return "unproven", JSONResponse(refusal, status_code=503, headers=_RETRY)


def _target(scope: Mapping[str, Any]) -> str:
    """The path and query as they came, not decoded: some senders sign them."""
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    query = scope.get("query_string", b"").decode("latin-1")
    return f"{path}?{query}" if query else path


async def _keep(
    services: Services,
    delivery: Delivery,
    said: Sequence[Event] | Ignored,
    *,
    source: str,
    key: str,
    topic: str,
    lost: Sequence[str],
) -> str:
    body = delivery.body
    now = services.clock()
    if isinstance(said, Ignored):
        new = await inbox.ignore(
            services.pool,
            source=source,
            event_id=key,
            topic=topic,
            body=body,
            reason=said.reason,
            received_at=now,
            left_out=lost,
        )
        return "ignored" if new else "repeated"
    new = await inbox.keep(
        services.pool,
        source=source,
        event_id=key,
        topic=topic,
        body=body,
        events=said,
        received_at=now,
        left_out=lost,
    )
    return "accepted" if new else "repeated"


async def _read(request: Request) -> bytes | None:
    """The body; None when it is too large, whatever its Content-Length says. Never keeps more than the limit.

    A body that is not far too large is read to its end and thrown away: a sender that is cut off in the middle of
    its own sentence sees a broken connection, not the answer.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > BODY_LIMIT + _DISCARDED:
        return None
    body = bytearray()
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= BODY_LIMIT:
            body += chunk
        elif size > BODY_LIMIT + _DISCARDED:
            return None
    return bytes(body) if size <= BODY_LIMIT else None
