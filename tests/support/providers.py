"""Resend and Postmark on loopback, a provider that loses its answers, and what really arrived.

The stand-ins speak the vendors' own wire formats (https://resend.com/docs/api-reference/errors,
https://postmarkapp.com/developer/api/overview).
"""

import asyncio
import json
import uuid
from collections.abc import Collection, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from activities.messaging.email.postmark import Postmark
from activities.messaging.email.resend import Resend
from activities.messaging.protocol import EmailProvider, Mail, Receipt, Unclear, Unsearchable
from tests.support.loopback import Api, Arrival
from tests.support.sockets import HOST
from workers.mail_catcher import MailCatcher


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


class WithoutAnswer(Unsearchable):
    """A mail provider that takes some touches' mails and loses its answer on the way back."""

    def __init__(self, inner: EmailProvider, touches: Collection[str]) -> None:
        self.name = inner.name
        self._inner = inner
        self._touches = touches

    async def send(self, message: Mail) -> Receipt:
        """Send, and answer unless this touch's answer is lost."""
        receipt = await self._inner.send(message)
        return Unclear("answer_lost") if dict(message.headers)["X-Postlude-Touch"] in self._touches else receipt

    async def aclose(self) -> None:
        """Close what is behind it."""
        await self._inner.aclose()


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
        request.extensions = {**request.extensions, "timeout": {"connect": 5.0, "read": 2.0, "write": 5.0, "pool": 5.0}}
        return await super().handle_async_request(request)
