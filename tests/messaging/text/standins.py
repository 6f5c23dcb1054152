"""Twilio and the WhatsApp Cloud API on loopback, speaking the vendors' own wire formats, errors included.

https://www.twilio.com/docs/messaging/api/message-resource, https://www.twilio.com/docs/api/errors;
https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes.
"""

import base64
import json
import re
import uuid
from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from activities.messaging.text.twilio import TwilioSms, TwilioWhatsApp
from activities.messaging.text.whatsapp_cloud import WhatsAppCloud
from tests.support.loopback import Api, Arrival
from tests.support.providers import Impatient
from tests.support.sockets import HOST, Request

ACCOUNT = "AC0123456789abcdef0123456789abcdef"
FROM = "+4915112345678"
SERVICE = "MG0123456789abcdef0123456789abcdef"
NUMBER_ID = "106540352242922"
E164 = re.compile(r"\+[1-9]\d{6,14}")


class Vendor(Api):
    """An API that reads forms as well as JSON, and knows which path was asked for.

    `errors` queues answers for messages that are well formed: status and JSON, as the vendor words them.
    `closed` are the numbers whose 24 hours are over.
    """

    def __init__(self) -> None:
        super().__init__()
        self.errors: deque[tuple[int, dict[str, Any]]] = deque()
        self.closed: set[str] = set()
        self.paths: list[str] = []

    def decoded(self, request: Request) -> dict[str, Any]:
        self.paths.append(f"{request.method} {request.target} HTTP/1.1")
        if request.headers.get("content-type") != "application/x-www-form-urlencoded":
            return super().decoded(request)
        form = parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=True)
        assert len(form) == len(dict(form)), "a field was sent twice"
        return dict(form)


class TwilioApi(Vendor):
    """POST Messages.json; the same one twice is two. `stopped` are the numbers that answered STOP."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped: set[str] = set()

    def sms(self, query: str = "from=%2B4915112345678", login: str = f"{ACCOUNT}:to%2Fken") -> TwilioSms:
        """The SMS adapter under test, pointed here."""
        return TwilioSms(urlsplit(f"twilio://{login}@{HOST}:{self.port}?{query}&insecure=1"), transport=Impatient())

    def whatsapp(self, query: str = "from=%2B4915112345678") -> TwilioWhatsApp:
        """The WhatsApp adapter under test, pointed here."""
        url = urlsplit(f"twilio://{ACCOUNT}:to%2Fken@{HOST}:{self.port}?{query}&insecure=1")
        return TwilioWhatsApp(url, transport=Impatient())

    def post(self, headers: Mapping[str, str], body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Take a message as Twilio does."""
        known = {f"{user}:to/ken" for user in (ACCOUNT, "SK1")}
        login = base64.b64decode(headers.get("authorization", "").removeprefix("Basic ")).decode()
        if login not in known:
            return twilio_error(401, 20003)
        if self.paths[-1] != f"POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json HTTP/1.1":
            return twilio_error(404, 20404)
        if self.errors:
            return self.errors.popleft()
        if (code := self._fault(body)) is not None:
            return twilio_error(400, code)
        sid = f"SM{uuid.uuid4().hex}"
        callback = urlsplit(body.get("StatusCallback", ""))
        self._taken.append(Arrival(dict(parse_qsl(callback.query)).get("key", ""), sid, "", "", body["To"]))
        status = "accepted" if "MessagingServiceSid" in body else "queued"
        return 201, {"sid": sid, "status": status, "error_code": None, "error_message": None, "to": body["To"]}

    def _fault(self, body: dict[str, Any]) -> int | None:
        channel, _, number = body["To"].rpartition(":")
        callback = urlsplit(body.get("StatusCallback", "https://shop.test/"))
        values = json.loads(body.get("ContentVariables", '{"1": "x"}'))
        faults = {
            21603: ("From" in body) == ("MessagingServiceSid" in body),
            21211: not E164.fullmatch(number),
            21606: "From" in body and body["From"].rpartition(":")[0] != channel,
            21610: number in self.stopped,
            21619: ("Body" in body) == ("ContentSid" in body),
            21617: len(body.get("Body", "")) > 1600,
            21624: not 1 <= int(body.get("ValidityPeriod", "1")) <= 36_000,
            21609: not (callback.scheme and callback.hostname),
            21656: not all(isinstance(value, str) and value.strip() for value in values.values()),
            63016: channel == "whatsapp" and "Body" in body and number in self.closed,
        }
        return next((code for code, wrong in faults.items() if wrong), None)

    def failure(self, status: int) -> dict[str, Any]:
        """Twilio's error object."""
        return twilio_error(status, {401: 20003, 422: 20422, 429: 20429}.get(status, 20500))[1]


def twilio_error(status: int, code: int) -> tuple[int, dict[str, Any]]:
    """An error as Twilio words it; the number in its text stands for the personal data that such texts carry."""
    more = f"https://www.twilio.com/docs/errors/{code}"
    return status, {"code": code, "message": f"not to {FROM}", "more_info": more, "status": status}


class WhatsAppApi(Vendor):
    """POST /{version}/{phone number id}/messages, with one approved template of two placeholders in German."""

    version = "v26.0"

    def provider(self, query: str = "") -> WhatsAppCloud:
        """The adapter under test, pointed here."""
        url = urlsplit(f"whatsapp://EAAG@{HOST}:{self.port}/{NUMBER_ID}?insecure=1{query}")
        return WhatsAppCloud(url, transport=Impatient())

    def post(self, headers: Mapping[str, str], body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Take a message as Meta does."""
        if headers.get("authorization") != "Bearer EAAG":
            return meta_error(401, 190)
        if self.paths[-1] != f"POST /{self.version}/{NUMBER_ID}/messages HTTP/1.1":
            return meta_error(400, 33)
        if self.errors:
            return self.errors.popleft()
        if (fault := self._fault(body)) is not None:
            return meta_error(*fault)
        wamid = f"wamid.{uuid.uuid4().hex}"
        self._taken.append(Arrival(body["biz_opaque_callback_data"], wamid, "", "", body["to"]))
        contacts = [{"input": body["to"], "wa_id": body["to"].lstrip("+")}]
        return 200, {"messaging_product": "whatsapp", "contacts": contacts, "messages": [{"id": wamid}]}

    def _fault(self, body: dict[str, Any]) -> tuple[int, int] | None:
        if body["messaging_product"] != "whatsapp" or len(body["biz_opaque_callback_data"]) > 512:
            return 400, 131009
        if body["type"] == "text":
            return (400, 131047) if body["to"] in self.closed else None
        template = body["template"]
        if (template["name"], template["language"]) != ("order_shipped", {"code": "de"}):
            return 404, 132001
        texts = [one["text"] for part in template.get("components", []) for one in part["parameters"]]
        if len(texts) != 2:
            return 400, 132000
        return (400, 132018) if any(re.search(r"[\n\t]|    ", text) or not text for text in texts) else None

    def failure(self, status: int) -> dict[str, Any]:
        """Meta's error object."""
        return meta_error(status, {401: 190, 422: 100, 429: 130429}.get(status, 131000))[1]


def meta_error(status: int, code: int, **more: Any) -> tuple[int, dict[str, Any]]:
    """An error as Meta words it."""
    data = {"messaging_product": "whatsapp", "details": f"not to {FROM}"}
    error = {"message": f"(#{code}) no", "type": "OAuthException", "code": code, "error_data": data, "fbtrace_id": "A"}
    return status, {"error": error | more}
