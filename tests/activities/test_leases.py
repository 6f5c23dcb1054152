"""A claim stands while its holder is alive and at work, and nothing is begun under one that may be over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from temporalio.exceptions import ApplicationError

from activities.lease import Lease
from activities.messaging.email.smtp import Smtp
from activities.messaging.pace import Paced
from activities.messaging.senders import Senders
from journey.base import TouchKey
from journey.intervals import BEAT, LEASE
from journey.outcomes import DeliverAnswer, PassedOver, Sent
from store.claims import Claim
from store.ledger import Ledger
from store.pool import Pool
from tests.activities.desk import MARKETING, TRANSACTIONAL, Crash, Desk, at, crashed
from tests.store.books import CONFIRMATION, Books
from workers.mail_catcher import AnswerLate, MailCatcher

SHORT = BEAT + timedelta(seconds=1)
"""A lease that needs to be renewed within a test."""
SLOW = 2 * SHORT.total_seconds()
"""How long the relay takes over its last word: several leases, if none were renewed."""


class Clock:
    """A monotonic clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def books(pool: Pool, playbook) -> Books:
    return Books(pool, playbook)


@pytest.fixture
def slow(smtp_desk: Desk, catcher: MailCatcher) -> Desk:
    """A relay that takes the message and then thinks for longer than a lease lasts."""
    catcher.behaviour = thoughtful
    provider = Smtp(urlsplit(catcher.url), timeout=10, answer_timeout=60)
    return replace(smtp_desk, provider=provider, lease=SHORT)


def thoughtful(_mail: object) -> None:
    raise AnswerLate(SLOW)


@asynccontextmanager
async def handing_over(desk: Desk, request) -> AsyncIterator[asyncio.Task[DeliverAnswer]]:
    """An attempt that is handing its message over, and has done so for longer than its lease was."""
    begun = asyncio.Event()

    async def begin() -> None:
        begun.set()

    task = asyncio.create_task(desk.deliveries(at("before_send", begin)).deliver(request))
    await begun.wait()
    await asyncio.sleep(SHORT.total_seconds() + 0.5)
    assert not task.done()
    yield task
    await task


@pytest.mark.parametrize("touch", [TRANSACTIONAL, MARKETING])
async def test_a_message_that_is_being_handed_over_is_no_ones_doubt(slow: Desk, touch: str) -> None:
    """However slow the relay is: another attempt, and whoever asks what became of it, are told to come later."""
    order = await slow.order()
    request = slow.request(order, touch)
    async with handing_over(slow, request) as first:
        for ask in (slow.deliveries().deliver, slow.found_out):
            with pytest.raises(ApplicationError, match="claimed_by_another_attempt") as raised:
                await ask(request)
            assert raised.value.next_retry_delay is not None
            assert timedelta() < raised.value.next_retry_delay <= SHORT
    assert isinstance(first.result().outcome(now=request.now), Sent)
    assert (await slow.found_out(request)).status == "sent"
    assert len(slow.arrived(order)) == 1
    assert [row["status"] for row in await slow.rows(order)] == ["sent"]


async def test_a_message_whose_turn_comes_after_its_lease_is_not_sent(smtp_desk: Desk, catcher: MailCatcher) -> None:
    """A provider's rate may keep it waiting, and in that time a process may stand still."""
    paced = Paced(Smtp(urlsplit(catcher.url), timeout=10), 1)
    desk = replace(smtp_desk, senders=Senders.of(paced), lease=timedelta(seconds=0.5))
    orders = [await desk.order() for _ in range(2)]
    worker = desk.deliveries()
    answers = await asyncio.gather(*(worker.deliver(desk.request(order, MARKETING)) for order in orders))
    assert sorted(answer.rule or "sent" for answer in answers) == ["provider_stood_still", "sent"]
    assert sum(len(desk.arrived(order)) for order in orders) == 1


async def test_a_lease_ends_here_before_it_ends_in_the_tables(books: Books) -> None:
    """It is measured from before the statement that claims; renewed, it begins anew."""
    order, clock = await books.order(), Clock()
    lease = Lease(books.ledger, clock=clock)
    assert not lease.is_live()
    lease.begin()
    clock.now += 3
    claim = await books.ask(order, CONFIRMATION)
    assert isinstance(claim, Claim)
    lease.take(claim)
    assert lease.is_live()
    clock.now += LEASE.total_seconds() - 3
    assert not lease.is_live()
    rest = await books.pool.fetchval("SELECT lease_until - clock_timestamp() FROM ledger")
    assert LEASE - timedelta(seconds=3) < rest <= LEASE
    await lease.renew()
    assert lease.is_live()
    lease.give_up()
    assert not lease.is_live()


async def test_a_lease_that_cannot_be_renewed_runs_out(books: Books) -> None:
    """With the database away the process knows no better than anybody; another's claim ends it at once."""
    order, clock = await books.order(), Clock()
    lease = Lease(books.ledger, clock=clock)
    lease.begin()
    claim = await books.ask(order, CONFIRMATION)
    assert isinstance(claim, Claim)
    lease.take(claim)
    await books.pool.execute("ALTER TABLE ledger RENAME TO ledger_away")
    await lease.renew()
    assert lease.is_live()
    clock.now += LEASE.total_seconds()
    await lease.renew()
    assert not lease.is_live()
    await books.pool.execute("ALTER TABLE ledger_away RENAME TO ledger")
    await lease.renew()
    assert lease.is_live()
    await books.pool.execute("UPDATE ledger SET claim = gen_random_uuid()")
    await lease.renew()
    assert not lease.is_live()


async def test_a_claim_of_the_version_before_has_no_lease(books: Books) -> None:
    """Its row is in doubt at once, as it was for that version."""
    order = await books.order()
    assert isinstance(await books.ask(order, CONFIRMATION), Claim)
    await books.pool.execute("UPDATE ledger SET lease_until = NULL, claimed_at = now() - interval '1 hour'")
    row = await Ledger(books.pool, domain="shop.test").latest("acme", order.order_id, CONFIRMATION)
    assert row is not None
    assert row.claim is not None
    assert row.rest == timedelta()
    assert row.quiet >= timedelta(hours=1)


async def test_a_lease_that_is_over_is_not_renewed(smtp_desk: Desk) -> None:
    """An attempt that stood still past its lease may not begin a hand-over: its doubt may be being settled."""
    order = await smtp_desk.order()
    request = smtp_desk.request(order, TRANSACTIONAL)
    await crashed(smtp_desk, request, Crash(["before_send"]))
    ledger = Ledger(smtp_desk.pool, domain="shop.test")
    row = await ledger.latest(request.shop, request.order_id, request.key)
    assert row is not None
    assert row.claim is not None
    await smtp_desk.pool.execute("UPDATE ledger SET lease_until = clock_timestamp() - interval '1 second'")
    assert not await ledger.renew(row.claim)


async def test_an_older_refusal_is_no_answer_of_a_lost_attempt(smtp_desk: Desk) -> None:
    """A message that was passed over, is wanted again and loses its attempt is decided on anew, and goes."""
    order = await smtp_desk.order()
    over = (PassedOver(key=TouchKey(TRANSACTIONAL), rule="averted"),)
    await smtp_desk.deliveries().deliver(smtp_desk.request(order, MARKETING).but(passed_over=over))
    request = smtp_desk.request(order, TRANSACTIONAL)
    await crashed(smtp_desk, request, Crash(["before_claim"]))
    found = await smtp_desk.found_out(request)
    assert (found.status, found.rule) == ("held", "attempt_lost")
    assert (await smtp_desk.deliveries().deliver(request)).status == "sent"
