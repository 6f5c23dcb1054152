"""From the inbox to the tables and the journeys: order per subject, waiting, outages, dead letters."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from journey import events
from journey.base import workflow_id
from journey.order import Buyer
from starters.relay import Relay
from store import inbox
from tests.gateway.kit import Recorder
from tests.support.patience import PATIENCE

AT = "2026-11-23T08:00:00Z"


async def test_an_order_reaches_the_tables_and_starts_its_journey(gate):
    """Customer, consent, order and lines are written and the journey starts with what it may know."""
    await gate.send.order()
    await gate.relay.drain()
    facts = gate.journeys.started[workflow_id("acme", "1001")]
    customer = await gate.pool.fetchrow("SELECT * FROM customers")
    consents = await gate.pool.fetch("SELECT channel, granted, source, evidence FROM consents ORDER BY channel")
    assert (facts.total, facts.buyer, facts.country, facts.lines[0].sku) == (Decimal(79), Buyer.FIRST, "DE", "YM-1")
    assert "ada" not in facts.model_dump_json().lower()
    assert (customer["email"], customer["time_zone"]) == ("ada@example.com", "Europe/Berlin")
    assert [tuple(row) for row in consents] == [
        ("email", True, "order.created", "order 1001"),
        ("sms", False, "order.created", "order 1001"),
    ]
    assert await gate.states() == ["dispatched"]


async def test_an_order_told_twice_changes_nothing(gate):
    """The same order under another event id is one order, one consent and one journey."""
    await gate.send.order()
    await gate.send.order(total="1.00", line={"title": "Other"})
    await gate.relay.drain()
    assert await gate.pool.fetchval("SELECT count(*) FROM consents") == 2
    assert await gate.pool.fetchval("SELECT total FROM orders") == Decimal("79.00")
    assert len(gate.journeys.started) == 1


async def test_one_order_id_of_two_shops_is_two_orders(gate):
    """A shop's order ids mean nothing at another shop."""
    await gate.send.order()
    await gate.send.order(shop="bolt", customer={"first_name": "Bob"})
    await gate.send.event("order.cancelled", shop="bolt", order_id="1001")
    await gate.relay.drain()
    assert set(gate.journeys.started) == {workflow_id("acme", "1001"), workflow_id("bolt", "1001")}
    assert (gate.journeys.kinds("acme", "1001"), gate.journeys.kinds("bolt", "1001")) == ([], ["OrderCancelled"])
    assert await gate.pool.fetchval("SELECT count(*) FROM customers") == 2


async def test_facts_that_come_before_their_order_wait_for_it(gate):
    """Shipment, scans and refund of an unknown order are kept, and delivered by moment once it is there."""
    await gate.send.scan("P-1", "delivered", "2026-11-25T10:00:00Z")
    await gate.send.scan("P-1", "in_transit", "2026-11-24T10:00:00Z")
    await gate.send.event("order.refunded", timestamp=AT, shop="acme", order_id="1001", refund_id="r1", amount="5.00")
    await gate.send.event("shipment.created", shop="acme", order_id="1001", tracking_number="P-1", lines=["YM-1"])
    await gate.relay.drain()
    assert await gate.states() == ["waiting"] * 4
    await gate.send.order()
    await gate.relay.drain()
    assert await gate.states() == ["dispatched"] * 5
    # The parcel's scans have a subject of their own, so the refund may come before or between them.
    assert sorted(gate.journeys.kinds("acme", "1001")) == [
        "OrderRefunded",
        "ShipmentCreated",
        "ShipmentUpdated",
        "ShipmentUpdated",
    ]
    scans = [event.at.day for _, event in gate.journeys.told if isinstance(event, events.ShipmentUpdated)]
    assert scans == [24, 25]
    parcel = await gate.pool.fetchrow("SELECT * FROM shipments")
    assert (parcel["status"], parcel["skus"]) == ("delivered", ["YM-1"])


async def test_what_waits_for_a_week_is_a_dead_letter(gate):
    """A scan whose parcel never comes is given up after seven days, and shows in the figures."""
    await gate.send.scan("P-9", "in_transit", AT)
    await gate.relay.drain()
    gate.clock.forward(days=6, hours=23)
    await gate.relay.drain()
    assert await gate.states() == ["waiting"]
    gate.clock.forward(hours=1)
    await gate.relay.drain()
    (row,) = await gate.rows()
    assert (row["status"], row["note"]) == ("dead", "its tracking never came")
    assert "postlude_dead_letters 1.0" in (await gate.operations.get("/metrics")).text


async def test_while_temporal_is_away_webhooks_are_taken_and_delivered_later(gate):
    """An outage costs nothing but time: the answers stay 2xx and every fact arrives, in order."""
    gate.journeys.away = True
    answers = [
        await gate.send.order(),
        await gate.send.event("order.cancelled", timestamp=AT, shop="acme", order_id="1001"),
    ]
    for _ in range(8):
        await gate.relay.drain()
        gate.clock.forward(seconds=61)
    first, second = await gate.rows()
    assert [answer.status_code for answer in answers] == [202, 202]
    assert (first["status"], first["attempts"], second["attempts"]) == ("pending", 8, 0)
    gate.journeys.away = False
    await gate.relay.drain()
    assert await gate.states() == ["dispatched", "dispatched"]
    assert gate.journeys.kinds("acme", "1001") == ["OrderCancelled"]


