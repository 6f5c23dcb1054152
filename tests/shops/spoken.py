"""What every shop and carrier says, topic by topic, with whoever reads it: the bodies that are nulled and mangled."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from activities.shops import (
    bigcommerce_orders,
    bigcommerce_remedies,
    shopify_orders,
    woocommerce_parcels,
)
from activities.shops.protocol import Delivery, Ignored
from activities.shops.standard import StandardWebhooks
from store.intake import Event
from tests.carriers import test_aftership, test_easypost, test_seventeentrack, test_shippo
from tests.gateway.kit import SECRET_KEY, WEBHOOK_SECRET, order_data
from tests.shops import test_bigcommerce, test_shopify, test_woocommerce

AT = "2026-11-22T10:00:00Z"
Read = Callable[[Any], Sequence[Event] | Ignored]


@dataclass(frozen=True)
class Spoken:
    """A body, and its reader; `body` is an object."""

    name: str
    body: dict[str, Any]
    read: Read


def _by(adapter: Any, headers: dict[str, str] | None = None) -> Read:
    def read(body: Any) -> Sequence[Event] | Ignored:
        delivery = Delivery(headers or {}, json.dumps(body).encode())
        adapter.topic(delivery)
        said = adapter.translate(delivery)
        adapter.event_id(delivery) if headers != STANDARD else None
        return said

    return read


STANDARD = {"webhook-timestamp": "1795341600", "webhook-id": "msg_1"}
_LINE = {"sku": "YM-1", "title": "Yoga mat", "quantity": 1, "unit_price": "79.00", "kind": "digital"}
_ORDER = {"shop": "acme", "order_id": "1001"}
CANONICAL: dict[str, dict[str, Any]] = {
    "order.created": order_data(),
    "order.edited": _ORDER | {"occurred_at": AT, "currency": "EUR", "total": "79.00", "lines": [_LINE, _LINE]},
    "order.cancelled": _ORDER | {"occurred_at": AT},
    "order.changed": _ORDER,
    "order.refunded": _ORDER
    | {"refund_id": "r1", "amount": "10.00", "currency": "EUR", "full": True, "units": [{"sku": "A", "quantity": 1}]},
    "shipment.created": _ORDER
    | {
        "tracking_number": "P-1",
        "carrier": "dhl",
        "service": "express",
        "lines": [{"sku": "YM-1", "quantity": 1}],
        "estimated_delivery": "2026-11-25",
        "method": "delivery",
        "occurred_at": AT,
    },
    "shipment.updated": {
        "tracking_number": "P-1",
        "carrier": "dhl",
        "status": "exception",
        "reason": "delayed",
        "action_required": True,
        "estimated_delivery": "2026-11-25",
        "estimated_at": AT,
        "location": "Bonn",
        "occurred_at": AT,
    },
    "pickup.ready": _ORDER | {"skus": ["A"], "occurred_at": AT},
    "delivery.denied": _ORDER | {"tracking_number": "P-1", "found": True},
    "review.posted": _ORDER | {"rating": 4, "sku": "YM-1", "text": "Good"},
    "customer.updated": {"shop": "acme", "customer": order_data()["customer"], "occurred_at": AT},
    "customer.data_requested": {"shop": "acme", "customer_id": "c-17", "request_id": "q1"},
    "customer.redacted": {"shop": "acme", "customer_id": "c-17"},
    "shop.redacted": {"shop": "acme"},
}

_MONEY = {
    "shopMoney": {"amount": "79.00", "currencyCode": "EUR"},
    "presentmentMoney": {"amount": "85.00", "currencyCode": "USD"},
}
_NO_MORE = {"hasNextPage": False, "endCursor": None}
_ADDRESS = {
    "countryCodeV2": "DE",
    "provinceCode": "BE",
    "firstName": "Ada",
    "lastName": "Lovelace",
    "company": None,
    "address1": "Lindenweg 12",
    "address2": None,
    "zip": "10437",
    "city": "Berlin",
    "phone": "+4915112345678",
}
_INSIDE = {"pageInfo": _NO_MORE, "nodes": [{"quantity": 1, "lineItem": {"id": "gid://shopify/LineItem/1"}}]}
GRAPHQL = {
    "id": "gid://shopify/Order/1001",
    "legacyResourceId": "1001",
    "createdAt": "2026-11-22T10:00:00Z",
    "updatedAt": "2026-11-24T10:00:00Z",
    "cancelledAt": None,
    "currencyCode": "EUR",
    "sourceName": "web",
    "customerLocale": "de-DE",
    "customerAcceptsMarketing": False,
    "email": "ada@example.com",
    "phone": None,
    "tags": ["vip"],
    "test": False,
    "retailLocation": None,
    "shippingLine": {"title": "Standard"},
    "totalPriceSet": _MONEY,
    "currentTotalPriceSet": _MONEY,
    "presentmentCurrencyCode": "USD",
    "displayFinancialStatus": "PARTIALLY_REFUNDED",
    "taxesIncluded": True,
    "totalDiscountsSet": _MONEY,
    "totalShippingPriceSet": _MONEY,
    "totalTaxSet": _MONEY,
    "customer": {
        "legacyResourceId": "17",
        "firstName": "Ada",
        "numberOfOrders": "3",
        "defaultEmailAddress": {"emailAddress": "ada@example.com", "marketingState": "SUBSCRIBED"},
        "defaultPhoneNumber": {"phoneNumber": "+4915112345678", "smsMarketingConsent": {"state": "SUBSCRIBED"}},
    },
    "shippingAddress": _ADDRESS,
    "billingAddress": _ADDRESS,
    "lineItems": {
        "pageInfo": _NO_MORE,
        "nodes": [
            {
                "id": "gid://shopify/LineItem/1",
                "sku": "YM-1",
                "title": "Yoga mat",
                "name": "Yoga mat",
                "quantity": 2,
                "currentQuantity": 1,
                "requiresShipping": False,
                "isGiftCard": False,
                "variantTitle": "Blue",
                "image": {"url": "https://cdn.example/mat.jpg"},
                "sellingPlan": {"name": "Every month"},
                "originalUnitPriceSet": _MONEY,
                "variant": {"legacyResourceId": "5"},
                "product": {
                    "legacyResourceId": "6",
                    "productType": "Fitness",
                    "onlineStoreUrl": "https://acme.example/p",
                },
            }
        ],
    },
    "fulfillments": [
        {
            "id": "gid://shopify/Fulfillment/9",
            "status": "SUCCESS",
            "displayStatus": "DELIVERED",
            "createdAt": "2026-11-23T10:00:00Z",
            "updatedAt": "2026-11-24T10:00:00Z",
            "inTransitAt": "2026-11-23T12:00:00Z",
            "deliveredAt": "2026-11-24T09:00:00Z",
            "estimatedDeliveryAt": "2026-11-25T00:00:00Z",
            "trackingInfo": [{"number": "P-1", "company": "DHL", "url": None}],
            "fulfillmentLineItems": _INSIDE,
        }
    ],
    "fulfillmentOrders": {
        "nodes": [
            {
                "status": "OPEN",
                "updatedAt": "2026-11-22T10:00:00Z",
                "deliveryMethod": {"methodType": "SHIPPING", "minDeliveryDateTime": "2026-11-24T10:00:00Z"},
                "assignedLocation": {"name": "Berlin", "city": "Berlin"},
            }
        ]
    },
    "refunds": [
        {
            "id": "gid://shopify/Refund/3",
            "legacyResourceId": "3",
            "createdAt": "2026-11-24T10:00:00Z",
            "processedAt": "2026-11-24T10:00:00Z",
            "transactions": {
                "pageInfo": _NO_MORE,
                "nodes": [
                    {
                        "id": "gid://shopify/OrderTransaction/8",
                        "kind": "REFUND",
                        "status": "SUCCESS",
                        "parentTransaction": {"id": "gid://shopify/OrderTransaction/7"},
                        "amountSet": _MONEY,
                    }
                ],
            },
            "refundLineItems": _INSIDE,
        }
    ],
}

_TRACKED = {"id": 1, "key": woocommerce_parcels.TRACKING, "value": [test_woocommerce.PARCEL]}
_WOO = test_woocommerce.FULL | {"meta_data": [_TRACKED]}
_BIG = {
    "order": test_bigcommerce.ORDER,
    "products": test_bigcommerce.PRODUCTS,
    "shipments": [test_bigcommerce.SHIPMENT],
    "refunds": [test_bigcommerce.REFUND],
}


def _graphql(body: Any) -> Sequence[Event]:
    return shopify_orders.order_events(body, shop="acme.myshopify.com", secret_key=SECRET_KEY)


def _big(body: Any) -> Sequence[Event] | Ignored:
    lists = [bigcommerce_remedies.objects(body.get(name)) for name in list(_BIG)[1:]]
    return bigcommerce_orders.order_events(
        body.get("order"), *lists, shop="abc123", secret_key=SECRET_KEY, read_at=datetime.fromisoformat(AT)
    )


def _everything() -> list[Spoken]:
    standard = StandardWebhooks(WEBHOOK_SECRET, secret_key=SECRET_KEY)
    said = [
        Spoken(f"events {kind}", {"type": kind, "timestamp": AT, "data": data}, _by(standard, STANDARD))
        for kind, data in CANONICAL.items()
    ]
    for topic, body in test_shopify.TOPICS.items():
        headers = {"x-shopify-topic": topic, "x-shopify-shop-domain": "acme.myshopify.com"}
        full = body
        if topic in {"orders/create", "orders/updated"}:
            full = body | {"refunds": [test_shopify.REFUND], "shipping_lines": [{"title": "Standard"}]}
        said.append(Spoken(f"shopify {topic}", full, _by(test_shopify.ADAPTER, headers)))
    for topic, body in test_woocommerce.TOPICS.items():
        headers = test_woocommerce.HEADERS | {"x-wc-webhook-topic": topic}
        full = _WOO if topic == "order.created" else body
        said.append(Spoken(f"woocommerce {topic}", full, _by(test_woocommerce.ADAPTER, headers)))
    said += [
        Spoken("shopify's API", GRAPHQL, _graphql),
        Spoken("bigcommerce's API", _BIG, _big),
        Spoken("bigcommerce order", test_bigcommerce.HOOK, _by(test_bigcommerce.ADAPTER)),
        Spoken("bigcommerce shipment", test_bigcommerce.SHIPMENT_HOOK, _by(test_bigcommerce.ADAPTER)),
        Spoken("easypost", test_easypost.EVENT, _by(test_easypost.ADAPTER)),
        Spoken("aftership", test_aftership.EVENT, _by(test_aftership.ADAPTER)),
        Spoken("shippo", test_shippo.EVENT, _by(test_shippo.ADAPTER)),
        Spoken("seventeentrack", test_seventeentrack.EVENT, _by(test_seventeentrack.ADAPTER)),
    ]
    return said


EVERYTHING = _everything()
