"""What a BigCommerce order says, put together from the API's answers; a webhook names an order and no more.

The order, its products and its shipments are V2's, its refunds V3's payment actions:
https://developer.bigcommerce.com/docs/rest-management/orders and …/docs/rest-management/order-transactions

- `Incomplete` and `Pending` are checkouts that nobody finished (…/orders/order-status). An archived order
  (`is_deleted`) is to be sent no more, unless it left before.
- Amounts have four decimals and are in the currency that the customer paid in, `default_currency_code`. V2's own
  `refunded_amount` is always zero, so refunds are V3's. What the provider declined (`is_declined`) is no money, also
  where that is known only later. `Refunded` is a status that staff may set without any.
- A pick-up is known by the status `Awaiting Pickup`, or by `consignments.pickups` where the order was asked for with
  `include=consignments`; only the latter tells, once the order is `Completed`, that the pick-up was collected.
- The shipments are one list, of which nothing tells what was deleted or put right: it holds as of its reading. An
  order that is (partially) Shipped or Completed without any was sent without a number.
- The number that customers see is the id; there is no other.
- The billing address was given for this order; of an account the order says nothing but its id. A guest has no other.
- A replacement that a remedy had made bears that remedy's key as `external_order_id`.
- What `order_source` or `external_source` says of an order from a point of sale was not found at its source: `pos` as
  a word of its own is taken for one.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Final

from pydantic import BeforeValidator

from activities.shops.bigcommerce_delivery import delivery, is_collected, ships
from activities.shops.bigcommerce_lines import Product, is_sold, line_of, sku_of
from activities.shops.bigcommerce_sums import Summed, sums
from activities.shops.payloads import (
    ALL_BACK,
    At,
    Count,
    Id,
    Many,
    MaybeId,
    Payload,
    Text,
    Written,
    at_a_till,
    read,
    read_each,
    rounded,
)
from activities.shops.protocol import Ignored
from journey.fulfilments import WHOLE_ORDER
from journey.numbers import fulfilment_key, tracking_numbers
from journey.order import LineKind
from journey.parcels import Method, ParcelStatus, pickup_number
from store.fields import Amount
from store.intake import (
    Event,
    OrderCancelled,
    OrderCreated,
    OrderEdited,
    OrderRefunded,
    OrderWithdrawn,
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentUpdated,
    build,
)

# Ids of statuses: https://developer.bigcommerce.com/docs/rest-management/orders/order-status
_INCOMPLETE, _PENDING, _SHIPPED, _PARTLY_SHIPPED, _REFUNDED = 0, 1, 2, 3, 4
_CANCELLED, _DECLINED, _AWAITING_PICKUP, _COMPLETED = 5, 6, 8, 10
_SENT: Final = frozenset({_SHIPPED, _PARTLY_SHIPPED, _COMPLETED})
_TO_BE_SENT: Final = frozenset({7, 9, 11, 12})
"""Awaiting payment, shipment or fulfilment, or to be verified: what was sent before was not. A refund or a dispute
(13, 14) says nothing of that."""
_NOT_PLACED: Final = frozenset({_INCOMPLETE, _PENDING})
_CALLED_OFF: Final = frozenset({_CANCELLED, _DECLINED})
_PICKUP_STATUS: Final = {
    _AWAITING_PICKUP: ParcelStatus.AVAILABLE_FOR_PICKUP,
    _SHIPPED: ParcelStatus.DELIVERED,
    _COMPLETED: ParcelStatus.DELIVERED,
    _REFUNDED: ParcelStatus.CANCELLED,
    _CANCELLED: ParcelStatus.CANCELLED,
    _DECLINED: ParcelStatus.CANCELLED,
}
_NAMES: Final = {
    "email": "billing_address.email",
    "phone": "billing_address.phone",
    "order_id": "id",
    "at": "date_created",
    "total": "total_inc_tax",
    "currency": "default_currency_code",
    "unit_price": "price_inc_tax",
    "title": "name",
}


def moment_of(value: object) -> object:
    """V2 writes dates as mails do (RFC 2822), V3 as ISO 8601."""
    try:
        return parsedate_to_datetime(value).isoformat() if isinstance(value, str) else value
    except (ValueError, IndexError, TypeError, OverflowError):
        return value


_Moment = Annotated[At, BeforeValidator(moment_of)]


class _Address(Payload):
    first_name: Text = None
    country_iso2: Text = None
    state: Text = None
    email: Text = None
    phone: Text = None


class _Order(Summed):
    id: Id
    status_id: int
    is_deleted: bool = False
    date_created: _Moment | None = None
    date_modified: _Moment | None = None
    total_inc_tax: Amount
    currency_code: Text = None
    default_currency_code: Text = None
    customer_id: MaybeId = None
    customer_locale: Text = None
    order_source: Text = None
    external_source: Text = None
    external_order_id: Text = None
    billing_address: _Address = _Address()
    consignments: Any = None


class _Item(Payload):
    order_product_id: MaybeId = None
    quantity: Count | None = None


class _Shipment(Payload):
    id: MaybeId = None
    tracking_number: Written | None = None
    tracking_carrier: Text = None
    shipping_provider: Text = None
    shipping_method: Text = None
    tracking_link: Text = None
    date_created: _Moment | None = None
    items: Many[_Item]


class _RefundItem(Payload):
    item_type: Text = None
    item_id: MaybeId = None
    quantity: Count | None = None


class _Payment(Payload):
    amount: Amount | None = None
    is_declined: bool = False


class _Refund(Payload):
    id: Id
    payments: Many[_Payment]
    items: Many[_RefundItem]
    created: _Moment | None = None
    total_amount: Amount


def order_events(
    order: Mapping[str, Any],
    products: Sequence[Mapping[str, Any]],
    shipments: Sequence[Mapping[str, Any]],
    refunds: Sequence[Mapping[str, Any]],
    *,
    shop: str,
    secret_key: str,
    read_at: datetime,
) -> list[Event] | Ignored:
    """An order as canonical events, in the order in which they hold; saying them again changes nothing.

    Args:
        order: `GET /v2/orders/{id}?include=consignments`.
        products: all of `GET /v2/orders/{id}/products`.
        shipments: all of `GET /v2/orders/{id}/shipments`.
        refunds: the `data` of `GET /v3/orders/{id}/payment_actions/refunds`.
        shop: the store's hash.
        secret_key: keys the ids of guests.
        read_at: when that was so: the moment at which it was asked for, aware.

    Raises:
        Malformed: names the field that is wrong, in BigCommerce's words.
    """
    known = read(_Order, order)
    if known.is_deleted:
        # That it was archived is said by no moment of its own.
        return [build(OrderWithdrawn, {"shop": shop, "order_id": known.id, "at": read_at}, names=_NAMES)]
    if known.status_id in _NOT_PLACED:
        return Ignored("not placed: the checkout was not finished")
    sold = [product for product in read_each(Product, products, "products") if is_sold(product)]
    currency = known.default_currency_code or known.currency_code
    changed = known.date_modified or known.date_created
    facts: dict[str, Any] = {
        "shop": shop,
        "order_id": known.id,
        "currency": currency,
        "total": rounded(known.total_inc_tax, currency),
    }
    facts["sums"] = sums(known, sold)
    names = _NAMES | {"lines": "products", "at": "date_created"}
    later = names | {"at": "date_modified"}
    refunded = read_each(_Refund, refunds, "refunds")
    paid_back = list(_refunds(refunded, facts | {"said_at": read_at}, sold, changed, full=known.status_id == _REFUNDED))
    if not sold and known.status_id not in _CALLED_OFF | {_REFUNDED} and changed != known.date_created:
        return [build(OrderEdited, {**facts, "at": changed, "lines": []}, names=later), *paid_back]
    if not sold:
        return paid_back or Ignored("no lines")
    travels = ships(known.consignments, shipments)
    pickup = known.status_id == _AWAITING_PICKUP or is_collected(known.consignments)
    lines = [line_of(product, currency, travels=travels) for product in sold]
    values = {
        **facts,
        "at": known.date_created,
        "channel": "pos" if at_a_till(known.order_source, known.external_source) else "online",
        "customer": _customer(known),
        "email": known.billing_address.email,
        "phone": known.billing_address.phone,
        "lines": lines,
        "delivery": delivery(known.consignments, collected=pickup),
        "replaces": _replaced(known.external_order_id or "", shop),
    }
    created = build(OrderCreated, values, names=names)
    customer = created.customer.identified(created.order_id, secret_key)
    events: list[Event] = [created.model_copy(update={"customer": customer})]
    if changed != known.date_created and known.status_id not in _CALLED_OFF | {_REFUNDED}:
        contact = {"email": created.email, "phone": created.phone}
        events.append(build(OrderEdited, {**facts, **contact, "at": changed, "lines": lines}, names=later))
    if created.channel != "pos":
        sent = read_each(_Shipment, shipments, "shipments")
        events += _pickup(known, created, changed) if pickup else ()
        if sent or not pickup:
            events += _parcels(known, sent, created, sold, read_at)
    events += paid_back
    if known.status_id in _CALLED_OFF:
        events.append(build(OrderCancelled, {**facts, "at": changed}, names=later))
    return events


def _replaced(external: str, shop: str) -> str | None:
    """The order that a key of `journey.remedies` names; other apps write there too."""
    kind, _, rest = external.partition(":")
    store, _, rest = rest.partition(":")
    return rest.partition(":")[0] if (kind, store) == ("remedy", shop) else None


def _customer(order: _Order) -> dict[str, Any]:
    """The person who pays; BigCommerce's orders say nothing of consent."""
    address = order.billing_address
    # A guest's is 0.
    guest = order.customer_id in {None, "0"}
    return {
        "customer_id": None if guest else order.customer_id,
        "email": address.email if guest else None,
        "phone": address.phone if guest else None,
        "first_name": address.first_name or "",
        "locale": order.customer_locale,
        "country": address.country_iso2,
        "region": address.state,
    }


