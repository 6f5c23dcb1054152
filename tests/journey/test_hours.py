"""The customer's own clock, through every change to and from summer time."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey.hours import end_of_quiet, is_zone, local_day, possible_zones, zones_by_country
from journey.playbook import QuietHours

NIGHT = QuietHours(start=time(21), end=time(8))


def utc(month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "noon", "hours"),
    [
        ("Europe/Berlin", utc(3, 29, 11), 23),
        ("Europe/Berlin", utc(10, 25, 11), 25),
        ("America/New_York", utc(3, 8, 16), 23),
        ("America/New_York", utc(11, 1, 16), 25),
        ("Australia/Lord_Howe", utc(4, 5, 1), 24.5),
        ("Australia/Lord_Howe", utc(10, 4, 1), 23.5),
        ("America/Santiago", utc(9, 6, 16), 23),  # at midnight: that day begins at one
        ("America/Havana", utc(11, 1, 16), 25),
        ("Asia/Kathmandu", utc(3, 29, 6), 24),
    ],
)
def test_a_day_is_as_long_as_the_calendar_makes_it(zone, noon, hours):
    """23, 23.5, 24, 24.5 or 25 hours, and the next day begins where it ends."""
    day = local_day(noon, zone)

    assert (day.end - day.start) == timedelta(hours=hours)
    assert day.start <= noon < day.end
    assert local_day(day.end, zone).start == day.end


@pytest.mark.parametrize(
    ("zone", "night", "morning"),
    [
        ("Europe/Berlin", utc(3, 28, 22), utc(3, 29, 6)),  # eight in summer time
        ("Europe/Berlin", utc(10, 24, 21), utc(10, 25, 7)),  # eight in winter time
        ("America/New_York", utc(3, 8, 4), utc(3, 8, 12)),
        ("America/New_York", utc(11, 1, 3), utc(11, 1, 13)),
        ("Australia/Lord_Howe", utc(4, 4, 12), utc(4, 4, 21, 30)),
        ("Australia/Lord_Howe", utc(10, 3, 12), utc(10, 3, 21)),
        ("Asia/Kathmandu", utc(11, 11, 16), utc(11, 12, 2, 15)),
    ],
)
def test_the_morning_comes_by_the_wall_clock(zone, night, morning):
    """Eight in the morning is eight on the customer's wall, in the nights that are an hour shorter or longer too."""
    assert end_of_quiet(night, NIGHT, (zone,)) == morning


def test_the_edges_of_the_quiet_hours():
    """Nine in the evening is quiet, eight in the morning is not, and by day the moment itself is the answer."""
    berlin = ("Europe/Berlin",)
    assert end_of_quiet(utc(11, 11, 20), NIGHT, berlin) == utc(11, 12, 7)
    assert end_of_quiet(utc(11, 11, 19, 59), NIGHT, berlin) == utc(11, 11, 19, 59)
    assert end_of_quiet(utc(11, 12, 7), NIGHT, berlin) == utc(11, 12, 7)


def test_quiet_hours_need_not_span_midnight():
    """A siesta ends the same afternoon; equal bounds mean none at all, and so does None."""
    madrid = ("Europe/Madrid",)
    siesta = QuietHours(start=time(14), end=time(17))

    assert end_of_quiet(utc(7, 1, 13), siesta, madrid) == utc(7, 1, 15)
    assert end_of_quiet(utc(7, 1, 23), siesta, madrid) == utc(7, 1, 23)
    assert end_of_quiet(utc(7, 1, 13), QuietHours(start=time(9), end=time(9)), madrid) == utc(7, 1, 13)
    assert end_of_quiet(utc(7, 1, 13), None, madrid) == utc(7, 1, 13)


def test_quiet_hours_that_end_in_the_skipped_hour_end_after_it():
    """Half past two does not exist in Berlin that night; the quiet is over once the clock has passed it."""
    quiet = QuietHours(start=time(21), end=time(2, 30))

    assert end_of_quiet(utc(3, 29, 0, 30), quiet, ("Europe/Berlin",)) == utc(3, 29, 1, 30)


@pytest.mark.parametrize("country", ["US", "AU", "FR", "RU", "BR", "UM", "KI", "PF"])
def test_a_wide_country_still_finds_a_moment_when_all_are_awake(country):
    """With only the country known every one of its zones must be awake, and within a day there is such a moment."""
    zones = possible_zones(None, country)
    for hour in range(48):
        now = utc(11, 11) + timedelta(hours=hour)
        then = end_of_quiet(now, NIGHT, zones)
        assert now <= then <= now + timedelta(hours=24)
        assert all(end_of_quiet(then, NIGHT, (zone,)) == then for zone in zones)


def test_the_narrowest_window_of_a_country_decides():
    """In the United States nothing goes before Honolulu is up, nor after New York has gone to bed."""
    zones = possible_zones(None, "US")

    assert end_of_quiet(utc(11, 11, 14), NIGHT, zones) == utc(11, 11, 18)
    assert end_of_quiet(utc(11, 12, 2), NIGHT, zones) == utc(11, 12, 18)


def test_where_never_all_are_awake_the_first_zone_decides():
    """An hour a day in zones half the globe apart: no common moment, and still an answer."""
    nearly_always = QuietHours(start=time(13), end=time(12))
    zones = ("Pacific/Auckland", "Europe/London")

    assert end_of_quiet(utc(11, 11), nearly_always, zones) == utc(11, 11, 23)
    assert end_of_quiet(utc(11, 11, 23), nearly_always, zones) == utc(11, 11, 23)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)),  # noqa: DTZ001  UTC is put on right away
    st.sampled_from(sorted(zone for zones in zones_by_country().values() for zone in zones)),
    st.times(),
    st.times(),
)
def test_the_end_of_quiet_is_never_in_the_past_and_stays_the_end(now, zone, start, end):
    """Anywhere, any year, any hours: the answer lies ahead within two days, and asked again there it is now."""
    quiet = QuietHours(start=start, end=end)
    then = end_of_quiet(now, quiet, (zone,))

    assert now <= then <= now + timedelta(days=2)
    assert end_of_quiet(then, quiet, (zone,)) == then


@pytest.mark.parametrize(
    "name", [None, "", "Mars/Olympus", "../etc/passwd", "Europe", "Europe/Berlin\n", "\0", "a" * 999]
)
def test_what_is_no_zone_is_no_zone(name):
    """Whatever a shop sends for a time zone, the answer is no and never a crash."""
    assert not is_zone(name)


def test_an_unknown_zone_falls_back_to_the_country_and_then_to_utc():
    """The zone when it is one, else the country's, else UTC."""
    assert possible_zones("Asia/Kathmandu", "DE") == ("Asia/Kathmandu",)
    assert "Europe/Berlin" in possible_zones("Mars/Olympus", "de")
    assert possible_zones(None, "??") == possible_zones(None, None) == ("UTC",)
