"""Mailgun, which signs inside the body: hex HMAC-SHA256 over timestamp and token, and nothing else.

https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks and …/webhook-payloads. The
signature does not cover what is said, so a token counts once: it is the event's name in the inbox. Timestamp and token
are joined with nothing in between, so each has its length: else one could lend the other a digit, and one signature
would vouch for another token. The user variable `postlude` is our key.
"""

import hmac
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256

from activities.messaging.clock import utc_now
from activities.messaging.feedback.machines import is_machine
from activities.messaging.feedback.reading import (
    OURS,
    check_fresh,
    feedback,
    from_epoch,
    same,
    signed_object,
    table,
    word,
)
from activities.shops.protocol import Delivery, Ignored, Malformed, SignatureError
from journey.playbook import Channel
from store.intake import MessageFeedback

# It tries for eight hours (https://documentation.mailgun.com/docs/mailgun/user-manual/events/webhooks) and does not
# say whether it signs each attempt anew.
_WITHIN = timedelta(hours=9)
# "Randomly generated string with length 50"; so far in hexadecimal digits.
_TOKEN = re.compile("[0-9A-Za-z]{50}")
_KINDS = {
    "delivered": "delivered",
    "opened": "opened",
    "clicked": "clicked",
    "complained": "complained",
    "unsubscribed": "opted_out",
    "rejected": "failed",
}
# Why it gave up, where that says nothing about the address for good: it got too old, or was ours to begin with.
_NOT_FOR_GOOD = frozenset({"old", "espblock", "generic", "greylisted"})
_KNOWN = {"suppress-complaint": "complained", "suppress-unsubscribe": "opted_out"}


class MailgunEvents:
    """Verifies and translates Mailgun's webhooks. `secret` is the account's HTTP webhook signing key."""

    name = "mailgun"

    def __init__(self, secret: str, *, clock: Callable[[], datetime] = utc_now) -> None:
        if not secret:
            raise ValueError("POSTLUDE_MAILGUN_SECRET may not be empty")
        self._secret = secret.encode()
        self._clock = clock

    def verify(self, delivery: Delivery) -> None:
        """See `Source.verify`."""
        signed = table(signed_object(delivery).get("signature"))
        timestamp, token = str(signed.get("timestamp", "")), word(signed.get("token"))
        if _TOKEN.fullmatch(token) is None:
            raise SignatureError("Malformed token")
        if not timestamp.isascii():
            raise SignatureError("Malformed timestamp")
        expected = hmac.new(self._secret, f"{timestamp}{token}".encode(), sha256).hexdigest()
        if not same(word(signed.get("signature")), expected):
            raise SignatureError("No matching signature found")
        check_fresh(timestamp, now=self._clock(), within=_WITHIN)

    def event_id(self, delivery: Delivery) -> str:
        """The signature's token, so that one signature vouches for one event."""
        return word(table(delivery.payload.get("signature")).get("token")) or delivery.digest

    def topic(self, delivery: Delivery) -> str:
        """The event's `event`."""
        if not (topic := word(table(delivery.payload.get("event-data")).get("event"))):
            raise Malformed("event-data.event", "must name the event, such as delivered")
        return topic

    def translate(self, delivery: Delivery) -> Sequence[MessageFeedback] | Ignored:
        """See `Source.translate`. `client-info.bot` is Mailgun's own word about machines."""
        topic, given = self.topic(delivery), table(delivery.payload.get("event-data"))
        why = word(given.get("reason"))
        kind = _KINDS.get(topic)
        if topic == "failed":
            for_now = given.get("severity") != "permanent" or why in _NOT_FOR_GOOD
            kind = _KNOWN.get(why, "soft_bounce" if for_now else "bounced")
        if kind is None:
            return Ignored("unknown topic")
        client = table(given.get("client-info"))
        name = word(table(table(given.get("message")).get("headers")).get("message-id")).strip("<>")
        values = {
            "provider": self.name,
            "kind": kind,
            "at": from_epoch(given.get("timestamp")),
            "channel": Channel.EMAIL,
            "key": table(given.get("user-variables")).get(OURS),
            "message_id": f"<{name}>" if name else None,
            "provider_id": f"<{name}>" if name else None,
            "address": given.get("recipient"),
            "machine": is_machine(kind, word(client.get("user-agent")), told=bool(client.get("bot"))),
            "link": given.get("url"),
            "reason": why or table(given.get("delivery-status")).get("code"),
            "event_id": self.event_id(delivery),
        }
        return [feedback(values, at="event-data.timestamp")]
