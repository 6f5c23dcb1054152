"""How people name orders on the command line, and how they are told of them: by id or by the shop's own number."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Final, NamedTuple

import asyncpg

from starters.commands.support import CommandError, connected_database, split_order
from store import order_numbers
from store.pool import AWAY, Pool
from workers.settings import Settings

HELP: Final = "The order by its id or its number, such as acme/1001 or 'acme/#1001'."
Numbers = Mapping[tuple[str, str], str]
"""By shop and id, what `order_numbers.shown` has found."""


class Named(NamedTuple):
    """An order that somebody named; `number` is None where that is its id, or it is not known."""

    shop: str
    order_id: str
    number: str | None = None

    def __str__(self) -> str:
        return label(f"{self.shop}/{self.order_id}", self.number)


def label(order: str, number: str | None) -> str:
    """An order as people are told of it: `acme/1001 #1042`. Plain text, to be escaped where markup has a meaning."""
    return order if not number or order.endswith(f"/{number}") else f"{order} {number}"


def label_in(numbers: Numbers, shop: str, order_id: str) -> str:
    """The same, for an order of a list."""
    return label(f"{shop}/{order_id}", numbers.get((shop, order_id)))


async def find(pool: Pool, order: str) -> Named:
    """The order that `SHOP/ID` or `SHOP/NUMBER` means; an id comes before a number. One that is not there is an id.

    Raises:
        CommandError: it is neither, or several orders have that number; names their ids.
    """
    shop, name = split_order(order)
    found = await order_numbers.find(pool, shop, name)
    if len(found) > 1:
        ids = ", ".join(f"{shop}/{order_id}" for order_id in found)
        raise CommandError(f"several orders of {shop} have the number {name}, so name one by its id: {ids}")
    order_id = found[0] if found else name
    return Named(shop, order_id, await order_numbers.known(pool, shop, order_id) if found else None)


async def find_anywhere(settings: Settings, order: str) -> Named:
    """The same for commands that need no database: without one, an order is taken to be named by its id."""
    shop, order_id = split_order(order)
    async with AsyncExitStack() as stack:
        try:
            pool = await stack.enter_async_context(connected_database(settings))
        except (CommandError, *AWAY, asyncpg.PostgresError):
            return Named(shop, order_id)
        return await find(pool, order)
