"""Amazon SES, by SNS over HTTPS: each message names the certificate that signed it.

- The scheme: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html; SignatureVersion 1 is
  SHA-1, 2 is SHA-256. The events: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
- Everybody with an AWS account can have SNS sign what they like, so a good signature proves nothing without the
  topic: only the topics of POSTLUDE_SES_TOPICS are taken. Certificates and confirmations are fetched from the SNS
  host of the topic's own region and from nowhere else: `sns.` before `.amazonaws.com` is also what an S3 bucket of
  that name answers to.
- No window for timestamps: the MessageId is under the signature and names the event in the inbox, so a replay is a
  repeat for ever.
- Tags keep letters, digits, `_` and `-` only, so the tag `postlude` is the UUID made of our key.
"""

import asyncio
import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from activities.messaging.clock import utc_now
from activities.messaging.feedback.machines import is_machine
from activities.messaging.feedback.reading import (
    OURS,
    feedback,
    mailbox,
    objects,
    signed_object,
    table,
    word,
)
from activities.messaging.http import client
from activities.shops.protocol import Delivery, Ignored, Malformed, SignatureError, UnreachableError
from journey.playbook import Channel
from store.intake import MessageFeedback

_TOPIC = re.compile(r"arn:(aws|aws-cn|aws-us-gov):sns:([a-z0-9-]+):\d{12}:[A-Za-z0-9_.-]{1,256}")
_CERTIFICATE = re.compile(r"/SimpleNotificationService-[A-Za-z0-9]+\.pem")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ),
}
_SIGNED["UnsubscribeConfirmation"] = _SIGNED["SubscriptionConfirmation"]
_HASHES = {"1": SHA1, "2": SHA256}
# SNS waits for 15 seconds.
_PATIENCE = 8.0
_CERTIFICATES_KEPT = 8
_KINDS = {
    "Delivery": "delivered",
    "Bounce": "bounced",
    "Complaint": "complained",
    "DeliveryDelay": "soft_bounce",
    "Open": "opened",
    "Click": "clicked",
    "Reject": "failed",
    "Rendering Failure": "failed",
    "Subscription": "opted_out",
}
# Where an event's details stand, and in them the recipients it is about.
_PLACES = {
    "Delivery": ("delivery", "recipients"),
    "Bounce": ("bounce", "bouncedRecipients"),
    "Complaint": ("complaint", "complainedRecipients"),
    "DeliveryDelay": ("deliveryDelay", "delayedRecipients"),
    "Open": ("open", ""),
    "Click": ("click", ""),
    "Reject": ("reject", ""),
    "Rendering Failure": ("failure", ""),
    "Subscription": ("subscription", ""),
}


