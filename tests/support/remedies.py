"""A shop's remedies, ready to be chosen: an order whose parcel is lost, a worker for its saga, and how it ended."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDReusePolicy
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.remedies import Remedies
from activities.remedy_shop import no_gap
from journey.playbook import Playbook
from journey.remedies import Action, By, Choice, RemedyRequest, RemedyStep, RemedyTerms
from store import remedies
from store.pool import Pool
from tests.support.counter import Counter, LookFirst, Only
from tests.support.orders import Order, put, put_parcel
from tests.support.patience import PATIENCE
from workflows.remedy_case import RemedyInput, RemedySaga

PLAIN = RemedyTerms()


def book(playbook: Playbook, terms: RemedyTerms = PLAIN):
    """The playbook with these terms, whatever digest it is asked for by."""
    ours = playbook.but(remedies=terms)
    return lambda _digest: ours


def step(order: Order, action: Action = Action.OFFER, *, part: str = "T1", at: datetime | None = None, **more):
    """What the journey of that order asks for."""
    now = at or datetime.now(UTC)
    given = {"reason": "lost", "choose_by": now + timedelta(days=3)} | more
    return RemedyStep(
        action=action, shop=order.shop, order_id=order.order_id, part=part, playbook="digest", at=now, **given
    )


async def lose(pool: Pool, order: Order) -> None:
    """The rows of an order whose parcel T1 is lost, and the offer to make it good."""
    await put(pool, order, "digest")
    await put_parcel(pool, order, "T1", order.placed_at)
    async with pool.acquire() as connection, connection.transaction():
        await remedies.offer(connection, step(order))


async def choose(pool: Pool, order: Order, choice: Choice, *, by: By = By.CUSTOMER, part: str = "T1"):
    """Somebody chooses now."""
    now = datetime.now(UTC)
    async with pool.acquire() as connection, connection.transaction():
        return await remedies.choose(
            connection, order.shop, order.order_id, part, choice, by=by, at=now, received_at=now
        )


def request(order: Order, part: str = "T1") -> RemedyRequest:
    return RemedyRequest(shop=order.shop, order_id=order.order_id, part=part, playbook="digest", at=datetime.now(UTC))


@dataclass
class Case:
    """A shop, its worker, and the sagas of its orders."""

    client: Client
    pool: Pool
    shop: Counter
    queue: str
    configured: Only | None = None

    async def lost(self, choice: Choice, **changes) -> Order:
        """An order whose customer chose that for its lost parcel."""
        order = Order(uuid.uuid4().hex[:10], **changes)
        await lose(self.pool, order)
        await choose(self.pool, order, choice)
        return order

    async def start(self, order: Order) -> WorkflowHandle[RemedySaga, str]:
        """The saga begins, as the relay would begin it."""
        asked = request(order)
        return await self.client.start_workflow(
            RemedySaga.run,
            RemedyInput(request=asked),
            id=asked.workflow_id,
            task_queue=self.queue,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        )

    async def row(self, order: Order) -> remedies.Remedy:
        found = await remedies.get(self.pool, order.shop, order.order_id, "T1")
        assert found is not None
        return found


@asynccontextmanager
async def case(
    client: Client,
    pool: Pool,
    playbook: Playbook,
    *,
    terms: RemedyTerms = PLAIN,
    api: bool = True,
    alerts=None,
    gap=no_gap,
    cached=100,
    settles=0.5,
    adapter=LookFirst,
) -> AsyncIterator[Case]:
    """A shop on loopback and a worker that makes its parcels good."""
    shop, queue = Counter(), f"remedies-{uuid.uuid4().hex[:8]}"
    await shop.start()
    made = adapter(shop.url, "acme", settles=settles)
    configured = Only(made if api else None)
    work = Remedies(
        pool,
        book(playbook, terms),
        configured,
        alerts=alerts,
        gap=gap,
    )
    worker = Worker(
        client,
        task_queue=queue,
        workflows=[RemedySaga],
        activities=work.activities,
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_cached_workflows=cached,
        # As in production: an activity that is cancelled the moment it is handed out would never be given back.
        graceful_shutdown_timeout=timedelta(seconds=5),
        max_heartbeat_throttle_interval=timedelta(seconds=1),
    )
    async with worker:
        yield Case(client, pool, shop, queue, configured)
    await made.aclose()
    await shop.stop()


async def until(handle, text):
    """Wait until the saga's own details say so; a saga without a worker says nothing."""
    said, deadline = "", time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(RPCError):
            said = (
                await handle.query("__temporal_workflow_metadata", rpc_timeout=timedelta(seconds=5))
            ).current_details
            if text in said:
                return
        await asyncio.sleep(0.05)
    raise AssertionError(f"never said {text!r}: {said}")
