"""Notifications to browsers by Web Push: `vapid://PRIVATE_KEY@?subject=mailto:ops@shop.example`.

RFC 8030 carries them, RFC 8291 encrypts them for the one browser, RFC 8292 (VAPID) says who sends them. The private
key is the 32 bytes of a P-256 key in base64url; browsers subscribe with its public half, `WebPush.public_key`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote

import http_ece  # type: ignore[import-untyped]  # it has no stubs
import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from activities.messaging.clock import utc_now
from activities.messaging.exchange import Answer, exchange, failure
from activities.messaging.http import client
from activities.messaging.protocol import Accepted, Busy, Push, Receipt, Rejected, Unsearchable
from activities.messaging.push.subscription import (
    Resolve,
    Subscription,
    base64url,
    from_base64url,
    is_public,
    lookup,
)
from activities.messaging.push.topic import fold

_KEY_BYTES = 32
_CURVE = ec.SECP256R1()
_LONGEST = timedelta(weeks=4)
"""Mozilla keeps nothing for longer than 30 days, Google for 28; a longer TTL is an error with the former."""
_MOST = 3993
"""Bytes of plain text that fit the 4,096 every push service takes (RFC 8291 4), beside header, delimiter and tag."""
_LASTS = timedelta(hours=12)  # RFC 8292 2: at most 24 h
_RENEW_BEFORE = timedelta(hours=1)
_ORIGINS = 64
_GONE = frozenset({404, 410})
_OURS = frozenset({400, 401, 403})


@dataclass(frozen=True, slots=True)
class _Pass:
    header: str
    until: datetime


class WebPush(Unsearchable):
    """Any browser's push service; `Push.to` is a subscription as `Subscription.text` writes it.

    No idempotency key and no search; a second one with the same topic takes the first one's place on the screen.

    Attributes:
        public_key: the uncompressed point in base64url, which pages give to the browser as `applicationServerKey`.
    """

    name = "web_push"

    def __init__(
        self,
        url: SplitResult,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        resolve: Resolve = lookup,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Prepare the key.

        Args:
            url: `vapid://PRIVATE_KEY@?subject=mailto:…`; the subject is a mailto: or https: address at which a push
                service finds a person. `&insecure=1` lets endpoints on loopback pass.
            transport: for tests.
            resolve: finds the addresses of an endpoint's host.
            clock: UTC; push services compare what they are told with their own.

        Raises:
            ValueError: key or subject is missing or malformed; never repeats it.
        """
        query = parse_qs(url.query)
        self._insecure = query.get("insecure") == ["1"]
        self._subject = query.get("subject", [""])[0]
        if not self._subject.startswith(("mailto:", "https://")):
            raise ValueError("POSTLUDE_WEB_PUSH_URL: needs ?subject=mailto:… or https://…, where a person is found")
        self._key = _private_key(unquote(url.username or ""))
        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public_key = base64url(point)
        self._resolve = resolve
        self._clock = clock
        self._passes: dict[str, _Pass] = {}
        self._http = client("", {}, transport=transport)

    async def send(self, message: Push) -> Receipt:
        """One POST to the subscription's endpoint; see `Receipt` for what can come of it."""
        try:
            to = Subscription.read(message.to, insecure=self._insecure)
        except ValueError:
            return Rejected("web_push_subscription_invalid", address_dead=True)
        plain = json.dumps(_notification(message), ensure_ascii=False, separators=(",", ":")).encode()
        if len(plain) > _MOST:
            return Rejected("web_push_too_large")
        if not self._insecure:
            try:
                if not await is_public(to.host, self._resolve):
                    # Not dead: a resolver of our own may be the one that leads astray, and for all at once.
                    return Rejected("web_push_not_public")
            except (OSError, ValueError):
                return Busy("web_push_unresolved", everyone=False)
        lasts = min(max(message.lasts, timedelta(0)), _LONGEST)
        headers = {
            "ttl": str(int(lasts.total_seconds())),
            "topic": fold(message.topic),
            "urgency": "normal",
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "authorization": self._authorization(to.origin),
        }
        answer = await exchange(self._http, to.endpoint, _encrypted(to, plain), headers)
        receipt = _receipt(answer) if isinstance(answer, Answer) else answer
        # Each browser has a push service of its own: one that is away says nothing of the others.
        return replace(receipt, everyone=False) if isinstance(receipt, Busy) else receipt

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _authorization(self, origin: str) -> str:
        """The VAPID header for one push service (RFC 8292 2 and 3), used again until shortly before it ends."""
        now = self._clock()
        known = self._passes.get(origin)
        if known is not None and now < known.until:
            return known.header
        claims = {"aud": origin, "exp": int((now + _LASTS).timestamp()), "sub": self._subject}
        header = f"vapid t={jwt.encode(claims, self._key, algorithm='ES256')}, k={self.public_key}"
        if len(self._passes) >= _ORIGINS:
            # There are a handful of push services: more are made up, and must not fill the memory.
            self._passes.clear()
        self._passes[origin] = _Pass(header, now + _LASTS - _RENEW_BEFORE)
        return header


def _private_key(text: str) -> ec.EllipticCurvePrivateKey:
    try:
        scalar = from_base64url(text)
        if len(scalar) == _KEY_BYTES:
            return ec.derive_private_key(int.from_bytes(scalar), _CURVE)
    except ValueError:
        pass
    raise ValueError("POSTLUDE_WEB_PUSH_URL: needs a P-256 private key, 32 bytes in base64url: vapid://KEY@")


def _notification(message: Push) -> dict[str, Any]:
    """A declarative push message (https://w3c.github.io/push-api/#declarative-push-message).

    Browsers that know the form show it without any script of the shop's; in others its service worker reads the same
    JSON.
    """
    return {
        "web_push": 8030,
        "notification": {
            "title": message.title,
            "body": message.body,
            "navigate": message.link,
            "tag": fold(message.topic),
            "data": {"postlude": message.key},
        },
    }


def _encrypted(to: Subscription, plain: bytes) -> bytes:
    """One record of aes128gcm (RFC 8188) under a key pair and a salt of its own."""
    key = ec.generate_private_key(_CURVE)
    sealed = http_ece.encrypt(plain, private_key=key, dh=to.p256dh, auth_secret=to.auth, version="aes128gcm")
    return bytes(sealed)


def _receipt(answer: Answer) -> Receipt:
    """What a push service's answer means (RFC 8030 5 and 8.4; https://mozilla-services.github.io/autopush-rs/errors.html).

    Which of 400, 401 and 403 stands for a VAPID key or subject that is not wanted differs from service to service:
    each is ours to mend.
    """
    if answer.success:
        return Accepted(answer.headers.get("location", "")[:500] or None)
    if answer.status in _GONE:
        return Rejected(f"http_{answer.status}", address_dead=True)
    if answer.status in _OURS:
        return Busy(f"http_{answer.status}")
    return failure(answer)
