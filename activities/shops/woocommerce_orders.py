"""What a WooCommerce order says, whoever brought it: its webhook or its REST API, which send the same (v3).

https://developer.woocommerce.com/docs/apis/rest-api/v3/orders/

- An order is placed when its customer has paid or promised to: `pending` waits for the checkout's payment and `failed`
  did not get it. One that was cancelled without a payment may never have been placed, so only its end is told.
- A price of a line is what was paid for one, tax and discounts in it, since that is what a refund pays back.
- Parcels are what shipment-tracking extensions keep in the order's meta data under `_wc_shipment_tracking_items`:
  WooCommerce Shipment Tracking and Advanced Shipment Tracking. Their documents show no format; it is read off their
  public code. An order that was set to completed (or to those extensions' `shipped`) without one was sent without a
  number, and their status `delivered` says that it came. `date_shipped` is mostly a day, kept
  as its midnight in UTC: the parcel left by the end of it, and no later than it was heard of. Without one it left when
  the order was completed, else when it was changed.
- An order whose every shipping line is a local pick-up (`local_pickup`, `pickup_location`, `local_pickup_plus`) is
  collected in the store. WooCommerce has no word for ready; the statuses `ready-pickup` and `pickup` are those of the
  extension Advanced Local Pickup. `completed` is collected.
- A line is digital when its product is downloadable, and a service when it is virtual alone, which only extensions say
  of a line. An order that needs no processing is digital as a whole. One without any shipping line, without an address
  to ship to and without parcels sends nothing either: its virtual products are services.
- The billing address was given for this order; an account's own comes with its customer. A guest has no other.
- A replacement that a remedy had made bears `MARK` in its meta data, and names the order it replaces as its parent.
- Refunds have neither a date nor a status of their own there: they are paid, by the gateway or by hand, and the order's
  last change stands for when.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from activities.shops import woocommerce_payloads as payloads
from activities.shops.payloads import at_a_till, read, rounded, written
from activities.shops.payloads import text as text_of
from activities.shops.protocol import Ignored
from activities.shops.woocommerce_payloads import utc
from journey.numbers import tracking_numbers
from journey.order import LineKind
from journey.parcels import Method, ParcelStatus, pickup_number
from store.fulfilments import WHOLE_ORDER
from store.intake import (
    Event,
    OrderCancelled,
    OrderCreated,
    OrderEdited,
    OrderRefunded,
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentUpdated,
    build,
)

TRACKING: Final = "_wc_shipment_tracking_items"
MARK: Final = "_postlude"
_NOT_PLACED: Final = frozenset({"pending", "failed", "checkout-draft", "auto-draft", "draft", "new", "trash"})
_CALLED_OFF: Final = frozenset({"cancelled", "refunded"})
_PICKUP: Final = frozenset({"local_pickup", "pickup_location", "local_pickup_plus"})
_PICKUP_STATUS: Final = {
    "ready-pickup": ParcelStatus.AVAILABLE_FOR_PICKUP,
    "pickup": ParcelStatus.DELIVERED,
    "completed": ParcelStatus.DELIVERED,
    "cancelled": ParcelStatus.CANCELLED,
    "refunded": ParcelStatus.CANCELLED,
}
_DELIVERED: Final = "delivered"
_SENT: Final = frozenset({"completed", "shipped", _DELIVERED})
_LONG: Final = 7
_NO_DAY: Final = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp())
_SECONDS: Final = re.compile(r"[0-9]{1,10}")
_NAMES: Final = {
    "email": "billing.email",
    "phone": "billing.phone",
    "order_id": "id",
    "at": "date_created_gmt",
    "lines": "line_items",
    "unit_price": "total",
}
_CHANGED: Final = _NAMES | {"at": "date_modified_gmt"}


def order_events(payload: Mapping[str, Any], *, shop: str, secret_key: str) -> list[Event] | Ignored:
    """An order as canonical events, in the order in which they hold; saying them again changes nothing.

    Args:
        payload: the order, as REST API v3 writes it.
        shop: the shop's host.
        secret_key: keys the ids of guests.

    Raises:
        Malformed: names the field that is wrong, in WooCommerce's words.
    """
    order = read(payloads.Order, payload)
    status = order.status or ""
    if status in _NOT_PLACED:
        return Ignored(f"not placed: the order is {status}")
    changed = utc(order.date_modified_gmt) or utc(order.date_created_gmt)
    facts = {
        "shop": shop,
        "order_id": order.id,
        "number": order.number,
        "currency": order.currency,
        "total": order.total,
        "sums": _sums(order),
    }
    cancelled = build(OrderCancelled, {**facts, "at": changed}, names=_CHANGED) if status == "cancelled" else None
    if cancelled is not None and order.date_paid_gmt is None and order.date_completed_gmt is None:
        return [cancelled]
    lines = _lines(order)
    # A list that is not there says nothing; one that is empty by now is an edit to nothing.
    listed = isinstance(payload.get("line_items"), list)
    if not lines and listed and status not in _CALLED_OFF and changed != utc(order.date_created_gmt):
        edited = build(OrderEdited, {**facts, "at": changed, "lines": []}, names=_CHANGED)
        return [edited, *_refunds(order, facts, changed)]
    if not lines:
        return _refunds(order, facts, changed) or Ignored("no lines")
    values = {
        **facts,
        "at": utc(order.date_created_gmt),
        "channel": "pos" if at_a_till(order.created_via) else "online",
        "customer": _customer(order),
        "email": order.billing.email,
        "phone": order.billing.phone or order.shipping.phone,
        "lines": lines,
        "delivery": _delivery(order),
        "replaces": _replaced(order),
    }
    created = build(OrderCreated, values, names=_NAMES)
    customer = created.customer.identified(created.order_id, secret_key)
    events: list[Event] = [created.model_copy(update={"customer": customer})]
    if changed != values["at"] and status not in _CALLED_OFF:
        contact = {"email": created.email, "phone": created.phone}
        events.append(build(OrderEdited, {**facts, **contact, "at": changed, "lines": lines}, names=_CHANGED))
    if created.channel != "pos":
        events += _parcels(order, created, changed)
    events += _refunds(order, facts, changed)
    return events if cancelled is None else [*events, cancelled]


def _refunds(order: payloads.Order, facts: Mapping[str, Any], changed: str | None) -> list[Event]:
    """Each refund that moved money; with the last one of an order that is `refunded` all was paid back."""
    paid = [(refund, amount) for refund in order.refunds if (amount := rounded(-refund.total, order.currency)) > 0]
    names = _CHANGED | {"refund_id": "refunds.id", "amount": "refunds.total"}
    return [
        build(
            OrderRefunded,
            {
                **facts,
                "at": changed,
                "refund_id": refund.id,
                "amount": amount,
                "full": order.status == "refunded" and place == len(paid),
            },
            names=names,
        )
        for place, (refund, amount) in enumerate(paid, start=1)
    ]


def customer_of(
    address: payloads.Address, billing: payloads.Address, *, customer_id: str | None, email: str | None
) -> dict[str, Any]:
    """A person by where they live and what they pay with; WooCommerce itself asks for no consent to marketing."""
    return {
        # A guest's is 0.
        "customer_id": None if customer_id == "0" else customer_id,
        "email": email or billing.email,
        "phone": billing.phone or address.phone,
        "first_name": billing.first_name or address.first_name or "",
        "country": address.country or billing.country,
        "region": address.state if address.country else billing.state,
    }


def _customer(order: payloads.Order) -> dict[str, Any]:
    person = customer_of(order.shipping, order.billing, customer_id=order.customer_id, email=None)
    return person if person["customer_id"] is None else person | {"email": None, "phone": None}


def _replaced(order: payloads.Order) -> str | None:
    if all(meta.get("key") != MARK for meta in order.meta_data):
        return None
    return "" if order.parent_id in {None, "0"} else order.parent_id


def _lines(order: payloads.Order) -> list[dict[str, Any]]:
    return [
        {
            "sku": _sku(line),
            "title": line.name or "",
            "quantity": line.quantity,
            "unit_price": rounded((line.total + line.total_tax) / line.quantity, order.currency),
            "kind": _kind(order, line),
            "variant": _variant(line),
            "image_url": line.image.src,
        }
        for line in order.line_items
        if line.quantity > 0
    ]


def _sums(order: payloads.Order) -> dict[str, Any] | None:
    """What the total is made of, the tax in every part of it: https://woocommerce.github.io/woocommerce-rest-api-docs/.

    None where the order does not say its tax, as some plugins' copies of it.
    """
    if order.total_tax is None:
        return None
    bought = [line for line in order.line_items if line.quantity > 0]
    before = all(line.subtotal is not None for line in bought)
    fees = sum((fee.total + fee.total_tax for fee in order.fee_lines), Decimal(0))
    off = _both(order.discount_total, order.discount_tax) if before else Decimal(0)
    return {
        "lines": [
            _both(line.subtotal, line.subtotal_tax) if before else line.total + line.total_tax for line in bought
        ],
        "discount": off + max(-fees, Decimal(0)),
        "shipping": _both(order.shipping_total, order.shipping_tax),
        "fees": max(fees, Decimal(0)),
        "tax": order.total_tax,
        "tax_included": True,
    }


def _both(amount: Decimal | None, tax: Decimal | None) -> Decimal:
    return (amount or Decimal(0)) + (tax or Decimal(0))


def _variant(line: payloads.Line) -> str | None:
    """What was chosen of a product that has variations."""
    if line.variation_id in {None, "0"}:
        return None
    chosen = [one.display_value for one in line.meta_data if one.display_value and not (one.key or "_").startswith("_")]
    return " / ".join(chosen) or None


def _kind(order: payloads.Order, line: payloads.Line) -> LineKind:
    if line.downloadable or not order.needs_processing:
        return LineKind.DIGITAL
    return LineKind.SERVICE if line.virtual or not _ships(order) else LineKind.PHYSICAL


def _ships(order: payloads.Order) -> bool:
    """Whether anything about the order says that it is to be sent, or collected; a list left out says nothing."""
    told = "shipping_lines" in order.model_fields_set
    return not told or bool(order.shipping_lines) or not order.shipping.blank or bool(_tracked(order))


def _is_pickup(order: payloads.Order) -> bool:
    return bool(order.shipping_lines) and all(line.method_id in _PICKUP for line in order.shipping_lines)


def _delivery(order: payloads.Order) -> dict[str, Any]:
    titles = [line.method_title for line in order.shipping_lines if line.method_title]
    return {
        "method": Method.PICKUP if _is_pickup(order) else Method.DELIVERY,
        "title": titles[0] if titles else None,
        "address": None if order.shipping.blank else _address(order.shipping),
    }


def _address(said: payloads.Address) -> dict[str, Any]:
    return {
        "name": " ".join(part for part in (said.first_name, said.last_name) if part),
        "company": said.company,
        "street": said.address_1,
        "street2": said.address_2,
        "postcode": said.postcode,
        "city": said.city,
        "region": said.state,
        "country": said.country,
    }


def _sku(line: payloads.Line) -> str:
    """The SKU, or a name for a line that has none, the same each time."""
    if line.sku and line.sku.strip():
        return line.sku
    known = next((one for one in (line.variation_id, line.product_id) if one not in {None, "0"}), None)
    return f"product-{known}" if known else f"line-{line.id}" if line.id else "no-sku"


def _parcels(order: payloads.Order, created: OrderCreated, changed: str | None) -> list[Event]:
    """The pick-up, or every parcel a shipment-tracking extension knows."""
    common = {"shop": created.shop, "order_id": created.order_id}
    if _is_pickup(order):
        number = pickup_number(created.shop, created.order_id)
        skus = [line.sku for line in created.lines if line.kind is LineKind.PHYSICAL]
        pickup = {**common, "tracking_number": number, "at": created.at, "skus": skus, "method": Method.PICKUP}
        events: list[Event] = [build(ShipmentCreated, pickup, names=_NAMES)]
        status = _PICKUP_STATUS.get(order.status or "")
        if status is not None:
            at = utc(order.date_completed_gmt) if status is ParcelStatus.DELIVERED else None
            word = {**common, "tracking_number": number, "status": status, "at": at or changed}
            events.append(build(ShipmentUpdated, word, names=_CHANGED))
        return events
    heard = _read_moment(changed) or created.at
    completed = _read_moment(utc(order.date_completed_gmt)) or heard
    # The list is the order's whole one as of its last change: what is on it no more is none of the order's.
    whole = {**common, "fulfilment_id": WHOLE_ORDER, "said_at": max(heard, created.at)}
    found = [
        (number.written, item)
        for item in _tracked(order)
        for number in tracking_numbers(written(item.get("tracking_number")))
    ]
    numbers = [number for number, _ in found]
    # A word in a number's place says that it left all the same.
    placeholder = any(written(item.get("tracking_number")) for item in _tracked(order))
    told: list[Event] = [
        build(
            ShipmentCreated,
            {
                **whole,
                "tracking_number": number,
                "tracking_numbers": numbers,
                "at": max(_shipped(item.get("date_shipped"), heard) or completed, created.at),
                "carrier": text_of(item.get("custom_tracking_provider")) or text_of(item.get("tracking_provider")),
                "tracking_url": text_of(item.get("custom_tracking_link")),
                "skus": _inside(item.get("products_list"), order.line_items),
                "units": _counted(item.get("products_list"), order.line_items),
            },
            names={"at": "date_shipped"},
        )
        for number, item in found
    ]
    physical = any(line.kind is LineKind.PHYSICAL for line in created.lines)
    if not found and physical and (order.status in _SENT or placeholder):
        told.append(build(ShipmentCreated, {**whole, "at": max(completed, created.at)}, names=_CHANGED))
    elif not found and (order.date_completed_gmt or _lists(order)) and order.status not in _CALLED_OFF:
        told.append(build(ShipmentCancelled, {**whole, "at": whole["said_at"]}, names=_CHANGED))
    if order.status == _DELIVERED and physical:
        arrived = {**whole, "at": max(heard, created.at), "status": ParcelStatus.DELIVERED}
        named: list[str | None] = [*numbers] or [None]
        told += [build(ShipmentUpdated, {**arrived, "tracking_number": one}, names=_CHANGED) for one in named]
    return told


def _lists(order: payloads.Order) -> bool:
    """Whether an extension keeps a list of the order's parcels, be it an empty one."""
    return any(
        meta.get("key") == TRACKING and isinstance(meta.get("value"), list | Mapping) for meta in order.meta_data
    )


