"""An attempt that is to stop: in time nothing is sent, and a hand-over that is under way is never cut off."""

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, CancelledError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.attempt import Guard
from activities.messaging.email.smtp import Smtp
from journey.intervals import ATTEMPT, HEARTBEAT
from journey.outcomes import DeliverAnswer, DeliverRequest
from tests.activities.desk import MARKETING, TRANSACTIONAL, Desk, at
from tests.support.orders import Order
from workers.mail_catcher import AnswerLate, MailCatcher

TOUCHES = pytest.mark.parametrize("touch", [TRANSACTIONAL, MARKETING])


@workflow.defn(name="Stopped")
class Stopped:
    """Asks for one delivery as a journey does, and cancels it when it is told to."""

    def __init__(self) -> None:
        self._stop = False

    @workflow.run
    async def run(self, request: DeliverRequest) -> str:
        """The answer's status, or `cancelled`."""
        handle = workflow.start_activity(
            "deliver",
            request,
            result_type=DeliverAnswer,
            start_to_close_timeout=ATTEMPT,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RetryPolicy(maximum_attempts=1),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        await workflow.wait_condition(lambda: self._stop or handle.done())
        handle.cancel()
        try:
            return (await handle).status
        except ActivityError as error:
            return "cancelled" if isinstance(error.cause, CancelledError) else repr(error.cause)

    @workflow.signal
    def stop(self) -> None:
        """Cancel it."""
        self._stop = True


def slow(desk: Desk, catcher: MailCatcher, seconds: float) -> Desk:
    """A relay that takes the message, and `seconds` over its last word."""

    def behave(_mail: object) -> None:
        raise AnswerLate(seconds)

    catcher.behaviour = behave
    return replace(desk, provider=Smtp(urlsplit(catcher.url), timeout=10, answer_timeout=60))


def telling(name: str) -> tuple[asyncio.Event, Callable[..., object]]:
    """An event that is set in a gap of that name."""
    there = asyncio.Event()

    async def tell() -> None:
        there.set()

    return there, at(name, tell)


@TOUCHES
async def test_stopped_before_the_claim_nothing_has_happened(smtp_desk: Desk, touch: str) -> None:
    """It waits for the customer's row, is stopped there, and leaves no row of its own."""
    order = await smtp_desk.order()
    async with smtp_desk.pool.acquire() as other, other.transaction():
        await other.execute("SELECT 1 FROM customers WHERE customer_id = $1 FOR UPDATE", order.person.customer_id)
        attempt = asyncio.create_task(smtp_desk.deliveries().deliver(smtp_desk.request(order, touch)))
        await asyncio.sleep(0.2)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
    assert await smtp_desk.rows(order) == []
    assert (await smtp_desk.found_out(smtp_desk.request(order, touch))).rule == "attempt_lost"


@TOUCHES
async def test_stopped_while_it_claims_it_gives_the_claim_back(smtp_desk: Desk, touch: str) -> None:
    """Nothing was handed over: the row says so, and the message is free to go or to be passed over."""
    order = await smtp_desk.order()
    claimed, gap = telling("after_claim")
    attempt = asyncio.create_task(smtp_desk.deliveries(gap).deliver(smtp_desk.request(order, touch)))
    await claimed.wait()
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    (row,) = await smtp_desk.rows(order)
    assert (row["status"], row["rule"], row["claim"]) == ("held", "attempt_stopped", None)
    assert smtp_desk.arrived(order) == []


@TOUCHES
async def test_stopped_while_it_hands_over_it_goes_on_to_the_end(
    smtp_desk: Desk, catcher: MailCatcher, touch: str
) -> None:
    """However often it is told to stop, the answer is the relay's, and the row has it."""
    desk = slow(smtp_desk, catcher, 1)
    order = await desk.order()
    handing_over, gap = telling("before_send")
    attempt = asyncio.create_task(desk.deliveries(gap).deliver(desk.request(order, touch)))
    await handing_over.wait()
    for _ in range(3):
        await asyncio.sleep(0.2)
        attempt.cancel()
    assert (await attempt).status == "sent"
    assert await desk.row(order) == ("sent", None)
    assert len(desk.arrived(order)) == 1


async def test_a_guard_that_was_told_to_stop_says_so_as_soon_as_it_may() -> None:
    """In between the work goes on."""
    guard, steps = Guard(), list[str]()

    async def work() -> None:
        guard.hold()
        await asyncio.sleep(0.05)
        steps.append("held")
        guard.free()
        steps.append("not reached")

    running = asyncio.create_task(guard.run(work()))
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert steps == ["held"]


# ---- by the server, and by the end of the worker ------------------------------------------------------------


@asynccontextmanager
async def working(client: Client, desk: Desk, gap: object, grace: timedelta = timedelta(minutes=1)):
    """A worker with the desk's activities; it ends with the block, and then cancels what is left after `grace`."""
    queue = f"stopped-{id(desk)}"
    worker = Worker(
        client,
        task_queue=queue,
        workflows=[Stopped],
        activities=[desk.deliveries(gap).deliver],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_heartbeat_throttle_interval=timedelta(seconds=0.1),
        graceful_shutdown_timeout=grace,
    )
    async with worker:
        yield queue


async def begin(client: Client, queue: str, desk: Desk, order: Order):
    """Start the delivery of a message that is due by the server's clock, at whatever hour."""
    request = desk.request(order, TRANSACTIONAL).but(now=None, due=datetime.now(UTC))
    return await client.start_workflow(Stopped.run, request, id=f"stopped-{order.order_id}", task_queue=queue)


@pytest.mark.parametrize(("gap", "result"), [("before_claim", "cancelled"), ("before_send", "sent")])
async def test_a_journey_that_cancels_it_hears_what_is_so(
    client: Client, smtp_desk: Desk, catcher: MailCatcher, gap: str, result: str
) -> None:
    """Waiting for the customer's row it was cancelled; with the message at the relay it was sent, and that is said."""
    desk = slow(smtp_desk, catcher, 5)
    order = await desk.order()
    there, tell = telling(gap)
    async with working(client, desk, tell) as queue, desk.pool.acquire() as other:
        blocked = other.transaction()
        await blocked.start()
        if gap == "before_claim":
            await other.execute("SELECT 1 FROM customers WHERE customer_id = $1 FOR UPDATE", order.person.customer_id)
        handle = await begin(client, queue, desk, order)
        await there.wait()
        await handle.signal(Stopped.stop)
        assert await handle.result() == result
        await blocked.rollback()
    assert [row["status"] for row in await desk.rows(order)] == (["sent"] if result == "sent" else [])


async def test_a_worker_that_ends_lets_the_relay_finish(client: Client, smtp_desk: Desk, catcher: MailCatcher) -> None:
    """With no grace at all the attempt is told to stop at once; it ends when its message is recorded."""
    desk = slow(smtp_desk, catcher, 3)
    order = await desk.order()
    handing_over, gap = telling("before_send")
    async with working(client, desk, gap, grace=timedelta()) as queue:
        handle = await begin(client, queue, desk, order)
        await handing_over.wait()
        await asyncio.sleep(0.3)
    assert await desk.row(order) == ("sent", None)
    assert len(desk.arrived(order)) == 1
    async with working(client, desk, gap) as queue:
        assert await handle.result() == "sent"
