"""What SES, SendGrid and Mailgun have in common: what arrives is what was written, and no failure lies."""

from typing import Any

import pytest

from activities.messaging.email.ses import tag
from activities.messaging.protocol import Accepted, Busy, LookupUnavailableError, Mail, Receipt, Rejected, Unclear
from tests.messaging.email.mails import LINK, PLAIN, mail
from tests.messaging.email.vendor import Received, Reply, Vendor
from tests.messaging.email.vendors import SesApi

EVIL = "Eve\r\nBcc: all@example.com\r\n\r\n<script>\u2028\u2029\x85\x0b\x00X"
NO_ADDRESSES = (
    *("a@x.com, b@y.com", "a@x.com\r\nBcc: b@y.com", "a@", "@x.com", "", "a@b@c.com", "<a@x.com>", "a@x.com\x00"),
    "a\u2028@x.com",
)


async def sent(vendor: Any, message: Mail, **options: Any) -> Receipt:
    """What comes of one send."""
    provider = vendor.provider(**options)
    try:
        receipt: Receipt = await provider.send(message)
        return receipt
    finally:
        await provider.aclose()


async def delivered(vendor: Vendor, message: Mail) -> Received:
    """The one mail that arrived."""
    receipt = await sent(vendor, message)
    assert isinstance(receipt, Accepted), receipt
    (received,) = vendor.received
    return received


async def test_what_arrives_is_what_was_written(vendor: Vendor) -> None:
    """Addresses, subject, both bodies, our key and every header; the provider's own id comes back."""
    receipt = await sent(vendor, PLAIN)
    assert isinstance(receipt, Accepted)
    assert receipt.provider_id
    (got,) = vendor.received
    assert got.key == (tag(PLAIN.key) if isinstance(vendor, SesApi) else PLAIN.key)
    assert (got.to, got.sender, got.reply_to) == ("ada@example.com", ("Shop", "shop@shop.test"), "help@shop.test")
    assert (got.subject, got.text, got.html) == ("Hello", "Hello Ada", "<p>Hello Ada</p>")
    assert got.headers["X-Postlude-Order"] == "acme/1001"
    assert {name.lower(): value for name, value in got.headers.items()}["message-id"] == PLAIN.message_id


async def test_one_click_unsubscribe_stands_in_the_header_uncut(vendor: Vendor) -> None:
    """RFC 8058 wants both fields; a signed link of 700 characters arrives as one link."""
    got = await delivered(vendor, PLAIN)
    assert got.headers["List-Unsubscribe"] == f"<{LINK}>"
    assert got.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


@pytest.mark.parametrize("name", ["Bäckerei Müller & Söhne, „Am Markt“", "山田太郎 (店)", 'O"Neil <x@y.z>'])
async def test_names_in_any_script_arrive(vendor: Vendor, name: str) -> None:
    """Unicode, quotes, commas and brackets in sender and subject are shown as they are, and are one sender."""
    got = await delivered(vendor, mail(sender_name=name, subject=f"{name} schreibt", text=name, html=name))
    assert got.sender == (name, "shop@shop.test")
    assert (got.subject, got.text, got.html) == (f"{name} schreibt", name, name)


async def test_no_field_can_be_broken_out_of(vendor: Vendor) -> None:
    """Line ends of every kind become blanks: no field arrives that was not written, and nobody else gets it."""
    message = mail(sender_name=EVIL, subject=EVIL, headers=(("X-Postlude-Order", EVIL),))
    got = await delivered(vendor, message)
    flat = "Eve Bcc: all@example.com <script> X"
    assert (got.sender[0], got.subject, got.headers["X-Postlude-Order"]) == (flat, flat, flat)
    assert {name.lower() for name in got.headers} <= {
        *("x-postlude-order", "message-id", "from", "to", "reply-to", "subject", "mime-version", "content-type"),
    }
    assert got.to == "ada@example.com"


async def test_what_is_no_address_is_refused_before_anything_is_sent(vendor: Vendor) -> None:
    """Lists, line ends and halves of addresses never reach a vendor."""
    for bad in NO_ADDRESSES:
        assert await sent(vendor, mail(to=bad)) == Rejected("address_invalid"), bad
    assert vendor.asked == []


async def test_an_answer_that_cannot_be_read_is_no_certainty(vendor: Vendor) -> None:
    """Taken or not: a proxy's page, half an answer, none at all and a 500 all leave it open."""
    page = Reply(200, "<html>welcome</html>", {"Content-Type": "text/html"})
    cut = Reply(202, '{"id": "x"}', {"X-Message-Id": "x"}, how="cut")
    doubts = [
        (page, "http_garbled_answer"),
        (Reply(200, "[]"), "http_garbled_answer"),
        (Reply(200, '{"MessageId": 7, "id": 7}'), "http_garbled_answer"),
        (cut, "http_no_answer"),
        (Reply(200, how="silent"), "http_no_answer"),
        (vendor.failure(500), "http_500"),
        (Reply(502, "<html>bad gateway</html>"), "http_502"),
    ]
    for reply, rule in doubts:
        for accepting in (True, False):
            vendor.then(reply, accepting=accepting)
            assert await sent(vendor, PLAIN) == Unclear(rule), reply
    assert len(vendor.received) == len(doubts)


async def test_a_vendor_that_is_away_took_nothing(vendor: Vendor) -> None:
    """A refused connection and a 503 are certain: it goes later."""
    vendor.then(vendor.failure(503, headers={"Retry-After": "30"}))
    answer = await sent(vendor, PLAIN)
    assert isinstance(answer, Busy)
    assert (answer.rule, answer.retry_after and answer.retry_after.total_seconds()) == ("http_503", 30)
    await vendor.stop()
    assert await sent(vendor, PLAIN) == Busy("http_unreachable")


async def test_a_wrong_key_is_ours_to_mend(vendor: Vendor) -> None:
    """The vendor refuses it, and the message waits."""
    expected = Busy("http_403" if isinstance(vendor, SesApi) else "http_401")
    assert await sent(vendor, PLAIN, secret="wrong") == expected
    assert vendor.received == []


async def test_what_is_said_of_a_failure_names_nobody(vendor: Vendor) -> None:
    """Vendors quote addresses in their errors; a rule is a code."""
    for status in (400, 401, 403, 404, 413, 422, 429, 500, 503):
        vendor.then(vendor.failure(status, "ada@example.com is not a valid address"))
        receipt = await sent(vendor, PLAIN)
        assert not isinstance(receipt, Accepted)
        assert "ada" not in repr(receipt)


async def test_nothing_can_be_searched_by_default(vendor: Any) -> None:
    """None of them has an idempotency key, and none is asked what it may not tell."""
    provider = vendor.provider()
    assert (provider.remembers, provider.looks_up) == (None, False)
    with pytest.raises(LookupUnavailableError):
        await provider.find(PLAIN.key, PLAIN.message_id)
    await provider.aclose()
    assert vendor.asked == []
