"""The vendors as senders: requests with real signatures, over keys made here."""

import base64
import hashlib
import hmac
import json
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID
from standardwebhooks import Webhook

from activities.shops.protocol import Delivery
from tests.feedback import payloads

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
PUBLIC_URL = "https://mail.acme.example"
RESEND_SECRET = "whsec_" + base64.b64encode(b"a resend secret of 30 bytes!!!").decode()
POSTMARK_LOGIN = "hooks:s3cret:with:colons"
MAILGUN_SECRET = "mailgun-signing-key"  # noqa: S105  # a test secret
TWILIO_SECRET = "12345"  # noqa: S105  # a test secret
WHATSAPP_SECRET = "meta-app-secret"  # noqa: S105  # a test secret
VERIFY_TOKEN = "vibecoding"  # noqa: S105  # a test secret
TOPIC = "arn:aws:sns:us-east-1:123456789012:ses-events"
SNS_HOST = "sns.us-east-1.amazonaws.com"
CERTIFICATE_URL = f"https://{SNS_HOST}/SimpleNotificationService-12345abcde.pem"
SENDGRID_PRIVATE = ec.generate_private_key(ec.SECP256R1())
SENDGRID_KEY = base64.b64encode(
    SENDGRID_PRIVATE.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
).decode()


@dataclass(frozen=True)
class Sent:
    """One request of a vendor, before or after somebody touched it."""

    source: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    query: str = ""

    @property
    def target(self):
        return f"/webhooks/{self.source}" + (f"?{self.query}" if self.query else "")

    def delivery(self):
        return Delivery(self.headers, self.body, dict(httpx.QueryParams(self.query)), self.target)

    def altered(self, old: bytes, new: bytes):
        assert old in self.body
        return replace(self, body=self.body.replace(old, new))


def resend(payload, *, sent=None, secret=RESEND_SECRET, name=None):
    body, sent, name = _json(payload), sent or datetime.now(UTC), name or f"msg_{uuid.uuid4().hex}"
    signature = Webhook(secret).sign(name, sent, body.decode())
    headers = {
        "svix-id": name,
        "svix-timestamp": str(int(sent.timestamp())),
        "svix-signature": f"v1,{base64.b64encode(b'an older key').decode()} {signature}",
    }
    return Sent("resend", body, headers)


def sendgrid(events, *, sent=NOW, key=SENDGRID_PRIVATE):
    body, timestamp = _json(events), str(int(sent.timestamp()))
    signature = key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    return Sent(
        "sendgrid",
        body,
        {
            "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
            "x-twilio-email-event-webhook-timestamp": timestamp,
        },
    )


def postmark(payload, *, login=POSTMARK_LOGIN):
    header = "Basic " + base64.b64encode(login.encode()).decode()
    return Sent("postmark", _json(payload), {"authorization": header})


def mailgun(event, *, sent=NOW, secret=MAILGUN_SECRET, token=None):
    timestamp, token = str(int(sent.timestamp())), token or uuid.uuid4().hex + uuid.uuid4().hex[:18]
    signature = hmac.new(secret.encode(), f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
    signed = {"timestamp": timestamp, "token": token, "signature": signature}
    return Sent("mailgun", _json({"signature": signed, "event-data": event}))


def twilio(form, *, key=None, secret=TWILIO_SECRET, base=PUBLIC_URL):
    query = f"key={quote(key, safe='')}" if key else ""
    sent = Sent("twilio", urlencode(form).encode(), query=query)
    text = base + sent.target + "".join(name + form[name] for name in sorted(form))
    digest = base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()
    return replace(sent, headers={"x-twilio-signature": digest, "content-type": "application/x-www-form-urlencoded"})


def whatsapp(payload, *, secret=WHATSAPP_SECRET):
    body = _json(payload)
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return Sent("whatsapp", body, {"x-hub-signature-256": f"sha256={digest}"})


class Sns:
    """SNS of one region: signs with its certificate, serves it, and remembers which subscriptions were confirmed."""

    def __init__(self, *, valid=timedelta(days=300)):
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self.key.public_key())
        made = made.serial_number(1).not_valid_before(NOW - timedelta(days=30)).not_valid_after(NOW + valid)
        certificate = made.sign(self.key, hashes.SHA256())
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)
        self.asked: list[str] = []
        self.away = False
        self.transport = httpx.MockTransport(self._answer)

    def __call__(self, message, *, version="2", topic=TOPIC, cert=CERTIFICATE_URL, kind="Notification", **more):
        envelope = payloads.sns(message, topic=topic, cert=cert, kind=kind, SignatureVersion=version, **more)
        names = ("Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
        text = "".join(f"{one}\n{envelope[one]}\n" for one in names if one in envelope)
        algorithm = hashes.SHA1() if version == "1" else hashes.SHA256()  # noqa: S303  # version 1 is SHA-1
        envelope["Signature"] = base64.b64encode(self.key.sign(text.encode(), padding.PKCS1v15(), algorithm)).decode()
        return Sent("ses", _json(envelope), {"content-type": "text/plain; charset=UTF-8"})

    def _answer(self, request):
        self.asked.append(str(request.url))
        if self.away:
            return httpx.Response(503)
        if request.url.host != SNS_HOST:
            return httpx.Response(200, content=Sns().pem)
        if request.url.path.endswith(".pem"):
            return httpx.Response(200, content=self.pem)
        return httpx.Response(200, text="<ConfirmSubscriptionResponse/>")


def _json(payload):
    return payload if isinstance(payload, bytes) else json.dumps(payload).encode()
