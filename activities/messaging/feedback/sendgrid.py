"""SendGrid's Event Webhook: an array of events, signed with ECDSA over timestamp and body.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event and
https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features.
Custom arguments stand beside the event's own fields, so ours is `postlude`.
"""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from activities.messaging.clock import utc_now
from activities.messaging.feedback.machines import is_machine
from activities.messaging.feedback.reading import OURS, check_fresh, feedback, from_epoch, objects, word
from activities.shops.protocol import Delivery, Ignored, Malformed, SignatureError
from journey.playbook import Channel
from store.intake import MessageFeedback

_SIGNATURE = "x-twilio-email-event-webhook-signature"
_TIMESTAMP = "x-twilio-email-event-webhook-timestamp"
# SendGrid tries for a day and does not say whether it signs each attempt anew. A replay within that time is known by
# the events' own ids and changes nothing.
_WITHIN = timedelta(hours=25)
_KINDS = {
    "delivered": "delivered",
    "deferred": "soft_bounce",
    "bounce": "bounced",
    "blocked": "soft_bounce",
    "dropped": "failed",
    "open": "opened",
    "click": "clicked",
    "spamreport": "complained",
    "unsubscribe": "opted_out",
    "group_unsubscribe": "opted_out",
}
# Why it did not even try (https://docs.sendgrid.com/glossary/drops): it knows about the address.
_DROPPED = {
    "bounced address": "bounced",
    "invalid": "bounced",
    "spam reporting address": "complained",
    "unsubscribed address": "opted_out",
}
# What `POST /v3/mail/send` answered as X-Message-Id, and then the machine it went through.
_THROUGH = re.compile(r"\.(?:filter|recvd).*", re.DOTALL)


class SendGridEvents:
    """Verifies and translates SendGrid's webhooks. `key` is the public key as the settings page shows it (base64)."""

    name = "sendgrid"

    def __init__(self, key: str, *, clock: Callable[[], datetime] = utc_now) -> None:
        try:
            public = load_der_public_key(base64.b64decode(key, validate=True))
        except (ValueError, UnsupportedAlgorithm):
            public = None
        self._key = _on_p256(public)
        self._clock = clock

    def verify(self, delivery: Delivery) -> None:
        """See `Source.verify`."""
        timestamp = delivery.headers.get(_TIMESTAMP, "")
        try:
            signature = base64.b64decode(delivery.headers.get(_SIGNATURE, ""), validate=True)
            self._key.verify(signature, timestamp.encode() + delivery.body, ec.ECDSA(SHA256()))
        except (ValueError, InvalidSignature):
            raise SignatureError("No matching signature found") from None
        check_fresh(timestamp, now=self._clock(), within=_WITHIN)

    def event_id(self, delivery: Delivery) -> str:
        """The batch's hash: it has no name. Its events have (`sg_event_id`), by which repeats of them are known."""
        return delivery.digest

    def topic(self, delivery: Delivery) -> str:
        """The events' kind, or `batch` where there are several."""
        kinds = {word(event.get("event")) for event in objects(delivery.document)}
        return next(iter(kinds)) if len(kinds) == 1 else "batch"

    def translate(self, delivery: Delivery) -> Sequence[MessageFeedback] | Ignored:
        """See `Source.translate`. One event that cannot be read does not hold up the others of its batch.

        Raises:
            Malformed: it is no array, or none of its events can be read.
        """
        if not isinstance(delivery.document, list):
            raise Malformed("body", "must be a JSON array")
        events, wrong = [], None
        for position, given in enumerate(objects(delivery.document)):
            kind = _kind(given)
            if kind is None:
                continue
            try:
                events.append(_event(given, kind, position))
            except Malformed as error:
                wrong = wrong or error
        if wrong is not None and not events:
            raise wrong
        return events or Ignored("unknown topic")


def _on_p256(key: object) -> ec.EllipticCurvePublicKey:
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise ValueError("POSTLUDE_SENDGRID_KEY must be the base64 public key of the signed event webhook")


def _kind(given: Mapping[str, Any]) -> str | None:
    kind = _KINDS.get(word(given.get("event")))
    if kind == "bounced" and word(given.get("type")).lower() == "blocked":
        # Refused for its content or our reputation; the address itself may be good.
        return "soft_bounce"
    if kind == "failed":
        return _DROPPED.get(word(given.get("reason")).strip().lower(), kind)
    return kind


def _event(given: Mapping[str, Any], kind: str, position: int) -> MessageFeedback:
    dropped = word(given.get("reason")).strip().lower().replace(" ", "_") if given.get("event") == "dropped" else ""
    return feedback(
        {
            "provider": SendGridEvents.name,
            "kind": kind,
            "at": from_epoch(given.get("timestamp")),
            "channel": Channel.EMAIL,
            "key": given.get(OURS),
            "message_id": given.get("smtp-id"),
            "provider_id": _THROUGH.sub("", word(given.get("sg_message_id"))),
            "address": given.get("email"),
            "machine": is_machine(kind, word(given.get("useragent")), told=given.get("sg_machine_open") is True),
            "link": given.get("url"),
            "reason": dropped or given.get("status") or given.get("type"),
            "event_id": given.get("sg_event_id"),
        },
        at=f"{position}.timestamp",
    )
