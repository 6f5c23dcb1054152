"""Mail by Amazon SES: `ses://ACCESS_KEY:SECRET_KEY@eu-central-1[?configuration_set=NAME]`.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html. A `/` in the secret key is written `%2F`.
Another endpoint (a VPC's, `amazonaws.com.cn`) stands in the host's place, with `?region=`.

The message goes as MIME of our own (`Content.Raw`): `Content.Simple` takes header values of up to 870 ASCII
characters only, which a signed unsubscribe link and a Unicode name may exceed. SES has no idempotency key and no
search, and it writes a Message-ID of its own in place of ours
(https://docs.aws.amazon.com/ses/latest/dg/header-fields.html); its events name ours among `mail.headers`.
"""

import base64
import hashlib
import hmac
import json
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote

import httpx

from activities.messaging.clock import utc_now
from activities.messaging.email.answers import body_of, post
from activities.messaging.email.resend import base_url
from activities.messaging.exchange import Answer
from activities.messaging.http import OverHttp, client
from activities.messaging.mime import address, as_bytes
from activities.messaging.protocol import Accepted, Busy, Mail, Receipt, Rejected, Unclear, Unsearchable

_PATH = "/v2/email/outbound-emails"
_JSON = "application/json"
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}")
# Errors about our account or our settings. (A wrong key or signature is a 403, which says as much.)
_OURS = frozenset(
    {
        *("AccountSuspendedException", "SendingPausedException", "MailFromDomainNotVerifiedException"),
        *("LimitExceededException", "NotFoundException", "ThrottlingException"),
    }
)
# The documentation asks to wait for up to ten minutes once a day's quota is used up; the sending rate is by second:
# https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html
_QUOTA, _RATE = timedelta(minutes=10), timedelta(seconds=1)


class Ses(OverHttp, Unsearchable):
    """The SES API, version 2. `clock` is the wall clock, which a signature needs: AWS refuses one minutes old."""

    name = "ses"

    def __init__(
        self,
        url: SplitResult,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        if not url.username or not url.password:
            # A secret with a bare slash comes here too, for the slash ends what a URL has for a host.
            raise ValueError("POSTLUDE_EMAIL_URL: ses:// needs ses://ACCESS_KEY:SECRET_KEY@region, a / in it as %2F")
        query = parse_qs(url.query)
        self._region = query.get("region", [url.hostname or ""])[0]
        if not url.hostname or not _REGION.fullmatch(self._region):
            raise ValueError("POSTLUDE_EMAIL_URL: ses:// needs a region, like eu-central-1")
        self._access, self._secret = unquote(url.username), unquote(url.password)
        self._set = query.get("configuration_set", [None])[0]
        endpoint = base_url(url, "") if "region" in query else f"https://email.{self._region}.amazonaws.com"
        self._host = httpx.URL(endpoint).netloc.decode("ascii")
        self._http = client(endpoint, {}, transport=transport)
        self._clock = clock

    async def send(self, message: Mail) -> Receipt:
        """One SendEmail; see `Receipt` for what can come of it."""
        try:
            mail, utf8 = as_bytes(message)
            to = address(message.to).addr_spec
        except ValueError:
            return Rejected("address_invalid")
        if utf8:
            # SES has no SMTPUTF8: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Destination.html
            return Rejected("address_needs_smtputf8")
        request: dict[str, Any] = {
            "Destination": {"ToAddresses": [to]},
            "Content": {"Raw": {"Data": base64.b64encode(mail).decode("ascii")}},
            "EmailTags": [{"Name": "postlude", "Value": tag(message.key)}],
        }
        if self._set:
            request["ConfigurationSetName"] = self._set
        body = json.dumps(request).encode()
        headers = signed(
            body,
            keys=(self._access, self._secret),
            scope=(self._region, "ses"),
            host=self._host,
            path=_PATH,
            content_type=_JSON,
            at=self._clock(),
        )
        answer = await post(self._http, _PATH, body, headers, _explain)
        if not isinstance(answer, Answer):
            return answer
        provider_id = body_of(answer).get("MessageId")
        return Accepted(provider_id) if isinstance(provider_id, str) else Unclear("http_garbled_answer")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def tag(key: str) -> str:
    """Our key as the value of a message tag, which takes letters, digits, `_` and `-` only: 32 hex digits."""
    return uuid.uuid5(uuid.NAMESPACE_URL, key).hex


def signed(
    body: bytes,
    *,
    keys: tuple[str, str],
    scope: tuple[str, str],
    host: str,
    path: str,
    content_type: str,
    at: datetime,
) -> dict[str, str]:
    """The headers that sign a POST by AWS Signature Version 4.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, for the one shape of
    request there is here: no query, a `path` that needs no escaping, a `body` in memory. (botocore would be 16 MB
    for it, and blocks.)

    Args:
        body: what is sent.
        keys: the access key's id and its secret.
        scope: region and service.
        host: as in the Host header, with a port that is not the scheme's own.
        path: from the slash.
        content_type: as sent.
        at: now, aware.
    """
    time = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    parts = (time[:8], *scope, "aws4_request")
    names = "content-type;host;x-amz-date"
    fields = f"content-type:{content_type}\nhost:{host}\nx-amz-date:{time}\n"
    request = "\n".join(("POST", path, "", fields, names, hashlib.sha256(body).hexdigest()))
    to_sign = "\n".join(("AWS4-HMAC-SHA256", time, "/".join(parts), hashlib.sha256(request.encode()).hexdigest()))
    access, secret = keys
    key = f"AWS4{secret}".encode()
    for part in (*parts, to_sign):
        key = hmac.digest(key, part.encode(), "sha256")
    credential = "/".join((access, *parts))
    return {
        "content-type": content_type,
        "x-amz-date": time,
        "authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={key.hex()}",
    }


def _explain(answer: Answer) -> Receipt | None:
    # AWS's REST-JSON protocol lets services write `Name`, `Name:http://…` or `namespace#Name`:
    # https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization
    body = body_of(answer)
    named = answer.headers.get("x-amzn-errortype") or body.get("__type") or body.get("code")
    code = str(named).partition(":")[0].rpartition("#")[2]
    text = str(body.get("message", ""))
    if code == "TooManyRequestsException":
        return Busy("ses_TooManyRequestsException", _QUOTA if "quota" in text.lower() else _RATE)
    if code in _OURS:
        return Busy(f"ses_{code}")
    if code == "MessageRejected":
        # Content that SES does not like, but also a sender that is not verified, or an account still in the sandbox:
        # https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html
        return Busy("ses_not_verified") if "not verified" in text else Rejected("ses_MessageRejected")
    return Rejected("ses_BadRequestException") if code == "BadRequestException" else None
