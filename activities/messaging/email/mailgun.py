"""Mail by Mailgun: `mailgun://API_KEY@api.mailgun.net/mg.example.com`, in the EU `…@api.eu.mailgun.net/…`.

https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages/post-v3--domain-name--messages. No
idempotency key. With `?lookup=1` a doubt is settled from the events API, by our own Message-ID, which Mailgun keeps:
https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/events/get-v3-domain_name-events. (That API
is deprecated, but its successor, /v1/analytics/logs, does not document what may be filtered by.) It has to be asked
for, because a domain's sending key, which is what Mailgun advises, may not read events, and because plans differ in
how long they keep them.
"""

import base64
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import SplitResult, parse_qs, unquote, urlencode

import httpx

from activities.messaging.clock import utc_now
from activities.messaging.email.answers import body_of, post
from activities.messaging.email.resend import base_url
from activities.messaging.exchange import Answer
from activities.messaging.http import OverHttp, client
from activities.messaging.mime import address, header_text, mailbox
from activities.messaging.protocol import Accepted, Busy, LookupUnavailableError, Mail, Receipt, Rejected, Unclear

_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+", re.IGNORECASE)
_FORM = {"content-type": "application/x-www-form-urlencoded"}
_PAYMENT_REQUIRED, _HOURLY_LIMIT = 402, 420
# What a 400 says about our sender, our domain or our account; everything else is about the message. There is no code:
# https://documentation.mailgun.com/docs/mailgun/quickstart-guide/responses
_OURS = ("from parameter", "'from' parameter", "not allowed to send", "activate your")
# "e.g. half an hour" is the age from which events are to be trusted:
# https://documentation.mailgun.com/docs/mailgun/user-manual/events/event-polling
_TRUSTWORTHY = timedelta(minutes=30)
_KEPT = timedelta(days=3)  # "at least 3 days", says the API


class Mailgun(OverHttp):
    """The Mailgun API. `clock` is the wall clock, by which a search in the events says since when."""

    name = "mailgun"
    remembers: timedelta | None = None

    def __init__(
        self,
        url: SplitResult,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        settles_after: timedelta = _TRUSTWORTHY,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        key, domain = unquote(url.username or ""), url.path.strip("/")
        if not key or not _DOMAIN.fullmatch(domain):
            raise ValueError(
                "POSTLUDE_EMAIL_URL: mailgun:// needs API key and sending domain: "
                "mailgun://KEY@api.mailgun.net/mg.example.com"
            )
        self.looks_up = parse_qs(url.query).get("lookup") == ["1"]
        self.settles_after = settles_after if self.looks_up else timedelta(0)
        self._path = f"/v3/{domain}"
        self._clock = clock
        login = base64.b64encode(f"api:{key}".encode()).decode("ascii")
        headers = {"authorization": f"Basic {login}", "accept": "application/json"}
        self._http = client(base_url(url, "api.mailgun.net"), headers, transport=transport)

    async def send(self, message: Mail) -> Receipt:
        """One POST /v3/{domain}/messages; see `Receipt` for what can come of it."""
        try:
            sender, to = mailbox(message.sender_name, message.sender), address(message.to).addr_spec
            reply_to = address(message.reply_to).addr_spec
        except ValueError:
            return Rejected("address_invalid")
        form = {
            "from": sender,
            "to": to,
            "subject": header_text(message.subject),
            "text": message.text,
            "html": message.html,
            "h:Message-Id": message.message_id,
            "h:Reply-To": reply_to,
            # A variable comes back with every event, the tag divides our mails from the shop's other ones.
            "v:postlude": message.key,
            "o:tag": "postlude",
        } | {f"h:{name}": header_text(value) for name, value in message.headers}
        answer = await post(self._http, f"{self._path}/messages", urlencode(form).encode(), _FORM, _explain)
        if not isinstance(answer, Answer):
            return answer
        provider_id = body_of(answer).get("id")
        return Accepted(provider_id) if isinstance(provider_id, str) else Unclear("http_garbled_answer")

    async def find(self, key: str, message_id: str) -> str | None:
        """Mailgun's id for the message, as `send` answers with it, if its events say that it was accepted.

        Raises:
            LookupUnavailableError: look-ups are not switched on, Mailgun did not answer, or not in a way that says
                anything.
        """
        if not self.looks_up:
            raise LookupUnavailableError(f"{key}: Mailgun is searched only with ?lookup=1")
        # The filter finds nothing for an id in its angle brackets: https://github.com/mailgun/mailgun.js/issues/296
        bare = message_id.strip("<>")
        query = {
            "begin": str(int((self._clock() - _KEPT).timestamp())),
            "ascending": "yes",
            "event": "accepted",
            "message-id": bare,
            "limit": "1",
        }
        try:
            answer = await self._http.get(f"{self._path}/events", params=query)
            answer.raise_for_status()
            items = answer.json()["items"]
            return f"<{items[0]['message']['headers']['message-id']}>" if items else None
        except (httpx.HTTPError, ValueError, KeyError, IndexError, TypeError) as error:
            raise LookupUnavailableError(f"Mailgun's events failed: {type(error).__name__}") from error

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def _explain(answer: Answer) -> Receipt | None:
    if answer.status in {_PAYMENT_REQUIRED, _HOURLY_LIMIT}:
        return Busy(f"http_{answer.status}")
    text = str(body_of(answer).get("message", "")).lower()
    ours = answer.status == httpx.codes.BAD_REQUEST and any(words in text for words in _OURS)
    return Busy("mailgun_account") if ours else None
