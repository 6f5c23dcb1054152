"""The parts of Shopify's payloads that are read, with Shopify's names, so that an error names Shopify's field."""

from decimal import Decimal
from typing import Any, Final

from activities.shops.payloads import At, Count, Estimate, Id, Many, MaybeId, Payload, Text, Written
from store.fields import Amount

TAG: Final = "postlude-replacement"
"""Of an order that a remedy had made; a draft's tags become its order's
(https://help.shopify.com/en/manual/shopify-flow/reference/actions/add-draft-order-tags)."""


class Consent(Payload):
    """`subscribed`, `not_subscribed`, `unsubscribed`, `pending`, `invalid` or `redacted`, and since when."""

    state: Text = None
    consent_updated_at: At | None = None


class Address(Payload):
    """Where it goes."""

    country_code: Text = None
    province_code: Text = None
    first_name: Text = None
    last_name: Text = None
    company: Text = None
    address1: Text = None
    address2: Text = None
    zip: Text = None
    city: Text = None
    phone: Text = None


class Customer(Payload):
    """Who bought; absent for some orders of the point of sale. Without consents since API version 2025-01."""

    id: MaybeId = None
    email: Text = None
    phone: Text = None
    first_name: Text = None
    orders_count: int | None = None
    updated_at: At | None = None
    default_address: Address | None = None
    email_marketing_consent: Consent | None = None
    sms_marketing_consent: Consent | None = None


class EmailConsent(Payload):
    """`customers_email_marketing_consent/update`."""

    customer_id: Id
    email_marketing_consent: Consent = Consent()


class SmsConsent(Payload):
    """`customers_marketing_consent/update`; `id` is the customer's."""

    id: Id
    sms_marketing_consent: Consent = Consent()


class Person(Payload):
    """Whom a privacy webhook is about; in some cases only by their e-mail address."""

    id: MaybeId = None
    email: Text = None


class Requested(Payload):
    """The request behind `customers/data_request`."""

    id: MaybeId = None


class Privacy(Payload):
    """`customers/data_request`, `customers/redact`, `shop/redact`."""

    shop_domain: Text = None
    customer: Person = Person()
    data_request: Requested = Requested()


class Amounts(Payload):
    """An amount in one currency."""

    amount: Amount | None = None
    currency_code: Text = None


class Moneys(Payload):
    """An amount for the shop, and as the customer was shown and charged it."""

    shop_money: Amounts = Amounts()
    presentment_money: Amounts = Amounts()


class Note(Payload):
    """One of an order's `note_attributes`, or of a line's `properties`."""

    name: Text = None
    value: Text = None


class Line(Payload):
    """A line of an order or a fulfilment; `current_quantity` is what edits and refunds have left of it.

    Without a word about shipping it is a thing that is sent. `product_url`, `image_url` and `subscription` are ours:
    only the API knows them.
    """

    id: MaybeId = None
    variant_id: MaybeId = None
    product_id: MaybeId = None
    sku: MaybeId = None
    title: Text = None
    name: Text = None
    quantity: Count = 1
    current_quantity: Count | None = None
    price: Amount = Decimal(0)
    price_set: Moneys = Moneys()
    requires_shipping: bool = True
    gift_card: bool = False
    product_type: Text = None
    variant_title: Text = None
    product_url: Text = None
    image_url: Text = None
    subscription: bool = False
    properties: Many[Note]

    @property
    def now(self) -> int:
        """The quantity that is left."""
        return self.quantity if self.current_quantity is None else self.current_quantity


class Transaction(Payload):
    """Money that moved, or is to; a refund has kind `refund`. One may take the place of its `parent_id`."""

    id: MaybeId = None
    parent_id: MaybeId = None
    kind: Text = None
    status: Text = None
    amount: Amount
    currency: Text = None


class RefundedLine(Payload):
    """One of a refund's `refund_line_items`."""

    quantity: Count = 0
    line_item_id: MaybeId = None
    line_item: Line | None = None


