"""The hours in which a marketing text may ring, by country, region and day."""

from datetime import date, time, timedelta

import pytest

from journey.calendars import french, rhode_island
from journey.jurisdictions import RULES, WHOLE_DAY, Kind, Window, allowed_windows, meet, regulated
from journey.playbook import Channel
from journey.zones import zones_by_country

MONDAY = date(2026, 11, 9)
SATURDAY, SUNDAY = date(2026, 11, 14), date(2026, 11, 15)


def hours(start: int, end: int) -> tuple[Window, ...]:
    return (Window(time(start), time(end)),)


@pytest.mark.parametrize(
    ("region", "monday", "saturday", "sunday"),
    [
        ("CA", hours(8, 21), hours(8, 21), hours(8, 21)),
        ("FL", hours(8, 20), hours(8, 20), hours(8, 20)),
        ("OK", hours(8, 20), hours(8, 20), hours(8, 20)),
        ("MD", hours(8, 20), hours(8, 20), hours(8, 20)),
        ("MS", hours(8, 20), hours(8, 20), ()),
        ("CT", hours(9, 20), hours(9, 20), hours(9, 20)),
        ("TX", hours(9, 21), hours(9, 21), hours(12, 21)),
        ("RI", hours(9, 18), hours(10, 17), ()),
        (None, hours(9, 18), hours(10, 17), ()),
    ],
)
def test_the_states_hours(region, monday, saturday, sunday):
    """What each state's statute says of a working day, a Saturday and a Sunday; an unknown state is all of them."""
    found = [allowed_windows(Channel.SMS, "US", region, day) for day in (MONDAY, SATURDAY, SUNDAY)]
    assert found == [monday, saturday, sunday]


def test_texas_before_its_law():
    """A rule goes from its date on: in August 2025 a text to Texas was under the federal hours alone."""
    assert allowed_windows(Channel.SMS, "US", "TX", date(2025, 8, 31)) == hours(8, 21)
    assert allowed_windows(Channel.SMS, "US", "TX", date(2025, 9, 1)) == hours(9, 21)


def test_which_channels_the_law_means():
    """Texts and WhatsApp ring a number; mail, notifications and the inbox are left to the playbook."""
    assert allowed_windows(Channel.WHATSAPP, "US", "FL", MONDAY) == hours(8, 20)
    for channel in (Channel.EMAIL, Channel.WEB_PUSH, Channel.PUSH, Channel.INBOX):
        assert allowed_windows(channel, "US", "FL", MONDAY) == WHOLE_DAY
        assert not regulated(channel, "US")
    assert not regulated(Channel.SMS, "DE")
    assert regulated(Channel.SMS, None)


def test_france_rests_on_sundays_and_holidays():
    """Eight to ten on working days, which Saturdays are; none on a Sunday or a public holiday."""
    days = [SATURDAY, SUNDAY, date(2026, 7, 14), date(2026, 5, 14), date(2026, 4, 6)]

    assert [allowed_windows(Channel.SMS, "FR", None, day) for day in days] == [hours(8, 22), (), (), (), ()]
    assert allowed_windows(Channel.WHATSAPP, "FR", None, SUNDAY) == WHOLE_DAY


@pytest.mark.parametrize(
    ("country", "region", "expected"),
    [
        ("us", "fl", hours(8, 20)),
        ("US", "US-FL", hours(8, 20)),
        ("US", "Florida", hours(9, 18)),
        ("US", "", hours(9, 18)),
        ("US", "XX", hours(9, 18)),
        ("PR", None, hours(8, 21)),
        ("DE", "BY", WHOLE_DAY),
        (None, None, hours(9, 18)),
        ("USA", "FL", hours(9, 18)),
    ],
)
def test_what_nobody_knows_is_taken_narrowly(country, region, expected):
    """Codes are read in either case and with the country before them; any other word is a region nobody knows."""
    assert allowed_windows(Channel.SMS, country, region, MONDAY) == expected


def test_the_unknown_region_is_never_wider_than_any_known():
    """On every day of a year the hours of an unknown state lie within those of each state that has its own."""
    for day in (date(2026, 1, 1) + timedelta(days=ahead) for ahead in range(365)):
        unknown = allowed_windows(Channel.SMS, "US", None, day)
        for region in ("FL", "OK", "MD", "MS", "CT", "TX", "RI", "NY"):
            assert meet(unknown, allowed_windows(Channel.SMS, "US", region, day)) == unknown


def test_hours_meet():
    """The hours of both, with midnight as the end of a day; those that only touch do not meet."""
    assert meet(WHOLE_DAY, hours(8, 20)) == hours(8, 20)
    assert meet(hours(8, 12), hours(12, 20)) == ()
    assert meet((*hours(8, 12), *hours(14, 0)), hours(10, 16)) == (*hours(10, 12), *hours(14, 16))
    assert meet(hours(20, 0), hours(22, 0)) == hours(22, 0)


def test_holidays_are_the_published_ones():
    """Easter's days move and the fixed ones stay; a holiday on a weekend is off on the working day beside it too."""
    assert {date(2025, 4, 21), date(2025, 5, 29), date(2025, 6, 9), date(2025, 12, 25)} <= french(2025)
    assert {date(2027, 3, 29), date(2027, 5, 6), date(2027, 5, 17)} <= french(2027)
    assert len(french(2026)) == 11
    thanksgiving, victory, election, fourth = (
        date(2026, 11, 26),
        date(2026, 8, 10),
        date(2026, 11, 3),
        date(2026, 7, 3),
    )
    assert {thanksgiving, victory, election, fourth} <= rhode_island(2026)
    assert date(2025, 11, 4) not in rhode_island(2025)
    assert date(2021, 12, 31) in rhode_island(2021)


def test_every_row_is_dated_and_sourced():
    """A row names a country that exists, its source and the day it began, and what is mere practice says so."""
    countries = set(zones_by_country())
    for rule in RULES:
        assert rule.country in countries
        assert rule.source
        assert rule.until is None or rule.since < rule.until
        assert len(rule.week) == 7
    assert {rule.country for rule in RULES if rule.kind is Kind.PRACTICE} == {"GB"}
