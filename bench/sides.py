"""The two sides of the comparison, under one small interface: start an order, tell it its five facts."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from temporalio.client import Client, WorkflowHandle

from bench.bare import BareFact, BareInput, BareJourney, BareReview
from journey.base import TrackingNumber, workflow_id
from journey.events import Event, ReviewPosted, ShipmentCreated, ShipmentUpdated
from journey.order import Buyer, LineFacts, OrderFacts
from journey.parcels import ParcelStatus
from starters.journeys import TemporalJourneys
from store import intake, orders, shipments
from store.pool import Pool

SHOP = "acme"
CARRIER = "DHL"
TRANSIT_DAYS = 3


_ZONES = {
    "Pacific/Honolulu": -10,
    "America/Phoenix": -7,
    "America/Bogota": -5,
    "America/Sao_Paulo": -3,
    "Africa/Abidjan": 0,
    "Africa/Nairobi": 3,
    "Asia/Karachi": 5,
    "Asia/Bangkok": 7,
    "Asia/Tokyo": 9,
    "Pacific/Tarawa": 12,
}
"""Zones without summer time, in hours ahead of UTC: the journey's two months bring no change of the clock."""


def noon_zone(now: datetime) -> str:
    """A time zone where it is about noon at `now`, so that no quiet hours bend the default journey."""
    return min(_ZONES, key=lambda zone: abs((now + timedelta(hours=_ZONES[zone])).hour - 12))


def facts(order_id: str, placed_at: datetime) -> OrderFacts:
    """The default order: a repeat buyer's yoga mat for 79 euros, bought about noon by the buyer's own clock."""
    return OrderFacts(
        shop=SHOP,
        order_id=order_id,
        placed_at=placed_at,
        currency="EUR",
        total=Decimal("79.00"),
        country="DE",
        time_zone=noon_zone(placed_at),
        buyer=Buyer.REPEAT,
        lines=(LineFacts(sku="YM-1", quantity=1, category="fitness"),),
    )


def parcel(order_id: str) -> TrackingNumber:
    """The tracking number of an order's one parcel."""
    return TrackingNumber(f"00340434{order_id.upper()}")


def created(order_id: str, at: datetime) -> ShipmentCreated:
    """The shop's word that the parcel left, with the carrier's estimate."""
    return ShipmentCreated(
        at=at,
        tracking_number=parcel(order_id),
        carrier=CARRIER,
        estimated_delivery=at.date() + timedelta(days=TRANSIT_DAYS - 1),
    )


def scanned(order_id: str, status: ParcelStatus, at: datetime) -> ShipmentUpdated:
    """One scan of the parcel."""
    return ShipmentUpdated(at=at, tracking_number=parcel(order_id), carrier=CARRIER, status=status)


class Side(Protocol):
    """One of the contestants. Moments are UTC, on the journey's own clock."""

    name: str

    async def start(self, order_id: str, at: datetime) -> WorkflowHandle[Any, Any]:
        """Start the order's workflow."""
        ...

    async def ship(self, order_id: str, at: datetime) -> None:
        """Signal that the parcel left."""
        ...

    async def scan(self, order_id: str, status: ParcelStatus, at: datetime) -> None:
        """Signal one scan of the parcel."""
        ...

    async def review(self, order_id: str, at: datetime) -> None:
        """Signal that a review of five stars was posted."""
        ...


@dataclass
class Postlude:
    """The default journey. With a pool the rows that the relay writes are written too, so that `deliver` finds them."""

    client: Client
    queue: str
    playbook: str
    pool: Pool | None = None
    name: str = "postlude"

    async def start(self, order_id: str, at: datetime) -> WorkflowHandle[Any, Any]:
        """See `Side`."""
        placed = facts(order_id, at)
        if self.pool is not None:
            async with self.pool.acquire() as connection, connection.transaction():
                await orders.create(connection, self._order(placed), playbook=self.playbook, received_at=at)
        await self._journeys.start(placed, self.playbook)
        return self.client.get_workflow_handle(workflow_id(SHOP, order_id))

    async def ship(self, order_id: str, at: datetime) -> None:
        """See `Side`."""
        if self.pool is not None:
            said = intake.ShipmentCreated(
                at=at, shop=SHOP, order_id=order_id, tracking_number=parcel(order_id), carrier=CARRIER
            )
            async with self.pool.acquire() as connection, connection.transaction():
                await shipments.ship(connection, said)
        await self._tell(order_id, created(order_id, at))

    async def scan(self, order_id: str, status: ParcelStatus, at: datetime) -> None:
        """See `Side`."""
        await self._tell(order_id, scanned(order_id, status, at))

    async def review(self, order_id: str, at: datetime) -> None:
        """See `Side`."""
        await self._tell(order_id, ReviewPosted(at=at, rating=5))

    @property
    def _journeys(self) -> TemporalJourneys:
        return TemporalJourneys(self.client, self.queue)

    async def _tell(self, order_id: str, event: Event) -> None:
        if not await self._journeys.signal(SHOP, order_id, event):
            raise RuntimeError(f"the journey of {order_id} has ended early")

    def _order(self, placed: OrderFacts) -> intake.OrderCreated:
        customer = intake.Customer(
            customer_id=f"c-{placed.order_id}",
            email=f"buyer-{placed.order_id}@example.com",
            first_name="Ada",
            locale="en-GB",
            time_zone=placed.time_zone,
            country=placed.country,
            consent=intake.Consent(email_marketing=True),
            orders_count=2,
        )
        lines = tuple(
            intake.Line(
                sku=line.sku, title="Yoga mat", quantity=line.quantity, unit_price=placed.total, category=line.category
            )
            for line in placed.lines
        )
        return intake.OrderCreated(
            at=placed.placed_at,
            shop=placed.shop,
            order_id=placed.order_id,
            currency=placed.currency,
            total=placed.total,
            customer=customer,
            lines=lines,
        )


@dataclass
class Bare:
    """The bare workflow, in one run or in two."""

    client: Client
    queue: str
    split: bool = False
    name: str = "bare"

    async def start(self, order_id: str, at: datetime) -> WorkflowHandle[Any, Any]:  # noqa: ARG002  `Side`'s shape
        """See `Side`."""
        return await self.client.start_workflow(
            BareJourney.run,
            BareInput(order_id=order_id, split=self.split),
            id=_bare_id(order_id),
            task_queue=self.queue,
        )

    async def ship(self, order_id: str, at: datetime) -> None:  # noqa: ARG002  `Side`'s shape
        """See `Side`."""
        fact = BareFact(tracking_number=parcel(order_id), status="created")
        await self._handle(order_id).signal(BareJourney.shipment_created, fact)

    async def scan(self, order_id: str, status: ParcelStatus, at: datetime) -> None:  # noqa: ARG002  `Side`'s shape
        """See `Side`."""
        fact = BareFact(tracking_number=parcel(order_id), status=status.value)
        await self._handle(order_id).signal(BareJourney.shipment_updated, fact)

    async def review(self, order_id: str, at: datetime) -> None:  # noqa: ARG002  `Side`'s shape
        """See `Side`."""
        await self._handle(order_id).signal(BareJourney.review_posted, BareReview(rating=5))

    def _handle(self, order_id: str) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(_bare_id(order_id))


def _bare_id(order_id: str) -> str:
    return f"bare:{order_id}"
