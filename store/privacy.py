"""People's requests about their data (GDPR Art. 12, 15, 17, 20), and what is kept of a person.

A customer's erasure is done the moment it is dispatched. That of a shop closes it then; the forgetting itself takes its
time, see `sweep`. What is kept of somebody a person hands over, within the month that Art. 12(3) leaves.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from store import erased, erasure, intake, personal
from store.erasure import Erased
from store.pool import Connection, Pool

DUE: Final = timedelta(days=30)

_KINDS: Final = {
    "customer.data_requested": "data_request",
    "customer.redacted": "redact",
    "shop.redacted": "shop_redact",
}
_INSERT: Final = """
INSERT INTO privacy_requests (shop, customer_id, kind, request_id, requested_at, due_at, done_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING id
"""
_OPEN: Final = """
SELECT id, shop, customer_id, kind, request_id, requested_at, due_at FROM privacy_requests
WHERE done_at IS NULL ORDER BY due_at, id
"""
# Whoever asked what is kept of them by a shop that has left: nothing is any more.
_CLOSE: Final = """
UPDATE privacy_requests SET done_at = $2
WHERE shop = $1 AND kind IN ('shop_redact', 'data_request') AND done_at IS NULL
"""
_LEAVING: Final = "SELECT DISTINCT shop FROM privacy_requests WHERE kind = 'shop_redact' AND done_at IS NULL"
_TURN: Final = "SELECT FROM erased WHERE shop = $1 AND kind = 'shop' FOR UPDATE SKIP LOCKED"
_READMIT: Final = """
DELETE FROM erased WHERE shop = $1 AND kind = 'shop' AND NOT EXISTS (
    SELECT FROM privacy_requests WHERE shop = $1 AND kind = 'shop_redact' AND done_at IS NULL)
"""
_LISTED: Final = "SELECT to_jsonb(s) FROM suppressions s WHERE shop IN ($1, '') AND address = ANY($2) ORDER BY channel"
_REQUESTS: Final = "SELECT to_jsonb(r) FROM privacy_requests r WHERE shop = $1 AND customer_id = $2 ORDER BY id"
# Waiting and dispatched alike, until they are blanked: what somebody's shop and providers said of them, word for word.
_SAID: Final = f"""
SELECT to_jsonb(i) - 'body' - 'subject' AS row, body FROM inbox i
WHERE {personal.IN_INBOX} ORDER BY id
"""  # noqa: S608  only the constant is put in


@dataclass(frozen=True, slots=True)
class Request:
    """One that is open. `kind` is data_request, redact or shop_redact; of a shop's the customer is empty."""

    id: int
    shop: str
    customer_id: str
    kind: str
    request_id: str | None
    requested_at: datetime
    due_at: datetime


async def record(
    connection: Connection,
    event: intake.CustomerDataRequested | intake.CustomerRedacted | intake.ShopRedacted,
    *,
    now: datetime,
) -> str | None:
    """Write a request down, and honour it where that needs nobody; what came of it, without personal data.

    Args:
        connection: in a transaction.
        event: the request; a repeat is known by its shop, customer, id and moment.
        now: when it is dispatched, aware.
    """
    if isinstance(event, intake.CustomerDataRequested):
        gone = await erased.shop_is(connection, event.shop)
        new = await _write(connection, event, event.customer_id, event.request_id, now=now if gone else None)
        if gone:
            return "nothing is kept: the shop has left"
        return f"to be answered by {event.at + DUE:%Y-%m-%d}" if new else "nothing new"
    if isinstance(event, intake.CustomerRedacted):
        await _write(connection, event, event.customer_id, None, now=now)
        return str(await erasure.erase_customer(connection, event.shop, event.customer_id, now=now))
    new = await _write(connection, event, "", None, now=None)
    await erasure.close_shop(connection, event.shop, now=now)
    return "everybody of it is being forgotten" if new else "nothing new"


async def sweep(pool: Pool, *, now: datetime, limit: int = erasure.SHOP_BATCH) -> int:
    """Forget the shops that have left, to the end; how many requests that answers. A stopped sweep goes on anew.

    Of several at once each shop is one's. Each batch is a transaction of its own.

    Args:
        pool: of the database.
        now: the moment, aware.
        limit: customers in one transaction.
    """
    closed = 0
    for shop in [row["shop"] for row in await pool.fetch(_LEAVING)]:
        more = True
        while more:
            async with pool.acquire() as connection, connection.transaction():
                if await connection.fetchrow(_TURN, shop) is None:
                    break
                more = await erasure.erase_shop(connection, shop, now=now, limit=limit)
                if not more:
                    closed += int((await connection.execute(_CLOSE, shop, now)).split()[-1])
    return closed


async def readmit(pool: Pool, shop: str) -> bool:
    """Take a shop in again that had left; False where none has, or it is being forgotten still.

    Its former customers' orders stay unknown; new ones are welcome.
    """
    return str(await pool.execute(_READMIT, shop)) == "DELETE 1"


async def open_requests(pool: Pool) -> Sequence[Request]:
    """What somebody still has to do, the most pressing first."""
    return [Request(**row) for row in await pool.fetch(_OPEN)]


async def finish(pool: Pool, request: int, now: datetime) -> bool:
    """Mark a request as done; False when there is no such open one. That of a shop `sweep` alone can finish."""
    query = """UPDATE privacy_requests SET done_at = $2
               WHERE id = $1 AND done_at IS NULL AND kind <> 'shop_redact' RETURNING true"""
    return bool(await pool.fetchval(query, request, now))


async def erase(pool: Pool, shop: str, customer_id: str, *, now: datetime) -> Erased:
    """Forget a customer because a person says so; an open request for just that is done by it."""
    async with pool.acquire() as connection, connection.transaction():
        gone = await erasure.erase_customer(connection, shop, customer_id, now=now)
        await connection.execute(
            """UPDATE privacy_requests SET done_at = $3
               WHERE shop = $1 AND customer_id = $2 AND kind = 'redact' AND done_at IS NULL""",
            shop,
            customer_id,
            now,
        )
    return gone


async def kept(pool: Pool, shop: str, customer_id: str) -> dict[str, list[Any]] | None:
    """All that is kept of a customer, by table, as JSON has it; None when nothing names them.

    Rows of the inbox have their body read where it is JSON. What only a person's keyed hash is left of is not found.
    """
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        found = await personal.traces(connection, shop, customer_id)
        told: dict[str, list[Any]] = {}
        for table, theirs in personal.TABLES.items():
            query = f"SELECT to_jsonb(t) FROM {table} t WHERE {theirs}"  # noqa: S608  constants
            told[table] = [json.loads(row[0]) for row in await connection.fetch(query, shop, customer_id)]
        listed = await connection.fetch(_LISTED, shop, list(found.addresses))
        told["suppressions"] = [json.loads(row[0]) for row in listed]
        asked = await connection.fetch(_REQUESTS, shop, customer_id)
        told["privacy_requests"] = [json.loads(row[0]) for row in asked]
        said = await connection.fetch(_SAID, *found.arguments, timeout=personal.PATIENCE)
        told["inbox"] = [json.loads(row["row"]) | {"body": _readable(row["body"])} for row in said]
    return told if any(told.values()) else None


async def _write(
    connection: Connection,
    event: intake.CustomerDataRequested | intake.CustomerRedacted | intake.ShopRedacted,
    customer_id: str,
    request_id: str | None,
    *,
    now: datetime | None,
) -> bool:
    row = (event.shop, customer_id, _KINDS[event.type], request_id, event.at, event.at + DUE, now)
    return await connection.fetchval(_INSERT, *row) is not None


def _readable(body: bytes) -> Any:
    text = body.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
