"""Whether a Shopify body is one of the topic and shop that its headers name.

Only the body is signed. Whoever has seen one body could send it again under another topic or for another shop, so what
is done goes by what the body itself says, as far as it says it.

Bodies: https://shopify.dev/docs/api/admin-rest/latest/resources/webhook and
https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from activities.shops.protocol import Malformed

_KINDS: Final = {
    "orders": "Order",
    "fulfillments": "Fulfillment",
    "fulfillment_events": "FulfillmentEvent",
    "refunds": "Refund",
    "customers": "Customer",
}
"""What a topic's body is about, as its `admin_graphql_api_id` says: `gid://shopify/Order/1`."""
_NOT_OF_A_REDACTION: Final = ("orders_requested", "data_request")
_NOT_OF_A_REQUEST: Final = ("orders_to_redact",)
_OF_A_PERSON: Final = ("customer", "orders_to_redact", *_NOT_OF_A_REDACTION)
_STORE: Final = ".myshopify.com"


def check_privacy(topic: str, shop: str, payload: Mapping[str, Any]) -> None:
    """Refuse a body that is not of this privacy topic, or not of the shop in the header.

    Raises:
        Malformed: names the field.
    """
    domain = payload.get("shop_domain")
    if not isinstance(domain, str) or not domain.strip():
        raise Malformed("shop_domain", "must name the shop")
    if shop and domain.strip().lower() != shop.lower():
        raise Malformed("shop_domain", "is not the shop of X-Shopify-Shop-Domain")
    others = {
        "shop/redact": _OF_A_PERSON,
        "customers/redact": _NOT_OF_A_REDACTION,
        "customers/data_request": _NOT_OF_A_REQUEST,
    }
    for field in others.get(topic, ()):
        if payload.get(field) is not None:
            raise Malformed(field, f"is no part of {topic}")


def check(topic: str, shop: str, payload: Mapping[str, Any]) -> None:
    """Refuse a body that says it is of another kind than the topic's, or of another shop than the header's.

    Raises:
        Malformed: names the field.
    """
    kind = _KINDS.get(topic.partition("/")[0])
    said = payload.get("admin_graphql_api_id")
    if kind is not None and isinstance(said, str) and said.startswith("gid://shopify/"):
        found = said.removeprefix("gid://shopify/").partition("/")[0]
        if found != kind:
            raise Malformed("admin_graphql_api_id", f"is of no {kind}, as X-Shopify-Topic has it")
    if topic == "orders/delete" and payload.get("line_items"):
        # What was deleted is told by its id alone.
        raise Malformed("line_items", "is no part of orders/delete")
    host = _host(payload.get("order_status_url"))
    if host is not None and host.endswith(_STORE) and shop.lower().endswith(_STORE) and host != shop.lower():
        raise Malformed("order_status_url", "is not of the shop of X-Shopify-Shop-Domain")


def _host(address: object) -> str | None:
    try:
        return urlsplit(address).hostname if isinstance(address, str) else None
    except ValueError:
        return None
