"""People's words to the saga of a remedy: turning it back, doing it by hand, and who is told what."""

from decimal import Decimal

import pytest
from temporalio import workflow
from temporalio.client import WorkflowUpdateFailedError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.alerts import Alerts
from journey.base import workflow_id
from journey.events import RemedySettled
from journey.remedies import Choice, RemedyTerms, Stand
from tests.support.counter import Odd
from tests.support.providers import Impatient
from tests.support.remedies import case, choose, until
from tests.support.sockets import HOST
from tests.support.standin import StandIn
from workflows.remedy_case import RemedySaga

WITH_COUPON = RemedyTerms(coupon_percent=10)
APPROVED = RemedyTerms(approve_above={"EUR": Decimal(50)})


@pytest.fixture
async def plain(client, pool, playbook):
    async with case(client, pool, playbook) as made:
        yield made


# ---- turned back -------------------------------------------------------------------------------------------------


async def test_called_off_before_anything_was_done(client, pool, playbook):
    """The parcel is there after all: nothing was made, and the row is withdrawn."""
    async with case(client, pool, playbook, terms=APPROVED) as here:
        order = await here.lost(Choice.REFUND)
        handle = await here.start(order)
        await until(handle, "waits for `approve`")
        await handle.execute_update(RemedySaga.call_off, "Grace")
        assert await handle.result() == "withdrawn"
        assert ((await here.row(order)).status, here.shop.made) == (Stand.WITHDRAWN, [])


@pytest.mark.parametrize("kind", ["reserve", "replace"])
@pytest.mark.parametrize("manner", ["busy", "silent"])
async def test_called_off_while_the_shop_stumbles(plain, kind, manner):
    """Whether the step was done nobody knows: it is undone, in reverse, and nothing stands."""
    order = await plain.lost(Choice.REPLACEMENT)
    plain.shop.then(kind, *[Odd(manner)] + [Odd("busy")] * 50)
    handle = await plain.start(order)
    await plain.shop.reached(kind)
    await handle.execute_update(RemedySaga.call_off, "Grace")
    assert await handle.result() == "withdrawn"
    assert plain.shop.standing(order.order_id) == {}


async def test_turned_from_goods_to_money_while_the_shop_stumbles(plain):
    """The replacement that may have been made is cancelled before the money goes back: never both."""
    order = await plain.lost(Choice.REPLACEMENT)
    plain.shop.then("replace", Odd("silent"), *[Odd("busy")] * 50)
    handle = await plain.start(order)
    await plain.shop.reached("replace")
    await handle.execute_update(RemedySaga.choose, args=[Choice.REFUND, "Grace"])
    assert await handle.result() == "done"
    assert plain.shop.standing(order.order_id) == {"refund": 1}


async def test_a_replacement_that_has_left_stands(plain):
    """Called off too late: the shop will not cancel it, so it is done, and whoever called is told."""
    order = await plain.lost(Choice.REPLACEMENT)
    plain.shop.then("replace", Odd("silent"), Odd("busy"))
    plain.shop.then("cancel_replacement", Odd("refuse", "already_sent"))
    handle = await plain.start(order)
    await plain.shop.reached("replace")
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await handle.execute_update(RemedySaga.call_off, "Grace")
    assert "too late" in str(caught.value.cause)
    assert await handle.result() == "done"
    assert plain.shop.standing(order.order_id) == {"reserve": 1, "replace": 1}


async def test_a_refund_that_was_asked_for_is_not_called_off(plain):
    """The money may be on its way: only forward."""
    order = await plain.lost(Choice.REFUND)
    plain.shop.then("refund", Odd("silent"))
    handle = await plain.start(order)
    await until(handle, "the refund was asked for")
    with pytest.raises(WorkflowUpdateFailedError) as caught:
        await handle.execute_update(RemedySaga.call_off, "Grace")
    assert "too late" in str(caught.value.cause)
    assert await handle.result() == "done"


async def test_a_refund_that_was_certainly_not_made_is_called_off(plain):
    """A shop that is away has made nothing, so that there is still time."""
    order = await plain.lost(Choice.REFUND)
    plain.shop.then("refund", *[Odd("busy")] * 50)
    handle = await plain.start(order)
    await plain.shop.reached("refund")
    await handle.execute_update(RemedySaga.call_off, "Grace")
    assert await handle.result() == "withdrawn"
    assert plain.shop.made == []


