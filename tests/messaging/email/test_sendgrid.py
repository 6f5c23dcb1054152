"""SendGrid: what its errors mean, and when it wants to be asked again."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from activities.messaging.email.sendgrid import SendGrid
from activities.messaging.protocol import Accepted, Busy, Receipt, Rejected, Unclear
from tests.messaging.email.mails import PLAIN, Noted
from tests.messaging.email.test_contracts import sent
from tests.messaging.email.vendor import Reply
from tests.messaging.email.vendors import NOW, SendGridApi

DAY = timedelta(days=1)


async def test_the_id_is_the_one_of_the_header(sendgrid: SendGridApi) -> None:
    """A 202 has no body; `X-Message-Id` is what its events begin with."""
    sendgrid.then(Reply(202, "", {"X-Message-Id": "sg-1"}), accepting=True)
    assert await sent(sendgrid, PLAIN) == Accepted("sg-1")
    sendgrid.then(Reply(202, ""))
    assert await sent(sendgrid, PLAIN) == Unclear("http_garbled_answer")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X-RateLimit-Reset": str(int(NOW.timestamp()) + 42)}, timedelta(seconds=42)),
        ({"X-RateLimit-Reset": str(int(NOW.timestamp()) - 5)}, timedelta(seconds=1)),
        ({"X-RateLimit-Reset": "9" * 40}, DAY),
        ({"X-RateLimit-Reset": "soon", "Retry-After": "7"}, timedelta(seconds=7)),
        ({}, None),
    ],
)
async def test_too_many_requests_are_spaced_as_it_wishes(
    sendgrid: SendGridApi, headers: dict[str, str], expected: timedelta | None
) -> None:
    """The end of its window by the wall clock: at least a second, at most a day, and nonsense is none."""
    sendgrid.then(sendgrid.failure(429, "too many requests", headers))
    assert await sent(sendgrid, PLAIN) == Busy("http_429", expected)


@pytest.mark.parametrize(
    ("field", "status", "expected"),
    [
        ("personalizations.0.to.0.email", 400, Rejected("http_400")),
        ("content.0.value", 400, Rejected("http_400")),
        ("from.email", 400, Busy("sendgrid_sender")),
        ("from", 400, Busy("sendgrid_sender")),
        ("reply_to.email", 400, Busy("sendgrid_sender")),
        (None, 400, Rejected("http_400")),
        (None, 401, Busy("http_401")),  # a wrong key, and credits that are used up
        ("from", 403, Busy("http_403")),  # a sender that is not verified
        (None, 413, Rejected("http_413")),
        (None, 503, Busy("http_503")),
    ],
)
async def test_each_error_blames_whom_it_is_about(
    sendgrid: SendGridApi, field: str | None, status: int, expected: Receipt
) -> None:
    """A field of our sender waits to be mended; one of the message is final; no address is dead for it."""
    sendgrid.then(sendgrid.error(field, "bad", status))
    assert await sent(sendgrid, PLAIN) == expected


@pytest.mark.parametrize("body", ['{"errors": 5}', '{"errors": ["x", null]}', '{"errors": {"a": 1}}', "null", "{", ""])
async def test_errors_in_another_form_are_still_a_refusal(sendgrid: SendGridApi, body: str) -> None:
    """A 400 is final whatever its body looks like."""
    sendgrid.then(Reply(400, body, {"Content-Type": "application/json"}))
    assert await sent(sendgrid, PLAIN) == Rejected("http_400")


async def test_the_eu_is_a_host() -> None:
    """The key travels as a bearer token, over TLS, to the host of the URL or the global one."""
    wire = Noted(202, {}, {"x-message-id": "1"})
    for host in ("", "api.eu.sendgrid.com"):
        provider = SendGrid(urlsplit(f"sendgrid://SG.a%2Fb@{host}"), transport=wire)
        assert await provider.send(PLAIN) == Accepted("1")
        await provider.aclose()
    assert [str(one.url) for one in wire.asked] == [
        "https://api.sendgrid.com/v3/mail/send",
        "https://api.eu.sendgrid.com/v3/mail/send",
    ]
    assert wire.asked[0].headers["authorization"] == "Bearer SG.a/b"
    with pytest.raises(ValueError, match=r"^POSTLUDE_EMAIL_URL: sendgrid://"):
        SendGrid(urlsplit("sendgrid://api.sendgrid.com"))
