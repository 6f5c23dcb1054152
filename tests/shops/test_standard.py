"""Standard Webhooks: what becomes of whatever a backend sends."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.shops.protocol import Delivery, Malformed
from activities.shops.standard import StandardWebhooks
from journey.parcels import Method, ParcelStatus
from store.intake import (
    CustomerDataRequested,
    CustomerRedacted,
    DeliveryDenied,
    OrderChanged,
    ShopRedacted,
)
from tests.gateway.kit import SECRET_KEY, WEBHOOK_SECRET, order_data
from tests.shops.fuzz import JSON, holes, judge

ADAPTER = StandardWebhooks(WEBHOOK_SECRET, secret_key=SECRET_KEY)
HEADERS = {"webhook-id": "msg_1", "webhook-timestamp": "1795341600"}
OTHERS = {
    "shop": "acme",
    "order_id": "1",
    "total": "1.00",
    "currency": "EUR",
    "lines": order_data()["lines"],
    "refund_id": "r",
    "amount": "1.00",
    "tracking_number": "P",
    "carrier": "DHL",
    "status": "delivered",
    "reason": "lost",
    "estimated_delivery": "2026-11-25",
    "occurred_at": "2026-11-22T10:00:00Z",
    "customer": order_data()["customer"],
    "customer_id": "c",
    "rating": 4,
    "text": "Fine",
    "method": "pickup",
    "service": "express",
    "action_required": True,
    "location": "Leipzig",
    "skus": ["A"],
    "found": True,
    "request_id": "9",
}
KINDS = [
    *("order.edited", "order.cancelled", "order.refunded", "order.changed", "shipment.created", "shipment.updated"),
    *("delivery.denied", "pickup.ready", "pickup.collected", "pickup.returned"),
    *("customer.data_requested", "customer.redacted", "shop.redacted"),
]


def _event(kind, data):
    return st.fixed_dictionaries({"type": st.just(kind), "data": holes(data)}, optional={"timestamp": JSON})


@settings(max_examples=200, deadline=None)
@given(
    JSON
    | st.binary()
    | _event("order.created", order_data())
    | st.sampled_from([*KINDS, "customer.updated", "review.posted"]).flatmap(lambda kind: _event(kind, OTHERS))
)
def test_nothing_but_malformed_comes_out_of_random_json(body):
    """Whatever a signed body holds, it becomes events, is ignored, or is refused with a field."""
    judge(ADAPTER, body, HEADERS)


def _delivery(kind, **data):
    return Delivery(HEADERS, json.dumps({"type": kind, "data": data}).encode())


def test_what_is_in_a_parcel_may_be_skus_or_lines():
    """A shipment's lines are taken as SKUs or as objects that have one; none are none."""
    common = {"shop": "acme", "order_id": "1", "tracking_number": " P-1 "}
    skus = [
        ADAPTER.translate(_delivery("shipment.created", **common, lines=lines))[0].skus
        for lines in (["A", "B"], [{"sku": "A", "quantity": 2}], [], None)
    ]
    assert skus == [("A", "B"), ("A",), None, None]


@pytest.mark.parametrize(
    ("given", "kept"),
    [("CA", "CA"), ("us-ny", "NY"), (" 13 ", "13"), ("JP-13", "13"), ("California", None), ("", None), (7, None)],
)
def test_a_region_is_its_code_or_none(given, kept):
    """ISO 3166-2 with or without its country; a name, a number or nothing is no region, and no reason to refuse."""
    data = order_data(customer={"country": "US", "region": given})
    (event,) = ADAPTER.translate(_delivery("order.created", **data))
    assert (event.customer.region, event.customer.notes) == (kept, ())


def test_the_envelope_cannot_be_overruled_from_inside():
    """A `type` or `at` among the data changes nothing."""
    event = ADAPTER.translate(_delivery("order.cancelled", shop="s", order_id="1", type="order.created", at="never"))[0]
    assert (event.type, event.at.timestamp()) == ("order.cancelled", 1795341600)


AT = datetime(2026, 11, 22, 10, tzinfo=UTC)
MOMENT = {"shop": "acme", "occurred_at": AT.isoformat()}


