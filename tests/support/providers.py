"""Resend and Postmark on loopback, and what really reached the receiving side, whoever took it.

The stand-ins speak the vendors' own wire formats (https://resend.com/docs/api-reference/errors,
https://postmarkapp.com/developer/api/overview) and can be told to misbehave. They are written on bare sockets,
because half an answer is something no HTTP framework will send.
"""

import asyncio
import json
import uuid
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, Protocol
from urllib.parse import parse_qs, urlsplit

import httpx

from activities.messaging.postmark import Postmark
from activities.messaging.resend import Resend
from workers.mail_catcher import MailCatcher

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Arrival:
    """One message that was really accepted. `key` is the sender's name for it, empty where there is none."""

    key: str
    message_id: str
    order: str
    touch: str
    to: str


class Receiving(Protocol):
    """The receiving side of a provider: the truth about what arrived."""

    def arrivals(self) -> list[Arrival]:
        """Everything accepted, in order."""
        ...


class CaughtMails:
    """The receiving side of plain SMTP."""

    def __init__(self, catcher: MailCatcher) -> None:
        self._catcher = catcher

    def arrivals(self) -> list[Arrival]:
        """Everything the catcher accepted."""
        return [
            Arrival("", mail.message_id, mail.order or "", mail.touch or "", mail.recipients[0])
            for mail in self._catcher.messages()
        ]


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


class Api:
    """An HTTP API on loopback; `then` queues misdeeds for the next requests, `always` is for all after those."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.always: Misdeed | None = None
        self.asked = asyncio.Event()
        self.release = asyncio.Event()
        self.port = 0
        self._taken: list[Arrival] = []
        self._script: deque[Misdeed] = deque()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    def then(self, *misdeeds: Misdeed) -> None:
        """Treat the next POSTs like this, one after the other, instead of what was queued before."""
        self._script = deque(misdeeds)

    def arrivals(self) -> list[Arrival]:
        """Every message really accepted, in order."""
        return list(self._taken)

    async def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = await asyncio.start_server(self._serve, HOST, self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Refuse connections and drop those that are open."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for writer in tuple(self._open):
            writer.transport.abort()
        await server.wait_closed()

    def post(self, headers: Mapping[str, str], body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Take one message as the vendor does."""
        raise NotImplementedError

    def get(self, query: Mapping[str, list[str]]) -> tuple[int, dict[str, Any]]:
        """Answer a search as the vendor does."""
        raise NotImplementedError

    def failure(self, status: int) -> dict[str, Any]:
        """The vendor's own JSON for a status."""
        raise NotImplementedError

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        raw = await reader.readexactly(int(headers.get("content-length", "0")))
        if method == "GET":
            status, answer = self.get(parse_qs(urlsplit(target).query))
            writer.write(_http(status, json.dumps(answer).encode()))
            return True
        body = json.loads(raw)
        self.requests.append(body)
        self.asked.set()
        misdeed = self._script.popleft() if self._script else self.always
        if misdeed is not None and misdeed.answer == "slow":
            await self._hold(headers)
        status, answer = self.post(headers, body) if misdeed is None or misdeed.accepts else (0, {})
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


