"""A world: journeys on the real server, a worker, a database of its own, and a clock per order."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from temporalio.client import Client, WorkflowHandle

from activities.alerts import Alerts
from activities.deliver import Gap, no_gap
from activities.links import Links
from activities.messaging.protocol import EmailProvider
from activities.messaging.senders import Senders
from activities.messaging.templates import Templates
from activities.shops.apis import ShopApis
from journey.base import workflow_id
from journey.events import Event
from journey.parcels import Method
from journey.playbook import Playbook
from journey.timeline import Timeline
from starters.fast_forward import Clocks
from starters.journeys import TemporalJourneys
from store import playbooks
from store.pool import Pool
from store.roles import WORKER
from tests.support.counter import Unasked
from tests.support.orders import Order, put, put_parcel
from tests.support.roles import running_as
from workers.settings import Settings
from workers.worker import build_worker, playbooks_kept_fresh
from workflows.order_journey import OrderJourney
from workflows.registry import PLAYBOOKS


def order_id() -> str:
    """An order id nobody else has."""
    return uuid.uuid4().hex[:10]


@dataclass
class World:
    """What a journey test needs at hand."""

    client: Client
    pool: Pool
    settings: Settings
    playbook: Playbook
    journeys: TemporalJourneys
    clocks: Clocks

    async def place(self, order: Order) -> WorkflowHandle[OrderJourney, str]:
        """Put the order into the tables and start its journey."""
        await put(self.pool, order, self.playbook.digest)
        await self.journeys.start(order.facts(), self.playbook.digest)
        return self.handle(order)

    def handle(self, order: Order) -> WorkflowHandle[OrderJourney, str]:
        """The journey of that order."""
        return self.client.get_workflow_handle_for(OrderJourney.run, workflow_id(order.shop, order.order_id))

    async def now(self, order: Order) -> datetime:
        """The journey's own clock."""
        return await self.clocks.now(order.shop, order.order_id)

    async def ship(self, order: Order, number: str, method: Method = Method.DELIVERY) -> None:
        """The parcel's row, as the relay would have written it."""
        await put_parcel(self.pool, order, number, await self.now(order), method)

    async def tell(self, order: Order, event: Event) -> None:
        """Signal one fact."""
        assert await self.journeys.signal(order.shop, order.order_id, event)

    async def forward(self, order: Order, days: float) -> bool:
        """Let that many days pass for this journey; False when it ended on the way."""
        return await self.clocks.forward(order.shop, order.order_id, timedelta(days=days))

    async def timeline(self, order: Order) -> Timeline:
        """The journey's own account."""
        return await self.handle(order).query(OrderJourney.timeline)

    async def ledger(self, order: Order) -> dict[str, tuple[str, str | None]]:
        """Touch key to (status, rule) of attempt class 0, and `key+n` for those sent again."""
        rows = await self.pool.fetch(
            "SELECT * FROM ledger WHERE shop = $1 AND order_id = $2 ORDER BY id", order.shop, order.order_id
        )
        return {
            row["touch_key"] + (f"+{row['attempt_class']}" if row["attempt_class"] else ""): (
                row["status"],
                row["rule"],
            )
            for row in rows
        }


@asynccontextmanager
async def world(
    client: Client,
    pool: Pool,
    *,
    provider: EmailProvider,
    templates: Templates,
    playbook: Playbook,
    gap: Gap = no_gap,
    alerts: Alerts | None = None,
    with_worker: bool = True,
) -> AsyncIterator[World]:
    """A world whose worker sends through `provider`, and `alerts` to people; `gap` may crash it between two steps."""
    settings = Settings(task_queue=f"test-{uuid.uuid4().hex[:8]}", home=Path("/nonexistent"), workflow_sandbox=False)
    digest = await playbooks.publish(pool, playbook)
    assert digest == playbook.digest
    made = World(
        client,
        pool,
        settings,
        playbook,
        TemporalJourneys(client, settings.task_queue),
        Clocks(client),
    )
    links = Links("test-secret-key", "http://shop.test")
    async with playbooks_kept_fresh(pool, PLAYBOOKS), running_as(pool.dsn, WORKER) as own:
        if not with_worker:
            yield made
            return
        senders = Senders.of(provider)
        worker = build_worker(
            client,
            own,
            settings,
            senders=senders,
            templates=templates,
            links=links,
            playbook=PLAYBOOKS.get,
            alerts=alerts,
            shops=ShopApis([Unasked()]),
            gap=gap,
        )
        async with worker:
            yield made
