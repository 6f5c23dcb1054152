"""What is assumed of a shop's people where nobody says it, as the shop's file has it."""

from collections.abc import Sequence
from dataclasses import dataclass

from store.pool import Connection

_ASSUME = """
INSERT INTO shops (shop, locale, time_zone, country) VALUES ($1, $2, $3, $4)
ON CONFLICT (shop) DO UPDATE SET locale = $2, time_zone = $3, country = $4
"""
_FORGET = "UPDATE shops SET locale = NULL, time_zone = NULL, country = NULL WHERE shop <> ALL($1)"


@dataclass(frozen=True, slots=True)
class Assumed:
    """Of a customer about whom the shop says nothing: a locale (BCP 47), a zone of the tz database, a country."""

    shop: str
    locale: str | None = None
    time_zone: str | None = None
    country: str | None = None


async def assume(connection: Connection, shops: Sequence[Assumed]) -> None:
    """Let new customers be assumed so from now on, and nothing of those of any other shop."""
    async with connection.transaction():
        await connection.executemany(
            _ASSUME, [(shop.shop, shop.locale, shop.time_zone, shop.country) for shop in shops]
        )
        await connection.execute(_FORGET, [shop.shop for shop in shops])
