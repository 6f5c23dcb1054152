"""Mail over plain SMTP: no idempotency, no look-up. Once the body is on the wire, only an answer tells.

`smtp://[user:password@]host[:port]` (STARTTLS when offered), `smtps://…` for TLS from the first byte.
"""

from datetime import timedelta
from email.policy import SMTP as SMTP_POLICY
from urllib.parse import SplitResult, unquote

import aiosmtplib

from activities.messaging.mime import as_email
from activities.messaging.protocol import Accepted, Busy, LookupUnavailableError, Message, Receipt, Rejected, Unclear

_PERMANENT = 500
_BAD_MAILBOX = ("5.1.", "550 5.1")


class Smtp:
    """An SMTP relay. A connection a message: a stale one would turn into doubt about what was sent."""

    name = "smtp"
    remembers: timedelta | None = None
    looks_up = False
    settles_after = timedelta(0)

    def __init__(self, url: SplitResult, *, timeout: float = 20.0) -> None:
        self._host = url.hostname or "127.0.0.1"
        self._tls = url.scheme == "smtps"
        self._port = url.port or (465 if self._tls else 25)
        self._user = unquote(url.username) if url.username else None
        self._password = unquote(url.password) if url.password else None
        self._timeout = timeout

    async def send(self, message: Message) -> Receipt:
        """Hand the message over; see `Receipt` for what can come of it."""
        try:
            mail = as_email(message)
        except ValueError:
            return Rejected("address_invalid")
        client = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            use_tls=self._tls,
            username=self._user,
            password=self._password,
            timeout=self._timeout,
        )
        try:
            await client.connect()
        except aiosmtplib.SMTPAuthenticationError as error:
            return Busy(f"smtp_{error.code}")
        except (aiosmtplib.SMTPException, OSError):
            return Busy("smtp_unreachable")
        try:
            return await self._hand_over(client, message, mail.as_bytes(policy=SMTP_POLICY))
        finally:
            client.close()

    async def _hand_over(self, client: aiosmtplib.SMTP, message: Message, body: bytes) -> Receipt:
        try:
            await client.ehlo()
            options = ["SMTPUTF8"] if not message.to.isascii() and client.supports_extension("smtputf8") else []
            encoding = "utf-8" if options else "ascii"
            await client.mail(message.sender, options=options, encoding=encoding)
            await client.rcpt(message.to, encoding=encoding)
        except UnicodeEncodeError:
            return Rejected("address_needs_smtputf8")
        except aiosmtplib.SMTPResponseException as error:
            return _refused(error.code, error.message)
        except (aiosmtplib.SMTPException, OSError):
            return Busy("smtp_dropped_before_data")
        try:
            answer = await client.data(body)
        except aiosmtplib.SMTPResponseException as error:
            return _refused(error.code, error.message)
        except (aiosmtplib.SMTPException, OSError):
            return Unclear("smtp_dropped_in_data")
        return Accepted(_queue_id(answer.message))

    async def find(self, key: str, message_id: str) -> str | None:  # noqa: ARG002  the Protocol's shape
        """SMTP has no memory.

        Raises:
            LookupUnavailableError: always.
        """
        raise LookupUnavailableError("plain SMTP cannot be asked what it sent")

    async def aclose(self) -> None:
        """Nothing is kept open."""


def _refused(code: int, text: str) -> Receipt:
    if code < _PERMANENT:
        return Busy(f"smtp_{code}")
    return Rejected(f"smtp_{code}", address_dead=text.startswith(_BAD_MAILBOX))


def _queue_id(text: str) -> str | None:
    """What relays say after accepting, `2.0.0 Ok: queued as 4F2A1`, kept for support; they promise nothing."""
    _, found, queued = text.partition("queued as ")
    return queued.split()[0][:100] if found and queued.split() else None
