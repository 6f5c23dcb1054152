"""Estimates that a carrier moves between two scans."""

from datetime import date
from itertools import permutations

from journey.events import ShipmentUpdated
from journey.parcels import Parcel, ParcelStatus
from journey.telling import apply
from tests.journey.makers import after, begun, scan

SOONER, LATER = date(2026, 11, 6), date(2026, 11, 9)


def moved(promised: date, said_at) -> ShipmentUpdated:
    return scan(after(2), ParcelStatus.IN_TRANSIT, promised=promised).but(estimated_at=said_at)


def folded(*events, days=60) -> Parcel:
    state = begun()
    for event in events:
        state = apply(state, event, now=after(days))
    (parcel,) = state.parcels
    return parcel


def test_the_estimate_said_last_counts_though_it_is_earlier():
    """Back and forth with the same scan: the first word and the last one stand, in whatever order they come in."""
    words = [moved(day, after(3 + hours / 24)) for hours, day in enumerate((LATER, SOONER, LATER, SOONER))]
    found = {folded(*order).estimates for order in permutations(words)}

    ((first, *_, last),) = found
    assert ((after(3), LATER), (after(3, hours=3), SOONER)) == (first, last)


def test_a_delay_is_known_from_when_it_was_said():
    """Not from the scan before it, which may be days old."""
    assert after(4) == folded(moved(SOONER, after(2)), moved(LATER, after(4))).delayed_at


def test_an_estimate_without_a_moment_is_as_old_as_its_scan():
    """What was recorded before estimates had moments folds as it did."""
    assert ((after(2), LATER),) == folded(moved(LATER, None)).estimates


def test_an_estimate_from_the_future_was_said_on_arrival():
    """A sender's wrong clock does not keep later words from being believed."""
    assert ((after(3), LATER),) == folded(moved(LATER, after(9)), days=3).estimates
