"""Stories of orders that between them use every command a journey can issue; recorded once, replayed for ever."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from zoneinfo import ZoneInfo

from journey.base import TrackingNumber
from journey.events import (
    CustomerReordered,
    DeliveryDenied,
    OrderCancelled,
    OrderEdited,
    OrderRefunded,
    RemedySettled,
    ReviewPosted,
    ShipmentCreated,
    ShipmentUpdated,
)
from journey.order import Buyer, LineFacts, LineKind
from journey.parcels import Method, ParcelStatus, Reason
from journey.remedies import Choice, Stand
from tests.support.orders import Order, Person, noon_zone
from tests.support.world import World
from workflows.order_journey import OrderJourney

Story = Callable[[World, Order], Awaitable[None]]
HOME = noon_zone()
"""Where the customers of the stories live: at every hour of ours their nights and promised days fall alike."""


def buyer(story: str) -> dict[str, object]:
    """What is special about the order of a story."""
    person = Person(customer_id=f"c-{story}", consent=story != "no_consent", time_zone=HOME)
    special: dict[str, dict[str, object]] = {
        "first_order": {"buyer": Buyer.FIRST},
        "digital": {"kind": LineKind.DIGITAL},
        "held_at_customs": {"buyer": Buyer.FIRST},
    }
    return {"person": person, **special.get(story, {})}


UNANSWERED: dict[str, frozenset[str]] = {"unanswered": frozenset({"check_in"})}
"""By story, the touches that the provider takes without saying so."""


async def shipped(world: World, order: Order, *numbers: str) -> None:
    """The parcels leave now, promised in three days."""
    for number in numbers:
        now = await world.now(order)
        await world.ship(order, number)
        promised = now.astimezone(ZoneInfo(HOME)).date() + timedelta(days=3)
        await world.tell(
            order, ShipmentCreated(at=now, tracking_number=number, carrier="DHL", estimated_delivery=promised)
        )
        await world.forward(order, 0.25)


async def scan(
    world: World,
    order: Order,
    status: ParcelStatus,
    number: str = "T1",
    *,
    reason: Reason | None = None,
    late: int = 0,
) -> None:
    """The carrier says something now, and a quarter of a day goes by."""
    now = await world.now(order)
    estimate = now.astimezone(ZoneInfo(HOME)).date() + timedelta(days=late) if late else None
    await world.tell(
        order,
        ShipmentUpdated(at=now, tracking_number=number, status=status, reason=reason, estimated_delivery=estimate),
    )
    await world.forward(order, 0.25)


async def first_order(world: World, order: Order) -> None:
    """From confirmation to win-back without a hitch, and a good review."""
    await shipped(world, order, "T1")
    await world.forward(order, 2)
    await scan(world, order, ParcelStatus.IN_TRANSIT)
    await scan(world, order, ParcelStatus.OUT_FOR_DELIVERY)
    await scan(world, order, ParcelStatus.DELIVERED)
    await world.forward(order, 6.5)
    await world.tell(order, ReviewPosted(at=await world.now(order), rating=5, sku=order.sku))
    await world.forward(order, 90)


async def split_and_late(world: World, order: Order) -> None:
    """Two parcels, one of them delayed and at a closed door first."""
    await shipped(world, order, "T1", "T2")
    await scan(world, order, ParcelStatus.DELIVERED, "T1")
    await scan(world, order, ParcelStatus.IN_TRANSIT, "T2", reason=Reason.DELAYED, late=6)
    await scan(world, order, ParcelStatus.ATTEMPT_FAILED, "T2")
    await scan(world, order, ParcelStatus.DELIVERED, "T2")
    await world.forward(order, 90)


async def lost(world: World, order: Order) -> None:
    """The carrier gives the parcel up; the shop pays back before anybody chose."""
    await shipped(world, order, "T1")
    await scan(world, order, ParcelStatus.EXCEPTION, reason=Reason.LOST)
    await world.forward(order, 2.5)
    await world.tell(order, OrderRefunded(at=await world.now(order), refund_id="r1", amount=order.total, full=True))
    await world.forward(order, 90)


async def cancelled(world: World, order: Order) -> None:
    """Edited, then called off before it left."""
    await world.forward(order, 0.2)
    now = await world.now(order)
    line = LineFacts(sku="YM-2", quantity=2, category="fitness")
    await world.tell(order, OrderEdited(at=now, total=order.total * 2, lines=(line,)))
    await world.forward(order, 0.2)
    await world.tell(order, OrderCancelled(at=await world.now(order)))
    await world.forward(order, 30)


async def digital(world: World, order: Order) -> None:
    """Nothing travels; a newer order ends the asking."""
    await world.forward(order, 15)
    await world.tell(order, CustomerReordered(at=await world.now(order), order_id="newer"))
    await world.forward(order, 90)


async def steered(world: World, order: Order) -> None:
    """An operator pauses, resumes, skips and sends now."""
    await shipped(world, order, "T1")
    await scan(world, order, ParcelStatus.DELIVERED)
    handle = world.handle(order)
    await handle.execute_update(OrderJourney.pause)
    await world.forward(order, 1)
    await handle.execute_update(OrderJourney.resume)
    await handle.execute_update(OrderJourney.skip_touch, "check_in")
    await handle.execute_update(OrderJourney.send_now, "vip_invite")
    await world.forward(order, 90)


async def no_consent(world: World, order: Order) -> None:
    """Only the order itself is spoken of; a poor review brings a person."""
    await shipped(world, order, "T1")
    await scan(world, order, ParcelStatus.DELIVERED)
    await world.forward(order, 5)
    await world.tell(order, ReviewPosted(at=await world.now(order), rating=1))
    await world.forward(order, 90)


async def picked_up(world: World, order: Order) -> None:
    """Kept ready in the store, spoken of once more, and collected on the third day."""
    await world.ship(order, "T1", Method.PICKUP)
    now = await world.now(order)
    await world.tell(order, ShipmentCreated(at=now, tracking_number="T1", method=Method.PICKUP))
    await world.forward(order, 0.25)
    await scan(world, order, ParcelStatus.AVAILABLE_FOR_PICKUP)
    await world.forward(order, 2.25)
    await scan(world, order, ParcelStatus.DELIVERED)
    await world.forward(order, 90)


async def split_within_the_hour(world: World, order: Order) -> None:
    """Two parcels leave half an hour apart, and come half an hour apart: each pair is told in one message."""
    now = await world.now(order)
    lines = tuple(LineFacts(sku=sku, quantity=1, category="fitness") for sku in ("YM-1", "YB-2"))
    await world.tell(order, OrderEdited(at=now, total=order.total * 2, lines=lines))
    for number, line in zip(("T1", "T2"), lines, strict=True):
        now = await world.now(order)
        await world.ship(order, number)
        await world.tell(order, ShipmentCreated(at=now, tracking_number=number, carrier="DHL", skus=(line.sku,)))
        await world.forward(order, 0.02)
    await world.forward(order, 2)
    for number in ("T1", "T2"):
        now = await world.now(order)
        await world.tell(order, ShipmentUpdated(at=now, tracking_number=number, status=ParcelStatus.DELIVERED))
        await world.forward(order, 0.02)
    await world.forward(order, 90)


async def given_up(world: World, order: Order) -> None:
    """A parcel falls silent and is ten days late; nobody chooses, so the money goes back."""
    await shipped(world, order, "T1")
    await world.forward(order, 1)
    await scan(world, order, ParcelStatus.IN_TRANSIT)
    await world.forward(order, 15)
    now = await world.now(order)
    made = {"stand": Stand.DONE, "choice": Choice.REFUND, "reference": "gid://shopify/Refund/7"}
    await world.tell(order, RemedySettled(at=now, part=TrackingNumber("T1"), **made))
    await world.forward(order, 1)
    await world.tell(order, OrderRefunded(at=await world.now(order), refund_id="7", amount=order.total, full=True))
    await world.forward(order, 90)


async def never_came(world: World, order: Order) -> None:
    """Delivered, as the carrier says; the customer says otherwise, and finds it three days later."""
    await shipped(world, order, "T1")
    await scan(world, order, ParcelStatus.DELIVERED)
    await world.forward(order, 1)
    for found in (False, True):
        await world.tell(order, DeliveryDenied(at=await world.now(order), tracking_number="T1", found=found))
        await world.forward(order, 3)
    await world.forward(order, 90)


async def paused_for_days(world: World, order: Order) -> None:
    """Paused while messages fall due. After that they go one a day, and one that comes too soon is held."""
    await shipped(world, order, "T1")
    await scan(world, order, ParcelStatus.DELIVERED)
    await world.forward(order, 3)
    handle = world.handle(order)
    await handle.execute_update(OrderJourney.pause)
    await world.forward(order, 6.5)
    await handle.execute_update(OrderJourney.resume)
    await world.forward(order, 90)


async def held_at_customs(world: World, order: Order) -> None:
    """A first order stands at customs on the day of its welcome, which waits until the parcel moves again."""
    await shipped(world, order, "T1")
    await scan(world, order, ParcelStatus.EXCEPTION, reason=Reason.CUSTOMS)
    await world.forward(order, 0.75)
    await scan(world, order, ParcelStatus.EXCEPTION, reason=Reason.CUSTOMS)
    await world.forward(order, 0.5)
    await scan(world, order, ParcelStatus.IN_TRANSIT)
    await scan(world, order, ParcelStatus.DELIVERED)
    await world.forward(order, 90)


async def silent(world: World, order: Order) -> None:
    """The promised day passes less than two days before the parcel counts as stuck: only the first is told.

    A part of the price comes back on the day after, so that the journey looks about while the parcel is silent.
    """
    await shipped(world, order, "T1")
    await scan(world, order, ParcelStatus.IN_TRANSIT)
    await world.forward(order, 5.5)
    part = OrderRefunded(at=await world.now(order), refund_id="r1", amount=order.total / 10)
    await world.tell(order, part)
    await world.forward(order, 0.5)
    await scan(world, order, ParcelStatus.OUT_FOR_DELIVERY)
    await scan(world, order, ParcelStatus.DELIVERED)
    await world.forward(order, 90)


async def turned_up(world: World, order: Order) -> None:
    """Given up by the carrier, and moving again before anybody chose: no money is sent, and the parcel arrives."""
    await shipped(world, order, "T1")
    await scan(world, order, ParcelStatus.EXCEPTION, reason=Reason.LOST)
    await world.forward(order, 1)
    await scan(world, order, ParcelStatus.IN_TRANSIT)
    await world.forward(order, 4)
    await scan(world, order, ParcelStatus.IN_TRANSIT)
    await scan(world, order, ParcelStatus.DELIVERED)
    await world.forward(order, 90)


async def number_back(world: World, order: Order) -> None:
    """Lost, taken out of the order with its number before anybody chose, and back in it: it is offered again."""
    for number in ("T1", "T2", "T1"):
        now = await world.now(order)
        key = TrackingNumber(number)
        await world.ship(order, number)
        word = ShipmentCreated(at=now, tracking_number=key, fulfilment="F1", parcels=(key,), said_at=now)
        await world.tell(order, word)
        await world.forward(order, 0.25)
        if number == "T1":
            await scan(world, order, ParcelStatus.EXCEPTION, reason=Reason.LOST)
            await world.forward(order, 0.25)
    await world.forward(order, 90)


async def put_right(world: World, order: Order) -> None:
    """Its number is put right almost three days after it left, and scanned almost three days after that."""
    began = await world.now(order)
    for number in ("T1", "T2"):
        now = await world.now(order)
        key = TrackingNumber(number)
        await world.ship(order, number)
        word = ShipmentCreated(at=began, tracking_number=key, fulfilment="F1", parcels=(key,), said_at=now)
        await world.tell(order, word)
        await world.forward(order, 2.8)
    await scan(world, order, ParcelStatus.IN_TRANSIT, "T2")
    await world.forward(order, 1)
    await scan(world, order, ParcelStatus.DELIVERED, "T2")
    await world.forward(order, 90)


async def unanswered(world: World, order: Order) -> None:
    """The provider does not say whether it took a marketing message: it stays in doubt and does not go again."""
    await shipped(world, order, "T1")
    await scan(world, order, ParcelStatus.DELIVERED)
    await world.forward(order, 90)


STORIES: dict[str, Story] = {
    story.__name__: story
    for story in (
        first_order,
        split_and_late,
        lost,
        cancelled,
        digital,
        steered,
        no_consent,
        picked_up,
        split_within_the_hour,
        given_up,
        never_came,
        paused_for_days,
        held_at_customs,
        silent,
        turned_up,
        number_back,
        put_right,
        unanswered,
    )
}
