"""A Shopify order of the GraphQL Admin API as canonical events: put in the webhooks' words, read by their adapter.

So an order is the same whether a webhook or a sync brought it: its id is the numeric `legacyResourceId`, its lines,
SKUs, money (for the shop, and as it was paid), refunds and parcels are those of `activities.shops.shopify`.

What only the API tells:

- An order of the point of sale has a `retailLocation`, also where its `sourceName` is an app's.
- A parcel that is on its way or delivered is so since `inTransitAt` or `deliveredAt`, where Shopify knows them:
  https://shopify.dev/docs/api/admin-graphql/2026-10/objects/Fulfillment.
- A line's picture, and that it belongs to a subscription (its selling plan).
- The days between which it is to come, and where it is fetched, are those of its fulfilment orders where these agree.
- An order is collected in a store when its fulfilment orders are all of the method `PICK_UP`: known from the start, not
  only when a fulfilment says `ready_for_pickup`. One whose fulfilment orders are all closed without a parcel was
  collected. What becomes of such an order in between is not described at
  https://shopify.dev/docs/api/admin-graphql/2026-10/objects/FulfillmentOrder, so only its fulfilments are believed.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import Any, Final

from pydantic import ValidationError

from activities.shops.payloads import at as at_moment
from activities.shops.payloads import lost_alone
from activities.shops.payloads import text as _text
from activities.shops.protocol import Delivery, Ignored
from activities.shops.shopify import Shopify
from activities.shops.shopify_answers import filled
from activities.shops.shopify_payloads import Amounts
from journey.order import LineKind
from journey.parcels import Method, ParcelStatus, pickup_number
from store.intake import Event, OrderCreated, ShipmentCreated, ShipmentUpdated, build

_PARCELS: Final = (ShipmentCreated, ShipmentUpdated)
_PICK_UP: Final = "pick_up"
_CREATED: Final = "orders/create"
_CLOSED: Final = "CLOSED"
_SETS: Final = {
    "total_price_set": "totalPriceSet",
    "current_total_price_set": "currentTotalPriceSet",
    "total_discounts_set": "totalDiscountsSet",
    "current_total_discounts_set": "currentTotalDiscountsSet",
    "total_shipping_price_set": "totalShippingPriceSet",
    "current_shipping_price_set": "currentShippingPriceSet",
    "total_tax_set": "totalTaxSet",
    "current_total_tax_set": "currentTotalTaxSet",
    "original_total_duties_set": "originalTotalDutiesSet",
    "current_total_duties_set": "currentTotalDutiesSet",
}
"""The sums that webhooks have, by what the API calls them."""
_NAMES: Final = {"at": "updatedAt", "order_id": "legacyResourceId"}


def order_events(order: Mapping[str, Any], *, shop: str, secret_key: str) -> list[Event]:
    """The order as it stands, in the order in which its events hold; saying them again changes nothing.

    Args:
        order: a node of `shopify_queries.ORDERS` with all its lines, parcels and refunds.
        shop: the shop's host, as its webhooks name it.
        secret_key: keys the ids of guests.

    Raises:
        Malformed: names the field that is wrong, in the webhooks' words.
    """
    # Verifies nothing here: what it reads was asked for.
    reader = Shopify(secret_key, secret_key=secret_key)
    events: list[Event] = []
    for topic, payload in webhooks(order):
        headers = {"x-shopify-topic": topic, "x-shopify-shop-domain": shop}
        # Without its creation there is no order; a parcel or a refund that cannot be read is left out alone.
        with nullcontext() if topic == _CREATED else lost_alone(topic):
            said = reader.translate(Delivery(headers, json.dumps(payload).encode()))
            events += [] if isinstance(said, Ignored) else [event for event in said if event not in events]
    if _collected(order):
        # What is fetched in a store has no number either, and was sent to nobody.
        events = [one for one in events if not (isinstance(one, _PARCELS) and one.tracking_number is None)]
    return events + _pickup(order, shop, events)


def webhooks(order: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The webhooks that the order's life so far has sent, as topic and payload."""
    order = filled(order)
    number, cancelled = order["legacyResourceId"], _known(order["cancelledAt"])
    every = [_line(line) for line in order["lineItems"]["nodes"]]
    lines = {line["id"]: _line(line) for line in order["lineItems"]["nodes"] if isinstance(line["id"], str)}
    whole = {
        "id": number,
        "name": order["name"],
        "created_at": order["createdAt"],
        "updated_at": order["updatedAt"],
        "currency": order["currencyCode"],
        "total_price": _amount(order["totalPriceSet"]),
        "source_name": "pos" if order["retailLocation"] else order["sourceName"],
        "test": order["test"],
        "tags": ", ".join(tag for tag in order["tags"] if isinstance(tag, str)),
        "email": order["email"],
        "phone": order["phone"],
        "customer_locale": order["customerLocale"],
        "buyer_accepts_marketing": order["customerAcceptsMarketing"],
        "customer": _customer(order["customer"]),
        "shipping_address": _address(order["shippingAddress"]),
        "billing_address": _address(order["billingAddress"]),
        "line_items": every,
        "shipping_lines": _shipping(order),
        "delivery_point": _point(order),
        "promised": _promised(order),
    }
    sums = {theirs: _both(order[ours]) for theirs, ours in _SETS.items()} | {
        "presentment_currency": order["presentmentCurrencyCode"],
        "taxes_included": order["taxesIncluded"],
        "total_tip_received": _amount(order["totalTipReceivedSet"]),
    }
    refunds = [_refund(number, refund, lines) for refund in order["refunds"]]
    paid_back = {"refunds": refunds, "financial_status": _word(order["displayFinancialStatus"])}
    updated = order["updatedAt"] != order["createdAt"] and not cancelled
    # As it was placed: a cancellation takes every line away. What an edit added has no place in the sums of before.
    placed = [line | {"current_quantity": None} for line in every]
    yield _CREATED, whole | ({} if updated else sums) | {"line_items": placed}
    if updated:
        current = {"current_total_price": _amount(order["currentTotalPriceSet"])}
        yield "orders/updated", whole | sums | current | paid_back
    for parcel in order["fulfillments"]:
        for said in _fulfilments(number, parcel, lines):
            yield "fulfillments/update", said
    for refund in refunds if not updated and not cancelled else ():
        yield "refunds/create", refund
    if cancelled:
        gone = {"id": number, "cancelled_at": cancelled, "updated_at": order["updatedAt"], "test": order["test"]}
        yield "orders/cancelled", gone | paid_back


