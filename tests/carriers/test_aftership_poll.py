"""AfterShip's trackings, asked for."""

import json
from datetime import date
from urllib.parse import urlsplit

import pytest

from activities.carriers.aftership import AfterShipPoll
from activities.vendors.http import VendorGarbledError
from tests.carriers.services_kit import asked, bear, break_circuit, serving, summary, with_wrong_key
from tests.carriers.services_samples import TRACKING
from tests.carriers.services_server import AfterShipApi


async def test_a_poll_tells_every_checkpoint():
    """All numbers go in one request, each checkpoint is a scan, and a number that is not followed says nothing."""
    async with serving(AfterShipApi(TRACKING)) as (api, poller):
        told = await poller.ask([asked("1Z9", "dhl"), asked("B2")])
    assert summary(told["1Z9"].scans) == [
        ("2026-11-23T08:55:00+00:00", "picked_up", None),
        ("2026-11-24T08:30:00+00:00", "in_transit", None),
    ]
    assert [scan.estimated_delivery for scan in told["1Z9"].scans] == [None, date(2026, 11, 26)]
    assert json.loads(told["1Z9"].raw) == TRACKING
    assert (told["B2"].scans, told["B2"].raw) == ((), b"")
    assert [asking.query for asking in api.asked] == [{"tracking_numbers": ["1Z9,B2"], "limit": ["200"]}]


async def test_a_scan_after_the_delivery_does_not_move_it():
    """The tracking's own word has the moment of the checkpoint that says so, once, whatever came after it."""
    delivered = TRACKING["checkpoints"][0] | {"tag": "Delivered", "subtag": "Delivered_001"}
    tracking = TRACKING | {"tag": "Delivered", "subtag": "Delivered_003"}
    tracking |= {"checkpoints": [delivered, TRACKING["checkpoints"][1]]}
    async with serving(AfterShipApi(tracking)) as (_, poller):
        told = await poller.ask([asked("1Z9")])
    assert summary(told["1Z9"].scans) == [
        ("2026-11-23T08:55:00+00:00", "delivered", None),
        ("2026-11-24T08:30:00+00:00", "in_transit", None),
    ]


async def test_a_poll_follows_the_pages():
    """Fifty numbers may stand on several pages; each cursor is asked for once."""
    trackings = [TRACKING | {"tracking_number": f"N{i}", "id": f"id{i}"} for i in range(50)]
    async with serving(AfterShipApi(*trackings, page=20)) as (api, poller):
        told = await poller.ask([asked(f"N{i}") for i in range(poller.at_once)])
    assert ([len(one.scans) for one in told.values()], len(told)) == ([2] * 50, 50)
    assert [asking.query.get("cursor") for asking in api.asked] == [None, ["20"], ["40"]]


@pytest.mark.parametrize(
    ("known", "carrier"),
    [({"tracker": "aftership:old"}, "ups"), ({"carrier": "dhl"}, "dhl"), ({"carrier": "gls"}, "dhl"), ({}, "dhl")],
)
async def test_of_two_trackings_with_one_number_the_parcels_own_is_taken(known, carrier):
    """It is known by its id, else by its carrier; else the newer one counts."""
    old = TRACKING | {"id": "old", "slug": "ups", "created_at": "2026-01-01T00:00:00+00:00"}
    async with serving(AfterShipApi(old, TRACKING)) as (_, poller):
        told = await poller.ask([asked("1Z9", **known)])
    assert {scan.carrier for scan in told["1Z9"].scans} == {carrier}


async def test_a_tracking_that_cannot_be_read_is_asked_for_again():
    """One garbled tracking among others is left out; when there is no other, the answer is garbled."""
    garbled = TRACKING | {"tracking_number": "B2", "checkpoints": None, "updated_at": "soon"}
    async with serving(AfterShipApi(TRACKING, garbled)) as (_, poller):
        assert list(await poller.ask([asked("1Z9"), asked("B2")])) == ["1Z9"]
        with pytest.raises(VendorGarbledError):
            await poller.ask([asked("B2")])


async def test_every_failure_is_told_and_survived():
    """Too many requests, an outage, a cut, a slow and a garbled answer have their errors, and the next ask works."""
    await bear(AfterShipApi(TRACKING), asked("1Z9"))


async def test_the_circuit_opens():
    """After five failures in a row nothing is asked for a while."""
    assert await break_circuit(AfterShipApi(TRACKING), asked("1Z9")) == (0, "circuit_open")


async def test_a_wrong_key_is_somebodys_to_mend():
    """401 is a reason to ask again later."""
    assert await with_wrong_key(AfterShipApi(TRACKING), asked("1Z9")) == "http_401"


@pytest.mark.parametrize("key", ["", "k%C3%A9y", "two%0Alines"])
def test_a_key_that_is_none_is_refused_without_being_told(key):
    """The error names the setting and not the key."""
    with pytest.raises(ValueError, match="POSTLUDE_CARRIER_URLS") as caught:
        AfterShipPoll(urlsplit(f"aftership://{key}@api.aftership.com"))
    assert not key or key not in str(caught.value)
