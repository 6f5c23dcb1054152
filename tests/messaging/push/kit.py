"""What the tests of notifications share: a clock, a message, a VAPID key and a Google that speaks the wire format."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from activities.messaging.protocol import Push
from activities.messaging.push.subscription import base64url
from tests.support.sockets import HOST
from tests.support.standin import Asked, Said, StandIn

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
RSA_KEY = rsa.generate_private_key(65537, 2048)
VAPID_KEY = ec.derive_private_key(int.from_bytes(b"a VAPID key of thirty-two bytes!"), ec.SECP256R1())
SECRET = base64url(b"a VAPID key of thirty-two bytes!")
URL = f"vapid://{SECRET}@?subject=mailto:ops@shop.test"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def push(to: str, **changes: Any) -> Push:
    """A notification to that device."""
    usual = {
        "key": "acme/1001/shipped/0",
        "to": to,
        "title": "Unterwegs: Grüße!",
        "body": "Deine Yogamatte ist heute abgereist.",
        "link": "https://shop.test/o/abc",
        "topic": "acme/1001",
        "lasts": timedelta(hours=6),
    }
    return Push(**{**usual, **changes})


class Google(StandIn):
    """Both of Google's servers: tokens at /token, messages at /v1."""

    def usual(self, request: Asked) -> Said:
        if request.path == "/token":
            issued = sum(one.path == "/token" for one in self.asked)
            return Said(body={"access_token": f"ya29.{issued}", "expires_in": 3599, "token_type": "Bearer"})
        return Said(body={"name": "projects/fernhill/messages/0:1500415314455276%31bd1c9631bd1c96"})

    def messages(self) -> list[Asked]:
        return [one for one in self.asked if one.path != "/token"]

    def tokens(self) -> list[Asked]:
        return [one for one in self.asked if one.path == "/token"]

    def url(self, folder: Path) -> SplitResult:
        """`POSTLUDE_PUSH_URL` for this stand-in."""
        path = folder / "service account.json"
        path.write_text(json.dumps(account(token_uri=f"{self.origin}/token")))
        return urlsplit(f"fcm://{path.as_posix().replace(' ', '%20')}?host={HOST}:{self.port}&insecure=1")


def account(**changes: Any) -> dict[str, Any]:
    """A service account's file, as Google's console writes it."""
    pem = RSA_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {
        "type": "service_account",
        "project_id": "fernhill",
        "private_key_id": "k1",
        "private_key": pem,
        "client_email": "push@fernhill.iam.gserviceaccount.com",
        **changes,
    }
