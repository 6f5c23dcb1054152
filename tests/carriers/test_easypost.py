"""EasyPost's trackers as scans."""

import json
import unicodedata
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.carriers.easypost import EasyPost
from activities.shops.protocol import Delivery, Malformed, SignatureError
from activities.vendors.http import VendorBusyError, VendorGarbledError
from journey.parcels import ParcelStatus, Reason
from tests.carriers.services_kit import asked, bear, break_circuit, serving, summary, with_wrong_key
from tests.carriers.services_server import AWAY, EasyPostApi, Misdeed
from tests.gateway.kit import EASYPOST_SECRET, easypost_headers
from tests.shops.fuzz import JSON, holes, judge

HEARD = datetime(2026, 11, 30, 9, tzinfo=UTC)
ADAPTER = EasyPost(EASYPOST_SECRET, clock=lambda: HEARD)
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
            {
                "datetime": "2026-11-24T01:30:00-08:00",
                "status": "in_transit",
                "status_detail": "arrived_at_facility",
                "message": "Arrived",
                "tracking_location": {"city": "HOUSTON", "state": "TX", "country": None, "zip": "77063"},
            },
            {
                "datetime": "2026-11-24T08:00:00Z",
                "status": "in_transit",
                "status_detail": "received_at_origin_facility",
                "message": "Accepted",
                "tracking_location": {"city": None, "state": None, "country": None, "zip": None},
            },
            {"datetime": None, "status": "pre_transit", "message": "Label"},
        ],
        "carrier_detail": {"service": "First-Class Package Service", "est_delivery_date_local": None},
    },
}


def _scan(**changes):
    body = EVENT | {"result": EVENT["result"] | changes}
    (event,) = ADAPTER.translate(Delivery({}, json.dumps(body).encode()))
    return event


def test_a_tracker_is_its_newest_scan():
    """The moment is the newest detail's by its offset, not by its place or spelling."""
    event = _scan()
    assert (event.tracking_number, event.carrier, event.status) == ("EZ2000000002", "usps", ParcelStatus.IN_TRANSIT)
    assert (event.at, event.estimated_delivery) == (datetime(2026, 11, 24, 9, 30, tzinfo=UTC), date(2026, 11, 26))
    assert _scan(tracking_details=[]).at == datetime(2026, 11, 24, 9, tzinfo=UTC)


def test_a_tracker_is_known_by_its_id():
    """The id stays when the carrier is corrected; service and place come along, without the postal code."""
    event = _scan()
    assert (event.tracker, event.service, event.location) == (
        "easypost:trk_1",
        "First-Class Package Service",
        "HOUSTON, TX",
    )
    assert (_scan(carrier="DHLExpress").carrier, _scan(carrier="DHLExpress").tracker) == ("dhl", "easypost:trk_1")
    assert _scan(id=None).tracker is None


def test_the_local_day_goes_before_the_one_in_utc():
    """The carrier's own date of delivery is taken where EasyPost passes it on."""
    assert _scan(carrier_detail={"est_delivery_date_local": "2026-11-25"}).estimated_delivery == date(2026, 11, 25)


def test_an_estimate_is_as_old_as_the_trackers_last_change():
    """EasyPost moves it between two scans; without one there is nothing to date."""
    moved = {"est_delivery_date": "2026-11-25T00:00:00Z", "updated_at": "2026-11-24T14:00:00Z"}
    assert (_scan(**moved).at, _scan(**moved).estimated_at) == (_scan().at, datetime(2026, 11, 24, 14, tzinfo=UTC))
    assert _scan(est_delivery_date=None).estimated_at is None


