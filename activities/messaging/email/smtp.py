"""Mail over plain SMTP: no idempotency, no look-up. Once the body is on the wire, only an answer tells.

`smtp://[user:password@]host[:port]` (STARTTLS when offered), `smtps://…` for TLS from the first byte.
"""

import asyncio
from urllib.parse import SplitResult, unquote

import aiosmtplib
from aiosmtplib.protocol import PERIOD_REGEX, normalize_message_line_endings

from activities.messaging.mime import address, as_bytes
from activities.messaging.protocol import Accepted, Busy, Mail, Receipt, Rejected, Unclear, Unsearchable
from journey.intervals import SMTP_GREETING, SMTP_LAST_WORD

_GO_AHEAD = 354
# RFC 5321 4.2.1: the first digit says it all; what has another one is no answer.
_DONE, _TRANSIENT, _PERMANENT = 2, 4, 5
_POLICY = 550
# RFC 3463: these say that the recipient's mailbox or its domain is not there; others of 5.1 are about the sender.
_DEAD = ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10")
# RFC 4954: log in first, log in otherwise. Ours to mend, and the message is worth waiting for.
_LOGIN = frozenset({530, 534, 535, 538})

# RFC 5321 3.8 and 4.2.3: the service is not there for anybody. Other codes may be about one recipient (greylisting, a
# full mailbox) or one message.
_LEAVING = frozenset({421})


class Smtp(Unsearchable):
    """An SMTP relay. A connection a message: a stale one would turn into doubt about what was sent.

    `timeout` is in seconds and for everything up to the server's word that it wants the message. After the
    message it has `answer_timeout` seconds: RFC 5321 4.5.3.2.6 asks for patience there, because who hangs up on a
    relay that is at work on a message gets that message sent twice.
    """

    name = "smtp"

    def __init__(
        self,
        url: SplitResult,
        *,
        timeout: float = SMTP_GREETING.total_seconds(),
        answer_timeout: float = SMTP_LAST_WORD.total_seconds(),
    ) -> None:
        self._host = url.hostname or "127.0.0.1"
        self._tls = url.scheme == "smtps"
        self._port = url.port or (465 if self._tls else 25)
        self._user = unquote(url.username) if url.username else None
        self._password = unquote(url.password) if url.password else None
        self._timeout = timeout
        self._answer_timeout = answer_timeout

    async def answers(self) -> bool:
        """See `Answering`: the relay takes a connection and greets."""
        client = self._client()
        try:
            async with asyncio.timeout(self._timeout):
                return await _connected(client) is None
        except TimeoutError:
            return False
        finally:
            client.close()

    async def send(self, message: Mail) -> Receipt:
        """Hand the message over; see `Receipt` for what can come of it."""
        try:
            mail, utf8 = as_bytes(message)
            sender, to = address(message.sender).addr_spec, address(message.to).addr_spec
        except ValueError:
            return Rejected("address_invalid")
        client = self._client()
        try:
            async with asyncio.timeout(self._timeout):
                stopped = await _connected(client) or await _envelope(client, sender, to, utf8=utf8)
            return stopped or await self._hand_over(client, mail)
        except TimeoutError:
            return Busy("smtp_unreachable" if client.protocol is None else "smtp_dropped_before_data")
        finally:
            client.close()

    def _client(self) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            use_tls=self._tls,
            username=self._user,
            password=self._password,
            timeout=self._timeout,
        )

    async def _hand_over(self, client: aiosmtplib.SMTP, body: bytes) -> Receipt:
        """Write the message to a server that waits for it."""
        protocol = client.protocol
        if protocol is None or not protocol.is_connected:
            return Busy("smtp_dropped_before_data")
        protocol.write(PERIOD_REGEX.sub(b"..", normalize_message_line_endings(body)) + b".\r\n")
        try:
            answer = await protocol.read_response(self._answer_timeout)
        except aiosmtplib.SMTPResponseException:
            return Unclear("smtp_garbled_answer")
        except (aiosmtplib.SMTPException, OSError):
            return Unclear("smtp_dropped_in_data")
        if answer.code // 100 == _DONE:
            return Accepted(_queue_id(answer.message))
        if answer.code // 100 not in {_TRANSIENT, _PERMANENT}:
            return Unclear("smtp_garbled_answer")
        # Policy on what was written is the message's own matter, but for 550, which is about who we are.
        return _refused(answer.code, answer.message, policy_is_ours=answer.code == _POLICY)

    async def aclose(self) -> None:
        """Nothing is kept open."""


async def _connected(client: aiosmtplib.SMTP) -> Receipt | None:
    """Connect and log in; None when the server is ready, else why not."""
    try:
        await client.connect()
    except aiosmtplib.SMTPAuthenticationError as error:
        return Busy(f"smtp_{error.code}")
    except (aiosmtplib.SMTPException, OSError):
        return Busy("smtp_unreachable")
    return None


async def _envelope(client: aiosmtplib.SMTP, sender: str, to: str, *, utf8: bool) -> Receipt | None:
    """Say who writes to whom; None when the server wants the message, else why not.

    Nothing of it is on the wire yet, so whatever goes wrong here is no doubt.
    """
    try:
        await client.ehlo()
        if utf8 and not client.supports_extension("smtputf8"):
            return Rejected("address_needs_smtputf8")
        encoding = "utf-8" if utf8 else "ascii"
        await client.mail(sender, options=["SMTPUTF8"] if utf8 else [], encoding=encoding)
        await client.rcpt(to, encoding=encoding)
        answer = await client.execute_command(b"DATA")
    except aiosmtplib.SMTPSenderRefused as error:
        # Our own address is not welcome: somebody will mend that, and the customer's is not to blame.
        return Busy(f"smtp_sender_{error.code}")
    except aiosmtplib.SMTPResponseException as error:
        return _refused(error.code, error.message, policy_is_ours=True)
    except (aiosmtplib.SMTPException, OSError):
        return Busy("smtp_dropped_before_data")
    return None if answer.code == _GO_AHEAD else _refused(answer.code, answer.message, policy_is_ours=True)


def _refused(code: int, text: str, *, policy_is_ours: bool) -> Receipt:
    """What a refusal means. RFC 3463 5.7, security and policy, is often a relay that does not know us."""
    if code // 100 != _PERMANENT or code in _LOGIN or (policy_is_ours and text.startswith("5.7.")):
        everyone = code in _LOGIN or code in _LEAVING
        return Busy(f"smtp_{code}" if code > 0 else "smtp_garbled_answer", everyone=everyone)
    return Rejected(f"smtp_{code}", address_dead=text.split(" ", 1)[0] in _DEAD)


def _queue_id(text: str) -> str | None:
    """What relays say after accepting, `2.0.0 Ok: queued as 4F2A1`, kept for support; they promise nothing."""
    _, found, queued = text.partition("queued as ")
    return queued.split()[0][:100] if found and queued.split() else None
