"""The textbook mistakes of playbooks, found before a customer finds them. Every finding names its touch and rule."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from journey.durations import format_duration
from journey.playbook import ABSENCES, PARCEL_ANCHORS, Anchor, Channel, Ending, LatePolicy, Playbook, Touch

DAY: Final = timedelta(days=1)
_SHORT_PATIENCE: Final = timedelta(hours=1)
_LONGEST_OFFSET: Final = timedelta(days=400)
_MANY: Final = 3
"""So many messages within a day are the textbook mistake."""
_MOST_A_DAY: Final = 2
_SAYS_RATING: Final = ("journey.rating", "journey['rating']", 'journey["rating"]')
_REMEDIES: Final = frozenset({Anchor.REMEDY_OFFERED, Anchor.REMEDY_SETTLED})
_PROBLEMS: Final = (
    ABSENCES | _REMEDIES | {Anchor.PARCEL_DELAYED, Anchor.PARCEL_PROBLEM, Anchor.PARCEL_LOST, Anchor.DELIVERY_DENIED}
)
_AFTER_DELIVERY: Final = frozenset(
    {Anchor.ORDER_DELIVERED, Anchor.PARCEL_DELIVERED, Anchor.LINES_DELIVERED, Anchor.PICKUP_COLLECTED}
)
_ABOUT_THE_END: Final = _REMEDIES | {
    Anchor.ORDER_CANCELLED,
    Anchor.REFUND,
    Anchor.PARCEL_LOST,
    Anchor.NEGATIVE_REVIEW,
    Anchor.DELIVERY_DENIED,
}
_MAKES_UP: Final = frozenset({Anchor.PARCEL_LATE, Anchor.REMEDY_SETTLED})
"""What a shop makes up for with an offer: that is about the order it failed, and sells nothing."""
_GATHERS: Final = PARCEL_ANCHORS - ABSENCES | {Anchor.LINES_DELIVERED}
_NEW_SALE: Final = frozenset({"cross_sell", "win_back"})


class Level(StrEnum):
    """An error keeps a playbook from being published; a warning asks for a second look."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake. `touch` is None where the playbook as a whole is meant."""

    touch: str | None
    rule: str
    level: Level
    message: str

    def __str__(self) -> str:
        where = f"touch {self.touch!r}" if self.touch is not None else "playbook"
        return f"{self.level}: {where}: {self.rule}: {self.message}"


def lint(
    playbook: Playbook,
    template_names: Collection[str] | None = None,
    offers: Collection[str] | None = None,
    template_purposes: Mapping[str, str] | None = None,
    template_channels: Mapping[str, Collection[str]] | None = None,
) -> list[Finding]:
    """Every finding, errors first and otherwise in the playbook's order.

    Args:
        playbook: a valid one; what its model refuses never comes here.
        template_names: the templates there are; None when nobody knows.
        offers: the offers the brand knows; None when nobody knows.
        template_purposes: by template, transactional, marketing or either; None when nobody knows.
        template_channels: by template, the channels it has a part for; None when nobody knows.
    """
    found = list(_whole(playbook))
    for touch in playbook.touches:
        found += _known(touch, template_names, offers, template_purposes or {})
        found += _channels(touch, template_channels or {})
        found += _times(touch)
        found += _purpose(touch)
        found += _endings(touch, playbook)
        found += _patience(touch, playbook)
    found += _merges(playbook)
    found += _remedies(playbook)
    found += _crowds(playbook)
    return sorted(found, key=lambda finding: finding.level is not Level.ERROR)


def _whole(playbook: Playbook) -> Iterator[Finding]:
    used = {channel for touch in playbook.touches if touch.marketing for channel in touch.channels}
    # An inbox row wakes nobody, and a channel that has a line of its own was thought about.
    open_all_night = used - {Channel.INBOX} - playbook.contact.quiet_by_channel.keys()
    if open_all_night and playbook.contact.quiet_hours is None:
        yield _error(None, "quiet_hours_missing", "marketing touches need contact.quiet_hours, such as 21:00 to 08:00")
    if playbook.contact.per_day > _MOST_A_DAY:
        yield _error(
            None, "cap_too_high", f"contact.per_day is {playbook.contact.per_day}: more than two a day is too many"
        )


