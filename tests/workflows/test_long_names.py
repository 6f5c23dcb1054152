"""Names as long as the intake takes them: Temporal's limits on summaries and ids are never met."""

from datetime import timedelta

import pytest
from temporalio.client import Client

from journey.events import ShipmentCreated
from journey.playbook import Playbook
from tests.support.orders import Order, Person, noon_zone
from tests.support.script import Script, Stage
from tests.support.world import order_id


@pytest.mark.parametrize("number", ["包" * 200, "T" * 200, "é" * 200])
async def test_a_journey_goes_on_whatever_its_parcels_are_called(
    client: Client, playbook: Playbook, number: str
) -> None:
    """A tracking number of 200 characters in any script, twice in one message, fails no workflow task."""
    script = Script()
    stage = Stage(client, playbook, script)
    order = Order(order_id(), person=Person(customer_id=order_id(), time_zone=noon_zone()))
    async with stage.workflows(), stage.activities():
        handle = await stage.start(order)
        await script.until("deliver", "order_confirmation")
        for one in (number, number[:-1]):
            now = await stage.clocks.now(order.shop, order.order_id)
            shipped = ShipmentCreated(at=now, tracking_number=one, carrier="DHL", skus=())
            await stage.journeys.signal(order.shop, order.order_id, shipped)
        await stage.clocks.forward(order.shop, order.order_id, timedelta(hours=2))
        assert any(key.startswith("shipped:") for key in script.sent())
        failed = [
            event
            for event in (await handle.fetch_history()).events
            if event.HasField("workflow_task_failed_event_attributes")
        ]
        assert failed == []
        await handle.terminate()
