"""What holds for all four carriers' own APIs: places, clocks, errors, limits, and nothing of people."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.carriers.dhl import Dhl
from activities.carriers.direct import resolved
from activities.carriers.fedex import Fedex
from activities.carriers.protocol import Asked, Told
from activities.carriers.ups import Ups
from activities.carriers.usps import Usps
from activities.vendors.http import VendorBusyError, VendorError, VendorGarbledError, VendorRefusedError
from store.intake import from_json
from tests.carriers.carriers_samples import DHL, FEDEX, NUMBER, PERSONAL, UPS, USPS
from tests.carriers.carriers_server import DhlServer, FedexServer, UpsServer, UspsServer, running
from tests.shops.fuzz import JSON, holes
from tests.support.standin import Said

CARRIERS = {
    "ups": (UpsServer, Ups, UPS),
    "fedex": (FedexServer, Fedex, [FEDEX]),
    "usps": (UspsServer, Usps, USPS),
    "dhl": (DhlServer, Dhl, [DHL]),
}
ANSWERS = {
    "ups": {"trackResponse": {"shipment": [{"inquiryNumber": NUMBER, "package": [UPS]}]}},
    "fedex": {"output": {"completeTrackResults": [{"trackingNumber": NUMBER, "trackResults": [FEDEX]}]}},
    "usps": [{"trackingNumber": NUMBER, **USPS}],
    "dhl": {"shipments": [DHL]},
}
URL = urlsplit("x://the-client:secret@api.example?rate=1")
each = pytest.mark.parametrize("carrier", sorted(CARRIERS))


def serving(carrier):
    server, poller, _ = CARRIERS[carrier]
    return running(server, poller)


def reading(carrier, answer):
    """What the poller of a carrier makes of an answer."""

    def said(request):
        token = {"access_token": "t", "expires_in": 600}
        return httpx.Response(200, content=json.dumps(token if "token" in request.url.path else answer))

    async def asked():
        poller = CARRIERS[carrier][1](URL, transport=httpx.MockTransport(said))
        try:
            return await poller.ask([Asked(NUMBER)])
        finally:
            await poller.aclose()

    return asyncio.run(asked())


@each
async def test_nothing_of_people_comes_out(carrier):
    """Names, streets, postal codes, signatures and photos are in no scan, and not in raw; the scans' places are."""
    async with serving(carrier) as (server, poller):
        server.parcels[NUMBER] = CARRIERS[carrier][2]
        (told,) = (await poller.ask([Asked(NUMBER)])).values()
    out = "".join(scan.model_dump_json() for scan in told.scans) + told.raw.decode()
    assert [word for word in PERSONAL if word in out] == []
    assert len(told.scans) == 5
    assert json.loads(told.raw)
    assert sum(scan.location is not None for scan in told.scans) >= 2


@each
async def test_a_poller_says_whom_it_speaks_for(carrier):
    """Name and carriers are the normal form of each, and no more parcels go into one request than the API takes."""
    _, make, _ = CARRIERS[carrier]
    poller = make(URL)
    assert (poller.name, poller.carriers) == (carrier, frozenset({carrier}))
    assert poller.at_once == {"ups": 1, "fedex": 30, "usps": 35, "dhl": 1}[carrier]
    await poller.aclose()


@each
async def test_an_unknown_number_has_no_scans(carrier):
    """The carrier does not know it yet: no error, no scans, nothing kept; and it was answered for."""
    async with serving(carrier) as (_, poller):
        assert await poller.ask([Asked(NUMBER)]) == {NUMBER: Told()}


@each
@pytest.mark.parametrize("number", ["..", "../../oauth/token", "?", "1", "9" * 90, "Ж" * 12, "pickup:acme:1001"])
async def test_what_cannot_be_a_number_asks_nobody(carrier, number):
    """Whatever a shop wrote for a number: what the carrier cannot have given is unknown, or asked as its letters."""
    async with serving(carrier) as (server, poller):
        assert await poller.ask([Asked(number)]) == {number: Told()}
        assert all(".." not in asked.path for asked in server.asked)


@each
async def test_blanks_and_case_of_a_number_do_not_matter(carrier):
    """A number is asked for as the carrier prints it, and answered under the shop's spelling."""
    spelt = "1z 023e-2x02 1432 3462"
    async with serving(carrier) as (server, poller):
        server.parcels[NUMBER] = CARRIERS[carrier][2]
        told = await poller.ask([Asked(spelt)])
    assert list(told) == [spelt]
    assert {scan.tracking_number for scan in told[spelt].scans} == {spelt}


