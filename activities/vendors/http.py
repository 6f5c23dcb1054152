"""One request to a carrier's or shop's API: bounded in size and time, and what its failure means for the caller.

A vendor that keeps failing is left alone for a while: every further request fails at once with `VendorBusyError`,
so that a slow vendor does not hold the slots that others need (circuit breaker, by `purgatory`).

The exceptions::

    VendorError                 something went wrong at, or on the way to, a vendor
    ├── VendorBusyError         certainly not done, or only read: ask again after `retry_after`
    ├── VendorUnclearError      a change that may have been made: look before asking again
    ├── VendorRefusedError      the vendor understood and will not: asking again is no use
    └── VendorGarbledError      an answer that is not what the vendor documents
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import HALF_OPENED, OpenedState

_TIMEOUTS = httpx.Timeout(20.0, connect=5.0)
_PATIENCE = 30.0
_LARGEST = 8 * 1024 * 1024
_THRESHOLD = 5
"""So many failures in a row open the circuit…"""
_REST_SECONDS = 30.0
"""…for so long; one request then tries whether the vendor is back."""
MOST_RETRY_AFTER = timedelta(days=1)
_ANSWERED = frozenset({"http_401", "http_403", "http_425", "http_429"})
"""What a vendor says that is there and well: it wants another token, or a pause. No failure that opens the circuit."""


_NEVER_TAKEN = frozenset({400, 408, 413, 414, 425, 429, 431})
"""What a server says of a request that it could not even take in, or not yet, be it on a page: nothing came of it."""


class VendorError(Exception):
    """Something went wrong at a vendor. The message names the vendor and a rule, never an address or a secret.

    Attributes:
        vendor: its name, such as `ups`.
        rule: what went wrong, as one word: `http_503`, `unreachable`, `circuit_open`.
    """

    def __init__(self, vendor: str, rule: str) -> None:
        super().__init__(f"{vendor}: {rule}")
        self.vendor = vendor
        self.rule = rule


class VendorBusyError(VendorError):
    """Certainly not done, or only a question: ask again, after `retry_after` where the vendor said so."""

    def __init__(self, vendor: str, rule: str, retry_after: timedelta | None = None) -> None:
        super().__init__(vendor, rule)
        self.retry_after = retry_after


class VendorUnclearError(VendorError):
    """A change that may have been made. Look whether it was, before asking again."""


class VendorRefusedError(VendorError):
    """The vendor understood and will not; `status` is HTTP's, `body` what it said as JSON (None where it said none)."""

    def __init__(self, vendor: str, rule: str, status: int, body: Any = None) -> None:
        super().__init__(vendor, rule)
        self.status = status
        self.body = body


