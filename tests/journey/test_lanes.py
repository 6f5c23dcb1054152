"""What is usual on a lane, and when a parcel comes by that."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey.estimates import LIKELY, Estimate, Why, estimate
from journey.lanes import USUAL, USUAL_OF, Expectation, Lane, Learnt, dispatch_within, expectation, lane_of
from journey.standards import Reach

BERLIN = ZoneInfo("Europe/Berlin")
# A Sunday, noon in Berlin.
SENT = datetime(2026, 11, 22, 11, tzinfo=UTC)
LANE = Lane("dhl", "express", "DE")
LEARNT = USUAL.but(transit=((0.5, 2.0), (0.8, 4.0), (0.95, 6.0)), samples=100, lane="dhl/*/DE")


def learnt(samples=30, days=(1.0, 2.0, 3.0), **more):
    return Learnt(samples=samples, transit=tuple(zip((0.5, 0.8, 0.95), days, strict=True)), **more)


def when(expected=LEARNT, *, now=SENT, **more):
    given = {"shipped_at": SENT, "first_scan_at": None, "carrier_estimate": None, "zone": BERLIN} | more
    return estimate(expectation=expected, now=now, **given)


@pytest.mark.parametrize(
    ("known", "answered"),
    [
        ({LANE, Lane("dhl", None, "DE"), Lane("dhl", None, None), Lane(None, None, "DE")}, "dhl/express/DE"),
        ({Lane("dhl", None, "DE"), Lane("dhl", None, None), Lane(None, None, "DE")}, "dhl/*/DE"),
        ({Lane("dhl", None, None), Lane(None, None, "DE")}, "dhl/*/*"),
        ({Lane(None, None, "DE")}, "*/*/DE"),
        ({Lane("dhl", "express", "FR"), Lane("ups", None, "DE"), Lane(None, None, None)}, "*/*/*"),
    ],
)
def test_the_narrowest_lane_with_enough_parcels_answers(known, answered):
    """Carrier, service and country; then without the service; then the carrier alone; then the country alone."""
    assert expectation(LANE, {lane: learnt() for lane in known}).lane == answered


@pytest.mark.parametrize(("samples", "lane"), [(29, "dhl/*/DE"), (30, "dhl/express/DE")])
def test_too_few_parcels_leave_the_word_to_the_wider_lane(samples, lane):
    """One parcel below the least a lane does not speak for itself."""
    found = expectation(LANE, {LANE: learnt(samples), Lane("dhl", None, "DE"): learnt(500)})
    assert (found.lane, found.samples) == (lane, 500 if samples == 29 else 30)


def test_what_nobody_knows_is_no_lane():
    """A parcel without carrier and country is none of any lane, whatever was learnt of the others."""
    everything = {Lane(None, None, None): learnt(), Lane("dhl", None, None): learnt()}
    assert expectation(Lane(None, "express", None), everything) == USUAL


@pytest.mark.parametrize(
    ("lane", "home", "found"),
    [
        (Lane("dhl", None, "DE"), "DE", ("dhl", Reach.HOME)),
        (Lane("dhl", None, "FR"), "DE", ("dhl", Reach.UNION)),
        (Lane("dhl", None, "CH"), "DE", ("dhl", Reach.ABROAD)),
        (Lane("dhl", None, "GB"), "US", ("dhl", Reach.ABROAD)),
        (Lane("hermes", None, "DE"), "DE", (None, Reach.HOME)),
        (Lane("usps", None, "US"), None, ("usps", Reach.HOME)),
        (Lane("usps", None, "DE"), "DE", ("usps", Reach.ABROAD)),
    ],
)
def test_a_thin_history_leaves_the_word_to_the_table(lane, home, found):
    """The table goes by carrier and by how far the destination is from where the shop sends from."""
    assert expectation(lane, {lane: learnt(3)}, home=home) == USUAL_OF[found]


@pytest.mark.parametrize(
    ("lane", "home"), [(LANE, None), (Lane("dhl", None, None), "DE"), (Lane(None, None, None), None)]
)
def test_an_unknown_end_is_as_usual_anywhere(lane, home):
    """Without knowing both ends nobody can say how far it is."""
    assert expectation(lane, {}, home=home) == USUAL


def test_farther_is_later_in_the_table():
    """For every carrier: to another continent it takes longer than next door, and may be silent for longer."""
    for carrier in {carrier for carrier, _ in USUAL_OF}:
        ways = [USUAL_OF[carrier, reach] for reach in Reach if (carrier, reach) in USUAL_OF]
        assert [one.transit[1][1] for one in ways] == sorted(one.transit[1][1] for one in ways), carrier
        assert [one.gap for one in ways] == sorted(one.gap for one in ways), carrier


spans = st.timedeltas(timedelta(days=-5), timedelta(days=5000)) | st.none()
days = st.floats(-10, 5000, allow_nan=False)


@given(spans, spans, spans, st.tuples(days, days, days).map(sorted))
def test_no_parcel_makes_a_deadline_absurd(first_scan, gap, last_mile, transit):
    """Whatever was learnt, a silence is called one after a day at least and a fortnight at most."""
    found = expectation(LANE, {LANE: learnt(99, transit, first_scan=first_scan, gap=gap, last_mile=last_mile)})
    assert timedelta(days=1) <= found.first_scan <= timedelta(days=10)
    assert timedelta(days=2) <= found.gap <= timedelta(days=14)
    assert timedelta(hours=12) <= found.last_mile <= timedelta(days=5)
    quantiles = [day for _, day in found.transit]
    assert quantiles[0] < quantiles[1] < quantiles[2]
    assert quantiles[0] >= 0.25
    assert quantiles[2] <= 60.2
    assert Expectation.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("samples", "within", "found"),
    [
        (29, timedelta(days=2), None),
        (30, timedelta(days=2), timedelta(days=2)),
        (30, timedelta(minutes=5), timedelta(days=1)),
        (30, timedelta(days=400), timedelta(days=30)),
        (30, None, None),
    ],
)
def test_dispatch_is_learnt_within_bounds(samples, within, found):
    """Too few orders say nothing; a shop that sends within minutes still has a day."""
    assert dispatch_within(samples, within) == found


@pytest.mark.parametrize(
    ("said", "lane"),
    [
        (("DHL Express", "Express 12:00", "de"), Lane("dhl", "express1200", "DE")),
        (("USPS", "GROUND_ADVANTAGE", "US"), Lane("usps", "groundadvantage", "US")),
        (("USPS", "Ground Advantage", "US"), Lane("usps", "groundadvantage", "US")),
        ((None, "", None), Lane(None, None, None)),
    ],
)
def test_spellings_share_a_lane(said, lane):
    """Names as shops and carriers write them come to one form."""
    assert lane_of(*said) == lane


def test_a_fresh_parcel_comes_by_the_quantiles():
    """Four of five within 4 days, 19 of 20 within 6: the days are of the customer's calendar."""
    assert when() == Estimate(date(2026, 11, 26), date(2026, 11, 28), LIKELY, Why.LEARNT)
    late_in_tokyo = when(
        zone=ZoneInfo("Asia/Tokyo"), shipped_at=SENT + timedelta(hours=8), now=SENT + timedelta(hours=8)
    )
    assert late_in_tokyo.day == date(2026, 11, 27)


