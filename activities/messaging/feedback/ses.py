"""Amazon SES, by SNS over HTTPS: each message names the certificate that signed it.

- The scheme: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html; SignatureVersion 1 is
  SHA-1, 2 is SHA-256. The events: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
- Everybody with an AWS account can have SNS sign what they like, so a good signature proves nothing without the
  topic: only the topics of POSTLUDE_SES_TOPICS are taken. Certificates and confirmations are fetched from the SNS
  host of the topic's own region and from nowhere else: `sns.` before `.amazonaws.com` is also what an S3 bucket of
  that name answers to.
- Whatever can be judged without asking is judged first: topic, address of the certificate, shape of the signature. A
  certificate that is known is asked for no more, each address is asked once at a time and briefly, and one that holds
  none is not asked again for some minutes. So forgeries, however many, do not keep a genuine message waiting.
- What is signed is lines of names and values, so no value but the message has a line end.
- No window for timestamps: the MessageId is under the signature and names the event in the inbox, so a replay is a
  repeat for ever.
- Tags keep letters, digits, `_` and `-` only, so the tag `postlude` is the UUID made of our key.
"""

import asyncio
import base64
import json
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar
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

_T = TypeVar("_T")
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
_PATIENCE = 5.0
_CERTIFICATES_KEPT = 8
_ASKED_AT_ONCE = 64
_TOO_MANY = 429
_REFUSALS_KEPT = 1024
_REFUSED_FOR = timedelta(minutes=5)
# Of keys with 2048 to 4096 bits.
_SIGNATURE_SIZES = frozenset({256, 384, 512})
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


class _NotThereError(UnreachableError):
    """SNS knows nothing under this address."""


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
        # Those that have verified a message are kept apart, so that no other pushes them out.
        self._trusted: OrderedDict[str, x509.Certificate] = OrderedDict()
        self._fetched: OrderedDict[str, x509.Certificate] = OrderedDict()
        self._refused: OrderedDict[str, datetime] = OrderedDict()
        self._asking: dict[str, asyncio.Task[x509.Certificate]] = {}

    async def inquire(self, delivery: Delivery) -> None:
        """See `Inquiring.inquire`: have the certificate that the message names, fetched once and kept."""
        envelope = self._envelope(delivery)
        url = self._certificate_url(envelope)
        _signature(envelope)
        if url in self._trusted or url in self._fetched:
            return
        refused = self._refused.get(url)
        if refused is not None and self._clock() < refused + _REFUSED_FOR:
            raise SignatureError("There is no certificate")
        asking = self._asking.get(url)
        if asking is None:
            if len(self._asking) >= _ASKED_AT_ONCE:
                raise UnreachableError("too many certificates are asked for at once")
            asking = asyncio.create_task(self._certificate(url))
            self._asking[url] = asking
            asking.add_done_callback(lambda done: self._asked(url, done))
        # Whoever waits may go away; the others still get their answer.
        await asyncio.shield(asking)

    async def _certificate(self, url: str) -> x509.Certificate:
        try:
            found = x509.load_pem_x509_certificate(await self._get(url))
        except ValueError:
            _keep(self._refused, url, self._clock(), _REFUSALS_KEPT)
            raise UnreachableError("what SNS answered is no certificate") from None
        except _NotThereError:
            _keep(self._refused, url, self._clock(), _REFUSALS_KEPT)
            raise SignatureError("There is no certificate") from None
        _keep(self._fetched, url, found, _CERTIFICATES_KEPT)
        return found

    def _asked(self, url: str, done: "asyncio.Task[x509.Certificate]") -> None:
        del self._asking[url]
        if not done.cancelled():
            done.exception()

    def verify(self, delivery: Delivery) -> None:
        """See `Source.verify`; `inquire` comes first."""
        envelope = self._envelope(delivery)
        url = self._certificate_url(envelope)
        certificate = self._trusted.get(url) or self._fetched.get(url)
        algorithm = _HASHES.get(word(envelope.get("SignatureVersion")))
        if certificate is None or algorithm is None:
            raise SignatureError("Unknown certificate" if certificate is None else "Unknown SignatureVersion")
        if not certificate.not_valid_before_utc <= self._clock() <= certificate.not_valid_after_utc:
            raise SignatureError("The certificate is not valid now")
        key = certificate.public_key()
        try:
            if not isinstance(key, rsa.RSAPublicKey):
                raise SignatureError("The certificate's key is not RSA")
            # SHA-1 is what SNS signs with unless a topic is set to version 2.
            key.verify(_signature(envelope), _signed_text(envelope), padding.PKCS1v15(), algorithm())
        except (ValueError, InvalidSignature):
            raise SignatureError("No matching signature found") from None
        _keep(self._trusted, url, certificate, _CERTIFICATES_KEPT)

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
        if answer.is_client_error and answer.status_code != _TOO_MANY:
            raise _NotThereError(f"SNS: http_{answer.status_code}")
        if not answer.is_success:
            raise UnreachableError(f"SNS: http_{answer.status_code}")
        return bytes(answer.content)


def _host(arn: str) -> str:
    found = _TOPIC.fullmatch(arn)
    if found is None:
        raise ValueError("POSTLUDE_SES_TOPICS must be ARNs of SNS topics: arn:aws:sns:REGION:ACCOUNT:NAME")
    partition, region = found.groups()
    return f"sns.{region}.amazonaws.com" + (".cn" if partition == "aws-cn" else "")


def _keep(kept: "OrderedDict[str, _T]", url: str, value: _T, most: int) -> None:
    kept[url] = value
    kept.move_to_end(url)
    while len(kept) > most:
        kept.popitem(last=False)


def _signature(envelope: Mapping[str, Any]) -> bytes:
    """The signature's bytes.

    Raises:
        SignatureError: it cannot be one, or the message is not made as SNS makes them.
    """
    try:
        found = base64.b64decode(word(envelope.get("Signature")), validate=True)
    except ValueError:
        raise SignatureError("No matching signature found") from None
    if len(found) not in _SIGNATURE_SIZES:
        raise SignatureError("No matching signature found")
    _signed_text(envelope)
    return found


def _signed_text(envelope: Mapping[str, Any]) -> bytes:
    names = _SIGNED[envelope["Type"]]
    if any(envelope.get(name) is None for name in names if name != "Subject"):
        raise SignatureError("A signed field is missing")
    pairs = [(name, envelope[name]) for name in names if envelope.get(name) is not None]
    if not all(isinstance(value, str) and (name == "Message" or "\n" not in value) for name, value in pairs):
        raise SignatureError("A field is no line of text")
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
