"""Each shop's own customers' pages, behind one address.

`/s/{shop}/…` are the pages of that shop. A bare path is the page of the shop that its token names, so that links sent
before a second shop came still open; the token is proven by the page itself.
"""

from collections.abc import Mapping
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from activities.links import shop_in

_PREFIX: Final = "s"
_SHOP_AND_PAGE: Final = 3
PATHS: Final = frozenset({"o", "u", "p", "confirm", "c", "r", "notes", "devices"})
"""The first part of every customers' page's path; the token is the second."""


class ShopPages:
    """Hands a page's request to its shop's app, and everything else to the gateway's own."""

    def __init__(self, app: ASGIApp, *, shops: Mapping[str, ASGIApp]) -> None:
        self._app = app
        self._shops = shops

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        shop, path = self._page(scope["path"]) if scope["type"] == "http" else (None, "")
        if shop is None:
            await self._app(scope, receive, send)
            return
        await self._shops[shop]({**scope, "path": path, "raw_path": path.encode()}, receive, send)

    def _page(self, path: str) -> tuple[str | None, str]:
        """Whose page it is, None where it is no configured shop's, and its path there."""
        first, *rest = path.strip("/").split("/")
        if first == _PREFIX and len(rest) >= _SHOP_AND_PAGE and rest[1] in PATHS:
            return (rest[0], "/" + "/".join(rest[1:])) if rest[0] in self._shops else (None, path)
        if first in PATHS and rest:
            shop = shop_in(rest[0])
            return (shop, path) if shop in self._shops else (None, path)
        return None, path
