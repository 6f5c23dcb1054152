"""The mail relay is away for a day while the world moves on: what was overtaken stays unsent, nothing else is lost."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from activities.messaging.email.smtp import Smtp
from activities.messaging.templates import Templates
from journey.base import workflow_id
from journey.events import OrderCancelled, ShipmentCreated, ShipmentUpdated
from journey.parcels import ParcelStatus, Reason
from journey.playbook import Playbook
from store.pool import Pool
from tests.support.orders import Order, Person, noon_zone
from tests.support.processes import chosen_seed
from tests.support.world import World, order_id, world
from workers.mail_catcher import MailCatcher
from workflows.order_journey import OrderJourney

JOURNEYS = 12
AWAY = 1.0
"""Days of each journey's clock."""
KINDS = ("arrives", "cancelled", "paused", "skipped")


@pytest.fixture
async def catcher(tmp_path: Path) -> AsyncIterator[MailCatcher]:
    """A mail server of this test's own, to be stopped at will."""
    made = MailCatcher(tmp_path / "mail")
    await made.start()
    yield made
    await made.stop()


async def tell(place: World, order: Order, status: ParcelStatus, reason: Reason | None = None) -> None:
    """One scan of the order's parcel, now."""
    at = await place.now(order)
    await place.tell(order, ShipmentUpdated(at=at, tracking_number="T1", status=status, reason=reason))


async def before(place: World, order: Order) -> None:
    """Confirmed and shipped, with the relay at work."""
    await place.place(order)
    await place.forward(order, 0.02)
    await place.ship(order, "T1")
    at = await place.now(order)
    await place.tell(order, ShipmentCreated(at=at, tracking_number="T1", carrier="DHL", skus=(order.sku,)))
    await place.forward(order, 0.1)


async def meanwhile(place: World, order: Order, kind: str) -> None:
    """A problem that is due to be told, and then what takes its reason away."""
    await tell(place, order, ParcelStatus.EXCEPTION, Reason.CUSTOMS)
    await place.forward(order, AWAY / 2)
    handle = place.handle(order)
    if kind == "arrives":
        await tell(place, order, ParcelStatus.DELIVERED)
    elif kind == "cancelled":
        await place.tell(order, OrderCancelled(at=await place.now(order)))
    elif kind == "paused":
        await handle.execute_update(OrderJourney.pause)
    else:
        await handle.execute_update(OrderJourney.skip_touch, "parcel_problem:T1:customs")
    await place.forward(order, AWAY / 2)


async def test_a_day_without_a_relay_while_the_world_moves(  # noqa: PLR0917  fixtures
    client: Client,
    pool: Pool,
    catcher: MailCatcher,
    templates: Templates,
    playbook: Playbook,
    say: Callable[[str], None],
) -> None:
    """What was overtaken, paused or skipped during an outage is not sent after it; all else is, once each."""
    seed = chosen_seed()
    rng = random.Random(seed)
    plan = [(Order(order_id(), person=Person(customer_id=order_id(), time_zone=noon_zone())), kind) for kind in KINDS]
    while len(plan) < JOURNEYS:
        plan.append(
            (
                Order(order_id(), person=Person(customer_id=order_id(), time_zone=noon_zone())),
                rng.choice(KINDS),
            )
        )
    smtp = Smtp(urlsplit(catcher.url), timeout=1)
    async with world(client, pool, provider=smtp, templates=templates, playbook=playbook) as place:
        await asyncio.gather(*(before(place, order) for order, _ in plan))
        events = [await history_length(client, order) for order, _ in plan]
        await catcher.stop()
        await asyncio.gather(*(meanwhile(place, order, kind) for order, kind in plan))
        grown = [await history_length(client, order) - known for (order, _), known in zip(plan, events, strict=True)]
        catcher.clear()
        await catcher.start()
        await asyncio.gather(*(place.forward(order, 0.5) for order, _ in plan))
        sent = defaultdict[str, Counter[str]](Counter)
        for mail in catcher.messages():
            sent[mail.order or ""][mail.touch or ""] += 1
        say(
            f"seed {seed}: {len(plan)} journeys, a day without a relay: {max(grown)} events at most, "
            f"{sum(sum(one.values()) for one in sent.values())} mails after it"
        )
        for order, kind in plan:
            mine = sent[f"{order.shop}/{order.order_id}"]
            assert [touch for touch, times in mine.items() if times > 1] == []
            assert "parcel_problem:T1:customs" not in mine, kind
            assert ("delivered:T1" in mine) is (kind == "arrives"), kind
            assert ("order_cancelled" in mine) is (kind == "cancelled"), kind
            if kind == "paused":
                assert not mine
                await place.handle(order).execute_update(OrderJourney.resume)
                await place.forward(order, 0.2)
        assert max(grown) < 60, "the outage grew a history"
        told = Counter(f"{mail.order} {mail.touch}" for mail in catcher.messages())
        assert max(told.values()) == 1
        for order, kind in plan:
            late = f"{order.shop}/{order.order_id} parcel_problem:T1:customs"
            assert (late in told) is (kind == "paused"), kind
            await place.handle(order).terminate()
    await smtp.aclose()


async def history_length(client: Client, order: Order) -> int:
    """How many events the order's journey has, without those of its virtual clock."""
    history = await client.get_workflow_handle(workflow_id(order.shop, order.order_id)).fetch_history()
    skipped = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED
    return sum(event.event_type != skipped for event in history.events)