def test_the_first_scan_counts_from_itself():
    """The days are counted from the first scan where there is one, not from the label."""
    scanned = SENT + timedelta(days=2)
    assert when(first_scan_at=scanned, now=scanned).day == date(2026, 11, 28)


def test_what_has_passed_is_left_out():
    """On day 4 one of five is still on its way: four of five of those come within 6 days and 7.7 hours, by hand.

    The survivors' share falls from 0.2 on day 4 to 0.05 on day 6, so by a fifth in ln 5 / ln 2 = 2.32 days.
    """
    assert when(now=SENT + timedelta(days=4)).day == (SENT + timedelta(days=6.32)).astimezone(BERLIN).date()


def test_nobody_can_say_when_hardly_any_is_left():
    """Beyond the last quantile a day has no probability, and where not one in a hundred is left there is no day."""
    late = when(now=SENT + timedelta(days=7))
    assert (late.probability, late.why) == (None, Why.LEARNT)
    assert when(now=SENT + timedelta(days=9)) is None


def test_a_table_has_no_probability():
    """Of a lane nothing was learnt of, a day is named and no figure is invented."""
    assert when(USUAL) == Estimate(date(2026, 11, 29), date(2026, 12, 4), None, Why.USUAL)


@pytest.mark.parametrize(
    ("kept", "revised", "found"),
    [
        (None, False, (date(2026, 11, 24), None, Why.CARRIER)),
        (0.92, False, (date(2026, 11, 24), 0.92, Why.CARRIER)),
        (0.92, True, (date(2026, 11, 24), None, Why.CARRIER)),
        (0.4, False, (date(2026, 11, 26), LIKELY, Why.LEARNT)),
    ],
)
def test_the_carriers_date_is_quoted_as_far_as_it_is_kept(kept, revised, found):
    """With the share that was learnt, without one where it moved, and not at all where it is mostly broken."""
    known = when(LEARNT.but(kept=kept), carrier_estimate=date(2026, 11, 24), revised=revised)
    assert (known.day, known.probability, known.why) == found


