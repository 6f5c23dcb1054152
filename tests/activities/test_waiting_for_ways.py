"""Waiting for a provider: what the attempt answers, what the wait says of itself, and what is not asked meanwhile."""

from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.deliver import Deliveries
from activities.ways import SHORTEST
from journey.base import TouchKey
from journey.outcomes import Held, Sent, WaitRequest
from tests.activities.desk import MARKETING, PLACED, TRANSACTIONAL, Desk
from tests.support.loopback import SERVER_ERROR, Misdeed, too_many
from tests.support.providers import ResendApi

AWAY = Misdeed(status=503)
MINUTE = timedelta(minutes=1)


def waiting(desk: Desk, order, after: timedelta = timedelta(), way: str = "email") -> WaitRequest:
    """Wait for a way, `after` the order was placed."""
    return WaitRequest(
        shop=order.shop,
        order_id=order.order_id,
        playbook=desk.playbook.digest,
        waits_for=way,
        key=TouchKey(TRANSACTIONAL),
        now=PLACED + after,
    )


async def delivered(worker: Deliveries, desk: Desk, order, after: timedelta = timedelta(), touch: str = TRANSACTIONAL):
    """One attempt of that worker, `after` the order was placed."""
    request = desk.request(order, touch).but(now=PLACED + after)
    return (await worker.deliver(request)).outcome(now=PLACED)


async def test_one_attempt_asks_once_and_does_not_come_back_by_itself(resend_desk: Desk, resend: ResendApi) -> None:
    """The answer is a hold until the touch's patience ends, with the way that it waits for; no error, no other try."""
    order = await resend_desk.order()
    resend.always = AWAY
    held = await delivered(resend_desk.deliveries(), resend_desk, order)
    request = resend_desk.request(order, TRANSACTIONAL)
    assert held == Held(until=resend_desk.patience(request), rule="provider_http_503", waits_for="email")
    assert len(resend.requests) == 1


async def test_while_the_way_is_shut_no_message_of_the_worker_asks(resend_desk: Desk, resend: ResendApi) -> None:
    """Others learn from the first: their rows say why they wait, and the provider is left alone."""
    worker = resend_desk.deliveries()
    orders = [await resend_desk.order() for _ in range(5)]
    resend.always = AWAY
    for order in orders:
        held = await delivered(worker, resend_desk, order, touch=MARKETING)
        assert isinstance(held, Held)
        assert (held.rule, held.waits_for, held.doubtful) == ("provider_http_503", "email", False)
        assert await resend_desk.row(order) == ("held", "provider_http_503")
    assert len(resend.requests) == 1
    resend.always = None
    for order in orders:
        assert isinstance(await delivered(worker, resend_desk, order, SHORTEST, MARKETING), Sent)


async def test_the_wait_says_since_when_and_until_when(resend_desk: Desk, resend: ResendApi) -> None:
    """What an operator reads beside the pending activity; it asks for another try by itself, and alarms nobody."""
    order, worker = await resend_desk.order(), resend_desk.deliveries()
    resend.always = too_many(600)
    await delivered(worker, resend_desk, order)
    with pytest.raises(ApplicationError) as raised:
        await worker.wait_for(waiting(resend_desk, order, MINUTE))
    error = raised.value
    assert error.message.startswith("email is closed since 2026-11-23T10:00:00Z (provider_http_429); asked again at")
    assert error.next_retry_delay is not None
    assert 9 * MINUTE <= error.next_retry_delay <= 14 * MINUTE
    assert (error.type, error.category) == ("WayShut", ApplicationErrorCategory.BENIGN)
    assert not error.non_retryable


async def test_the_wait_ends_when_the_way_may_be_open(resend_desk: Desk, resend: ResendApi) -> None:
    """One who waited tries, and when its message has gone the others follow."""
    first, second = await resend_desk.order(), await resend_desk.order()
    worker = resend_desk.deliveries()
    resend.then(AWAY)
    for order in (first, second):
        await delivered(worker, resend_desk, order)
    assert await worker.wait_for(waiting(resend_desk, first, MINUTE)) is None
    with pytest.raises(ApplicationError, match="email is closed"):
        await worker.wait_for(waiting(resend_desk, second, MINUTE))
    assert isinstance(await delivered(worker, resend_desk, first, MINUTE), Sent)
    assert await worker.wait_for(waiting(resend_desk, second, MINUTE)) is None
    assert isinstance(await delivered(worker, resend_desk, second, MINUTE), Sent)


@pytest.mark.parametrize("way", ["worker", "pigeon", "sms"])
async def test_a_way_that_is_not_there_is_not_waited_for(resend_desk: Desk, way: str) -> None:
    """A worker that runs is there; what has no provider here is decided anew."""
    order = await resend_desk.order()
    assert await resend_desk.deliveries().wait_for(waiting(resend_desk, order, way=way)) is None


async def test_a_message_that_fails_alone_keeps_nobody_else(resend_desk: Desk, resend: ResendApi) -> None:
    """Its own answer, again and again an error: it waits by itself, ever longer, and the others go."""
    worker = resend_desk.deliveries()
    poison, *others = [await resend_desk.order() for _ in range(4)]
    resend.then(SERVER_ERROR)
    held = await delivered(worker, resend_desk, poison)
    assert isinstance(held, Held)
    assert (held.until, held.waits_for, held.doubtful) == (PLACED + SHORTEST, None, True)
    for other in others:
        assert isinstance(await delivered(worker, resend_desk, other), Sent)


async def test_a_message_that_closes_the_way_again_waits_by_itself(resend_desk: Desk, resend: ResendApi) -> None:
    """It came back to a way that worked for others and was turned away once more: the fault may be its own."""
    worker = resend_desk.deliveries()
    poison, other = await resend_desk.order(), await resend_desk.order()
    resend.then(AWAY)
    assert isinstance(await delivered(worker, resend_desk, poison), Held)
    assert isinstance(await delivered(worker, resend_desk, other, MINUTE), Sent)
    resend.then(AWAY)
    held = await delivered(worker, resend_desk, poison, 2 * MINUTE)
    assert held == Held(until=PLACED + 17 * MINUTE, rule="provider_http_503")
