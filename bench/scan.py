"""From a carrier's webhook to the changed journey, and the fold behind it.

`python -m bench.scan CONFIG` is the gateway with its relay, in a process of its own: it says its port when it is ready.
"""

import asyncio
import hashlib
import hmac
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import httpx
from pydantic import BaseModel, SecretStr
from temporalio.client import WorkflowHandle

from bench.processes import child
from bench.rules import PLACED
from bench.scenario import new_order
from bench.sides import CARRIER, SHOP, TRANSIT_DAYS, Postlude, created, facts, parcel
from bench.worker_process import answer
from bench.world import World
from journey.base import workflow_id
from journey.events import ShipmentUpdated
from journey.folding import scanned
from journey.parcels import Parcel, ParcelStatus, Reason, Scan
from journey.playbook import Playbook
from journey.state import RULES, JourneyState
from journey.telling import apply
from starters.listening import listen
from starters.serving import serving
from store.pool import connect
from workers import loop
from workers.connecting import temporal_client
from workers.logs import configure
from workers.services import load_templates, shop_parts
from workers.settings import Settings
from workflows.order_journey import OrderJourney

_AT_ONCE = 10
_LOOK_AGAIN = 0.02
"""Each look is a query that the worker has to answer: more often, and it would be measured itself."""
_LOST = 60.0
_SECRET = "easypost-bench-secret"  # noqa: S105  signs what this bench itself sends
_DETAILS = ("received_at_origin_facility", "arrived_at_facility", "departed_facility")
_SEEN = (ParcelStatus.PICKED_UP, ParcelStatus.IN_TRANSIT, ParcelStatus.IN_TRANSIT)
_EARLIER = timedelta(days=TRANSIT_DAYS - 2)
"""Three scans of which a customer is told nothing: the last one brings an estimate a day earlier than the shop's."""
SCANS = 40
"""A parcel's, for the fold."""

Tell = Callable[[str, int], Awaitable[None]]
"""Say the scan of that number (from 0) of an order's parcel; returns when it was taken."""


class Config(BaseModel):
    """Where the gateway finds its parts, and whose journeys its relay tells."""

    database_url: str
    temporal_address: str
    queue: str


@dataclass(frozen=True, slots=True)
class Shown:
    """Milliseconds until a journey's query showed a scan: sent as a webhook, and (bare) signalled to the journey."""

    webhook: tuple[float, ...]
    signal: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Fold:
    """Milliseconds for a parcel's forty scans: into the parcel, and into the whole state of its journey."""

    parcel: float
    journey: float


