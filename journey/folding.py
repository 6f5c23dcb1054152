"""A parcel folded from its scans, whatever order, number or age they arrive in.

Every field is a minimum, a maximum or a set over the scans seen, so the fold is commutative and idempotent: repeats
change nothing, and a late scan never moves the parcel back.
"""

from datetime import date, datetime

from journey.base import TrackingNumber
from journey.lanes import Expectation
from journey.parcels import PROBLEM_OF, Method, Parcel, ParcelStatus, Reason, Scan, seen

# Two scans of the same second happen; the further one is then the truth.
_RANK = {
    status: rank
    for rank, status in enumerate(
        [
            ParcelStatus.UNKNOWN,
            ParcelStatus.PENDING,
            ParcelStatus.LABEL_CREATED,
            ParcelStatus.PICKED_UP,
            ParcelStatus.IN_TRANSIT,
            ParcelStatus.EXPIRED,
            ParcelStatus.EXCEPTION,
            ParcelStatus.OUT_FOR_DELIVERY,
            ParcelStatus.ATTEMPT_FAILED,
            ParcelStatus.AVAILABLE_FOR_PICKUP,
            ParcelStatus.RETURNING,
            ParcelStatus.CANCELLED,
            ParcelStatus.RETURNED,
            ParcelStatus.DELIVERED,
        ]
    )
}


def dispatched(
    parcel: Parcel | None,
    *,
    tracking_number: TrackingNumber,
    carrier: str | None,
    skus: tuple[str, ...] | None,
    estimated_delivery: date | None,
    at: datetime,
    service: str | None = None,
    method: Method = Method.DELIVERY,
    expected: Expectation | None = None,
    named_at: datetime | None = None,
) -> Parcel:
    """The parcel after the shop said it sent it; scans that came first are kept.

    `named_at` is since when the shop says so of this number, None where that does not matter.
    """
    base = _as_told(parcel or Parcel(tracking_number=tracking_number))
    changes: dict[str, object] = {"shipped_at": _earlier(base.shipped_at, at)}
    if named_at is not None:
        changes["named_at"] = _earlier(base.named_at, named_at)
    if carrier:
        changes |= _with_carrier(base, carrier, by_shop=True, at=at)
    if service:
        changes |= _newest(base, "service", service, at)
    if expected is not None:
        changes |= _newest(base, "expected", expected, at)
    if method is Method.PICKUP:
        changes["method"] = method
    if skus is not None:
        changes["skus"] = tuple(sorted({*(base.skus or ()), *skus}))
    if estimated_delivery is not None:
        changes["estimates"] = _with_estimate(base.estimates, at, estimated_delivery)
    return _concluded(base.but(**changes))


def scanned(
    parcel: Parcel | None,
    scan: Scan,
    *,
    tracking_number: TrackingNumber,
    carrier: str | None,
    service: str | None = None,
    expected: Expectation | None = None,
    by_shop: bool = False,
    to_sender: bool = True,
    returns: bool = True,
) -> Parcel:
    """The parcel after one more scan; the very same one when the scan says nothing new.

    `to_sender`: whether what was on its way back and is then delivered came to its sender; a journey by older rules
    takes it for delivered. `returns`: likewise whether what is scanned in between is of its way back.
    """
    base = _as_told(parcel or Parcel(tracking_number=tracking_number))
    status, at, reason, estimate, estimated_at = scan
    changes: dict[str, object] = {}
    if carrier:
        changes |= _with_carrier(base, carrier, by_shop=False, at=at)
    if service:
        changes |= _newest(base, "service", service, at)
    if expected is not None:
        changes |= _newest(base, "expected", expected, at)
    if _says_more(base, scan):
        changes |= {"status": status, "status_at": at, "reason": reason}
    changes |= _moments(base, status, at)
    if to_sender:
        changes |= _ends(base, status, at, by_shop=by_shop, returns=returns)
    if status is not ParcelStatus.DELIVERED:
        problem = reason or PROBLEM_OF.get(status)
        if problem is not None:
            changes["problems"] = _with_problem(base.problems, problem, at)
    if estimate is not None:
        changes["estimates"] = _with_estimate(base.estimates, estimated_at or at, estimate)
    if not changes and parcel is not None:
        return parcel
    return _concluded(base.but(**changes))


def denied(parcel: Parcel, at: datetime, *, found: bool) -> Parcel:
    """The parcel after its customer said at `at` that it never came, or that it was found."""
    field = "found_at" if found else "denied_at"
    known: datetime | None = getattr(parcel, field)
    return parcel if known is not None and known >= at else _concluded(_as_told(parcel).but(**{field: at}))


def caught_up(parcel: Parcel) -> Parcel:
    """A parcel that was folded by rules which did not ask to whom it was delivered, as the newest rules have it."""
    if parcel.handed_over_at is not None or parcel.delivered_at is None:
        return parcel
    back = dict(parcel.problems).get(Reason.RETURNING, parcel.returning_at)
    return _concluded(parcel.but(handed_over_at=parcel.delivered_at, returning_at=back))


