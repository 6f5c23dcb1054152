"""The hour of the day at which a customer opens messages, and moving a message to it.

Explainable on purpose: an hour is chosen when at least half of the opens fall into it or the hour on either side.
Opens follow sends, so what is learnt is the best of the hours that were tried.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from typing import Final

from journey.zones import zone_named

ENOUGH: Final = 8
"""Fewer opens than this say nothing."""
OVER: Final = timedelta(weeks=4)
"""Opens must lie this far apart, first to last: a habit is not one busy week."""
FORGOTTEN: Final = timedelta(days=180)
"""Older opens say how somebody used to live."""
_DAY: Final = 24


def best_hour(opens: Iterable[datetime], now: datetime, zone: str) -> int | None:
    """The local hour (0 to 23) around which this customer opens messages; None when there is no such habit.

    Args:
        opens: when messages were opened, aware; opens by machines left out by the caller.
        now: aware; opens after it are not counted.
        zone: the customer's IANA zone.
    """
    known = sorted(moment for moment in opens if now - FORGOTTEN <= moment <= now)
    if len(known) < ENOUGH or known[-1] - known[0] < OVER:
        return None
    here = zone_named(zone)
    hours = Counter(moment.astimezone(here).hour for moment in known)
    # The neighbours count half: 8:55 and 9:05 are one habit.
    best = max(range(_DAY), key=lambda hour: (2 * hours[hour] + _beside(hours, hour), -hour))
    within = hours[best] + _beside(hours, best)
    return best if 2 * within >= len(known) else None


def nudge(due: datetime, best_hour: int | None, zone: str, within: timedelta) -> datetime:
    """The first moment from `due` on that lies in the best hour of the customer's day, UTC.

    `due` itself when it does already, when there is no best hour, or when the moment is more than `within` away.
    """
    if best_hour is None:
        return due
    here = zone_named(zone)
    local = due.astimezone(here)
    if local.hour == best_hour:
        return due
    ahead = [
        datetime.combine(local.date() + timedelta(days=days), time(best_hour), here).astimezone(UTC) for days in (0, 1)
    ]
    # An hour that summer time skips is not there on that day.
    there = [moment for moment in ahead if moment > due and moment.astimezone(here).hour == best_hour]
    return there[0] if there and there[0] - due <= within else due


def _beside(hours: Counter[int], hour: int) -> int:
    return hours[(hour - 1) % _DAY] + hours[(hour + 1) % _DAY]
