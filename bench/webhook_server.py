"""HTTP servers for the webhook row, each in a process of its own: the gateway, and a bare handler of the same stack.

`python -m bench.webhook_server CONFIG`; says its port when it is ready, and stops when stdin ends.
"""

import asyncio
import base64
import gc
import hashlib
import hmac
import json
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, SecretStr

from activities.links import Links
from bench.worker_process import answer
from starters.gateway import Front, Services, create_app, sources
from starters.listening import listen
from starters.serving import serving
from store.pool import Pool, connect
from workers import loop
from workers.connecting import temporal_client
from workers.logs import configure
from workers.services import load_templates, shop_parts
from workers.settings import Settings

_TOLERANCE = 300
_KEY = "bench-secret-key"
_TABLE = (
    "CREATE TABLE IF NOT EXISTS bare_inbox"
    " (event_id text PRIMARY KEY, body bytea NOT NULL, received_at timestamptz NOT NULL DEFAULT now())"
)
_INSERT = "INSERT INTO bare_inbox (event_id, body) VALUES ($1, $2) ON CONFLICT DO NOTHING"


class Config(BaseModel):
    """What to serve: the gateway's answers alone, the gateway with its relay at work, or the bare handler."""

    kind: Literal["gateway", "relaying", "bare"]
    database_url: str
    temporal_address: str
    secret: str
    queue: str = "bench-webhooks"


def bare_app(pool: Pool, secret: str) -> FastAPI:
    """Check the signature, parse, insert, answer; nothing else."""
    app, key = FastAPI(docs_url=None, redoc_url=None), base64.b64decode(secret.removeprefix("whsec_"))

    @app.post("/webhooks/events")
    async def hook(request: Request) -> Response:
        body = await request.body()
        event_id, sent = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        signed = hmac.new(key, f"{event_id}.{sent}.".encode() + body, hashlib.sha256).digest()
        given = request.headers["webhook-signature"].removeprefix("v1,")
        if abs(time.time() - int(sent)) > _TOLERANCE or not hmac.compare_digest(
            given, base64.b64encode(signed).decode()
        ):
            return JSONResponse({"error": "bad signature"}, status_code=401)
        json.loads(body)
        await pool.execute(_INSERT, event_id, body)
        return JSONResponse({"status": "accepted"}, status_code=202)

    return app


@asynccontextmanager
async def _app_served(app: FastAPI) -> AsyncIterator[int]:
    # Named as TCP, for only then does asyncio turn Nagle's algorithm off on what it accepts.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, server_header=False))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:  # noqa: ASYNC110  uvicorn sets a flag, not an event
            await asyncio.sleep(0.01)
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def _served(config: Config, pool: Pool) -> AsyncIterator[int]:
    settings = Settings(task_queue=config.queue, secret_key=SecretStr(_KEY), webhook_secret=SecretStr(config.secret))
    match config.kind:
        case "bare":
            await pool.execute(_TABLE)
            async with _app_served(bare_app(pool, config.secret)) as port:
                yield port
        case "gateway":
            adapters = sources(secret_key=_KEY, webhook_secret=config.secret)
            links = Links(_KEY, settings.public_url)
            brand = load_templates(settings).brand
            async with _app_served(create_app(Services(pool, adapters, Front(links, brand)))) as port:
                yield port
        case "relaying":
            client, templates = await temporal_client(address=config.temporal_address), load_templates(settings)
            async with (
                shop_parts(settings, templates, ()) as parts,
                serving(settings, pool, client, parts, listener=listen("127.0.0.1", 0)) as url,
            ):
                yield int(url.rpartition(":")[2])


async def run(config: Config) -> None:
    """Serve until stdin ends."""
    pool = await connect(config.database_url, size=20)  # as many as `run_gateway` has
    try:
        async with _served(config, pool) as port:
            if config.kind != "bare":
                gc.freeze()  # as `run_gateway` does
            answer({"port": port})
            await asyncio.to_thread(sys.stdin.read)
    finally:
        await pool.close()


if __name__ == "__main__":
    configure("info")
    loop.run(run(Config.model_validate_json(sys.argv[1])))
