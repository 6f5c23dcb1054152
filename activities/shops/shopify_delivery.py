"""How a Shopify order comes to its customer: sent, or collected in the shop's store (Admin REST, "Order").

An order says nowhere outright that it is collected. These say it:

- a `delivery_category` of a shipping line: `pickup`, as apps write it that bring rates of their own. Shopify's own
  local pick-up leaves it null (https://community.shopify.com/t/117153);
- shipping lines of Shopify's own (`source` is `shopify`; the `code` is then the location's name) on an order that has
  no shipping address: a checkout of Shopify's sends nothing without one;
- the note attribute `Checkout-Method`, which pick-up apps write (https://docs.zapiet.com/guides/note-attributes).
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from activities.shops import shopify_payloads as payloads
from journey.parcels import Method

_COLLECTED: Final = frozenset({"pickup", "localpickup", "storepickup"})
_SHOPIFY: Final = "shopify"
_ASKED: Final = "checkoutmethod"


def delivery(order: payloads.Order) -> Mapping[str, Any]:
    """How the order comes, as `OrderCreated.delivery` has it."""
    titles = [line.title for line in order.shipping_lines if line.title]
    collected = _collected(order)
    # A pick-up of Shopify's own is called by its place.
    own = {line.title for line in order.shipping_lines if line.title and _word(line.source) == _SHOPIFY}
    place = {"name": own.pop()} if collected and len(own) == 1 else None
    return {
        "method": Method.PICKUP if collected else Method.DELIVERY,
        "title": titles[0] if titles else None,
        "pickup_point": order.delivery_point or place,
        "address": None if order.shipping_address is None else _address(order.shipping_address),
    }


def _address(said: payloads.Address) -> Mapping[str, Any]:
    return {
        "name": " ".join(part for part in (said.first_name, said.last_name) if part),
        "company": said.company,
        "street": said.address1,
        "street2": said.address2,
        "postcode": said.zip,
        "city": said.city,
        "region": said.province_code,
        "country": said.country_code,
    }


def _collected(order: payloads.Order) -> bool:
    said = {_word(note.value) for note in order.note_attributes if _word(note.name) == _ASKED}
    said |= {_word(line.delivery_category) for line in order.shipping_lines}
    if said & _COLLECTED:
        return True
    own = [_word(line.source) == _SHOPIFY for line in order.shipping_lines]
    return bool(own) and all(own) and order.shipping_address is None


def _word(text: str | None) -> str:
    return re.sub(r"[^a-z]", "", text.lower()) if text else ""
