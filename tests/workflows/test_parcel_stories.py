"""What customers get when a parcel is collected, split, given up or said never to have come."""

import pytest

from journey.base import TrackingNumber
from journey.events import DeliveryDenied
from journey.parcels import ParcelStatus
from tests.support.orders import Order
from tests.support.stories import STORIES, buyer, scan, shipped
from tests.support.world import World, order_id
from workers.embedded import EmbeddedStack
from workflows.journey_input import ATTENTION

ALONG = ("refused", "merged")


async def lived(journeys: World, story: str) -> tuple[Order, str]:
    """An order that lived that story, and why its journey ended."""
    order = Order(order_id(), **buyer(story))  # type: ignore[arg-type]  # a story's own fields of Order
    handle = await journeys.place(order)
    await journeys.forward(order, 0.02)
    await STORIES[story](journeys, order)
    return order, await handle.result()


@pytest.mark.parametrize(
    ("story", "got", "why"),
    [
        (
            "picked_up",
            ["order_confirmation", "pickup_ready:T1", "pickup_reminder:T1", "pickup_collected:T1", "care:T1"],
            "every touch is settled",
        ),
        (
            "split_within_the_hour",
            ["order_confirmation", "shipped:T1", "delivered:T1", "care:T1", "check_in", "review_request:T1"],
            "every touch is settled",
        ),
        (
            "given_up",
            [
                "order_confirmation",
                "shipped:T1",
                "overdue:T1",
                "late_apology:T1",
                "stuck:T1",
                "remedy_offer:T1",
                "remedy_reminder:T1",
                "remedy_settled:T1",
            ],
            "order refunded",
        ),
        (
            "never_came",
            ["order_confirmation", "shipped:T1", "delivered:T1", "denied:T1", "care:T1", "check_in"],
            "every touch is settled",
        ),
    ],
)
async def test_a_customer_is_told_what_their_parcel_does(
    journeys: World, stack: EmbeddedStack, story: str, got: list[str], why: str
) -> None:
    """Each word comes once, in the order in which it happened, and what it is not is not said."""
    order, ended = await lived(journeys, story)
    mails = [mail.touch for mail in stack.mail.messages() if mail.order == f"{order.shop}/{order.order_id}"]
    assert mails[: len(got)] == got
    assert len(mails) == len(set(mails))
    assert ended == why


async def test_parcels_of_one_hour_share_their_messages(journeys: World) -> None:
    """The second parcel's rows say into what they went, and its review is not asked for twice."""
    order, _ = await lived(journeys, "split_within_the_hour")
    ledger = await journeys.ledger(order)
    for touch in ("shipped", "delivered", "care", "review_request", "review_reminder"):
        assert [ledger[f"{touch}:{number}"] for number in ("T1", "T2")] == [("sent", None), ALONG]


async def test_nothing_is_sold_for_a_parcel_that_never_came(journeys: World, stack: EmbeddedStack) -> None:
    """The remedy's own refund is told with it and not again, and each word that stays unsaid has its rule."""
    order, _ = await lived(journeys, "given_up")
    mails = [mail.touch for mail in stack.mail.messages() if mail.order == f"{order.shop}/{order.order_id}"]
    assert mails[-1] == "remedy_settled:T1"
    rules = {key: rule for key, (status, rule) in (await journeys.ledger(order)).items() if status != "sent"}
    assert rules["review_request"] == "ended_by_order_refunded"
    assert rules["check_in"] == "ended_by_order_refunded"


async def test_operators_find_the_journeys_that_want_a_look(journeys: World) -> None:
    """A parcel that is said never to have come is in the search attribute `Attention` until it is found."""
    order = Order(order_id(), **buyer("never_came"))  # type: ignore[arg-type]  # a story's own fields of Order
    handle = await journeys.place(order)
    await journeys.forward(order, 0.02)
    await shipped(journeys, order, "T1")
    await scan(journeys, order, ParcelStatus.DELIVERED)
    wanted = []
    for found in (False, True):
        now = await journeys.now(order)
        await journeys.tell(order, DeliveryDenied(at=now, tracking_number=TrackingNumber("T1"), found=found))
        await journeys.forward(order, 0.25)
        wanted.append((await handle.describe()).typed_search_attributes.get(ATTENTION))
    assert [list(one or ()) for one in wanted] == [["denied"], []]
