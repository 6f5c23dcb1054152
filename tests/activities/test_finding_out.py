"""What became of an attempt that gave no answer, in each gap and by each kind of provider, and what is done then."""

from dataclasses import replace
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError

from journey.base import TouchKey
from journey.intervals import LEASE
from journey.outcomes import DeliverAnswer, Failed, Held, InDoubt, PassedOver, Refused, Sent
from journey.playbook import Caps, Playbook
from store.ledger import CRASHED
from tests.activities.desk import MARKETING, PLACED, TRANSACTIONAL, Crash, Desk, KilledError, crashed
from tests.activities.street import EMAIL, NUMBER, SMS, Street
from tests.activities.test_going_along import TOLD, both, said, two_parcels
from tests.support.loopback import REFUSED, Misdeed
from tests.support.providers import PostmarkApi, ResendApi

LOST = DeliverAnswer(status="held", until=PLACED, rule="attempt_lost")
NEVER = DeliverAnswer(status="held", until=PLACED, rule="never_went_out")
DOUBTFUL = DeliverAnswer(status="held", until=PLACED, rule=CRASHED, doubtful=True)
SENT = DeliverAnswer(status="sent")
SAID = {
    ("before_claim", "any"): LOST,
    ("after_claim", "postmark"): NEVER,
    ("after_claim", "any"): DOUBTFUL,
    ("before_send", "postmark"): NEVER,
    ("before_send", "any"): DOUBTFUL,
    ("after_send", "postmark"): SENT,
    ("after_send", "any"): DOUBTFUL,
    ("after_record", "any"): SENT,
}


@pytest.mark.parametrize("touch", [TRANSACTIONAL, MARKETING])
@pytest.mark.parametrize("gap", ["before_claim", "after_claim", "before_send", "after_send", "after_record"])
async def test_what_is_said_of_an_attempt_that_died(desk: Desk, touch: str, gap: str) -> None:
    """The ledger's word, or the provider's; what neither knows is a doubt that stays with its row."""
    order = await desk.order()
    request = desk.request(order, touch)
    await crashed(desk, request, Crash([gap]))
    expected = SAID.get((gap, desk.provider.name)) or SAID[gap, "any"]
    for _ in range(2):
        assert await desk.found_out(request) == expected
    if expected.doubtful:
        (row,) = await desk.rows(order)
        assert row["status"] == "held"
        assert row["claim"] is not None


async def test_a_row_that_says_why_is_repeated(resend_desk: Desk, resend: ResendApi) -> None:
    """Refused, failed, held until a time or for a way: as the attempt would have answered."""
    desk = resend_desk
    order = await desk.order()
    request = desk.request(order, TRANSACTIONAL)
    resend.always = Misdeed(status=503)
    held = Held(until=desk.patience(request), rule="provider_http_503", waits_for="email")
    assert (await desk.deliveries().deliver(request)).outcome(now=PLACED) == held
    assert (await desk.found_out(request)).outcome(now=PLACED) == held
    late = request.but(now=held.until)
    assert (await desk.deliveries().deliver(late)).outcome(now=PLACED) == Failed(rule="provider_http_503")
    assert (await desk.found_out(late)).outcome(now=PLACED) == Failed(rule="provider_http_503")
    night = desk.request(order, MARKETING, after=timedelta(hours=12))
    asleep = (await desk.deliveries().deliver(night)).outcome(now=PLACED)
    assert isinstance(asleep, Held)
    assert (await desk.found_out(night)).outcome(now=PLACED) == asleep


async def test_while_the_attempt_may_be_alive_nothing_is_said(desk: Desk) -> None:
    """The error asks for another try when the lease is over, and nothing about the row has changed."""
    order = await desk.order()
    request = desk.request(order, TRANSACTIONAL)
    with pytest.raises(KilledError):
        await desk.deliveries(Crash(["after_send"])).deliver(request)
    with pytest.raises(ApplicationError, match="claimed_by_another_attempt") as raised:
        await desk.found_out(request)
    assert raised.value.next_retry_delay is not None
    assert LEASE - timedelta(seconds=5) < raised.value.next_retry_delay <= LEASE
    assert await desk.row(order) == ("claimed", None)


