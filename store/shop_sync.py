"""How far each shop's own API was read, and what was read, kept in the inbox beside what its webhooks said.

A run's place and the rows of the page before it are one transaction: a run that is stopped goes on with the next page.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

import asyncpg

from store.intake import Event, Malformed, OrderCreated, to_json
from store.pool import AWAY, Connection, Pool, apart

OVERLAP = timedelta(minutes=15)
"""How much of what the last run read is read again: a shop's list may show a change later than its date says."""

MOST_PENDING = 1000
"""So many of its rows may wait for the relay: live webhooks go first."""

_TRY_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('sync:' || $1, 7068))"
_UNLOCK = "SELECT pg_advisory_unlock(hashtextextended('sync:' || $1, 7068))"

# A run that stopped goes on, unless another beginning is asked for.
_BEGIN = """
INSERT INTO shop_sync AS known (shop, since, running_since)
SELECT $1, coalesce($2::timestamptz, $4), $3
WHERE NOT EXISTS (SELECT FROM erased WHERE shop = $1 AND kind = 'shop')
ON CONFLICT (shop) DO UPDATE SET
    since = coalesce($2, known.changed_until - $5::interval, $4), cursor = NULL, seen_until = NULL, orders_read = 0,
    gaps = 0, rows_kept = 0, unreadable = 0, total = NULL, running_since = $3
WHERE known.running_since IS NULL OR $2 <> known.since
"""
# Whoever closes the shop waits for a run that begins, and takes its row away.
_SHARE_SHOP = "SELECT pg_advisory_xact_lock_shared(hashtextextended('shop:' || $1, 7067))"
_COLUMNS = "shop, since, cursor, orders_read, gaps, rows_kept, total, unreadable"
_RUN = f"SELECT {_COLUMNS} FROM shop_sync WHERE shop = $1"  # noqa: S608  only the constant is put in
_PAGE = f"""
UPDATE shop_sync SET cursor = $2, seen_until = greatest(seen_until, $3), orders_read = orders_read + $4,
    gaps = gaps + $5, rows_kept = rows_kept + $6, total = coalesce(total, $7), unreadable = unreadable + $8,
    failure = NULL
WHERE shop = $1 RETURNING {_COLUMNS}
"""  # noqa: S608  as above
_PENDING = """
SELECT count(*) FROM (SELECT FROM inbox WHERE status = 'pending' AND starts_with(source, 'sync:') LIMIT $1) AS read
"""
# A run that began later than what is known to be here leaves a gap between, which the next one reads.
_FINISH = """
UPDATE shop_sync SET finished_at = $2, running_since = NULL, cursor = NULL, failure = NULL,
    changed_until = CASE WHEN changed_until IS NULL OR since <= changed_until
                         THEN greatest(changed_until, seen_until) ELSE changed_until END
WHERE shop = $1
"""
_KNOWN = """
SELECT asked.id FROM unnest($2::text[]) AS asked (id)
WHERE EXISTS (SELECT 1 FROM orders WHERE shop = $1 AND order_id = asked.id)
      AND NOT EXISTS (SELECT 1 FROM inbox WHERE status = 'dead' AND subject = 'order:' || $1 || ':' || asked.id
                      AND event->>'type' = 'order.created')
   OR EXISTS (SELECT 1 FROM inbox WHERE status IN ('pending', 'waiting')
              AND subject = 'order:' || $1 || ':' || asked.id AND event->>'type' = 'order.created')
   OR EXISTS (SELECT FROM erased WHERE shop = $1 AND kind = 'order' AND id = asked.id)
"""
_KEEP = """
INSERT INTO inbox (source, event_id, topic, body, subject, event, occurred_at, received_at, next_attempt, shop)
SELECT $1, said.id, said.topic, ''::bytea, said.subject, said.event::jsonb, said.at, $2, $2, $8
FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[])
     WITH ORDINALITY AS said (id, topic, subject, event, at, place)
ORDER BY said.place
ON CONFLICT (source, event_id) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Run:
    """A run, and how far it came.

    Attributes:
        shop: whose API is read.
        since: changes at or after this moment (UTC) are read.
        cursor: where its next page begins, in the API's words; None at its beginning.
        orders_read: orders on its pages so far.
        gaps: orders among them that nobody had told of.
        rows_kept: events among them that were new to the inbox.
        total: how many orders there are to read, where the shop says so.
        unreadable: orders on its pages so far that nobody could make sense of.
    """

    shop: str
    since: datetime
    cursor: str | None
    orders_read: int
    gaps: int
    rows_kept: int
    total: int | None
    unreadable: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a shop's sync; moments are UTC.

    Attributes:
        shop: whose.
        changed_until: every change before it is here; None before the first whole run.
        finished_at: the end of the last whole run.
        running_since: the beginning of a run that is under way or was stopped.
        orders_read: orders read by that run, else by the last one.
        gaps: orders among them that nobody had told of.
        total: orders that it has to read, where the shop says so.
        failure: why it stands still, as one word; None when it does not.
        unreadable: orders on that run's pages that nobody could make sense of.
    """

    shop: str
    changed_until: datetime | None
    finished_at: datetime | None
    running_since: datetime | None
    orders_read: int
    gaps: int
    total: int | None
    failure: str | None
    unreadable: int


