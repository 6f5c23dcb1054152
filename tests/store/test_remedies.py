"""The row that decides: offered once, chosen once, and its money never more than the order's."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from activities.remedies import Remedies
from journey.remedies import Action, By, Choice, RemedyAnswer, RemedyTerms, Stand
from store import remedies
from tests.support.counter import Only, Unasked
from tests.support.orders import Order, put, put_parcel
from tests.support.remedies import book, choose, lose, step

ORDER = Order("1001")


@pytest.fixture
async def lost(pool):
    await lose(pool, ORDER)
    return pool


async def get(pool, part="T1"):
    return await remedies.get(pool, ORDER.shop, ORDER.order_id, part)


async def offer(pool, part="T1", **changes):
    async with pool.acquire() as connection, connection.transaction():
        return await remedies.offer(connection, step(ORDER, part=part, **changes))


async def events(pool):
    return [json.loads(row["event"]) for row in await pool.fetch("SELECT event FROM inbox ORDER BY id")]


async def test_an_offer_has_what_was_paid_and_what_was_in_it(lost):
    """The one parcel of an order is all of it, and both ways are open."""
    row = await get(lost)
    assert (row.amount, row.currency, row.skus) == (Decimal("79.00"), "EUR", (("YM-1", 1),))
    assert (row.status, row.options, row.sure) == (Stand.OFFERED, (Choice.REPLACEMENT, Choice.REFUND), True)


async def test_offered_again_it_is_the_same(lost):
    """A repeated step changes neither its day nor its reason."""
    before = await get(lost)
    assert await offer(lost, reason="delayed", at=before.offered_at + timedelta(days=1)) == before


async def test_twenty_choices_at_once_are_one(lost):
    """Ten for the goods, ten for the money, all at the same moment: one stands, all are told which, one event."""
    told = await asyncio.gather(
        *(choose(lost, ORDER, choice) for choice in (Choice.REFUND, Choice.REPLACEMENT) for _ in range(10))
    )
    row = await get(lost)
    assert sum(one.new for one in told) == 1
    assert {one.stands for one in told} == {row.choice}
    ((event),) = await events(lost)
    assert (event["type"], event["part"]) == ("remedy.chosen", "T1")


async def test_a_choice_and_its_event_are_one(lost):
    """What is rolled back leaves neither."""
    async with lost.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        made = await remedies.choose(
            *(connection, ORDER.shop, ORDER.order_id, "T1", Choice.REFUND),
            by=By.CUSTOMER,
            at=ORDER.placed_at,
            received_at=ORDER.placed_at,
        )
        assert made.new
        await transaction.rollback()
    assert ((await get(lost)).choice, await events(lost)) == (None, [])


async def test_a_parcel_made_good_under_its_wrong_number_is_made_good_again_by_a_person_alone(pool):
    """Two mats in two parcels; the first was paid for, its number corrected, and it is lost under that one as well."""
    await put(pool, ORDER, "digest")
    await pool.execute("UPDATE lines SET quantity = 2")
    for number in ("T1", "T2"):
        await put_parcel(pool, ORDER, number, ORDER.placed_at)
    await pool.execute("UPDATE shipments SET skus = '{YM-1}', units = '[[\"YM-1\", 1]]'")
    assert (await offer(pool)).sure
    await choose(pool, ORDER, Choice.REFUND)
    await put_parcel(pool, ORDER, "T3", ORDER.placed_at)
    await pool.execute(
        "UPDATE shipments SET skus = '{YM-1}', units = '[[\"YM-1\", 1]]', left_out = tracking_number = 'T1'"
    )
    assert not (await offer(pool, part="T3")).sure


async def test_the_goods_of_a_gift_are_no_money(pool):
    """An order that cost nothing has no refund to choose."""
    await lose(pool, replace(ORDER, total=Decimal(0)))
    assert (await get(pool)).options == (Choice.REPLACEMENT,)
    assert (await choose(pool, ORDER, Choice.REFUND)).stands is None


@pytest.mark.parametrize("by", By)
async def test_who_may_still_choose_when_time_is_up(pool, by):
    """People of the shop and the default; customers are told that nothing stands."""
    await put(pool, ORDER, "digest")
    await put_parcel(pool, ORDER, "T1", ORDER.placed_at)
    await offer(pool, at=ORDER.placed_at - timedelta(days=9))
    made = await choose(pool, ORDER, Choice.REFUND, by=by)
    assert made.new is (by in {By.OPERATOR, By.DEFAULT})


async def test_what_was_withdrawn_is_not_chosen(lost):
    """Whoever presses the button of an old tab is told that nothing stands."""
    await remedies.withdraw(lost, ORDER.shop, ORDER.order_id, "T1")
    assert (await choose(lost, ORDER, Choice.REFUND)).status is Stand.WITHDRAWN


async def test_what_was_chosen_is_not_withdrawn(lost):
    """The parcel turned up behind the choice: it stands, and calling it off is for people."""
    await choose(lost, ORDER, Choice.REFUND)
    await remedies.withdraw(lost, ORDER.shop, ORDER.order_id, "T1")
    assert (await get(lost)).status is Stand.CHOSEN


async def test_two_parcels_never_get_more_than_the_order_cost(lost):
    """Both of unknown contents and both lost: the second one has nothing left."""
    assert (await offer(lost, part="T2")).status is Stand.WITHDRAWN


@pytest.mark.parametrize("refunded", [30, 79])
async def test_money_that_went_back_is_not_offered_again(pool, refunded):
    """What is left is; and where nothing is, neither goods nor money."""
    await put(pool, ORDER, "digest")
    await put_parcel(pool, ORDER, "T1", ORDER.placed_at)
    await pool.execute("INSERT INTO refunds VALUES ('acme', '1001', 'r1', $1, now())", refunded)
    row = await offer(pool)
    assert (row.amount, row.status is Stand.OFFERED) == (Decimal(79 - refunded), refunded < 79)


@pytest.mark.parametrize(
    ("status", "currency", "left", "sure"),
    [("pending", "EUR", 49, False), ("failed", "EUR", 79, True), ("paid", "USD", 79, False)],
)
async def test_money_on_its_way_is_as_good_as_paid(pool, status, currency, left, sure):
    """Pending counts, failed does not; of another currency nobody knows what it comes to, and a person looks."""
    await put(pool, ORDER, "digest")
    await put_parcel(pool, ORDER, "T1", ORDER.placed_at)
    await pool.execute(
        """INSERT INTO refunds (shop, order_id, refund_id, amount, at, status, currency)
           VALUES ('acme', '1001', 'r1', 30, now(), $1, $2)""",
        status,
        currency,
    )
    row = await offer(pool)
    assert (row.amount, row.sure) == (Decimal(left), sure)


async def test_a_done_refund_counts_once(lost):
    """Whether its webhook has come or not, the rest is what the total leaves."""
    await lost.execute("INSERT INTO lines VALUES ('acme', '1001', 1, 'B-1', 'Block', 1, 21, 'fitness', 'physical')")
    await lost.execute("UPDATE orders SET total = 100")
    await lost.execute("UPDATE remedies SET status = 'done', choice = 'refund', amount = 79")
    before = await offer(lost, part="T2", skus=("B-1",))
    await lost.execute("DELETE FROM remedies WHERE part = 'T2'")
    await lost.execute("INSERT INTO refunds VALUES ('acme', '1001', 'r1', 79, now())")
    after = await offer(lost, part="T2", skus=("B-1",))
    assert (before.amount, after.amount) == (Decimal(21), Decimal(21))


async def test_an_order_that_was_called_off_gets_its_money_that_way(lost):
    """A cancelled order's parcel is not made good on top."""
    await lost.execute("UPDATE orders SET status = 'cancelled'")
    row = await offer(lost, part="T2")
    assert (row.status, row.failure) == (Stand.WITHDRAWN, "order_cancelled")


