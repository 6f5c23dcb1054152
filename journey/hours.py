"""Days and quiet hours as the customer's own clock shows them, through every change to and from summer time."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from journey.playbook import QuietHours


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar day in somebody's zone, from `start` until `end`, both UTC: 23, 24 or 25 hours."""

    start: datetime
    end: datetime


def is_zone(name: str | None) -> bool:
    """Whether this is an IANA zone that exists."""
    if not name:
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


@lru_cache(maxsize=1)
def zones_by_country() -> dict[str, tuple[str, ...]]:
    """The IANA zones of each country (ISO 3166 alpha-2), from the tz database's own table."""
    found: dict[str, list[str]] = {}
    table = resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text()
    for row in table.splitlines():
        if row and not row.startswith("#"):
            country, _, zone = row.split("\t")[:3]
            found.setdefault(country, []).append(zone)
    return {country: tuple(zones) for country, zones in found.items()}


def possible_zones(zone: str | None, country: str | None) -> tuple[str, ...]:
    """Where the person's clock may be: their zone when it is known, else all of their country's, else UTC."""
    if zone is not None and is_zone(zone):
        return (zone,)
    return zones_by_country().get((country or "").upper(), ("UTC",))


def local_day(now: datetime, zone: str) -> Day:
    """The calendar day around `now` (aware) in `zone`, as UTC bounds."""
    here = ZoneInfo(zone)
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
    here = ZoneInfo(zone)
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
