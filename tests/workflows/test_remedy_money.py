"""A remedy pays once, for the thing, whatever shop, staff, workers and people do in between: on the real server."""

import asyncio
import uuid
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.remedies import Remedies
from journey.remedies import By, Choice, RemedyTerms, Stand
from store import remedies
from tests.support.counter import Counter, LookFirst, Odd, Only
from tests.support.orders import Order, put, put_parcel
from tests.support.remedies import PLAIN, book, case, choose, lose, request, step, until
from workflows.remedy_case import RemedyInput, RemedySaga

APPROVED = RemedyTerms(approve_above={"EUR": Decimal(50)})
PATIENCE = 60


async def ended(handle):
    """How the saga ended; that it does is part of every test here."""
    return await asyncio.wait_for(handle.result(), PATIENCE)


async def two_parcels(pool, *, mats=1):
    """An order of mats at 40 and a bench at 60, in a parcel each; the first is lost and offered to be made good."""
    order = Order(uuid.uuid4().hex[:10], total=Decimal(40) * mats + 60)
    await put(pool, order, "digest")
    await pool.execute("UPDATE lines SET unit_price = 40, quantity = $2 WHERE order_id = $1", order.order_id, mats)
    bench = "INSERT INTO lines VALUES ('acme', $1, 1, 'B-1', 'Bench', 1, 60, 'x', 'physical')"
    await pool.execute(bench, order.order_id)
    for number, sku in (("T1", "YM-1"), ("T2", "B-1")):
        await put_parcel(pool, order, number, order.placed_at)
        await pool.execute(
            "UPDATE shipments SET skus = $3, units = $4 WHERE order_id = $1 AND tracking_number = $2",
            *(order.order_id, number, [sku], f'[["{sku}", 1]]'),
        )
    async with pool.acquire() as connection, connection.transaction():
        offered = await remedies.offer(connection, step(order), otherwise=Choice.REFUND)
    assert (offered.amount, offered.sure) == (Decimal(40), True)
    return order


async def pay_back(pool, order, amount, units=None):
    """A refund that the shop's staff made, as its webhook tells it."""
    await pool.execute(
        "INSERT INTO refunds (shop, order_id, refund_id, amount, at, units)"
        " VALUES ('acme', $1, 'staff-1', $2, now(), $3)",
        *(order.order_id, Decimal(amount), units),
    )


# ---- one of goods and money --------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["refund", "call_off"])
async def test_a_replacement_that_the_shop_finishes_late_is_undone_before_anything_else(client, pool, playbook, word):
    """No answer to `replace`, and a word a moment later: the shop gets its time, then what it made is called off."""
    async with case(client, pool, playbook, settles=3) as here:
        order = await here.lost(Choice.REPLACEMENT)
        here.shop.then("replace", Odd("late", "1.5"))
        handle = await here.start(order)
        await here.shop.reached("replace")
        if word == "refund":
            await handle.execute_update(RemedySaga.choose, args=[Choice.REFUND, "Ines"])
        else:
            await handle.execute_update(RemedySaga.call_off, "Ines")
        result = await ended(handle)
        await here.shop.caught_up()
        assert here.shop.standing(order.order_id) == ({"refund": 1} if word == "refund" else {})
        assert result == ("done" if word == "refund" else "withdrawn")


async def test_an_unanswered_request_is_not_repeated_before_the_shop_had_its_time(client, pool, playbook):
    """The shop knows no keys and finishes late: asked again too early it would make two."""
    async with case(client, pool, playbook, settles=3) as here:
        order = await here.lost(Choice.REFUND)
        here.shop.then("refund", Odd("late", "1.5"))
        handle = await here.start(order)
        assert await ended(handle) == "done"
        await here.shop.caught_up()
        assert here.shop.ever(order.order_id) == {"refund": 1}


async def test_what_the_shop_does_not_confirm_is_for_a_person(client, pool, playbook):
    """A replacement that may stand and cannot be called off: no money goes out, people look, and their word counts."""
    async with case(client, pool, playbook) as here:
        order = await here.lost(Choice.REPLACEMENT)
        here.shop.then("replace", Odd("silent"))
        here.shop.then("cancel_replacement", Odd("refuse", "not_cancelled"))
        handle = await here.start(order)
        await here.shop.reached("replace")
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await handle.execute_update(RemedySaga.choose, args=[Choice.REFUND, "Ines"])
        assert "does not confirm" in str(caught.value.cause)
        # Meanwhile another look has found it.
        assert await ended(handle) == "done"
        assert here.shop.standing(order.order_id) == {"reserve": 1, "replace": 1}


# ---- the thing, and not the order's total --------------------------------------------------------------------------


