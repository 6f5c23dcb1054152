"""What shops learn from their own parcels, and what is answered from it."""

from datetime import date, timedelta
from random import Random
from statistics import quantiles
from zoneinfo import ZoneInfo

import pytest

from journey.estimates import Why
from journey.lanes import USUAL, USUAL_OF, Lane, Learnt
from journey.standards import Reach
from store import lanes, shipments
from store.lanes import LEARNT_FROM, Relearnt
from tests.store.parcels import SENT, created, hear, history, hours, ordered, sent, word

NOW = SENT + timedelta(days=30)
DHL, DHL_DE, DE = Lane("dhl", None, None), Lane("dhl", None, "DE"), Lane(None, None, "DE")


async def learn(pool, *, now=NOW, least_samples=30):
    return await lanes.relearn(pool, now=now, least_samples=least_samples)


async def known(pool, lane, shop="acme"):
    async with pool.acquire() as connection:
        return (await lanes.learnt(connection, shop, lane)).get(lane)


def near(learnt):
    """A lane's figures in hours and days, rounded, to compare with what was worked out by hand."""
    hours_of = {name: getattr(learnt, name) for name in ("first_scan", "gap", "last_mile")}
    return {name: value and round(value / timedelta(hours=1), 6) for name, value in hours_of.items()} | {
        "transit": [round(days, 6) for _, days in learnt.transit],
        "samples": learnt.samples,
        "kept": learnt.kept and round(learnt.kept, 6),
    }


async def test_three_parcels_by_hand(pool):
    """Quantiles lie between parcels in proportion: of 1, 2 and 4 days the 80th of 100 is 2 + 0.6 · 2 = 3.2 days."""
    await history(
        pool,
        [
            {"scanned": 4, "delivered": 4 + 24, "out": 4 + 20, "scans": (-9, 4, 10, 28, 99)},
            {"scanned": 6, "delivered": 6 + 48, "out": 6 + 47, "scans": (6, 16, 40, 54)},
            {"scanned": 8, "delivered": 8 + 96, "promised": date(2026, 11, 26)},
        ],
    )
    await learn(pool, least_samples=1)
    assert near(await known(pool, DHL_DE)) == {
        "samples": 3,
        "transit": [2.0, 3.2, 3.8],
        # 4, 6, 8 hours; the longest silences are 18 and 24 hours; on the van 4 and 1 hours.
        "first_scan": 7.8,
        "gap": 23.7,
        "last_mile": 3.85,
        # Delivered on 26 November, 18:00 UTC, in Berlin.
        "kept": 1.0,
    }


async def test_thousands_of_parcels_give_their_quantiles(pool, say):
    """Three thousand parcels over two shops, three carriers and four countries: every lane as `statistics` has it."""
    seed = Random().randrange(10**6)
    say(f"seed {seed}")
    random = Random(seed)
    parcels = [
        {
            "id": str(position),
            "shop": random.choice(("acme", "bolt")),
            "carrier": random.choice(("DHL", "dhl_express", "UPS", None)),
            "service": random.choice(("Express", "EXPRESS", None)),
            "country": random.choice(("DE", "FR", "US", None)),
            "scanned": (scanned := random.uniform(0, 60)),
            "delivered": scanned + random.lognormvariate(4, 0.7),
        }
        for position in range(3000)
    ]
    for parcel in parcels:
        parcel["left"] = NOW - timedelta(hours=parcel["delivered"] + random.uniform(0, 4000))
    await history(pool, parcels)
    counted = await learn(pool)
    assert counted == Relearnt(lanes=2 * (2 * 3 + 2 * 3 + 2 + 3), shops=2, forgotten=0)
    carriers = {"DHL": "dhl", "dhl_express": "dhl", "UPS": "ups", None: None}
    for shop in ("acme", "bolt"):
        for carrier in ("dhl", "ups"):
            for lane in (Lane(carrier, "express", "DE"), Lane(carrier, None, "FR"), Lane(carrier, None, None)):
                mine = [
                    parcel
                    for parcel in parcels
                    if parcel["shop"] == shop
                    and carriers[parcel["carrier"]] == carrier
                    and (lane.service is None or parcel["service"])
                    and lane.country in {None, parcel["country"]}
                ]
                found = await known(pool, lane, shop)
                assert found.samples == len(mine)
                transit = quantiles(
                    [(one["delivered"] - one["scanned"]) / 24 for one in mine], n=100, method="inclusive"
                )
                assert [days for _, days in found.transit] == pytest.approx([transit[49], transit[79], transit[94]])
                first = quantiles([one["scanned"] for one in mine], n=100, method="inclusive")[94]
                assert found.first_scan / timedelta(hours=1) == pytest.approx(first)


