"""No statement over freshly written tables depends on what the database happens to know about them."""

from collections.abc import Callable
from datetime import timedelta

from journey.polling import Reach
from store import accounts, erasure, history, inbox, lanes, polling, privacy, shop_sync
from store.pool import Pool
from tests.store.first_night import MANY, NOW
from tests.support.plans import explained

EACH = 120
"""Rows that may be worked through for each of them, in one statement. Each with each would be 1,500."""


async def relearn(pool: Pool) -> None:
    assert (await lanes.relearn(pool, now=NOW)).lanes == 5


async def plan_polling(pool: Pool) -> None:
    await polling.plan(pool, Reach(None), now=NOW)


async def poll(pool: Pool) -> None:
    turns = await polling.take(pool, Reach(None), now=NOW, limit=20)
    assert turns
    assert await polling.known(pool, turns)
    await polling.settle(pool, [polling.Settled(turn, NOW + timedelta(hours=1), NOW) for turn in turns])
    await polling.next_due(pool, Reach(None), now=NOW)


async def claim(pool: Pool) -> None:
    assert len(await inbox.claim(pool, now=NOW, limit=8, fetches=3)) == 8


async def claim_all(pool: Pool) -> None:
    assert len(await inbox.claim(pool, now=NOW, limit=MANY, fetches=3)) > MANY * 0.8


async def begin_all(pool: Pool) -> None:
    rows = await inbox.claim(pool, now=NOW + timedelta(minutes=1), limit=MANY, fetches=3)
    assert len(rows) > MANY * 0.8
    begun = [inbox.Begun(row, "acme", row.subject.rpartition(":")[2], None) for row in rows]
    async with pool.acquire() as connection, connection.transaction():
        await inbox.begun(connection, begun, now=NOW)


async def tidy_inbox(pool: Pool) -> None:
    await inbox.expire(pool, now=NOW, age=timedelta(days=7), unread_age=timedelta(days=30))
    await inbox.forget(pool, finished_before=NOW, dead_before=NOW, ignored_before=NOW, limit=1000)
    await inbox.figures(pool)


async def keep_page(pool: Pool) -> None:
    async with pool.acquire() as connection:
        rows = await connection.fetch(shop_sync._KNOWN, "acme", [f"o-{n}" for n in range(1, 251)])
        assert len(rows) == 250
        await shop_sync.crowded(connection)


async def look_customer_up(pool: Pool) -> None:
    assert len(await history.messages(pool, "acme", "c-7", limit=50)) == 1


async def forget_customer(pool: Pool) -> None:
    assert await privacy.kept(pool, "acme", "c-7")
    async with pool.acquire() as connection, connection.transaction():
        assert not (await erasure.erase_customer(connection, "acme", "c-7", now=NOW)).nothing


async def forget_shop(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await erasure.close_shop(connection, "acme", now=NOW)
        while await erasure.erase_shop(connection, "acme", now=NOW):
            pass


async def lists(pool: Pool) -> None:
    assert len(await accounts.waiting(pool)) == 1
    assert len(await accounts.orders(pool, status="running")) == 100


WORKS = [
    relearn,
    lists,
    look_customer_up,
    plan_polling,
    poll,
    keep_page,
    claim,
    claim_all,
    begin_all,
    tidy_inbox,
    forget_customer,
    forget_shop,
]


async def test_no_statistics_can_hurt(known: str, database_url: str, say: Callable[[str], None]) -> None:
    """Whatever is known of the tables, a statement works through a few rows for each that there is."""
    told, dear = [], []
    for work in WORKS:
        async with explained(database_url) as (pool, taken):
            await work(pool)
        most = max(rows for rows, _, _ in taken)
        told.append(f"{work.__name__} {most / MANY:.1f}")
        dear += [f"{rows / MANY:.0f} each: {query}\n{plan}" for rows, query, plan in taken if rows > EACH * MANY]
    say(f"rows each, {known}: {', '.join(told)}")
    assert not dear, "\n\n".join(dear)
