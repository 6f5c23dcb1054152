"""`postlude remedy …` on a real database and a real saga."""

import asyncio
from decimal import Decimal

import pytest
from temporalio.client import WorkflowExecutionStatus

from journey.remedies import By, Choice, RemedyTerms
from store import remedies
from tests.cli.commands import postlude, servers
from tests.support.counter import Odd
from tests.support.orders import Order
from tests.support.remedies import case, lose, request, step, until

APPROVED = RemedyTerms(approve_above={"EUR": Decimal(50)})


@pytest.fixture
def remedy(stack, database_url, tmp_path):
    """Run one command beside this process, whose worker goes on meanwhile."""
    environment = servers(stack, database_url, tmp_path) | {"COLUMNS": "140"}
    return lambda *arguments: asyncio.to_thread(postlude, "remedy", *arguments, environment=environment)


async def test_what_is_open_is_listed_and_shown(remedy, pool):
    """With its reason, its amount and what happens when nobody chooses; what ended only when asked for."""
    await lose(pool, Order("1001"))
    listed = await remedy("list")
    assert all(said in listed.out for said in ("acme/1001", "T1", "lost", "79.00 EUR", "offered"))
    shown = await remedy("show", "acme/1001")
    assert all(said in shown.out for said in ("1 x YM-1", "replacement, refund", "else a person"))
    await pool.execute("UPDATE remedies SET status = 'done'")
    assert "no such remedies" in (await remedy("list")).out
    assert "acme/1001" in (await remedy("list", "--all", "--shop", "acme")).out


async def test_an_operator_chooses_for_the_customer(remedy, pool):
    """Also when the customer's time is up; their name is written down, and the event is on its way."""
    await lose(pool, Order("1001"))
    await pool.execute("UPDATE remedies SET choose_by = offered_at")
    ran = await remedy("choose", "acme/1001", "refund", "--by", "Grace")
    row = await remedies.get(pool, "acme", "1001", "T1")
    assert (ran.code, row.choice, row.chosen_by, row.operator) == (0, Choice.REFUND, By.OPERATOR, "Grace")
    assert await pool.fetchval("SELECT count(*) FROM inbox WHERE source = 'remedy'") == 1
    assert "refund by Grace" in (await remedy("show", "acme/1001")).out


async def test_what_is_not_there_is_said_in_one_line(remedy, pool):
    """No such order, several remedies, no saga, not among the options."""
    assert "no such remedy" in (await remedy("show", "acme/1002")).err
    await lose(pool, Order("1001"))
    assert "no remedy under way: it is offered" in (await remedy("approve", "acme/1001", "--by", "Grace")).err
    await pool.execute("UPDATE remedies SET options = '{replacement}'")
    ran = await remedy("choose", "acme/1001", "refund", "--by", "Grace")
    assert (ran.code, "there is replacement to choose from" in ran.err) == (1, True)
    async with pool.acquire() as connection, connection.transaction():
        await remedies.offer(connection, step(Order("1001"), part="T2"))
    ran = await remedy("show", "acme/1001")
    assert (ran.code, "--part" in ran.err, "T2" in ran.err) == (1, True, True)
    assert (await remedy("show", "acme/1001", "--part", "T2")).code == 0


async def test_a_persons_yes_by_command(remedy, client, pool, playbook):
    """It waits, takes the yes, and is done."""
    async with case(client, pool, playbook, terms=APPROVED) as here:
        order = await here.lost(Choice.REFUND)
        handle = await here.start(order)
        await until(handle, "waits for `approve`")
        name = f"acme/{order.order_id}"
        refused = await remedy("decline", name, "--by", "Grace", "--why", "Ada called")
        assert (refused.code, "one word" in refused.err) == (1, True)
        assert (await remedy("approve", name, "--by", "Grace")).code == 0
        assert await handle.result() == "done"
        assert (await here.row(order)).approved_by == "Grace"


async def test_what_the_shop_will_not_do_is_done_by_hand_or_otherwise(remedy, client, pool, playbook):
    """One remedy turned from goods to money, one done by a person, one called off."""
    async with case(client, pool, playbook) as here:
        here.shop.then("replace", *[Odd("refuse", "no_courier")] * 3)
        orders = [await here.lost(Choice.REPLACEMENT) for _ in range(3)]
        handles = [await here.start(order) for order in orders]
        names = [f"acme/{order.order_id}" for order in orders]
        words = [("choose", "refund"), ("done", "--reference", "#1002"), ("call-off",)]
        for (command, *more), name, handle in zip(words, names, handles, strict=True):
            await until(handle, "no_courier")
            ran = await remedy(command, name, *more, "--by", "Grace")
            assert ran.code == 0, ran.err
        assert [await handle.result() for handle in handles] == ["done", "done", "failed"]
        assert (await here.row(orders[1])).reference == "#1002"
        assert here.shop.standing(orders[0].order_id) == {"refund": 1}


async def test_what_an_older_workflow_runs_is_begun_again(remedy, client, pool, playbook):
    """It is stopped and its remedy goes on from the row; what this version runs is left alone, but for its name."""
    async with case(client, pool, playbook, terms=APPROVED) as here:
        old, new = await here.lost(Choice.REFUND), await here.lost(Choice.REFUND)
        asked = request(old)
        stale = await client.start_workflow("RemedyCase", asked, id=asked.workflow_id, task_queue="of-nobody")
        ours = await here.start(new)
        await until(ours, "waits for `approve`")
        ran = await remedy("restart", "--all-open")
        assert (ran.code, f"acme/{old.order_id}: begun again" in ran.out) == (0, True)
        assert new.order_id not in ran.out
        stopped = client.get_workflow_handle(asked.workflow_id, run_id=stale.result_run_id)
        assert (await stopped.describe()).status is WorkflowExecutionStatus.TERMINATED
        today = await client.get_workflow_handle(asked.workflow_id).describe()
        assert (today.workflow_type, today.status) == ("RemedySaga", WorkflowExecutionStatus.RUNNING)
        assert (await remedy("restart")).code != 0
        await ours.execute_update("call_off", "Grace")
        await ours.result()
        ran = await remedy("restart", f"acme/{new.order_id}")
        assert "no remedy under way: it is withdrawn" in ran.err
        await client.get_workflow_handle(asked.workflow_id).terminate()