@pytest.mark.parametrize(
    ("status", "detail", "expected"),
    [
        ("unknown", "unknown", (ParcelStatus.UNKNOWN, None)),
        ("pre_transit", "label_created", (ParcelStatus.LABEL_CREATED, None)),
        ("pre_transit", "awaiting_information", (ParcelStatus.LABEL_CREATED, None)),
        ("pre_transit", "status_update", (ParcelStatus.LABEL_CREATED, None)),
        ("in_transit", "received_at_origin_facility", (ParcelStatus.PICKED_UP, None)),
        ("in_transit", "departed_origin_facility", (ParcelStatus.IN_TRANSIT, None)),
        ("in_transit", "departed_facility", (ParcelStatus.IN_TRANSIT, None)),
        ("in_transit", "arrived_at_facility", (ParcelStatus.IN_TRANSIT, None)),
        ("in_transit", "arrived_at_destination", (ParcelStatus.IN_TRANSIT, None)),
        ("in_transit", "received_at_destination_facility", (ParcelStatus.IN_TRANSIT, None)),
        ("in_transit", "transferred_to_destination_carrier", (ParcelStatus.IN_TRANSIT, None)),
        ("in_transit", "in_transit", (ParcelStatus.IN_TRANSIT, None)),
        ("in_transit", "delayed", (ParcelStatus.IN_TRANSIT, Reason.DELAYED)),
        ("in_transit", "weather_delay", (ParcelStatus.IN_TRANSIT, Reason.DELAYED)),
        ("in_transit", "missorted", (ParcelStatus.IN_TRANSIT, Reason.DELAYED)),
        ("in_transit", "held", (ParcelStatus.IN_TRANSIT, Reason.OTHER)),
        ("in_transit", "transit_exception", (ParcelStatus.IN_TRANSIT, Reason.OTHER)),
        ("in_transit", "unable_to_deliver", (ParcelStatus.ATTEMPT_FAILED, Reason.ATTEMPT_FAILED)),
        ("in_transit", "expired", (ParcelStatus.EXPIRED, None)),
        ("in_transit", "arrived_at_pickup_location", (ParcelStatus.AVAILABLE_FOR_PICKUP, None)),
        ("out_for_delivery", "out_for_delivery", (ParcelStatus.OUT_FOR_DELIVERY, None)),
        ("available_for_pickup", "arrived_at_pickup_location", (ParcelStatus.AVAILABLE_FOR_PICKUP, None)),
        ("delivered", "delayed", (ParcelStatus.DELIVERED, None)),
        ("return_to_sender", "return", (ParcelStatus.RETURNING, Reason.RETURNING)),
        ("return_to_sender", "refused", (ParcelStatus.RETURNING, Reason.REFUSED)),
        ("failure", "refused", (ParcelStatus.RETURNING, Reason.REFUSED)),
        ("failure", "lost", (ParcelStatus.EXCEPTION, Reason.LOST)),
        ("failure", "damaged", (ParcelStatus.EXCEPTION, Reason.DAMAGED)),
        ("failure", "address_correction", (ParcelStatus.EXCEPTION, Reason.ADDRESS)),
        ("failure", "delivery_exception", (ParcelStatus.EXCEPTION, Reason.OTHER)),
        ("failure", "failure", (ParcelStatus.EXCEPTION, Reason.OTHER)),
        ("cancelled", "cancelled", (ParcelStatus.CANCELLED, None)),
        ("cancelled", None, (ParcelStatus.CANCELLED, None)),
        ("error", None, (ParcelStatus.UNKNOWN, None)),
        ("something_new", "something_newer", (ParcelStatus.UNKNOWN, None)),
    ],
)
def test_words_are_brought_to_the_normal_form(status, detail, expected):
    """Each status and detail has one meaning; what EasyPost adds later is unknown, not an error."""
    event = _scan(status=status, status_detail=detail)
    assert (event.status, event.reason) == expected


@pytest.mark.parametrize(
    ("status", "detail", "expected"),
    [
        ("failure", "address_correction", True),
        ("available_for_pickup", None, True),
        ("failure", "damaged", False),
        ("delivered", "address_correction", False),
    ],
)
def test_somebody_must_act_on_an_address_and_a_pickup(status, detail, expected):
    """EasyPost has no word for that: a wrong address and a parcel to be fetched wait for somebody."""
    assert _scan(status=status, status_detail=detail).action_required is expected


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


def test_a_tracker_without_number_is_malformed():
    """An error names EasyPost's field."""
    with pytest.raises(Malformed) as caught:
        _scan(tracking_code=None)
    assert caught.value.field == "result.tracking_code"


@pytest.mark.parametrize("said", [None, "soon", "0001-01-01T00:00:00Z"])
def test_a_tracker_without_any_moment_is_of_when_it_came(said):
    """A scan's time without an offset, or of a year that nobody means, costs itself and not the scan."""
    details = [{"status": "delivered", "datetime": "2026-11-24T09:00:00"}, {"status": "delivered", "datetime": said}]
    result = EVENT["result"] | {"status": "delivered", "tracking_details": details, "updated_at": said}
    body = {"id": "evt_1", "description": "tracker.updated", "result": result, "updated_at": said, "created_at": said}
    (event,) = ADAPTER.translate(Delivery({}, json.dumps(body).encode()))
    assert (event.at, event.status) == (HEARD, ParcelStatus.DELIVERED)


@settings(max_examples=200, deadline=None)
@given(JSON | st.binary() | holes(EVENT))
def test_nothing_but_malformed_comes_out_of_random_json(body):
    """Whatever a signed body holds, it becomes scans, is ignored, or is refused with a field."""
    judge(ADAPTER, body, {})


TRACKER = EVENT["result"]


