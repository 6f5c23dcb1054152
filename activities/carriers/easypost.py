"""EasyPost: `tracker.*` events, signed over the raw body with the NFKD-normalised webhook secret.

A tracker's `status` is one of ten words, its `status_detail` one of some thirty; both maps are below
(https://docs.easypost.com/docs/trackers). What they do not list (a word EasyPost adds later) is a parcel of which
nothing new is known: status `unknown`, no reason. `failure` is a parcel that will not simply arrive, so an exception
with the detail's reason. `error` says that EasyPost could not ask the carrier, which is nothing about the parcel:
`unknown` too.

A tracking detail has the time zone of its place, or UTC where EasyPost does not know the place well enough (same
page); one without an offset is left out. `tracker` is `easypost:` and the tracker's id, which stays when its carrier
is corrected.
"""

import hmac
import unicodedata
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from operator import itemgetter
from typing import Any

from activities.carriers.reading import (
    At,
    Code,
    Estimate,
    Lenient,
    Many,
    Meaning,
    moment,
    now,
    place,
    same,
    topic,
    understood,
)
from activities.shops.protocol import Delivery, Ignored, SignatureError
from journey.carriers import normal
from journey.parcels import ParcelStatus, Reason
from store.intake import ShipmentUpdated, build

_STATUS = {
    "unknown": ParcelStatus.UNKNOWN,
    "pre_transit": ParcelStatus.LABEL_CREATED,
    "in_transit": ParcelStatus.IN_TRANSIT,
    "out_for_delivery": ParcelStatus.OUT_FOR_DELIVERY,
    "delivered": ParcelStatus.DELIVERED,
    "available_for_pickup": ParcelStatus.AVAILABLE_FOR_PICKUP,
    "return_to_sender": ParcelStatus.RETURNING,
    "failure": ParcelStatus.EXCEPTION,
    "cancelled": ParcelStatus.CANCELLED,
    "error": ParcelStatus.UNKNOWN,
}
# Those of the details that say more than the status: the others are label_created, in_transit, out_for_delivery,
# delivered, departed_facility, arrived_at_facility, awaiting_information and their like.
_DETAIL_STATUS = {
    "received_at_origin_facility": ParcelStatus.PICKED_UP,
    "arrived_at_pickup_location": ParcelStatus.AVAILABLE_FOR_PICKUP,
    "unable_to_deliver": ParcelStatus.ATTEMPT_FAILED,
    "expired": ParcelStatus.EXPIRED,
    "refused": ParcelStatus.RETURNING,
    "return": ParcelStatus.RETURNING,
}
_DETAIL_REASON = {
    "address_correction": Reason.ADDRESS,
    "damaged": Reason.DAMAGED,
    "delayed": Reason.DELAYED,
    "weather_delay": Reason.DELAYED,
    "missorted": Reason.DELAYED,
    "lost": Reason.LOST,
    "held": Reason.OTHER,
    "delivery_exception": Reason.OTHER,
    "transit_exception": Reason.OTHER,
    "failure": Reason.OTHER,
    "unable_to_deliver": Reason.ATTEMPT_FAILED,
    "refused": Reason.REFUSED,
    "return": Reason.RETURNING,
}
# Only the carrier's own sentence tells a customs hold from any other.
_CUSTOMS = ("customs", "clearance")
_OVER = {ParcelStatus.DELIVERED, ParcelStatus.CANCELLED}
_PREFIX = "hmac-sha256-hex="


class _Location(Lenient):
    city: Any = None
    state: Any = None
    country: Any = None


class Detail(Lenient):
    """One scan of a tracker."""

    status: str | None = None
    status_detail: str | None = None
    message: Any = None
    datetime: str | None = None
    tracking_location: _Location | None = None


class _CarrierDetail(Lenient):
    service: Any = None
    est_delivery_date_local: Estimate | None = None


class Tracker(Lenient):
    """A parcel as EasyPost knows it."""

    id: str | None = None
    tracking_code: Code
    status: str | None = None
    status_detail: str | None = None
    carrier: str | None = None
    est_delivery_date: Estimate | None = None
    updated_at: At | None = None
    tracking_details: Many[Detail]
    carrier_detail: _CarrierDetail | None = None


class _Event(Lenient):
    result: Tracker
    updated_at: At | None = None
    created_at: At | None = None


