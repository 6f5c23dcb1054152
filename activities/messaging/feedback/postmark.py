"""Postmark, which does not sign: its webhooks bring the user and password that stand in the endpoint's address.

https://postmarkapp.com/developer/webhooks/webhooks-overview, the bounce types:
https://postmarkapp.com/developer/api/bounce-api#bounce-types. The metadata `postlude` is our key.
"""

import base64
from collections.abc import Sequence

from activities.messaging.feedback.machines import is_machine
from activities.messaging.feedback.reading import OURS, feedback, same, table, word
from activities.shops.protocol import Delivery, Ignored, Malformed, SignatureError
from journey.playbook import Channel
from store.intake import MessageFeedback

_BOUNCES = {
    "HardBounce": "bounced",
    "BadEmailAddress": "bounced",
    "AddressChange": "soft_bounce",
    "Transient": "soft_bounce",
    "SoftBounce": "soft_bounce",
    "DnsError": "soft_bounce",
    "Blocked": "soft_bounce",
    "DMARCPolicy": "failed",
    "VirusNotification": "failed",
    "SMTPApiError": "failed",
    "TemplateRenderingFailed": "failed",
    "Unconfirmed": "failed",
    "ManuallyDeactivated": "failed",
    "SpamNotification": "complained",
    "SpamComplaint": "complained",
    "Unsubscribe": "opted_out",
}
"""An auto-responder, a challenge and an unknown bounce are not in it: they say nothing for certain."""
_SUPPRESSIONS = {"HardBounce": "bounced", "SpamComplaint": "complained", "ManualSuppression": "opted_out"}
_MOMENTS = {
    "Delivery": "DeliveredAt",
    "Bounce": "BouncedAt",
    "SpamComplaint": "BouncedAt",
    "Open": "ReceivedAt",
    "Click": "ReceivedAt",
    "SubscriptionChange": "ChangedAt",
}


class PostmarkEvents:
    """Verifies and translates Postmark's webhooks. `login` is `user:password` as in the endpoint's address."""

    name = "postmark"

    def __init__(self, login: str) -> None:
        user, colon, password = login.partition(":")
        if not user or not colon or not password:
            raise ValueError("POSTLUDE_POSTMARK_LOGIN must be user:password")
        self._expected = base64.b64encode(login.encode()).decode()

    def verify(self, delivery: Delivery) -> None:
        """See `Source.verify`: basic authentication (RFC 7617) over TLS is all there is."""
        scheme, _, given = delivery.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic" or not same(given.strip(), self._expected):
            raise SignatureError("Wrong user or password" if given else "Missing Authorization")

    def event_id(self, delivery: Delivery) -> str:
        """The bounce's `ID`, else the hash of what it says: the other records have no name."""
        record, given = delivery.payload.get("RecordType"), delivery.payload.get("ID")
        return f"{record}:{given}" if isinstance(given, int) else delivery.digest

    def topic(self, delivery: Delivery) -> str:
        """The body's `RecordType`."""
        if not (topic := word(delivery.payload.get("RecordType"))):
            raise Malformed("RecordType", "must name the event, such as Delivery")
        return topic

    def translate(self, delivery: Delivery) -> Sequence[MessageFeedback] | Ignored:
        """See `Source.translate`."""
        record, given = self.topic(delivery), delivery.payload
        moment = _MOMENTS.get(record)
        if moment is None:
            return Ignored("unknown topic")
        reason: object = None
        match record:
            case "Delivery":
                kind: str | None = "delivered"
            case "Open":
                kind = "opened"
            case "Click":
                kind = "clicked"
            case "SubscriptionChange":
                reason = given.get("SuppressionReason")
                kind = _SUPPRESSIONS.get(word(reason)) if given.get("SuppressSending") is True else None
            case _:
                reason = given.get("Type")
                kind = "complained" if record == "SpamComplaint" else _BOUNCES.get(word(reason))
        if kind is None:
            return Ignored("nothing that counts against the address")
        values = {
            "provider": self.name,
            "kind": kind,
            "at": given.get(moment),
            "channel": Channel.EMAIL,
            "key": table(given.get("Metadata")).get(OURS),
            "provider_id": given.get("MessageID"),
            "address": given.get("Email") or given.get("Recipient"),
            "machine": is_machine(kind, word(given.get("UserAgent"))),
            "link": given.get("OriginalLink"),
            "reason": reason,
            "event_id": self.event_id(delivery),
        }
        return [feedback(values, at=moment)]
