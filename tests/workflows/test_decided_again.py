"""What could not be done is decided again on what is so then: the journey beside activities that follow a script."""

import asyncio
from datetime import timedelta

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from journey.events import OrderCancelled, OrderRefunded, ShipmentCreated, ShipmentUpdated
from journey.outcomes import DeliverAnswer, Status
from journey.parcels import ParcelStatus, Reason
from journey.playbook import Playbook
from journey.remedies import RemedyAnswer, Stand
from journey.timeline import Timeline
from tests.support.orders import Order, Person, noon_zone
from tests.support.script import SENT, Script, Stage, held
from tests.support.world import order_id
from workflows.order_journey import OrderJourney

LOST = ApplicationError("the worker was killed", non_retryable=True)
NOTHING = held("attempt_lost", for_=timedelta(0))


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def stage(client: Client, playbook: Playbook, script: Script) -> Stage:
    return Stage(client, playbook, script)


def an_order() -> Order:
    return Order(order_id(), person=Person(customer_id=order_id(), time_zone=noon_zone()))


def became(shown: Timeline, key: str) -> tuple[str, str | None]:
    """A touch's status and rule in the journey's own account."""
    (found,) = [past for past in shown.past if past.touch == key]
    return found.status, found.rule


async def shipped(stage: Stage, order: Order) -> None:
    now = await stage.clocks.now(order.shop, order.order_id)
    await stage.journeys.signal(
        order.shop, order.order_id, ShipmentCreated(at=now, tracking_number="T1", carrier="DHL", skus=("YM-1",))
    )


async def scanned(stage: Stage, order: Order, status: ParcelStatus, reason: Reason | None = None) -> None:
    now = await stage.clocks.now(order.shop, order.order_id)
    event = ShipmentUpdated(at=now, tracking_number="T1", status=status, reason=reason)
    await stage.journeys.signal(order.shop, order.order_id, event)


async def test_a_problem_that_is_over_when_the_provider_is_back_is_not_told(stage: Stage, script: Script) -> None:
    """A parcel delivered while the provider was away brings no message about its problem."""
    order = an_order()
    script.delivers["parcel_problem:T1:customs"] = [held("provider_unreachable", waits_for="email")]
    async with stage.workflows(), stage.activities():
        handle = await stage.start(order)
        await script.until("deliver", "order_confirmation")
        await shipped(stage, order)
        await script.until("deliver", "shipped:T1")
        await scanned(stage, order, ParcelStatus.EXCEPTION, Reason.CUSTOMS)
        await script.until("wait_for", "email")
        shown = await handle.query(OrderJourney.timeline)
        assert "email is away: messages wait for it" in shown.notes
        await scanned(stage, order, ParcelStatus.DELIVERED)
        await script.until("deliver", "delivered:T1")
        script.open_ways.add("email")
        await asyncio.sleep(2)
        assert script.sent().count("parcel_problem:T1:customs") == 1
        await handle.terminate()


async def test_a_way_that_opens_lets_what_waits_for_it_go(stage: Stage, script: Script) -> None:
    """When the provider is back the held message is asked for again, and no history grew while it was away."""
    order = an_order()
    script.delivers["order_confirmation"] = [held("provider_unreachable", waits_for="email")]
    async with stage.workflows(), stage.activities():
        handle = await stage.start(order)
        await script.until("wait_for", "email")
        await asyncio.sleep(0.5)
        before = len((await handle.fetch_history()).events)
        await asyncio.sleep(2)
        assert script.asked.count(("wait_for", "email")) > 5
        assert len((await handle.fetch_history()).events) == before
        script.open_ways.add("email")
        await script.until("deliver", "order_confirmation", times=2)
        await handle.terminate()


async def test_pause_holds_a_message_that_no_worker_has_taken(stage: Stage, script: Script) -> None:
    """A message that waits for a worker when the journey is paused does not go, and goes when it is resumed."""
    order = an_order()
    async with stage.workflows():
        handle = await stage.start(order)
        await asyncio.sleep(1)
        paused = await handle.execute_update(OrderJourney.pause)
        assert paused.status == "paused"
        async with stage.activities():
            await asyncio.sleep(2)
            assert script.sent() == []
            await handle.execute_update(OrderJourney.resume)
            await script.until("deliver", "order_confirmation")
    await handle.terminate()


async def test_a_queued_message_can_be_skipped(stage: Stage, script: Script) -> None:
    """An operator's skip reaches a message that no worker has taken."""
    order = an_order()
    async with stage.workflows():
        handle = await stage.start(order)
        await asyncio.sleep(1)
        shown = await handle.execute_update(OrderJourney.skip_touch, "order_confirmation")
        assert became(shown, "order_confirmation") == ("refused", "skipped_by_operator")
        async with stage.activities():
            await asyncio.sleep(2)
            assert "order_confirmation" not in script.sent()
    await handle.terminate()


