"""USPS's events as scans, by its Tracking API on loopback."""

import json
from datetime import UTC, date, datetime

import pytest

from activities.carriers.protocol import Asked, Told
from activities.carriers.usps import CODES, Usps
from activities.vendors.http import VendorRefusedError
from journey.parcels import ParcelStatus, Reason
from tests.carriers.carriers_samples import NUMBER, USPS, usps_event
from tests.carriers.carriers_server import UspsServer, running
from tests.support.standin import Said

S, R = ParcelStatus, Reason
# Event codes of Publication 199, by what they mean here.
DOCUMENTED = {
    "label_created": "GX Shipping Label Created; MA Manifest Acknowledgement; 83 Tendered To Postal Service; "
    "89 USPS Awaiting Item; GC Return Receipt Associated",
    "picked_up": "03 Accept or Pickup; OA Origin Acceptance; UA Accepted At USPS Facility; "
    "AD Acceptance At Destination; PA Passive Acceptance; TM Shipment Acceptance; 80 Picked Up by Shipping Partner",
    "in_transit": "06 Forwarded; 07 Arrival at Unit; 10 Processed; 19 DC eVS Arrive; 41 Received at Opening Unit; "
    "42 Handoff to Shipping Partner; 81 Arrived Shipping Partner Facility; 82 Departed Shipping Partner Facility; "
    "EF Departed Sort Facility; SF Departed Post Office; PC Sorting Complete; DX Delivery Status Not Updated",
    "in_transit delayed": "08 Missent; 15 Mis-shipped; 71 Rescheduled to Next Delivery Day",
    "out_for_delivery": "OF Out for Delivery",
    "attempt_failed attempt_failed": "30 No Access to Delivery Location; 51 Business Closed",
    "attempt_failed attempt_failed !": "02 Notice Left; 52 Notice Left; 53 Receptacle Blocked; 54 Receptacle Full; "
    "55 No Secure Location Available; 56 No Authorized Recipient Available",
    "available_for_pickup !": "14 Arrival at Pickup Point; 16 Available for Pickup",
    "delivered": "01 Delivered; 17 Picked Up By Agent",
    "exception address !": "05 Undeliverable as Addressed",
    "exception refused": "04 Refused",
    "exception lost": "11 Dead Letter",
    "returning returning": "09 Return to Sender; 27 Unclaimed; 28 Deceased; 29 Other; 31 Not Picked Up; "
    "44 Customer Recall",
    "returning address": "21 No Such Number; 22 Insufficient Address; 23 Moved, Left No Address; 24 Forward Expired; "
    "25 Addressee Unknown; 26 Vacant",
}
MEANINGS = {row.split()[0]: meaning.split() for meaning, rows in DOCUMENTED.items() for row in rows.split(";")}


def _said(scan):
    return (scan.status, scan.reason, scan.action_required)


async def _told(detail, country=None):
    async with running(UspsServer, Usps) as (server, poller):
        server.parcels[NUMBER] = detail
        return (await poller.ask([Asked(NUMBER, "usps", country)]))[NUMBER]


async def _scans(*events, **detail):
    """The scans of a parcel, oldest first as they are given here."""
    return (await _told({"trackingEvents": list(events)[::-1], **detail})).scans[::-1]


@pytest.fixture(scope="module")
async def by_code():
    """The scan of each code, told in one answer, a minute apart."""
    clocks = [f"2026-11-09T10:{minute:02}:00Z" for minute in range(len(MEANINGS))]
    found = [usps_event(code, at, at) for code, at in zip(MEANINGS, clocks, strict=True)]
    return dict(zip(MEANINGS, await _scans(*found), strict=True))


@pytest.mark.parametrize("code", sorted(MEANINGS))
def test_every_documented_code_has_its_meaning(by_code, code):
    """Each code of the list is brought to the normal form."""
    status, *rest = MEANINGS[code]
    reason = next((R(word) for word in rest if word != "!"), None)
    assert _said(by_code[code]) == (S(status), reason, "!" in rest)


