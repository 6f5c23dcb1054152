"""What is usual on a lane (carrier, service, destination): how soon a parcel is scanned, moves and arrives.

Learnt from the shop's own parcels where there are enough of them, else from a table of what is usual anywhere, so
that "late" means late for that lane.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from pydantic import Field

from journey.base import Frozen, Span
from journey.carriers import normal
from journey.standards import EU, HOME_OF, STANDARDS, Reach


class Lane(NamedTuple):
    """Where a parcel travels; each None where nobody knows. `country` is the destination, ISO 3166 alpha-2."""

    carrier: str | None
    service: str | None
    country: str | None


class Expectation(Frozen):
    """What is usual for one parcel; spans of elapsed time.

    Attributes:
        first_scan: from the label, or the shop's word that it left, to the first scan; longer is a silence.
        gap: between two scans on the way.
        transit: from the first scan (or dispatch) to delivery, as (probability, days): with 0.8 it is there within
            that many days. Ascending.
        last_mile: from out for delivery to delivered.
        keeps: how long a pick-up point keeps it.
        samples: parcels it was learnt from; 0 is the fallback table.
        lane: which lane answered, such as `dhl/express/DE`, `dhl/*/DE` or `*/*/*`, for whoever asks why.
        kept: the share of them that came by the date their carrier named first; None where that was not learnt.
    """

    first_scan: Span
    gap: Span
    transit: tuple[tuple[float, float], ...]
    last_mile: Span
    keeps: Span
    samples: int = Field(default=0, ge=0)
    lane: str = "*/*/*"
    kept: float | None = Field(default=None, ge=0, le=1)


USUAL = Expectation(
    first_scan=timedelta(days=3),
    gap=timedelta(days=5),
    transit=((0.5, 4.0), (0.8, 7.0), (0.95, 12.0)),
    last_mile=timedelta(days=2),
    keeps=timedelta(days=7),
)
"""Where nothing at all is known.

