"""Polling on the real server and database: one workflow a vendor, whose history stays as short as it began."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import SetWorkerDeploymentCurrentVersionRequest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError
from temporalio.worker import Replayer, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from activities.carriers.pollers import Pollers
from activities.polling import Polling
from activities.vendors.http import VendorBusyError
from starters.polling import keep_polling
from store.pool import Pool
from tests.support.parcels import AskedVendor, scan, ship
from tests.support.patience import PATIENCE
from workers.connecting import DATA_CONVERTER
from workers.settings import Settings
from workers.worker import deployment
from workflows.carrier_polling import CarrierPolling, polling_id

SOON = timedelta(milliseconds=50)
LATER = timedelta(hours=1)
BEGUN = [
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
]


class Line:
    """One vendor, a queue of its own, and the workers that serve it."""

    def __init__(self, client: Client, pool: Pool) -> None:
        self.client = client
        self.pool = pool
        self.vendor = AskedVendor(f"ups-{uuid.uuid4().hex[:8]}")
        self.settings = Settings(task_queue=f"test-{uuid.uuid4().hex[:8]}")
        self.handle = client.get_workflow_handle(polling_id(self.vendor.name))

    def worker(self, settings: Settings | None = None, rest: timedelta = SOON) -> Worker:
        polling = Polling(self.pool, Pollers([self.vendor]), rests=(rest, rest))
        return Worker(
            self.client,
            task_queue=self.settings.task_queue,
            workflows=[CarrierPolling],
            activities=[polling.poll_carrier],
            deployment_config=deployment(settings or self.settings),
            graceful_shutdown_timeout=timedelta(seconds=PATIENCE),
        )

    async def keep(self, *vendors: str) -> None:
        await keep_polling(self.client, vendors, task_queue=self.settings.task_queue)

    async def attempt(self) -> int:
        """Which attempt the activity is at."""
        pending = (await self.handle.describe()).raw_description.pending_activities
        return pending[0].attempt if pending else 0

    async def parcel(self, number: str, **columns) -> None:
        await ship(self.pool, number, poll_at=datetime.now(UTC) - SOON, **columns)

    async def news(self) -> int:
        found: int = await self.pool.fetchval("SELECT count(*) FROM inbox")
        return found

    async def events(self) -> list[int]:
        return [event.event_type for event in (await self.handle.fetch_history()).events]


@pytest.fixture
async def line(client: Client, pool: Pool) -> AsyncIterator[Line]:
    made = Line(client, pool)
    yield made
    await made.keep()


async def until(reached: Callable[[], Awaitable[object]]) -> None:
    """Wait for something that a worker is about to bring about."""
    async with asyncio.timeout(PATIENCE):
        while not await reached():  # noqa: ASYNC110  it is the server's state, which has no event to set
            await asyncio.sleep(0.02)


@asynccontextmanager
async def polled(line: Line, rest: timedelta = SOON) -> AsyncIterator[None]:
    """The line's polling is started, and one worker at work."""
    async with line.worker(rest=rest):
        await line.keep(line.vendor.name)
        yield


async def test_polling_adds_nothing_to_the_history(line: Line) -> None:
    """After ten attempts, one of them with news, there are the five events that it began with, and they replay."""
    async with polled(line):
        await until(line.attempt)
        await line.parcel("T1")
        line.vendor.knows["T1"] = [scan("T1")]
        await until(line.news)
        so_far = await line.attempt()

        async def ten_more() -> bool:
            return await line.attempt() >= so_far + 10

        await until(ten_more)
        assert await line.events() == BEGUN
        history = await line.handle.fetch_history()
    assert line.vendor.asked == ["T1"]
    replayer = Replayer(
        workflows=[CarrierPolling], data_converter=DATA_CONVERTER, workflow_runner=SandboxedWorkflowRunner()
    )
    await replayer.replay_workflow(history)


async def test_the_server_waits_as_long_as_the_vendor_says(line: Line) -> None:
    """Its Retry-After is the next attempt's delay, however much longer than any other retry's."""
    await line.parcel("T1")
    line.vendor.then.append(VendorBusyError("ups", "http_429", timedelta(hours=5)))
    async with polled(line):

        async def waiting() -> bool:
            return await line.attempt() > 1

        await until(waiting)
        (pending,) = (await line.handle.describe()).raw_description.pending_activities
    wait = pending.scheduled_time.ToDatetime(tzinfo=UTC) - datetime.now(UTC)
    assert timedelta(hours=4, minutes=59) < wait <= timedelta(hours=5)
    assert pending.last_failure.message == "http_429"


