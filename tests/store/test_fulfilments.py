"""Fulfilments in the tables: the same words give the same parcels as the journey's own fold, in any order."""

from datetime import timedelta
from itertools import permutations
from random import Random

from journey import events
from journey.numbers import fulfilment_key
from journey.telling import apply
from store import intake, shipments
from tests.journey.makers import begun
from tests.journey.makers import order as facts
from tests.store.parcels import SENT, hear, hours, ordered, word


async def told(pool, event):
    """A word, as the relay brings it in; what the journey is told of it."""
    if isinstance(event, intake.ShipmentUpdated):
        found = await hear(pool, event)
        return [one for facts_ in found.values() for one in facts_]
    async with pool.acquire() as connection, connection.transaction():
        if isinstance(event, intake.ShipmentCancelled):
            return (await shipments.call_off(connection, event))[0]
        return (await shipments.ship(connection, event))[0]


def fulfilled(hour, *numbers, fulfilment="F1"):
    return intake.ShipmentCreated(
        shop="acme",
        order_id="1",
        at=SENT,
        said_at=hours(hour),
        fulfilment_id=fulfilment,
        tracking_numbers=numbers,
    )


def cancelled(hour, fulfilment="F1"):
    return intake.ShipmentCancelled(shop="acme", order_id="1", at=hours(hour), fulfilment_id=fulfilment)


async def parcels(pool):
    rows = await pool.fetch(
        "SELECT tracking_number, left_out, status, delivered_at FROM shipments ORDER BY tracking_number"
    )
    return {row["tracking_number"]: (row["left_out"], row["delivered_at"]) for row in rows}


WORDS = [
    fulfilled(1, "a-1"),
    fulfilled(2, "B 1", "c1"),
    cancelled(3),
    fulfilled(4, "A1", fulfilment="F2"),
    fulfilled(5, fulfilment="F3"),
    word("returning", hours(6), number="a 1"),
    word("delivered", hours(7), number="A1"),
    word("delivered", hours(7), number="B1"),
]


async def test_every_order_of_words_is_one_order_of_parcels(pool, say):
    """Made, corrected, split, cancelled and made again, scanned and returned: the last words count, shuffled too."""
    seed = Random().randrange(10**6)
    say(f"seed {seed}")
    chance = Random(seed)
    found = set()
    for words in [WORDS, WORDS[::-1], *(chance.sample(WORDS, len(WORDS)) for _ in range(20))]:
        await ordered(pool)
        state = begun(facts(placed_at=SENT - timedelta(days=1)), now=SENT - timedelta(days=1))
        # A scan that comes before its parcel waits for it.
        later = [one for one in words if isinstance(one, intake.ShipmentUpdated)]
        for event in (*words, *later, chance.choice(words)):
            for fact in await told(pool, event):
                state = apply(state, fact, now=hours(100))
        known = await parcels(pool)
        found.add(tuple(sorted(known.items())))
        assert {key for key, (out, _) in known.items() if not out} == {one.tracking_number for one in state.parcels}
        arrived = {one.tracking_number: one.delivered_at for one in (*state.parcels, *state.left_out)}
        assert {key: at for key, (_, at) in known.items()} == {key: arrived.get(key) for key in known}
        await pool.execute("DELETE FROM orders")
    (only,) = found
    assert dict(only)[fulfilment_key("F3")] == (False, None)
    assert dict(only)["A1"] == (False, None)


async def test_a_parcel_that_is_known_by_its_old_key_keeps_it(pool):
    """A row of before numbers were read is found by its number, and the journey that knows its key is told of that."""
    await ordered(pool)
    await pool.execute(
        """INSERT INTO shipments (shop, order_id, tracking_number, number, created_at)
           VALUES ('acme', '1', '1z 999', '1Z999', $1)""",
        SENT,
    )
    (scan,) = await told(pool, word("delivered", hours(1), number="1Z999"))
    (sent,) = await told(pool, fulfilled(2, "1Z 999"))
    assert (scan.tracking_number, sent.tracking_number, sent.parcels) == ("1z 999", "1z 999", ("1z 999",))


async def test_a_shops_word_about_an_order_is_that_orders_alone(pool):
    """Two orders have the same number: the shop's word reaches one, the carrier's both."""
    for order_id in ("1", "2"):
        await ordered(pool, order_id=order_id)
        sent = intake.ShipmentCreated(shop="acme", order_id=order_id, at=SENT, tracking_number="JJD1")
        async with pool.acquire() as connection, connection.transaction():
            await shipments.ship(connection, sent)
    own = await hear(pool, word("in_transit", hours(1), number="JJD1", shop="acme", order_id="2"))
    everyones = await hear(pool, word("in_transit", hours(2), number="jjd 1"))
    assert (list(own), sorted(everyones)) == ([("acme", "2")], [("acme", "1"), ("acme", "2")])
    assert isinstance(own["acme", "2"][0], events.ShipmentUpdated)
    assert own["acme", "2"][0].by_shop


async def test_two_words_of_one_moment_are_one_whichever_comes_first(pool):
    """A cancellation goes before a fulfilment of the same second."""
    for words in permutations([fulfilled(1, "A1"), cancelled(1)]):
        await ordered(pool)
        for event in words:
            await told(pool, event)
        rows = await parcels(pool)
        assert all(out for out, _ in rows.values())
        await pool.execute("DELETE FROM orders")
