"""An HTTP API on loopback that speaks any vendor's wire format and can be told to misbehave."""

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tests.support.sockets import Request, SocketServer


@dataclass(frozen=True)
class Reply:
    """What goes back. `how`: as it is, cut in its last bytes, or never."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    how: Literal["plain", "cut", "silent"] = "plain"


@dataclass(frozen=True)
class Received:
    """One mail that was really accepted, as its recipient's program will show it."""

    key: str
    to: str
    sender: tuple[str, str]
    reply_to: str
    subject: str
    text: str
    html: str
    headers: Mapping[str, str]


class Vendor(SocketServer):
    """An HTTP API on loopback; `then` queues replies that take the place of the vendor's own.

    A reply that is `accepting` comes after the message was taken all the same.
    """

    def __init__(self) -> None:
        super().__init__()
        self.received: list[Received] = []
        self.asked: list[tuple[str, str]] = []
        self._script: deque[tuple[Reply, bool]] = deque()

    def then(self, reply: Reply, *, accepting: bool = False) -> None:
        """Answer the next POST like this."""
        self._script.append((reply, accepting))

    def taken(self) -> Reply:
        """What the vendor says of a message that it took."""
        raise NotImplementedError

    def failure(self, status: int, text: str = "no", headers: Mapping[str, str] | None = None) -> Reply:
        """The vendor's own form of an error."""
        raise NotImplementedError

    def post(self, target: str, headers: Mapping[str, str], body: bytes) -> Received | Reply:
        """Read one message as the vendor does: what it makes of it, or why not."""
        raise NotImplementedError

    def get(self, target: str, headers: Mapping[str, str]) -> Reply:
        """Answer a search."""
        raise NotImplementedError

    async def answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer as the vendor does, or as scripted."""
        method, target, headers = request.method, request.target, request.headers
        self.asked.append((method, target))
        reply = self.get(target, headers) if method == "GET" else self._posted(target, headers, request.body)
        if reply.how == "silent":
            await reader.read()  # until the client hangs up
            return False
        lines = {"Content-Length": str(len(reply.body.encode())), **reply.headers}
        whole = "\r\n".join([f"HTTP/1.1 {reply.status} Said", *(f"{n}: {v}" for n, v in lines.items()), "", reply.body])
        writer.write(whole.encode()[: -3 if reply.how == "cut" else None])
        await writer.drain()
        return reply.how == "plain"

    def _posted(self, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        scripted, accepting = self._script.popleft() if self._script else (None, True)
        if scripted is not None and not accepting:
            return scripted
        made = self.post(target, headers, body)
        if isinstance(made, Reply):
            return made
        self.received.append(made)
        return scripted or self.taken()


def json_reply(status: int, body: object, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, json.dumps(body), {"Content-Type": "application/json", **(headers or {})})
