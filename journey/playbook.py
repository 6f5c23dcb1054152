"""A playbook: which touches a journey is made of, as data that marketers write.

A playbook is named by its digest, so a journey that pinned one sees the same rules for ever.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from journey.authoring import PUBLISHED, Limits
from journey.base import Authored, Span
from journey.contact_rules import Caps, Channel, ContactRules, Purpose, QuietHours, Topic, added
from journey.documents import DocumentError, read_yaml
from journey.remedies import RemedyTerms
from journey.touches import (
    ABSENCES,
    PARCEL_ANCHORS,
    SILENCES,
    Anchor,
    Ending,
    Late,
    LatePolicy,
    Name,
    Phase,
    Touch,
    touch_id,
)

__all__ = [
    "ABSENCES",
    "PARCEL_ANCHORS",
    "SILENCES",
    "Anchor",
    "Caps",
    "Channel",
    "ContactRules",
    "Ending",
    "Groups",
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

Groups = tuple[tuple[Anchor, tuple[Touch, ...]], ...]
"""Touches by the fact they count from, each group by offset."""


class PlaybookError(ValueError):
    """A playbook that cannot be used; the message names the touch or field, what was wrong and what to do."""


class Playbook(Authored):
    """A whole playbook.

    `gives_up_after` bounds the wait for a delivery, `after_cancel` the wait for a cancelled order's refund;
    `stays_open` is for how long after delivery a journey with nothing left to send still hears of refunds.
    `dispatch_within` is how long an order may take to leave where the shop's own habit is not known, `store_keeps` for
    how long its store keeps one ready. Without `remedies` no parcel is made good.
    """

    name: Name
    gives_up_after: Span = timedelta(days=90)
    after_cancel: Span = timedelta(days=14)
    stays_open: Span = timedelta(days=30)
    negative_rating: Annotated[int, Limits(ge=1, le=4)] = 2
    dispatch_within: Span = added(timedelta(days=4))
    store_keeps: Span = added(timedelta(days=7))
    remedies: RemedyTerms | None = added(None)
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
    def by_anchor(self) -> Groups:
        """The touches grouped by the fact they count from, by offset: one look at a fact serves all its touches.

        Those that gather several facts are in `gathering`.
        """
        return _grouped(touch for touch in self.touches if touch.gather is None)

    @cached_property
    def gathering(self) -> Groups:
        """The touches that make one message of what happens to several parcels within a time, as in `by_anchor`."""
        return _grouped(touch for touch in self.touches if touch.gather is not None)

    @cached_property
    def absences(self) -> dict[Anchor, tuple[Touch, ...]]:
        """The touches of each absence, by offset."""
        return {anchor: touches for anchor, touches in self.by_anchor if anchor in ABSENCES}

    @cached_property
    def silences(self) -> tuple[tuple[Anchor, str], ...]:
        """The touches that tell of a parcel's silence, by id."""
        told = SILENCES & self.absences.keys()
        return tuple((anchor, touch.id) for anchor in sorted(told) for touch in self.absences[anchor])

    @cached_property
    def looked_for(self) -> dict[tuple[bool, ...], tuple[Groups, Groups]]:
        """A cache of `journey.moments`: the groups that journeys of a kind can have. Never serialised."""
        return {}

    @cached_property
    def watched(self) -> frozenset[Anchor]:
        """The absences that this playbook speaks about: only those stand in the way of marketing."""
        return ABSENCES & {touch.anchor for touch in self.touches}

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


def _grouped(touches: Iterable[Touch]) -> Groups:
    by_offset = sorted(touches, key=lambda touch: touch.offset)
    return tuple(
        (anchor, group) for anchor in Anchor if (group := tuple(touch for touch in by_offset if touch.anchor is anchor))
    )


def load_playbook(text: str) -> Playbook:
    """Read a playbook from YAML (or its canonical JSON, which is YAML too).

    Raises:
        PlaybookError: with one line per mistake, naming touch and field.
    """
    try:
        data = read_yaml(text)
    except DocumentError as error:
        raise PlaybookError(f"the playbook {error}") from error
    if not isinstance(data, dict):
        raise PlaybookError("the playbook is empty: it needs name, phases and touches")
    return _validated(data, None)


def read_published(content: str) -> Playbook:
    """Read a playbook that was published before, from its canonical JSON: by what it means, and not by today's limits.

    Raises:
        PlaybookError: a newer version wrote it, in words that this one does not know, or it is damaged.
    """
    try:
        data = json.loads(content)
    except ValueError as error:
        raise PlaybookError(f"the published playbook is no JSON: {error}") from error
    if not isinstance(data, dict):
        raise PlaybookError("the published playbook is no object")
    return _validated(data, PUBLISHED)


def _validated(data: dict[str, Any], context: dict[str, Any] | None) -> Playbook:
    try:
        return Playbook.model_validate(data, context=context)
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
