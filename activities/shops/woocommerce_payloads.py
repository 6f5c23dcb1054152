"""The parts of WooCommerce's payloads that are read (REST API v3), with its names, so that an error names its field.

https://developer.woocommerce.com/docs/apis/rest-api/v3/orders/ and …/customers/. The dates that end in `_gmt` are UTC
and say so nowhere else.
"""

import re
from decimal import Decimal
from html import unescape
from typing import Annotated

from pydantic import BeforeValidator, Field

from activities.shops.payloads import At, Count, Id, Many, MaybeId, Objects, Payload, Text, Whole, Written, text
from store.fields import Amount
from store.reading import TELLING


def utc(said: str | None) -> str | None:
    """One of the dates that are UTC, saying so."""
    if not isinstance(said, str) or _OFFSET.search(said):
        return said
    return f"{said}+00:00"


def _plain(value: object) -> str | None:
    return text(unescape(value)) if isinstance(value, str) else None


Shown = Annotated[str | None, BeforeValidator(_plain)]
"""A text as its customer reads it: WordPress writes `&ndash;` and `&amp;` into names."""
_OFFSET = re.compile(r"(?:Z|[+-]\d\d:?\d\d)$")
_Utc = Annotated[At, BeforeValidator(utc)]


class Address(Payload):
    """`billing` or `shipping`; an empty field is an empty text. E-mail addresses stand in `billing` alone."""

    first_name: Text = None
    country: Text = None
    state: Text = None
    email: Text = None
    phone: Text = None
    last_name: Text = None
    company: Text = None
    address_1: Text = None
    address_2: Text = None
    city: Text = None
    postcode: Text = None

    @property
    def blank(self) -> bool:
        """Whether nobody could send anything there."""
        return not any((self.first_name, self.address_1, self.address_2, self.city, self.postcode, self.country))


class Image(Payload):
    """A line's picture."""

    src: Text = None


class Option(Payload):
    """One of the `meta_data` of a line; what the customer chose has a key that does not begin with an underscore."""

    key: Text = None
    value: Written | None = None
    display_value: Shown = None


class Line(Payload):
    """One of `line_items`. `total` and `total_tax` are what all of it cost after discounts.

    `subtotal` is before them.

    A quantity may be less than nought, of a line that takes something back. `virtual` and `downloadable` are the
    product's; WooCommerce itself does not repeat them here, extensions may.
    """

    id: MaybeId = None
    product_id: MaybeId = None
    variation_id: MaybeId = None
    sku: MaybeId = None
    name: Shown = None
    quantity: Whole = 1
    total: Amount = Decimal(0)
    total_tax: Amount = Decimal(0)
    subtotal: Amount | None = None
    subtotal_tax: Amount | None = None
    virtual: bool = False
    downloadable: bool = False
    image: Image = Image()
    meta_data: Many[Option]


class Shipping(Payload):
    """One of `shipping_lines`; the title is what the customer chose."""

    method_id: Text = None
    method_title: Shown = None
    meta_data: Many[Option]


class Fee(Payload):
    """One of `fee_lines`; one that takes something off is negative."""

    total: Annotated[Decimal, Field(gt=-(10**12), lt=10**12)] = Decimal(0)
    total_tax: Annotated[Decimal, Field(gt=-(10**12), lt=10**12)] = Decimal(0)


class GiftCard(Payload):
    """One of the `gift_cards` that WooCommerce Gift Cards adds; what it paid is in the order's total no more."""

    amount: Amount


class Refund(Payload):
    """One of an order's `refunds`; `total` is negative, and nothing says when."""

    id: Id
    total: Annotated[Decimal, Field(gt=-(10**12), lt=10**12)]


class ShippedLine(Payload):
    """One of a shipment's `items`, by the order's line."""

    order_item_id: MaybeId = None
    quantity: Count | None = None


class Shipment(Payload):
    """One of the `shipments` that Germanized and Shiptastic add to an order."""

    id: MaybeId = None
    type: Text = None
    status: Text = None
    tracking_id: Written | None = None
    tracking_url: Text = None
    shipping_provider: Text = None
    date_sent_gmt: Text = None
    items: Many[ShippedLine]


class Order(Payload):
    """An order. `number` is the id, or what a plugin puts in its place.

    `needs_processing` is false when every product of it is virtual and downloadable; unsaid it is true. What is virtual
    alone, a course or an appointment, needs processing and is sent to nobody.
    """

    id: Id
    number: MaybeId = None
    parent_id: MaybeId = None
    status: Text = None
    currency: Text = None
    total: Amount
    discount_total: Amount | None = None
    discount_tax: Amount | None = None
    shipping_total: Amount | None = None
    shipping_tax: Amount | None = None
    total_tax: Amount | None = None
    fee_lines: Many[Fee]
    gift_cards: Many[GiftCard]
    created_via: Text = None
    customer_id: MaybeId = None
    date_created_gmt: _Utc | None = None
    date_modified_gmt: _Utc | None = None
    date_paid_gmt: _Utc | None = None
    date_completed_gmt: _Utc | None = None
    needs_processing: bool = True
    billing: Address = Address()
    shipping: Address = Address()
    line_items: Many[Line]
    shipping_lines: Annotated[Many[Shipping], TELLING]
    refunds: Many[Refund]
    meta_data: Objects
    shipments: Many[Shipment]
    shipping_status: Text = None


class Deleted(Payload):
    """`order.deleted`."""

    id: Id


class Customer(Payload):
    """An account."""

    id: Id
    email: Text = None
    first_name: Text = None
    date_created_gmt: _Utc | None = None
    date_modified_gmt: _Utc | None = None
    billing: Address = Address()
    shipping: Address = Address()
