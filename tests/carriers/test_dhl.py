"""DHL's events as scans, by its Unified Tracking API on loopback."""

import json
from datetime import UTC, date, datetime
from urllib.parse import urlsplit

import httpx
import pytest

from activities.carriers.dhl import CODES, Dhl
from activities.carriers.protocol import Asked, Told
from journey.parcels import ParcelStatus, Reason
from tests.carriers.carriers_samples import DHL, NUMBER, dhl_event
from tests.carriers.carriers_server import DhlServer, running

S, R = ParcelStatus, Reason
# DHL's event codes by division, by what they mean here.
DOCUMENTED = {
    "parcel-de": {
        "label_created": "VA Electronic pre advise; AN Pickup not successful",
        "picked_up": "ES First processed by DHL; AE Pickup successful",
        "in_transit": "AA Departed from; EE Arrived at; NB Normal processing; ZO Customs; DD Data service; "
        "GT Money transfer",
        "out_for_delivery": "PO In delivery process",
        "attempt_failed attempt_failed": "ZN Delivery attempt not successful",
        "available_for_pickup !": "LA In storage, waiting for pickup; ZF Delivery to agency, post office, Packstation",
        "delivered": "ZU Delivery successful",
        "exception other": "BV Exception",
    },
    "express": {
        "label_created": "104 pre-transit; SD Shipment information received",
        "picked_up": "PU Shipment pick up; SA Shipment acceptance",
        "in_transit": "102 transit; PL Processed at location; DF Depart facility; AF Arrived facility; "
        "AR Arrival in delivery facility; TR Record of transfer; SM Scheduled for movement; FD Forward destination; "
        "AD Agreed delivery; SC Service changed; IC In clearance processing; RR Response received; "
        "CR Clearance release; BR Broker release; BN Customer broker notified; PY Payment; TP Forwarded to 3rd party",
        "in_transit delayed": "MD Missed delivery cycle; MS Mis-sort; MC Miscode",
        "out_for_delivery": "WC With delivering courier",
        "attempt_failed attempt_failed": "ND Not delivered; NH Not home; CA Closed on arrival",
        "available_for_pickup !": "CC Awaiting consignee collection",
        "delivered": "101 delivered; OK Delivery",
        "delivered damaged": "DD Delivered damaged",
        "exception other": "103 failure; OH On hold; SS Shipment stopped; PD Partial delivery",
        "exception address !": "BA Bad address; CM Customer moved",
        "exception customs !": "CD Controllable clearance delay",
        "exception customs": "UD Uncontrollable clearance delay",
        "exception payment !": "HP Held for payment",
        "exception refused": "RD Refused delivery",
        "exception lost": "DS Destroyed",
        "returning returning": "RT Returned to consignor",
    },
}
MEANINGS = {
    (division, row.split()[0]): meaning.split()
    for division, meanings in DOCUMENTED.items()
    for meaning, rows in meanings.items()
    for row in rows.split(";")
}


def _said(scan):
    return (scan.status, scan.reason, scan.action_required)


async def _told(*shipments, number=NUMBER, country=None):
    async with running(DhlServer, Dhl) as (server, poller):
        server.parcels[number] = list(shipments)
        return (await poller.ask([Asked(number, "dhl", country)]))[number]


async def _scans(*events, **shipment):
    """The scans of a shipment, oldest first as they are given here."""
    return (await _told({"id": NUMBER, "events": list(events)[::-1], **shipment})).scans[::-1]


@pytest.fixture(scope="module")
async def by_code():
    """The scan of each division's codes, told in one answer each, a minute apart; the general code is unknown."""
    found = {}
    for division, codes in CODES.items():
        events = [dhl_event(code, f"2026-11-09T10:{n:02}:00Z", "unknown") for n, code in enumerate(codes)]
        scans = await _scans(*events, service=division)
        found |= {(division, code): scan for code, scan in zip(codes, scans, strict=True)}
    return found


@pytest.mark.parametrize("code", sorted(MEANINGS))
def test_every_documented_code_has_its_meaning(by_code, code):
    """Each code of DHL's list is brought to the normal form."""
    status, *rest = MEANINGS[code]
    reason = next((R(word) for word in rest if word != "!"), None)
    assert _said(by_code[code]) == (S(status), reason, "!" in rest)


def test_no_code_is_left_out(by_code):
    """The tables have the codes of DHL's list, and no others."""
    assert sorted(by_code) == sorted(MEANINGS)


@pytest.mark.parametrize(
    ("general", "expected"),
    [
        ("pre-transit", (S.LABEL_CREATED, None, False)),
        ("transit", (S.IN_TRANSIT, None, False)),
        ("delivered", (S.DELIVERED, None, False)),
        ("failure", (S.EXCEPTION, R.OTHER, False)),
        ("unknown", (S.UNKNOWN, None, False)),
        ("something-new", (S.UNKNOWN, None, False)),
    ],
)
@pytest.mark.parametrize(
    ("division", "word"), [("ecommerce", "ZU"), ("express", "CS"), ("parcel-de", "The shipment …")]
)
async def test_the_general_code_tells_what_the_divisions_do_not(division, word, general, expected):
    """One of five codes for all divisions; another division's code and free text mean nothing of their own."""
    (scan,) = await _scans(dhl_event(word, "2026-11-09T10:00:00Z", general), service=division)
    assert _said(scan) == expected


