"""Decided and claimed under a lock on the customer's row: what is being written meanwhile is waited for, and honoured.

A second connection holds the row and makes the change that the decision then has to see.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from journey.base import TouchKey
from journey.outcomes import Held, PassedOver, Refused, Sent
from journey.playbook import Channel, Playbook
from store import ledger_sql
from store.claims import Claim, UnderWay
from store.pool import Connection, Pool
from tests.store.books import CONFIRMATION, LOWER, NOON, Books
from tests.store.meanwhile import (
    Change,
    asked,
    bounce,
    by_form,
    by_link,
    by_the_shop,
    cancellation,
    complaint,
    opt_out,
    overtaken,
    pause,
    rather_by_text,
    somebody,
    stop,
    two_channels,
    within,
)
from tests.support.orders import Order, Person
from tests.support.patience import PATIENCE
from tests.support.world import order_id

Write = Callable[[Books, Order], Awaitable[None]]


@pytest.fixture
def books(pool: Pool, playbook: Playbook) -> Books:
    return two_channels(pool, playbook)


@pytest.mark.parametrize("touch", [LOWER, CONFIRMATION])
@pytest.mark.parametrize(
    ("change", "marketing", "transactional"),
    [
        (opt_out, "sms", "email"),
        (complaint, "sms", "email"),
        (bounce, "sms", "sms"),
        (cancellation, "order_cancelled", "email"),
        (pause, "paused_by_customer", "email"),
        (rather_by_text, "sms", "sms"),
        (stop, "email", "email"),
    ],
)
async def test_what_is_committed_while_a_decision_waits_is_honoured(
    books: Books, touch: str, change: Change, marketing: str, transactional: str
) -> None:
    """It is claimed on the channel that is open still, or not at all, by the newest word."""
    order = await books.order(somebody())
    answer = await overtaken(books, order, change, lambda: asked(books, order, touch))
    expected = marketing if touch == LOWER else transactional
    assert (answer.channel.value if isinstance(answer, Claim) else answer.rule) == expected
    (row,) = await books.pool.fetch("SELECT * FROM ledger")
    assert row["status"] == ("claimed" if isinstance(answer, Claim) else answer.status)
    assert row["channel"] == expected if isinstance(answer, Claim) else row["rule"] == expected


async def test_a_stop_under_way_is_waited_for(books: Books) -> None:
    """Who texted STOP gets no more texts, about the order neither, from the moment it is being written down."""
    touches = tuple(touch.but(channels=(Channel.SMS,)) for touch in books.playbook.touches)
    changed = Playbook.model_validate(books.playbook.model_dump() | {"touches": touches})
    texts = Books(books.pool, changed)
    for touch, phone in ((LOWER, "+4915112340002"), (CONFIRMATION, "+4915112340003")):
        order = await texts.order(Person(customer_id=order_id(), phone=phone, texts=True))
        async with texts.pool.acquire() as connection:
            async with connection.transaction():
                await stop(connection, order)
                waits = asyncio.create_task(asked(texts, order, touch))
                await asyncio.sleep(0.15)
                assert not waits.done()
            assert await waits == Refused(rule="suppressed_opted_out")


async def test_two_journeys_never_share_the_last_slot(books: Books) -> None:
    """A hundred times two ask at once for the one message of a day: one has it, the other is held by the cap."""
    for _ in range(100):
        person = somebody()
        pair = [await books.order(person) for _ in range(2)]
        first, second = await asyncio.gather(*(asked(books, order, LOWER) for order in pair))
        won, lost = (first, second) if isinstance(first, Claim) else (second, first)
        assert isinstance(won, Claim)
        assert isinstance(lost, Held)
        assert lost.rule == "cap_per_day"


async def test_a_message_asked_for_by_many_at_once_is_claimed_once(books: Books) -> None:
    """Eight attempts at each of twenty messages: one has the claim, seven find it under way."""
    for touch in (LOWER, CONFIRMATION) * 10:
        order = await books.order(somebody())
        answers = Counter(type(one) for one in await asyncio.gather(*(asked(books, order, touch) for _ in range(8))))
        assert answers == {Claim: 1, UnderWay: 7}


async def test_many_journeys_of_one_busy_customer_all_get_their_answer(books: Books) -> None:
    """Twenty ask while the customer changes their mind all the time: one has the slot, none is turned away."""
    person = somebody()
    many = [await books.order(person) for _ in range(20)]

    async def change_your_mind() -> None:
        while True:
            for name in ("Ada", "Augusta"):
                await books.pool.execute("UPDATE customers SET first_name = $1", name)

    restless = asyncio.create_task(change_your_mind())
    answers = await asyncio.wait_for(asyncio.gather(*(asked(books, order, LOWER) for order in many)), PATIENCE)
    restless.cancel()
    assert Counter(type(answer).__name__ for answer in answers) == {"Claim": 1, "Held": 19}


@pytest.mark.parametrize(
    "write",
    [by_link, by_form, by_the_shop, within(complaint), within(stop), within(cancellation)],
    ids=["link", "form", "shop", "complaint", "stop", "cancellation"],
)
async def test_what_a_decision_is_made_of_is_not_written_in_the_middle_of_one(books: Books, write: Write) -> None:
    """Whoever changes consent, wishes, addresses or the order's status waits for the claim that is being made."""
    order = await books.order(somebody())
    async with books.pool.acquire() as connection:
        async with connection.transaction():
            await connection.fetchval(ledger_sql.LOCK, order.shop, order.order_id)
            writing = asyncio.create_task(write(books, order))
            await asyncio.sleep(0.15)
            assert not writing.done()
        await writing


