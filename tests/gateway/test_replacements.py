"""Orders that a remedy had made: followed like any other, and nobody's second purchase."""

import pytest

from journey.base import workflow_id
from journey.conditions import SAMPLE, holds
from journey.order import Buyer
from tests.gateway.kit import order_data

LATER = "2026-11-23T09:00:00Z"
LATER_STILL = "2026-11-24T09:00:00Z"


async def replaced(gate, *, replaces="1001", first=None):
    """An order, and the one that replaces it."""
    await gate.send.order(**(first or {}))
    await gate.relay.drain()
    gate.clock.forward(days=1)
    data = order_data(order_id="1001-R", placed_at=LATER, total="0.00", line={"unit_price": "0.00"})
    await gate.send.event("order.created", **data, replaces=replaces)
    await gate.relay.drain()
    return gate.journeys.started[workflow_id("acme", "1001-R")]


@pytest.mark.parametrize("replaces", ["1001", 1001, ""])
async def test_a_replacement_is_no_second_order(gate, replaces):
    """It has a journey of its own, whose buyer is who they were; the first one is not told of a purchase."""
    facts = await replaced(gate, replaces=replaces)
    assert (facts.channel, facts.buyer) == ("replacement", Buyer.FIRST)
    assert gate.journeys.kinds("acme", "1001") == []


async def test_who_bought_before_gets_their_replacement_as_such(gate):
    """Where the order it replaces is known its buyer is taken from there, and not from a later one."""
    await gate.send.order(order_id="1000", placed_at="2026-11-20T09:00:00Z")
    await gate.relay.drain()
    facts = await replaced(gate, replaces="1000")
    assert facts.buyer is Buyer.FIRST
    assert gate.journeys.started[workflow_id("acme", "1001")].buyer is Buyer.REPEAT


async def test_what_is_bought_after_a_replacement_ends_the_first_orders_marketing(gate):
    """The next purchase goes past the replacement to the order before it."""
    await replaced(gate)
    gate.clock.forward(days=1)
    await gate.send.order(order_id="1002", placed_at=LATER_STILL)
    await gate.relay.drain()
    assert gate.journeys.kinds("acme", "1001") == ["CustomerReordered"]
    assert gate.journeys.kinds("acme", "1001-R") == []
    assert gate.journeys.started[workflow_id("acme", "1002")].buyer is Buyer.REPEAT


async def test_a_shops_word_without_a_mark_is_an_order(gate):
    """What says nothing of another order is bought."""
    facts = await replaced(gate, replaces=None)
    assert (facts.channel, facts.buyer) == ("online", Buyer.REPEAT)
    assert gate.journeys.kinds("acme", "1001") == ["CustomerReordered"]


@pytest.mark.parametrize("channel", ["online", "replacement"])
def test_nothing_is_advertised_over_a_replacement(playbook, channel):
    """Of the playbook that ships with it the first order gets every offer, and what replaces it none."""
    seen = SAMPLE._replace(order=SAMPLE.order._replace(channel=channel))
    offers = [touch for touch in playbook.touches if touch.marketing]
    going = [touch for touch in offers if touch.when is None or holds(touch.when, seen)]
    assert going == (offers if channel == "online" else [])
