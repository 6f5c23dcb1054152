"""Shippo: `track_updated` webhooks, and tracks asked for one by one.

Webhooks (https://docs.goshippo.com/docs/tracking/webhooks): `{event, test, data}`, where `data` is the track. Shippo
signs none unless its support switches that on, so there are two ways (https://docs.goshippo.com/tracking/webhook-security),
and the secret says which:

- `token:…`: the token at the end of the webhook's address, `…/webhooks/shippo?token=…`, which whoever sets up the
  webhook makes up;
- anything else is the key of `Shippo-Auth-Signature: t=…,v1=…`, where `v1` is the hex HMAC-SHA256 of `t`, a full stop
  and the raw body. Shippo documents no window for `t`, and a webhook that comes late is not refused: an event that was
  taken before is known by its id, and an old scan never moves a parcel back.

Shippo gives an event no id, and sends some twice.

Words (https://docs.goshippo.com/docs/tracking/tracking, "Event definitions"): six statuses, and substatuses that
belong to one of them each; a substatus with another status (Shippo's own example has one) is not listened to.
`action_required` is Shippo's own word. Times are in UTC ("displayed in UTC", Shippo's API reference): so is one
without an offset, as Shippo's test mode writes them. A status has the moment at which Shippo changed it last
(`object_updated`, as in Shippo's own clients): that of its track's estimate.

A track has no id of its own: Shippo knows it by carrier and number, and never corrects the carrier that it was given.
So `tracker` is `shippo:{carrier}/{number}`, with the carrier in Shippo's own words.
"""

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, quote

import httpx

from activities.carriers.asking import Entry, api, heard, key_of
from activities.carriers.protocol import Asked, Told
from activities.carriers.reading import (
    ONCE,
    Code,
    Estimate,
    Lenient,
    Many,
    Meaning,
    identity,
    moment,
    now,
    once,
    place,
    same,
    topic,
    understood,
)
from activities.shops.payloads import Text
from activities.shops.protocol import Delivery, Ignored, SignatureError
from activities.vendors.http import VendorRefusedError
from journey.carriers import normal
from journey.parcels import ParcelStatus, Reason
from store.intake import ShipmentUpdated, build

_STATUS = {
    "UNKNOWN": Meaning(ParcelStatus.UNKNOWN),
    "PRE_TRANSIT": Meaning(ParcelStatus.LABEL_CREATED),
    "TRANSIT": Meaning(ParcelStatus.IN_TRANSIT),
    "DELIVERED": Meaning(ParcelStatus.DELIVERED),
    # On its way back or there already: Shippo does not say which.
    "RETURNED": Meaning(ParcelStatus.RETURNING, Reason.RETURNING),
    "FAILURE": Meaning(ParcelStatus.EXCEPTION, Reason.OTHER),
}
_ATTEMPT = Meaning(ParcelStatus.ATTEMPT_FAILED, Reason.ATTEMPT_FAILED)
_HELD = Meaning(ParcelStatus.EXCEPTION, Reason.OTHER)
_SUBSTATUS = {
    ("PRE_TRANSIT", "information_received"): Meaning(ParcelStatus.LABEL_CREATED),
    ("TRANSIT", "address_issue"): Meaning(ParcelStatus.EXCEPTION, Reason.ADDRESS),
    ("TRANSIT", "contact_carrier"): _HELD,
    ("TRANSIT", "delayed"): Meaning(ParcelStatus.IN_TRANSIT, Reason.DELAYED),
    ("TRANSIT", "delivery_attempted"): _ATTEMPT,
    ("TRANSIT", "delivery_rescheduled"): Meaning(ParcelStatus.IN_TRANSIT, Reason.DELAYED),
    ("TRANSIT", "delivery_scheduled"): Meaning(ParcelStatus.IN_TRANSIT),
    ("TRANSIT", "location_inaccessible"): _ATTEMPT,
    ("TRANSIT", "notice_left"): _ATTEMPT,
    ("TRANSIT", "out_for_delivery"): Meaning(ParcelStatus.OUT_FOR_DELIVERY),
    ("TRANSIT", "package_accepted"): Meaning(ParcelStatus.PICKED_UP),
    ("TRANSIT", "package_arrived"): Meaning(ParcelStatus.IN_TRANSIT),
    ("TRANSIT", "package_damaged"): Meaning(ParcelStatus.EXCEPTION, Reason.DAMAGED),
    ("TRANSIT", "package_departed"): Meaning(ParcelStatus.IN_TRANSIT),
    ("TRANSIT", "package_forwarded"): Meaning(ParcelStatus.IN_TRANSIT),
    ("TRANSIT", "package_held"): _HELD,
    ("TRANSIT", "package_processed"): Meaning(ParcelStatus.IN_TRANSIT),
    ("TRANSIT", "package_processing"): Meaning(ParcelStatus.IN_TRANSIT),
    ("TRANSIT", "pickup_available"): Meaning(ParcelStatus.AVAILABLE_FOR_PICKUP),
    ("TRANSIT", "reschedule_delivery"): _ATTEMPT,
    ("DELIVERED", "delivered"): Meaning(ParcelStatus.DELIVERED),
    ("RETURNED", "return_to_sender"): Meaning(ParcelStatus.RETURNING, Reason.RETURNING),
    ("RETURNED", "package_unclaimed"): Meaning(ParcelStatus.RETURNING, Reason.PICKUP_WAITING),
    ("FAILURE", "package_undeliverable"): _HELD,
    ("FAILURE", "package_disposed"): Meaning(ParcelStatus.EXCEPTION, Reason.LOST),
    ("FAILURE", "package_lost"): Meaning(ParcelStatus.EXCEPTION, Reason.LOST),
    ("UNKNOWN", "other"): Meaning(ParcelStatus.UNKNOWN),
}
# https://docs.goshippo.com/docs/tracking/trackingcarriers, without DHL's four; `shippo` is the test mode's.
_CARRIERS = (
    "airterra apc_postal apg aramex asendia_us australia_post axlehire better_trucks borderguru boxberry bring "
    "canada_post cdl chronopost colissimo collect_plus correios_br correos_espana deutsche_post dpd_de dpd_uk estafeta "
    "fastway_australia fedex globegistics gls_us gso hermes_uk la_poste lasership lso mondial_relay new_zealand_post "
    "nippon_express ontrac passport pcf pitney_bowes poste_italiane posti purolator royal_mail royal_mail_sf "
    "rr_donnelley russian_post shippo skypostal stuart uds ups usps veho"
)
_TOKENS = {normal(token): token for token in _CARRIERS.split()}
_SECONDS = re.compile("[0-9]{1,20}")
_BY_TOKEN = "token:"  # noqa: S105  # what stands before one


