"""What became of a message: the answer of `deliver`, and what the journey remembers of it."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from journey.base import Frozen, Instant, TouchKey, TrackingNumber


class Status(StrEnum):
    """How a touch stands in the ledger."""

    SENT = "sent"
    HELD = "held"
    REFUSED = "refused"
    FAILED = "failed"
    IN_DOUBT = "in_doubt"


class _Tagged(Frozen):
    """A member of the union. Payloads leave out what was not set; the tag must travel all the same."""

    def model_post_init(self, _context: object, /) -> None:
        """Count the tag as set."""
        self.__pydantic_fields_set__.add("status")


class Sent(_Tagged):
    """It went out, at `at` of the journey's clock."""

    status: Literal["sent"] = "sent"
    at: Instant


class Held(_Tagged):
    """It may not go yet, by `rule`; ask again at `until`."""

    status: Literal["held"] = "held"
    until: Instant
    rule: str


class Refused(_Tagged):
    """It will not go, by `rule`. Final."""

    status: Literal["refused"] = "refused"
    rule: str


class Failed(_Tagged):
    """The provider would not or could not take it within the touch's patience; `rule` says which. Final."""

    status: Literal["failed"] = "failed"
    rule: str


class InDoubt(_Tagged):
    """It may have gone out, nobody can say, and a marketing message is not worth a double. Final."""

    status: Literal["in_doubt"] = "in_doubt"
    rule: str


Outcome = Annotated[Sent | Held | Refused | Failed | InDoubt, Field(discriminator="status")]


class PassedOver(Frozen):
    """A touch that the rules let go by without asking anybody, and the rule."""

    key: TouchKey
    rule: str


class DeliverRequest(Frozen):
    """Everything `deliver` is told. `now` is the journey's clock when it asked, `due` when the touch was due.

    `passed_over` are non-sends not yet in the ledger; they ride along so that each becomes a row without
    an activity of its own.
    """

    shop: str
    order_id: str
    playbook: str
    key: TouchKey
    parcel: TrackingNumber | None = None
    due: Instant
    now: Instant
    forced: bool = False
    passed_over: tuple[PassedOver, ...] = ()


class DeliverAnswer(Frozen):
    """The outcome, wrapped so that the union has one payload shape."""

    outcome: Outcome


class CloseRequest(Frozen):
    """The journey's end: the last non-sends, and why it ended, at `now` of its clock."""

    shop: str
    order_id: str
    playbook: str
    now: Instant
    why: str
    passed_over: tuple[PassedOver, ...] = ()
