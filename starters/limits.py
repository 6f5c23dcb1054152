"""What one caller may take of the gateway: time for head and body, connections, memory for bodies, posts per link.

A proxy in front may be stricter; these hold without one. Bodies are counted as long as their request is at work, up to
what an endpoint keeps of one: what is read and thrown away takes no memory.
"""

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from starters.portal import Pages
from starters.words import asked_for, words_of

# What a person presses on; not the way out (`/u/`), which must work however often it is pressed.
_OF_A_LINK: Final = re.compile(r"(?:/s/[^/]+)?/(?:o|p|r|notes|devices|confirm)/([^/]+)")
_LINKS_KNOWN: Final = 10_000
_MINUTE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How much it is. Seconds and bytes.

    Attributes:
        head_seconds: from a connection, or the answer before, to the last byte of a request's head; no byte of it
            makes that longer.
        body_seconds: from there to the last byte of the body.
        connections: open at once. One more takes the place of whoever has waited longest without asking anything.
        body_bytes: of all bodies that are in memory at once.
        body_kept: of one body that an endpoint keeps at most.
        posts_a_minute: of one link's forms.
    """

    head_seconds: float = 15.0
    body_seconds: float = 30.0
    connections: int = 1_000
    body_bytes: int = 64 * 1024 * 1024
    body_kept: int = 1024 * 1024
    posts_a_minute: int = 30


USUAL: Final = Limits()


class Patient(H11Protocol):
    """uvicorn's protocol, which closes a connection over which no request comes in time."""

    limits: ClassVar[Limits] = USUAL
    waiting: ClassVar[dict[H11Protocol, asyncio.TimerHandle]] = {}
    """The server's connections that ask nothing, the one that has waited longest first."""

    @classmethod
    def within(cls, limits: Limits) -> type["Patient"]:
        """The protocol of one server with these limits."""
        return type(cls.__name__, (cls,), {"limits": limits, "waiting": {}})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection; where there are too many, whoever has waited longest gives way, or it goes itself."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            longest: Any = next(iter(self.waiting), self)
            longest.hang_up()
        if not transport.is_closing():
            self._watch()

    def data_received(self, data: bytes) -> None:
        """Read on."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._at_ease()
        super().connection_lost(exc)

    def hang_up(self) -> None:
        """End the connection, whatever of it is still on its way."""
        self._at_ease()
        self.transport.abort()

    def _watch(self) -> None:
        """Wait for a head, from when nothing is asked any more; what comes in meanwhile buys no time."""
        at_work = self.cycle is not None and not self.cycle.response_complete
        if at_work or self.transport.is_closing():
            self._at_ease()
        elif self not in self.waiting:
            self.waiting[self] = self.loop.call_later(self.limits.head_seconds, self.hang_up)

    def _at_ease(self) -> None:
        handle = self.waiting.pop(self, None)
        if handle is not None:
            handle.cancel()


class BoundedBodies:
    """An app whose requests' bodies come in time and, all together, fit into memory: else 408 or 503."""

    def __init__(self, app: ASGIApp, limits: Limits = USUAL) -> None:
        """Wrap `app`; `limits` go for all its requests together."""
        self._app = app
        self.limits = limits
        self.held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer in the app's place where a body takes too long or there is no room for it."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        reading = _Reading(self, receive, send)
        try:
            await self._app(scope, reading.receive, reading.send)
        except Exception:
            # Whoever reads a body that was broken off says so in its own way; it has been answered.
            if not reading.ended:
                raise
        finally:
            self.held -= reading.held
        return None


class _Reading:
    """One request's body as it comes in."""

    def __init__(self, bodies: BoundedBodies, receive: Receive, send: Send) -> None:
        self._bodies = bodies
        self._receive = receive
        self._send = send
        self._until = asyncio.get_running_loop().time() + bodies.limits.body_seconds
        self._complete = False
        self._started = False
        self.held = 0
        self.ended = False

    async def receive(self) -> Message:
        """The next part of the body; a disconnect once there is an end of patience or room."""
        if self.ended:
            return {"type": "http.disconnect"}
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            return await self._end(408, "the body took too long")
        limits = self._bodies.limits
        more = min(len(message.get("body", b"")), limits.body_kept - self.held)
        if self._bodies.held + more > limits.body_bytes:
            return await self._end(503, "too much at once: send it again")
        self.held += more
        self._bodies.held += more
        self._complete = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Hand the app's answer on, unless it was given already."""
        if not self.ended:
            self._started = True
            await self._send(message)

    async def _end(self, status: int, problem: str) -> Message:
        self.ended = True
        if not self._started:
            # Closed, since the rest of the body is still on its way and nobody reads it.
            headers = {"Connection": "close"} | ({"Retry-After": "5"} if status == 503 else {})  # noqa: PLR2004
            answer = JSONResponse({"error": problem}, status, headers)
            await answer({"type": "http", "method": "POST"}, self._receive, self._send)
        return {"type": "http.disconnect"}


class PostsOfALink:
    """An app whose forms one link may send so often a minute, then 429 with a page that says so."""

    def __init__(
        self, app: ASGIApp, pages: Pages, limits: Limits = USUAL, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Wrap `app`; `pages` show the refusal, `clock` counts seconds."""
        self._app = app
        self._pages = pages
        self._most = limits.posts_a_minute
        self._clock = clock
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count posts to a link's own addresses; everything else passes."""
        found = _OF_A_LINK.match(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if found is None or self._passes(found[1]):
            await self._app(scope, receive, send)
        else:
            await self._refusal(Request(scope))(scope, receive, send)

    def _passes(self, token: str) -> bool:
        now = self._clock()
        since, count = self._counts.pop(token, (now, 0))
        if now - since >= _MINUTE:
            since, count = now, 0
        self._counts[token] = (since, count + 1)
        if len(self._counts) > _LINKS_KNOWN:
            self._counts.popitem(last=False)
        return count < self._most

    def _refusal(self, request: Request) -> Response:
        later = {"Retry-After": "60", "Connection": "close"}
        if "text/html" not in request.headers.get("accept", ""):
            return JSONResponse({"error": "too many requests"}, 429, {"Access-Control-Allow-Origin": "*", **later})
        language = asked_for(request)
        said = words_of(language)["too_fast"]
        page = self._pages.message(language, said["title"], said["text"], status=429)
        page.headers.update(later)
        return page
