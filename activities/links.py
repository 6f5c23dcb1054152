"""Signed links to a customer's own pages. A token holds an order's ids, never anything about the person."""

import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final
from urllib.parse import urlsplit

from itsdangerous import BadData, Signer, URLSafeSerializer
from itsdangerous.encoding import base64_decode, base64_encode

from journey.playbook import Channel

_SOURCE = b"postlude.source-address"
_EPOCH: Final = datetime(2020, 1, 1, tzinfo=UTC)
# An expiry is rounded up to such a step, so that a message that is written again has the same links.
_STEP: Final = timedelta(days=30)
_compact = json.JSONEncoder(separators=(",", ":")).encode


class Purpose(Enum):
    """What a link opens, by the salt of its tokens, and how long it is good for; None is for ever.

    Whoever was written to must be able to stop it years later. What shows an order, or decides about money, need not
    stay open in an old mailbox.
    """

    ORDER = ("postlude.order-page", timedelta(days=2 * 365))
    UNSUBSCRIBE = ("postlude.unsubscribe", None)
    PREFERENCES = ("postlude.preferences", timedelta(days=5 * 365))
    CONFIRM = ("postlude.confirm", timedelta(days=60))
    CLICK = ("postlude.click", timedelta(days=5 * 365))
    REMEDY = ("postlude.remedy", timedelta(days=365))


_PATHS: Final = {
    "o": Purpose.ORDER,
    "u": Purpose.UNSUBSCRIBE,
    "p": Purpose.PREFERENCES,
    "confirm": Purpose.CONFIRM,
    "c": Purpose.CLICK,
    "r": Purpose.REMEDY,
}


@dataclass(frozen=True, slots=True)
class Click:
    """What a click link's token says: the message it stands in, and where it leads."""

    shop: str
    order_id: str
    touch_key: str
    url: str


class _Serializer(URLSafeSerializer):
    """Every mail has several links: the signer is made once, and nobody tries to compress a few ids."""

    def __init__(self, keys: Sequence[str], salt: str) -> None:
        super().__init__(
            # The library signs with the last of them and reads with any.
            list(reversed(keys)),
            salt=salt,
            signer_kwargs={"digest_method": hashlib.sha256},
            # Links that were sent before they were signed with SHA-256.
            fallback_signers=[{"digest_method": hashlib.sha1}],
        )
        self._signer = super().make_signer()

    def make_signer(self, salt: str | bytes | None = None) -> Signer:
        """The one signer; of another salt, one of its own."""
        return self._signer if salt is None else super().make_signer(salt)

    def dump_payload(self, obj: Any) -> bytes:
        """The payload as it is read back, never compressed."""
        return base64_encode(_compact(obj))


def _now() -> datetime:
    return datetime.now(UTC)


