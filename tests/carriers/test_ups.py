"""UPS's activities as scans, by its Tracking API on loopback."""

import json
from datetime import UTC, date, datetime

import pytest

from activities.carriers.protocol import Asked, Told
from activities.carriers.ups import CODES, Ups
from activities.vendors.http import VendorRefusedError
from journey.parcels import ParcelStatus, Reason
from tests.carriers.carriers_samples import NUMBER, UPS, ups_activity
from tests.carriers.carriers_server import UpsServer, running

S, R = ParcelStatus, Reason
# UPS's "Status/Description Codes", by what they mean here: status, reason, and ! where somebody must act.
DOCUMENTED = {
    "unknown -": """
        0 Status Not Available; 88 Test; 148 Package Information Unavailable; 163 Package Information Unavailable
    """,
    "label_created -": """
        3 Shipment Ready for UPS; 43 Voided Pickup; 44 On the Way to UPS; 45 On the Way to UPS; 65 Pickup Attempted; 77
        Scheduled for Pickup Today; 79 Order Processed: In Transit to UPS; 80 Order Processed: Ready for UPS; 131 Final
        Pickup Attempted; 133 Return Label Left With Customer; 135 Second Pickup Attempted; 157 Shipment Ready for UPS;
        166 Shipment Ready for Roadie
    """,
    "in_transit -": """
        5 On the Way; 10 On the Way; 12 Clearance in Progress; 14 Clearance Completed; 16 In Warehouse; 18 Delivery
        Change Requested: Hold for Pickup; 19 Held for Future Delivery; 20 Held for Future Delivery Requested; 25 On the
        Way; 27 Delivery Address Change Requested; 28 Delivery Address Changed; 39 On the Way; 41 Service Upgrade
        Requested; 42 Service Upgraded; 47 On the Way; 54 Delivery Change Requested; 56 Service Upgrade Requested; 57 On
        the Way to a Local UPS Access Point; 63 Delivery Change Completed; 70 Package not at UPS Access Point yet; 71
        Preparing for Delivery; 73 In Transit to UPS Delivery Partner; 74 UPS Delivery Partner has Shipment; 75
        Scheduled for Delivery; 82 Delivery Instructions Received; 84 Cleared; 87 On the Way; 92 Customs Clearance in
        Progress; 93 Premier Recovery In Progress; 94 Premier Recovery Completed; 95 Additional Attempt Requested; 96
        Address Change Confirmed; 97 Address Change Requested; 98 Deliver to Original Address Requested; 99 Deliver to
        Original Address Confirmed; 100 Hold at UPS Access Point Confirmed; 101 Hold at UPS Access Point Requested; 102
        Hold for Courier Requested; 103 Hold for Courier Confirmed; 104 Hold for Instructions Confirmed; 105 Hold for
        Instructions Requested; 106 Hold for Pickup Confirmed; 107 Hold for Pickup Requested; 108 Hold for Pickup Today
        Confirmed; 109 Hold for Pickup Today Requested; 110 Refrigeration Confirmed; 111 Refrigeration Requested; 112
        Re-Ice Confirmed; 113 Re-Ice Requested; 114 Request Canceled; 115 Reschedule Delivery Confirmed; 116 Reschedule
        Delivery Requested; 117 Return by Saturday Confirmed; 120 Saturday Delivery Confirmed; 121 Saturday Delivery
        Requested; 122 Upgrade Confirmed; 127 Investigation Closed; 128 Investigation Canceled; 134 Cleared Import
        Customs; 137 Transferred to UPS Delivery Partner; 138 Awaiting Scheduled Departure; 142 Claim Voided; 153
        Updated Delivery Time; 154 Updated Delivery Date; 158 On the Way; 159 On the Way; 164 On the Way; 165 On the Way
    """,
    "out_for_delivery -": """
        6 Out for Delivery; 21 Out for Delivery; 37 Out for Delivery; 72 Loaded on Delivery Vehicle; 78 Your Driver is
        Arriving Soon!; 89 Out for Delivery; 91 Out for Delivery; 146 Out for Delivery; 162 Out for Delivery
    """,
    "cancelled -": """
        7 Shipment Information Voided
    """,
    "delivered -": """
        11 Delivered; 26 Delivered by Local Post Office; 155 Delivery Photo
    """,
    "exception other": """
        13 Exception; 30 Local Post Office Exception; 76 UPS Delivery Partner Exception; 83 Held; 129 Investigation
        Opened; 130 Claim in Progress; 140 Claim Paid
    """,
    "available_for_pickup - !": """
        17 Held for Customer Pickup; 40 Ready for Customer Pickup; 144 Delivered to Post Office for Pickup; 161
        Delivered to UPS Access Point
    """,
    "attempt_failed attempt_failed": """
        22 First Attempt Made; 23 Second Delivery Attempted; 60 Delivery Attempted; 61 Delivery Attempted: Adult
        Signature Required; 66 Post Office Delivery Attempted; 69 Unable to Deliver; 145 Delivery Attempted
    """,
    "attempt_failed attempt_failed !": """
        24 Final Attempt Made
    """,
    "exception other !": """
        29 Exception: Action Required; 139 Security Access Required
    """,
    "in_transit delayed": """
        32 Adverse Weather May Cause Delay; 46 Delay; 48 Delay; 51 Delay: Emergency Situation or Severe Weather; 52
        Delay: Severe Weather; 53 Delay: Severe Weather; 55 Rescheduled Delivery; 86 Delay; 90 Delay; 132 Airport
        Security Delay; 136 Delivery Rescheduled for Saturday
    """,
    "returning returning": """
        33 Return to Sender Requested; 35 Returning to Sender; 36 Returning to Sender: In Transit; 118 Return to Sender
        Confirmed; 119 Return to Sender Requested
    """,
    "returned returning": """
        34 Returned to Sender; 67 Returned to Sender by Post Office
    """,
    "picked_up -": """
        38 Picked Up by UPS; 160 We Have Your Package; 167 Dropped off at UPS Store by Customer; 168 Dropped off at
        Retail Location by Customer; 169 Dropped off at a UPS Access Point by Customer
    """,
    "in_transit delayed !": """
        49 Delay: Action Required
    """,
    "exception address !": """
        50 Address Information Required
    """,
    "exception customs !": """
        58 Clearance Information Required; 124 Clearance Information Needed; 125 Clearance Information Needed; 141
        Incomplete Documentation Received
    """,
    "exception damaged": """
        59 Damage Reported
    """,
    "attempt_failed payment !": """
        62 Delivery Attempted: Funds Required
    """,
    "exception refused": """
        64 Delivery Refused
    """,
    "exception lost": """
        68 Sent to Lost and Found; 147 Seized by Law Enforcement; 149 Prohibited Contents, Package Destroyed
    """,
    "returning damaged": """
        81 Returned - Damage Reported
    """,
    "exception payment !": """
        85 Held for COD Payment
    """,
    "exception customs": """
        123 Pending Release From Non-UPS Broker; 126 Pending Government Agency Release
    """,
}
MEANINGS = {
    int(row.split()[0]): tuple(meaning.split()) for meaning, rows in DOCUMENTED.items() for row in rows.split(";")
}


