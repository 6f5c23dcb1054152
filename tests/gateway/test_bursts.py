"""Many orders at once: what is written together, and what one order's trouble means for the others."""

import asyncio
from datetime import timedelta

import pytest

from starters.begun import BegunOrders
from starters.relay import Relay
from store import inbox
from store.inbox import Begun

AT = "2026-11-22T10:00:00Z"
MANY = 40
TRY = "SELECT pg_try_advisory_lock(hashtextextended($1, 7067))"
BLOCKED = """
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND NOT granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Counting:
    """The pool, counting how often somebody takes a connection; the first takers may be refused."""

    def __init__(self, pool, *, refusing=0):
        self.pool, self.taken, self.refusing = pool, 0, refusing

    def acquire(self):
        self.taken += 1
        if self.taken <= self.refusing:
            raise ConnectionRefusedError
        return self.pool.acquire()


async def claimed(gate):
    """Forty orders, each with an event that waits for it and one of its parcel, and the rows of their creations."""
    for number in range(MANY):
        shipped = {"tracking_number": f"JJD{number:04}", "carrier": "DHL"}
        await gate.send.event("shipment.created", timestamp=AT, shop="acme", order_id=str(number), **shipped)
    await gate.relay.drain()
    for number in range(MANY):
        await gate.send.order(order_id=str(number), customer={"customer_id": f"c-{number}"})
    return await inbox.claim(gate.pool, now=gate.clock.now, limit=MANY)


async def blocked(connection):
    async with asyncio.timeout(30):
        while not await connection.fetchval(BLOCKED):  # noqa: ASYNC110  the database has no event for it
            await asyncio.sleep(0.01)


def begun(row):
    return Begun(row, "acme", row.subject.rpartition(":")[2], None)


async def test_what_becomes_ready_together_is_written_together(gate):
    """Forty orders that are ready at once cost two transactions, and what waited for each of them is let go."""
    rows = await claimed(gate)
    pool = Counting(gate.pool)
    together = BegunOrders(pool)
    await asyncio.gather(*(together.write(begun(row), now=gate.clock.now) for row in rows))
    assert pool.taken <= 2
    assert sorted(await gate.states()) == ["dispatched"] * MANY + ["pending"] * MANY


async def test_when_the_group_fails_each_of_it_tries_alone(gate):
    """The order whose turn it was hears of the error, and all others are written by the next one."""
    rows = await claimed(gate)
    together = BegunOrders(Counting(gate.pool, refusing=1))
    said = await asyncio.gather(
        *(together.write(begun(row), now=gate.clock.now) for row in rows), return_exceptions=True
    )
    assert [type(one) for one in said if one is not None] == [ConnectionRefusedError]
    assert (await gate.states()).count("dispatched") == MANY - 1


async def test_a_row_that_was_given_out_again_is_not_marked(gate):
    """A relay whose lease ran out marks nothing: the row is another relay's by then."""
    (row, *_) = await claimed(gate)
    gate.clock.forward(minutes=1)
    await inbox.claim(gate.pool, now=gate.clock.now, limit=MANY)
    await BegunOrders(gate.pool).write(begun(row), now=gate.clock.now)
    assert (await gate.states()).count("dispatched") == 0


class Stuck:
    """Journeys of which some never answer; the rest are the recorder's."""

    def __init__(self, journeys, stuck):
        self.journeys, self.stuck, self.hanging = journeys, stuck, asyncio.Event()
        self.most_hang, self.count = asyncio.Event(), 0
        self.settle, self.signal = journeys.settle, journeys.signal

    async def start(self, facts, playbook):
        if int(facts.order_id) < self.stuck:
            self.count += 1
            if self.count == self.stuck:
                self.most_hang.set()
            await self.hanging.wait()
        return await self.journeys.start(facts, playbook)


@pytest.mark.parametrize("stuck", [17, 31])
async def test_orders_that_hang_hold_up_no_other(gate, stuck):
    """With most of the relay's slots waiting for Temporal, the free ones still deliver what comes."""
    journeys = Stuck(gate.journeys, stuck)
    relay = Relay(gate.pool, journeys, clock=gate.clock)
    for number in range(stuck):
        await gate.send.order(order_id=str(number), customer={"customer_id": f"c-{number}"})
    running = asyncio.create_task(relay.run())
    for number in range(stuck, stuck + 3):
        await gate.send.order(order_id=str(number), customer={"customer_id": f"c-{number}"})
    async with asyncio.timeout(30):
        while len(gate.journeys.playbooks) < 3:  # noqa: ASYNC110  the relay has no event for it
            await asyncio.sleep(0.05)
    journeys.hanging.set()
    async with asyncio.timeout(30):
        while (await gate.states()).count("dispatched") < stuck + 3:  # noqa: ASYNC110  the relay has no event for it
            await asyncio.sleep(0.05)
    relay.stop()
    await running


async def test_a_relay_that_is_woken_all_the_time_still_looks(gate):
    """While most slots hang, webhooks that keep coming do not put off the look that would take them."""
    journeys = Stuck(gate.journeys, 17)
    relay = Relay(gate.pool, journeys, clock=gate.clock, poll=timedelta(seconds=0.5))
    for number in range(17):
        await gate.send.order(order_id=str(number), customer={"customer_id": f"c-{number}"})
    running = asyncio.create_task(relay.run())
    await asyncio.wait_for(journeys.most_hang.wait(), 30)
    await gate.send.order(order_id="17", customer={"customer_id": "c-17"})
    async with asyncio.timeout(10):  # less than the relay's own limit, which ends what hangs
        while not gate.journeys.playbooks:
            relay.wake()
            await asyncio.sleep(0.01)
    journeys.hanging.set()
    relay.stop()
    await running


async def test_orders_are_taken_in_one_order_whoever_takes_them(gate):
    """Who takes several orders waits for the first by name and holds none behind it, however they were listed."""
    first, second = "order:acme-2:1", "order:acme:1"
    async with gate.pool.acquire() as holder, gate.pool.acquire() as taker, gate.pool.acquire() as other:
        held, taken = holder.transaction(), taker.transaction()
        await held.start()
        await taken.start()
        await inbox.lock(holder, first)
        waiting = asyncio.create_task(inbox.lock_all(taker, [second, first]))
        await blocked(other)
        assert await other.fetchval(TRY, second)
        await other.fetchval("SELECT pg_advisory_unlock_all()")
        await held.rollback()
        await waiting
        assert not await other.fetchval(TRY, second)
        await taken.rollback()


async def test_an_order_that_is_told_again_in_other_words_starts_with_what_was_written_first(gate):
    """A second creation of an order answers the lines, the total and the buyer of the first one, and adds none."""
    await gate.send.order(order_id="1", total="79.00")
    await gate.relay.drain()
    first = gate.journeys.started.pop("order:acme:1")
    other = {"sku": "OTHER", "title": "Other", "quantity": 3, "unit_price": "4.00"}
    await gate.send.order(order_id="1", total="12.00", lines=[other])
    await gate.relay.drain()
    assert gate.journeys.started["order:acme:1"] == first
    assert await gate.pool.fetchval("SELECT count(*) FROM lines") == len(first.lines)
