"""The saga of a remedy on the real server, against a shop that makes everything as often as it is asked."""

from decimal import Decimal

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import WorkflowAlreadyStartedError

from journey.remedies import By, Choice, RemedyTerms, Stand
from tests.support.counter import Odd
from tests.support.remedies import case, until
from workflows.remedy_case import RemedySaga

WITH_COUPON = RemedyTerms(coupon_percent=10)
APPROVED = RemedyTerms(approve_above={"EUR": Decimal(50)})


@pytest.fixture
async def plain(client, pool, playbook):
    async with case(client, pool, playbook) as made:
        yield made


@pytest.mark.parametrize(
    ("choice", "made"),
    [(Choice.REFUND, {"refund": 1, "coupon": 1}), (Choice.REPLACEMENT, {"reserve": 1, "replace": 1, "coupon": 1})],
)
async def test_what_was_chosen_is_made_once(client, pool, playbook, choice, made):
    """The money, or the goods, never both; the row has what the shop calls it, and the apology's code."""
    async with case(client, pool, playbook, terms=WITH_COUPON) as here:
        order = await here.lost(choice)
        assert await (await here.start(order)).result() == "done"
        row = await here.row(order)
        assert here.shop.ever(order.order_id) == made
    kind = "refund" if choice is Choice.REFUND else "replace"
    assert (row.status, row.choice, row.failure) == (Stand.DONE, choice, None)
    assert row.reference.startswith(kind)
    assert row.coupon.startswith("coupon")


async def test_a_refund_is_what_was_paid(plain):
    """The parcel's share of the order's total, in its currency, and the goods that were in it."""
    order = await plain.lost(Choice.REFUND, total=Decimal("79.00"))
    await (await plain.start(order)).result()
    (made,) = plain.shop.made
    assert (made.amount, made.skus) == ("79.00", [["YM-1", 1]])


async def test_one_saga_for_a_parcel_for_ever(plain):
    """Dispatched again, also after its end, it is not begun again."""
    order = await plain.lost(Choice.REFUND)
    await (await plain.start(order)).result()
    with pytest.raises(WorkflowAlreadyStartedError):
        await plain.start(order)
    assert plain.shop.ever(order.order_id) == {"refund": 1}


@pytest.mark.parametrize("manner", ["busy", "silent"])
@pytest.mark.parametrize("kind", ["reserve", "replace", "refund", "coupon"])
async def test_a_shop_that_stumbles_has_made_it_once(client, pool, playbook, kind, manner):
    """Away for a moment, or silent after it had done it: asked again, and there once."""
    async with case(client, pool, playbook, terms=WITH_COUPON) as here:
        order = await here.lost(Choice.REFUND if kind == "refund" else Choice.REPLACEMENT)
        here.shop.then(kind, Odd(manner))
        assert await (await here.start(order)).result() == "done"
        assert set(here.shop.ever(order.order_id).values()) == {1}
        assert here.shop.ever(order.order_id)[kind] == 1


# ---- approval ------------------------------------------------------------------------------------------------


async def test_above_the_limit_nothing_is_spent_before_a_person_says_yes(client, pool, playbook):
    """It waits, says so in its row and its details, and goes on with the yes; who said it is written down."""
    async with case(client, pool, playbook, terms=APPROVED) as here:
        order = await here.lost(Choice.REFUND)
        handle = await here.start(order)
        await until(handle, "waits for `approve`")
        assert ((await here.row(order)).status, here.shop.made) == (Stand.AWAITING_APPROVAL, [])
        await handle.execute_update(RemedySaga.approve, "Grace")
        assert await handle.result() == "done"
        row = await here.row(order)
    assert (row.approved_by, row.approved_at is not None, row.status) == ("Grace", True, Stand.DONE)


async def test_a_saga_outlives_its_workers_memory(client, pool, playbook):
    """Let go of after every task and read again from its history, it goes on where it was."""
    async with case(client, pool, playbook, terms=APPROVED, cached=0) as here:
        order = await here.lost(Choice.REPLACEMENT)
        handle = await here.start(order)
        await until(handle, "waits for `approve`")
        await handle.execute_update(RemedySaga.approve, "Grace")
        assert await handle.result() == "done"
        assert here.shop.ever(order.order_id) == {"reserve": 1, "replace": 1}


async def test_at_the_limit_nobody_is_asked(client, pool, playbook):
    """Above means above."""
    async with case(client, pool, playbook, terms=APPROVED) as here:
        order = await here.lost(Choice.REFUND, total=Decimal(50))
        assert await (await here.start(order)).result() == "done"


async def test_a_no_is_the_end(client, pool, playbook):
    """Declined with its reason; nothing was made, and a second word finds nobody there."""
    async with case(client, pool, playbook, terms=APPROVED) as here:
        order = await here.lost(Choice.REPLACEMENT)
        handle = await here.start(order)
        await until(handle, "waits for `approve`")
        await handle.execute_update(RemedySaga.decline, args=["Grace", "found_again"])
        assert await handle.result() == "declined"
        row = await here.row(order)
        assert (row.status, row.failure, here.shop.made) == (Stand.DECLINED, "found_again", [])


