"""The touches of a playbook: what each is anchored to, when it goes, and what ends it.

Marketers write them as data; `journey.playbook` is the whole.
"""

from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Final

from pydantic import Field, ValidationInfo, model_validator

from journey.authoring import Limits, published
from journey.base import Authored, Span
from journey.conditions import ConditionError, check_condition
from journey.contact_rules import Channel, Purpose, Topic, added

Name = Annotated[str, Limits(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]


class Anchor(StrEnum):
    """The fact from which a touch counts."""

    ORDER_PLACED = "order_placed"
    ORDER_DELIVERED = "order_delivered"
    """The last parcel's delivery; for what does not travel, the order itself."""
    ORDER_CANCELLED = "order_cancelled"
    REFUND = "refund"
    NEGATIVE_REVIEW = "negative_review"
    PARCEL_SHIPPED = "parcel_shipped"
    PARCEL_OUT_FOR_DELIVERY = "parcel_out_for_delivery"
    PARCEL_DELIVERED = "parcel_delivered"
    PARCEL_DELAYED = "parcel_delayed"
    PARCEL_PROBLEM = "parcel_problem"
    PARCEL_LOST = "parcel_lost"
    LINES_DELIVERED = "lines_delivered"
    """The delivery of the lines a touch speaks about, parcel by parcel; for what does not travel, the order itself."""
    DELIVERY_DENIED = "delivery_denied"
    PICKUP_READY = "pickup_ready"
    PICKUP_COLLECTED = "pickup_collected"
    ORDER_NOT_DISPATCHED = "order_not_dispatched"
    """No parcel by the time the shop usually takes. This and the next seven are absences: see `journey.deadlines`."""
    PARCEL_NOT_SCANNED = "parcel_not_scanned"
    PARCEL_STUCK = "parcel_stuck"
    PARCEL_OVERDUE = "parcel_overdue"
    """The date promised last has passed."""
    PARCEL_LATE = "parcel_late"
    """The date promised first has passed."""
    PARCEL_NOT_BROUGHT = "parcel_not_brought"
    PICKUP_LAST_CALL = "pickup_last_call"
    PICKUP_NOT_COLLECTED = "pickup_not_collected"
    REMEDY_OFFERED = "remedy_offered"
    REMEDY_SETTLED = "remedy_settled"


ABSENCES: Final = frozenset(
    {
        Anchor.ORDER_NOT_DISPATCHED,
        Anchor.PARCEL_NOT_SCANNED,
        Anchor.PARCEL_STUCK,
        Anchor.PARCEL_OVERDUE,
        Anchor.PARCEL_LATE,
        Anchor.PARCEL_NOT_BROUGHT,
        Anchor.PICKUP_LAST_CALL,
        Anchor.PICKUP_NOT_COLLECTED,
    }
)
"""Anchors whose moment lies ahead until it is averted."""

SILENCES: Final = frozenset(
    {Anchor.PARCEL_NOT_SCANNED, Anchor.PARCEL_STUCK, Anchor.PARCEL_OVERDUE, Anchor.PARCEL_NOT_BROUGHT}
)
"""The absences of a scan: whichever comes first says what the others would."""

PARCEL_ANCHORS: Final = frozenset(
    {
        Anchor.PARCEL_SHIPPED,
        Anchor.PARCEL_OUT_FOR_DELIVERY,
        Anchor.PARCEL_DELIVERED,
        Anchor.PARCEL_DELAYED,
        Anchor.PARCEL_PROBLEM,
        Anchor.PARCEL_LOST,
        Anchor.DELIVERY_DENIED,
        Anchor.PICKUP_READY,
        Anchor.PICKUP_COLLECTED,
        Anchor.REMEDY_OFFERED,
        Anchor.REMEDY_SETTLED,
    }
    | (ABSENCES - {Anchor.ORDER_NOT_DISPATCHED})
)
"""Anchors of parcels, whose touches speak about one each."""


class Ending(StrEnum):
    """A fact after which a touch has nothing left to say."""

    ORDER_CANCELLED = "order_cancelled"
    ORDER_REFUNDED = "order_refunded"
    ORDER_RETURNED = "order_returned"
    ORDER_LOST = "order_lost"
    CUSTOMER_REORDERED = "customer_reordered"
    REVIEW_POSTED = "review_posted"
    NEGATIVE_REVIEW = "negative_review"
    PARCEL_OUT_FOR_DELIVERY = "parcel_out_for_delivery"
    PARCEL_DELIVERED = "parcel_delivered"


class LatePolicy(StrEnum):
    """What to do with a touch whose time has passed before it could be looked at."""

    SEND = "send"
    SKIP = "skip"
    RESCHEDULE = "reschedule"


class Late(Authored):
    """What happens to a touch whose time passed before it could be looked at.

    `send` it at once; `skip` it when more than `after` late; `reschedule` one more than `after` late to a
    `spacing` behind the message before it.
    """

    policy: LatePolicy = LatePolicy.SKIP
    after: Span = timedelta(days=2)

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        """Accept `send`, `reschedule` and `{skip_after: 2d}` as marketers write them."""
        if isinstance(value, str):
            return {"policy": value, "after": "6h"} if value == LatePolicy.RESCHEDULE else {"policy": value}
        if isinstance(value, dict) and set(value) == {"skip_after"}:
            return {"policy": LatePolicy.SKIP, "after": value["skip_after"]}
        return value


_TOPICS: Final = {
    "onboarding": Topic.TIPS,
    "feedback": Topic.REVIEWS,
    "cross_sell": Topic.OFFERS,
    "replenishment": Topic.OFFERS,
}
"""By phase; news is what every other one tells."""
_MARKETING = Purpose.MARKETING


class Phase(Authored):
    """A stretch of the journey; its `ends_on` goes for all its touches."""

    id: Name
    ends_on: frozenset[Ending] = frozenset()


class Touch(Authored):
    """One message a customer may get.

    `offset` counts from `anchor`. `patience` is how long after its due time, or after it was first asked for when
    that came later, it may still be held or retried before it expires. `priority` decides between two that want
    the same slot, higher first.

    `channels` are tried in this order, the customer's preferred one before the others. `falls_through`: what a
    provider refuses for good on one channel goes on to the next. Touches of one `merge` group that wait together may
    go as one message. `gather`: what happens to several parcels of the order within that time is one message, which
    waits for the others while they may still come. `alert`: the shop's own people are told as well. `most_segments` is
    the longest SMS it may be, in segments; a longer one takes another channel.
    """

    id: Name
    phase: Name
    purpose: Purpose
    anchor: Anchor
    offset: Span = timedelta(0)
    channels: tuple[Channel, ...] = Field(default=(Channel.EMAIL,), min_length=1)
    template: Name
    when: str | None = None
    late: Late = Late()
    ends_on: frozenset[Ending] = frozenset()
    patience: Span = timedelta(days=3)
    priority: Annotated[int, Limits(ge=0, le=100)] = 50
    offer: Name | None = None
    falls_through: bool = added(True)
    merge: Name | None = added(None)
    gather: Span | None = added(None)
    alert: bool = added(False)
    most_segments: Annotated[int, Limits(ge=1)] | None = added(None)

    @model_validator(mode="after")
    def _condition_compiles(self, info: ValidationInfo) -> "Touch":
        if self.when is None:
            return self
        try:
            check_condition(self.when)
        except ConditionError:
            # A published one that is refused by now holds its touch back, by the rule `condition_error`.
            if not published(info):
                raise
        return self

    @property
    def marketing(self) -> bool:
        """Whether consent, caps and quiet hours stand before it."""
        return self.purpose is _MARKETING

    @cached_property
    def by_parcel(self) -> bool:
        """Whether its condition reads `delivery`: it may then hold for one parcel and not for another."""
        return self.when is not None and "delivery" in self.when

    @property
    def topic(self) -> Topic | None:
        """What a customer would call it who chooses topics: whatever carries an offer is one; None: not marketing."""
        if not self.marketing:
            return None
        return Topic.OFFERS if self.offer is not None else _TOPICS.get(self.phase, Topic.NEWS)


def touch_id(key: str) -> str:
    """The touch of a key: `shipped` of `shipped:1Z99`."""
    return key.partition(":")[0]
