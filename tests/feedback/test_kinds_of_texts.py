"""What the words of Twilio and WhatsApp mean, one by one, after the samples of their documentation."""

import pytest

from activities.shops.protocol import Delivery, Ignored, Malformed
from journey.playbook import Channel
from tests.feedback import payloads, signers
from tests.feedback.conftest import opened
from tests.feedback.payloads import AT, KEY, PHONE

ADAPTERS = opened(lambda: signers.NOW, signers.Sns())


def said(sent):
    return ADAPTERS[sent.source].translate(sent.delivery())


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        ("delivered", None, "delivered"),
        ("read", None, "opened"),
        ("failed", "30007", "failed"),
        ("undelivered", "30036", "failed"),
        ("undelivered", "30003", "soft_bounce"),
        ("undelivered", "30005", "bounced"),
        ("undelivered", "30006", "bounced"),
        ("failed", "21610", "opted_out"),
    ],
)
def test_every_status_of_twilio(status, code, kind):
    """A text's status, with what its error code says of the number; the key stands in the address."""
    (event,) = said(signers.twilio(payloads.twilio_status(status, code=code), key=KEY))
    assert (event.kind, event.channel, event.key) == (kind, Channel.SMS, KEY)
    assert (event.address, event.reason, event.at) == (PHONE, code, signers.NOW)
    assert event.event_id == f"SM0123456789abcdef0123456789abcdef:{status}"


def test_a_text_on_its_way_is_ignored():
    """`sent` says that the carrier has it, which is not yet delivered."""
    assert isinstance(said(signers.twilio(payloads.twilio_status("sent"), key=KEY)), Ignored)


@pytest.mark.parametrize(
    ("sender", "opted", "kind", "channel"),
    [
        (PHONE, None, "replied", Channel.SMS),
        (PHONE, "STOP", "opted_out", Channel.SMS),
        (PHONE, "START", "replied", Channel.SMS),
        (f"whatsapp:{PHONE}", None, "replied", Channel.WHATSAPP),
    ],
)
def test_what_people_write_back_to_twilio(sender, opted, kind, channel):
    """A text that comes in is a reply with its words; Twilio's own reading of STOP is an opt-out."""
    (event,) = said(signers.twilio(payloads.twilio_incoming("Nein, danke\nAda", sender=sender, opted=opted)))
    assert (event.kind, event.channel, event.address) == (kind, channel, PHONE)
    assert (event.text, event.reason) == ("Nein, danke Ada", opted)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        ("delivered", None, "delivered"),
        ("read", None, "opened"),
        ("failed", 131026, "failed"),
        ("failed", 131050, "opted_out"),
    ],
)
def test_every_status_of_whatsapp(status, code, kind):
    """A status of a WhatsApp message, with our key as it was given."""
    (event,) = said(signers.whatsapp(payloads.whatsapp(statuses=[payloads.whatsapp_status(status, code=code)])))
    assert (event.kind, event.channel, event.key, event.address) == (kind, Channel.WHATSAPP, KEY, PHONE)
    assert (event.at, event.reason) == (AT, str(code) if code else None)


def test_what_people_write_back_on_whatsapp():
    """A message, a pressed button and a stop in WhatsApp's own settings; the number stays out of what is logged."""
    pressed = payloads.whatsapp_message("") | {"type": "button", "text": None, "button": {"text": "Stop promotions"}}
    stop = {"wa_id": PHONE[1:], "category": "marketing_messages", "value": "stop", "timestamp": int(AT.timestamp())}
    given = payloads.whatsapp(messages=[payloads.whatsapp_message("Stopp!", context="wamid.ours"), pressed])
    reply, button = said(signers.whatsapp(given))
    (preference,) = said(signers.whatsapp(payloads.whatsapp(field="user_preferences", user_preferences=[stop])))
    assert [(one.kind, one.text, one.address) for one in (reply, button, preference)] == [
        ("replied", "Stopp!", PHONE),
        ("replied", "Stop promotions", PHONE),
        ("opted_out", None, PHONE),
    ]
    assert (reply.provider_id, preference.reason) == ("wamid.ours", "STOP")
    assert all("wamid" not in one.subject and PHONE[1:] not in one.subject for one in (reply, button, preference))
    resumed = [stop | {"value": "resume"}]
    (back,) = said(signers.whatsapp(payloads.whatsapp(field="user_preferences", user_preferences=resumed)))
    assert (back.kind, back.reason) == ("replied", "START")


def test_a_whatsapp_batch_without_news_is_ignored():
    """A status that is none of ours to keep, or another field, is taken and ignored."""
    on_its_way = payloads.whatsapp(statuses=[payloads.whatsapp_status("sent")])
    assert isinstance(said(signers.whatsapp(on_its_way)), Ignored)
    assert isinstance(said(signers.whatsapp(payloads.whatsapp(field="account_update"))), Ignored)
    with pytest.raises(Malformed):
        ADAPTERS["whatsapp"].topic(Delivery({}, b'{"entry": []}'))
