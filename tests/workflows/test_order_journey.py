"""The journey on the real server, each order on its own virtual clock."""

from datetime import date, timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError

from journey.events import (
    CustomerReordered,
    OrderCancelled,
    OrderRefunded,
    ReviewPosted,
    ShipmentCreated,
    ShipmentUpdated,
)
from journey.order import Buyer, LineKind
from journey.parcels import ParcelStatus
from tests.support.orders import Order, Person
from tests.support.world import World, order_id
from workers.embedded import EmbeddedStack
from workflows.order_journey import OrderJourney


def mails(stack: EmbeddedStack, order: Order) -> list[str]:
    """The touches that really arrived, in order of arrival."""
    wanted = f"{order.shop}/{order.order_id}"
    return [mail.touch for mail in stack.mail.messages() if mail.order == wanted]


async def deliver_parcel(world: World, order: Order, number: str = "T1") -> None:
    """Ship today, deliver on the third day from now."""
    now = await world.now(order)
    await world.ship(order, number)
    await world.tell(
        order,
        ShipmentCreated(
            at=now, tracking_number=number, carrier="DHL", estimated_delivery=now.date() + timedelta(days=3)
        ),
    )
    await world.forward(order, 1)
    await scan(world, order, ParcelStatus.IN_TRANSIT, number)
    await world.forward(order, 1.9)
    await scan(world, order, ParcelStatus.OUT_FOR_DELIVERY, number)
    await world.forward(order, 0.2)
    await scan(world, order, ParcelStatus.DELIVERED, number)


async def scan(
    world: World, order: Order, status: ParcelStatus, number: str = "T1", estimate: date | None = None
) -> None:
    now = await world.now(order)
    await world.tell(order, ShipmentUpdated(at=now, tracking_number=number, status=status, estimated_delivery=estimate))


async def test_a_first_order_goes_from_confirmation_to_win_back(journeys: World, stack: EmbeddedStack) -> None:
    """A first-time buyer gets every touch of the default playbook that applies, once each and in order."""
    order = Order(order_id(), buyer=Buyer.FIRST, person=Person(customer_id=order_id()))
    handle = await journeys.place(order)
    await deliver_parcel(journeys, order)
    await journeys.forward(order, 90)
    assert await handle.result() == "every touch is settled"
    assert mails(stack, order) == [
        "order_confirmation",
        "shipped:T1",
        "welcome",
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
    ]
    ledger = await journeys.ledger(order)
    assert ledger["setup_tips:T1"] == ("refused", "condition")
    assert ledger["digital_access"] == ("refused", "condition")


async def test_without_consent_only_the_order_itself_is_spoken_of(journeys: World, stack: EmbeddedStack) -> None:
    """A customer who never agreed to marketing gets none, and every refusal is a row with its rule."""
    order = Order(order_id(), person=Person(customer_id=order_id(), consent=False))
    handle = await journeys.place(order)
    await deliver_parcel(journeys, order)
    await journeys.forward(order, 90)
    await handle.result()
    assert set(mails(stack, order)) == {
        "order_confirmation",
        "shipped:T1",
        "out_for_delivery:T1",
        "delivered:T1",
        "care:T1",
    }
    assert (await journeys.ledger(order))["review_request:T1"] == ("refused", "no_consent")


async def test_a_cancelled_order_says_so_and_nothing_more(journeys: World, stack: EmbeddedStack) -> None:
    """Cancellation ends what lies ahead; the refund is still told."""
    order = Order(order_id(), person=Person(customer_id=order_id()))
    handle = await journeys.place(order)
    await journeys.forward(order, 0.5)
    now = await journeys.now(order)
    await journeys.tell(order, OrderCancelled(at=now))
    await journeys.forward(order, 1)
    await journeys.tell(order, OrderRefunded(at=now, refund_id="r1", amount=order.total, full=True))
    await journeys.forward(order, 30)
    assert await handle.result() == "order refunded"
    assert mails(stack, order) == ["order_confirmation", "order_cancelled", "order_refunded:r1"]
    assert (await journeys.ledger(order))["care"] == ("refused", "ended_by_order_cancelled")


async def test_a_newer_order_ends_what_would_win_the_customer_back(journeys: World, stack: EmbeddedStack) -> None:
    """Who came back by themselves is not asked to."""
    order = Order(order_id(), person=Person(customer_id=order_id()))
    handle = await journeys.place(order)
    await deliver_parcel(journeys, order)
    await journeys.forward(order, 10)
    await journeys.tell(order, CustomerReordered(at=await journeys.now(order), order_id="newer"))
    await journeys.forward(order, 90)
    await handle.result()
    got = mails(stack, order)
    assert "miss_you" not in got
    assert "bundle" not in got
    assert (await journeys.ledger(order))["miss_you"] == ("refused", "ended_by_customer_reordered")


async def test_a_poor_review_stops_marketing_and_brings_a_person(journeys: World, stack: EmbeddedStack) -> None:
    """After one star comes an apology, and nothing that sells."""
    order = Order(order_id(), person=Person(customer_id=order_id()))
    handle = await journeys.place(order)
    await deliver_parcel(journeys, order)
    await journeys.forward(order, 6.5)
    await journeys.tell(order, ReviewPosted(at=await journeys.now(order), rating=1))
    await journeys.forward(order, 90)
    await handle.result()
    assert mails(stack, order)[-1] == "feedback_followup"