class SesEvents:
    """Verifies and translates what SNS sends of SES, and confirms its subscriptions.

    `topics` are the ARNs of the topics, separated by commas. `transport` is for tests.
    """

    name = "ses"

    def __init__(
        self,
        topics: str,
        *,
        clock: Callable[[], datetime] = utc_now,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._hosts = {arn: _host(arn) for arn in (one.strip() for one in topics.split(",")) if arn}
        if not self._hosts:
            raise ValueError("POSTLUDE_SES_TOPICS must name at least one SNS topic by its ARN")
        self._clock = clock
        self._transport = transport
        self._certificates: dict[str, x509.Certificate] = {}
        self._fetching = asyncio.Lock()

    async def inquire(self, delivery: Delivery) -> None:
        """See `Inquiring.inquire`: have the certificate that the message names, fetched once and kept."""
        url = self._certificate_url(self._envelope(delivery))
        async with self._fetching:
            if url in self._certificates:
                return
            try:
                certificate = x509.load_pem_x509_certificate(await self._get(url))
            except ValueError:
                raise UnreachableError("what SNS answered is no certificate") from None
            if len(self._certificates) >= _CERTIFICATES_KEPT:
                self._certificates.clear()
            self._certificates[url] = certificate

    def verify(self, delivery: Delivery) -> None:
        """See `Source.verify`; `inquire` comes first."""
        envelope = self._envelope(delivery)
        certificate = self._certificates.get(self._certificate_url(envelope))
        algorithm = _HASHES.get(word(envelope.get("SignatureVersion")))
        if certificate is None or algorithm is None:
            raise SignatureError("Unknown certificate" if certificate is None else "Unknown SignatureVersion")
        if not certificate.not_valid_before_utc <= self._clock() <= certificate.not_valid_after_utc:
            raise SignatureError("The certificate is not valid now")
        key = certificate.public_key()
        try:
            signature = base64.b64decode(word(envelope.get("Signature")), validate=True)
            if not isinstance(key, rsa.RSAPublicKey):
                raise SignatureError("The certificate's key is not RSA")
            # SHA-1 is what SNS signs with unless a topic is set to version 2.
            key.verify(signature, _signed_text(envelope), padding.PKCS1v15(), algorithm())
        except (ValueError, InvalidSignature):
            raise SignatureError("No matching signature found") from None

    async def confirm(self, delivery: Delivery) -> None:
        """See `Inquiring.confirm`: visit the address that a new subscription is confirmed at."""
        envelope = self._envelope(delivery)
        if envelope.get("Type") != "SubscriptionConfirmation":
            return
        url = word(envelope.get("SubscribeURL"))
        self._check_host(url, envelope)
        await self._get(url)

    def event_id(self, delivery: Delivery) -> str:
        """The `MessageId`, which is signed and the same for every attempt."""
        return word(delivery.payload.get("MessageId")) or delivery.digest

    def topic(self, delivery: Delivery) -> str:
        """The SES event's type, or SNS's own where it is no event."""
        message = _message(delivery)
        kind = message.get("eventType") or message.get("notificationType") or delivery.payload.get("Type")
        if not isinstance(kind, str) or not kind:
            raise Malformed("Type", "must name the event, such as Notification")
        return kind

    def translate(self, delivery: Delivery) -> Sequence[MessageFeedback] | Ignored:
        """See `Source.translate`; an event about several recipients is one for each."""
        topic, message = self.topic(delivery), _message(delivery)
        kind = _KINDS.get(topic)
        if kind is None:
            return Ignored("unknown topic")
        place, recipients = _PLACES[topic]
        details, mail = table(message.get(place)), table(message.get("mail"))
        kind = _narrowed(kind, details)
        if kind is None:
            return Ignored("nothing that counts against the address")
        values = {
            "provider": self.name,
            "kind": kind,
            "at": details.get("timestamp") or delivery.payload.get("Timestamp"),
            "channel": Channel.EMAIL,
            "key": next(iter(_list(table(mail.get("tags")).get(OURS))), None),
            "message_id": table(mail.get("commonHeaders")).get("messageId"),
            "provider_id": mail.get("messageId"),
            "machine": is_machine(kind, word(details.get("userAgent"))),
            "link": details.get("link"),
            "reason": _reason(details),
        }
        addresses = list(_addresses(details.get(recipients))) or list(_addresses(mail.get("destination"))) or [None]
        name = self.event_id(delivery)
        return [
            feedback(
                {**values, "address": address, "event_id": f"{name}#{position}" if position else name},
                at=f"Message.{place}.timestamp",
            )
            for position, address in enumerate(addresses)
        ]

    def _envelope(self, delivery: Delivery) -> Mapping[str, Any]:
        envelope = signed_object(delivery)
        if word(envelope.get("TopicArn")) not in self._hosts:
            raise SignatureError("Not a topic of ours")
        if word(envelope.get("Type")) not in _SIGNED:
            raise SignatureError("Unknown message type")
        return envelope

    def _certificate_url(self, envelope: Mapping[str, Any]) -> str:
        url = word(envelope.get("SigningCertURL"))
        parts = self._check_host(url, envelope)
        if not _CERTIFICATE.fullmatch(parts.path) or parts.query or parts.fragment:
            raise SignatureError("The certificate is not where SNS keeps its own")
        return url

    def _check_host(self, url: str, envelope: Mapping[str, Any]) -> Any:
        try:
            parts = urlsplit(url)
        except ValueError:
            raise SignatureError("Malformed address") from None
        # The whole authority: no port, no user, no other host that only begins alike.
        if parts.scheme != "https" or parts.netloc != self._hosts[envelope["TopicArn"]]:
            raise SignatureError("The address is not on the host of SNS")
        return parts

    async def _get(self, url: str) -> bytes:
        try:
            async with asyncio.timeout(_PATIENCE), client("", {}, transport=self._transport) as http:
                answer = await http.get(url)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise UnreachableError(f"SNS: {type(error).__name__}") from None
        if not answer.is_success:
            raise UnreachableError(f"SNS: http_{answer.status_code}")
        return bytes(answer.content)


def _host(arn: str) -> str:
    found = _TOPIC.fullmatch(arn)
    if found is None:
        raise ValueError("POSTLUDE_SES_TOPICS must be ARNs of SNS topics: arn:aws:sns:REGION:ACCOUNT:NAME")
    partition, region = found.groups()
    return f"sns.{region}.amazonaws.com" + (".cn" if partition == "aws-cn" else "")


def _signed_text(envelope: Mapping[str, Any]) -> bytes:
    pairs = [(name, envelope[name]) for name in _SIGNED[envelope["Type"]] if envelope.get(name) is not None]
    return "".join(f"{name}\n{value}\n" for name, value in pairs).encode()


def _message(delivery: Delivery) -> Mapping[str, Any]:
    """The SES event inside; empty for SNS's own messages, and for the sentence SES tries a new topic with."""
    if delivery.payload.get("Type") != "Notification":
        return {}
    try:
        return table(json.loads(word(delivery.payload.get("Message"))))
    except (ValueError, RecursionError):
        return {}


def _narrowed(kind: str, details: Mapping[str, Any]) -> str | None:
    if kind == "bounced" and details.get("bounceType") != "Permanent":
        return "soft_bounce"
    if kind == "complained" and details.get("complaintFeedbackType") == "not-spam":
        return None
    if kind == "opted_out" and table(details.get("newTopicPreferences")).get("unsubscribeAll") is not True:
        return None
    return kind


def _reason(details: Mapping[str, Any]) -> str | None:
    bounce = (details.get("bounceType"), details.get("bounceSubType"))
    words = bounce if bounce[0] else (details.get("complaintFeedbackType") or details.get("delayType"),)
    return ".".join(filter(None, map(word, words))) or None


def _addresses(recipients: object) -> Iterator[str | None]:
    for address in _list(recipients):
        yield mailbox(address)
    for recipient in objects(recipients):
        yield mailbox(recipient.get("emailAddress"))


def _list(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
