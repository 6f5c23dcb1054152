"""What a relay does when journeys are missing, leases are lost, faults are new, and rows are old."""

import asyncio

import pytest

from activities.vendors.http import VendorBusyError
from journey.base import workflow_id
from starters.ports import JourneyMissingError
from starters.relay import Relay
from starters.troubles import passes
from store import inbox
from store.playbooks import NoPlaybookError
from tests.gateway.kit import Clock, Recorder
from tests.support.patience import PATIENCE

AT = "2026-11-23T08:00:00Z"


async def test_an_ended_journey_that_temporal_forgot_is_not_told(gate):
    """Long after a journey's end the tables alone know of it: its facts are ticked off and it is not begun again."""
    await gate.send.order()
    await gate.relay.drain()
    gate.journeys.lost.add(workflow_id("acme", "1001"))
    await gate.pool.execute("UPDATE orders SET ended_at = now()")
    await gate.send.event("order.cancelled", timestamp=AT, shop="acme", order_id="1001")
    await gate.send.order(total="1.00")
    await gate.relay.drain()
    assert [(row["status"], row["note"]) for row in await gate.rows()] == [
        ("dispatched", None),
        ("dispatched", "journey has ended"),
        ("dispatched", "nothing new"),
    ]
    assert len(gate.journeys.playbooks) == 1


async def test_a_journey_that_is_not_there_is_no_ended_one(gate):
    """A fact whose journey cannot be found, and never ended, is tried for a week and then a dead letter."""
    await gate.send.order()
    await gate.relay.drain()
    gate.journeys.lost.add(workflow_id("acme", "1001"))
    await gate.send.event("order.cancelled", timestamp=AT, shop="acme", order_id="1001")
    await gate.relay.drain()
    row = (await gate.rows())[-1]
    assert (row["status"], row["note"]) == ("pending", "put off: JourneyMissingError")
    gate.clock.forward(days=7)
    await gate.relay.drain()
    row = (await gate.rows())[-1]
    assert (row["status"], row["note"]) == ("dead", "failed for a week: JourneyMissingError")


async def test_a_parcel_of_a_lost_order_still_tells_the_other(gate):
    """Of two orders in a parcel the one whose journey is there learns of a scan, whichever comes first."""
    for order_id in ("1", "2"):
        await gate.send.order(order_id=order_id)
        await gate.send.event("shipment.created", timestamp=AT, shop="acme", order_id=order_id, tracking_number="P-1")
    await gate.relay.drain()
    gate.journeys.lost.add(workflow_id("acme", "1"))
    await gate.send.scan("P-1", "delivered", AT)
    await gate.relay.drain()
    assert gate.journeys.kinds("acme", "2")[-1] == "ShipmentUpdated"
    assert (await gate.states())[-1] == "pending"


async def test_facts_wait_for_an_order_that_was_given_up(gate):
    """Behind a creation that is a dead letter facts wait; beside one that was dispatched it holds nothing up."""
    gate.journeys.away = True
    await gate.send.order()
    await gate.relay.drain()
    gate.journeys.away = False
    await gate.pool.execute("UPDATE inbox SET status = 'dead'")
    await gate.send.event("order.cancelled", timestamp=AT, shop="acme", order_id="1001")
    await gate.relay.drain()
    assert await gate.states() == ["dead", "waiting"]
    await gate.send.order(total="1.00")
    await gate.relay.drain()
    await gate.send.event("review.posted", timestamp=AT, shop="acme", order_id="1001", rating=5)
    await gate.relay.drain()
    assert await gate.states() == ["dead", "dispatched", "dispatched", "dispatched"]
    assert gate.journeys.kinds("acme", "1001") == ["OrderCancelled", "ReviewPosted"]


class _Slow(Recorder):
    """Journeys whose start is answered when `answers` is set; `asked` once there was one to wait for."""

    def __init__(self):
        super().__init__()
        self.answers, self.asked = asyncio.Event(), asyncio.Event()
        self.answers.set()

    async def start(self, facts, playbook):
        if not self.answers.is_set():
            self.asked.set()
        await self.answers.wait()
        return await super().start(facts, playbook)


