"""What a journey takes from a worker: CPU, memory, and the time to replay it."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from bench.bare import BareJourney
from bench.histories import Record
from bench.processes import Child
from bench.scenario import new_order, play_many
from bench.sides import Side
from bench.world import Sides, World
from workers.connecting import DATA_CONVERTER
from workflows.order_journey import OrderJourney
from workflows.registry import PLAYBOOKS

_AT_ONCE = 25
_WARM_JOURNEYS = 100


async def cpu(world: World, sides: Sides, *, rounds: int, batch: int) -> dict[str, list[float]]:
    """Worker CPU milliseconds a journey, by side, one figure a round; the sides take turns within each round."""
    turns: dict[str, tuple[Side, Child]] = {
        "bare": (sides.bare, sides.bare_worker),
        "stub": (sides.stub, sides.stub_worker),
        "postlude": (sides.postlude, sides.postlude_worker),
    }
    found: dict[str, list[float]] = {name: [] for name in turns}
    for number in range(rounds + 1):
        for name, (side, worker) in turns.items():
            before = await worker.ask("cpu")
            await play_many(side, world.skipper, batch)
            after = await worker.ask("cpu")
            if number:  # the first round only warms up
                found[name].append((after - before) / batch * 1000)
    return found


async def memory(world: World, *, journeys: int) -> dict[str, float]:
    """KiB of a worker's resident memory for each open journey it has cached, by side."""
    found = {}
    async with world.bare() as (side, worker):
        found["bare"] = await _growth(side, worker, journeys)
    async with world.stub() as (journey, worker):
        found["stub"] = await _growth(journey, worker, journeys)
    return found


async def _growth(side: Side, worker: Child, journeys: int) -> float:
    await _open(side, worker, min(_WARM_JOURNEYS, journeys))
    before = await worker.ask("memory")
    await _open(side, worker, journeys)
    after = await worker.ask("memory")
    return float(after - before) / journeys / 1024


async def _open(side: Side, worker: Child, count: int) -> None:
    """Start journeys and wait until each has sent its confirmation and waits for its parcel."""
    before = await worker.ask("count")
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one() -> None:
        async with gate:
            await side.start(new_order(), datetime.now(UTC))

    await asyncio.gather(*(one() for _ in range(count)))
    while await worker.ask("count") < before + count:  # noqa: ASYNC110  another process, which has no event to set
        await asyncio.sleep(0.1)
    await asyncio.sleep(1)  # the last ones start their timers


async def replay(world: World, record: Record, *, times: int) -> float:
    """Median milliseconds to replay all runs of a journey, unsandboxed as in production."""
    PLAYBOOKS.add(world.playbook.digest, world.playbook)
    replayer = Replayer(
        workflows=[OrderJourney, BareJourney],
        data_converter=DATA_CONVERTER,
        workflow_runner=UnsandboxedWorkflowRunner(),
    )

    async def over_and_over() -> AsyncIterator[WorkflowHistory]:
        for _ in range(times + 1):
            for run in record.runs:
                yield run.raw

    # One replayer for all of them, as a worker has one for all its journeys.
    found: list[float] = []
    async with replayer.workflow_replay_iterator(over_and_over()) as results:
        began, runs = time.perf_counter(), 0
        async for result in results:
            if result.replay_failure is not None:
                raise result.replay_failure
            runs += 1
            if runs % len(record.runs) == 0:
                found.append((time.perf_counter() - began) * 1000)
                began = time.perf_counter()
    return statistics.median(found[1:])


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median over rounds of ours by theirs."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
