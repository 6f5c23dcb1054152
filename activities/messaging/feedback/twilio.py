"""Twilio's status callbacks and incoming messages, of SMS and WhatsApp.

- The signature: https://www.twilio.com/docs/usage/webhooks/webhooks-security: base64 HMAC-SHA1, keyed with the auth
  token, over the address just as Twilio called it and every form field, sorted by name, names and values joined.
  Nothing stands between them, so `_check_shape` sees that they can be read in one way only.
- Status: https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks. The callback's
  address brings our key (`?key=`), and it is under the signature.
- Incoming: https://www.twilio.com/docs/messaging/guides/webhook-request; `OptOutType` where the sender is one with
  Advanced Opt-Out (https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out).
- Neither tells the time nor bears one under its signature: what happened is dated when it came, and a replay is
  known by the message's name and status.
"""

import base64
import hmac
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha1
from urllib.parse import SplitResult, parse_qsl, urlsplit

from activities.messaging.clock import utc_now
from activities.messaging.feedback.reading import feedback, same
from activities.shops.protocol import Delivery, Ignored, Malformed, SignatureError
from journey.playbook import Channel
from store.intake import MessageFeedback

_KINDS = {"delivered": "delivered", "read": "opened", "undelivered": "failed", "failed": "failed"}
# https://www.twilio.com/docs/api/errors: what a code says of the number.
_CODES = {
    "21610": "opted_out",
    "30003": "soft_bounce",  # switched off or out of reach
    "30004": "opted_out",  # the person or the carrier blocks the sender
    "30005": "bounced",  # unknown or no longer in service
    "30006": "bounced",  # a landline
}
_WHATSAPP = "whatsapp:"
_FIELDS = 500
_NAME = re.compile("[A-Z][A-Za-z0-9]{1,63}")
_SID = re.compile("(?:SM|MM)[0-9a-f]{32}")
_STATUS = re.compile("[a-z_-]{1,30}")
_SHAPES = {
    "AccountSid": re.compile("AC[0-9a-f]{32}"),
    "MessageSid": _SID,
    "SmsSid": _SID,
    "MessageStatus": _STATUS,
    "SmsStatus": _STATUS,
    "ErrorCode": re.compile("[0-9]{0,6}"),
    "OptOutType": re.compile("[A-Z]{0,10}"),
}
_FIELD_INSIDE = re.compile(
    "AccountSidAC[0-9a-f]{32}|(?:SmsSid|MessageSid)(?:SM|MM)[0-9a-f]{32}|(?:From|To)(?:[a-z]+:)?[+][0-9]"
    "|(?:MessageStatus|SmsStatus)[a-z]|ErrorCode[0-9]|OptOutType[A-Z]"
)
# Our own key as it stands in the address: see `store.claims.message_key`.
_KEY = re.compile(
    r"[A-Za-z0-9._~%-]{1,600}%2[Ff][0-9]{1,3}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
)
_PORTS = {"https": 443, "http": 80}