class VendorGarbledError(VendorError):
    """An answer that is not what the vendor documents; a change it answers may have been made."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of 2xx: its headers (any case), its raw bytes, and the JSON in them (None when empty)."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    document: Any


class Vendor:
    """One vendor's API: a client that keeps its connections, behind a circuit breaker of its own.

    Args:
        name: as errors and logs say it.
        base_url: where its API is; loopback addresses are for tests.
        headers: sent with every request.
        transport: for tests.
        rest: seconds that an open circuit stays open.
        patience: seconds that a whole answer may take.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        rest: float = _REST_SECONDS,
        patience: float = _PATIENCE,
    ) -> None:
        self.name = name
        self._rest = rest
        self._patience = patience
        self._http = httpx.AsyncClient(
            base_url=base_url, headers=dict(headers or {}), timeout=_TIMEOUTS, transport=transport
        )
        self._breakers = AsyncCircuitBreakerFactory(
            default_threshold=_THRESHOLD,
            default_ttl=rest,
            exclude=[VendorRefusedError, (VendorBusyError, lambda error: error.rule in _ANSWERED)],
        )

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json_body: Any = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        changes: bool = False,
    ) -> Reply:
        """Ask once.

        Args:
            method: HTTP's.
            path: under the base URL, or a whole URL of the same host.
            params: the query.
            json_body: sent as JSON, if given.
            form: sent as a form, if given.
            content: sent as it is, if given; set its Content-Type among `headers`.
            headers: of this request.
            changes: whether a request that was answered by nobody may have changed something.

        Raises:
            VendorBusyError: away, slow, rate limited (429) or its circuit open; also 401 and 403, which somebody mends.
            VendorUnclearError: only with `changes`: the answer to a change never came, or is a page about it.
            VendorRefusedError: any other 4xx, of a change in the vendor's words (JSON, or none); with status 0, what
                was asked cannot be written as a request.
            VendorGarbledError: 2xx without the JSON it should hold, a redirect, or too much of it; also `path` on
                another host.
        """
        try:
            request = self._http.build_request(
                method, path, params=params, json=json_body, data=form, content=content, headers=dict(headers or {})
            )
        except (httpx.InvalidURL, ValueError):
            raise VendorRefusedError(self.name, "request_invalid", 0) from None
        if request.url.netloc != self._http.base_url.netloc or request.url.scheme != self._http.base_url.scheme:
            raise VendorGarbledError(self.name, "other_host")  # a page's link that would take the key elsewhere
        breaker = await self._breakers.get_breaker(self.name)
        if breaker.context.state == HALF_OPENED:
            raise VendorBusyError(self.name, "circuit_open", timedelta(seconds=self._rest))
        try:
            async with breaker:
                return await self._ask(request, changes=changes)
        except OpenedState as opened:
            # One object is raised for all: it would keep every caller's frames.
            opened.__traceback__ = None
            raise VendorBusyError(self.name, "circuit_open", timedelta(seconds=self._rest)) from None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _ask(self, request: httpx.Request, *, changes: bool) -> Reply:
        try:
            async with asyncio.timeout(self._patience):
                answer = await self._http.send(request, stream=True, follow_redirects=False)
                try:
                    body = await self._read(answer)
                finally:
                    await answer.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            raise VendorBusyError(self.name, "unreachable") from None
        except (httpx.HTTPError, TimeoutError):
            if changes:
                raise VendorUnclearError(self.name, "no_answer") from None
            raise VendorBusyError(self.name, "no_answer") from None
        return self._understood(answer, body, changes=changes)

    async def _read(self, answer: httpx.Response) -> bytes:
        body = bytearray()
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > _LARGEST:
                raise VendorGarbledError(self.name, "answer_too_large")
        return bytes(body)

    def _understood(self, answer: httpx.Response, body: bytes, *, changes: bool) -> Reply:
        status = answer.status_code
        rule = f"http_{status}"
        try:
            document = json.loads(body) if body.strip() else None
        except (ValueError, RecursionError):
            document = None
            if answer.is_success:
                raise VendorGarbledError(self.name, "not_json") from None
        if answer.is_success:
            return Reply(status, answer.headers, body, document)
        if answer.is_redirect:
            raise VendorGarbledError(self.name, rule)
        wait = retry_after(answer.headers)
        # A page of a firewall or a gateway, which may be about the answer to what was done.
        page = changes and document is None and bool(body.strip()) and wait is None
        if (
            page
            and status not in _NEVER_TAKEN
            and (answer.is_client_error or status == httpx.codes.SERVICE_UNAVAILABLE)
        ):
            raise VendorUnclearError(self.name, rule)
        if status in {401, 403, 408, 425, 429}:
            raise VendorBusyError(self.name, rule, wait)
        if answer.is_server_error:
            # A gateway's word about a service that may well have done the work; 503 says that it did not.
            if changes and status != httpx.codes.SERVICE_UNAVAILABLE:
                raise VendorUnclearError(self.name, rule)
            raise VendorBusyError(self.name, rule, wait)
        raise VendorRefusedError(self.name, rule, status, document)


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """`Retry-After` in seconds or as a date (RFC 9110 10.2.3), at most a day; None when absent or unreadable."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        return min(timedelta(seconds=int(value[:9])), MOST_RETRY_AFTER)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    # A date without a zone, or with -0000, is in UTC (RFC 9110 5.6.7, RFC 5322 3.3).
    wait = (at if at.tzinfo is not None else at.replace(tzinfo=UTC)) - datetime.now(UTC)
    return max(timedelta(0), min(wait, MOST_RETRY_AFTER))
