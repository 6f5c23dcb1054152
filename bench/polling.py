"""What it costs to poll parcels of which nothing new is known, over a real server, database and tracking API.

`python -m bench.polling CONFIG` is the worker, in a process of its own.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel
from temporalio.client import WorkflowHandle
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.carriers.pollers import Pollers
from activities.polling import Polling
from bench.carrier import Tracking
from bench.people import database
from bench.processes import Child, child
from bench.scenario import new_order
from bench.sides import SHOP, Postlude, parcel
from bench.worker_process import answer
from bench.world import World
from journey.base import workflow_id
from starters.journeys import TemporalJourneys
from starters.polling import keep_polling
from starters.relay import Relay
from store.pool import Pool, connect
from workers import loop
from workers.connecting import temporal_client
from workers.logs import configure
from workers.settings import Settings
from workers.worker import deployment
from workflows.carrier_polling import CarrierPolling, polling_id

_VENDOR = "seventeentrack"
_ROUNDS = 3
_JOURNEYS = 10
_NEWS = 100
"""One parcel of so many has some, and those of the journeys."""
_REST = timedelta(seconds=1)
"""Between two attempts, instead of a minute and more: attempts that find nothing due are counted all the same."""
_LOST = 300.0

# All of them picked up at `$2` and on their way an hour later.
_FILL = """
WITH placed AS (
    INSERT INTO orders
        (shop, order_id, customer_id, placed_at, currency, total, buyer, playbook)
    SELECT 'polled', 'p-' || n, 'c-1', $2, 'EUR', 79, 'first', 'none' FROM generate_series(1, $1::int) n
    RETURNING order_id)
INSERT INTO shipments
    (shop, order_id, tracking_number, carrier, carrier_code, status, status_at, last_scan_at, created_at, number)
SELECT 'polled', order_id, 'T' || order_id, 'DHL', 'dhl', 'in_transit', $2 + interval '1 hour', $2 + interval '1 hour',
    $2, 'T' || order_id
