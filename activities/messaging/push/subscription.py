"""A browser's push subscription, as `PushSubscription.toJSON()` writes it (https://w3c.github.io/push-api/).

Its endpoint is an address that anybody may have typed in, and this process will send requests there: it has to be a
public push service, not something beside us in the network.
"""

import asyncio
import base64
import ipaddress
import json
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec

_LONGEST = 1_800
"""Characters of an endpoint, so that a subscription fits the database's key; the longest in use have some 700."""
_ENDPOINT = re.compile(r"[!-~]+")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
_AUTH_BYTES = 16  # RFC 8291 3.2
_NAME = re.compile(r"(?:[A-Za-z0-9_-]{1,63}\.)+[A-Za-z][A-Za-z0-9-]*")
_OURS = (".localhost", ".local", ".internal", ".home.arpa")

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""From a host's name to its IP addresses; raises OSError when there are none."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """`p256dh` is the browser's public key (an uncompressed P-256 point), `auth` the secret of 16 bytes."""

    endpoint: str
    p256dh: bytes
    auth: bytes

    @classmethod
    def read(cls, value: object, *, insecure: bool = False) -> Self:
        """Take what a browser wrote, parsed or as text; what it says beyond endpoint and keys is left out.

        Args:
            value: `{"endpoint": …, "keys": {"p256dh": …, "auth": …}}`.
            insecure: let loopback stand-ins pass.

        Raises:
            ValueError: it is none, or leads elsewhere than to a push service; says which part, never its value.
        """
        parsed = _parsed(value) if isinstance(value, str) else value
        keys = parsed.get("keys") if isinstance(parsed, dict) else None
        if not isinstance(parsed, dict) or not isinstance(keys, dict):
            raise ValueError(  # noqa: TRY004  a stranger's JSON, not a caller's slip
                "subscription: must be an object with endpoint and keys"
            )
        endpoint = parsed.get("endpoint")
        if not isinstance(endpoint, str) or len(endpoint) > _LONGEST or not _ENDPOINT.fullmatch(endpoint):
            raise ValueError("subscription.endpoint: must be an address")
        if not insecure:
            _check_endpoint(endpoint)
        p256dh, auth = _bytes(keys.get("p256dh"), "p256dh"), _bytes(keys.get("auth"), "auth")
        try:
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), p256dh)
        except ValueError:
            raise ValueError("subscription.keys.p256dh: must be a point of P-256") from None
        if len(auth) != _AUTH_BYTES:
            raise ValueError("subscription.keys.auth: must be 16 bytes")
        return cls(endpoint, p256dh, auth)

    @property
    def origin(self) -> str:
        """The endpoint's origin, as RFC 8292 2 wants it for `aud`."""
        parts = urlsplit(self.endpoint)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def host(self) -> str:
        """The push service's name."""
        return urlsplit(self.endpoint).hostname or ""

    def text(self) -> str:
        """The subscription in its one written form: what `Push.to` and the devices' addresses hold."""
        keys = {"auth": base64url(self.auth), "p256dh": base64url(self.p256dh)}
        return json.dumps({"endpoint": self.endpoint, "keys": keys}, separators=(",", ":"))


async def is_public(host: str, resolve: Resolve) -> bool:
    """Whether every address of a host is one of the open internet.

    The name might answer differently a moment later, when the connection is made. TLS stands against that: whoever is
    there then has no certificate for the name, and nothing is sent before the handshake.

    Raises:
        OSError: the name has no address, or nobody answers.
    """
    addresses = [ipaddress.ip_address(one.partition("%")[0]) for one in await resolve(host)]
    return bool(addresses) and all(one.is_global and not one.is_multicast for one in addresses)


async def lookup(host: str) -> Sequence[str]:
    """The system's own resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def base64url(data: bytes) -> str:
    """RFC 4648 5, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """The bytes of unpadded or padded base64url.

    Raises:
        ValueError: it is none.
    """
    bare = text.rstrip("=")
    if not _BASE64URL.fullmatch(bare):
        raise ValueError("must be base64url")
    return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("subscription: must be JSON") from None


def _bytes(value: object, name: str) -> bytes:
    try:
        return from_base64url(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError(f"subscription.keys.{name}: must be base64url") from None


def _check_endpoint(endpoint: str) -> None:
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError:
        raise ValueError("subscription.endpoint: must be an address") from None
    if parts.scheme != "https":
        raise ValueError("subscription.endpoint: must be https")
    # A push service has a public name and the usual port, and nobody logs in to it by its address.
    host = parts.hostname or ""
    odd = port not in {None, 443} or parts.username is not None or parts.password is not None
    if odd or not _NAME.fullmatch(host) or host.endswith(_OURS):
        raise ValueError("subscription.endpoint: must be at a public push service")
