"""WhatsApp's Cloud API: statuses of what was sent, and what people write back.

- The signature and the handshake: https://developers.facebook.com/docs/graph-api/webhooks/getting-started:
  `X-Hub-Signature-256: sha256=` and hex HMAC-SHA256 over the raw body, keyed with the app secret; before, a GET with
  `hub.challenge`, to be answered when its `hub.verify_token` is ours.
- Statuses: …/business-messaging/whatsapp/webhooks/reference/messages/status; `biz_opaque_callback_data` is our key.
  `delivered` may be left out when a message is read as it arrives.
- Messages: …/reference/messages/text, and a press on a template's button. Preferences (a person stops marketing in
  WhatsApp itself): …/reference/user_preferences.
"""

import hmac
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from activities.messaging.feedback.reading import feedback, from_epoch, objects, same, table, word
from activities.shops.protocol import Delivery, Ignored, Malformed, SignatureError
from journey.playbook import Channel
from store.intake import MessageFeedback

_KINDS = {"delivered": "delivered", "read": "opened", "played": "opened", "failed": "failed"}
_OPTED_OUT = "131050"
"""This person asked WhatsApp for no more marketing from this business."""
_PREFIX = "sha256="
_CHALLENGE_LENGTH = 200


class WhatsAppEvents:
    """Verifies and translates Meta's webhooks. `secret` is the app secret, `verify_token` a word of our own choice.

    Without a `verify_token` the endpoint takes webhooks and confirms nothing.
    """

    name = "whatsapp"

    def __init__(self, secret: str, *, verify_token: str | None = None) -> None:
        if not secret:
            raise ValueError("POSTLUDE_WHATSAPP_SECRET may not be empty")
        self._secret = secret.encode()
        self._verify_token = verify_token

    def greet(self, query: Mapping[str, str]) -> str | None:
        """See `Greeting.greet`: the `hub.challenge` of a question that knows our token."""
        challenge = query.get("hub.challenge", "")
        if not self._verify_token or query.get("hub.mode") != "subscribe":
            return None
        if not same(query.get("hub.verify_token", ""), self._verify_token):
            return None
        return challenge if challenge.isalnum() and len(challenge) <= _CHALLENGE_LENGTH else None

    def verify(self, delivery: Delivery) -> None:
        """See `Source.verify`; Meta signs no timestamp, repeats are known by each message's name and status."""
        given = delivery.headers.get("x-hub-signature-256", "")
        expected = _PREFIX + hmac.new(self._secret, delivery.body, sha256).hexdigest()
        if not same(given, expected):
            raise SignatureError("No matching signature found" if given else "Missing X-Hub-Signature-256")

    def event_id(self, delivery: Delivery) -> str:
        """The batch's hash: it has no name. What is in it has."""
        return delivery.digest

    def topic(self, delivery: Delivery) -> str:
        """The changed field, such as `messages`."""
        fields = [word(change.get("field")) for change in _changes(delivery)]
        if not fields or not fields[0]:
            raise Malformed("entry.changes.field", "must name what changed, such as messages")
        return fields[0]

    def translate(self, delivery: Delivery) -> Sequence[MessageFeedback] | Ignored:
        """See `Source.translate`. One event that cannot be read does not hold up the others of its batch."""
        events, wrong = [], None
        for values in _events(delivery):
            try:
                events.append(feedback({"provider": self.name, "channel": Channel.WHATSAPP, **values}, at="timestamp"))
            except Malformed as error:
                wrong = wrong or error
        if wrong is not None and not events:
            raise wrong
        return events or Ignored("unknown topic")


def _changes(delivery: Delivery) -> Iterator[Mapping[str, Any]]:
    for entry in objects(delivery.payload.get("entry")):
        yield from objects(entry.get("changes"))


def _events(delivery: Delivery) -> Iterator[dict[str, Any]]:
    for change in _changes(delivery):
        value = table(change.get("value"))
        for status in objects(value.get("statuses")):
            if word(status.get("status")) in _KINDS:
                yield _status(status)
        for message in objects(value.get("messages")):
            yield _message(message)
        for preference in objects(value.get("user_preferences")):
            if preference.get("category") == "marketing_messages":
                yield _preference(preference)


def _status(status: Mapping[str, Any]) -> dict[str, Any]:
    kind = word(status.get("status"))
    code = next((str(error.get("code")) for error in objects(status.get("errors"))), None)
    return {
        "kind": "opted_out" if code == _OPTED_OUT else _KINDS[kind],
        "at": from_epoch(status.get("timestamp")),
        "key": status.get("biz_opaque_callback_data"),
        "provider_id": status.get("id"),
        "address": _number(status.get("recipient_id")),
        "reason": code,
        "event_id": f"{status.get('id')}:{kind}",
    }


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    pressed = table(message.get("button")).get("text") or table(
        table(message.get("interactive")).get("button_reply")
    ).get("title")
    return {
        "kind": "replied",
        "at": from_epoch(message.get("timestamp")),
        "provider_id": table(message.get("context")).get("id"),
        "address": _number(message.get("from")),
        "text": table(message.get("text")).get("body") or pressed,
        "event_id": message.get("id"),
    }


def _preference(preference: Mapping[str, Any]) -> dict[str, Any]:
    stops = preference.get("value") == "stop"
    number = _number(preference.get("wa_id"))
    return {
        "kind": "opted_out" if stops else "replied",
        "at": from_epoch(preference.get("timestamp")),
        "address": number,
        "reason": "STOP" if stops else "START",
        # Not its number: what names an event may be shown.
        "event_id": "preference:" + sha256(f"{number}:{preference.get('timestamp')}:{stops}".encode()).hexdigest(),
    }


def _number(wa_id: object) -> str | None:
    """A WhatsApp id is the number in E.164 without its plus sign."""
    digits = word(wa_id).lstrip("+")
    return f"+{digits}" if digits.isdecimal() else None
