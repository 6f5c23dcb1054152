"""Parcels put straight into the tables, and a vendor that is asked about them."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from activities.carriers.protocol import Asked, Told
from journey.carriers import normal
from journey.numbers import normalised
from journey.parcels import ParcelStatus
from store.intake import ShipmentUpdated
from store.pool import Pool

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ALONG = "in_transit"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> None:
        self.now += timedelta(**span)


class AskedVendor:
    """A tracking API without the network. `knows` are its scans by number, `then` what it does instead of answering.

    A number in `silent` is missing from its answers, one in `spoilt` fails every request that it is part of. Nothing
    is answered while `open` is cleared.
    """

    def __init__(self, name: str = "ups", carriers: frozenset[str] | None = frozenset({"ups"}), at_once: int = 10):
        self.name = name
        self.carriers = carriers
        self.at_once = at_once
        self.knows: dict[str, list[ShipmentUpdated]] = {}
        self.silent: set[str] = set()
        self.spoilt: dict[str, Exception] = {}
        self.then: deque[Exception] = deque()
        self.requests: list[list[Asked]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.closed = False

    @property
    def asked(self) -> list[str]:
        """The numbers asked about, in order."""
        return [one.tracking_number for request in self.requests for one in request]

    async def ask(self, parcels: Sequence[Asked]) -> Mapping[str, Told]:
        self.requests.append(list(parcels))
        assert 0 < len(parcels) <= self.at_once
        await self.open.wait()
        if self.then:
            raise self.then.popleft()
        for one in parcels:
            if one.tracking_number in self.spoilt:
                raise self.spoilt[one.tracking_number]
        numbers = [one.tracking_number for one in parcels if one.tracking_number not in self.silent]
        return {number: Told(self.knows.get(number, []), f'{{"{number}": true}}'.encode()) for number in numbers}

    async def aclose(self) -> None:
        self.closed = True


def scan(number: str, status: str = ALONG, at: datetime = NOON, **more: Any) -> ShipmentUpdated:
    """A scan as an adapter reads it."""
    return ShipmentUpdated(at=at, tracking_number=number, status=ParcelStatus(status), **more)


async def ship(pool: Pool, number: str, *, shop: str = "acme", order_id: str | None = None, **columns: Any) -> None:
    """A parcel of an order of its own, with UPS, scanned two days ago and never asked about."""
    order_id = order_id or f"o-{number}"
    given = {"carrier": "ups", "status": ALONG, "created_at": NOON - timedelta(days=2)}
    given |= {"last_scan_at": NOON - timedelta(days=2), "polled_at": None, **columns}
    given["carrier_code"] = normal(given["carrier"])
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO customers (shop, customer_id, locale, country, updated_at)"
            " VALUES ($1, 'c-1', 'de', 'DE', $2) ON CONFLICT DO NOTHING",
            shop,
            NOON,
        )
        await connection.execute(
            "INSERT INTO orders (shop, order_id, customer_id, placed_at, currency, total, buyer, playbook)"
            " VALUES ($1, $2, 'c-1', $3, 'EUR', 79, 'first', 'none') ON CONFLICT DO NOTHING",
            shop,
            order_id,
            NOON,
        )
        given = {"number": normalised(number), **given}
        names = ", ".join(given)
        places = ", ".join(f"${position}" for position in range(4, 4 + len(given)))
        await connection.execute(
            f"INSERT INTO shipments (shop, order_id, tracking_number, {names}) VALUES ($1, $2, $3, {places})",  # noqa: S608  a test's own columns
            shop,
            order_id,
            number,
            *given.values(),
        )


async def change(pool: Pool, number: str, **columns: Any) -> None:
    """What shop and carriers say meanwhile, as the relay would write it."""
    names = ", ".join(f"{name} = ${position}" for position, name in enumerate(columns, start=2))
    await pool.execute(f"UPDATE shipments SET {names} WHERE tracking_number = $1", number, *columns.values())  # noqa: S608  a test's own columns


async def moments(pool: Pool) -> dict[str, datetime | None]:
    """When each parcel is to be asked about."""
    return dict(await pool.fetch("SELECT tracking_number, poll_at FROM shipments"))
