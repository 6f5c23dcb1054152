"""17TRACK's webhooks and tracking information as scans."""

import hashlib
import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.carriers.seventeentrack import SeventeenTrack
from activities.shops.protocol import Delivery, Ignored, Malformed, SignatureError
from journey.parcels import ParcelStatus
from tests.carriers.services_samples import CUSTOMS, PARCEL, PICKED_UP
from tests.shops.fuzz import JSON, holes, judge

KEY = "17track-test-key"
HEARD = datetime(2026, 11, 30, 9, tzinfo=UTC)
ADAPTER = SeventeenTrack(KEY, clock=lambda: HEARD)
EVENT = {"event": "TRACKING_UPDATED", "data": PARCEL}


def _sign(body, key=KEY):
    return {"sign": hashlib.sha256(body + b"/" + key.encode()).hexdigest()}


def _delivery(event=EVENT, **changes):
    data = event["data"] | {"track_info": event["data"]["track_info"] | changes}
    return Delivery({}, json.dumps(event | {"data": data}).encode())


def _heard_at(**changes):
    clock = SeventeenTrack(KEY, clock=lambda: datetime(2026, 11, 30, 9, tzinfo=UTC))
    (event,) = clock.translate(_delivery(**changes))
    return event


def test_a_status_whose_time_has_no_zone_is_of_the_last_look():
    """When 17TRACK asked the carrier, else when it came; the same webhook again is the same event."""
    local = {"time_utc": None, "time_iso": "2026-11-30T08:00:00", "stage": "Delivered"}
    delivered = {"latest_status": {"status": "Delivered"}, "latest_event": local}
    provider = {"provider": {"key": 3011, "name": "China Post"}, "latest_sync_time": "2026-11-30T07:00:00Z"}
    synced = _heard_at(**delivered, tracking={"providers": [provider]})
    assert (synced.status, synced.at) == (ParcelStatus.DELIVERED, datetime(2026, 11, 30, 7, tzinfo=UTC))
    bare = _heard_at(**delivered, tracking=None)
    assert (bare.status, bare.at) == (ParcelStatus.DELIVERED, datetime(2026, 11, 30, 9, tzinfo=UTC))
    for events in ([local], []):
        found = {"providers": [provider | {"events": events}]}
        told = _heard_at(**delivered | {"latest_event": None}, tracking=found)
        assert (told.status, told.at) == (synced.status, synced.at)
    again = _delivery(**delivered, tracking=None)
    assert ADAPTER.event_id(again) == SeventeenTrack(KEY, clock=lambda: datetime(2027, 1, 1, tzinfo=UTC)).event_id(
        again
    )


@pytest.mark.parametrize("day", ["soon", "0000-00-00", "9999-12-31", 7])
def test_a_junk_estimate_costs_nobody_the_scan(day):
    """Its own field is nothing, all else is as it was."""
    scan = _scan(time_metrics={"estimated_delivery_date": {"to": day}})
    assert (scan.estimated_delivery, scan.status) == (None, ParcelStatus.EXCEPTION)


@pytest.mark.parametrize("status", [None, {"status": None}, {"status": None, "sub_status": None}])
def test_without_a_latest_status_the_newest_scan_speaks(status):
    """A null costs its own field."""
    assert _scan(latest_status=status).status is not ParcelStatus.UNKNOWN


def _scan(**changes):
    (event,) = ADAPTER.translate(_delivery(**changes))
    return event


def test_a_parcel_is_its_newest_scan():
    """Its moment is UTC, its carrier the one that 17TRACK counts as the main one, its day the last of the span's."""
    assert _scan().model_dump() == {
        "type": "shipment.updated",
        "at": datetime(2026, 11, 24, 14, 30, tzinfo=UTC),
        "tracking_number": "RR123456789CN",
        "carrier": "usps",
        "service": "First-Class",
        "status": ParcelStatus.EXCEPTION,
        "reason": "customs",
        "action_required": True,
        "estimated_delivery": date(2026, 11, 28),
        "estimated_at": datetime(2026, 11, 24, 16, tzinfo=UTC),
        "location": "New York, NY, US",
        "tracker": "seventeentrack:RR123456789CN",
        "shop": None,
        "order_id": None,
        "fulfilment_id": None,
        "tracking_url": None,
        "co2": None,
    }


