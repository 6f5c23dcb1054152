"""Shippo's webhooks and tracks as scans."""

import hashlib
import hmac
import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.carriers.shippo import Shippo
from activities.shops.protocol import Delivery, Ignored, Malformed, SignatureError
from journey.parcels import ParcelStatus
from tests.carriers.services_samples import ATTEMPTED, TRACK
from tests.shops.fuzz import JSON, holes, judge

SECRET = "shippo-test-secret"  # noqa: S105  # a test secret
HEARD = datetime(2026, 11, 30, 9, tzinfo=UTC)
ADAPTER = Shippo(SECRET, clock=lambda: HEARD)
EVENT = {"event": "track_updated", "test": False, "data": TRACK}


def _signature(body, *, key=SECRET, at="1795514400"):
    signed = hmac.new(key.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"shippo-auth-signature": f"t={at},v1={signed}"}


def _delivery(event=EVENT, **changes):
    return Delivery({}, json.dumps(event | {"data": event["data"] | changes}).encode())


def _scan(**changes):
    (event,) = ADAPTER.translate(_delivery(**changes))
    return event


def _one(status, code, action=False):
    substatus = {"code": code, "text": "", "action_required": action} if code else None
    return _scan(tracking_status=ATTEMPTED | {"status": status, "substatus": substatus})


def test_a_track_is_its_status():
    """The status' moment and place, the track's estimate and service; it is known by carrier and number."""
    assert _scan().model_dump() == {
        "type": "shipment.updated",
        "at": datetime(2026, 11, 24, 18, 30, tzinfo=UTC),
        "tracking_number": "9205",
        "carrier": "dhl",
        "service": "Worldwide",
        "status": ParcelStatus.ATTEMPT_FAILED,
        "reason": "attempt_failed",
        "action_required": True,
        "estimated_delivery": date(2026, 11, 26),
        "estimated_at": datetime(2026, 11, 24, 20, 40, tzinfo=UTC),
        "location": "Las Vegas, NV, US",
        "tracker": "shippo:dhl_express/9205",
        "shop": None,
        "order_id": None,
        "fulfilment_id": None,
        "tracking_url": None,
        "co2": None,
    }


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        ("PRE_TRANSIT", "information_received", ("label_created", None)),
        ("TRANSIT", "address_issue", ("exception", "address")),
        ("TRANSIT", "contact_carrier", ("exception", "other")),
        ("TRANSIT", "delayed", ("in_transit", "delayed")),
        ("TRANSIT", "delivery_attempted", ("attempt_failed", "attempt_failed")),
        ("TRANSIT", "delivery_rescheduled", ("in_transit", "delayed")),
        ("TRANSIT", "delivery_scheduled", ("in_transit", None)),
        ("TRANSIT", "location_inaccessible", ("attempt_failed", "attempt_failed")),
        ("TRANSIT", "notice_left", ("attempt_failed", "attempt_failed")),
        ("TRANSIT", "out_for_delivery", ("out_for_delivery", None)),
        ("TRANSIT", "package_accepted", ("picked_up", None)),
        ("TRANSIT", "package_arrived", ("in_transit", None)),
        ("TRANSIT", "package_damaged", ("exception", "damaged")),
        ("TRANSIT", "package_departed", ("in_transit", None)),
        ("TRANSIT", "package_forwarded", ("in_transit", None)),
        ("TRANSIT", "package_held", ("exception", "other")),
        ("TRANSIT", "package_processed", ("in_transit", None)),
        ("TRANSIT", "package_processing", ("in_transit", None)),
        ("TRANSIT", "pickup_available", ("available_for_pickup", None)),
        ("TRANSIT", "reschedule_delivery", ("attempt_failed", "attempt_failed")),
        ("DELIVERED", "delivered", ("delivered", None)),
        ("RETURNED", "return_to_sender", ("returning", "returning")),
        ("RETURNED", "package_unclaimed", ("returning", "pickup_waiting")),
        ("FAILURE", "package_undeliverable", ("exception", "other")),
        ("FAILURE", "package_disposed", ("exception", "lost")),
        ("FAILURE", "package_lost", ("exception", "lost")),
        ("UNKNOWN", "other", ("unknown", None)),
        ("PRE_TRANSIT", None, ("label_created", None)),
        ("TRANSIT", None, ("in_transit", None)),
        ("DELIVERED", None, ("delivered", None)),
        ("RETURNED", None, ("returning", "returning")),
        ("FAILURE", None, ("exception", "other")),
        ("UNKNOWN", None, ("unknown", None)),
        ("TRANSIT", "something_new", ("in_transit", None)),
        ("DELIVERED", "information_received", ("delivered", None)),
        ("TELEPORTED", "teleported", ("unknown", None)),
    ],
)
def test_words_are_brought_to_the_normal_form(status, code, expected):
    """Each documented substatus has one meaning, with its own status only; a new status is unknown."""
    event = _one(status, code)
    assert (event.status, event.reason) == expected


