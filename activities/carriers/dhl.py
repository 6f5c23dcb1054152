"""DHL by its Shipment Tracking - Unified API: `dhl://API_KEY@api-eu.dhl.com`.

https://developer.dhl.com/api-reference/shipment-tracking (v1.5.8). One number a request, no token. The start quota is
one call every five seconds and 250 a day until 00:00 GMT; the five seconds are kept here, unless the URL has a
`?rate=` of its own (see `activities.carriers.pollers`). A 429 has no documented Retry-After: with the pace kept, it
mostly means that the day's calls are used up, and an hour's rest wastes few of tomorrow's.

Each event has one of five `statusCode`s. DHL Parcel Germany and DHL Express tell more by the code in `status`
(https://developer.dhl.com/sites/default/files/2024-10/status_1.csv; read in copies of it, and Express's SD only in
answers); the other divisions write sentences there, which DHL advises not to read. `returnFlag` says that the shipment
goes back (https://support-developer.dhl.com/support/solutions/articles/47001251916).

Times are ISO 8601, mostly of the local clock without an offset, and events of Parcel Germany often have no country.
The order of events is not documented; it has been seen newest first. One number may be two divisions' shipments, or a
stranger's piece: only a shipment or piece of that very number counts, of several the newest.

Descriptions, receiver and proof of delivery may name people. Raw keeps codes, times and places, and a sentence in
`status` only of events that are no delivery.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import SplitResult, parse_qs

import httpx

from activities.carriers.asking import api, key_of, plain
from activities.carriers.direct import (
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
from activities.vendors.http import VendorGarbledError, VendorRefusedError
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
_ADDRESS = Meaning(ParcelStatus.EXCEPTION, Reason.ADDRESS, action=True)
_RETURNING = Meaning(ParcelStatus.RETURNING, Reason.RETURNING)

STATUS = {
    "pre-transit": _LABEL,
    "transit": _ON_ITS_WAY,
    "delivered": _DELIVERED,
    "failure": _STOPPED,
    "unknown": Meaning(ParcelStatus.UNKNOWN),
}
_PARCEL_DE: list[tuple[Meaning, str]] = [
    (_LABEL, "VA AN"),
    (_PICKED_UP, "ES AE"),
    (_ON_ITS_WAY, "AA EE NB ZO DD GT"),
    (_OUT, "PO"),
    (_ATTEMPTED, "ZN"),
    (_WAITS, "LA ZF"),
    (_DELIVERED, "ZU"),
    (_STOPPED, "BV"),
]
_EXPRESS: list[tuple[Meaning, str]] = [
    (_LABEL, "104 SD"),
    (_PICKED_UP, "PU SA"),
    (_ON_ITS_WAY, "102 PL DF AF AR TR SM FD AD SC IC RR CR BR BN PY TP"),
    (_LATE, "MD MS MC"),
    (_OUT, "WC"),
    (_ATTEMPTED, "ND NH CA"),
    (_WAITS, "CC"),
    (_DELIVERED, "101 OK"),
    (Meaning(ParcelStatus.DELIVERED, Reason.DAMAGED), "DD"),
    (_STOPPED, "103 OH SS PD"),
    (_ADDRESS, "BA CM"),
    (Meaning(ParcelStatus.EXCEPTION, Reason.CUSTOMS, action=True), "CD"),
    (Meaning(ParcelStatus.EXCEPTION, Reason.CUSTOMS), "UD"),
    (Meaning(ParcelStatus.EXCEPTION, Reason.PAYMENT, action=True), "HP"),
    (Meaning(ParcelStatus.EXCEPTION, Reason.REFUSED), "RD"),
    (Meaning(ParcelStatus.EXCEPTION, Reason.LOST), "DS"),
    (_RETURNING, "RT"),
]
CODES = {
    "parcel-de": {code: meaning for meaning, codes in _PARCEL_DE for code in codes.split()},
    "express": {code: meaning for meaning, codes in _EXPRESS for code in codes.split()},
}
"""By division (`service`) and `status`. Of Express's list only CS (closed shipment) is not here: it says nothing."""
PACE = 5.0
_REST = timedelta(hours=1)
_NUMBER = re.compile(r"[a-z0-9]{4,40}")
_CODE = re.compile(r"[A-Z]{2}|[0-9]{3}")


