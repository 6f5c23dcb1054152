"""A mail server on loopback that keeps every message and delivers none: the receiving side of the demo and the tests.

Every accepted message is one ``.eml`` file: the message byte for byte as it came, below the trace headers a real mail
server adds. The files are the whole truth; the index is read back from them, so another process may read along.
"""

import asyncio
import email.message
import email.parser
import email.policy
import email.utils
import inspect
import os
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, cast

from aiosmtpd.smtp import SMTP, Envelope, Session

HOST: Final = "127.0.0.1"
MAX_MESSAGE_BYTES: Final = 10 * 1024 * 1024
_CAUGHT_AT: Final = "X-Caught-At"
_NAME: Final = re.compile(r"(\d{8})\.eml")


@dataclass(frozen=True, slots=True)
class CaughtMail:
    """One accepted message: its envelope, the headers people look for, and its file.

    Attributes:
        id: eight digits, counting up in the order of acceptance.
        message_id: the Message-ID header, stripped; empty where there was none.
        sender: the envelope's sender.
        recipients: the envelope's recipients, who are the ones that get it, whatever the headers say.
        subject: the decoded Subject header.
        received_at: wall-clock time of acceptance, UTC.
        touch: the X-Postlude-Touch header, None where there was none.
        order: the X-Postlude-Order header, None where there was none.
        path: the ``.eml`` file.
    """

    id: str
    message_id: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    received_at: datetime
    touch: str | None
    order: str | None
    path: Path

    def parsed(self) -> email.message.EmailMessage:
        """Return the whole message, parsed; FileNotFoundError when its file was removed."""
        return email.parser.BytesParser(_class=email.message.EmailMessage, policy=email.policy.default).parsebytes(
            self.path.read_bytes()
        )

    def html(self) -> str | None:
        """Return the HTML part, decoded; None where there is none."""
        return self._part("html")

    def text(self) -> str | None:
        """Return the plain-text part, decoded; None where there is none."""
        return self._part("plain")

    def _part(self, kind: str) -> str | None:
        part = self.parsed().get_body(preferencelist=(kind,))
        return None if part is None else str(part.get_content())


class AnswerLate(Exception):  # noqa: N818  # it is not an error: the message is kept, only the answer dawdles
    """Raised by a behaviour: the message is accepted and stored, the answer comes ``seconds`` later."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


Behaviour = Callable[[CaughtMail], str | Awaitable[str | None] | None]
"""What a test makes of a message whose DATA is in: None accepts it; a reply such as ``451 4.7.0 try later`` refuses it,
and nothing is stored; ``AnswerLate`` accepts and dawdles; any other exception accepts and drops the connection."""


class MailFolder:
    """The accepted messages of one folder, in memory and on disk."""

    def __init__(self, folder: Path) -> None:
        """Open a folder, create it (closed to other users) when missing, and read what lies in it."""
        self._folder = folder
        self._mails: dict[str, CaughtMail] = {}
        self._last_id = 0
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.refresh()

    def refresh(self) -> None:
        """Take up messages that another process has stored since."""
        for path in sorted(self._folder.glob("*.eml")):
            named = _NAME.fullmatch(path.name)
            if named and named[1] not in self._mails:
                self._add(_index(named[1], path, path.read_bytes()))

    def messages(self) -> list[CaughtMail]:
        """Return every message, oldest first."""
        return list(self._mails.values())

    def get(self, mail_id: str) -> CaughtMail:
        """Return one message; KeyError for an id that is not there."""
        return self._mails[mail_id]

    def count_by_message_id(self) -> Counter[str]:
        """Return how often each Message-ID was accepted: 2 and more is a duplicate at the customer's."""
        return Counter(mail.message_id for mail in self._mails.values())

    def clear(self) -> None:
        """Remove every message, in memory and on disk."""
        for mail in self._mails.values():
            mail.path.unlink(missing_ok=True)
        self._mails.clear()

    def forget(self, orders: Collection[str]) -> int:
        """Remove what was sent about these orders (SHOP/ID), and what those customers got besides; how many mails.

        What names no order, such as a link that confirms an address, is known by whom it was sent to.
        """
        theirs = [mail for mail in self._mails.values() if mail.order in orders]
        addresses = {one for mail in theirs if mail.touch for one in mail.recipients}
        theirs += [mail for mail in self._mails.values() if mail.order is None and addresses & {*mail.recipients}]
        for mail in theirs:
            mail.path.unlink(missing_ok=True)
            self._mails.pop(mail.id, None)
        return len(theirs)

    def draft(self, sender: str, recipients: list[str], content: bytes) -> tuple[CaughtMail, bytes]:
        """Return what a message would be stored as: its index entry and the bytes of its file. Nothing is kept yet."""
        trace = [f"Return-Path: <{sender}>"]
        trace += [f"Delivered-To: {recipient}" for recipient in recipients]
        trace += [f"{_CAUGHT_AT}: {datetime.now(UTC).isoformat()}"]
        raw = "".join(f"{line}\r\n" for line in trace).encode("utf-8", "surrogateescape") + content
        mail_id = f"{self._last_id + 1:08d}"
        return _index(mail_id, self._folder / f"{mail_id}.eml", raw), raw

    def keep(self, sender: str, recipients: list[str], content: bytes) -> CaughtMail:
        """Store a message: whole or not at all, and before anybody is told that it was accepted."""
        mail, raw = self.draft(sender, recipients, content)
        unfinished = mail.path.with_suffix(".part")
        unfinished.write_bytes(raw)
        os.replace(unfinished, mail.path)  # noqa: PTH105  # the pathlib spelling says less
        self._add(mail)
        return mail

    def _add(self, mail: CaughtMail) -> None:
        self._mails[mail.id] = mail
        self._last_id = max(self._last_id, int(mail.id))