@pytest.mark.parametrize(
    ("probability", "counted"),
    [
        (None, None),
        (0.0, (1, 10)),
        (0.29, (1, 5)),
        (0.5, (1, 2)),
        (0.8, (4, 5)),
        (0.89, (4, 5)),
        (0.9, (9, 10)),
        (0.95, (19, 20)),
        (1.0, (19, 20)),
    ],
)
def test_a_probability_is_counted_as_people_count(probability, counted):
    """Never better than it is, and never certain."""
    assert Estimate(SENT.date(), SENT.date(), probability, Why.LEARNT).out_of == counted


def test_a_carriers_date_that_has_passed_is_no_estimate():
    """The day itself still counts, in the customer's zone; the day after, the quantiles do."""
    ends = datetime(2026, 11, 24, 22, 59, tzinfo=UTC)
    assert when(carrier_estimate=date(2026, 11, 24), now=ends).why is Why.CARRIER
    assert when(carrier_estimate=date(2026, 11, 24), now=ends + timedelta(minutes=1)).why is Why.LEARNT


def test_there_is_no_estimate_of_what_is_there_or_has_not_left():
    """Delivered is delivered, and without any moment there is nothing to count from."""
    assert when(delivered_at=SENT) is None
    assert when(shipped_at=None) is None
    assert when(USUAL.but(transit=())) is None


expectations = st.lists(st.floats(0.01, 90), min_size=3, max_size=3).map(
    lambda days: expectation(LANE, {LANE: learnt(50, sorted(days))})
)
passed = st.timedeltas(timedelta(days=-3), timedelta(days=120))
zones = st.sampled_from([BERLIN, ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Pacific/Pago_Pago"), UTC])
promises = st.none() | st.dates(date(2026, 11, 1), date(2027, 3, 1))


@given(expectations, passed, zones, promises, st.floats(0, 1) | st.none())
def test_an_estimate_is_never_in_the_past(expected, gone, zone, promised, kept):
    """Today at the earliest, and what is nearly sure is no earlier than what is likely."""
    now = SENT + gone
    known = when(expected.but(kept=kept), now=now, zone=zone, carrier_estimate=promised)
    assert known is None or now.astimezone(zone).date() <= known.day <= known.latest


@given(expectations, passed, passed)
def test_waiting_never_brings_a_parcel_nearer(expected, one, other):
    """The later it is, the later or equal the day; once nobody can say, nobody can say later either."""
    earlier, later = sorted((one, other))
    before, after = when(expected, now=SENT + earlier), when(expected, now=SENT + later)
    assert after is None or (before is not None and before.day <= after.day and before.latest <= after.latest)


@given(expectations, st.lists(st.floats(0, 30), min_size=3, max_size=3))
def test_a_slower_lane_is_later(expected, slower):
    """A lane whose every quantile is later gives a fresh parcel no earlier day."""
    late = [days + more for (_, days), more in zip(expected.transit, sorted(slower), strict=True)]
    other = when(expectation(LANE, {LANE: learnt(50, late)}))
    assert when(expected).day <= other.day
    assert when(expected).latest <= other.latest
