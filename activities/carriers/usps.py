"""USPS by its Tracking API: `usps://CONSUMER_KEY:SECRET@apis.usps.com` (test: `@apis-tem.usps.com`).

https://developers.usps.com/trackingv3r2 (OpenAPI 3.2.2) and /oauth2v3: the API's second revision, which takes 35
numbers a request; the first (`GET /tracking/v3/tracking/{n}?expand=DETAIL`) takes one, and new applications have 60
requests an hour (https://github.com/USPS/api-examples/issues/107). A 429 says Retry-After. A mixed answer is a 207, in
which each number has its own `statusCode`.

`CODES` are of Publication 199, appendix G-4, as far as public copies of it have them; that an attempt with a notice
wants action is in USPS's Customer Daily Extract. Codes that are not there are told by the English sentence.

An event has `GMTTimestamp` mostly; else its `eventTimestamp` may have an offset, or `GMTOffset` may tell it. A domestic
event has no country. USPS tells who signed, firm and ZIP Code; raw keeps city, state and country.
"""

import re
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
    resolved,
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
_NOTICE = Meaning(ParcelStatus.ATTEMPT_FAILED, Reason.ATTEMPT_FAILED, action=True)
_WAITS = Meaning(ParcelStatus.AVAILABLE_FOR_PICKUP, None, action=True)
_DELIVERED = Meaning(ParcelStatus.DELIVERED)
_ADDRESS = Meaning(ParcelStatus.EXCEPTION, Reason.ADDRESS, action=True)
_REFUSED = Meaning(ParcelStatus.EXCEPTION, Reason.REFUSED)
_LOST = Meaning(ParcelStatus.EXCEPTION, Reason.LOST)
_RETURNING = Meaning(ParcelStatus.RETURNING, Reason.RETURNING)
_RETURNED = Meaning(ParcelStatus.RETURNED, Reason.RETURNING)

_GROUPS: list[tuple[Meaning, str]] = [
    (_LABEL, "GX MA 83 89 GC"),
    (_PICKED_UP, "03 OA UA AD PA TM 80"),
    (_ON_ITS_WAY, "06 07 10 19 41 42 81 82 EF SF PC DX"),
    (_LATE, "08 15 71"),
    (_OUT, "OF"),
    (_ATTEMPTED, "30 51"),
    (_NOTICE, "02 52 53 54 55 56"),
    (_WAITS, "14 16"),
    (_DELIVERED, "01 17"),
    (_ADDRESS, "05"),
    (_REFUSED, "04"),
    (_LOST, "11"),
    (_RETURNING, "09 27 28 29 31 44"),
    (Meaning(ParcelStatus.RETURNING, Reason.ADDRESS), "21 22 23 24 25 26"),
]
CODES = {code: meaning for meaning, codes in _GROUPS for code in codes.split()}
"""By `eventCode`. 43 (Picked Up) is not here: it does not say by whom, and its sentence does."""
WORDS = {
    "to original sender": _RETURNED,
    "seized": _LOST,
    "lost": _LOST,
    "missing": Meaning(ParcelStatus.EXCEPTION, Reason.OTHER),
    "dead mail": _LOST,
    "recovery center": _LOST,
    "damage": Meaning(ParcelStatus.EXCEPTION, Reason.DAMAGED),
    "refused": _REFUSED,
    "return to sender": _RETURNING,
    "return to the sender": _RETURNING,
    "unclaimed": _RETURNING,
    "held in customs": Meaning(ParcelStatus.EXCEPTION, Reason.CUSTOMS),
    "held by customs": Meaning(ParcelStatus.EXCEPTION, Reason.CUSTOMS),
    "customs clearance": _ON_ITS_WAY,
    "insufficient address": _ADDRESS,
    "incorrect address": _ADDRESS,
    "undeliverable": _ADDRESS,
    "picked up at": _DELIVERED,
    "delivered to agent": _ON_ITS_WAY,
    "delivered,": _DELIVERED,
    "out for delivery": _OUT,
    "notice left": _NOTICE,
    "delivery attempt": _ATTEMPTED,
    "attempted delivery": _ATTEMPTED,
    "for pickup": _WAITS,
    "held at post office": _WAITS,
    "postage due": Meaning(ParcelStatus.EXCEPTION, Reason.PAYMENT, action=True),
    "reschedul": _LATE,
    "redelivery": _ON_ITS_WAY,
    "arriving late": _LATE,
    "delay": _LATE,
    "weather": _LATE,
    "missent": _LATE,
    "exception": Meaning(ParcelStatus.EXCEPTION, Reason.OTHER),
    "arriv": _ON_ITS_WAY,
    "depart": _ON_ITS_WAY,
    "label": _LABEL,
    "pre-shipment": _LABEL,
    "awaiting item": _LABEL,
    "accept": _PICKED_UP,
    "in possession": _PICKED_UP,
    "usps picked up": _PICKED_UP,
    "process": _ON_ITS_WAY,
    "transit": _ON_ITS_WAY,
    "forwarded": _ON_ITS_WAY,
    "customs": _ON_ITS_WAY,
    "hub": _ON_ITS_WAY,
}
"""What words of `eventType` say where the code is not known; the first that is found counts."""
_TERRITORIES = frozenset({"AS", "FM", "GU", "MH", "MP", "PR", "PW", "VI"})
"""States to USPS, countries to the clock."""
_NUMBER = re.compile(r"[a-z0-9]{4,34}")
_UNKNOWN_NUMBER = {"400", "404"}
_EVENT = ("eventType", "eventCode", "eventTimestamp", "GMTTimestamp", "GMTOffset", "reasonCode", "actionCode")
_WHERE = ("eventCity", "eventState", "eventCountry")


