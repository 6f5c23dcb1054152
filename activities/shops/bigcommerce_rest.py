"""A BigCommerce store by its own API: `bigcommerce://TOKEN@api.bigcommerce.com/STORE_HASH`.

Orders are V2's (https://developer.bigcommerce.com/docs/rest-management/orders, its specification
https://github.com/bigcommerce/docs/blob/main/reference/orders.v2.oas2.yml). The token needs the scopes Orders:
modify, Order transactions: modify, Products: read-only and Marketing: modify.

- Pages are not walked by number: an order that changes meanwhile moves to the end, and every order behind it one place
  up, past the reader. Each page begins a second before the newest change of the page before, and only where a page
  holds nothing newer than that does the page's number count on.
- An answer without any order is 204 and empty.
- The quota is shared by all apps of a store and told in each answer's `X-Rate-Limit-*`, refreshed every 30 seconds
  (https://developer.bigcommerce.com/docs/start/best-practices/api-rate-limits). The last requests are left to others.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import SplitResult, unquote

import httpx
import structlog

from activities.messaging.email.resend import base_url
from activities.shops.api import Cannot, Outcome, Page, Wanted
from activities.shops.bigcommerce_orders import moment_of, order_events
from activities.shops.bigcommerce_remedies import SETTLES, Remedies, data, objects
from activities.shops.payloads import at
from activities.shops.protocol import Ignored
from activities.vendors.http import Vendor, VendorBusyError, VendorGarbledError, VendorRefusedError
from journey.made_good import Given
from store.intake import Event, Malformed

_log = structlog.get_logger(__name__)

PAGE: Final = 50
"""V2's default; no greatest size is documented."""
_SECOND: Final = timedelta(seconds=1)
_WINDOW_SECONDS: Final = 30.0
_LEFT_TO_OTHERS: Final = 5
_AT_ONCE: Final = 4
_EXPANDED: Final = {"include": "consignments.line_items", "consignment_structure": "object"}
# Ids of statuses: https://developer.bigcommerce.com/docs/rest-management/orders/order-status
_REFUNDED: Final = frozenset({4, 14})


def _now() -> datetime:
    return datetime.now(UTC)


