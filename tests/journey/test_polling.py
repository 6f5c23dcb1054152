"""When a parcel is asked about again, and by whom."""

from datetime import UTC, date, datetime, timedelta
from statistics import quantiles

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey.parcels import ParcelStatus
from journey.polling import GIVES_UP, OVER, next_poll, reaches

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def polled(status, *, quiet, number="T1", **changes):
    """How long after a poll at noon the next one is, of a parcel whose last scan was `quiet` ago."""
    given = {
        "tracking_number": number,
        "created_at": NOON - 30 * DAY,
        "last_scan_at": NOON - quiet,
        "estimated_delivery": None,
        "polled_at": NOON,
        "now": NOON,
    } | changes
    at = next_poll(status, **given)
    return None if at is None else at - NOON


@pytest.mark.parametrize(
    ("every", "status", "quiet"),
    [
        (0.5, "out_for_delivery", HOUR),
        (4, "out_for_delivery", 2 * DAY),
        (24, "out_for_delivery", 4 * DAY),
        (4, "picked_up", HOUR),
        (4, "in_transit", HOUR),
        (4, "exception", HOUR),
        (4, "attempt_failed", HOUR),
        (24, "in_transit", 5 * DAY),
        (72, "in_transit", 20 * DAY),
        (8, "label_created", HOUR),
        (8, "unknown", HOUR),
        (24, "label_created", 5 * DAY),
        (24, "available_for_pickup", HOUR),
        (24, "returning", HOUR),
        (72, "expired", 20 * DAY),
    ],
)
def test_the_table_holds(every, status, quiet):
    """Each status is asked about as often as the table says, give or take a tenth."""
    wait = polled(ParcelStatus(status), quiet=quiet)
    assert wait is not None
    assert every * 0.9 <= wait / HOUR <= every * 1.1


@pytest.mark.parametrize("status", sorted(OVER))
def test_what_is_over_is_not_asked_about(status):
    """Delivered, returned and cancelled parcels have nothing more to tell."""
    assert polled(status, quiet=HOUR) is None


def test_after_weeks_of_silence_nobody_asks():
    """The last poll is within 45 days of the last scan, or of the label where there is none."""
    assert polled(ParcelStatus.IN_TRANSIT, quiet=GIVES_UP - DAY) is None
    assert polled(ParcelStatus.IN_TRANSIT, quiet=GIVES_UP - 4 * DAY) is not None
    label = {"last_scan_at": None, "created_at": NOON - GIVES_UP}
    assert polled(ParcelStatus.LABEL_CREATED, quiet=DAY, **label) is None


@pytest.mark.parametrize(
    ("asked", "columns"),
    [
        (True, {"created_at": NOON - GIVES_UP + DAY}),
        (False, {"created_at": NOON - GIVES_UP - DAY}),
        (True, {"created_at": NOON - GIVES_UP - DAY, "last_scan_at": NOON - DAY}),
    ],
)
def test_who_never_answers_is_not_asked_for_ever(asked, columns):
    """A parcel for which no question was ever answered is given up like one of which nothing is heard."""
    given = {"last_scan_at": None, "polled_at": None} | columns
    assert asked == (polled(ParcelStatus.IN_TRANSIT, quiet=DAY, **given) is not None)


@pytest.mark.parametrize(
    ("hours", "now", "polled_at"),
    [
        (1, datetime(2026, 11, 23, 12, tzinfo=UTC), datetime(2026, 11, 23, 12, tzinfo=UTC)),
        (1, datetime(2026, 11, 24, 4, tzinfo=UTC), datetime(2026, 11, 24, 4, tzinfo=UTC)),
        (4, datetime(2026, 11, 24, 7, tzinfo=UTC), datetime(2026, 11, 24, 7, tzinfo=UTC)),
        (4, datetime(2026, 11, 22, 12, tzinfo=UTC), datetime(2026, 11, 22, 12, tzinfo=UTC)),
    ],
)
def test_on_the_day_it_is_due_it_is_asked_about_hourly(hours, now, polled_at):
    """From UTC's midnight until six the next morning; before and after as the table says."""
    at = next_poll(
        ParcelStatus.IN_TRANSIT,
        tracking_number="T1",
        created_at=now - DAY,
        last_scan_at=now - HOUR,
        estimated_delivery=date(2026, 11, 23),
        polled_at=polled_at,
        now=now,
    )
    assert at is not None
    assert 0.9 * hours <= (at - polled_at) / HOUR <= 1.1 * hours