@pytest.mark.parametrize(
    ("sub_status", "expected"),
    [
        ("NotFound_Other", ("unknown", None, False)),
        ("NotFound_InvalidCode", ("unknown", None, False)),
        ("InfoReceived", ("label_created", None, False)),
        ("InTransit_PickedUp", ("picked_up", None, False)),
        ("InTransit_Other", ("in_transit", None, False)),
        ("InTransit_Departure", ("in_transit", None, False)),
        ("InTransit_Arrival", ("in_transit", None, False)),
        ("InTransit_CustomsProcessing", ("in_transit", None, False)),
        ("InTransit_CustomsReleased", ("in_transit", None, False)),
        ("InTransit_CustomsRequiringInformation", ("exception", "customs", True)),
        ("Expired_Other", ("expired", None, False)),
        ("AvailableForPickup_Other", ("available_for_pickup", None, True)),
        ("OutForDelivery_Other", ("out_for_delivery", None, False)),
        ("DeliveryFailure_Other", ("attempt_failed", "attempt_failed", False)),
        ("DeliveryFailure_NoBody", ("attempt_failed", "attempt_failed", False)),
        ("DeliveryFailure_Security", ("attempt_failed", "customs", True)),
        ("DeliveryFailure_Rejected", ("attempt_failed", "refused", False)),
        ("DeliveryFailure_InvalidAddress", ("attempt_failed", "address", True)),
        ("Delivered_Other", ("delivered", None, False)),
        ("Exception_Other", ("exception", "other", False)),
        ("Exception_Returning", ("returning", "returning", False)),
        ("Exception_Returned", ("returned", "returning", False)),
        ("Exception_NoBody", ("exception", "address", True)),
        ("Exception_Security", ("exception", "customs", True)),
        ("Exception_Damage", ("exception", "damaged", False)),
        ("Exception_Rejected", ("exception", "refused", False)),
        ("Exception_Delayed", ("exception", "delayed", False)),
        ("Exception_Lost", ("exception", "lost", False)),
        ("Exception_Destroyed", ("exception", "lost", False)),
        ("Exception_Cancel", ("cancelled", None, False)),
        ("Exception_SomethingNew", ("exception", "other", False)),
        ("Teleported_Other", ("unknown", None, False)),
    ],
)
def test_words_are_brought_to_the_normal_form(sub_status, expected):
    """Each documented sub-status has one meaning; a new one has its status', and a new status is unknown."""
    event = _scan(latest_status={"status": sub_status.partition("_")[0], "sub_status": sub_status})
    assert (event.status, event.reason, event.action_required) == expected


def test_a_status_without_a_sub_status_is_taken():
    """The nine statuses mean something alone."""
    assert _scan(latest_status={"status": "Delivered", "sub_status": None}).status is ParcelStatus.DELIVERED


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"time_utc": None}, datetime(2026, 11, 24, 14, 30, tzinfo=UTC)),
        ({"time_utc": None, "time_iso": "2026-11-24T09:30:00"}, datetime(2026, 11, 21, 6, 30, tzinfo=UTC)),
    ],
)
def test_a_time_without_an_offset_is_not_guessed(times, expected):
    """A scan has the carrier's time with its offset, else it is left out."""
    providers = [{"events": [PICKED_UP, CUSTOMS | times]}]
    assert _scan(latest_event=None, tracking={"providers": providers}).at == expected


def test_the_signature():
    """The hash of body and key is taken, in either case; another key's, an altered body's and a missing one are not."""
    body = json.dumps(EVENT).encode()
    ADAPTER.verify(Delivery(_sign(body), body))
    ADAPTER.verify(Delivery({"sign": _sign(body)["sign"].upper()}, body))
    for headers, sent in [
        (_sign(body, "other"), body),
        (_sign(body), body + b" "),
        ({"sign": _sign(body)["sign"][:-1]}, body),
        ({"sign": "ü"}, body),
        ({}, body),
    ]:
        with pytest.raises(SignatureError):
            ADAPTER.verify(Delivery(headers, sent))
    with pytest.raises(ValueError, match="may not be empty"):
        SeventeenTrack("")


def test_repeats_have_one_id():
    """The same news is one event, though 17TRACK asked the carrier again since; other news is another."""
    again = PARCEL["track_info"]["tracking"] | {"providers_hash": 7}
    assert ADAPTER.event_id(_delivery()) == ADAPTER.event_id(_delivery(tracking=again))
    assert ADAPTER.event_id(_delivery()) != ADAPTER.event_id(_delivery(time_metrics=None))
    broken = Delivery({}, json.dumps(EVENT | {"data": PARCEL | {"number": None}}).encode())
    assert ADAPTER.event_id(broken) == broken.digest


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ({"event": "TRACKING_STOPPED", "data": {"number": "RR1", "carrier": 3011, "tag": None}}, "tracking stopped"),
        ({"event": "SOMETHING_NEW", "data": {}}, "unknown topic"),
        (
            {
                "event": "TRACKING_UPDATED",
                "data": {
                    "number": "RR1",
                    "track_info": {"latest_status": {"status": "NotFound"}, "latest_event": None, "tracking": None},
                },
            },
            "no scan yet",
        ),
    ],
)
def test_what_means_nothing_is_ignored(event, why):
    """The end of tracking, events of other kinds, and parcels that nobody scanned."""
    assert ADAPTER.translate(Delivery({}, json.dumps(event).encode())) == Ignored(why)


@pytest.mark.parametrize("number", [None, "", [], "x" * 201])
def test_a_parcel_without_its_number_is_malformed(number):
    """An error names 17TRACK's field."""
    with pytest.raises(Malformed) as caught:
        ADAPTER.translate(Delivery({}, json.dumps(EVENT | {"data": PARCEL | {"number": number}}).encode()))
    assert caught.value.field == "data.number"


@pytest.mark.parametrize("status", [None, "", [], {"status": None}])
def test_without_the_latest_status_the_newest_scan_tells_it(status):
    """A null status costs itself: what was scanned last is known all the same."""
    assert _scan(latest_status=status) == _scan()


@pytest.mark.parametrize("estimate", ["soon", None, [], "", "2026-13-45"])
def test_an_estimate_that_is_no_day_costs_itself(estimate):
    """The scan is taken without it."""
    scan = _scan(time_metrics={"estimated_delivery_date": {"to": estimate}})
    assert scan == _scan(time_metrics=None)


@settings(max_examples=150, deadline=None)
@given(JSON | st.binary() | holes(EVENT))
def test_nothing_but_malformed_comes_out_of_random_json(body):
    """Whatever a signed body holds, it becomes scans, is ignored, or is refused with a field."""
    judge(ADAPTER, body, {})
