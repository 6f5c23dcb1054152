"""SMS and WhatsApp by Twilio: what goes over the wire, and what each of its answers says about the message."""

import json
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from activities.messaging.protocol import Accepted, Busy, LookupUnavailableError, Receipt, Rejected, Text, Unclear
from activities.messaging.protocol import WhatsApp as Chat
from activities.messaging.text.twilio import TwilioSms, TwilioWhatsApp, verdict, with_key
from tests.messaging.text.standins import ACCOUNT, FROM, SERVICE, TwilioApi, twilio_error
from tests.support.loopback import (
    CUT,
    ERROR_AFTER_ACCEPTING,
    GARBLED,
    LOGGED_OUT,
    REFUSED,
    SERVER_ERROR,
    SILENT,
    Misdeed,
    too_many,
)

ADA = "+4915199887766"
SMS = Text("acme/1001/shipped", ADA, "Your parcel is on its way: 100 % + €5 & more", callback="https://shop.test/w?a=1")
CHAT = Chat(
    "acme/1001/shipped", ADA, "HX" + "a" * 32, "de", ("Ada\n Byron", "1001"), "Hallo Ada", callback=SMS.callback
)


async def test_an_sms_is_one_form(twilio: TwilioApi) -> None:
    """Number, sender, text and a callback that carries our key go as Twilio reads them, and its SID comes back."""
    receipt = await twilio.sms().send(SMS)

    (arrival,) = twilio.arrivals()
    assert receipt == Accepted(arrival.message_id)
    assert (arrival.to, arrival.key) == (ADA, SMS.key)
    assert twilio.requests == [
        {
            "To": ADA,
            "From": FROM,
            "Body": SMS.body,
            "StatusCallback": "https://shop.test/w?a=1&key=acme%2F1001%2Fshipped",
        }
    ]


@pytest.mark.parametrize(
    ("query", "login", "sender"),
    [
        (f"service={SERVICE}", f"{ACCOUNT}:to%2Fken", {"MessagingServiceSid": SERVICE}),
        ("from=+4915112345678", f"{ACCOUNT}:to%2Fken", {"From": FROM}),
        ("from=Acme%20Shop", f"{ACCOUNT}:to%2Fken", {"From": "Acme Shop"}),
        (f"from=%2B4915112345678&account={ACCOUNT}", "SK1:to%2Fken", {"From": FROM}),
    ],
)
async def test_every_kind_of_sender_and_login(twilio: TwilioApi, query, login, sender) -> None:
    """A number, a name, a Messaging Service or an API key: each is asked in the account's own path."""
    assert isinstance(await twilio.sms(query, login).send(SMS), Accepted)
    assert sender.items() <= twilio.requests[0].items()


@pytest.mark.parametrize(
    ("lasts", "seconds"),
    [
        (timedelta(seconds=1), "1"),
        (timedelta(minutes=30, milliseconds=999), "1800"),
        (timedelta(hours=10), "36000"),
        (timedelta(days=2), "36000"),
    ],
)
async def test_what_is_left_of_the_window_is_how_long_twilio_may_try(twilio: TwilioApi, lasts, seconds) -> None:
    """ValidityPeriod is whole seconds, never more than are left, and ten hours at most."""
    sms = Text("k", ADA, "Hi", lasts=lasts)
    assert isinstance(await twilio.sms().send(sms), Accepted)
    assert twilio.requests[0]["ValidityPeriod"] == seconds
    assert "StatusCallback" not in twilio.requests[0]


async def test_a_window_that_is_over_sends_nothing(twilio: TwilioApi) -> None:
    """With less than a second left the text waits for the next window, and Twilio is not asked."""
    for lasts in (timedelta(0), timedelta(milliseconds=999), timedelta(hours=-1)):
        assert await twilio.sms().send(Text("k", ADA, "Hi", lasts=lasts)) == Busy("validity_over", everyone=False)
    assert twilio.requests == []


