"""Every webhook, verified, kept as it came, and given out again in order per subject.

A row is `pending` until its fact has reached the tables and the journey (`dispatched`), or `waiting` while its
subject is unknown, or `ignored`, or `dead` when its subject never came, or it failed again and again by its own fault.
Within a subject rows go by the moment they speak of; while something is away, the one that waits for it holds up its
own subject alone, and one that failed by its own fault holds up none (docs/decisions/0021). A row given out is
leased: its `next_attempt` lies ahead, so that no other relay takes it or a later one of its subject, and a relay that
dies gives it back.

What a newer version stored in words that this one does not know waits, too, and its subject's other rows go on: facts
reach the tables and the journey in any order. A relay that can read it takes it up.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from store.intake import Event, MessageFeedback, to_json
from store.pool import Connection, Pool

UNREAD = "not read by this version"
"""The beginning of the note of a row in words that are not known."""

LEASE = timedelta(seconds=30)
"""How long a relay may work on a row; its own time limit must be shorter."""

_INSERT = """
INSERT INTO inbox (source, event_id, topic, body, subject, event, occurred_at, received_at, next_attempt, status, note,
                   shop, left_out)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10, $11, $12) ON CONFLICT (source, event_id) DO NOTHING
"""

# Shops take turns: each gives the first of its queue, then each the second, and so on; whose turn is first is drawn, so
# that of many shops none is always the last. What was tried before is a queue of its own, which gives one row where
# fresh ones give `_FRESH_FIRST`. An order that is to be read from its shop is told by the subject of `OrderChanged`.
#
# The shops with something pending are found by one look into the index for each; no more queues are drawn than the
# slots may need, and no more is read of each. What is looked up row by row stays so with `OFFSET` and does not become a
# join, which is planned by what is known of a table that a shop's first reading has just filled. `status` is written as
# the indices have it, so that no other index will do. A row that failed by its own fault holds up none of its subject.
_FRESH_FIRST = 4
_CLAIM = f"""
WITH RECURSIVE shops AS (
    (SELECT shop FROM inbox WHERE status = 'pending' ORDER BY shop LIMIT 1)
    UNION ALL
    SELECT (SELECT further.shop FROM inbox further WHERE further.status = 'pending' AND further.shop > shops.shop
            ORDER BY further.shop LIMIT 1)
    FROM shops WHERE shops.shop IS NOT NULL),
queues AS MATERIALIZED (
    SELECT shop, fetches, again, luck,
           greatest(4, 8 * CASE WHEN fetches THEN $3::bigint ELSE $2::bigint END / count(*) OVER (PARTITION BY fetches))
               AS most
    FROM (
        SELECT * FROM (SELECT shop, random() AS luck FROM shops ORDER BY luck) AS drawn,
            (VALUES (false, false), (false, true), (true, false), (true, true)) AS kinds (fetches, again)
        WHERE $1 >= (
            SELECT next_attempt FROM inbox first
            WHERE first.status = 'pending' AND first.shop = drawn.shop
              AND starts_with(first.subject, 'changed:') = fetches AND (first.attempts > 0) = again
            ORDER BY next_attempt, id LIMIT 1)
        LIMIT 4 * ($2::bigint + $3::bigint)) AS busy),
heads AS (
    SELECT id, fetches, again, luck,
           row_number() OVER (PARTITION BY shop, fetches, again ORDER BY next_attempt, id) AS turn
    FROM queues, LATERAL (
        SELECT mine.id, mine.next_attempt FROM inbox mine
        WHERE mine.status = 'pending' AND mine.shop = queues.shop
          AND starts_with(mine.subject, 'changed:') = queues.fetches AND (mine.attempts > 0) = queues.again
          AND mine.next_attempt <= $1
          AND NOT EXISTS (
            SELECT 1 FROM inbox other
            WHERE other.subject = mine.subject AND other.id <> mine.id
              AND other.status IN ('pending', 'waiting') AND other.status <> 'waiting' AND other.faults = 0
              AND ((other.occurred_at, other.id) < (mine.occurred_at, mine.id)
                   OR (other.attempts > 0 AND other.next_attempt > $1)) OFFSET 0)
        ORDER BY mine.next_attempt, mine.id LIMIT queues.most) AS theirs),
turns AS (
    SELECT id, fetches, turn * CASE WHEN again THEN {_FRESH_FIRST} ELSE 1 END AS turn, luck,
           NOT again OR row_number() OVER (PARTITION BY fetches, again ORDER BY turn, luck) <= $5::bigint AS wanted
    FROM heads),
