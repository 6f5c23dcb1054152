"""What 17TRACK says of a parcel, in its webhooks and its answers alike: version 2.2 of its API (the same in 2.4).

https://asset.17track.net/api/document/v2.2_en/index.html. Nine statuses, and sub-statuses such as
`Exception_Damage`, which scans have, too; some scans have only a stage. `…_Security` is one word for safety, customs
and fees: customs is the likeliest of them and the one a customer can do something about.

Times: `time_utc` (UTC), else `time_iso` with its offset; a scan without either is left out. 17TRACK works out the
zone from the place where the carrier names none. Where the latest event has a local time alone, or there is none, the
latest status has the moment at which 17TRACK asked the carrier last (`latest_sync_time`), else the one at which it was
heard. Estimated dates are in local time, so their day is taken as it stands; of a span it is the last. It was said when
17TRACK asked the carrier last (`latest_sync_time`, not read at its source).

17TRACK has no id of its own for a parcel, only its number; a carrier that is corrected leaves that as it is. So
`tracker` is `seventeentrack:{number}`.
"""

from datetime import datetime
from operator import itemgetter
from typing import Annotated, Any

from pydantic import Field

from activities.carriers.reading import Code, Estimate, Lenient, Many, Meaning, moment, place
from journey.carriers import normal
from journey.parcels import ParcelStatus, Reason
from store.intake import ShipmentUpdated, build

_STATUS = {
    "NotFound": Meaning(ParcelStatus.UNKNOWN),
    "InfoReceived": Meaning(ParcelStatus.LABEL_CREATED),
    "InTransit": Meaning(ParcelStatus.IN_TRANSIT),
    "Expired": Meaning(ParcelStatus.EXPIRED),
    "AvailableForPickup": Meaning(ParcelStatus.AVAILABLE_FOR_PICKUP, action=True),
    "OutForDelivery": Meaning(ParcelStatus.OUT_FOR_DELIVERY),
    "DeliveryFailure": Meaning(ParcelStatus.ATTEMPT_FAILED, Reason.ATTEMPT_FAILED),
    "Delivered": Meaning(ParcelStatus.DELIVERED),
    "Exception": Meaning(ParcelStatus.EXCEPTION, Reason.OTHER),
}
_RETURNING = Meaning(ParcelStatus.RETURNING, Reason.RETURNING)
_RETURNED = Meaning(ParcelStatus.RETURNED, Reason.RETURNING)
# The sub-statuses that say more than their status.
_SUB_STATUS = {
    "InTransit_PickedUp": Meaning(ParcelStatus.PICKED_UP),
    "InTransit_CustomsRequiringInformation": Meaning(ParcelStatus.EXCEPTION, Reason.CUSTOMS, action=True),
    "DeliveryFailure_Security": Meaning(ParcelStatus.ATTEMPT_FAILED, Reason.CUSTOMS, action=True),
    "DeliveryFailure_Rejected": Meaning(ParcelStatus.ATTEMPT_FAILED, Reason.REFUSED),
    "DeliveryFailure_InvalidAddress": Meaning(ParcelStatus.ATTEMPT_FAILED, Reason.ADDRESS, action=True),
    "Exception_Returning": _RETURNING,
    "Exception_Returned": _RETURNED,
    # "Abnormal recipient information, discovered before delivery".
    "Exception_NoBody": Meaning(ParcelStatus.EXCEPTION, Reason.ADDRESS, action=True),
    "Exception_Security": Meaning(ParcelStatus.EXCEPTION, Reason.CUSTOMS, action=True),
    "Exception_Damage": Meaning(ParcelStatus.EXCEPTION, Reason.DAMAGED),
    "Exception_Rejected": Meaning(ParcelStatus.EXCEPTION, Reason.REFUSED),
    "Exception_Delayed": Meaning(ParcelStatus.EXCEPTION, Reason.DELAYED),
    "Exception_Lost": Meaning(ParcelStatus.EXCEPTION, Reason.LOST),
    "Exception_Destroyed": Meaning(ParcelStatus.EXCEPTION, Reason.LOST),
    "Exception_Cancel": Meaning(ParcelStatus.CANCELLED),
}
# The stages that are no status.
_STAGES = {
    "PickedUp": Meaning(ParcelStatus.PICKED_UP),
    "Departure": Meaning(ParcelStatus.IN_TRANSIT),
    "Arrival": Meaning(ParcelStatus.IN_TRANSIT),
    "Returning": _RETURNING,
    "Returned": _RETURNED,
}


class _Address(Lenient):
    city: Any = None
    state: Any = None
    country: Any = None