@pytest.mark.parametrize(
    "number", ["", "015112345678", "+0151", "+49 151", "+49151123456789012", f"{ADA}\r\n", "+٤٩١٥١"]
)
async def test_what_is_no_number_reaches_nobody(twilio: TwilioApi, number) -> None:
    """Only E.164 goes over the wire, by SMS and by WhatsApp."""
    assert await twilio.sms().send(Text("k", number, "Hi")) == Rejected("address_invalid")
    chat = Chat("k", number, "HX1", "de", (), "Hi")
    assert await twilio.whatsapp().send(chat) == Rejected("address_invalid")
    assert twilio.requests == []


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, 21211, Rejected("twilio_21211", address_dead=True)),
        (400, 21614, Rejected("twilio_21614", address_dead=True)),
        (400, 21635, Rejected("twilio_21635", address_dead=True)),
        (400, 21610, Rejected("twilio_21610", opted_out=True)),
        (400, 63014, Rejected("twilio_63014", opted_out=True)),
        (400, 21408, Rejected("twilio_21408")),
        (400, 21612, Rejected("twilio_21612")),
        (400, 21617, Rejected("twilio_21617")),
        (400, 63016, Rejected("twilio_63016")),
        (400, 21606, Busy("twilio_21606")),
        (400, 21608, Busy("twilio_21608")),
        (400, 21611, Busy("twilio_21611", timedelta(minutes=10))),
        (429, 21611, Busy("twilio_21611", timedelta(minutes=10))),
        (400, 63018, Busy("twilio_63018", timedelta(days=1))),
        (429, 20429, Busy("twilio_20429")),
        (401, 20003, Busy("twilio_20003")),
        (404, 20404, Busy("http_404")),
        (503, 20503, Busy("http_503")),
        (500, 20500, Unclear("http_500")),
    ],
)
async def test_each_error_blames_whom_it_is_about(twilio: TwilioApi, status, code, expected: Receipt) -> None:
    """A dead number, an opt-out, a full queue and a fault of ours are told apart by Twilio's own code, and no more."""
    twilio.errors.append(twilio_error(status, code))
    assert await twilio.sms().send(SMS) == expected
    assert twilio.arrivals() == []


@pytest.mark.parametrize(
    ("misdeed", "expected", "arrived"),
    [
        (SERVER_ERROR, Unclear("http_500"), 0),
        (ERROR_AFTER_ACCEPTING, Unclear("http_500"), 1),
        (GARBLED, Unclear("http_garbled_answer"), 1),
        (SILENT, Unclear("http_no_answer"), 1),
        (CUT, Unclear("http_no_answer"), 1),
        (LOGGED_OUT, Busy("twilio_20003"), 0),
        (too_many(30), Busy("twilio_20429"), 0),
        (REFUSED, Rejected("http_422"), 0),
        (Misdeed(status=503), Busy("http_503"), 0),
    ],
)
async def test_a_doubt_is_said_to_be_one(twilio: TwilioApi, misdeed: Misdeed, expected: Receipt, arrived: int) -> None:
    """Silence, half an answer and an error after the fact leave it open; a refusal does not."""
    twilio.then(misdeed)
    assert await twilio.sms().send(SMS) == expected
    assert len(twilio.arrivals()) == arrived


async def test_a_server_that_is_away_took_nothing(twilio: TwilioApi) -> None:
    """A connection that never came about is worth another try, and says so."""
    sms = twilio.sms()
    await twilio.stop()
    assert await sms.send(SMS) == Busy("http_unreachable")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"sid": None, "status": "queued"}, Unclear("http_garbled_answer")),
        ({"sid": "", "status": "queued"}, Unclear("http_garbled_answer")),
        ({}, Unclear("http_garbled_answer")),
        ({"sid": "SM1", "status": "failed", "error_code": 21610}, Rejected("twilio_21610", opted_out=True)),
        ({"sid": "SM1", "status": "failed", "error_code": 30007}, Rejected("twilio_30007")),
        ({"sid": "SM1", "status": "undelivered", "error_code": 30001}, Busy("twilio_30001", timedelta(minutes=10))),
        ({"sid": "SM1", "status": "accepted", "error_code": None}, Accepted("SM1")),
    ],
)
async def test_a_success_is_read_to_the_end(twilio: TwilioApi, answer, expected: Receipt) -> None:
    """201 is an acceptance only with a SID, and not when the message failed at once."""
    twilio.errors.append((201, answer))
    assert await twilio.sms().send(SMS) == expected


@pytest.mark.parametrize("code", ["21610", None, [21610], {}])
async def test_an_error_of_another_shape_is_left_to_its_status(twilio: TwilioApi, code) -> None:
    """What is not Twilio's error object is judged by HTTP alone."""
    twilio.errors.append((400, {"code": code}))
    assert await twilio.sms().send(SMS) == Rejected("http_400")


async def test_no_receipt_carries_what_twilio_wrote(twilio: TwilioApi) -> None:
    """The error's text names a number; the rule is its code alone."""
    twilio.stopped.add(ADA)
    assert FROM not in repr(await twilio.sms().send(SMS))


