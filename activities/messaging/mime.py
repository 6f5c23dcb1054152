"""A message as RFC 5322 bytes. Header fields can't be broken out of: what could is refused or folded first."""

import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from activities.messaging.protocol import Message

_CONTROLS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


def header_text(text: str) -> str:
    """Text fit for a header field: control characters and every kind of line break become one space."""
    return _CONTROLS.sub(" ", text).strip()


def as_email(message: Message) -> EmailMessage:
    """The message as MIME: a text part, then an HTML part; UTF-8, Message-ID as given.

    Raises:
        ValueError: an address is no address.
    """
    mail = EmailMessage(policy=SMTP)
    mail["Message-ID"] = message.message_id
    mail["From"] = Address(header_text(message.sender_name), addr_spec=message.sender)
    mail["To"] = Address(addr_spec=message.to)
    if message.reply_to != message.sender:
        mail["Reply-To"] = Address(addr_spec=message.reply_to)
    mail["Subject"] = header_text(message.subject)
    for name, value in message.headers:
        mail[name] = header_text(value)
    mail.set_content(message.text)
    mail.add_alternative(message.html, subtype="html")
    return mail
