"""A message as RFC 5322 bytes. Header fields can't be broken out of: what could is refused or folded first."""

import re
from email.errors import MessageError
from email.headerregistry import Address, BaseHeader, HeaderRegistry
from email.message import EmailMessage
from email.policy import EmailPolicy
from typing import Any

from activities.messaging.protocol import Message

# C0 and C1 controls, and what Unicode and Python take for line ends.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_UNICODE_LOCAL = re.compile(r"[^\s\x00-\x20\x7f-\x9f\u2028\u2029()<>@,;:\\\"\[\]]+")
_LONGEST_LINE = 998  # RFC 5322 2.1.1


class Headers(HeaderRegistry):
    """One class for each kind of header field: the standard library makes a new one for every field it meets."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[type, type[BaseHeader]] = {}

    def __getitem__(self, name: str) -> type[BaseHeader]:
        kind = self.registry.get(name.lower(), self.default_class)
        made = self._made.get(kind)
        if made is None:
            made = self._made[kind] = super().__getitem__(name)
        return made


class _Policy(EmailPolicy):
    """How mails are written: as the SMTP policy does, but a link is never cut.

    The standard library breaks a value without blanks that is longer than a line into encoded words, in which
    mail programs find no link: the one-click button would be gone.
    """

    def fold_binary(self, name: str, value: Any) -> bytes:
        """One header field as bytes."""
        line = f"{name}: {value}\r\n"
        if name == "List-Unsubscribe" and line.isascii() and len(line) <= _LONGEST_LINE:
            return line.encode("ascii")
        return super().fold_binary(name, value)


_ASCII = _Policy(linesep="\r\n", header_factory=Headers())
_UTF8 = _ASCII.clone(utf8=True)


def header_text(text: str) -> str:
    """Text fit for a header field: control characters and every kind of line break become one space."""
    return _CONTROLS.sub(" ", text).strip()


def address(text: str) -> Address:
    """The one address in `text` (RFC 5321 or, with a local part outside ASCII, RFC 6531); its domain in ASCII.

    Raises:
        ValueError: it is none, or more than one; the message does not repeat it.
    """
    local, _, domain = text.strip(" ").rpartition("@")
    try:
        domain = domain if domain.isascii() else domain.encode("idna").decode("ascii")
        if local.isascii():
            return Address(addr_spec=f"{local}@{domain}")
        Address(addr_spec=f"postmaster@{domain}")
    except (ValueError, MessageError, IndexError) as error:
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


def as_email(message: Message) -> tuple[EmailMessage, bool]:
    """The message as MIME: a text part, then an HTML part; UTF-8, Message-ID as given.

    Returns:
        The message, and whether it needs a server that takes UTF-8 addresses (SMTPUTF8).

    Raises:
        ValueError: an address is none.
    """
    to, sender, reply_to = address(message.to), address(message.sender), address(message.reply_to)
    international = not (to.username + sender.username + reply_to.username).isascii()
    mail = EmailMessage(policy=_UTF8 if international else _ASCII)
    mail["Message-ID"] = header_text(message.message_id)
    mail["From"] = Address(header_text(message.sender_name), sender.username, sender.domain)
    mail["To"] = to
    if reply_to != sender:
        mail["Reply-To"] = reply_to
    mail["Subject"] = header_text(message.subject)
    for name, value in message.headers:
        mail[name] = header_text(value)
    mail.set_content(message.text)
    mail.add_alternative(message.html, subtype="html")
    return mail, international
