"""An order's money as an operator is told it."""

from decimal import Decimal
from typing import Self

from pydantic import BaseModel

from store.accounts import OrderRow


class Money(BaseModel):
    """What an order comes to: `total` in the order's own `currency`.

    `paid_in` is the currency of the customer's checkout and `paid` the total there, `parts` what that is made of, where
    the shop says it; `adds_up` is None where it says nothing.
    """

    currency: str
    total: Decimal
    paid_in: str | None = None
    paid: Decimal | None = None
    parts: dict[str, Decimal] = {}
    adds_up: bool | None = None

    @classmethod
    def of(cls, row: OrderRow) -> Self:
        """The money of an order's row."""
        sums = row.sums
        if sums is None:
            return cls(currency=row.currency, total=row.total)
        # Tax that is in the other parts already is called that, or they would seem not to come to the total.
        included = sums.tax_included if sums.with_tax_on_top is None else not sums.with_tax_on_top
        said = {
            "goods": sums.goods if sums.lines else None,
            "discount": sums.discount,
            "shipping": sums.shipping,
            "fees": sums.fees,
            "tax_included" if included else "tax": sums.tax,
            "gift_cards": sums.gift_cards,
        }
        return cls(
            currency=row.currency,
            total=row.total,
            paid_in=sums.currency,
            paid=sums.total,
            parts={name: amount for name, amount in said.items() if amount is not None},
            adds_up=sums.adds_up,
        )

    def __str__(self) -> str:
        if self.paid_in is None:
            return f"{self.total} {self.currency}"
        own = "" if self.paid_in == self.currency else f" (for the shop {self.total} {self.currency})"
        parts = ", ".join(f"{name.replace('_', ' ')} {amount}" for name, amount in self.parts.items())
        odd = "" if self.adds_up is not False else "; they do not add up, and the customer sees lines and total alone"
        return f"{self.paid} {self.paid_in}{own}" + (f": {parts}{odd}" if parts else "")
