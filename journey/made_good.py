"""What of a thing was made good already, by anybody, and so what is still to be made good.

The thing is keyed by its units (SKU and quantity). A refund or a replacement that may be of these units concerns a
person, whenever it was made; one that evidently is of all of them ends it. Refunds of other goods do not matter here.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from journey.base import Frozen, Instant
from journey.remedies import Bought, Choice

Units = tuple[tuple[str, int], ...]
"""Each SKU with how many of it."""

ALREADY_REFUNDED: Final = "already_refunded"
ALREADY_REPLACED: Final = "already_replaced"


class Given(Frozen):
    """A refund or a replacement that the shop has on its books for an order, by whose hand it was made does not matter.

    Attributes:
        what: goods or money.
        reference: the shop's id of the refund or of the new order.
        amount: of a refund, in the order's currency.
        units: what it is of; empty where the shop does not say.
        at: when it was made, UTC; None where the shop does not say.
        key: the key of a remedy's step that it bears; None where it bears none of those asked for.
        linked: the shop says that it belongs to the order. False for a free order of the same customer with the same
            goods: that may be a replacement that a person made by hand.
    """

    what: Choice
    reference: str
    amount: Decimal = Decimal(0)
    units: Units = ()
    at: Instant | None = None
    key: str | None = None
    linked: bool = True

    @property
    def name(self) -> str:
        """What it is called among all of an order's: `refund:987`."""
        return f"{self.what}:{self.reference}"

    def line(self, currency: str) -> str:
        """For people: what it is and of what, in ids and sums alone."""
        what = f"refund {self.reference} of {self.amount} {currency}" if self.what is Choice.REFUND else ""
        what = what or f"order {self.reference}"
        of = ", ".join(f"{count} x {sku}" for sku, count in self.units) or "goods not said"
        return f"{what} ({of})"


@dataclass(frozen=True, slots=True)
class Thing:
    """What is to be made good, as it was offered: its units, and what was paid for them."""

    units: Units
    worth: Decimal


@dataclass(frozen=True, slots=True)
class Claim:
    """Another remedy of the same order that stands or may still: its units, its worth, and what the shop made for it.

    `paid_back` when it is done and was a refund, which is among the order's refunds or soon will be.
    """

    units: Units
    worth: Decimal
    paid_back: bool
    references: Collection[str] = ()
    keys: Collection[str] = ()

    def made(self, given: Given) -> bool:
        """Whether that was made for it."""
        return given.key in self.keys or any(same(given.reference, one) for one in self.references)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is left to be made good.

    Attributes:
        units: of the thing, those that nothing evidently covers.
        amount: what may be paid for them at most.
        over: why nothing is left: `already_refunded`, `already_replaced`; None where something is.
        concerns: what a person has to know before anything is spent.
        covering: what made the thing good, where it is over.
        seen: the names of everything that was looked at, so that something new is noticed.
    """

    units: Units
    amount: Decimal
    over: str | None
    concerns: tuple[Given, ...]
    covering: tuple[Given, ...]
    seen: tuple[str, ...]


def same(one: str, other: str) -> bool:
    """Whether two references are one: some shops call a refund gid://shopify/Refund/7 and some 7."""
    return one == other or one.endswith(f"/{other}") or other.endswith(f"/{one}")


def judge(
    thing: Thing,
    lines: Sequence[Bought],
    given: Sequence[Given],
    claims: Sequence[Claim],
    *,
    total: Decimal,
    digits: int,
    known: Collection[str] = (),
) -> Verdict:
    """What is left of a thing, after what the shop gave back and what other remedies of the order claim.

    Args:
        thing: as it was offered.
        lines: the whole order as it was bought, refunds not taken off.
        given: all that the shop gave back for the order, without what was made for this remedy.
        claims: the order's other remedies.
        total: what the order cost.
        digits: the decimals of the currency.
        known: names of what was taken off the thing's worth when it was offered.
    """
    others = [one for one in given if not any(claim.made(one) for claim in claims)]
    prices: dict[str, Decimal] = {}
    free: Counter[str] = Counter()
    for line in lines:
        prices.setdefault(line.sku, line.unit_price)
        free[line.sku] += line.quantity
    for claim in claims:
        free.subtract(dict(claim.units))
    covers = [one for one in others if one.linked and _covers(one, prices)]
    for one in covers:
        free.subtract(dict(one.units))
    units = tuple((sku, left) for sku, count in thing.units if (left := min(count, max(free[sku], 0))))
    gone = _gone(given, claims)
    concerns = [one for one in others if _concerns(one, thing, prices)]
    ours = dict(thing.units)
    partly = [one for one in concerns if one.units and one not in covers and one.name not in known]
    spent = sum((one.amount for one in partly if one.what is Choice.REFUND), Decimal(0))
    amount = thing.worth * _value(units, prices) / whole if (whole := _value(thing.units, prices)) else thing.worth
    cent = Decimal(1).scaleb(-digits)
    amount = max(min(amount.quantize(cent, ROUND_HALF_UP) - spent, total - gone), Decimal(0))
    over = ALREADY_REFUNDED if 0 < total <= gone else None
    if over is None and thing.units and not units:
        over = ALREADY_REFUNDED
    covering = [one for one in covers if ours.keys() & dict(one.units).keys()] or concerns if over else []
    if any(one.what is Choice.REPLACEMENT for one in covering):
        over = ALREADY_REPLACED
    return Verdict(units, amount, over, tuple(concerns), tuple(covering), tuple(sorted(one.name for one in given)))


def together(told: Sequence[Given], booked: Sequence[Given]) -> list[Given]:
    """What webhooks told and what the shop's own books have, each once; the books know more of it."""
    left = [
        one
        for one in told
        if not any(one.what is other.what and same(one.reference, other.reference) for other in booked)
    ]
    return [*booked, *left]


def _covers(given: Given, prices: dict[str, Decimal]) -> bool:
    """Whether it makes the units that it names good: any goods do, money where it is what they cost."""
    if not given.units:
        return False
    return given.what is Choice.REPLACEMENT or 0 < _value(given.units, prices) <= given.amount


def _concerns(given: Given, thing: Thing, prices: dict[str, Decimal]) -> bool:
    """Whether it may be of these units; what names other goods alone, and pays no more than them, is not."""
    if not given.units or dict(given.units).keys() & dict(thing.units).keys():
        return True
    return given.what is Choice.REFUND and given.amount > _value(given.units, prices)


def _value(units: Units, prices: dict[str, Decimal]) -> Decimal:
    return sum((prices.get(sku, Decimal(0)) * count for sku, count in units), Decimal(0))


def _gone(given: Sequence[Given], claims: Sequence[Claim]) -> Decimal:
    """What of the order's total was paid back or is promised."""
    # A refund that another remedy had made may not have been told yet: the larger of both sums holds it.
    told = sum((one.amount for one in given if one.what is Choice.REFUND), Decimal(0))
    done = sum((claim.worth for claim in claims if claim.paid_back), Decimal(0))
    promised = sum((claim.worth for claim in claims if not claim.paid_back), Decimal(0))
    return promised + max(told, done)
