"""How shops prove that a webhook is theirs: an HMAC over the raw body, or a secret of our own sent along."""

import base64
import hmac
from hashlib import sha256

from activities.shops.protocol import Delivery, SignatureError


def check_hmac(delivery: Delivery, *, header: str, secret: bytes) -> None:
    """Prove a webhook whose header holds the base64 of HMAC-SHA256 over its raw body.

    Args:
        delivery: the webhook.
        header: the header's name as the sender writes it.
        secret: the shared secret.

    Raises:
        SignatureError: the header is absent or does not match.
    """
    given = delivery.headers.get(header.lower(), "")
    expected = base64.b64encode(hmac.new(secret, delivery.body, sha256).digest())
    if not hmac.compare_digest(given.encode(), expected):
        raise SignatureError("No matching signature found" if given else f"Missing {header}")


def check_secret(delivery: Delivery, *, header: str, secret: bytes) -> None:
    """Prove a webhook whose header holds the secret itself; compared in constant time.

    Raises:
        SignatureError: the header is absent or another.
    """
    given = delivery.headers.get(header.lower(), "")
    if not hmac.compare_digest(given.encode(), secret):
        raise SignatureError("No matching secret found" if given else f"Missing {header}")
