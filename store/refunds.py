"""Refunds: each its own sum in its own currency, that counts once it was paid. Every write may be repeated.

Functions take a connection inside the caller's transaction and answer what the journey has to be told.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from journey import events
from journey.sums import Sums, all_paid_back
from store import concerns, intake, sums, taken_off
from store.money import in_currency, rounded
from store.pool import Connection

_KEPT = """
SELECT o.currency AS usual, r.refund_id IS NOT NULL AS known, r.status, r.amount, r.currency, r.whole, r.at, r.said_at
FROM orders o LEFT JOIN refunds r ON (r.shop, r.order_id, r.refund_id) = (o.shop, o.order_id, $3)
WHERE o.shop = $1 AND o.order_id = $2 FOR UPDATE OF o
"""
_WRITE = """
INSERT INTO refunds (shop, order_id, refund_id, amount, currency, at, status, whole, said_at, units)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (shop, order_id, refund_id) DO UPDATE SET
    units = coalesce(refunds.units, excluded.units), amount = excluded.amount, currency = excluded.currency,
    at = excluded.at, status = excluded.status, whole = excluded.whole, said_at = excluded.said_at
"""
_PAID_ROWS = """
SELECT r.refund_id, r.amount, coalesce(r.currency, o.currency) AS currency, r.at
FROM refunds r JOIN orders o USING (shop, order_id)
WHERE shop = $1 AND order_id = $2 AND r.status = 'paid' ORDER BY r.at, r.refund_id
"""
OF_ORDER: Final = """
(SELECT json_object_agg(r.refund_id, json_build_array(r.amount::text, coalesce(r.currency, o.currency), r.whole))
   FROM refunds r WHERE r.shop = o.shop AND r.order_id = o.order_id AND r.status = 'paid')"""
"""The refunds of an order `o` that were paid, as a column that `of_row` reads."""


class Refund(NamedTuple):
    """A refund that was paid; `whole`: the shop says that with it all was."""

    amount: Decimal
    currency: str
    whole: bool = False


@dataclass(frozen=True, slots=True)
class _Standing:
    """A refund as it is known; `said_at` when the shop said so, None where it did not say when."""

    status: str
    amount: Decimal
    currency: str
    at: datetime
    whole: bool
    said_at: datetime | None

    def told(self, word: "_Standing", *, received_at: datetime) -> "_Standing":
        """The same after one more word about it.

        What was paid stays paid, unless a shop that says when it says so takes it back; its sum may grow, and where a
        later word corrects it, shrink. What is not paid is as the last word has it; when it is paid is when that is
        heard of, unless its own moment is a later one.
        """
        since, now = self.said_at, word.said_at
        dated = since is not None and now is not None
        if since is not None and now is not None and since > now:
            return self
        said_at = word.said_at or self.said_at
        if self.status != "paid":
            late = self.status == "pending" and word.status == "paid" and word.at <= self.at
            return _Standing(
                word.status,
                word.amount,
                word.currency,
                max(received_at, self.at) if late else word.at,
                self.whole or word.whole,
                said_at,
            )
        if word.status == "failed" and dated:
            return _Standing("failed", self.amount, self.currency, self.at, whole=False, said_at=said_at)
        amount = self.amount
        if word.status == "paid" and word.currency == self.currency:
            amount = word.amount if dated else max(amount, word.amount)
        return _Standing("paid", amount, self.currency, self.at, self.whole or word.whole, said_at)


async def write(
    connection: Connection, event: intake.OrderRefunded, *, received_at: datetime
) -> tuple[list[events.Event], bool]:
    """Write a refund down; what to tell the journey, and whether it was not known before.

    The journey hears of none that is not paid, and of none of nothing, unless the shop says that all was paid back.
    Where one is declined that was told, people are told.
    """
    place = (event.shop, event.order_id, event.refund_id)
    row = await connection.fetchrow(_KEPT, *place)
    currency = event.currency or row["usual"]
    said = in_currency(event, currency)
    full = event.full and event.status == "paid"
    word = _Standing(event.status, said.amount, currency, event.at, full, event.said_at)
    before = _known(row)
    now = word if before is None else before.told(word, received_at=received_at)
    kept = (now.amount, now.currency, now.at, now.status, now.whole, now.said_at)
    await connection.execute(_WRITE, *place, *kept, json.dumps(event.units) if event.units else None)
    if before is not None and before.status == "paid" and now.status != "paid" and before.amount:
        kind = concerns.Kind.DECLINED
        await concerns.note(connection, event.shop, event.order_id, kind, subject=event.refund_id, at=received_at)
    off = await taken_off.told(connection, event, None if before is None else before.status, received_at=received_at)
    if now.status != "paid" or not (now.amount or now.whole):
        return off, bool(off) and (before is None or before.status != now.status)
    this = events.OrderRefunded(at=now.at, refund_id=event.refund_id, amount=now.amount, full=now.whole)
    news = before is None or (before.status, before.whole, before.amount) != (now.status, now.whole, now.amount)
    last = await completing(connection, event.shop, event.order_id)
    if last is None:
        return [this, *off], news
    return [*([last] if last.refund_id == this.refund_id else [this, last]), *off], news


async def completing(connection: Connection, shop: str, order_id: str) -> events.OrderRefunded | None:
    """The refund with which the whole total was paid back, whatever order the refunds became known in.

    That is decided for each currency by itself: the order's own, and the one that the customer paid in.
    """
    order = await connection.fetchrow(
        "SELECT currency, total, sums FROM orders WHERE shop = $1 AND order_id = $2", shop, order_id
    )
    totals = totals_of(order["currency"], order["total"], sums.read(order["sums"]))
    known: dict[str, Refund] = {}
    for row in await connection.fetch(_PAID_ROWS, shop, order_id):
        known[row["refund_id"]] = Refund(row["amount"], row["currency"])
        if row["amount"] and all_back(known, totals):
            return events.OrderRefunded(at=row["at"], refund_id=row["refund_id"], amount=row["amount"], full=True)
    return None


def totals_of(currency: str, total: Decimal, paid: Sums | None) -> Mapping[str, Decimal]:
    """What an order comes to, in its own currency and in the one that its customer paid in, by currency."""
    return ({} if paid is None else {paid.currency: paid.total}) | {currency: total}


def of_row(kept: str | None) -> Mapping[str, Refund]:
    """The refunds that were paid, by id, out of `OF_ORDER`."""
    said: dict[str, tuple[str, str, bool]] = json.loads(kept or "{}")
    return {refund: Refund(Decimal(amount), currency, whole) for refund, (amount, currency, whole) in said.items()}


def in_own(refund: Refund, currency: str, total: Decimal, paid: Sums | None) -> Decimal:
    """A refund's sum in the order's own currency, at the order's one rate; nothing where nobody knows what it is."""
    if refund.currency == currency:
        return refund.amount
    known = paid is not None and paid.currency == refund.currency and paid.total
    return rounded(refund.amount * total / paid.total, currency) if paid is not None and known else Decimal(0)


def paid_back(refunds: Mapping[str, Refund]) -> Mapping[str, Decimal]:
    """What was paid back, by currency; nothing of sums that nobody says."""
    found: dict[str, Decimal] = {}
    for refund in refunds.values():
        if refund.amount:
            found[refund.currency] = found.get(refund.currency, Decimal(0)) + refund.amount
    return found


def all_back(refunds: Mapping[str, Refund], totals: Mapping[str, Decimal]) -> bool:
    """Whether all of an order was paid back: the shop says so, or the refunds come to one of its totals."""
    return any(refund.whole for refund in refunds.values()) or all_paid_back(paid_back(refunds), totals)


def _known(row: Mapping[str, Any]) -> _Standing | None:
    if not row["known"]:
        return None
    # A version of before wrote no currency.
    currency = row["currency"] or row["usual"]
    return _Standing(row["status"], row["amount"], currency, row["at"], row["whole"], row["said_at"])
