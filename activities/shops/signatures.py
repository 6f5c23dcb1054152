"""How shops prove that a webhook is theirs: an HMAC over the raw body, or a secret of our own sent along."""

import base64
import hmac
import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from activities.shops.protocol import Delivery, SignatureError

_SECONDS = re.compile("[0-9]{1,10}")
_TOLERANCE = timedelta(minutes=5)


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


def check_standard(delivery: Delivery, key: bytes, *, prefix: str) -> None:
    """Prove a Standard Webhook by the headers that begin with `prefix`, `webhook-` or `svix-`.

    As https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md has it: the base64 of
    HMAC-SHA256 over id, timestamp and body, with a dot between them; several while a secret rotates; at most five
    minutes off, by real time. Over bytes, where the library has texts: a body that is no UTF-8 is proven like others.

    Raises:
        SignatureError: a header is absent or malformed, the moment is too far off, or no signature matches.
    """
    name, moment, given = (delivery.headers.get(prefix + part, "") for part in ("id", "timestamp", "signature"))
    if not (name and moment and given):
        raise SignatureError("Missing required headers")
    if _SECONDS.fullmatch(moment) is None:
        raise SignatureError("Invalid Signature Headers")
    age = datetime.now(UTC) - datetime.fromtimestamp(int(moment), UTC)
    if abs(age) > _TOLERANCE:
        raise SignatureError("Message timestamp too old" if age > _TOLERANCE else "Message timestamp too new")
    signed = f"{name}.{moment}.".encode("utf-8", "surrogatepass") + delivery.body
    expected = b"v1," + base64.b64encode(hmac.new(key, signed, sha256).digest())
    if not any(hmac.compare_digest(one.encode("utf-8", "surrogatepass"), expected) for one in given.split()):
        raise SignatureError("No matching signature found")


def standard_key(secret: str) -> bytes:
    """The key of a Standard Webhooks secret, `whsec_` and base64.

    Raises:
        ValueError: it is none, or empty.
    """
    # Padding may be missing; what is too much of it, and what is none of its letters, is passed over, as libraries do.
    key = base64.b64decode(secret.removeprefix("whsec_") + "==")
    if not key:
        raise ValueError("the secret is empty")
    return key