class Dhl:
    """Polls DHL, one parcel a request and five seconds between two. `clock` is monotonic, in seconds."""

    name = "dhl"
    carriers: frozenset[str] | None = frozenset({"dhl"})
    at_once = 1

    def __init__(
        self,
        url: SplitResult,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        headers = {"dhl-api-key": key_of(url, "dhl://API_KEY@api-eu.dhl.com")}
        self._api = api(self.name, url, "api-eu.dhl.com", headers, transport)
        self._pace = 0.0 if "rate" in parse_qs(url.query) else PACE
        self._clock = clock
        self._sleep = sleep
        self._next = clock()

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
        await self._turn()
        params = {"trackingNumber": number.upper(), "language": "en"}
        try:
            with limited(_REST):
                reply = await self._api.call("GET", "/track/shipments", params=params)
        except VendorRefusedError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return Told()
            raise
        if not isinstance(branch(reply.document, "shipments"), list):
            raise VendorGarbledError(self.name, "not_as_documented")
        own = [found for found in objects(branch(reply.document, "shipments")) if number in _numbers(found)]
        return _told(parcel, max(own, key=_last_seen)) if own else Told()

    async def _turn(self) -> None:
        now = self._clock()
        turn = max(self._next, now)
        self._next = turn + self._pace
        if turn > now:
            await self._sleep(turn - now)


def _numbers(shipment: dict[str, Any]) -> set[str]:
    pieces = branch(shipment, "details", "pieceIds")
    return {plain(shipment.get("id")), *(plain(piece) for piece in (pieces if isinstance(pieces, list) else []))}


def _last_seen(shipment: dict[str, Any]) -> float:
    clocks = [clock for _, clock in _dated(shipment)]
    return max((resolved(clock, ())[0].timestamp() for clock in clocks), default=0.0)


def _dated(shipment: dict[str, Any]) -> list[tuple[dict[str, Any], datetime]]:
    """The events that say when, newest first; the shipment's `status` where DHL gives no events."""
    events = objects(shipment.get("events")) or objects([shipment.get("status")])
    dated = [(event, clock) for event in events if (clock := read_clock(event.get("timestamp")))]
    return newest_first(dated)


def _told(parcel: Asked, shipment: dict[str, Any]) -> Told:
    division, back = text(shipment.get("service")), shipment.get("returnFlag") is True
    ends = country(branch(shipment, "origin", "address", "countryCode"))
    ends += country(branch(shipment, "destination", "address", "countryCode")) or country(parcel.country)
    dated = _dated(shipment)
    events = [
        _event(event, clock, _meaning(event, division, back=back, newest=position == 0), ends)
        for position, (event, clock) in enumerate(dated)
    ]
    promise = text(branch(shipment, "estimatedDeliveryTimeFrame", "estimatedThrough"))
    promise = text(shipment.get("estimatedTimeOfDelivery")) or promise
    product = branch(shipment, "details", "product", "productName")
    raw = {
        **kept(shipment, "id", "service", "returnFlag", "estimatedTimeOfDelivery"),
        "productName": text(product),
        "events": [_raw(event, read.meaning) for (event, _), read in zip(dated, events, strict=True)],
    }
    return told(parcel, "dhl", events, service=product, estimate=promise[:10] or None, raw=raw)


def _meaning(event: dict[str, Any], division: str, *, back: bool, newest: bool) -> Meaning:
    code = text(event.get("status")).upper()
    general = STATUS.get(text(event.get("statusCode")).lower(), STATUS["unknown"])
    meaning = CODES.get(division, {}).get(code, general)
    if back and meaning.status is ParcelStatus.DELIVERED:
        return Meaning(ParcelStatus.RETURNED, Reason.RETURNING)
    return _RETURNING if back and newest else meaning


def _event(event: dict[str, Any], clock: datetime, meaning: Meaning, ends: tuple[str, ...]) -> Event:
    where = branch(event, "location", "address")
    here = branch(where, "countryCode")
    return Event(clock, meaning, whereabouts(branch(where, "addressLocality"), here), country(here) or ends)


def _raw(event: dict[str, Any], meaning: Meaning) -> dict[str, Any]:
    said = kept(event, "timestamp", "statusCode", "status")
    if meaning.status in {ParcelStatus.DELIVERED, ParcelStatus.RETURNED} and not _CODE.fullmatch(
        str(said.get("status"))
    ):
        said.pop("status", None)
    where = branch(event, "location", "address")
    return {**said, "location": whereabouts(branch(where, "addressLocality"), branch(where, "countryCode"))}
