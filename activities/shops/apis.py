"""Which shops' own APIs a setting means: URLs, divided by blanks or line ends."""

from collections.abc import Container, Mapping, Sequence
from pkgutil import resolve_name
from typing import Final, Protocol, Self
from urllib.parse import SplitResult, urlsplit

from activities.shops.api import ShopApi

_SETTING: Final = "POSTLUDE_SHOP_URLS"
# By scheme, loaded when one is first wanted: most shops are on one platform.
_KNOWN: Final[Mapping[str, str]] = {
    "shopify": "activities.shops.shopify_admin:ShopifyAdmin",
    "woocommerce": "activities.shops.woocommerce_rest:WooCommerceRest",
    "bigcommerce": "activities.shops.bigcommerce_rest:BigCommerceRest",
    "backend": "activities.shops.backend:Backend",
}


class _Make(Protocol):
    def __call__(self, url: SplitResult, *, secret_key: str) -> ShopApi: ...


class ShopApis:
    """The APIs of the shops that this process knows, by shop."""

    def __init__(self, apis: Sequence[ShopApi]) -> None:
        """`apis` are one of each shop.

        Raises:
            ValueError: two are of the same shop; the message names the setting and the shop.
        """
        self._apis: dict[str, ShopApi] = {}
        for api in apis:
            if api.shop in self._apis:
                raise ValueError(f"{_SETTING}: {api.shop} is named twice")
            self._apis[api.shop] = api

    @classmethod
    def named_by(cls, urls: str | None, *, secret_key: str) -> Self:
        """The APIs that `POSTLUDE_SHOP_URLS` names; none where it is unset.

        Args:
            urls: the setting.
            secret_key: keys the ids of guests, the same in every process.

        Raises:
            ValueError: a scheme is unknown, something is missing or a shop is named twice; the message names the
                setting and never repeats a URL, which carries a secret.
        """
        return cls([_made(url, secret_key) for url in (urls or "").split()])

    def add(self, url: str, *, shop: str, names: Container[str], secret_key: str) -> None:
        """Add the API of a shop with a file of its own; its events are of `shop`, whatever its platform calls it.

        Args:
            url: as in `POSTLUDE_SHOP_URLS`.
            shop: the shop's id.
            names: what it is called, the id among them.
            secret_key: keys the ids of guests.

        Raises:
            ValueError: the URL is not usable, or of another shop; never repeats it.
        """
        api = _made(url, secret_key)
        # A backend is asked for its shop by name, and answers under that name.
        if api.shop not in names or (api.name == "backend" and api.shop != shop):
            raise ValueError(f"shop {shop}: api: is that of {api.shop}; say `also: {api.shop}` if that is what it is")
        api.shop = shop
        self._apis[shop] = api

    def of(self, shop: str) -> ShopApi | None:
        """The API of that shop; None where none is configured."""
        return self._apis.get(shop)

    def shops(self) -> list[str]:
        """The shops, in the setting's order."""
        return list(self._apis)

    def platforms(self) -> set[str]:
        """What the shops are on, such as `shopify`."""
        return {api.name for api in self._apis.values()}

    async def aclose(self) -> None:
        """Close the connections of all of them."""
        for api in self._apis.values():
            await api.aclose()


def _made(url: str, secret_key: str) -> ShopApi:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        # What the library says repeats parts of the URL, and so of the secret in it.
        raise ValueError(f"{_SETTING}: not a URL; in a user name or password write / as %2F, @ as %40") from None
    if parts.scheme not in _KNOWN:
        raise ValueError(f"{_SETTING}: no shop platform {parts.scheme}://; known are {', '.join(_KNOWN)}")
    make: _Make = resolve_name(_KNOWN[parts.scheme])
    return make(parts, secret_key=secret_key)
