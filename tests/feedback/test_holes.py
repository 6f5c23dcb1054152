"""Payloads with something missing or odd in them: read, ignored, or the field named; nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feedback import payloads, signers
from tests.feedback.conftest import opened
from tests.shops.fuzz import holes, judge

ADAPTERS = opened(lambda: signers.NOW, signers.Sns())
SAMPLES = {
    "resend": payloads.resend("clicked"),
    "sendgrid": [payloads.sendgrid("bounce"), payloads.sendgrid("open")],
    "postmark": payloads.postmark("Bounce:HardBounce"),
    "mailgun": {"signature": {"token": "t", "timestamp": "1"}, "event-data": payloads.mailgun("failed:permanent")},
    "ses": payloads.sns(payloads.ses("Bounce"), topic=signers.TOPIC, cert=signers.CERTIFICATE_URL),
    "whatsapp": payloads.whatsapp(
        statuses=[payloads.whatsapp_status("failed", code=131026)], messages=[payloads.whatsapp_message("hi")]
    ),
}


@pytest.mark.parametrize("provider", SAMPLES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_holes_anywhere_are_read_or_named(provider, data):
    """Whatever is missing or odd in a payload, the adapter reads it, ignores it, or names the field."""
    judge(ADAPTERS[provider], data.draw(holes(SAMPLES[provider])), {"svix-id": "msg_1"})


@settings(max_examples=100, deadline=None)
@given(body=holes(payloads.ses("Bounce")))
def test_holes_in_what_ses_wrapped_are_read_or_named(body):
    """The same for the event inside of an SNS message."""
    judge(ADAPTERS["ses"], payloads.sns(body, topic=signers.TOPIC, cert=signers.CERTIFICATE_URL), {})


@pytest.mark.parametrize(
    "body", [b"\xff", b"MessageStatus=delivered", b"a=%FF", b"&" * 2000, b"From=%00&Body=%00", b""]
)
def test_odd_forms_are_read_or_named(body):
    """A form that is no form, or says too little, is named as wrong or ignored, never a stumble."""
    judge(ADAPTERS["twilio"], body, {})
