"""UPS by its Tracking API: `ups://CLIENT_ID:SECRET@onlinetools.ups.com` (test: `@wwwcie.ups.com`).

https://developer.ups.com/api/reference/tracking, its OpenAPI at https://github.com/UPS-API/api-documentation
(Tracking.yaml, OAuthClientCredentials.yaml). One number a request. The codes are those of the reference's appendix,
"Status/Description Codes" and "Package Activity Types".

An activity has `date` and `time` of the local clock and mostly `gmtDate`, `gmtTime` and `gmtOffset`; the first has been
seen with and without hyphens, the second with and without colons or a leading zero. A number that UPS does not know is
a 404, or a 200 with the warning TW0001 (https://github.com/UPS-API/api-documentation/issues/166).

UPS tells of the receiver's name, signature, photo and addresses; of those raw keeps city, state and country of scans.
"""

import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import SplitResult

import httpx

from activities.carriers.asking import plain
from activities.carriers.direct import (
    SETTING,
    Event,
    branch,
    country,
    kept,
    objects,
    read_clock,
    text,
    told,
    whereabouts,
)
from activities.carriers.protocol import Asked, Told
from activities.carriers.reading import Meaning
from activities.messaging.email.resend import base_url
from activities.vendors.http import Vendor, VendorGarbledError, VendorRefusedError
from activities.vendors.oauth import Authorized, client_of
from journey.parcels import ParcelStatus, Reason

_LABEL = Meaning(ParcelStatus.LABEL_CREATED)
_PICKED_UP = Meaning(ParcelStatus.PICKED_UP)
_ON_ITS_WAY = Meaning(ParcelStatus.IN_TRANSIT)
_LATE = Meaning(ParcelStatus.IN_TRANSIT, Reason.DELAYED)
_OUT = Meaning(ParcelStatus.OUT_FOR_DELIVERY)
_ATTEMPTED = Meaning(ParcelStatus.ATTEMPT_FAILED, Reason.ATTEMPT_FAILED)
_WAITS = Meaning(ParcelStatus.AVAILABLE_FOR_PICKUP, None, action=True)
_DELIVERED = Meaning(ParcelStatus.DELIVERED)
_STOPPED = Meaning(ParcelStatus.EXCEPTION, Reason.OTHER)
_CUSTOMS = Meaning(ParcelStatus.EXCEPTION, Reason.CUSTOMS)
_LOST = Meaning(ParcelStatus.EXCEPTION, Reason.LOST)
_RETURNING = Meaning(ParcelStatus.RETURNING, Reason.RETURNING)
_RETURNED = Meaning(ParcelStatus.RETURNED, Reason.RETURNING)
_UNKNOWN = Meaning(ParcelStatus.UNKNOWN)

# What was asked for (changes of address, day or place, upgrades, cooling) moves nothing by itself, and neither does
# a clearance that goes its usual way.
_GROUPS: list[tuple[Meaning, str]] = [
    (_UNKNOWN, "0 88 148 163"),
    (_LABEL, "3 43 44 45 65 77 79 80 131 133 135 157 166"),
    (Meaning(ParcelStatus.CANCELLED), "7"),
    (_PICKED_UP, "38 160 167 168 169"),
    (_ON_ITS_WAY, "5 10 12 14 16 25 39 47 57 70 71 73 74 75 84 87 92 93 94 134 137 138 158 159 164 165"),
    (_ON_ITS_WAY, "18 19 20 27 28 41 42 54 56 63 82 95 96 97 98 99 100 101 102 103 104 105 106 107 108 109"),
    (_ON_ITS_WAY, "110 111 112 113 114 115 116 117 120 121 122 127 128 142 153 154"),
    (_LATE, "32 46 48 51 52 53 55 86 90 132 136"),
    (Meaning(ParcelStatus.IN_TRANSIT, Reason.DELAYED, action=True), "49"),
    (_OUT, "6 21 37 72 78 89 91 146 162"),
    (_ATTEMPTED, "22 23 60 61 66 69 145"),
    (Meaning(ParcelStatus.ATTEMPT_FAILED, Reason.ATTEMPT_FAILED, action=True), "24"),
    (Meaning(ParcelStatus.ATTEMPT_FAILED, Reason.PAYMENT, action=True), "62"),
    (_WAITS, "17 40 144 161"),
    (_DELIVERED, "11 26 155"),
    (_STOPPED, "13 30 76 83 129 130 140"),
    (Meaning(ParcelStatus.EXCEPTION, Reason.OTHER, action=True), "29 139"),
    (Meaning(ParcelStatus.EXCEPTION, Reason.ADDRESS, action=True), "50"),
    (Meaning(ParcelStatus.EXCEPTION, Reason.PAYMENT, action=True), "85"),
    (_CUSTOMS, "123 126"),
    (Meaning(ParcelStatus.EXCEPTION, Reason.CUSTOMS, action=True), "58 124 125 141"),
    (Meaning(ParcelStatus.EXCEPTION, Reason.DAMAGED), "59"),
    (Meaning(ParcelStatus.EXCEPTION, Reason.REFUSED), "64"),
    (_LOST, "68 147 149"),
    (_RETURNING, "33 35 36 118 119"),
    (Meaning(ParcelStatus.RETURNING, Reason.DAMAGED), "81"),
    (_RETURNED, "34 67"),
]
CODES = {int(code): meaning for meaning, codes in _GROUPS for code in codes.split()}
"""By `statusCode`. Not here are 143 (Delivered to Agent) and 156 (Commercial Inside Release): the type tells them."""
TYPES = {
    "D": _DELIVERED,
    "I": _ON_ITS_WAY,
    "P": _PICKED_UP,
    "M": _LABEL,
    "MV": Meaning(ParcelStatus.CANCELLED),
    "X": _STOPPED,
    "RS": _RETURNING,
    "DO": _ON_ITS_WAY,
    "DD": _ON_ITS_WAY,
    "W": _ON_ITS_WAY,
    "U": _ON_ITS_WAY,
    "NA": _UNKNOWN,
}
"""By `type`, where the code says nothing. P and RS are of UPS's older lists, not of the one above."""
_NUMBER = re.compile(r"[a-z0-9]{7,34}")
_UNKNOWN_NUMBER = {"TV1002", "TW0001"}
_ACTIVITY = ("date", "time", "gmtDate", "gmtTime", "gmtOffset")


