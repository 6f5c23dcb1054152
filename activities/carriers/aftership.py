"""AfterShip: webhooks and trackings of its Tracking API, version 2026-07.

Webhooks (https://www.aftership.com/docs/tracking/2026-07/webhook/webhook-changelog and
…/webhook/webhook-specifications): `{ts, event, event_id, msg}`, where `msg` is the tracking. They are signed
(https://www.aftership.com/docs/tracking/webhook/webhook-signature) with `aftership-hmac-sha256`, the base64
HMAC-SHA256 of the raw body by the webhook secret; no timestamp is signed, so repeats are caught by `event_id` alone.
The fields read here are the same in the versions back to 2023-10.

Words (https://www.aftership.com/docs/tracking/2026-07/enum/delivery-statuses and …/delivery-sub-statuses): nine tags,
and subtags such as `Exception_007`. Of the subtags Exception_014, Exception_015, InTransit_010 to 013 and Pending_002
to 006 only the numbers were found, not what they mean: they have the meaning of their tag.

Times: `checkpoint_time` is the carrier's, in the local time of the checkpoint, often without an offset, and AfterShip
names no zone. Such a one is not guessed: the checkpoint has the moment at which AfterShip learnt of it (`created_at`,
documented as GMT+0), or none. Estimated dates are in the recipient's own zone, so their day is taken as it stands.

`tracker` is `aftership:` and the tracking's id, which stays when the slug is corrected.
"""

import base64
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from operator import itemgetter
from typing import Any
from urllib.parse import SplitResult

import httpx

from activities.carriers.asking import Entry, api, chosen, entries, heard, key_of, matched, part
from activities.carriers.protocol import Asked, Told
from activities.carriers.reading import (
    At,
    Code,
    Estimate,
    Lenient,
    Many,
    Meaning,
    moment,
    now,
    once,
    place,
    same,
    topic,
    understood,
)
from activities.shops.protocol import Delivery, Ignored, SignatureError
from journey.carriers import normal
from journey.parcels import ParcelStatus, Reason
from store.intake import ShipmentUpdated, build

_TAGS = {
    "Pending": Meaning(ParcelStatus.PENDING),
    "InfoReceived": Meaning(ParcelStatus.LABEL_CREATED),
    "InTransit": Meaning(ParcelStatus.IN_TRANSIT),
    "OutForDelivery": Meaning(ParcelStatus.OUT_FOR_DELIVERY),
    "AttemptFail": Meaning(ParcelStatus.ATTEMPT_FAILED, Reason.ATTEMPT_FAILED),
    "Delivered": Meaning(ParcelStatus.DELIVERED),
    "AvailableForPickup": Meaning(ParcelStatus.AVAILABLE_FOR_PICKUP, action=True),
    "Exception": Meaning(ParcelStatus.EXCEPTION, Reason.OTHER),
    "Expired": Meaning(ParcelStatus.EXPIRED),
}
# The subtags that say more than their tag.
_SUBTAGS = {
    "Exception_002": Meaning(ParcelStatus.EXCEPTION, Reason.ADDRESS, action=True),  # customer moved
    "Exception_003": Meaning(ParcelStatus.EXCEPTION, Reason.REFUSED),
    "Exception_004": Meaning(ParcelStatus.EXCEPTION, Reason.CUSTOMS),
    "Exception_005": Meaning(ParcelStatus.EXCEPTION, Reason.DELAYED),  # external factors
    "Exception_006": Meaning(ParcelStatus.EXCEPTION, Reason.PAYMENT, action=True),
    "Exception_007": Meaning(ParcelStatus.EXCEPTION, Reason.ADDRESS, action=True),
    "Exception_008": Meaning(ParcelStatus.EXCEPTION, Reason.PICKUP_WAITING, action=True),  # pick-up missed
    "Exception_009": Meaning(ParcelStatus.EXCEPTION, Reason.OTHER),  # rejected by the carrier
    "Exception_010": Meaning(ParcelStatus.RETURNING, Reason.RETURNING),
    "Exception_011": Meaning(ParcelStatus.RETURNED, Reason.RETURNING),
    "Exception_012": Meaning(ParcelStatus.EXCEPTION, Reason.DAMAGED),
    "Exception_013": Meaning(ParcelStatus.EXCEPTION, Reason.LOST),
    "Exception_016": Meaning(ParcelStatus.EXCEPTION, Reason.DELAYED),  # processing issue
    "Exception_017": Meaning(ParcelStatus.EXCEPTION, Reason.DELAYED),  # extreme weather
    "Exception_018": Meaning(ParcelStatus.EXCEPTION, Reason.CUSTOMS, action=True),  # papers wrong or missing
    "Exception_019": Meaning(ParcelStatus.EXCEPTION, Reason.DELAYED),  # late flight
    "Exception_020": Meaning(ParcelStatus.CANCELLED),
    "Exception_021": Meaning(ParcelStatus.EXCEPTION, Reason.LOST),  # disposed of
    "InTransit_002": Meaning(ParcelStatus.PICKED_UP),  # acceptance scan
    "OutForDelivery_002": Meaning(ParcelStatus.AVAILABLE_FOR_PICKUP, action=True),  # before 2023
    # An appointment is not a van on its way.
    "OutForDelivery_004": Meaning(ParcelStatus.IN_TRANSIT),
}
_MOST_SECONDS = 4_102_444_800
_VERSION = "2026-07"
_PAGE = "200"
_MOST_PAGES = 10


