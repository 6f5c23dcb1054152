"""Decided on one look, claimed only if it still holds: whatever comes in between is honoured, and somebody always wins.

What comes in between is made to: a second connection holds the customer's row, so that the ledger has looked and waits
to write, or a pool moves the customer's version behind each look.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from journey.outcomes import Held, Refused
from journey.playbook import Channel, Playbook
from store import consents, feedback, intake, ledger_sql, orders
from store.claims import AlreadySent, Ask, Claim, Doubt
from store.ledger import Ledger
from store.message_feedback import MessageFeedback
from store.pool import Connection, Pool
from tests.store.books import CONFIRMATION, LOWER, NOON, Books, with_rules
from tests.support.orders import Order, Person
from tests.support.world import order_id

NUMBER = "+4915112340001"
HOUR = timedelta(hours=1)
Change = Callable[[Connection, Order], Awaitable[object]]


def served(channel: Channel, _key: str) -> str | None:
    """Mail by SMTP and texts by Twilio."""
    return {Channel.EMAIL: "smtp", Channel.SMS: "twilio"}.get(channel)


@pytest.fixture
def books(pool: Pool, playbook: Playbook) -> Books:
    """Touches that go by mail or by text, one marketing message a day."""
    touches = tuple(touch.but(channels=(Channel.EMAIL, Channel.SMS)) for touch in playbook.touches)
    changed = Playbook.model_validate(playbook.model_dump() | {"touches": touches})
    return with_rules(Books(pool, changed), per_day=1, quiet_hours={"start": "21:00", "end": "08:00"})


def somebody() -> Person:
    """Somebody new, with an address and a number, who said yes to both."""
    return Person(customer_id=order_id(), phone=NUMBER, texts=True)


async def asked(books: Books, order: Order, touch: str, ledger: Ledger | None = None) -> Ask:
    """What the ledger answers at noon."""
    request = books.request(order, touch)
    return await (ledger or books.ledger).ask(request, books.playbook, now=NOON, providers=served)


async def overtaken(books: Books, order: Order, change: Change, then: Callable[[], Awaitable[Any]]) -> Any:
    """What `then` comes to that has looked, and waits to write, while `change` is made and committed."""
    async with books.pool.acquire() as connection:
        async with connection.transaction():
            await connection.execute(
                "SELECT 1 FROM customers WHERE customer_id = $1 FOR UPDATE", order.person.customer_id
            )
            waits = asyncio.create_task(then())
            await asyncio.sleep(0.15)
            assert not waits.done(), "it did not wait for the one who holds the customer"
            await change(connection, order)
        return await waits


async def opt_out(connection: Connection, order: Order) -> None:
    """No more marketing mail."""
    await connection.execute(
        "INSERT INTO consents (shop, customer_id, channel, purpose, granted, source, at)"
        " VALUES ('acme', $1, 'email', 'marketing', false, 'unsubscribe_link', $2)",
        order.person.customer_id,
        NOON,
    )


async def complaint(connection: Connection, order: Order) -> None:
    """The provider tells that this address called it spam."""
    event = MessageFeedback(
        provider="postmark", kind="complained", at=NOON, channel=Channel.EMAIL, address=order.person.email
    )
    await feedback.record(connection, event)


async def bounce(connection: Connection, order: Order) -> None:
    """The address is dead."""
    await connection.execute(ledger_sql.SUPPRESS, "acme", order.person.email, "bounced", NOON, "email")


async def cancellation(connection: Connection, order: Order) -> None:
    """The order is cancelled."""
    await orders.cancel(connection, intake.OrderCancelled(shop="acme", order_id=order.order_id, at=NOON))


async def pause(connection: Connection, order: Order) -> None:
    """The customer wants to hear nothing for an hour."""
    await connection.execute(
        "INSERT INTO preferences (shop, customer_id, paused_until, updated_at) VALUES ('acme', $1, $2, $3)",
        order.person.customer_id,
        NOON + HOUR,
        NOON,
    )


async def rather_by_text(connection: Connection, order: Order) -> None:
    """The customer prefers texts."""
    await connection.execute(
        "INSERT INTO preferences (shop, customer_id, channel_preferred, updated_at) VALUES ('acme', $1, 'sms', $2)",
        order.person.customer_id,
        NOON,
    )


async def stop(connection: Connection, order: Order) -> None:
    """The customer texts STOP."""
    await consents.hear(
        connection,
        shop="acme",
        channel=Channel.SMS,
        address=order.person.phone or "",
        text="Stop.",
        at=NOON,
        provider="twilio",
    )


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
    answers = await asyncio.wait_for(asyncio.gather(*(asked(books, order, LOWER) for order in many)), 30)
    restless.cancel()
    assert Counter(type(answer).__name__ for answer in answers) == {"Claim": 1, "Held": 19}


# ---- doubts -------------------------------------------------------------------------------------------------


async def in_doubt(books: Books, order: Order, touch: str) -> Doubt:
    """A claim that nobody knows the end of, as the next attempt finds it."""
    assert isinstance(await asked(books, order, touch), Claim)
    doubt = await asked(books, order, touch)
    assert isinstance(doubt, Doubt)
    return doubt


@pytest.mark.parametrize("change", [opt_out, complaint, bounce, cancellation, pause, stop])
@pytest.mark.parametrize("anew", [False, True])
async def test_a_doubt_is_not_taken_over_on_an_old_word(books: Books, change: Change, *, anew: bool) -> None:
    """What was committed since the doubt was looked at stops it; the doubt stays as it is, to be looked at again."""
    touch = CONFIRMATION if anew else LOWER
    order = await books.order(somebody())
    doubt = await in_doubt(books, order, touch)
    request = books.request(order, touch)

    async def take_over() -> Claim | None:
        if anew:
            return await books.ledger.claim_anew(doubt, request, books.playbook, now=NOON, providers=served)
        return await books.ledger.claim_again(doubt)

    assert await overtaken(books, order, change, take_over) is None
    (row,) = await books.pool.fetch("SELECT status, claim, attempt_class FROM ledger")
    assert tuple(row) == ("claimed", doubt.token, 0)


async def test_news_of_a_doubtful_message_comes_before_its_second_try(books: Books) -> None:
    """Delivered, says the provider, while it is being claimed anew: it is settled, and neither ends in an error."""
    order = await books.order(somebody())
    doubt = await in_doubt(books, order, CONFIRMATION)
    request = books.request(order, CONFIRMATION)

    async def delivered(connection: Connection, _order: Order) -> None:
        key = f"acme/{order.order_id}/{CONFIRMATION}/0"
        event = MessageFeedback(provider="twilio", kind="delivered", at=NOON, channel=Channel.SMS, key=key)
        recorded = await feedback.record(connection, event)
        assert recorded is not None
        assert recorded.settled

    async def anew() -> Claim | None:
        return await books.ledger.claim_anew(doubt, request, books.playbook, now=NOON, providers=served)

    assert await overtaken(books, order, delivered, anew) is None
    assert isinstance(await asked(books, order, CONFIRMATION), AlreadySent)
    assert await books.pool.fetchval("SELECT count(*) FROM ledger") == 1


async def test_what_is_taken_up_again_has_its_slot_today(books: Books) -> None:
    """In doubt since yesterday and on its way again now: nobody else has this day's message."""
    person = somebody()
    first, second = await books.order(person), await books.order(person)
    yesterday = NOON - timedelta(days=1)
    claim = await books.ask(first, LOWER, yesterday)
    assert isinstance(claim, Claim)
    doubt = await books.ask(first, LOWER, yesterday)
    assert isinstance(doubt, Doubt)
    await books.ledger.release(doubt.claim, "provider_http_503", until=NOON)
    doubt = await books.ask(first, LOWER, NOON, due=yesterday)
    assert isinstance(doubt, Doubt)
    assert await books.ledger.claim_again(doubt) is not None
    answer = await books.ask(second, LOWER)
    assert isinstance(answer, Held)
    assert answer.rule == "cap_per_day"


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
