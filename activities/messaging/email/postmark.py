"""Mail by Postmark: `postmark://SERVER_TOKEN@api.postmarkapp.com`.

No idempotency key, but messages can be searched by metadata: https://postmarkapp.com/developer/api/messages-api
"""

import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import SplitResult, unquote

import httpx

from activities.messaging.email.resend import base_url
from activities.messaging.http import OverHttp, client, post
from activities.messaging.mime import address, header_text, mailbox
from activities.messaging.protocol import (
    Accepted,
    Busy,
    LookupUnavailableError,
    Mail,
    Receipt,
    Rejected,
    Unclear,
)

# Error codes that come with HTTP 422: https://postmarkapp.com/developer/api/overview#error-codes
_INACTIVE = 406  # the address bounced or complained before
_OURS = frozenset({400, 401, 405, 412, 413})  # sender not confirmed, out of credit, account pending
_METADATA_LENGTH = 80


class Postmark(OverHttp):
    """The Postmark API."""

    name = "postmark"
    remembers: timedelta | None = None
    looks_up = True
    # Postmark's search follows its intake by seconds; a minute is generous.
    settles_after = timedelta(minutes=1)

    def __init__(
        self,
        url: SplitResult,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        settles_after: timedelta | None = None,
    ) -> None:
        token = unquote(url.username or "")
        if not token:
            raise ValueError("POSTLUDE_EMAIL_URL: postmark:// needs the server token: postmark://TOKEN@…")
        headers = {"x-postmark-server-token": token, "accept": "application/json"}
        self._http = client(base_url(url, "api.postmarkapp.com"), headers, transport=transport)
        if settles_after is not None:
            self.settles_after = settles_after

    async def send(self, message: Mail) -> Receipt:
        """One POST /email; see `Receipt` for what can come of it."""
        try:
            sender, to = mailbox(message.sender_name, message.sender), address(message.to).addr_spec
        except ValueError:
            return Rejected("address_invalid")
        headers = [{"Name": "Message-ID", "Value": message.message_id}]
        # Postmark keeps a Message-ID of ours only when told to.
        headers.append({"Name": "X-PM-KeepID", "Value": "true"})
        headers += [{"Name": name, "Value": header_text(value)} for name, value in message.headers]
        body = {
            "From": sender,
            "To": to,
            "ReplyTo": message.reply_to,
            "Subject": header_text(message.subject),
            "HtmlBody": message.html,
            "TextBody": message.text,
            "Headers": headers,
            "Metadata": {"postlude": _metadata(message.key)},
        }
        answer = await post(self._http, "/email", body, {}, _explain)
        if not isinstance(answer, dict):
            return answer
        provider_id = answer.get("MessageID")
        return Accepted(provider_id) if isinstance(provider_id, str) else Unclear("http_garbled_answer")

    async def find(self, key: str, message_id: str) -> str | None:
        """The MessageID that Postmark's search has for our key.

        Raises:
            LookupUnavailableError: Postmark did not answer, or not in a way that says anything.
        """
        try:
            answer = await self._http.get(
                "/messages/outbound", params={"count": 1, "offset": 0, "metadata_postlude": _metadata(key)}
            )
            answer.raise_for_status()
            messages = answer.json()["Messages"]
            return str(messages[0]["MessageID"]) if messages else None
        except (httpx.HTTPError, ValueError, KeyError, IndexError, TypeError) as error:
            raise LookupUnavailableError(f"Postmark did not find {message_id}: {type(error).__name__}") from error

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def _metadata(key: str) -> str:
    """The key as a metadata value, of which Postmark keeps 80 characters."""
    return key if len(key) <= _METADATA_LENGTH else str(uuid.uuid5(uuid.NAMESPACE_URL, key))


def _explain(_status: int, answer: dict[str, Any]) -> Receipt | None:
    code = answer.get("ErrorCode")
    if code == _INACTIVE:
        return Rejected("postmark_406", address_dead=True)
    return Busy(f"postmark_{code}") if code in _OURS else None
