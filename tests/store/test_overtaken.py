"""Decided on one look, claimed only if it still holds: whatever comes in between is honoured, and somebody always wins.

What comes in between is made to: a second connection holds the customer's row, so that the ledger has looked and waits
to write, or a pool moves the customer's version behind each look.
"""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from journey.outcomes import Held, Refused
from journey.playbook import Channel, Playbook
from store import ledger_sql
from store.claims import Claim, Doubt
from store.ledger import Ledger
from store.pool import Connection, Pool
from tests.store.books import CONFIRMATION, LOWER, NOON, Books
from tests.store.meanwhile import (
    Change,
    asked,
    bounce,
    cancellation,
    complaint,
    opt_out,
    overtaken,
    pause,
    rather_by_text,
    somebody,
    stop,
    two_channels,
)
from tests.support.orders import Order, Person
from tests.support.patience import PATIENCE
from tests.support.world import order_id


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
async def test_what_is_committed_between_look_and_claim_is_honoured(
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
    """Eight attempts at each of twenty messages: one has the claim, seven find it in doubt."""
    for touch in (LOWER, CONFIRMATION) * 10:
        order = await books.order(somebody())
        answers = Counter(type(one) for one in await asyncio.gather(*(asked(books, order, touch) for _ in range(8))))
        assert answers == {Claim: 1, Doubt: 7}


class Meddling:
    """A pool behind whose looks something always changes, except for whoever holds the customer's row."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.looks = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    async def fetchrow(self, query: str, *args: Any) -> Any:
        row = await self._pool.fetchrow(query, *args)
        if query == ledger_sql.EVIDENCE:
            self.looks += 1
            await self._pool.execute("UPDATE customers SET contact_version = contact_version + 1")
        return row


async def test_who_is_overtaken_again_and_again_is_let_through_in_the_end(books: Books) -> None:
    """After two looks in vain the customer's row is held: each message is decided, and the cap holds all the same."""
    meddling = Meddling(books.pool)
    ledger = Ledger(meddling, domain="shop.test")  # type: ignore[arg-type]  # all that the ledger asks of a pool
    person = somebody()
    pair = [await books.order(person) for _ in range(2)]
    answers = await asyncio.gather(*(asked(books, order, LOWER, ledger) for order in pair))
    assert sorted(type(answer).__name__ for answer in answers) == ["Claim", "Held"]
    assert isinstance(await asked(books, pair[0], CONFIRMATION, ledger), Claim)
    assert meddling.looks == 6


async def test_many_journeys_of_one_busy_customer_all_get_their_answer(books: Books) -> None:
    """Twenty ask while the customer changes their mind all the time: one has the slot, nobody is turned away."""
    person = somebody()
    many = [await books.order(person) for _ in range(20)]

    async def change_your_mind() -> None:
        while True:
            await books.pool.execute("UPDATE customers SET contact_version = contact_version + 1")

    restless = asyncio.create_task(change_your_mind())
    answers = await asyncio.wait_for(asyncio.gather(*(asked(books, order, LOWER) for order in many)), PATIENCE)
    restless.cancel()
    assert Counter(type(answer).__name__ for answer in answers) == {"Claim": 1, "Held": 19}


# ---- what changes a row, but not the customer ---------------------------------------------------------------


async def test_what_went_along_meanwhile_is_not_claimed_as_well(books: Books) -> None:
    """Taken along in another mail after it was looked at: the decision is dropped, and the answer is that it went."""
    order = await books.order(somebody())
    assert isinstance(await books.ask(order, LOWER, NOON - timedelta(hours=5)), Held)

    async def take_along(connection: Connection, order: Order) -> None:
        into = '{"merged_into": "1002 check_in"}'
        await connection.execute(ledger_sql.TAKE_ALONG, "acme", order.order_id, LOWER, NOON, into)

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