async def test_a_digital_order_has_no_shipping(journeys: World, stack: EmbeddedStack) -> None:
    """Access comes at once, and the journey counts from the order itself."""
    order = Order(order_id(), kind=LineKind.DIGITAL, person=Person(customer_id=order_id()))
    handle = await journeys.place(order)
    await journeys.forward(order, 90)
    await handle.result()
    got = mails(stack, order)
    assert got[:2] == ["order_confirmation", "digital_access"]
    assert "review_request" in got
    assert "care" not in got


async def test_operators_can_pause_resume_skip_and_send_now(journeys: World, stack: EmbeddedStack) -> None:
    """Updates steer a journey, and a wrong word is refused with a reason and leaves no trace in history."""
    order = Order(order_id(), person=Person(customer_id=order_id()))
    handle = await journeys.place(order)
    await deliver_parcel(journeys, order)
    await journeys.forward(order, 1)
    timeline = await handle.execute_update(OrderJourney.pause)
    assert timeline.status == "paused"
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update(OrderJourney.pause)
    assert "paused already" in str(refused.value.cause)
    await journeys.forward(order, 2)
    assert "care:T1" not in mails(stack, order)
    await handle.execute_update(OrderJourney.resume)
    await handle.execute_update(OrderJourney.skip_touch, "check_in")
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update(OrderJourney.skip_touch, "no_such_touch")
    assert "the playbook has no touch" in str(refused.value.cause)
    await handle.execute_update(OrderJourney.send_now, "vip_invite")
    await journeys.forward(order, 90)
    await handle.result()
    got = mails(stack, order)
    assert "check_in" not in got
    assert got.count("vip_invite") == 1
    assert got.index("vip_invite") < got.index("review_request:T1")
    assert (await journeys.ledger(order))["check_in"] == ("refused", "skipped_by_operator")


async def test_one_timer_is_kept_over_every_scan(journeys: World) -> None:
    """Scans that move nothing start no timer, and the long tail runs in a history of its own."""
    order = Order(order_id(), person=Person(customer_id=order_id()))
    handle = await journeys.place(order)
    await journeys.ship(order, "T1")
    await journeys.tell(order, ShipmentCreated(at=await journeys.now(order), tracking_number="T1"))
    for _ in range(6):
        await journeys.forward(order, 0.1)
        await scan(journeys, order, ParcelStatus.IN_TRANSIT)
    history = await handle.fetch_history()
    timers = [e for e in history.events if e.HasField("timer_started_event_attributes")]
    assert len(timers) == 1


async def test_the_timeline_tells_what_is_next_and_why(journeys: World) -> None:
    """An operator reads the next touch, its time and its reason from a query and from the details."""
    order = Order(order_id(), person=Person(customer_id=order_id()))
    await journeys.place(order)
    await deliver_parcel(journeys, order)
    await journeys.forward(order, 0.1)
    timeline = await journeys.timeline(order)
    assert timeline.next.touch == "care:T1"
    assert timeline.parcels[0].status == "delivered"
    assert [stop.touch for stop in timeline.ahead][:2] == ["care:T1", "check_in"]


async def test_a_field_from_a_newer_version_does_not_lose_the_fact(journeys: World, stack: EmbeddedStack) -> None:
    """A gateway deployed before its workers may say more than they know; what they know still counts."""
    order = Order(order_id(), person=Person(customer_id=order_id()))
    handle = await journeys.place(order)
    said = {"at": (await journeys.now(order)).isoformat(), "by": "somebody in a later version"}
    await handle.signal("order_cancelled", said)
    await journeys.forward(order, 30)
    await handle.result()
    assert "order_cancelled" in mails(stack, order)


async def test_a_refund_after_the_last_message_is_still_told(journeys: World, stack: EmbeddedStack) -> None:
    """A journey with nothing left to sell stays to hear of a return."""
    order = Order(order_id(), kind=LineKind.DIGITAL, person=Person(customer_id=order_id()))
    handle = await journeys.place(order)
    await journeys.forward(order, 4.6)
    await journeys.tell(order, ReviewPosted(at=await journeys.now(order), rating=1))
    await journeys.forward(order, 5)
    refund = OrderRefunded(at=await journeys.now(order), refund_id="r9", amount=order.total, full=True)
    await journeys.tell(order, refund)
    await journeys.forward(order, 60)
    assert await handle.result() == "order refunded"
    assert mails(stack, order)[-1] == "order_refunded:r9"


async def test_a_journey_without_a_word_left_ends_by_itself(journeys: World) -> None:
    """Staying open has a bound, and the last non-sends reach the ledger with it."""
    order = Order(order_id(), kind=LineKind.DIGITAL, person=Person(customer_id=order_id(), consent=False))
    handle = await journeys.place(order)
    await journeys.forward(order, 90)
    assert await handle.result() == "every touch is settled"
    assert "claimed" not in {status for status, _ in (await journeys.ledger(order)).values()}
