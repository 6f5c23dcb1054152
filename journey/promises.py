"""What an order is promised when it is placed: the days between which it comes, where anybody can say."""

from datetime import date, datetime, timedelta, tzinfo
from typing import NamedTuple

from journey.lanes import Expectation


class Window(NamedTuple):
    """Days of the customer's calendar, both within it; None where only the other end is known."""

    earliest: date | None
    latest: date | None


def learnt_window(
    expectation: Expectation, *, dispatch_within: timedelta | None, placed_at: datetime, zone: tzinfo
) -> Window | None:
    """When an order comes by what the shop's own orders and parcels did; None where too few did it to say.

    It begins when the faster half of the lane's parcels would be there had it left at once. It ends when nineteen of
    twenty would be that left as late as nineteen of twenty orders do.

    Args:
        expectation: of its lane, whose carrier nobody knows yet.
        dispatch_within: how soon the shop's orders leave, where that was learnt.
        placed_at: when it was placed.
        zone: the customer's.
    """
    if not expectation.samples or not expectation.transit or dispatch_within is None:
        return None
    fast, slow = (timedelta(days=expectation.transit[end][1]) for end in (0, -1))
    earliest, latest = placed_at + fast, placed_at + dispatch_within + slow
    return Window(earliest.astimezone(zone).date(), latest.astimezone(zone).date())
