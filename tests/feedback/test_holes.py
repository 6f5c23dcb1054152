"""Payloads with something missing or odd in them: read, ignored, or the field named; nothing else."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feedback import payloads, signers
from tests.feedback.conftest import opened
from tests.shops.fuzz import holes, judge, places

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

_ENDINGS = ("delivered", "bounced", "complained", "opened", "clicked", "failed", "delivery_delayed", "suppressed")
KINDS = {
    "resend": [payloads.resend(kind) for kind in _ENDINGS],
    "sendgrid": [[payloads.sendgrid(kind)] for kind in ("delivered", "bounce", "open", "dropped", "deferred", "click")],
    "postmark": [
        payloads.postmark(kind)
        for kind in ("Delivery", "Bounce:HardBounce", "Open", "Click", "SpamComplaint", "SubscriptionChange")
    ],
    "mailgun": [
        {"signature": {"token": "t", "timestamp": "1"}, "event-data": payloads.mailgun(kind)}
        for kind in ("delivered", "failed:permanent", "opened", "clicked", "complained")
    ],
    "whatsapp": [SAMPLES["whatsapp"]],
}
TYPES = (
    None,
    "",
    [],
    {},
    [[]],
    [None],
    {"a": 1},
    True,
    0,
    -1,
    1.5,
    1e300,
    10**400,
    "\ud800",
    "\x00",
    "x" * 5000,
    [[["x"]]],
)


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


def _each(value, odd):
    """The same payload, once for every place in it and every odd value, with that in its place."""
    for path in list(places(value))[1:]:
        for one in odd:
            body = copy.deepcopy(value)
            inside = body
            for key in path[:-1]:
                inside = inside[key]
            inside[path[-1]] = one
            yield body


@pytest.mark.parametrize("provider", KINDS)
def test_any_field_of_any_type_is_read_or_named(provider):
    """Every field of every kind of event, with every type in its place: read, ignored or named, and never a stumble."""
    for sample in KINDS[provider]:
        for body in _each(sample, TYPES):
            judge(ADAPTERS[provider], body, {"svix-id": "msg_1"})


@pytest.mark.parametrize("kind", ["Bounce", "Complaint", "Delivery", "DeliveryDelay", "Open", "Click", "Reject"])
def test_any_field_of_what_ses_wrapped_is_read_or_named(kind):
    """The same for the events inside of SNS messages."""
    for body in _each(payloads.ses(kind), TYPES):
        judge(ADAPTERS["ses"], payloads.sns(body, topic=signers.TOPIC, cert=signers.CERTIFICATE_URL), {})
