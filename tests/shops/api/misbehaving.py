"""A shop's HTTP API on loopback that really keeps what it is told, and can be told to misbehave."""

import asyncio
import json
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.support.sockets import HOST, Request, SocketServer


@dataclass(frozen=True)
class Trouble:
    """How one request is treated.

    `done` says whether what it asks is done all the same. `how`: answered with `status` and `body`, `cut` in its last
    bytes, `silent` until the client leaves, or `slow`: done and answered once the server's `release` is set.
    """

    status: int = 500
    done: bool = False
    how: Literal["plain", "cut", "silent", "slow"] = "plain"
    body: str = "{}"
    headers: dict[str, str] = field(default_factory=dict)


AWAY = Trouble(503)
FAILED_AFTER = Trouble(502, done=True, body="<html>bad gateway</html>")
CUT = Trouble(done=True, how="cut")
SILENT = Trouble(how="silent")
SLOW = Trouble(done=True, how="slow")
LOGGED_OUT = Trouble(401, body='{"errors": "unauthorised"}')


def too_many(seconds: int) -> Trouble:
    """429 with Retry-After."""
    return Trouble(429, headers={"Retry-After": str(seconds)})


@dataclass(frozen=True)
class Answer:
    """What the shop itself answers."""

    status: int
    document: Any
    headers: dict[str, str] = field(default_factory=dict)


class MisbehavingShop(SocketServer):
    """`asked` are the names of all requests (see `name_of`); `then` queues troubles for the next ones of a name."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.release = asyncio.Event()
        self._came: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._troubles: deque[tuple[str | None, Trouble]] = deque()

    def then(self, *troubles: Trouble, on: str | None = None) -> None:
        """Treat the next requests (those called `on`, if given) like this, one trouble for each."""
        self._troubles.extend((on, trouble) for trouble in troubles)

    def asked_for(self, name: str) -> int:
        """How many requests of that name came."""
        return self.asked.count(name)

    async def came(self, name: str) -> None:
        """Wait for the first request of that name."""
        await self._came[name].wait()

    def name_of(self, request: Request) -> str:
        """What a request is called."""
        raise NotImplementedError

    def handle(self, request: Request) -> Answer:
        """Do and answer as the vendor does."""
        raise NotImplementedError

    async def answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer as the vendor does, or as a trouble says."""
        name = self.name_of(request)
        self.asked.append(name)
        self._came[name].set()
        trouble = self._trouble(name)
        if trouble is None:
            writer.write(_http(self.handle(request)))
            return True
        if trouble.how == "slow":
            await self.release.wait()
        done = self.handle(request) if trouble.done else None
        if trouble.how == "silent":
            await reader.read()
            return False
        if trouble.how == "slow" and done is not None:
            writer.write(_http(done))
            return True
        if trouble.how == "cut" and done is not None:
            whole = _http(done)
            writer.write(whole[:-5])
            await writer.drain()
            return False
        writer.write(_http(Answer(trouble.status, None, trouble.headers), trouble.body))
        return True

    def _trouble(self, name: str) -> Trouble | None:
        for position, (on, trouble) in enumerate(self._troubles):
            if on in {None, name}:
                del self._troubles[position]
                return trouble
        return None

    @property
    def netloc(self) -> str:
        """Host and port."""
        return f"{HOST}:{self.port}"


def _http(answer: Answer, text: str | None = None) -> bytes:
    body = (json.dumps(answer.document) if text is None else text).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **answer.headers}
    lines = [f"HTTP/1.1 {answer.status} Said", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body
