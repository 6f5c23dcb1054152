"""A message as RFC 5322 bytes. Header fields can't be broken out of: what could is refused or encoded first.

The fields are written here and not by `email.message`, which parses each value it is given by a grammar in Python:
2.4 ms a mail against 0.15. Everything is 7-bit but an international address, so any relay takes it as it is.
"""

import re
from binascii import b2a_base64, b2a_qp
from collections.abc import Iterator
from email.errors import MessageError
from email.headerregistry import Address

from activities.messaging.protocol import Mail

# C0 and C1 controls, and what Unicode and Python take for line ends.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_UNICODE_LOCAL = re.compile(r"[^\s\x00-\x20\x7f-\x9f\u2028\u2029()<>@,;:\\\"\[\]]+")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
# RFC 5322 3.4.1 without quotes, comments and literals: nearly every address there is.
_PLAIN = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*)")
_NAME = re.compile(r"[!-9;-~]+")  # RFC 5322 3.6.8
_LINE, _LONGEST_LINE = 78, 998  # RFC 5322 2.1.1: should, must
# RFC 2047 2: no line with an encoded word is longer than 76, and `=?utf-8?b?` + `?=` are 12 of it.
_WORD_LINE, _AROUND = 76, 12
# Fields of syntax rather than text: an encoded word in one is no word but part of a link.
_SYNTAX = frozenset({"Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post"})
# RFC 2045 6.7: quoted-printable never has `=_` in it, so that no body can end its own part.
_BOUNDARY = "=_postlude"


def header_text(text: str) -> str:
    """Text fit for a header field: control characters and every kind of line break become one space."""
    return _CONTROLS.sub(" ", text).strip()


def address(text: str) -> Address:
    """The one address in `text` (RFC 5321 or, with a local part outside ASCII, RFC 6531); its domain in ASCII.

    Raises:
        ValueError: it is none, or more than one; the message does not repeat it.
    """
    text = text.strip(" ")
    # What looks like an encoded word is left to the parser, which knows what it would be taken for.
    if (plain := _PLAIN.fullmatch(text)) is not None and "=?" not in text:
        return Address(username=plain[1], domain=plain[2])
    local, _, domain = text.rpartition("@")
    try:
        domain = domain if domain.isascii() else domain.encode("idna").decode("ascii")
        if local.isascii():
            return Address(addr_spec=f"{local}@{domain}")
        Address(addr_spec=f"postmaster@{domain}")
    except (ValueError, MessageError, IndexError, AttributeError) as error:
        # The last two are the parser's own stumbles, over `0@[` and the like.
        raise ValueError("not one mail address") from error
    if not _UNICODE_LOCAL.fullmatch(local):
        raise ValueError("not one mail address")
    return Address(username=local, domain=domain)


def mailbox(name: str, addr_spec: str) -> str:
    """`name <addr_spec>`, quoted as RFC 5322 wants it, for APIs that take a sender as text.

    Raises:
        ValueError: the address is none.
    """
    known = address(addr_spec)
    return str(Address(header_text(name), known.username, known.domain))


def as_bytes(message: Mail) -> tuple[bytes, bool]:
    """The message as MIME: a text part, then an HTML part; UTF-8, Message-ID as given. The same mail, the same bytes.

    Returns:
        The message with CRLF line ends, and whether it needs a server that takes UTF-8 addresses (SMTPUTF8).

    Raises:
        ValueError: an address is none, or a header field could not be written so that it ends where it should.
    """
    to, sender, reply_to = address(message.to), address(message.sender), address(message.reply_to)
    lines = [
        _field("Message-ID", message.message_id),
        f"From: {_mailbox(header_text(message.sender_name), sender)}",
        f"To: {to.addr_spec}",
    ]
    if reply_to != sender:
        lines.append(f"Reply-To: {reply_to.addr_spec}")
    lines.append(_field("Subject", message.subject))
    lines += [_field(name, value) for name, value in message.headers]
    lines += ["MIME-Version: 1.0", f'Content-Type: multipart/alternative; boundary="{_BOUNDARY}"']
    for line in lines:
        _check(line)
    head = "\r\n".join(lines).encode()
    opening = f"\r\n--{_BOUNDARY}\r\nContent-Type: text/".encode()
    coded = b'; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
    end = f"\r\n--{_BOUNDARY}--\r\n".encode()
    parts = (head, b"\r\n", opening, b"plain", coded, _body(message.text), opening, b"html", coded, _body(message.html))
    international = not (to.username + sender.username + reply_to.username).isascii()
    return b"".join((*parts, end)), international


def _check(field: str) -> None:
    """Nothing in a field may end it: the last look before it is on the wire, whatever wrote it.

    Raises:
        ValueError: something does, or a line is too long.
    """
    for line in field.split("\r\n "):
        if _CONTROLS.search(line) or len(line.encode()) > _LONGEST_LINE:
            raise ValueError("a header field cannot be written")


def _field(name: str, value: str) -> str:
    """One field of text, folded where it has to be."""
    if not _NAME.fullmatch(name):
        raise ValueError("a header field cannot be written")
    text = header_text(value)
    longest = _LONGEST_LINE if name in _SYNTAX else _LINE
    if text.isascii() and len(name) + 2 + len(text) <= longest and (name in _SYNTAX or "=?" not in text):
        return f"{name}: {text}"
    return f"{name}: {_folded(text, len(name) + 2)}"


def _mailbox(name: str, known: Address) -> str:
    """A sender: the name quoted, or in encoded words, and the address on a line of its own where it must be."""
    plain = str(Address(name, known.username, known.domain))
    if name.isascii() and "=?" not in name and len("From: ") + len(plain) <= _LINE:
        return plain
    return f"{_folded(name, len('From: '))}\r\n <{known.addr_spec}>" if name else known.addr_spec


def _folded(text: str, taken: int) -> str:
    """The text as encoded words, one a line; `taken` is how much of the first line is used."""
    return "\r\n ".join(_words(text.encode(), taken))


def _words(data: bytes, taken: int) -> Iterator[str]:
    start = 0
    while start < len(data):
        end = start + max(_WORD_LINE - taken - _AROUND, 8) // 4 * 3
        # No character is cut in two: RFC 2047 5.
        while end < len(data) and data[end] & 0xC0 == 0x80:  # noqa: PLR2004  UTF-8: a byte that continues one
            end -= 1
        yield f"=?utf-8?b?{b2a_base64(data[start:end], newline=False).decode('ascii')}?="
        start, taken = end, 1


def _body(text: str) -> bytes:
    """The text in quoted-printable: most of it is read by eye, and a line of any length is cut where none sees it."""
    return b2a_qp(b"\r\n".join(text.encode().splitlines()) + b"\r\n")
