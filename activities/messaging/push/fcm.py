"""Notifications by Firebase Cloud Messaging: `fcm:///path/to/service-account.json`.

HTTP v1, one POST a device: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send. The service
account's key is exchanged for an access token as in
https://developers.google.com/identity/protocols/oauth2/service-account#httprest (RFC 7523). A stand-in on loopback:
`fcm:///…/account.json?host=127.0.0.1:8080&insecure=1`, with its own `token_uri` in the file.
"""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlencode, urlsplit

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from activities.messaging.clock import utc_now
from activities.messaging.exchange import Answer, exchange, failure
from activities.messaging.http import OverHttp, client, post
from activities.messaging.protocol import Accepted, Busy, Push, Receipt, Rejected, Unclear, Unsearchable
from activities.messaging.push.topic import fold

_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ASSERTION_LASTS = timedelta(hours=1)  # the longest that Google allows
_RENEW_BEFORE = timedelta(minutes=5)
_LONGEST = timedelta(weeks=4)
"""No message is kept for longer: https://firebase.google.com/docs/cloud-messaging/concept-options#ttl"""
_QUOTA_PAUSE = timedelta(minutes=1)
"""How long to wait at least after a 429 that does not say: https://firebase.google.com/docs/cloud-messaging/scale-fcm"""
_NAME = re.compile(r"[a-z_]{1,40}")
_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"


@dataclass(frozen=True, slots=True)
class _Account:
    """A service account, as Google's console writes it to a file."""

    project: str
    email: str
    key: RSAPrivateKey
    key_id: str
    token_uri: str


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    until: datetime


