"""What the keeping of past journeys is asked and answers."""

from pydantic import Field

from journey.base import Frozen, Instant


class KeepingRequest(Frozen):
    """Asks for the runs of journeys that ended after `since`; None for all that Temporal remembers.

    `now` is the moment of asking, UTC.
    """

    now: Instant
    since: Instant | None = None


class KeepingAnswer(Frozen):
    """How many runs have ended and how many of them were kept now.

    `unread` are runs that a newer version wrote, left for a worker of it; `missed` those that were gone or could not be
    kept. What ended by `through` needs no further look.
    """

    through: Instant | None
    ended: int = Field(ge=0)
    kept: int = Field(ge=0)
    unread: int = Field(default=0, ge=0)
    missed: int = Field(default=0, ge=0)