class _Location(Lenient):
    city: Any = None
    state: Any = None
    country: Any = None


class _Substatus(Lenient):
    code: str | None = None
    action_required: Any = None


class _Scan(Lenient):
    status: str | None = None
    status_date: str | None = None
    object_created: str | None = None
    object_updated: str | None = None
    substatus: _Substatus | None = None
    location: _Location | None = None


class _Service(Lenient):
    token: Text = None
    name: Text = None


class _Track(Lenient):
    carrier: str | None = None
    tracking_number: Code
    eta: Estimate | None = None
    servicelevel: _Service | None = None
    tracking_status: _Scan | None = None
    tracking_history: Many[_Scan]


class _Body(Lenient):
    data: _Track


class Shippo:
    """Verifies and translates Shippo's webhooks. `secret` is `token:` and the address's token, or the HMAC key."""

    name = "shippo"

    def __init__(self, secret: str, *, clock: Callable[[], datetime] = now) -> None:
        """Prepare the adapter.

        Args:
            secret: see the module.
            clock: UTC, for what comes without any moment.

        Raises:
            ValueError: the secret is empty.
        """
        self._clock = clock
        token = secret.removeprefix(_BY_TOKEN)
        if not token:
            raise ValueError("the Shippo webhook secret may not be empty")
        self._token = token if secret.startswith(_BY_TOKEN) else None
        self._key = token.encode()

    def verify(self, delivery: Delivery) -> None:
        """See `Source.verify`; by the address's token, or by signature, never by whichever is there."""
        if self._token is not None:
            if not same(delivery.query.get("token", ""), self._token):
                raise SignatureError("No matching token in the address")
            return
        fields = dict(part.strip().partition("=")[::2] for part in _signature(delivery).split(","))
        at, given = fields.get("t", ""), fields.get("v1", "")
        if _SECONDS.fullmatch(at) is None:
            raise SignatureError("Malformed timestamp" if at else "Missing Shippo-Auth-Signature")
        signed = at.encode() + b"." + delivery.body
        if not same(given, hmac.new(self._key, signed, sha256).hexdigest()):
            raise SignatureError("No matching signature found" if given else "Missing Shippo-Auth-Signature")

    def event_id(self, delivery: Delivery) -> str:
        """The hash of what the event says of its parcel."""
        return identity(delivery, lambda one: self._said(one, ONCE))

    def topic(self, delivery: Delivery) -> str:
        """The event's `event`, such as `track_updated`."""
        return topic(delivery, "event", "track_updated")

    def translate(self, delivery: Delivery) -> Sequence[ShipmentUpdated] | Ignored:
        """See `Source.translate`: the track's `tracking_status`, else the newest scan of its history that says one."""
        return self._said(delivery, self._clock())

    def _said(self, delivery: Delivery, heard_at: datetime) -> Sequence[ShipmentUpdated] | Ignored:
        if self.topic(delivery) != "track_updated":
            return Ignored("unknown topic")
        track = understood(_Body, delivery.payload).data
        newest = track.tracking_status
        if newest is None or newest.status is None:
            told = [scan for scan in track.tracking_history or [] if scan.status and _at(scan) is not None]
            newest = max(told, key=_at, default=newest)
        if newest is None:
            return Ignored("no scan yet")
        return [_scan(track, newest, track.tracking_number, prefix="data.", newest=True, heard_at=heard_at)]


