"""The inbox as people see it: what lies there, dead letters that people are to be told of, and their own words on rows.

What is shown by default names nobody: ids, topics, and the kinds of errors. Only the body, and the event that it was
read as, may name a person.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from store import order_numbers
from store.pool import Pool

STATUSES: Final = ("pending", "waiting", "dispatched", "ignored", "dead")
TOLD_EVERY: Final = timedelta(hours=1)
"""Dead letters of one kind that follow the first are told of together, this much later."""
_TOLD_AT_ONCE: Final = 10_000

_COLUMNS: Final = """
id, shop, source, event_id, topic, subject, event->>'type' AS type, status, note, attempts, faults, occurred_at,
received_at, CASE WHEN status = 'pending' THEN next_attempt END AS next_attempt, done_at,
octet_length(body) AS body_bytes, event IS NOT NULL AS readable
"""
_CHOSEN: Final = """
($1::text[] IS NULL OR status = ANY($1)) AND ($2::text IS NULL OR shop = $2)
AND ($3::text IS NULL OR subject = $3) AND ($4::timestamptz IS NULL OR received_at < $4)
"""
_LIST: Final = f"""
SELECT {_COLUMNS} FROM inbox WHERE {_CHOSEN} AND ($5::bigint IS NULL OR id > $5) ORDER BY id LIMIT $6
"""  # noqa: S608  constants
_COUNT: Final = f"SELECT count(*) FROM inbox WHERE {_CHOSEN}"  # noqa: S608  as above
_GET: Final = f"SELECT {_COLUMNS} FROM inbox WHERE id = $1"  # noqa: S608  as above
_BESIDE: Final = f"""
SELECT {_COLUMNS} FROM inbox WHERE subject = $1 AND id <> $2 AND status IN ('pending', 'waiting', 'dead')
ORDER BY occurred_at, id LIMIT 100
"""  # noqa: S608  as above
_BODY: Final = "SELECT body, event::text AS event FROM inbox WHERE id = $1"
# What is pending is a relay's, or will be in a minute at most.
_RETRY: Final = """
UPDATE inbox SET status = 'pending', next_attempt = $2, attempts = 0, faults = 0, note = NULL, done_at = NULL,
    told_at = NULL
WHERE id = ANY($1) AND status IN ('dead', 'waiting') AND event IS NOT NULL RETURNING id
"""
_DEAD: Final = f"SELECT id FROM inbox WHERE {_CHOSEN} AND status = 'dead' AND event IS NOT NULL ORDER BY id"  # noqa: S608
# A row in a relay's hands for the first time is left to it: it has a try and no note yet. One that failed before may be
# in its hands as well, and is then dropped for good unless that try delivers it.
_DROP: Final = """
UPDATE inbox SET status = 'ignored', note = $2, done_at = $3
WHERE id = ANY($1) AND (status IN ('dead', 'waiting') OR status = 'pending' AND (attempts = 0 OR note IS NOT NULL))
RETURNING id
"""
_TAKE_UNTOLD: Final = """
WITH due AS (
    SELECT id, shop, source, topic, note FROM inbox
    WHERE status = 'dead' AND told_at IS NULL ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED),
heard AS MATERIALIZED (
    SELECT DISTINCT shop, source, topic, note FROM inbox
    WHERE status = 'dead' AND told_at > $1::timestamptz - $3::interval),
told AS (
    UPDATE inbox SET told_at = $1
    WHERE id = ANY (ARRAY(
        SELECT id FROM due WHERE NOT EXISTS (
            SELECT FROM heard WHERE heard.shop = due.shop AND heard.source = due.source AND heard.topic = due.topic
              AND heard.note IS NOT DISTINCT FROM due.note)))
    RETURNING id, shop, source, topic, note, subject)
SELECT shop, source, topic, note, array_agg(id ORDER BY id) AS ids,
       (array_agg(subject ORDER BY id))[1] AS subject
FROM told GROUP BY shop, source, topic, note ORDER BY min(id)
"""
_PUT_BACK: Final = "UPDATE inbox SET told_at = NULL WHERE id = ANY($1) AND status = 'dead' AND told_at = $2"


@dataclass(frozen=True, slots=True)
class Letter:
    """A row of the inbox without its body; moments are UTC. `type` is the canonical event's, None where it has none.

    `attempts` counts all tries, `faults` those that failed by the row's own fault; `body_bytes` is 0 for what was
    blanked, and `readable` whether there is an event that can be dispatched.
    """

    id: int
    shop: str
    source: str
    event_id: str
    topic: str
    subject: str | None
    type: str | None
    status: str
    note: str | None
    attempts: int
    faults: int
    occurred_at: datetime
    received_at: datetime
    next_attempt: datetime | None
    done_at: datetime | None
    body_bytes: int
    readable: bool


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which rows are meant: by status, shop, subject, and having come before `before`; None for any."""

    statuses: Sequence[str] | None = None
    shop: str | None = None
    subject: str | None = None
    before: datetime | None = None

    @property
    def arguments(self) -> tuple[object, ...]:
        """The first arguments of the statements."""
        return (None if self.statuses is None else list(self.statuses), self.shop, self.subject, self.before)


