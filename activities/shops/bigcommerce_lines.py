"""A BigCommerce order's products as lines: https://developer.bigcommerce.com/docs/rest-management/orders/order-products.

Bundled products (`parent_order_product_id`) come with the one they belong to. What is wrapped, or has a message on its
wrapping, is a gift. An order's product has neither a picture nor an address.
"""

from decimal import Decimal
from typing import Any

from activities.shops.payloads import Many, MaybeId, Payload, Text, Whole, rounded
from journey.order import LineKind
from store.fields import Amount


class Option(Payload):
    """One of a product's `product_options`: what was chosen."""

    display_value: Text = None


class Product(Payload):
    """One of an order's products."""

    id: MaybeId = None
    product_id: MaybeId = None
    variant_id: MaybeId = None
    parent_order_product_id: MaybeId = None
    sku: MaybeId = None
    name: Text = None
    type: Text = None
    quantity: Whole = 1
    price_inc_tax: Amount = Decimal(0)
    total_inc_tax: Amount | None = None
    product_options: Many[Option]
    wrapping_name: Text = None
    wrapping_message: Text = None


def is_sold(product: Product) -> bool:
    """Whether it is a line of its own."""
    return product.quantity > 0 and product.parent_order_product_id in {None, "0"}


def line_of(product: Product, currency: str | None, *, travels: bool) -> dict[str, Any]:
    """The product as a canonical line; `travels` where anything of its order is sent or collected."""
    return {
        "sku": sku_of(product),
        "title": product.name or "",
        "quantity": product.quantity,
        "unit_price": rounded(product.price_inc_tax, currency),
        "kind": _kind(product, travels=travels),
        "variant": " / ".join(one.display_value for one in product.product_options if one.display_value) or None,
        "gift": bool(product.wrapping_name or product.wrapping_message),
    }


def _kind(product: Product, *, travels: bool) -> LineKind:
    """A gift certificate is mailed by BigCommerce itself."""
    if product.type in {None, "physical"}:
        return LineKind.PHYSICAL if travels else LineKind.SERVICE
    return LineKind.DIGITAL if product.type == "digital" else LineKind.SERVICE


def sku_of(product: Product) -> str:
    """The SKU, or a name for a product that has none, the same each time."""
    if product.sku and product.sku.strip():
        return product.sku
    known = next((one for one in (product.variant_id, product.product_id) if one not in {None, "0"}), None)
    return f"product-{known}" if known else f"line-{product.id}" if product.id else "no-sku"