@pytest.mark.parametrize(
    ("status", "code", "flag", "expected"),
    [
        ("TRANSIT", "package_held", True, True),
        ("TRANSIT", "package_held", False, False),
        ("TRANSIT", "something_new", True, True),
        ("TRANSIT", "package_held", "yes", False),
        ("DELIVERED", "information_received", True, False),
    ],
)
def test_whether_somebody_must_act_is_shippos_word(status, code, flag, expected):
    """The flag is taken as it is, but nobody has to act on what was delivered."""
    assert _one(status, code, flag).action_required is expected


def test_a_time_without_an_offset_is_utc():
    """Shippo documents its times as UTC, and its test mode writes them without saying so."""
    event = _scan(tracking_status=ATTEMPTED | {"status_date": "2026-11-24T18:30:00.586"})
    assert event.at == datetime(2026, 11, 24, 18, 30, 0, 586000, tzinfo=UTC)
    known = _scan(tracking_status=ATTEMPTED | {"status_date": None})
    assert known.at == datetime(2026, 11, 24, 20, 35, 26, 129000, tzinfo=UTC)


def test_the_signature():
    """The hex HMAC of time and raw body is taken; another key's, time's or body's, a cut and a missing one are not."""
    body = json.dumps(EVENT).encode()
    right = _signature(body)
    ADAPTER.verify(Delivery(right, body))
    header = right["shippo-auth-signature"]
    for headers, sent in [
        (_signature(body, key="other"), body),
        (right, body + b" "),
        ({"shippo-auth-signature": header.replace("t=1795514400", "t=1795514401")}, body),
        ({"shippo-auth-signature": header[:-1]}, body),
        ({"shippo-auth-signature": "t=1795514400"}, body),
        ({"shippo-auth-signature": "v1=ü,,=,t"}, body),
        ({}, body),
    ]:
        with pytest.raises(SignatureError):
            ADAPTER.verify(Delivery(headers, sent))


def test_a_token_in_the_address():
    """With `token:` in the secret the address's token counts, and no signature in its place."""
    adapter, body = Shippo("token:123äbc"), b"{}"
    adapter.verify(Delivery({}, body, {"token": "123äbc"}))
    for query in ({"token": "123abc"}, {"token": ""}, {}):
        with pytest.raises(SignatureError):
            adapter.verify(Delivery(_signature(body, key="123äbc"), body, query))
    with pytest.raises(SignatureError):
        ADAPTER.verify(Delivery({}, body, {"token": SECRET}))
    for secret in ("", "token:"):
        with pytest.raises(ValueError, match="may not be empty"):
            Shippo(secret)


def test_repeats_have_one_id():
    """The same news is one event, also where Shippo gave it another object id; other news is another."""
    ids = {
        ADAPTER.event_id(delivery)
        for delivery in (_delivery(), _delivery(tracking_status=ATTEMPTED), _delivery(metadata="Order 000123"))
    }
    assert len(ids) == 1
    assert ADAPTER.event_id(_delivery(eta="2026-11-28T00:00:00Z")) not in ids
    broken = _delivery(tracking_number=None)
    assert ADAPTER.event_id(broken) == broken.digest


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (EVENT | {"event": "transaction_created"}, "unknown topic"),
        (EVENT | {"data": TRACK | {"tracking_status": None, "tracking_history": []}}, "no scan yet"),
    ],
)
def test_what_means_nothing_is_ignored(event, why):
    """Labels bought, and tracks that nobody scanned."""
    delivery = _delivery(event)
    assert (ADAPTER.translate(delivery), ADAPTER.event_id(delivery)) == (Ignored(why), delivery.digest)


def test_a_track_that_is_wrong_is_malformed():
    """An error names Shippo's field."""
    with pytest.raises(Malformed) as caught:
        _scan(tracking_number=None)
    assert caught.value.field == "data.tracking_number"


def test_a_status_without_any_moment_is_of_when_it_came():
    """A repeat that comes later is the same event."""
    bare = {"tracking_status": ATTEMPTED | {"status_date": "soon", "object_created": None, "object_updated": None}}
    assert _scan(**bare).at == HEARD
    assert ADAPTER.event_id(_delivery(**bare)) == Shippo(SECRET).event_id(_delivery(**bare))


@pytest.mark.parametrize("status", [None, ATTEMPTED | {"status": None}])
def test_a_status_that_is_not_told_is_that_of_the_newest_scan(status):
    """A null costs its field; the history says the same."""
    assert _scan(tracking_status=status).status is ParcelStatus.ATTEMPT_FAILED


@settings(max_examples=150, deadline=None)
@given(JSON | st.binary() | holes(EVENT))
def test_nothing_but_malformed_comes_out_of_random_json(body):
    """Whatever a signed body holds, it becomes scans, is ignored, or is refused with a field."""
    judge(ADAPTER, body, {})


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(), max_size=40), st.text(st.characters(), max_size=20))
def test_nothing_but_a_signature_error_comes_out_of_random_headers(header, token):
    """Whatever stands in the header or the address, it is refused."""
    for adapter in (ADAPTER, Shippo("token:123abc")):
        with pytest.raises(SignatureError):
            adapter.verify(Delivery({"shippo-auth-signature": header}, b"{}", {"token": token}))
