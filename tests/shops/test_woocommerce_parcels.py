"""The parcels of WooCommerce's orders, wherever an extension keeps them."""

import pytest

from activities.shops.woocommerce_parcels import TRACKING
from journey.parcels import ParcelStatus
from tests.shops.test_woocommerce import PARCEL, _kinds, _said


def _others(*kept, **changes):
    return _said(meta_data=[{"id": 1, "key": key, "value": value} for key, value in kept], **changes)


@pytest.mark.parametrize(
    "kept",
    [
        [("_aftership_tracking_items", [{"tracking_number": "JJD 17", "slug": "dhl"}])],
        [("_aftership_tracking_number", "JJD 17"), ("_aftership_tracking_provider_name", "dhl")],
        [("ywot_tracking_code", "JJD 17"), ("ywot_carrier_name", "dhl")],
        [("_pr_shipment_dhl_label_tracking", {"tracking_number": "JJD 17"})],
        [("_pr_shipment_dhl_label_tracking", {"tracking_number": ["JJD 17"]})],
        [("_aftership_tracking_number", "jjd17"), (TRACKING, [PARCEL | {"tracking_number": "JJD 17"}])],
    ],
)
def test_other_extensions_keep_the_number_elsewhere(kept):
    """Each is a parcel under that number; what two of them keep is one."""
    told = [event for event in _others(*kept, status="completed") if event.type == "shipment.created"]
    assert [event.tracking_number for event in told] == ["JJD 17"]


def test_a_label_is_no_parcel_before_the_order_was_sent():
    """DHL's extension keeps a label from when it is printed."""
    label = ("_pr_shipment_dhl_label_tracking", {"tracking_number": "JJD17"})
    assert _kinds(_others(label)) == ["order.created", "order.edited"]


def test_the_shipments_that_germanized_adds():
    """Those that left are parcels, also without a number; returns and drafts are none, and a delivery is told."""
    items = [{"id": 5, "order_item_id": 316, "product_id": 23, "quantity": 1}]
    sent = {"id": 1, "type": "simple", "status": "shipped", "tracking_id": "", "shipping_provider": "dhl"}
    came = sent | {"id": 2, "status": "delivered", "tracking_id": "JJD 2", "items": items}
    shipments = [sent, came, came | {"id": 3, "type": "return"}, sent | {"id": 4, "status": "processing"}]
    *_, letter, parcel, arrived = _said(shipments=shipments, shipping_status="partially-shipped")
    assert (letter.tracking_number, parcel.tracking_number, parcel.skus) == (
        "fulfilment:shipment-1",
        "JJD 2",
        ("Bar3",),
    )
    assert parcel.tracking_numbers == ("fulfilment:shipment-1", "JJD 2")
    assert (arrived.tracking_number, arrived.status) == ("JJD 2", ParcelStatus.DELIVERED)


@pytest.mark.parametrize("status", ["completed", "wc-completed", "shipped", "partial-shipped", "dispatched"])
def test_an_order_that_has_a_word_for_sent_was_sent(status):
    """WooCommerce's own word, its extensions' and its shops'."""
    assert _said(status=status)[-1].type == "shipment.created"


@pytest.mark.parametrize(("status", "kind"), [("invoiced", "created"), ("processing", "cancelled")])
def test_what_was_completed_was_sent_whatever_the_shop_calls_it_next(status, kind):
    """Only a status that says it is still to be sent takes it back."""
    told = _said(status=status, date_completed_gmt="2026-11-24T12:00:00")[-1]
    assert told.type == f"shipment.{kind}"
