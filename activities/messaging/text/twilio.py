"""SMS and WhatsApp by Twilio: `twilio://ACCOUNT_SID:AUTH_TOKEN@api.twilio.com?from=%2B4915112345678`.

`?service=MG…` names a Messaging Service instead of a sender; `twilio://KEY_SID:SECRET@…?account=AC…` logs in with
an API key. One request makes one message: https://www.twilio.com/docs/messaging/api/message-resource

Twilio knows no idempotency key, and its list of messages is filtered by number and day only, where two messages of
ours cannot be told apart. So no doubt is settled by asking: the status callback, which carries our key, settles it.
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import SplitResult, parse_qs, parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

import httpx

from activities.messaging.email.resend import base_url
from activities.messaging.http import OverHttp, client, post
from activities.messaging.protocol import (
    Accepted,
    Busy,
    Receipt,
    Rejected,
    Text,
    Unclear,
    Unsearchable,
    WhatsApp,
)

# ITU-T E.164: a plus and at most fifteen digits, the country code first.
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")

# Errors are listed at https://www.twilio.com/docs/api/errors, each on a page of its own (…/errors/21211).
# No number, no mobile, a short code, a landline, an address the channel does not know: nothing will ever arrive.
_DEAD = frozenset({21211, 21265, 21614, 21635, 63003})
# The person answered STOP to this sender, or blocked it on WhatsApp.
_OPTED_OUT = frozenset({21610, 63014})
# Our sender, callback, service or account: somebody will mend it, and the message is worth the wait.
_OURS = frozenset({10001, 20003, 21601, 21603, 21606, 21608, 21609, 21659, 30002})
_QUEUE = timedelta(minutes=10)
_DAY = timedelta(days=1)
_LATER: Mapping[int, timedelta | None] = {
    20429: None,  # too many requests at once; such a request is never processed
    21611: _QUEUE,  # this sender's queue holds ten hours' worth already
    21730: _QUEUE,  # maintenance
    30001: _QUEUE,  # the same queue, seen behind a Messaging Service
    63017: None,  # beyond the account's messages a second
    63018: _DAY,  # WhatsApp's own limit for this sender, which looks back over 24 hours
    63038: _DAY,  # the account's messages a day
}
_OUTSIDE_WINDOW = Rejected("twilio_63016")

# https://www.twilio.com/docs/api/errors/21624: 1 to 36,000 seconds, and the longest when none is given.
_SHORTEST, _LONGEST = 1, 36_000


def verdict(code: int) -> Receipt | None:
    """What one of Twilio's error codes says about a message, in an answer or in a callback's `ErrorCode`.

    None for a code that says nothing of its own; then the HTTP status, or the callback's `MessageStatus`, decides.
    """
    rule = f"twilio_{code}"
    if code in _DEAD:
        return Rejected(rule, address_dead=True)
    if code in _OPTED_OUT:
        return Rejected(rule, opted_out=True)
    if code in _OURS:
        return Busy(rule)
    return Busy(rule, _LATER[code]) if code in _LATER else None


def dialable(number: str) -> bool:
    """Whether this has the form of an E.164 number; it may still be nobody's."""
    return _NUMBER.fullmatch(number) is not None


def placeholders(values: tuple[str, ...]) -> tuple[str, ...] | None:
    """Template values as WhatsApp takes them, None when one of them has no text.

    No line breaks, tabs or runs of blanks, and never empty:
    https://www.twilio.com/docs/content/using-variables-with-content-api and error 21656.
    """
    flat = tuple(" ".join(value.split()) for value in values)
    return flat if all(flat) else None


