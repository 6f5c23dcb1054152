"""The parts of an order's total as shops say them, and as they are kept beside the order."""

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Protocol

import structlog
from pydantic import BeforeValidator, ConfigDict

from journey.sums import Sums
from store import concerns
from store.fields import Amount, Currency
from store.pool import Connection
from store.reading import EXACT, Lenient, listed

_log = structlog.get_logger(__name__)


_PARTS = ("discount", "shipping", "fees", "tax", "gift_cards")


class SaidSums(Lenient):
    """What a shop says of an order's total; what is left out is not known. `journey.sums.Sums` says what each is.

    `currency` and `total` are those that the customer paid in, None where they are the order's own. `lines` stand in
    the order of the order's lines.
    """

    model_config = ConfigDict(frozen=True)

    currency: Annotated[Currency | None, EXACT] = None
    total: Amount | None = None
    lines: Annotated[tuple[Amount, ...], BeforeValidator(listed)] = ()
    discount: Amount | None = None
    shipping: Amount | None = None
    fees: Amount | None = None
    tax: Amount | None = None
    tax_included: bool | None = None
    gift_cards: Amount | None = None


class _Line(Protocol):
    @property
    def quantity(self) -> int: ...
    @property
    def unit_price(self) -> Decimal: ...


def of(said: SaidSums | None, *, currency: str | None, total: Decimal, lines: Sequence[_Line]) -> Sums | None:
    """The sums of an order in `currency` that comes to `total`; None where nobody said any that are of use."""
    if said is None:
        return None
    own = said.currency is None or said.currency == currency
    paid_in, paid = (currency, total if said.total is None else said.total) if own else (said.currency, said.total)
    if paid_in is None or paid is None:
        return None
    each = said.lines if len(said.lines) == len(lines) else ()
    if not each and own and any(getattr(said, part) is not None for part in _PARTS):
        each = tuple(line.unit_price * line.quantity for line in lines)
    parts = {
        name: getattr(said, name) for name in ("discount", "shipping", "fees", "tax", "tax_included", "gift_cards")
    }
    return Sums(currency=paid_in, total=paid, lines=each, **parts)


class _Order(Protocol):
    @property
    def sums(self) -> SaidSums | None: ...
    @property
    def total(self) -> Decimal: ...
    @property
    def lines(self) -> Sequence[_Line]: ...


async def say(
    connection: Connection, shop: str, order_id: str, order: _Order, *, currency: str | None, at: datetime
) -> None:
    """Write down what a shop says of an order as it stands since `at`; `currency` is the order's own."""
    found = of(order.sums, currency=currency, total=order.total, lines=order.lines)
    if found is not None and found.adds_up is False:
        # A customer is told what is sure, the lines and the total.
        _log.warning("sums do not add up", order=f"{shop}/{order_id}")
        await concerns.note(connection, shop, order_id, concerns.Kind.SUMS, at=at)
    await write(connection, shop, order_id, found)


async def write(connection: Connection, shop: str, order_id: str, sums: Sums | None) -> None:
    """Keep an order's sums as they stand now; None forgets those of before."""
    await connection.execute(
        "UPDATE orders SET sums = $3 WHERE shop = $1 AND order_id = $2 AND sums IS DISTINCT FROM $3",
        shop,
        order_id,
        None if sums is None else json.dumps(asdict(sums), default=str),
    )


def read(kept: str | None) -> Sums | None:
    """An order's sums out of its row's `sums`."""
    if kept is None:
        return None
    said: dict[str, Any] = json.loads(kept)
    known = {one.name: said[one.name] for one in fields(Sums) if said.get(one.name) is not None}
    amounts = {
        name: Decimal(value) for name, value in known.items() if name not in {"currency", "lines", "tax_included"}
    }
    return Sums(**{**known, **amounts, "lines": tuple(Decimal(one) for one in known.get("lines", ()))})
