"""A campaign: thousands of customers, several journeys of some, duplicated triggers, and a worker killed on the way.

Triggers go straight to the activity `deliver` in worker processes, without Temporal, whose development server starts
some two hundred workflows a second; what Temporal would hold back, two attempts at one message at the same time, so
happens here too. What counts is what the receiving side counts.
"""

import asyncio
import json
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, Self

from bench.campaign_worker import Batch, Config, Settled, Trigger
from bench.people import NOW, database, goods, order, people
from bench.processes import Child, child
from journey.playbook import Playbook

_TOUCHES = ("check_in", "discount", "thank_you")
_DELIVERED = timedelta(days=7)
_DUPLICATED = 0.2
_WORKERS = 3
_BATCH = 40
_DAYS = 9
"""Long enough for the customers with the most journeys: what the day's or the week's cap holds back goes later."""
_WEEK = 7
_TAKES = 0.003
"""Seconds the provider takes, so that a killed worker leaves requests on their way."""


@dataclass
class Campaign:
    """What came of it, by the receiving side's count."""

    recipients: int
    triggers: int = 0
    sent: int = 0
    duplicates: int = 0
    over_cap: int = 0
    repeated_requests: int = 0
    """Requests with a key that the provider knew: after a doubt, answered with the first send."""
    in_doubt: int = 0
    """Messages that the killed worker may have handed over, and that the rules would not let go again."""
    open: int = 0
    """Triggers of whom nobody knows yet what comes of them."""
    taken_over: int = 0
    """Triggers that the killed worker left behind."""
    seconds: float = 0.0
    statuses: dict[str, int] = field(default_factory=dict)


class Receiver:
    """A mail provider in the shape of Resend's API that counts what it delivers.

    A repeated `Idempotency-Key` is answered as before and delivers nothing, as documented
    (https://resend.com/docs/dashboard/emails/idempotency-keys). `day` is the campaign's, set from outside.
    """

    def __init__(self) -> None:
        self.day = 0
        self.delivered: Counter[tuple[str, str]] = Counter()
        self.by_customer: dict[str, Counter[int]] = {}
        self.repeated = 0
        self.at: dict[int, Callable[[], None]] = {}
        """What is to happen when that many have been delivered."""
        self._known: set[str] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """What `POSTLUDE_EMAIL_URL` would say."""
        if self._server is None:
            raise RuntimeError("the receiver is not started")
        return f"resend://key@127.0.0.1:{self._server.sockets[0].getsockname()[1]}?insecure=1"

    def over(self, per_day: int, per_week: int) -> int:
        """Messages beyond what a customer may get in a day, and in any seven days."""
        found = 0
        for days in self.by_customer.values():
            found += sum(max(0, count - per_day) for count in days.values())
            weeks = (sum(days[day] for day in range(first, first + _WEEK)) for first in range(_DAYS))
            found += max(max(0, count - per_week) for count in weeks)
        return found

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                fields = dict(line.split(": ", 1) for line in head.lower().split("\r\n") if ": " in line)
                key = fields["idempotency-key"]
                body = json.loads(await reader.readexactly(int(fields["content-length"])))
                self._take(key, body["to"][0])
                await asyncio.sleep(_TAKES)
                said = json.dumps({"id": key}).encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
                writer.write(b"content-length: %d\r\n\r\n%s" % (len(said), said))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _take(self, key: str, to: str) -> None:
        if key in self._known:
            self.repeated += 1
            return
        self._known.add(key)
        _, order_id, touch, _ = key.split("/")
        self.delivered[order_id, touch] += 1
        self.by_customer.setdefault(to, Counter())[self.day] += 1
        happens = self.at.pop(self.delivered.total(), None)
        if happens is not None:
            happens()


async def campaign(
    url: str, playbook: Playbook, log: Path, *, recipients: int, kind: Literal["ledger", "naive"] = "ledger"
) -> Campaign:
    """Run it to its end: every trigger settled, or the last day over."""
    found, dice = Campaign(recipients), random.Random(recipients)
    orders = [(f"o-{n}-{k}", f"c-{n}") for n in range(1, recipients + 1) for k in range(_journeys(n))]
    async with AsyncExitStack() as running:
        own, pool = await running.enter_async_context(database(url))
        async with pool.acquire() as connection:
            await people(connection, recipients)
            await order(connection, playbook, orders, _DELIVERED)
            await goods(connection)
            await connection.execute("CREATE TABLE naive (order_id text, touch text, at timestamptz)")
            await connection.execute("CREATE INDEX ON naive (order_id)")
            await connection.execute("VACUUM (ANALYZE)", timeout=60)
        receiver = await running.enter_async_context(Receiver())
        config = Config(kind=kind, database_url=own, email_url=receiver.url)
        workers = [
            await running.enter_async_context(child("bench.campaign_worker", config, log)) for _ in range(_WORKERS)
        ]
        triggers = [
            Trigger(order_id=order_id, touch=_TOUCHES[n % len(_TOUCHES)], due=NOW)
            for n, (order_id, _) in enumerate(orders)
        ]
        triggers += dice.sample(triggers, int(_DUPLICATED * len(triggers)))
        dice.shuffle(triggers)
        found.triggers = len(triggers)
        # In the middle of the first day, with requests on their way and claims that nobody will settle.
        receiver.at[max(1, recipients // 3)] = workers[0].kill
        began = time.perf_counter()
        for day in range(_DAYS):
            receiver.day = day
            triggers = await _through(workers, triggers, NOW + timedelta(days=day), found)
            if not triggers:
                break
        found.seconds = time.perf_counter() - began
        found.in_doubt = await pool.fetchval("SELECT count(*) FROM ledger WHERE status IN ('claimed', 'in_doubt')")
    found.open = len(triggers)
    found.sent, found.repeated_requests = receiver.delivered.total(), receiver.repeated
    found.duplicates = found.sent - len(receiver.delivered)
    found.over_cap = receiver.over(playbook.contact.per_day, playbook.contact.per_week)
    return found


def _journeys(customer: int) -> int:
    """How many journeys of a customer run at once: of most one, of some two, of a few six."""
    return 6 if customer % 50 == 0 else 2 if customer % 8 == 0 else 1


async def _through(workers: Sequence[Child], triggers: list[Trigger], now: datetime, found: Campaign) -> list[Trigger]:
    """Everything that is due at `now`, by whichever worker is free; returns what waits for another day.

    Attempts that are to be made again in minutes are made again at once: their day is the same.
    """
    queue = deque(triggers[start : start + _BATCH] for start in range(0, len(triggers), _BATCH))
    waiting: list[Trigger] = []
    at_work = 0

    async def serve(worker: Child) -> None:
        nonlocal at_work
        while queue or at_work:
            if not queue:
                await asyncio.sleep(_TAKES)
                continue
            batch = queue.popleft()
            at_work += 1
            try:
                answers = await worker.ask(Batch(now=now, triggers=batch).model_dump_json())
            except (RuntimeError, ConnectionError, ValueError):
                # It is dead, in the middle of a word maybe. Nobody knows how far it came: all of it is for another.
                queue.append(batch)
                found.taken_over += len(batch)
                return
            finally:
                at_work -= 1
            again = []
            for trigger, said in zip(batch, map(Settled.model_validate, answers), strict=True):
                what = f"{said.status} {said.rule or ''}".strip()
                found.statuses[what] = found.statuses.get(what, 0) + 1
                if said.status == "again":
                    again.append(trigger)
                elif said.again is not None:
                    waiting.append(trigger)
            if again:
                queue.append(again)

    await asyncio.gather(*(serve(worker) for worker in workers if worker.alive))
    return waiting
