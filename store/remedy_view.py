"""What a customer's page shows of a remedy, in one look."""

from dataclasses import dataclass

from store.of_order import ITS_CUSTOMER
from store.pool import Pool
from store.remedies import get
from store.remedy_rows import Remedy

_PERSON = f"""
SELECT coalesce(p.locale, c.locale) AS locale, c.time_zone, coalesce(o.number, o.order_id) AS number
FROM orders o {ITS_CUSTOMER}
LEFT JOIN preferences p ON p.shop = c.shop AND p.customer_id = c.customer_id WHERE o.shop = $1 AND o.order_id = $2
"""  # noqa: S608  a constant
_TITLES = "SELECT sku, min(title) AS title FROM lines WHERE shop = $1 AND order_id = $2 GROUP BY sku"


@dataclass(frozen=True, slots=True)
class RemedyView:
    """A remedy as its customer may see it.

    `goods` is what was in the parcel: title and how many. `locale` and `time_zone` are the customer's, None unknown;
    `number` is what they know the order by.
    """

    remedy: Remedy
    goods: tuple[tuple[str, int], ...]
    locale: str
    time_zone: str | None
    number: str


async def remedy_view(pool: Pool, shop: str, order_id: str, part: str) -> RemedyView | None:
    """The remedy of a parcel with the words for it; None when none was offered."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        remedy = await get(connection, shop, order_id, part)
        person = await connection.fetchrow(_PERSON, shop, order_id)
        titles = {row["sku"]: row["title"] for row in await connection.fetch(_TITLES, shop, order_id)}
    if remedy is None or person is None:
        return None
    goods = tuple((titles.get(sku, sku), quantity) for sku, quantity in remedy.skus)
    return RemedyView(remedy, goods, person["locale"], person["time_zone"], person["number"])
