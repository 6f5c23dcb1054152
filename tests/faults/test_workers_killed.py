"""Workers die at random moments, again and again, in the middle of sending."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.messaging.email.smtp import Smtp
from activities.messaging.templates import Templates
from journey.playbook import Playbook, touch_id
from store.pool import Pool
from tests.faults.accounts import accounts
from tests.faults.lives import LIVES, Life, live
from tests.faults.receivers import IdempotentProvider, caught, slow_to_answer
from tests.faults.stories import REPEATING, short
from tests.faults.worker_process import QUEUES
from tests.support.orders import Order
from tests.support.processes import Forks, chosen_seed, forks, serving
from tests.support.world import World, order_id, world
from workers.embedded import EmbeddedStack

BY_SMTP, BY_API = 120, 80
KILLS = 24
WORKERS = 2
LIFE = (0.8, 3.6)
"""Shortest and longest life of a worker, in seconds."""


@pytest.fixture
def slow_smtp(stack: EmbeddedStack) -> Iterator[random.Random]:
    """The session's mail catcher takes its time to answer; yields what decides how much."""
    chance = random.Random()
    stack.mail.behaviour = slow_to_answer(lambda: chance.uniform(0.0, 0.3))
    yield chance
    stack.mail.behaviour = None


async def kill_at_random(workers: Forks, rng: random.Random, killed: list[float]) -> None:
    """Keep one worker going: let it work for a moment, kill it, start the next at once; the last one stays."""
    pid = await asyncio.to_thread(workers.start)
    for _ in range(KILLS // WORKERS):
        await asyncio.sleep(rng.uniform(*LIFE))
        alive = await asyncio.to_thread(workers.kill, pid)
        assert alive, f"the worker ended by itself:\n{workers.log.read_text()[-3000:]}"
        killed.append(time.monotonic())
        pid = await asyncio.to_thread(workers.start)


async def test_workers_killed_in_the_middle_of_everything(  # noqa: PLR0917  fixtures
    client: Client,
    pool: Pool,
    database_url: str,
    stack: EmbeddedStack,
    smtp: Smtp,
    slow_smtp: random.Random,
    templates: Templates,
    playbook: Playbook,
    tmp_path: Path,
    say: Callable[[str], None],
) -> None:
    """200 journeys outlive two dozen SIGKILLs: all finish, nothing is missing, and no doubt ends in a duplicate.

    None at all through a provider with idempotency keys, none of marketing through SMTP, and of transactional
    mail through SMTP exactly those the ledger itself counts as sent again.
    """
    seed = chosen_seed()
    say(f"seed {seed}")
    rng = random.Random(seed)
    slow_smtp.seed(seed)
    pauses = random.Random(seed)
    api = IdempotentProvider(lambda: pauses.uniform(0.0, 0.3))
    book = short(playbook)
    started, killed = time.monotonic(), list[float]()
    ended = list[float]()

    async def one(place: World, life: Life, order: Order) -> str:
        why = await live(place, life, order)
        ended.append(time.monotonic())
        return why

    async with AsyncExitStack() as running:
        url = await running.enter_async_context(serving(api.app))
        places = [
            await running.enter_async_context(
                world(client, pool, provider=smtp, templates=templates, playbook=book, with_worker=False)
            )
            for _ in range(2)
        ]
        emails = (stack.smtp_url, url.replace("http://", "resend://re_test@") + "?insecure=1")
        queues = {place.settings.task_queue: email for place, email in zip(places, emails, strict=True)}
        environment = {
            "TEMPORAL_ADDRESS": stack.temporal_address,
            "POSTLUDE_DATABASE_URL": database_url,
            "POSTLUDE_SECRET_KEY": "test-secret-key",
            QUEUES: json.dumps(queues),
        }
        workers = running.enter_context(forks("tests.faults.worker_process", environment, tmp_path / "workers.log"))
        shops = [f"smtp-{order_id()}", f"api-{order_id()}"]
        plan = [
            (places[which], LIVES[number % len(LIVES)], LIVES[number % len(LIVES)].order(shops[which]))
            for which, size in enumerate((BY_SMTP, BY_API))
            for number in range(size)
        ]
        rng.shuffle(plan)
        async with asyncio.TaskGroup() as everything:
            for _ in range(WORKERS):
                everything.create_task(kill_at_random(workers, random.Random(rng.random()), killed))
            journeys = [everything.create_task(one(*entry)) for entry in plan]
        why = Counter(journey.result() for journey in journeys)

    both = [
        await accounts(pool, shops[0], caught(stack.mail, shops[0])),
        await accounts(pool, shops[1], api.arrivals),
    ]
    in_time = sum(moment < max(ended) for moment in killed)
    say(
        f"seed {seed}: {len(plan)} journeys in {max(ended) - started:.0f} s, {in_time} kills meanwhile;"
        f" SMTP: {len(both[0].arrivals)} mails, {len(both[0].doubts)} in doubt,"
        f" {sum(row.rule == 'sent_again' for row in both[0].doubts)} sent again,"
        f" {sum(both[0].copies.values())} duplicates (all transactional, all counted by the ledger);"
        f" API: {len(both[1].arrivals)} mails, {api.repeats} repeated keys, {len(both[1].copies)} duplicates;"
        f" {dict(why)}"
    )
    for which, books in enumerate(both):
        mine = [(life, order) for _, life, order in plan if order.shop == shops[which]]
        expected = [
            (order, {key for key in life.must if touch_id(key) not in REPEATING}, life.may) for life, order in mine
        ]
        books.check(expected, idempotent=which == 1)
    assert in_time >= 20