async def test_a_message_that_leaves_before_it_is_called_back_is_not_called_skipped(
    stage: Stage, script: Script
) -> None:
    """Skip and pause wait for a hand-over under way, and say that the message has gone."""
    order = an_order()
    leaving = asyncio.Event()

    async def slowly() -> DeliverAnswer:
        try:
            while not leaving.is_set():
                activity.heartbeat()
                await asyncio.sleep(0.2)
        except asyncio.CancelledError:
            # It was handed over: what is asked of it now comes too late.
            await asyncio.sleep(0.5)
        return SENT

    script.delivers["order_confirmation"] = [slowly]
    async with stage.workflows(), stage.activities():
        handle = await stage.start(order)
        await script.until("deliver", "order_confirmation")
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await handle.execute_update(OrderJourney.skip_touch, "order_confirmation")
        assert "too late: touch 'order_confirmation' is sent" in str(refused.value.cause)
        await handle.terminate()


async def test_an_attempt_without_an_answer_is_found_out_about_and_not_repeated(stage: Stage, script: Script) -> None:
    """A message whose worker was killed behind the send is sent once: the ledger is asked before anything else."""
    order = an_order()
    script.delivers["order_confirmation"] = [LOST]
    script.finds["order_confirmation"] = [SENT]
    async with stage.workflows(), stage.activities():
        handle = await stage.start(order)
        await shipped(stage, order)
        await script.until("deliver", "shipped:T1")
        assert script.asked[:2] == [("deliver", "order_confirmation"), ("find_out", "order_confirmation")]
        assert script.sent().count("order_confirmation") == 1
        shown = await handle.query(OrderJourney.timeline)
        assert became(shown, "order_confirmation") == ("sent", None)
        await handle.terminate()


async def test_what_did_not_go_out_is_decided_on_anew(stage: Stage, script: Script) -> None:
    """An attempt that left nothing behind is followed by another, a third one waits, and none is forgotten."""
    order = an_order()
    script.delivers["order_confirmation"] = [LOST, LOST]
    script.finds["order_confirmation"] = [NOTHING, NOTHING]
    async with stage.workflows(), stage.activities():
        handle = await stage.start(order)
        await script.until("find_out", "order_confirmation", times=2)
        await stage.clocks.forward(order.shop, order.order_id, timedelta(minutes=1))
        assert script.sent().count("order_confirmation") == 3
        shown = await handle.query(OrderJourney.timeline)
        assert became(shown, "order_confirmation") == ("sent", None)
        await handle.terminate()


async def test_a_doubt_is_settled_although_the_journey_is_paused(stage: Stage, script: Script) -> None:
    """A kill behind the send and then a pause: the journey still learns that the message went out."""
    order = an_order()
    holding = asyncio.Event()

    async def killed() -> DeliverAnswer:
        try:
            while not holding.is_set():
                activity.heartbeat()
                await asyncio.sleep(0.2)
        except asyncio.CancelledError:
            raise LOST from None
        raise LOST

    script.delivers["order_confirmation"] = [killed]
    script.finds["order_confirmation"] = [SENT]
    async with stage.workflows(), stage.activities():
        handle = await stage.start(order)
        await script.until("deliver", "order_confirmation")
        await handle.execute_update(OrderJourney.pause)
        await script.until("find_out", "order_confirmation")
        await asyncio.sleep(0.5)
        shown = await handle.query(OrderJourney.timeline)
        assert shown.status == "paused"
        assert became(shown, "order_confirmation") == ("sent", None)
        await handle.terminate()


async def test_a_doubt_about_what_is_no_longer_wanted_ends_in_doubt(stage: Stage, script: Script) -> None:
    """A notice in doubt whose reason is gone is not sent again, and the journey says that it may have gone out."""
    order = an_order()
    doubtful = DeliverAnswer(status=Status.HELD, until=NOTHING.until, rule="in_doubt", doubtful=True)
    script.delivers["parcel_problem:T1:customs"] = [LOST]
    script.finds["parcel_problem:T1:customs"] = [doubtful]
    async with stage.workflows(), stage.activities():
        handle = await stage.start(order)
        await shipped(stage, order)
        await script.until("deliver", "shipped:T1")
        script.delivers["parcel_problem:T1:customs"].append(held("provider_unreachable", waits_for="email"))
        await scanned(stage, order, ParcelStatus.EXCEPTION, Reason.CUSTOMS)
        await script.until("wait_for", "email")
        await stage.journeys.signal(
            order.shop, order.order_id, OrderCancelled(at=await stage.clocks.now(order.shop, order.order_id))
        )
        await script.until("deliver", "order_cancelled")
        assert script.sent().count("parcel_problem:T1:customs") == 2
        await handle.terminate()


