"""FedEx by its Track API: `fedex://API_KEY:SECRET_KEY@apis.fedex.com` (test: `@apis-sandbox.fedex.com`).

https://developer.fedex.com/api/en-us/catalog/track/v1/docs.html, up to 30 numbers a request. `EVENTS` are its "Tracking
Status Codes". Its list of exception codes was not found: 03, 007, 08, 083 and 099 are in its table of mock tracking
numbers and its samples, 07 and 17 only in the code of others; any other is told by FedEx's English sentence.

A number has an error of its own inside a good answer. FedEx gives numbers out again: of several shipments the one with
the newest scan counts. All times have their offset. Limits (https://developer.fedex.com/api/en-us/guides/
ratelimits.html): 1,400 requests in 10 seconds, 100,000 a day; a 429 has no documented Retry-After.

FedEx tells names, streets and signatures to shippers who are logged in; of those raw keeps city, state and country.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
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
    limited,
    newest_first,
    objects,
    read_clock,
    resolved,
    text,
    told,
    whereabouts,
)
from activities.carriers.protocol import Asked, Told
from activities.carriers.reading import Meaning
from activities.messaging.email.resend import base_url
from activities.vendors.http import Vendor, VendorGarbledError
from activities.vendors.oauth import Authorized, client_of
from journey.parcels import ParcelStatus, Reason

_ON_ITS_WAY = Meaning(ParcelStatus.IN_TRANSIT)
_LATE = Meaning(ParcelStatus.IN_TRANSIT, Reason.DELAYED)
_ATTEMPTED = Meaning(ParcelStatus.ATTEMPT_FAILED, Reason.ATTEMPT_FAILED)
_ADDRESS = Meaning(ParcelStatus.EXCEPTION, Reason.ADDRESS, action=True)
_CUSTOMS = Meaning(ParcelStatus.EXCEPTION, Reason.CUSTOMS)
_REFUSED = Meaning(ParcelStatus.EXCEPTION, Reason.REFUSED)
_STOPPED = Meaning(ParcelStatus.EXCEPTION, Reason.OTHER)

_GROUPS: list[tuple[Meaning, str]] = [
    (Meaning(ParcelStatus.LABEL_CREATED), "IN OC OX AP EP DS DR RP RG"),
    (Meaning(ParcelStatus.LABEL_CREATED, Reason.DELAYED), "PD"),
    (Meaning(ParcelStatus.PICKED_UP), "PU PX"),
    (_ON_ITS_WAY, "AA AC AF AO AR AX CC CH CP DP EA EO FD IT IX LO OF OW PF PL PM RC RM RR SF SP TR"),
    (_LATE, "DD DY"),
    (Meaning(ParcelStatus.OUT_FOR_DELIVERY), "AD ED OD"),
    (Meaning(ParcelStatus.AVAILABLE_FOR_PICKUP, None, action=True), "HL HP"),
    (Meaning(ParcelStatus.DELIVERED), "DL"),
    (Meaning(ParcelStatus.CANCELLED), "CA LP"),
    (Meaning(ParcelStatus.EXPIRED), "RD"),
    (_CUSTOMS, "CD"),
    (_STOPPED, "DE SE"),
    (Meaning(ParcelStatus.RETURNING, Reason.RETURNING), "RS"),
]
EVENTS = {code: meaning for meaning, codes in _GROUPS for code in codes.split()}
"""By `eventType`, else `derivedStatusCode`; IN (label created) has been seen as the latter and is not in the list."""
EXCEPTIONS = {
    "03": _ADDRESS,
    "07": _REFUSED,
    "007": _ATTEMPTED,
    "08": _ATTEMPTED,
    "083": _LATE,
    "099": _STOPPED,
    "17": _ON_ITS_WAY,
}
"""What `exceptionCode` says of a delivery or shipment exception. 07 is of Express, 007 of Ground."""
WORDS = {
    "refused": _REFUSED,
    "damage": Meaning(ParcelStatus.EXCEPTION, Reason.DAMAGED),
    "lost": Meaning(ParcelStatus.EXCEPTION, Reason.LOST),
    "unable to locate package": Meaning(ParcelStatus.EXCEPTION, Reason.LOST),
    "customs": _CUSTOMS,
    "clearance": _CUSTOMS,
    "regulatory": _CUSTOMS,
    "payment": Meaning(ParcelStatus.EXCEPTION, Reason.PAYMENT, action=True),
    "address": _ADDRESS,
    "not available": _ATTEMPTED,
    "business closed": _ATTEMPTED,
    "delivery attempt": _ATTEMPTED,
    "return": Meaning(ParcelStatus.RETURNING, Reason.RETURNING),
    "redirected": _ON_ITS_WAY,
    "weather": _LATE,
    "delay": _LATE,
    "not attempted": _LATE,
    "future delivery": _LATE,
}
"""What words of `exceptionDescription` say of one whose code is not known; the first that is found counts."""
_HELD_TOO_EARLY = "HELD_PACKAGE_NOT_AVAILABLE_FOR_RECIPIENT_PICKUP"
_PROMISES = ("ESTIMATED_DELIVERY", "APPOINTMENT_DELIVERY", "COMMITMENT")
_NUMBER = re.compile(r"[a-z0-9]{4,40}")
_WINDOW = timedelta(seconds=10)
_WHERE = ("city", "stateOrProvinceCode", "countryCode")
_SCAN = ("date", "eventType", "eventDescription", "exceptionCode", "exceptionDescription", "derivedStatusCode")


class Fedex:
    """Polls FedEx, thirty parcels a request."""

    name = "fedex"
    carriers: frozenset[str] | None = frozenset({"fedex"})
    at_once = 30

    def __init__(self, url: SplitResult, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        client = client_of(url, "fedex://API_KEY:SECRET_KEY@apis.fedex.com", SETTING)
        vendor = Vendor(self.name, base_url(url, "apis.fedex.com"), transport=transport)
        self._api = Authorized(vendor, "/oauth/token", form=client.fields)

    async def ask(self, parcels: Sequence[Asked]) -> Mapping[str, Told]:
        """See `Poller.ask`. A number that FedEx could not look up this time is missing from the answer."""
        wanted = [(parcel, plain(parcel.tracking_number)) for parcel in parcels]
        asked = sorted({number.upper() for _, number in wanted if _NUMBER.fullmatch(number)})
        found = await self._found(asked) if asked else {}
        answers = {
            parcel.tracking_number: _told(parcel, found.get(number, [])) if _NUMBER.fullmatch(number) else Told()
            for parcel, number in wanted
        }
        return {number: answer for number, answer in answers.items() if answer is not None}

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.aclose()

    async def _found(self, numbers: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        body = {
            "includeDetailedScans": True,
            "trackingInfo": [{"trackingNumberInfo": {"trackingNumber": number}} for number in numbers],
        }
        with limited(_WINDOW):
            reply = await self._api.call(
                "POST", "/track/v1/trackingnumbers", json_body=body, headers={"x-locale": "en_US"}
            )
        results = branch(reply.document, "output", "completeTrackResults")
        if not isinstance(results, list):
            raise VendorGarbledError(self.name, "not_as_documented")
        found: dict[str, list[dict[str, Any]]] = {}
        for result in objects(results):
            found.setdefault(plain(result.get("trackingNumber")), []).extend(objects(result.get("trackResults")))
        return found


def _told(parcel: Asked, results: list[dict[str, Any]]) -> Told | None:
    """None when FedEx did not say anything of the parcel."""
    good = [result for result in results if not isinstance(result.get("error"), dict)]
    if not good:
        codes = [text(branch(result, "error", "code")) for result in results]
        return Told() if codes and all(code.endswith((".NOTFOUND", ".INVALID")) for code in codes) else None
    newest = max(good, key=_last_seen)
    scans = newest_first(
        [(scan, clock) for scan in objects(newest.get("scanEvents")) if (clock := read_clock(scan.get("date")))]
    )
    events = [_event(scan, clock, parcel, newest) for scan, clock in scans]
    if events:
        events[0] = _latest(events[0], newest)
    dates = {text(found.get("type")): text(found.get("dateTime")) for found in objects(newest.get("dateAndTimes"))}
    raw = {
        "trackingNumber": text(branch(newest, "trackingNumberInfo", "trackingNumber")),
        "service": kept(newest.get("serviceDetail"), "type", "description"),
        "dateAndTimes": dates,
        "scanEvents": [
            {**kept(scan, *_SCAN), "scanLocation": kept(scan.get("scanLocation"), *_WHERE)} for scan, _ in scans
        ],
    }
    promise = next((dates[kind] for kind in _PROMISES if dates.get(kind)), None)
    service = branch(newest, "serviceDetail", "description")
    return told(parcel, "fedex", events, service=service, estimate=promise and promise[:10], raw=raw)


def _last_seen(result: dict[str, Any]) -> datetime:
    clocks = [read_clock(scan.get("date")) for scan in objects(result.get("scanEvents"))]
    return max((resolved(clock, ())[0] for clock in clocks if clock), default=datetime.min.replace(tzinfo=UTC))


def _event(scan: dict[str, Any], clock: datetime, parcel: Asked, result: dict[str, Any]) -> Event:
    where = scan.get("scanLocation")
    return Event(
        clock,
        _meaning(scan, result),
        whereabouts(*(branch(where, name) for name in _WHERE)),
        country(branch(where, "countryCode")) or country(parcel.country),
    )


def _meaning(scan: dict[str, Any], result: dict[str, Any]) -> Meaning:
    kind, derived = text(scan.get("eventType")).upper(), text(scan.get("derivedStatusCode")).upper()
    meaning = EVENTS.get(kind) or EVENTS.get(derived) or Meaning(ParcelStatus.UNKNOWN)
    if meaning == _STOPPED:
        code, sentence = text(scan.get("exceptionCode")), text(scan.get("exceptionDescription")).lower()
        meaning = EXCEPTIONS.get(code) or next((WORDS[word] for word in WORDS if word in sentence), _STOPPED)
    if kind == "HL" and branch(result, "serviceCommitMessage", "type") == _HELD_TOO_EARLY:
        return _ON_ITS_WAY
    if meaning == _ON_ITS_WAY and branch(scan, "delayDetail", "status") == "DELAYED":
        return _LATE
    return meaning


def _latest(event: Event, result: dict[str, Any]) -> Event:
    """The newest scan with what FedEx recommends to do about it, which it says of the parcel as a whole."""
    advice = [text(found.get("action")) for found in objects(branch(result, "latestStatusDetail", "ancillaryDetails"))]
    status, reason, action = event.meaning
    wanted = status is not ParcelStatus.DELIVERED and any(
        said and not said.lower().startswith("no action") for said in advice
    )
    return Event(event.clock, Meaning(status, reason, action or wanted), event.location, event.countries)