class MailCatcher(MailFolder):
    """An SMTP server on loopback in front of a folder, running in the event loop that starts it."""

    def __init__(self, folder: Path, *, port: int | None = None, behaviour: Behaviour | None = None) -> None:
        """Prepare a server; nothing listens yet.

        Args:
            folder: where the messages are stored; those already there are read back.
            port: 0 or None means a free one, kept over ``stop`` and ``start``.
            behaviour: what happens to each message after its DATA; None accepts all. May be changed at any time.
        """
        super().__init__(folder)
        self.behaviour = behaviour
        self._port = port or 0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Transport] = set()

    @property
    def port(self) -> int:
        """The TCP port; 0 before the first start when a free one was asked for."""
        return self._port

    @property
    def url(self) -> str:
        """``smtp://host:port``."""
        return f"smtp://{HOST}:{self._port}"

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the port is taken.
            RuntimeError: it listens already.
        """
        if self._server is not None:
            raise RuntimeError("The mail catcher listens already.")
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: self._session(loop), HOST, self._port)
        self._port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening and drop every open connection; does nothing when it is stopped."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for transport in tuple(self._connections):
            transport.abort()
        await server.wait_closed()
        await asyncio.sleep(0)  # one turn of the loop, in which the dropped sessions end

    def _session(self, loop: asyncio.AbstractEventLoop) -> SMTP:
        return _Session(self, self._connections, loop)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802, ARG002  # aiosmtpd's hook
        """Judge one message by the behaviour, store it unless it is refused, and return the SMTP reply."""
        content = envelope.original_content or b""
        arrived = (envelope.mail_from or "", list(envelope.rcpt_tos), content)
        try:
            reply = None
            if self.behaviour is not None:
                said = self.behaviour(self.draft(*arrived)[0])
                reply = await said if inspect.isawaitable(said) else said
            if reply is None:
                return f"250 2.0.0 kept as {self.keep(*arrived).id}"
        except AnswerLate as late:
            kept = self.keep(*arrived)
            await asyncio.sleep(late.seconds)
            return f"250 2.0.0 kept as {kept.id}"
        except Exception:  # noqa: BLE001  # whatever a behaviour raises means the same: kept, and the line goes dead
            self.keep(*arrived)
            if isinstance(server.transport, asyncio.WriteTransport):
                server.transport.abort()
            return "421 4.3.2 gone"
        return reply


class _Session(SMTP):
    """One connection, known to its catcher while it lasts."""

    def __init__(
        self, catcher: MailCatcher, open_connections: set[asyncio.Transport], loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(
            catcher,
            data_size_limit=MAX_MESSAGE_BYTES,
            enable_SMTPUTF8=True,
            hostname="localhost",  # the machine's own name is nobody's business, and looking it up may take seconds
            ident="mail catcher",
            loop=loop,
        )
        self._open_connections = open_connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._own_transport = cast("asyncio.Transport", transport)  # loopback TCP: always a full one
        self._open_connections.add(self._own_transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._open_connections.discard(self._own_transport)
        super().connection_lost(error)


def _index(mail_id: str, path: Path, raw: bytes) -> CaughtMail:
    # As text, not as bytes: headers may be UTF-8 outright (SMTPUTF8), which the bytes parser would not decode.
    head = re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[0].decode("utf-8", "replace")
    headers = email.parser.HeaderParser(policy=email.policy.default).parsestr(head)

    def header(name: str) -> str:
        return str(headers.get(name, "")).strip()

    caught_at = header(_CAUGHT_AT)
    recipients: list[str] = []
    for name, value in headers.items():
        if name == _CAUGHT_AT:
            break  # ours end here: a Delivered-To below is the sender's own
        if name == "Delivered-To":
            recipients.append(str(value).strip())
    return CaughtMail(
        id=mail_id,
        message_id=header("Message-ID"),
        sender=header("Return-Path").strip("<>"),
        recipients=tuple(recipients),
        subject=header("Subject"),
        received_at=datetime.fromisoformat(caught_at)
        if caught_at
        else datetime.fromtimestamp(path.stat().st_mtime, UTC),
        touch=header("X-Postlude-Touch") or None,
        order=header("X-Postlude-Order") or None,
        path=path,
    )
