"""What every part of the bench works with: one server of each kind, and worker processes on demand."""

import os
import statistics
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil
from temporalio.client import Client
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from bench.processes import Child, child
from bench.provider import Provider
from bench.scenario import frozen_playbook
from bench.sides import Bare, Postlude
from bench.worker_process import Config
from journey.playbook import Playbook
from store import playbooks
from store.migrate import migrate
from store.pool import Pool, connect
from workers.connecting import temporal_client
from workers.embedded import EmbeddedStack, embedded_stack
from workflows.journey_input import SEARCH_ATTRIBUTES


@dataclass(frozen=True, slots=True)
class Sides:
    """The contestants and their workers: bare, the journey with sends that do nothing, and the whole journey."""

    bare: Bare
    bare_worker: Child
    stub: Postlude
    stub_worker: Child
    postlude: Postlude
    postlude_worker: Child


@dataclass
class World:
    """The servers, the clients, and the bench's playbook."""

    stack: EmbeddedStack
    database_url: str
    client: Client
    pool: Pool
    playbook: Playbook
    provider: Provider
    skipper: TimeSkipper

    def server_cpu(self) -> float:
        """CPU seconds that the Temporal server has taken so far."""
        if self.stack.temporal is None or self.stack.temporal.pid is None:
            raise RuntimeError("the bench's stack has no Temporal server of its own")
        taken = psutil.Process(self.stack.temporal.pid).cpu_times()
        return taken.user + taken.system

    @asynccontextmanager
    async def sides(self) -> AsyncIterator[Sides]:
        """All three, each with a worker process of its own."""
        async with self.bare() as bare, self.stub() as stub, self.whole() as whole:
            yield Sides(*bare, *stub, *whole)

    @asynccontextmanager
    async def bare(self) -> AsyncIterator[tuple[Bare, Child]]:
        """The bare side with a worker process of its own."""
        async with self._worker("bare") as (queue, worker):
            yield Bare(self.client, queue), worker

    @asynccontextmanager
    async def stub(self) -> AsyncIterator[tuple[Postlude, Child]]:
        """The default journey with activities that do nothing."""
        async with self._worker("stub") as (queue, worker):
            yield Postlude(self.client, queue, self.playbook.digest), worker

    @asynccontextmanager
    async def whole(self, *, email_url: str | None = None) -> AsyncIterator[tuple[Postlude, Child]]:
        """The default journey with everything: ledger, templates, and the world's provider where no other is named."""
        async with self._worker("postlude", email_url=email_url) as (queue, worker):
            yield Postlude(self.client, queue, self.playbook.digest, pool=self.pool), worker

    @asynccontextmanager
    async def _worker(
        self, kind: Literal["bare", "stub", "postlude"], *, email_url: str | None = None
    ) -> AsyncIterator[tuple[str, Child]]:
        config = Config(
            kind=kind,
            address=self.stack.temporal_address,
            queue=f"{kind[0]}-{uuid.uuid4().hex[:6]}",  # as long as `postlude`: its bytes stand in most events
            database_url=self.database_url,
            email_url=email_url or self.provider.url,
        )
        async with child("bench.worker_process", config, self.stack.home / "workers.log") as running:
            yield config.queue, running


@asynccontextmanager
async def world(home: Path) -> AsyncIterator[World]:
    """Servers of their own under `home`, with the bench's own playbook published."""
    playbook = frozen_playbook()
    async with (
        embedded_stack(home, mail=False, search_attributes=SEARCH_ATTRIBUTES) as stack,
        Provider() as provider,
    ):
        await migrate(stack.database_url)
        pool = await connect(stack.database_url)
        try:
            await playbooks.publish(pool, playbook)
            client = await temporal_client(address=stack.temporal_address)
            skipper = TimeSkipper(client, config=TimeSkippingConfig(enabled=False))
            yield World(stack, stack.database_url, client, pool, playbook, provider, skipper)
        finally:
            await pool.close()


def own_servers() -> None:
    """Forget what the developer's shell says of servers: the bench has its own."""
    for name in [name for name in os.environ if name.startswith(("POSTLUDE_", "TEMPORAL_"))]:
        del os.environ[name]


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that `percent` of a hundred do not exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
