"""WhatsApp by Meta's Cloud API: `whatsapp://TOKEN@graph.facebook.com/PHONE_NUMBER_ID?version=v26.0`.

https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages. No idempotency key
and no search: our key travels as `biz_opaque_callback_data`, which the status webhooks bring back, and those settle
what is in doubt.
"""

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote

import httpx

from activities.messaging.email.resend import base_url
from activities.messaging.http import OverHttp, client, post
from activities.messaging.protocol import (
    Accepted,
    Busy,
    Receipt,
    Rejected,
    Unclear,
    Unsearchable,
    WhatsApp,
)
from activities.messaging.text.twilio import dialable, placeholders

# https://developers.facebook.com/docs/graph-api/changelog/versions: current since 29 July 2026, each lives two years.
_VERSION = "v26.0"
_KEY_LENGTH = 512

# https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes: Meta asks to go by
# `code`, not by the HTTP status or the text.
# Token, permissions, payment, registration, a blocked account: somebody will mend it, and the message can wait.
_OURS = frozenset({0, 3, 10, 33, 190, 368, 131005, 131030, 131031, 131037, 131042, 131045, 133010, *range(200, 300)})
_LATER: Mapping[int, timedelta | None] = {
    2: None,  # down or overloaded
    4: None,  # the app's calls an hour
    80007: None,  # the account's calls an hour
    130429: None,  # messages a second
    131016: None,  # a service is away
    131048: timedelta(hours=1),  # too many were marked as spam
    131049: timedelta(days=1),  # this person's share of marketing messages is used up; Meta asks not to retry at once
    131056: timedelta(seconds=6),  # one message every six seconds to the same number
    131057: None,  # the account is in maintenance
    132001: timedelta(hours=1),  # not approved, or not yet known everywhere, in this language
    132015: timedelta(hours=3),  # paused for low quality; the first pause lasts three hours
}
# Of these, what is about one person or one template.
_OF_ONE = frozenset({131049, 131056, 132001, 132015})
# The person stopped marketing messages from this number; others still reach them.
_STOPPED = 131050
# Could be our request, could be their server: "invalid request or possible server error".
_UNKNOWN = 1
_OUTSIDE_WINDOW = Rejected("whatsapp_131047")


def verdict(code: int) -> Receipt | None:
    """What one of Meta's error codes says about a message, in an answer or in a webhook's `errors[].code`.

    None for a code that says nothing of its own. 131026 (undeliverable) is among those: Meta does not tell a number
    without WhatsApp from an old app or terms not yet accepted, so no address is given up for it.
    """
    rule = f"whatsapp_{code}"
    if code == _STOPPED:
        return Rejected(rule, opted_out=True)
    if code == _UNKNOWN:
        return Unclear(rule)
    if code in _OURS:
        return Busy(rule)
    return Busy(rule, _LATER[code], everyone=code not in _OF_ONE) if code in _LATER else None


class WhatsAppCloud(OverHttp, Unsearchable):
    """The WhatsApp Cloud API; `POSTLUDE_WHATSAPP_URL`."""

    name = "whatsapp"

    def __init__(self, url: SplitResult, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        token, number_id = unquote(url.username or ""), url.path.strip("/")
        version = parse_qs(url.query).get("version", [_VERSION])[0]
        if not token:
            raise ValueError(
                "POSTLUDE_WHATSAPP_URL: whatsapp:// needs the token: whatsapp://TOKEN@graph.facebook.com/…"
            )
        if not (number_id.isascii() and number_id.isdecimal()):
            raise ValueError(
                "POSTLUDE_WHATSAPP_URL: the path of whatsapp:// is the phone number's id at Meta, in digits"
            )
        if not version.removeprefix("v").replace(".", "", 1).isdecimal():
            raise ValueError("POSTLUDE_WHATSAPP_URL: ?version= is one of the Graph API, like v26.0")
        try:
            where = base_url(url, "graph.facebook.com")
        except ValueError:
            raise ValueError("POSTLUDE_WHATSAPP_URL: the port of whatsapp:// is no number") from None
        self._path = f"/v{version.removeprefix('v')}/{number_id}/messages"
        self._http = client(where, {"authorization": f"Bearer {token}"}, transport=transport)

    async def send(self, message: WhatsApp) -> Receipt:
        """One POST to /messages, and a second one with the template when the 24 hours turn out to be over.

        The first was refused for certain (131047), so the customer hears once.
        """
        if not dialable(message.to):
            return Rejected("address_invalid")
        if message.conversing:
            said = await self._send(message, _text(message))
            return said if said != _OUTSIDE_WINDOW else await self.send(replace(message, conversing=False))
        values = placeholders(message.parameters)
        if values is None:
            return Rejected("parameter_empty")
        return await self._send(message, _template(message, values))

    async def _send(self, message: WhatsApp, content: dict[str, Any]) -> Receipt:
        body = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": message.to,
            "biz_opaque_callback_data": callback_data(message.key),
            **content,
        }
        answer = await post(self._http, self._path, body, {}, _explain)
        if not isinstance(answer, dict):
            return answer
        match answer.get("messages"):
            case [{"id": str(wamid)}, *_] if wamid:
                return Accepted(wamid)
            case _:
                return Unclear("http_garbled_answer")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def callback_data(key: str) -> str:
    """Our key as the webhooks bring it back: of 512 characters at most."""
    return key if len(key) <= _KEY_LENGTH else str(uuid.uuid5(uuid.NAMESPACE_URL, key))


def _text(message: WhatsApp) -> dict[str, Any]:
    # A preview is fetched by Meta, and a signed link would count that as the customer's click.
    return {"type": "text", "text": {"preview_url": False, "body": message.body}}


def _template(message: WhatsApp, values: tuple[str, ...]) -> dict[str, Any]:
    template: dict[str, Any] = {"name": message.template, "language": {"code": message.language}}
    if values:
        template["components"] = [{"type": "body", "parameters": [{"type": "text", "text": one} for one in values]}]
    return {"type": "template", "template": template}


def _explain(status: int, answer: dict[str, Any]) -> Receipt | None:
    error = answer.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    if not isinstance(code, int):
        return None
    # 400 is about this one message; any other status says for itself whose fault it is.
    return verdict(code) or (Rejected(f"whatsapp_{code}") if status == httpx.codes.BAD_REQUEST else None)
