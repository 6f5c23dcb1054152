"""The books of orders whose journey was ended from outside."""

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus
from temporalio.testing import ActivityEnvironment

from activities.closing import Closing
from journey.closing import GONE, WHY, ClosingAnswer
from journey.polling import Reach
from starters.ports import ENDED
from starters.relay import Relay
from store import inbox, intake, polling
from tests.support.entries import entry
from tests.support.orders import Order, put
from tests.support.patience import PATIENCE
from tests.support.world import World, order_id
from workflows.book_closing import BookClosing

TWO_DAYS = timedelta(days=2)
TERMINATED = WHY["TERMINATED"]
LINES = [{"sku": "YM-1", "quantity": 1, "unit_price": 79}]


def later():
    """A clock in two days, when everything that is under way now has settled."""
    return datetime.now(UTC) + TWO_DAYS


async def sweep(world: World, clock=later, env: ActivityEnvironment | None = None) -> ClosingAnswer:
    """One look through the open orders."""
    closing = Closing(world.pool, world.client, clock=clock)
    return await (env or ActivityEnvironment()).run(closing.close_books)


async def placed(world: World) -> Order:
    """An order whose journey has had its first task."""
    order = Order(order_id())
    handle = await world.place(order)
    async with asyncio.timeout(PATIENCE):
        while (await handle.describe()).history_length <= 4:  # noqa: ASYNC110  the server rings no bell
            await asyncio.sleep(0.05)
    return order


async def terminated(world: World, order: Order) -> None:
    """Terminated as in the Temporal UI, and seen to be."""
    handle = world.handle(order)
    await handle.terminate()
    listed = f"WorkflowId = '{handle.id}' AND ExecutionStatus = 'Running'"
    async with asyncio.timeout(PATIENCE):
        while (await world.client.count_workflows(listed)).count:  # noqa: ASYNC110  the server rings no bell
            await asyncio.sleep(0.05)


async def forgotten(world: World) -> Order:
    """An order whose journey Temporal does not know: to look at, it is the same whether it ever did."""
    order = Order(order_id())
    await put(world.pool, order, world.playbook.digest)
    return order


async def ended(world: World) -> dict[str, str]:
    """Why the books are closed, by order."""
    rows = await world.pool.fetch("SELECT order_id, ended_why FROM orders WHERE ended_at IS NOT NULL")
    return dict(map(tuple, rows))


async def kept(world: World, event: intake.OrderEvent) -> None:
    """Keep what a shop says in the inbox, as the gateway does."""
    await inbox.keep(
        world.pool,
        source="events",
        event_id=event.order_id,
        topic=event.type,
        body=b"",
        events=[event],
        received_at=event.at,
    )


async def test_the_books_of_what_was_ended_from_outside_are_closed(journeys: World):
    """Terminated or forgotten: its books are closed with the reason; one that runs and one still to start stay open."""
    running, stopped = [await placed(journeys) for _ in range(2)]
    gone, to_start = [await forgotten(journeys) for _ in range(2)]
    created = {"shop": "acme", "order_id": to_start.order_id, "currency": "EUR", "total": 79, "lines": LINES}
    await kept(journeys, intake.OrderCreated(at=datetime.now(UTC), **created))
    await terminated(journeys, stopped)
    answer = await sweep(journeys)
    assert answer == ClosingAnswer(open=4, closed={TERMINATED: 1, GONE: 1}, missing=0)
    assert await ended(journeys) == {stopped.order_id: TERMINATED, gone.order_id: GONE}
    assert (await journeys.handle(running).describe()).status is WorkflowExecutionStatus.RUNNING
    assert await sweep(journeys) == ClosingAnswer(open=2, closed={}, missing=0)