async def test_a_shop_does_not_learn_from_another(pool):
    """Thirty slow parcels of one shop leave the other with the table."""
    await history(pool, [{"delivered": 400.0 + position} for position in range(30)])
    await ordered(pool, shop="bolt")
    await learn(pool)
    assert await known(pool, DHL_DE, "bolt") is None
    async with pool.acquire() as connection:
        found = {shop: (await lanes.expected(connection, shop, [DHL_DE]))[DHL_DE].samples for shop in ("acme", "bolt")}
    assert found == {"acme": 30, "bolt": 0}


async def test_what_came_when_is_what_counts(pool):
    """Denied, undelivered, older than half a year, still ahead, picked up in the store: none of them is learnt from."""
    old, ahead = SENT - LEARNT_FROM, NOW
    await history(
        pool,
        [
            {"delivered": 24 + 5},
            {"delivered": 99, "denied": 120},
            {"delivered": None},
            {"delivered": 99, "left": old},
            {"delivered": 99, "left": ahead},
            {"delivered": 99, "method": "pickup"},
            {"delivered": -3, "scanned": -3},
        ],
    )
    await learn(pool)
    assert near(await known(pool, DHL)) | {"first_scan": None} == {
        "samples": 1,
        "transit": [1.0, 1.0, 1.0],
        "first_scan": None,
        "gap": None,
        "last_mile": None,
        "kept": None,
    }


async def test_waiting_at_a_pick_up_point_is_arrived(pool):
    """How soon a customer fetches it is not the carrier's."""
    await history(pool, [{"scanned": 0, "waiting": 24, "delivered": 24 * 7, "scans": (0, 12, 24, 168)}])
    await learn(pool)
    figures = near(await known(pool, DHL))
    assert (figures["transit"], figures["gap"]) == ([1.0, 1.0, 1.0], 12.0)


async def test_a_carrier_that_only_ever_says_delivered_is_not_silent(pool):
    """Where nothing is scanned before the delivery, that much silence is usual, and the way counts from dispatch."""
    await history(pool, [{"scanned": 72, "delivered": 72}])
    await learn(pool)
    figures = near(await known(pool, DHL))
    assert (figures["first_scan"], figures["transit"]) == (72.0, [3.0, 3.0, 3.0])


@pytest.mark.parametrize(("zone", "kept"), [("Europe/Berlin", 0.0), ("America/New_York", 1.0), ("Mars/Olympus", 1.0)])
async def test_a_promise_is_kept_by_the_customers_calendar(pool, zone, kept):
    """Delivered at 23:30 UTC of the promised day: late in Berlin; a zone nobody knows is UTC."""
    await history(pool, [{"delivered": 37.5, "promised": date(2026, 11, 23), "zone": zone}])
    await learn(pool, least_samples=1)
    assert (await known(pool, DHL)).kept == kept


async def test_few_promises_give_no_share(pool):
    """What a customer is told of must rest on enough promises, though the lane itself has enough parcels."""
    await history(pool, [{"delivered": 50.0, "promised": date(2026, 11, 25) if n < 29 else None} for n in range(60)])
    await learn(pool)
    assert ((await known(pool, DHL)).samples, (await known(pool, DHL)).kept) == (60, None)


async def test_learning_again_replaces_and_forgets(pool):
    """A second look writes the same; a lane on which nothing travels any more is given up."""
    await history(pool, [{"delivered": 50.0}])
    assert await learn(pool) == Relearnt(lanes=3, shops=1, forgotten=0)
    before = await known(pool, DHL)
    later = NOW + timedelta(days=1)
    assert await learn(pool, now=later) == Relearnt(lanes=3, shops=1, forgotten=0)
    assert await known(pool, DHL) == before
    assert await learn(pool, now=NOW + LEARNT_FROM) == Relearnt(lanes=0, shops=0, forgotten=3)
    assert await known(pool, DHL) is None


