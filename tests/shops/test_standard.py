"""Standard Webhooks: what becomes of whatever a backend sends."""

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.shops.protocol import Delivery
from activities.shops.standard import StandardWebhooks
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
}
KINDS = ["order.edited", "order.cancelled", "order.refunded", "shipment.created", "shipment.updated"]


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


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_ü", "whsec_" + base64.b64encode(b"").decode()])
def test_a_secret_that_is_none_is_refused_at_start(secret):
    """A wrong secret is a configuration error, told before the first webhook."""
    with pytest.raises(ValueError, match="webhook secret"):
        StandardWebhooks(secret, secret_key=SECRET_KEY)