@dataclass(frozen=True, slots=True)
class Letters:
    """Dead letters of one kind: of one shop, source and topic, and with one note.

    `subject` is the first one's, `number` what the shop shows of the order that it is about, where that is not its id.
    """

    shop: str
    source: str
    topic: str
    note: str
    ids: Sequence[int]
    subject: str | None
    number: str | None = None

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.ids)

    @property
    def first(self) -> int:
        """The id of the first."""
        return self.ids[0]

    @property
    def order(self) -> str | None:
        """The first one's order as `shop/order_id`, where it is about one."""
        found = order_of(self.subject)
        return None if found is None else "/".join(found)


def order_of(subject: str | None) -> tuple[str, str] | None:
    """The shop and id of the order that a subject is about; None where it is about none."""
    kind, _, rest = (subject or "").partition(":")
    shop, _, order_id = rest.partition(":")
    return (shop, order_id) if kind in {"order", "changed"} and order_id else None


async def numbers(pool: Pool, subjects: Iterable[str | None]) -> Mapping[str, str]:
    """What shops show of the orders that subjects are about, by subject, where that is not their id."""
    about = {subject: order for subject in subjects if subject and (order := order_of(subject)) is not None}
    shown = await order_numbers.shown(pool, about.values())
    return {subject: shown[order] for subject, order in about.items() if order in shown}


async def page(pool: Pool, chosen: Chosen, *, after: int | None = None, limit: int) -> list[Letter]:
    """At most `limit` rows behind the id `after`, the oldest first."""
    return [Letter(**row) for row in await pool.fetch(_LIST, *chosen.arguments, after, limit)]


async def count(pool: Pool, chosen: Chosen) -> int:
    """How many rows are meant."""
    return int(await pool.fetchval(_COUNT, *chosen.arguments))


async def get(pool: Pool, letter: int) -> Letter | None:
    """One row; None where there is none of that id."""
    row = await pool.fetchrow(_GET, letter)
    return None if row is None else Letter(**row)


async def beside(pool: Pool, letter: Letter) -> list[Letter]:
    """What else is open, or dead, on the same subject, by the moments it speaks of."""
    if letter.subject is None:
        return []
    return [Letter(**row) for row in await pool.fetch(_BESIDE, letter.subject, letter.id)]


async def body(pool: Pool, letter: int) -> tuple[bytes, Any]:
    """What came, word for word, and the event that it was read as. Both may name people, and may be blanked.

    Raises:
        LookupError: there is no such row.
    """
    row = await pool.fetchrow(_BODY, letter)
    if row is None:
        raise LookupError(letter)
    return row["body"], None if row["event"] is None else json.loads(row["event"])


async def dead(pool: Pool, chosen: Chosen) -> list[int]:
    """The ids of the dead letters among those that are meant and can still be read."""
    return [row["id"] for row in await pool.fetch(_DEAD, *chosen.arguments)]


async def retry(pool: Pool, ids: Sequence[int], *, now: datetime) -> list[int]:
    """Give dead and waiting rows to the relays again, as if they had just come; the ids of those that were.

    A row that was blanked has nothing left to be dispatched.
    """
    return sorted(row["id"] for row in await pool.fetch(_RETRY, list(ids), now))


async def drop(pool: Pool, ids: Sequence[int], *, why: str, now: datetime) -> list[int]:
    """Have rows never dispatched; the ids of those that will not be.

    Args:
        pool: of the database.
        ids: which. What is dispatched already, or in a relay's hands, stays as it is.
        why: who says so, and the reason; kept with the row. Its body is blanked after a day.
        now: when, aware.
    """
    return sorted(row["id"] for row in await pool.fetch(_DROP, list(ids), f"dropped {why}", now))


async def take_untold(pool: Pool, *, now: datetime) -> list[Letters]:
    """Dead letters that people are to be told of now, by kind; they count as told, in every process.

    A kind that was told of within `TOLD_EVERY` waits for its end.
    """
    rows = await pool.fetch(_TAKE_UNTOLD, now, _TOLD_AT_ONCE, TOLD_EVERY)
    shown = await numbers(pool, [row["subject"] for row in rows])
    return [Letters(**row, number=shown.get(row["subject"])) for row in rows]


async def put_back(pool: Pool, letters: Letters, *, now: datetime) -> None:
    """Have people told later of what `take_untold` gave out at `now`."""
    await pool.execute(_PUT_BACK, list(letters.ids), now)
