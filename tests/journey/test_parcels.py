"""A parcel is what all its scans together tell, whatever order they come in."""

from datetime import date

from journey.events import ShipmentCreated
from journey.folding import dispatched, scanned
from journey.parcels import Parcel, ParcelStatus, Reason, Scan
from journey.telling import apply
from tests.journey.makers import after, begun, scan, shipped

S = ParcelStatus


def folded(*events) -> Parcel:
    state = begun()
    for event in events:
        state = apply(state, event, now=after(days=60))
    (parcel,) = state.parcels
    return parcel


def test_a_late_scan_never_moves_a_parcel_back():
    """The van's scan that arrives after the delivery's, but happened before, changes only what it knows."""
    parcel = folded(scan(after(3), S.DELIVERED), scan(after(2), S.OUT_FOR_DELIVERY))

    assert (S.DELIVERED, after(3)) == (parcel.status, parcel.status_at)
    assert after(2) == parcel.out_for_delivery_at


def test_a_delivery_is_not_undone_by_a_later_scan():
    """A depot that scans its sheet a day late does not take the parcel back out of the customer's hands."""
    parcel = folded(scan(after(3), S.DELIVERED), scan(after(4), S.IN_TRANSIT), scan(after(5), S.CANCELLED))

    assert S.DELIVERED is parcel.status
    assert not parcel.void
    assert after(3) == parcel.delivered_at


def test_the_first_of_two_delivery_scans_counts():
    """A delivery scanned twice happened the first time, whichever scan came in first."""
    assert after(3) == folded(scan(after(4), S.DELIVERED), scan(after(3), S.DELIVERED)).delivered_at


def test_of_two_scans_in_one_second_the_further_one_is_true():
    """Carriers stamp several scans with one time; the parcel is where the furthest says."""
    together = [scan(after(3), S.DELIVERED), scan(after(3), S.OUT_FOR_DELIVERY)]

    assert S.DELIVERED is folded(*together).status is folded(*reversed(together)).status


def test_a_slip_of_a_day_is_a_delay_from_the_moment_it_was_said():
    """The promise moved from the 5th to the 6th: the customer is told as of that scan."""
    parcel = folded(
        shipped(after(1), promised=date(2026, 11, 5)), scan(after(2), S.IN_TRANSIT, promised=date(2026, 11, 6))
    )

    assert after(2) == parcel.delayed_at
    assert (date(2026, 11, 6), date(2026, 11, 5)) == (parcel.estimated_delivery, parcel.previous_estimate)


def test_an_earlier_promise_is_no_delay():
    """Good news is not a delay."""
    parcel = folded(
        shipped(after(1), promised=date(2026, 11, 5)), scan(after(2), S.IN_TRANSIT, promised=date(2026, 11, 4))
    )

    assert parcel.delayed_at is None


def test_a_promise_at_the_end_of_the_calendar_is_survived():
    """Some carriers write 9999-12-31 for 'we do not know'; there is no day after it."""
    parcel = folded(
        scan(after(1), S.IN_TRANSIT, promised=date.max), scan(after(2), S.IN_TRANSIT, promised=date(2026, 11, 6))
    )

    assert parcel.delayed_at is None


def test_a_repeated_promise_takes_no_room():
    """Thirty scans with the same date are one promise and its last word, not thirty entries."""
    scans = [scan(after(1, hours=hour), S.IN_TRANSIT, promised=date(2026, 11, 6)) for hour in range(30)]

    assert ((after(1), date(2026, 11, 6)), (after(1, hours=29), date(2026, 11, 6))) == folded(*scans).estimates


def test_the_shop_knows_its_carrier_better_than_a_scan():
    """Carriers are often guessed from the number; the shop's word stands, and its later word corrects it."""
    parcel = folded(
        scan(after(3), S.IN_TRANSIT, carrier="usps"),
        ShipmentCreated(at=after(1), tracking_number="T1", carrier="dhl"),
        ShipmentCreated(at=after(2), tracking_number="T1", carrier="dpd"),
        scan(after(4), S.IN_TRANSIT, carrier="ups"),
    )

    assert parcel.carrier == "dpd"


def test_a_known_carrier_without_a_source_is_the_shops():
    """A parcel read from a table, where nobody wrote down who named the carrier, keeps it over a scan's guess."""
    known = Parcel(tracking_number="T1", carrier="dhl")
    heard = scanned(known, Scan(S.IN_TRANSIT, after(1)), tracking_number="T1", carrier="ups")
    corrected = dispatched(known, tracking_number="T1", carrier="dpd", skus=None, estimated_delivery=None, at=after(1))

    assert (heard.carrier, corrected.carrier) == ("dhl", "dpd")


def test_a_parcel_found_again_is_not_lost():
    """Lost is lost only until it is delivered."""
    lost = scan(after(9), S.EXCEPTION, reason=Reason.LOST)

    assert after(9) == folded(lost).lost_at
    assert folded(lost, scan(after(20), S.DELIVERED)).lost_at is None


def test_a_parcel_that_was_called_off_troubles_nobody():
    """A cancelled label with a problem on it does not keep marketing waiting."""
    parcel = folded(scan(after(2), S.CANCELLED, reason=Reason.LOST))

    assert parcel.void
    assert not parcel.troubled


def test_what_was_told_before_the_order_was_placed_is_another_parcels():
    """Carriers use their numbers again: the delivery of two years ago is not this order's."""
    state = apply(begun(), shipped(after(1)), now=after(1))

    assert state == apply(state, scan(after(days=-700), S.DELIVERED), now=after(2))


def test_a_carriers_clock_a_few_hours_slow_is_forgiven():
    """A scan dated shortly before the order counts from the order."""
    assert after(0) == folded(scan(after(hours=-5), S.DELIVERED)).delivered_at