class Fcm(OverHttp, Unsearchable):
    """The FCM HTTP v1 API; `Push.to` is a registration token.

    There is no idempotency key and no search. A message that goes twice shows once: the second has the topic of the
    first (Android's tag, `apns-collapse-id`, the web's tag) and takes its place. FCM keeps at most four topics for a
    device that is offline.
    """

    name = "fcm"

    def __init__(
        self,
        url: SplitResult,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Read the service account.

        Args:
            url: `fcm:///path/to/service-account.json`.
            transport: for tests.
            clock: UTC; Google compares what it is told with its own.

        Raises:
            ValueError: the file cannot be read or lacks something; names the setting, never the file's content.
        """
        query = parse_qs(url.query)
        insecure = query.get("insecure") == ["1"]
        self._account = _account(Path(unquote(url.path)), insecure=insecure)
        host = query.get("host", ["fcm.googleapis.com"])[0] if insecure else "fcm.googleapis.com"
        self._http = client(f"{'http' if insecure else 'https'}://{host}", {}, transport=transport)
        self._path = f"/v1/projects/{quote(self._account.project, safe='')}/messages:send"
        self._clock = clock
        self._token: _Token | None = None
        self._asking = asyncio.Lock()

    async def send(self, message: Push) -> Receipt:
        """One POST messages:send; see `Receipt` for what can come of it."""
        token = await self._access()
        if not isinstance(token, str):
            return token
        body = {"message": _message(message, self._clock())}
        answer = await post(self._http, self._path, body, {"authorization": f"Bearer {token}"}, _explain)
        if isinstance(answer, dict):
            name = answer.get("name")
            return Accepted(name) if isinstance(name, str) else Unclear("http_garbled_answer")
        if answer == Busy("http_401"):
            # The token was taken back before its time: the next attempt begins with a new one.
            self._token = None
        if answer == Busy("http_429"):
            return replace(answer, retry_after=_QUOTA_PAUSE)
        return answer

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _access(self) -> str | Receipt:
        """An access token that is good for minutes still; else why there is none, which is ours to mend."""
        async with self._asking:
            now = self._clock()
            if self._token is not None and now < self._token.until:
                return self._token.value
            form = urlencode({"grant_type": _GRANT, "assertion": self._assertion(now)}).encode()
            headers = {"content-type": "application/x-www-form-urlencoded"}
            answer = await exchange(self._http, self._account.token_uri, form, headers)
            if not isinstance(answer, Answer):
                # Nothing of the message was on the wire, so whatever went wrong here leaves no doubt about it.
                return Busy(f"fcm_token_{answer.rule}") if not isinstance(answer, Accepted) else answer
            said = _json(answer.body)
            if not answer.success:
                error = said.get("error")
                named = isinstance(error, str) and _NAME.fullmatch(error)
                later = failure(answer)
                pause = later.retry_after if isinstance(later, Busy) else None
                return Busy(f"fcm_token_{error if named else f'http_{answer.status}'}", pause)
            value, lasts = said.get("access_token"), said.get("expires_in")
            if not isinstance(value, str) or not value.isprintable() or not isinstance(lasts, int):
                return Busy("fcm_token_garbled_answer")
            self._token = _Token(value, now + timedelta(seconds=lasts) - _RENEW_BEFORE)
            return value

    def _assertion(self, now: datetime) -> str:
        account = self._account
        claims = {
            "iss": account.email,
            "scope": _SCOPE,
            "aud": account.token_uri,
            "iat": int(now.timestamp()),
            "exp": int((now + _ASSERTION_LASTS).timestamp()),
        }
        return jwt.encode(claims, account.key, algorithm="RS256", headers={"kid": account.key_id})


def _account(path: Path, *, insecure: bool) -> _Account:
    try:
        content = json.loads(path.read_bytes())
        key = load_pem_private_key(content["private_key"].encode(), None)
        account = _Account(
            content["project_id"],
            content["client_email"],
            key if isinstance(key, RSAPrivateKey) else _refuse(),
            content["private_key_id"],
            content.get("token_uri", "https://oauth2.googleapis.com/token"),
        )
    except OSError as error:
        raise ValueError(f"POSTLUDE_PUSH_URL: the service account's file: {type(error).__name__}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError("POSTLUDE_PUSH_URL: the file is not a service account's key, as Google writes it") from None
    texts = (account.project, account.email, account.key_id, account.token_uri)
    if not all(isinstance(text, str) and text for text in texts):
        raise ValueError("POSTLUDE_PUSH_URL: the file is not a service account's key, as Google writes it")
    if urlsplit(account.token_uri).scheme != "https" and not insecure:
        raise ValueError("POSTLUDE_PUSH_URL: the file's token_uri must be https")
    return account


def _refuse() -> RSAPrivateKey:
    raise ValueError


def _message(message: Push, now: datetime) -> dict[str, Any]:
    """The message as FCM takes it, with the same life and the same topic on every platform.

    https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages
    """
    topic = fold(message.topic)
    lasts = min(max(message.lasts, timedelta(0)), _LONGEST)
    seconds = int(lasts.total_seconds())
    web: dict[str, Any] = {"headers": {"TTL": str(seconds), "Topic": topic}, "notification": {"tag": topic}}
    if message.link.startswith("https://"):
        web["fcm_options"] = {"link": message.link}
    return {
        "token": message.to,
        "notification": {"title": message.title, "body": message.body},
        # What the app opens, and its name for the message.
        "data": {"link": message.link, "postlude": message.key},
        "android": {"ttl": f"{seconds}s", "collapse_key": topic, "notification": {"tag": topic}},
        "apns": {"headers": {"apns-expiration": str(int((now + lasts).timestamp())), "apns-collapse-id": topic}},
        "webpush": web,
    }


def _explain(_status: int, answer: dict[str, Any]) -> Receipt | None:
    """What an error of FCM's own says: https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode.

    429 and 503 are left to HTTP, which reads `Retry-After`, and so are 500 and an expired access token.
    """
    error = answer.get("error")
    if not isinstance(error, dict):
        return None
    listed = error.get("details")
    details = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    code = next((one.get("errorCode") for one in details if one.get("@type") == _ERROR), None)
    match code or error.get("status"):
        case "UNREGISTERED":
            return Rejected("fcm_unregistered", address_dead=True)
        case "INVALID_ARGUMENT":
            return Rejected("fcm_invalid_argument", address_dead=_about_the_token(error, details))
        case "SENDER_ID_MISMATCH":
            # Another project's token, or our project is not the one we think: not to be held against the address.
            return Rejected("fcm_sender_id_mismatch")
        case "THIRD_PARTY_AUTH_ERROR":
            return Busy("fcm_third_party_auth_error")
    return None


def _about_the_token(error: dict[str, Any], details: list[dict[str, Any]]) -> bool:
    """Whether it is the token that is invalid, rather than something else in the message.

    FCM says so in the violated field, in its text, or in both:
    https://firebase.google.com/docs/cloud-messaging/error-codes. A token dropped by mistake is a customer lost.
    """
    fields = [
        violation.get("field")
        for one in details
        if one.get("@type") == _BAD_REQUEST
        for violation in one.get("fieldViolations") or ()
        if isinstance(violation, dict)
    ]
    return "message.token" in fields if fields else "registration token" in str(error.get("message")).lower()


def _json(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}
