"""What stands in a mail's header: exactly what should, whatever the order, the person or the shop is called."""

import re
from decimal import Decimal
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default

import pytest

from activities.links import Links
from activities.messaging.mime import address, as_bytes, header_text, mailbox
from activities.messaging.protocol import Mail
from journey.outcomes import Sent
from tests.activities.desk import MARKETING, TRANSACTIONAL, Desk
from tests.support.orders import Order, Person
from tests.support.providers import PostmarkApi, ResendApi
from tests.support.world import order_id
from workers.mail_catcher import MailCatcher

EVIL = "Eve\r\nBcc: all@example.com\r\n\r\n<script>alert(1)</script>\u2028\u2029\x85\x0b\x1b\x9f'\"& {{ 7*7 }}"
BREAKS = ("\r", "\n", "\r\n", "\x00", "\x0b", "\x0c", "\x85", "\u2028", "\u2029")
EXPECTED = {
    *("Message-ID", "From", "To", "Reply-To", "Subject", "X-Postlude-Order", "X-Postlude-Touch"),
    *("MIME-Version", "Content-Type"),
}
LIST = {"List-Unsubscribe", "List-Unsubscribe-Post"}


def message(**changes: object) -> Mail:
    """A harmless one, unless changed."""
    plain = {
        "key": "k/1",
        "message_id": "<1@shop.test>",
        "sender": "shop@shop.test",
        "sender_name": "Shop",
        "to": "ada@example.com",
        "reply_to": "help@shop.test",
        "subject": "Hello",
        "html": "<p>Hello</p>",
        "text": "Hello",
        "headers": (("X-Postlude-Order", "acme/1"),),
    }
    return Mail(**(plain | changes))  # type: ignore[arg-type]  # each test changes texts for texts


def parsed(made: Mail) -> EmailMessage:
    """As a mail program reads it."""
    return BytesParser(_class=EmailMessage, policy=default).parsebytes(as_bytes(made)[0])


@pytest.mark.parametrize("field", ["subject", "sender_name", "headers"])
@pytest.mark.parametrize("line_end", BREAKS)
def test_no_field_can_be_broken_out_of(field: str, line_end: str) -> None:
    """Every kind of line end, and NUL, becomes a space: no field appears that we did not write."""
    evil = f"a{line_end}Bcc: all@example.com"
    mail = parsed(message(**{field: (("X-Postlude-Order", evil),) if field == "headers" else evil}))
    assert set(mail.keys()) == EXPECTED - {"X-Postlude-Touch"}
    name = {"subject": "Subject", "sender_name": "From", "headers": "X-Postlude-Order"}[field]
    assert "a Bcc: all@example.com" in str(mail[name])
    assert len(mail["From"].addresses) == len(mail["To"].addresses) == 1


async def hostile(desk: Desk) -> Order:
    """An order where everything a stranger can choose is chosen badly."""
    person = Person(customer_id=order_id(), first_name=EVIL, email="o'brien+\"@example.com".replace('"', "x"))
    return await desk.order(order_id=f"{order_id()}{EVIL}", shop=f"acme{EVIL}", category=EVIL, person=person)


@pytest.mark.parametrize("touch", [TRANSACTIONAL, MARKETING])
async def test_a_hostile_order_over_smtp_has_the_usual_header(
    smtp_desk: Desk, catcher: MailCatcher, touch: str
) -> None:
    """One recipient, the known fields, nothing else, and no markup that acts."""
    order = await hostile(smtp_desk)
    assert isinstance(await smtp_desk.settle(smtp_desk.request(order, touch)), Sent)
    (mail,) = catcher.messages()
    assert mail.recipients == (order.person.email,)
    ours = {name for name in mail.parsed() if name not in {"Return-Path", "Delivered-To", "X-Caught-At"}}
    assert ours == EXPECTED | (LIST if touch == MARKETING else set())
    assert "<script" not in (mail.html() or "").lower()


@pytest.mark.parametrize("touch", [TRANSACTIONAL, MARKETING])
async def test_a_hostile_order_over_an_api_is_taken(
    resend_desk: Desk, postmark_desk: Desk, resend: ResendApi, postmark: PostmarkApi, touch: str
) -> None:
    """The stand-ins refuse any field with a control character, as the vendors do; these have none."""
    for desk, api in ((resend_desk, resend), (postmark_desk, postmark)):
        order = await hostile(desk)
        assert isinstance(await desk.settle(desk.request(order, touch)), Sent)
        assert [arrival.to for arrival in api.arrivals()] == [order.person.email]


