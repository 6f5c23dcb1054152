"""Making good a parcel that will not come: a replacement XOR the money, never both, never twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Final, Literal

from journey.authoring import Limits
from journey.base import Authored, Frozen, Instant, Span


class Choice(StrEnum):
    """What makes it good. There is no third."""

    REPLACEMENT = "replacement"
    REFUND = "refund"


class By(StrEnum):
    """Who chose."""

    CUSTOMER = "customer"
    REPLY = "reply"
    OPERATOR = "operator"
    DEFAULT = "default"


class Stand(StrEnum):
    """Where a remedy stands.

    offered → chosen → (awaiting_approval →) in_hand → done, or failed: the shop could not, and a person called it off.
    Withdrawn when its reason went away before anybody chose, or a person called it off before anything was done;
    declined by the person who was asked to approve.
    """

    OFFERED = "offered"
    CHOSEN = "chosen"
    AWAITING_APPROVAL = "awaiting_approval"
    IN_HAND = "in_hand"
    DONE = "done"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"
    DECLINED = "declined"


ENDS: Final = frozenset({Stand.DONE, Stand.FAILED, Stand.WITHDRAWN, Stand.DECLINED})


class RemedyTerms(Authored):
    """A playbook's terms for remedies.

    Attributes:
        severe_delay: this long behind its promise a parcel is given up; a loss is at once.
        choose_within: from the offer; then `default` falls in. `person` leaves it to the shop's people.
        default: what is done when nothing was chosen in time.
        approve_above: by currency, the amount above which a person approves; a currency that is not there always wants
            one, none at all (empty) means that nobody is asked.
        refund_when_out: whether a replacement that the shop has no goods for becomes a refund by itself; above
            `approve_above`, or without it, a person says so.
        coupon_percent: off the next order, as an apology, with every remedy; 0 for none.
        coupon_days: for how long that code is good.
    """

    severe_delay: Span = timedelta(days=7)
    choose_within: Span = timedelta(days=3)
    default: Choice | Literal["person"] = Choice.REFUND
    approve_above: Mapping[str, Annotated[Decimal, Limits(ge=0)]] = {}
    refund_when_out: bool = True
    coupon_percent: Annotated[int, Limits(ge=0, le=50)] = 0
    coupon_days: Annotated[int, Limits(ge=1, le=730)] = 90

    def wants_approval(self, amount: Decimal, currency: str) -> bool:
        """Whether a person has to say yes before `amount` is spent."""
        if not self.approve_above:
            return False
        limit = self.approve_above.get(currency)
        return limit is None or amount > limit


class Action(StrEnum):
    """What a journey wants done about the remedy of a parcel."""

    OFFER = "offer"
    """Ask the customer."""
    DEFAULT = "default"
    """Nobody chose in time: the playbook's default falls in."""
    WITHDRAW = "withdraw"
    """The parcel turned up before anybody chose."""


class RemedyStep(Frozen):
    """What a journey asks of the activity `remedy`; the same step may be asked again and changes nothing then.

    Attributes:
        action: what is to be done.
        shop: the order's.
        order_id: whose parcel it is.
        part: the parcel's tracking number.
        reason: one word for why, such as `lost` or `delayed`.
        playbook: the digest whose terms hold.
        at: now, by the journey's clock, UTC.
        choose_by: until when the customer may choose, UTC.
        skus: what is in the parcel, as the journey knows it; None where nobody said.
    """

    action: Action
    shop: str
    order_id: str
    part: str
    reason: str
    playbook: str
    at: Instant
    choose_by: Instant
    skus: tuple[str, ...] | None = None


class RemedyAnswer(Frozen):
    """How the remedy stands now: whoever chose first is who stands, whatever the step wanted.

    `choice` and `by` are None until somebody chose, and for ever when it was withdrawn. After `default` they are None
    with `status` offered when the terms leave it to a person, who has been told. `unoffered` when the customer is not
    asked at all: people were told instead.
    """

    status: Stand
    choice: Choice | None = None
    by: By | None = None
    unoffered: bool = False


