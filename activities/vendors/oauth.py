"""A vendor's API behind OAuth 2.0 client credentials (RFC 6749, section 4.4): `Authorized` is a `Vendor` with a token.

The token is fetched when it is first needed, by one request however many ask, and kept until shortly before it
expires. A vendor may take it back earlier: after a 401 it is renewed once, and what was asked is asked again.
"""

import asyncio
import math
import re
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import SplitResult, unquote

from activities.vendors.http import Reply, Vendor, VendorBusyError, VendorGarbledError, VendorRefusedError

_MARGIN = 60.0
"""Seconds before its end that a token is not used any more: for a request on its way and clocks that differ."""


class Client(NamedTuple):
    """What an application is known by at a vendor's token endpoint."""

    id: str
    secret: str

    @property
    def basic(self) -> str:
        """As the `Authorization` of HTTP (RFC 7617)."""
        return "Basic " + b64encode(f"{self.id}:{self.secret}".encode()).decode()

    @property
    def fields(self) -> dict[str, str]:
        """As fields of the token request, for vendors that do not take the header."""
        return {"client_id": self.id, "client_secret": self.secret}


def client_of(url: SplitResult, example: str, setting: str) -> Client:
    """The client's id and secret: the URL's user and password, percent-decoded.

    Raises:
        ValueError: one is missing; names the setting and what it should look like, never what it holds.
    """
    client = Client(unquote(url.username or ""), unquote(url.password or ""))
    if not client.id or not client.secret:
        raise ValueError(f"{setting}: {url.scheme}:// needs the client's id and secret: {example}")
    return client


class Authorized:
    """A vendor asked with a bearer token.

    Args:
        vendor: whom to ask, for the token, too; it is closed with this.
        path: the token endpoint, under the vendor's base URL.
        form: what is sent to it beside `grant_type`.
        headers: sent to it.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        vendor: Vendor,
        path: str,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = vendor.name
        self._vendor = vendor
        self._path = path
        self._form = {"grant_type": "client_credentials", **(form or {})}
        self._headers = dict(headers or {})
        self._clock = clock
        self._one = asyncio.Lock()
        self._token: str | None = None
        self._until = 0.0

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json_body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """A question, see `Vendor.call`; asked twice at most.

        Raises:
            VendorError: as `Vendor.call` for a question. What the token endpoint refuses is `VendorBusyError`, too,
                with a rule like `token_http_400`: somebody mends the credentials, and it says nothing of the question.
        """
        renewed = False
        while True:
            token = await self._current()
            sent = {**(headers or {}), "authorization": f"Bearer {token}"}
            try:
                return await self._vendor.call(method, path, params=params, json_body=json_body, headers=sent)
            except VendorBusyError as error:
                if error.rule != "http_401" or renewed:
                    raise
                renewed = True
                if token == self._token:  # else somebody has a newer one by now
                    self._token = None

    async def aclose(self) -> None:
        """Close the vendor's connections."""
        await self._vendor.aclose()

    async def _current(self) -> str:
        async with self._one:
            if self._token is None or self._clock() >= self._until:
                self._token, lifetime = await self._fetched()
                self._until = self._clock() + max(lifetime - _MARGIN, lifetime / 2)
            return self._token

    async def _fetched(self) -> tuple[str, float]:
        try:
            reply = await self._vendor.call("POST", self._path, form=self._form, headers=self._headers)
        except VendorRefusedError as error:
            raise VendorBusyError(self.name, f"token_{error.rule}") from None
        document = reply.document if isinstance(reply.document, dict) else {}
        token = document.get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token.strip():
            raise VendorGarbledError(self.name, "token_missing")
        return token, _seconds(document.get("expires_in"))


def _seconds(given: object) -> float:
    """`expires_in`, which UPS writes as text; a token that does not say is good until it is refused."""
    text = str(given)
    return float(text) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) else math.inf
