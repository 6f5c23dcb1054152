"""The one place that knows the HTTP client, and what an answer over HTTP says about acceptance."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx

from activities.messaging.protocol import Busy, Receipt, Rejected, Unclear

# Gateways answer these for a service that may well have done the work.
_MAYBE = frozenset({500, 502, 504})
_TIMEOUTS = httpx.Timeout(20.0, connect=5.0)
MAX_RETRY_AFTER = timedelta(days=1)


def client(base_url: str, headers: dict[str, str], *, transport: httpx.AsyncBaseTransport | None = None) -> Any:
    """A client that keeps its connections; `transport` is for tests."""
    return httpx.AsyncClient(base_url=base_url, headers=headers, timeout=_TIMEOUTS, transport=transport)


async def post(
    http: Any,
    path: str,
    body: dict[str, Any],
    headers: dict[str, str],
    explain: Callable[[int, dict[str, Any]], Receipt | None],
) -> dict[str, Any] | Receipt:
    """POST JSON: the parsed answer of a 2xx, else what its failure means for the message.

    `explain` may read a failure's status and JSON first, where a vendor says more than HTTP does. Nothing is
    raised: an answer that never came, or came garbled, is `Unclear`.
    """
    try:
        answer = await http.post(path, json=body, headers=headers)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
        return Busy("http_unreachable")
    except (httpx.LocalProtocolError, httpx.UnsupportedProtocol):
        return Rejected("http_not_sendable")
    except httpx.HTTPError:
        return Unclear("http_no_answer")
    try:
        parsed = answer.json()
    except ValueError:
        parsed = None
    if answer.is_success:
        return parsed if isinstance(parsed, dict) else Unclear("http_garbled_answer")
    said = explain(answer.status_code, parsed) if isinstance(parsed, dict) else None
    return said or _failure(answer)


def _failure(answer: httpx.Response) -> Receipt:
    code = answer.status_code
    if code in _MAYBE:
        return Unclear(f"http_{code}")
    # 401, 403, 404 and 405 are our own misconfiguration: somebody will mend it, and the message is worth the wait.
    if code in {401, 403, 404, 405, 408, 409, 425, 429} or code >= 500:  # noqa: PLR2004  the border of server errors
        return Busy(f"http_{code}", _retry_after(answer))
    return Rejected(f"http_{code}")


def _retry_after(answer: httpx.Response) -> timedelta | None:
    """`Retry-After` in seconds (RFC 9110 10.2.3); its date form would need a wall clock and is left out."""
    value = answer.headers.get("retry-after", "")
    return min(timedelta(seconds=int(value)), MAX_RETRY_AFTER) if value.isdecimal() else None