async def test_a_repeated_order_holds_nothing_up(gate):
    """A scan that comes while the order is told again does not wait for that: its journey was begun by the first."""
    journeys = _Slow()
    relay, other = (Relay(gate.pool, journeys, clock=gate.clock) for _ in range(2))
    await gate.send.order()
    await gate.send.event("shipment.created", timestamp=AT, shop="acme", order_id="1001", tracking_number="P-1")
    await relay.drain()
    journeys.answers.clear()
    await gate.send.order()
    telling = asyncio.create_task(relay.drain())
    await journeys.asked.wait()
    await gate.send.scan("P-1", "delivered", AT)
    await other.drain()
    assert (await gate.states())[-1] == "dispatched"
    journeys.answers.set()
    await telling
    assert await gate.states() == ["dispatched"] * 4
    assert journeys.kinds("acme", "1001") == ["ShipmentCreated", "ShipmentUpdated"]


async def test_a_relay_that_lost_its_lease_changes_nothing(gate):
    """What a slow relay says of a row that was given out again, or settled, does not count."""
    await gate.send.order()
    (slow,) = await inbox.claim(gate.pool, now=gate.clock.now)
    gate.clock.forward(seconds=31)
    (other,) = await inbox.claim(gate.pool, now=gate.clock.now)
    before = await gate.rows()
    for late in (True, False):
        await inbox.retry(gate.pool, slow, at=gate.clock.now, note="late")
        await inbox.bury(gate.pool, slow, now=gate.clock.now, note="late")
        await inbox.wait(gate.pool, slow, note="late")
        await inbox.done(gate.pool, slow, now=gate.clock.now, note="late")
        assert await gate.rows() == before
        if late:
            await inbox.done(gate.pool, other, now=gate.clock.now, note=None)
            before, slow = await gate.rows(), other
    assert await gate.states() == ["dispatched"]


async def test_webhooks_are_forgotten_when_their_time_is_over(gate):
    """An ignored row is blanked after a day, a dispatched one after 30, a dead one after 90; it is a repeat still."""
    await gate.send.order(event_id="msg_1")
    await gate.send.shopify("carts/update", {"who": "Ada"})
    await gate.send.scan("P-9", "in_transit", AT)
    await gate.relay.drain()

    async def kept():
        return [bool(row["body"]) or row["event"] is not None for row in await gate.rows()]

    gate.clock.forward(hours=23)
    await gate.relay.drain()
    assert await kept() == [True, True, True]
    gate.clock.forward(days=28)
    await gate.relay.drain()
    assert (await gate.states(), await kept()) == (["dispatched", "ignored", "dead"], [True, False, True])
    gate.clock.forward(days=2)
    await gate.relay.drain()
    assert await kept() == [False, False, True]
    gate.clock.forward(days=89)
    await gate.relay.drain()
    assert await kept() == [False, False, False]
    again = await gate.send.order(event_id="msg_1")
    assert again.json()["status"] == "repeated"


class _Stumbling(Clock):
    """A clock that fails once."""

    failed = False

    def __call__(self):
        if not self.failed:
            self.failed = True
            raise RuntimeError
        return super().__call__()


async def test_a_relay_survives_what_nobody_thought_of(gate):
    """Whatever goes wrong while rows are taken, the relay goes on."""
    await gate.send.order()
    relay = Relay(gate.pool, gate.journeys, clock=_Stumbling())
    running = asyncio.create_task(relay.run())
    await asyncio.wait_for(gate.journeys.first.wait(), PATIENCE)
    relay.stop()
    await asyncio.wait_for(running, PATIENCE)
    assert await gate.states() == ["dispatched"]


def test_patience_mends_no_lookup():
    """A missing playbook is waited for; any other lookup that fails is a fault and ends as a dead letter."""
    assert passes(NoPlaybookError())
    assert not passes(KeyError())
    assert not passes(JourneyMissingError())


@pytest.mark.parametrize(
    ("rule", "mended"),
    [("http_503", True), ("http_429", True), ("circuit_open", True), ("quota_spent", True)]
    + [(rule, False) for rule in ("http_401", "http_403", "access_denied", "shop_inactive", "token_http_400")],
)
def test_patience_mends_no_right(rule, mended):
    """What is away comes back; a token that was taken back or a bill that is not paid is for a person."""
    assert passes(VendorBusyError("a vendor", rule)) is mended
