"""What a doubt outlives: attempts that come late, keys that are forgotten, rules that change, providers that do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError

from journey.outcomes import DeliverAnswer, DeliverRequest, Held, InDoubt, Refused, Sent
from tests.activities.desk import MARKETING, TRANSACTIONAL, Crash, Desk, at, crashed
from tests.support.loopback import ERROR_AFTER_ACCEPTING, REFUSED, SERVER_ERROR, SILENT, SLOW
from tests.support.loopback import too_many as too_many_requests
from tests.support.orders import Order
from tests.support.providers import PostmarkApi, ResendApi

AT_ONCE_OVER = timedelta()
"""A lease of no length: to its holder, a process that stood still."""
EVENING = timedelta(hours=9, minutes=55)
"""From the order at eleven to five minutes before the quiet hours."""


async def age(desk: Desk, order: Order, hours: int) -> None:
    """Let the database's clock run for the claims of an order."""
    await desk.pool.execute(
        "UPDATE ledger SET claimed_at = claimed_at - make_interval(hours => $2) WHERE order_id = $1",
        order.order_id,
        hours,
    )


async def crash(desk: Desk, request: DeliverRequest, gap: str) -> None:
    """One attempt that dies in a gap."""
    await crashed(desk, request, Crash([gap]))


async def unclear(desk: Desk, request: DeliverRequest) -> str:
    """One attempt that settles nothing; its rule."""
    outcome = (await desk.deliveries().deliver(request)).outcome(now=request.now)
    assert isinstance(outcome, Held)
    assert outcome.doubtful
    return outcome.rule


@asynccontextmanager
async def stuck(
    desk: Desk, request: DeliverRequest, gap: str
) -> AsyncIterator[tuple[asyncio.Task[DeliverAnswer], asyncio.Event]]:
    """An attempt that stands still in a gap until it is let go, while the time of its lease goes by in the tables."""
    there, go = asyncio.Event(), asyncio.Event()

    async def stand() -> None:
        there.set()
        await go.wait()

    task = asyncio.create_task(desk.deliveries(at(gap, stand)).deliver(request))
    arrived = asyncio.create_task(there.wait())
    await asyncio.wait({arrived, task}, return_when=asyncio.FIRST_COMPLETED)
    assert not task.done(), "the attempt never came to that gap"
    await desk.lease_over(request)
    yield task, go
    go.set()


async def test_a_late_attempt_over_smtp_is_a_copy_that_the_ledger_counts(smtp_desk: Desk) -> None:
    """The first attempt sends after the second took over: two copies, two rows, both truly sent."""
    order = await smtp_desk.order()
    request = smtp_desk.request(order, TRANSACTIONAL)
    async with stuck(smtp_desk, request, "before_send") as (late, go):
        assert isinstance((await smtp_desk.deliveries().deliver(request)).outcome(now=request.now), Sent)
        go.set()
        await late
    rows = await smtp_desk.rows(order)
    assert [(row["attempt_class"], row["status"]) for row in rows] == [(0, "sent"), (1, "sent")]
    assert {row["message_id"] for row in rows} == {one.message_id for one in smtp_desk.arrived(order)}


async def test_the_late_word_of_an_attempt_settles_what_was_left_in_doubt(smtp_desk: Desk) -> None:
    """Marketing left in doubt becomes sent when its first attempt lives after all, and arrives once."""
    order = await smtp_desk.order()
    request = smtp_desk.request(order, MARKETING)
    async with stuck(smtp_desk, request, "before_send") as (late, go):
        assert isinstance((await smtp_desk.deliveries().deliver(request)).outcome(now=request.now), InDoubt)
        go.set()
        await late
    assert await smtp_desk.row(order) == ("sent", None)
    assert len(smtp_desk.arrived(order)) == 1


@pytest.mark.parametrize("gap", ["before_send", "after_send"])
async def test_a_late_attempt_with_the_same_key_is_no_second_message(resend_desk: Desk, gap: str) -> None:
    """Both attempts send under one key; one message arrives."""
    order = await resend_desk.order()
    request = resend_desk.request(order, MARKETING)
    async with stuck(resend_desk, request, gap) as (late, go):
        assert isinstance((await resend_desk.deliveries().deliver(request)).outcome(now=request.now), Sent)
        go.set()
        await late
    assert await resend_desk.row(order) == ("sent", None)
    assert len(resend_desk.arrived(order)) == 1


