"""Mail by SendGrid: `sendgrid://API_KEY@api.sendgrid.com`, for subusers in the EU `…@api.eu.sendgrid.com`.

https://www.twilio.com/docs/sendgrid/api-reference/mail-send. No idempotency key. Its logs cannot be searched by
custom arguments (https://www.twilio.com/docs/sendgrid/api-reference/email-logs/filter-all-messages), and the older
activity feed is sold apart and takes six questions a minute: no look-up.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import SplitResult, unquote

import httpx

from activities.messaging.clock import utc_now
from activities.messaging.email.answers import body_of, post
from activities.messaging.email.resend import base_url
from activities.messaging.exchange import Answer
from activities.messaging.http import MAX_RETRY_AFTER, OverHttp, client
from activities.messaging.mime import address, header_text
from activities.messaging.protocol import Accepted, Busy, Mail, Receipt, Rejected, Unclear, Unsearchable


class SendGrid(OverHttp, Unsearchable):
    """The SendGrid API, version 3. `clock` is the wall clock, by which SendGrid says when to come back."""

    name = "sendgrid"

    def __init__(
        self,
        url: SplitResult,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        key = unquote(url.username or "")
        if not key:
            raise ValueError("POSTLUDE_EMAIL_URL: sendgrid:// needs the API key: sendgrid://SG.…@api.sendgrid.com")
        headers = {"authorization": f"Bearer {key}"}
        self._http = client(base_url(url, "api.sendgrid.com"), headers, transport=transport)
        self._clock = clock

    async def send(self, message: Mail) -> Receipt:
        """One POST /v3/mail/send; see `Receipt` for what can come of it.

        Accepted is a 202 without a body; `X-Message-Id` begins the `sg_message_id` of the events to come.
        """
        try:
            sender, to = address(message.sender).addr_spec, address(message.to).addr_spec
            reply_to = address(message.reply_to).addr_spec
        except ValueError:
            return Rejected("address_invalid")
        body = {
            # Custom arguments come back with every event. SendGrid keeps them as "not personal": ids only.
            "personalizations": [{"to": [{"email": to}], "custom_args": {"postlude": message.key}}],
            "from": {"email": sender, "name": header_text(message.sender_name)},
            "reply_to": {"email": reply_to},
            "subject": header_text(message.subject),
            "content": [
                {"type": "text/plain", "value": message.text},
                {"type": "text/html", "value": message.html},
            ],
            "headers": {"Message-ID": message.message_id} | {n: header_text(v) for n, v in message.headers},
        }
        answer = await post(
            self._http, "/v3/mail/send", json.dumps(body).encode(), {"content-type": "application/json"}, self._explain
        )
        if not isinstance(answer, Answer):
            return answer
        provider_id = answer.headers.get("x-message-id")
        return Accepted(provider_id) if provider_id else Unclear("http_garbled_answer")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _explain(self, answer: Answer) -> Receipt | None:
        reset = answer.headers.get("x-ratelimit-reset", "")
        if answer.status == httpx.codes.TOO_MANY_REQUESTS and reset.isdecimal():
            # https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/rate-limits
            left = timedelta(seconds=int(reset[:12]) - self._clock().timestamp())
            return Busy("http_429", min(max(left, timedelta(seconds=1)), MAX_RETRY_AFTER))
        if answer.status != httpx.codes.BAD_REQUEST:
            return None
        # https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors: every error names its field.
        errors = body_of(answer).get("errors")
        named = [error.get("field") for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
        ours = any(str(field).partition(".")[0] in {"from", "reply_to"} for field in named)
        return Busy("sendgrid_sender") if ours else None