async def test_what_was_held_is_settled_and_its_parcels_are_polled_no_more(journeys: World):
    """A held message is refused, one that may have gone out stays in doubt, and nobody asks about the parcel again."""
    order = await placed(journeys)
    await journeys.ship(order, "T1")
    await terminated(journeys, order)
    name, now = f"acme/{order.order_id}", datetime.now(UTC)
    await entry(journeys.pool, name, "check_in", now, status="held", until=now + TWO_DAYS)
    await entry(journeys.pool, name, "care", now, status="in_doubt", rule="crash_between_send_and_record")
    await polling.plan(journeys.pool, Reach(None), now=now)
    await sweep(journeys)
    ledger = await journeys.ledger(order)
    assert ledger["check_in"] == ("refused", "journey_ended")
    assert ledger["care"] == ("in_doubt", "crash_between_send_and_record")
    assert await polling.take(journeys.pool, Reach(None), now=later(), limit=10) == []


async def test_a_fact_that_comes_after_the_end_is_ticked_off(journeys: World):
    """Whether Temporal still knows the journey or not: it is noted, and not tried again for ever."""
    orders = [await placed(journeys), await forgotten(journeys)]
    await terminated(journeys, orders[0])
    await sweep(journeys)
    for order in orders:
        await kept(journeys, intake.OrderCancelled(at=datetime.now(UTC), shop="acme", order_id=order.order_id))
    await Relay(journeys.pool, journeys.journeys).drain()
    rows = await journeys.pool.fetch("SELECT status, note FROM inbox")
    assert [tuple(row) for row in rows] == [("dispatched", ENDED)] * 2


async def test_a_journey_that_was_reset_goes_on(journeys: World):
    """What was terminated and begun anew runs: its latest run is what counts."""
    order = await placed(journeys)
    handle = journeys.handle(order)
    await terminated(journeys, order)
    await journeys.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=journeys.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=handle.id, run_id=(await handle.describe()).run_id),
            workflow_task_finish_event_id=4,
            request_id=order.order_id,
        )
    )
    await sweep(journeys)
    assert await ended(journeys) == {}


async def test_where_too_many_journeys_are_missing_nothing_is_closed(journeys: World):
    """No journey of these orders is here: this is another namespace or an old copy, and a person has to look."""
    for _ in range(2):
        await forgotten(journeys)
    assert await sweep(journeys) == ClosingAnswer(open=2, closed={}, missing=2)
    assert await ended(journeys) == {}


async def test_what_ended_a_moment_ago_is_left_alone(journeys: World):
    """An order that is new, or whose journey has just ended, may have a message under way."""
    order = await placed(journeys)
    await terminated(journeys, order)
    assert (await sweep(journeys, lambda: datetime.now(UTC))).open == 0
    await journeys.pool.execute("UPDATE orders SET created_at = created_at - interval '1 hour'")
    assert await sweep(journeys, lambda: datetime.now(UTC)) == ClosingAnswer(open=1, closed={}, missing=0)


async def test_an_attempt_goes_on_where_the_last_one_came_to(journeys: World):
    """Behind the order that was told last, in the order of their keys."""
    orders = sorted([await placed(journeys) for _ in range(2)], key=lambda one: one.order_id)
    env = ActivityEnvironment()
    env.info = dataclasses.replace(env.info, heartbeat_details=["acme", orders[0].order_id])
    assert (await sweep(journeys, env=env)).open == 1


async def test_the_workflow_answers_what_was_found(journeys: World):
    """One activity, whose counts are the result."""
    await placed(journeys)
    answer = await journeys.client.execute_workflow(
        BookClosing.run,
        id=f"close:{order_id()}",
        task_queue=journeys.settings.task_queue,
        execution_timeout=timedelta(seconds=PATIENCE),
    )
    assert answer == ClosingAnswer(open=0, closed={}, missing=0)


def test_every_end_has_its_reason():
    """Whatever word Temporal has for an end, the books have one; a run that began anew is none."""
    ends = {status.name for status in WorkflowExecutionStatus} - {"RUNNING", "PAUSED", "CONTINUED_AS_NEW"}
    assert {*WHY} == ends
