"""The browser's side of Web Push, written from RFC 8188 and RFC 8291 alone: it shares no code with the sender's."""

import hmac
import json
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from activities.messaging.push.subscription import base64url


def point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


class Browser:
    """A key pair and an authentication secret, as `pushManager.subscribe` makes them."""

    def __init__(self, key: ec.EllipticCurvePrivateKey | None = None, auth: bytes = b"sixteen secrets!") -> None:
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.auth = auth

    def subscription(self, endpoint: str) -> dict[str, Any]:
        """What `PushSubscription.toJSON()` gives a page."""
        keys = {"p256dh": base64url(point(self.key.public_key())), "auth": base64url(self.auth)}
        return {"endpoint": endpoint, "expirationTime": None, "keys": keys}

    def text(self, endpoint: str) -> str:
        return json.dumps(self.subscription(endpoint))

    def decrypt(self, body: bytes) -> bytes:
        """The message in a body of aes128gcm that has to be one record (RFC 8291 4)."""
        salt, size, length = body[:16], int.from_bytes(body[16:20]), body[20]
        sender, record = body[21 : 21 + length], body[21 + length :]
        assert len(record) <= size
        shared = self.key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender))
        info = b"WebPush: info\0" + point(self.key.public_key()) + sender
        secret = _hkdf(self.auth, shared, info, 32)
        key = _hkdf(salt, secret, b"Content-Encoding: aes128gcm\0", 16)
        nonce = _hkdf(salt, secret, b"Content-Encoding: nonce\0", 12)
        padded = AESGCM(key).decrypt(nonce, record, None).rstrip(b"\0")
        assert padded[-1:] == b"\x02"
        return padded[:-1]


def _hkdf(salt: bytes, secret: bytes, info: bytes, size: int) -> bytes:
    """RFC 5869, for outputs of one block."""
    first = hmac.new(salt, secret, sha256).digest()
    return hmac.new(first, info + b"\x01", sha256).digest()[:size]
