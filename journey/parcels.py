"""A parcel as all its scans together tell it, in the normal form that every carrier's words are brought to.

`journey.folding` makes it from them.
"""

from datetime import date, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

from journey.base import Frozen, Instant, TrackingNumber
from journey.lanes import USUAL, Expectation
from journey.numbers import FULFILMENT


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
    REFUSED = "refused"
    PAYMENT = "payment"
    OTHER = "other"


_NUMBER_LENGTH = 200
"""What an intake takes for an identifier at most."""


class Method(StrEnum):
    """How a parcel reaches the customer: brought by a carrier, or kept ready in the shop's own store."""

    DELIVERY = "delivery"
    PICKUP = "pickup"


def pickup_number(shop: str, order_id: str) -> TrackingNumber:
    """The number under which an order's pick-up in a store is followed like a parcel."""
    number = f"pickup:{shop}:{order_id}"
    if len(number) > _NUMBER_LENGTH:
        number = f"pickup:{sha256(number.encode()).hexdigest()}"
    return TrackingNumber(number)


SLIP = timedelta(days=1)
"""By how much an estimate must move before the customer is told of a delay."""
_AHEAD = timedelta(days=400)


def meant(promised: date | None, placed_at: datetime) -> date | None:
    """A day of delivery that somebody promised, or None for one that nobody can mean.

    Nothing comes before it was ordered, and nobody promises it for the year after next.
    """
    if promised is None or not placed_at.date() - SLIP <= promised <= placed_at.date() + _AHEAD:
        return None
    return promised


PROBLEM_OF = {
    ParcelStatus.EXCEPTION: Reason.OTHER,
    ParcelStatus.ATTEMPT_FAILED: Reason.ATTEMPT_FAILED,
    ParcelStatus.AVAILABLE_FOR_PICKUP: Reason.PICKUP_WAITING,
    ParcelStatus.RETURNING: Reason.RETURNING,
    ParcelStatus.RETURNED: Reason.RETURNING,
}
"""The reason of a status that says itself what is wrong."""
# Asked for every parcel at every step of a journey: a name of the module is found sooner than an enum's member.
_CANCELLED, _WAITING, _PICKUP = ParcelStatus.CANCELLED, ParcelStatus.AVAILABLE_FOR_PICKUP, Method.PICKUP
_GOING_BACK = frozenset({ParcelStatus.RETURNING, ParcelStatus.RETURNED})
_TROUBLED = PROBLEM_OF.keys() | {ParcelStatus.EXPIRED}
_NEVER = frozenset({Reason.LOST, Reason.DAMAGED})


_BEFORE_THE_FIRST = frozenset(
    {
        ParcelStatus.UNKNOWN,
        ParcelStatus.PENDING,
        ParcelStatus.LABEL_CREATED,
        ParcelStatus.CANCELLED,
        ParcelStatus.EXPIRED,
    }
)


def seen(status: ParcelStatus) -> bool:
    """Whether somebody had the parcel in their hands to say so: it is a scan, and no word about a label."""
    return status not in _BEFORE_THE_FIRST


class Scan(NamedTuple):
    """One thing a carrier said about a parcel; `occurred_at` is the carrier's own time, in UTC.

    `estimated_at` is when it said the estimate; None for with the scan.
    """

    status: ParcelStatus
    occurred_at: datetime
    reason: Reason | None = None
    estimated_delivery: date | None = None
    estimated_at: datetime | None = None


