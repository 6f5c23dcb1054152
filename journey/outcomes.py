"""What became of a message: the answer of `deliver`, and what the journey remembers of it."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from journey.base import Frozen, Instant, TouchKey, TrackingNumber


class Status(StrEnum):
    """How a touch stands in the ledger."""

    SENT = "sent"
    HELD = "held"
    REFUSED = "refused"
    FAILED = "failed"
    IN_DOUBT = "in_doubt"


Why = Mapping[str, str]
"""By channel the rule that speaks against it there. Names only: it travels, and is shown to whoever looks."""


def unsaid() -> Any:
    """The default of a field of type `Why`: empty, and left out of payloads then."""
    return Field(default={}, exclude_if=lambda why: not why)


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
    """It may not go yet, by `rule`; ask again at `until`. `why` says by channel what speaks against the others.

    `waits_for` names the way that is closed, such as the provider `email`: the touch is asked for again when the way
    is open, and at `until` at the latest. `doubtful`: an earlier attempt may have sent it.
    """

    status: Literal["held"] = "held"
    until: Instant
    rule: str
    why: Why = unsaid()
    waits_for: str | None = None
    doubtful: bool = False


class Refused(_Tagged):
    """It will not go, by `rule`. Final. `why` says by channel what spoke against it there, in rules' names only."""

    status: Literal["refused"] = "refused"
    rule: str
    why: Why = unsaid()


class Failed(_Tagged):
    """The provider would not or could not take it within the touch's patience; `rule` says which. Final."""

    status: Literal["failed"] = "failed"
    rule: str


class InDoubt(_Tagged):
    """It may have gone out, nobody can say, and a marketing message is not worth a double. Final."""

    status: Literal["in_doubt"] = "in_doubt"
    rule: str


Outcome = Annotated[Sent | Held | Refused | Failed | InDoubt, Field(discriminator="status")]


def unsent(outcome: Outcome) -> str:
    """By which rule a message that was to go along in this one has no row of its own but a refused one."""
    return "merged" if isinstance(outcome, Sent) else outcome.rule


class PassedOver(Frozen):
    """A touch that the rules let go by without asking anybody, and the rule."""

    key: TouchKey
    rule: str


class DeliverRequest(Frozen):
    """Everything `deliver` is told; `due` is when the touch was due.

    `now` is for callers outside of Temporal: an activity reads the journey's clock from its own schedule.
    `parcels` are further parcels the message speaks about, `along` the keys of their own messages, which then need not
    go. `again`: the touch was held before. `passed_over` are non-sends not yet in the ledger; they ride along so that
    each becomes a row without an activity of its own. `last` says why the journey ends once this touch is settled, if
    it does: the books are then closed in the same activity, with the non-sends in `left_over`. `once`: the journey
    decides again what cannot be done now, so the answer may name a way that it has to wait for.
    """

    shop: str
    order_id: str
    playbook: str
    key: TouchKey
    parcel: TrackingNumber | None = None
    parcels: tuple[TrackingNumber, ...] = ()
    along: tuple[TouchKey, ...] = ()
    again: bool = False
    due: Instant
    now: Instant | None = None
    forced: bool = False
    passed_over: tuple[PassedOver, ...] = ()
    last: str | None = None
    left_over: tuple[PassedOver, ...] = ()
    once: bool = False


class DeliverAnswer(Frozen):
    """An outcome as it travels: flat, and without what the journey knows itself. `closed`: the books are, too."""

    status: Status
    until: Instant | None = None
    rule: str | None = None
    closed: bool = False
    why: Why = unsaid()
    waits_for: str | None = None
    doubtful: bool = False

    @classmethod
    def of(cls, outcome: Outcome, *, closed: bool = False) -> "DeliverAnswer":
        """The answer that carries this outcome; fields without a value are left out of the payload."""
        given = outcome.model_dump(exclude={"at"}, exclude_unset=True) | ({"closed": True} if closed else {})
        # Of the only channel there was, the rule says it all.
        if isinstance(outcome, Refused) and list(outcome.why.values()) == [outcome.rule]:
            given.pop("why")
        return cls.model_validate(given)

    def outcome(self, *, now: datetime) -> Outcome:
        """The outcome again; what was sent was sent by `now` of the journey's clock."""
        match self.status:
            case Status.SENT:
                return Sent(at=now)
            case Status.HELD:
                return Held(until=self.until or now, rule=self.rule or "", **self._why(), **self._wait())
            case Status.REFUSED:
                return Refused(rule=self.rule or "", **self._why())
            case Status.FAILED:
                return Failed(rule=self.rule or "")
            case Status.IN_DOUBT:
                return InDoubt(rule=self.rule or "")

    def _why(self) -> dict[str, Why]:
        # What is not said is not set, so that a journey's state is written down without it.
        return {"why": self.why} if self.why else {}

    def _wait(self) -> dict[str, Any]:
        # As above.
        said: dict[str, Any] = {} if self.waits_for is None else {"waits_for": self.waits_for}
        return said | {"doubtful": True} if self.doubtful else said


class CloseRequest(Frozen):
    """The journey's end: the last non-sends, and why it ended."""

    shop: str
    order_id: str
    playbook: str
    why: str
    left_over: tuple[PassedOver, ...] = ()


class FindOutRequest(Frozen):
    """Asks what became of an attempt that gave no answer, for the message `key` and what was to go `along` in it.

    `now` is for callers outside of Temporal, as in `DeliverRequest`.
    """

    shop: str
    order_id: str
    playbook: str
    key: TouchKey
    along: tuple[TouchKey, ...] = ()
    now: Instant | None = None


class WaitRequest(Frozen):
    """Asks for an answer when the way `waits_for` is open again; `key` is the message that waits first.

    `now` is for callers outside of Temporal, as in `DeliverRequest`.
    """

    shop: str
    order_id: str
    playbook: str
    waits_for: str
    key: TouchKey
    now: Instant | None = None