class ShopErasedError(Exception):
    """The shop has left: nothing is read of it until a person says that it is back."""

    def __init__(self, shop: str) -> None:
        super().__init__(f"{shop} has left: `postlude shop readmit` takes it in again")


@asynccontextmanager
async def alone(pool: Pool, shop: str) -> AsyncIterator[Connection | None]:
    """The connection that may write this shop's sync while the block runs; None while another one may.

    It is none of the pool's, so that the lock ends with it in every case, and whoever lost it cannot write any more.
    """
    async with apart(pool) as connection:
        if not await connection.fetchval(_TRY_LOCK, shop):
            yield None
            return
        try:
            yield connection
        finally:
            # The end of the connection says the same, a moment later.
            with suppress(*AWAY, asyncpg.PostgresError, TimeoutError):
                await connection.execute(_UNLOCK, shop)


async def begin(connection: Connection, shop: str, *, since: datetime | None, first: datetime, now: datetime) -> Run:
    """Begin a run, or go on with the one that stopped.

    Args:
        connection: from `alone`.
        shop: whose.
        since: where to begin; None for a little before where the last one ended. A stopped run that began elsewhere
            is given up for it.
        first: where to begin when there was no run before.
        now: the moment.

    Raises:
        ShopErasedError: the shop has left.
    """
    async with connection.transaction():
        await connection.execute(_SHARE_SHOP, shop)
        await connection.execute(_BEGIN, shop, since, now, first, OVERLAP)
        row = await connection.fetchrow(_RUN, shop)
    if row is None:
        raise ShopErasedError(shop)
    return Run(**row)


async def crowded(connection: Connection) -> bool:
    """Whether more of what was read waits for the relay than is good for live webhooks, of whatever shop."""
    return bool(await connection.fetchval(_PENDING, MOST_PENDING + 1) > MOST_PENDING)


async def keep_page(
    connection: Connection,
    shop: str,
    events: Sequence[Event],
    *,
    source: str,
    orders: int,
    cursor: str | None,
    changed_until: datetime | None,
    total: int | None,
    unreadable: int = 0,
    now: datetime,
) -> Run:
    """Keep a page's events in the inbox and the place after it, all or nothing; how far the run is then.

    The creation of an order that is known is left out: nothing would come of it but telling the customer's other
    orders of it once more.

    Args:
        connection: from `alone`.
        shop: whose.
        events: in the order in which they hold.
        source: the inbox's word for where they come from.
        orders: how many orders the page has.
        cursor: where the next page begins; None after the last.
        changed_until: the newest change on the page.
        total: how many orders the run has to read, if the shop said so.
        unreadable: how many orders of the page nobody could make sense of.
        now: when the page came.

    Raises:
        ShopErasedError: the shop has left meanwhile; nothing of the page is kept.
    """
    created = list(dict.fromkeys(event.order_id for event in events if isinstance(event, OrderCreated)))
    async with connection.transaction():
        known = {row["id"] for row in await connection.fetch(_KNOWN, shop, created)}
        news = [event for event in events if not (isinstance(event, OrderCreated) and event.order_id in known)]
        kept = [event for event in news if _can_be_kept(event)]
        rows = await keep(connection, shop, kept, source=source, now=now)
        gaps, unreadable = len(created) - len(known), unreadable + len(news) - len(kept)
        row = await connection.fetchrow(_PAGE, shop, cursor, changed_until, orders, gaps, rows, total, unreadable)
        if row is None:
            raise ShopErasedError(shop)
    return Run(**row)


def _can_be_kept(event: Event) -> bool:
    try:
        to_json(event)
    except Malformed:
        return False
    return True


async def keep(connection: Connection, shop: str, events: Sequence[Event], *, source: str, now: datetime) -> int:
    """Keep what a shop's API said in the inbox; how many rows are new.

    A row's id is made of the order (or parcel), the kind, and what is said, the moment of change within it: read
    again, by whatever page, it is the same row.
    """
    said = [(event, to_json(event)) for event in events]
    result = await connection.execute(
        _KEEP,
        source,
        now,
        [f"{shop}/{event.subject}/{event.type}/{sha256(text.encode()).hexdigest()[:32]}" for event, text in said],
        [event.type for event, _ in said],
        [event.subject for event, _ in said],
        [text for _, text in said],
        [event.at for event, _ in said],
        shop,
    )
    return int(result.split()[-1])


async def finish(connection: Connection, shop: str, *, now: datetime) -> None:
    """Write down that a run read all there was."""
    await connection.execute(_FINISH, shop, now)


async def fail(connection: Connection, shop: str, *, rule: str) -> None:
    """Write down why a run stands still; `rule` is one word."""
    await connection.execute("UPDATE shop_sync SET failure = $2 WHERE shop = $1", shop, rule)


async def standings(pool: Pool) -> list[Standing]:
    """Every shop that was ever read, by name."""
    rows = await pool.fetch(
        """SELECT shop, changed_until, finished_at, running_since, orders_read, gaps, total, failure, unreadable
           FROM shop_sync ORDER BY shop"""
    )
    return [Standing(**row) for row in rows]
