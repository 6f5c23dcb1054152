"""From a signal to the provider: a journey parked waiting for its parcel, told that it is out for delivery."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from bench.scenario import new_order
from bench.sides import Side
from bench.world import Sides, World
from journey.parcels import ParcelStatus

_AT_ONCE = 10
_REST = 0.04
"""Seconds between two samples, in which the last one's work ends."""
_LOST = 30.0
_TOUCH = "out_for_delivery"


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from the signal: to the provider's receiving the request, and to the bare activity's body."""

    ours: tuple[float, ...]
    bare: tuple[float, ...]


async def signal_to_send(world: World, sides: Sides, *, samples: int) -> Latency:
    """Measure both sides in turns."""
    before = await sides.bare_worker.ask("count")
    parked = await _park(world, sides, samples, before)
    sent_at: dict[str, float] = {}
    for number, pair in enumerate(zip(*parked, strict=True)):
        turns: list[tuple[Side, str]] = list(zip((sides.postlude, sides.bare), pair, strict=True))
        for side, order_id in turns if number % 2 else reversed(turns):
            sent_at[order_id] = time.monotonic()
            await side.scan(order_id, ParcelStatus.OUT_FOR_DELIVERY, datetime.now(UTC))
            await asyncio.sleep(_REST)
    ours, theirs = parked
    await _until_arrived(world, ours, _TOUCH)
    await _until_begun(sides, before + 3 * samples)
    begun: dict[str, float] = await sides.bare_worker.ask("begun")
    return Latency(
        tuple((world.provider.arrived[order_id, _TOUCH] - sent_at[order_id]) * 1000 for order_id in ours),
        tuple((begun[f"{order_id}/{_TOUCH}"] - sent_at[order_id]) * 1000 for order_id in theirs),
    )


async def _park(world: World, sides: Sides, samples: int, before: int) -> tuple[list[str], list[str]]:
    """As many journeys a side, each with its confirmation and its shipping notice sent."""
    gate = asyncio.Semaphore(_AT_ONCE)
    ours, theirs = ([new_order() for _ in range(samples)] for _ in range(2))

    async def one(side: Side, order_id: str) -> None:
        async with gate:
            await side.start(order_id, datetime.now(UTC))
            await side.ship(order_id, datetime.now(UTC))
            # The bare workflow waits for each scan in turn; this one is nothing to tell the customer.
            await side.scan(order_id, ParcelStatus.IN_TRANSIT, datetime.now(UTC))

    await asyncio.gather(
        *(one(sides.postlude, order_id) for order_id in ours), *(one(sides.bare, order_id) for order_id in theirs)
    )
    await _until_arrived(world, ours, "shipped")
    await _until_begun(sides, before + 2 * samples)
    await asyncio.sleep(1)
    return ours, theirs


async def _until_begun(sides: Sides, count: int) -> None:
    until = time.monotonic() + _LOST
    while await sides.bare_worker.ask("count") < count:
        if time.monotonic() > until:
            raise RuntimeError("bare activities never began")
        await asyncio.sleep(0.1)


async def _until_arrived(world: World, order_ids: list[str], touch: str) -> None:
    until = time.monotonic() + _LOST
    while missing := sum((order_id, touch) not in world.provider.arrived for order_id in order_ids):
        if time.monotonic() > until:
            raise RuntimeError(f"{missing} mails ({touch}) never reached the provider")
        await asyncio.sleep(0.05)