FROM placed
"""
_KNOWN = """
INSERT INTO scans (shop, order_id, tracking_number, occurred_at, status, received_at)
SELECT shop, order_id, tracking_number, $1::timestamptz + hours * interval '1 hour', said.status, $1
FROM shipments, (VALUES (0, 'picked_up'), (1, 'in_transit')) AS said (hours, status)
"""
_FIVE_HOURS_LATER = """
UPDATE shipments SET poll_at = now() - interval '1 second', polled_at = now() - interval '5 hours'
"""
_STILL_DUE = "SELECT count(*) FROM shipments WHERE poll_at <= now() + interval '10 minutes'"


class Config(BaseModel):
    """What the worker works on."""

    address: str
    queue: str
    database_url: str
    carrier_urls: str


@dataclass(frozen=True, slots=True)
class Polls:
    """What rounds without news and one with news in a hundred came to.

    `events` are those of the polling's history when it began, after the rounds without news and after the one with
    news, `journeys` those of some journeys whose parcels were among the others. `answers` counts parcels.
    """

    parcels: int
    rounds: int
    attempts: int
    requests: int
    answers: int
    events: tuple[int, int, int]
    journeys: tuple[int, int, int]
    news: int
    kept: int
    seconds: tuple[float, ...]
    worker_cpu: float


async def polls(world: World, *, parcels: int) -> Polls:
    """Poll so many parcels three times without news and once with."""
    since = datetime.now(UTC) - timedelta(hours=12)
    async with (
        database(world.database_url) as (database_url, pool),
        Tracking(since) as carrier,
        world.stub() as (stub, _),
    ):
        side = replace(stub, pool=pool)
        orders = await _filled(pool, side, parcels, since)
        config = Config(
            address=world.stack.temporal_address,
            queue=f"polling-{new_order()[:6]}",
            database_url=database_url,
            carrier_urls=carrier.url,
        )
        relay = Relay(pool, TemporalJourneys(world.client, side.queue))
        async with child("bench.polling", config, world.stack.home / "polling.log") as worker:
            return await _rounds(
                world=world, pool=pool, worker=worker, config=config, carrier=carrier, orders=orders, relay=relay
            )


async def _rounds(
    *, world: World, pool: Pool, worker: Child, config: Config, carrier: Tracking, orders: Sequence[str], relay: Relay
) -> Polls:
    handle = world.client.get_workflow_handle(polling_id(_VENDOR))
    journeys = [world.client.get_workflow_handle(workflow_id(SHOP, order_id)) for order_id in orders]
    await keep_polling(world.client, [_VENDOR], task_queue=config.queue)
    before = await _until_begun(handle)
    events, told = [await _events(handle)], [await _events(*journeys)]
    cpu, parcels = await worker.ask("cpu"), await pool.fetchval("SELECT count(*) FROM shipments WHERE polls = 0")
    seconds = [await _round(pool) for _ in range(_ROUNDS)]
    attempts = await _attempt(handle) - before
    asked = carrier.requests, carrier.parcels
    spent = await worker.ask("cpu") - cpu
    events.append(await _events(handle))
    told.append(await _events(*journeys))
    carrier.moved = {f"Tp-{n}" for n in range(1, parcels - len(orders) + 1, _NEWS)}
    carrier.moved |= {parcel(order_id) for order_id in orders}
    await _round(pool)
    await _relayed(pool, relay)
    events.append(await _events(handle))
    told.append(await _events(*journeys))
    await keep_polling(world.client, [], task_queue=config.queue)
    return Polls(
        parcels=parcels,
        rounds=_ROUNDS,
        attempts=attempts,
        requests=asked[0],
        answers=asked[1],
        events=(events[0], events[1], events[2]),
        journeys=(told[0], told[1], told[2]),
        news=len(carrier.moved),
        kept=await pool.fetchval("SELECT count(*) FROM inbox WHERE source = $1", f"poll:{_VENDOR}"),
        seconds=tuple(seconds),
        worker_cpu=spent,
    )


async def _filled(pool: Pool, side: Postlude, parcels: int, since: datetime) -> list[str]:
    """Orders with one parcel each, some of them with a journey; what the carrier has said so far is written down."""
    orders = [new_order() for _ in range(min(_JOURNEYS, parcels))]
    for order_id in orders:
        await side.start(order_id, since)
        await side.ship(order_id, since)
    await pool.execute(
        "INSERT INTO customers (shop, customer_id, locale, country, updated_at)"
        " VALUES ('polled', 'c-1', 'de', 'DE', $1)",
        since,
    )
    await pool.execute(_FILL, parcels - len(orders), since)
    await pool.execute(
        "UPDATE shipments SET carrier = 'DHL', carrier_code = 'dhl', status = 'in_transit', status_at = $1,"
        " last_scan_at = $1 WHERE shop = $2 AND order_id = ANY($3)",
        since + timedelta(hours=1),
        SHOP,
        orders,
    )
    await pool.execute(_KNOWN, since)
    # Nothing is due until the first round begins.
    await pool.execute("UPDATE shipments SET polled_at = now(), poll_at = now() + interval '1 day'")
    return orders


async def _round(pool: Pool) -> float:
    """Let five hours go by; the seconds until every parcel was asked about."""
    began = time.monotonic()
    await pool.execute(_FIVE_HOURS_LATER)
    while left := await pool.fetchval(_STILL_DUE):
        if time.monotonic() - began > _LOST:
            raise RuntimeError(f"{left} parcels were never asked about")
        await asyncio.sleep(0.05)
    return time.monotonic() - began


async def _relayed(pool: Pool, relay: Relay) -> None:
    """Bring the news to the journeys; the other orders have none, and are not polled any more once that is known."""
    await pool.execute("UPDATE orders SET ended_at = now(), ended_why = 'ended' WHERE shop = 'polled'")
    relaying = asyncio.create_task(relay.run())
    try:
        until = time.monotonic() + _LOST
        while await pool.fetchval("SELECT count(*) FROM inbox WHERE status = 'pending'"):
            if time.monotonic() > until:
                raise RuntimeError("the news was never relayed")
            await asyncio.sleep(0.1)
    finally:
        relay.stop()
        await relaying


async def _until_begun(handle: WorkflowHandle[Any, Any]) -> int:
    while not (attempt := await _attempt(handle)):  # noqa: ASYNC110  the server's state, which has no event to set
        await asyncio.sleep(0.05)
    return attempt


async def _attempt(handle: WorkflowHandle[Any, Any]) -> int:
    pending = (await handle.describe()).raw_description.pending_activities
    return pending[0].attempt if pending else 0


async def _events(*handles: WorkflowHandle[Any, Any]) -> int:
    return sum([(await handle.describe()).history_length for handle in handles])


async def run(config: Config) -> None:
    """Poll until stdin ends."""
    pool, pollers = await connect(config.database_url), Pollers.named_by(config.carrier_urls)
    polling = Polling(pool, pollers, rests=(_REST, _REST))
    worker = Worker(
        await temporal_client(address=config.address),
        task_queue=config.queue,
        workflows=[CarrierPolling],
        activities=[polling.poll_carrier],
        workflow_runner=UnsandboxedWorkflowRunner(),
        deployment_config=deployment(Settings(task_queue=config.queue)),
    )
    try:
        async with worker:
            answer({"ready": True})
            while await asyncio.to_thread(sys.stdin.readline):
                answer(time.process_time())
    finally:
        await pollers.aclose()
        await pool.close()


if __name__ == "__main__":
    configure("error")
    loop.run(run(Config.model_validate_json(sys.argv[1])))
