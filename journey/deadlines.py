"""What should have happened by when: each expected event owns a deadline, and its absence is an event.

Nothing is remembered: a deadline is derived from the parcel as it is now, so the scan that comes takes it away.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from journey.base import LONGEST
from journey.lanes import USUAL, Expectation
from journey.order import OrderFacts
from journey.parcels import Parcel, ParcelStatus, Reason
from journey.playbook import SILENCES, Anchor
from journey.zones import zone_named

LAST_CALL = timedelta(days=2)
"""How long before a pick-up goes back it is spoken of once more; of a short time, the second half."""
ALIKE = timedelta(days=2)
"""Silences of a parcel that follow each other sooner are one to its customer: only the first is told."""
_LAST_DAY = date(2999, 12, 31)
_STILL_TO_BE_SCANNED = frozenset({ParcelStatus.UNKNOWN, ParcelStatus.PENDING, ParcelStatus.LABEL_CREATED})
# Asked at every step of every journey: a name of the module is found sooner than an enum's member.
_WAITING, _OUT_FOR_DELIVERY = ParcelStatus.AVAILABLE_FOR_PICKUP, ParcelStatus.OUT_FOR_DELIVERY
_NOT_SCANNED, _STUCK, _NOT_BROUGHT = Anchor.PARCEL_NOT_SCANNED, Anchor.PARCEL_STUCK, Anchor.PARCEL_NOT_BROUGHT
_OVERDUE, _LATE = Anchor.PARCEL_OVERDUE, Anchor.PARCEL_LATE


Deadline = tuple[Anchor, datetime]
"""By that moment (UTC) the event that the anchor is the absence of should have come."""


def deadlines(
    order: OrderFacts, parcels: Sequence[Parcel], *, dispatch: timedelta, keeps: timedelta, awaited: bool
) -> list[tuple[Parcel | None, list[Deadline]]]:
    """Every deadline that is open, whether it lies ahead or has passed, by the parcel it is of; None: the order's own.

    Args:
        order: whose parcels these are.
        parcels: all that are known of.
        dispatch: how long a shop may take to hand an order over, where nothing was learnt.
        keeps: how long the shop's own store keeps an order ready.
        awaited: whether the order still has to leave, see `journey.awaited`.
    """
    found: list[tuple[Parcel | None, list[Deadline]]] = []
    if not order.physical:
        return found
    for parcel in parcels:
        if parcel.void:
            continue
        if parcel.unnumbered:
            # No carrier tells of it: that nothing is heard means nothing.
            continue
        if parcel.delivered_at is not None or (parcel.problems and parcel.lost_at is not None):
            continue
        if parcel.pickup:
            found.append((parcel, _of_pickup(parcel, keeps)))
        elif not parcel.going_back:
            found.append((parcel, _of_parcel(parcel, order.zones)))
    within = order.dispatch_within or dispatch
    # A shop that tells of no parcels is given for ever: nothing is missed there, and nothing is announced.
    if within < LONGEST and awaited:
        found.append((None, [(Anchor.ORDER_NOT_DISPATCHED, order.placed_at + within)]))
    return found


def promised_until(parcel: Parcel, day: date | None, zones: Sequence[str]) -> datetime | None:
    """When a promise is broken: the end of the promised `day` where the customer lives.

    Without a day it is as long as nineteen of twenty parcels of the lane take.
    """
    if day is not None:
        return _end_of(day, tuple(zones))
    began = parcel.first_scan_at or parcel.expected_since
    return None if began is None else began + timedelta(days=_expected(parcel).transit[-1][1])


def apart(found: list[Deadline], told: Mapping[Anchor, datetime]) -> list[Deadline]:
    """Those of a parcel's deadlines that are worth a word: a silence that falls so close to another says nothing new.

    Args:
        found: the open deadlines of one parcel.
        told: when its silences were told before, whatever has become of them since.
    """
    said = list(told.values())
    kept: list[Deadline] = []
    for at, anchor in sorted([(at, anchor) for anchor, at in found]):
        # One that was told before is not told again, wherever it has moved: it takes nobody's place.
        if anchor in SILENCES and anchor not in told:
            if said and any(abs(at - before) < ALIKE for before in said):
                continue
            said.append(at)
        kept.append((anchor, at))
    return kept


def _of_parcel(parcel: Parcel, zones: Sequence[str]) -> list[Deadline]:
    if parcel.status is _WAITING and parcel.waiting_at is not None:
        # It came to where it was to come: the customer is waited for, and not the parcel.
        return _kept(parcel.waiting_at, _expected(parcel).keeps)
    silence, estimates = _silence(parcel), parcel.estimates
    found = [] if silence is None else [silence]
    overdue = late = promised_until(parcel, estimates[-1][1] if estimates else None, zones)
    if len(estimates) > 1:
        late = promised_until(parcel, estimates[0][1], zones)
    if overdue is not None:
        found.append((_OVERDUE, overdue))
    if late is not None:
        found.append((_LATE, late))
    return found


def _of_pickup(parcel: Parcel, keeps: timedelta) -> list[Deadline]:
    if parcel.waiting_at is None:
        return []
    if parcel.going_back:
        # The shop took it back to its shelves, maybe before its time.
        since = dict(parcel.problems).get(Reason.RETURNING, parcel.waiting_at + keeps)
        return [(Anchor.PICKUP_NOT_COLLECTED, min(since, parcel.waiting_at + keeps))]
    return _kept(parcel.waiting_at, keeps)


def _kept(since: datetime, keeps: timedelta) -> list[Deadline]:
    last_call = since + keeps - min(LAST_CALL, keeps / 2)
    return [(Anchor.PICKUP_LAST_CALL, last_call), (Anchor.PICKUP_NOT_COLLECTED, since + keeps)]


def _silence(parcel: Parcel) -> Deadline | None:
    """The next scan that is waited for, and until when."""
    expected = _expected(parcel)
    if parcel.status is _WAITING:
        return None
    if parcel.last_scan_at is None:
        began = parcel.expected_since or parcel.label_at
        waits = parcel.status in _STILL_TO_BE_SCANNED and began is not None
        return (_NOT_SCANNED, began + expected.first_scan) if waits and began is not None else None
    if parcel.status is _OUT_FOR_DELIVERY:
        return _NOT_BROUGHT, parcel.last_scan_at + expected.last_mile
    return _STUCK, parcel.last_scan_at + expected.gap


def _expected(parcel: Parcel) -> Expectation:
    return parcel.expected or USUAL


@lru_cache(maxsize=4096)
def _end_of(day: date, zones: tuple[str, ...]) -> datetime:
    """The end of a day, in the last of the zones to see it."""
    # Room for whatever is counted from it: a carrier's 31 December 9999 has nothing after it.
    midnight = datetime.combine(min(day, _LAST_DAY) + timedelta(days=1), time())
    return max(midnight.replace(tzinfo=zone_named(zone)).astimezone(UTC) for zone in zones)