class ResendApi(Api):
    """POST /emails, with `Idempotency-Key` remembered."""

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[str, tuple[str, str]] = {}
        self._busy: set[str] = set()

    def provider(self) -> Resend:
        """The adapter under test, pointed here."""
        return Resend(urlsplit(f"resend://re_test@{HOST}:{self.port}?insecure=1"), transport=Impatient())

    def forget_keys(self) -> None:
        """What Resend does after 24 hours."""
        self._known.clear()

    def post(self, headers: Mapping[str, str], body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Take a message, or answer its key as before."""
        if headers.get("authorization") != "Bearer re_test":
            return 401, self.failure(401)
        key, content = headers.get("idempotency-key", ""), json.dumps(body, sort_keys=True)
        if (known := self._by_key(key, content)) is not None:
            return known
        fields = [body["subject"], body["from"], *body["to"], *body["headers"].values()]
        if any(not field.isprintable() for field in fields) or len(body["to"]) != 1 or "," in body["to"][0]:
            return 422, self.failure(422)
        provider_id = str(uuid.uuid4())
        self._known[key] = (content, provider_id)
        own = body["headers"]
        self._taken.append(
            Arrival(key, own["Message-ID"], own["X-Postlude-Order"], own["X-Postlude-Touch"], body["to"][0])
        )
        return 200, {"id": provider_id}

    def _by_key(self, key: str, content: str) -> tuple[int, dict[str, Any]] | None:
        if not 0 < len(key) <= 256:
            return 400, self.failure(400)
        if key in self._busy:
            return 409, {"statusCode": 409, "name": "concurrent_idempotent_requests", "message": "in progress"}
        known, provider_id = self._known.get(key, (None, ""))
        if known is None:
            return None
        if known != content:
            return 409, {"statusCode": 409, "name": "invalid_idempotent_request", "message": "another payload"}
        return 200, {"id": provider_id}

    def failure(self, status: int) -> dict[str, Any]:
        """Resend's error object."""
        names = {
            400: "invalid_idempotency_key",
            401: "missing_api_key",
            422: "validation_error",
            429: "rate_limit_exceeded",
        }
        return {"statusCode": status, "name": names.get(status, "application_error"), "message": "no"}

    async def _hold(self, headers: Mapping[str, str]) -> None:
        key = headers.get("idempotency-key", "")
        self._busy.add(key)
        await self.release.wait()
        self._busy.discard(key)


class PostmarkApi(Api):
    """POST /email and the search that answers by metadata.

    `lag` is how many seconds the search is behind; `search` how it answers at all.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lag = 0.0
        self.search: int = 200
        self.inactive: set[str] = set()
        self._log: list[tuple[float, str, str]] = []

    def provider(self, **options: Any) -> Postmark:
        """The adapter under test, pointed here."""
        url = urlsplit(f"postmark://pm_test@{HOST}:{self.port}?insecure=1")
        return Postmark(url, transport=Impatient(), **options)

    def post(self, headers: Mapping[str, str], body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Take a message; the same one twice is two."""
        if headers.get("x-postmark-server-token") != "pm_test":
            return 401, {"ErrorCode": 10, "Message": "bad token"}
        own = {header["Name"]: header["Value"] for header in body["Headers"]}
        metadata = body["Metadata"]["postlude"]
        fields = [body["Subject"], body["From"], body["To"], *own.values()]
        if any(not field.isprintable() for field in fields) or "," in body["To"] or len(metadata) > 80:
            return 422, self.failure(422)
        if body["To"] in self.inactive:
            return 422, {"ErrorCode": 406, "Message": "You tried to send to a recipient marked as inactive."}
        if own.get("X-PM-KeepID") != "true":
            own["Message-ID"] = f"<{uuid.uuid4()}@mtasv.net>"
        provider_id = str(uuid.uuid4())
        self._log.append((asyncio.get_running_loop().time(), metadata, provider_id))
        self._taken.append(
            Arrival(metadata, own["Message-ID"], own["X-Postlude-Order"], own["X-Postlude-Touch"], body["To"])
        )
        return 200, {"To": body["To"], "MessageID": provider_id, "ErrorCode": 0, "Message": "OK"}

    def get(self, query: Mapping[str, list[str]]) -> tuple[int, dict[str, Any]]:
        """What the log has by now for a metadata value."""
        if self.search != 200:
            return self.search, {"ErrorCode": 0, "Message": "away"}
        if "count" not in query or "offset" not in query:
            return 422, self.failure(422)
        visible = asyncio.get_running_loop().time() - self.lag
        wanted = query["metadata_postlude"][0]
        found = [provider_id for at, key, provider_id in self._log if key == wanted and at <= visible]
        return 200, {"TotalCount": len(found), "Messages": [{"MessageID": one, "Status": "Sent"} for one in found]}

    def failure(self, status: int) -> dict[str, Any]:
        """Postmark's error object; 300 is an invalid request."""
        return {"ErrorCode": 300 if status == 422 else 0, "Message": "no"}


class Impatient(httpx.AsyncHTTPTransport):
    """A transport that gives up waiting within the patience of a test."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send with a short read timeout."""
        request.extensions = {**request.extensions, "timeout": {"connect": 1.0, "read": 0.3, "write": 1.0, "pool": 1.0}}
        return await super().handle_async_request(request)


def _http(status: int, body: bytes, more: Mapping[str, str] | None = None) -> bytes:
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(more or {})}
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body