class Usps:
    """Polls USPS, thirty-five parcels a request."""

    name = "usps"
    carriers: frozenset[str] | None = frozenset({"usps"})
    at_once = 35

    def __init__(self, url: SplitResult, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        client = client_of(url, "usps://CONSUMER_KEY:SECRET@apis.usps.com", SETTING)
        vendor = Vendor(self.name, base_url(url, "apis.usps.com"), transport=transport)
        self._api = Authorized(vendor, "/oauth2/v3/token", form=client.fields)

    async def ask(self, parcels: Sequence[Asked]) -> Mapping[str, Told]:
        """See `Poller.ask`. A number that USPS could not look up this time is missing from the answer."""
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
        body = [{"trackingNumber": number} for number in numbers]
        try:
            reply = await self._api.call("POST", "/tracking/v3r2/tracking", json_body=body)
        except VendorRefusedError as error:
            # A lone number has no 207: its own error is the answer's. And a 404 says of all that they are unknown.
            if error.status == httpx.codes.NOT_FOUND or (error.status == httpx.codes.BAD_REQUEST and len(numbers) == 1):
                return {plain(number): [{"statusCode": str(error.status)}] for number in numbers}
            raise
        if not isinstance(reply.document, list):
            raise VendorGarbledError(self.name, "not_as_documented")
        found: dict[str, list[dict[str, Any]]] = {}
        for detail in objects(reply.document):
            found.setdefault(plain(detail.get("trackingNumber")), []).append(detail)
        return found


def _told(parcel: Asked, details: list[dict[str, Any]]) -> Told | None:
    """None when USPS did not say anything of the parcel."""
    good = [detail for detail in details if isinstance(detail.get("trackingEvents"), list)]
    if not good:
        known = any(str(detail.get("statusCode")) in _UNKNOWN_NUMBER for detail in details)
        return Told() if known else None
    dated = [_dated(detail) for detail in good]
    events = max(
        dated, key=lambda found: max((resolved(clock, ("US",))[0].timestamp() for _, clock in found), default=0)
    )
    detail = good[dated.index(events)]
    expected = branch(detail, "deliveryDateExpectation")
    promises = [text(branch(expected, name)) for name in ("predictedDeliveryDate", "expectedDeliveryDate")]
    ends = country(detail.get("originCountry")) + country(detail.get("destinationCountry"))
    raw = {
        **kept(detail, "trackingNumber", "mailClass", "status", "statusCategory"),
        "deliveryDateExpectation": kept(expected, "predictedDeliveryDate", "expectedDeliveryDate"),
        "trackingEvents": [kept(event, *_EVENT, *_WHERE) for event, _ in events],
    }
    return told(
        parcel,
        "usps",
        [_event(event, clock, ends or ("US",)) for event, clock in events],
        service=detail.get("mailClass"),
        estimate=next((promise for promise in promises if promise), None),
        raw=raw,
    )


def _dated(detail: dict[str, Any]) -> list[tuple[dict[str, Any], datetime]]:
    return [(event, clock) for event in objects(detail.get("trackingEvents")) if (clock := _clock(event))]


def _clock(event: dict[str, Any]) -> datetime | None:
    exact, local = read_clock(event.get("GMTTimestamp")), read_clock(event.get("eventTimestamp"))
    if exact is not None:
        return exact if exact.tzinfo is not None else read_clock(exact.isoformat() + "+00:00")
    offset = re.fullmatch(r"([+-])(\d{1,2}):(\d\d)", text(event.get("GMTOffset")))
    if local is None or local.tzinfo is not None or offset is None:
        return local
    return read_clock(f"{local.isoformat()}{offset[1]}{offset[2].zfill(2)}:{offset[3]}") or local


def _event(event: dict[str, Any], clock: datetime, ends: tuple[str, ...]) -> Event:
    sentence = text(event.get("eventType")).lower()
    meaning = CODES.get(text(event.get("eventCode")).upper())
    if meaning is None or (meaning == _DELIVERED and "to original sender" in sentence):
        meaning = next((WORDS[word] for word in WORDS if word in sentence), Meaning(ParcelStatus.UNKNOWN))
    state, abroad = text(event.get("eventState")).upper(), text(event.get("eventCountry"))
    home = (state,) if state in _TERRITORIES else ("US",) if state else ends
    countries = (country(abroad) or ends) if abroad else home
    return Event(clock, meaning, whereabouts(*(event.get(name) for name in _WHERE)), countries)
