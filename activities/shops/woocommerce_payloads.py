"""The parts of WooCommerce's payloads that are read (REST API v3), with its names, so that an error names its field.

https://developer.woocommerce.com/docs/apis/rest-api/v3/orders/ and …/customers/. The dates that end in `_gmt` are UTC
and say so nowhere else.
"""

import math
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field

from activities.shops.payloads import Id, MaybeId, Objects, Payload, Text
from store.fields import Amount

# What is sold by the metre or the kilogram has quantities in between; the next whole one stands for it.
_Quantity = Annotated[
    int, BeforeValidator(lambda value: math.ceil(value) if isinstance(value, float) and math.isfinite(value) else value)
]


class Address(Payload):
    """`billing` or `shipping`; an empty field is an empty text. E-mail addresses stand in `billing` alone."""

    first_name: Text = None
    country: Text = None
    state: Text = None
    email: Text = None
    phone: Text = None


class Line(Payload):
    """One of `line_items`. `total` and `total_tax` are what all of it cost after discounts.

    `virtual` and `downloadable` are the product's; WooCommerce itself does not repeat them here, extensions may.
    """

    id: MaybeId = None
    product_id: MaybeId = None
    variation_id: MaybeId = None
    sku: Text = None
    name: Text = None
    quantity: _Quantity
    total: Amount
    total_tax: Amount = Decimal(0)
    virtual: bool = False
    downloadable: bool = False


class Shipping(Payload):
    """One of `shipping_lines`."""

    method_id: Text = None


class Refund(Payload):
    """One of an order's `refunds`; `total` is negative, and nothing says when."""

    id: Id
    total: Annotated[Decimal, Field(gt=-(10**12), lt=10**12)]


class Order(Payload):
    """An order. `needs_processing` is false when every product of it is virtual and downloadable."""

    id: Id
    parent_id: MaybeId = None
    status: Text = None
    currency: Text = None
    total: Amount
    created_via: Text = None
    customer_id: MaybeId = None
    date_created_gmt: Text = None
    date_modified_gmt: Text = None
    date_paid_gmt: Text = None
    date_completed_gmt: Text = None
    needs_processing: bool = True
    billing: Address = Address()
    shipping: Address = Address()
    line_items: list[Line]
    shipping_lines: list[Shipping] = Field(default_factory=list)
    refunds: list[Refund] = Field(default_factory=list)
    meta_data: Objects


class Customer(Payload):
    """An account."""

    id: Id
    email: Text = None
    first_name: Text = None
    date_created_gmt: Text = None
    date_modified_gmt: Text = None
    billing: Address = Address()
    shipping: Address = Address()
