"""A message whose first channel will not have it: what goes instead, what stays on record, and what a crash does."""

import pytest

from journey.outcomes import Failed, Held, InDoubt, Refused, Sent
from tests.activities.desk import GAPS, MARKETING, SEARCHES, TRANSACTIONAL, Crash, crashed
from tests.activities.street import EMAIL, NUMBER, SMS, Street, suppressed
from tests.support.loopback import REFUSED
from tests.support.providers import PostmarkApi

BY_POSTMARK = pytest.mark.parametrize("mail", ["postmark"], indirect=True)
ONE_AFTER_THE_OTHER = [gap for gap in GAPS if gap not in SEARCHES]


@BY_POSTMARK
@pytest.mark.parametrize("touch", [TRANSACTIONAL, MARKETING])
async def test_a_dead_mail_address_gives_way_to_a_text(street: Street, postmark: PostmarkApi, touch: str) -> None:
    """The refused mail stays as evidence, the text is a row of its own that says why, and the address is dead."""
    street = street.with_touches(EMAIL, SMS)
    order = await street.order()
    postmark.inactive.add(order.person.email or "")
    assert isinstance(await street.once(order, touch), Sent)
    assert await street.story(order) == [("email", "refused", "provider_postmark_406"), ("sms", "sent", None)]
    refused, sent = await street.rows(order)
    assert (refused["provider"], sent["provider"]) == ("postmark", "twilio")
    assert (refused["attempt_class"], sent["attempt_class"]) == (0, 1)
    assert sent["why"] == '{"email": "provider_postmark_406"}'
    assert sent["again"] == 0
    assert (len(street.mails(order)), len(street.texts(order))) == (0, 1)
    (suppressed,) = await street.pool.fetch("SELECT channel, reason FROM suppressions")
    assert tuple(suppressed) == ("email", "bounced")


async def test_a_number_that_said_stop_to_twilio_gives_way_to_a_mail(street: Street) -> None:
    """21610: the number is suppressed for texts, so that the next message does not even try."""
    street = street.with_touches(SMS, EMAIL)
    order = await street.order()
    street.twilio.stopped.add(NUMBER)
    assert isinstance(await street.once(order, TRANSACTIONAL), Sent)
    assert await street.story(order) == [("sms", "refused", "provider_twilio_21610"), ("email", "sent", None)]
    (suppressed,) = await street.pool.fetch("SELECT shop, channel, address, reason FROM suppressions")
    assert tuple(suppressed) == ("acme", "sms", NUMBER, "opted_out")
    asked = len(street.twilio.requests)
    assert isinstance(await street.once(order, MARKETING), Sent)
    assert await street.story(order, MARKETING) == [("email", "sent", None)]
    assert len(street.twilio.requests) == asked


async def test_a_touch_that_does_not_fall_through_ends_there(street: Street) -> None:
    """With `falls_through: false` the refusal is the last word, however often it is asked again."""
    street = street.with_touches(SMS, EMAIL, falls_through=False)
    order = await street.order()
    street.twilio.stopped.add(NUMBER)
    for _ in range(3):
        assert await street.once(order, TRANSACTIONAL) == Refused(rule="provider_twilio_21610")
    assert await street.story(order) == [("sms", "refused", "provider_twilio_21610")]
    assert len(street.twilio.requests) == 1
    assert street.mails(order) == []


async def test_what_every_channel_refused_is_refused_for_good(street: Street) -> None:
    """Each channel is tried once; asking again answers by the same rules and sends nothing."""
    street = street.with_touches(SMS, EMAIL)
    order = await street.order()
    street.twilio.stopped.add(NUMBER)
    street.mail.then(REFUSED)
    said = {"sms": "provider_twilio_21610", "email": "provider_http_422"}
    for _ in range(3):
        assert await street.once(order, TRANSACTIONAL) == Refused(rule=said["sms"], why=said)
    assert await street.story(order) == [(channel, "refused", rule) for channel, rule in said.items()]
    assert (len(street.twilio.requests), len(street.mail.requests)) == (1, 1)
    assert street.mails(order) == []


@pytest.mark.parametrize("touch", [TRANSACTIONAL, MARKETING])
@pytest.mark.parametrize("gap", ONE_AFTER_THE_OTHER)
async def test_a_crash_on_the_second_channel_loses_and_doubles_nothing(street: Street, touch: str, gap: str) -> None:
    """The mail that stands in for a text arrives once, whichever gap of its sending the process died in."""
    street = street.with_touches(SMS, EMAIL)
    order = await street.order()
    street.twilio.stopped.add(NUMBER)
    crash = Crash([gap], spares=0 if gap in {"before_claim", "after_record"} else 1)
    assert isinstance(await street.settle(street.request(order, touch), crash), Sent)
    assert crash.at == []
    assert await street.story(order) == [("sms", "refused", "provider_twilio_21610"), ("email", "sent", None)]
    (arrival,) = street.mails(order)
    assert (await street.rows(order))[1]["message_id"] == arrival.message_id
    assert street.texts(order) == []


