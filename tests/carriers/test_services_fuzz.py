"""Answers that no service would give."""

import asyncio
import json
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.carriers.aftership import AfterShipPoll
from activities.carriers.easypost_poll import EasyPostPoll
from activities.carriers.seventeentrack import SeventeenTrackPoll
from activities.carriers.shippo import ShippoPoll
from activities.vendors.http import VendorError
from store.intake import from_json
from tests.carriers.services_kit import asked
from tests.carriers.services_samples import PARCEL, TRACK, TRACKING
from tests.carriers.test_easypost import TRACKER
from tests.shops.fuzz import JSON, holes

ANSWERS = {
    EasyPostPoll: ("EZ2000000002", {"trackers": [TRACKER], "has_more": False}),
    AfterShipPoll: ("1Z9", {"data": {"pagination": {"has_next_page": False}, "trackings": [TRACKING]}}),
    ShippoPoll: ("9205", TRACK),
    SeventeenTrackPoll: ("RR123456789CN", {"code": 0, "data": {"accepted": [PARCEL], "rejected": []}}),
}


async def _ask(poll, number, content):
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=content))
    poller = poll(urlsplit("https://key@service.example"), transport=transport)
    try:
        return await poller.ask([asked(number, "ups")])
    finally:
        await poller.aclose()


@pytest.mark.parametrize("poll", ANSWERS)
@settings(max_examples=200, deadline=None)
@given(st.data())
def test_nothing_but_a_vendor_error_comes_out_of_random_answers(poll, data):
    """Whatever an answer holds, it becomes scans that can be kept and read again, or an error that callers know."""
    number, answer = ANSWERS[poll]
    body = data.draw(st.binary() | JSON | holes(answer))
    try:
        told = asyncio.run(_ask(poll, number, body if isinstance(body, bytes) else json.dumps(body).encode()))
    except VendorError:
        return
    assert set(told) <= {number}
    for scan in (scan for one in told.values() for scan in one.scans):
        assert scan.tracking_number == number
        assert from_json(scan.model_dump_json()) == scan
