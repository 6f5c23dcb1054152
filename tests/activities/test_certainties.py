"""What an attempt knows for certain is written down, through failures of its own and of the database."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx
import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.attempt import SOON, domain_now
from activities.messaging.email.resend import Resend
from activities.messaging.protocol import Busy, Mail
from journey.outcomes import DeliverRequest, Failed, Held, Outcome, Sent
from journey.playbook import load_playbook
from tests.activities.desk import MARKETING, TRANSACTIONAL, Desk, at
from workers.mail_catcher import MailCatcher


async def failing(desk: Desk, request: DeliverRequest) -> ApplicationError:
    """One attempt that fails."""
    with pytest.raises(ApplicationError) as raised:
        await desk.deliveries().deliver(request)
    return raised.value


async def hidden(desk: Desk, table: str) -> None:
    """Take a table away, as a migration gone wrong does."""
    await desk.pool.execute(f"ALTER TABLE {table} RENAME TO {table}_away")


async def found(desk: Desk, table: str) -> None:
    """Put it back."""
    await desk.pool.execute(f"ALTER TABLE {table}_away RENAME TO {table}")


@pytest.mark.parametrize("touch", [MARKETING, TRANSACTIONAL])
async def test_a_failure_before_the_send_leaves_no_doubt(smtp_desk: Desk, touch: str) -> None:
    """Three attempts that could not even write the message cost nothing: it goes then, once, as itself."""
    order = await smtp_desk.order()
    request = smtp_desk.request(order, touch)
    await hidden(smtp_desk, "lines")
    for _ in range(3):
        await failing(smtp_desk, request)
        (row,) = await smtp_desk.rows(order)
        assert (row["status"], row["rule"], row["claim"]) == ("held", "attempt_failed", None)
    await found(smtp_desk, "lines")
    assert isinstance(await smtp_desk.settle(request), Sent)
    assert len(smtp_desk.arrived(order)) == 1
    assert [row["attempt_class"] for row in await smtp_desk.rows(order)] == [0]


async def test_a_worker_that_shuts_down_before_the_send_leaves_no_doubt(smtp_desk: Desk) -> None:
    """An attempt cancelled while it reads the order gives its claim back."""
    order = await smtp_desk.order()
    request = smtp_desk.request(order, MARKETING)
    async with smtp_desk.pool.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        await other.execute("LOCK TABLE lines IN ACCESS EXCLUSIVE MODE")
        claimed = asyncio.Event()

        async def tell() -> None:
            claimed.set()

        attempt = asyncio.create_task(smtp_desk.deliveries(at("after_claim", tell)).deliver(request))
        await claimed.wait()
        await asyncio.sleep(0.2)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
        await transaction.rollback()
    assert await smtp_desk.row(order) == ("held", "attempt_stopped")
    assert isinstance(await smtp_desk.settle(request), Sent)


async def test_what_was_sent_is_written_down_once_the_database_is_well_again(smtp_desk: Desk) -> None:
    """A database that fails for a moment after the send is waited for within the attempt."""
    order = await smtp_desk.order()

    async def well_again() -> None:
        await asyncio.sleep(0.3)
        await found(smtp_desk, "ledger")

    tasks = []

    async def fail() -> None:
        await hidden(smtp_desk, "ledger")
        tasks.append(asyncio.create_task(well_again()))

    answer = await smtp_desk.deliveries(at("after_send", fail)).deliver(smtp_desk.request(order, MARKETING))
    assert isinstance(answer.outcome(now=order.placed_at), Sent)
    assert await smtp_desk.row(order) == ("sent", None)
    assert len(smtp_desk.arrived(order)) == 1


async def test_an_error_of_the_database_is_let_out_by_its_type_alone(smtp_desk: Desk) -> None:
    """What the database says may quote a customer, and a history keeps what it is told."""
    order = await smtp_desk.order()
    await smtp_desk.pool.execute("ALTER TABLE ledger ADD CHECK (customer_id IS NULL) NOT VALID")
    error = await failing(smtp_desk, smtp_desk.request(order, TRANSACTIONAL))
    assert (error.message, error.type, error.non_retryable) == ("CheckViolationError", "Database", False)
    assert error.__cause__ is None
    assert error.details == ()


async def test_a_touch_without_its_template_waits_for_it_and_fails_in_the_end(smtp_desk: Desk) -> None:
    """A worker that does not know a template yet holds the touch; a newer one sends it, within its patience."""
    text = smtp_desk.playbook.compact.replace('"template":"order_confirmation"', '"template":"not_here"')
    newer = replace(smtp_desk, playbook=load_playbook(text))
    order = await newer.order()
    request = newer.request(order, TRANSACTIONAL)
    held = (await newer.deliveries().deliver(request)).outcome(now=request.now)
    assert held == Held(until=request.now + timedelta(minutes=15), rule="template_error")
    knowing = replace(newer, playbook=smtp_desk.playbook)
    sent = await knowing.settle(request.but(playbook=knowing.playbook.digest, now=held.until))
    assert isinstance(sent, Sent)
    lost = await newer.order()
    assert await newer.settle(newer.request(lost, TRANSACTIONAL)) == Failed(rule="template_error")


async def test_patience_begins_when_a_touch_is_asked_for_first(smtp_desk: Desk, catcher: MailCatcher) -> None:
    """A touch that was late already is not given up at the first busy answer; its patience then ends as always."""
    order = await smtp_desk.order()
    patience = smtp_desk.playbook.by_id[TRANSACTIONAL].patience
    due = smtp_desk.request(order, TRANSACTIONAL)
    late = due.but(now=due.due + patience + timedelta(hours=1))
    catcher.behaviour = lambda _mail: "450 4.2.0 greylisted"
    assert await attempt(smtp_desk, late) == Held(until=late.now + SOON, rule="provider_smtp_450")
    assert await smtp_desk.row(order) == ("held", "provider_smtp_450")
    almost = await attempt(smtp_desk, late.but(now=late.now + patience - timedelta(hours=7)))
    assert isinstance(almost, Held)
    assert await attempt(smtp_desk, late.but(now=late.now + patience)) == Failed(rule="provider_smtp_450")


async def attempt(desk: Desk, request: DeliverRequest) -> Outcome:
    """One attempt that settles it for now."""
    return (await desk.deliveries().deliver(request)).outcome(now=request.now)


async def test_the_clock_of_an_attempt_is_when_a_worker_took_it() -> None:
    """An attempt that nobody took for days knows of them."""
    scheduled = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    here = ActivityEnvironment()
    here.info = replace(here.info, current_attempt_scheduled_time=scheduled, started_time=scheduled + timedelta(days=3))
    assert here.run(domain_now, None) == scheduled + timedelta(days=3)


@pytest.mark.parametrize(
    ("status", "name"),
    [(404, "not_found"), (405, "method_not_allowed"), (422, "invalid_from_address"), (422, "invalid_access")],
)
async def test_a_fault_of_ours_at_resend_is_waited_out(status: int, name: str) -> None:
    """A wrong URL or a sender that is not set up is ours to mend, and blames no message."""
    answer = json.dumps({"name": name}).encode()
    transport = httpx.MockTransport(lambda _request: httpx.Response(status, stream=httpx.ByteStream(answer)))
    provider = Resend(urlsplit("resend://re_test@127.0.0.1"), transport=transport)
    mail = Mail("k", "<1@s.test>", "shop@s.test", "Shop", "ada@example.com", "shop@s.test", "Hi", "<p>Hi</p>", "Hi")
    assert await provider.send(mail) == Busy(f"http_{status}")
    await provider.aclose()
