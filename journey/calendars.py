"""Public holidays, where a rule about sending hours names them. Nothing else here needs a calendar of holidays."""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

_MONDAY: Final = 0
_THURSDAY: Final = 3
_SATURDAY: Final = 5
_SUNDAY: Final = 6


@lru_cache(maxsize=64)
def french(year: int) -> frozenset[date]:
    """The eleven jours fériés of Code du travail L3133-1; those of Alsace-Moselle alone are not among them."""
    easter = _easter(year)
    moving = (easter + timedelta(days=days) for days in (1, 39, 50))
    fixed = ((1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25))
    return frozenset({*moving, *(date(year, month, day) for month, day in fixed)})


@lru_cache(maxsize=64)
def rhode_island(year: int) -> frozenset[date]:
    """Federal holidays (5 USC 6103) and the state's own (R.I. Gen. Laws 25-1-1), on their day and when observed."""
    fixed = [date(year, month, day) for month, day in ((1, 1), (6, 19), (7, 4), (11, 11), (12, 25))]
    # New Year's Day on a Saturday is observed on the last day of the year before.
    found = {moment for day in (*fixed, date(year + 1, 1, 1)) for moment in _observed(day) if moment.year == year}
    found |= {
        _nth(year, 1, _MONDAY, 3),
        _nth(year, 2, _MONDAY, 3),
        _nth(year, 6, _MONDAY, 1) - timedelta(weeks=1),
        _nth(year, 8, _MONDAY, 2),
        _nth(year, 9, _MONDAY, 1),
        _nth(year, 10, _MONDAY, 2),
        _nth(year, 11, _THURSDAY, 4),
    }
    if year % 2 == 0:
        found.add(_nth(year, 11, _MONDAY, 1) + timedelta(days=1))
    return frozenset(found)


def _observed(day: date) -> Iterator[date]:
    """A holiday, and the working day beside it that is off when it falls on a weekend."""
    yield day
    if day.weekday() == _SATURDAY:
        yield day - timedelta(days=1)
    if day.weekday() == _SUNDAY:
        yield day + timedelta(days=1)


def _nth(year: int, month: int, weekday: int, which: int) -> date:
    """The first (1), second (2) … such weekday of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (which - 1))


def _easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (Meeus/Jones/Butcher)."""
    golden = year % 19
    century, in_century = divmod(year, 100)
    epact = (19 * golden + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    to_sunday = (32 + 2 * (century % 4) + 2 * (in_century // 4) - epact - in_century % 4) % 7
    correction = (golden + 11 * epact + 22 * to_sunday) // 451
    month, day = divmod(epact + to_sunday - 7 * correction + 114, 31)
    return date(year, month, day + 1)
