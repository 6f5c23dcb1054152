"""What an order of the sample shop is made of: who, where, and what happens on which day of its own calendar."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from journey.remedies import Choice
from journey.zones import zone_named
from starters.demo.wire import Post, Senders

Said = Callable[[Senders, datetime], Post]
"""What somebody outside says at a moment (aware, where the customer lives) of the order's clock."""


@dataclass(frozen=True, slots=True)
class Presses:
    """The customer opens the page that the mail about parcel `part` leads to, and presses the button of `choice`."""

    part: str
    choice: Choice


@dataclass(frozen=True, slots=True)
class Defaults:
    """Nobody had chosen a remedy for parcel `part` in time, so that the playbook's default fell in before this."""

    part: str


@dataclass(frozen=True, slots=True)
class Beat:
    """On day `day` after the order, at `clock` where the customer lives, something happens outside.

    `begins` names the story whose order this is, when the customer orders again.
    """

    day: int
    clock: time
    does: Said | Presses | Defaults
    begins: str | None = None

    def at(self, placed: datetime, zone: str) -> datetime:
        """The moment, for an order placed at `placed` (aware)."""
        here = zone_named(zone)
        day = placed.astimezone(here).date() + timedelta(days=self.day)
        return datetime.combine(day, self.clock, here)


@dataclass(frozen=True, slots=True)
class Story:
    """One order. `place` is its webhook; `zone` the customer's; `follows` an order this one waits for.

    `kind` names it in two words, `title` in a line. `both_sides`: what its customer and the operator saw is told below
    the calendar.
    """

    name: str
    kind: str
    title: str
    person: str
    city: str
    zone: str
    shop: str
    order_id: str
    place: Said
    beats: tuple[Beat, ...] = ()
    follows: str | None = None
    both_sides: bool = False

    @property
    def order(self) -> str:
        """SHOP/ID."""
        return f"{self.shop}/{self.order_id}"

    def day(self, placed: datetime, at: datetime) -> int:
        """The day of the order's calendar, by the customer's own clock; 0 is the day of the order."""
        here = zone_named(self.zone)
        return (at.astimezone(here).date() - placed.astimezone(here).date()).days


def beat(day: int, clock: str, does: Said | Presses | Defaults, *, begins: str | None = None) -> Beat:
    """A beat with its time of day as `HH:MM`."""
    return Beat(day, time.fromisoformat(clock), does, begins)
