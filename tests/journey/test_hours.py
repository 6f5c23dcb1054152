"""The customer's own clock, through every change to and from summer time."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journey.hours import (
    closes_at,
    end_of_quiet,
    first_open,
    local_day,
    next_allowed,
)
from journey.jurisdictions import WHOLE_DAY, Window
from journey.playbook import Channel, QuietHours
from journey.zones import is_zone, possible_zones, zone_named, zones_by_country

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
        ("Atlantic/Azores", utc(10, 25, 16), 25),
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


MINUTE = timedelta(minutes=1)
CLOCKS_CHANGE = [
    ("Europe/Berlin", utc(3, 29, 1)),
    ("Europe/Berlin", utc(10, 25, 1)),
    ("America/New_York", utc(3, 8, 7)),
    ("Australia/Lord_Howe", utc(4, 4, 15)),
    ("America/Santiago", utc(9, 6, 4)),
    ("Atlantic/Azores", utc(10, 25, 1)),
    ("Asia/Kathmandu", utc(6, 1)),
]
clocks = st.integers(0, 47).map(lambda half: time(half // 2, half % 2 * 30))
windows = st.lists(st.tuples(clocks, clocks), min_size=1, max_size=2).map(
    lambda pairs: tuple(Window(min(pair), max(pair)) for pair in pairs)
)


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(CLOCKS_CHANGE),
    st.lists(st.sampled_from([zone for zone, _ in CLOCKS_CHANGE]), max_size=2),
    st.integers(-60 * 20, 60 * 20),
    st.lists(windows, min_size=7, max_size=7),
)
def test_the_first_opening_is_the_first(change, others, minutes, week):
    """Around every change of the clocks: open in every zone, never past, and no minute before it was open as well."""
    zone, moment = change
    now, zones = moment + minutes * MINUTE, (zone, *others)

    def is_open(at: datetime) -> bool:
        there = [at.astimezone(zone_named(one)) for one in zones]
        return all(any(window.holds(local.time()) for window in week[local.weekday()]) for local in there)

    opens = first_open(now, lambda day: week[day.weekday()], zones)
    if opens is not None:
        assert now <= opens
        assert is_open(opens)
    looked = min((opens or now + timedelta(days=14)) - now, timedelta(days=3))
    assert not any(is_open(now + minute * MINUTE) for minute in range(looked // MINUTE))


@pytest.mark.parametrize(
    ("zone", "window", "now", "opens"),
    [
        # Half past two is skipped: open from the moment the clock shows three.
        ("Europe/Berlin", Window(time(2, 30), time(4)), utc(3, 29, 0), utc(3, 29, 1)),
        # Two to three comes twice, and so does an opening that begins in it, or is entered again by the change.
        ("Europe/Berlin", Window(time(2, 15), time(2, 30)), utc(10, 25, 0, 45), utc(10, 25, 1, 15)),
        ("Europe/Berlin", Window(time(1, 30), time(2, 30)), utc(10, 25, 0, 45), utc(10, 25, 1)),
        # That day begins at one; the next has its half past midnight.
        ("America/Santiago", Window(time(0, 30), time(2)), utc(9, 6, 3), utc(9, 6, 4)),
        ("America/Santiago", Window(time(0, 30), time(1)), utc(9, 6, 3), utc(9, 7, 3, 30)),
        ("Atlantic/Azores", Window(time(0, 30), time(1)), utc(10, 25, 1, 10), utc(10, 25, 1, 30)),
    ],
)
def test_an_opening_goes_by_the_wall_clock(zone, window, now, opens):
    """In the hour that summer time skips or repeats, what the clock on the wall shows decides."""
    assert first_open(now, lambda _: (window,), (zone,)) == opens


def test_what_never_opens_is_said_so():
    """No hours on any day, or hours that two zones never share: none, rather than a search for ever."""
    mornings = (Window(time(8), time(9)),)

    assert first_open(utc(11, 11), lambda _: (), ("UTC",)) is None
    assert first_open(utc(11, 11), lambda _: mornings, ("Europe/Berlin", "Asia/Tokyo")) is None
    assert first_open(utc(11, 11), lambda _: WHOLE_DAY, ("Europe/Berlin", "Asia/Tokyo")) == utc(11, 11)


def test_the_law_and_the_playbook_both_have_their_say():
    """In Texas on a Sunday the law opens at noon; a playbook that sleeps until two is asked as well."""
    texas = {"zones": ("America/Chicago",), "country": "US", "region": "TX"}
    sunday = utc(11, 22, 12)

    assert next_allowed(sunday, Channel.SMS, NIGHT, **texas) == utc(11, 22, 18)
    lie_in = QuietHours(start=time(21), end=time(14))
    assert next_allowed(sunday, Channel.SMS, lie_in, **texas) == utc(11, 22, 20)
    assert next_allowed(sunday, Channel.SMS, None, **texas) == utc(11, 22, 18)
    assert next_allowed(sunday, Channel.EMAIL, NIGHT, **texas) == utc(11, 22, 14)


def test_a_long_weekend_is_waited_out():
    """In France a text of Good Saturday night waits over Easter Sunday and Monday."""
    france = {"zones": ("Europe/Paris",), "country": "FR", "region": None}

    assert next_allowed(utc(4, 4, 21), Channel.SMS, None, **france) == utc(4, 7, 6)


def test_somebody_anywhere_in_the_united_states_is_texted_when_all_may_be():
    """With zone and region unknown four hours of a working day are left, and none on a Sunday."""
    anywhere = {"zones": possible_zones(None, "US"), "country": "US", "region": None}

    assert next_allowed(utc(11, 17, 12), Channel.SMS, NIGHT, **anywhere) == utc(11, 17, 19)
    assert closes_at(utc(11, 17, 19), Channel.SMS, NIGHT, **anywhere) == utc(11, 17, 23)
    assert next_allowed(utc(11, 17, 23), Channel.SMS, NIGHT, **anywhere) == utc(11, 18, 19)
    assert next_allowed(utc(11, 21, 22), Channel.SMS, NIGHT, **anywhere) == utc(11, 23, 19)


def test_it_may_ring_until_the_evening():
    """Until the quiet hours or the law's end, whichever is first; a day open round the clock has no end."""
    berlin = {"zones": ("Europe/Berlin",), "country": "DE", "region": None}
    miami = {"zones": ("America/New_York",), "country": "US", "region": "FL"}

    assert closes_at(utc(11, 11, 11), Channel.EMAIL, NIGHT, **berlin) == utc(11, 11, 20)
    assert closes_at(utc(11, 11, 11), Channel.EMAIL, None, **berlin) is None
    assert closes_at(utc(11, 11, 17), Channel.SMS, NIGHT, **miami) == utc(11, 12, 1)
    siesta = QuietHours(start=time(14), end=time(17))
    assert closes_at(utc(11, 11, 20), Channel.EMAIL, siesta, **berlin) == utc(11, 12, 13)


@pytest.mark.parametrize("quiet", [NIGHT, QuietHours(start=time(14), end=time(17)), None])
def test_without_a_law_the_two_ways_of_asking_agree(quiet):
    """Where no law speaks, the openings give the very morning that the quiet hours do."""
    for hour in range(24 * 3):
        now = utc(3, 28) + timedelta(hours=hour)
        berlin = {"zones": ("Europe/Berlin",), "region": None}
        by_quiet = end_of_quiet(now, quiet, ("Europe/Berlin",))
        assert next_allowed(now, Channel.SMS, quiet, country="DE", **berlin) == by_quiet
        if quiet is not None:
            awake = Window(quiet.end, quiet.start) if quiet.start > quiet.end else None
            hours = (awake,) if awake else (Window(time(), quiet.start), Window(quiet.end, time()))
            assert first_open(now, lambda _, hours=hours: hours, ("Europe/Berlin",)) == by_quiet
