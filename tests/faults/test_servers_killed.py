"""Temporal and PostgreSQL die, and come back, in the middle of everything."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from temporalio.service import RPCError, RPCStatusCode

from activities.messaging.email.smtp import Smtp
from activities.messaging.templates import Templates
from journey.base import workflow_id
from journey.playbook import Playbook
from store.migrate import migrate
from store.pool import AWAY, Pool, connect
from tests.faults.accounts import accounts
from tests.faults.lives import CANCELLED, FIRST, ON_THE_WAY
from tests.faults.receivers import caught, slow_to_answer
from tests.faults.stories import SHOP, Teller
from tests.faults.webhooks import Senders, dispatched, gateway
from tests.support.orders import Order, noon_zone
from tests.support.processes import chosen_seed
from tests.support.world import World, order_id, world
from workers.connecting import temporal_client
from workers.embedded import EmbeddedStack, embedded_stack
from workers.embedded_postgres import EmbeddedPostgres
from workers.embedded_temporal import EmbeddedTemporal
from workflows.journey_input import SEARCH_ATTRIBUTES
from workflows.order_journey import OrderJourney

JOURNEYS = 30
LONG_ENOUGH = timedelta(days=100)
OUTAGES = (RPCError, RuntimeError, *AWAY)


@pytest.fixture
async def own_stack(home: Path) -> AsyncIterator[EmbeddedStack]:
    """Servers that may be killed without harm to other tests."""
    async with embedded_stack(home / "killed", search_attributes=SEARCH_ATTRIBUTES) as running:
        yield running


def delivered(story: Teller) -> None:
    """A first order, told once it has arrived."""
    story.created(50, "YM-1", "YB-2")
    story.shipped(40, "T1")
    story.scan(30, "T1", "in_transit")
    story.scan(20, "T1", "out_for_delivery")
    story.scan(1, "T1", "delivered")


def called_off(story: Teller) -> None:
    """Cancelled within the day, and paid back."""
    story.created(30, "YM-1")
    story.shop("order.cancelled", 20)
    story.shop("order.refunded", 10, refund_id="r1", amount="30.00", currency="EUR", full=True)


EXPECTED = {
    delivered: (FIRST - ON_THE_WAY, ON_THE_WAY),
    # Neither goes out any more when the cancellation is known before anything could be sent.
    called_off: (CANCELLED - {"order_confirmation"}, {"order_confirmation", "welcome"}),
}


async def patiently(attempt: Callable[[], Awaitable[object]]) -> object:
    """Again and again until no server is away; None for a journey that has ended meanwhile."""
    while True:
        try:
            return await attempt()
        except OUTAGES as error:
            if isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND:
                return None
            await asyncio.sleep(0.3)


async def outlive(place: World, order: str) -> str:
    """Let the months pass for one journey, whatever is away meanwhile; why it ended."""
    handle = place.client.get_workflow_handle_for(OrderJourney.run, workflow_id(SHOP, order))
    await patiently(lambda: place.clocks.forward(SHOP, order, LONG_ENOUGH))
    return str(await patiently(handle.result))


async def outages(
    server: EmbeddedTemporal | EmbeddedPostgres, rng: random.Random, *, kills: int, ended: list[str], after: float
) -> None:
    """Kill a server so many times, leave it away for a moment and start it again where it was."""
    for number in range(kills):
        await asyncio.sleep(after + rng.uniform(0.0, 1.5))
        await server.kill()
        await asyncio.sleep(rng.uniform(0.2, 1.2))
        await server.start()
        ended.append(f"{type(server).__name__} {number + 1}")


async def test_servers_killed_while_webhooks_come_and_mails_go(
    own_stack: EmbeddedStack, templates: Templates, playbook: Playbook, say: Callable[[str], None]
) -> None:
    """Every acknowledged webhook reaches its journey, every journey finishes, nothing is missing or wrongly doubled."""
    seed = chosen_seed()
    say(f"seed {seed}")
    rng = random.Random(seed)
    temporal, postgres = own_stack.temporal, own_stack.postgres
    assert temporal is not None
    assert postgres is not None
    own_stack.mail.behaviour = slow_to_answer(lambda: rng.uniform(0.0, 0.3))
    await migrate(own_stack.database_url)
    pool = await connect(own_stack.database_url)
    client = await temporal_client(address=own_stack.temporal_address)
    smtp = Smtp(urlsplit(own_stack.smtp_url))
    kills: list[str] = []
    started = time.monotonic()
    told = []
    for number in range(JOURNEYS):
        story = called_off if number % 3 == 2 else delivered
        teller = Teller(order_id(), datetime.now(UTC), noon_zone())
        story(teller)
        told.append((story, teller))
    async with (
        world(client, pool, provider=smtp, templates=templates, playbook=playbook) as place,
        gateway(pool, place, templates) as senders,
    ):

        async def tell(teller: Teller) -> None:
            for webhook in teller.told:
                await asyncio.sleep(rng.uniform(0.0, 2.0))
                await senders.insist(webhook)
                if rng.random() < 0.3:
                    await senders.post(webhook)

        async with asyncio.TaskGroup() as everything:
            everything.create_task(outages(temporal, rng, kills=2, ended=kills, after=1.0))
            everything.create_task(outages(postgres, rng, kills=2, ended=kills, after=2.0))
            for _, teller in told:
                everything.create_task(tell(teller))
        acknowledged = time.monotonic()
        await patiently(lambda: dispatched(pool))
        dispatched_by = time.monotonic()
        async with asyncio.TaskGroup() as everything:
            everything.create_task(outages(temporal, rng, kills=1, ended=kills, after=1.0))
            everything.create_task(outages(postgres, rng, kills=2, ended=kills, after=0.5))
            journeys = [everything.create_task(outlive(place, teller.order_id)) for _, teller in told]
    books = await accounts(pool, SHOP, caught(own_stack.mail, SHOP))
    say(
        f"seed {seed}: {len(kills)} servers killed; {len(senders.acknowledged)} webhooks acknowledged,"
        f" {senders.refused} refused in between, all told in {acknowledged - started:.0f} s, dispatched"
        f" {dispatched_by - acknowledged:.0f} s later; {JOURNEYS} journeys over in"
        f" {time.monotonic() - dispatched_by:.0f} s; {len(books.arrivals)} mails, {len(books.doubts)} in doubt,"
        f" {sum(books.copies.values())} duplicates (all transactional, all counted by the ledger);"
        f" {dict(Counter(journey.result() for journey in journeys))}"
    )
    await all_dispatched(pool, senders)
    books.check([expected(teller, *EXPECTED[story]) for story, teller in told], idempotent=False)
    pool.terminate()


def expected(teller: Teller, must: set[str], may: set[str]) -> tuple[Order, set[str], set[str]]:
    """What one order's customer must and may get, by this order's own tracking number."""

    def own(touches: set[str]) -> set[str]:
        return {touch.replace(":T1", f":{teller.order_id.upper()}T1") for touch in touches}

    return Order(teller.order_id, shop=SHOP), own(must), own(may)


async def all_dispatched(pool: Pool, senders: Senders) -> None:
    """Fail unless each acknowledged webhook is one row, and dispatched."""
    rows = await pool.fetch("SELECT event_id, status FROM inbox")
    assert len(rows) == len(senders.acknowledged)
    assert {row["event_id"] for row in rows} == senders.acknowledged
    assert {row["status"] for row in rows} == {"dispatched"}
