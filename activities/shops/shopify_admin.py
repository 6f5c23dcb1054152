"""Shopify's own API: `shopify://TOKEN@acme.myshopify.com`.

https://shopify.dev/docs/api/admin-graphql/2026-10/queries/orders. The token is a custom app's, with the scopes
`read_orders` (and `read_all_orders` for those older than 60 days), `write_orders`, `write_draft_orders`,
`read_customers`, `read_products`, `read_inventory`, `read_merchant_managed_fulfillment_orders` and `write_discounts`.

Orders are read by `updated_at`, the oldest change first. A cursor of Shopify's stands for a place in that order, not
for a number of a page, so an order that changes while the pages are read comes again at their end. What is filtered by
`query:` is looked up in a search index that lags behind, so every reading begins a little earlier than asked.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import SplitResult, unquote

import httpx
import structlog

from activities.messaging.email.resend import base_url
from activities.shops import shopify_queries as documents
from activities.shops.api import Page
from activities.shops.payloads import at
from activities.shops.protocol import Malformed
from activities.shops.shopify_answers import filled
from activities.shops.shopify_graphql import Graphql
from activities.shops.shopify_orders import order_events
from activities.shops.shopify_remedies import ShopifyRemedies
from store.intake import Event

INDEX_LAG: Final = timedelta(minutes=5)
"""How far behind the search index may be. Shopify names no figure; its documents only say that it takes a while."""
_log = structlog.get_logger()


class ShopifyAdmin(ShopifyRemedies):
    """One shop's GraphQL Admin API.

    Args:
        url: `shopify://TOKEN@HOST`; the host is the shop's own, `….myshopify.com`.
        secret_key: keys the ids of guests, and the codes.
        transport: for tests.

    Raises:
        ValueError: the URL lacks the token or the host.
    """

    def __init__(self, url: SplitResult, *, secret_key: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        token, shop = unquote(url.username or ""), url.hostname or ""
        if not token or not shop:
            raise ValueError(
                "POSTLUDE_SHOP_URLS: shopify:// needs a token and the shop: shopify://TOKEN@….myshopify.com"
            )
        graphql = Graphql(base_url(url, shop), token, transport=transport)
        super().__init__(graphql, shop=shop, secret_key=secret_key)

    async def changed(self, since: datetime, cursor: str | None) -> Page:
        """A page of the orders that changed at or after `since` (UTC); `total` comes with the first page alone.

        An order that cannot be read is left out and logged by its id.
        """
        start = (since.astimezone(UTC) - INDEX_LAG).strftime("%Y-%m-%dT%H:%M:%SZ")
        query = f"updated_at:>='{start}'"
        connection = (await self._graphql.ask(documents.ORDERS, query=query, after=cursor))["orders"]
        total = None
        if cursor is None:
            total = (await self._graphql.ask(documents.COUNT, query=query))["ordersCount"]["count"]
        orders = [filled(order) for order in connection["nodes"] if isinstance(order, dict)]
        events: list[Event] = []
        unreadable = 0
        for order in orders:
            try:
                said = await self._events(order)
            except Malformed as error:
                _log.warning("order_unreadable", shop=self.shop, order=order["legacyResourceId"], field=error.field)
                unreadable += 1
                continue
            events += said
        info = connection["pageInfo"]
        return Page(
            events=events,
            orders=len(orders),
            cursor=info["endCursor"] if info["hasNextPage"] else None,
            changed_until=max((changed for order in orders if (changed := at(order["updatedAt"]))), default=None),
            total=total,
            unreadable=unreadable,
        )

    async def order(self, order_id: str) -> Sequence[Event]:
        """One order as it stands now; none when the shop does not know it.

        Raises:
            Malformed: it cannot be read.
        """
        order = (await self._graphql.ask(documents.ORDER, id=f"gid://shopify/Order/{order_id}"))["order"]
        return [] if order is None else await self._events(order)

    async def _events(self, order: Mapping[str, Any]) -> list[Event]:
        try:
            return order_events(await self._whole(order), shop=self.shop, secret_key=self._secret_key)
        except (KeyError, TypeError, AttributeError):
            raise Malformed("order", "is not as documented") from None

    async def _whole(self, order: Mapping[str, Any]) -> Mapping[str, Any]:
        """The order with every line, parcel and refund, however many; a list without pages goes up to 250."""
        order = filled(order)
        whole = dict(order)
        graphql, gid = self._graphql, order["id"]
        if order["lineItems"]["pageInfo"]["hasNextPage"]:
            whole["lineItems"] = {"nodes": await graphql.pages(documents.LINES, "order", "lineItems", id=gid)}
        if len(order["fulfillments"]) >= documents.PARCELS_AT_ONCE:
            known = (await graphql.ask(documents.PARCELS, id=gid))["order"]["fulfillments"]
            whole["fulfillments"] = [await self._parcel(one["id"]) for one in known]
        else:
            whole["fulfillments"] = [
                await self._parcel(one["id"]) if one["fulfillmentLineItems"]["pageInfo"]["hasNextPage"] else one
                for one in order["fulfillments"]
            ]
        if len(order["refunds"]) >= documents.REFUNDS_AT_ONCE:
            made = (await graphql.ask(documents.REFUNDS, id=gid))["order"]["refunds"]
            whole["refunds"] = [await self._refund(one["id"]) for one in made]
        else:
            whole["refunds"] = [
                await self._refund(one["id"])
                if any(one[part]["pageInfo"]["hasNextPage"] for part in ("transactions", "refundLineItems"))
                else one
                for one in order["refunds"]
            ]
        return whole

    async def _parcel(self, gid: str) -> Mapping[str, Any]:
        return await self._with_all(documents.PARCEL, "fulfillment", "fulfillmentLineItems", gid)

    async def _refund(self, gid: str) -> Mapping[str, Any]:
        return await self._with_all(documents.REFUND, "refund", "transactions", gid)

    async def _with_all(self, query: str, name: str, inside: str, gid: str) -> Mapping[str, Any]:
        node: Mapping[str, Any] = (await self._graphql.ask(query, id=gid, after=None))[name]
        first = node[inside]
        nodes = first["nodes"]
        if first["pageInfo"]["hasNextPage"]:
            after = first["pageInfo"]["endCursor"]
            nodes = nodes + await self._graphql.pages(query, name, inside, id=gid, after=after)
        return {**node, inside: {"nodes": nodes}}
