"""17TRACK's tracking information, asked for."""

import json
from datetime import date

import pytest

from activities.vendors.http import VendorBusyError, VendorRefusedError
from tests.carriers.services_kit import asked, bear, break_circuit, serving, summary, with_wrong_key
from tests.carriers.services_samples import PARCEL, PICKED_UP
from tests.carriers.services_server import AWAY, Misdeed, SeventeenTrackApi


async def test_a_poll_tells_every_scan_of_every_carrier():
    """All numbers go in one request; each carrier's scans count, once, and the newest says the latest status."""
    async with serving(SeventeenTrackApi(PARCEL)) as (api, poller):
        api.refused["B2222"] = -18019909
        told = await poller.ask([asked("RR123456789CN", "usps"), asked("B2222")])
    assert summary(told["RR123456789CN"].scans) == [
        ("2026-11-20T02:00:00+00:00", "label_created", None),
        ("2026-11-21T06:30:00+00:00", "picked_up", None),
        ("2026-11-24T14:30:00+00:00", "exception", "customs"),
    ]
    assert [scan.estimated_delivery for scan in told["RR123456789CN"].scans] == [None, None, date(2026, 11, 28)]
    assert (json.loads(told["RR123456789CN"].raw), told["B2222"].scans, poller.at_once) == (PARCEL, (), 40)
    assert [(asking.path, asking.body) for asking in api.asked] == [
        ("/track/v2.2/gettrackinfo", [{"number": "RR123456789CN"}, {"number": "B2222"}])
    ]


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ("InfoReceived", "label_created"),
        ("PickedUp", "picked_up"),
        ("Departure", "in_transit"),
        ("Arrival", "in_transit"),
        ("AvailableForPickup", "available_for_pickup"),
        ("OutForDelivery", "out_for_delivery"),
        ("Delivered", "delivered"),
        ("Returning", "returning"),
        ("Returned", "returned"),
        (None, "unknown"),
    ],
)
async def test_a_scan_without_a_sub_status_has_its_stage(stage, expected):
    """Each of 17TRACK's stages has one meaning."""
    events = [PICKED_UP | {"stage": stage, "sub_status": None}]
    info = PARCEL["track_info"] | {"tracking": {"providers": [{"events": events}]}}
    async with serving(SeventeenTrackApi(PARCEL | {"track_info": info})) as (_, poller):
        told = await poller.ask([asked("RR123456789CN")])
    assert summary(told["RR123456789CN"].scans)[0][:2] == ("2026-11-21T06:30:00+00:00", expected)


async def test_numbers_that_are_not_followed_are_registered_once():
    """They go in one request, with the carrier where 17TRACK has one code for it; the others are told all the same."""
    async with serving(SeventeenTrackApi(PARCEL)) as (api, poller):
        api.unregistrable["C3333"] = -18019903
        told = await poller.ask([asked("RR123456789CN"), asked("A1111", "ups"), asked("B2222", "dhl"), asked("C3333")])
    assert {number: len(one.scans) for number, one in told.items()} == {
        "RR123456789CN": 3,
        "A1111": 0,
        "B2222": 0,
        "C3333": 0,
    }
    assert api.registered == [{"number": "A1111", "carrier": 100002}, {"number": "B2222"}]
    assert len(api.asked) == 2


async def test_a_quota_that_is_spent_is_no_answer():
    """What could not be registered for want of quota is asked again; alone it is an error."""
    async with serving(SeventeenTrackApi(PARCEL)) as (api, poller):
        api.unregistrable["A1111"] = -18019908
        assert list(await poller.ask([asked("RR123456789CN"), asked("A1111")])) == ["RR123456789CN"]
        with pytest.raises(VendorBusyError, match="quota_spent"):
            await poller.ask([asked("A1111")])


async def test_a_failed_registration_does_not_lose_what_was_learnt():
    """News of other parcels is told though the registration fails; alone the failure is raised."""
    async with serving(SeventeenTrackApi(PARCEL)) as (api, poller):
        api.then(Misdeed(), AWAY)
        assert list(await poller.ask([asked("RR123456789CN"), asked("A1111")])) == ["RR123456789CN"]
        api.then(Misdeed(), AWAY)
        with pytest.raises(VendorBusyError, match="http_503"):
            await poller.ask([asked("A1111")])


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (-18010001, VendorBusyError),
        (-18010002, VendorBusyError),
        (-18010003, VendorBusyError),
        (-18010004, VendorBusyError),
        (429, VendorBusyError),
        (-18010013, VendorRefusedError),
        (-18010014, VendorRefusedError),
    ],
)
async def test_a_failure_of_the_whole_comes_with_200(code, error):
    """What somebody or time mends is asked again, what we did wrong is refused; the code is told."""
    async with serving(SeventeenTrackApi(PARCEL)) as (api, poller):
        api.code = code
        with pytest.raises(error, match=f"code_{code}"):
            await poller.ask([asked("RR123456789CN")])


async def test_a_parcel_without_any_word_of_it_has_no_scans():
    """Nothing is said of it yet, and nothing is wrong with that."""
    async with serving(SeventeenTrackApi(PARCEL | {"track_info": None})) as (_, poller):
        assert (await poller.ask([asked("RR123456789CN")]))["RR123456789CN"].scans == ()


async def test_every_failure_is_told_and_survived():
    """Too many requests, an outage, a cut, a slow and a garbled answer have their errors, and the next ask works."""
    await bear(SeventeenTrackApi(PARCEL), asked("RR123456789CN"))


async def test_the_circuit_opens():
    """After five failures in a row nothing is asked for a while."""
    assert await break_circuit(SeventeenTrackApi(PARCEL), asked("RR123456789CN")) == (0, "circuit_open")


async def test_a_wrong_key_is_somebodys_to_mend():
    """401 is a reason to ask again later."""
    assert await with_wrong_key(SeventeenTrackApi(PARCEL), asked("RR123456789CN")) == "http_401"
