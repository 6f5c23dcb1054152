"""Leases on parcels that are due to be asked about, on the real database."""

import asyncio
from datetime import timedelta

import pytest

from journey.parcels import ParcelStatus, Reason
from journey.polling import Reach
from store import polling
from store.polling import LEASE, Settled
from store.pool import Pool
from tests.support.parcels import NOON, change, moments, ship

UPS = Reach(frozenset({"ups"}))
OTHERS = Reach(None, frozenset({"ups"}))
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


async def planned(pool: Pool, reach: Reach = UPS) -> list[str]:
    """The numbers that are on the list once `reach` has planned."""
    await polling.plan(pool, reach, now=NOON)
    return sorted(number for number, at in (await moments(pool)).items() if at is not None)


async def taken(pool: Pool, reach: Reach = UPS, *, now=NOON, limit=10) -> list[str]:
    return [turn.tracking_number for turn in await polling.take(pool, reach, now=now, limit=limit)]


@pytest.mark.parametrize(
    ("found", "columns"),
    [
        (True, {}),
        (True, {"status": "pending", "last_scan_at": None}),
        (True, {"status": "expired"}),
        (False, {"carrier": "gls"}),
        (False, {"carrier": None}),
        (False, {"method": "pickup"}),
        (False, {"status": "delivered"}),
        (False, {"status": "returned"}),
        (False, {"status": "cancelled"}),
        (False, {"created_at": NOON - 46 * DAY}),
        (False, {"polled_at": NOON - DAY}),
        (True, {"polled_at": NOON - 3 * DAY}),
    ],
)
async def test_open_parcels_within_reach_get_a_moment(pool: Pool, found, columns) -> None:
    """Pick-ups, others' parcels, what is over or long ago has none; nor what was polled to its end, unless heard of."""
    await ship(pool, "T1", **columns)
    assert (["T1"] if found else []) == await planned(pool)


async def test_parcels_of_an_order_that_ended_are_nobodys_business(pool: Pool) -> None:
    """One that a first reading brought in too late is never asked about; one that was on the list is struck off."""
    await ship(pool, "T1")
    await ship(pool, "T2", poll_at=NOON - HOUR)
    await ship(pool, "T3", poll_at=NOON - HOUR)
    await pool.execute("UPDATE orders SET ended_at = $1 WHERE order_id IN ('o-T1', 'o-T2')", NOON)
    assert await planned(pool) == ["T2", "T3"]
    assert await taken(pool) == ["T3"]
    assert await planned(pool) == ["T3"]


async def test_the_service_for_the_rest_takes_what_nobody_names(pool: Pool) -> None:
    """Carriers that have a poller of their own are not its; a parcel without a carrier is."""
    await ship(pool, "U1")
    await ship(pool, "G1", carrier="gls")
    await ship(pool, "N1", carrier=None)
    assert await planned(pool, OTHERS) == ["G1", "N1"]
    await polling.plan(pool, UPS, now=NOON)
    assert sorted(await taken(pool, OTHERS)) == ["G1", "N1"]
    assert await taken(pool) == ["U1"]


async def test_a_parcel_whose_carrier_is_corrected_changes_hands(pool: Pool) -> None:
    """Its next turn is the other poller's, at the moment it had; nobody who is configured means nobody asks."""
    await ship(pool, "T1")
    await planned(pool)
    await change(pool, "T1", carrier_code="gls")
    assert await taken(pool) == []
    assert await taken(pool, Reach(frozenset())) == []
    assert await taken(pool, OTHERS) == ["T1"]


async def test_due_parcels_are_leased_oldest_first(pool: Pool) -> None:
    """Nobody else gets them while the lease lasts, and it says what there is to know about each."""
    for number in ("A1", "B1", "C1"):
        await ship(pool, number)
    await planned(pool)
    await change(pool, "B1", poll_at=NOON - 3 * DAY, estimated_delivery=NOON.date(), tracker="easypost:trk_1")
    first, *more = await polling.take(pool, UPS, now=NOON, limit=2)
    assert ("B1", "DE", "easypost:trk_1", ParcelStatus.IN_TRANSIT, NOON.date(), NOON - 3 * DAY, NOON + LEASE) == (
        first.tracking_number,
        first.country,
        first.tracker,
        first.status,
        first.estimated_delivery,
        first.was_due,
        first.lease,
    )
    assert len(more) == 1
    assert len(await taken(pool)) == 1
    assert await taken(pool) == []


async def test_pollers_side_by_side_never_share_a_parcel(pool: Pool) -> None:
    """Forty parcels, eight takers of three at a time: each parcel is leased once."""
    for number in range(40):
        await ship(pool, f"T{number}")
    await planned(pool)

    async def greedy() -> list[str]:
        found: list[str] = []
        while numbers := await taken(pool, limit=3):
            found += numbers
        return found

    found = [number for numbers in await asyncio.gather(*(greedy() for _ in range(8))) for number in numbers]
    assert sorted(f"T{number}" for number in range(40)) == sorted(found)


