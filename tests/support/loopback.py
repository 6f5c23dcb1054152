"""A vendor's HTTP API on loopback that can be told to misbehave."""

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from tests.support.sockets import Request, SocketServer


@dataclass(frozen=True)
class Arrival:
    """One message that was really accepted. `key` is the sender's name for it, empty where there is none."""

    key: str
    message_id: str
    order: str
    touch: str
    to: str


@dataclass(frozen=True)
class Misdeed:
    """How one request is treated.

    `accepts` says whether its message is taken all the same. `answer` is `plain` (the status, with the vendor's
    JSON), `garbled` (no JSON), `silent` (none until the client gives up), `cut` (half of it) or `slow` (taken and
    answered once `release` is set).
    """

    status: int = 200
    accepts: bool = False
    retry_after: int | None = None
    answer: Literal["plain", "garbled", "silent", "cut", "slow"] = "plain"


SERVER_ERROR = Misdeed(status=500)
ERROR_AFTER_ACCEPTING = Misdeed(status=500, accepts=True)
GARBLED = Misdeed(accepts=True, answer="garbled")
SILENT = Misdeed(accepts=True, answer="silent")
CUT = Misdeed(accepts=True, answer="cut")
SLOW = Misdeed(accepts=True, answer="slow")
REFUSED = Misdeed(status=422)
LOGGED_OUT = Misdeed(status=401)


def too_many(retry_after: int) -> Misdeed:
    """429 with Retry-After in seconds."""
    return Misdeed(status=429, retry_after=retry_after)


class Api(SocketServer):
    """An HTTP API on loopback; `then` queues misdeeds for the next requests, `always` is for all after those."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[dict[str, Any]] = []
        self.always: Misdeed | None = None
        self.asked = asyncio.Event()
        self.release = asyncio.Event()
        self._taken: list[Arrival] = []
        self._script: deque[Misdeed] = deque()

    def then(self, *misdeeds: Misdeed) -> None:
        """Treat the next POSTs like this, one after the other, instead of what was queued before."""
        self._script = deque(misdeeds)

    def arrivals(self) -> list[Arrival]:
        """Every message really accepted, in order."""
        return list(self._taken)

    def post(self, headers: Mapping[str, str], body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Take one message as the vendor does."""
        raise NotImplementedError

    def get(self, query: Mapping[str, list[str]]) -> tuple[int, dict[str, Any]]:
        """Answer a search as the vendor does."""
        raise NotImplementedError

    def decoded(self, request: Request) -> dict[str, Any]:
        """What a request says, in the vendor's own encoding: JSON."""
        body: dict[str, Any] = json.loads(request.body)
        return body

    def failure(self, status: int) -> dict[str, Any]:
        """The vendor's own JSON for a status."""
        raise NotImplementedError

    async def answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer as the vendor does, or as a misdeed says."""
        if request.method == "GET" and request.target == "/":
            # Vendors' APIs have nothing there; who is away does not answer at all.
            writer.write(_http(404, b"{}"))
            return True
        if request.method == "GET":
            status, answer = self.get(parse_qs(urlsplit(request.target).query))
            writer.write(_http(status, json.dumps(answer).encode()))
            return True
        body = self.decoded(request)
        self.requests.append(body)
        self.asked.set()
        misdeed = self._script.popleft() if self._script else self.always
        if misdeed is not None and misdeed.answer == "slow":
            await self._hold(request.headers)
        status, answer = self.post(request.headers, body) if misdeed is None or misdeed.accepts else (0, {})
        if misdeed is None or misdeed.answer == "slow":
            writer.write(_http(status, json.dumps(answer).encode()))
            return True
        return await self._misbehave(misdeed, answer, reader, writer)

    async def _hold(self, _headers: Mapping[str, str]) -> None:
        await self.release.wait()

    async def _misbehave(
        self, misdeed: Misdeed, answer: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        more = {} if misdeed.retry_after is None else {"Retry-After": str(misdeed.retry_after)}
        match misdeed.answer:
            case "silent":
                await reader.read()  # until the client hangs up
                return False
            case "garbled":
                writer.write(_http(200, b"<html>welcome to the proxy</html>"))
                return True
            case "cut":
                whole = _http(200, json.dumps(answer).encode())
                writer.write(whole[: len(whole) - 10])
                await writer.drain()
                return False
            case _:
                writer.write(_http(misdeed.status, json.dumps(self.failure(misdeed.status)).encode(), more))
                return True


def _http(status: int, body: bytes, more: Mapping[str, str] | None = None) -> bytes:
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(more or {})}
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body
