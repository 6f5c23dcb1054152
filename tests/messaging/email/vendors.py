"""SES, SendGrid and Mailgun on loopback, each in its own wire format.

What a stand-in refuses is what the vendor's documentation says that it refuses.
"""

import base64
import hashlib
import hmac
import json
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from email.utils import parseaddr
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from activities.messaging.email.mailgun import Mailgun
from activities.messaging.email.sendgrid import SendGrid
from activities.messaging.email.ses import Ses
from tests.messaging.email.vendor import Received, Reply, Vendor, json_reply
from tests.support.providers import Impatient
from tests.support.sockets import HOST

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


class SesApi(Vendor):
    """SendEmail of the SES API v2, its signature checked from what is on the wire.

    https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
    """

    secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"  # noqa: S105  the example of AWS's documentation

    def provider(self, *, clock: datetime = NOW, secret: str | None = None) -> Ses:
        """The adapter under test, pointed here."""
        login = f"AKIDEXAMPLE:{quote(secret or self.secret, safe='')}"
        query = "insecure=1&region=eu-central-1&configuration_set=events"
        url = urlsplit(f"ses://{login}@{HOST}:{self.port}?{query}")
        return Ses(url, transport=Impatient(), clock=lambda: clock)

    def taken(self) -> Reply:
        return json_reply(200, {"MessageId": "0107019e-" + str(uuid.uuid4())})

    def failure(self, status: int, text: str = "no", headers: Mapping[str, str] | None = None) -> Reply:
        names = {400: "BadRequestException", 403: "InvalidSignatureException", 429: "TooManyRequestsException"}
        kind = {"x-amzn-ErrorType": names.get(status, "InternalFailure")}
        return json_reply(status, {"message": text}, kind | dict(headers or {}))

    def error(self, kind: str, text: str = "no", status: int = 400) -> Reply:
        """An error of that name."""
        return self.failure(status, text, {"x-amzn-ErrorType": kind})

    def post(self, target: str, headers: Mapping[str, str], body: bytes) -> Received | Reply:
        if target != "/v2/email/outbound-emails" or headers["content-type"] != "application/json":
            return self.error("UnknownOperationException", status=404)
        if not self._well_signed(target, headers, body):
            return self.failure(403, "The request signature we calculated does not match")
        asked = json.loads(body)
        (to,), (tag,) = asked["Destination"]["ToAddresses"], asked["EmailTags"]
        if not to.isascii() or not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", tag["Value"]) or tag["Name"] != "postlude":
            return self.failure(400, "invalid")
        if asked["ConfigurationSetName"] != "events":
            return self.error("NotFoundException", status=404)
        raw = base64.b64decode(asked["Content"]["Raw"]["Data"], validate=True)
        if max(map(len, raw.split(b"\r\n"))) > 1000:
            return self.failure(400, "line too long")
        mail = BytesParser(_class=EmailMessage, policy=default).parsebytes(raw)
        sender, reply_to = parseaddr(str(mail["From"])), str(mail["Reply-To"] or mail["From"])
        text, html = mail.get_body(("plain",)), mail.get_body(("html",))
        assert text is not None
        assert html is not None
        return Received(
            tag["Value"],
            str(mail["To"]),
            sender,
            reply_to,
            str(mail["Subject"]),
            text.get_content().rstrip("\r\n"),
            html.get_content().rstrip("\r\n"),
            {name: str(value) for name, value in mail.items()},
        )

    def _well_signed(self, target: str, headers: Mapping[str, str], body: bytes) -> bool:
        """As AWS checks it: by the fields that the signature names, as they came, within five minutes."""
        found = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/(.*), SignedHeaders=(.*), Signature=(.*)",
            headers["authorization"],
        )
        assert found is not None
        scope, names, signature = found.groups()
        time = headers["x-amz-date"]
        at = datetime.strptime(time, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs(at - NOW) > timedelta(minutes=5) or scope != f"{time[:8]}/eu-central-1/ses/aws4_request":
            return False
        fields = "".join(f"{name}:{headers[name]}\n" for name in names.split(";"))
        request = f"POST\n{target}\n\n{fields}\n{names}\n{hashlib.sha256(body).hexdigest()}"
        to_sign = f"AWS4-HMAC-SHA256\n{time}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        key = b"AWS4" + self.secret.encode()
        for part in [*scope.split("/"), to_sign]:
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return hmac.compare_digest(key.hex(), signature)


class SendGridApi(Vendor):
    """POST /v3/mail/send (https://www.twilio.com/docs/sendgrid/api-reference/mail-send/errors)."""

    reserved = frozenset(
        {
            *("x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding"),
            *("to", "from", "subject", "reply-to", "cc", "bcc"),
        }
    )

    def provider(self, *, clock: datetime = NOW, secret: str = "SG.test") -> SendGrid:  # noqa: S107  a test's
        """The adapter under test, pointed here."""
        url = urlsplit(f"sendgrid://{secret}@{HOST}:{self.port}?insecure=1")
        return SendGrid(url, transport=Impatient(), clock=lambda: clock)

    def taken(self) -> Reply:
        return Reply(202, "", {"X-Message-Id": "sg-" + uuid.uuid4().hex})

    def failure(self, status: int, text: str = "no", headers: Mapping[str, str] | None = None) -> Reply:
        return self.error(None, text, status, headers)

    def error(
        self, name: str | None, text: str = "no", status: int = 400, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """An error about that field."""
        return json_reply(status, {"errors": [{"field": name, "message": text, "help": None}]}, headers)

    def post(self, target: str, headers: Mapping[str, str], body: bytes) -> Received | Reply:
        if target != "/v3/mail/send":
            return self.failure(404)
        if headers["authorization"] != "Bearer SG.test":
            return self.failure(401, "The provided authorization grant is invalid, expired, or revoked")
        asked = json.loads(body)
        (one,) = asked["personalizations"]
        (to,) = one["to"]
        if not re.fullmatch(r"[^@\s,]+@[^@\s,]+", to["email"]):
            return self.error("personalizations.0.to.0.email", "Does not contain a valid address.")
        own: dict[str, str] = asked["headers"]
        lines = [*own.values(), asked["subject"], asked["from"]["name"]]
        if any(name.lower() in self.reserved for name in own) or any(not line.isprintable() for line in lines):
            return self.error("headers", "reserved, or a line break")
        if [part["type"] for part in asked["content"]] != ["text/plain", "text/html"]:
            return self.error("content", "order")
        text, html = (part["value"] for part in asked["content"])
        sender = asked["from"]["name"], asked["from"]["email"]
        key, reply_to = one["custom_args"]["postlude"], asked["reply_to"]["email"]
        return Received(key, to["email"], sender, reply_to, asked["subject"], text, html, own)


class MailgunApi(Vendor):
    """POST /v3/{domain}/messages and GET /v3/{domain}/events, for an account key.

    https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun
    """

    login = "Basic " + base64.b64encode(b"api:key-test").decode()

    def __init__(self) -> None:
        super().__init__()
        self.search = 200
        self.indexed: list[str] = []

    def provider(self, *, secret: str = "key-test", more: str = "") -> Mailgun:  # noqa: S107  a test's
        """The adapter under test, pointed here."""
        url = urlsplit(f"mailgun://{secret}@{HOST}:{self.port}/mg.shop.test?insecure=1{more}")
        return Mailgun(url, transport=Impatient(), clock=lambda: NOW)

    def taken(self) -> Reply:
        return json_reply(200, {"id": self.received[-1].headers["Message-Id"], "message": "Queued. Thank you."})

    def failure(self, status: int, text: str = "no", headers: Mapping[str, str] | None = None) -> Reply:
        return json_reply(status, {"message": text}, headers)

    def post(self, target: str, headers: Mapping[str, str], body: bytes) -> Received | Reply:
        if target != "/v3/mg.shop.test/messages":
            return self.failure(404, "Domain not found")
        if headers["authorization"] != self.login:
            return Reply(401, "Forbidden", {"Content-Type": "text/plain"})
        if headers["content-type"] != "application/x-www-form-urlencoded":
            return self.failure(400, "form expected")
        asked = {name: value for name, (value,) in parse_qs(body.decode(), strict_parsing=True).items()}
        if not re.fullmatch(r"[^@\s,]+@[^@\s,]+", asked["to"]):
            return self.failure(400, "'to' parameter is not a valid address. please check documentation")
        lines = [value for name, value in asked.items() if name not in {"text", "html"}]
        if any(not value.isprintable() for value in lines) or asked["o:tag"] != "postlude":
            return self.failure(400, "line break")
        own = {name[2:]: value for name, value in asked.items() if name.startswith("h:")}
        self.indexed.append(own["Message-Id"].strip("<>"))
        sender, reply_to = parseaddr(asked["from"]), own.pop("Reply-To")
        bodies = asked["text"], asked["html"]
        return Received(asked["v:postlude"], asked["to"], sender, reply_to, asked["subject"], *bodies, own)

    def get(self, target: str, headers: Mapping[str, str]) -> Reply:
        url = urlsplit(target)
        query = {name: value for name, (value,) in parse_qs(url.query).items()}
        if url.path != "/v3/mg.shop.test/events" or headers["authorization"] != self.login:
            return Reply(401, "Forbidden")
        if self.search != 200 or "begin" not in query or query["ascending"] not in {"yes", "no"}:
            return self.failure(max(self.search, 400))
        # Exactly as Mailgun: an id in its angle brackets is not found.
        found = [one for one in self.indexed if one == query["message-id"]] if query["event"] == "accepted" else []
        items: list[dict[str, Any]] = [{"event": "accepted", "message": {"headers": {"message-id": i}}} for i in found]
        return json_reply(200, {"items": items[: int(query["limit"])], "paging": {}})