async def test_an_attempt_that_stood_still_does_not_send_behind_a_look_up(postmark_desk: Desk) -> None:
    """A process that wakes up after its message was looked up in vain and sent by another keeps silent."""
    order = await postmark_desk.order()
    request = postmark_desk.request(order, TRANSACTIONAL)
    async with stuck(replace(postmark_desk, lease=AT_ONCE_OVER), request, "before_send") as (late, go):
        assert isinstance((await postmark_desk.deliveries().deliver(request)).outcome(now=request.now), Sent)
        go.set()
        assert (await late).rule == "provider_stood_still"
    assert await postmark_desk.row(order) == ("sent", None)
    assert len(postmark_desk.arrived(order)) == 1


async def test_standing_still_is_no_doubt(smtp_desk: Desk) -> None:
    """Who never sent knows it: the message is free to be claimed again, marketing too."""
    order = await smtp_desk.order()
    request = smtp_desk.request(order, MARKETING)
    answer = await replace(smtp_desk, lease=AT_ONCE_OVER).deliveries().deliver(request)
    assert (answer.rule, answer.doubtful) == ("provider_stood_still", False)
    assert isinstance(await smtp_desk.settle(request), Sent)
    assert len(smtp_desk.arrived(order)) == 1


async def test_two_attempts_at_once_under_one_key_are_one_message(resend_desk: Desk, resend: ResendApi) -> None:
    """`concurrent_idempotent_requests` is a doubt, not a refusal: the next try is answered with the first send."""
    order = await resend_desk.order()
    request = resend_desk.request(order, TRANSACTIONAL)
    resend.then(SLOW)
    first = asyncio.create_task(resend_desk.deliveries().deliver(request))
    await resend.asked.wait()
    with pytest.raises(ApplicationError, match="claimed_by_another_attempt"):
        await resend_desk.deliveries().deliver(request)
    await resend_desk.lease_over(request)
    assert await unclear(resend_desk, request) == "provider_http_409"
    resend.release.set()
    await first
    assert isinstance(await resend_desk.settle(request), Sent)
    assert len(resend_desk.arrived(order)) == 1


async def test_a_text_that_moved_on_is_answered_with_the_first_send(resend_desk: Desk) -> None:
    """A retry whose wording changed (`invalid_idempotent_request`) means that the first was taken."""
    order = await resend_desk.order()
    request = resend_desk.request(order, TRANSACTIONAL)
    await crash(resend_desk, request, "after_send")
    await resend_desk.pool.execute("UPDATE customers SET first_name = 'Augusta'")
    assert isinstance(await resend_desk.settle(request), Sent)
    assert len(resend_desk.arrived(order)) == 1


@pytest.mark.parametrize(("touch", "copies"), [(TRANSACTIONAL, 2), (MARKETING, 1)])
async def test_no_key_is_trusted_longer_than_it_is_kept(
    resend_desk: Desk, resend: ResendApi, touch: str, copies: int
) -> None:
    """A day later a repeated key would send again, so the doubt is settled as over plain SMTP.

    Retries in between, turned away or unclear, neither renew the key's age nor forget the doubt.
    """
    order = await resend_desk.order()
    request = resend_desk.request(order, touch)
    resend.then(ERROR_AFTER_ACCEPTING, too_many_requests(1), SERVER_ERROR)
    assert await unclear(resend_desk, request) == "provider_http_500"
    await age(resend_desk, order, 10)
    assert await unclear(resend_desk, request) == "provider_http_429"
    await age(resend_desk, order, 10)
    assert await unclear(resend_desk, request) == "provider_http_500"
    await age(resend_desk, order, 4)
    resend.forget_keys()
    outcome = await resend_desk.settle(request)
    assert isinstance(outcome, Sent if copies == 2 else InDoubt)
    assert len(resend_desk.arrived(order)) == copies
    assert len(await resend_desk.rows(order)) == copies


async def test_a_refusal_after_a_doubt_is_still_a_doubt(resend_desk: Desk, resend: ResendApi) -> None:
    """The second try was refused; the first may have arrived, and the ledger does not claim otherwise."""
    order = await resend_desk.order()
    request = resend_desk.request(order, TRANSACTIONAL)
    resend.then(SILENT, REFUSED)
    assert await unclear(resend_desk, request) == "provider_http_no_answer"
    assert await resend_desk.settle(request) == InDoubt(rule="provider_http_422")
    assert await resend_desk.row(order) == ("in_doubt", "provider_http_422")


async def test_a_look_up_waits_until_the_log_has_caught_up(postmark_desk: Desk, postmark: PostmarkApi) -> None:
    """Asked at once, the search does not know yet what was taken; believing it would send twice."""
    postmark.lag = 0.3
    provider = postmark.provider(settles_after=timedelta(seconds=0.6))
    desk = Desk(postmark_desk.pool, provider, postmark, postmark_desk.templates, postmark_desk.playbook)
    order = await desk.order()
    request = desk.request(order, TRANSACTIONAL)
    await crash(desk, request, "after_send")
    assert await unclear(desk, request) == "provider_log_not_settled"
    await asyncio.sleep(0.35)
    assert isinstance((await desk.deliveries().deliver(request)).outcome(now=request.now), Sent)
    assert len(desk.arrived(order)) == 1
    await provider.aclose()