async def test_a_search_that_lags_behind_is_waited_for(postmark_desk: Desk, postmark: PostmarkApi) -> None:
    """Believed too early it would send twice; its time begins when the attempt was last known to be alive."""
    provider = postmark.provider(settles_after=timedelta(minutes=1))
    desk = replace(postmark_desk, provider=provider)
    postmark.lag = 3600
    order = await desk.order()
    request = desk.request(order, TRANSACTIONAL)
    await crashed(desk, request, Crash(["after_send"]))
    await desk.pool.execute("UPDATE ledger SET claimed_at = now() - interval '1 hour'")
    with pytest.raises(ApplicationError, match="provider_log_not_settled") as raised:
        await desk.found_out(request)
    assert raised.value.next_retry_delay is not None
    assert timedelta(seconds=50) < raised.value.next_retry_delay <= timedelta(minutes=1)
    await provider.aclose()


async def test_a_search_that_is_away_leaves_the_doubt(postmark_desk: Desk, postmark: PostmarkApi) -> None:
    """The journey is not kept by it: the next attempt asks again."""
    order = await postmark_desk.order()
    request = postmark_desk.request(order, MARKETING)
    await crashed(postmark_desk, request, Crash(["after_send"]))
    postmark.search = 500
    assert await postmark_desk.found_out(request) == DOUBTFUL
    postmark.search = 200
    assert await postmark_desk.settle(request) == Sent(at=PLACED)
    assert len(postmark_desk.arrived(order)) == 1


@pytest.mark.parametrize("by", ["passed over", "closed"])
@pytest.mark.parametrize("touch", [TRANSACTIONAL, MARKETING])
async def test_a_doubt_that_is_not_wanted_any_more_ends_in_doubt(desk: Desk, touch: str, by: str) -> None:
    """The journey passes the touch over, or ends: the row says that it may have gone, and nothing goes again."""
    order = await desk.order()
    request = desk.request(order, touch)
    await crashed(desk, request, Crash(["before_send"]))
    if desk.provider.name != "postmark":
        assert (await desk.found_out(request)).doubtful
    over = (PassedOver(key=TouchKey(touch), rule="ended_by_parcel_delivered"),)
    if by == "closed":
        ledger = desk.deliveries()._parts.ledger
        await ledger.close(order.shop, order.order_id, over, desk.playbook, now=PLACED, why="done")
    else:
        await desk.deliveries().deliver(desk.request(order, "care").but(passed_over=over))
    (row,) = [row for row in await desk.rows(order) if row["touch_key"] == touch]
    assert (row["status"], row["rule"]) == ("in_doubt", "ended_by_parcel_delivered")
    assert (await desk.found_out(request)).status == "in_doubt"
    assert [one for one in desk.arrived(order) if one.touch == touch] == []


async def test_an_attempt_that_is_alive_is_not_passed_over(smtp_desk: Desk) -> None:
    """Its claim is its own to settle: the row waits for its word."""
    order = await smtp_desk.order()
    request = smtp_desk.request(order, TRANSACTIONAL)
    with pytest.raises(KilledError):
        await smtp_desk.deliveries(Crash(["before_send"])).deliver(request)
    over = (PassedOver(key=TouchKey(TRANSACTIONAL), rule="ended_by_parcel_delivered"),)
    await smtp_desk.deliveries().deliver(smtp_desk.request(order, "care").but(passed_over=over))
    assert (await said(smtp_desk, order))[TRANSACTIONAL] == ("claimed", None)


@pytest.mark.parametrize(("gap", "rows"), [("after_send", ("sent", "merged")), ("after_record", ("sent", "merged"))])
async def test_what_was_to_go_along_shares_the_fate_that_is_found(
    postmark_desk: Desk, gap: str, rows: tuple[str, str]
) -> None:
    """Found sent, the message took the other parcel's along, and its row says so."""
    order = await two_parcels(postmark_desk)
    request = both(postmark_desk, order)
    await crashed(postmark_desk, request, Crash([gap]))
    assert await postmark_desk.found_out(request) == SENT
    assert await said(postmark_desk, order) == dict(zip(TOLD, [(rows[0], None), ("refused", rows[1])], strict=True))


async def test_what_is_held_takes_nothing_along_yet(smtp_desk: Desk) -> None:
    """While the doubt stands, the other parcel's message is not settled."""
    order = await two_parcels(smtp_desk)
    request = both(smtp_desk, order)
    await crashed(smtp_desk, request, Crash(["after_send"]))
    assert await smtp_desk.found_out(request) == DOUBTFUL
    assert set(await said(smtp_desk, order)) == {TOLD[0]}


