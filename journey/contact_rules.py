"""What keeps messages welcome, as marketers write it: purposes, channels, topics, quiet hours, caps and gaps."""

from collections.abc import Mapping
from datetime import time, timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from journey.authoring import Limits
from journey.base import Authored, Span


class Purpose(StrEnum):
    """Why a message exists: its primary purpose decides (15 USC 7702(17))."""

    TRANSACTIONAL = "transactional"
    MARKETING = "marketing"


class Channel(StrEnum):
    """How a message travels."""

    EMAIL = "email"
    SMS = "sms"
    WHATSAPP = "whatsapp"
    WEB_PUSH = "web_push"
    """To a browser the customer let notify them."""
    PUSH = "push"
    """To the shop's app on the customer's phone."""
    INBOX = "inbox"
    """A row that the customer's page and an API show."""


class Topic(StrEnum):
    """What a marketing message is about, as customers choose it in the preference centre."""

    TIPS = "tips"
    REVIEWS = "reviews"
    OFFERS = "offers"
    NEWS = "news"


def added(default: Any) -> Any:
    """A field that came after playbooks were published: left out of the canonical form while nobody sets it.

    A playbook is named by the digest of that form, and must keep its name when this code learns something new.
    """
    return Field(default=default, exclude_if=lambda value: bool(value == default))


class QuietHours(Authored):
    """The hours of the customer's day in which marketing rests: from `start` until `end`, over midnight or not."""

    start: time
    end: time


class Caps(Authored):
    """At most so many in one of the customer's calendar days, and in any seven days. None: no limit."""

    per_day: Annotated[int, Limits(ge=1)] | None = None
    per_week: Annotated[int, Limits(ge=1)] | None = None


class ContactRules(Authored):
    """What keeps marketing welcome, over all of a customer's journeys. Days are the customer's calendar days.

    `quiet_hours` go for every channel but those that `quiet_by_channel` names (null there: none); an inbox row wakes
    nobody and has none of its own accord. `per_day` and `per_week` count marketing over all channels, `by_channel`
    on one channel besides: past its own cap a channel gives way to the touch's next. `gap` lies between any two
    marketing messages. `transactional` caps messages about the order, which nothing else does.
    """

    quiet_hours: QuietHours | None = None
    quiet_by_channel: Mapping[Channel, QuietHours | None] = added({})
    per_day: Annotated[int, Limits(ge=1)] = 1
    per_week: Annotated[int, Limits(ge=1)] = 4
    transactional: Caps | None = added(None)
    by_channel: Mapping[Channel, Caps] = added({})
    gap: Span = added(timedelta(0))
    spacing: Span = timedelta(days=1)

    def quiet(self, channel: Channel) -> QuietHours | None:
        """The hours in which marketing rests on this channel; None: it never does."""
        if channel in self.quiet_by_channel:
            return self.quiet_by_channel[channel]
        return None if channel is Channel.INBOX else self.quiet_hours

    def caps(self, purpose: Purpose) -> Caps:
        """The caps of this purpose over all channels."""
        if purpose is Purpose.MARKETING:
            return Caps(per_day=self.per_day, per_week=self.per_week)
        return self.transactional or _NO_CAPS


_NO_CAPS = Caps()