async def test_a_cancelled_workflow_closes_its_books(stage: Stage, script: Script) -> None:
    """The cancel button of the Temporal UI ends the journey in the tables as well."""
    order = an_order()
    async with stage.workflows(), stage.activities():
        handle = await stage.start(order)
        await script.until("deliver", "order_confirmation")
        await asyncio.sleep(0.5)
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert script.closed == ["cancelled in Temporal"]
        assert (await handle.describe()).status is WorkflowExecutionStatus.CANCELED


async def test_a_workflow_cancelled_while_a_message_leaves_learns_what_became_of_it(
    stage: Stage, script: Script
) -> None:
    """A cancel waits for a hand-over under way, and then closes the books."""
    order = an_order()

    async def leaves() -> DeliverAnswer:
        try:
            while True:
                activity.heartbeat()
                await asyncio.sleep(0.2)
        except asyncio.CancelledError:
            return SENT

    script.delivers["order_confirmation"] = [leaves]
    async with stage.workflows(), stage.activities():
        handle = await stage.start(order)
        await script.until("deliver", "order_confirmation")
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert script.closed == ["cancelled in Temporal"]
        shown = await handle.query(OrderJourney.timeline)
        assert became(shown, "order_confirmation") == ("sent", None)


async def test_a_remedy_s_step_is_decided_again_when_the_database_is_back(stage: Stage, script: Script) -> None:
    """No offer is made for a parcel that was found while the database was away."""
    order = an_order()
    script.remedies = [ApplicationError("away", type="Database"), RemedyAnswer(status=Stand.OFFERED)]
    async with stage.workflows(), stage.activities():
        handle = await stage.start(order)
        await shipped(stage, order)
        await script.until("deliver", "shipped:T1")
        await scanned(stage, order, ParcelStatus.IN_TRANSIT)
        await scanned(stage, order, ParcelStatus.EXCEPTION, Reason.LOST)
        await script.until("wait_for", "database")
        await scanned(stage, order, ParcelStatus.DELIVERED)
        await script.until("deliver", "delivered:T1")
        script.open_ways.add("database")
        await asyncio.sleep(2)
        assert script.asked.count(("remedy", "offer")) == 1
        await handle.terminate()


async def test_skip_does_not_claim_what_is_not_known_yet(stage: Stage, script: Script) -> None:
    """A skip of a message that may have left is refused with that reason, and the message is not sent again."""
    order = an_order()
    asked = asyncio.Event()

    async def waits() -> DeliverAnswer:
        await asked.wait()
        return SENT

    script.delivers["order_confirmation"] = [LOST]
    script.slow_finds["order_confirmation"] = waits
    async with stage.workflows(), stage.activities():
        handle = await stage.start(order)
        await script.until("find_out", "order_confirmation")
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await handle.execute_update(OrderJourney.skip_touch, "order_confirmation")
        assert "it may have left" in str(refused.value.cause)
        asked.set()
        await asyncio.sleep(1)
        shown = await handle.query(OrderJourney.timeline)
        assert became(shown, "order_confirmation") == ("sent", None)
        assert script.sent().count("order_confirmation") == 1
        await handle.terminate()


async def test_a_journey_cancelled_while_its_books_are_closed_closes_them(stage: Stage, script: Script) -> None:
    """The cancel button during an outage of the database leaves no order open in the tables."""
    order = an_order()
    script.closes = [ApplicationError("away", next_retry_delay=timedelta(milliseconds=200))] * 20
    async with stage.workflows(), stage.activities():
        handle = await stage.start(order)
        await script.until("deliver", "order_confirmation")
        now = await stage.clocks.now(order.shop, order.order_id)
        refunded = OrderRefunded(at=now, refund_id="r", full=True, amount=order.total)
        await stage.journeys.signal(order.shop, order.order_id, refunded)
        await script.until("close", "order refunded")
        await handle.cancel()
        await script.until("close", "cancelled in Temporal")
        script.closes.clear()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert script.closed == ["cancelled in Temporal"]


async def test_attempts_that_come_to_nothing_are_paced(stage: Stage, script: Script) -> None:
    """A message whose attempts give no answer is not tried in a loop, although its provider is there."""
    order = an_order()
    script.delivers["order_confirmation"] = [LOST] * 50
    script.finds["order_confirmation"] = [held("provider_unreachable", waits_for="email")] * 50
    script.open_ways.add("email")
    async with stage.workflows(), stage.activities():
        handle = await stage.start(order)
        await script.until("find_out", "order_confirmation", times=2)
        await asyncio.sleep(3)
        assert script.sent().count("order_confirmation") <= 3
        await handle.terminate()
