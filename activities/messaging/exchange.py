"""One request to a vendor, bounded in size and in time, and what its status means for the message."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from activities.messaging.protocol import Busy, Receipt, Rejected, Unclear
from journey.intervals import REQUEST

# Gateways answer these for a service that may well have done the work.
_MAYBE = frozenset({500, 502, 504})
# 401, 403, 404 and 405 are our own misconfiguration: somebody will mend it, and the message is worth the wait.
_LATER = frozenset({401, 403, 404, 405, 408, 409, 425, 429})
# Of these, what may be about the one request: it took too long to come, or clashes with another.
_ITS_OWN = frozenset({408, 409, 425})
_SERVER_ERRORS = 500
_READ = 64 * 1024
_PATIENCE = REQUEST.total_seconds()
MAX_RETRY_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `headers` by lower-case name, of the body the first 64 KiB."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def success(self) -> bool:
        """Whether the status is one of 200 to 299."""
        return 200 <= self.status <= 299  # noqa: PLR2004  the borders of success


async def exchange(http: Any, url: str, content: bytes, headers: Mapping[str, str]) -> Answer | Receipt:
    """POST bytes: the answer whatever its status, or what its absence means for the message.

    Never follows a redirect, never reads more than 64 KiB, never waits longer than half a minute in all: a push
    endpoint is an address that a stranger typed in. Nothing is raised.
    """
    # As it is, since a compressed answer of a few bytes can be one of many millions.
    asked = {**headers, "accept-encoding": "identity"}
    try:
        async with (
            asyncio.timeout(_PATIENCE),
            http.stream("POST", url, content=content, headers=asked, follow_redirects=False) as answer,
        ):
            body = bytearray()
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > _READ:
                    break
            return Answer(answer.status_code, answer.headers, bytes(body[:_READ]))
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
        return Busy("http_unreachable")
    except (httpx.LocalProtocolError, httpx.UnsupportedProtocol, httpx.InvalidURL):
        return Rejected("http_not_sendable")
    except (httpx.HTTPError, TimeoutError):
        return Unclear("http_no_answer")


def failure(answer: Answer) -> Receipt:
    """What a status that is no success means for the message, where the vendor says nothing of its own."""
    rule = f"http_{answer.status}"
    if answer.status in _MAYBE:
        return Unclear(rule)
    if answer.status in _LATER or answer.status >= _SERVER_ERRORS:
        return Busy(rule, retry_after(answer), everyone=answer.status not in _ITS_OWN)
    return Rejected(rule)


def retry_after(answer: Answer) -> timedelta | None:
    """`Retry-After` in seconds (RFC 9110 10.2.3), at most a day; its date form needs a wall clock and is left out."""
    value = answer.headers.get("retry-after", "")
    if not value.isascii() or not value.isdecimal():
        return None
    return min(timedelta(seconds=int(value[:9])), MAX_RETRY_AFTER)