async def _told(package, number=NUMBER, country=None):
    async with running(UpsServer, Ups) as (server, poller):
        server.parcels[NUMBER] = package
        return (await poller.ask([Asked(number, "ups", country)]))[number]


async def _scans(*activities, **package):
    """The scans of these activities, oldest first as they are given here."""
    told = await _told({"trackingNumber": NUMBER, "activity": list(activities)[::-1], **package})
    return told.scans[::-1]


def _said(scan):
    return (scan.status, scan.reason, scan.action_required)


@pytest.fixture(scope="module")
async def by_code():
    """The scan of each code, told in one answer, a minute apart."""
    clocks = [("20261109", f"{n // 60:02}{n % 60:02}00", "+00:00") for n in range(len(MEANINGS))]
    found = [ups_activity(f"{code:03}", "", "", at) for code, at in zip(sorted(MEANINGS), clocks, strict=True)]
    return dict(zip(sorted(MEANINGS), await _scans(*found), strict=True))


@pytest.mark.parametrize("code", sorted(MEANINGS))
def test_every_documented_code_has_its_meaning(by_code, code):
    """Each code of UPS's list is brought to the normal form."""
    status, reason, *action = MEANINGS[code]
    assert _said(by_code[code]) == (S(status), None if reason == "-" else R(reason), action == ["!"])


