"""Shopify's refunds, whoever tells them: `refunds/create`, or the list that an updated or cancelled order carries.

https://shopify.dev/docs/api/admin-rest/latest/resources/refund and …/transaction

- A refund's money is its transactions of the kind `refund`, in the currency that was paid in. `pending` waits for the
  payment provider; `failure`, `error` and whatever else is no money. Its `success` comes with the order alone.
- While one of them is pending, the refund is. What was moved in two currencies is two refunds.
- An attempt that takes the place of another names it as its `parent_id`.
- `financial_status` `refunded` says that with the last refund all was paid back.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from activities.shops import shopify_payloads as payloads
from activities.shops.payloads import lost_alone
from activities.shops.shopify_parcels import sku
from store.intake import Event, OrderRefunded, build

_PAID: Final = "success"
_PENDING: Final = frozenset({"pending", "awaiting_response", "unknown"})
_NAMES: Final = {
    "shop": "X-Shopify-Shop-Domain",
    "at": "created_at",
    "refund_id": "id",
    "amount": "transactions.amount",
}


def refunded(
    shop: str, order_id: str, refund: payloads.Refunded, *, full: bool = False, test: bool = False
) -> list[Event]:
    """A refund as canonical events, one for each currency; none where no money is to move."""
    moved = _moved(refund)
    return [
        build(
            OrderRefunded,
            {
                "shop": shop,
                "order_id": order_id,
                # By its own id, as remedies know it; further currencies beside it.
                "refund_id": refund.id if place == 0 else f"{refund.id}:{currency}",
                "at": refund.processed_at or refund.created_at,
                "status": status,
                "amount": amount,
                "currency": currency,
                "full": full and status == "paid",
                "units": [(sku(one.line_item), one.quantity) for one in refund.refund_line_items if one.line_item],
                "test": test,
            },
            names=_NAMES,
        )
        for place, (currency, status, amount) in enumerate(moved)
    ]


def of_order(shop: str, order: payloads.Order | payloads.Cancelled) -> list[Event]:
    """Every refund that an order carries."""
    known = [refund for refund in order.refunds if refund.id]
    whole = order.financial_status == "refunded"
    events: list[Event] = []
    for place, refund in enumerate(known, start=1):
        with lost_alone("refunds"):
            events += refunded(shop, order.id, refund, full=whole and place == len(known), test=order.test)
    return events


def taken_off(order: payloads.Order, paid_in: str | None) -> Decimal | None:
    """What refunds have lowered the order's current total in a currency by; None where one is in another."""
    off = Decimal(0)
    for refund in order.refunds:
        for currency, status, amount in _moved(refund):
            if currency not in {None, paid_in}:
                return None
            off += amount if status != "failed" else Decimal(0)
    return off


def _moved(refund: payloads.Refunded) -> Sequence[tuple[str | None, str, Decimal]]:
    """What a refund moves: by currency, whether it is paid, pending or failed, and how much."""
    return list(_by_currency([one for one in refund.transactions if one.kind == "refund"]))


def _by_currency(attempts: Sequence[payloads.Transaction]) -> Iterator[tuple[str | None, str, Decimal]]:
    replaced = {one.parent_id for one in attempts if one.parent_id}
    standing = [one for one in attempts if one.id is None or one.id not in replaced]
    # One that names none is in the currency of the others: a null is no currency of its own.
    usual = next((one.currency for one in standing if one.currency), None)
    for currency in dict.fromkeys(one.currency or usual for one in standing):
        own = [one for one in standing if (one.currency or usual) == currency]
        pending = [one.amount for one in own if (one.status or "").lower() in _PENDING]
        paid = [one.amount for one in own if one.status is None or one.status.lower() == _PAID]
        if pending:
            yield currency, "pending", sum([*pending, *paid], Decimal(0))
        elif paid:
            yield currency, "paid", sum(paid, Decimal(0))
        else:
            yield currency, "failed", sum((one.amount for one in own), Decimal(0))
