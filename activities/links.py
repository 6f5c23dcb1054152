"""Signed links to a customer's own pages. A token holds an order's ids, never anything about the person."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from itsdangerous import BadData, Signer, URLSafeSerializer
from itsdangerous.encoding import base64_encode

from journey.playbook import Channel

_ORDER = "postlude.order-page"
_UNSUBSCRIBE = "postlude.unsubscribe"
_PREFERENCES = "postlude.preferences"
_CONFIRM = "postlude.confirm"
_CLICK = "postlude.click"
_REMEDY = "postlude.remedy"
_SOURCE = b"postlude.source-address"
_PARTS = 2
_compact = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Click:
    """What a click link's token says: the message it stands in, and where it leads."""

    shop: str
    order_id: str
    touch_key: str
    url: str


class _Serializer(URLSafeSerializer):
    """Every mail has several links: the signer is made once, and nobody tries to compress a few ids."""

    def __init__(self, secret_key: str, salt: str) -> None:
        super().__init__(secret_key, salt=salt)
        self._signer = super().make_signer()

    def make_signer(self, salt: str | bytes | None = None) -> Signer:
        """The one signer; of another salt, one of its own."""
        return self._signer if salt is None else super().make_signer(salt)

    def dump_payload(self, obj: Any) -> bytes:
        """The payload as it is read back, never compressed."""
        return base64_encode(_compact(obj))


class Links:
    """Makes and reads links, each purpose under its own salt, so that one kind of token never opens another page.

    Links do not expire: a mail may be read, and an opt-out must work, years later. A new secret key ends them all.
    """

    def __init__(self, secret_key: str, public_url: str) -> None:
        """Prepare the signer.

        Args:
            secret_key: signs the tokens; everybody who has it can open every order's page.
            public_url: where the gateway is reached from outside, such as `https://mail.shop.example`.

        Raises:
            ValueError: the secret key is empty.
        """
        if not secret_key:
            raise ValueError("the secret key may not be empty: it signs the customers' links")
        self._order = _Serializer(secret_key, salt=_ORDER)
        self._unsubscribe = _Serializer(secret_key, salt=_UNSUBSCRIBE)
        self._preferences = _Serializer(secret_key, salt=_PREFERENCES)
        self._confirm = _Serializer(secret_key, salt=_CONFIRM)
        self._click = _Serializer(secret_key, salt=_CLICK)
        self._remedy = _Serializer(secret_key, salt=_REMEDY)
        self._source = hmac.new(secret_key.encode(), _SOURCE, hashlib.sha256).digest()
        self._base = public_url.rstrip("/")

    def order(self, shop: str, order_id: str) -> str:
        """The address of an order's page."""
        return f"{self._base}/o/{_sign(self._order, shop, order_id)}"

    def unsubscribe(self, shop: str, order_id: str) -> str:
        """The address that opts the order's customer out of marketing mail; fit for `List-Unsubscribe`."""
        return f"{self._base}/u/{_sign(self._unsubscribe, shop, order_id)}"

    def read_order(self, token: str) -> tuple[str, str] | None:
        """The (shop, order id) of an order link's token; None when it was cut, altered or made elsewhere."""
        return _read(self._order, token)

    def read_unsubscribe(self, token: str) -> tuple[str, str] | None:
        """The (shop, order id) of an unsubscribe link's token; None when it was cut, altered or made elsewhere."""
        return _read(self._unsubscribe, token)

    def preferences(self, shop: str, order_id: str, channel: Channel = Channel.EMAIL) -> str:
        """The address of the order's customer's preference centre; `channel` is how the message with it travels.

        Whoever follows it has the address it was sent to, which is what a double opt-in asks for.
        """
        return f"{self._base}/p/{_text(self._preferences.dumps([shop, order_id, channel.value]))}"

    def read_preferences(self, token: str) -> tuple[str, str, Channel] | None:
        """The (shop, order id, channel) of a preference link's token; None as for the other links."""
        parts = _load(self._preferences, token)
        if not isinstance(parts, list) or len(parts) != _PARTS + 1 or not all(isinstance(part, str) for part in parts):
            return None
        return parts[0], parts[1], Channel(parts[2])

    def confirm(self, nonce: str) -> str:
        """The address that confirms a double opt-in; it goes to the address that is to be confirmed, nowhere else."""
        return f"{self._base}/confirm/{_text(self._confirm.dumps(nonce))}"

    def read_confirm(self, token: str) -> str | None:
        """The nonce of a confirmation link's token; None when it was cut, altered or made elsewhere."""
        nonce = _load(self._confirm, token)
        return nonce if isinstance(nonce, str) else None

    def click(self, shop: str, order_id: str, touch_key: str, url: str) -> str:
        """An address of ours that leads on to `url` and counts the click for that touch of the order.

        The whole target is signed, so the gateway leads nowhere that we did not write.

        Raises:
            ValueError: the target is not on the web (`mailto:`, `javascript:`, no host), or not fit for a header.
        """
        if not _leads_on(url):
            raise ValueError("a click link leads to an http or https address only")
        return f"{self._base}/c/{_text(self._click.dumps([shop, order_id, touch_key, url]))}"

    def read_click(self, token: str) -> Click | None:
        """What a click link's token says; None when it was cut, altered or made elsewhere."""
        parts = _load(self._click, token)
        if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
            return None
        return Click(*parts) if len(parts) == len(Click.__slots__) and _leads_on(parts[-1]) else None

    def remedy(self, shop: str, order_id: str, part: str) -> str:
        """The address where the order's customer chooses what makes the parcel `part` good."""
        return f"{self._base}/r/{_text(self._remedy.dumps([shop, order_id, part]))}"

    def read_remedy(self, token: str) -> tuple[str, str, str] | None:
        """The (shop, order id, part) of a remedy link's token; None when it was cut, altered or made elsewhere."""
        parts = _load(self._remedy, token)
        if not isinstance(parts, list) or len(parts) != _PARTS + 1 or not all(isinstance(part, str) for part in parts):
            return None
        return parts[0], parts[1], parts[2]

    def source_hash(self, address: str | None) -> str | None:
        """A keyed hash of a network address, as evidence of where a word came from; without the key it says nothing."""
        if not address:
            return None
        return hmac.new(self._source, address.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]


def _leads_on(url: str) -> bool:
    """Whether an address is of the web and can stand in a header as it is."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and url.isprintable() and " " not in url


def _load(signer: URLSafeSerializer, token: str) -> object:
    try:
        return signer.loads(token)
    except (BadData, ValueError):
        return None


def _text(token: str | bytes) -> str:
    return token if isinstance(token, str) else token.decode()


def _sign(signer: URLSafeSerializer, shop: str, order_id: str) -> str:
    token = signer.dumps([shop, order_id])
    return token if isinstance(token, str) else token.decode()


def _read(signer: URLSafeSerializer, token: str) -> tuple[str, str] | None:
    try:
        ids = signer.loads(token)
    except (BadData, ValueError):
        return None
    if not isinstance(ids, list) or len(ids) != _PARTS or not all(isinstance(part, str) for part in ids):
        return None
    return ids[0], ids[1]
