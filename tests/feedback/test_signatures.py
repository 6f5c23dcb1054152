"""Each provider is proven its own way, and nobody else is."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from activities.messaging.feedback.sendgrid import SendGridEvents
from activities.messaging.feedback.ses import SesEvents
from activities.messaging.feedback.twilio import TwilioEvents
from activities.shops.protocol import SignatureError, UnreachableError
from starters.gateway import sources
from tests.feedback import payloads, signers
from tests.feedback.conftest import opened
from tests.feedback.signers import Sns

OTHER = "whsec_" + "b3RoZXIgc2VjcmV0IG9mIHRoaXJ0eSBieXRlcyEh"


@pytest.fixture(scope="module")
def adapters(sns):
    return opened(lambda: signers.NOW, sns)


async def proven(adapters, sent):
    adapter, delivery = adapters[sent.source], sent.delivery()
    if sent.source == "ses":
        await adapter.inquire(delivery)
    adapter.verify(delivery)


def good(sns):
    """One well-signed request of each provider."""
    return [
        signers.resend(payloads.resend("delivered")),
        signers.sendgrid([payloads.sendgrid("delivered"), payloads.sendgrid("open")]),
        signers.postmark(payloads.postmark("Delivery")),
        signers.mailgun(payloads.mailgun("delivered")),
        sns(payloads.ses("Delivery")),
        sns(payloads.ses("Delivery"), version="1"),
        signers.twilio(payloads.twilio_status("delivered"), key="acme/1001/wélcome/0"),
        signers.twilio(payloads.twilio_incoming("Grüße & ein Plus+")),
        signers.whatsapp(payloads.whatsapp(statuses=[payloads.whatsapp_status("delivered")])),
    ]


async def test_what_a_provider_signed_is_proven(adapters, sns):
    """Each provider's own signature is taken."""
    for sent in good(sns):
        await proven(adapters, sent)


async def test_what_was_altered_on_the_way_is_not_proven(adapters, sns):
    """One byte of what is signed makes it nobody's, body, address or token."""
    altered = [
        signers.resend(payloads.resend("delivered")).altered(b"email.delivered", b"email.bounced"),
        signers.sendgrid([payloads.sendgrid("delivered")]).altered(b"delivered", b"bounced"),
        signers.mailgun(payloads.mailgun("delivered"), token="a" * 50).altered(b"a" * 50, b"b" * 50),
        sns(payloads.ses("Delivery")).altered(b"recipients", b"recipientz"),
        signers.twilio(payloads.twilio_status("delivered")).altered(b"delivered", b"failed"),
        replace(signers.twilio(payloads.twilio_status("delivered"), key="a"), query="key=b"),
        signers.whatsapp(payloads.whatsapp(statuses=[])).altered(b"whatsapp", b"whatzapp"),
    ]
    for sent in altered:
        with pytest.raises(SignatureError):
            await proven(adapters, sent)


async def test_another_secret_proves_nothing(adapters):
    """Well signed with the key of somebody else is not signed."""
    foreign = [
        signers.resend(payloads.resend("delivered"), secret=OTHER),
        signers.sendgrid([payloads.sendgrid("delivered")], key=ec.generate_private_key(ec.SECP256R1())),
        signers.postmark(payloads.postmark("Delivery"), login="hooks:guess"),
        signers.mailgun(payloads.mailgun("delivered"), secret="other"),
        Sns()(payloads.ses("Delivery")),
        signers.twilio(payloads.twilio_status("delivered"), secret="other"),
        signers.whatsapp(payloads.whatsapp(statuses=[]), secret="other"),
    ]
    for sent in foreign:
        with pytest.raises(SignatureError):
            await proven(adapters, sent)


async def test_an_old_or_early_signature_is_not_proven(adapters):
    """Where a timestamp is signed, one outside of the provider's time for trying again is refused."""
    off = [
        signers.resend(payloads.resend("delivered"), sent=datetime.now(UTC) - timedelta(minutes=6)),
        signers.sendgrid([payloads.sendgrid("delivered")], sent=signers.NOW - timedelta(hours=26)),
        signers.sendgrid([payloads.sendgrid("delivered")], sent=signers.NOW + timedelta(minutes=6)),
        signers.mailgun(payloads.mailgun("delivered"), sent=signers.NOW - timedelta(hours=10)),
        signers.mailgun(payloads.mailgun("delivered"), sent=signers.NOW + timedelta(minutes=6)),
    ]
    for sent in off:
        with pytest.raises(SignatureError, match="too"):
            await proven(adapters, sent)
    await proven(adapters, signers.mailgun(payloads.mailgun("delivered"), sent=signers.NOW - timedelta(hours=8)))


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe\x00", b"[]", b'"text"', b"[" * 100_000, '{"a": "ü"}'.encode("latin-1"), b'{"signature": 7}'],
)
async def test_an_unsigned_or_unreadable_body_is_not_proven(adapters, body):
    """Without a signature, or with one that cannot be read, every endpoint says the same and none stumbles."""
    odd = {
        "svix-id": "msg_1",
        "svix-timestamp": "nan",
        "svix-signature": "v1,ü",
        "x-twilio-email-event-webhook-signature": "é",
        "x-twilio-email-event-webhook-timestamp": "soon",
        "x-twilio-signature": "ü\udc80",
        "x-hub-signature-256": "sha256=ü",
        "authorization": "Basic ü",
    }
    for name in ("resend", "sendgrid", "postmark", "mailgun", "ses", "twilio", "whatsapp"):
        for headers in ({}, odd):
            with pytest.raises(SignatureError):
                await proven(adapters, signers.Sent(name, body, headers))


