"""What the carriers say about the sample parcels, as EasyPost passes it on."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from starters.demo.wire import Post, Senders

_WORDS = {
    ("in_transit", "arrived_at_facility"): "Arrived at sorting centre",
    ("in_transit", "delayed"): "Delayed: missed the connecting truck",
    ("out_for_delivery", "out_for_delivery"): "Out for delivery",
    ("delivered", "arrived_at_destination"): "Delivered",
    ("failure", "lost"): "The parcel could not be located",
}


def scan(
    number: str, carrier: str, status: str, detail: str, *, promised: int | None = None
) -> Callable[[Senders, datetime], Post]:
    """One scan of a parcel, dated by the moment it is sent; `promised` is the new estimate, in days from then."""

    def say(senders: Senders, at: datetime) -> Post:
        estimate = None if promised is None else _day(at, promised)
        tracker: dict[str, Any] = {
            "object": "Tracker",
            "tracking_code": number,
            "carrier": carrier,
            "status": status,
            "status_detail": detail,
            "updated_at": at.isoformat(),
            "est_delivery_date": None if estimate is None else estimate.isoformat(),
            "tracking_details": [
                {
                    "object": "TrackingDetail",
                    "message": _WORDS[status, detail],
                    "status": status,
                    "status_detail": detail,
                    "datetime": at.isoformat(),
                }
            ],
        }
        return senders.easypost(tracker)

    return say


def moving(number: str, carrier: str) -> Callable[[Senders, datetime], Post]:
    """It reached a sorting centre."""
    return scan(number, carrier, "in_transit", "arrived_at_facility")


def delayed(number: str, carrier: str, days: int) -> Callable[[Senders, datetime], Post]:
    """It comes later: `days` from now."""
    return scan(number, carrier, "in_transit", "delayed", promised=days)


def nearly(number: str, carrier: str) -> Callable[[Senders, datetime], Post]:
    """It is on the van."""
    return scan(number, carrier, "out_for_delivery", "out_for_delivery", promised=0)


def there(number: str, carrier: str) -> Callable[[Senders, datetime], Post]:
    """It was delivered."""
    return scan(number, carrier, "delivered", "arrived_at_destination")


def lost(number: str, carrier: str) -> Callable[[Senders, datetime], Post]:
    """The carrier gave it up."""
    return scan(number, carrier, "failure", "lost")


def _day(at: datetime, days: int) -> date:
    return (at + timedelta(days=days)).date()
