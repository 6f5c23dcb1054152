"""A worker of the campaign: the activity `deliver` on its own, in a process that can be killed.

`python -m bench.campaign_worker CONFIG` with CONFIG as JSON. Each line on stdin is a `Batch`, answered by one JSON
line on stdout: for each trigger what came of it, and when to ask again if it waits.
"""

import asyncio
import sys
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Literal

from pydantic import BaseModel
from temporalio.exceptions import ApplicationError

from activities.deliver import Deliveries, Sender
from activities.links import Links
from activities.messaging.context import build_message
from activities.messaging.senders import Senders
from activities.messaging.templates import Templates
from bench.scenario import frozen_playbook
from bench.sides import SHOP
from bench.worker_process import answer
from journey.base import TouchKey
from journey.outcomes import DeliverRequest, Held, Sent
from journey.playbook import Channel, Playbook
from store import messages
from store.ledger import Ledger
from store.pool import Pool, connect
from workers.logs import configure
from workers.settings import shipped_playbooks

AT_ONCE = 8
"""How many messages a worker has in its hands."""


class Config(BaseModel):
    """Where to work. `naive` looks, sends and notes it down, as one would without a ledger that claims."""

    kind: Literal["ledger", "naive"]
    database_url: str
    email_url: str


class Trigger(BaseModel):
    """One wish to send `touch` to the order's customer, due at `due`."""

    order_id: str
    touch: str
    due: datetime


class Batch(BaseModel):
    """Some triggers, all asked for at `now` of their journeys' clocks."""

    now: datetime
    triggers: list[Trigger]


class Settled(BaseModel):
    """What came of one; `again` when it waits."""

    status: str
    rule: str | None = None
    again: datetime | None = None


Work = Callable[[Trigger, datetime], Awaitable[Settled]]


def with_the_ledger(pool: Pool, sender: Sender, playbook: Playbook) -> Work:
    """`deliver`, as a worker runs it."""
    deliveries = Deliveries(pool, Ledger(pool, domain="shop.test"), sender)

    async def work(trigger: Trigger, now: datetime) -> Settled:
        request = DeliverRequest(
            shop=SHOP,
            order_id=trigger.order_id,
            playbook=playbook.digest,
            key=TouchKey(trigger.touch),
            due=trigger.due,
            now=now,
        )
        try:
            outcome = (await deliveries.deliver(request)).outcome(now=now)
        except ApplicationError as error:
            # Temporal would try again after the delay that it names.
            return Settled(status="again", rule=error.message, again=now + (error.next_retry_delay or now - now))
        rule = None if isinstance(outcome, Sent) else outcome.rule
        return Settled(status=outcome.status, rule=rule, again=outcome.until if isinstance(outcome, Held) else None)

    return work


def naive(pool: Pool, sender: Sender, playbook: Playbook) -> Work:
    """Look whether it was sent and whether the day has room, send, note it down."""
    provider = sender.senders.named(Channel.EMAIL, "resend")

    async def work(trigger: Trigger, now: datetime) -> Settled:
        facts = await messages.load(pool, SHOP, trigger.order_id)
        found = await pool.fetchrow(_LOOK, trigger.order_id, trigger.touch, now)
        if found["done"]:
            return Settled(status="sent")
        if found["today"] >= playbook.contact.per_day or facts is None or provider is None:
            return Settled(status="held", rule="cap_per_day")
        mail = build_message(
            sender.templates,
            sender.links,
            facts,
            playbook.by_id[trigger.touch],
            parcels=(),
            subject=trigger.touch,
            key=f"{SHOP}/{trigger.order_id}/{trigger.touch}/{uuid.uuid4()}",
            message_id=f"<{uuid.uuid4()}@shop.test>",
            now=now,
        )
        await provider.send(mail)
        await pool.execute(_NOTE, trigger.order_id, trigger.touch, now)
        return Settled(status="sent")

    return work


_LOOK = """
SELECT EXISTS (SELECT FROM naive WHERE order_id = $1 AND touch = $2) AS done,
       (SELECT count(*) FROM naive JOIN orders s USING (order_id) JOIN orders o ON o.order_id = $1
         WHERE s.customer_id = o.customer_id AND naive.at > $3::timestamptz - interval '12 hours') AS today
"""
_NOTE = "INSERT INTO naive VALUES ($1, $2, $3)"


async def run(config: Config) -> None:
    """Work until stdin ends."""
    playbook = frozen_playbook()
    senders = Senders.named_by({Channel.EMAIL: config.email_url})
    links = Links("bench-secret-key", "http://shop.test")
    sender = Sender(senders, Templates.load(shipped_playbooks()), links, lambda _digest: playbook)
    pool = await connect(config.database_url)
    work = {"ledger": with_the_ledger, "naive": naive}[config.kind](pool, sender, playbook)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(trigger: Trigger, now: datetime) -> dict[str, object]:
        async with gate:
            return (await work(trigger, now)).model_dump(mode="json")

    try:
        answer({"ready": True})
        while line := await asyncio.to_thread(sys.stdin.readline):
            batch = Batch.model_validate_json(line)
            answer(await asyncio.gather(*(one(trigger, batch.now) for trigger in batch.triggers)))
    finally:
        await senders.aclose()
        await pool.close()


if __name__ == "__main__":
    configure("error")
    asyncio.run(run(Config.model_validate_json(sys.argv[1])))
