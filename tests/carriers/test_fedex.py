"""FedEx's scans, by its Track API on loopback."""

import json
from datetime import UTC, date, datetime

import pytest

from activities.carriers.fedex import EVENTS, Fedex
from activities.carriers.protocol import Asked, Told
from journey.parcels import ParcelStatus, Reason
from tests.carriers.carriers_samples import FEDEX, NUMBER, fedex_scan
from tests.carriers.carriers_server import FedexServer, running

S, R = ParcelStatus, Reason
# FedEx's "Tracking Status Codes" (and IN, which is told as a derived status), by what they mean here.
DOCUMENTED = {
    "label_created": "IN Label created; OC Order Created; OX Shipment information sent to USPS; AP At Pickup; "
    "EP Enroute to Pickup; DS Vehicle Dispatched; DR Vehicle furnished but not used; RP Return label link emailed; "
    "RG Return label link expiring soon",
    "label_created delayed": "PD Pickup Delay",
    "picked_up": "PU Picked Up; PX Picked up (see Details)",
    "in_transit": "AA At Airport; AC At Canada Post facility; AF At local FedEx Facility; "
    "AO Shipment arriving On-time; AR Arrived at FedEx location; AX At USPS facility; CC Cleared Customs; "
    "CH Location Changed; "
    "CP Clearance in Progress; DP Departed; EA Enroute to Airport, Export Approved; EO Enroute to Origin Airport; "
    "FD At FedEx Destination; IT In Transit; IX In transit (see Details); LO Left Origin; "
    "OF At FedEx origin facility; Ow On the way; PF Plane in Flight; PL Plane Landed; PM In Progress; "
    "RR CDO requested; RM CDO Modified; RC CDO Cancelled; SF At Sort Facility; SP Split Status; TR Transfer",
    "in_transit delayed": "DD Delivery Delay; DY Delay",
    "out_for_delivery": "AD At Delivery; ED Enroute to Delivery; OD Out for Delivery",
    "available_for_pickup !": "HL Hold at Location; HP Ready for Recipient Pickup",
    "delivered": "DL Delivered",
    "cancelled": "CA Shipment Cancelled; LP Return label link cancelled by shipment originator",
    "expired": "RD Return label link expired",
    "exception customs": "CD Clearance Delay",
    "exception other": "DE Delivery Exception; SE Shipment Exception",
    "returning returning": "RS Return to Shipper",
}
MEANINGS = {row.split()[0]: meaning.split() for meaning, rows in DOCUMENTED.items() for row in rows.split(";")}


def _said(scan):
    return (scan.status, scan.reason, scan.action_required)


async def _told(*results, **changes):
    async with running(FedexServer, Fedex) as (server, poller):
        server.parcels[NUMBER] = [{**result, **changes} for result in results]
        return (await poller.ask([Asked(NUMBER)]))[NUMBER]


async def _scans(*scans, **changes):
    """The scans of a parcel, oldest first as they are given here."""
    return (await _told({"scanEvents": list(scans)[::-1], **changes})).scans[::-1]


@pytest.fixture(scope="module")
async def by_code():
    """The scan of each code, told in one answer, a minute apart."""
    clocks = [f"2026-11-09T10:{minute:02}:00-05:00" for minute in range(len(MEANINGS))]
    found = [fedex_scan(code, at, "??") for code, at in zip(MEANINGS, clocks, strict=True)]
    return dict(zip(MEANINGS, await _scans(*found), strict=True))


@pytest.mark.parametrize("code", sorted(MEANINGS))
def test_every_documented_code_has_its_meaning(by_code, code):
    """Each code of FedEx's list is brought to the normal form."""
    status, *rest = MEANINGS[code]
    reason = next((R(word) for word in rest if word != "!"), None)
    assert _said(by_code[code]) == (S(status), reason, "!" in rest)


def test_no_code_is_left_out():
    """The table has the codes of FedEx's list, and no others."""
    assert sorted(EVENTS) == sorted(code.upper() for code in MEANINGS)


@pytest.mark.parametrize(
    ("code", "sentence", "expected"),
    [
        ("007", "Customer not available or business closed", (S.ATTEMPT_FAILED, R.ATTEMPT_FAILED, False)),
        ("08", "Customer not available or business closed", (S.ATTEMPT_FAILED, R.ATTEMPT_FAILED, False)),
        ("07", "", (S.EXCEPTION, R.REFUSED, False)),
        ("03", "Incorrect address", (S.EXCEPTION, R.ADDRESS, True)),
        ("083", "Local delivery restriction - Delivery not attempted", (S.IN_TRANSIT, R.DELAYED, False)),
        ("099", "Unable to deliver", (S.EXCEPTION, R.OTHER, False)),
        ("17", "A request was made to change this delivery date", (S.IN_TRANSIT, None, False)),
        ("A47", "FedEx redirected your package to a nearby FedEx location", (S.IN_TRANSIT, None, False)),
        ("X1", "Package damaged, not delivered to recipient address", (S.EXCEPTION, R.DAMAGED, False)),
        ("X2", "Delivery was refused by the recipient", (S.EXCEPTION, R.REFUSED, False)),
        ("X3", "Package lost in transit", (S.EXCEPTION, R.LOST, False)),
        ("X4", "Regulatory agency clearance delay", (S.EXCEPTION, R.CUSTOMS, False)),
        ("X5", "Payment of duties and taxes needed", (S.EXCEPTION, R.PAYMENT, True)),
        ("X6", "Severe weather", (S.IN_TRANSIT, R.DELAYED, False)),
        ("X7", "Package being returned to shipper", (S.RETURNING, R.RETURNING, False)),
        ("X8", "Holiday - Business closed", (S.ATTEMPT_FAILED, R.ATTEMPT_FAILED, False)),
        ("X9", "Something new", (S.EXCEPTION, R.OTHER, False)),
    ],
)
@pytest.mark.parametrize("kind", ["DE", "SE"])
async def test_an_exception_is_told_by_its_code_else_its_sentence(kind, code, sentence, expected):
    """Why a delivery or shipment stopped: the exception's code, and FedEx's own words where it is not known."""
    (scan,) = await _scans(fedex_scan(kind, "2026-11-12T11:26:00-08:00", kind, code, sentence))
    assert _said(scan) == expected