@pytest.mark.parametrize(
    ("update", "arguments", "said"),
    [
        (RemedySaga.done, ["Grace", "R-1"], "nobody was asked"),
        (RemedySaga.approve, [" "], "one line"),
        (RemedySaga.approve, ["a\nb"], "one line"),
        (RemedySaga.decline, ["Grace", "Ada Lovelace called"], "one word"),
        (RemedySaga.choose, [Choice.REFUND, "Grace"], "already"),
    ],
)
async def test_a_word_that_does_not_fit_is_refused(*, client, pool, playbook, update, arguments, said):
    """While it waits for a yes: what was not asked for, has no name, or names a person."""
    async with case(client, pool, playbook, terms=APPROVED) as here:
        order = await here.lost(Choice.REFUND)
        handle = await here.start(order)
        await until(handle, "waits for `approve`")
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await handle.execute_update(update, args=arguments)
        assert said in str(caught.value.cause)
        await handle.execute_update(RemedySaga.decline, args=["Grace", "enough"])
        assert await handle.result() == "declined"


# ---- what cannot be done ----------------------------------------------------------------------------------------


async def test_out_of_stock_becomes_a_refund_by_the_terms(plain):
    """Nothing is set aside any more, and the money goes back; the row says who chose that."""
    order = await plain.lost(Choice.REPLACEMENT)
    plain.shop.then("replace", Odd("refuse", "out_of_stock"))
    assert await (await plain.start(order)).result() == "done"
    row = await plain.row(order)
    assert plain.shop.standing(order.order_id) == {"refund": 1}
    assert (row.choice, row.chosen_by, row.reservation) == (Choice.REFUND, By.DEFAULT, None)


@pytest.mark.parametrize("step", ["reserve", "replace"])
async def test_above_the_limit_a_person_says_what_comes_instead(client, pool, playbook, step):
    """An approved replacement that cannot be made is not silently paid for: it is released, and people are asked."""
    async with case(client, pool, playbook, terms=APPROVED) as here:
        order = await here.lost(Choice.REPLACEMENT)
        here.shop.then(step, Odd("refuse", "out_of_stock"))
        handle = await here.start(order)
        await until(handle, "waits for `approve`")
        await handle.execute_update(RemedySaga.approve, "Grace")
        await until(handle, "out_of_stock")
        assert here.shop.standing(order.order_id) == {}
        await handle.execute_update(RemedySaga.choose, args=[Choice.REFUND, "Grace"])
        assert await handle.result() == "done"
        row = await here.row(order)
        assert here.shop.standing(order.order_id) == {"refund": 1}
    assert (row.choice, row.chosen_by, row.operator) == (Choice.REFUND, By.OPERATOR, "Grace")


async def test_a_replacement_may_be_tried_again(plain):
    """Chosen again once the goods are there: another replacement, and the first one's reservation is gone."""
    order = await plain.lost(Choice.REPLACEMENT)
    plain.shop.then("replace", Odd("refuse", "no_courier"))
    handle = await plain.start(order)
    await until(handle, "no_courier")
    await handle.execute_update(RemedySaga.choose, args=[Choice.REPLACEMENT, "Grace"])
    assert await handle.result() == "done"
    assert plain.shop.standing(order.order_id) == {"reserve": 1, "replace": 1}
    assert plain.shop.ever(order.order_id) == {"reserve": 2, "replace": 1}


async def test_money_that_went_back_already_is_done(plain):
    """Somebody at the shop was quicker, with these very units: that is what was wanted."""
    order = await plain.lost(Choice.REFUND)
    paid = plain.shop.pay_back(order.order_id, 79, [("YM-1", 1)])
    assert await (await plain.start(order)).result() == "done"
    row = await plain.row(order)
    assert (row.failure, row.reference, plain.shop.ever(order.order_id)) == ("already_refunded", paid, {"refund": 1})


async def test_a_shop_that_says_it_was_paid_back_and_shows_nothing_is_asked_about(plain):
    """Its word alone makes nothing good: people are asked."""
    order = await plain.lost(Choice.REFUND)
    plain.shop.then("refund", Odd("refuse", "already_refunded"))
    handle = await plain.start(order)
    await until(handle, "already_refunded")
    await handle.execute_update(RemedySaga.call_off, "Grace")
    assert await handle.result() == "failed"


@pytest.mark.parametrize("choice", Choice)
async def test_nothing_is_made_for_an_order_that_was_paid_back_meanwhile(plain, choice):
    """Neither goods nor money on top of a refund that the shop made itself."""
    order = await plain.lost(choice)
    await plain.pool.execute(
        "INSERT INTO refunds (shop, order_id, refund_id, amount, at) VALUES ('acme', $1, 'r1', 79, now())",
        order.order_id,
    )
    assert await (await plain.start(order)).result() == "done"
    assert ((await plain.row(order)).failure, plain.shop.made) == ("already_refunded", [])


async def test_a_refusal_is_for_people_and_may_end_there(plain):
    """The money cannot be paid back: people are asked, and calling it off is a failure, told as such."""
    order = await plain.lost(Choice.REFUND)
    plain.shop.then("refund", Odd("refuse", "order_unknown"))
    handle = await plain.start(order)
    await until(handle, "order_unknown")
    await handle.execute_update(RemedySaga.call_off, "Grace")
    assert await handle.result() == "failed"
    row = await plain.row(order)
    assert (row.status, row.failure) == (Stand.FAILED, "order_unknown")


async def test_a_coupon_the_shop_will_not_give_undoes_nothing(client, pool, playbook):
    """Behind the pivot there is only forward: the remedy is done, without it."""
    async with case(client, pool, playbook, terms=WITH_COUPON) as here:
        order = await here.lost(Choice.REFUND)
        here.shop.then("coupon", Odd("refuse", "no_discounts"))
        assert await (await here.start(order)).result() == "done"
        assert here.shop.standing(order.order_id) == {"refund": 1}