async def test_a_worker_that_stops_hands_over_to_the_next(line: Line) -> None:
    """Its requests under way are finished, the rest is the other's; no parcel is asked about twice."""
    line.vendor.at_once = 1
    numbers = [f"T{n}" for n in range(12)]
    for number in numbers:
        await line.parcel(number)
    line.vendor.open.clear()
    worker = line.worker()
    running = asyncio.create_task(worker.run())
    await line.keep(line.vendor.name)

    async def under_way() -> bool:
        return bool(line.vendor.asked)

    await until(under_way)
    stopping = asyncio.create_task(worker.shutdown())
    await asyncio.sleep(0.2)
    line.vendor.open.set()
    await asyncio.gather(stopping, running)
    by_the_first = len(line.vendor.asked)
    async with line.worker():

        async def all_asked() -> bool:
            return len(line.vendor.asked) >= len(numbers)

        await until(all_asked)
        assert sorted(line.vendor.asked) == sorted(numbers)
        assert await line.events() == BEGUN
    assert 1 <= by_the_first <= 4


async def test_starting_again_starts_nothing_twice(line: Line) -> None:
    """Every process may say what is to be polled; the run goes on."""
    async with polled(line):
        await until(line.attempt)
        run = (await line.handle.describe()).run_id
        await asyncio.gather(*(line.keep(line.vendor.name) for _ in range(3)))
        assert (await line.handle.describe()).run_id == run


async def test_a_vendor_that_is_no_longer_configured_is_let_go(line: Line) -> None:
    """Its polling ends, also while it rests for an hour; the others' and other queues' go on."""
    other = Line(line.client, line.pool)
    async with polled(line, rest=LATER), polled(other):
        await until(line.attempt)

        async def ended() -> bool:
            # The server's list of what is running lags behind.
            await line.keep(f"{line.vendor.name}-b")
            return (await line.handle.describe()).status is not WorkflowExecutionStatus.RUNNING

        await until(ended)
        assert (await line.handle.describe()).status is WorkflowExecutionStatus.CANCELED
        assert (await other.handle.describe()).status is WorkflowExecutionStatus.RUNNING
        await until_gone(other)
    with pytest.raises(RPCError):
        await line.handle.signal("anything")


async def until_gone(line: Line) -> None:
    async def gone() -> bool:
        await line.keep()
        return (await line.handle.describe()).status is not WorkflowExecutionStatus.RUNNING

    await until(gone)


@pytest.mark.parametrize("versioning", ["pinned", "auto_upgrade"])
async def test_a_deploy_takes_the_polling_along(line: Line, versioning) -> None:
    """Of a versioned deployment the current version polls, also where journeys stay with theirs: one task a deploy."""
    name = f"postlude-{uuid.uuid4().hex[:8]}"

    def version(build: str) -> Settings:
        return line.settings.model_copy(update={"deployment_name": name, "build_id": build, "versioning": versioning})

    async def current(build: str) -> None:
        async def is_set() -> bool:
            # Refused until the server has seen a worker of that version.
            try:
                await line.client.workflow_service.set_worker_deployment_current_version(
                    SetWorkerDeploymentCurrentVersionRequest(
                        namespace=line.client.namespace,
                        deployment_name=name,
                        version=f"{name}.{build}",
                        build_id=build,
                        identity="test",
                    )
                )
            except RPCError:
                return False
            return True

        await until(is_set)

    async def attempts(least: int) -> None:
        async def enough() -> bool:
            return await line.attempt() >= least

        await until(enough)

    async with line.worker(version("1")):
        await current("1")
        await line.keep(line.vendor.name)
        await attempts(2)
    async with line.worker(version("2")):
        await current("2")
        await line.parcel("T1")

        async def asked() -> bool:
            return line.vendor.asked[:1] == ["T1"]

        await until(asked)
        assert await line.events() == BEGUN + BEGUN[1:4]