def _pickup(order: Mapping[str, Any], shop: str, events: Sequence[Event]) -> list[Event]:
    """That it is a pick-up, and that it is over, where no fulfilment said so."""
    created = next((event for event in events if isinstance(event, OrderCreated)), None)
    order = filled(order)
    parts = order["fulfillmentOrders"]["nodes"]
    parcels = any(isinstance(event, ShipmentCreated) for event in events)
    if created is None or created.channel == "pos" or not _collected(order) or parcels:
        return []
    number = pickup_number(shop, created.order_id)
    skus = [line.sku for line in created.lines if line.kind is LineKind.PHYSICAL]
    parcel = {"shop": shop, "order_id": created.order_id, "tracking_number": number, "at": created.at, "skus": skus}
    made: list[Event] = [build(ShipmentCreated, {**parcel, "method": Method.PICKUP}, names=_NAMES)]
    status, at = None, _known(order["cancelledAt"])
    if at:
        status = ParcelStatus.CANCELLED
    elif all(part["status"] == _CLOSED for part in parts):
        closed = [known for part in parts if (known := _known(part["updatedAt"]))]
        status, at = ParcelStatus.DELIVERED, max(closed, default=order["updatedAt"])
    if status is not None:
        word = {"shop": shop, "order_id": created.order_id, "tracking_number": number, "status": status, "at": at}
        made.append(build(ShipmentUpdated, word, names=_NAMES))
    return made


