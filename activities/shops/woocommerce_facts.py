"""What extensions and WooCommerce itself write about an order and its lines beside what is sold.

- A pick-up location of WooCommerce's own puts its name and address into its shipping line: `pickup_location`,
  `pickup_address` (`src/Blocks/Shipping/PickupLocation.php`).
- The day that a customer chose stands in the order's meta data: Order Delivery Date writes the seconds of its midnight,
  Iconic's Delivery Slots its digits, WooCommerce Order Delivery the day.
- WooCommerce Subscriptions makes renewals (`created_via` is `subscription`) and marks them; All Products for
  Subscriptions marks a line by its scheme.
- WooCommerce Gift Cards lists what cards paid, YITH Gift Cards keeps its sum; both take it off the total.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from activities.shops import woocommerce_payloads as payloads
from activities.shops.payloads import says_gift

_SECONDS: Final = ("_orddd_timestamp", "_orddd_lite_timestamp")
_DIGITS: Final = ("jckwds_date_ymd", "_delivery_date")
_RENEWED: Final = frozenset({"_subscription_renewal", "_subscription_resubscribe", "_subscription_switch"})
_SCHEME: Final = "_wcsatt_scheme"
_YITH: Final = "_ywgc_applied_gift_cards_totals"
_DAY: Final = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)")
_LONGEST_SECONDS: Final = 10
_MOST: Final = 10**12


def pickup_point(order: payloads.Order) -> Mapping[str, Any] | None:
    """Where it is fetched, where its only shipping line says so."""
    if len(order.shipping_lines) != 1:
        return None
    said = {one.key: one.value for one in order.shipping_lines[0].meta_data if one.value}
    name, street = said.get("pickup_location"), said.get("pickup_address")
    return {"name": name, "address": {"street": street}} if name or street else None


def promised(order: payloads.Order) -> date | None:
    """The day that its customer chose for it."""
    for key in (*_SECONDS, *_DIGITS):
        text = _noted(order, key)
        found = _DAY.fullmatch(text)
        try:
            if key in _SECONDS and text.isdecimal() and len(text) <= _LONGEST_SECONDS:
                return datetime.fromtimestamp(int(text), UTC).date()
            if key in _DIGITS and found:
                return date(*map(int, found.groups()))
        except (ValueError, OverflowError):
            continue
    return None


def is_of_a_subscription(order: payloads.Order, line: payloads.Line) -> bool:
    """Whether it comes again by itself."""
    renewed = any(isinstance(key := meta.get("key"), str) and key in _RENEWED for meta in order.meta_data)
    return order.created_via == "subscription" or renewed or any(one.key == _SCHEME for one in line.meta_data)


def is_gift(line: payloads.Line) -> bool:
    """Whether it is wrapped or has a card for somebody else."""
    return any(says_gift(one.key, one.value) for one in line.meta_data)


def paid_with_cards(order: payloads.Order) -> Decimal:
    """What gift cards paid of the order."""
    listed = sum((card.amount for card in order.gift_cards), Decimal(0))
    try:
        known = Decimal(_noted(order, _YITH) or 0)
    except InvalidOperation:
        known = Decimal(0)
    return listed or (known if known.is_finite() and 0 < known < _MOST else Decimal(0))


def _noted(order: payloads.Order, key: str) -> str:
    """What the order's meta data say under a key, as a text; empty for nothing."""
    value = next((meta.get("value") for meta in order.meta_data if meta.get("key") == key), None)
    return str(value).strip() if type(value) in {str, int, float} else ""