async def test_a_whole_life_in_one_answer():
    """All scans come out, newest first; promise and advice, which are the parcel's, are the newest's."""
    told = await _told(FEDEX)
    assert [(scan.at, *_said(scan), scan.location) for scan in told.scans] == [
        (datetime(2026, 11, 12, 21, 26, tzinfo=UTC), S.AVAILABLE_FOR_PICKUP, None, True, "CLOVIS, CA, US"),
        (datetime(2026, 11, 12, 19, 26, tzinfo=UTC), S.ATTEMPT_FAILED, R.ATTEMPT_FAILED, False, None),
        (datetime(2026, 11, 12, 16, 55, tzinfo=UTC), S.OUT_FOR_DELIVERY, None, False, "CLOVIS, CA, US"),
        (datetime(2026, 11, 11, 23, tzinfo=UTC), S.PICKED_UP, None, False, "NEWARK, NJ, US"),
        (datetime(2026, 11, 11, 14, tzinfo=UTC), S.LABEL_CREATED, None, False, None),
    ]
    assert [scan.estimated_delivery for scan in told.scans] == [date(2026, 11, 13), None, None, None, None]
    assert {(scan.carrier, scan.service) for scan in told.scans} == {("fedex", "FedEx Priority Overnight")}
    assert [scan["eventType"] for scan in json.loads(told.raw)["scanEvents"]] == ["HL", "DE", "OD", "PU", "OC"]


@pytest.mark.parametrize(
    ("action", "expected"),
    [("Contact FedEx to correct the address.", True), ("No action is required.", False), ("", False)],
)
async def test_advice_means_that_somebody_must_act(action, expected):
    """What FedEx recommends to do is an action, its "no action is required" is none; after delivery there is none."""
    advice = {"latestStatusDetail": {"ancillaryDetails": [{"action": action}]}}
    (scan,) = await _scans(fedex_scan("SE", "2026-11-12T11:26:00-08:00", "SE", "099"), **advice)
    assert scan.action_required is expected
    (scan,) = await _scans(fedex_scan("DL", "2026-11-12T11:26:00-08:00", "DL"), **advice)
    assert scan.action_required is False


async def test_held_but_not_ready_is_still_on_its_way():
    """A parcel that is held but cannot be picked up yet calls nobody to pick it up."""
    early = {"serviceCommitMessage": {"type": "HELD_PACKAGE_NOT_AVAILABLE_FOR_RECIPIENT_PICKUP"}}
    told = await _told(FEDEX, **early, latestStatusDetail={})
    assert _said(told.scans[0]) == (S.IN_TRANSIT, None, False)


async def test_a_delay_is_told_beside_the_scan():
    """A scan on its way whose `delayDetail` says so is late."""
    late = {**fedex_scan("AR", "2026-11-12T11:26:00-08:00"), "delayDetail": {"type": "WEATHER", "status": "DELAYED"}}
    (scan,) = await _scans(late)
    assert _said(scan) == (S.IN_TRANSIT, R.DELAYED, False)


async def test_a_number_given_out_twice_is_the_newer_parcel():
    """An old parcel's delivery under the same number is not this one's."""
    old = {"scanEvents": [fedex_scan("DL", "2024-04-26T09:26:00-07:00", "DL")]}
    told = await _told(old, FEDEX, {"scanEvents": []})
    assert [scan.status for scan in told.scans][:1] == [S.AVAILABLE_FOR_PICKUP]
    assert S.DELIVERED not in {scan.status for scan in told.scans}


async def test_an_answer_that_begins_with_the_oldest_is_turned_round():
    """The promise is the newest scan's, wherever it stands."""
    told = await _told({**FEDEX, "scanEvents": FEDEX["scanEvents"][::-1]})
    assert told.scans == (await _told(FEDEX)).scans
    west, east = fedex_scan("AR", "2026-11-12T10:00:00-08:00"), fedex_scan("PU", "2026-11-12T12:00:00-05:00")
    scans = (await _told({**FEDEX, "scanEvents": [west, east]})).scans
    assert [(scan.status, scan.estimated_delivery) for scan in scans] == [
        (S.IN_TRANSIT, date(2026, 11, 13)),
        (S.PICKED_UP, None),
    ]


async def test_thirty_numbers_are_one_request_and_one_error_is_its_own():
    """In a batch, an unknown number has no scans, one that FedEx could not look up is missing, the rest is told."""
    async with running(FedexServer, Fedex) as (server, poller):
        numbers = [f"7760943376{n:02}" for n in range(30)]
        server.parcels = {number: [FEDEX] for number in numbers[2:]} | {numbers[1]: None}
        told = await poller.ask([Asked(number) for number in numbers])
    assert (sorted(told), told[numbers[0]]) == ([numbers[0], *numbers[2:]], Told())
    assert {len(told[number].scans) for number in numbers[2:]} == {5}
    assert {scan.tracking_number for scan in told[numbers[7]].scans} == {numbers[7]}
    (question,) = server.questions
    assert question.headers["x-locale"] == "en_US"
    assert question.json()["includeDetailedScans"] is True
    assert question.json()["trackingInfo"][0] == {"trackingNumberInfo": {"trackingNumber": numbers[0]}}
