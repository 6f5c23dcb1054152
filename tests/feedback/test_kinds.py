"""What each provider's words mean, one by one, after the samples of their documentation."""

from datetime import UTC, datetime

import pytest

from activities.shops.protocol import Ignored, Malformed
from journey.playbook import Channel
from store.intake import MessageFeedback, from_json
from tests.feedback import payloads, signers
from tests.feedback.conftest import opened
from tests.feedback.payloads import ADDRESS, APPLE, AT, KEY, LINK

SNS = signers.Sns()
ADAPTERS = opened(lambda: signers.NOW, SNS)
GMAIL_AHEAD = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135"
    " Safari/537.36 Edge/12.246 Mozilla/5.0"
)


def said(sent):
    return ADAPTERS[sent.source].translate(sent.delivery())


def sent(provider, *words, **more):
    """One event of an e-mail provider, as it comes."""
    event = getattr(payloads, provider)(*words, **more)
    make = SNS if provider == "ses" else getattr(signers, provider)
    return make([event] if provider == "sendgrid" else event)


@pytest.mark.parametrize(
    ("provider", "word", "kind"),
    [
        ("resend", "delivered", "delivered"),
        ("resend", "delivery_delayed", "soft_bounce"),
        ("resend", "bounced", "bounced"),
        ("resend", "soft_bounced", "soft_bounce"),
        ("resend", "complained", "complained"),
        ("resend", "opened", "opened"),
        ("resend", "clicked", "clicked"),
        ("resend", "failed", "failed"),
        ("resend", "suppressed", "failed"),
        ("sendgrid", "delivered", "delivered"),
        ("sendgrid", "deferred", "soft_bounce"),
        ("sendgrid", "bounce", "bounced"),
        ("sendgrid", "dropped", "bounced"),
        ("sendgrid", "open", "opened"),
        ("sendgrid", "click", "clicked"),
        ("sendgrid", "spamreport", "complained"),
        ("sendgrid", "unsubscribe", "opted_out"),
        ("sendgrid", "group_unsubscribe", "opted_out"),
        ("postmark", "Delivery", "delivered"),
        ("postmark", "Bounce:HardBounce", "bounced"),
        ("postmark", "Bounce:SoftBounce", "soft_bounce"),
        ("postmark", "Bounce:Transient", "soft_bounce"),
        ("postmark", "Bounce:SpamNotification", "complained"),
        ("postmark", "Bounce:DMARCPolicy", "failed"),
        ("postmark", "SpamComplaint", "complained"),
        ("postmark", "Open", "opened"),
        ("postmark", "Click", "clicked"),
        ("postmark", "SubscriptionChange:ManualSuppression", "opted_out"),
        ("postmark", "SubscriptionChange:HardBounce", "bounced"),
        ("mailgun", "delivered", "delivered"),
        ("mailgun", "failed:permanent", "bounced"),
        ("mailgun", "failed:temporary", "soft_bounce"),
        ("mailgun", "opened", "opened"),
        ("mailgun", "clicked", "clicked"),
        ("mailgun", "complained", "complained"),
        ("mailgun", "unsubscribed", "opted_out"),
        ("mailgun", "rejected", "failed"),
        ("ses", "Delivery", "delivered"),
        ("ses", "Bounce", "bounced"),
        ("ses", "Bounce:Transient", "soft_bounce"),
        ("ses", "Bounce:Undetermined", "soft_bounce"),
        ("ses", "Complaint", "complained"),
        ("ses", "DeliveryDelay", "soft_bounce"),
        ("ses", "Open", "opened"),
        ("ses", "Click", "clicked"),
        ("ses", "Reject", "failed"),
        ("ses", "Rendering Failure", "failed"),
        ("ses", "Subscription:all", "opted_out"),
    ],
)
def test_every_word_of_a_mail_provider(provider, word, kind):
    """Each word is one kind, of our message, to that address, at the provider's own time."""
    (event,) = said(sent(provider, word))
    assert (event.provider, event.kind, event.channel, event.address) == (provider, kind, Channel.EMAIL, ADDRESS)
    assert event.key == (payloads.tag(KEY) if provider in {"ses", "resend"} else KEY)
    # SES dates a Reject by the notification alone, which is a second later.
    assert abs((event.at - AT).total_seconds()) < 2
    assert event.link == (LINK if kind == "clicked" else None)
    assert (event.machine, bool(event.event_id), bool(event.provider_id)) == (False, True, True)
    assert from_json(event.model_dump_json()) == event


