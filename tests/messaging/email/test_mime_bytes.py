"""Mails as bytes, read back: what the standard library's parser finds is what was written, and what it would write."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import BytesParser, Parser
from email.policy import SMTP, SMTPUTF8

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from activities.messaging.mime import address, as_bytes, header_text
from activities.messaging.protocol import Mail

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
FIELDS = ("Message-ID", "From", "To", "Reply-To", "Subject", "X-Postlude-Order", "MIME-Version", "Content-Type")


def mail(subject: str, name: str, order: str, body: str, *, to: str = "ada@example.com") -> Mail:
    """A mail with these texts where a stranger's could stand."""
    return Mail(
        key="k/1",
        message_id="<1@shop.test>",
        sender="shop@shop.test",
        sender_name=name,
        to=to,
        reply_to="help@shop.test",
        subject=subject,
        html=body,
        text=body,
        headers=(("X-Postlude-Order", order),),
    )


def read(content: bytes) -> EmailMessage:
    """As a mail program reads it."""
    return BytesParser(_class=EmailMessage, policy=SMTP).parsebytes(content)


def by_the_standard_library(made: Mail) -> EmailMessage:
    """The same mail, written by `email.message` and read back."""
    plain = EmailMessage(policy=SMTP)
    plain["From"] = Address(header_text(made.sender_name), "shop", "shop.test")
    plain["Subject"] = header_text(made.subject)
    plain["X-Postlude-Order"] = header_text(made.headers[0][1])
    plain.set_content(made.text)
    plain.add_alternative(made.html, subtype="html")
    return read(plain.as_bytes())


def lines(part: EmailMessage | None) -> list[str]:
    """A part's text, whatever its line ends."""
    assert part is not None
    return part.get_content().replace("\r\n", "\n").rstrip("\n").split("\n")


@given(subject=TEXT, name=TEXT, order=TEXT, body=TEXT)
@example(subject="=?utf-8?q?Bcc:_b=40y.com?=", name="=?utf-8?q?a?= <b@y.com>", order="=?x?=", body="=_postlude")
@example(subject="ü" * 300, name='"Ö" \\ ' * 20, order="a " * 99, body=f"--=_postlude--\r\n.\r\nFrom me\n{'x' * 5000}")
@settings(max_examples=150, deadline=None)
def test_what_was_written_is_what_is_read(subject: str, name: str, order: str, body: str) -> None:
    """Any text, in any field and in the body, comes back as it was; there is no field, no part, no defect besides."""
    made = mail(subject, name, order, body)
    content, international = as_bytes(made)
    found = read(content)
    assert (tuple(found.keys()), international) == (FIELDS, False)
    assert found["Subject"] == header_text(subject)
    assert found["X-Postlude-Order"] == header_text(order)
    (sender,) = found["From"].addresses
    # CPython's parser keeps the blank between two encoded words of a name, which RFC 2047 6.2 says to drop.
    assert "".join(sender.display_name.split()) == "".join(header_text(name).split())
    assert sender.addr_spec == "shop@shop.test"
    assert [part.get_content_type() for part in found.iter_parts()] == ["text/plain", "text/html"]
    wanted = body.encode().replace(b"\r\n", b"\n").replace(b"\r", b"\n").decode().rstrip("\n").split("\n")
    assert lines(found.get_body(("plain",))) == lines(found.get_body(("html",))) == wanted
    assert not [one for part in found.walk() for one in part.defects]


@given(subject=TEXT, name=TEXT, body=TEXT)
@settings(max_examples=75, deadline=None)
def test_bytes_are_fit_for_any_relay(subject: str, name: str, body: str) -> None:
    """ASCII, CRLF and nothing else at line ends, no line too long: also for a relay that knows no extension."""
    content, _ = as_bytes(mail(subject, name, "acme/1", body))
    assert content.isascii()
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert b"\r" not in content.replace(b"\r\n", b"")
    assert max(len(line) for line in content.split(b"\r\n")) <= 78


def test_it_is_what_the_standard_library_writes() -> None:
    """An ordinary German mail and an ordinary English one read alike, whoever wrote them."""
    for made in (
        mail("Na, wie läuft es?", "Müller & Söhne, Köln", "acme/1001", "Grüße\n\n-- \nDein Team €"),
        mail("How is it going?", "Fernhill Supply", "acme/1001", "Hello\n" + "word " * 400),
    ):
        ours, theirs = read(as_bytes(made)[0]), by_the_standard_library(made)
        for name in ("Subject", "From", "X-Postlude-Order"):
            assert ours[name] == theirs[name]
        for kind in ("plain", "html"):
            assert lines(ours.get_body((kind,))) == lines(theirs.get_body((kind,)))


def test_an_international_address_stays_as_it_is() -> None:
    """RFC 6531: the local part in UTF-8, said to need SMTPUTF8, and the domain in ASCII."""
    content, international = as_bytes(mail("Hällo", "Shop", "acme/1", "Hi", to="jörg@exämple.de"))
    assert international
    # From bytes, the standard library takes no field to be UTF-8.
    (to,) = Parser(_class=EmailMessage, policy=SMTPUTF8).parsestr(content.decode())["To"].addresses
    assert to.addr_spec == "jörg@xn--exmple-cua.de"


@given(local=st.text(st.characters(max_codepoint=127), max_size=20))
@example("=?utf-8?q?a=40b=2Ecom=3E?=")
@example("0@[")
@example("a.")
@example(".a")
@example("a..b")
@settings(max_examples=300, deadline=None)
def test_the_short_way_to_an_address_is_the_long_one(local: str) -> None:
    """An address that is taken without the parser is one to the parser, and the very same."""
    try:
        found = address(f"{local}@example.com")
    except ValueError:
        return
    assert found.addr_spec == Address(addr_spec=f"{local.lstrip(' ')}@example.com").addr_spec


@pytest.mark.parametrize("headers", [(("X: y\r\nBcc", "b@y.com"),), (("", "x"),), (("X-Ü", "x"),)])
def test_a_field_has_a_name(headers: tuple[tuple[str, str], ...]) -> None:
    """What is no name of a field is refused."""
    made = mail("s", "n", "o", "b")
    with pytest.raises(ValueError, match="header field"):
        as_bytes(Mail(**{**{name: getattr(made, name) for name in Mail.__slots__}, "headers": headers}))


def test_a_line_no_relay_must_take_is_refused() -> None:
    """RFC 5322 2.1.1: beyond 998 characters there is no passing."""
    with pytest.raises(ValueError, match="header field"):
        as_bytes(mail("s", "n", "o", "b", to=f"{'a' * 1000}@example.com"))