@BY_POSTMARK
@pytest.mark.parametrize("touch", [TRANSACTIONAL, MARKETING])
@pytest.mark.parametrize("gap", ONE_AFTER_THE_OTHER)
async def test_a_crash_on_the_way_to_twilio_is_counted(
    street: Street, postmark: PostmarkApi, touch: str, gap: str
) -> None:
    """Nobody can ask Twilio: the transactional text goes once more, counted; the marketing one at most once."""
    street = street.with_touches(EMAIL, SMS)
    order = await street.order()
    postmark.inactive.add(order.person.email or "")
    crash = Crash([gap], spares=0 if gap in {"before_claim", "after_record"} else 1)
    outcome = await street.settle(street.request(order, touch), crash)
    texts, rows = len(street.texts(order)), await street.rows(order)
    assert (rows[0]["channel"], rows[0]["status"], rows[0]["rule"]) == ("email", "refused", "provider_postmark_406")
    assert {row["channel"] for row in rows[1:]} == {"sms"}
    doubtful = gap in {"after_claim", "before_send", "after_send"}
    went = int(gap not in {"after_claim", "before_send"})
    if touch == TRANSACTIONAL:
        assert isinstance(outcome, Sent)
        assert [(row["status"], row["again"]) for row in rows[1:]] == (
            [("in_doubt", 0), ("sent", 1)] if doubtful else [("sent", 0)]
        )
        assert texts == went + doubtful
    else:
        assert isinstance(outcome, InDoubt if doubtful else Sent)
        assert [row["status"] for row in rows[1:]] == (["in_doubt"] if doubtful else ["sent"])
        assert texts == went
    assert street.mails(order) == []


@pytest.mark.parametrize("gap", ["after_claim", "before_send", "after_send"])
async def test_a_crash_on_the_first_channel_does_not_keep_it_from_the_second(street: Street, gap: str) -> None:
    """The text is refused once more, the doubt is left on record, and the mail arrives once."""
    street = street.with_touches(SMS, EMAIL)
    order = await street.order()
    street.twilio.stopped.add(NUMBER)
    assert isinstance(await street.settle(street.request(order, TRANSACTIONAL), Crash([gap])), Sent)
    assert await street.story(order) == [
        ("sms", "in_doubt", "sent_again"),
        ("sms", "refused", "provider_twilio_21610"),
        ("email", "sent", None),
    ]
    assert len(street.mails(order)) == 1


async def test_a_doubt_on_a_channel_that_is_closed_now_is_not_sent_there_again(street: Street) -> None:
    """Out by mail perhaps, then a complaint: the mail's key is not repeated, and the text may go in its stead."""
    street = street.with_touches(EMAIL, SMS)
    for touch, outcome, texts in ((TRANSACTIONAL, Sent, 1), (MARKETING, InDoubt, 0)):
        order = await street.order()
        request = street.request(order, touch)
        await crashed(street, request, Crash(["before_send"]))
        await suppressed(street, EMAIL, order.person.email or "", "bounced")
        assert isinstance(await street.settle(request), outcome)
        assert street.mails(order) == []
        assert len(street.texts(order)) == texts
        assert (await street.story(order))[0][:2] == ("email", "in_doubt")


@pytest.mark.parametrize("touch", [TRANSACTIONAL, MARKETING])
async def test_a_doubt_is_settled_where_it_was_although_another_channel_is_preferred_now(
    street: Street, touch: str
) -> None:
    """Repeating the mail's key is sure to make one message; a text beside it might be the second."""
    street = street.with_touches(EMAIL, SMS)
    order = await street.order()
    request = street.request(order, touch)
    await crashed(street, request, Crash(["after_send"]))
    await street.pool.execute(
        "INSERT INTO preferences (shop, customer_id, channel_preferred, updated_at) VALUES ('acme', $1, 'sms', now())",
        order.person.customer_id,
    )
    assert isinstance(await street.settle(request), Sent)
    assert await street.story(order) == [("email", "sent", None)]
    assert (len(street.mails(order)), street.texts(order)) == (1, [])


# ---- a way by another route ---------------------------------------------------------------------------------


async def test_a_channel_that_is_away_past_the_touchs_patience_gives_way_to_the_next(street: Street) -> None:
    """The mail was waited for as long as it is worth; then the text goes, and the row of the mail says failed."""
    street = street.with_touches(EMAIL, SMS)
    order = await street.order()
    await street.mail.stop()
    request = street.request(order, TRANSACTIONAL)
    last = street.patience(request)
    held = Held(until=last, rule="provider_http_unreachable", waits_for="email")
    assert await street.once(order, TRANSACTIONAL) == held
    assert isinstance(await street.once(order, TRANSACTIONAL, now=last, due=request.due), Sent)
    assert await street.story(order) == [("email", "failed", "provider_http_unreachable"), ("sms", "sent", None)]
    assert len(street.texts(order)) == 1


async def test_where_every_channel_is_away_it_has_failed(street: Street) -> None:
    """Each had its chance at the end of the patience; a touch that does not fall through has one channel."""
    for falls_through, rows in ((True, 2), (False, 1)):
        there = street.with_touches(EMAIL, SMS, falls_through=falls_through)
        order = await there.order()
        await street.mail.stop()
        await street.twilio.stop()
        request = there.request(order, TRANSACTIONAL)
        assert isinstance(await there.once(order, TRANSACTIONAL), Held)
        last = there.patience(request)
        failed = await there.once(order, TRANSACTIONAL, now=last, due=request.due)
        assert isinstance(failed, Failed)
        assert [status for _, status, _ in await there.story(order)] == ["failed"] * rows
        assert await there.once(order, TRANSACTIONAL, now=last, due=request.due) == failed
