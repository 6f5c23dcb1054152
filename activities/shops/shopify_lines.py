"""What a Shopify line is beside its goods: a gift, or a part of a subscription.

No field of a webhook says either. These say it:

- a recurring order of Shopify's own subscriptions comes from `subscription_contract` (`source_name`, see
  https://shopify.dev/docs/apps/build/purchase-options/subscriptions); the API knows a line's selling plan;
- subscription apps tag their orders (`Subscription`, `Subscription First Order`, `Subscription Recurring Order`), and
  write how often a line comes into its properties (`shipping_interval_frequency`, `subscription_id`):
  https://docs.getrecharge.com/docs/order-tags;
- gift apps write whether a line is wrapped, or what to write on its card, into a property that begins with `gift`.
"""

import re
from typing import Final

from activities.shops import shopify_payloads as payloads
from activities.shops.payloads import says_gift

_FROM_A_CONTRACT: Final = "subscription_contract"
_TAG: Final = "subscription"
_EVERY: Final = frozenset({"shippingintervalfrequency", "subscriptionid", "sellingplan"})


def is_of_a_subscription(order: payloads.Order, line: payloads.Line) -> bool:
    """Whether it comes again by itself; a tag of an order of several lines does not say which of them."""
    source, tags = (order.source_name or "").lower(), (order.tags or "").lower().split(",")
    if source.startswith(_FROM_A_CONTRACT) or any(_word(one.name) in _EVERY and one.value for one in line.properties):
        return True
    alone = len(order.line_items) == 1
    return alone and any(tag.strip().startswith(_TAG) for tag in tags)


def is_gift(line: payloads.Line) -> bool:
    """Whether it is wrapped or has a card for somebody else."""
    return any(says_gift(one.name, one.value) for one in line.properties)


def _word(text: str | None) -> str:
    return re.sub(r"[^a-z]", "", text.lower()) if text else ""