orders AS MATERIALIZED (
    SELECT array_agg(id ORDER BY turn, luck) FILTER (WHERE NOT fetches) AS facts,
           array_agg(id ORDER BY turn, luck) FILTER (WHERE fetches) AS fetches
    FROM turns WHERE wanted),
facts AS ({{facts}}), fetches AS ({{fetches}})
UPDATE inbox SET attempts = attempts + 1, next_attempt = $1 + $4::interval
WHERE id = ANY (ARRAY(SELECT id FROM facts UNION ALL SELECT id FROM fetches))
RETURNING id, source, topic, subject, event, occurred_at, received_at, attempts, faults
"""  # noqa: S608  a constant
# Rows are locked one after the other in their order, and no more of them than are given out.
_LOCKED = """
SELECT id FROM inbox
WHERE id = ANY ((SELECT {kind} FROM orders)::bigint[]) AND status = 'pending' AND next_attempt <= $1
ORDER BY array_position((SELECT {kind} FROM orders), id) LIMIT {limit} FOR UPDATE SKIP LOCKED
"""
_CLAIM = _CLAIM.format(
    facts=_LOCKED.format(kind="facts", limit="$2"), fetches=_LOCKED.format(kind="fetches", limit="$3")
)

# What a relay says about a row counts only while the row is its own: one whose lease ran out was given out again,
# with one attempt more, and is somebody else's.
_SETTLE = """
UPDATE inbox SET status = $3, note = $4, done_at = $5, next_attempt = coalesce($6, next_attempt)
WHERE id = $1 AND attempts = $2 AND status = 'pending'
"""

_PUT_OFF = """
UPDATE inbox SET note = $3, next_attempt = $4, faults = faults + $5
WHERE id = $1 AND attempts = $2 AND status = 'pending'
"""

_LOCK_ALL = "SELECT pg_advisory_xact_lock(hashtextextended(subject, 7067)) FROM unnest($1::text[]) AS subject"
# A parcel that was told of before its order waits under its own number, with its shop in front of it or with none. The
# list is made first and what waits is then found by index, whatever the planner knows about the tables. Rows are taken
# in their order: two groups of orders may share parcels.
_RELEASE_ORDERS = """
UPDATE inbox SET status = 'pending', next_attempt = $4, attempts = 0, faults = 0, note = NULL
WHERE id = ANY(ARRAY(
    SELECT id FROM inbox WHERE status = 'waiting' AND id = ANY(ARRAY(
        SELECT found.id FROM unnest($1::text[] || ARRAY(
            SELECT 'tracking:' || form FROM unnest($2::text[], $3::text[]) AS begun (shop, order_id), LATERAL (
                SELECT tracking_number, number FROM shipments
                WHERE shop = begun.shop AND order_id = begun.order_id OFFSET 0) parcel,
                LATERAL unnest(ARRAY[tracking_number, number, ':' || number, begun.shop || ':' || number,
                    ':' || tracking_number, begun.shop || ':' || tracking_number]) form
            WHERE form IS NOT NULL)) AS wanted (subject), LATERAL (
            SELECT id FROM inbox WHERE status = 'waiting' AND subject = wanted.subject OFFSET 0) found))
    ORDER BY id FOR UPDATE))
"""

# Nobody is told of what merely never came: carriers tell of parcels that are not this shop's.
_EXPIRE = """
UPDATE inbox SET status = 'dead', done_at = $1, told_at = CASE WHEN NOT starts_with(note, $4) THEN $1::timestamptz END,
    note = CASE WHEN starts_with(note, $4) THEN note ELSE 'its ' || split_part(subject, ':', 1) || ' never came' END
WHERE status = 'waiting' AND received_at <= CASE WHEN starts_with(note, $4) THEN $3::timestamptz ELSE $2 END
RETURNING id, source, topic
"""

_STILL_TO_START = """
SELECT EXISTS (SELECT FROM inbox WHERE subject = $1 AND status IN ('pending', 'dead')
               AND event->>'type' = 'order.created')
   AND NOT EXISTS (SELECT FROM inbox WHERE subject = $1 AND status = 'dispatched')
