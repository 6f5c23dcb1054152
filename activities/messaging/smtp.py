"""Mail over plain SMTP: no idempotency, no look-up. Once the body is on the wire, only an answer tells.

`smtp://[user:password@]host[:port]` (STARTTLS when offered), `smtps://…` for TLS from the first byte.
"""

from datetime import timedelta
from urllib.parse import SplitResult, unquote

import aiosmtplib

from activities.messaging.mime import address, as_email
from activities.messaging.protocol import Accepted, Busy, LookupUnavailableError, Message, Receipt, Rejected, Unclear

_PERMANENT = 500
# RFC 3463: these say that the recipient's mailbox or its domain is not there; others of 5.1 are about the sender.
_DEAD = ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10")
# RFC 4954: log in first, log in otherwise. Ours to mend, and the message is worth waiting for.
_LOGIN = frozenset({530, 534, 535, 538})


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
            mail, utf8 = as_email(message)
            sender, to = address(message.sender).addr_spec, address(message.to).addr_spec
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
            return await self._hand_over(client, sender, to, mail.as_bytes(), utf8=utf8)
        finally:
            client.close()

    async def _hand_over(self, client: aiosmtplib.SMTP, sender: str, to: str, body: bytes, *, utf8: bool) -> Receipt:
        stopped = await _envelope(client, sender, to, utf8=utf8)
        if stopped is not None:
            return stopped
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


async def _envelope(client: aiosmtplib.SMTP, sender: str, to: str, *, utf8: bool) -> Receipt | None:
    """Say who writes to whom; None when the server wants the message, else why not. Nothing is on the wire yet."""
    encoding = "utf-8" if utf8 else "ascii"
    try:
        await client.ehlo()
        if utf8 and not client.supports_extension("smtputf8"):
            return Rejected("address_needs_smtputf8")
        await client.mail(sender, options=["SMTPUTF8"] if utf8 else [], encoding=encoding)
        await client.rcpt(to, encoding=encoding)
    except aiosmtplib.SMTPSenderRefused as error:
        # Our own address is not welcome: somebody will mend that, and the customer's is not to blame.
        return Busy(f"smtp_sender_{error.code}")
    except aiosmtplib.SMTPResponseException as error:
        return _refused(error.code, error.message)
    except (aiosmtplib.SMTPException, OSError):
        return Busy("smtp_dropped_before_data")
    return None


def _refused(code: int, text: str) -> Receipt:
    if code < _PERMANENT or code in _LOGIN:
        return Busy(f"smtp_{code}")
    return Rejected(f"smtp_{code}", address_dead=text.split(" ", 1)[0] in _DEAD)


def _queue_id(text: str) -> str | None:
    """What relays say after accepting, `2.0.0 Ok: queued as 4F2A1`, kept for support; they promise nothing."""
    _, found, queued = text.partition("queued as ")
    return queued.split()[0][:100] if found and queued.split() else None
