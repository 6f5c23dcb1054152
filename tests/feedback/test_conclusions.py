"""The whole way: a vendor's signed webhook over HTTP, into PostgreSQL, and what follows from it there."""

from datetime import timedelta

import pytest

from starters.dispatch import dispatch
from store import feedback, inbox
from tests.feedback import payloads, signers
from tests.feedback.payloads import ADDRESS, APPLE, AT, PHONE

EMAIL = ("acme", "email", ADDRESS)


def sent(feed, provider, *words, **more):
    """One event of an e-mail provider, as it comes."""
    event = getattr(payloads, provider)(*words, **more)
    make = feed.sns if provider == "ses" else getattr(signers, provider)
    return make([event] if provider == "sendgrid" else event)


@pytest.mark.parametrize(
    ("provider", "bounce", "complaint", "answer"),
    [
        ("resend", "bounced", "complained", 202),
        ("sendgrid", "bounce", "spamreport", 202),
        ("postmark", "Bounce:HardBounce", "SpamComplaint", 200),
        ("mailgun", "failed:permanent", "complained", 200),
        ("ses", "Bounce", "Complaint", 202),
    ],
)
async def test_a_complaint_and_a_bounce_suppress_the_address(feed, provider, bounce, complaint, answer):
    """Each mail provider finds its message by our key; a complaint suppresses, and a bounce overrules it."""
    keys = [await feed.message(touch) for touch in ("welcome", "check_in")]
    assert await feed.send(sent(feed, provider, complaint, key=keys[0])) == answer
    assert await feed.suppressions() == {EMAIL: "complained"}
    await feed.send(sent(feed, provider, bounce, key=keys[1], address="ADA@example.com", at=AT + timedelta(hours=1)))
    assert await feed.suppressions() == {EMAIL: "bounced"}
    assert await feed.events() == [("complained", False), ("bounced", False)]
    assert await feed.inbox() == [("dispatched", None)] * 2


@pytest.mark.parametrize("status", ["in_doubt", "claimed"])
async def test_any_word_of_a_provider_settles_a_doubt(feed, status):
    """A message nobody knew the end of is out when its provider speaks of it; its own time stays."""
    key = await feed.message(status=status)
    await feed.send(signers.sendgrid([payloads.sendgrid("delivered", key=key)]))
    (row,) = await feed.pool.fetch("SELECT * FROM ledger")
    assert (row["status"], row["rule"], row["at"]) == ("sent", None, feed.clock.now)
    assert row["provider_id"] == "14c5d75ce93.dfd.64b469"


async def test_a_message_that_failed_stays_in_doubt_and_one_refused_stays_refused(feed):
    """`failed` proves nothing that a sender may rely on, and a word too many does not undo a decision."""
    keys = [await feed.message("welcome", status="in_doubt"), await feed.message("check_in", status="refused")]
    await feed.send(
        signers.twilio(payloads.twilio_status("failed", code="30007"), key=keys[0]),
        signers.sendgrid([payloads.sendgrid("delivered", key=keys[1])]),
    )
    assert sorted(await feed.events()) == [("delivered", False), ("failed", False)]
    assert {touch: status for touch, (status, _) in (await feed.statuses()).items()} == {
        "welcome": "in_doubt",
        "check_in": "refused",
    }


async def test_a_replay_is_one_event(feed):
    """The same request again, and the same events in another batch, change nothing."""
    key = await feed.message()
    bounce = payloads.sendgrid("deferred", key=key)
    first = signers.sendgrid([bounce])
    await feed.send(first, first, signers.sendgrid([bounce, payloads.sendgrid("delivered", key=key)]))
    assert sorted(await feed.events()) == [("delivered", False), ("soft_bounce", False)]
    assert await feed.inbox() == [("dispatched", None), ("dispatched", "nothing new"), ("dispatched", None)]


async def test_one_signature_of_mailgun_vouches_for_one_event(feed):
    """Mailgun does not sign what is said, so its token counts once: another body under it is a repeat."""
    key = await feed.message()
    await feed.send(
        signers.mailgun(payloads.mailgun("delivered", key=key), token="t" * 50),
        signers.mailgun(payloads.mailgun("failed:permanent", key=key), token="t" * 50),
    )
    assert (await feed.events(), await feed.suppressions()) == ([("delivered", False)], {})