class Links:
    """Makes and reads links, each purpose under its own salt, so that one kind of token never opens another page.

    A key that is dropped from the list ends every link that was signed with it.
    """

    def __init__(
        self,
        keys: str | Sequence[str],
        public_url: str,
        *,
        shop: str | None = None,
        path: str = "",
        clock: Callable[[], datetime] = _now,
    ) -> None:
        """Prepare the signer.

        Args:
            keys: the newest first, which signs; all are read. Everybody who has one can open every order's page.
            public_url: where the gateway is reached from outside, such as `https://mail.shop.example`.
            shop: the one shop whose tokens are read; None for all.
            path: what stands before the pages' paths, such as `/s/acme`.
            clock: UTC by the real clock, which says what has expired.

        Raises:
            ValueError: a key is empty, or there is none.
        """
        keys = [keys] if isinstance(keys, str) else list(keys)
        if not keys or not all(keys):
            raise ValueError("the secret key may not be empty: it signs the customers' links")
        self._serializers = {purpose: _Serializer(keys, purpose.value[0]) for purpose in Purpose}
        self._source = hmac.new(keys[0].encode(), _SOURCE, hashlib.sha256).digest()
        self._path = path
        self._base = public_url.rstrip("/") + path
        self._shop = shop
        self._clock = clock

    @property
    def path(self) -> str:
        """What stands before the pages' paths, such as `/s/acme`; empty where nothing does."""
        return self._path

    def order(self, shop: str, order_id: str) -> str:
        """The address of an order's page."""
        return self._link("o", shop, order_id)

    def read_order(self, token: str) -> tuple[str, str] | None:
        """The (shop, order id) of an order link's token; None when it was cut, altered, made elsewhere, or too old."""
        found = self._read(Purpose.ORDER, token, 2)
        return None if found is None else (found[0], found[1])

    def unsubscribe(self, shop: str, order_id: str) -> str:
        """The address that opts the order's customer out of marketing mail; fit for `List-Unsubscribe`."""
        return self._link("u", shop, order_id)

    def read_unsubscribe(self, token: str) -> tuple[str, str] | None:
        """The (shop, order id) of an unsubscribe link's token; None as for the other links."""
        found = self._read(Purpose.UNSUBSCRIBE, token, 2)
        return None if found is None else (found[0], found[1])

    def preferences(self, shop: str, order_id: str, channel: Channel = Channel.EMAIL) -> str:
        """The address of the order's customer's preference centre; `channel` is how the message with it travels.

        Whoever follows it has the address it was sent to, which is what a double opt-in asks for.
        """
        return self._link("p", shop, order_id, channel.value)

    def read_preferences(self, token: str) -> tuple[str, str, Channel] | None:
        """The (shop, order id, channel) of a preference link's token; None as for the other links."""
        found = self._read(Purpose.PREFERENCES, token, 3)
        return None if found is None else (found[0], found[1], Channel(found[2]))

    def confirm(self, shop: str, nonce: str) -> str:
        """The address that confirms a double opt-in; it goes to the address that is to be confirmed, nowhere else."""
        return self._link("confirm", shop, nonce)

    def read_confirm(self, token: str) -> str | None:
        """The nonce of a confirmation link's token; None as for the other links."""
        said = self._load(Purpose.CONFIRM, token)
        if isinstance(said, str):  # before links named the shop
            return said
        found = self._read(Purpose.CONFIRM, token, 2)
        return None if found is None else found[1]

    def click(self, shop: str, order_id: str, touch_key: str, url: str) -> str:
        """An address of ours that leads on to `url` and counts the click for that touch of the order.

        The whole target is signed, so the gateway leads nowhere that we did not write.

        Raises:
            ValueError: the target is not on the web (`mailto:`, `javascript:`, no host), or not fit for a header.
        """
        if not _leads_on(url):
            raise ValueError("a click link leads to an http or https address only")
        return self._link("c", shop, order_id, touch_key, url)

    def read_click(self, token: str) -> Click | None:
        """What a click link's token says; None as for the other links."""
        found = self._read(Purpose.CLICK, token, len(Click.__slots__))
        return Click(*found) if found is not None and _leads_on(found[-1]) else None

    def remedy(self, shop: str, order_id: str, part: str) -> str:
        """The address where the order's customer chooses what makes the parcel `part` good."""
        return self._link("r", shop, order_id, part)

    def read_remedy(self, token: str) -> tuple[str, str, str] | None:
        """The (shop, order id, part) of a remedy link's token; None as for the other links."""
        found = self._read(Purpose.REMEDY, token, 3)
        return None if found is None else (found[0], found[1], found[2])

    def source_hash(self, address: str | None) -> str | None:
        """A keyed hash of a network address, as evidence of where a word came from; without the key it says nothing."""
        if not address:
            return None
        return hmac.new(self._source, address.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]

    def _link(self, path: str, *said: str) -> str:
        purpose = _PATHS[path]
        _, good_for = purpose.value
        payload: list[str | int] = list(said)
        if good_for is not None:
            payload.append(-(-(self._clock() + good_for - _EPOCH) // _STEP))
        token = self._serializers[purpose].dumps(payload)
        return f"{self._base}/{path}/{token if isinstance(token, str) else token.decode()}"

    def _read(self, purpose: Purpose, token: str, count: int) -> list[str] | None:
        """The texts of a token that is still good, of which there are `count`, the shop's id first."""
        said = self._load(purpose, token)
        if not isinstance(said, list):
            return None
        # Before links had an expiry they had none, and were good for ever.
        *texts, until = said if said and isinstance(said[-1], int) else (*said, None)
        if len(texts) != count or not all(isinstance(text, str) for text in texts):
            return None
        if until is not None and self._clock() >= _EPOCH + until * _STEP:
            return None
        return texts if self._shop is None or texts[0] == self._shop else None

    def _load(self, purpose: Purpose, token: str) -> Any:
        try:
            return self._serializers[purpose].loads(token)
        except (BadData, ValueError):
            return None


def shop_in(token: str) -> str | None:
    """The shop that a token names, unproven: whose page is to read it. None where it names none."""
    try:
        said = json.loads(base64_decode(token.rpartition(".")[0]))
    except (BadData, ValueError, RecursionError):
        return None
    return said[0] if isinstance(said, list) and said and isinstance(said[0], str) else None


def _leads_on(url: str) -> bool:
    """Whether an address is of the web and can stand in a header as it is."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and url.isprintable() and " " not in url