def _known(
    touch: Touch,
    templates: Collection[str] | None,
    offers: Collection[str] | None,
    purposes: Mapping[str, str],
) -> Iterator[Finding]:
    if templates is not None and touch.template not in templates:
        names = ", ".join(sorted(templates))
        yield _error(touch, "template_unknown", f"there is no template {touch.template!r}; there are {names}")
    if offers is not None and touch.offer is not None and touch.offer not in offers:
        names = ", ".join(sorted(offers)) or "none"
        yield _error(touch, "offer_unknown", f"the brand has no offer {touch.offer!r}; it has {names}")
    meant = purposes.get(touch.template, "either")
    if meant not in {"either", touch.purpose}:
        yield _error(
            touch, "template_purpose", f"template {touch.template!r} is {meant}, and the touch is {touch.purpose}"
        )


def _channels(touch: Touch, parts: Mapping[str, Collection[str]]) -> Iterator[Finding]:
    has = parts.get(touch.template)
    if has is not None:
        for channel in touch.channels:
            if channel not in has:
                yield _error(
                    touch,
                    "template_part_missing",
                    f"template {touch.template!r} has no part for {channel}; it has {', '.join(sorted(has)) or 'none'}",
                )
    if touch.marketing and Channel.SMS in touch.channels and touch.most_segments is None:
        yield _warning(
            touch, "sms_without_limit", "each segment is paid for: set most_segments, such as 2, to bound a text"
        )


def _times(touch: Touch) -> Iterator[Finding]:
    if touch.offset < timedelta():
        yield _error(touch, "offset_negative", "nothing can be sent before its anchor has happened")
    elif touch.offset > _LONGEST_OFFSET:
        yield _error(
            touch,
            "offset_huge",
            f"{format_duration(touch.offset)} after {touch.anchor}: no journey lasts so long",
        )
    if touch.gather is not None and touch.anchor not in _GATHERS:
        yield _error(touch, "nothing_to_gather", f"{touch.anchor} happens once: take gather out")
    if touch.patience <= timedelta():
        yield _error(touch, "patience_missing", "with no patience the first hold or busy provider ends it; give it 1d")
    elif not touch.marketing and touch.patience < _SHORT_PATIENCE:
        patience = format_duration(touch.patience)
        yield _warning(touch, "patience_short", f"a provider that is away for {patience} ends it; give it 1d")
    if touch.marketing and touch.late.policy is LatePolicy.SEND:
        yield _error(touch, "late_marketing_sent", "a late marketing message is worse than none: skip or reschedule it")


def _purpose(touch: Touch) -> Iterator[Finding]:
    if touch.offer is not None and not touch.marketing and touch.anchor not in _MAKES_UP:
        yield _error(
            touch, "offer_in_transactional", "an offer makes it marketing: take the offer out, or change the purpose"
        )
    if touch.offer is not None and touch.when is not None and any(said in touch.when for said in _SAYS_RATING):
        yield _error(touch, "incentive_by_rating", "an incentive may never depend on what the rating was (16 CFR 465)")
    if touch.marketing and touch.anchor in _PROBLEMS:
        yield _error(touch, "marketing_on_problem", f"{touch.anchor} is no moment for marketing: apologise first")
    if touch.marketing and touch.anchor in {Anchor.ORDER_CANCELLED, Anchor.REFUND, Anchor.NEGATIVE_REVIEW}:
        yield _error(touch, "marketing_on_regret", f"{touch.anchor} is no moment for marketing: leave them in peace")
    if "review" in touch.template and touch.marketing and touch.anchor not in _AFTER_DELIVERY:
        yield _error(touch, "review_before_delivery", "nobody can review what has not arrived: anchor it to a delivery")