async def test_three_messages_that_bounce_for_now_are_one_for_good(feed):
    """Messages are counted, not attempts; a delivery between begins anew; what is a fortnight old counts no more."""
    keys = [await feed.message(f"touch_{number}") for number in range(6)]

    async def bounce(number, hours):
        await feed.send(sent(feed, "mailgun", "failed:temporary", key=keys[number], at=AT + timedelta(hours=hours)))

    for hours in (0, 1, 2, 3):
        await bounce(0, hours)
    await bounce(1, 4)
    assert await feed.suppressions() == {}
    await feed.send(sent(feed, "mailgun", "delivered", key=keys[1], at=AT + timedelta(hours=5)))
    await bounce(2, 6)
    await bounce(3, 7)
    assert await feed.suppressions() == {}
    await bounce(4, 7 + 24 * 14)
    assert await feed.suppressions() == {}
    await bounce(3, 8 + 24 * 14)
    await bounce(5, 9 + 24 * 14)
    assert await feed.suppressions() == {EMAIL: "bounced"}


async def test_machine_opens_are_marked(feed):
    """By name, and by an open within two seconds of the delivery, whichever of the two is told first."""
    keys = [await feed.message(touch) for touch in ("welcome", "check_in", "care")]
    at = {seconds: AT + timedelta(seconds=seconds) for seconds in (0, 1, 3)}
    await feed.send(
        sent(feed, "postmark", "Open", key=keys[0], at=at[3], agent=APPLE),
        sent(feed, "sendgrid", "click", key=keys[1], at=at[1]),
        sent(feed, "sendgrid", "delivered", key=keys[1], at=at[0]),
        sent(feed, "sendgrid", "delivered", key=keys[2], at=at[0]),
        sent(feed, "sendgrid", "open", key=keys[2], at=at[1]),
        sent(feed, "sendgrid", "open", key=keys[2], at=at[3]),
    )
    rows = await feed.pool.fetch(
        "SELECT touch_key, kind, machine FROM message_events e JOIN ledger l ON l.id = e.ledger_id"
        " WHERE kind <> 'delivered' ORDER BY e.id"
    )
    assert [tuple(row) for row in rows] == [
        ("welcome", "opened", True),
        ("check_in", "clicked", True),
        ("care", "opened", True),
        ("care", "opened", False),
    ]


async def test_a_text_read_as_it_arrives_is_a_person(feed):
    """Nobody looks through texts on their way: read within the second is read."""
    key = await feed.message(channel="whatsapp")
    both = [payloads.whatsapp_status(status, key=key) for status in ("delivered", "read")]
    await feed.send(signers.whatsapp(payloads.whatsapp(statuses=both)))
    assert await feed.events() == [("delivered", False), ("opened", False)]


async def test_a_message_is_found_by_its_providers_name_too(feed):
    """Where a provider does not give our key back, the id it answered with is known."""
    await feed.message(channel="sms", provider_id="SM0123456789abcdef0123456789abcdef")
    status = await feed.send(signers.twilio(payloads.twilio_status("undelivered", code="30005")))
    assert (status, await feed.events()) == (200, [("bounced", False)])
    assert await feed.suppressions() == {("acme", "sms", PHONE): "bounced"}


async def test_an_unknown_message_is_noted_and_its_address_suppressed_all_the_same(feed):
    """Of somebody else's message: where the address is a customer's, in their shop; else for all shops."""
    await feed.message()
    await feed.send(
        sent(feed, "postmark", "SpamComplaint", key="other"),
        sent(feed, "mailgun", "failed:permanent", key="other", address="eve@example.com"),
        sent(feed, "mailgun", "delivered", key="other"),
    )
    assert await feed.suppressions() == {
        ("", "email", "eve@example.com"): "bounced",
        EMAIL: "complained",
    }
    assert (await feed.events(), await feed.inbox()) == ([], [("dispatched", "unknown message")] * 3)


async def test_where_a_provider_names_no_address_the_customers_own_counts(feed):
    """A bounce without an address is the address's that the message went to."""
    key = await feed.message()
    await feed.send(signers.resend(payloads.resend("bounced", key=key, to=[])))
    assert await feed.suppressions() == {EMAIL: "bounced"}


async def test_what_people_write_is_heard_once(feed):
    """A reply and an opt-out reach whoever listens, in the transaction that keeps them, and a repeat does not."""
    heard = []

    async def listen(_connection, event):
        heard.append((event.kind, event.text, event.address))

    stop = signers.twilio(payloads.twilio_incoming("STOP", opted="STOP"))
    reply = signers.whatsapp(payloads.whatsapp(messages=[payloads.whatsapp_message("Where is it?")]))
    for one in (stop, stop, reply):
        await feed.client.post(one.target, content=one.body, headers=one.headers)
    for row in await inbox.claim(feed.pool, now=feed.clock.now):
        await dispatch(feed.pool, None, row, now=feed.clock.now, replies=listen)
    assert sorted(heard) == [("opted_out", "STOP", PHONE), ("replied", "Where is it?", PHONE)]