class ShippoPoll:
    """See `Poller`: `shippo://TOKEN@api.goshippo.com`, one `GET /tracks/{carrier}/{number}` for each parcel.

    500 requests a minute with a live token, 50 with a test one, above which 429
    (https://docs.goshippo.com/docs/api_concepts/ratelimits); no `Retry-After` is documented, one that is sent is
    honoured. Shippo charges for tracking labels that were not bought there, by the call. It needs the carrier in its
    own words, which an earlier answer or webhook told; else `dhl` is Germany's parcel service for a parcel to Germany
    and DHL Express elsewhere. A parcel whose carrier nobody named, or that Shippo does not list, is not asked about.
    """

    name = "shippo"
    carriers: frozenset[str] | None = None
    at_once = 1

    def __init__(self, url: SplitResult, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        token = key_of(url, "shippo://shippo_live_…@api.goshippo.com")
        self._api = api(self.name, url, "api.goshippo.com", {"authorization": f"ShippoToken {token}"}, transport)

    async def ask(self, parcels: Sequence[Asked]) -> Mapping[str, Told]:
        """See `Poller.ask`. A number that the carrier does not know (404, 400) has no scans."""
        told: dict[str, Told] = {}
        for parcel in parcels:
            told |= await self._one(parcel)
        return told

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.aclose()

    async def _one(self, parcel: Asked) -> dict[str, Told]:
        token, number = _token(parcel), parcel.tracking_number
        if token is None:
            return {number: Told()}
        try:
            reply = await self._api.call("GET", f"/tracks/{quote(token, safe='')}/{quote(number, safe='')}")
        except VendorRefusedError as error:
            if error.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST}:
                raise
            return {number: Told()}
        return heard(self.name, [(parcel, reply.document)], _scans)


def _signature(delivery: Delivery) -> str:
    return delivery.headers.get("shippo-auth-signature", "")


def _token(parcel: Asked) -> str | None:
    known, _, named = (parcel.tracker or "").partition(":")
    if known == "shippo" and named.partition("/")[0]:
        return named.partition("/")[0]
    if parcel.carrier == "dhl":
        return "dhl_germany" if parcel.country == "DE" else "dhl_express"
    return _TOKENS.get(parcel.carrier)


def _scans(parcel: Asked, entry: Entry) -> Sequence[ShipmentUpdated]:
    track = understood(_Track, entry)
    number, newest = parcel.tracking_number, track.tracking_status
    history = [scan for scan in track.tracking_history or [] if _at(scan) is not None]
    if newest is None or _at(newest) is None:
        return once(_scan(track, scan, number) for scan in history)
    before = [scan for scan in history if (_at(scan), scan.status) != (_at(newest), newest.status)]
    return once([*(_scan(track, scan, number) for scan in before), _scan(track, newest, number, newest=True)])


def _at(scan: _Scan) -> Any:
    return (
        moment(scan.status_date, zone=UTC)
        or moment(scan.object_created, zone=UTC)
        or moment(scan.object_updated, zone=UTC)
    )


def _scan(
    track: _Track,
    scan: _Scan,
    number: str,
    *,
    prefix: str = "",
    newest: bool = False,
    heard_at: datetime | None = None,
) -> ShipmentUpdated:
    meaning = _STATUS.get(scan.status or "", Meaning(ParcelStatus.UNKNOWN))
    sub = scan.substatus
    if sub is not None:
        meaning = _SUBSTATUS.get((scan.status or "", sub.code or ""), meaning)
    action = sub is not None and sub.action_required is True and meaning.status is not ParcelStatus.DELIVERED
    service, where = track.servicelevel, scan.location
    estimate = (track.eta or None) if newest else None
    values = {
        "at": _at(scan) or heard_at or scan.status_date,
        "tracking_number": number,
        "carrier": normal(track.carrier),
        "service": (service.name or service.token) if service else None,
        "status": meaning.status,
        "reason": meaning.reason,
        "action_required": action,
        "estimated_delivery": estimate,
        "estimated_at": moment(scan.object_updated, zone=UTC) if estimate else None,
        "location": place(where.city, where.state, where.country) if where else None,
        "tracker": f"shippo:{track.carrier}/{number}" if track.carrier else None,
    }
    names = {"at": "tracking_status.status_date", "estimated_delivery": "eta"}
    return build(ShipmentUpdated, values, prefix=prefix, names=names)
