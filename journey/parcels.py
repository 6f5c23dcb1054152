"""A parcel folded from its scans, whatever order, number or age they arrive in.

Every field is a minimum, a maximum or a set over the scans seen, so the fold is commutative and
idempotent: repeats change nothing, and a late scan never moves the parcel back.
"""

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from journey.base import Frozen, Instant, TrackingNumber


class ParcelStatus(StrEnum):
    """The normal form that every carrier's words are brought to (REFERENCE: carrier tracking)."""

    PENDING = "pending"
    LABEL_CREATED = "label_created"
    PICKED_UP = "picked_up"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    ATTEMPT_FAILED = "attempt_failed"
    AVAILABLE_FOR_PICKUP = "available_for_pickup"
    DELIVERED = "delivered"
    EXCEPTION = "exception"
    RETURNING = "returning"
    RETURNED = "returned"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """Why a parcel is not simply on its way, in words the templates have sentences for."""

    DELAYED = "delayed"
    ADDRESS = "address"
    CUSTOMS = "customs"
    ATTEMPT_FAILED = "attempt_failed"
    PICKUP_WAITING = "pickup_waiting"
    DAMAGED = "damaged"
    LOST = "lost"
    RETURNING = "returning"
    OTHER = "other"


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

_PROBLEMS = {
    ParcelStatus.EXCEPTION: Reason.OTHER,
    ParcelStatus.ATTEMPT_FAILED: Reason.ATTEMPT_FAILED,
    ParcelStatus.AVAILABLE_FOR_PICKUP: Reason.PICKUP_WAITING,
    ParcelStatus.RETURNING: Reason.RETURNING,
    ParcelStatus.RETURNED: Reason.RETURNING,
}
SLIP = timedelta(days=1)
"""By how much an estimate must move before the customer is told of a delay."""


class Scan(NamedTuple):
    """One thing a carrier said about a parcel; `occurred_at` is the carrier's own time, in UTC."""

    status: ParcelStatus
    occurred_at: datetime
    reason: Reason | None = None
    estimated_delivery: date | None = None


class Parcel(Frozen):
    """A parcel as all its scans together tell it. Moments are the carrier's, in UTC.

    `skus` is what it carries, None when the shop did not say. `estimates` are the dates promised, by when: each
    date where it was first named, and the last word. `carrier_by` is whether the shop named the carrier, and when.
    """

    tracking_number: TrackingNumber
    carrier: str | None = None
    carrier_by: tuple[bool, Instant] | None = None
    skus: tuple[str, ...] | None = None
    shipped_at: Instant | None = None
    status: ParcelStatus = ParcelStatus.PENDING
    status_at: Instant | None = None
    reason: Reason | None = None
    out_for_delivery_at: Instant | None = None
    delivered_at: Instant | None = None
    problems: tuple[tuple[Reason, Instant], ...] = ()
    estimates: tuple[tuple[Instant, date], ...] = ()

    @property
    def estimated_delivery(self) -> date | None:
        """The date promised last."""
        return self.estimates[-1][1] if self.estimates else None

    @property
    def previous_estimate(self) -> date | None:
        """The date promised first, when the last one is another."""
        if self.estimates and self.estimates[0][1] != self.estimates[-1][1]:
            return self.estimates[0][1]
        return None

    @property
    def delayed_at(self) -> datetime | None:
        """When it was first known to come later: the carrier said so, or the promise slipped by a day."""
        if not self.problems and len(self.estimates) < 2:  # noqa: PLR2004  it takes two promises to slip
            return None
        known = [at for reason, at in self.problems if reason is Reason.DELAYED]
        if len(self.estimates) > 1:
            promised = self.estimates[0][1]
            # Subtracted, not added: a carrier's 31 December 9999 has no day after it.
            known += [at for at, estimate in self.estimates[1:] if estimate - promised >= SLIP][:1]
        return min(known) if known else None

    @property
    def lost_at(self) -> datetime | None:
        """When the carrier gave it up, if it did and the parcel has not turned up since."""
        if self.delivered_at is not None:
            return None
        return next((at for reason, at in self.problems if reason is Reason.LOST), None)

    @property
    def troubled(self) -> bool:
        """Whether its last word is a problem that still stands."""
        if self.delivered_at is not None or self.void:
            return False
        return self.status in _PROBLEMS or self.status is ParcelStatus.EXPIRED or self.reason is Reason.LOST

    @property
    def going_back(self) -> bool:
        """Whether it is on its way back to the sender, or there."""
        return self.delivered_at is None and self.status in {ParcelStatus.RETURNING, ParcelStatus.RETURNED}

    @property
    def void(self) -> bool:
        """Whether the shipment was called off: it will never arrive and nobody waits for it."""
        return self.status is ParcelStatus.CANCELLED


def dispatched(
    parcel: Parcel | None,
    *,
    tracking_number: TrackingNumber,
    carrier: str | None,
    skus: tuple[str, ...] | None,
    estimated_delivery: date | None,
    at: datetime,
) -> Parcel:
    """The parcel after the shop said it sent it; scans that came first are kept."""
    base = parcel or Parcel(tracking_number=tracking_number)
    changes: dict[str, object] = {"shipped_at": _earlier(base.shipped_at, at)}
    if carrier:
        changes |= _with_carrier(base, carrier, by_shop=True, at=at)
    if skus is not None:
        changes["skus"] = tuple(sorted({*(base.skus or ()), *skus}))
    if estimated_delivery is not None:
        changes["estimates"] = _with_estimate(base.estimates, at, estimated_delivery)
    return base.but(**changes)


def scanned(parcel: Parcel | None, scan: Scan, *, tracking_number: TrackingNumber, carrier: str | None) -> Parcel:
    """The parcel after one more scan; the very same one when the scan says nothing new."""
    base = parcel or Parcel(tracking_number=tracking_number)
    status, at, reason, estimate = scan
    changes: dict[str, object] = {}
    if carrier:
        changes |= _with_carrier(base, carrier, by_shop=False, at=at)
    if _says_more(base, scan):
        changes |= {"status": status, "status_at": at, "reason": reason}
    if status is ParcelStatus.DELIVERED:
        changes["delivered_at"] = _earlier(base.delivered_at, at)
    else:
        if status is ParcelStatus.OUT_FOR_DELIVERY:
            changes["out_for_delivery_at"] = _earlier(base.out_for_delivery_at, at)
        problem = reason or _PROBLEMS.get(status)
        if problem is not None:
            changes["problems"] = _with_problem(base.problems, problem, at)
    if estimate is not None:
        changes["estimates"] = _with_estimate(base.estimates, at, estimate)
    return base.but(**changes) if changes or parcel is None else base


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
