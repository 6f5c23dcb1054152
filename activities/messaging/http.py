"""The client for vendors' HTTP APIs, and what an answer in JSON says about acceptance."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import httpx

from activities.messaging.exchange import MAX_RETRY_AFTER, Answer, exchange, failure
from activities.messaging.protocol import Receipt, Unclear

__all__ = ["MAX_RETRY_AFTER", "OverHttp", "client", "post"]

_TIMEOUTS = httpx.Timeout(20.0, connect=5.0)
_KNOCK = httpx.Timeout(5.0)


def client(base_url: str, headers: dict[str, str], *, transport: httpx.AsyncBaseTransport | None = None) -> Any:
    """A client that keeps its connections; `transport` is for tests."""
    return httpx.AsyncClient(base_url=base_url, headers=headers, timeout=_TIMEOUTS, transport=transport)


class OverHttp:
    """A provider with an HTTP API: `_http` is its `client`."""

    _http: Any

    async def answers(self) -> bool:
        """See `Answering`: the API's root answers, whatever it thinks of the question."""
        try:
            answer = await self._http.get("/", timeout=_KNOCK)
        except httpx.HTTPError:
            return False
        return not answer.is_server_error


async def post(
    http: Any,
    path: str,
    body: dict[str, Any],
    headers: dict[str, str],
    explain: Callable[[int, dict[str, Any]], Receipt | None],
    *,
    form: bool = False,
) -> dict[str, Any] | Receipt:
    """POST JSON, or a form: the parsed JSON of a 2xx, else what its failure means for the message.

    `explain` may read a failure's status and JSON first, where a vendor says more than HTTP does. Nothing is
    raised: an answer that never came, or came garbled, is `Unclear`.
    """
    kind = "application/x-www-form-urlencoded" if form else "application/json"
    content = urlencode(body) if form else json.dumps(body, separators=(",", ":"))
    answer = await exchange(http, path, content.encode(), {**headers, "content-type": kind})
    if not isinstance(answer, Answer):
        return answer
    try:
        parsed = json.loads(answer.body)
    except (ValueError, RecursionError):
        parsed = None
    if answer.success:
        return parsed if isinstance(parsed, dict) else Unclear("http_garbled_answer")
    said = explain(answer.status, parsed) if isinstance(parsed, dict) else None
    return said or failure(answer)