async def test_the_servers_cancel_button_is_a_word_like_any_other(client, pool, playbook):
    """What waits for a yes is withdrawn; no saga is left half done."""
    async with case(client, pool, playbook, terms=APPROVED) as here:
        order = await here.lost(Choice.REFUND)
        handle = await here.start(order)
        await until(handle, "waits for `approve`")
        await handle.cancel()
        assert await handle.result() == "withdrawn"
        assert (await here.row(order)).failure == "called_off"


# ---- by hand, and by nobody ----------------------------------------------------------------------------------------


async def test_without_an_api_a_person_does_it(client, pool, playbook):
    """It is in hand until somebody says what it is called at the shop."""
    async with case(client, pool, playbook, api=False, terms=WITH_COUPON) as here:
        order = await here.lost(Choice.REPLACEMENT)
        handle = await here.start(order)
        await until(handle, "`done`")
        assert (await here.row(order)).status is Stand.IN_HAND
        await handle.execute_update(RemedySaga.done, args=["Grace", "#1002"])
        assert await handle.result() == "done"
        row = await here.row(order)
    assert (row.status, row.reference, row.coupon) == (Stand.DONE, "#1002", None)


async def test_an_order_that_was_erased_ends_its_saga(plain):
    """There is nobody left to make anything good for."""
    order = await plain.lost(Choice.REFUND)
    await plain.pool.execute("DELETE FROM orders WHERE order_id = $1", order.order_id)
    assert await (await plain.start(order)).result() == "order_erased"
    assert plain.shop.made == []


async def test_a_choice_behind_the_first_changes_nothing(plain):
    """Whoever comes second is told what stands, also while the saga runs."""
    order = await plain.lost(Choice.REFUND)
    handle = await plain.start(order)
    second = await choose(plain.pool, order, Choice.REPLACEMENT)
    assert (second.stands, second.new) == (Choice.REFUND, False)
    await handle.result()
    assert plain.shop.ever(order.order_id) == {"refund": 1}


# ---- who is told ---------------------------------------------------------------------------------------------------


@workflow.defn(name="OrderJourney")
class Journey:
    """Hears of one remedy's end."""

    def __init__(self):
        self.heard = []

    @workflow.run
    async def run(self) -> list[RemedySettled]:
        await workflow.wait_condition(lambda: bool(self.heard))
        return self.heard

    @workflow.signal
    def remedy_settled(self, event: RemedySettled) -> None:
        self.heard.append(event)


async def test_the_journey_hears_how_it_ended(client, plain):
    """By its own signal, with the choice that was done."""
    order = await plain.lost(Choice.REPLACEMENT)
    queue = f"{plain.queue}-journeys"
    async with Worker(client, task_queue=queue, workflows=[Journey], workflow_runner=UnsandboxedWorkflowRunner()):
        journey = await client.start_workflow(Journey.run, id=workflow_id(order.shop, order.order_id), task_queue=queue)
        await (await plain.start(order)).result()
        (told,) = await journey.result()
    assert (told.part, told.stand, told.choice) == ("T1", Stand.DONE, Choice.REPLACEMENT)


async def test_the_shops_people_are_told_what_waits_for_them(client, pool, playbook):
    """A yes that is wanted, a refusal and a failure: order, parcel, sum and rule, and nobody's name."""
    slack = StandIn()
    await slack.start()
    url = f"slack+https://{HOST}:{slack.port}/services/T0/B0/secret?insecure=1"
    alerts = Alerts(url, sender="hello@shop.test", transport=Impatient())
    async with case(client, pool, playbook, terms=APPROVED, alerts=alerts) as here:
        order = await here.lost(Choice.REFUND)
        here.shop.then("refund", Odd("refuse", "order_unknown"))
        handle = await here.start(order)
        await until(handle, "waits for `approve`")
        await handle.execute_update(RemedySaga.approve, "Grace")
        await until(handle, "order_unknown")
        await handle.execute_update(RemedySaga.call_off, "Grace")
        await handle.result()
    await alerts.aclose()
    await slack.stop()
    said = [asked.json()["text"] for asked in slack.asked]
    name = f"acme/{order.order_id} · T1"
    assert said == [
        f"a remedy wants approval · {name} · refund 79.00 EUR",
        f"a remedy cannot be done as chosen · {name} · refund 79.00 EUR, order_unknown",
        f"a remedy failed · {name} · order_unknown",
        # There is no journey here that could write to the customer.
        f"a remedy ended after its journey: its customer wants telling · {name} · failed",
    ]