class Parcel(Frozen):
    """A parcel as all its scans together tell it. Moments are the carrier's, in UTC.

    `skus` is what it carries, None when the shop did not say. `estimates` are the dates promised, by when: each
    date where it was first named, and the last word. `carrier_by` is whether the shop named the carrier, and when;
    `service_at` and `expected_at` when the newest word of those was said. `first_scan_at` and `last_scan_at` are of
    scans proper, see `seen`; `waiting_at` is when it first waited to be picked up. Of the customer's words that it
    never came, and that it was found, the last one counts. `tracking_number` is the parcel's key.

    `named_at` is since when the shop has named it, where that was asked. `returns`: what is scanned once it went back
    is of its way back to the sender.

    `handed_over_at` is when it was first said to be delivered, to whomever, and `returning_at` when it was first said
    to go back: delivered after that it came to its sender, and `delivered_at` is None. `handed_over_by_shop_at` is when
    the shop itself said so first.
    """

    tracking_number: TrackingNumber
    carrier: str | None = None
    carrier_by: tuple[bool, Instant] | None = None
    service: str | None = None
    service_at: Instant | None = None
    method: Method = Method.DELIVERY
    skus: tuple[str, ...] | None = None
    shipped_at: Instant | None = None
    named_at: Instant | None = None
    label_at: Instant | None = None
    status: ParcelStatus = ParcelStatus.PENDING
    status_at: Instant | None = None
    reason: Reason | None = None
    first_scan_at: Instant | None = None
    last_scan_at: Instant | None = None
    out_for_delivery_at: Instant | None = None
    waiting_at: Instant | None = None
    delivered_at: Instant | None = None
    handed_over_at: Instant | None = None
    handed_over_by_shop_at: Instant | None = None
    returning_at: Instant | None = None
    returns: bool = False
    denied_at: Instant | None = None
    found_at: Instant | None = None
    problems: tuple[tuple[Reason, Instant], ...] = ()
    estimates: tuple[tuple[Instant, date], ...] = ()
    expected: Expectation | None = None
    expected_at: Instant | None = None

    @property
    def estimated_delivery(self) -> date | None:
        """The date promised last."""
        return self.estimates[-1][1] if self.estimates else None

    @property
    def first_estimate(self) -> date | None:
        """The date promised first."""
        return self.estimates[0][1] if self.estimates else None

    @property
    def previous_estimate(self) -> date | None:
        """The date promised first, when the last one is another."""
        if self.estimates and self.estimates[0][1] != self.estimates[-1][1]:
            return self.estimates[0][1]
        return None

    @property
    def pickup(self) -> bool:
        """Whether it is kept ready in the shop's own store."""
        return self.method is _PICKUP

    @property
    def unnumbered(self) -> bool:
        """Whether it was sent without a tracking number, so that no carrier tells of it."""
        return self.tracking_number.startswith(FULFILMENT)

    @property
    def to_sender(self) -> bool:
        """Whether it was delivered to its sender: on its way back first, and nobody found it.

        What nobody collects in the shop's own store goes back to the shelf, and may be collected all the same.
        """
        handed, back = self.handed_over_at, self.returning_at
        if handed is None or back is None or back >= handed or self.method is _PICKUP:
            return False
        return self.found_at is None or self.found_at < back

    @property
    def disputed(self) -> bool:
        """Whether the shop says that it was delivered where the carrier had it on its way back before."""
        back, shop = self.returning_at, self.handed_over_by_shop_at
        return self.to_sender and back is not None and shop is not None and shop > back

    @property
    def expected_since(self) -> datetime | None:
        """From when on something is expected of it: when it was sent, or when its number was put right later."""
        if self.shipped_at is None or self.named_at is None:
            return self.shipped_at
        return max(self.shipped_at, self.named_at)

    def back_by(self, at: datetime) -> bool:
        """Whether what happened to it at that moment happened on its way back to the sender.

        What nobody collects in the shop's own store does not travel back, and who found a parcel knows better.
        """
        back = self.returning_at
        if not self.returns or back is None or at <= back or self.method is _PICKUP:
            return False
        return self.found_at is None or self.found_at < back

    @property
    def assumed_at(self) -> datetime | None:
        """When one that no carrier tells of is taken to be there; None for every other, and where it is in trouble."""
        if not self.unnumbered or self.shipped_at is None or self.delivered_at is not None or self.void:
            return None
        if self.status in _TROUBLED or self.reason in _NEVER:
            return None
        return self.shipped_at + timedelta(days=(self.expected or USUAL).transit[-1][1])

    @property
    def denied(self) -> bool:
        """Whether it counts as delivered and the customer says that it never came."""
        if self.delivered_at is None or self.denied_at is None:
            return False
        return self.found_at is None or self.found_at < self.denied_at

    @property
    def arrived_at(self) -> datetime | None:
        """When the customer had it: its delivery, if nobody denies that."""
        return None if self.denied else self.delivered_at

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
        return self._problem(Reason.LOST)

    @property
    def damaged_at(self) -> datetime | None:
        """When it was first said to be damaged, as long as it was not delivered all the same."""
        return self._problem(Reason.DAMAGED)

    @property
    def troubled(self) -> bool:
        """Whether its last word is a problem that still stands."""
        if self.denied:
            return True
        if self.delivered_at is not None or self.void:
            return False
        if self.status is _WAITING and self.pickup:
            return False
        return self.status in _TROUBLED or self.reason is Reason.LOST or self.going_back

    @property
    def going_back(self) -> bool:
        """Whether it is on its way back to the sender, or there."""
        if self.delivered_at is not None or self.status in _GOING_BACK:
            return self.delivered_at is None
        return not self.void and self.status_at is not None and self.back_by(self.status_at)

    @property
    def void(self) -> bool:
        """Whether the shipment was called off: it will never arrive and nobody waits for it."""
        return self.status is _CANCELLED

    def _problem(self, wanted: Reason) -> datetime | None:
        if not self.problems or self.delivered_at is not None:
            return None
        return next((at for reason, at in self.problems if reason is wanted), None)