def _as_told(parcel: Parcel) -> Parcel:
    """The parcel as its scans say, whoever it was delivered to: what a further scan is held against."""
    if parcel.handed_over_at is None or parcel.status is ParcelStatus.DELIVERED:
        return parcel
    return parcel.but(status=ParcelStatus.DELIVERED, delivered_at=parcel.handed_over_at)


def _concluded(parcel: Parcel) -> Parcel:
    """The parcel with what follows from where it was handed over: at the customer's, or at its sender's."""
    if parcel.to_sender:
        return parcel.but(status=ParcelStatus.RETURNED, delivered_at=None)
    return parcel


def _ends(parcel: Parcel, status: ParcelStatus, at: datetime, *, by_shop: bool, returns: bool) -> dict[str, object]:
    """The moments that tell a delivery from one to the sender: all minima."""
    fields = ["returning_at"] if status in _GOING_BACK else []
    if status is ParcelStatus.DELIVERED:
        fields = ["handed_over_at", "handed_over_by_shop_at"] if by_shop else ["handed_over_at"]
    found: dict[str, object] = {}
    for field in fields:
        known: datetime | None = getattr(parcel, field)
        if known is None or at < known:
            found[field] = at
    if returns and status in _GOING_BACK and not parcel.returns:
        found["returns"] = True
    return found


_GOING_BACK = frozenset({ParcelStatus.RETURNING, ParcelStatus.RETURNED})


def _moments(parcel: Parcel, status: ParcelStatus, at: datetime) -> dict[str, object]:
    """The moments that a scan moves: the first ones are minima, the last one is a maximum."""
    first = [_FIRST_OF[status]] if status in _FIRST_OF else []
    changes: dict[str, object] = {}
    if seen(status):
        first.append("first_scan_at")
        if parcel.last_scan_at is None or at > parcel.last_scan_at:
            changes["last_scan_at"] = at
    for field in first:
        known: datetime | None = getattr(parcel, field)
        if known is None or at < known:
            changes[field] = at
    return changes


_FIRST_OF = {
    ParcelStatus.LABEL_CREATED: "label_at",
    ParcelStatus.OUT_FOR_DELIVERY: "out_for_delivery_at",
    ParcelStatus.AVAILABLE_FOR_PICKUP: "waiting_at",
    ParcelStatus.DELIVERED: "delivered_at",
}


def _newest(parcel: Parcel, field: str, value: object, at: datetime) -> dict[str, object]:
    """The word said last; of two said at once always the same one."""
    said_at: datetime | None = getattr(parcel, f"{field}_at")
    if said_at is not None and (said_at, repr(getattr(parcel, field))) >= (at, repr(value)):
        return {}
    return {field: value, f"{field}_at": at}


def _says_more(parcel: Parcel, scan: Scan) -> bool:
    """Whether the scan is the parcel's last word: the latest one, but nothing undoes a delivery."""
    if parcel.status_at is None:
        return True
    delivered, was_delivered = scan.status is ParcelStatus.DELIVERED, parcel.status is ParcelStatus.DELIVERED
    if delivered is not was_delivered:
        return delivered
    if scan.occurred_at != parcel.status_at:
        return scan.occurred_at > parcel.status_at
    return (_RANK[scan.status], scan.reason or "") > (_RANK[parcel.status], parcel.reason or "")


def _with_carrier(parcel: Parcel, carrier: str, *, by_shop: bool, at: datetime) -> dict[str, object]:
    """The shop's word for the carrier goes before the scans' (they often guess); of each, the latest."""
    said = (by_shop, at)
    if parcel.carrier is None:
        counts = True
    elif parcel.carrier_by is None:
        counts = by_shop
    else:
        counts = (said, carrier) > (parcel.carrier_by, parcel.carrier)
    return {"carrier": carrier, "carrier_by": said} if counts else {}


def _earlier(known: datetime | None, at: datetime) -> datetime:
    return at if known is None or at < known else known


def _with_problem(
    problems: tuple[tuple[Reason, datetime], ...], reason: Reason, at: datetime
) -> tuple[tuple[Reason, datetime], ...]:
    first = dict(problems)
    first[reason] = _earlier(first.get(reason), at)
    return tuple(sorted(first.items()))


def _with_estimate(
    estimates: tuple[tuple[datetime, date], ...], at: datetime, estimate: date
) -> tuple[tuple[datetime, date], ...]:
    """Carriers repeat their promise with every scan: only a date's first mention and the last word are kept."""
    known = sorted({*estimates, (at, estimate)})
    first: dict[date, datetime] = {}
    for said_at, day in known:
        first.setdefault(day, said_at)
    return tuple(sorted({(said_at, day) for day, said_at in first.items()} | {known[-1]}))