def test_no_code_is_left_out():
    """The table has the codes of UPS's list, but for the two that the activity's type tells, and no others."""
    assert sorted(CODES) == sorted(MEANINGS)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("D", (S.DELIVERED, None, False)),
        ("I", (S.IN_TRANSIT, None, False)),
        ("P", (S.PICKED_UP, None, False)),
        ("M", (S.LABEL_CREATED, None, False)),
        ("MV", (S.CANCELLED, None, False)),
        ("X", (S.EXCEPTION, R.OTHER, False)),
        ("RS", (S.RETURNING, R.RETURNING, False)),
        ("DO", (S.IN_TRANSIT, None, False)),
        ("DD", (S.IN_TRANSIT, None, False)),
        ("W", (S.IN_TRANSIT, None, False)),
        ("U", (S.IN_TRANSIT, None, False)),
        ("NA", (S.UNKNOWN, None, False)),
        ("??", (S.UNKNOWN, None, False)),
    ],
)
@pytest.mark.parametrize("code", ["143", "999", "", "0x1", "9" * 5000])
async def test_the_type_tells_what_the_code_does_not(kind, expected, code):
    """A code that is new, missing or no code at all: the activity's type counts, and a new type is unknown."""
    (scan,) = await _scans(ups_activity(code, "20261109", "120000", kind=kind, country="GB"))
    assert _said(scan) == expected


async def test_a_whole_life_in_one_answer():
    """All scans come out, newest first, each with its moment, meaning and place; the promise is the newest's."""
    told = await _told(UPS)
    assert [(scan.at, *_said(scan), scan.location) for scan in told.scans] == [
        (datetime(2026, 11, 13, 8, 15, tzinfo=UTC), S.OUT_FOR_DELIVERY, None, False, "London, GB"),
        (datetime(2026, 11, 12, 16, 15, tzinfo=UTC), S.ATTEMPT_FAILED, R.ATTEMPT_FAILED, False, "London, GB"),
        (datetime(2026, 11, 11, 7, 13, 56, tzinfo=UTC), S.IN_TRANSIT, None, False, "Stansted, GB"),
        (datetime(2026, 11, 9, 23, tzinfo=UTC), S.PICKED_UP, None, False, "Wayne, NJ, US"),
        (datetime(2026, 11, 9, 17, tzinfo=UTC), S.LABEL_CREATED, None, False, "US"),
    ]
    assert [scan.estimated_delivery for scan in told.scans] == [date(2026, 11, 13), None, None, None, None]
    assert {(scan.tracking_number, scan.carrier, scan.service) for scan in told.scans} == {
        (NUMBER, "ups", "UPS Ground")
    }
    kept = [found["status"]["statusCode"] for found in json.loads(told.raw)["activity"]]
    assert kept == ["021", "022", "012", "038", "003"]


async def test_a_delivered_parcel_has_no_promise():
    """What has arrived is promised for no day."""
    done = ups_activity("011", "20261113", "101500", kind="D", city="London", country="GB")
    (scan,) = await _scans(
        done, deliveryDate=[{"type": "DEL", "date": "20261113"}, {"type": "SDD", "date": "20261113"}]
    )
    assert (scan.status, scan.estimated_delivery) == (S.DELIVERED, None)


