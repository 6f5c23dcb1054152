"""What can be made good of a WooCommerce order, and what an order says of remedies."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

from activities.shops import woocommerce_parcels as parcels
from activities.shops import woocommerce_payloads as payloads
from activities.shops.api import Cannot, Wanted
from activities.shops.payloads import rounded
from activities.shops.woocommerce_orders import MARK
from journey.made_good import Given
from journey.remedies import Choice

SENT: Final = "completed"
GONE: Final = frozenset({"cancelled", "trash", "failed"})


def mark(key: str) -> str:
    """A key as a reason and a note can carry it; it names nobody."""
    return f"postlude-{sha256(key.encode()).hexdigest()[:24]}"


def begun_key(wanted: Wanted) -> str:
    """Where the order's meta data says that an attempt has begun; its `_` hides it on the shop's pages."""
    return f"_{mark(wanted.key)}"


def noted(order: Mapping[str, Any], key: str) -> str:
    """What an order's meta data says under a key; empty where it says nothing."""
    return next((str(meta["value"]) for meta in order["meta_data"] if meta["key"] == key), "")


def sku_of(line: Mapping[str, Any]) -> str:
    """The SKU of a line of an order or a refund, as the order's events name it."""
    known = {name: line.get(name) for name in ("id", "product_id", "variation_id", "sku")}
    return parcels.sku_of(payloads.Line.model_validate({**known, "quantity": 1, "total": 0}))


def enough(product: Mapping[str, Any], count: int) -> bool:
    """Whether so many can be sent: by number where it is counted (`parent` for a variation), else by status."""
    if product["backorders_allowed"]:
        return True
    if product["manage_stock"]:
        return int(product["stock_quantity"] or 0) >= count
    return bool(product["stock_status"] != "outofstock")


def refund_given(refund: Mapping[str, Any], marks: Mapping[str, str]) -> Given:
    """A refund of an order; its lines without a quantity say how much and not of how many. `marks` are keys by mark."""
    lines = [(sku_of(line), abs(line["quantity"])) for line in refund["line_items"]]
    counted: Counter[str] = Counter()
    for sku, quantity in lines:
        counted[sku] += quantity
    said = refund["reason"] or ""
    key = next((key for sign, key in marks.items() if sign in said), None)
    return Given(
        what=Choice.REFUND,
        reference=str(refund["id"]),
        amount=Decimal(refund["amount"]),
        units=() if any(not quantity for _, quantity in lines) else tuple(sorted(counted.items())),
        at=_moment(refund.get("date_created_gmt")),
        key=key if refund["refunded_payment"] else None,
    )


def is_replacement(child: Mapping[str, Any]) -> bool:
    """Whether an order whose parent another one is stands in for its goods: it costs nothing and was not called off."""
    return child["status"] not in GONE and not Decimal(child["total"])


def child_given(child: Mapping[str, Any], marks: Mapping[str, str]) -> Given:
    """A replacement."""
    counted: Counter[str] = Counter()
    for line in child["line_items"]:
        counted[sku_of(line)] += line["quantity"]
    return Given(
        what=Choice.REPLACEMENT,
        reference=str(child["id"]),
        units=tuple(sorted(counted.items())),
        at=_moment(child.get("date_created_gmt")),
        key=marks.get(noted(child, MARK)),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


def left_to_pay_back(order: Mapping[str, Any], refunds: Sequence[Mapping[str, Any]]) -> Decimal:
    """What is left of an order's total after its refunds, in the shop's own decimals."""
    return Decimal(order["total"]) - sum((Decimal(refund["amount"]) for refund in refunds), Decimal(0))


def refundable(wanted: Wanted, order: Mapping[str, Any], refunds: Sequence[Mapping[str, Any]]) -> Cannot | None:
    """Why this cannot be paid back, or None: `currency_differs`, `line_unknown` or `already_refunded`."""
    if order["currency"] != wanted.currency:
        return Cannot("currency_differs")
    left: Counter[str] = Counter()
    for line in order["line_items"]:
        left[sku_of(line)] += line["quantity"]
    if any(sku not in left for sku, _ in wanted.skus):
        return Cannot("line_unknown")
    for refund in refunds:
        for line in refund["line_items"]:
            left[sku_of(line)] -= abs(line["quantity"])
    # The shop may write decimals that the currency does not have: what is asked for has none of them.
    money = rounded(left_to_pay_back(order, refunds), wanted.currency)
    if wanted.amount > money or any(left[sku] < count for sku, count in wanted.skus):
        return Cannot("already_refunded")
    return None