@pytest.mark.parametrize("kind", ["smtp", "resend", "postmark"])
async def test_marketing_can_be_left_by_one_click_and_only_marketing(
    smtp_desk: Desk, resend_desk: Desk, postmark_desk: Desk, catcher: MailCatcher, kind: str
) -> None:
    """RFC 8058: one HTTPS or HTTP link in angle brackets, unfolded, and the exact word beside it."""
    desk = {"smtp": smtp_desk, "resend": resend_desk, "postmark": postmark_desk}[kind]
    for touch in (MARKETING, TRANSACTIONAL):
        order = await desk.order()
        await desk.settle(desk.request(order, touch))
        if kind == "smtp":
            raw = catcher.messages()[-1].path.read_bytes().decode()
            lines = dict(re.findall(r"^(List-[\w-]+): (.*?)\r$", raw, re.MULTILINE))
        else:
            sent = desk.receiving.requests[-1]  # type: ignore[attr-defined]  # the stand-ins keep them
            fields = sent.get("headers") or {one["Name"]: one["Value"] for one in sent["Headers"]}
            lines = {name: value for name, value in fields.items() if name.startswith("List-")}
        if touch == TRANSACTIONAL:
            assert lines == {}
            continue
        assert lines.keys() == LIST
        assert lines["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        link = re.fullmatch(r"<(http://shop\.test/\S+)>", lines["List-Unsubscribe"])
        assert link is not None
        token = link[1].rpartition("/")[2]
        assert Links("test-secret-key", "http://shop.test").read_unsubscribe(token) == (order.shop, order.order_id)


def test_a_long_unsubscribe_link_stays_a_link() -> None:
    """Neither folded in the middle nor encoded, or mail programs show no button."""
    link = f"<https://shop.example/u/{'x' * 300}>"
    raw = as_bytes(message(headers=(("List-Unsubscribe", link),)))[0].decode()
    assert link in re.sub(r"\r\n ", "", raw)
    assert "=?" not in raw


def test_addresses_are_one_address() -> None:
    """Quoted and international ones pass in one form; lists, comments' worth of tricks and halves do not."""
    for text, known in {
        "ada@example.com": "ada@example.com",
        " ada@example.com ": "ada@example.com",
        '"a b"@example.com': '"a b"@example.com',
        "o'brien+x@example.com": "o'brien+x@example.com",
        "ada@exämple.de": "ada@xn--exmple-cua.de",
        "jörg@exämple.de": "jörg@xn--exmple-cua.de",
        "用户@例子.广告": "用户@xn--fsqu00a.xn--4rr70v",
    }.items():
        assert address(text).addr_spec == known
    for bad in ("a@x.com,b@y.com", "a@x.com\nBcc: b@y.com", "a@", "@x.com", "", "ö @x.com", "ö>@x.com", "a@x..com"):
        with pytest.raises(ValueError, match="not one mail address"):
            address(bad)


def test_a_senders_name_is_quoted_as_it_must_be() -> None:
    """Commas, quotes and angle brackets in a shop's name make no second address."""
    for name in ('Mat & "Co", Ltd. <ceo@x.com>', "Übung, macht <den> Meister", "a\r\nBcc: b@y.com"):
        (found,) = parsed(message(sender_name=name))["From"].addresses
        assert (found.display_name, found.addr_spec) == (header_text(name), "shop@shop.test")
        assert mailbox(name, "shop@shop.test").endswith("<shop@shop.test>")
        assert mailbox(name, "shop@shop.test").isprintable()


async def test_money_and_days_are_written_in_the_mails_own_language(smtp_desk: Desk, catcher: MailCatcher) -> None:
    """Minor units are the currency's; the region is the customer's; no foreign weekday stands in an English mail."""
    cases = {
        ("JPY", "7900", "ja-JP"): ("¥7,900", "¥7,900.00"),
        ("EUR", "79.00", "de-DE"): ("79,00", "79.00"),
        ("EUR", "79.00", "it-IT"): ("79,00", "79.00"),  # as English is written in Italy
        ("KWD", "7.5", "en"): ("7.500", "7.50 "),
        ("USD", "1234.5", "xx-YY"): ("$1,234.50", "1.234"),
        ("GBP", "79", "not a locale\r\n"): ("£79.00", "£79 "),
    }
    for (currency, total, locale), (wanted, unwanted) in cases.items():
        person = Person(customer_id=order_id(), locale=locale)
        order = await smtp_desk.order(person=person, currency=currency, total=Decimal(total))
        assert isinstance(await smtp_desk.settle(smtp_desk.request(order, TRANSACTIONAL)), Sent)
        text = " ".join((catcher.messages()[-1].text() or "").split())
        assert wanted in text, (locale, text)
        assert unwanted not in text, (locale, text)
        assert ("Montag" in text) == locale.startswith("de"), (locale, text)
        assert not re.search(r"lunedì|月曜日", text)
