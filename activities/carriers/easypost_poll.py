"""EasyPost's trackers, asked for: `easypost://KEY@api.easypost.com` (https://docs.easypost.com/docs/trackers).

The key is the user of HTTP Basic authentication, without a password. `POST /v2/trackers/batch` answers for several
numbers at once, `{"trackers": […], "has_more": false}`; how many it takes is not documented, so it is asked for as
many as EasyPost's lists hold by default (20, https://docs.easypost.com/docs/pagination).

A number without a tracker gets one by `POST /v2/trackers`, without which EasyPost never asks its carrier. That costs
a fee, once for a tracker (0.02 USD in EasyPost's own examples), and none for a label bought at EasyPost, whose
tracker exists. The same number twice is one tracker, so this may be repeated. A number that EasyPost refuses
(422: it knows no such carrier) has nothing to say.

Rate limits (https://docs.easypost.com/guides/rate-limiting-guide): 429 above five requests a second for lists, less
when EasyPost is busy; no `Retry-After` is documented, one that is sent is honoured.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import SplitResult

import httpx

from activities.carriers.asking import Entry, api, chosen, entries, heard, key_of, matched
from activities.carriers.easypost import Tracker, earlier, latest
from activities.carriers.protocol import Asked, Told
from activities.carriers.reading import once, understood
from activities.vendors.http import VendorError, VendorRefusedError
from store.intake import ShipmentUpdated

# EasyPost's own words; where it is none of these, EasyPost finds the carrier by the number.
_CARRIERS = {"ups": "UPS", "fedex": "FedEx", "usps": "USPS"}


class EasyPostPoll:
    """See `Poller`. A failure to create trackers is raised only when nothing else was learnt."""

    name = "easypost"
    carriers: frozenset[str] | None = None
    at_once = 20

    def __init__(self, url: SplitResult, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        key = key_of(url, "easypost://EZAK…@api.easypost.com")
        basic = base64.b64encode(f"{key}:".encode()).decode()
        self._api = api(self.name, url, "api.easypost.com", {"authorization": f"Basic {basic}"}, transport)

    async def ask(self, parcels: Sequence[Asked]) -> Mapping[str, Told]:
        """See `Poller.ask`: one request, and one for each number that has no tracker yet."""
        numbers = [parcel.tracking_number for parcel in parcels]
        reply = await self._api.call("POST", "/v2/trackers/batch", json_body={"tracking_codes": numbers})
        found = matched(parcels, entries(self.name, reply.document, "trackers"), "tracking_code")
        known = [
            (p, chosen(self.name, p, found[p.tracking_number], "carrier")) for p in parcels if found[p.tracking_number]
        ]
        told = heard(self.name, known, _scans)
        if not reply.document.get("has_more"):
            missing = [parcel for parcel in parcels if not found[parcel.tracking_number]]
            await self._create(missing, told)
        return told

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.aclose()

    async def _create(self, missing: Sequence[Asked], told: dict[str, Told]) -> None:
        for parcel in missing:
            wanted: dict[str, Any] = {"tracking_code": parcel.tracking_number}
            if parcel.carrier in _CARRIERS:
                wanted["carrier"] = _CARRIERS[parcel.carrier]
            try:
                reply = await self._api.call("POST", "/v2/trackers", json_body={"tracker": wanted})
                told |= heard(self.name, [(parcel, reply.document)], _scans)
            except VendorRefusedError:
                told[parcel.tracking_number] = Told()
            except VendorError:
                if told:
                    return
                raise


def _scans(parcel: Asked, entry: Entry) -> Sequence[ShipmentUpdated]:
    tracker = understood(Tracker, entry)
    number = parcel.tracking_number
    if tracker.status in {None, "unknown", "error"} and not tracker.tracking_details:
        return ()
    return once([*earlier(tracker, number), latest(tracker, number, tracker.updated_at)])