async def test_a_certificate_is_fetched_once_and_only_from_the_topics_own_sns():
    """A certificate from any other place, however alike, is never asked for."""
    sns = Sns()
    adapter = SesEvents(signers.TOPIC, clock=lambda: signers.NOW, transport=sns.transport)
    for _ in range(2):
        await proven({"ses": adapter}, sns(payloads.ses("Open")))
    assert sns.asked == [signers.CERTIFICATE_URL]
    name = "/SimpleNotificationService-12345abcde.pem"
    for url in (
        f"http://{signers.SNS_HOST}{name}",
        f"https://sns.us-east-1.amazonaws.com.evil.example{name}",
        f"https://sns.s3-us-west-2.amazonaws.com{name}",
        f"https://sns.eu-west-1.amazonaws.com{name}",
        f"https://{signers.SNS_HOST}:8443{name}",
        f"https://user@{signers.SNS_HOST}{name}",
        f"https://evil.example/@{signers.SNS_HOST}{name}",
        f"https://{signers.SNS_HOST}/?x={name}",
        f"https://{signers.SNS_HOST}/mine{name}",
        "https://[",
        "",
    ):
        with pytest.raises(SignatureError):
            await proven({"ses": adapter}, sns(payloads.ses("Open"), cert=url))
    assert len(sns.asked) == 1


async def test_a_topic_of_somebody_else_proves_nothing(sns):
    """SNS signs for everybody: only our own topics count."""
    adapter = SesEvents(signers.TOPIC, clock=lambda: signers.NOW, transport=sns.transport)
    foreign = "arn:aws:sns:us-east-1:999999999999:ses-events"
    with pytest.raises(SignatureError, match="topic"):
        await proven({"ses": adapter}, sns(payloads.ses("Delivery"), topic=foreign))


async def test_a_certificate_out_of_its_time_proves_nothing():
    """A certificate that ran out does not vouch for anything."""
    sns = Sns(valid=timedelta(minutes=1))
    adapter = SesEvents(signers.TOPIC, clock=lambda: signers.NOW + timedelta(minutes=2), transport=sns.transport)
    with pytest.raises(SignatureError, match="not valid"):
        await proven({"ses": adapter}, sns(payloads.ses("Delivery")))


async def test_while_sns_is_away_nothing_is_decided():
    """A certificate that cannot be had now is no wrong signature."""
    sns = Sns()
    sns.away = True
    adapter = SesEvents(signers.TOPIC, clock=lambda: signers.NOW, transport=sns.transport)
    with pytest.raises(UnreachableError):
        await proven({"ses": adapter}, sns(payloads.ses("Delivery")))
    sns.away = False
    await proven({"ses": adapter}, sns(payloads.ses("Delivery")))


async def test_a_subscription_is_confirmed_on_the_topics_own_sns_alone():
    """The address of a confirmation is visited when it is SNS's, and never when it is not."""
    sns = Sns()
    adapter = SesEvents(signers.TOPIC, clock=lambda: signers.NOW, transport=sns.transport)
    url = f"https://{signers.SNS_HOST}/?Action=ConfirmSubscription&TopicArn={signers.TOPIC}&Token=2336412f37f"
    sent = sns("You have chosen to subscribe", kind="SubscriptionConfirmation", SubscribeURL=url)
    await proven({"ses": adapter}, sent)
    await adapter.confirm(sent.delivery())
    assert sns.asked[1:] == [url]
    inward = sns("…", kind="SubscriptionConfirmation", SubscribeURL="https://169.254.169.254/latest/meta-data")
    await proven({"ses": adapter}, inward)
    with pytest.raises(SignatureError):
        await adapter.confirm(inward.delivery())
    assert len(sns.asked) == 2


def test_twilios_own_example_is_proven():
    """The signature that Twilio's documentation computes for its example is ours too, with the port or without it."""
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    target = "/myapp.php?foo=1&bar=2"
    body = signers.urlencode(form).encode()
    for base in ("https://mycompany.com", "https://mycompany.com:443"):
        adapter = TwilioEvents("12345", public_url=base)
        headers = {"x-twilio-signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8="}
        adapter.verify(signers.Delivery(headers, body, target=target))


def test_a_secret_that_cannot_be_one_is_refused_by_its_settings_name():
    """A wrong secret is told at the start, by the setting's name and without the value."""
    p384 = ec.generate_private_key(ec.SECP384R1()).public_key()
    der = p384.public_bytes(signers.serialization.Encoding.DER, signers.serialization.PublicFormat.SubjectPublicKeyInfo)
    wrong = {
        "resend_secret": "whsec_?",
        "sendgrid_key": signers.base64.b64encode(der).decode(),
        "postmark_login": "no-colon",
        "ses_topics": "arn:aws:s3:::bucket",
    }
    for name, value in wrong.items():
        with pytest.raises(ValueError, match=f"POSTLUDE_{name.upper()}") as refused:
            sources(secret_key="k", **{name: value})
        assert value not in str(refused.value)
    with pytest.raises(ValueError, match="POSTLUDE_SENDGRID_KEY"):
        SendGridEvents("not base64!")


def test_the_handshake_is_answered_to_those_who_know_the_word(adapters):
    """Meta's question gets its challenge back only with our token, and only a plain one."""
    asked = {"hub.mode": "subscribe", "hub.verify_token": signers.VERIFY_TOKEN, "hub.challenge": "1158201444"}
    greet = adapters["whatsapp"].greet
    assert greet(asked) == "1158201444"
    for change in ({"hub.verify_token": "guess"}, {"hub.mode": "other"}, {"hub.challenge": "<script>"}):
        assert greet(asked | change) is None
    assert json.dumps(greet({})) == "null"
