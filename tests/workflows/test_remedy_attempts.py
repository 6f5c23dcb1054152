"""An attempt at the shop of which it is not known what became: nothing is made twice, and nothing behind its back."""

import asyncio
import dataclasses
import uuid
from contextlib import suppress

import pytest
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import remedy_shop
from activities.alerts import Alerts
from activities.remedies import Remedies
from activities.shops.api import Cannot
from activities.vendors.http import VendorRefusedError
from journey.remedies import By, Choice
from journey.remedy_steps import Answer, RemedyTask
from tests.support.counter import LookFirst, Odd, Only
from tests.support.orders import Order
from tests.support.providers import Impatient
from tests.support.remedies import PLAIN, book, case, choose, lose, request, until
from tests.support.sockets import HOST
from tests.support.standin import StandIn
from tests.workflows.test_remedy_money import ended, pay_back, two_parcels
from workflows.remedy_case import ATTEMPT, RemedyInput, RemedySaga


class Mute(LookFirst):
    """The adapter of a shop that does not say what it gave back."""

    async def given(self, order_id, keys):  # noqa: ARG002  it reads none of them
        return Cannot("given_unknown")


class Slow(LookFirst):
    """The shop's books take until `hold` is set, once they are read for the second time: right before the refund."""

    def __init__(self, url, shop, *, settles):
        super().__init__(url, shop, settles=settles)
        self.reads = 0
        self.hold, self.reading, self.left = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def given(self, order_id, keys):
        self.reads += 1
        if self.reads == 2:
            self.reading.set()
            try:
                await self.hold.wait()
            finally:
                self.left.set()
        return await super().given(order_id, keys)


class Lost(LookFirst):
    """Whatever is read once a refund was asked for, the shop refuses: it does not know the order any more."""

    async def refund(self, wanted):
        self._unknown()
        return await super().refund(wanted)

    async def given(self, order_id, keys):
        self._unknown()
        return await super().given(order_id, keys)

    def _unknown(self):
        if self.asked():
            raise VendorRefusedError(self.name, "http_404", 404)


class Mistaken(LookFirst):
    """An adapter that trips over the shop's first answer to a refund, whatever that says."""

    tripped = False

    async def refund(self, wanted):
        made = await super().refund(wanted)
        if not self.tripped:
            self.tripped = True
            raise KeyError("ada@example.com")
        return made


async def test_what_staff_paid_back_while_the_shop_was_busy_wants_a_yes(client, pool, playbook):
    """A busy shop has certainly made nothing: what is told between two tries is not ours, and nobody has seen it."""
    tries = []

    async def gap(name):
        tries.append(name)
        if tries.count("before_refund") == 2:
            with suppress(Exception):
                await pay_back(pool, order, 40)

    async with case(client, pool, playbook, adapter=Mute, gap=gap) as here:
        order = await two_parcels(pool)
        await choose(pool, order, Choice.REFUND)
        here.shop.then("refund", Odd("busy"))
        handle = await here.start(order)
        await until(handle, "waits for `approve`")
        await handle.execute_update(RemedySaga.approve, "Grace")
        await until(handle, "refund staff-1 of 40 EUR")
        assert here.shop.made == []
        await handle.execute_update(RemedySaga.decline, args=["Grace", "paid_already"])
        assert (await ended(handle), here.shop.made) == ("declined", [])


async def test_nobody_is_asked_to_pay_by_hand_what_may_have_been_paid(client, pool, playbook):
    """The refund got no answer, and then the shop's API was not configured any more: it waits until it can look."""
    gaps = []

    async def gap(name):
        gaps.append(name)
        if gaps.count("before_refund") == 3:
            here.configured.api = api

    async with case(client, pool, playbook, gap=gap) as here:
        api = here.configured.api
        order = await here.lost(Choice.REFUND)
        here.shop.then("refund", Odd("silent"))
        handle = await here.start(order)
        await here.shop.reached("refund")
        here.configured.api = None
        assert await ended(handle) == "done"
        assert [name for name in gaps if name.startswith("before_ask")] == []
        assert here.shop.ever(order.order_id) == {"refund": 1}


async def test_an_attempt_that_was_given_up_asks_for_nothing_more(client, pool, playbook):
    """Its saga was stopped while it read the shop's books: what that read says is not waited for, and nobody pays."""
    async with case(client, pool, playbook, adapter=Slow) as here:
        api = here.configured.api
        order = await here.lost(Choice.REFUND)
        handle = await here.start(order)
        await api.reading.wait()
        await handle.terminate()
        with suppress(TimeoutError):
            await asyncio.wait_for(api.left.wait(), 15)
        api.hold.set()
        await asyncio.sleep(1)
        assert here.shop.made == []


