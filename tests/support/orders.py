"""Orders put straight into the database, for tests that begin behind the gateway."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from journey.numbers import normalised
from journey.order import Buyer, LineFacts, LineKind, OrderFacts
from journey.parcels import Method
from store.pool import Pool


def _just_now() -> datetime:
    return datetime.now(UTC)


def noon_zone() -> str:
    """A time zone where it is about noon, so that no night stands in a message's way."""
    away = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-away:+d}" if away else "UTC"


@dataclass(frozen=True)
class Person:
    """A customer, with sensible answers to everything."""

    customer_id: str = "c-1"
    email: str | None = "ada@example.com"
    first_name: str = "Ada"
    locale: str = "en-GB"
    time_zone: str | None = "Europe/Berlin"
    country: str | None = "DE"
    consent: bool = True
    phone: str | None = None
    region: str | None = None
    texts: bool = False
    """Said yes to marketing by SMS as well."""


@dataclass(frozen=True)
class Order:
    """An order of one yoga mat, unless said otherwise."""

    order_id: str
    shop: str = "acme"
    placed_at: datetime = field(default_factory=_just_now)
    total: Decimal = Decimal("79.00")
    currency: str = "EUR"
    buyer: Buyer = Buyer.REPEAT
    sku: str = "YM-1"
    category: str = "fitness"
    kind: LineKind = LineKind.PHYSICAL
    person: Person = field(default_factory=Person)

    def facts(self) -> OrderFacts:
        return OrderFacts(
            shop=self.shop,
            order_id=self.order_id,
            placed_at=self.placed_at,
            currency=self.currency,
            total=self.total,
            country=self.person.country,
            time_zone=self.person.time_zone,
            buyer=self.buyer,
            lines=(LineFacts(sku=self.sku, quantity=1, category=self.category, kind=self.kind),),
        )


async def put(pool: Pool, order: Order, playbook: str) -> None:
    """The rows that the relay would have written for this order."""
    person = order.person
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO customers (shop, customer_id, email, first_name, locale, time_zone, country, phone, region,"
            " updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
            order.shop,
            person.customer_id,
            person.email,
            person.first_name,
            person.locale,
            person.time_zone,
            person.country,
            person.phone,
            person.region,
            order.placed_at,
        )
        said = {"email": person.consent} | ({"sms": True} if person.texts else {})
        for channel, granted in said.items():
            await connection.execute(
                "INSERT INTO consents (shop, customer_id, channel, purpose, granted, source, at)"
                " VALUES ($1, $2, $3, 'marketing', $4, 'test', $5)",
                order.shop,
                person.customer_id,
                channel,
                granted,
                order.placed_at,
            )
        await connection.execute(
            "INSERT INTO orders (shop, order_id, customer_id, placed_at, currency, total, buyer, playbook)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
            order.shop,
            order.order_id,
            person.customer_id,
            order.placed_at,
            order.currency,
            order.total,
            order.buyer.value,
            playbook,
        )
        await connection.execute(
            "INSERT INTO lines (shop, order_id, position, sku, title, quantity, unit_price, category, kind)"
            " VALUES ($1, $2, 0, $3, 'Yoga mat', 1, $4, $5, $6) ON CONFLICT DO NOTHING",
            order.shop,
            order.order_id,
            order.sku,
            order.total,
            order.category,
            order.kind.value,
        )


async def put_parcel(
    pool: Pool, order: Order, tracking_number: str, at: datetime, method: Method = Method.DELIVERY
) -> None:
    """The shipments row of a parcel, or of what waits in the store."""
    await pool.execute(
        "INSERT INTO shipments (shop, order_id, tracking_number, carrier, created_at, method, number)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        order.shop,
        order.order_id,
        tracking_number,
        "DHL" if method is Method.DELIVERY else None,
        at,
        method.value,
        normalised(tracking_number) if method is Method.DELIVERY else None,
    )
