"""AfterShip's webhooks and trackings as scans."""

import base64
import copy
import hashlib
import hmac
import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.carriers.aftership import AfterShip
from activities.shops.protocol import Delivery, Ignored, Malformed, SignatureError
from journey.parcels import ParcelStatus
from tests.carriers.services_samples import TRACKING
from tests.shops.fuzz import JSON, holes, judge

SECRET = "aftership-test-secret"  # noqa: S105  # a test secret
HEARD = datetime(2026, 11, 30, 9, tzinfo=UTC)
ADAPTER = AfterShip(SECRET, clock=lambda: HEARD)
EVENT = {
    "event": "tracking_update",
    "event_id": "fcd3a4bb-0a0a-4f2e-8b25-8cbb0e1d0a11",
    "is_tracking_first_tag": True,
    "msg": TRACKING,
    "ts": 1795514400,
}


def _signed(body, secret=SECRET):
    return {
        "aftership-hmac-sha256": base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    }


def _delivery(event=EVENT, **changes):
    return Delivery({}, json.dumps(event | {"msg": event["msg"] | changes}).encode())


def _scan(**changes):
    (event,) = ADAPTER.translate(_delivery(**changes))
    return event


def _one(tag, subtag=None):
    return _scan(tag=tag, subtag=subtag, checkpoints=[TRACKING["checkpoints"][1] | {"tag": tag, "subtag": subtag}])


def test_a_tracking_is_its_newest_checkpoint():
    """The moment and the place are the checkpoint's, the rest is the tracking's; its day is the recipient's own."""
    event = _scan()
    assert event.model_dump() == {
        "type": "shipment.updated",
        "at": datetime(2026, 11, 24, 8, 30, tzinfo=UTC),
        "tracking_number": "1Z9",
        "carrier": "dhl",
        "service": "Paket",
        "status": ParcelStatus.IN_TRANSIT,
        "reason": None,
        "action_required": False,
        "estimated_delivery": date(2026, 11, 26),
        "estimated_at": datetime(2026, 11, 24, 10, tzinfo=UTC),
        "location": "Bonn, DEU",
        "tracker": "aftership:bff5a3bac79b472991a204172473a635",
        "shop": None,
        "order_id": None,
        "fulfilment_id": None,
        "tracking_url": None,
        "co2": None,
    }


def test_a_corrected_slug_keeps_the_tracker():
    """What AfterShip knows a parcel by does not depend on its carrier."""
    assert (_scan(slug="ups").carrier, _scan(slug="ups").tracker) == ("ups", _scan().tracker)


@pytest.mark.parametrize(
    ("tag", "subtag", "expected"),
    [
        ("InfoReceived", "InfoReceived_001", ("label_created", None, False)),
        ("InTransit", "InTransit_001", ("in_transit", None, False)),
        ("InTransit", "InTransit_002", ("picked_up", None, False)),
        ("InTransit", "InTransit_003", ("in_transit", None, False)),
        ("InTransit", "InTransit_004", ("in_transit", None, False)),
        ("InTransit", "InTransit_005", ("in_transit", None, False)),
        ("InTransit", "InTransit_006", ("in_transit", None, False)),
        ("InTransit", "InTransit_007", ("in_transit", None, False)),
        ("InTransit", "InTransit_008", ("in_transit", None, False)),
        ("InTransit", "InTransit_009", ("in_transit", None, False)),
        ("InTransit", "InTransit_013", ("in_transit", None, False)),
        ("OutForDelivery", "OutForDelivery_001", ("out_for_delivery", None, False)),
        ("OutForDelivery", "OutForDelivery_003", ("out_for_delivery", None, False)),
        ("OutForDelivery", "OutForDelivery_004", ("in_transit", None, False)),
        ("AttemptFail", "AttemptFail_001", ("attempt_failed", "attempt_failed", False)),
        ("AttemptFail", "AttemptFail_002", ("attempt_failed", "attempt_failed", False)),
        ("AttemptFail", "AttemptFail_003", ("attempt_failed", "attempt_failed", False)),
        ("AvailableForPickup", "AvailableForPickup_001", ("available_for_pickup", None, True)),
        ("OutForDelivery", "OutForDelivery_002", ("available_for_pickup", None, True)),
        ("Delivered", "Delivered_001", ("delivered", None, False)),
        ("Delivered", "Delivered_002", ("delivered", None, False)),
        ("Delivered", "Delivered_003", ("delivered", None, False)),
        ("Delivered", "Delivered_004", ("delivered", None, False)),
        ("Delivered", "Delivered_005", ("delivered", None, False)),
        ("Exception", "Exception_001", ("exception", "other", False)),
        ("Exception", "Exception_002", ("exception", "address", True)),
        ("Exception", "Exception_003", ("exception", "refused", False)),
        ("Exception", "Exception_004", ("exception", "customs", False)),
        ("Exception", "Exception_005", ("exception", "delayed", False)),
        ("Exception", "Exception_006", ("exception", "payment", True)),
        ("Exception", "Exception_007", ("exception", "address", True)),
        ("Exception", "Exception_008", ("exception", "pickup_waiting", True)),
        ("Exception", "Exception_009", ("exception", "other", False)),
        ("Exception", "Exception_010", ("returning", "returning", False)),
        ("Exception", "Exception_011", ("returned", "returning", False)),
        ("Exception", "Exception_012", ("exception", "damaged", False)),
        ("Exception", "Exception_013", ("exception", "lost", False)),
        ("Exception", "Exception_016", ("exception", "delayed", False)),
        ("Exception", "Exception_017", ("exception", "delayed", False)),
        ("Exception", "Exception_018", ("exception", "customs", True)),
        ("Exception", "Exception_019", ("exception", "delayed", False)),
        ("Exception", "Exception_020", ("cancelled", None, False)),
        ("Exception", "Exception_021", ("exception", "lost", False)),
        ("Exception", "Exception_999", ("exception", "other", False)),
        ("Exception", None, ("exception", "other", False)),
        ("Expired", "Expired_001", ("expired", None, False)),
        ("Teleported", "Teleported_001", ("unknown", None, False)),
    ],
)
def test_words_are_brought_to_the_normal_form(tag, subtag, expected):
    """Each documented subtag has one meaning; one that is new has its tag's, and a new tag is unknown."""
    event = _one(tag, subtag)
    assert (event.status, event.reason, event.action_required) == expected


