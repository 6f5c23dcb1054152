"""Mail by Resend: `resend://API_KEY@api.resend.com` (https://resend.com/docs/api-reference/emails/send-email).

A repeated `Idempotency-Key` is answered with the first send for 24 hours, so no doubt outlives one retry. Its events
do not tell that key again, but they tell the tags, whose values are ASCII letters, digits, `_` and `-`: so the key's
UUID goes along as the tag `postlude`, see `activities.messaging.feedback.resend`.
"""

import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import SplitResult, unquote

import httpx

from activities.messaging.http import OverHttp, client, post
from activities.messaging.mime import address, header_text, mailbox
from activities.messaging.protocol import Accepted, Busy, Mail, Receipt, Rejected, Unclear, Unsearchable

# Errors about our sender or our account, not about the message: https://resend.com/docs/api-reference/errors
_OURS = frozenset({"invalid_from_address", "invalid_access", "invalid_region"})


class Resend(OverHttp, Unsearchable):
    """The Resend API."""

    name = "resend"
    # An hour less than Resend's own 24, for a request on its way and clocks that differ.
    remembers: timedelta | None = timedelta(hours=23)

    def __init__(self, url: SplitResult, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        key = unquote(url.username or "")
        if not key:
            raise ValueError("POSTLUDE_EMAIL_URL: resend:// needs the API key: resend://re_…@api.resend.com")
        self._http = client(base_url(url, "api.resend.com"), {"authorization": f"Bearer {key}"}, transport=transport)

    async def send(self, message: Mail) -> Receipt:
        """One POST /emails; see `Receipt` for what can come of it."""
        try:
            sender, to = mailbox(message.sender_name, message.sender), address(message.to).addr_spec
        except ValueError:
            return Rejected("address_invalid")
        body = {
            "from": sender,
            "to": [to],
            "reply_to": message.reply_to,
            "subject": header_text(message.subject),
            "html": message.html,
            "text": message.text,
            "tags": [{"name": "postlude", "value": uuid.uuid5(uuid.NAMESPACE_URL, message.key).hex}],
            "headers": {"Message-ID": message.message_id} | {n: header_text(v) for n, v in message.headers},
        }
        answer = await post(self._http, "/emails", body, {"idempotency-key": message.key}, _explain)
        if not isinstance(answer, dict):
            return answer
        provider_id = answer.get("id")
        return Accepted(provider_id) if isinstance(provider_id, str) else Unclear("http_garbled_answer")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def _explain(status: int, answer: dict[str, Any]) -> Receipt | None:
    name = answer.get("name")
    if isinstance(name, str) and name in _OURS:
        return Busy(f"http_{status}")
    if status != httpx.codes.CONFLICT:
        return None
    # A key used before with another body (a date in the text moved on) says that the first one was taken; one
    # in use at this moment that it may be.
    known: dict[object, Receipt] = {
        "invalid_idempotent_request": Accepted(None),
        "concurrent_idempotent_requests": Unclear("http_409"),
    }
    return known.get(name)


def base_url(url: SplitResult, default_host: str) -> str:
    """Where the API is: HTTPS, but plain HTTP for a loopback stand-in (`?insecure=1`)."""
    scheme = "http" if "insecure=1" in url.query else "https"
    port = f":{url.port}" if url.port else ""
    return f"{scheme}://{url.hostname or default_host}{port}"
