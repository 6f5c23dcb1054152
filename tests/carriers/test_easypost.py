"""EasyPost's trackers as scans."""

import json
import unicodedata
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.carriers.easypost import EasyPost
from activities.shops.protocol import Delivery, Malformed, SignatureError
from journey.parcels import ParcelStatus, Reason
from tests.gateway.kit import EASYPOST_SECRET, easypost_headers
from tests.shops.fuzz import JSON, holes, judge

ADAPTER = EasyPost(EASYPOST_SECRET)
EVENT = {
    "id": "evt_1",
    "object": "Event",
    "description": "tracker.updated",
    "created_at": "2026-11-24T09:00:00Z",
    "result": {
        "id": "trk_1",
        "tracking_code": "EZ2000000002",
        "status": "in_transit",
        "status_detail": "arrived_at_facility",
        "carrier": "USPS",
        "est_delivery_date": "2026-11-26T00:00:00Z",
        "updated_at": "2026-11-24T09:00:00Z",
        "tracking_details": [
            {"datetime": "2026-11-24T01:30:00-08:00", "status": "in_transit", "message": "Arrived"},
            {"datetime": "2026-11-24T08:00:00Z", "status": "in_transit", "message": "Departed"},
            {"datetime": None, "status": "pre_transit", "message": "Label"},
        ],
    },
}


def _scan(**changes):
    body = EVENT | {"result": EVENT["result"] | changes}
    (event,) = ADAPTER.translate(Delivery({}, json.dumps(body).encode()))
    return event


def test_a_tracker_is_its_newest_scan():
    """The moment is the newest detail's by its offset, not by its place or spelling."""
    event = _scan()
    assert (event.tracking_number, event.carrier, event.status) == ("EZ2000000002", "USPS", ParcelStatus.IN_TRANSIT)
    assert (event.at, event.estimated_delivery) == (datetime(2026, 11, 24, 9, 30, tzinfo=UTC), date(2026, 11, 26))
    assert _scan(tracking_details=[]).at == datetime(2026, 11, 24, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "detail", "expected"),
    [
        ("pre_transit", "label_created", (ParcelStatus.LABEL_CREATED, None)),
        ("in_transit", "received_at_origin_facility", (ParcelStatus.PICKED_UP, None)),
        ("in_transit", "weather_delay", (ParcelStatus.IN_TRANSIT, Reason.DELAYED)),
        ("in_transit", "unable_to_deliver", (ParcelStatus.ATTEMPT_FAILED, Reason.ATTEMPT_FAILED)),
        ("out_for_delivery", "out_for_delivery", (ParcelStatus.OUT_FOR_DELIVERY, None)),
        ("available_for_pickup", "arrived_at_pickup_location", (ParcelStatus.AVAILABLE_FOR_PICKUP, None)),
        ("delivered", "delayed", (ParcelStatus.DELIVERED, None)),
        ("return_to_sender", "return", (ParcelStatus.RETURNING, Reason.RETURNING)),
        ("failure", "lost", (ParcelStatus.EXCEPTION, Reason.LOST)),
        ("failure", "damaged", (ParcelStatus.EXCEPTION, Reason.DAMAGED)),
        ("failure", "address_correction", (ParcelStatus.EXCEPTION, Reason.ADDRESS)),
        ("failure", "failure", (ParcelStatus.EXCEPTION, Reason.OTHER)),
        ("cancelled", None, (ParcelStatus.CANCELLED, None)),
        ("error", None, (ParcelStatus.UNKNOWN, None)),
        ("something_new", "something_newer", (ParcelStatus.UNKNOWN, None)),
    ],
)
def test_words_are_brought_to_the_normal_form(status, detail, expected):
    """Each status and detail has one meaning; what EasyPost adds later is unknown, not an error."""
    event = _scan(status=status, status_detail=detail)
    assert (event.status, event.reason) == expected


def test_customs_are_told_by_the_carriers_sentence():
    """A hold is a customs hold when the carrier says so."""
    details = [{"datetime": "2026-11-24T08:00:00Z", "message": "Awaiting Customs clearance"}]
    assert _scan(status_detail="held", tracking_details=details).reason is Reason.CUSTOMS
    assert _scan(status_detail="held").reason is Reason.OTHER


def test_the_secret_is_normalised():
    """The signature is keyed with the NFKD form of the secret, whichever form was configured."""
    body = b"{}"
    for form in ("NFC", "NFD"):
        EasyPost(unicodedata.normalize(form, EASYPOST_SECRET)).verify(Delivery(easypost_headers(body), body))


@pytest.mark.parametrize(
    "signature", ["", "hmac-sha256-hex=", "hmac-sha256-hex=ü", "00", "hmac-sha256-hex=" + "0" * 64]
)
def test_bad_signatures(signature):
    """Anything but the right signature is refused."""
    with pytest.raises(SignatureError):
        ADAPTER.verify(Delivery({"x-hmac-signature": signature}, b"{}"))


def test_a_tracker_without_number_or_moment_is_malformed():
    """An error names EasyPost's field."""
    with pytest.raises(Malformed) as caught:
        _scan(tracking_code=None)
    assert caught.value.field == "result.tracking_code"
    with pytest.raises(Malformed) as caught:
        _scan(tracking_details=None, updated_at="soon")
    assert caught.value.field == "result.updated_at"


@settings(max_examples=200, deadline=None)
@given(JSON | st.binary() | holes(EVENT))
def test_nothing_but_malformed_comes_out_of_random_json(body):
    """Whatever a signed body holds, it becomes scans, is ignored, or is refused with a field."""
    judge(ADAPTER, body, {})
