"""When a parcel comes, and how sure that is, from what is usual on its lane and what has passed already."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from math import log
from typing import Final, NamedTuple

from journey.lanes import Expectation, ascending


class Why(StrEnum):
    """What an estimate rests on: the carrier's own date, the shop's own parcels, or what is usual anywhere."""

    CARRIER = "carrier"
    LEARNT = "learnt"
    USUAL = "usual"


class Estimate(NamedTuple):
    """When a parcel comes: by the end of `day` with `probability`, hardly later than `latest`.

    Days are of the customer's calendar. `probability` is None where nothing was learnt that would give one.
    """

    day: date
    latest: date
    probability: float | None
    why: Why

    @property
    def out_of(self) -> tuple[int, int] | None:
        """The probability as people count, never better than it is: 0.83 is (4, 5), four of five."""
        if self.probability is None:
            return None
        if self.probability >= ALMOST_SURE:
            return 19, 20
        # Ten times 0.8 is not always eight.
        tenths = Fraction(max(1, int(self.probability * 10 + 1e-9)), 10)
        return tenths.numerator, tenths.denominator


LIKELY: Final = 0.8
"""The probability that the day of an estimate is chosen for: four of five."""
ALMOST_SURE: Final = 0.95
_FORGOTTEN: Final = 0.01
"""When fewer than one in a hundred is still on its way, nobody can say when it comes."""
_BELIEVED: Final = 0.5
"""A carrier that keeps its date less often than this is not quoted; our own parcels are."""


def estimate(
    *,
    expectation: Expectation,
    shipped_at: datetime | None,
    first_scan_at: datetime | None,
    carrier_estimate: date | None,
    now: datetime,
    zone: tzinfo,
    revised: bool = False,
    delivered_at: datetime | None = None,
) -> Estimate | None:
    """When the parcel comes, as known at `now`; None when it is there, or nobody can say.

    The carrier's own date where it named one that has not passed and that it mostly keeps, else the lane's quantiles
    over what is left of them: a parcel that is still on its way on day 6 cannot come on day 4.

    Args:
        expectation: of its lane.
        shipped_at: when the shop said that it left.
        first_scan_at: its first scan proper.
        carrier_estimate: the date the carrier named last.
        now: UTC.
        zone: the customer's.
        revised: whether the carrier named another date before; how often it keeps such a one is not learnt.
        delivered_at: when it came, if it did.
    """
    if delivered_at is not None:
        return None
    ours = _by_quantiles(expectation, first_scan_at or shipped_at, now, zone)
    if carrier_estimate is None or carrier_estimate < now.astimezone(zone).date():
        return ours
    kept = None if revised else expectation.kept
    if ours is not None and ours.probability is not None and kept is not None and kept < _BELIEVED:
        return ours
    latest = carrier_estimate if ours is None else max(carrier_estimate, ours.latest)
    return Estimate(carrier_estimate, latest, kept, Why.CARRIER)


def _by_quantiles(expected: Expectation, began: datetime | None, now: datetime, zone: tzinfo) -> Estimate | None:
    if began is None or not expected.transit:
        return None
    # As survival: of all such parcels the share that is still on its way, whose logarithm is drawn in straight lines
    # between the quantiles and on beyond the last one. A parcel that has come this far stands among those alone.
    knots = [(0.0, 0.0), *((days, -log(1 - probability)) for probability, days in ascending(expected.transit))]
    passed = max(now - began, timedelta()) / timedelta(days=1)
    gone = _height(knots, passed)
    if gone > -log(_FORGOTTEN):
        return None
    day, latest = (
        (began + timedelta(days=_place(knots, gone - log(1 - wanted)))).astimezone(zone).date()
        for wanted in (LIKELY, ALMOST_SURE)
    )
    learnt = expected.samples > 0
    # Beyond the last quantile the line is drawn, not learnt.
    certain = learnt and passed <= knots[-1][0]
    return Estimate(day, latest, LIKELY if certain else None, Why.LEARNT if learnt else Why.USUAL)


def _height(knots: Sequence[tuple[float, float]], place: float) -> float:
    for (left, low), (right, high) in pairwise(knots):
        if place <= right:
            return low + (high - low) * (place - left) / (right - left)
    (left, low), (right, high) = knots[-2:]
    return high + (high - low) * (place - right) / (right - left)


def _place(knots: Sequence[tuple[float, float]], height: float) -> float:
    return _height([(high, place) for place, high in knots], height)