"""

_UNREAD = "SELECT id, event FROM inbox WHERE status = 'waiting' AND starts_with(note, $1) ORDER BY id LIMIT $2"

# A webhook names people, and the tables know by then what it said. The row itself stays, so that a late repeat is
# still known for one. An empty body and no event is what was forgotten already.
_FORGET = """
UPDATE inbox SET body = '', event = NULL WHERE id IN (
    SELECT id FROM inbox
    WHERE (event IS NOT NULL OR octet_length(body) > 0)
      AND (status = 'dispatched' AND coalesce(done_at, received_at) <= $1
           OR status = 'dead' AND coalesce(done_at, received_at) <= $2
           OR status = 'ignored' AND coalesce(done_at, received_at) <= $3)
    LIMIT $4 FOR UPDATE SKIP LOCKED)
"""

_FIGURES = """
SELECT (SELECT count(*) FROM inbox WHERE status = 'pending') AS pending,
       (SELECT count(*) FROM inbox WHERE status = 'waiting') AS waiting,
       (SELECT count(*) FROM inbox WHERE status = 'dead') AS dead,
       (SELECT min(received_at) FROM inbox WHERE status = 'pending') AS oldest
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row given out to a relay; `attempts` counts this one, `faults` those before it that failed by its own fault.

    `event` is the canonical event as JSON.
    """

    id: int
    source: str
    topic: str
    subject: str
    event: str
    occurred_at: datetime
    received_at: datetime
    attempts: int
    faults: int = 0

    @property
    def fetches(self) -> bool:
        """Whether an order is to be read from its shop, which takes as long as the shop does."""
        return self.subject.startswith("changed:")


@dataclass(frozen=True, slots=True)
class Begun:
    """The row of an order's creation whose journey is started (or needs none); `note` is kept with the row."""

    row: Claimed
    shop: str
    order_id: str
    note: str | None


@dataclass(frozen=True, slots=True)
class Figures:
    """How full the inbox is; `oldest` is when the oldest pending webhook came, None when there is none."""

    pending: int
    waiting: int
    dead: int
    oldest: datetime | None