async def test_whatsapp_goes_by_template(twilio: TwilioApi) -> None:
    """Both numbers carry the channel, the values are numbered from one, and line breaks in them are blanks."""
    assert isinstance(await twilio.whatsapp().send(CHAT), Accepted)
    (form,) = twilio.requests
    assert (form["To"], form["From"]) == (f"whatsapp:{ADA}", f"whatsapp:{FROM}")
    assert form["ContentSid"] == CHAT.template
    assert json.loads(form["ContentVariables"]) == {"1": "Ada Byron", "2": "1001"}
    assert "Body" not in form


async def test_a_template_without_placeholders_has_no_variables(twilio: TwilioApi) -> None:
    """Twilio refuses an empty set of them."""
    assert isinstance(await twilio.whatsapp(f"service={SERVICE}").send(Chat("k", ADA, "HX1", "de", (), "Hi")), Accepted)
    assert "ContentVariables" not in twilio.requests[0]


async def test_a_placeholder_without_text_is_refused_here(twilio: TwilioApi) -> None:
    """Blanks alone are no value; Twilio would refuse them, and is not asked."""
    assert await twilio.whatsapp().send(Chat("k", ADA, "HX1", "de", ("Ada", " \n"), "Hi")) == Rejected(
        "parameter_empty"
    )
    assert twilio.requests == []


async def test_in_a_conversation_whatsapp_takes_the_text_as_it_is(twilio: TwilioApi) -> None:
    """Within the 24 hours the body goes, and no template."""
    talk = Chat("k", ADA, "HX1", "de", (), "Hallo\nAda", conversing=True)
    assert isinstance(await twilio.whatsapp().send(talk), Accepted)
    assert twilio.requests[0]["Body"] == "Hallo\nAda"
    assert "ContentSid" not in twilio.requests[0]


async def test_a_conversation_that_is_over_goes_on_by_template(twilio: TwilioApi) -> None:
    """63016 is certain, so the template follows at once, and the customer hears once."""
    twilio.closed.add(ADA)
    talk = Chat("k", ADA, "HX1", "de", ("Ada",), "Hallo", conversing=True)
    assert isinstance(await twilio.whatsapp().send(talk), Accepted)
    assert ["Body" in form for form in twilio.requests] == [True, False]
    assert len(twilio.arrivals()) == 1


async def test_twilio_cannot_be_asked_what_became_of_a_key(twilio: TwilioApi) -> None:
    """Neither a memory of keys nor a search by them is claimed."""
    for provider in (twilio.sms(), twilio.whatsapp()):
        assert (provider.remembers, provider.looks_up) == (None, False)
        with pytest.raises(LookupUnavailableError):
            await provider.find("k", "")
        await provider.aclose()


@pytest.mark.parametrize(
    "url",
    [
        "twilio://api.twilio.com?from=%2B4915112345678",
        "twilio://AC1@api.twilio.com?from=%2B4915112345678",
        "twilio://AC1:s3cret@api.twilio.com",
        "twilio://AC1:s3cret@api.twilio.com?from=%2B4915112345678&service=MG1",
        "twilio://AC1:pass/s3cret@api.twilio.com?from=%2B4915112345678",
    ],
)
@pytest.mark.parametrize(
    ("kind", "setting"), [(TwilioSms, "POSTLUDE_SMS_URL"), (TwilioWhatsApp, "POSTLUDE_WHATSAPP_URL")]
)
def test_a_url_that_lacks_something_is_refused_by_its_setting(url, kind, setting) -> None:
    """The text names the setting and repeats nothing of the URL."""
    with pytest.raises(ValueError, match=setting) as raised:
        kind(urlsplit(url))
    assert not any(part in str(raised.value) for part in ("s3cret", "AC1", "pass"))


def test_a_whatsapp_sender_is_a_number() -> None:
    """A name is a sender of SMS only."""
    with pytest.raises(ValueError, match="POSTLUDE_WHATSAPP_URL"):
        TwilioWhatsApp(urlsplit("twilio://AC1:s@api.twilio.com?from=Acme"))


@pytest.mark.parametrize(
    ("callback", "expected"),
    [
        ("https://shop.test/webhooks/twilio", "https://shop.test/webhooks/twilio?key=a%2Fb%26c"),
        ("https://shop.test/w?x=&key=old", "https://shop.test/w?x=&key=a%2Fb%26c"),
    ],
)
def test_the_key_is_in_the_callback_once(callback, expected) -> None:
    """Whatever the URL has already, our key comes back as it is."""
    assert with_key(callback, "a/b&c") == expected


def test_a_code_that_says_nothing_of_its_own_has_no_verdict() -> None:
    """A text that expired or was filtered is for the callback's status to judge."""
    assert [verdict(code) for code in (30036, 30007, 30003, 12345)] == [None] * 4
