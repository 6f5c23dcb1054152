"""A small campaign through real worker processes: what the receiving side counts, with a ledger and without."""

from pathlib import Path

from bench.campaign import Receiver, campaign
from bench.campaign_worker import AT_ONCE
from bench.people import OFFSETS, database, fill
from journey.playbook import Playbook
from workers.embedded import EmbeddedStack


async def test_nobody_gets_it_twice_or_too_often(stack: EmbeddedStack, playbook: Playbook, tmp_path: Path) -> None:
    """Doubled triggers, six journeys of one customer, a worker killed with messages on their way: none is one too many.

    In doubt is at most what the killed worker had in its hands.
    """
    found = await campaign(stack.database_url, playbook, tmp_path / "log", recipients=60)
    assert (found.duplicates, found.over_cap, found.open) == (0, 0, 0)
    assert found.taken_over > 0
    assert found.in_doubt <= AT_ONCE
    # Only who opted out (c-7 and c-57) and what its patience or the caps let expire is missing.
    assert found.sent >= 60 - 2 - found.in_doubt


async def test_the_receiving_side_counts_faults() -> None:
    """The same message under two keys is a duplicate, a second one of a day over the cap, a repeated key neither."""
    receiver = Receiver()
    receiver._take("acme/o-1/check_in/0", "a@example.com")
    receiver._take("acme/o-1/check_in/0", "a@example.com")
    assert (receiver.delivered.total(), receiver.repeated, receiver.over(1, 4)) == (1, 1, 0)
    receiver._take("acme/o-1/check_in/1", "a@example.com")
    assert (receiver.delivered["o-1", "check_in"], receiver.over(1, 4)) == (2, 1)
    for day in range(1, 5):
        receiver.day = day
        receiver._take(f"acme/o-{day + 1}/check_in/0", "a@example.com")
    assert receiver.over(2, 4) == 2


async def test_the_ledger_is_filled_as_asked(stack: EmbeddedStack, playbook: Playbook) -> None:
    """So many rows, most of them sent, of every touch, a few customers with many, and the indexes that there were."""
    indexes = "SELECT indexdef FROM pg_indexes WHERE tablename = 'ledger' ORDER BY indexname"
    async with database(stack.database_url) as (_, pool):
        before = await pool.fetch(indexes)
        await fill(pool, playbook, customers=1000, rows=9000)
        kinds = dict(await pool.fetch("SELECT status, count(*) FROM ledger GROUP BY 1"))
        most = await pool.fetchval("SELECT max(n) FROM (SELECT count(*) n FROM ledger GROUP BY customer_id) counts")
        touches = {row["touch"] for row in await pool.fetch("SELECT DISTINCT touch FROM ledger")}
        assert await pool.fetch(indexes) == before
    assert sum(kinds.values()) == 9000
    assert kinds["sent"] > 7000
    assert kinds.keys() == {"sent", "refused", "in_doubt", "held"}
    assert most > 200
    assert touches == set(OFFSETS)
