"""The parts of Shopify's payloads that are read, with Shopify's names, so that an error names Shopify's field."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from store.fields import Amount

# Many fields are null where a shop left them empty.
_Text = Annotated[str | None, BeforeValidator(lambda value: value if isinstance(value, str) else None)]
_Id = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) in {int, str} else value)]
_MaybeId = Annotated[str | None, BeforeValidator(lambda value: str(value) if type(value) in {int, str} else None)]


class _Payload(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Consent(_Payload):
    """`subscribed`, `not_subscribed`, `unsubscribed`, `pending`, `invalid` or `redacted`."""

    state: _Text = None


class Customer(_Payload):
    """Who bought; absent for some orders of the point of sale."""

    id: _MaybeId = None
    email: _Text = None
    phone: _Text = None
    first_name: _Text = None
    orders_count: int | None = None
    email_marketing_consent: Consent | None = None
    sms_marketing_consent: Consent | None = None


class Address(_Payload):
    """Where it goes, as far as it is needed."""

    country_code: _Text = None
    province_code: _Text = None
    first_name: _Text = None
    phone: _Text = None


class Line(_Payload):
    """A line of an order or a fulfilment; `current_quantity` is what edits and refunds have left of it."""

    id: _MaybeId = None
    variant_id: _MaybeId = None
    product_id: _MaybeId = None
    sku: _Text = None
    title: _Text = None
    name: _Text = None
    quantity: int = 1
    current_quantity: int | None = None
    price: Amount | None = None
    requires_shipping: bool = True
    product_type: _Text = None

    @property
    def now(self) -> int:
        """The quantity that is left."""
        return self.quantity if self.current_quantity is None else self.current_quantity


class Transaction(_Payload):
    """Money that moved; a refund has kind `refund`."""

    kind: _Text = None
    status: _Text = None
    amount: Amount
    currency: _Text = None


class Refunded(_Payload):
    """A refund as an order carries it."""

    transactions: list[Transaction] = []


class Order(_Payload):
    """An order as `orders/create` and `orders/updated` send it."""

    id: _Id
    created_at: _Text = None
    updated_at: _Text = None
    currency: _Text = None
    total_price: Amount
    current_total_price: Amount | None = None
    source_name: _Text = None
    email: _Text = None
    contact_email: _Text = None
    phone: _Text = None
    customer_locale: _Text = None
    buyer_accepts_marketing: bool | None = None
    customer: Customer | None = None
    shipping_address: Address | None = None
    billing_address: Address | None = None
    line_items: list[Line]
    refunds: list[Refunded] = []


class Cancelled(_Payload):
    """An order as far as `orders/cancelled` needs it."""

    id: _Id
    cancelled_at: _Text = None
    updated_at: _Text = None


class Refund(Refunded):
    """`refunds/create`."""

    id: _Id
    order_id: _Id
    created_at: _Text = None
    processed_at: _Text = None


class Fulfilment(_Payload):
    """`fulfillments/create` and `fulfillments/update`."""

    order_id: _Id
    status: _Text = None
    shipment_status: _Text = None
    created_at: _Text = None
    updated_at: _Text = None
    tracking_company: _Text = None
    tracking_number: _Text = None
    tracking_numbers: list[str] = []
    estimated_delivery_at: _Text = None
    line_items: list[Line] = []