def _tracked(order: payloads.Order) -> Sequence[Mapping[str, Any]]:
    for meta in order.meta_data:
        if meta.get("key") == TRACKING:
            value = meta.get("value")
            given = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
            return [item for item in given if isinstance(item, Mapping)]
    return ()


def _inside(products: object, lines: Sequence[payloads.Line]) -> list[str] | None:
    """The SKUs of a parcel, where the extension says which lines are in it (Advanced Shipment Tracking does)."""
    if not isinstance(products, list):
        return None
    named = [one for one in products if isinstance(one, Mapping)]
    items = {str(one.get("item_id")) for one in named}
    goods = {str(one.get("product")) for one in named} - {"0", ""}
    return [_sku(line) for line in lines if line.id in items or {line.product_id, line.variation_id} & goods] or None


def _counted(products: object, lines: Sequence[payloads.Line]) -> list[tuple[str | None, int | None]]:
    """How many of which SKU are in a parcel, where the extension says so for each by its line (`item_id`, `qty`)."""
    skus = {line.id: _sku(line) for line in lines if line.id}
    named = [one for one in products if isinstance(one, Mapping)] if isinstance(products, list) else []
    return [(skus.get(str(one.get("item_id"))), _whole(one.get("qty"))) for one in named]


def _whole(given: object) -> int | None:
    text = str(given)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < _LONG else None


def _shipped(given: object, heard: datetime) -> datetime | None:
    """When a parcel left, in seconds since 1970, which the extensions keep as a text; None for whatever is none.

    A day's midnight stands for the day, of which the end counts, but of a day that has begun nothing after `heard`.
    """
    seconds = str(given)
    if not _SECONDS.fullmatch(seconds) or int(seconds) >= _NO_DAY:
        return None
    left = datetime.fromtimestamp(int(seconds), UTC)
    return min(left + timedelta(days=1), max(heard, left)) if left.time() == time() else left


def _read_moment(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