class _Checkpoint(Lenient):
    checkpoint_time: str | None = None
    created_at: str | None = None
    tag: str | None = None
    subtag: str | None = None
    location: Any = None
    city: Any = None
    state: Any = None
    country_region: Any = None


class _Estimate(Lenient):
    datetime: Estimate | None = None


class _Tracking(Lenient):
    id: str | None = None
    tracking_number: Code
    slug: str | None = None
    tag: str | None = None
    subtag: str | None = None
    updated_at: At | None = None
    shipment_type: Any = None
    courier_tracking_link: Any = None
    checkpoints: Many[_Checkpoint]
    latest_estimated_delivery: _Estimate | None = None
    expected_delivery: Estimate | None = None  # before 2024-04


class _Body(Lenient):
    msg: _Tracking
    ts: Any = None


class AfterShip:
    """Verifies and translates AfterShip's webhooks. `secret` is the webhook secret of its settings."""

    name = "aftership"

    def __init__(self, secret: str, *, clock: Callable[[], datetime] = now) -> None:
        """Prepare the adapter.

        Args:
            secret: the webhook secret of AfterShip's settings.
            clock: UTC, for what comes without any moment.

        Raises:
            ValueError: the secret is empty.
        """
        if not secret:
            raise ValueError("the AfterShip webhook secret may not be empty")
        self._clock = clock
        self._key = secret.encode()

    def verify(self, delivery: Delivery) -> None:
        """See `Source.verify`."""
        given = delivery.headers.get("aftership-hmac-sha256", "")
        expected = base64.b64encode(hmac.new(self._key, delivery.body, sha256).digest()).decode()
        if not same(given, expected):
            raise SignatureError("No matching signature found" if given else "Missing aftership-hmac-sha256")

    def event_id(self, delivery: Delivery) -> str:
        """The event's `event_id` (a UUID), else the body's hash."""
        given = delivery.payload.get("event_id")
        return given if isinstance(given, str) and given else delivery.digest

    def topic(self, delivery: Delivery) -> str:
        """The event's `event`, such as `tracking_update`."""
        return topic(delivery, "event", "tracking_update")

    def translate(self, delivery: Delivery) -> Sequence[ShipmentUpdated] | Ignored:
        """See `Source.translate`: the tracking's own tag, at the newest checkpoint that says the same."""
        if self.topic(delivery) not in {"tracking_update", "edd_revise"}:
            return Ignored("unknown topic")
        body = understood(_Body, delivery.payload)
        tracking = body.msg
        if moment(tracking.updated_at) is None:
            sent = _sent_at(body.ts) or self._clock().isoformat()
            tracking = tracking.model_copy(update={"updated_at": sent})
        scans = _scans(tracking, tracking.tracking_number, prefix="msg.")
        return scans[-1:] or Ignored("no scan yet")