@each
@pytest.mark.parametrize(
    ("said", "error", "rule", "wait"),
    [
        (Said(429, headers={"Retry-After": "30"}), VendorBusyError, "http_429", 30),
        (Said(503, headers={"Retry-After": "7"}), VendorBusyError, "http_503", 7),
        (Said(500, {"errors": []}), VendorBusyError, "http_500", None),
        (Said(403, {}), VendorBusyError, "http_403", None),
        (Said(manner="hang"), VendorBusyError, "no_answer", None),
        (Said(body={"a": 1}, manner="cut"), VendorBusyError, "no_answer", None),
        (Said(body=b"<html>maintenance</html>"), VendorGarbledError, "not_json", None),
        (Said(body={"surprise": 1}), VendorGarbledError, "not_as_documented", None),
        (Said(body="text"), VendorGarbledError, "not_as_documented", None),
        (Said(302, headers={"Location": "/elsewhere"}), VendorGarbledError, "http_302", None),
        (Said(410, {}), VendorRefusedError, "http_410", None),
    ],
)
async def test_errors_are_the_vendors(carrier, said, error, rule, wait):
    """Each failure is one of the vendor's errors, names its rule, and hands on how long to rest."""
    async with serving(carrier) as (server, poller):
        server.parcels[NUMBER] = CARRIERS[carrier][2]
        server.trouble.append(said)
        with pytest.raises(error) as raised:
            await poller.ask([Asked(NUMBER)])
        assert (raised.value.vendor, raised.value.rule) == (carrier, rule)
        assert getattr(raised.value, "retry_after", None) == (wait and timedelta(seconds=wait))
        assert len((await poller.ask([Asked(NUMBER)]))[NUMBER].scans) == 5


@pytest.mark.parametrize(("carrier", "seconds"), [("ups", None), ("fedex", 10), ("usps", None), ("dhl", 3600)])
async def test_a_limit_without_a_word_of_when(carrier, seconds):
    """Where a 429 does not say how long, FedEx's window of ten seconds counts, and an hour for DHL's daily quota."""
    async with serving(carrier) as (server, poller):
        server.trouble.append(Said(429, {}))
        with pytest.raises(VendorBusyError) as raised:
            await poller.ask([Asked(NUMBER)])
    assert raised.value.retry_after == (seconds and timedelta(seconds=seconds))


@pytest.mark.parametrize(("carrier", "credentials"), [("ups", "id@"), ("fedex", ":s@"), ("usps", ""), ("dhl", "")])
def test_missing_credentials_name_the_setting(carrier, credentials):
    """A URL without them is refused at once, by the setting's name and without repeating the URL."""
    with pytest.raises(ValueError, match=f"^POSTLUDE_CARRIER_URLS: {carrier}:// needs") as raised:
        CARRIERS[carrier][1](urlsplit(f"{carrier}://{credentials}secret.example"))
    assert "secret.example" not in str(raised.value)


@each
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_answers_full_of_holes(carrier, data):
    """Whatever is missing or odd in an answer: scans that can be kept and read again, or a vendor's error."""
    answer = data.draw(holes(ANSWERS[carrier]) | JSON)
    try:
        json.dumps(answer, allow_nan=False)
    except ValueError:
        answer = None
    try:
        told = reading(carrier, answer)
    except VendorError:
        return
    for said in told.values():
        json.loads(said.raw or b"{}")
        for scan in said.scans:
            assert from_json(scan.model_dump_json()) == scan


def test_one_zone_makes_a_clock_certain():
    """A country's only zone, or several that agree at that moment, tell the moment; summer time is minded."""
    noon = datetime(2026, 7, 1, 12, tzinfo=None)  # noqa: DTZ001  a clock on a wall
    assert resolved(noon, ["GB"]) == (datetime(2026, 7, 1, 11, tzinfo=UTC), True)
    assert resolved(noon.replace(month=12), ["gb"]) == (datetime(2026, 12, 1, 12, tzinfo=UTC), True)
    assert resolved(noon, ["DE"]) == (datetime(2026, 7, 1, 10, tzinfo=UTC), True)
    assert resolved(noon, ["DE", "NL"]) == (datetime(2026, 7, 1, 10, tzinfo=UTC), True)


def test_several_zones_make_it_the_earliest():
    """Else the easternmost clock counts, the world's where no country is known: never later than it really was."""
    noon = datetime(2026, 12, 1, 12, tzinfo=None)  # noqa: DTZ001  a clock on a wall
    assert resolved(noon, ["US"]) == (datetime(2026, 12, 1, 17, tzinfo=UTC), False)
    assert resolved(noon, ["US", "GB"]) == (datetime(2026, 12, 1, 12, tzinfo=UTC), False)
    assert resolved(noon, []) == (datetime(2026, 11, 30, 22, tzinfo=UTC), False)
    assert resolved(noon, ["XX"]) == (datetime(2026, 11, 30, 22, tzinfo=UTC), False)
    assert resolved(noon.replace(tzinfo=UTC), ["US"]) == (datetime(2026, 12, 1, 12, tzinfo=UTC), True)
