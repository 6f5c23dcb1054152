"""When a customer opens messages, and moving one there."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey.send_time import ENOUGH, best_hour, nudge
from journey.zones import zone_named, zones_by_country

NOW = datetime(2026, 11, 11, 11, tzinfo=UTC)
BERLIN = "Europe/Berlin"


def opens(*hours: int, every: int = 5) -> list[datetime]:
    """One open each few days back from now, at these hours of Berlin's clock, in turn."""
    here = zone_named(BERLIN)
    days = [(NOW - timedelta(days=every * (back + 1))).date() for back in range(len(hours))]
    return [datetime.combine(day, time(hour, 20), here) for day, hour in zip(days, hours, strict=True)]


def test_a_habit_is_found_by_the_customers_clock():
    """Evenings around seven, in summer time and in winter time: seven."""
    assert best_hour(opens(19, 19, 18, 20, 19, 7, 19, 12), NOW, BERLIN) == 19
    assert best_hour(opens(*[19] * 30), NOW, BERLIN) == 19


def test_too_little_says_nothing():
    """Seven opens, eight within one week, or opens of last year are no evidence."""
    assert best_hour(opens(*[19] * (ENOUGH - 1)), NOW, BERLIN) is None
    assert best_hour(opens(*[19] * ENOUGH, every=1), NOW, BERLIN) is None
    assert best_hour([one - timedelta(days=365) for one in opens(*[19] * ENOUGH)], NOW, BERLIN) is None
    assert best_hour(opens(*[19] * ENOUGH), NOW, BERLIN) == 19


def test_opens_all_over_the_day_are_no_habit():
    """Less than half within an hour of the best one: none."""
    assert best_hour(opens(18, 19, 19, 20, 8, 10, 12, 14, 16, 22), NOW, BERLIN) is None
    assert best_hour(opens(18, 19, 19, 20, 8, 10, 12, 14), NOW, BERLIN) == 19


def test_neighbouring_hours_are_one_habit_and_midnight_is_no_border():
    """Opens between eleven and one at night belong together, and the middle is named."""
    assert best_hour(opens(23, 0, 1, 23, 0, 1, 0, 9), NOW, BERLIN) == 0
    assert best_hour(opens(8, 9, 8, 9, 8, 9, 8, 9), NOW, BERLIN) == 8


def test_what_has_not_happened_yet_does_not_count():
    """Opens after now, from a journey whose clock runs ahead, are left out."""
    assert best_hour(opens(*[19] * ENOUGH), NOW - timedelta(days=20), BERLIN) is None


@pytest.mark.parametrize(
    ("hour", "within", "expected"),
    [
        (18, 24, NOW + timedelta(hours=6)),  # due at noon in Berlin
        (9, 24, NOW + timedelta(hours=21)),
        (12, 24, NOW),
        (9, 20, NOW),
        (None, 24, NOW),
    ],
)
def test_a_touch_moves_later_to_the_hour(hour, within, expected):
    """To the next such hour, today's or tomorrow's; not at all when that is further than it may wait."""
    assert nudge(NOW, hour, BERLIN, timedelta(hours=within)) == expected


def test_an_hour_that_summer_time_skips_is_not_waited_for():
    """There is no half past two in the night the clocks go forward; the touch stays where it was."""
    due = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    assert nudge(due, 2, BERLIN, timedelta(hours=12)) == due


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)),  # noqa: DTZ001  UTC is put on right away
    st.integers(0, 23),
    st.sampled_from(sorted(zone for zones in zones_by_country().values() for zone in zones)),
    st.timedeltas(timedelta(), timedelta(days=3)),
)
def test_a_touch_never_moves_earlier_nor_past_its_patience(due, hour, zone, within):
    """Anywhere, any day: not before it was due, not later than allowed, and where it moved it is that hour."""
    then = nudge(due, hour, zone, within)

    assert due <= then <= due + within
    assert then == due or then.astimezone(zone_named(zone)).hour == hour