async def test_nobody_is_offered_anything_for_an_order_nobody_knows(pool):
    """Such as one that was erased."""
    assert await offer(pool) is None


async def test_the_offers_of_a_number(lost):
    """Open ones alone, by the number that the shop has."""
    await lost.execute("UPDATE customers SET phone = '+4915112345678'")
    now = (await get(lost)).offered_at

    async def ask(number="+4915112345678", at=now):
        async with lost.acquire() as connection:
            return await remedies.open_for(connection, number, now=at)

    assert await ask() == [("acme", "1001", "T1")]
    assert await ask("+33612345678") == []
    assert await ask(at=now + timedelta(days=4)) == []
    await choose(lost, ORDER, Choice.REFUND)
    assert await ask() == []


async def test_the_list_is_newest_first_and_may_be_of_open_ones_alone(lost):
    """What ended is left out then."""
    await lost.execute("INSERT INTO lines VALUES ('acme', '1001', 1, 'B-1', 'Block', 1, 21, 'fitness', 'physical')")
    await lost.execute("UPDATE orders SET total = 100")
    await offer(lost, part="T2", skus=("B-1",), at=ORDER.placed_at + timedelta(days=1))
    await lost.execute("UPDATE remedies SET status = 'done' WHERE part = 'T1'")
    assert [row.part for row in await remedies.listed(lost)] == ["T2", "T1"]
    assert [row.part for row in await remedies.listed(lost, still_open=True)] == ["T2"]
    assert await remedies.listed(lost, shop="other") == []


