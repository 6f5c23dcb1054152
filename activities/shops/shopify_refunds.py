"""Shopify's refunds, whoever tells them: `refunds/create`, or the list that an updated or cancelled order carries.

https://shopify.dev/docs/api/admin-rest/latest/resources/refund and …/transaction

- A refund's money is its transactions of the kind `refund`, in the currency that was paid in. `pending` waits for the
  payment provider; `failure`, `error` and whatever else is no money. Its `success` comes with the order alone.
- While one of them is pending, the refund is. What was moved in two currencies is two refunds.
- An attempt that takes the place of another names it as its `parent_id`.
- `financial_status` `refunded` says that with the last refund all was paid back, be it one that is not listed.
- A refund without any such transaction pays nothing back: it takes lines out of an order that was not paid yet.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from activities.shops import shopify_payloads as payloads
from activities.shops.payloads import ALL_BACK, lost_alone, rounded
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
    shop: str,
    order_id: str,
    refund: payloads.Refunded,
    *,
    full: bool = False,
    test: bool = False,
    said_at: str | None = None,
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
                # Of goods once, in however many currencies their money goes back.
                "units": [
                    (sku(one.line_item), one.quantity)
                    for one in refund.refund_line_items
                    if one.line_item and place == 0
                ],
                "test": test,
                "said_at": said_at,
            },
            names=_NAMES,
        )
        for place, (currency, status, amount) in enumerate(moved)
    ]


def of_order(shop: str, order: payloads.Order | payloads.Cancelled) -> list[Event]:
    """Every refund that an order carries."""
    known = [refund for refund in order.refunds if refund.id]
    whole = order.financial_status == "refunded"
    said_at = order.updated_at
    events: list[Event] = []
    for place, refund in enumerate(known, start=1):
        with lost_alone("refunds"):
            full = whole and place == len(known)
            events += refunded(shop, order.id, refund, full=full, test=order.test, said_at=said_at)
    if whole and not known and said_at:
        values = {"shop": shop, "order_id": order.id, "refund_id": ALL_BACK, "at": said_at, "amount": 0}
        events.append(build(OrderRefunded, {**values, "full": True, "test": order.test}, names=_NAMES))
    return events


def total_now(order: payloads.Order) -> Decimal:
    """What the order comes to after its edits, in the shop's currency.

    Refunds lower Shopify's current total too, but they tell their own story, so they are added again.
    """
    placed, current = order.total_price, order.current_total_price
    off = taken_off(order, order.currency)
    if current is None or off is None or current == placed:
        return placed
    paid, now = order.total_price_set.presentment_money, order.current_total_price_set.presentment_money
    off_paid = taken_off(order, paid.currency_code) if paid.currency_code else None
    if now.amount is not None and off_paid is not None and now.amount + off_paid == paid.amount:
        # Not edited. In the shop's currency refunds come to that with roundings in between.
        return placed
    return current + off


def taken_off(order: payloads.Order, wanted: str | None) -> Decimal | None:
    """What refunds have lowered the order's current total in a currency by.

    The order has one rate between its two currencies; None where a refund is in a third.
    """
    off = Decimal(0)
    for refund in order.refunds:
        for currency, status, amount in _moved(refund):
            worth = amount if currency in {None, wanted} else _at_its_rate(order, amount, currency, wanted)
            if worth is None:
                return None
            off += worth if status != "failed" else Decimal(0)
    return off


def moves_money(refund: payloads.Refunded) -> bool:
    """Whether anything is paid back with it, or is to be."""
    return bool(_moved(refund))


def _at_its_rate(order: payloads.Order, amount: Decimal, currency: str | None, wanted: str | None) -> Decimal | None:
    both = order.total_price_set
    totals = {one.currency_code: one.amount for one in (both.presentment_money, both.shop_money)}
    given, asked = totals.get(currency), totals.get(wanted)
    return rounded(amount * asked / given, wanted) if given and asked is not None else None


def _moved(refund: payloads.Refunded) -> Sequence[tuple[str | None, str, Decimal]]:
    """What a refund moves: by currency, whether it is paid, pending or failed, and how much."""
    return list(_by_currency([one for one in refund.transactions if (one.kind or "").lower() == "refund"]))


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
