"""The lives of orders in fault tests, each with what its customer must get whatever dies on the way."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from journey.events import CustomerReordered, OrderCancelled, OrderRefunded, ShipmentCreated, ShipmentUpdated
from journey.order import Buyer, LineKind
from journey.parcels import ParcelStatus, Reason
from journey.playbook import touch_id
from tests.support.orders import Order, Person, noon_zone
from tests.support.world import World, order_id

REPEAT = {
    "order_confirmation",
    "shipped:T1",
    "out_for_delivery:T1",
    "delivered:T1",
    "care:T1",
    "check_in",
    "review_request:T1",
    "also_enjoyed",
    "thank_you",
    "review_reminder:T1",
    "bundle",
    "discount",
    "miss_you",
    "whats_new",
    "vip_invite",
}
FIRST = REPEAT | {"welcome"}
NO_CONSENT = {"order_confirmation", "shipped:T1", "out_for_delivery:T1", "delivered:T1", "care:T1"}
DIGITAL = {touch_id(key) for key in REPEAT - NO_CONSENT} | {"order_confirmation", "digital_access"}
REORDERED = REPEAT - {"also_enjoyed", "bundle", "discount", "miss_you", "whats_new", "vip_invite"}
LOST = {"order_confirmation", "shipped:T1", "lost:T1", "order_refunded:r1"}
"""The shop has no API here, so nothing is offered by itself: the customer hears of the loss alone."""
CANCELLED = {"order_confirmation", "order_cancelled", "order_refunded:r1"}
ON_THE_WAY = {"shipped:T1", "out_for_delivery:T1"}
"""What no longer goes out when the parcel is there before its message was due."""

LONG_ENOUGH = timedelta(days=100)
Live = Callable[[World, Order], Awaitable[None]]


@dataclass(frozen=True)
class Life:
    """A kind of order: how it differs, what happens to it, and what its customer gets: `must`, and perhaps `may`."""

    name: str
    live: Live
    must: set[str]
    may: set[str]
    buyer: Buyer = Buyer.REPEAT
    kind: LineKind = LineKind.PHYSICAL
    consent: bool = True

    def order(self, shop: str) -> Order:
        """A new order of this kind, of a new customer for whom it is about noon, so that no night is in the way."""
        person = Person(customer_id=order_id(), consent=self.consent, time_zone=noon_zone())
        return replace(
            Order(order_id(), shop=shop, person=person),
            buyer=self.buyer,
            kind=self.kind,
            placed_at=datetime.now(UTC),
        )


async def _tell_scan(world: World, order: Order, status: ParcelStatus) -> None:
    now = await world.now(order)
    await world.tell(order, ShipmentUpdated(at=now, tracking_number="T1", status=status))


async def delivered_on_the_way(world: World, order: Order) -> None:
    """Shipped after a day, delivered two days later, each told as it happens."""
    await world.forward(order, 1.2)
    await world.ship(order, "T1")
    await world.tell(order, ShipmentCreated(at=await world.now(order), tracking_number="T1", carrier="DHL"))
    await world.forward(order, 1.9)
    await _tell_scan(world, order, ParcelStatus.OUT_FOR_DELIVERY)
    await world.forward(order, 0.2)
    await _tell_scan(world, order, ParcelStatus.DELIVERED)


async def delivered_at_once(world: World, order: Order) -> None:
    """The whole way of the parcel is told before anything was sent."""
    now = datetime.now(UTC)
    await world.ship(order, "T1")
    await world.tell(order, ShipmentCreated(at=now, tracking_number="T1", carrier="DHL"))
    for status in (ParcelStatus.OUT_FOR_DELIVERY, ParcelStatus.DELIVERED):
        await world.tell(order, ShipmentUpdated(at=now, tracking_number="T1", status=status))


async def nothing_happens(_world: World, _order: Order) -> None:
    """Only time goes by."""


async def called_off(world: World, order: Order) -> None:
    """Cancelled after half a day, refunded a day later."""
    await world.forward(order, 0.5)
    await world.tell(order, OrderCancelled(at=await world.now(order)))
    await world.forward(order, 1)
    refund = OrderRefunded(at=await world.now(order), refund_id="r1", amount=order.total, full=True)
    await world.tell(order, refund)


async def lost_and_refunded(world: World, order: Order) -> None:
    """Shipped, given up by the carrier, paid back."""
    await world.forward(order, 1)
    await world.ship(order, "T1")
    await world.tell(order, ShipmentCreated(at=await world.now(order), tracking_number="T1", carrier="DHL"))
    await world.forward(order, 2)
    now = await world.now(order)
    lost = ShipmentUpdated(at=now, tracking_number="T1", status=ParcelStatus.EXCEPTION, reason=Reason.LOST)
    await world.tell(order, lost)
    await world.forward(order, 1)
    refund = OrderRefunded(at=await world.now(order), refund_id="r1", amount=order.total, full=True)
    await world.tell(order, refund)


async def delivered_then_reordered(world: World, order: Order) -> None:
    """Delivered, and the customer comes back by themselves before anybody asks."""
    await delivered_on_the_way(world, order)
    await world.forward(order, 1)
    await world.tell(order, CustomerReordered(at=await world.now(order), order_id="newer"))


LIVES = (
    Life("first", delivered_on_the_way, FIRST, set(), buyer=Buyer.FIRST),
    Life("cancelled", called_off, CANCELLED, set()),
    Life("reordered", delivered_then_reordered, REORDERED, set()),
    Life("lost", lost_and_refunded, LOST, set()),
    Life("repeat, told at once", delivered_at_once, REPEAT - ON_THE_WAY, ON_THE_WAY),
    Life("cancelled", called_off, CANCELLED, set()),
    Life("digital", nothing_happens, DIGITAL, set(), kind=LineKind.DIGITAL),
    Life("lost", lost_and_refunded, LOST, set()),
    Life("no consent", delivered_on_the_way, NO_CONSENT, set(), consent=False),
    Life("reordered", delivered_then_reordered, REORDERED, set()),
)
"""Long and short ones in turn; the short ones stand twice."""


async def live(world: World, life: Life, order: Order) -> str:
    """Start an order's journey, live its life, let the months pass, and return why the journey ended."""
    handle = await world.place(order)
    await life.live(world, order)
    await world.clocks.forward(order.shop, order.order_id, LONG_ENOUGH)
    return await handle.result()
