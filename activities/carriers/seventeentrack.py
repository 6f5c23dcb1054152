"""17TRACK: webhooks, and tracking information asked for (what both say: `activities.carriers.seventeentrack_tracks`).

Webhooks are `{event, data}`, where `data` has the number and, for `TRACKING_UPDATED`, its `track_info`;
`TRACKING_STOPPED` says that 17TRACK no longer asks the carrier. They are signed by the API key: the header `sign` is
the hex SHA-256 of the raw body, a slash and the key (https://asset.17track.net/api/document/v2.2_en/index.html; it
speaks of "the signature header field", whose name was found in receivers' code, not read at its source). 17TRACK
gives an event no id and sends it up to three times more.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import SplitResult

import httpx

from activities.carriers.asking import Entry, api, entries, heard, key_of, matched, part
from activities.carriers.protocol import Asked, Told
from activities.carriers.reading import ONCE, Lenient, identity, now, once, same, topic, understood
from activities.carriers.seventeentrack_tracks import Parcel, scans_of
from activities.shops.protocol import Delivery, Ignored, SignatureError
from activities.vendors.http import VendorBusyError, VendorError, VendorGarbledError, VendorRefusedError
from store.intake import ShipmentUpdated

# https://res.17track.net/asset/carrier/info/apicarrier.all.json; DHL has several, so 17TRACK finds out which.
_CARRIERS = {"ups": 100002, "fedex": 100003, "usps": 21051}
_NOT_REGISTERED = -18019902
# The key, its address or the account is refused, 17TRACK itself is away, or too much was asked: somebody mends it, or
# time does.
_BUSY = {429, -18010001, -18010002, -18010003, -18010004, -18019907, -18019908}
_SPENT = {-18019907, -18019908}


class _Body(Lenient):
    data: Parcel


class SeventeenTrack:
    """Verifies and translates 17TRACK's webhooks. `key` is the API key."""

    name = "seventeentrack"

    def __init__(self, key: str, *, clock: Callable[[], datetime] = now) -> None:
        """Prepare the adapter.

        Args:
            key: the API key.
            clock: UTC, for what comes without any moment.

        Raises:
            ValueError: the key is empty.
        """
        if not key:
            raise ValueError("the 17TRACK key may not be empty")
        self._key = key.encode()
        self._clock = clock

    def verify(self, delivery: Delivery) -> None:
        """See `Source.verify`; 17TRACK signs no timestamp, so repeats are caught by the event's id alone."""
        given = delivery.headers.get("sign", "")
        if not same(given.lower(), sha256(delivery.body + b"/" + self._key).hexdigest()):
            raise SignatureError("No matching signature found" if given else "Missing sign")

    def event_id(self, delivery: Delivery) -> str:
        """The hash of what the event says of its parcel."""
        return identity(delivery, lambda one: self._said(one, ONCE))

    def topic(self, delivery: Delivery) -> str:
        """The event's `event`, such as `TRACKING_UPDATED`."""
        return topic(delivery, "event", "TRACKING_UPDATED")

    def translate(self, delivery: Delivery) -> Sequence[ShipmentUpdated] | Ignored:
        """See `Source.translate`: the latest status, at the newest scan."""
        return self._said(delivery, self._clock())

    def _said(self, delivery: Delivery, heard_at: datetime) -> Sequence[ShipmentUpdated] | Ignored:
        kind = self.topic(delivery)
        if kind != "TRACKING_UPDATED":
            return Ignored("tracking stopped" if kind == "TRACKING_STOPPED" else "unknown topic")
        parcel = understood(_Body, delivery.payload).data
        scans = scans_of(parcel, parcel.number, prefix="data.", heard_at=heard_at)
        return scans[-1:] or Ignored("no scan yet")


class SeventeenTrackPoll:
    """See `Poller`: `17track://KEY@api.17track.net`, `POST /track/v2.2/gettrackinfo` for up to 40 numbers.

    Numbers that 17TRACK does not follow yet (-18019902) are registered by `/track/v2.2/register`, after which it asks
    their carriers in its own time; each counts once against the account's quota, asking does not. Three requests a
    second, above which 429 (same document); no `Retry-After` is documented, one that is sent is honoured. A failure
    of the whole request is `{code, data: {errors}}`, also with 200. A quota that is spent is raised only when nothing
    else was learnt.
    """

    name = "seventeentrack"
    carriers: frozenset[str] | None = None
    at_once = 40

    def __init__(self, url: SplitResult, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._api = api(
            self.name, url, "api.17track.net", {"17token": key_of(url, "17track://KEY@api.17track.net")}, transport
        )

    async def ask(self, parcels: Sequence[Asked]) -> Mapping[str, Told]:
        """See `Poller.ask`: one request, and one more where numbers have to be registered."""
        accepted, rejected = await self._call(
            "gettrackinfo", [{"number": parcel.tracking_number} for parcel in parcels]
        )
        found, refused = matched(parcels, accepted, "number"), matched(parcels, rejected, "number")
        known = [(p, found[p.tracking_number][0]) for p in parcels if found[p.tracking_number]]
        told = heard(self.name, known, _read)
        strangers = []
        for parcel in parcels:
            codes = {_code(entry) for entry in refused[parcel.tracking_number]}
            if _NOT_REGISTERED in codes:
                strangers.append(parcel)
            elif codes and not found[parcel.tracking_number]:
                told[parcel.tracking_number] = Told()
        if strangers:
            await self._register(strangers, told)
        return told

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.aclose()

    async def _register(self, strangers: Sequence[Asked], told: dict[str, Told]) -> None:
        wanted: list[dict[str, Any]] = [
            {"number": parcel.tracking_number}
            | ({"carrier": _CARRIERS[parcel.carrier]} if parcel.carrier in _CARRIERS else {})
            for parcel in strangers
        ]
        try:
            _, rejected = await self._call("register", wanted)
        except VendorError:
            if told:
                return
            raise
        refused = matched(strangers, rejected, "number")
        for parcel in strangers:
            if not {_code(entry) for entry in refused[parcel.tracking_number]} & _SPENT:
                told[parcel.tracking_number] = Told()
        if not told:
            raise VendorBusyError(self.name, "quota_spent")

    async def _call(self, what: str, body: list[dict[str, Any]]) -> tuple[list[Entry], list[Entry]]:
        """What was accepted and what was rejected."""
        reply = await self._api.call("POST", f"/track/v2.2/{what}", json_body=body)
        code = part(self.name, reply.document, "code")
        if not isinstance(code, int):
            raise VendorGarbledError(self.name, "not_as_documented")
        if code in _BUSY:
            raise VendorBusyError(self.name, f"code_{code}")
        if code != 0:
            raise VendorRefusedError(self.name, f"code_{code}", reply.status, reply.document)
        accepted = entries(self.name, reply.document, "data", "accepted")
        return accepted, entries(self.name, reply.document, "data", "rejected")


def _code(entry: Entry) -> object:
    error = entry.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) else None


def _read(parcel: Asked, entry: Entry) -> Sequence[ShipmentUpdated]:
    return once(scans_of(understood(Parcel, entry), parcel.tracking_number))