async def keep(
    pool: Pool,
    *,
    source: str,
    event_id: str,
    topic: str,
    body: bytes,
    events: Sequence[Event],
    received_at: datetime,
    left_out: Sequence[str] = (),
) -> bool:
    """Store a webhook and what it says, all or nothing; False when it was there already.

    Several events of one webhook are rows of their own, `{event_id}`, `{event_id}#1`, …, the first with the body and
    with what was `left_out` of it: the fields that could not be read, dotted, in the sender's words.

    Raises:
        Malformed: an event would not read back equal; nothing is kept.
    """
    rows = [
        (
            source,
            event_id if position == 0 else f"{event_id}#{position}",
            topic,
            body if position == 0 else b"",
            event.subject,
            to_json(event),
            event.at,
            received_at,
            "pending",
            None,
            shop_of(event),
            list(left_out) if position == 0 else [],
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
    pool: Pool,
    *,
    source: str,
    event_id: str,
    topic: str,
    body: bytes,
    reason: str,
    received_at: datetime,
    left_out: Sequence[str] = (),
) -> bool:
    """Store a webhook that means nothing here, with the reason; False when it was there already."""
    row = (source, event_id, topic, body, None, None, received_at, received_at, "ignored", reason, "", list(left_out))
    return str(await pool.execute(_INSERT, *row)) == "INSERT 0 1"


def shop_of(event: Event) -> str:
    """Whose turn an event takes: its shop's; '' where it does not say."""
    if isinstance(event, MessageFeedback):
        shop, slash, _ = event.subject.removeprefix("message:").partition("/")
        return shop if slash else ""
    return str(getattr(event, "shop", None) or "")


async def claim(
    pool: Pool, *, now: datetime, limit: int = 50, fetches: int = 50, again: int | None = None
) -> list[Claimed]:
    """Lease what is due: of each shop in turn the head of a subject, oldest first.

    At most `limit` facts, `again` of them rows that were tried before (None for as many as the others leave), and
    beside them `fetches` orders that are to be read from their shops.
    """
    rows = await pool.fetch(_CLAIM, now, limit, fetches, LEASE, limit if again is None else again)
    return [Claimed(**row) for row in sorted(rows, key=lambda row: (row["received_at"], row["id"]))]


async def done(
    connection: Connection, row: Claimed, *, now: datetime, note: str | None, status: str = "dispatched"
) -> None:
    """Mark a row dispatched, or `ignored`, if it is still this relay's."""
    await connection.execute(_SETTLE, row.id, row.attempts, status, note, now, None)


async def wait(connection: Connection, row: Claimed, *, note: str) -> None:
    """Put a row aside until `release` names its subject, if it is still this relay's."""
    await connection.execute(_SETTLE, row.id, row.attempts, "waiting", note, None, None)


async def release(connection: Connection, subjects: Sequence[str], *, now: datetime) -> int:
    """Let go what waited for these subjects; how many rows that were."""
    result = await connection.execute(
        """UPDATE inbox SET status = 'pending', next_attempt = $2, attempts = 0, faults = 0, note = NULL
           WHERE subject = ANY($1) AND status = 'waiting'""",
        list(subjects),
        now,
    )
    return int(result.split()[-1])


async def begun(connection: Connection, orders: Sequence[Begun], *, now: datetime) -> None:
    """Mark creations of orders dispatched, and let go what waited for these orders or for their parcels.

    Takes the subjects of all of them for the rest of the transaction.
    """
    await lock_all(connection, [one.row.subject for one in orders])
    settled = sorted((one.row.id, one.row.attempts, "dispatched", one.note, now, None) for one in orders)
    await connection.executemany(_SETTLE, settled)
    await connection.execute(
        _RELEASE_ORDERS,
        [one.row.subject for one in orders],
        [one.shop for one in orders],
        [one.order_id for one in orders],
        now,
    )


async def retry(pool: Pool, row: Claimed, *, at: datetime, note: str, fault: bool = False) -> None:
    """Try a row again at that moment, if it is still this relay's; `note` says what went wrong, without any data.

    One that failed by its own `fault` holds up none of its subject any more.
    """
    await pool.execute(_PUT_OFF, row.id, row.attempts, note, at, int(fault))


async def bury(pool: Pool, row: Claimed, *, now: datetime, note: str) -> None:
    """Give a row up, for an operator to see, if it is still this relay's."""
    await pool.execute(_SETTLE, row.id, row.attempts, "dead", note, now, None)


async def set_aside(pool: Pool, row: Claimed, *, why: str) -> None:
    """Put a row that this version cannot read aside until `take_up`, if it is still this relay's."""
    await pool.execute(_SETTLE, row.id, row.attempts, "waiting", f"{UNREAD}: {why}", None, None)


async def take_up(pool: Pool, *, readable: Callable[[str], bool], now: datetime, limit: int) -> int:
    """Let go what was set aside and is `readable` here; how many of at most `limit` rows that were."""
    rows = await pool.fetch(_UNREAD, UNREAD, limit)
    known = [row["id"] for row in rows if row["event"] is not None and readable(row["event"])]
    if known:
        await pool.execute(
            "UPDATE inbox SET status = 'pending', next_attempt = $2, attempts = 0, faults = 0, note = NULL"
            " WHERE id = ANY($1) AND status = 'waiting'",
            known,
            now,
        )
    return len(known)


async def expire(pool: Pool, *, now: datetime, age: timedelta, unread_age: timedelta) -> list[asyncpg.Record]:
    """Bury what has waited since `age` ago, or `unread_age` where it cannot be read; the rows' id, source and topic."""
    return list(await pool.fetch(_EXPIRE, now, now - age, now - unread_age, UNREAD))


async def forget(
    pool: Pool, *, finished_before: datetime, dead_before: datetime, ignored_before: datetime, limit: int
) -> int:
    """Blank the bodies and events of rows that ended by then, at most `limit`; how many that were."""
    return int((await pool.execute(_FORGET, finished_before, dead_before, ignored_before, limit)).split()[-1])


async def order_still_to_start(connection: Connection, shop: str, order_id: str) -> bool:
    """Whether the order's creation is still to be dispatched, or was given up, and no other one began its journey.

    Nothing of an order is dispatched before its creation: another row that is shows that the journey was begun.
    """
    return bool(await connection.fetchval(_STILL_TO_START, f"order:{shop}:{order_id}"))


async def lock(connection: Connection, subject: str) -> None:
    """Take a subject for the rest of the transaction, so that nothing is put aside while it is being let go.

    Take a tracking number before the orders, and orders by `lock_all`, or two relays may block each other.
    """
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 7067))", subject)


async def lock_all(connection: Connection, subjects: Sequence[str]) -> None:
    """Take several subjects of one kind as `lock` does, sorted: the same order for everybody who takes some of them."""
    await connection.execute(_LOCK_ALL, sorted(set(subjects)))


async def figures(pool: Pool) -> Figures:
    """How full the inbox is."""
    return Figures(**await pool.fetchrow(_FIGURES))
