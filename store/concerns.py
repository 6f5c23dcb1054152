"""What the shop's people are told of an order, once each: by ids alone, whatever comes of it afterwards."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from store.pool import Connection, Pool

_AT_ONCE: Final = 20
_NOTE: Final = """
INSERT INTO concerns (shop, order_id, kind, subject, noted_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
"""
# Told before it is told: of two processes one takes it, and whoever could not tell it puts it back.
_TAKE: Final = """
WITH taken AS (
    SELECT shop, order_id, kind, subject FROM concerns WHERE told_at IS NULL
    ORDER BY noted_at LIMIT $2 FOR UPDATE SKIP LOCKED)
UPDATE concerns c SET told_at = $1 FROM taken t
WHERE (c.shop, c.order_id, c.kind, c.subject) = (t.shop, t.order_id, t.kind, t.subject)
RETURNING c.shop, c.order_id, c.kind, c.subject,
    (SELECT number FROM orders o WHERE (o.shop, o.order_id) = (c.shop, c.order_id)) AS number
"""
_PUT_BACK: Final = """
UPDATE concerns SET told_at = NULL WHERE (shop, order_id, kind, subject) = ($1, $2, $3, $4)
"""


class Kind(StrEnum):
    """What is amiss."""

    SUMS = "sums do not add up"
    DECLINED = "refund declined after it was told"


@dataclass(frozen=True, slots=True)
class Concern:
    """One of them; `subject` is the refund's id where it is about one, `number` what the shop shows of the order."""

    shop: str
    order_id: str
    kind: str
    subject: str
    number: str | None


async def note(
    connection: Connection, shop: str, order_id: str, kind: Kind, *, at: datetime, subject: str = ""
) -> None:
    """Have people told, unless they were told of the same before."""
    await connection.execute(_NOTE, shop, order_id, kind.value, subject, at)


async def take_untold(pool: Pool, *, now: datetime) -> list[Concern]:
    """Some of what people have not been told yet; it counts as told, in every process."""
    return [Concern(**row) for row in await pool.fetch(_TAKE, now, _AT_ONCE)]


async def put_back(pool: Pool, concern: Concern) -> None:
    """Have people told later of what `take_untold` gave out."""
    await pool.execute(_PUT_BACK, concern.shop, concern.order_id, concern.kind, concern.subject)