class AfterShipPoll:
    """See `Poller`: `aftership://KEY@api.aftership.com`.

    `GET /tracking/2026-07/trackings?tracking_numbers=` takes up to 50 numbers, in pages of up to 200 by `cursor`
    (as in AfterShip's own client for that version, `aftership-tracking-sdk` 10). Six requests a second
    (https://www.aftership.com/docs/tracking/2025-01/quickstart/rate-limit), above which 429 with `X-RateLimit-Reset`,
    the end of that second; a `Retry-After` is honoured. A number that AfterShip does not follow is in no answer, and
    none is added: AfterShip imports shipments from the shop, and each one counts.
    """

    name = "aftership"
    carriers: frozenset[str] | None = None
    at_once = 50

    def __init__(self, url: SplitResult, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        key = key_of(url, "aftership://asat_…@api.aftership.com")
        self._api = api(self.name, url, "api.aftership.com", {"as-api-key": key}, transport)

    async def ask(self, parcels: Sequence[Asked]) -> Mapping[str, Told]:
        """See `Poller.ask`: one request, and one for each further page."""
        query = {"tracking_numbers": ",".join(parcel.tracking_number for parcel in parcels), "limit": _PAGE}
        trackings: list[Entry] = []
        for _ in range(_MOST_PAGES):
            reply = await self._api.call("GET", f"/tracking/{_VERSION}/trackings", params=query)
            trackings += entries(self.name, reply.document, "data", "trackings")
            pages = part(self.name, reply.document, "data").get("pagination")
            if not isinstance(pages, dict) or pages.get("has_next_page") is not True:
                break
            query["cursor"] = str(pages.get("next_cursor"))
        found = matched(parcels, trackings, "tracking_number")
        known = [
            (p, chosen(self.name, p, found[p.tracking_number], "slug")) for p in parcels if found[p.tracking_number]
        ]
        told = heard(self.name, known, lambda p, entry: once(_scans(understood(_Tracking, entry), p.tracking_number)))
        return {number: Told() for number, some in found.items() if not some} | told

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.aclose()


def _scans(tracking: _Tracking, number: str, *, prefix: str = "") -> list[ShipmentUpdated]:
    """Every checkpoint that has a moment, and last what the tracking itself says by now.

    That has the moment of the newest checkpoint of the same status. Where none says it (`Expired` is AfterShip's own
    word), it is of `updated_at`.

    Raises:
        Malformed: names the field that is wrong.
    """
    dated = sorted(_dated(tracking), key=itemgetter(0))
    newest = dated[-1][1] if dated else (tracking.checkpoints or [_Checkpoint()])[-1]
    own = _meaning(tracking.tag or newest.tag or "", tracking.subtag)
    if not dated and own.status is ParcelStatus.PENDING:
        return []
    estimate = tracking.latest_estimated_delivery.datetime if tracking.latest_estimated_delivery else None
    estimate = estimate or tracking.expected_delivery or None
    promise = {"estimated_delivery": estimate, "estimated_at": moment(tracking.updated_at) if estimate else None}
    common = {
        "tracking_number": number,
        "carrier": normal(tracking.slug),
        "service": tracking.shipment_type,
        "tracker": f"aftership:{tracking.id}" if tracking.id else None,
        "tracking_url": tracking.courier_tracking_link,
    }
    names = {"estimated_delivery": "latest_estimated_delivery.datetime", "tracking_url": "courier_tracking_link"}
    last: dict[str, Any] = {"at": tracking.updated_at}
    scans: list[ShipmentUpdated] = []
    for at, checkpoint in dated:
        said = _meaning(checkpoint.tag or "", checkpoint.subtag)
        values: dict[str, Any] = common | _said(said) | {"at": at, "location": _place(checkpoint)}
        values |= promise if checkpoint is dated[-1][1] else {}
        scans.append(build(ShipmentUpdated, values, prefix=prefix, names=names))
        if said.status is own.status:
            last = {"at": at, "location": values["location"]}
    now = build(
        ShipmentUpdated, common | _said(own) | promise | last, prefix=prefix, names=names | {"at": "updated_at"}
    )
    return [*(scan for scan in scans if (scan.at, scan.status) != (now.at, now.status)), now]


def _sent_at(seconds: object) -> str | None:
    """When AfterShip sent a webhook, in seconds since 1970; None for whatever is none."""
    if type(seconds) is not int or not 0 < seconds < _MOST_SECONDS:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _dated(tracking: _Tracking) -> list[tuple[datetime, _Checkpoint]]:
    return [
        (at, checkpoint)
        for checkpoint in tracking.checkpoints or []
        if (at := moment(checkpoint.checkpoint_time) or moment(checkpoint.created_at)) is not None
    ]


def _said(meaning: Meaning) -> dict[str, Any]:
    return {"status": meaning.status, "reason": meaning.reason, "action_required": meaning.action}


def _place(checkpoint: _Checkpoint) -> str | None:
    return place(checkpoint.location) or place(checkpoint.city, checkpoint.state, checkpoint.country_region)


def _meaning(tag: str, subtag: str | None) -> Meaning:
    return _SUBTAGS.get(subtag or "") or _TAGS.get(tag) or Meaning(ParcelStatus.UNKNOWN)