class RemedyRequest(Frozen):
    """What the saga of one remedy is started with: ids alone, the rest is in its row. `part` is the parcel's number.

    `playbook` is the digest whose terms hold; `at` when the choice was made known, UTC. `number` is what the shop shows
    of the order, None where that is its id.
    """

    shop: str
    order_id: str
    part: str
    playbook: str
    at: Instant
    number: str | None = None

    @property
    def workflow_id(self) -> str:
        """One saga for a parcel of an order, for ever: see `remedy_id`."""
        return remedy_id(self.shop, self.order_id, self.part)

    def key(self, step: str) -> str:
        """The idempotency key of one of its steps, such as `refund`: the same on every attempt."""
        return f"{self.workflow_id}:{step}"

    @property
    def refund_key(self) -> str:
        """The key of its refund."""
        return self.key("refund")

    def replacement_key(self, turn: int) -> str:
        """The key of its replacement and of what undoes it; one that was undone and is wanted again has another."""
        return self.key("replacement" if turn == 1 else f"replacement:{turn}")


def remedy_id(shop: str, order_id: str, part: str) -> str:
    """`remedy:{shop}:{order_id}:{part}`, in which an order id's own colons are percent-encoded: no two share one."""
    order = order_id.replace("%", "%25").replace(":", "%3A")
    return f"remedy:{shop}:{order}:{part}"


@dataclass(frozen=True, slots=True)
class Bought:
    """A line of an order as it counts here; `unit_price` in the order's currency. `travels`: it is sent in parcels."""

    sku: str
    quantity: int
    unit_price: Decimal
    travels: bool = True


@dataclass(frozen=True, slots=True)
class Worth:
    """What a parcel holds and what was paid for it.

    `skus` is each SKU with how many of it, by SKU. `sure` is False where that is a guess, for a person to look at.
    """

    skus: tuple[tuple[str, int], ...]
    amount: Decimal
    sure: bool


def worth(
    lines: Sequence[Bought],
    parcels: Mapping[str, Sequence[str] | None],
    part: str,
    *,
    total: Decimal,
    digits: int,
    said: Mapping[str, Sequence[tuple[str, int]]] = MappingProxyType({}),
) -> Worth:
    """What the parcel `part` holds, and its lines' share of what was paid, discounts, taxes and shipping included.

    Where nobody says how many are in a parcel, and there are more than parcels that hold them, it is a guess: the rest
    may be in a parcel that is still to come. So is the share of a line without a price, unless the others' prices make
    up the whole total: then it was free.

    Args:
        lines: the whole order.
        parcels: every parcel of the order that counts, oldest first, with its SKUs; None where nobody said. A parcel
            of unknown contents holds what no other one names.
        part: one of them.
        total: what the order cost.
        digits: the decimals of the currency.
        said: how many of which SKU are in a parcel, for those where the shop says so.
    """
    bought: dict[str, int] = {}
    for line in lines:
        if line.travels:
            bought[line.sku] = bought.get(line.sku, 0) + line.quantity
    priced = sum((line.unit_price * line.quantity for line in lines), Decimal(0)) >= total
    unpriced = set() if priced else {line.sku for line in lines if line.travels and not line.unit_price}
    counted = dict(said.get(part, ()))
    if counted and all(counted[sku] <= bought.get(sku, 0) for sku in counted):
        return Worth(
            tuple(sorted(counted.items())), _share(lines, counted, total, digits), not unpriced & counted.keys()
        )
    unknown = [number for number, skus in parcels.items() if skus is None]
    named = parcels[part]
    held: dict[str, int] = {}
    sure = named is not None or len(unknown) == 1
    for sku, quantity in bought.items():
        holders = [number for number, skus in parcels.items() if skus is not None and sku in skus]
        plain = quantity == len(holders) == 1 or (quantity == len(holders) and not unknown)
        if named is None:
            if not holders:
                held[sku] = quantity
            sure = sure and (not holders or plain)
        elif sku in named:
            place = holders.index(part)
            held[sku] = quantity // len(holders) + (place < quantity % len(holders))
            sure = sure and plain
    skus = tuple(sorted((sku, quantity) for sku, quantity in held.items() if quantity))
    return Worth(skus, _share(lines, dict(skus), total, digits), sure and not unpriced & dict(skus).keys())


def _share(lines: Sequence[Bought], held: Mapping[str, int], total: Decimal, digits: int) -> Decimal:
    """The part of the total that these goods have in the value of all lines."""
    left = dict(held)
    value = whole = Decimal(0)
    for line in lines:
        whole += line.unit_price * line.quantity
        if line.travels:
            taken = min(left.get(line.sku, 0), line.quantity)
            left[line.sku] = left.get(line.sku, 0) - taken
            value += line.unit_price * taken
    share = total * value / whole if whole else Decimal(0)
    cent = Decimal(1).scaleb(-digits)
    return share.quantize(cent, ROUND_HALF_UP)
