"""Days and quiet hours as the customer's own clock shows them, through every change to and from summer time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache, partial
from typing import Final
from zoneinfo import ZoneInfo  # noqa: TID251  the type alone

from journey.contact_rules import Channel, QuietHours
from journey.jurisdictions import WHOLE_DAY, Window, allowed_windows, meet, regulated
from journey.zones import zone_named

Openings = Callable[[date], Sequence[Window]]
"""The hours of a local calendar day in which something may go."""

_FURTHEST: Final = timedelta(days=15)
"""Hours come round within a week; what is not found in two, holidays and all, is never found."""
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar day in somebody's zone, from `start` until `end`, both UTC: 23, 24 or 25 hours."""

    start: datetime
    end: datetime


def local_day(now: datetime, zone: str) -> Day:
    """The calendar day around `now` (aware) in `zone`, as UTC bounds."""
    here = zone_named(zone)
    date = now.astimezone(here).date()
    start = datetime.combine(date, time(), here).astimezone(UTC)
    end = datetime.combine(date + timedelta(days=1), time(), here).astimezone(UTC)
    return Day(start, end)


def end_of_quiet(now: datetime, quiet: QuietHours | None, zones: tuple[str, ...]) -> datetime:
    """The first moment from `now` on (UTC) that is in nobody's quiet hours; `now` itself when it already is.

    With several possible zones every one of them must be awake. Where a country is so wide that they never
    all are, the first zone decides.
    """
    if quiet is None:
        return now
    if len(zones) == 1:
        return _awake_at(now, quiet, zones[0])
    moment = now
    for _ in range(3 * len(zones) + 3):
        later = max(_awake_at(moment, quiet, zone) for zone in zones)
        if later == moment:
            return moment
        moment = later
    return _awake_at(now, quiet, zones[0])


def _awake_at(now: datetime, quiet: QuietHours, zone: str) -> datetime:
    here = zone_named(zone)
    local = now.astimezone(here)
    clock = local.time()
    over_midnight = quiet.start > quiet.end
    late, early = clock >= quiet.start, clock < quiet.end
    asleep = late or early if over_midnight else late and early
    if not asleep:
        return now
    date = local.date() + timedelta(days=1 if over_midnight and clock >= quiet.start else 0)
    wakes = datetime.combine(date, quiet.end, here).astimezone(UTC)
    # In the hour that summer time skips or repeats, the wall clock may already be past the end.
    return max(wakes, now)


def next_allowed(
    now: datetime,
    channel: Channel,
    quiet: QuietHours | None,
    *,
    zones: tuple[str, ...],
    country: str | None,
    region: str | None,
) -> datetime | None:
    """The first moment from `now` on (UTC) that the playbook's quiet hours and the recipient's law both allow.

    Allowed means allowed in every one of the possible `zones`, and with an unknown region in every region. None
    where no such moment comes within two weeks. Where no law speaks this is `end_of_quiet`.

    Args:
        now: aware.
        channel: how it would travel.
        quiet: the playbook's quiet hours on this channel, or None.
        zones: the IANA zones the person may be in, at least one.
        country: ISO 3166-1 alpha-2, or None: then every country's rules hold.
        region: ISO 3166-2, or None.
    """
    if not regulated(channel, country):
        return end_of_quiet(now, quiet, zones)
    return first_open(now, partial(_openings, channel, quiet, country, region), zones)


def closes_at(
    now: datetime,
    channel: Channel,
    quiet: QuietHours | None,
    *,
    zones: tuple[str, ...],
    country: str | None,
    region: str | None,
) -> datetime | None:
    """Until when (UTC) what may go at `now` may still ring, in whichever of the zones closes first; None: no limit.

    Exact but for the hour in which summer time skips or repeats a closing time: there it is rather an hour early.
    """
    if quiet is None and not regulated(channel, country):
        return None
    openings = partial(_openings, channel, quiet, country, region)
    closings = [closing for zone in zones if (closing := _closes_at(now, openings, zone_named(zone))) is not None]
    return min(closings, default=None)


