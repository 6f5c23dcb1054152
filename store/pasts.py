"""What each journey was, run by run: kept beyond Temporal's memory of it, by ids alone."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from journey.past import Run
from store.pool import Pool

# Of an order that is not there, because its customer was erased, nothing is wanted.
_WANTED: Final = """
SELECT seen.place
FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS seen (shop, order_id, run_id, place)
WHERE EXISTS (SELECT FROM orders o WHERE o.shop = seen.shop AND o.order_id = seen.order_id)
  AND NOT EXISTS (SELECT FROM journey_runs kept
    WHERE kept.order_id = seen.order_id AND kept.shop = seen.shop AND kept.run_id = seen.run_id)
ORDER BY seen.place
"""
# The order is locked against its erasure, which so takes this row along or leaves nothing to refer to.
_KEEP: Final = """
INSERT INTO journey_runs (shop, order_id, run_id, continues, begun_at, ended_at, ended, state, entries)
SELECT shop, order_id, $3, $4, $5, $6, $7, $8, $9 FROM orders WHERE shop = $1 AND order_id = $2 FOR KEY SHARE
ON CONFLICT DO NOTHING
"""
_OF_ORDER: Final = """
SELECT jsonb_build_object('run_id', run_id, 'continues', continues, 'begun_at', begun_at, 'ended_at', ended_at,
                          'ended', ended, 'state', state, 'entries', entries)
FROM journey_runs WHERE order_id = $2 AND shop = $1 ORDER BY begun_at
"""
_FORGET: Final = """
DELETE FROM journey_runs WHERE (order_id, shop, run_id) IN (
    SELECT order_id, shop, run_id FROM journey_runs WHERE ended_at < $1
    ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED)
"""


class Seen(NamedTuple):
    """A run of an order's journey that has ended."""

    shop: str
    order_id: str
    run_id: str


async def wanted(pool: Pool, seen: Sequence[Seen]) -> list[Seen]:
    """Which of these runs are still to be kept: those that are not yet, of orders that are there."""
    columns = [list(column) for column in zip(*seen, strict=True)] or [[], [], []]
    return [seen[row["place"] - 1] for row in await pool.fetch(_WANTED, *columns)]


async def keep(pool: Pool, run: Run) -> bool:
    """Keep a run that has ended; False where it is kept already, or its order is not there. May be repeated."""
    order = run.state.order
    entries = run.model_dump_json(include={"entries"}, exclude_unset=True)
    done = await pool.execute(
        _KEEP,
        order.shop,
        order.order_id,
        run.run_id,
        run.continues,
        run.begun_at,
        run.ended_at,
        run.ended,
        run.state.model_dump_json(exclude_unset=True),
        entries[len('{"entries":') : -1],
    )
    return bool(done == "INSERT 0 1")


async def runs(pool: Pool, shop: str, order_id: str) -> list[Run]:
    """The runs of an order's journey that are kept.

    Raises:
        pydantic.ValidationError: a newer version wrote one down, in words that this one does not know.
    """
    return [Run.model_validate_json(row[0]) for row in await pool.fetch(_OF_ORDER, shop, order_id)]


async def forget(pool: Pool, *, ended_before: datetime, limit: int) -> int:
    """Delete at most `limit` runs that ended before that (aware), the oldest first; how many."""
    return int((await pool.execute(_FORGET, ended_before, limit)).split()[-1])
