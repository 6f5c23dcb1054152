"""An order's money as its customer is shown it: in the currency they paid in, and only what adds up."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from journey.sums import Sums

PARTS = ("goods", "discount", "shipping", "fees", "tax", "tax_included", "gift_cards", "paid")
"""What may stand beside the lines and the total; empty where there is none, or where the parts do not add up."""


class _Line(Protocol):
    @property
    def quantity(self) -> int: ...
    @property
    def unit_price(self) -> Decimal: ...


class _Order(Protocol):
    @property
    def currency(self) -> str: ...
    @property
    def total(self) -> Decimal: ...
    @property
    def lines(self) -> Sequence[_Line]: ...
    @property
    def sums(self) -> Sums | None: ...


def sums_shown(
    order: _Order, money: Callable[[Decimal, str], str]
) -> tuple[str, Mapping[str, str], Sequence[Mapping[str, str]]]:
    """The total, its parts by the names of `PARTS`, and what each line costs; `money` writes an amount of a currency.

    A line has `line_total` and `unit_price`, empty where it is not known in the currency that was paid in.
    """
    said = order.sums
    currency = order.currency if said is None else said.currency
    total = order.total if said is None else said.total
    parts = {} if said is None or len(said.lines) != len(order.lines) else said.parts

    def written(amount: Decimal | None) -> str:
        return "" if amount is None else money(amount, currency)

    each = [
        {"line_total": written(all_of_it), "unit_price": written(one)}
        for one, all_of_it in map(_prices, order.lines, _of_lines(order, said))
    ]
    # What is taken off is written with a minus, which languages place in their own way.
    signed = {name: -amount if name in {"discount", "gift_cards"} else amount for name, amount in parts.items()}
    return written(total), {name: written(signed.get(name)) for name in PARTS}, each


def _of_lines(order: _Order, said: Sums | None) -> Sequence[Decimal | None]:
    """What each line costs in the currency that is shown; None where that is not known."""
    if said is not None and len(said.lines) == len(order.lines):
        return said.lines
    if said is not None and said.currency != order.currency:
        return [None] * len(order.lines)
    each = [line.unit_price * line.quantity for line in order.lines]
    # A price of nothing is one that nobody said, unless the others make up all of the total.
    said_all = sum(each, Decimal(0)) >= order.total
    return [amount if amount or said_all else None for amount in each]


def _prices(line: _Line, all_of_it: Decimal | None) -> tuple[Decimal | None, Decimal | None]:
    """What one and what all of a line cost; the price of one is None where it is no whole part of the other."""
    if all_of_it is None:
        return None, None
    if line.unit_price * line.quantity == all_of_it:
        return line.unit_price, all_of_it
    one = (all_of_it / line.quantity).quantize(all_of_it)
    return (one if one * line.quantity == all_of_it else None), all_of_it