def test_no_code_is_left_out():
    """The table has the codes of the list, and no others."""
    assert sorted(CODES) == sorted(MEANINGS)


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("Shipping Label Created, USPS Awaiting Item", (S.LABEL_CREATED, None, False)),
        ("Departed Shipping Partner Facility, USPS Awaiting Item", (S.IN_TRANSIT, None, False)),
        ("Accepted at USPS Origin Facility", (S.PICKED_UP, None, False)),
        ("USPS in possession of item", (S.PICKED_UP, None, False)),
        ("Arrived at USPS Regional Facility", (S.IN_TRANSIT, None, False)),
        ("In Transit to Next Facility, Arriving Late", (S.IN_TRANSIT, R.DELAYED, False)),
        ("Processed Through Facility", (S.IN_TRANSIT, None, False)),
        ("Inbound Out of Customs", (S.IN_TRANSIT, None, False)),
        ("Held in Customs", (S.EXCEPTION, R.CUSTOMS, False)),
        ("Out for Delivery, Expected Delivery by 9:00pm", (S.OUT_FOR_DELIVERY, None, False)),
        ("Delivery Exception, Local Weather Delay", (S.IN_TRANSIT, R.DELAYED, False)),
        ("Delivery Exception, Animal Interference", (S.EXCEPTION, R.OTHER, False)),
        ("Notice Left (No Authorized Recipient Available)", (S.ATTEMPT_FAILED, R.ATTEMPT_FAILED, True)),
        ("Delivery Attempted - No Access to Delivery Location", (S.ATTEMPT_FAILED, R.ATTEMPT_FAILED, False)),
        ("Available for Pickup", (S.AVAILABLE_FOR_PICKUP, None, True)),
        ("Held at Post Office, At Customer Request", (S.AVAILABLE_FOR_PICKUP, None, True)),
        ("Delivered, Front Door/Porch", (S.DELIVERED, None, False)),
        ("Delivered, Individual Picked Up at Post Office", (S.DELIVERED, None, False)),
        ("Delivered to Agent for Final Delivery", (S.IN_TRANSIT, None, False)),
        ("Delivered, To Original Sender", (S.RETURNED, R.RETURNING, False)),
        ("Return to Sender Processed", (S.RETURNING, R.RETURNING, False)),
        ("Unclaimed/Being Returned to Sender", (S.RETURNING, R.RETURNING, False)),
        ("Insufficient Address", (S.EXCEPTION, R.ADDRESS, True)),
        ("Package Damaged", (S.EXCEPTION, R.DAMAGED, False)),
        ("Seized by Law Enforcement", (S.EXCEPTION, R.LOST, False)),
        ("Missing Mail Search Request Initiated", (S.EXCEPTION, R.OTHER, False)),
        ("Dead Mail/Disposed by Post Office", (S.EXCEPTION, R.LOST, False)),
        ("Postage Due", (S.EXCEPTION, R.PAYMENT, True)),
        ("Something new", (S.UNKNOWN, None, False)),
    ],
)
async def test_a_code_that_is_not_known_is_told_by_its_sentence(sentence, expected):
    """USPS's own words count where the code is not in the list."""
    (scan,) = await _scans(usps_event("Z9", "", "2026-11-09T10:00:00Z", sentence=sentence))
    assert _said(scan) == expected


async def test_delivered_to_the_sender_is_returned():
    """The code of a delivery says who got it only in its sentence."""
    (scan,) = await _scans(usps_event("01", "", "2026-11-09T10:00:00Z", sentence="Delivered, To Original Sender"))
    assert scan.status is S.RETURNED