class TwilioEvents:
    """Verifies and translates Twilio's webhooks.

    `secret` is the account's auth token, `public_url` where the gateway is reached from outside: Twilio signs the
    address, which a proxy in between may have changed.
    """

    name = "twilio"

    def __init__(self, secret: str, *, public_url: str, clock: Callable[[], datetime] = utc_now) -> None:
        if not secret:
            raise ValueError("POSTLUDE_TWILIO_SECRET may not be empty")
        self._secret = secret.encode()
        self._base = public_url.rstrip("/")
        self._clock = clock

    def verify(self, delivery: Delivery) -> None:
        """See `Source.verify`."""
        given = delivery.headers.get("x-twilio-signature", "")
        try:
            fields = _form(delivery)
            names = sorted({name for name, _ in fields})
            signed = "".join(
                name + value for name in names for value in sorted({value for key, value in fields if key == name})
            )
            for url in _spellings(f"{self._base}{delivery.target}"):
                digest = hmac.new(self._secret, (url + signed).encode(), sha1).digest()
                if same(given, base64.b64encode(digest).decode()):
                    _check_shape(delivery.target, fields)
                    return
        except ValueError:
            raise SignatureError("Malformed form") from None
        raise SignatureError("No matching signature found" if given else "Missing X-Twilio-Signature")

    def event_id(self, delivery: Delivery) -> str:
        """The message's name and its status; for an incoming message the status is `received`."""
        form = _fields(delivery)
        if not (sid := form.get("MessageSid") or form.get("SmsSid")):
            raise Malformed("MessageSid", "must name the message")
        return f"{sid}:{form.get('MessageStatus') or form.get('SmsStatus') or 'received'}"

    def topic(self, delivery: Delivery) -> str:
        """`status.` and the status, or `incoming`."""
        status = _fields(delivery).get("MessageStatus")
        return f"status.{status}" if status else "incoming"

    def translate(self, delivery: Delivery) -> Sequence[MessageFeedback] | Ignored:
        """See `Source.translate`."""
        form = _fields(delivery)
        status, code = form.get("MessageStatus"), form.get("ErrorCode") or None
        if status is None:
            return self._incoming(delivery, form)
        kind = _KINDS.get(status)
        if kind is None:
            return Ignored("on its way")
        if kind == "failed":
            kind = _CODES.get(code or "", kind)
        channel, address = _address(form.get("To", ""))
        values = {
            "provider": self.name,
            "kind": kind,
            "at": self._clock(),
            "channel": channel,
            "key": delivery.query.get("key"),
            "provider_id": form.get("MessageSid"),
            "address": address,
            "reason": code,
            "event_id": self.event_id(delivery),
        }
        return [feedback(values)]

    def _incoming(self, delivery: Delivery, form: Mapping[str, str]) -> Sequence[MessageFeedback] | Ignored:
        if "Body" not in form and "OptOutType" not in form:
            return Ignored("neither a status nor a message")
        channel, address = _address(form.get("From", ""))
        opted = form.get("OptOutType", "").strip().upper()
        values = {
            "provider": self.name,
            "kind": "opted_out" if opted == "STOP" else "replied",
            "at": self._clock(),
            "channel": channel,
            "provider_id": form.get("OriginalRepliedMessageSid"),
            "address": address,
            "text": form.get("Body"),
            "reason": opted or None,
            "event_id": self.event_id(delivery),
        }
        return [feedback(values)]


def _check_shape(target: str, fields: Sequence[tuple[str, str]]) -> None:
    """Refuse what was perhaps signed as other fields: the end of one may be the beginning of the next.

    Raises:
        SignatureError: naming the field.
    """
    names = sorted(name for name, _ in fields)
    if not all(_NAME.fullmatch(name) for name in names):
        raise SignatureError("Malformed name of a field")
    form = dict(fields)
    if {"MessageSid", "SmsSid"} & set(names) and (names[0] != "AccountSid" or "MessageSid" not in form):
        raise SignatureError("A message has its account, before all else, and its name")
    for name, shape in _SHAPES.items():
        if names.count(name) > 1 or (name in form and shape.fullmatch(form[name]) is None):
            raise SignatureError(f"Malformed {name}")
    if any(_FIELD_INSIDE.search(value) for value in form.values()):
        raise SignatureError("One field within another")
    keys = [part.partition("=")[2] for part in urlsplit(target).query.split("&") if part.startswith("key=")]
    if len(keys) > 1 or any(_KEY.fullmatch(key) is None for key in keys):
        raise SignatureError("Malformed key")


def _form(delivery: Delivery) -> list[tuple[str, str]]:
    """The form's fields in order.

    Raises:
        ValueError: it is not UTF-8, or there are too many.
    """
    body = delivery.body.decode("ascii")
    return parse_qsl(body, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS)


def _fields(delivery: Delivery) -> dict[str, str]:
    try:
        return dict(_form(delivery))
    except ValueError:
        raise Malformed("body", "must be a form in UTF-8") from None


def _address(party: str) -> tuple[Channel, str]:
    number = party.strip().removeprefix(_WHATSAPP)
    return (Channel.WHATSAPP if number != party.strip() else Channel.SMS), number


def _spellings(url: str) -> Iterator[str]:
    """The address with and without the scheme's own port: Twilio signs either (its own libraries try both)."""
    yield url
    parts = urlsplit(url)
    port = _PORTS.get(parts.scheme)
    if port is None or parts.hostname is None:
        return
    yield _with(parts, parts.netloc.removesuffix(f":{port}") if parts.port == port else f"{parts.netloc}:{port}")


def _with(parts: SplitResult, netloc: str) -> str:
    return parts._replace(netloc=netloc).geturl()
