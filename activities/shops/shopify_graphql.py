"""Shopify's GraphQL Admin API as a transport: one POST for each document, and what its errors mean.

https://shopify.dev/docs/api/admin-graphql#status_and_error_codes: everything that reached GraphQL is answered with 200,
errors included. An error says which it is in `extensions.code`; an answer may be in part. `userErrors` are part of a
mutation's own answer and say that nothing was changed; their texts may repeat what was sent, so that only their codes
and the names of fields are read.

Queries cost points (https://shopify.dev/docs/api/usage/limits): there is a bucket for each app and shop, what a query
could cost at most must be in it before it runs, and it fills up at `restoreRate` a second. A query that found too
little is answered `THROTTLED`, with the state of the bucket in `extensions.cost`.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import httpx

from activities.shops.shopify_queries import VERSION
from activities.vendors.http import (
    MOST_RETRY_AFTER,
    Vendor,
    VendorBusyError,
    VendorGarbledError,
    VendorRefusedError,
    VendorUnclearError,
)

NAME: Final = "shopify"
_THROTTLED: Final = "THROTTLED"
_SOMEBODY_MENDS: Final = frozenset({"ACCESS_DENIED", "SHOP_INACTIVE"})
"""What stays so until a person grants a scope or pays a bill: like 401 and 403."""
_PASSING: Final = frozenset({"INTERNAL_SERVER_ERROR", "TIMEOUT"})
_WITHOUT_COST: Final = timedelta(seconds=2)
"""How long to wait when a throttled answer does not show its bucket."""


class Graphql:
    """One shop's API.

    Args:
        base_url: scheme and host.
        token: of a custom app, or of a session of the app (`shpat_…`).
        transport: for tests.
    """

    def __init__(self, base_url: str, token: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._vendor = Vendor(NAME, base_url, headers={"X-Shopify-Access-Token": token}, transport=transport)

    async def ask(self, query: str, /, **variables: Any) -> Mapping[str, Any]:
        """The `data` of a query.

        Raises:
            VendorBusyError: see `Vendor.call`; also throttled, with the wait that the bucket needs, or without a right.
            VendorRefusedError: the document is none that this version knows, or costs too much.
            VendorGarbledError: not an answer of GraphQL.
        """
        return await self._call(query, variables, changes=False)

    async def change(self, mutation: str, /, **variables: Any) -> tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]:
        """What a mutation of one field returned, and its user errors (`code`, `field`); none when it was done.

        Raises:
            VendorUnclearError: the mutation may have been made.
            VendorError: as of `ask`.
        """
        data = await self._call(mutation, variables, changes=True)
        payload = next(iter(data.values()), None)
        if not isinstance(payload, dict):
            raise VendorUnclearError(NAME, "no_payload")
        errors = [error for name, value in payload.items() if name.endswith("serErrors") for error in value or ()]
        return payload, errors

    async def pages(self, query: str, /, *path: str, after: str | None = None, **variables: Any) -> list[Any]:
        """All nodes of the connection under `path`, from `after` on; none where something on the path is null."""
        nodes: list[Any] = []
        while True:
            connection: Any = await self.ask(query, **variables, after=after)
            for name in path:
                connection = connection.get(name) if isinstance(connection, dict) else None
            if not isinstance(connection, dict):
                return nodes
            nodes += connection["nodes"]
            if not connection["pageInfo"]["hasNextPage"]:
                return nodes
            after = connection["pageInfo"]["endCursor"]

    async def aclose(self) -> None:
        """Close the connections."""
        await self._vendor.aclose()

    async def _call(self, query: str, variables: Mapping[str, Any], *, changes: bool) -> Mapping[str, Any]:
        body = {"query": query, "variables": variables}
        reply = await self._vendor.call("POST", f"/admin/api/{VERSION}/graphql.json", json_body=body, changes=changes)
        document = reply.document
        if not isinstance(document, dict):
            raise VendorGarbledError(NAME, "not_graphql")
        if document.get("errors"):
            raise _error(document, changes=changes)
        data = document.get("data")
        if not isinstance(data, dict):
            raise VendorGarbledError(NAME, "no_data")
        return data


def _error(document: Mapping[str, Any], *, changes: bool) -> Exception:
    errors = document["errors"]
    given = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    codes = {str((error.get("extensions") or {}).get("code")) for error in given}
    if changes and not _never_ran(document, given):
        # The mutation ran, and something after it did not; or nobody says which it is.
        return VendorUnclearError(NAME, "answered_in_part")
    if _THROTTLED in codes:
        return VendorBusyError(NAME, "throttled", _wait(document))
    if codes & _SOMEBODY_MENDS:
        return VendorBusyError(NAME, min(codes & _SOMEBODY_MENDS).lower())
    if codes & _PASSING:
        rule = min(codes & _PASSING).lower()
        return VendorUnclearError(NAME, rule) if changes else VendorBusyError(NAME, rule)
    rule = "max_cost_exceeded" if "MAX_COST_EXCEEDED" in codes else "graphql_error"
    return VendorRefusedError(NAME, rule, httpx.codes.OK)


def _never_ran(document: Mapping[str, Any], errors: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a mutation certainly was not begun: no answer to it at all, or it was denied itself.

    An error of execution says where: `["refundCreate"]` is the mutation, `["refundCreate", "refund", "name"]` a field
    of what it had made by then, which is null as far up as it has to be.
    """
    data = document.get("data")
    if not errors or (isinstance(data, dict) and any(value is not None for value in data.values())):
        return False
    codes = [(error.get("extensions") or {}).get("code") for error in errors]
    if "data" not in document:
        return all(codes)
    deeper = any(isinstance(path := error.get("path"), list) and len(path) > 1 for error in errors)
    return not deeper and set(codes) <= _SOMEBODY_MENDS | {_THROTTLED}


def _wait(document: Mapping[str, Any]) -> timedelta:
    """Until the bucket holds what the query could cost, in whole seconds and at least one."""
    cost = (document.get("extensions") or {}).get("cost") or {}
    bucket = cost.get("throttleStatus") or {}
    try:
        missing = float(cost["requestedQueryCost"]) - float(bucket["currentlyAvailable"])
        seconds = math.ceil(missing / float(bucket["restoreRate"]))
    except (KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError):
        return _WITHOUT_COST
    return min(timedelta(seconds=max(1, min(seconds, 10**6))), MOST_RETRY_AFTER)
