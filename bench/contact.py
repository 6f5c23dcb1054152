"""What a decision costs: the ledger's answer and its claim, among a million rows, beside one bare INSERT."""

import time
import uuid
from dataclasses import dataclass, field
from datetime import timedelta

from bench.people import NOW, database, fill, order
from bench.sides import SHOP
from journey.base import TouchKey
from journey.outcomes import DeliverRequest
from journey.playbook import Channel, Playbook
from store.claims import Claim
from store.ledger import Ledger
from store.pool import Pool

_TOUCH = "check_in"
"""Marketing, so that consent, caps, hours and what waits are all looked at."""
_DELIVERED = timedelta(days=7)
_BLOCK = 20
_WARM_UP = 40
# What any claim cannot do without: one row that only one can write, safe on disk.
_BARE_TABLE = "CREATE TABLE bare (order_id text, touch text, token uuid, at timestamptz, PRIMARY KEY (order_id, touch))"
_BARE = "INSERT INTO bare VALUES ($1, $2, $3, $4)"


@dataclass
class Decisions:
    """Milliseconds of each, and how many `rows` of ledger there were."""

    rows: int
    claimed: list[float] = field(default_factory=list)
    not_now: list[float] = field(default_factory=list)
    """Held or refused, with the row that says so."""
    bare: list[float] = field(default_factory=list)


async def decisions(url: str, playbook: Playbook, *, customers: int, rows: int, samples: int) -> Decisions:
    """Ask for `samples` messages, one after another, each of another order; the bare INSERTs take turns with them."""
    async with database(url) as (_, pool):
        await fill(pool, playbook, customers=customers, rows=rows)
        await pool.execute(_BARE_TABLE)
        count = _WARM_UP + samples
        # Spread over everybody, those with hundreds of messages too.
        asked = [(f"s-{n}", f"c-{1 + n * customers // count}") for n in range(count)]
        async with pool.acquire() as connection:
            await order(connection, playbook, asked, _DELIVERED)
        found = Decisions(await pool.fetchval("SELECT count(*) FROM ledger"))
        ledger = Ledger(pool, domain="shop.test")
        for start in range(0, count, _BLOCK):
            block = [order_id for order_id, _ in asked[start : start + _BLOCK]]
            if start == _WARM_UP:
                found = Decisions(found.rows)
            for order_id in block:
                await _ask(ledger, playbook, order_id, found)
            found.bare += [await _bare(pool, order_id) for order_id in block]
    return found


async def _ask(ledger: Ledger, playbook: Playbook, order_id: str, found: Decisions) -> None:
    request = DeliverRequest(
        shop=SHOP, order_id=order_id, playbook=playbook.digest, key=TouchKey(_TOUCH), due=NOW, now=NOW
    )
    began = time.perf_counter()
    answer = await ledger.ask(request, playbook, now=NOW, providers=_provider)
    took = (time.perf_counter() - began) * 1000
    (found.claimed if isinstance(answer, Claim) else found.not_now).append(took)


async def _bare(pool: Pool, order_id: str) -> float:
    began = time.perf_counter()
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_BARE, order_id, _TOUCH, uuid.uuid4(), NOW)
    return (time.perf_counter() - began) * 1000


def _provider(channel: Channel, _key: str) -> str | None:
    return "resend" if channel is Channel.EMAIL else None