async def test_an_attempt_that_died_on_its_way_to_the_next_channel_goes_on_there(street: Street) -> None:
    """The refusal on record is not the message's end while another channel is left; where none is, it is."""
    street = street.with_touches(SMS, EMAIL)
    order = await street.order()
    street.twilio.stopped.add(NUMBER)
    request = street.request(order, TRANSACTIONAL)
    await crashed(street, request, Crash(["after_claim"], spares=1))
    await street.pool.execute("DELETE FROM ledger WHERE attempt_class = 1")
    assert (await street.found_out(request)).rule == "attempt_lost"
    assert isinstance(await street.settle(request), Sent)
    alone = street.with_touches(EMAIL)
    order = await alone.order()
    street.mail.then(REFUSED)
    assert await alone.once(order, TRANSACTIONAL) == Refused(rule="provider_http_422")
    found = await alone.found_out(alone.request(order, TRANSACTIONAL))
    assert found.outcome(now=PLACED) == Refused(rule="provider_http_422")


async def test_while_the_database_is_away_it_asks_ever_more_rarely(smtp_desk: Desk) -> None:
    """All journeys of a worker share the pace; the error names its type and nothing of a row."""
    order = await smtp_desk.order()
    request = smtp_desk.request(order, TRANSACTIONAL)
    worker, delays = smtp_desk.deliveries(), []
    await smtp_desk.pool.execute("ALTER TABLE ledger RENAME TO ledger_away")
    for after in (timedelta(), timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=5)):
        with pytest.raises(ApplicationError) as raised:
            await smtp_desk.found_out(request.but(now=PLACED + after), worker=worker)
        assert (raised.value.type, raised.value.message) == ("Database", "UndefinedTableError")
        delays.append(raised.value.next_retry_delay)
    least = [timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=5), timedelta(minutes=15)]
    assert all(least <= delay <= 1.6 * least for least, delay in zip(least, delays, strict=True))
    await smtp_desk.pool.execute("ALTER TABLE ledger_away RENAME TO ledger")
    assert await smtp_desk.found_out(request, worker=worker) == LOST


# ---- a doubt that meets a hold ------------------------------------------------------------------------------


async def test_a_doubt_that_meets_a_cap_waits_and_goes_again(smtp_desk: Desk) -> None:
    """A transactional message that nobody can ask about is not given up because the day is full."""
    contact = smtp_desk.playbook.contact.but(transactional=Caps(per_day=1))
    rules = Playbook.model_validate(smtp_desk.playbook.model_dump() | {"contact": contact})
    desk = replace(smtp_desk, playbook=rules)
    order = await desk.order()
    request = desk.request(order, TRANSACTIONAL)
    await crashed(desk, request, Crash(["before_send"]))
    other = await desk.order(person=order.person)
    assert isinstance(await smtp_desk.settle(smtp_desk.request(other, "care")), Sent)
    held = (await desk.deliveries().deliver(request)).outcome(now=PLACED)
    assert isinstance(held, Held)
    assert (held.rule, held.doubtful) == ("cap_per_day", True)
    (row,) = await desk.rows(order)
    assert (row["status"], row["rule"]) == ("held", "cap_per_day")
    assert row["claim"] is not None
    assert isinstance(await desk.settle(request.but(now=held.until)), Sent)
    assert [row["status"] for row in await desk.rows(order)] == ["in_doubt", "sent"]


async def test_a_doubt_that_meets_a_provider_that_is_away_waits_for_it(smtp_desk: Desk, catcher) -> None:
    """Its way is closed: it stays a doubt until the way is open, without a request; marketing is not repeated."""
    first, second = await smtp_desk.order(), await smtp_desk.order()
    request = smtp_desk.request(first, TRANSACTIONAL)
    await crashed(smtp_desk, request, Crash(["before_send"]))
    worker = smtp_desk.deliveries()
    await catcher.stop()
    assert (await worker.deliver(smtp_desk.request(second, "care"))).waits_for == "email"
    held = (await worker.deliver(request)).outcome(now=PLACED)
    assert held == Held(
        until=smtp_desk.patience(request), rule="provider_smtp_unreachable", waits_for="email", doubtful=True
    )
    assert [row["attempt_class"] for row in await smtp_desk.rows(first)] == [0]
    await catcher.start()
    assert isinstance(await smtp_desk.settle(request.but(now=PLACED + timedelta(hours=1))), Sent)
    third = await smtp_desk.order()
    request = smtp_desk.request(third, MARKETING)
    await crashed(smtp_desk, request, Crash(["before_send"]))
    assert await smtp_desk.settle(request) == InDoubt(rule=CRASHED)
