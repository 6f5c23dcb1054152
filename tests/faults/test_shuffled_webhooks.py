"""Webhooks come five times and in any order; the journey is the one they tell of."""

import asyncio
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from temporalio.client import Client

from activities.links import Links
from activities.messaging.email.smtp import Smtp
from activities.messaging.senders import Senders as Channels
from activities.messaging.templates import Templates
from journey.base import workflow_id
from journey.playbook import Playbook
from store.pool import Pool
from tests.faults.stories import SHOP, STORIES, Teller, short
from tests.faults.webhooks import Senders, Webhook, dispatched, gateway
from tests.support.orders import noon_zone
from tests.support.processes import chosen_seed
from tests.support.world import World, order_id, world
from workers.worker import build_worker
from workflows.order_journey import OrderJourney
from workflows.registry import PLAYBOOKS

SEEDS = 200
TIMES = 5
SENDERS = 12
LONG_ENOUGH = timedelta(days=130)

Ending = tuple[object, ...]


async def send_shuffled(senders: Senders, webhooks: list[Webhook], seed: int) -> None:
    """Every webhook five times, in an order of that seed's choice."""
    sending = webhooks * TIMES
    random.Random(seed).shuffle(sending)
    for webhook in sending:
        assert await senders.post(webhook) == 202


async def ending(place: World, pool: Pool, order: str) -> Ending:
    """How an order's journey ended, as its timeline and the ledger tell it, without the order's own names."""
    handle = place.client.get_workflow_handle_for(OrderJourney.run, workflow_id(SHOP, order))
    await place.clocks.forward(SHOP, order, LONG_ENOUGH)
    why = await handle.result()
    timeline = await handle.query(OrderJourney.timeline)
    rows = await pool.fetch("SELECT touch_key, status, rule FROM ledger WHERE shop = $1 AND order_id = $2", SHOP, order)
    own = order.upper()
    return (
        why,
        tuple(sorted((past.touch.replace(own, ""), past.status, past.rule or "") for past in timeline.past)),
        tuple(parcel.model_dump_json().replace(own, "") for parcel in timeline.parcels),
        timeline.notes,
        tuple(sorted((row["touch_key"].replace(own, ""), row["status"], row["rule"] or "") for row in rows)),
    )


async def test_webhooks_shuffled_and_repeated_tell_the_same_story(  # noqa: PLR0917  fixtures
    client: Client,
    pool: Pool,
    smtp: Smtp,
    templates: Templates,
    playbook: Playbook,
    say: Callable[[str], None],
) -> None:
    """Over 200 seeds an order's webhooks, each sent five times and shuffled, make the journey they make in order."""
    first = chosen_seed()
    say(f"first seed {first}")
    base, zone, started = datetime.now(UTC), noon_zone(), time.monotonic()
    room = asyncio.Semaphore(SENDERS)

    def told(story: int) -> Teller:
        teller = Teller(order_id(), base, zone)
        STORIES[story](teller)
        return teller

    async def in_order(teller: Teller) -> None:
        async with room:
            for webhook in teller.told:
                assert await senders.post(webhook) == 202

    async def shuffled(teller: Teller, seed: int) -> None:
        async with room:
            await send_shuffled(senders, teller.told, seed)

    orders = [told(number % len(STORIES)) for number in range(SEEDS)]
    references = [told(story) for story in range(len(STORIES))]
    book = short(playbook)
    async with world(client, pool, provider=smtp, templates=templates, playbook=book, with_worker=False) as place:
        async with gateway(pool, place, templates) as senders:
            async with asyncio.TaskGroup() as sending:
                for reference in references:
                    sending.create_task(in_order(reference))
                for number, teller in enumerate(orders):
                    sending.create_task(shuffled(teller, first + number))
            sent = time.monotonic()
            await dispatched(pool)
        told_by = time.monotonic()
        worker = build_worker(
            client,
            pool,
            place.settings,
            senders=Channels.of(smtp),
            templates=templates,
            links=Links("test-secret-key", "http://shop.test"),
            playbook=PLAYBOOKS.get,
        )
        async with worker:
            names = [teller.order_id for teller in (*references, *orders)]
            endings = await asyncio.gather(*(ending(place, pool, name) for name in names))
    expected, got = endings[: len(STORIES)], endings[len(STORIES) :]
    posts = sum(len(teller.told) for teller in orders) * TIMES
    say(
        f"seeds {first} to {first + SEEDS - 1}: {posts} webhooks in {sent - started:.0f} s, dispatched"
        f" {told_by - sent:.0f} s later, journeys over in {time.monotonic() - told_by:.0f} s"
    )
    different = {
        first + number: (STORIES[number % len(STORIES)].__name__, one, expected[number % len(STORIES)])
        for number, one in enumerate(got)
        if one != expected[number % len(STORIES)]
    }
    assert not different, next(iter(different.items()))
    statuses = {row["status"] for row in await pool.fetch("SELECT DISTINCT status FROM inbox")}
    assert statuses == {"dispatched"}