async def test_an_attempt_that_takes_too_long_says_itself_that_nobody_knows(client, pool, playbook, monkeypatch):
    """Before the server gives it up: what comes next waits from its last request on, and none of it comes later."""
    assert remedy_shop.LONGEST < ATTEMPT
    monkeypatch.setattr(remedy_shop, "LONGEST", remedy_shop.FROZEN / 10)
    async with case(client, pool, playbook, adapter=Slow) as here:
        api = here.configured.api
        order = await here.lost(Choice.REFUND)
        handle = await here.start(order)
        assert await ended(handle) == "done"
        assert api.left.is_set()
        assert not api.hold.is_set()
        assert here.shop.ever(order.order_id) == {"refund": 1}


@pytest.mark.parametrize("choice", Choice)
@pytest.mark.parametrize("what", ["arrived", "cancelled"])
async def test_nothing_is_made_for_what_came_or_was_cancelled_while_the_shop_was_busy(
    client, pool, playbook, choice, what
):
    """The look is minutes old by the time that the shop answers again: the tables are asked once more right then."""
    kind = "refund" if choice is Choice.REFUND else "replace"
    moved = {
        "arrived": "UPDATE shipments SET delivered_at = now() WHERE order_id = $1",
        "cancelled": "UPDATE orders SET status = 'cancelled' WHERE order_id = $1",
    }
    tries = []

    async def gap(name):
        tries.append(name)
        if tries.count(f"before_{kind}") == 2:
            await pool.execute(moved[what], order.order_id)

    async with case(client, pool, playbook, gap=gap) as here:
        order = await here.lost(choice)
        here.shop.then(kind, Odd("busy"))
        assert await ended(await here.start(order)) == "withdrawn"
        assert here.shop.standing(order.order_id) == {}


@pytest.mark.parametrize("when", ["before the look", "while the shop is busy"])
async def test_a_parcel_that_the_shop_took_out_of_the_order_wants_a_yes(client, pool, playbook, when):
    """Its number was wrong and is corrected: the goods may be under way, or have come, under the right one."""
    tries = []

    async def gap(name):
        tries.append(name)
        if tries.count("before_refund") == 2:
            await take_out(pool, order, "T1")

    async with case(client, pool, playbook, gap=gap) as here:
        order = await here.lost(Choice.REFUND)
        if when == "before the look":
            await take_out(pool, order, "T1")
        else:
            here.shop.then("refund", Odd("busy"))
        handle = await here.start(order)
        await until(handle, "waits for `approve`")
        await until(handle, "taken this parcel out of the order")
        assert here.shop.made == []
        await handle.execute_update(RemedySaga.approve, "Grace")
        assert await ended(handle) == "done"
        assert here.shop.ever(order.order_id) == {"refund": 1}


async def take_out(pool, order, number):
    """The shop names another number for the fulfilment."""
    taken = "UPDATE shipments SET left_out = true WHERE order_id = $1 AND tracking_number = $2"
    await pool.execute(taken, order.order_id, number)


@pytest.mark.parametrize("choice", Choice)
async def test_what_was_sent_before_its_order_was_cancelled_is_made_good_all_the_same(client, pool, playbook, choice):
    """The rest of the order was called off, and the parcel that had left is lost."""
    async with case(client, pool, playbook) as here:
        order = await here.lost(choice)
        await pool.execute("UPDATE orders SET status = 'cancelled', cancelled_at = now()")
        assert await ended(await here.start(order)) == "done"
        assert here.shop.ever(order.order_id)["refund" if choice is Choice.REFUND else "replace"] == 1


async def test_a_saga_begun_again_undoes_what_the_shop_does_not_tell_of(client, pool, playbook):
    """The run before had a replacement made and heard no answer: who wants the money then gets it instead of it."""
    async with case(client, pool, playbook, adapter=Mute, settles=1) as here:
        order = await here.lost(Choice.REPLACEMENT)
        here.shop.then("replace", Odd("silent"))
        handle = await here.start(order)
        await until(handle, "waits for `approve`")
        await handle.execute_update(RemedySaga.approve, "Grace")
        await here.shop.reached("replace")
        asked = request(order)
        again = await client.start_workflow(
            RemedySaga.run,
            RemedyInput(request=asked, restarted=True),
            id=asked.workflow_id,
            task_queue=here.queue,
            id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
        )
        await until(again, "waits for `approve`")
        await again.execute_update(RemedySaga.choose, args=[Choice.REFUND, "Ines"])
        await again.execute_update(RemedySaga.approve, "Grace")
        assert await ended(again) == "done"
        assert here.shop.standing(order.order_id) == {"refund": 1}


