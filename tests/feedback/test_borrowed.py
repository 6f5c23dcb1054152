"""What is signed is read in one way only: no field borrows from the next, and no forgery holds up what is genuine."""

import asyncio
import base64
import hmac
from dataclasses import replace
from hashlib import sha1
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest

from activities.messaging.feedback.mailgun import MailgunEvents
from activities.messaging.feedback.ses import SesEvents
from activities.messaging.feedback.twilio import TwilioEvents
from activities.shops.protocol import SignatureError, UnreachableError
from tests.feedback import payloads, signers
from tests.feedback.signers import Sns

HOST = f"https://{signers.SNS_HOST}"


@pytest.mark.parametrize("moved", [3, 1, -1, -2])
def test_no_digit_of_mailguns_token_is_the_timestamps(moved):
    """A signature vouches for one token: the same characters, split elsewhere, are refused."""
    sent = signers.mailgun(payloads.mailgun("delivered"), token="e00" + "7" * 47)
    adapter = MailgunEvents(signers.MAILGUN_SECRET, clock=lambda: signers.NOW)
    adapter.verify(sent.delivery())
    signed = sent.delivery().payload["signature"]
    both = signed["timestamp"] + signed["token"]
    borrowed = signed | {"timestamp": both[: 10 + moved], "token": both[10 + moved :]}
    forged = signers.Sent("mailgun", signers.json.dumps({"signature": borrowed, "event-data": {}}).encode())
    with pytest.raises(SignatureError):
        adapter.verify(forged.delivery())


@pytest.mark.parametrize(
    "timestamp", ["1795339800e0", " 1795339800", "1_795_339_800", "1795339800.0", "١٧٩٥٣٣٩٨٠٠", "", None, True, [], {}]
)
def test_a_timestamp_has_ten_digits(timestamp):
    """Nothing but ten digits is a moment, however well it is signed."""
    adapter = MailgunEvents(signers.MAILGUN_SECRET, clock=lambda: signers.NOW)
    token = "a" * 50
    text = f"{timestamp}{token}".encode()
    signature = hmac.new(signers.MAILGUN_SECRET.encode(), text, "sha256").hexdigest()
    signed = {"timestamp": timestamp, "token": token, "signature": signature}
    body = signers.json.dumps({"signature": signed, "event-data": payloads.mailgun("delivered")}).encode()
    with pytest.raises(SignatureError):
        adapter.verify(signers.Sent("mailgun", body).delivery())


def _twilio(pairs, target="/webhooks/twilio"):
    """Signed as Twilio signs, whatever the fields are."""
    fields = sorted(pairs)
    text = signers.PUBLIC_URL + target + "".join(name + value for name, value in fields)
    digest = base64.b64encode(hmac.new(signers.TWILIO_SECRET.encode(), text.encode(), sha1).digest()).decode()
    path, _, query = target.partition("?")
    assert path == "/webhooks/twilio"
    return signers.Sent("twilio", urlencode(fields).encode(), {"x-twilio-signature": digest}, query=query)


def test_twilios_fields_cannot_lend_each_other_their_ends():
    """The same characters in other fields, or in the address, are refused, though the signature fits."""
    status = payloads.twilio_status("delivered", code="30005")
    key = "acme%2F1001%2Fwelcome%2F0"
    good = list(status.items())
    account, sid = status["AccountSid"], status["MessageSid"]
    without = [pair for pair in good if pair[0] != "AccountSid"]
    forged = [
        _twilio(without, f"/webhooks/twilio?key={key}AccountSid{account}"),
        _twilio([*without, ("A", f"ccountSid{account}")]),
        _twilio([*without, ("AA", f"B%2F0AccountSid{account}")], f"/webhooks/twilio?key={key}"),
        _twilio([*[one for one in good if one[0] != "MessageSid"], ("Message", f"Sid{sid}")]),
        _twilio([*[one for one in good if one[0] != "From"], ("ErrorCode", f"30005From{status['From']}")]),
        _twilio([*good, ("FromCity", "To+49151")]),
        _twilio([*good, ("Body", f"yesMessageSid{sid}")]),
        _twilio([*good, ("ErrorCode", "30006")]),
        _twilio(good, f"/webhooks/twilio?key={key}&key={key}"),
        _twilio(good, "/webhooks/twilio?key=acme"),
        _twilio([*good, ("odd name", "x")]),
    ]
    adapter = TwilioEvents(signers.TWILIO_SECRET, public_url=signers.PUBLIC_URL)
    for sent in (_twilio(good), _twilio(good, f"/webhooks/twilio?key={key}")):
        adapter.verify(sent.delivery())
    for sent in forged:
        with pytest.raises(SignatureError):
            adapter.verify(sent.delivery())
        assert parse_qsl(sent.body.decode(), keep_blank_values=True)


