"""What an order comes to, part by part, in the currency that its customer paid in, and whether that adds up."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

_NOTHING: Final = Decimal(0)


def all_paid_back(paid_back: Mapping[str, Decimal], totals: Mapping[str, Decimal]) -> bool:
    """Whether the whole total of one of the currencies went back; sums of two currencies never meet."""
    return any(totals[one] <= back for one, back in paid_back.items() if back and one in totals)


@dataclass(frozen=True, slots=True)
class Sums:
    """The parts of an order's total, all in one currency and in its own units; None is what nobody said.

    Attributes:
        currency: ISO 4217, the one that the customer paid in.
        total: what was to be paid, before gift cards.
        lines: what each line costs in all, before the discount; empty where nobody said it.
        discount: what was taken off, a positive amount.
        shipping: what bringing it costs.
        fees: further costs, such as wrapping, duties or a tip.
        tax: all tax.
        tax_included: whether the other parts have the tax in them already; None where nobody said so.
        gift_cards: what of the total was paid with gift cards, a positive amount.
    """

    currency: str
    total: Decimal
    lines: tuple[Decimal, ...] = ()
    discount: Decimal | None = None
    shipping: Decimal | None = None
    fees: Decimal | None = None
    tax: Decimal | None = None
    tax_included: bool | None = None
    gift_cards: Decimal | None = None

    @property
    def goods(self) -> Decimal:
        """All lines together."""
        return sum(self.lines, _NOTHING)

    @property
    def with_tax_on_top(self) -> bool | None:
        """Whether the tax comes on top of the other parts; None where they do not add up either way."""
        if not self.lines or (self.gift_cards or _NOTHING) > self.total:
            return None
        parts = self.goods - (self.discount or _NOTHING) + (self.shipping or _NOTHING) + (self.fees or _NOTHING)
        if parts == self.total and (self.tax_included is not False or not self.tax):
            return False
        if self.tax and parts + self.tax == self.total and self.tax_included is not True:
            return True
        return None

    @property
    def adds_up(self) -> bool | None:
        """Whether the parts come to the total exactly; None where nobody said the lines, or what there is beside."""
        unsaid = all(part is None for part in (self.discount, self.shipping, self.fees, self.tax, self.gift_cards))
        if not self.lines or (unsaid and self.goods < self.total):
            return None
        return self.with_tax_on_top is not None

    @property
    def parts(self) -> Mapping[str, Decimal]:
        """What may be shown beside the lines and the total, by name; empty unless all of it adds up.

        `goods`, `discount`, `shipping`, `fees` and `tax` come to the total; `tax_included` is in it. `gift_cards` and
        `paid`, what was left to pay after them, come to the total, too.
        """
        on_top = self.with_tax_on_top
        if on_top is None:
            return {}
        of_total = {
            "discount": self.discount,
            "shipping": self.shipping,
            "fees": self.fees,
            "tax": self.tax if on_top else None,
        }
        shown = {name: amount for name, amount in of_total.items() if amount}
        found: dict[str, Decimal] = {"goods": self.goods, **shown} if shown else {}
        if self.tax and not on_top:
            found["tax_included"] = self.tax
        if self.gift_cards:
            found |= {"gift_cards": self.gift_cards, "paid": self.total - self.gift_cards}
        return found