def _pickup(order: _Order, created: OrderCreated, changed: str | None) -> Iterator[Event]:
    number = pickup_number(created.shop, created.order_id)
    skus = [line.sku for line in created.lines if line.kind is LineKind.PHYSICAL]
    common = {"shop": created.shop, "order_id": created.order_id, "tracking_number": number}
    begun = {**common, "at": created.at, "skus": skus, "method": Method.PICKUP}
    yield build(ShipmentCreated, begun)
    status = _PICKUP_STATUS.get(order.status_id)
    if status is not None:
        yield build(ShipmentUpdated, {**common, "at": changed, "status": status}, names={"at": "date_modified"})


def _parcels(
    order: _Order, shipments: Sequence[_Shipment], created: OrderCreated, sold: Sequence[Product], read_at: datetime
) -> Iterator[Event]:
    """The whole list of shipments as it was read: what is on it no more, or under another number, is none any more."""
    skus = {product.id: sku_of(product) for product in sold if product.id}
    about = {"shop": created.shop, "order_id": created.order_id, "fulfilment_id": WHOLE_ORDER}
    names = {"at": "date_created"}
    numbers: dict[int, list[str]] = {}
    for position, shipment in enumerate(shipments):
        found = [number.written for number in tracking_numbers(shipment.tracking_number)]
        # Sent without a number it is a parcel all the same, under the name that BigCommerce gave it.
        numbers[position] = found or [fulfilment_key(f"shipment-{shipment.id or position}")]
    whole = {**about, "said_at": read_at, "tracking_numbers": [one for named in numbers.values() for one in named]}
    for position, shipment in enumerate(shipments):
        alone = len(numbers[position]) == 1
        inside = [skus[item.order_product_id] for item in shipment.items if item.order_product_id in skus]
        for number in numbers[position]:
            values = {
                **whole,
                "at": shipment.date_created or order.date_modified or order.date_created,
                "tracking_number": number,
                "carrier": shipment.tracking_carrier or shipment.shipping_provider,
                "service": shipment.shipping_method,
                "tracking_url": shipment.tracking_link,
                "skus": (inside or None) if alone else None,
                "units": [(skus.get(item.order_product_id or ""), item.quantity) for item in shipment.items if alone],
            }
            yield build(ShipmentCreated, values, prefix="shipments.", names=names)
    if shipments or not any(line.kind is LineKind.PHYSICAL for line in created.lines):
        return
    changed = order.date_modified or order.date_created
    if order.status_id in _SENT:
        yield build(
            ShipmentCreated, {**about, "said_at": read_at, "at": changed}, names=_NAMES | {"at": "date_modified"}
        )
    elif changed != order.date_created and order.status_id in _TO_BE_SENT:
        yield build(ShipmentCancelled, {**about, "at": read_at})