def first_open(now: datetime, openings: Openings, zones: tuple[str, ...]) -> datetime | None:
    """The first moment from `now` on (UTC) that lies in an opening by the wall clock of every zone; None: none does.

    None is the answer when nothing opens within two weeks. Seconds are the grain; at the changes to and from summer
    time the wall clock itself decides, so an opening that the repeated hour shows twice opens twice.
    """
    moment, limit = now.astimezone(UTC), now + _FURTHEST
    places = [zone_named(zone) for zone in zones]
    while True:
        later = moment
        for here in places:
            opens = _opens_at(later, openings, here)
            if opens is None or opens > limit:
                return None
            later = opens
        # Each step takes the earliest moment one zone allows, so none that all allow is ever stepped over.
        if later == moment:
            return moment
        moment = later


@lru_cache(maxsize=4096)
def _openings(
    channel: Channel, quiet: QuietHours | None, country: str | None, region: str | None, on: date
) -> Sequence[Window]:
    allowed = allowed_windows(channel, country, region, on)
    return allowed if quiet is None else meet(allowed, awake(quiet))


@lru_cache(maxsize=256)
def awake(quiet: QuietHours) -> tuple[Window, ...]:
    """The hours of any day that these quiet hours leave."""
    midnight = time()
    if quiet.start == quiet.end:
        return WHOLE_DAY
    if quiet.start > quiet.end:
        return (Window(quiet.end, quiet.start),)
    before = () if quiet.start == midnight else (Window(midnight, quiet.start),)
    return (*before, Window(quiet.end, midnight))


def _is_open(moment: datetime, openings: Openings, here: ZoneInfo) -> bool:
    local = moment.astimezone(here)
    clock = local.time()
    return any(window.holds(clock) for window in openings(local.date()))


def _opens_at(now: datetime, openings: Openings, here: ZoneInfo) -> datetime | None:
    if _is_open(now, openings, here):
        return now
    today = now.astimezone(here).date()
    for ahead in range(_FURTHEST.days + 1):
        for moment in _turns(today + timedelta(days=ahead), openings, here):
            if moment >= now and _is_open(moment, openings, here):
                return moment
    return None


def _turns(day: date, openings: Openings, here: ZoneInfo) -> list[datetime]:
    """The moments of a day at which an opening can begin: when it is due, and when the clocks are changed."""
    starts = {window.start for window in openings(day)}
    turns = {
        datetime.combine(day, start, here).replace(fold=fold).astimezone(UTC) for start in starts for fold in (0, 1)
    }
    return sorted({*turns, *_changes(day, here)})


def _changes(day: date, here: ZoneInfo) -> Iterator[datetime]:
    """The moment of a day at which its clocks are changed, to the second."""
    around = local_day(datetime.combine(day, time(12), here).astimezone(UTC), here.key)
    before, after = around.start, around.end
    offset = before.astimezone(here).utcoffset()
    if after.astimezone(here).utcoffset() == offset:
        return
    while after - before > _SECOND:
        middle = before + (after - before) // 2
        if middle.astimezone(here).utcoffset() == offset:
            before = middle
        else:
            after = middle
    yield after.replace(microsecond=0)


def _closes_at(now: datetime, openings: Openings, here: ZoneInfo) -> datetime | None:
    local = now.astimezone(here)
    clock, day = local.time(), local.date()
    for _ in range(_FURTHEST.days):
        window = next((window for window in openings(day) if window.holds(clock)), None)
        midnight = datetime.combine(day, time(), here).astimezone(UTC)
        if window is None:
            return max(now, midnight)
        if window.end != time():
            ends = [datetime.combine(day, window.end, here).replace(fold=fold).astimezone(UTC) for fold in (0, 1)]
            return max(now, min(ends))
        clock, day = time(), day + timedelta(days=1)
    return None