def test_what_no_checkpoint_says_is_of_the_update():
    """`Expired` is AfterShip's own word: its moment is not that of the last scan, weeks ago."""
    assert _scan(tag="Expired", subtag="Expired_001").at == datetime(2026, 11, 24, 10, tzinfo=UTC)


def test_a_time_without_an_offset_is_not_guessed():
    """Such a checkpoint has the moment at which AfterShip learnt of it, and is left out where that is missing, too."""
    local = TRACKING["checkpoints"][1] | {"checkpoint_time": "2026-11-24T23:30:00"}
    assert _scan(checkpoints=[local]).at == datetime(2026, 11, 24, 8, 31, tzinfo=UTC)
    dropped = _scan(
        checkpoints=[TRACKING["checkpoints"][0] | {"subtag": "InTransit_003"}, local | {"created_at": None}]
    )
    assert dropped.at == datetime(2026, 11, 23, 8, 55, tzinfo=UTC)


def test_a_year_that_nobody_means_is_left_out():
    """A carrier's empty date does not lose the rest of the tracking."""
    empty = TRACKING["checkpoints"][0] | {"checkpoint_time": "0001-01-01T00:00:00Z", "created_at": None}
    assert _scan(checkpoints=[empty, TRACKING["checkpoints"][1]]) == _scan()


def test_a_parcel_that_nobody_scanned_says_nothing():
    """`Pending` means that AfterShip has nothing to tell yet."""
    assert ADAPTER.translate(_delivery(tag="Pending", checkpoints=[])) == Ignored("no scan yet")


@pytest.mark.parametrize("topic", ["tracking_pending_time", "something_new"])
def test_other_topics_are_ignored(topic):
    """Only updates and revised estimates are about the parcel."""
    assert ADAPTER.translate(_delivery(EVENT | {"event": topic})) == Ignored("unknown topic")


def test_the_signature():
    """The base64 HMAC of the raw body is taken; another key's, an altered body's, a cut and a missing one are not."""
    body = json.dumps(EVENT).encode()
    ADAPTER.verify(Delivery(_signed(body), body))
    right = _signed(body)["aftership-hmac-sha256"]
    for headers, sent in [
        (_signed(body, "other"), body),
        (_signed(body), body + b" "),
        ({"aftership-hmac-sha256": right[:-1]}, body),
        ({"aftership-hmac-sha256": "ü"}, body),
        ({}, body),
    ]:
        with pytest.raises(SignatureError):
            ADAPTER.verify(Delivery(headers, sent))
    with pytest.raises(ValueError, match="may not be empty"):
        AfterShip("")


def test_repeats_have_one_id():
    """AfterShip's own id of the event is the same in every repeat; without one the bytes are."""
    again = copy.deepcopy(EVENT) | {"ts": 1795514999}
    assert ADAPTER.event_id(_delivery()) == ADAPTER.event_id(_delivery(again)) == EVENT["event_id"]
    bare = {name: value for name, value in EVENT.items() if name != "event_id"}
    assert ADAPTER.event_id(_delivery(bare)) == _delivery(bare).digest


@pytest.mark.parametrize("day", ["soon", "0000-00-00"])
def test_a_junk_estimate_costs_nobody_the_scan(day):
    """Its own field is nothing."""
    assert _scan(latest_estimated_delivery={"datetime": day}).estimated_delivery is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"tracking_number": None}, "msg.tracking_number"),
        ({"tracking_number": ["1Z9"]}, "msg.tracking_number"),
    ],
)
def test_a_tracking_that_is_wrong_is_malformed(changes, field):
    """An error names AfterShip's field."""
    with pytest.raises(Malformed) as caught:
        _scan(**changes)
    assert caught.value.field == field


@settings(max_examples=150, deadline=None)
@given(JSON | st.binary() | holes(EVENT))
def test_nothing_but_malformed_comes_out_of_random_json(body):
    """Whatever a signed body holds, it becomes scans, is ignored, or is refused with a field."""
    judge(ADAPTER, body, {})


def test_a_tracking_without_any_moment_is_of_when_it_came():
    """Nothing says when: not a checkpoint, not the tracking, not the webhook."""
    bare = {name: value for name, value in EVENT.items() if name != "ts"}
    bare["msg"] = EVENT["msg"] | {"checkpoints": [], "updated_at": "soon"}
    (event,) = ADAPTER.translate(Delivery({}, json.dumps(bare).encode()))
    assert event.at == HEARD