async def test_a_dead_pollers_lease_runs_out(pool: Pool) -> None:
    """Another one has the parcel then, and what the first still says no longer counts."""
    await ship(pool, "T1")
    await planned(pool)
    (late,) = await polling.take(pool, UPS, now=NOON, limit=1)
    assert await taken(pool, now=NOON + LEASE - timedelta(seconds=1)) == []
    (other,) = await polling.take(pool, UPS, now=NOON + LEASE, limit=1)
    await polling.settle(pool, [Settled(late, None, NOON)])
    assert {"T1": other.lease} == await moments(pool)
    await polling.settle(pool, [Settled(other, NOON + DAY, NOON + LEASE)])
    row = await pool.fetchrow("SELECT poll_at, polled_at, polls FROM shipments")
    assert tuple(row) == (NOON + DAY, NOON + LEASE, 1)


async def test_turns_end_in_the_order_in_which_scans_are_written_down(pool: Pool) -> None:
    """Whoever holds a number's first parcel and goes on to the next one is not waited for in a ring."""
    for order_id in ("o-2", "o-1"):
        await ship(pool, "T1", order_id=order_id, poll_at=NOON - HOUR)
    turns = await polling.take(pool, UPS, now=NOON, limit=2)
    settled = [Settled(turn, None, NOON) for turn in sorted(turns, key=lambda turn: turn.order_id, reverse=True)]
    lock = "SELECT FROM shipments WHERE order_id = $1 FOR UPDATE"
    waits = """SELECT EXISTS (
        SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%AND poll_at = $4%')"""
    async with pool.acquire() as scanning, asyncio.TaskGroup() as tasks, scanning.transaction():
        await scanning.execute(lock, "o-1")
        tasks.create_task(polling.settle(pool, settled))
        while not await pool.fetchval(waits):  # noqa: ASYNC110  the database rings no bell
            await asyncio.sleep(0.01)
        await scanning.execute(lock, "o-2")
    assert await moments(pool) == {"T1": None}


async def test_a_turn_given_back_was_none(pool: Pool) -> None:
    """It is due as before, and nothing counts as asked."""
    await ship(pool, "T1", polled_at=NOON - 2 * DAY, poll_at=NOON - HOUR)
    (turn,) = await polling.take(pool, UPS, now=NOON, limit=1)
    await polling.settle(pool, [Settled(turn, turn.was_due)])
    row = await pool.fetchrow("SELECT poll_at, polled_at, polls FROM shipments")
    assert tuple(row) == (NOON - HOUR, NOON - 2 * DAY, 0)


@pytest.mark.parametrize(
    ("later", "columns"),
    [
        (True, {"last_scan_at": NOON - HOUR}),
        (False, {"status": "delivered", "last_scan_at": NOON - HOUR}),
        (False, {"last_scan_at": NOON - 50 * DAY}),
    ],
)
async def test_what_was_heard_meanwhile_saves_the_poll(pool: Pool, later, columns) -> None:
    """A webhook's scan puts it off, one that says it is over, or long silence, takes it from the list."""
    await ship(pool, "T1", polled_at=NOON - 4 * HOUR, poll_at=NOON - HOUR, **({"last_scan_at": NOON - DAY} | columns))
    await ship(pool, "T2", polled_at=NOON - DAY, poll_at=NOON - timedelta(minutes=1))
    assert await taken(pool, limit=1) == ["T2"]
    at = (await moments(pool))["T1"]
    assert later == (at is not None and at > NOON + 12 * HOUR)


async def test_what_was_due_weeks_ago_is_nobodys(pool: Pool) -> None:
    """A poller that is taken away leaves parcels behind that no other has to step over for ever."""
    await ship(pool, "T1", poll_at=NOON - 46 * DAY)
    assert await taken(pool) == []
    assert await polling.next_due(pool, UPS, now=NOON) is None


async def test_the_next_moment_is_that_of_the_poller_who_asks(pool: Pool) -> None:
    """Others' parcels and those without a moment do not count."""
    await ship(pool, "T1", poll_at=NOON + HOUR)
    await ship(pool, "T2", poll_at=NOON + 2 * HOUR, carrier="gls")
    await ship(pool, "T3")
    assert await polling.next_due(pool, UPS, now=NOON) == NOON + HOUR
    assert await polling.next_due(pool, OTHERS, now=NOON) == NOON + 2 * HOUR


async def test_scans_that_are_written_down_are_known(pool: Pool) -> None:
    """Those of the parcels asked for alone, with their reasons."""
    for number in ("T1", "T2"):
        await ship(pool, number)
        await pool.execute(
            "INSERT INTO scans (shop, order_id, tracking_number, occurred_at, status, reason, received_at)"
            " VALUES ('acme', $1, $2, $3, 'exception', 'customs', $3), ('acme', $1, $2, $3, 'in_transit', NULL, $3)",
            f"o-{number}",
            number,
            NOON,
        )
    await planned(pool)
    turns = [turn for turn in await polling.take(pool, UPS, now=NOON, limit=5) if turn.tracking_number == "T1"]
    assert {
        ("acme", "o-T1", "T1", NOON, ParcelStatus.EXCEPTION, Reason.CUSTOMS),
        ("acme", "o-T1", "T1", NOON, ParcelStatus.IN_TRANSIT, None),
    } == await polling.known(pool, turns)
