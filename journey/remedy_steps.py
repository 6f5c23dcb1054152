"""What the saga of a remedy and its activities tell one another: ids, sums and rules, never a person."""

from decimal import Decimal
from enum import StrEnum

from journey.base import Frozen, Instant
from journey.remedies import By, Choice, RemedyRequest, Stand


class Asked(StrEnum):
    """What a person is asked for."""

    APPROVAL = "approval"
    """May this much be spent?"""
    HAND = "hand"
    """The shop has no API here: do it, and say what it is called there."""
    INSTEAD = "instead"
    """The shop will not do it: what else?"""


class RemedyLook(Frozen):
    """What a remedy is, as its row and the terms have it.

    Attributes:
        choice: what was chosen.
        by: by whom.
        options: what there was to choose from.
        amount: what is spent at most, in `currency`.
        currency: ISO 4217.
        wants_approval: a person has to say yes first.
        by_hand: nobody can ask the shop but a person.
        refund_when_out: see `journey.remedies.RemedyTerms`.
        coupon: an apology goes with it.
        over: why nothing is to be done any more: `already_refunded`, `order_cancelled`, `order_erased`; else None.
    """

    choice: Choice
    by: By
    options: tuple[Choice, ...]
    amount: Decimal
    currency: str
    wants_approval: bool
    by_hand: bool
    refund_when_out: bool
    coupon: bool
    over: str | None = None


class RemedyTask(Frozen):
    """One step at the shop. `turn` counts from 1: a replacement that was undone and is wanted again is another one."""

    request: RemedyRequest
    turn: int = 1


class RemedyDid(Frozen):
    """What came of a step at the shop: `rule` None means done, and else why it cannot be, in one word.

    `reference` is the shop's id of what it made, for people; a coupon's code is not told.
    """

    rule: str | None = None
    reference: str | None = None


class RemedyAsk(Frozen):
    """Ask people, for the `times`-th time, because of `rule`."""

    request: RemedyRequest
    asked: Asked
    choice: Choice
    amount: Decimal
    currency: str
    rule: str | None = None
    times: int = 1


class RemedyWord(Frozen):
    """A person's word to be written down: they approved, or chose `choice` instead. `at` is when, UTC."""

    request: RemedyRequest
    by: str
    at: Instant
    choice: Choice | None = None


class RemedyEnd(Frozen):
    """How it ended, to be written down.

    `reference` is what the shop, or the person who did it there, calls what was made; `rule` why it did not go as
    chosen. `coupon_rule` is why there is none though the terms give one; None where all is well.
    """

    request: RemedyRequest
    stand: Stand
    choice: Choice
    reference: str | None = None
    rule: str | None = None
    coupon_rule: str | None = None