async def shown(world: World, side: Postlude, *, a_second: int, seconds: int) -> Shown:
    """Scans at a steady rate, first by signal for a third of the time, then by webhook; each shows a journey anew."""
    direct = await _parked(world, side, a_second * max(1, seconds // 3) // len(_DETAILS))
    hooked = await _parked(world, side, a_second * seconds // len(_DETAILS))
    signal = await _steadily(world, direct, lambda order_id, step: _signalled(side, order_id, step), a_second)
    config = Config(database_url=world.database_url, temporal_address=world.stack.temporal_address, queue=side.queue)
    async with child("bench.scan", config, world.stack.home / "scans.log") as gateway:
        url = f"http://127.0.0.1:{gateway.greeting['port']}"
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            await _posted(http, "nobody", 0)  # the first request pays for what is done once
            webhook = await _steadily(world, hooked, lambda order_id, step: _posted(http, order_id, step), a_second)
    return Shown(tuple(webhook), tuple(signal))


async def _steadily(world: World, orders: Sequence[str], tell: Tell, a_second: int) -> list[float]:
    """Milliseconds of each scan: one order after the other, then the next step of all."""
    tasks: list[asyncio.Task[float]] = []
    began = time.monotonic()
    for step in range(len(_DETAILS)):
        for order_id in orders:
            await asyncio.sleep(max(0.0, began + len(tasks) / a_second - time.monotonic()))
            handle: WorkflowHandle[OrderJourney, str] = world.client.get_workflow_handle_for(
                OrderJourney.run, workflow_id(SHOP, order_id)
            )
            tasks.append(asyncio.create_task(_until_shown(handle, tell, order_id, step)))
        # The next scan of the same journey comes when this one is through.
        await asyncio.wait(tasks)
    return await asyncio.gather(*tasks)


async def _until_shown(handle: WorkflowHandle[OrderJourney, str], tell: Tell, order_id: str, step: int) -> float:
    began = time.monotonic()
    await tell(order_id, step)
    estimate = (_today() + _EARLIER).isoformat()
    while time.monotonic() - began < _LOST:
        await asyncio.sleep(_LOOK_AGAIN)
        told = (await handle.query(OrderJourney.timeline)).parcels[0]
        if told.status == _SEEN[step] and (step < len(_SEEN) - 1 or told.estimated_delivery == estimate):
            return (time.monotonic() - began) * 1000
    raise RuntimeError("a scan never reached its journey")


async def _posted(http: httpx.AsyncClient, order_id: str, step: int) -> None:
    """A webhook as EasyPost sends it (https://docs.easypost.com/docs/trackers)."""
    now = datetime.now(UTC).isoformat()
    detail = {"datetime": now, "status": "in_transit", "status_detail": _DETAILS[step], "message": "Processed"}
    tracker = {
        "id": f"trk_{order_id}",
        "tracking_code": parcel(order_id),
        "status": "in_transit",
        "status_detail": _DETAILS[step],
        "carrier": CARRIER,
        "est_delivery_date": _estimate(step).isoformat(),
        "tracking_details": [detail],
    }
    event = {"id": f"evt_{order_id}_{step}", "description": "tracker.updated", "result": tracker}
    body = json.dumps(event).encode()
    signed = hmac.new(_SECRET.encode(), body, hashlib.sha256).hexdigest()
    reply = await http.post(
        "/webhooks/easypost", content=body, headers={"x-hmac-signature": f"hmac-sha256-hex={signed}"}
    )
    reply.raise_for_status()


async def _signalled(side: Postlude, order_id: str, step: int) -> None:
    told = ShipmentUpdated(
        at=datetime.now(UTC),
        tracking_number=parcel(order_id),
        carrier=CARRIER,
        status=_SEEN[step],
        estimated_delivery=_estimate(step),
    )
    await side.client.get_workflow_handle(workflow_id(SHOP, order_id)).signal("shipment_updated", told)


def _today() -> date:
    return datetime.now(UTC).date()


def _estimate(step: int) -> date:
    return _today() + (_EARLIER if step == len(_DETAILS) - 1 else timedelta(days=TRANSIT_DAYS - 1))


async def _parked(world: World, side: Postlude, count: int) -> list[str]:
    """As many journeys, each with its parcel on its way and nothing left to send before it arrives."""
    gate = asyncio.Semaphore(_AT_ONCE)
    orders = [new_order() for _ in range(count)]

    async def one(order_id: str) -> None:
        async with gate:
            await side.start(order_id, datetime.now(UTC))
            await side.ship(order_id, datetime.now(UTC))

    await asyncio.gather(*(one(order_id) for order_id in orders))
    until = time.monotonic() + _LOST
    while missing := sum((order_id, "shipped") not in world.provider.arrived for order_id in orders):
        if time.monotonic() > until:
            raise RuntimeError(f"{missing} journeys never told of their parcel")
        await asyncio.sleep(0.1)
    await asyncio.sleep(1)
    return orders


def fold(playbook: Playbook, *, seconds: float) -> Fold:
    """The same forty scans over and over; the median, so that a busy machine's hiccups do not count."""
    number, order_id = parcel("fold"), "fold"
    scans = _scans()
    state = apply(
        JourneyState(order=facts(order_id, PLACED), playbook=playbook.digest, rules=RULES),
        created(order_id, PLACED),
        now=PLACED,
    )
    told = [
        ShipmentUpdated(
            at=one.occurred_at,
            tracking_number=number,
            carrier=CARRIER,
            status=one.status,
            reason=one.reason,
            estimated_delivery=one.estimated_delivery,
        )
        for one in scans
    ]

    def into_the_parcel() -> None:
        found: Parcel | None = None
        for one in scans:
            found = scanned(found, one, tracking_number=number, carrier=CARRIER)

    def into_the_journey() -> None:
        found = state
        for one in told:
            found = apply(found, one, now=one.at)

    return Fold(_median(into_the_parcel, seconds), _median(into_the_journey, seconds))


def _scans() -> list[Scan]:
    """A long way with every kind of trouble on it, and an estimate with each scan."""
    kinds = [
        (ParcelStatus.LABEL_CREATED, None),
        (ParcelStatus.PICKED_UP, None),
        *[(ParcelStatus.IN_TRANSIT, None)] * 12,
        (ParcelStatus.EXCEPTION, Reason.CUSTOMS),
        *[(ParcelStatus.IN_TRANSIT, Reason.DELAYED)] * 12,
        (ParcelStatus.EXCEPTION, Reason.ADDRESS),
        *[(ParcelStatus.IN_TRANSIT, None)] * 6,
        *[(ParcelStatus.OUT_FOR_DELIVERY, None), (ParcelStatus.ATTEMPT_FAILED, Reason.ATTEMPT_FAILED)] * 2,
        (ParcelStatus.OUT_FOR_DELIVERY, None),
        (ParcelStatus.DELIVERED, None),
    ]
    moments = [PLACED + timedelta(hours=4 * place) for place in range(len(kinds))]
    return [
        Scan(status, at, reason, (at + timedelta(days=2)).date())
        for at, (status, reason) in zip(moments, kinds, strict=True)
    ]


def _median(run: Callable[[], None], seconds: float) -> float:
    took, until = [], time.perf_counter() + seconds
    while time.perf_counter() < until:
        began = time.process_time()
        for _ in range(20):
            run()
        took.append((time.process_time() - began) / 20 * 1000)
    return statistics.median(took)


async def run(config: Config) -> None:
    """Serve until stdin ends."""
    settings = Settings(
        task_queue=config.queue, secret_key=SecretStr("bench-secret-key"), easypost_secret=SecretStr(_SECRET)
    )
    pool = await connect(config.database_url)
    try:
        client, templates = await temporal_client(address=config.temporal_address), load_templates(settings)
        async with (
            shop_parts(settings, templates, ()) as parts,
            serving(settings, pool, client, parts, listener=listen("127.0.0.1", 0)) as url,
        ):
            answer({"port": int(url.rpartition(":")[2])})
            await asyncio.to_thread(sys.stdin.read)
    finally:
        await pool.close()


if __name__ == "__main__":
    configure("error")
    loop.run(run(Config.model_validate_json(sys.argv[1])))
