"""What a real Temporal says about journeys that are there, over, or nowhere."""

import uuid
from datetime import UTC, datetime

import pytest
from temporalio.client import Client

from journey.base import workflow_id
from journey.events import OrderCancelled
from journey.remedies import RemedyRequest
from starters.journeys import TemporalJourneys
from starters.ports import JourneyMissingError
from tests.support.orders import Order
from tests.support.world import order_id
from workflows.remedy_case import RemedySaga

CANCELLED = OrderCancelled(at=datetime(2026, 11, 23, 8, tzinfo=UTC))


async def test_a_closed_journey_is_told_from_one_that_is_not_there(client):
    """A running journey takes a fact, a closed one answers that it has, and one nobody knows is an error."""
    journeys = TemporalJourneys(client, f"nobody-{uuid.uuid4().hex[:8]}")
    order = Order(order_id())
    with pytest.raises(JourneyMissingError):
        await journeys.signal(order.shop, order.order_id, CANCELLED)
    assert await journeys.start(order.facts(), "digest")
    assert await journeys.signal(order.shop, order.order_id, CANCELLED)
    await client.get_workflow_handle(workflow_id(order.shop, order.order_id)).terminate()
    assert not await journeys.signal(order.shop, order.order_id, CANCELLED)
    assert not await journeys.start(order.facts(), "digest")


async def test_a_namespace_that_is_not_there_ends_no_journey(client, stack):
    """Looked for in the wrong place no journey has ended."""
    lost = await Client.connect(stack.temporal_address, namespace="not-there", data_converter=client.data_converter)
    with pytest.raises(JourneyMissingError):
        await TemporalJourneys(lost, "queue").signal("acme", "1", CANCELLED)


async def test_a_remedy_has_one_saga_for_ever(client):
    """Whoever asks second is told so, while the saga runs and after it has ended."""
    journeys = TemporalJourneys(client, f"nobody-{uuid.uuid4().hex[:8]}")
    request = RemedyRequest(shop="acme", order_id=order_id(), part="T1", playbook="digest", at=CANCELLED.at)
    assert await journeys.settle(request)
    assert not await journeys.settle(request)
    handle = client.get_workflow_handle_for(RemedySaga.run, request.workflow_id)
    assert (await handle.describe()).workflow_type == "RemedySaga"
    await handle.terminate()
    assert not await journeys.settle(request)
