"""Shops take turns in the inbox, counted in rows and not in seconds: one's flood or poison keeps no other waiting."""

import asyncio
from collections import Counter

from starters.relay import Relay
from store import inbox
from tests.gateway.test_dead_letters import Poisoned

SLOTS = 32
FLOOD = 1500
_FILL = """
INSERT INTO inbox (source, event_id, topic, body, subject, event, occurred_at, received_at, next_attempt, shop,
                   attempts, faults)
SELECT 'test', $1 || '-' || $2 || '-' || n, 'order.created', '', $4 || ':' || $1 || ':' || $2 || '-' || n,
       jsonb_build_object('type', 'order.created', 'shop', $1), $3, $3, $3, $1, $5, $5
FROM generate_series(1, $6::int) n
"""


async def fill(gate, shop, count, *, name="o", minutes=0, kind="order", tries=0):
    """So many rows of a shop, each of an order of its own, that came `minutes` after the clock's."""
    gate.clock.forward(minutes=minutes)
    await gate.pool.execute(_FILL, shop, name, gate.clock.now, kind, tries, count)


async def batch(gate, *, limit=SLOTS, fetches=3):
    """How many rows of each shop the next claim gives out."""
    rows = await inbox.claim(gate.pool, now=gate.clock.now, limit=limit, fetches=fetches)
    return Counter(row.subject.split(":")[1] for row in rows)


async def test_a_flood_of_one_shop_halves_anothers_share_and_no_more(gate):
    """Behind 1,500 fresh rows of one shop another's rows fill half of each batch until they are through."""
    await fill(gate, "flood", FLOOD)
    await fill(gate, "small", 40, minutes=1)
    batches = [await batch(gate) for _ in range(4)]
    assert [one["small"] for one in batches] == [16, 16, 8, 0]
    assert [one.total() for one in batches] == [SLOTS] * 4


async def test_a_single_row_behind_a_flood_is_in_the_next_batch(gate):
    """One row that came last of all is given out first of all, with one of the flood's."""
    await fill(gate, "flood", FLOOD)
    await fill(gate, "small", 1, minutes=1)
    assert (await batch(gate, limit=2)) == {"flood": 1, "small": 1}


async def test_poison_costs_another_shop_less_than_half_of_its_share(gate):
    """1,500 rows that failed already leave another shop's fresh ones three quarters of every batch and more."""
    await fill(gate, "poison", FLOOD, tries=2)
    await fill(gate, "small", 100, minutes=10)
    shares = [(await batch(gate))["small"] for _ in range(3)]
    assert min(shares) > SLOTS / 2
    assert sum(shares) >= SLOTS * 3 * 3 / 4


async def test_poison_crowds_out_no_fresh_row_of_its_own_shop(gate):
    """Of one shop, too, what is tried for the first time goes before what failed."""
    await fill(gate, "acme", FLOOD, tries=2)
    await fill(gate, "acme", 1, name="fresh", minutes=10)
    rows = await inbox.claim(gate.pool, now=gate.clock.now, limit=1)
    assert [row.subject for row in rows] == ["order:acme:fresh-1"]


async def test_what_failed_is_tried_again_beside_a_flood(gate):
    """Fresh rows do not starve what failed: it has a place in every batch."""
    await fill(gate, "acme", 10, tries=2)
    await fill(gate, "acme", FLOOD, name="fresh", minutes=10)
    taken = [row for _ in range(2) for row in await inbox.claim(gate.pool, now=gate.clock.now, limit=SLOTS)]
    assert sum(row.attempts > 1 for row in taken) == 10


async def test_no_shop_of_many_is_always_the_last(gate):
    """Behind forty shops with older rows than slots for them, a single row waits for some batches, and not for all."""
    for number in range(40):
        await fill(gate, f"shop-{number}", 20)
    await fill(gate, "small", 1, minutes=1)
    waited = 1
    while not (await batch(gate))["small"]:
        waited += 1
    # All the older rows are 25 batches; that a draw of 32 among 41 misses one 15 times has odds of 1 to 10^9.
    assert waited < 15


async def test_many_shops_fill_the_slots_as_one_does(gate):
    """Beside shops with a row each, one with many takes what is left of a batch."""
    for number in range(20):
        await fill(gate, f"shop-{number}", 1)
    await fill(gate, "flood", FLOOD)
    assert (await batch(gate)) == {"flood": 12} | {f"shop-{number}": 1 for number in range(20)}


async def test_orders_that_are_read_from_shops_take_turns_of_their_own(gate):
    """A shop's thousand orders to be read keep neither another's reading nor any fact waiting."""
    await fill(gate, "flood", FLOOD, kind="changed")
    await fill(gate, "small", 1, kind="changed", minutes=1)
    await fill(gate, "facts", 1)
    taken = await batch(gate, fetches=2)
    assert taken == {"flood": 1, "small": 1, "facts": 1}


async def test_a_relay_serves_another_shop_while_one_is_poisoned(gate):
    """Counted in tries of the poisoned shop: before another's twenty orders are begun, there are fewer than forty."""
    journeys = Poisoned()
    relay = Relay(gate.pool, journeys, clock=gate.clock)
    poisoned = [f"bad-{number}" for number in range(200)]
    journeys.chokes.update(poisoned)
    for order_id in poisoned:
        await gate.send.order(shop="poison", order_id=order_id, customer={"customer_id": order_id})
    await relay.drain()
    gate.clock.forward(seconds=2)
    for number in range(20):
        await gate.send.order(shop="small", order_id=str(number), customer={"customer_id": f"c-{number}"})
    tried = 0
    while len(journeys.started) < 20:
        await relay._take()
        rows = list(relay._running.values())
        tried += sum(row.subject.startswith("order:poison:") for row in rows)
        await asyncio.wait(relay._running)
    assert tried < 40
    assert {key.split(":")[1] for key in journeys.started} == {"small"}
