"""What a journey knows of its order: ids, products, money and places, and nobody's name."""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Final

from pydantic import Field

from journey.base import Frozen, Instant, Span
from journey.zones import FIRST, possible_zones


class LineKind(StrEnum):
    """What a line is: goods, access that is given the moment it is bought, or what is neither sent nor opened.

    Services are lessons, appointments, repairs, gift cards that the shop's platform sends by itself.
    """

    PHYSICAL = "physical"
    DIGITAL = "digital"
    SERVICE = "service"


class Handover(StrEnum):
    """How an order's goods get to their customer; `none` where it has no goods, only access and services."""

    SENT = "sent"
    COLLECTED = "collected"
    TILL = "till"
    NONE = "none"


TILL: Final = "pos"
"""The channel of what is sold over the counter and taken along there."""


def handover(*, channel: str, kinds: Iterable[LineKind], collected: bool) -> Handover:
    """How the goods among an order's lines get to their customer; `collected` is in the shop's own store."""
    if LineKind.PHYSICAL not in set(kinds):
        return Handover.NONE
    if channel == TILL:
        return Handover.TILL
    return Handover.COLLECTED if collected else Handover.SENT


class Buyer(StrEnum):
    """Whether the customer had bought at this shop before this order."""

    FIRST = "first"
    REPEAT = "repeat"


class LineFacts(Frozen):
    """One line of the order; `category` and unknown SKUs are the shop's own words."""

    sku: str
    quantity: int = Field(ge=1)
    category: str | None = None
    kind: LineKind = LineKind.PHYSICAL


class OrderFacts(Frozen):
    """The order as the rules see it.

    `number` is what the shop shows of it, None where that is its id.
    `total` is in `currency` (ISO 4217), `country` ISO 3166 alpha-2 or None, `time_zone` the customer's IANA zone or
    None when only the country can tell. `dispatch_within` is how long the shop usually takes to hand an order over,
    None where that was not learnt. `zone_rules` is the release of the tz database that the run counts by, see
    `journey.zones`. `collected` is an order that is kept ready in the shop's own store.
    """

    shop: str
    order_id: str
    placed_at: Instant
    channel: str = "online"
    currency: str
    total: Decimal = Field(ge=0)
    country: str | None = None
    time_zone: str | None = None
    buyer: Buyer = Buyer.FIRST
    lines: tuple[LineFacts, ...]
    dispatch_within: Span | None = None
    zone_rules: str = FIRST
    collected: bool = False
    number: str | None = None

    @cached_property
    def zones(self) -> tuple[str, ...]:
        """Where the customer's clock may be."""
        return possible_zones(self.time_zone, self.country, self.zone_rules)

    @cached_property
    def physical(self) -> bool:
        """Whether anything travels: a line of goods, bought elsewhere than at a till."""
        return self.channel != TILL and any(line.kind is LineKind.PHYSICAL for line in self.lines)

    @cached_property
    def handover(self) -> Handover:
        """How its goods get to the customer."""
        return handover(channel=self.channel, kinds=(line.kind for line in self.lines), collected=self.collected)

    @cached_property
    def digital(self) -> bool:
        """Whether any line is access rather than goods."""
        return any(line.kind is LineKind.DIGITAL for line in self.lines)

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """The categories bought, each once, in the order's own order."""
        return tuple(dict.fromkeys(line.category for line in self.lines if line.category))

    @cached_property
    def goods(self) -> frozenset[str]:
        """The SKUs that travel."""
        return frozenset(line.sku for line in self.lines if line.kind is LineKind.PHYSICAL)