def test_people_may_write_what_they_like_to_twilio():
    """A reply with names of fields in it, capitals, or nothing at all is still a reply."""
    adapter = TwilioEvents(signers.TWILIO_SECRET, public_url=signers.PUBLIC_URL)
    for words in ("STOP", "", "From me To you", "Body", "Call +4915112345678", "ErrorCode?", "Grüße & ein Plus+"):
        adapter.verify(signers.twilio(payloads.twilio_incoming(words)).delivery())


async def test_an_sns_value_is_one_line():
    """A value with a line end could be two fields, and a field that is missing could be any: neither is proven."""
    sns = Sns()
    adapter = SesEvents(signers.TOPIC, clock=lambda: signers.NOW, transport=sns.transport)
    for more in ({"Subject": "a\nTimestamp\nb"}, {"MessageId": "m\nSubject\ns"}, {"Timestamp": "t\nx"}):
        sent = sns(payloads.ses("Delivery"), **more)
        with pytest.raises(SignatureError, match="no line"):
            await adapter.inquire(sent.delivery())
    assert sns.asked == []


async def test_forgeries_do_not_hold_up_a_genuine_message():
    """While certificates of twenty forgeries are waited for, a genuine message is proven, known certificate or not."""
    sns, released, all_asked = Sns(), asyncio.Event(), asyncio.Event()
    asked = []

    async def slow(request):
        asked.append(request.url.path)
        if len(asked) == len(forged):
            all_asked.set()
        if "Forged" in request.url.path:
            await released.wait()
            return httpx.Response(404)
        return sns._answer(request)

    adapter = SesEvents(signers.TOPIC, clock=lambda: signers.NOW, transport=httpx.MockTransport(slow))
    forged = [
        sns(payloads.ses("Bounce"), cert=f"{HOST}/SimpleNotificationService-Forged{number}.pem") for number in range(20)
    ]
    waiting = [asyncio.create_task(adapter.inquire(sent.delivery())) for sent in forged * 2]
    await all_asked.wait()
    for sent in (sns(payloads.ses("Delivery")), sns(payloads.ses("Open"))):
        await adapter.inquire(sent.delivery())
        adapter.verify(sent.delivery())
    assert not any(task.done() for task in waiting)
    released.set()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(one) for one in ended} == {SignatureError}
    assert len(asked) == len(forged) + 1, "each address was asked once"
    with pytest.raises(SignatureError):
        await adapter.inquire(forged[0].delivery())
    assert len(asked) == len(forged) + 1, "one that is not there is not asked again at once"


async def test_a_certificate_that_vouched_is_not_pushed_out():
    """Certificates that somebody makes us fetch do not take the place of the one that SNS signs with."""
    sns = Sns()
    adapter = SesEvents(signers.TOPIC, clock=lambda: signers.NOW, transport=sns.transport)
    genuine = sns(payloads.ses("Delivery"))
    await adapter.inquire(genuine.delivery())
    adapter.verify(genuine.delivery())
    for number in range(20):
        other = replace(genuine, body=genuine.body.replace(b"12345abcde", f"Old{number}".encode()))
        await adapter.inquire(other.delivery())
    asked = len(sns.asked)
    await adapter.inquire(genuine.delivery())
    assert len(sns.asked) == asked


async def test_too_many_certificates_at_once_are_refused_until_later():
    """How many are asked for at a time is bounded; beyond it a sender is to try again."""
    released = asyncio.Event()

    async def slow(_request):
        await released.wait()
        return httpx.Response(503)

    sns = Sns()
    adapter = SesEvents(signers.TOPIC, clock=lambda: signers.NOW, transport=httpx.MockTransport(slow))
    sent = [sns(payloads.ses("Open"), cert=f"{HOST}/SimpleNotificationService-F{n}.pem") for n in range(100)]
    waiting = [asyncio.create_task(adapter.inquire(one.delivery())) for one in sent]
    done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert (len(done), len(pending)) == (36, 64)
    released.set()
    assert {type(one) for one in await asyncio.gather(*waiting, return_exceptions=True)} == {UnreachableError}