class Ups:
    """Polls UPS, one parcel a request."""

    name = "ups"
    carriers: frozenset[str] | None = frozenset({"ups"})
    at_once = 1

    def __init__(self, url: SplitResult, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        client = client_of(url, "ups://ID:SECRET@onlinetools.ups.com", SETTING)
        vendor = Vendor(self.name, base_url(url, "onlinetools.ups.com"), transport=transport)
        self._api = Authorized(vendor, "/security/v1/oauth/token", headers={"authorization": client.basic})

    async def ask(self, parcels: Sequence[Asked]) -> Mapping[str, Told]:
        """See `Poller.ask`."""
        return {parcel.tracking_number: await self._ask(parcel) for parcel in parcels}

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.aclose()

    async def _ask(self, parcel: Asked) -> Told:
        number = plain(parcel.tracking_number)
        if not _NUMBER.fullmatch(number):
            return Told()
        try:
            reply = await self._api.call(
                "GET",
                f"/api/track/v1/details/{number.upper()}",
                params={"locale": "en_US", "returnSignature": "false", "returnPOD": "false"},
                headers={"transId": uuid.uuid4().hex, "transactionSrc": "postlude"},
            )
        except VendorRefusedError as error:
            codes = {text(found.get("code")) for found in objects(branch(error.body, "response", "errors"))}
            if error.status == httpx.codes.NOT_FOUND or codes & _UNKNOWN_NUMBER:
                return Told()
            raise
        if not isinstance(branch(reply.document, "trackResponse", "shipment"), list):
            raise VendorGarbledError(self.name, "not_as_documented")
        package = _package(reply.document, number)
        return Told() if package is None else _told(parcel, package)


def _package(document: Any, number: str) -> dict[str, Any] | None:
    """The package of that number: an answer may hold others of its shipment."""
    shipments = objects(branch(document, "trackResponse", "shipment"))
    packages = [package for shipment in shipments for package in objects(shipment.get("package"))]
    own = [package for package in packages if plain(package.get("trackingNumber")) == number]
    return own[0] if own else packages[0] if len(packages) == 1 else None


def _told(parcel: Asked, package: dict[str, Any]) -> Told:
    places = [branch(found, "address") for found in objects(package.get("packageAddress"))]
    ends = tuple(code for found in places for code in country(branch(found, "countryCode")))
    activities = [(activity, clock) for activity in objects(package.get("activity")) if (clock := _clock(activity))]
    dates = {text(found.get("type")): text(found.get("date")) for found in objects(package.get("deliveryDate"))}
    raw = {
        "trackingNumber": text(package.get("trackingNumber")),
        "service": kept(package.get("service"), "code", "description"),
        "deliveryDate": dates,
        "activity": [_raw(activity) for activity, _ in activities],
    }
    return told(
        parcel,
        "ups",
        [_event(activity, clock, ends or country(parcel.country)) for activity, clock in activities],
        service=branch(package, "service", "description"),
        estimate=_day(dates.get("RDD") or dates.get("SDD") or ""),
        raw=raw,
    )


def _event(activity: dict[str, Any], clock: datetime, elsewhere: tuple[str, ...]) -> Event:
    code, kind = text(branch(activity, "status", "statusCode")), text(branch(activity, "status", "type"))
    known = CODES.get(int(code)) if re.fullmatch(r"[0-9]{1,4}", code) else None
    where = branch(activity, "location", "address")
    return Event(
        clock,
        known or TYPES.get(kind, _UNKNOWN),
        whereabouts(branch(where, "city"), branch(where, "stateProvince"), branch(where, "countryCode")),
        country(branch(where, "countryCode")) or elsewhere,
    )


def _clock(activity: dict[str, Any]) -> datetime | None:
    """GMT where UPS tells it, else the local clock with its offset, else the bare local clock."""
    gmt = _joined(activity.get("gmtDate"), activity.get("gmtTime"))
    exact = read_clock(f"{gmt}+00:00") if gmt else None
    local = _joined(activity.get("date"), activity.get("time"))
    return exact or read_clock(local + text(activity.get("gmtOffset"))) or read_clock(local)


def _joined(date: object, time: object) -> str:
    day, hour = text(date).replace("-", ""), text(time).replace(":", "").zfill(6)
    return f"{_day(day)}T{hour[:2]}:{hour[2:4]}:{hour[4:]}" if _day(day) else ""


def _day(written: str) -> str | None:
    """YYYYMMDD with its hyphens; None for anything else."""
    return f"{written[:4]}-{written[4:6]}-{written[6:]}" if re.fullmatch(r"[0-9]{8}", written) else None


def _raw(activity: dict[str, Any]) -> dict[str, Any]:
    return {
        **kept(activity, *_ACTIVITY),
        "status": kept(activity.get("status"), "type", "code", "statusCode", "description"),
        "address": kept(branch(activity, "location", "address"), "city", "stateProvince", "countryCode"),
    }