@pytest.mark.parametrize("choice", Choice)
async def test_a_parcel_that_staff_paid_back_is_not_made_good_again_without_a_yes(client, pool, playbook, choice):
    """The parcel's share went back by hand, as an amount that names no goods: a person is asked, and shown it."""
    async with case(client, pool, playbook) as here:
        order = await two_parcels(pool)
        await pay_back(pool, order, 40)
        await choose(pool, order, choice, by=By.DEFAULT)
        handle = await here.start(order)
        await until(handle, "waits for `approve`")
        await until(handle, "refund staff-1 of 40 EUR")
        assert here.shop.made == []
        await handle.execute_update(RemedySaga.decline, args=["Grace", "paid_already"])
        assert (await ended(handle), here.shop.made) == ("declined", [])


async def test_a_refund_of_these_very_units_ends_it(client, pool, playbook):
    """Evidently the thing: it is done, by that refund, and no shop is asked for anything."""
    async with case(client, pool, playbook) as here:
        order = await two_parcels(pool)
        await pay_back(pool, order, 40, '[["YM-1", 1]]')
        await choose(pool, order, Choice.REPLACEMENT)
        assert await ended(await here.start(order)) == "done"
        row = await here.row(order)
        assert (row.choice, row.failure, row.reference) == (Choice.REFUND, "already_refunded", "staff-1")
        assert here.shop.made == []


async def test_a_refund_of_other_goods_is_nobody_elses_business(client, pool, playbook):
    """The bench went back to the shop: the mat is made good all the same, and no person is asked."""
    async with case(client, pool, playbook) as here:
        order = await two_parcels(pool)
        await pay_back(pool, order, 60, '[["B-1", 1]]')
        await choose(pool, order, Choice.REFUND)
        assert await ended(await here.start(order)) == "done"
        assert [made.amount for made in here.shop.made] == ["40.00"]


async def test_of_two_alike_one_paid_back_is_for_a_person(client, pool, playbook):
    """Two mats, one of them lost, and a refund of one: which of them that was, a person says."""
    async with case(client, pool, playbook) as here:
        order = await two_parcels(pool, mats=2)
        await pay_back(pool, order, 40, '[["YM-1", 1]]')
        await choose(pool, order, Choice.REFUND)
        handle = await here.start(order)
        await until(handle, "waits for `approve`")
        await handle.execute_update(RemedySaga.approve, "Grace")
        assert await ended(handle) == "done"
        assert [made.amount for made in here.shop.made] == ["40.00"]


async def test_a_replacement_made_by_hand_concerns_a_person(client, pool, playbook):
    """A free order of the same customer with the same goods: perhaps it stands in for them."""
    async with case(client, pool, playbook) as here:
        order = await two_parcels(pool)
        other = Order(uuid.uuid4().hex[:10], total=Decimal(0))
        await put(pool, other, "digest")
        await choose(pool, order, Choice.REFUND)
        handle = await here.start(order)
        await until(handle, f"order {other.order_id}")
        assert here.shop.made == []
        await handle.execute_update(RemedySaga.call_off, "Grace")
        assert await ended(handle) == "withdrawn"


async def test_what_was_given_back_behind_a_yes_wants_another_one(client, pool, playbook):
    """A person said yes to what they saw; what the shop did after that they had not seen."""
    seen = asyncio.Event()

    async def gap(name):
        if name == "before_refund" and not seen.is_set():
            seen.set()
            here.shop.pay_back(order.order_id, 10)

    async with case(client, pool, playbook, terms=APPROVED, gap=gap) as here:
        order = await here.lost(Choice.REFUND)
        handle = await here.start(order)
        await until(handle, "waits for `approve`")
        await handle.execute_update(RemedySaga.approve, "Grace")
        await until(handle, "of 10 EUR")
        assert here.shop.ever(order.order_id) == {"refund": 1}
        await handle.execute_update(RemedySaga.approve, "Grace")
        assert await ended(handle) == "done"
        assert sorted(made.amount for made in here.shop.made) == ["10", "69.00"]