def _refunds(
    refunds: Sequence[_Refund], order: Mapping[str, Any], sold: Sequence[Product], changed: str | None, *, full: bool
) -> Iterator[Event]:
    skus = {product.id: sku_of(product) for product in sold if product.id}
    names = {"at": "created", "refund_id": "id", "amount": "total_amount"}
    amounts = [(refund, rounded(_paid(refund), order["currency"])) for refund in refunds if refund.total_amount]
    last = max((position for position, (_, amount) in enumerate(amounts) if amount > 0), default=None)
    about = {name: order[name] for name in ("shop", "order_id", "currency", "said_at")}
    for position, (refund, amount) in enumerate(amounts):
        values = {
            **about,
            "at": refund.created or changed,
            "refund_id": refund.id,
            # One that was declined keeps the sum that was asked for: it may have been told as paid.
            "amount": amount or refund.total_amount,
            "status": "paid" if amount else "failed",
            "units": [
                (skus.get(item.item_id or "") if item.item_type == "PRODUCT" else None, item.quantity)
                for item in refund.items
            ],
            "full": full and position == last,
        }
        yield build(OrderRefunded, values, prefix="refunds.", names=names)
    if full and last is None and not refunds:
        values = {**about, "at": changed, "refund_id": ALL_BACK, "amount": 0, "full": True}
        yield build(OrderRefunded, values, names=_NAMES | {"at": "date_modified"})


def _paid(refund: _Refund) -> Decimal:
    """What of a refund its payments moved: one that the provider declined moved nothing."""
    if not any(payment.is_declined for payment in refund.payments):
        return refund.total_amount
    return sum((one.amount or Decimal(0) for one in refund.payments if not one.is_declined), Decimal(0))