def _shipping(order: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the customer chose; that it is a pick-up the fulfilment orders say, as webhooks do by this word."""
    chosen = [dict(order["shippingLine"])] if order["shippingLine"] else []
    if not _collected(order) or order["retailLocation"]:
        return chosen
    return [line | {"delivery_category": "pickup"} for line in chosen or [{}]]


def _collected(order: Mapping[str, Any]) -> bool:
    parts = filled(order)["fulfillmentOrders"]["nodes"]
    return {_word((part["deliveryMethod"] or {}).get("methodType")) for part in parts} == {_PICK_UP}


def number_of(gid: object) -> str:
    """The number at the end of a global id: `gid://shopify/LineItem/42` is what webhooks call 42; empty for no id."""
    return gid.rpartition("/")[2].partition("?")[0] if isinstance(gid, str) else ""


def _amount(money: Mapping[str, Any]) -> object:
    return money["shopMoney"]["amount"]


def _both(money: Mapping[str, Any]) -> dict[str, Any]:
    """An amount for the shop and as it was paid, as webhooks write it."""
    return {
        theirs: {"amount": money[ours]["amount"], "currency_code": money[ours]["currencyCode"]}
        for theirs, ours in (("shop_money", "shopMoney"), ("presentment_money", "presentmentMoney"))
    }


def _moved(money: Mapping[str, Any]) -> dict[str, Any]:
    """An amount as it was paid, or for the shop where that cannot be read."""
    for name in ("presentmentMoney", "shopMoney"):
        said = {"amount": money[name]["amount"], "currency_code": money[name]["currencyCode"]}
        with suppress(ValidationError):
            known = Amounts.model_validate(said)
            if known.amount is not None and known.currency_code is not None:
                return {"amount": said["amount"], "currency": said["currency_code"]}
    return {"amount": _amount(money), "currency": money["shopMoney"]["currencyCode"]}


def _promised(order: Mapping[str, Any]) -> dict[str, Any] | None:
    """From the first to the last day that its fulfilment orders name."""
    ways = [part["deliveryMethod"] or {} for part in order["fulfillmentOrders"]["nodes"]]
    first = [day for way in ways if (day := _known(way.get("minDeliveryDateTime")))]
    last = [day for way in ways if (day := _known(way.get("maxDeliveryDateTime")))]
    return {"earliest": min(first, default=None), "latest": max(last, default=None)} if first or last else None


def _point(order: Mapping[str, Any]) -> dict[str, Any] | None:
    """Where an order is fetched that is collected; None where its parts are at several places."""
    places = [part["assignedLocation"] for part in order["fulfillmentOrders"]["nodes"]]
    if not _collected(order) or not places or any(place != places[0] or not place for place in places):
        return None
    place = places[0]
    address = {
        "street": place["address1"],
        "street2": place["address2"],
        "postcode": place["zip"],
        "city": place["city"],
        "country": place["countryCode"],
    }
    return {"name": place["name"], "address": address}


def _known(moment: object) -> str | None:
    """A moment as it was written, or None for whatever is none."""
    return moment if isinstance(moment, str) and at_moment(moment) else None


def _word(value: object) -> str | None:
    """One of GraphQL's words as webhooks write it."""
    return value.lower() if isinstance(value, str) and value else None


def _line(line: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": number_of(line["id"]),
        "variant_id": (line["variant"] or {}).get("legacyResourceId"),
        "product_id": (line["product"] or {}).get("legacyResourceId"),
        "sku": line["sku"],
        "title": line["title"],
        "name": line["name"],
        "quantity": line["quantity"],
        "current_quantity": line["currentQuantity"],
        "price": _amount(line["originalUnitPriceSet"]),
        "price_set": _both(line["originalUnitPriceSet"]),
        "requires_shipping": line["requiresShipping"],
        "product_type": (line["product"] or {}).get("productType"),
        "gift_card": line["isGiftCard"],
        "variant_title": line["variantTitle"],
        "product_url": (line["product"] or {}).get("onlineStoreUrl"),
        "image_url": (line["image"] or {}).get("url"),
        "subscription": _text((line["sellingPlan"] or {}).get("name")) is not None,
    }


def _customer(customer: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if customer is None:
        return None
    email, phone = customer["defaultEmailAddress"] or {}, customer["defaultPhoneNumber"] or {}
    return {
        "id": customer["legacyResourceId"],
        "first_name": customer["firstName"],
        "orders_count": customer["numberOfOrders"],
        "email": email.get("emailAddress"),
        "phone": phone.get("phoneNumber"),
        "email_marketing_consent": _consent(email.get("marketingState")),
        "sms_marketing_consent": _consent((phone.get("smsMarketingConsent") or {}).get("state")),
    }


def _consent(state: object) -> dict[str, str | None] | None:
    return {"state": _word(state)} if isinstance(state, str) else None


def _address(address: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if address is None:
        return None
    return {
        "country_code": address["countryCodeV2"],
        "province_code": address["provinceCode"],
        "first_name": address["firstName"],
        "phone": address["phone"],
        **{
            name: address.get(theirs)
            for name, theirs in {
                "last_name": "lastName",
                "company": "company",
                "address1": "address1",
                "address2": "address2",
                "zip": "zip",
                "city": "city",
            }.items()
        },
    }


def _fulfilments(
    number: str, parcel: Mapping[str, Any], lines: Mapping[str, Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """The fulfilment as it stands; before that as it was in transit, where it is delivered.

    `updatedAt` is when anything about it was changed last, and may be long after either.
    """
    last = _fulfilment(number, parcel, lines)
    status, moved, arrived = last["shipment_status"], _known(parcel["inTransitAt"]), _known(parcel["deliveredAt"])
    if last["status"] == "cancelled":
        yield last
        return
    last["said_at"] = last["updated_at"]
    if status == "delivered" and moved:
        yield last | {"shipment_status": "in_transit", "updated_at": moved}
    since = {"in_transit": moved, "delivered": arrived}.get(status)
    yield last | {"updated_at": since or last["updated_at"]}


def _fulfilment(number: str, parcel: Mapping[str, Any], lines: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    inside = [
        (one["lineItem"]["id"], one["quantity"]) for one in parcel["fulfillmentLineItems"]["nodes"] if one["lineItem"]
    ]
    tracking = parcel["trackingInfo"]
    return {
        "id": number_of(parcel["id"]),
        "order_id": number,
        "status": _word(parcel["status"]),
        "shipment_status": _word(parcel["displayStatus"]),
        "created_at": parcel["createdAt"],
        "updated_at": parcel["updatedAt"],
        "estimated_delivery_at": parcel["estimatedDeliveryAt"],
        "tracking_numbers": [one["number"] for one in tracking if one["number"]],
        "tracking_urls": [one["url"] for one in tracking if one["url"]],
        "tracking_company": next((one["company"] for one in tracking if one["company"]), None),
        "line_items": [
            {**lines[line], "quantity": quantity if isinstance(quantity, int) else 0}
            for line, quantity in inside
            if isinstance(line, str) and line in lines
        ],
    }


def _refund(number: str, refund: Mapping[str, Any], lines: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    inside = refund["refundLineItems"]
    # Of a list that goes on nobody knows the rest: better no lines than some.
    back = [] if inside["pageInfo"]["hasNextPage"] else inside["nodes"]
    return {
        "id": refund["legacyResourceId"],
        "order_id": number,
        "created_at": refund["createdAt"],
        "processed_at": refund["processedAt"],
        "refund_line_items": [
            {
                "quantity": one["quantity"],
                "line_item_id": number_of(one["lineItem"]["id"]),
                "line_item": lines.get(str(one["lineItem"]["id"])),
            }
            for one in back
            if one["lineItem"]
        ],
        "transactions": [
            {
                "kind": _word(paid["kind"]),
                "status": _word(paid["status"]),
                "id": number_of(paid["id"]),
                "parent_id": number_of((paid["parentTransaction"] or {}).get("id")),
                **_moved(paid["amountSet"]),
            }
            for paid in refund["transactions"]["nodes"]
        ],
    }