Pick-up points keep a parcel for 7 days (DPD, https://dpd.com/nl/en/support/faq, "How long is a parcel kept"), 7 working
days (DHL), 7 to 10 days (UPS) or 15 (USPS; the last three not read at their source): the shortest is safe for all.
"""


_SILENCE: Final = {Reach.HOME: timedelta(days=4), Reach.UNION: timedelta(days=5), Reach.ABROAD: timedelta(days=10)}
"""Over a weekend with a holiday, over a border, through the customs: our own reading, no carrier publishes it."""
_WEEK: Final = 7 / 5
"""Calendar days for a working day."""


def _standard(carrier: str | None, reach: Reach, least: float, most: float) -> Expectation:
    """A published range as quantiles: its middle, its end, and half as long again. That reading is ours."""
    return USUAL.but(
        gap=_SILENCE[reach],
        transit=((0.5, (least + most) / 2 * _WEEK), (0.8, most * _WEEK), (0.95, most * 1.5 * _WEEK)),
        lane=f"{carrier or '*'}/*/{reach.value}",
    )


USUAL_OF: Final[Mapping[tuple[str | None, Reach], Expectation]] = {
    (carrier, reach): _standard(carrier, reach, *days) for (carrier, reach), days in STANDARDS.items()
}
"""What is usual by carrier (normal form, None any) and reach, where the shop's own history is thin."""


class Learnt(Frozen):
    """What a lane's parcels did: quantiles over `samples` parcels that arrived; None where none showed it.

    Attributes:
        samples: parcels whose way from the first scan (or dispatch) to arrival is known.
        first_scan: 95 of 100 were scanned within this long of the label or the shop's word.
        gap: the longest silence on the way was no longer than this for 95 of 100.
        transit: as in `Expectation`, with the probabilities `PROBABILITIES`.
        last_mile: 95 of 100 came within this long of being out for delivery.
        kept: as in `Expectation`.
    """

    samples: int = Field(ge=0)
    first_scan: timedelta | None = None
    gap: timedelta | None = None
    transit: tuple[tuple[float, float], ...] = ()
    last_mile: timedelta | None = None
    kept: float | None = None


PROBABILITIES: Final = (0.5, 0.8, 0.95)
"""The quantiles that are learnt of a transit."""
LEAST_SAMPLES: Final = 30
"""Parcels from which on a lane speaks for itself; of fewer, the 95th of 100 is mostly the slowest one."""

# A silence is not called one because of a week without weekends, nor overlooked because of a strike.
_FIRST_SCAN = (timedelta(days=1), timedelta(days=10))
_GAP = (timedelta(days=2), timedelta(days=14))
_LAST_MILE = (timedelta(hours=12), timedelta(days=5))
_DISPATCH = (timedelta(days=1), timedelta(days=30))
_TRANSIT_DAYS = (0.25, 60.0)
_APART_DAYS = 1 / 24
"""Two quantiles that fall together are drawn apart by this much, so that every probability has a moment of its own."""


def lane_of(carrier: str | None, service: str | None, country: str | None) -> Lane:
    """A lane from names as shops and carriers write them: `DHL Express`, `GROUND_ADVANTAGE`, `de`."""
    plain = re.sub(r"[^\w]+|_", "", service.casefold()) if service else None
    return Lane(normal(carrier), plain or None, country.upper() if country else None)


def widening(lane: Lane) -> Iterator[Lane]:
    """The lanes to look under, the narrowest first; those that name nothing are left out."""
    for parts in (("carrier", "service", "country"), ("carrier", "country"), ("carrier",), ("country",)):
        if all(getattr(lane, part) for part in parts):
            yield Lane(**{part: getattr(lane, part) if part in parts else None for part in Lane._fields})


def reach_of(lane: Lane, home: str | None) -> Reach | None:
    """How far a lane leads from `home`, the country the shop sends from; None where one of the two is unknown."""
    start = HOME_OF.get(lane.carrier or "", home)
    if start is None or lane.country is None:
        return None
    if lane.country == start:
        return Reach.HOME
    return Reach.UNION if {lane.country, start} <= EU else Reach.ABROAD


def expectation(
    lane: Lane, learnt: Mapping[Lane, Learnt], *, least_samples: int = LEAST_SAMPLES, home: str | None = None
) -> Expectation:
    """What is usual on the narrowest lane that has enough parcels, else by the table; bounded either way.

    Args:
        lane: in the form of `lane_of`.
        learnt: what the shop's own parcels did, by lane; None in a lane there stands for any.
        least_samples: how many are enough.
        home: the country the shop sends from, where that is known.
    """
    reach = reach_of(lane, home)
    usual = USUAL
    if reach is not None:
        usual = USUAL_OF.get((lane.carrier, reach), USUAL_OF[None, reach])
    for one in widening(lane):
        known = learnt.get(one)
        if known is not None and known.samples >= least_samples and known.transit:
            return usual.but(
                first_scan=_bounded(known.first_scan, _FIRST_SCAN, usual.first_scan),
                gap=_bounded(known.gap, _GAP, usual.gap),
                transit=ascending(known.transit),
                last_mile=_bounded(known.last_mile, _LAST_MILE, usual.last_mile),
                samples=known.samples,
                lane="/".join(part or "*" for part in one),
                kept=known.kept,
            )
    return usual


def dispatch_within(samples: int, within: timedelta | None, *, least_samples: int = LEAST_SAMPLES) -> timedelta | None:
    """How soon a shop's orders leave, bounded; None where too few have left to say."""
    return None if within is None or samples < least_samples else _bounded(within, _DISPATCH, within)


def ascending(transit: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Quantiles within bounds, each later than the one before."""
    least, most = _TRANSIT_DAYS
    kept: list[tuple[float, float]] = []
    for probability, days in transit:
        before = kept[-1][1] + _APART_DAYS if kept else least
        kept.append((probability, max(min(days, most), before)))
    return tuple(kept)


def _bounded(span: timedelta | None, bounds: tuple[timedelta, timedelta], otherwise: timedelta) -> timedelta:
    """Within bounds, in whole seconds as spans are written."""
    if span is None:
        return otherwise
    least, most = bounds
    return timedelta(seconds=round(min(max(span, least), most).total_seconds()))