@pytest.mark.parametrize(
    ("kind", "data", "event"),
    [
        ("order.changed", {"order_id": "1"}, OrderChanged(at=AT, shop="acme", order_id="1")),
        (
            "delivery.denied",
            {"order_id": "1", "tracking_number": "P"},
            DeliveryDenied(at=AT, shop="acme", order_id="1", tracking_number="P"),
        ),
        (
            "delivery.denied",
            {"order_id": "1", "tracking_number": "P", "found": True},
            DeliveryDenied(at=AT, shop="acme", order_id="1", tracking_number="P", found=True),
        ),
        (
            "customer.data_requested",
            {"customer_id": "c", "request_id": 9},
            CustomerDataRequested(at=AT, shop="acme", customer_id="c", request_id="9"),
        ),
        ("customer.redacted", {"customer_id": "c"}, CustomerRedacted(at=AT, shop="acme", customer_id="c")),
        ("shop.redacted", {}, ShopRedacted(at=AT, shop="acme")),
    ],
)
def test_facts_about_orders_and_rights(kind, data, event):
    """Each comes out as it was put in."""
    assert ADAPTER.translate(_delivery(kind, **MOMENT, **data)) == [event]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("pickup.ready", ParcelStatus.AVAILABLE_FOR_PICKUP),
        ("pickup.collected", ParcelStatus.DELIVERED),
        ("pickup.returned", ParcelStatus.RETURNING),
    ],
)
def test_a_pick_up_is_followed_like_a_parcel(kind, status):
    """Each of its words says that there is one, and where it stands."""
    begun, scan = ADAPTER.translate(_delivery(kind, **MOMENT, order_id=" 1 ", skus=["A"]))
    assert (begun.order_id, begun.tracking_number, begun.method) == ("1", "pickup:acme:1", Method.PICKUP)
    assert (begun.skus, begun.carrier) == (("A",), None)
    assert (scan.tracking_number, scan.status, scan.at, scan.shop) == ("pickup:acme:1", status, AT, "acme")


@pytest.mark.parametrize("field", ["shop", "order_id"])
def test_a_pick_up_names_its_order(field):
    """What is missing is named as the sender has it."""
    given_ = MOMENT | {"order_id": "1"}
    del given_[field]
    with pytest.raises(Malformed) as caught:
        ADAPTER.translate(_delivery("pickup.ready", **given_))
    assert caught.value.field == f"data.{field}"


def test_a_shipment_may_be_a_pick_up():
    """`method` pickup needs no number of the sender's; a parcel keeps its own, with the service it goes by."""
    (pickup,) = ADAPTER.translate(_delivery("shipment.created", **MOMENT, order_id="1", method="pickup", lines=["A"]))
    assert (pickup.tracking_number, pickup.method, pickup.skus) == ("pickup:acme:1", Method.PICKUP, ("A",))
    parcel = {"order_id": "1", "tracking_number": "P", "carrier": "ups", "service": "Ground"}
    (sent,) = ADAPTER.translate(_delivery("shipment.created", **MOMENT, **parcel))
    assert (sent.tracking_number, sent.service, sent.method) == ("P", "Ground", Method.DELIVERY)


def test_a_scan_may_say_where_and_that_somebody_has_to_act():
    """Service, place, whose parcel it is and that the customer is asked for something are taken along."""
    more = {"service": "Ground", "location": "Leipzig", "action_required": True}
    (scan,) = ADAPTER.translate(
        _delivery("shipment.updated", **MOMENT, tracking_number="P", status="exception", reason="refused", **more)
    )
    assert (scan.service, scan.location, scan.action_required, scan.shop) == ("Ground", "Leipzig", True, "acme")


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_ü", "whsec_" + base64.b64encode(b"").decode()])
def test_a_secret_that_is_none_is_refused_at_start(secret):
    """A wrong secret is a configuration error, told before the first webhook."""
    with pytest.raises(ValueError, match="webhook secret"):
        StandardWebhooks(secret, secret_key=SECRET_KEY)


def test_words_of_ours_are_known_however_they_are_written():
    """The kind of a line and the way an order comes, in capitals or with blanks."""
    line = order_data()["lines"][0] | {"kind": " Digital "}
    (created,) = ADAPTER.translate(
        _delivery("order.created", **order_data(lines=[line], delivery={"method": "PICKUP"}))
    )
    assert (created.lines[0].kind.value, created.delivery.collected) == ("digital", True)
