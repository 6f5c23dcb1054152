"""What a journey takes from a worker: CPU, memory, and the time to replay it."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Taken:
    """CPU milliseconds a journey by side, one figure a round: of the side's worker, and of the Temporal server."""

    worker: dict[str, list[float]]
    server: dict[str, list[float]]


async def cpu(world: World, sides: Sides, *, rounds: int, batch: int) -> Taken:
    """Whole journeys of each side; the sides take turns within each round.

    The server's share includes what the bench asks it for while it moves the clocks, which is the same for all sides.
    """
    turns: dict[str, tuple[Side, Child]] = {
        "bare": (sides.bare, sides.bare_worker),
        "stub": (sides.stub, sides.stub_worker),
        "postlude": (sides.postlude, sides.postlude_worker),
    }
    found = Taken({name: [] for name in turns}, {name: [] for name in turns})
    for number in range(rounds + 1):
        for name, (side, worker) in turns.items():
            before, served = await worker.ask("cpu"), world.server_cpu()
            await play_many(side, world.skipper, batch)
            after = await worker.ask("cpu")
            if number:  # the first round only warms up
                found.worker[name].append((after - before) / batch * 1000)
                found.server[name].append((world.server_cpu() - served) / batch * 1000)
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


async def replay(world: World, records: Sequence[Record], *, times: int) -> list[float]:
    """Median milliseconds to replay all runs of each journey, unsandboxed as in production; they take turns."""
    PLAYBOOKS.add(world.playbook.digest, world.playbook)
    replayer = Replayer(
        workflows=[OrderJourney, BareJourney],
        data_converter=DATA_CONVERTER,
        workflow_runner=UnsandboxedWorkflowRunner(),
    )

    async def over_and_over() -> AsyncIterator[WorkflowHistory]:
        for _ in range(times + 1):
            for one in records:
                for run in one.runs:
                    yield run.raw

    # One replayer for all of them, as a worker has one for all its journeys.
    found: list[list[float]] = [[] for _ in records]
    whose = [(turn, place) for turn in range(times + 1) for place, one in enumerate(records) for _ in one.runs]
    async with replayer.workflow_replay_iterator(over_and_over()) as results:
        began, took, runs = time.perf_counter(), 0.0, 0
        async for result in results:
            if result.replay_failure is not None:
                raise result.replay_failure
            journey = whose[runs]
            runs += 1
            took += time.perf_counter() - began
            if runs == len(whose) or whose[runs] != journey:
                found[journey[1]].append(took * 1000)
                took = 0.0
            began = time.perf_counter()
    return [statistics.median(one[1:]) for one in found]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median over rounds of ours by theirs."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
