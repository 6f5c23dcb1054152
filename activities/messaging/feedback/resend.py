"""Resend: signed by Svix, whose scheme is Standard Webhooks under other header names.

https://resend.com/docs/webhooks/event-types, https://docs.svix.com/receiving/verifying-payloads/how-manual.
The idempotency key is not told again; the tag `postlude` is (letters, digits, `_` and `-`, so the key's UUID).
"""

from collections.abc import Sequence
from typing import Any

from activities.messaging.feedback.machines import is_machine
from activities.messaging.feedback.reading import OURS, feedback, mailbox, objects, table, word
from activities.shops.protocol import Delivery, Ignored, Malformed
from activities.shops.signatures import check_standard, standard_key
from journey.playbook import Channel
from store.intake import MessageFeedback

_KINDS = {
    "email.delivered": "delivered",
    "email.delivery_delayed": "soft_bounce",
    "email.bounced": "bounced",
    "email.complained": "complained",
    "email.opened": "opened",
    "email.clicked": "clicked",
    "email.failed": "failed",
    "email.suppressed": "failed",
}


class ResendEvents:
    """Verifies and translates Resend's webhooks. `secret` is the endpoint's, `whsec_` and base64."""

    name = "resend"

    def __init__(self, secret: str) -> None:
        try:
            self._key = standard_key(secret)
        except ValueError as error:
            raise ValueError("POSTLUDE_RESEND_SECRET must be whsec_ and base64") from error

    def verify(self, delivery: Delivery) -> None:
        """See `Source.verify`. Every attempt is signed anew, so its timestamp is at most five minutes off."""
        check_standard(delivery, self._key, prefix="svix-")

    def event_id(self, delivery: Delivery) -> str:
        """The `svix-id`, which the signature covers and every attempt repeats."""
        return delivery.headers["svix-id"]

    def topic(self, delivery: Delivery) -> str:
        """The body's `type`."""
        if not (topic := word(delivery.payload.get("type"))):
            raise Malformed("type", "must name the event, such as email.delivered")
        return topic

    def translate(self, delivery: Delivery) -> Sequence[MessageFeedback] | Ignored:
        """See `Source.translate`; the address is the first recipient's, as we write to one at a time."""
        kind = _KINDS.get(self.topic(delivery))
        if kind is None:
            return Ignored("unknown topic")
        data = table(delivery.payload.get("data"))
        bounce, click, seen = table(data.get("bounce")), table(data.get("click")), table(data.get("open"))
        if kind == "bounced" and word(bounce.get("type")) in {"Transient", "Undetermined"}:
            kind = "soft_bounce"
        to = data.get("to")
        values = {
            "provider": self.name,
            "kind": kind,
            "at": delivery.payload.get("created_at"),
            "channel": Channel.EMAIL,
            "key": _tag(data.get("tags")),
            "message_id": data.get("message_id"),
            "provider_id": data.get("email_id"),
            "address": mailbox(to[0] if isinstance(to, list) and to else to),
            "machine": is_machine(kind, word(click.get("userAgent") or seen.get("userAgent"))),
            "link": click.get("link"),
            "reason": ".".join(filter(None, (word(bounce.get("type")), word(bounce.get("subType"))))) or None,
            "event_id": self.event_id(delivery) if "svix-id" in delivery.headers else None,
        }
        return [feedback(values, at="created_at")]


def _tag(tags: Any) -> Any:
    """Ours among the tags, which come as an object, and in older accounts as a list of pairs."""
    if isinstance(tags, list):
        return next((one.get("value") for one in objects(tags) if one.get("name") == OURS), None)
    return table(tags).get(OURS)