class EasyPost:
    """Verifies and translates EasyPost's webhooks. `secret` is the one given when the webhook was created."""

    name = "easypost"

    def __init__(self, secret: str, *, clock: Callable[[], datetime] = now) -> None:
        """Prepare the adapter.

        Args:
            secret: the webhook's.
            clock: UTC, for what comes without any moment.

        Raises:
            ValueError: the secret is empty.
        """
        if not secret:
            raise ValueError("the EasyPost webhook secret may not be empty")
        self._clock = clock
        self._key = unicodedata.normalize("NFKD", secret).encode()

    def verify(self, delivery: Delivery) -> None:
        """See `Source.verify`; EasyPost signs no timestamp, so repeats are caught by the event's id alone."""
        given = delivery.headers.get("x-hmac-signature", "")
        expected = _PREFIX + hmac.new(self._key, delivery.body, sha256).hexdigest()
        if not same(given, expected):
            raise SignatureError("No matching signature found" if given else "Missing X-Hmac-Signature")

    def event_id(self, delivery: Delivery) -> str:
        """The event's `id` (`evt_…`), else the body's hash."""
        given = delivery.payload.get("id")
        return given if isinstance(given, str) and given else delivery.digest

    def topic(self, delivery: Delivery) -> str:
        """The event's `description`, such as `tracker.updated`."""
        return topic(delivery, "description", "tracker.updated")

    def translate(self, delivery: Delivery) -> Sequence[ShipmentUpdated] | Ignored:
        """See `Source.translate`. The moment is that of the newest tracking detail, else `updated_at`, else now."""
        if self.topic(delivery) not in {"tracker.updated", "tracker.created"}:
            return Ignored("unknown topic")
        event = understood(_Event, delivery.payload)
        known = (event.result.updated_at, event.updated_at, event.created_at)
        at = next((one for one in known if moment(one) is not None), self._clock().isoformat())
        return [latest(event.result, event.result.tracking_code, at, prefix="result.")]


def latest(tracker: Tracker, number: str, at: str | None, *, prefix: str = "") -> ShipmentUpdated:
    """What a tracker says by now, at the moment of its newest scan, else at `at`; `prefix` stands in errors.

    `at` is when EasyPost said so, and so the moment of its estimate.

    Raises:
        Malformed: names the field that is wrong.
    """
    scanned, newest = max(_dated(tracker), key=itemgetter(0), default=(None, None))
    said = tracker.status or (newest.status if newest else None) or "unknown"
    words = _meaning(said, tracker.status_detail, newest)
    names = {
        "at": "tracking_details.datetime" if scanned else "updated_at",
        "tracking_number": "tracking_code",
        "estimated_delivery": "est_delivery_date",
    }
    local = tracker.carrier_detail.est_delivery_date_local if tracker.carrier_detail else None
    values = _values(tracker, number, words, newest)
    estimate = local or tracker.est_delivery_date or None
    values |= {"at": scanned or at, "estimated_delivery": estimate, "estimated_at": moment(at) if estimate else None}
    return build(ShipmentUpdated, values, prefix=prefix, names=names)


def earlier(tracker: Tracker, number: str) -> list[ShipmentUpdated]:
    """The scans before the newest, each in its own words.

    Raises:
        Malformed: names the field that is wrong.
    """
    dated = sorted(_dated(tracker), key=itemgetter(0))[:-1]
    return [
        build(
            ShipmentUpdated,
            _values(tracker, number, _meaning(detail.status or "unknown", detail.status_detail, detail), detail)
            | {"at": at},
        )
        for at, detail in dated
    ]


def _dated(tracker: Tracker) -> list[tuple[datetime, Detail]]:
    details = tracker.tracking_details or []
    return [(at, detail) for detail in details if (at := moment(detail.datetime)) is not None]


def _values(tracker: Tracker, number: str, words: Meaning, detail: Detail | None) -> dict[str, Any]:
    where = detail.tracking_location if detail else None
    return {
        "tracking_number": number,
        "carrier": normal(tracker.carrier),
        "service": tracker.carrier_detail.service if tracker.carrier_detail else None,
        "status": words.status,
        "reason": words.reason,
        "action_required": words.action,
        "location": place(where.city, where.state, where.country) if where else None,
        "tracker": f"easypost:{tracker.id}" if tracker.id else None,
    }


def _meaning(status_word: str, detail_word: str | None, scan: Detail | None) -> Meaning:
    status = _STATUS.get(status_word, ParcelStatus.UNKNOWN)
    detail = detail_word or ""
    if status in _OVER:
        return Meaning(status)
    if status is ParcelStatus.RETURNING:
        return Meaning(status, Reason.REFUSED if detail == "refused" else Reason.RETURNING)
    reason = _DETAIL_REASON.get(detail)
    message = scan.message.lower() if scan is not None and isinstance(scan.message, str) else ""
    if reason is Reason.OTHER and any(word in message for word in _CUSTOMS):
        reason = Reason.CUSTOMS
    status = _DETAIL_STATUS.get(detail, status)
    return Meaning(status, reason, reason is Reason.ADDRESS or status is ParcelStatus.AVAILABLE_FOR_PICKUP)
