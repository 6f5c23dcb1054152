"""What a WooCommerce order says, whoever brought it: its webhook or its REST API, which send the same (v3).

https://developer.woocommerce.com/docs/apis/rest-api/v3/orders/

- An order is placed when its customer has paid or promised to: `pending` waits for the checkout's payment. `failed` did
  not get it: an order that was placed before, by invoice say, is then not to be sent; nor is one in the trash. One that
  was cancelled without a payment may never have been placed, so only its end is told.
- A price of a line is what was paid for one, tax and discounts in it, since that is what a refund pays back.
- Parcels are what extensions keep of them, see `woocommerce_parcels`.
- An order whose every shipping line is a local pick-up (`local_pickup`, `pickup_location`, `local_pickup_plus`) is
  collected in the store. WooCommerce has no word for ready; the statuses `ready-pickup` and `pickup` are those of the
  extension Advanced Local Pickup. `completed` is collected.
- A line is digital when its product is downloadable, and a service when it is virtual alone, which only extensions say
  of a line. An order that needs no processing is digital as a whole. One without any shipping line, without an address
  to ship to and without parcels sends nothing either: its virtual products are services.
- The billing address was given for this order; an account's own comes with its customer. A guest has no other.
- A replacement that a remedy had made bears `MARK` in its meta data, and names the order it replaces as its parent.
- Refunds have neither a date nor a status of their own there: they are paid, by the gateway or by hand, and the order's
  last change stands for when. The newest stands first. An order may be `refunded` without any, by hand.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from activities.shops import woocommerce_payloads as payloads
from activities.shops.payloads import ALL_BACK, at_a_till, read, rounded
from activities.shops.protocol import Ignored
from activities.shops.woocommerce_facts import (
    is_gift,
    is_of_a_subscription,
    paid_with_cards,
    pickup_point,
    promised,
)
from activities.shops.woocommerce_parcels import has_parcels, is_pickup, parcels, sku_of, status_of
from activities.shops.woocommerce_payloads import utc
from journey.order import LineKind
from journey.parcels import Method
from store.intake import (
    Event,
    OrderCancelled,
    OrderCreated,
    OrderEdited,
    OrderRefunded,
    OrderWithdrawn,
    build,
)

MARK: Final = "_postlude"
_NOT_PLACED: Final = frozenset({"pending", "checkout-draft", "auto-draft", "draft", "new"})
_WITHDRAWN: Final = frozenset({"failed", "trash"})
_CALLED_OFF: Final = frozenset({"cancelled", "refunded"})
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
    status = status_of(order)
    if status in _WITHDRAWN:
        changed = utc(order.date_modified_gmt) or utc(order.date_created_gmt)
        return [build(OrderWithdrawn, {"shop": shop, "order_id": order.id, "at": changed}, names=_CHANGED)]
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
        "estimated_delivery": promised(order),
        "replaces": _replaced(order),
    }
    created = build(OrderCreated, values, names=_NAMES)
    customer = created.customer.identified(created.order_id, secret_key)
    events: list[Event] = [created.model_copy(update={"customer": customer})]
    if changed != values["at"] and status not in _CALLED_OFF:
        contact = {"email": created.email, "phone": created.phone}
        events.append(build(OrderEdited, {**facts, **contact, "at": changed, "lines": lines}, names=_CHANGED))
    if created.channel != "pos":
        events += parcels(order, created, changed)
    events += _refunds(order, facts, changed)
    return events if cancelled is None else [*events, cancelled]


def _refunds(order: payloads.Order, facts: Mapping[str, Any], changed: str | None) -> list[Event]:
    """Each refund that moved money; with the last one of an order that is `refunded` all was paid back.

    They do not say what they are of: only where they come to all that the goods cost, the last is of all goods.
    """
    paid = [(refund, amount) for refund in order.refunds if (amount := rounded(-refund.total, order.currency)) > 0]
    whole = status_of(order) == "refunded"
    if whole and not paid:
        values = {**facts, "at": changed, "refund_id": ALL_BACK, "amount": 0, "full": True}
        return [build(OrderRefunded, values, names=_CHANGED)]
    names = _CHANGED | {"refund_id": "refunds.id", "amount": "refunds.total"}
    bought = [line for line in order.line_items if line.quantity > 0]
    worth = rounded(sum((line.total + line.total_tax for line in bought), Decimal(0)), order.currency)
    goods = [(sku_of(line), line.quantity) for line in bought] if sum(amount for _, amount in paid) >= worth > 0 else []
    return [
        build(
            OrderRefunded,
            {
                **facts,
                "at": changed,
                "refund_id": refund.id,
                "amount": amount,
                "full": whole and place == 0,
                "units": goods if place == 0 else [],
                "said_at": changed,
            },
            names=names,
        )
        for place, (refund, amount) in enumerate(paid)
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
            "sku": sku_of(line),
            "title": line.name or "",
            "quantity": line.quantity,
            "unit_price": rounded((line.total + line.total_tax) / line.quantity, order.currency),
            "kind": _kind(order, line),
            "variant": _variant(line),
            "image_url": line.image.src,
            "gift": is_gift(line),
            "subscription": is_of_a_subscription(order, line),
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
    cards = paid_with_cards(order)
    return {
        "total": order.total + cards if cards else None,
        "gift_cards": cards or None,
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
    return not told or bool(order.shipping_lines) or not order.shipping.blank or has_parcels(order)


def _delivery(order: payloads.Order) -> dict[str, Any]:
    titles = [line.method_title for line in order.shipping_lines if line.method_title]
    return {
        "method": Method.PICKUP if is_pickup(order) else Method.DELIVERY,
        "title": titles[0] if titles else None,
        "pickup_point": pickup_point(order) if is_pickup(order) else None,
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
