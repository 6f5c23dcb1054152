"""What a hostile or broken sender brings to each provider's endpoint, over the whole way."""

import json

import pytest

from tests.feedback import payloads, signers
from tests.feedback.payloads import ADDRESS, PHONE


def bounces(feed, key):
    """A bounce by each provider, well signed."""
    failed = payloads.whatsapp_status("failed", code=131026, key=key)
    return {
        "resend": signers.resend(payloads.resend("bounced", key=key)),
        "sendgrid": signers.sendgrid([payloads.sendgrid("bounce", key=key)]),
        "postmark": signers.postmark(payloads.postmark("Bounce:HardBounce", key=key)),
        "mailgun": signers.mailgun(payloads.mailgun("failed:permanent", key=key)),
        "ses": feed.sns(payloads.ses("Bounce", key=key)),
        "twilio": signers.twilio(payloads.twilio_status("undelivered", code="30005"), key=key),
        "whatsapp": signers.whatsapp(payloads.whatsapp(statuses=[failed])),
    }


@pytest.mark.parametrize("provider", ["resend", "sendgrid", "postmark", "mailgun", "ses", "twilio", "whatsapp"])
async def test_a_replay_does_nothing_a_second_time(feed, provider):
    """The same request again is a repeat: an address that was put right meanwhile is not suppressed once more."""
    by_number = provider in {"twilio", "whatsapp"}
    sent = bounces(feed, await feed.message(channel="sms" if by_number else "email"))[provider]
    await feed.send(sent)
    suppressed = (
        set() if provider == "whatsapp" else {("acme", "sms", PHONE) if by_number else ("acme", "email", ADDRESS)}
    )
    assert set(await feed.suppressions()) == suppressed
    known = await feed.events()
    await feed.pool.execute("DELETE FROM suppressions")
    assert await feed.send(sent) in {200, 202}
    assert (await feed.suppressions(), await feed.events(), len(await feed.inbox())) == ({}, known, 1)


@pytest.mark.parametrize(("encoding", "answers"), [("utf-16", {200, 202}), ("latin-1", {422}), ("cp037", {422})])
@pytest.mark.parametrize("provider", ["sendgrid", "postmark", "whatsapp"])
async def test_a_body_in_another_encoding_is_read_or_named(feed, provider, encoding, answers):
    """Well signed and not UTF-8: JSON in UTF-16 can be told and is read, anything else is named as the body's fault."""
    event = json.loads(bounces(feed, await feed.message())[provider].body)
    (event[0] if isinstance(event, list) else event)["note"] = "Grüße"
    sent = getattr(signers, provider)(json.dumps(event, ensure_ascii=False).encode(encoding, "replace"))
    answer = await feed.client.post(sent.target, content=sent.body, headers=sent.headers)
    assert answer.status_code in answers
    assert answer.status_code != 422 or answer.json()["field"] == "body"


@pytest.mark.parametrize(
    "body", [b"\xff\xfe\x00\xd8", "Body=Gr\xfc\xdfe".encode("latin-1"), b"Body=%FF%FE", b"\x00" * 64]
)
async def test_a_form_in_another_encoding_is_refused(feed, body):
    """Twilio's forms are UTF-8: nothing else can have its signature, so it is nobody's."""
    signed = signers.twilio(payloads.twilio_incoming("hi"))
    assert await feed.send(signers.Sent("twilio", body, signed.headers)) == 401
    assert await feed.inbox() == []
