"""WooCommerce's own API: `woocommerce://CONSUMER_KEY:CONSUMER_SECRET@shop.example`, REST v3 with HTTP Basic over TLS.

https://developer.woocommerce.com/docs/apis/rest-api/v3/orders/; how it sorts, and what a date means there, is read
off its source (`class-wc-rest-crud-controller.php`): `modified_after` is exclusive, in whole seconds, UTC with
`dates_are_gmt`, and `orderby=modified` breaks ties by id.

Numbers of pages would be over a list that moves while it is read, so a cursor is the last change that was read and
the orders read of that very second: the next page begins at that second without them (`exclude`). An order that
changes meanwhile comes again at the end. Two limits: more than `MOST_AT_ONCE` orders of one second cannot be told
apart by an address of a usual length and are an error, not a gap; and a shop that still keeps its orders as posts
sorts them by its own clock, so that in the one hour which autumn repeats an order may be missed until it changes again.

Remedies are in `activities.shops.woocommerce_remedies`.
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import SplitResult, unquote

import httpx
import structlog

from activities.messaging.email.resend import base_url
from activities.shops.api import Page
from activities.shops.payloads import at as moment_or_none
from activities.shops.payloads import code
from activities.shops.protocol import Ignored, Malformed
from activities.shops.woocommerce_orders import order_events
from activities.shops.woocommerce_payloads import utc
from activities.shops.woocommerce_remedies import NAME, SETTLED_AFTER, WooCommerceRemedies
from activities.vendors.http import Vendor, VendorGarbledError, VendorRefusedError
from store.intake import Event

ORDERS_A_PAGE: Final = 50
MOST_AT_ONCE: Final = 700
_log = structlog.get_logger()


class WooCommerceRest(WooCommerceRemedies):
    """One shop's REST API.

    Args:
        url: `woocommerce://KEY:SECRET@HOST[/where WordPress is]`; the host is the shop's name, as of its webhooks.
        secret_key: keys the ids of guests, and the codes.
        transport: for tests.
        settled_after: when a change that nobody answered has been made or never will be.

    Raises:
        ValueError: the URL lacks the key, the secret or the host.
    """

    def __init__(
        self,
        url: SplitResult,
        *,
        secret_key: str,
        transport: httpx.AsyncBaseTransport | None = None,
        settled_after: timedelta = SETTLED_AFTER,
    ) -> None:
        key, secret, shop = unquote(url.username or ""), unquote(url.password or ""), url.hostname or ""
        if not key or not secret or not shop:
            raise ValueError("POSTLUDE_SHOP_URLS: woocommerce:// needs woocommerce://CONSUMER_KEY:SECRET@shop.example")
        basic = base64.b64encode(f"{key}:{secret}".encode()).decode()
        headers = {"authorization": f"Basic {basic}"}
        vendor = Vendor(NAME, base_url(url, shop), headers=headers, transport=transport)
        super().__init__(
            vendor,
            f"{url.path.rstrip('/')}/wp-json/wc/v3",
            shop=shop,
            secret_key=secret_key,
            settled_after=settled_after,
        )

    async def changed(self, since: datetime, cursor: str | None) -> Page:
        """A page of the orders that changed at or after `since` (UTC).

        An order that cannot be read is left out and logged by its id; one that was never placed says nothing.

        Raises:
            VendorRefusedError: the cursor is none of these; also as of `Vendor.call`.
            VendorError: see `Vendor.call`.
        """
        moment, before, known = _place(cursor) if cursor is not None else (since.astimezone(UTC), 0, ())
        params = {
            "modified_after": (moment.replace(microsecond=0) - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S"),
            "dates_are_gmt": "true",
            "orderby": "modified",
            "order": "asc",
            "per_page": str(ORDERS_A_PAGE),
        } | ({"exclude": ",".join(known)} if known else {})
        reply = await self._vendor.call("GET", self._path("/orders"), params=params)
        found = _orders(reply.document)
        orders = [order for order in found if code(order.get("id")) is not None]
        total, pages = _count(reply.headers.get("x-wp-total")), _count(reply.headers.get("x-wp-totalpages"))
        changes = [_changed_at(order) for order in orders]
        last = max((at for at in changes if at is not None), default=None)
        if pages is None or (pages > 1 and last is None):
            raise VendorGarbledError(NAME, "page_incomplete")
        events: list[Event] = []
        unreadable = len(found) - len(orders)
        for order in orders:
            try:
                said = self._events(order)
            except Malformed as error:
                _log.warning("order_unreadable", shop=self.shop, order=str(order["id"]), field=error.field)
                unreadable += 1
                continue
            events += said
        following = None
        if last is not None and pages > 1:
            ids = [str(order["id"]) for order, at in zip(orders, changes, strict=True) if at in {last, None}]
            following = _cursor(last, before + len(found), [*(known if last == moment else ()), *ids])
        return Page(
            events=events,
            orders=len(found),
            cursor=following,
            changed_until=last,
            total=None if total is None else before + total,
            unreadable=unreadable,
        )

    async def order(self, order_id: str) -> Sequence[Event]:
        """One order as it stands now; none when the shop does not know it, or nobody placed it.

        Raises:
            Malformed: it cannot be read.
        """
        order = await self._order(order_id)
        return [] if order is None else self._events(order)

    def _events(self, order: Mapping[str, Any]) -> Sequence[Event]:
        said = order_events(order, shop=self.shop, secret_key=self._secret_key)
        return [] if isinstance(said, Ignored) else said


def _cursor(moment: datetime, before: int, known: Sequence[str]) -> str:
    if len(known) > MOST_AT_ONCE:
        raise VendorGarbledError(NAME, "too_many_at_once")
    return f"{moment.isoformat()}|{before}|{','.join(known)}"


def _place(cursor: str) -> tuple[datetime, int, tuple[str, ...]]:
    """The last change read, how many orders were read until then, and those of that very second."""
    try:
        moment, before, known = cursor.split("|")
        return datetime.fromisoformat(moment), int(before), tuple(filter(None, known.split(",")))
    except ValueError:
        raise VendorRefusedError(NAME, "cursor_unknown", httpx.codes.BAD_REQUEST) from None


def _orders(document: Any) -> list[dict[str, Any]]:
    if not isinstance(document, list) or not all(isinstance(order, dict) for order in document):
        raise VendorGarbledError(NAME, "no_orders")
    return document


def _changed_at(order: Mapping[str, Any]) -> datetime | None:
    """When an order was changed last; None where it does not say: it is read, and moves the page no further."""
    return moment_or_none(utc(order.get("date_modified_gmt")))


def _count(header: str | None) -> int | None:
    return int(header) if header is not None and header.isascii() and header.isdecimal() else None
