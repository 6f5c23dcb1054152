"""Facts in words that a worker does not know yet: a gateway may be newer than the workers behind it."""

import asyncio
from datetime import timedelta

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker

from journey.events import Event, ReviewPosted
from journey.playbook import Playbook
from tests.support.orders import Order, Person, noon_zone
from tests.support.script import Script, Stage
from tests.support.world import order_id
from workers.connecting import DATA_CONVERTER
from workflows.journey_input import JourneyInput
from workflows.order_journey import OrderJourney


@workflow.defn(name="OrderJourney")
class OlderJourney(OrderJourney):
    """The journey as a worker runs it that has never heard of a delivery."""

    @workflow.init
    def __init__(self, given: JourneyInput) -> None:
        super().__init__(given)

    @workflow.run
    async def run(self, given: JourneyInput) -> str:
        return await super().run(given)

    def _read(self, name: str, body: str) -> Event | None:
        return None if '"delivered"' in body else super()._read(name, body)


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def stage(client: Client, playbook: Playbook, script: Script) -> Stage:
    return Stage(client, playbook, script)


def worker(stage: Stage, journey: type[OrderJourney]) -> Worker:
    return Worker(
        stage.client, task_queue=stage.queue, workflows=[journey], workflow_runner=UnsandboxedWorkflowRunner()
    )


async def replayed(history: WorkflowHistory, journey: type[OrderJourney]) -> Exception | None:
    replayer = Replayer(workflows=[journey], data_converter=DATA_CONVERTER, workflow_runner=UnsandboxedWorkflowRunner())
    return (await replayer.replay_workflow(history, raise_on_replay_failure=False)).replay_failure


async def test_a_word_that_a_worker_does_not_know_is_kept_and_taken_in_later(stage: Stage, script: Script) -> None:
    """A fact is never dropped for a word in it, and whoever knows the word replays what came before it did."""
    order = Order(order_id(), person=Person(customer_id=order_id(), time_zone=noon_zone()))
    async with stage.activities():
        async with worker(stage, OlderJourney):
            handle = await stage.start(order)
            await script.until("deliver", "order_confirmation")
            now = (await stage.clocks.now(order.shop, order.order_id)).isoformat()
            sent = {"at": now, "tracking_number": "T1", "carrier": "DHL", "skus": ["YM-1"]}
            await handle.signal("shipment_created", sent)
            await script.until("deliver", "shipped:T1")
            await handle.signal("shipment_updated", {"at": now, "tracking_number": "T1", "status": "delivered"})
            await handle.signal("beamed_up", {"at": now})
            await asyncio.sleep(1)
            kept = (await handle.query(OrderJourney.timeline)).notes
            assert [note for note in kept if "kept" in note] == [
                "`shipment_updated` is kept until a worker knows its words",
                "`beamed_up` is kept until a worker knows its words",
            ]
            assert "delivered:T1" not in script.sent()
            before = await handle.fetch_history()
        for journey in (OlderJourney, OrderJourney):
            assert await replayed(before, journey) is None
        async with worker(stage, OrderJourney):
            review = ReviewPosted(at=await stage.clocks.now(order.shop, order.order_id), rating=5)
            assert await stage.journeys.signal(order.shop, order.order_id, review)
            await script.until("deliver", "delivered:T1")
            await stage.clocks.forward(order.shop, order.order_id, timedelta(days=1))
            after = await handle.fetch_history()
            assert (
                "`beamed_up` is kept until a worker knows its words"
                in (await handle.query(OrderJourney.timeline)).notes
            )
            await handle.terminate()
    assert await replayed(after, OrderJourney) is None


async def test_a_kept_word_goes_along_into_a_new_run(stage: Stage, script: Script) -> None:
    """Continue-as-new carries what no worker could read."""
    order = Order(order_id(), person=Person(customer_id=order_id(), time_zone=noon_zone()))
    async with stage.activities(), stage.workflows():
        handle = await stage.start(order)
        await script.until("deliver", "order_confirmation")
        now = (await stage.clocks.now(order.shop, order.order_id)).isoformat()
        await handle.signal("beamed_up", {"at": now})
        await handle.signal("shipment_created", {"at": now, "tracking_number": "T1", "skus": ["YM-1"]})
        await handle.signal("shipment_updated", {"at": now, "tracking_number": "T1", "status": "delivered"})
        first = (await handle.describe()).run_id
        await stage.clocks.forward(order.shop, order.order_id, timedelta(days=25))
        assert (await handle.describe()).run_id != first
        assert "`beamed_up` is kept until a worker knows its words" in (await handle.query(OrderJourney.timeline)).notes
        await handle.terminate()