async def test_a_spoofed_webhook_changes_nothing(feed):
    """Unsigned or signed by somebody else: 401, nothing kept, nobody suppressed."""
    key = await feed.message()
    spoofed = [
        signers.postmark(payloads.postmark("Bounce:HardBounce", key=key), login="hooks:guess"),
        signers.mailgun(payloads.mailgun("failed:permanent", key=key), secret="guess"),
        signers.Sns()(payloads.ses("Bounce", key=key)),
        signers.Sent("sendgrid", b"[]"),
        signers.Sent("whatsapp", b"\xff\xfe"),
        signers.Sent("twilio", b"Body=%FF", {"x-twilio-signature": "A"}),
    ]
    assert [await feed.send(one) for one in spoofed] == [401] * 6
    assert (await feed.inbox(), await feed.suppressions(), await feed.events()) == ([], {}, [])


async def test_what_is_signed_and_senseless_names_its_field(feed):
    """A body that is well signed and no event is answered 422, as with every other sender."""
    senseless = [
        (signers.resend({"data": {}}), "type"),
        (signers.sendgrid({"event": "open"}), "body"),
        (signers.postmark(b"\xff"), "body"),
        (signers.mailgun({}), "event-data.event"),
        (signers.whatsapp({"entry": []}), "entry.changes.field"),
        (signers.sendgrid([{"event": "open"}]), "0.timestamp"),
    ]
    for one, field in senseless:
        answer = await feed.client.post(one.target, content=one.body, headers=one.headers)
        assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert await feed.inbox() == []


async def test_while_sns_is_away_it_is_asked_to_send_again(feed):
    """A certificate that cannot be had is a 503: SNS comes again, and then it counts."""
    key, away = await feed.message(), feed.sns.away
    other = f"https://{signers.SNS_HOST}/SimpleNotificationService-fff.pem"
    bounce = feed.sns(payloads.ses("Bounce", key=key), cert=other)
    feed.sns.away = True
    try:
        assert await feed.send(bounce) == 503
    finally:
        feed.sns.away = away
    assert await feed.send(bounce) == 202
    assert await feed.suppressions() == {EMAIL: "bounced"}


async def test_a_subscription_of_sns_is_confirmed_when_it_comes(feed):
    """The first message of a topic is answered by visiting its address, and kept as ignored."""
    url = f"https://{signers.SNS_HOST}/?Action=ConfirmSubscription&Token=2336412f37f"
    assert await feed.send(feed.sns("You have chosen…", kind="SubscriptionConfirmation", SubscribeURL=url)) == 202
    assert feed.sns.asked[-1] == url
    assert await feed.inbox() == [("ignored", "unknown topic")]


async def test_metas_question_is_answered(feed):
    """GET with our word gets the challenge as text; without it 403; other endpoints have nothing to ask."""
    asked = {"hub.mode": "subscribe", "hub.verify_token": signers.VERIFY_TOKEN, "hub.challenge": "1158201444"}
    good = await feed.client.get("/webhooks/whatsapp", params=asked)
    assert (good.status_code, good.text, good.headers["content-type"]) == (
        200,
        "1158201444",
        "text/plain; charset=utf-8",
    )
    others = [
        await feed.client.get("/webhooks/whatsapp", params=asked | {"hub.verify_token": "guess"}),
        await feed.client.get("/webhooks/mailgun"),
        await feed.client.get("/webhooks/shopify"),
    ]
    assert [answer.status_code for answer in others] == [403, 405, 404]


async def test_twilio_is_answered_with_no_instructions(feed):
    """An incoming message is answered in Twilio's own language, with nothing to do."""
    one = signers.twilio(payloads.twilio_incoming("hi"))
    answer = await feed.client.post(one.target, content=one.body, headers=one.headers)
    assert (answer.status_code, answer.text) == (200, "<Response/>")
    assert answer.headers["content-type"].startswith("text/xml")


async def test_erasing_a_customer_erases_what_was_said_of_their_messages(feed):
    """Events go with the person: nothing of them names anybody afterwards."""
    key = await feed.message()
    await feed.send(sent(feed, "mailgun", "failed:temporary", key=key))
    assert await feed.pool.fetchval("SELECT address FROM message_events") == ADDRESS
    await feed.pool.execute("DELETE FROM customers")
    assert await feed.events() == []


async def test_lookups_use_their_indexes(feed):
    """A provider's word finds its message without reading the ledger through."""
    await feed.message()
    for statement, value in ((feedback._BY_NAME, ["<a"]), (feedback._BY_PROVIDER_ID, "a")):
        async with feed.pool.acquire() as connection, connection.transaction():
            await connection.execute("SET LOCAL enable_seqscan = off")
            plan = await connection.fetch(f"EXPLAIN {statement}", value, None)
        assert any("ledger_by_" in row[0] for row in plan)