class Refunded(Payload):
    """A refund as an order carries it."""

    id: MaybeId = None
    created_at: At | None = None
    processed_at: At | None = None
    refund_line_items: Many[RefundedLine]
    transactions: Many[Transaction]


class Shipping(Payload):
    """One of an order's `shipping_lines`; the `title` is what the customer chose."""

    title: Text = None
    source: Text = None
    delivery_category: Text = None


class Fulfilment(Payload):
    """`fulfillments/create` and `fulfillments/update`.

    `said_at` is ours: when the API said it, where `updated_at` is since when the parcel is on its way or delivered.
    """

    id: MaybeId = None
    said_at: Text = None
    order_id: Id
    status: Text = None
    shipment_status: Text = None
    created_at: At | None = None
    updated_at: At | None = None
    tracking_company: Text = None
    tracking_number: Written | None = None
    tracking_numbers: Many[Written]
    tracking_url: Text = None
    tracking_urls: Many[Text]
    estimated_delivery_at: Estimate | None = None
    line_items: Many[Line]


class Fulfilled(Payload):
    """An order as far as `orders/fulfilled` and `orders/partially_fulfilled` need it."""

    id: MaybeId = None
    created_at: At | None = None
    updated_at: At | None = None
    source_name: Text = None
    line_items: Many[Line]
    shipping_lines: Many[Shipping]
    fulfillment_status: Text = None
    fulfillments: Many[Fulfilment]


class Order(Fulfilled):
    """An order as `orders/create` and `orders/updated` send it; `tags` are divided by commas.

    `delivery_point` and `promised` are ours: only the API knows them.
    """

    id: Id
    name: Text = None
    cancelled_at: At | None = None
    currency: Text = None
    total_price: Amount
    current_total_price: Amount | None = None
    total_price_set: Moneys = Moneys()
    current_total_price_set: Moneys = Moneys()
    total_discounts_set: Moneys = Moneys()
    current_total_discounts_set: Moneys = Moneys()
    total_shipping_price_set: Moneys = Moneys()
    current_shipping_price_set: Moneys = Moneys()
    total_tax_set: Moneys = Moneys()
    current_total_tax_set: Moneys = Moneys()
    original_total_duties_set: Moneys = Moneys()
    current_total_duties_set: Moneys = Moneys()
    taxes_included: bool | None = None
    total_tip_received: Amount | None = None
    tags: Text = None
    test: bool = False
    email: Text = None
    contact_email: Text = None
    phone: Text = None
    customer_locale: Text = None
    buyer_accepts_marketing: bool | None = None
    customer: Customer | None = None
    shipping_address: Address | None = None
    billing_address: Address | None = None
    note_attributes: Many[Note]
    delivery_point: Any = None
    promised: Any = None
    financial_status: Text = None
    refunds: Many[Refunded]


class Cancelled(Payload):
    """An order as far as `orders/cancelled` needs it."""

    id: Id
    test: bool = False
    cancelled_at: At | None = None
    updated_at: At | None = None
    financial_status: Text = None
    refunds: Many[Refunded]


class Deleted(Payload):
    """`orders/delete`."""

    id: Id


class Refund(Refunded):
    """`refunds/create`."""

    id: Id
    order_id: Id


class Edit(Payload):
    """What `orders/edited` says under `order_edit`: the order, and when it was changed for good (since 2024-07)."""

    order_id: Id
    created_at: At | None = None
    committed_at: At | None = None


class Edited(Payload):
    """`orders/edited`; its lines are differences, so it does not say how the order stands."""

    order_edit: Edit


class Happened(Payload):
    """`fulfillment_events/create`: a fulfilment of an order by its own id, without its tracking number."""

    order_id: Id
    fulfillment_id: MaybeId = None
    status: Text = None
    happened_at: At | None = None
    created_at: At | None = None
    estimated_delivery_at: Estimate | None = None