async def test_a_poll_tells_every_scan():
    """All numbers go in one request; each dated detail is a scan in its own words, the newest in the tracker's."""
    async with serving(EasyPostApi(TRACKER)) as (api, poller):
        told = await poller.ask([asked("EZ2000000002", "usps")])
    assert summary(told["EZ2000000002"].scans) == [
        ("2026-11-24T08:00:00+00:00", "picked_up", None),
        ("2026-11-24T09:30:00+00:00", "in_transit", None),
    ]
    assert [scan.estimated_delivery for scan in told["EZ2000000002"].scans] == [None, date(2026, 11, 26)]
    assert (json.loads(told["EZ2000000002"].raw), poller.at_once) == (TRACKER, 20)
    assert [(asking.path, asking.body) for asking in api.asked] == [
        ("/v2/trackers/batch", {"tracking_codes": ["EZ2000000002"]})
    ]


async def test_a_number_without_a_tracker_gets_one():
    """It is made once, with EasyPost's word for the carrier where that is known; without scans it says nothing."""
    async with serving(EasyPostApi(TRACKER)) as (api, poller):
        parcels = [asked("EZ2000000002"), asked("A1", "fedex"), asked("B2", "gls")]
        for _ in range(2):
            told = await poller.ask(parcels)
    assert {number: len(one.scans) for number, one in told.items()} == {"EZ2000000002": 2, "A1": 0, "B2": 0}
    assert [asking.body for asking in api.asked if asking.path == "/v2/trackers"] == [
        {"tracker": {"tracking_code": "A1", "carrier": "FedEx"}},
        {"tracker": {"tracking_code": "B2"}},
    ]


async def test_a_number_that_easypost_refuses_says_nothing():
    """422 says that no carrier has such a number."""
    async with serving(EasyPostApi()) as (api, poller):
        api.unmatched.add("A1")
        assert (await poller.ask([asked("A1")]))["A1"].scans == ()


async def test_a_failed_creation_does_not_lose_what_was_learnt():
    """News of other parcels is told though a tracker cannot be made; alone the failure is raised."""
    async with serving(EasyPostApi(TRACKER)) as (api, poller):
        api.then(Misdeed(), AWAY)
        assert list(await poller.ask([asked("EZ2000000002"), asked("A1")])) == ["EZ2000000002"]
        api.then(Misdeed(), AWAY)
        with pytest.raises(VendorBusyError, match="http_503"):
            await poller.ask([asked("A1")])


async def test_an_answer_that_goes_on_makes_no_trackers():
    """Where EasyPost has more than it told, a missing number may have a tracker."""
    async with serving(EasyPostApi(TRACKER)) as (api, poller):
        api.has_more = True
        assert list(await poller.ask([asked("EZ2000000002"), asked("A1")])) == ["EZ2000000002"]
    assert len(api.asked) == 1


@pytest.mark.parametrize(
    ("known", "tracker"),
    [({"tracker": "easypost:trk_0"}, "trk_0"), ({"carrier": "ups"}, "trk_0"), ({}, "trk_1")],
)
async def test_of_two_trackers_with_one_number_the_parcels_own_is_taken(known, tracker):
    """Carriers use numbers again: the tracker is known by its id, else by its carrier; else the newer one counts."""
    old = TRACKER | {"id": "trk_0", "carrier": "UPS", "created_at": "2025-11-24T09:00:00Z"}
    async with serving(EasyPostApi(old, TRACKER | {"created_at": "2026-11-24T09:00:00Z"})) as (_, poller):
        told = await poller.ask([asked("EZ2000000002", **known)])
    assert {scan.tracker for scan in told["EZ2000000002"].scans} == {f"easypost:{tracker}"}


async def test_a_tracker_that_cannot_be_read_is_garbled():
    """An answer without what EasyPost documents is said to be none."""
    async with serving(EasyPostApi(TRACKER | {"tracking_details": None, "updated_at": "soon"})) as (_, poller):
        with pytest.raises(VendorGarbledError):
            await poller.ask([asked("EZ2000000002")])


async def test_every_failure_is_told_and_survived():
    """Too many requests, an outage, a cut, a slow and a garbled answer have their errors, and the next ask works."""
    await bear(EasyPostApi(TRACKER), asked("EZ2000000002"))


async def test_the_circuit_opens():
    """After five failures in a row nothing is asked for a while."""
    assert await break_circuit(EasyPostApi(TRACKER), asked("EZ2000000002")) == (0, "circuit_open")


async def test_a_wrong_key_is_somebodys_to_mend():
    """401 is a reason to ask again later."""
    assert await with_wrong_key(EasyPostApi(TRACKER), asked("EZ2000000002")) == "http_401"