@pytest.mark.parametrize(
    ("gmt", "expected"),
    [
        (("20261109", "143000", "-05:00"), 14.5),
        (("2026-11-09", "14:30:00", "-05:00"), 14.5),
        (("20261109", "74700", "-05:00"), 7.783),
        (("", "", "-05:00"), 17),
        (None, 17),
        (("nonsense", "nonsense", "nonsense"), 17),
    ],
)
async def test_gmt_goes_before_the_local_clock(gmt, expected):
    """GMT as UPS writes it in either way, else the local clock with its offset, else by the place; noon in New York."""
    (scan,) = await _scans(ups_activity("005", "20261109", "120000", gmt, country="US"))
    midnight = datetime(2026, 11, 9, tzinfo=UTC)
    assert round((scan.at - midnight).total_seconds() / 3600, 3) == expected


async def test_clocks_that_run_westwards_keep_their_order():
    """New York's noon is before Los Angeles' ten o'clock: the carrier's order holds where the zones are not known."""
    scans = await _scans(
        ups_activity("038", "20261109", "120000", country="US"),
        ups_activity("005", "20261109", "100000", country="US"),
        ups_activity("021", "20261109", "100500", country="US"),
        ups_activity("013", "20261109", "100500", country="US"),
    )
    assert [scan.status for scan in sorted(scans, key=lambda scan: scan.at)] == [
        S.PICKED_UP,
        S.IN_TRANSIT,
        S.OUT_FOR_DELIVERY,
        S.EXCEPTION,
    ]
    assert len({scan.at for scan in scans}) == 4
    assert scans[-1].at < datetime(2026, 11, 9, 18, 5, tzinfo=UTC)


async def test_the_same_scan_keeps_its_moment():
    """An answer with one scan more says the same of the others, so that they are known for old news."""
    first = [ups_activity("038", "20261109", "120000", country="US"), ups_activity("005", "20261109", "100000")]
    before, after = await _scans(*first), await _scans(*first, ups_activity("021", "20261110", "080000", country="US"))
    assert after[:2] == before


async def test_a_scan_without_a_place_is_where_the_parcel_may_be():
    """Without a country, those of origin and destination count, and the shop's word for the destination."""
    there = [{"address": {"countryCode": "DE"}}, {"address": {"countryCode": "NL"}}]
    (scan,) = await _scans(ups_activity("005", "20261109", "120000"), packageAddress=there)
    assert scan.at == datetime(2026, 11, 9, 11, tzinfo=UTC)
    bare = {"trackingNumber": NUMBER, "activity": [ups_activity("005", "20261109", "120000")]}
    assert (await _told(bare, country="JP")).scans[0].at == datetime(2026, 11, 9, 3, tzinfo=UTC)


async def test_the_other_packages_of_a_shipment_are_not_this_one():
    """A shipment's answer may hold all its packages: only that of the number counts."""
    other = {
        "trackingNumber": "1ZOTHER00000000000",
        "activity": [ups_activity("011", "20261109", "120000", country="GB")],
    }
    assert (await _told([other, UPS])).scans[0].status is S.OUT_FOR_DELIVERY
    assert await _told([other, {**other, "trackingNumber": "1ZOTHER00000000001"}]) == Told()


async def test_unknown_numbers_in_all_three_forms():
    """A 404, a 200 with a warning and "invalid inquiry number" are a number that UPS does not know; no other 400."""
    async with running(UpsServer, Ups) as (server, poller):
        assert await poller.ask([Asked(NUMBER)]) == {NUMBER: Told()}
        server.unknown_as_warning = True
        assert await poller.ask([Asked(NUMBER)]) == {NUMBER: Told()}
        assert await poller.ask([Asked("BAD1234567")]) == {"BAD1234567": Told()}
        server.trouble.append(server.error(400, "250001", "Something else"))
        with pytest.raises(VendorRefusedError):
            await poller.ask([Asked(NUMBER)])


async def test_a_question_is_asked_as_documented():
    """The number in the path, a fresh transaction id each time, and neither signature nor proof of delivery wanted."""
    async with running(UpsServer, Ups) as (server, poller):
        await poller.ask([Asked(NUMBER)])
        await poller.ask([Asked(NUMBER)])
    first, second = server.questions
    assert first.path == f"/api/track/v1/details/{NUMBER}?locale=en_US&returnSignature=false&returnPOD=false"
    assert first.headers["transactionsrc"] == "postlude"
    assert first.headers["transid"] != second.headers["transid"]
