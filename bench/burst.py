"""A burst of orders: how fast one gateway turns webhooks into journeys, beside the same number of bare starts."""

import asyncio
import base64
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from bench.processes import child
from bench.scenario import new_order
from bench.sides import facts
from bench.webhook_server import Config
from bench.webhooks import Sender
from bench.world import World
from starters.journeys import TemporalJourneys

CONNECTIONS = 16
_WARM_UP = 160
_LOOK_AGAIN = 0.02
_LOST = 120.0
_OPEN = "SELECT count(*) FROM inbox WHERE status <> 'dispatched'"


@dataclass(frozen=True, slots=True)
class Burst:
    """Journeys a second from the first webhook to the last journey started, and from the first bare start to the last.

    `beside_worker` is the gateway with a worker that runs the journeys and sends their confirmations meanwhile,
    `bare_beside_worker` the bare workflow with its worker.
    """

    gateway: float
    bare: float
    beside_worker: float
    bare_beside_worker: float


async def bursts(world: World, *, orders: int) -> Burst:
    """Each of the four, one after the other."""
    bare = await _starts(world, orders, TemporalJourneys(world.client, "bench-nobody"))
    gateway = await _webhooks(world, orders, "bench-nobody")
    async with world.bare() as (side, worker):
        before = await worker.ask("count")
        rate = await _at_once(orders, lambda order_id: side.start(order_id, datetime.now(UTC)))
        while await worker.ask("count") < before + orders:  # noqa: ASYNC110  another process, without an event to set
            await asyncio.sleep(_LOOK_AGAIN)
    async with world.whole() as (side, _):
        beside = await _webhooks(world, orders, side.queue)
    return Burst(gateway, bare, beside, rate)


async def _starts(world: World, orders: int, journeys: TemporalJourneys) -> float:
    """Workflows started a second with nothing around it: the payload is the one the gateway sends."""

    async def start(order_id: str) -> object:
        return await journeys.start(facts(order_id, datetime.now(UTC)), world.playbook.digest)

    return await _at_once(orders, start)


async def _webhooks(world: World, orders: int, queue: str) -> float:
    """Journeys started a second by a gateway, from the first webhook's first byte."""
    await world.pool.execute("DELETE FROM inbox")
    async with _gateway(world, queue) as sender:
        await _send(sender, _WARM_UP)
        await _until_dispatched(world)
        began = time.perf_counter()
        await _send(sender, orders)
        await _until_dispatched(world)
        return orders / (time.perf_counter() - began)


async def _send(sender: Sender, orders: int) -> None:
    share, more = divmod(orders, CONNECTIONS)
    await asyncio.gather(*(sender.send(share + (number < more)) for number in range(CONNECTIONS)))


async def _until_dispatched(world: World) -> None:
    until = time.monotonic() + _LOST
    while left := await world.pool.fetchval(_OPEN):
        if time.monotonic() > until:
            raise RuntimeError(f"{left} webhooks were never dispatched")
        await asyncio.sleep(_LOOK_AGAIN)


async def _at_once(orders: int, start: Callable[[str], Awaitable[object]]) -> float:
    """Calls a second, `CONNECTIONS` at a time."""
    ids = iter([new_order() for _ in range(orders)])

    async def line() -> None:
        for order_id in ids:
            await start(order_id)

    began = time.perf_counter()
    await asyncio.gather(*(line() for _ in range(CONNECTIONS)))
    return orders / (time.perf_counter() - began)


@asynccontextmanager
async def _gateway(world: World, queue: str) -> AsyncIterator[Sender]:
    secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
    config = Config(
        kind="relaying",
        database_url=world.database_url,
        temporal_address=world.stack.temporal_address,
        secret=secret,
        queue=queue,
    )
    async with child("bench.webhook_server", config, world.stack.home / "burst.log") as running:
        yield Sender(running.greeting["port"], secret)
