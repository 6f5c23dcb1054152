"""The default journey, played on its own virtual clock: fourteen sends, five facts from outside, sixty-three days."""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHandle
from temporalio.testing import TimeSkipper

from bench.sides import Side
from journey.parcels import ParcelStatus
from journey.playbook import Playbook, load_playbook

SENDS = 14
SIGNALS = 5
SHIPPED_AFTER = timedelta(days=1)
IN_TRANSIT_AFTER = timedelta(days=2)
OUT_AFTER = timedelta(days=2, hours=22)
DELIVERED_AFTER = timedelta(days=3)
REVIEWED_AFTER = timedelta(days=9, hours=2)
LONG_ENOUGH = timedelta(days=120)
_LOOK_AGAIN = 0.01


def frozen_playbook() -> Playbook:
    """The default playbook as it was when the figures began, whatever the shipped one says by now."""
    return load_playbook(Path(__file__).with_name("playbook.yaml").read_text(encoding="utf-8"))


def new_order() -> str:
    """An order id nobody else has."""
    return uuid.uuid4().hex[:12]


async def play(side: Side, skipper: TimeSkipper) -> WorkflowHandle[Any, Any]:
    """Play one order's whole default journey; returns when it has ended.

    Raises:
        RuntimeError: it ended before its last touch was due.
        WorkflowFailureError: it failed.
    """
    order_id, began = new_order(), datetime.now(UTC)
    handle = await side.start(order_id, began)
    clock = timedelta()

    async def forward(to: timedelta) -> datetime:
        nonlocal clock
        await _at_rest(handle)
        if not await skipper.fast_forward(handle, to - clock):
            raise RuntimeError(f"{side.name} ended before day {to / timedelta(days=1):g}")
        clock = to
        return began + to

    await side.ship(order_id, await forward(SHIPPED_AFTER))
    await side.scan(order_id, ParcelStatus.IN_TRANSIT, await forward(IN_TRANSIT_AFTER))
    await side.scan(order_id, ParcelStatus.OUT_FOR_DELIVERY, await forward(OUT_AFTER))
    await side.scan(order_id, ParcelStatus.DELIVERED, await forward(DELIVERED_AFTER))
    await side.review(order_id, await forward(REVIEWED_AFTER))
    await _at_rest(handle)
    await skipper.fast_forward(handle, LONG_ENOUGH)
    await handle.result()
    return handle


async def play_many(side: Side, skipper: TimeSkipper, count: int, *, at_once: int = 8) -> Sequence[str]:
    """Play `count` journeys, `at_once` of them side by side; returns the workflow ids."""
    gate = asyncio.Semaphore(at_once)

    async def one() -> str:
        async with gate:
            return (await play(side, skipper)).id

    return await asyncio.gather(*(one() for _ in range(count)))


async def _at_rest(handle: WorkflowHandle[Any, Any]) -> None:
    """Wait until the workflow waits: a clock moved while a task is under way would cost it one more task."""
    while True:
        described = (await handle.describe()).raw_description
        if not described.HasField("pending_workflow_task") and not described.pending_activities:
            return
        await asyncio.sleep(_LOOK_AGAIN)
