"""What an order of the sample shop is made of: who, where, and what happens on which day of its own calendar."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from starters.demo.wire import Post, Senders

Said = Callable[[Senders, datetime], Post]
"""What somebody outside says at a moment (UTC) of the order's clock."""


@dataclass(frozen=True, slots=True)
class Beat:
    """On day `day` after the order, at `clock` where the customer lives, somebody outside says something.

    `begins` names the story whose order this is, when the customer orders again.
    """

    day: int
    clock: time
    say: Said
    begins: str | None = None

    def at(self, placed: datetime, zone: str) -> datetime:
        """The moment, for an order placed at `placed` (aware)."""
        here = ZoneInfo(zone)
        day = placed.astimezone(here).date() + timedelta(days=self.day)
        return datetime.combine(day, self.clock, here)


@dataclass(frozen=True, slots=True)
class Story:
    """One order. `place` is its webhook; `zone` the customer's; `follows` an order this one waits for.

    `kind` names it in two words, `title` in a line.
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

    @property
    def order(self) -> str:
        """SHOP/ID."""
        return f"{self.shop}/{self.order_id}"


def beat(day: int, clock: str, say: Said, *, begins: str | None = None) -> Beat:
    """A beat with its time of day as `HH:MM`."""
    return Beat(day, time.fromisoformat(clock), say, begins)
