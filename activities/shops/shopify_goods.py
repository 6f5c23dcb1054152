"""What can be made good of a Shopify order's lines, by the SKUs that its webhooks speak of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from activities.shops import shopify_payloads as payloads
from activities.shops.api import Cannot, Wanted
from activities.shops.shopify_orders import number_of
from activities.shops.shopify_parcels import sku as sku_of
from journey.made_good import Given
from journey.remedies import Choice


@dataclass(frozen=True, slots=True)
class Goods:
    """An order's lines by SKU, as nodes of `shopify_queries.GOODS`; one SKU can stand in several lines."""

    lines: Mapping[str, Sequence[Mapping[str, Any]]]

    def variant(self, sku: str) -> str | None:
        """The global id of what is sold under the SKU today; None when it was taken out of the shop."""
        return next((str(line["variant"]["id"]) for line in self.lines.get(sku, ()) if line["variant"]), None)

    def missing(self, wanted: Wanted) -> Cannot | None:
        """Why these goods cannot be sent again, or None: `line_unknown`, `product_gone` or `out_of_stock`."""
        for sku, count in wanted.skus:
            if sku not in self.lines:
                return Cannot("line_unknown")
            variants = [line["variant"] for line in self.lines[sku] if line["variant"]]
            if not variants:
                return Cannot("product_gone")
            variant = variants[0]
            limited = variant["inventoryItem"]["tracked"] and variant["inventoryPolicy"] == "DENY"
            if limited and (variant["inventoryQuantity"] or 0) < count:
                return Cannot("out_of_stock")
        return None

    def refundable(self, wanted: Wanted) -> list[dict[str, Any]] | Cannot:
        """The lines of a refund that restocks nothing: `line_unknown`, or `already_refunded` when too few are left."""
        inside = []
        for sku, count in wanted.skus:
            if sku not in self.lines:
                return Cannot("line_unknown")
            left = count
            for line in self.lines[sku]:
                part = min(left, line["refundableQuantity"])
                if part > 0:
                    inside.append({"lineItemId": line["id"], "quantity": part, "restockType": "NO_RESTOCK"})
                    left -= part
            if left:
                return Cannot("already_refunded")
        return inside


def refund_given(refund: Mapping[str, Any], inside: Mapping[str, Any], marks: Mapping[str, str]) -> Given:
    """A refund, a node of `shopify_queries.GIVEN`, with its lines; `marks` are keys by what a note bears of them."""
    counted: dict[str, int] = {}
    for node in inside["nodes"]:
        sku = _sku(node["lineItem"])
        counted[sku] = counted.get(sku, 0) + node["quantity"]
    return Given(
        what=Choice.REFUND,
        reference=str(refund["legacyResourceId"]),
        amount=Decimal(refund["totalRefundedSet"]["shopMoney"]["amount"]),
        # Of a list that goes on the rest is not known: better no units than some.
        units=() if inside["pageInfo"]["hasNextPage"] else tuple(sorted(counted.items())),
        at=datetime.fromisoformat(refund["createdAt"]),
        key=next((key for mark, key in marks.items() if mark in (refund["note"] or "")), None),
    )


def _sku(node: Mapping[str, Any]) -> str:
    known = payloads.Line(
        id=number_of(node["id"]),
        variant_id=(node["variant"] or {}).get("legacyResourceId"),
        product_id=(node["product"] or {}).get("legacyResourceId"),
        sku=node["sku"],
        properties=[],
    )
    return sku_of(known)


def goods(nodes: Sequence[Mapping[str, Any]]) -> Goods:
    """The lines by SKU."""
    lines: dict[str, list[Mapping[str, Any]]] = {}
    for node in nodes:
        lines.setdefault(_sku(node), []).append(node)
    return Goods(lines)