@pytest.mark.parametrize("touch", [TRANSACTIONAL, MARKETING])
async def test_while_the_search_is_away_the_doubt_waits(postmark_desk: Desk, postmark: PostmarkApi, touch: str) -> None:
    """The row is held with its claim, counts as perhaps sent, and is settled when the search is back."""
    order = await postmark_desk.order()
    request = postmark_desk.request(order, touch)
    await crash(postmark_desk, request, "after_send")
    postmark.search = 500
    assert await unclear(postmark_desk, request) == "provider_lookup_unavailable"
    (row,) = await postmark_desk.rows(order)
    assert (row["status"], row["rule"]) == ("held", "provider_lookup_unavailable")
    assert row["claim"] is not None
    postmark.search = 200
    assert isinstance(await postmark_desk.settle(request), Sent)
    assert len(postmark_desk.arrived(order)) == 1


async def test_a_search_that_stays_away_ends_in_doubt(postmark_desk: Desk, postmark: PostmarkApi) -> None:
    """Beyond the touch's patience the journey goes on, and the row says what is not known."""
    order = await postmark_desk.order()
    request = postmark_desk.request(order, TRANSACTIONAL)
    await crash(postmark_desk, request, "after_send")
    postmark.search = 500
    assert await unclear(postmark_desk, request) == "provider_lookup_unavailable"
    later = request.but(now=postmark_desk.patience(request))
    assert (await postmark_desk.deliveries().deliver(later)).outcome(now=request.now) == InDoubt(
        rule="provider_lookup_unavailable"
    )
    assert await postmark_desk.row(order) == ("in_doubt", "provider_lookup_unavailable")


async def test_quiet_hours_that_began_since_the_crash_are_kept(
    postmark_desk: Desk, resend_desk: Desk, smtp_desk: Desk
) -> None:
    """What surely did not go waits for the morning; what may have gone waits too, or stays in doubt."""
    for desk, doubtful in ((postmark_desk, False), (resend_desk, True)):
        order = await desk.order()
        request = desk.request(order, MARKETING, after=EVENING)
        await crash(desk, request, "after_claim")
        held = (await desk.deliveries().deliver(request.but(now=request.now + timedelta(minutes=10)))).outcome(
            now=request.now
        )
        assert isinstance(held, Held)
        assert held.rule == "quiet_hours"
        (row,) = await desk.rows(order)
        assert row["status"] == "held"
        assert (row["claim"] is not None) is doubtful
        assert isinstance((await desk.deliveries().deliver(request.but(now=held.until))).outcome(now=request.now), Sent)
        assert len(desk.arrived(order)) == 1
    order = await smtp_desk.order()
    request = smtp_desk.request(order, MARKETING, after=EVENING)
    await crash(smtp_desk, request, "after_claim")
    assert isinstance(await smtp_desk.settle(request.but(now=request.now + timedelta(minutes=10))), InDoubt)


async def test_consent_withdrawn_since_the_crash_is_kept(postmark_desk: Desk, resend_desk: Desk) -> None:
    """Who opted out in between gets nothing more, and the row says as much as is known."""
    for desk, expected in (
        (postmark_desk, Refused(rule="no_consent")),
        (resend_desk, InDoubt(rule="crash_between_send_and_record")),
    ):
        order = await desk.order()
        request = desk.request(order, MARKETING)
        await crash(desk, request, "after_claim")
        await desk.pool.execute("UPDATE consents SET granted = false WHERE customer_id = $1", order.person.customer_id)
        assert await desk.settle(request) == expected
        assert await desk.row(order) == (expected.status, expected.rule)
        assert desk.arrived(order) == []


async def test_another_provider_knows_nothing_of_an_old_doubt(
    smtp_desk: Desk, resend_desk: Desk, postmark_desk: Desk
) -> None:
    """After a change of provider neither its keys nor its search can settle what the one before was given."""
    for desk in (resend_desk, postmark_desk):
        order = await smtp_desk.order()
        request = smtp_desk.request(order, MARKETING)
        await crash(smtp_desk, request, "after_send")
        assert isinstance(await desk.settle(request), InDoubt)
        assert desk.arrived(order) == []
        order = await smtp_desk.order()
        request = smtp_desk.request(order, TRANSACTIONAL)
        await crash(smtp_desk, request, "after_send")
        assert isinstance(await desk.settle(request), Sent)
        rows = await desk.rows(order)
        assert [(row["status"], row["provider"]) for row in rows] == [
            ("in_doubt", "smtp"),
            ("sent", desk.provider.name),
        ]
