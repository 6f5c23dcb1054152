"""Two builds side by side: what CONTRIBUTING promises of `pinned` and `auto_upgrade`, on real journeys."""

import asyncio
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from temporalio.api.enums.v1 import RoutingConfigUpdateState
from temporalio.api.workflowservice.v1 import DescribeWorkerDeploymentRequest
from temporalio.client import Client

from activities.links import Links
from activities.messaging.email.smtp import Smtp
from activities.messaging.senders import Senders
from activities.messaging.templates import Templates
from journey.base import workflow_id
from journey.order import Buyer
from journey.parcels import ParcelStatus
from journey.playbook import Playbook
from store.pool import Pool
from tests.support.histories import runs_of
from tests.support.orders import Order, Person, noon_zone
from tests.support.stories import scan, shipped
from tests.support.world import World, order_id, world
from workers.settings import Settings
from workers.worker import build_worker
from workflows.order_journey import OrderJourney
from workflows.registry import PLAYBOOKS

_IN_PROGRESS = RoutingConfigUpdateState.ROUTING_CONFIG_UPDATE_STATE_IN_PROGRESS


async def _until(reached: Callable[[], Awaitable[bool]]) -> None:
    while not await reached():  # noqa: ASYNC110  it is the server's state, which has no event to set
        await asyncio.sleep(0.1)


@dataclass
class Builds:
    """A worker deployment of a test's own, whose builds are started and made current one after the other."""

    world: World
    address: str
    settings: Settings
    templates: Templates
    provider: Smtp

    @asynccontextmanager
    async def running(self, build: str) -> AsyncIterator[None]:
        """The workers of that build, made the current one as the runbook says."""
        settings = self.settings.model_copy(update={"build_id": build})
        worker = build_worker(
            self.world.client,
            self.world.pool,
            settings,
            senders=Senders.of(self.provider),
            templates=self.templates,
            links=Links("test-secret-key", "http://shop.test"),
            playbook=PLAYBOOKS.get,
        )
        async with worker:
            await self._make_current(build)
            yield

    async def _make_current(self, build: str) -> None:
        name = str(self.settings.deployment_name)
        set_current = ("set-current-version", "--deployment-name", name, "--build-id", build, "--yes")
        service = self.world.client.workflow_service
        asked = DescribeWorkerDeploymentRequest(namespace=self.world.client.namespace, deployment_name=name)

        async def accepted() -> bool:
            return await self._temporal("worker", "deployment", *set_current) == 0

        async def known_everywhere() -> bool:
            found = (await service.describe_worker_deployment(asked)).worker_deployment_info
            return found.routing_config_update_state != _IN_PROGRESS

        # Refused until the server has seen a worker of that build; answered before every task queue knows of it.
        await _until(accepted)
        await _until(known_everywhere)

    async def _temporal(self, *command: str) -> int:
        program = shutil.which("temporal")
        assert program is not None
        process = await asyncio.create_subprocess_exec(
            program,
            *command,
            "--address",
            self.address,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        return await process.wait()


async def builds_of(client: Client, order: Order) -> list[set[str]]:
    """For each run of an order's journey the builds that took its tasks."""
    return [
        {
            event.workflow_task_completed_event_attributes.deployment_version.build_id
            for event in run.events
            if event.HasField("workflow_task_completed_event_attributes")
        }
        for run in await runs_of(client, workflow_id(order.shop, order.order_id))
    ]


@pytest.fixture
async def builds(
    client: Client, pool: Pool, smtp: Smtp, templates: Templates, playbook: Playbook
) -> AsyncIterator[Builds]:
    async with world(client, pool, provider=smtp, templates=templates, playbook=playbook, with_worker=False) as made:
        settings = made.settings.model_copy(update={"deployment_name": f"shop-{uuid.uuid4().hex[:8]}"})
        yield Builds(made, client.service_client.config.target_host, settings, templates, smtp)


@pytest.mark.parametrize(
    ("versioning", "first_run"), [("pinned", {"b1"}), ("auto_upgrade", {"b1", "b2"})], ids=["pinned", "auto_upgrade"]
)
async def test_a_journey_leaves_its_build(builds: Builds, versioning: str, first_run: set[str]) -> None:
    """A pinned run ends on its build and the next one begins on the current build; auto_upgrade moves at once."""
    builds.settings = builds.settings.model_copy(update={"versioning": versioning})
    made = builds.world
    order = Order(order_id(), buyer=Buyer.FIRST, person=Person(time_zone=noon_zone()))
    async with builds.running("b1"):
        await made.place(order)
        await made.forward(order, 0.02)
        await shipped(made, order, "T1")
        async with builds.running("b2"):
            await scan(made, order, ParcelStatus.DELIVERED)
            await made.forward(order, 100)
            await made.handle(order).result()
    first, *later = await builds_of(made.client, order)
    assert later
    assert first == first_run
    assert all(run == {"b2"} for run in later)


async def test_a_new_journey_begins_on_the_current_build(builds: Builds) -> None:
    """An order that comes after a deploy never meets the build before, pinned or not."""
    builds.settings = builds.settings.model_copy(update={"versioning": "pinned"})
    order = Order(order_id())
    async with builds.running("b1"), builds.running("b2"):
        await builds.world.place(order)
        await builds.world.handle(order).query(OrderJourney.timeline)
        await builds.world.handle(order).terminate()
    assert await builds_of(builds.world.client, order) == [{"b2"}]