class _Twilio(OverHttp, Unsearchable):
    """What SMS and WhatsApp by Twilio have in common."""

    name = "twilio"
    _setting: str
    _channel = ""

    def __init__(self, url: SplitResult, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        user, secret = unquote(url.username or ""), unquote(url.password or "")
        # A plus means a blank in a query, but nobody who writes from=+49… means one.
        query = parse_qs(url.query.replace("+", "%2B"))
        sender, service = query.get("from", [""])[0], query.get("service", [""])[0]
        account = query.get("account", [user])[0]
        if not user or not secret:
            raise ValueError(f"{self._setting}: twilio:// needs account and token: twilio://ACCOUNT_SID:AUTH_TOKEN@…")
        if bool(sender) == bool(service):
            raise ValueError(f"{self._setting}: twilio:// needs either ?from=NUMBER or ?service=MG…")
        if sender and self._channel and not dialable(sender):
            raise ValueError(f"{self._setting}: ?from= must be a number like %2B4915112345678")
        try:
            where = base_url(url, "api.twilio.com")
        except ValueError:
            # What urllib says about a port quotes it, and a token with a slash in it ends up there.
            raise ValueError(f"{self._setting}: the port of twilio:// is no number; is the token escaped?") from None
        self._sender = {"From": self._channel + sender} if sender else {"MessagingServiceSid": service}
        self._path = f"/2010-04-01/Accounts/{quote(account, safe='')}/Messages.json"
        login = base64.b64encode(f"{user}:{secret}".encode()).decode()
        self._http = client(where, {"authorization": f"Basic {login}"}, transport=transport)

    async def _send(self, key: str, to: str, callback: str | None, content: dict[str, str]) -> Receipt:
        if not dialable(to):
            return Rejected("address_invalid")
        form = {"To": self._channel + to, **self._sender, **content}
        if callback is not None:
            form["StatusCallback"] = with_key(callback, key)
        answer = await post(self._http, self._path, form, {}, _explain, form=True)
        if not isinstance(answer, dict):
            return answer
        sid, code = answer.get("sid"), answer.get("error_code")
        if answer.get("status") in {"failed", "undelivered"} and isinstance(code, int):
            return verdict(code) or Rejected(f"twilio_{code}")
        return Accepted(sid) if isinstance(sid, str) and sid else Unclear("http_garbled_answer")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


class TwilioSms(_Twilio):
    """SMS through Twilio's Messages resource; `POSTLUDE_SMS_URL`."""

    _setting = "POSTLUDE_SMS_URL"

    async def send(self, message: Text) -> Receipt:
        """One POST to Messages; see `Receipt` for what can come of it.

        `lasts` becomes the ValidityPeriod: what Twilio has not handed on by then it drops (30036).
        """
        content = {"Body": message.body}
        if message.lasts is not None:
            seconds = int(message.lasts.total_seconds())
            if seconds < _SHORTEST:
                return Busy("validity_over", everyone=False)
            content["ValidityPeriod"] = str(min(seconds, _LONGEST))
        return await self._send(message.key, message.to, message.callback, content)


class TwilioWhatsApp(_Twilio):
    """WhatsApp through Twilio's Messages resource; `POSTLUDE_WHATSAPP_URL`. A template is its ContentSid (`HX…`)."""

    _setting = "POSTLUDE_WHATSAPP_URL"
    _channel = "whatsapp:"

    async def send(self, message: WhatsApp) -> Receipt:
        """One POST to Messages, and a second one with the template when the 24 hours turn out to be over.

        The first was refused for certain (63016), so the customer hears once.
        """
        if message.conversing:
            said = await self._send(message.key, message.to, message.callback, {"Body": message.body})
            return said if said != _OUTSIDE_WINDOW else await self.send(replace(message, conversing=False))
        values = placeholders(message.parameters)
        if values is None:
            return Rejected("parameter_empty")
        content = {"ContentSid": message.template}
        if values:
            content["ContentVariables"] = json.dumps({str(n): value for n, value in enumerate(values, 1)})
        return await self._send(message.key, message.to, message.callback, content)


def with_key(callback: str, key: str) -> str:
    """The callback's URL with `key=` in its query, in the place of one that is there already."""
    parts = urlsplit(callback)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != "key"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("key", key)])))


def _explain(status: int, answer: dict[str, Any]) -> Receipt | None:
    code = answer.get("code")
    if not isinstance(code, int):
        return None
    # 400 is about this one request; any other status says for itself whose fault it is.
    return verdict(code) or (Rejected(f"twilio_{code}") if status == httpx.codes.BAD_REQUEST else None)
