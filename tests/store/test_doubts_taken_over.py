"""A doubt is taken over on the newest word only, and news of its message comes first."""

from datetime import timedelta

import pytest

from journey.outcomes import Held
from journey.playbook import Channel, Playbook
from store import feedback
from store.claims import AlreadySent, Claim, Doubt
from store.message_feedback import MessageFeedback
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
    served,
    somebody,
    stop,
    two_channels,
)
from tests.support.orders import Order


@pytest.fixture
def books(pool: Pool, playbook: Playbook) -> Books:
    return two_channels(pool, playbook)


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
