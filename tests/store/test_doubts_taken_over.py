"""A doubt is taken over on the newest word only, and news of its message comes first."""

from datetime import timedelta

import pytest

from journey.contact import Go
from journey.outcomes import Held
from journey.playbook import Channel, Playbook
from store import feedback
from store.claims import AlreadySent, Claim, Doubt, Final, Settling
from store.ledger import CRASHED
from store.message_feedback import MessageFeedback
from store.pool import Connection, Pool
from tests.store.books import CONFIRMATION, LOWER, NOON, Books, new_name, same_key
from tests.store.meanwhile import (
    HOUR,
    Change,
    asked,
    bounce,
    cancellation,
    complaint,
    opt_out,
    overtaken,
    pause,
    somebody,
    stop,
    two_channels,
)
from tests.support.orders import Order


@pytest.fixture
def books(pool: Pool, playbook: Playbook) -> Books:
    return two_channels(pool, playbook)


async def left(books: Books, order: Order, touch: str) -> Claim:
    """A claim whose holder is no more, and whose lease is over."""
    claim = await asked(books, order, touch)
    assert isinstance(claim, Claim)
    await books.leases_over()
    return claim


def settled(doubt: Doubt) -> Settling:
    """A provider that remembers keys; what may not go by the same way stays in doubt."""
    answer = doubt.answer
    if isinstance(answer, Held):
        return Settling.HOLD
    same = isinstance(answer, Go) and answer.channel is doubt.claim.channel
    return Settling.SAME_KEY if same else Settling.LEAVE


@pytest.mark.parametrize("change", [opt_out, complaint, bounce, cancellation, pause, stop])
async def test_a_doubt_is_not_taken_over_on_an_old_word(books: Books, change: Change) -> None:
    """What is committed while the next attempt waits is what it goes by: the doubt stays, or waits with the rest."""
    order = await books.order(somebody())
    claim = await left(books, order, LOWER)
    answer = await overtaken(books, order, change, lambda: asked(books, order, LOWER, settled))
    (row,) = await books.pool.fetch("SELECT status, claim, attempt_class, rule FROM ledger")
    if change is stop:
        assert isinstance(answer, Claim)
        assert (row["status"], row["attempt_class"]) == ("claimed", 0)
    elif change is pause:
        assert answer == Held(until=NOON + HOUR, rule="paused_by_customer", doubtful=True)
        assert tuple(row) == ("held", claim.token, 0, "paused_by_customer")
    else:
        assert answer == Final("in_doubt", CRASHED)
        assert tuple(row) == ("in_doubt", claim.token, 0, CRASHED)


async def test_news_of_a_doubtful_message_comes_before_its_second_try(books: Books) -> None:
    """Delivered, says the provider, while it is being claimed anew: it is settled, and neither ends in an error."""
    order = await books.order(somebody())
    await left(books, order, CONFIRMATION)

    async def delivered(connection: Connection, _order: Order) -> None:
        key = f"acme/{order.order_id}/{CONFIRMATION}/0"
        event = MessageFeedback(provider="twilio", kind="delivered", at=NOON, channel=Channel.SMS, key=key)
        recorded = await feedback.record(connection, event)
        assert recorded is not None
        assert recorded.settled

    answer = await overtaken(books, order, delivered, lambda: asked(books, order, CONFIRMATION, new_name))
    assert isinstance(answer, AlreadySent)
    assert await books.pool.fetchval("SELECT count(*) FROM ledger") == 1


async def test_what_is_taken_up_again_has_its_slot_today(books: Books) -> None:
    """In doubt since yesterday and on its way again now: nobody else has this day's message."""
    person = somebody()
    first, second = await books.order(person), await books.order(person)
    yesterday = NOON - timedelta(days=1)
    doubt = await books.in_doubt(first, LOWER, yesterday)
    await books.ledger.release(doubt.claim, "provider_http_503", until=NOON)
    assert isinstance(await books.ask(first, LOWER, NOON, due=yesterday, settles=same_key), Claim)
    answer = await books.ask(second, LOWER)
    assert isinstance(answer, Held)
    assert answer.rule == "cap_per_day"