class BigCommerceRest:
    """The Management API of one store; see the module and `ShopApi`."""

    name = "bigcommerce"
    settles = SETTLES

    def __init__(
        self,
        url: SplitResult,
        *,
        secret_key: str,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        """Prepare the adapter.

        Args:
            url: see the module; `?insecure=1` is plain HTTP, for loopback.
            secret_key: keys the ids of guests, and coupons' codes.
            transport: for tests.
            clock: UTC, when an order is read.

        Raises:
            ValueError: the token or the store's hash is missing.
        """
        token, self.shop = unquote(url.username or ""), url.path.strip("/")
        if not token or not self.shop.isalnum():
            raise ValueError(
                "POSTLUDE_SHOP_URLS: bigcommerce:// needs token and store: "
                "bigcommerce://TOKEN@api.bigcommerce.com/STORE_HASH"
            )
        self._secret_key = secret_key
        self._clock = clock
        headers = {"x-auth-token": token, "accept": "application/json"}
        base = base_url(url, "api.bigcommerce.com")
        self._vendor = Vendor(self.name, f"{base}/stores/{self.shop}", headers=headers, transport=transport)
        self._reset_at = 0.0
        self._left: int | None = None
        self._remedies = Remedies(self.call, secret_key)

    async def changed(self, since: datetime, cursor: str | None) -> Page:
        """See `ShopApi.changed`; the cursor is where the next page begins, and its number there."""
        begin, number = _place(cursor) if cursor is not None else (since.astimezone(UTC), 1)
        window = {"min_date_modified": begin.isoformat()}
        asked = {**window, "sort": "date_modified:asc", "page": str(number), "limit": str(PAGE), **_EXPANDED}
        orders = objects(await self.call("GET", "/v2/orders", params=asked))
        total = await self._count(window) if cursor is None else None
        if not orders:
            return Page([], 0, None, None, total)
        changes = [changed for order in orders if (changed := at(moment_of(order.get("date_modified")))) is not None]
        if not changes:
            raise VendorGarbledError(self.name, "date_modified_malformed")
        slots = asyncio.Semaphore(_AT_ONCE)
        told = await asyncio.gather(*(self._readable(order, slots) for order in orders))
        events = [event for one in told for event in one or ()]
        newest = max(changes)
        following = None
        if len(orders) >= PAGE:
            following = _cursor(newest - _SECOND, 1) if newest - _SECOND > begin else _cursor(begin, number + 1)
        return Page(events, len(orders), following, newest, total, unreadable=told.count(None))

    async def order(self, order_id: str) -> Sequence[Event]:
        """See `ShopApi.order`. Whoever asks waits for a fresh quota by themselves: the error says how long."""
        if not order_id.isdecimal():
            return []
        try:
            found = await self.call("GET", f"/v2/orders/{order_id}", params=_EXPANDED, waits=False)
        except VendorRefusedError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return []
            raise
        if not isinstance(found, Mapping):
            raise VendorGarbledError(self.name, "order_malformed")
        return await self._told(found, waits=False, refunds_too=True)

    async def reserve(self, wanted: Wanted) -> Outcome:
        """See `ShopApi.reserve`: BigCommerce sets nothing aside, so that the stock is looked at."""
        return await self._remedies.in_stock(wanted)

    async def release(self, wanted: Wanted) -> None:
        """See `ShopApi.release`: there is nothing to undo."""

    async def replace(self, wanted: Wanted) -> Outcome:
        """See `ShopApi.replace`."""
        return await self._remedies.replace(wanted)

    async def cancel_replacement(self, wanted: Wanted) -> Outcome:
        """See `ShopApi.cancel_replacement`."""
        return await self._remedies.cancel_replacement(wanted)

    async def given(self, order_id: str, keys: Sequence[str]) -> Sequence[Given] | Cannot:
        """See `ShopApi.given`."""
        return await self._remedies.given(order_id, keys)

    async def refund(self, wanted: Wanted) -> Outcome:
        """See `ShopApi.refund`."""
        return await self._remedies.refund(wanted)

    async def coupon(self, wanted: Wanted, *, percent: int, days: int) -> Outcome:
        """See `ShopApi.coupon`."""
        return await self._remedies.coupon(wanted, percent=percent, days=days)

    async def withdraw_coupon(self, wanted: Wanted) -> None:
        """See `ShopApi.withdraw_coupon`."""
        await self._remedies.withdraw_coupon(wanted)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._vendor.aclose()

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json_body: Any = None,
        waits: bool = True,
    ) -> Any:
        """Ask for a path under the store, within its quota; the answer's JSON, None where it is empty.

        Where the quota is used up it `waits` for a fresh one, or else raises.

        Raises:
            VendorError: see `Vendor.call`; after 429, and without waiting, `retry_after` is what is left of the window.
        """
        if self._left is not None and self._left <= _LEFT_TO_OTHERS:
            rest = min(max(self._reset_at - time.monotonic(), 0.0), _WINDOW_SECONDS)
            if rest and not waits:
                raise VendorBusyError(self.name, "quota_spent", timedelta(seconds=rest))
            await asyncio.sleep(rest)
            self._left = None
        try:
            reply = await self._vendor.call(
                method, path, params=params, json_body=json_body, changes=method in {"POST", "PUT", "DELETE"}
            )
        except VendorBusyError as error:
            if error.rule != "http_429" or error.retry_after is not None:
                raise
            left = self._reset_at - time.monotonic()
            wait = timedelta(seconds=left if left > 0 else _WINDOW_SECONDS)
            raise VendorBusyError(error.vendor, error.rule, wait) from None
        self._heed(reply.headers)
        return reply.document

    def _heed(self, headers: Mapping[str, str]) -> None:
        left, reset = headers.get("x-rate-limit-requests-left", ""), headers.get("x-rate-limit-time-reset-ms", "")
        if left.isdecimal() and reset.isdecimal():
            self._left, self._reset_at = int(left), time.monotonic() + int(reset) / 1000

    async def _count(self, window: Mapping[str, str]) -> int | None:
        found = await self.call("GET", "/v2/orders/count", params=window)
        count = found.get("count") if isinstance(found, Mapping) else None
        return count if isinstance(count, int) else None

    async def _readable(self, order: Mapping[str, Any], slots: asyncio.Semaphore) -> Sequence[Event] | None:
        """An order's events, None where it cannot be read. That is logged by its field: it must not stop all others."""
        try:
            async with slots:
                return await self._told(order)
        except Malformed as error:
            _log.warning(
                "order_unreadable", shop=self.shop, order_id=order.get("id"), field=error.field, problem=error.problem
            )
            return None

    async def _told(
        self, order: Mapping[str, Any], *, waits: bool = True, refunds_too: bool = False
    ) -> Sequence[Event]:
        # What is asked for from here on is at least so new.
        read_at = self._clock()
        path = f"/orders/{order.get('id')}"
        products = _line_items(order) or await self._all(f"/v2{path}/products", waits=waits)
        shipments = await self._all(f"/v2{path}/shipments", waits=waits) if order.get("items_shipped") else []
        refunds: Sequence[Mapping[str, Any]] = []
        # An order whose only refund was declined later says no more of it: where the quota allows, it is asked for.
        refunds_too = refunds_too and (self._left is None or self._left > _LEFT_TO_OTHERS)
        if refunds_too or order.get("status_id") in _REFUNDED or "refunded" in str(order.get("payment_status")):
            refunds = objects(data(await self.call("GET", f"/v3{path}/payment_actions/refunds", waits=waits)))
        events = order_events(
            order,
            products,
            shipments,
            refunds,
            shop=self.shop,
            secret_key=self._secret_key,
            read_at=read_at,
        )
        return [] if isinstance(events, Ignored) else events

    async def _all(self, path: str, *, waits: bool) -> list[Mapping[str, Any]]:
        """Every page of one of V2's small lists."""
        found: list[Mapping[str, Any]] = []
        while True:
            page = {"page": str(len(found) // PAGE + 1), "limit": str(PAGE)}
            more = objects(await self.call("GET", path, params=page, waits=waits))
            found += more
            if len(more) < PAGE:
                return found


def _line_items(order: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The products that came along with the order, of every kind of consignment."""
    consignments = order.get("consignments")
    groups = consignments.values() if isinstance(consignments, Mapping) else []
    items = [item for group in groups for one in objects(group) for item in objects(one.get("line_items"))]
    # Links alone, where the API did not expand them.
    return items if all("quantity" in item for item in items) else []


def _cursor(begin: datetime, number: int) -> str:
    return f"{begin.isoformat()} {number}"


def _place(cursor: str) -> tuple[datetime, int]:
    begin, _, number = cursor.rpartition(" ")
    return datetime.fromisoformat(begin), int(number)