def test_the_day_it_is_due_is_not_slept_through():
    """A sleeping parcel, asked about daily, is asked again within the first hour of that day."""
    wait = polled(ParcelStatus.IN_TRANSIT, quiet=5 * DAY, estimated_delivery=date(2026, 11, 24))
    assert wait is not None
    assert 12 * HOUR <= wait <= 13 * HOUR


@pytest.mark.parametrize(
    ("hours", "status", "more"),
    [
        (2, "out_for_delivery", {}),
        (16, "in_transit", {}),
        (4, "in_transit", {"estimated_delivery": NOON.date()}),
        (24, "returning", {}),
    ],
)
def test_webhooks_save_three_polls_of_four(hours, status, more):
    """A scan later than the last poll, which no poll can have brought, moves the next one back, to a day at most."""
    wait = polled(ParcelStatus(status), quiet=timedelta(), polled_at=NOON - 3 * HOUR, **more)
    assert wait is not None
    assert 0.9 * hours <= wait / HOUR <= 1.1 * hours


def test_a_carrier_whose_clock_is_ahead_does_not_stop_the_polling():
    """A scan dated in the future counts for nothing: neither as webhook's word nor as the moment to count from."""
    assert polled(ParcelStatus.IN_TRANSIT, quiet=-500 * DAY) == polled(ParcelStatus.IN_TRANSIT, quiet=30 * DAY)


def test_a_morning_of_parcels_falls_due_over_the_whole_first_span():
    """Ten thousand labels of one minute are asked about evenly over eight hours, then never in step again."""
    first = [
        polled(ParcelStatus.PENDING, quiet=DAY, number=f"T{n}", last_scan_at=None, created_at=NOON, polled_at=None)
        for n in range(10_000)
    ]
    hours = sorted(wait / HOUR for wait in first)
    assert [round(hour) for hour in quantiles(hours, n=4)] == [2, 4, 6]
    assert hours[-1] < 8
    on_the_day = [
        polled(ParcelStatus.IN_TRANSIT, quiet=5 * DAY, number=f"T{n}", estimated_delivery=date(2026, 11, 24)) / HOUR
        for n in range(1000)
    ]
    assert max(on_the_day) - min(on_the_day) > 0.99


MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  zones are given


@given(
    status=st.sampled_from(ParcelStatus),
    number=st.text(min_size=1),
    created=MOMENTS,
    scan=st.none() | MOMENTS,
    estimate=st.none() | st.dates(),
    now=MOMENTS,
)
def test_a_poll_is_never_followed_by_one_at_once(*, status, number, created, scan, estimate, now):
    """After a poll the next one is at least 27 minutes away, whatever is known, and every open parcel has an end."""
    at = next_poll(
        status,
        tracking_number=number,
        created_at=min(created, now),
        last_scan_at=scan,
        estimated_delivery=estimate,
        polled_at=now,
        now=now,
    )
    if at is not None and not (
        estimate is not None and now < datetime(estimate.year, estimate.month, estimate.day, tzinfo=UTC)
    ):
        assert at - now >= timedelta(minutes=27)
    if at is not None:
        assert at > now
        since = min(created, now) if scan is None or scan > now else scan
        assert at - since <= GIVES_UP


def test_each_parcel_has_one_poller():
    """A carrier's own API before a service, the first of two alike, and the unknown carriers are the service's."""
    found = reaches(
        {"ups": frozenset({"ups"}), "aftership": None, "express": frozenset({"ups", "dhl"}), "easypost": None}
    )
    who = {
        carrier: [name for name, reach in found.items() if reach.covers(carrier)]
        for carrier in ("ups", "dhl", "gls", None)
    }
    assert who == {"ups": ["ups"], "dhl": ["express"], "gls": ["aftership"], None: ["aftership"]}


def test_without_a_service_nobody_asks_about_other_carriers():
    """A parcel whose carrier nobody speaks for, or knows, is left alone."""
    reach = reaches({"ups": frozenset({"ups"})})["ups"]
    assert [reach.covers(carrier) for carrier in ("ups", "gls", None)] == [True, False, False]