class _Scan(Lenient):
    time_utc: str | None = None
    time_iso: str | None = None
    stage: str | None = None
    sub_status: str | None = None
    location: Any = None
    address: _Address | None = None


class _Status(Lenient):
    status: str | None = None
    sub_status: str | None = None


class _Carrier(Lenient):
    key: Any = None
    name: str | None = None


class _Provider(Lenient):
    provider: _Carrier | None = None
    service_type: Any = None
    latest_sync_time: str | None = None
    events: Many[_Scan]


class _Tracking(Lenient):
    providers: Many[_Provider]


class _Span(Lenient):
    begins: Annotated[Estimate | None, Field(alias="from")] = None
    ends: Annotated[Estimate | None, Field(alias="to")] = None


class _Metrics(Lenient):
    estimated_delivery_date: _Span = _Span()


class _Info(Lenient):
    latest_status: _Status | None = None
    latest_event: _Scan | None = None
    time_metrics: _Metrics | None = None
    tracking: _Tracking | None = None


class Parcel(Lenient):
    """A parcel as 17TRACK knows it."""

    number: Code
    carrier: Any = None
    track_info: _Info | None = None


def scans_of(
    parcel: Parcel, number: str, *, prefix: str = "", heard_at: datetime | None = None
) -> list[ShipmentUpdated]:
    """Every scan that has a moment, oldest first; the newest says the parcel's latest status. None without a scan.

    `heard_at` is when it came, for what has no moment of its own.

    Raises:
        Malformed: names the field that is wrong.
    """
    info = parcel.track_info or _Info()
    status = info.latest_status or _Status()
    providers = (info.tracking.providers if info.tracking else None) or []
    scans = [scan for provider in providers for scan in provider.events or []]
    if info.latest_event is not None:
        scans.append(info.latest_event)
    dated = sorted([(at, scan) for scan in scans if (at := _at(scan)) is not None], key=itemgetter(0))
    main = next((one for one in providers if one.provider and one.provider.key == parcel.carrier), None)
    main = main or (providers[0] if providers else None)
    undated = info.latest_event or (None if dated else next(iter(scans), _Scan()))
    if undated is not None and _at(undated) is None and _says_something(status, undated):
        synced = (moment(main.latest_sync_time) if main else None) or heard_at
        if synced is not None and (not dated or synced > dated[-1][0]):
            dated.append((synced, undated))
    if not dated:
        return []
    common = {
        "tracking_number": number,
        "carrier": normal(main.provider.name) if main and main.provider else None,
        "service": main.service_type if main else None,
        "tracker": f"seventeentrack:{number}",
    }
    newest, last = dated[-1]
    estimate = _estimate(info)
    estimated_at = moment(main.latest_sync_time) if main and estimate else None
    latest = _meaning(status.sub_status, status.status)
    if status.status is None and status.sub_status is None:
        latest = _meaning(last.sub_status or last.stage)
    meant = [(at, _meaning(scan.sub_status or scan.stage), scan) for at, scan in dated]
    meant = [one for one in meant if (one[0], one[1].status) != (newest, latest.status)] + [(newest, latest, last)]
    names = {"tracking_number": "number", "estimated_delivery": "track_info.time_metrics.estimated_delivery_date"}
    return [
        build(
            ShipmentUpdated,
            common
            | {
                "at": at,
                "status": meaning.status,
                "reason": meaning.reason,
                "action_required": meaning.action,
                "location": _place(scan),
                "estimated_delivery": estimate if scan is last else None,
                "estimated_at": estimated_at if scan is last else None,
            },
            prefix=prefix,
            names=names,
        )
        for at, meaning, scan in meant
    ]


def _says_something(status: _Status, scan: _Scan) -> bool:
    """Whether a parcel's status, or a scan, says where it is; that 17TRACK found nothing says nothing."""
    said = status.status or status.sub_status or scan.stage or scan.sub_status
    return bool(said) and _meaning(said).status is not ParcelStatus.UNKNOWN


def _at(scan: _Scan) -> datetime | None:
    return moment(scan.time_utc) or moment(scan.time_iso)


def _place(scan: _Scan) -> str | None:
    where = scan.address
    return place(scan.location) or (place(where.city, where.state, where.country) if where else None)


def _estimate(info: _Info) -> str | None:
    span = info.time_metrics.estimated_delivery_date if info.time_metrics else _Span()
    return span.ends or span.begins


def _meaning(word: str | None, status: str | None = None) -> Meaning:
    """A sub-status, else the status it came with or begins with."""
    word = word or ""
    wider = status or word.partition("_")[0]
    return _SUB_STATUS.get(word) or _STATUS.get(wider) or _STAGES.get(word) or Meaning(ParcelStatus.UNKNOWN)