async def test_a_week_of_outage_buries_nothing(gate):
    """What only an outage holds up is never given up."""
    gate.journeys.away = True
    await gate.send.order()
    await gate.relay.drain()
    gate.clock.forward(days=30)
    await gate.relay.drain()
    assert await gate.states() == ["pending"]


async def test_retries_are_spaced(gate):
    """A failed row is tried after 1, 2, 4, … up to 60 seconds."""
    gate.journeys.away = True
    await gate.send.order()
    gaps = []
    for _ in range(8):
        await gate.relay.drain()
        (row,) = await gate.rows()
        gaps.append((row["next_attempt"] - gate.clock.now).total_seconds())
        gate.clock.now = row["next_attempt"]
    assert gaps == [1, 2, 4, 8, 16, 32, 60, 60]


async def test_a_failing_order_holds_up_no_other(gate):
    """One journey that cannot be reached delays its own facts alone."""
    await gate.send.order(order_id="1")
    await gate.send.order(order_id="2", customer={"customer_id": "c-2"})
    await gate.relay.drain()
    gate.journeys.broken.add(workflow_id("acme", "1"))
    for order_id in ("1", "2"):
        await gate.send.event("order.cancelled", timestamp=AT, shop="acme", order_id=order_id)
        await gate.send.event("review.posted", timestamp=AT, shop="acme", order_id=order_id, rating=5)
    await gate.relay.drain()
    assert gate.journeys.kinds("acme", "2") == ["OrderCancelled", "ReviewPosted"]
    assert gate.journeys.kinds("acme", "1") == []
    gate.journeys.broken.clear()
    gate.clock.forward(seconds=2)
    await gate.relay.drain()
    assert gate.journeys.kinds("acme", "1") == ["OrderCancelled", "ReviewPosted"]


async def test_two_relays_share_the_work_without_doing_it_twice(gate):
    """Several relays on one database deliver each fact once, each subject's facts in order."""
    numbers = range(20)
    for number in numbers:
        await gate.send.order(order_id=str(number), customer={"customer_id": f"c-{number}"})
        await gate.send.event("order.cancelled", timestamp=AT, shop="acme", order_id=str(number))
    other = Relay(gate.pool, gate.journeys, clock=gate.clock)
    await asyncio.gather(gate.relay.drain(), other.drain())
    await gate.relay.drain()
    assert await gate.states() == ["dispatched"] * 40
    assert all(gate.journeys.kinds("acme", str(number)) == ["OrderCancelled"] for number in numbers)
    assert len(gate.journeys.playbooks) == 20


async def test_a_relay_that_died_gives_its_work_back(gate):
    """What a relay had taken when it died is delivered by the next one when the lease is over, not before."""
    await gate.send.order()
    await inbox.claim(gate.pool, now=gate.clock.now)
    await gate.relay.drain()
    assert await gate.states() == ["pending"]
    gate.clock.forward(seconds=31)
    await gate.relay.drain()
    assert await gate.states() == ["dispatched"]


async def test_a_running_relay_delivers_at_once_and_stops_cleanly(gate):
    """Woken by a webhook the relay does not wait for its poll; told to stop it ends."""
    running = asyncio.create_task(gate.relay.run())
    await asyncio.sleep(0.05)
    await gate.send.order()
    await asyncio.wait_for(gate.journeys.first.wait(), PATIENCE)
    gate.relay.stop()
    await asyncio.wait_for(running, PATIENCE)
    assert await gate.states() == ["dispatched"]


async def test_a_finished_journey_is_not_told_and_that_is_fine(gate):
    """A fact for a journey that is over is ticked off with a note."""
    await gate.send.order()
    await gate.relay.drain()
    gate.journeys.ended.add(workflow_id("acme", "1001"))
    await gate.send.event("order.cancelled", timestamp=AT, shop="acme", order_id="1001")
    await gate.relay.drain()
    assert [(row["status"], row["note"]) for row in await gate.rows()][-1] == ("dispatched", "journey has ended")


async def test_without_a_playbook_orders_wait_for_one(gate):
    """A gateway that starts before the first playbook is published loses nothing."""
    await gate.pool.execute("DELETE FROM current_playbook")
    await gate.send.order()
    await gate.relay.drain()
    (row,) = await gate.rows()
    assert (row["status"], row["note"]) == ("pending", "put off: NoPlaybookError")


async def test_a_row_that_no_version_can_read_is_given_up_after_a_month(gate):
    """It ends as a dead letter rather than in a loop."""
    await gate.send.order()
    await gate.pool.execute("UPDATE inbox SET event = '{}'")
    await gate.relay.drain()
    gate.clock.forward(days=30)
    await gate.relay.drain()
    (row,) = await gate.rows()
    assert (row["status"], row["note"]) == ("dead", "not read by this version: type")


async def test_recorder_of_another_process_is_not_needed(gate):
    """Rows kept by one process are delivered by a relay of another that was never woken."""
    await gate.send.order()
    other = Recorder()
    relay = Relay(gate.pool, other, clock=lambda: datetime(2026, 11, 22, 10, tzinfo=UTC) + timedelta(seconds=1))
    await relay.drain()
    assert list(other.started) == [workflow_id("acme", "1001")]
