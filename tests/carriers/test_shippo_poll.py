"""Shippo's tracks, asked for."""

import json
from datetime import date

import pytest

from activities.vendors.http import VendorGarbledError, VendorRefusedError
from tests.carriers.services_kit import asked, bear, break_circuit, serving, summary, with_wrong_key
from tests.carriers.services_samples import TRACK
from tests.carriers.services_server import Misdeed, ShippoApi


async def test_a_poll_tells_the_history():
    """Each entry of the history is a scan, once, and the newest carries the estimate."""
    async with serving(ShippoApi(TRACK)) as (api, poller):
        told = await poller.ask([asked("9205", "dhl", country="US")])
    assert summary(told["9205"].scans) == [
        ("2026-11-23T13:03:00+00:00", "picked_up", None),
        ("2026-11-24T18:30:00+00:00", "attempt_failed", "attempt_failed"),
    ]
    assert [scan.estimated_delivery for scan in told["9205"].scans] == [None, date(2026, 11, 26)]
    assert (json.loads(told["9205"].raw), poller.at_once) == (TRACK, 1)
    assert [(asking.method, asking.path) for asking in api.asked] == [("GET", "/tracks/dhl_express/9205")]


@pytest.mark.parametrize(
    ("parcel", "path"),
    [
        (asked("9205", "usps"), "/tracks/usps/9205"),
        (asked("9205", "royalmail"), "/tracks/royal_mail/9205"),
        (asked("9205", "dhl"), "/tracks/dhl_express/9205"),
        (asked("9205", "dhl", country="DE"), "/tracks/dhl_germany/9205"),
        (asked("9205", "dhl", tracker="shippo:dhl_ecommerce/9205"), "/tracks/dhl_ecommerce/9205"),
        (asked("9205", "usps", tracker="easypost:trk_1"), "/tracks/usps/9205"),
        (asked("92/05?x", "usps"), "/tracks/usps/92/05?x"),
        (asked("9205"), None),
        (asked("9205", "somebody"), None),
    ],
)
async def test_shippo_is_asked_in_its_own_words(parcel, path):
    """The carrier is the one that Shippo named, else its word for ours; without one Shippo is not asked."""
    async with serving(ShippoApi()) as (api, poller):
        assert (await poller.ask([parcel]))[parcel.tracking_number].scans == ()
    assert [asking.path for asking in api.asked] == ([path] if path else [])


async def test_what_the_carrier_does_not_know_has_no_scans():
    """404 and 400 say that of one number, 409 is something else."""
    async with serving(ShippoApi()) as (api, poller):
        api.then(Misdeed(400), Misdeed(404))
        assert [(await poller.ask([asked("1", "ups")]))["1"].scans for _ in range(2)] == [(), ()]
        api.then(Misdeed(409))
        with pytest.raises(VendorRefusedError):
            await poller.ask([asked("1", "ups")])


async def test_a_track_that_cannot_be_read_is_garbled():
    """An answer without what Shippo documents is said to be none."""
    async with serving(ShippoApi(TRACK)) as (api, poller):
        api.tracks = dict.fromkeys(api.tracks, TRACK | {"tracking_number": None})
        with pytest.raises(VendorGarbledError):
            await poller.ask([asked("9205", "dhl")])


async def test_every_failure_is_told_and_survived():
    """Too many requests, an outage, a cut, a slow and a garbled answer have their errors, and the next ask works."""
    await bear(ShippoApi(TRACK), asked("9205", "dhl"))


async def test_the_circuit_opens():
    """After five failures in a row nothing is asked for a while."""
    assert await break_circuit(ShippoApi(TRACK), asked("9205", "dhl")) == (0, "circuit_open")


async def test_a_wrong_key_is_somebodys_to_mend():
    """401 is a reason to ask again later."""
    assert await with_wrong_key(ShippoApi(TRACK), asked("9205", "dhl")) == "http_401"
