"""What the saga of a remedy and its activities tell one another: ids, sums and rules, never a person."""

from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from journey.base import Frozen, Instant
from journey.remedies import By, Choice, RemedyRequest, Stand


class Asked(StrEnum):
    """What a person is asked for."""

    APPROVAL = "approval"
    """May this much be spent?"""
    HAND = "hand"
    """The shop has no API here: do it, and say what was done and what it is called there."""
    INSTEAD = "instead"
    """The shop will not do it: what else?"""
    CHECK = "check"
    """The shop does not say whether the replacement or the refund stands: look there."""


class Step(StrEnum):
    """What is asked of the shop; the activity is called `remedy_{step}`."""

    RESERVE = "reserve"
    RELEASE = "release"
    REPLACE = "replace"
    CANCEL = "cancel_replacement"
    REFUND = "refund"
    COUPON = "coupon"
    WITHDRAW_COUPON = "withdraw_coupon"


class Answer(StrEnum):
    """What became of a request to the shop."""

    DONE = "done"
    REFUSED = "refused"
    """Not done, and asking again is no use."""
    BUSY = "busy"
    """Certainly not done: ask again later."""
    UNKNOWN = "unknown"
    """It may have been done, or may still be."""


class Made(Frozen):
    """What the shop has on its books for this very remedy: it bears the remedy's key."""

    choice: Choice
    reference: str


class RemedyLook(Frozen):
    """What a remedy is now, as its row, the terms and the shop's own books have it. A look changes nothing.

    Attributes:
        choice: what was chosen.
        by: by whom.
        options: what there was to choose from.
        skus: the units that are still to be made good.
        amount: what is spent at most, in `currency`.
        currency: ISO 4217.
        wants_approval: a person has to say yes first.
        concerns: what that person has to know: refunds and replacements that were seen, in ids and sums.
        seen: names of all that the shop has given back so far; see `journey.made_good.Verdict`.
        by_hand: no API of the shop is configured, so people do it there.
        refund_when_out: see `journey.remedies.RemedyTerms`.
        coupon: an apology goes with it.
        settles: how long a request to this shop that got no answer may still be carried out.
        made: what the shop has made for this remedy already.
        over: why nothing is to be done any more: `already_refunded`, `already_replaced`, `order_cancelled`,
            `parcel_arrived`; else None.
        covered_by: the shop's id of what made it good, where it is over by that.
        turn: of the last replacement that was begun, see `RemedyTask`.
    """

    choice: Choice
    by: By
    options: tuple[Choice, ...]
    skus: tuple[tuple[str, int], ...]
    amount: Decimal
    currency: str
    wants_approval: bool
    by_hand: bool
    refund_when_out: bool
    coupon: bool
    concerns: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    settles: timedelta = timedelta(minutes=1)
    made: Made | None = None
    over: str | None = None
    covered_by: str | None = None
    turn: int = 1


class RemedyTask(Frozen):
    """One step at the shop, with what was agreed to: the units and the most that is paid for them.

    `turn` counts from 1: a replacement that was undone and is wanted again is another one. `seen` is what was on the
    shop's books when it was decided: where there is more by now, nothing is made. `tries` counts from 1. `maybe` where
    an earlier request for it may have been carried out.
    """

    request: RemedyRequest
    turn: int = 1
    skus: tuple[tuple[str, int], ...] = ()
    amount: Decimal = Decimal(0)
    seen: tuple[str, ...] = ()
    tries: int = 1
    maybe: bool = False


class RemedyDid(Frozen):
    """What came of a step at the shop: `rule` is why it was not done, in one word.

    `reference` is the shop's id of what it made, for people; a coupon's code is not told. `wait` is how long a shop
    that is busy wants to be left alone. `unseen` where this attempt did nothing, and could not look whether an earlier
    one did, for a reason that will stay.
    """

    answer: Answer = Answer.DONE
    rule: str | None = None
    reference: str | None = None
    wait: timedelta | None = None
    unseen: bool = False


class RemedyAsk(Frozen):
    """Ask people, for the `times`-th time, because of `rule` and what was seen."""

    request: RemedyRequest
    asked: Asked
    choice: Choice
    amount: Decimal
    currency: str
    rule: str | None = None
    concerns: tuple[str, ...] = ()
    times: int = 1


class RemedyNote(Frozen):
    """A person's word to be written down: they approved, or chose `choice` instead. `at` is when, UTC."""

    request: RemedyRequest
    by: str
    at: Instant
    choice: Choice | None = None


class RemedyEnd(Frozen):
    """How it ended, to be written down.

    `reference` is what the shop, or the person who did it there, calls what was made; `rule` why it did not go as
    chosen; `amount` what was paid or made good at most, None where that stays as it was offered. `coupon_rule` is why
    there is no coupon though the terms give one; None where all is well.
    """

    request: RemedyRequest
    stand: Stand
    choice: Choice
    reference: str | None = None
    rule: str | None = None
    amount: Decimal | None = None
    coupon_rule: str | None = None