async def test_a_whole_life_in_one_answer():
    """All scans come out, newest first, by Germany's clock also where an event has no country."""
    told = await _told({**DHL, "events": DHL["events"][1:]})
    assert [(scan.at, *_said(scan), scan.location) for scan in told.scans] == [
        (datetime(2026, 11, 13, 7, 30, tzinfo=UTC), S.OUT_FOR_DELIVERY, None, False, "Bonn, Germany"),
        (datetime(2026, 11, 12, 13, 48, tzinfo=UTC), S.ATTEMPT_FAILED, R.ATTEMPT_FAILED, False, None),
        (datetime(2026, 11, 11, 17, tzinfo=UTC), S.PICKED_UP, None, False, "Leipzig, DE"),
        (datetime(2026, 11, 11, 8, tzinfo=UTC), S.LABEL_CREATED, None, False, None),
    ]
    assert [scan.estimated_delivery for scan in told.scans] == [date(2026, 11, 13), None, None, None]
    assert {(scan.carrier, scan.service) for scan in told.scans} == {("dhl", "DHL PAKET (parcel)")}
    delivered = await _told(DHL)
    assert (delivered.scans[0].status, delivered.scans[0].estimated_delivery) == (S.DELIVERED, None)
    assert [event["status"] for event in json.loads(delivered.raw)["events"]] == ["ZU", "PO", "ZN", "ES", "VA"]


async def test_a_sentence_about_a_delivery_is_not_kept():
    """Divisions that write sentences may name who signed; of a delivery only code, time and place are kept."""
    told = await _told(
        {
            "id": NUMBER,
            "service": "ecommerce",
            "events": [
                dhl_event("DELIVERED TO A LOVELACE", "2026-11-09T12:00:00Z", "delivered"),
                dhl_event("ARRIVED AT CUSTOMS", "2026-11-09T10:00:00Z"),
            ],
        }
    )
    assert [event.get("status") for event in json.loads(told.raw)["events"]] == [None, "ARRIVED AT CUSTOMS"]


async def test_a_return_is_not_a_delivery():
    """With `returnFlag` a delivery is one to the sender, and the last word before it is that it goes back."""
    back = (await _told({**DHL, "returnFlag": True})).scans
    assert _said(back[0]) == (S.RETURNED, R.RETURNING, False)
    on_the_way = (await _told({**DHL, "returnFlag": True, "events": DHL["events"][2:]})).scans
    assert [scan.status for scan in on_the_way] == [S.RETURNING, S.PICKED_UP, S.LABEL_CREATED]


async def test_only_a_shipment_of_that_number_counts():
    """A stranger's shipment that DHL finds for the number is none; a piece's is; of two divisions the newer one's."""
    stranger = {**DHL, "id": "1234567890"}
    assert await _told(stranger) == Told()
    assert len((await _told({**stranger, "details": {"pieceIds": ["JD01", NUMBER]}})).scans) == 5
    newer = {"id": NUMBER, "service": "express", "events": [dhl_event("WC", "2026-11-20T10:00:00+01:00")]}
    assert [scan.status for scan in (await _told(DHL, newer, stranger)).scans] == [S.OUT_FOR_DELIVERY]


async def test_without_events_the_status_is_the_only_scan():
    """Some divisions give no events; oldest first is turned round."""
    told = await _told({"id": NUMBER, "status": dhl_event("", "2026-11-09T12:00:00", "transit")}, country="FR")
    assert [(scan.at, scan.status) for scan in told.scans] == [(datetime(2026, 11, 9, 11, tzinfo=UTC), S.IN_TRANSIT)]
    assert (await _told({**DHL, "events": DHL["events"][::-1]})).scans == (await _told(DHL)).scans


async def test_the_question_has_the_key_and_nothing_of_the_receiver():
    """The key goes in the header, the number alone in the query: a postal code would open the receiver's data."""
    async with running(DhlServer, Dhl) as (server, poller):
        await poller.ask([Asked(NUMBER, country="DE")])
    (question,) = server.questions
    assert question.path == f"/track/shipments?trackingNumber={NUMBER}&language=en"
    assert question.headers["dhl-api-key"] == "the-client"


async def _slept(url):
    naps = []

    async def sleep(seconds):
        naps.append(seconds)

    answers = httpx.MockTransport(lambda _: httpx.Response(404, json={}))
    poller = Dhl(urlsplit(url), transport=answers, clock=lambda: 100.0, sleep=sleep)
    for _ in range(3):
        await poller.ask([Asked(NUMBER)])
    await poller.ask([Asked("?")])
    await poller.aclose()
    return naps


async def test_five_seconds_lie_between_two_questions():
    """The first goes at once, each further one five seconds later; what is not asked takes no turn."""
    assert await _slept("dhl://key@api-eu.dhl.com") == [5.0, 10.0]


async def test_a_rate_of_its_own_takes_the_place_of_the_pace():
    """With `?rate=` in the URL whoever asks keeps that rate, and no five seconds are waited here."""
    assert await _slept("dhl://key@api-eu.dhl.com?rate=4") == []