async def test_a_whole_life_in_one_answer():
    """All scans come out, newest first, by GMT, by an offset in either field, or by the place's own clock."""
    told = await _told(USPS)
    assert [(scan.at, *_said(scan), scan.location) for scan in told.scans] == [
        (datetime(2026, 11, 13, 11, 10, tzinfo=UTC), S.OUT_FOR_DELIVERY, None, False, "FAIRFAX, VA"),
        (datetime(2026, 11, 12, 19, 15, tzinfo=UTC), S.ATTEMPT_FAILED, R.ATTEMPT_FAILED, True, "FAIRFAX, VA"),
        (datetime(2026, 11, 12, 14, 15, tzinfo=UTC), S.IN_TRANSIT, None, False, "FAIRFAX, VA"),
        (datetime(2026, 11, 12, 0, tzinfo=UTC), S.PICKED_UP, None, False, "SAN JUAN, PR"),
        (datetime(2026, 11, 11, 14, 27, tzinfo=UTC), S.LABEL_CREATED, None, False, None),
    ]
    assert [scan.estimated_delivery for scan in told.scans] == [date(2026, 11, 13), None, None, None, None]
    assert {(scan.carrier, scan.service) for scan in told.scans} == {("usps", "USPS Ground Advantage")}
    assert [event["eventCode"] for event in json.loads(told.raw)["trackingEvents"]] == ["OF", "02", "07", "03", "GX"]


@pytest.mark.parametrize(
    ("event", "detail", "expected"),
    [
        ({"eventTimestamp": "2026-11-09T12:00:00", "eventState": "NY"}, {}, 17),
        ({"eventTimestamp": "2026-11-09T12:00:00", "eventState": "CA"}, {}, 17),
        ({"eventTimestamp": "2026-11-09T12:00:00", "eventState": "GU"}, {}, 2),
        ({"eventTimestamp": "2026-11-09T12:00:00", "eventCountry": "JP"}, {}, 3),
        ({"eventTimestamp": "2026-11-09T12:00:00", "eventCountry": "GERMANY"}, {"originCountry": "DE"}, 11),
        ({"eventTimestamp": "2026-11-09T12:00:00", "GMTOffset": "-8:00"}, {}, 20),
        ({"eventTimestamp": "2026-11-09T12:00:00", "GMTOffset": "-99:00", "eventState": "NY"}, {}, 17),
        ({"eventTimestamp": "2026-11-09", "eventState": "NY"}, {}, 5),
        ({"eventTimestamp": "2026-11-09T12:00:00", "GMTTimestamp": "2026-11-09T20:00:00"}, {}, 20),
        ({"eventTimestamp": "2026-11-09T12:00:00+09:00", "GMTOffset": "-8:00"}, {}, 3),
    ],
)
async def test_clocks(event, detail, expected):
    """GMT goes before the local clock, an offset before the place; without either, the country's easternmost zone."""
    (scan,) = await _scans({"eventCode": "10", **event}, **detail)
    assert scan.at == datetime(2026, 11, 9, expected, tzinfo=UTC)


async def test_one_request_asks_for_many_and_one_error_is_its_own():
    """In a 207 an unknown number has no scans, one that USPS could not look up is missing, the rest is told."""
    async with running(UspsServer, Usps) as (server, poller):
        numbers = [f"94001042505329{n:04}" for n in range(35)]
        server.parcels = dict.fromkeys(numbers[2:], USPS) | {numbers[1]: None}
        told = await poller.ask([Asked(number) for number in numbers])
        assert (sorted(told), told[numbers[0]]) == ([numbers[0], *numbers[2:]], Told())
        assert {len(told[number].scans) for number in numbers[2:]} == {5}
        whole = await poller.ask([Asked(number) for number in numbers[2:]])
        assert sorted(whole) == numbers[2:]
    first, _ = server.questions
    assert first.json()[0] == {"trackingNumber": numbers[0]}


async def test_a_refusal_of_all_is_not_one_of_each():
    """A 404 says that none of the numbers is known; a 400 says so of a lone number, else the question was wrong."""
    async with running(UspsServer, Usps) as (server, poller):
        pair = [Asked(NUMBER), Asked("9400104250532901")]
        server.trouble.append(Said(404, server.error("404", "Tracking is not available for this item.")))
        assert set((await poller.ask(pair)).values()) == {Told()}
        server.trouble.extend([Said(400, server.error("400", "Bad Request"))] * 2)
        assert await poller.ask(pair[:1]) == {NUMBER: Told()}
        with pytest.raises(VendorRefusedError):
            await poller.ask(pair)
