"""Canonical events about people's rights and about orders that changed without saying how."""

from typing import Literal

from pydantic import ConfigDict

from store.fields import Identifier, Moment, OrderId, Shop
from store.reading import Lenient


class _Edge(Lenient):
    model_config = ConfigDict(frozen=True)


class OrderChanged(_Edge):
    """The shop says that an order changed and not how: it is read from the shop's API when this is dispatched."""

    type: Literal["order.changed"] = "order.changed"
    at: Moment
    shop: Shop
    order_id: OrderId

    @property
    def subject(self) -> str:
        """What the inbox keeps the order of events for; not the order's own, which must not wait for an API."""
        return f"changed:{self.shop}:{self.order_id}"


class CustomerDataRequested(_Edge):
    """A customer asks what is kept of them; `request_id` is the shop's."""

    type: Literal["customer.data_requested"] = "customer.data_requested"
    at: Moment
    shop: Shop
    customer_id: Identifier
    request_id: Identifier | None = None

    @property
    def subject(self) -> str:
        """What the inbox keeps the order of events for: `customer:{shop}:{customer_id}`."""
        return f"customer:{self.shop}:{self.customer_id}"


class CustomerRedacted(_Edge):
    """A customer is to be forgotten, with every order."""

    type: Literal["customer.redacted"] = "customer.redacted"
    at: Moment
    shop: Shop
    customer_id: Identifier

    @property
    def subject(self) -> str:
        """What the inbox keeps the order of events for: `customer:{shop}:{customer_id}`."""
        return f"customer:{self.shop}:{self.customer_id}"


class ShopRedacted(_Edge):
    """A shop has left: everybody of it is to be forgotten."""

    type: Literal["shop.redacted"] = "shop.redacted"
    at: Moment
    shop: Shop

    @property
    def subject(self) -> str:
        """What the inbox keeps the order of events for: `shop:{shop}`."""
        return f"shop:{self.shop}"
