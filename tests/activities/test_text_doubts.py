"""Texts that nobody can ask Twilio about: when they go again, how often at most, and what news of them is worth."""

import pytest

from activities.sending import MOST_AGAIN
from journey.outcomes import InDoubt, Sent
from journey.playbook import Channel
from store import feedback
from store.message_feedback import MessageFeedback
from tests.activities.desk import MARKETING, PLACED, TRANSACTIONAL, Crash, at, crashed
from tests.activities.street import EMAIL, SMS, Street
from tests.support.loopback import SILENT
from tests.support.orders import Order


@pytest.fixture
def texting(street: Street) -> Street:
    """A street whose touches go by text alone."""
    return street.with_touches(SMS)


async def delivered(street: Street, order: Order, touch: str, attempt_class: int = 0) -> None:
    """What Twilio's callback says of a text that arrived."""
    event = MessageFeedback(
        provider="twilio",
        kind="delivered",
        at=PLACED,
        channel=Channel.SMS,
        key=f"acme/{order.order_id}/{touch}/{attempt_class}",
        provider_id=f"SM{order.order_id}{attempt_class}",
    )
    async with street.pool.acquire() as connection, connection.transaction():
        recorded = await feedback.record(connection, event)
    assert recorded is not None
    assert recorded.settled


async def test_a_text_about_the_order_goes_again_and_is_counted(texting: Street) -> None:
    """Taken without an answer: the doubt is left on record, and the second, a row of its own, is sent."""
    order = await texting.order()
    texting.twilio.then(SILENT)
    assert isinstance(await texting.settle(texting.request(order, TRANSACTIONAL)), Sent)
    rows = [(row["attempt_class"], row["again"], row["status"], row["rule"]) for row in await texting.rows(order)]
    assert rows == [(0, 0, "in_doubt", "sent_again"), (1, 1, "sent", None)]
    assert [one.key.rpartition("/")[2] for one in texting.texts(order)] == ["0", "1"]


async def test_after_so_many_times_it_is_left_in_doubt(texting: Street) -> None:
    """A Twilio that never answers is not asked for ever."""
    order = await texting.order()
    texting.twilio.always = SILENT
    assert await texting.settle(texting.request(order, TRANSACTIONAL)) == InDoubt(rule="provider_http_no_answer")
    rows = await texting.rows(order)
    assert [row["again"] for row in rows] == list(range(MOST_AGAIN + 1))
    assert [row["status"] for row in rows] == ["in_doubt"] * (MOST_AGAIN + 1)
    assert len(texting.texts(order)) == MOST_AGAIN + 1
    assert isinstance(await texting.settle(texting.request(order, TRANSACTIONAL)), InDoubt)
    assert len(texting.texts(order)) == MOST_AGAIN + 1


async def test_marketing_does_not_go_again(texting: Street) -> None:
    """By no other channel either: to the customer it may have been a message."""
    street = texting.with_touches(SMS, EMAIL)
    order = await street.order()
    street.twilio.then(SILENT)
    for _ in range(2):
        assert await street.settle(street.request(order, MARKETING)) == InDoubt(rule="provider_http_no_answer")
    assert await street.story(order) == [("sms", "in_doubt", "provider_http_no_answer")]
    assert (len(street.texts(order)), street.mails(order)) == (1, [])


async def test_news_of_its_delivery_keeps_it_from_going_again(texting: Street) -> None:
    """The callback comes before the next attempt decides: the row is sent, and nothing follows."""
    order = await texting.order()
    request = texting.request(order, TRANSACTIONAL)
    await crashed(texting, request, Crash(["after_send"]))
    told = at("before_claim", lambda: delivered(texting, order, TRANSACTIONAL))
    assert isinstance(await texting.settle(request, told), Sent)
    assert await texting.story(order) == [("sms", "sent", None)]
    assert len(texting.texts(order)) == 1


async def test_late_news_of_the_first_text_is_enough_for_the_second(texting: Street) -> None:
    """The first arrived, says the callback, while the second is in doubt: neither goes a third time."""
    order = await texting.order()
    request = texting.request(order, TRANSACTIONAL)
    await crashed(texting, request, Crash(["after_send"]))
    await crashed(texting, request, Crash(["before_send"]))
    await delivered(texting, order, TRANSACTIONAL)
    assert isinstance(await texting.settle(request), Sent)
    assert [one.key.rpartition("/")[2] for one in texting.texts(order)] == ["0"]


async def test_news_of_a_marketing_text_settles_its_doubt(texting: Street) -> None:
    """In doubt for good, and then delivered: the ledger says sent, and asking again sends nothing."""
    order = await texting.order()
    texting.twilio.then(SILENT)
    assert isinstance(await texting.settle(texting.request(order, MARKETING)), InDoubt)
    await delivered(texting, order, MARKETING)
    assert await texting.story(order) == [("sms", "sent", None)]
    assert isinstance(await texting.settle(texting.request(order, MARKETING)), Sent)
    assert len(texting.texts(order)) == 1
