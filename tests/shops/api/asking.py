"""What the tests of the shops' APIs ask for."""

from decimal import Decimal

from activities.shops.api import Wanted
from tests.shops.api.shopify_server import FIRST


def wanted(**changes):
    """One yoga mat of order 1001 to be made good."""
    values = {
        "key": "remedy:acme:1001:p1:refund",
        "order_id": "1001",
        "skus": (("YM-1", 1),),
        "amount": Decimal("79.00"),
        "currency": "EUR",
        "note": "parcel lost",
    }
    return Wanted(**values | changes)


async def read_all(api, between=lambda _: None, since=FIRST):
    """Every page, with something happening between them."""
    pages, cursor = [], None
    while True:
        page = await api.changed(since, cursor)
        pages.append(page)
        between(page)
        cursor = page.cursor
        if cursor is None:
            return pages


def orders_of(pages):
    """The ids of the orders that were read, in order."""
    return [event.order_id for page in pages for event in page.events if event.type == "order.created"]
