"""Every webhook, verified, kept as it came, and given out again in order per subject.

A row is `pending` until its fact has reached the tables and the journey (`dispatched`), or `waiting` while its
subject is unknown, or `ignored`, or `dead` when its subject never came. Within a subject rows go by the moment
they speak of; one that fails holds up its own subject alone. A row given out is leased: its `next_attempt` lies
ahead, so that no other relay takes it or a later one of its subject, and a relay that dies gives it back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from store.intake import Event
from store.pool import Connection, Pool

LEASE = timedelta(seconds=30)
"""How long a relay may work on a row; its own time limit must be shorter."""

_INSERT = """
INSERT INTO inbox (source, event_id, topic, body, subject, event, occurred_at, received_at, next_attempt, status, note)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10) ON CONFLICT (source, event_id) DO NOTHING
"""

_CLAIM = """
WITH due AS (
    SELECT mine.id FROM inbox mine
    WHERE mine.status = 'pending' AND mine.next_attempt <= $1 AND NOT EXISTS (
        SELECT 1 FROM inbox other
        WHERE other.subject = mine.subject AND other.status = 'pending' AND other.id <> mine.id
          AND ((other.occurred_at, other.id) < (mine.occurred_at, mine.id)
               OR (other.attempts > 0 AND other.next_attempt > $1)))
    ORDER BY mine.next_attempt, mine.id LIMIT $2 FOR UPDATE OF mine SKIP LOCKED)
UPDATE inbox SET attempts = attempts + 1, next_attempt = $1 + $3::interval FROM due WHERE inbox.id = due.id
RETURNING inbox.id, source, topic, subject, event, occurred_at, received_at, attempts
"""

_EXPIRE = """
UPDATE inbox SET status = 'dead', note = 'its ' || split_part(subject, ':', 1) || ' never came', done_at = $1
WHERE status = 'waiting' AND received_at <= $2
RETURNING id, source, topic
"""

_FIGURES = """
SELECT (SELECT count(*) FROM inbox WHERE status = 'pending') AS pending,
       (SELECT count(*) FROM inbox WHERE status = 'waiting') AS waiting,
       (SELECT count(*) FROM inbox WHERE status = 'dead') AS dead,
       (SELECT min(received_at) FROM inbox WHERE status = 'pending') AS oldest
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row given out to a relay; `attempts` counts this one. `event` is the canonical event as JSON."""

    id: int
    source: str
    topic: str
    subject: str
    event: str
    occurred_at: datetime
    received_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class Figures:
    """How full the inbox is; `oldest` is when the oldest pending webhook came, None when there is none."""

    pending: int
    waiting: int
    dead: int
    oldest: datetime | None


async def keep(
    pool: Pool, *, source: str, event_id: str, topic: str, body: bytes, events: Sequence[Event], received_at: datetime
) -> bool:
    """Store a webhook and what it says, all or nothing; False when it was there already.

    Several events of one webhook are rows of their own, `{event_id}`, `{event_id}#1`, …, the first with the body.
    """
    rows = [
        (
            source,
            event_id if position == 0 else f"{event_id}#{position}",
            topic,
            body if position == 0 else b"",
            event.subject,
            event.model_dump_json(),
            event.at,
            received_at,
            "pending",
            None,
        )
        for position, event in enumerate(events)
    ]
    if len(rows) == 1:
        return str(await pool.execute(_INSERT, *rows[0])) == "INSERT 0 1"
    async with pool.acquire() as connection, connection.transaction():
        for row in rows:
            if await connection.execute(_INSERT, *row) != "INSERT 0 1":
                return False
    return True


async def ignore(
    pool: Pool, *, source: str, event_id: str, topic: str, body: bytes, reason: str, received_at: datetime
) -> bool:
    """Store a webhook that means nothing here, with the reason; False when it was there already."""
    row = (source, event_id, topic, body, None, None, received_at, received_at, "ignored", reason)
    return str(await pool.execute(_INSERT, *row)) == "INSERT 0 1"


async def claim(pool: Pool, *, now: datetime, limit: int = 50) -> list[Claimed]:
    """Lease what is due: the head of each subject, oldest first, at most `limit`."""
    rows = await pool.fetch(_CLAIM, now, limit, LEASE)
    return [Claimed(**row) for row in sorted(rows, key=lambda row: (row["received_at"], row["id"]))]


async def done(connection: Connection, row_id: int, *, now: datetime, note: str | None) -> None:
    """Mark a row dispatched."""
    await connection.execute(
        "UPDATE inbox SET status = 'dispatched', done_at = $2, note = $3 WHERE id = $1", row_id, now, note
    )


async def wait(connection: Connection, row_id: int, *, note: str) -> None:
    """Put a row aside until `release` names its subject."""
    await connection.execute("UPDATE inbox SET status = 'waiting', note = $2 WHERE id = $1", row_id, note)


async def release(connection: Connection, subjects: Sequence[str], *, now: datetime) -> int:
    """Let go what waited for these subjects; how many rows that were."""
    result = await connection.execute(
        """UPDATE inbox SET status = 'pending', next_attempt = $2, attempts = 0, note = NULL
           WHERE subject = ANY($1) AND status = 'waiting'""",
        list(subjects),
        now,
    )
    return int(result.split()[-1])


async def retry(pool: Pool, row_id: int, *, at: datetime, note: str) -> None:
    """Try a row again at that moment; `note` says what went wrong, without anybody's data."""
    await pool.execute("UPDATE inbox SET next_attempt = $2, note = $3 WHERE id = $1", row_id, at, note)


async def bury(pool: Pool, row_id: int, *, now: datetime, note: str) -> None:
    """Give a row up, for an operator to see."""
    await pool.execute("UPDATE inbox SET status = 'dead', done_at = $2, note = $3 WHERE id = $1", row_id, now, note)


async def expire(pool: Pool, *, now: datetime, age: timedelta) -> list[asyncpg.Record]:
    """Bury what has waited since `age` ago; the rows' id, source and topic."""
    return list(await pool.fetch(_EXPIRE, now, now - age))


async def order_still_to_start(connection: Connection, shop: str, order_id: str) -> bool:
    """Whether the order's own creation is not dispatched yet, so that there may be no journey to tell anything."""
    return bool(
        await connection.fetchval(
            """SELECT EXISTS (SELECT 1 FROM inbox WHERE subject = $1 AND status = 'pending'
               AND event->>'type' = 'order.created')""",
            f"order:{shop}:{order_id}",
        )
    )


async def lock(connection: Connection, subject: str) -> None:
    """Take a subject for the rest of the transaction, so that nothing is put aside while it is being let go.

    Take a tracking number before the orders, and orders in their order, or two relays may block each other.
    """
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 7067))", subject)


async def figures(pool: Pool) -> Figures:
    """How full the inbox is."""
    return Figures(**await pool.fetchrow(_FIGURES))
