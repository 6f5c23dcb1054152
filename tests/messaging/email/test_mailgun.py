"""Mailgun: what its errors mean, and what its events say of a doubt."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from activities.messaging.email.mailgun import Mailgun
from activities.messaging.protocol import Accepted, Busy, LookupUnavailableError, Receipt, Rejected, Unclear
from tests.messaging.email.mails import PLAIN, Noted
from tests.messaging.email.test_contracts import sent
from tests.messaging.email.vendor import Reply
from tests.messaging.email.vendors import MailgunApi

NOT_ALLOWED = "Domain mg.shop.test is not allowed to send: "


async def test_the_id_is_our_message_id(mailgun: MailgunApi) -> None:
    """Mailgun keeps our Message-ID and answers with it."""
    assert await sent(mailgun, PLAIN) == Accepted(PLAIN.message_id)


async def test_a_doubt_is_settled_from_its_events(mailgun: MailgunApi) -> None:
    """A message taken in silence is found under the same id as if it had been answered; what never came is not."""
    provider = mailgun.provider(more="&lookup=1")
    assert (provider.looks_up, provider.settles_after) == (True, timedelta(minutes=30))
    assert await provider.find(PLAIN.key, PLAIN.message_id) is None
    mailgun.then(Reply(200, how="silent"), accepting=True)
    assert await provider.send(PLAIN) == Unclear("http_no_answer")
    assert await provider.find(PLAIN.key, PLAIN.message_id) == PLAIN.message_id
    assert await provider.find("another/key", "<another@shop.test>") is None
    await provider.aclose()


@pytest.mark.parametrize("status", [401, 404, 429, 500])
async def test_events_that_cannot_be_read_settle_nothing(mailgun: MailgunApi, status: int) -> None:
    """A sending key, a wrong domain, too many questions, an outage: ask again, and do not take it for a no."""
    await sent(mailgun, PLAIN)
    mailgun.search = status
    provider = mailgun.provider(more="&lookup=1")
    with pytest.raises(LookupUnavailableError):
        await provider.find(PLAIN.key, PLAIN.message_id)
    await provider.aclose()


@pytest.mark.parametrize(
    "answer", ["Mailgun Magnificent API", {}, [], {"items": [{"event": "accepted"}]}, {"items": {"a": 1}}]
)
async def test_events_in_another_form_settle_nothing(answer: object) -> None:
    """What is not a list of events is no answer."""
    url = urlsplit("mailgun://k@api.mailgun.net/mg.shop.test?lookup=1")
    provider = Mailgun(url, transport=Noted(200, answer))
    with pytest.raises(LookupUnavailableError):
        await provider.find(PLAIN.key, PLAIN.message_id)
    await provider.aclose()


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (400, "'to' parameter is not a valid address. please check documentation", Rejected("http_400")),
        (400, "Need at least one of 'text' or 'html' parameters specified", Rejected("http_400")),
        (400, "'from' parameter is not a valid address. please check documentation", Busy("mailgun_account")),
        (400, NOT_ALLOWED + "The domain is unverified and requires DNS configuration.", Busy("mailgun_account")),
        (403, NOT_ALLOWED + "Please activate your Mailgun account.", Busy("http_403")),
        (401, "Forbidden", Busy("http_401")),
        (402, "payment required", Busy("http_402")),
        (404, "Domain not found: mg.shop.test", Busy("http_404")),
        (413, "too large", Rejected("http_413")),
        (420, NOT_ALLOWED + "recipient limit exceeded", Busy("http_420")),
    ],
)
async def test_each_error_blames_whom_it_is_about(
    mailgun: MailgunApi, status: int, text: str, expected: Receipt
) -> None:
    """Our domain and account wait to be mended; the message's own faults are final; no address is dead for them."""
    mailgun.then(mailgun.failure(status, text))
    assert await sent(mailgun, PLAIN) == expected


async def test_too_many_requests_are_spaced_as_it_wishes(mailgun: MailgunApi) -> None:
    """Retry-After decides when to come back."""
    mailgun.then(mailgun.failure(429, "slow down", {"Retry-After": "12"}))
    assert await sent(mailgun, PLAIN) == Busy("http_429", timedelta(seconds=12))


async def test_the_domain_is_the_path_and_the_eu_a_host() -> None:
    """The key travels as a password of `api`, over TLS."""
    wire = Noted(200, {"id": "<1@x>", "message": "Queued. Thank you."})
    url = urlsplit("mailgun://key-1@api.eu.mailgun.net/mg.shop.test")
    provider = Mailgun(url, transport=wire)
    assert await provider.send(PLAIN) == Accepted("<1@x>")
    await provider.aclose()
    (asked,) = wire.asked
    assert str(asked.url) == "https://api.eu.mailgun.net/v3/mg.shop.test/messages"
    assert asked.headers["authorization"] == "Basic YXBpOmtleS0x"


@pytest.mark.parametrize(
    "url",
    [
        "mailgun://api.mailgun.net/mg.shop.test",
        "mailgun://s3cret@api.mailgun.net",
        "mailgun://s3cret@api.mailgun.net/v3/mg.shop.test",
        "mailgun://s3cret@api.mailgun.net/a%2Fb.c",
    ],
)
def test_a_setting_that_lacks_something_says_so_without_its_secret(url: str) -> None:
    """The text names the setting and what it needs."""
    with pytest.raises(ValueError, match=r"^POSTLUDE_EMAIL_URL: mailgun://") as raised:
        Mailgun(urlsplit(url))
    assert "s3cret" not in str(raised.value)
