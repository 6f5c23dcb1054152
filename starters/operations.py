"""What operators alone see: the gateway's figures, readiness in full and its description, on a listener of its own.

The customers' port says that the gateway lives and whether it is ready, nothing else. A page on the web can make a
visitor's browser ask any address by a name of its own (DNS rebinding), so what listens on loopback answers only those
who ask for it by a name of this machine.
"""

import asyncio
import ipaddress
import re
from collections.abc import Awaitable, Mapping
from typing import Final

from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import ASGIApp, Receive, Scope, Send

from starters.metrics import Metrics
from starters.services import Services
from store import inbox
from store.pool import AWAY

_READY_SECONDS: Final = 2.0
_HOST: Final = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^:\[\]]+))(?::\d*)?")
_THIS_MACHINE: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def operations_app(services: Services, metrics: Metrics, described: FastAPI) -> FastAPI:
    """`/metrics`, `/readyz` with its reasons, and `/openapi.json` of the gateway that is `described`."""
    app = FastAPI(title="Postlude, for operators", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Whether the process is alive."""
        return {"status": "alive"}

    @app.get("/readyz")
    async def readyz() -> Response:
        """Whether webhooks can be taken. Temporal is told but not needed: the inbox keeps them until it is back."""
        state = await standing(services)
        return JSONResponse(state, status_code=200 if is_ready(state) else 503)

    @app.get("/metrics")
    async def figures() -> Response:
        """Prometheus' text format."""
        try:
            metrics.observe(await inbox.figures(services.pool), now=services.clock())
        except AWAY:
            metrics.forget()
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/openapi.json")
    async def description() -> Response:
        """The gateway's own description."""
        return JSONResponse(described.openapi())

    return app


async def standing(services: Services) -> Mapping[str, str]:
    """How database and Temporal are: `ok`, `away` or `unknown`."""
    temporal = "unknown"
    if services.temporal_ready is not None:
        temporal = "ok" if await _answers(services.temporal_ready()) else "away"
    return {"database": "ok" if await database_answers(services) else "away", "temporal": temporal}


def is_ready(state: Mapping[str, str]) -> bool:
    """Whether webhooks can be taken."""
    return state["database"] == "ok"


async def database_answers(services: Services) -> bool:
    """Whether the database answers soon."""
    return await _answers(services.pool.fetchval("SELECT true"))


class OwnHosts:
    """An app that is there for those alone who ask for it by a name of this machine, or by `host`."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        """`host` is what the listener is bound to; a wildcard is no name."""
        self._app = app
        self._hosts = _THIS_MACHINE | ({host.lower()} if not _is_wildcard(host) else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 421 (Misdirected Request) to any other name."""
        if scope["type"] != "http" or _asked_host(scope) in self._hosts:
            await self._app(scope, receive, send)
        else:
            await PlainTextResponse("Ask for this by a name of its own machine.\n", 421)(scope, receive, send)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches that address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _asked_host(scope: Scope) -> str | None:
    """The name in the Host header, without its port; None unless there is exactly one."""
    given: list[bytes] = [value for name, value in scope["headers"] if name == b"host"]
    if len(given) != 1:
        return None
    named = _HOST.fullmatch(given[0].decode("latin-1").strip().lower())
    return None if named is None else named[1] or named[2].removesuffix(".")


def _is_wildcard(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


async def _answers(question: Awaitable[object]) -> bool:
    try:
        return bool(await asyncio.wait_for(question, _READY_SECONDS))
    except Exception:  # noqa: BLE001  # whatever it is, the answer is no
        return False