async def test_an_empty_history_teaches_nothing(pool):
    """A shop without a parcel has no lane and no habit."""
    assert await learn(pool) == Relearnt(lanes=0, shops=0, forgotten=0)
    async with pool.acquire() as connection:
        assert await lanes.learnt(connection, "acme", DHL_DE) == {}
        assert await lanes.expected(connection, "acme", [Lane(None, None, None)]) == {Lane(None, None, None): USUAL}


async def test_only_the_lanes_asked_for_are_read(pool):
    """One query answers with the narrowest lane and the wider ones that may have to speak for it."""
    await history(
        pool,
        [
            {"delivered": 50.0, "service": "express"},
            {"delivered": 50.0, "country": "FR"},
            {"delivered": 9.0, "carrier": "UPS"},
        ],
    )
    await learn(pool)
    async with pool.acquire() as connection:
        found = await lanes.learnt(connection, "acme", Lane("dhl", "express", "DE"))
    assert set(found) == {Lane("dhl", "express", "DE"), DHL_DE, DHL, DE}
    assert isinstance(found[DE], Learnt)


@pytest.mark.parametrize(("orders", "within"), [(29, None), (30, timedelta(hours=48))])
async def test_how_soon_a_shop_sends_is_learnt(pool, orders, within):
    """From the order to its first parcel, once enough have left."""
    await history(pool, [{"delivered": 50.0, "ordered": 48.0} for _ in range(orders)])
    await learn(pool)
    async with pool.acquire() as connection:
        assert await lanes.dispatch_within(connection, "acme") == within
        assert await lanes.dispatch_within(connection, "bolt") is None


@pytest.mark.parametrize(("at_home", "expected"), [(16, USUAL_OF["ups", Reach.UNION]), (15, USUAL)])
async def test_a_shop_sends_from_where_most_of_its_customers_live(pool, at_home, expected):
    """More than half of thirty in Germany: France is within the union; with just half nobody can say."""
    await history(pool, [{"delivered": 50.0, "country": "DE" if n < at_home else "US"} for n in range(30)])
    await learn(pool)
    async with pool.acquire() as connection:
        found = await lanes.expected(connection, "acme", [Lane("ups", None, "FR")])
    assert list(found.values()) == [expected]


async def test_real_words_teach_a_lane(pool):
    """A parcel that came in by a shop's and a carrier's words is learnt from like any other."""
    await sent(pool, carrier="DHL", service="Paket", estimated_delivery=date(2026, 11, 24))
    for status, at in (("label_created", 1), ("in_transit", 6), ("out_for_delivery", 40), ("delivered", 46)):
        await hear(pool, word(status, hours(at)))
    await learn(pool, least_samples=1)
    assert near(await known(pool, Lane("dhl", "paket", "DE"))) == {
        "samples": 1,
        "transit": [1.666667] * 3,
        "first_scan": 6.0,
        "gap": 34.0,
        "last_mile": 6.0,
        "kept": 1.0,
    }


async def test_an_orders_parcels_are_estimated_together(pool):
    """Each by its own lane and date; what came, waits, goes back or is lost has no estimate."""
    await history(pool, [{"delivered": 5 + 48.0, "left": SENT - timedelta(days=20)} for _ in range(30)])
    await learn(pool)
    await sent(pool, order_id="o", number="LEARNT1", carrier="DHL")
    for number, more in (
        ("NAMED1", {"estimated_delivery": date(2026, 11, 25)}),
        ("HERE1", {}),
        ("WAITING1", {}),
        ("BACK1", {}),
        ("LOST1", {}),
    ):
        async with pool.acquire() as connection, connection.transaction():
            await shipments.ship(connection, created(order_id="o", number=number, **more))
    for number, status, reason in (
        ("HERE1", "delivered", None),
        ("WAITING1", "available_for_pickup", None),
        ("BACK1", "returning", None),
        ("LOST1", "exception", "lost"),
    ):
        await hear(pool, word(status, hours(1), number=number, reason=reason))
    async with pool.acquire() as connection:
        found = await lanes.estimates(connection, "acme", "o", now=hours(2), zone=ZoneInfo("Europe/Berlin"))
    # All thirty took two days, and it was Sunday, eleven o'clock in Berlin, when it left.
    assert {number: (one.day, one.probability, one.why) for number, one in found.items()} == {
        "LEARNT1": (date(2026, 11, 24), 0.8, Why.LEARNT),
        "NAMED1": (date(2026, 11, 25), None, Why.CARRIER),
    }
