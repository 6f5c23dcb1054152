"""EasyPost: `tracker.*` events, signed over the raw body with the NFKD-normalised webhook secret.

A tracker's `status` is one of ten words, its `status_detail` one of some thirty; both maps are below. What they
do not list (a word EasyPost adds later) is a parcel of which nothing new is known: status `unknown`, no reason.
`failure` is a parcel that will not simply arrive, so an exception with the detail's reason. `error` says that
EasyPost could not ask the carrier, which is nothing about the parcel: `unknown` too.
"""

import hmac
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from operator import itemgetter
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from activities.shops.protocol import Delivery, Ignored, Malformed, SignatureError
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
_DETAIL_STATUS = {
    "received_at_origin_facility": ParcelStatus.PICKED_UP,
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
    "refused": Reason.RETURNING,
    "return": Reason.RETURNING,
}
# Only the carrier's own sentence tells a customs hold from any other.
_CUSTOMS = ("customs", "clearance")
_OVER = {ParcelStatus.DELIVERED, ParcelStatus.CANCELLED, ParcelStatus.RETURNING}
_PREFIX = "hmac-sha256-hex="


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Detail(_Lenient):
    message: Any = None
    datetime: str | None = None


class _Tracker(_Lenient):
    tracking_code: str
    status: str = "unknown"
    status_detail: str | None = None
    carrier: str | None = None
    est_delivery_date: str | None = None
    updated_at: str | None = None
    tracking_details: list[_Detail] | None = None


class _Event(_Lenient):
    result: _Tracker
    updated_at: str | None = None
    created_at: str | None = None


class EasyPost:
    """Verifies and translates EasyPost's webhooks. `secret` is the one given when the webhook was created."""

    name = "easypost"

    def __init__(self, secret: str) -> None:
        if not secret:
            raise ValueError("the EasyPost webhook secret may not be empty")
        self._key = unicodedata.normalize("NFKD", secret).encode()

    def verify(self, delivery: Delivery) -> None:
        """See `Source.verify`; EasyPost signs no timestamp, so repeats are caught by the event's id alone."""
        given = delivery.headers.get("x-hmac-signature", "")
        expected = _PREFIX + hmac.new(self._key, delivery.body, sha256).hexdigest()
        if not hmac.compare_digest(given.encode(), expected.encode()):
            raise SignatureError("No matching signature found" if given else "Missing X-Hmac-Signature")

    def event_id(self, delivery: Delivery) -> str:
        """The event's `id` (`evt_…`), else the body's hash."""
        given = delivery.payload.get("id")
        return given if isinstance(given, str) and given else delivery.digest

    def topic(self, delivery: Delivery) -> str:
        """The event's `description`, such as `tracker.updated`."""
        topic = delivery.payload.get("description")
        if not isinstance(topic, str) or not topic:
            raise Malformed("description", "must name the event, such as tracker.updated")
        return topic

    def translate(self, delivery: Delivery) -> Sequence[ShipmentUpdated] | Ignored:
        """See `Source.translate`. The moment is that of the newest tracking detail, else `updated_at`."""
        if self.topic(delivery) not in {"tracker.updated", "tracker.created"}:
            return Ignored("unknown topic")
        try:
            event = _Event.model_validate(delivery.payload)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise Malformed(".".join(map(str, first["loc"])), first["msg"]) from None
        tracker = event.result
        details = tracker.tracking_details or []
        dated = [(moment, detail) for detail in details if (moment := _moment(detail)) is not None]
        at, newest = max(dated, key=itemgetter(0), default=(None, None))
        status, reason = _meaning(tracker, newest)
        values = {
            "at": at or tracker.updated_at or event.updated_at or event.created_at,
            "tracking_number": tracker.tracking_code,
            "carrier": tracker.carrier,
            "status": status,
            "reason": reason,
            "estimated_delivery": tracker.est_delivery_date or None,
        }
        names = {
            "at": "tracking_details.datetime" if at else "updated_at",
            "tracking_number": "tracking_code",
            "estimated_delivery": "est_delivery_date",
        }
        return [build(ShipmentUpdated, values, prefix="result.", names=names)]


def _moment(detail: _Detail) -> datetime | None:
    """When a scan happened; None for one without a time or an offset, which cannot be put in order."""
    try:
        moment = datetime.fromisoformat(detail.datetime or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None and moment.year > 1 else None


def _meaning(tracker: _Tracker, newest: _Detail | None) -> tuple[ParcelStatus, Reason | None]:
    status = _STATUS.get(tracker.status, ParcelStatus.UNKNOWN)
    detail = tracker.status_detail or ""
    if status in _OVER:
        return status, Reason.RETURNING if status is ParcelStatus.RETURNING else None
    reason = _DETAIL_REASON.get(detail)
    message = newest.message.lower() if newest is not None and isinstance(newest.message, str) else ""
    if reason is Reason.OTHER and any(word in message for word in _CUSTOMS):
        reason = Reason.CUSTOMS
    return _DETAIL_STATUS.get(detail, status), reason