# ---- words ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["cancel", "call_off"])
async def test_a_word_before_the_first_look_is_obeyed(client, pool, playbook, way):
    """Said while no worker is there: the first thing that happens is that nothing happens."""
    shop, queue = Counter(), f"early-{uuid.uuid4().hex[:8]}"
    await shop.start()
    adapter = LookFirst(shop.url, "acme")
    order = Order(uuid.uuid4().hex[:10])
    await lose(pool, order)
    await choose(pool, order, Choice.REFUND)
    asked = request(order)
    handle = await client.start_workflow(
        RemedySaga.run, RemedyInput(request=asked), id=asked.workflow_id, task_queue=queue
    )
    said = None
    if way == "cancel":
        await handle.cancel()
    else:
        said = asyncio.create_task(handle.execute_update(RemedySaga.call_off, "Grace"))
        await asyncio.sleep(0.5)
    work = Remedies(pool, book(playbook, PLAIN), Only(adapter))
    async with Worker(
        client,
        task_queue=queue,
        workflows=[RemedySaga],
        activities=work.activities,
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        assert await ended(handle) == "withdrawn"
        assert said is None or "withdrawn" in await said
    row = await remedies.get(pool, "acme", order.order_id, "T1")
    assert (row.status, row.failure, shop.made) == (Stand.WITHDRAWN, "called_off", [])
    await adapter.aclose()
    await shop.stop()


async def test_a_word_during_the_second_look_is_answered_whatever_the_look_says(client, pool, playbook):
    """The look finds that the money went back: the word is answered, and the saga ends."""
    hold, looking, looks = asyncio.Event(), asyncio.Event(), []

    async def gap(name):
        if name == "before_look":
            looks.append(name)
            if len(looks) == 2:
                looking.set()
                await hold.wait()

    async with case(client, pool, playbook, terms=APPROVED, gap=gap) as here:
        order = await here.lost(Choice.REFUND)
        handle = await here.start(order)
        await until(handle, "waits for `approve`")
        await handle.execute_update(RemedySaga.approve, "Grace")
        await asyncio.wait_for(looking.wait(), PATIENCE)
        said = asyncio.create_task(handle.execute_update(RemedySaga.call_off, "Ines"))
        await asyncio.sleep(0.5)
        await pay_back(pool, order, 79)
        hold.set()
        assert await ended(handle) in {"done", "withdrawn"}
        assert (await asyncio.gather(said, return_exceptions=True))[0] is not None
        assert here.shop.made == []


async def test_words_in_a_row_are_each_answered_in_their_order(client, pool, playbook):
    """A yes, a second yes, another way and a call-off, all at once: what can be followed is, the rest is refused."""
    async with case(client, pool, playbook, terms=APPROVED) as here:
        order = await here.lost(Choice.REFUND)
        handle = await here.start(order)
        await until(handle, "waits for `approve`")
        said = await asyncio.gather(
            handle.execute_update(RemedySaga.choose, args=[Choice.REPLACEMENT, "Ines"]),
            handle.execute_update(RemedySaga.decline, args=["Grace", "found_again"]),
            handle.execute_update(RemedySaga.call_off, "Grace"),
            return_exceptions=True,
        )
        assert await ended(handle) in {"declined", "withdrawn"}
        assert len(said) == 3
        assert here.shop.made == []


async def test_what_was_done_by_hand_is_what_the_customer_is_told(client, pool, playbook):
    """A replacement was chosen and the person refunded: the books and the journey have a refund."""
    async with case(client, pool, playbook, api=False) as here:
        order = await here.lost(Choice.REPLACEMENT)
        handle = await here.start(order)
        await until(handle, "`done`")
        await handle.execute_update(RemedySaga.done, args=["Ines", "R-7", Choice.REFUND])
        assert await ended(handle) == "done"
        row = await here.row(order)
        assert (row.choice, row.reference) == (Choice.REFUND, "R-7")


# ---- workers -------------------------------------------------------------------------------------------------------


async def test_a_look_that_is_repeated_after_its_end_still_wants_the_yes(client, pool, playbook):
    """Less is left than was offered; the worker dies behind the look and it is taken again: a person is asked."""
    died = []

    async def gap(name):
        if name == "after_look" and not died:
            died.append(name)
            raise RuntimeError("the worker died behind the look")

    async with case(client, pool, playbook, gap=gap) as here:
        order = await here.lost(Choice.REFUND)
        await pay_back(pool, order, 30)
        handle = await here.start(order)
        await until(handle, "waits for `approve`")
        assert here.shop.made == []
        await handle.execute_update(RemedySaga.decline, args=["Grace", "enough"])
        assert await ended(handle) == "declined"


@pytest.mark.parametrize("choice", Choice)
async def test_a_saga_that_is_begun_again_makes_nothing_twice(client, pool, playbook, choice):
    """Stopped while the shop was still at work on what it had asked for: the next run waits, looks, and is done."""
    async with case(client, pool, playbook, settles=3) as here:
        order = await here.lost(choice)
        kind = "refund" if choice is Choice.REFUND else "replace"
        here.shop.then(kind, Odd("late", "1.5"))
        first = await here.start(order)
        await here.shop.reached(kind)
        asked = request(order)
        second = await client.start_workflow(
            RemedySaga.run,
            RemedyInput(request=asked, restarted=True),
            id=asked.workflow_id,
            task_queue=here.queue,
            id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
        )
        assert first.result_run_id != second.result_run_id
        assert await ended(second) == "done"
        await here.shop.caught_up()
        assert here.shop.standing(order.order_id)[kind] == 1
        assert here.shop.ever(order.order_id)[kind] == 1
        assert (await here.row(order)).chosen_at < datetime.now(UTC)
