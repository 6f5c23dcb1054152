"""A playbook: which touches a journey is made of, as data that marketers write.

A playbook is named by its digest, so a journey that pinned one sees the same rules for ever.
"""

import hashlib
import json
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Final

import yaml
from pydantic import Field, ValidationError, model_validator

from journey.base import Authored, Span
from journey.conditions import check_condition
from journey.contact_rules import Caps, Channel, ContactRules, Purpose, QuietHours, Topic, added

__all__ = [
    "PARCEL_ANCHORS",
    "Anchor",
    "Caps",
    "Channel",
    "ContactRules",
    "Ending",
    "Late",
    "LatePolicy",
    "Name",
    "Phase",
    "Playbook",
    "PlaybookError",
    "Purpose",
    "QuietHours",
    "Topic",
    "Touch",
    "load_playbook",
    "touch_id",
]

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]


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


PARCEL_ANCHORS = frozenset(
    {
        Anchor.PARCEL_SHIPPED,
        Anchor.PARCEL_OUT_FOR_DELIVERY,
        Anchor.PARCEL_DELIVERED,
        Anchor.PARCEL_DELAYED,
        Anchor.PARCEL_PROBLEM,
        Anchor.PARCEL_LOST,
    }
)


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
    go as one message. `most_segments` is the longest SMS it may be, in segments; a longer one takes another channel.
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
    priority: int = Field(default=50, ge=0, le=100)
    offer: Name | None = None
    falls_through: bool = added(True)
    merge: Name | None = added(None)
    most_segments: int | None = added(None, ge=1)

    @model_validator(mode="after")
    def _condition_compiles(self) -> "Touch":
        if self.when is not None:
            check_condition(self.when)
        return self

    @property
    def marketing(self) -> bool:
        """Whether consent, caps and quiet hours stand before it."""
        return self.purpose is Purpose.MARKETING

    @property
    def topic(self) -> Topic | None:
        """What a customer would call it who chooses topics: whatever carries an offer is one; None: not marketing."""
        if not self.marketing:
            return None
        return Topic.OFFERS if self.offer is not None else _TOPICS.get(self.phase, Topic.NEWS)


class PlaybookError(ValueError):
    """A playbook that cannot be used; the message names the touch or field, what was wrong and what to do."""


class Playbook(Authored):
    """A whole playbook.

    `gives_up_after` bounds the wait for a delivery, `after_cancel` the wait for a cancelled order's refund;
    `stays_open` is for how long after delivery a journey with nothing left to send still hears of refunds.
    """

    name: Name
    gives_up_after: Span = timedelta(days=90)
    after_cancel: Span = timedelta(days=14)
    stays_open: Span = timedelta(days=30)
    negative_rating: int = Field(default=2, ge=1, le=4)
    contact: ContactRules = ContactRules()
    phases: tuple[Phase, ...] = Field(min_length=1)
    touches: tuple[Touch, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_agree(self) -> "Playbook":
        phases = [phase.id for phase in self.phases]
        touches = [touch.id for touch in self.touches]
        for kind, names in (("phase", phases), ("touch", touches)):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{kind} {twice[0]!r} stands twice: give each {kind} its own id")
        for touch in self.touches:
            if touch.phase not in phases:
                raise ValueError(f"touch {touch.id!r}: phase {touch.phase!r} is not one of {', '.join(phases)}")
        return self

    @cached_property
    def by_id(self) -> dict[str, Touch]:
        """The touches by their id."""
        return {touch.id: touch for touch in self.touches}

    @cached_property
    def endings(self) -> dict[str, frozenset[Ending]]:
        """What ends each touch: its own endings and its phase's."""
        of_phase = {phase.id: phase.ends_on for phase in self.phases}
        return {touch.id: touch.ends_on | of_phase[touch.phase] for touch in self.touches}

    @cached_property
    def by_anchor(self) -> tuple[tuple[Anchor, tuple[Touch, ...]], ...]:
        """The touches grouped by the fact they count from, by offset: one look at a fact serves all its touches."""
        by_offset = sorted(self.touches, key=lambda touch: touch.offset)
        return tuple(
            (anchor, touches)
            for anchor in Anchor
            if (touches := tuple(touch for touch in by_offset if touch.anchor is anchor))
        )

    @cached_property
    def quiet_of(self) -> dict[str, tuple[QuietHours | None, ...]]:
        """The quiet hours of each touch's channels, each once: they are looked at for every step of every journey."""
        return {
            touch.id: tuple(dict.fromkeys(self.contact.quiet(channel) for channel in touch.channels))
            for touch in self.touches
        }

    @cached_property
    def compact(self) -> str:
        """The canonical JSON of this playbook: what is stored, and what the digest is taken over."""
        return json.dumps(_sorted_sets(self.model_dump(mode="json")), sort_keys=True, separators=(",", ":"))

    @cached_property
    def digest(self) -> str:
        """The playbook's own name for ever: 16 hex digits of SHA-256 over its canonical JSON."""
        return hashlib.sha256(self.compact.encode()).hexdigest()[:16]


def touch_id(key: str) -> str:
    """The touch of a key: `shipped` of `shipped:1Z99`."""
    return key.partition(":")[0]


def load_playbook(text: str) -> Playbook:
    """Read a playbook from YAML (or its canonical JSON, which is YAML too).

    Raises:
        PlaybookError: with one line per mistake, naming touch and field.
    """
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PlaybookError(f"the playbook is not readable as YAML: {error}") from error
    if not isinstance(data, dict):
        raise PlaybookError("the playbook is empty: it needs name, phases and touches")
    try:
        return Playbook.model_validate(data)
    except ValidationError as error:
        # A list that lost its bad members is not too short: the members' own mistakes say it better.
        problems = [
            problem for problem in error.errors() if problem["type"] != "too_short" or not _given(data, problem)
        ]
        raise PlaybookError("\n".join(_explain(data, problem) for problem in problems)) from error


def _given(data: dict[str, Any], problem: Any) -> bool:
    """Whether the document has something where the problem says there is too little."""
    return len(problem["loc"]) == 1 and bool(data.get(problem["loc"][0]))


def _explain(data: dict[str, Any], problem: Any) -> str:
    where = list(problem["loc"])
    if len(where) > 1 and where[0] == "touches" and isinstance(where[1], int):
        touch = data["touches"][where[1]]
        name = touch.get("id", where[1]) if isinstance(touch, dict) else where[1]
        where = [f"touch {name!r}", *where[2:]]
    message = str(problem["msg"]).removeprefix("Value error, ")
    return ": ".join([" → ".join(str(part) for part in where), message]) if where else message


def _sorted_sets(value: Any) -> Any:
    """Sets have no order of their own; the digest needs one."""
    if isinstance(value, dict):
        return {key: sorted(item) if key == "ends_on" else _sorted_sets(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_sorted_sets(item) for item in value]
    return value