def _endings(touch: Touch, playbook: Playbook) -> Iterator[Finding]:
    endings = playbook.endings[touch.id]
    lives = touch.anchor not in _ABOUT_THE_END
    if lives and Ending.ORDER_CANCELLED not in endings:
        yield _error(touch, "not_ended_by_cancellation", "add order_cancelled to its ends_on, or to its phase's")
    if touch.marketing and lives and Ending.ORDER_REFUNDED not in endings:
        yield _warning(touch, "not_ended_by_refund", "add order_refunded to its ends_on, or to its phase's")
    if "reminder" in touch.id and "review" in touch.template and Ending.REVIEW_POSTED not in endings:
        yield _error(touch, "reminder_not_ended_by_review", "add review_posted to its ends_on: nobody reviews twice")
    if touch.phase in _NEW_SALE and touch.marketing and Ending.CUSTOMER_REORDERED not in endings:
        yield _error(touch, "not_ended_by_reorder", "add customer_reordered to its ends_on: they came back already")


def _patience(touch: Touch, playbook: Playbook) -> Iterator[Finding]:
    """A touch held to the end of its patience should not meet the next one of its phase."""
    if not touch.marketing:
        return
    after = [
        other
        for other in playbook.touches
        if other.phase == touch.phase
        and other.anchor is touch.anchor
        and other.marketing
        and other.offset > touch.offset
    ]
    following = min(after, key=lambda other: other.offset, default=None)
    if following is not None and touch.patience > following.offset - touch.offset:
        # One that may be rescheduled is spaced by the journey itself.
        if LatePolicy.RESCHEDULE in {touch.late.policy, following.late.policy}:
            return
        yield _warning(
            touch,
            "patience_meets_next",
            f"it may be held {format_duration(touch.patience)}, and {following.id!r} follows after"
            f" {format_duration(following.offset - touch.offset)}",
        )


def _merges(playbook: Playbook) -> Iterator[Finding]:
    """A merge group of one has nothing to be merged with: most likely a misspelt name."""
    groups: dict[str, list[Touch]] = {}
    for touch in playbook.touches:
        if touch.merge is not None:
            groups.setdefault(touch.merge, []).append(touch)
    for name, members in groups.items():
        if len(members) == 1:
            others = ", ".join(sorted(groups.keys() - {name})) or "no other"
            yield _warning(members[0], "merge_alone", f"no other touch is in merge group {name!r}; there is {others}")


def _remedies(playbook: Playbook) -> Iterator[Finding]:
    """Who is to choose has to be asked, and told what came of it; who is asked needs something to choose from."""
    spoken_of = {touch.anchor for touch in playbook.touches}
    if playbook.remedies is None:
        for touch in playbook.touches:
            if touch.anchor in _REMEDIES:
                yield _error(touch, "no_remedies", "the playbook has no `remedies`: without terms nothing is offered")
        return
    for anchor in sorted(_REMEDIES - spoken_of):
        yield _error(None, "remedy_untold", f"the playbook has remedies and no touch for {anchor}: add one")
    if Anchor.PARCEL_LOST not in spoken_of:
        yield _warning(
            None,
            "loss_untold",
            "where the shop has no API nothing is offered: add a touch for parcel_lost, which tells of it",
        )


def _crowds(playbook: Playbook) -> Iterator[Finding]:
    """Three or more messages of one anchor that can land within a day; what the same moment causes is one exception."""
    by_anchor: dict[Anchor, list[Touch]] = {}
    for touch in playbook.touches:
        if touch.marketing or touch.offset > timedelta():
            by_anchor.setdefault(touch.anchor, []).append(touch)
    for anchor, touches in by_anchor.items():
        ordered = sorted(touches, key=lambda touch: touch.offset)
        for first, touch in enumerate(ordered):
            near = [other for other in ordered[first:] if other.offset - touch.offset < DAY]
            if len(near) >= _MANY:
                names = ", ".join(repr(other.id) for other in near)
                yield _error(
                    touch, "crowded_day", f"{names} can land within 24 h, counted from {anchor}: move them apart"
                )
                break


def _error(touch: Touch | None, rule: str, message: str) -> Finding:
    return Finding(touch.id if touch else None, rule, Level.ERROR, message)


def _warning(touch: Touch | None, rule: str, message: str) -> Finding:
    return Finding(touch.id if touch else None, rule, Level.WARNING, message)