@pytest.mark.parametrize(
    ("provider", "word", "more"),
    [
        ("resend", "sent", {}),
        ("sendgrid", "processed", {}),
        ("sendgrid", "group_resubscribe", {}),
        ("postmark", "Bounce:AutoResponder", {}),
        ("postmark", "Bounce:Unknown", {}),
        ("postmark", "SubscriptionChange:", {"SuppressSending": False}),
        ("mailgun", "accepted", {}),
        ("ses", "Send", {}),
        ("ses", "Complaint:not-spam", {}),
        ("ses", "Subscription:some", {}),
    ],
)
def test_words_that_say_nothing_are_ignored(provider, word, more):
    """What is on its way, or of no consequence, is taken and ignored."""
    assert isinstance(said(sent(provider, word, **more)), Ignored)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("Unsubscribed Address", "opted_out"),
        ("Spam Reporting Address", "complained"),
        ("Invalid", "bounced"),
        ("Spam Content", "failed"),
    ],
)
def test_why_sendgrid_dropped_a_mail(reason, kind):
    """A mail that SendGrid did not even try tells what it knows about the address."""
    (event,) = said(sent("sendgrid", "dropped", reason=reason))
    assert (event.kind, event.reason) == (kind, reason.lower().replace(" ", "_"))


def test_a_block_is_not_the_addresss_fault():
    """What a server refuses for its content or the sender's name leaves the address alone."""
    (blocked,) = said(sent("sendgrid", "bounce", type="blocked", status="5.7.1"))
    (old,) = said(sent("mailgun", "failed:permanent", reason="old"))
    assert (blocked.kind, blocked.reason, old.kind) == ("soft_bounce", "5.7.1", "soft_bounce")


def test_codes_are_kept_and_sentences_are_not():
    """A reason is a code: a server's sentence quotes the address, which is nobody's business later."""
    reasons = {
        "resend": said(sent("resend", "bounced"))[0].reason,
        "sendgrid": said(sent("sendgrid", "bounce"))[0].reason,
        "postmark": said(sent("postmark", "Bounce:HardBounce"))[0].reason,
        "mailgun": said(sent("mailgun", "failed:permanent"))[0].reason,
        "ses": said(sent("ses", "Bounce"))[0].reason,
    }
    assert reasons == {
        "resend": "Permanent.General",
        "sendgrid": "5.1.1",
        "postmark": "HardBounce",
        "mailgun": "bounce",
        "ses": "Permanent.General",
    }
    assert (
        MessageFeedback(provider="x", kind="failed", at=AT, channel=Channel.SMS, reason=f"no {ADDRESS}").reason is None
    )


@pytest.mark.parametrize(
    ("provider", "opened_word", "more"),
    [
        ("sendgrid", "open", {"agent": APPLE}),
        ("sendgrid", "open", {"sg_machine_open": True}),
        ("postmark", "Open", {"agent": GMAIL_AHEAD}),
        ("mailgun", "opened", {"bot": "apple"}),
        ("mailgun", "clicked", {"bot": "generic"}),
        ("ses", "Open", {"agent": APPLE}),
        ("ses", "Click", {"agent": "Barracuda Sentinel (EE)"}),
        ("resend", "clicked", {"agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}),
    ],
)
def test_machines_are_told_from_people(provider, opened_word, more):
    """A proxy's or scanner's open or click is marked, by the provider's word or its own name."""
    assert said(sent(provider, opened_word, **more))[0].machine


def test_a_batch_is_as_many_events_and_one_odd_one_does_not_spoil_it():
    """SendGrid's events come together; one that cannot be read leaves the others alone."""
    events = [
        payloads.sendgrid("delivered"),
        {"event": "open", "timestamp": "soon"},
        "text",
        payloads.sendgrid("click"),
    ]
    assert [event.kind for event in said(signers.sendgrid(events))] == ["delivered", "clicked"]
    with pytest.raises(Malformed, match=r"0\.timestamp"):
        said(signers.sendgrid([{"event": "open"}]))
    assert isinstance(said(signers.sendgrid([])), Ignored)


def test_an_event_of_several_recipients_is_one_for_each():
    """SES tells of several addresses at once; each is an event with a name of its own."""
    two = [{"emailAddress": "jane@example.com"}, {"emailAddress": "Richard <richard@example.com>"}]
    bounce = {
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "bouncedRecipients": two,
        "timestamp": AT.isoformat(),
    }
    events = said(SNS({"notificationType": "Bounce", "bounce": bounce, "mail": {"messageId": "m"}}))
    assert [event.address for event in events] == ["jane@example.com", "richard@example.com"]
    assert len({event.event_id for event in events}) == 2


def test_what_sns_says_itself_is_ignored():
    """A confirmation, and the sentence that SES tries a topic with, are no events."""
    for one in (
        SNS("You have chosen…", kind="SubscriptionConfirmation", SubscribeURL="https://sns.us-east-1.amazonaws.com/"),
        SNS("Successfully validated SNS topic for Amazon SES event publishing."),
    ):
        assert isinstance(said(one), Ignored)


def test_odd_values_are_forgiven():
    """An address that could end a header, a text without end, a link to nowhere: None or cut, never refused."""
    event = MessageFeedback.model_validate(
        {
            "provider": "x",
            "kind": "replied",
            "at": datetime(2026, 1, 1, tzinfo=UTC),
            "channel": "email",
            "address": f"{ADDRESS}\r\nBcc: all@example.com",
            "text": "a\x00b" + "x" * 10_000,
            "link": "javascript:alert(1)",
            "key": "k" * 400,
            "provider_id": ["a"],
        }
    )
    assert (event.address, event.link, event.key, event.provider_id, len(event.text)) == (None, None, None, None, 5000)