# ---- what the journey asks for -----------------------------------------------------------------------------------


async def test_a_journeys_steps_may_be_repeated(pool, playbook):
    """Offered twice, defaulted twice: one row, one choice by default, one event."""
    await put(pool, ORDER, "digest")
    await put_parcel(pool, ORDER, "T1", ORDER.placed_at)
    ask = Remedies(pool, book(playbook), Only(Unasked())).remedy
    for _ in range(2):
        assert await ask(step(ORDER)) == RemedyAnswer(status=Stand.OFFERED, choice=None, by=None)
    for _ in range(2):
        answer = await ask(step(ORDER, Action.DEFAULT))
        assert answer == RemedyAnswer(status=Stand.CHOSEN, choice=Choice.REFUND, by=By.DEFAULT)
    assert len(await events(pool)) == 1


async def test_a_default_behind_a_choice_changes_nothing(lost, playbook):
    """The customer was quicker, and so are they before it is withdrawn."""
    await choose(lost, ORDER, Choice.REPLACEMENT)
    ask = Remedies(lost, book(playbook), Only(Unasked())).remedy
    stands = RemedyAnswer(status=Stand.CHOSEN, choice=Choice.REPLACEMENT, by=By.CUSTOMER)
    assert await ask(step(ORDER, Action.DEFAULT)) == stands
    assert await ask(step(ORDER, Action.WITHDRAW)) == stands


async def test_a_default_of_a_person_leaves_it_open(pool, playbook):
    """Nobody chose and nobody will but a person: it stays offered."""
    await put(pool, ORDER, "digest")
    await put_parcel(pool, ORDER, "T1", ORDER.placed_at)
    ask = Remedies(pool, book(playbook, RemedyTerms(default="person")), Only(Unasked())).remedy
    await ask(step(ORDER))
    assert await ask(step(ORDER, Action.DEFAULT)) == RemedyAnswer(status=Stand.OFFERED, choice=None, by=None)


async def test_a_step_for_an_erased_order_is_withdrawn(pool, playbook):
    """The journey need not know why."""
    ask = Remedies(pool, book(playbook), Only(Unasked())).remedy
    assert (await ask(step(ORDER))).status is Stand.WITHDRAWN
    assert (await ask(step(ORDER, Action.DEFAULT))).status is Stand.WITHDRAWN


async def test_a_shop_without_an_api_offers_nothing_by_itself(pool, playbook):
    """Its people are told what is lost, the journey that nothing was offered, and they may still choose by hand."""
    await put(pool, ORDER, "digest")
    await put_parcel(pool, ORDER, "T1", ORDER.placed_at)
    told = []

    class Ear:
        async def tell(self, alert):
            told.append((alert.kind, alert.touch, alert.rule))

    ask = Remedies(pool, book(playbook), Only(None), alerts=Ear()).remedy
    for _ in range(2):
        assert await ask(step(ORDER)) == RemedyAnswer(status=Stand.WITHDRAWN, unoffered=True)
    assert {kind for kind, _, _ in told} == {"a parcel will not come and nothing is offered: no API of the shop"}
    assert told[0][1:] == ("T1", "lost, 79.00 EUR")
    assert (await choose(pool, ORDER, Choice.REFUND)).new is False
    assert (await choose(pool, ORDER, Choice.REFUND, by=By.OPERATOR)).new is True
    assert (await get(pool)).status is Stand.CHOSEN


async def test_an_offer_that_was_withdrawn_may_be_made_again(lost):
    """With a new time to choose; after a denial a person looks before anything is spent."""
    first = await get(lost)
    await remedies.withdraw(lost, ORDER.shop, ORDER.order_id, "T1")
    await lost.execute("UPDATE shipments SET delivered_at = now(), denied_at = now()")
    again = await offer(lost, at=first.offered_at + timedelta(days=2))
    assert (again.status, again.sure, again.choice) == (Stand.OFFERED, False, None)
    assert again.choose_by > first.choose_by
    assert (await choose(lost, ORDER, Choice.REFUND)).new


async def test_what_was_chosen_is_not_offered_again(lost):
    """Whatever became of it."""
    await choose(lost, ORDER, Choice.REFUND)
    await lost.execute("UPDATE remedies SET status = 'withdrawn'")
    before = await get(lost)
    assert await offer(lost, at=before.offered_at + timedelta(days=2)) == before