@pytest.mark.parametrize(("word", "end"), [("done", "done"), ("call_off", "failed"), ("choose", "done")])
async def test_a_refund_that_the_shop_does_not_tell_of_any_more_is_for_a_person(client, pool, playbook, word, end):
    """It got no answer, and looking for it is refused: people look, and until one has, nothing else is made."""
    async with case(client, pool, playbook, adapter=Lost) as here:
        here.configured.api.asked = lambda: here.shop.asked["refund"]
        order = await here.lost(Choice.REFUND)
        here.shop.then("refund", Odd("silent"))
        handle = await here.start(order)
        await until(handle, "look at the shop whether the refund stands")
        assert here.shop.ever(order.order_id) == {"refund": 1}
        here.configured.api.asked = lambda: 0
        if word == "done":
            await handle.execute_update(RemedySaga.done, args=["Ines", "R-1"])
        elif word == "call_off":
            await handle.execute_update(RemedySaga.call_off, "Ines")
        else:
            # Whoever says so has seen that there is none.
            here.shop.made.clear()
            await handle.execute_update(RemedySaga.choose, args=[Choice.REPLACEMENT, "Ines"])
        assert await ended(handle) == end
        made = {"reserve": 1, "replace": 1} if word == "choose" else {"refund": 1}
        assert here.shop.ever(order.order_id) == made


async def test_an_adapters_own_mistake_is_an_answer_that_never_came(client, pool, playbook):
    """The refund was made, and the adapter tripped behind it: it is looked for, found, and paid once."""
    async with case(client, pool, playbook, adapter=Mistaken) as here:
        order = await here.lost(Choice.REFUND)
        handle = await here.start(order)
        assert await ended(handle) == "done"
        assert here.configured.api.tripped
        assert here.shop.ever(order.order_id) == {"refund": 1}
        history = (await handle.fetch_history()).to_json()
        assert "ada@example.com" not in history


class Broken(LookFirst):
    """An adapter that trips over everything."""

    async def refund(self, wanted):
        raise KeyError(wanted.key)

    async def release(self, wanted):
        raise KeyError(wanted.key)

    async def given(self, order_id, keys):  # noqa: ARG002  it reads none of them
        raise KeyError(order_id)


async def attempt(work, step, order, tries):
    """One attempt of an activity, as the server would have it made."""
    here = ActivityEnvironment()
    if step == "look":
        here.info = dataclasses.replace(here.info, attempt=tries)
        with pytest.raises(ApplicationError, match="KeyError"):
            await here.run(work.look, request(order))
        return
    activity = next(one for one in work.activities if one.__name__ == step)
    did = await here.run(activity, RemedyTask(request=request(order), tries=tries))
    assert did.answer is Answer.UNKNOWN


@pytest.mark.parametrize("step", ["refund", "release", "look"])
async def test_people_hear_of_a_mistake_that_stays(pool, playbook, step):
    """After some tries and then once a day, as of a shop that is away."""
    slack = StandIn()
    await slack.start()
    url = f"slack+https://{HOST}:{slack.port}/services/T0/B0/secret?insecure=1"
    alerts = Alerts(url, sender="hello@shop.test", transport=Impatient())
    api = Broken("http://127.0.0.1:9", "acme")
    work = Remedies(pool, book(playbook, PLAIN), Only(api), alerts=alerts)
    order = Order(uuid.uuid4().hex[:10])
    await lose(pool, order)
    await choose(pool, order, Choice.REFUND)
    for tries in range(1, 12):
        await attempt(work, step, order, tries)
    await api.aclose()
    await alerts.aclose()
    await slack.stop()
    (said,) = (asked.json()["text"] for asked in slack.asked)
    assert said == f"a remedy waits for the shop · acme/{order.order_id} · T1 · {step}, KeyError, 10 times"


async def test_goods_that_cannot_be_set_aside_become_money_by_the_terms(client, pool, playbook):
    """Every shop's stock is looked at first: that it has none is said before a replacement is asked for."""
    async with case(client, pool, playbook) as here:
        order = await here.lost(Choice.REPLACEMENT)
        here.shop.then("reserve", Odd("refuse", "out_of_stock"))
        assert await ended(await here.start(order)) == "done"
        row = await here.row(order)
        assert here.shop.ever(order.order_id) == {"refund": 1}
        assert (row.choice, row.chosen_by) == (Choice.REFUND, By.DEFAULT)