async def test_nothing_that_happens_to_a_customer_at_once_waits_in_a_circle(books: Books) -> None:
    """Decisions, ends, cancellations, news and the customer's own words, all together: each gets through."""
    for _ in range(15):
        person = somebody()
        first, second = await books.order(person), await books.order(person)
        writes = (by_link, by_form, by_the_shop, within(complaint), within(stop), within(cancellation))
        along = books.request(first, "care").but(along=(TouchKey("welcome"),))
        ends = (first.shop, first.order_id, (PassedOver(key=TouchKey("bundle"), rule="journey_ended"),), books.playbook)
        async with asyncio.timeout(60):
            await asyncio.gather(
                *(asked(books, order, touch) for order in (first, second) for touch in (LOWER, CONFIRMATION)),
                *(write(books, order) for write in writes for order in (first, second)),
                books.ledger.pass_along(along, books.playbook, Sent(at=NOON), now=NOON),
                books.ledger.close(*ends, now=NOON, why="done"),
                asked(books, first, "thank_you"),
            )


# ---- what changes a row, but not the customer ---------------------------------------------------------------


async def test_what_went_along_meanwhile_is_not_claimed_as_well(books: Books) -> None:
    """Taken along in another mail while it waited for the lock: the answer is that it went."""
    order = await books.order(somebody())
    assert isinstance(await books.ask(order, LOWER, NOON - timedelta(hours=5)), Held)

    async def take_along(connection: Connection, order: Order) -> None:
        await connection.execute(ledger_sql.TAKE_ALONG, "acme", order.order_id, LOWER, NOON, None)

    answer = await overtaken(books, order, take_along, lambda: asked(books, order, LOWER))
    assert answer == Refused(rule="merged")
    assert await books.rows(order) == {LOWER: ("refused", "merged")}


async def test_a_cancellation_and_a_message_of_an_ended_journey_do_not_wait_for_each_other(books: Books) -> None:
    """Both need the order and the customer; neither ends in a deadlock, and the cancellation is honoured."""
    order = await books.order(somebody())
    await books.ledger.close("acme", order.order_id, (), books.playbook, now=NOON, why="done")
    async with books.pool.acquire() as connection:
        async with connection.transaction():
            await connection.execute("SELECT 1 FROM orders WHERE order_id = $1 FOR NO KEY UPDATE", order.order_id)
            waits = asyncio.create_task(asked(books, order, LOWER))
            await asyncio.sleep(0.15)
            assert not waits.done()
            await cancellation(connection, order)
        assert await waits == Refused(rule="order_cancelled")
