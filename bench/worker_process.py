"""A worker in a process of its own, so that its CPU and memory can be read alone.

`python -m bench.worker_process CONFIG` with CONFIG as JSON. Each line on stdin is answered by one JSON line on
stdout; the end of stdin stops it.
"""

import asyncio
import gc
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal

import psutil
from pydantic import BaseModel
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.links import Links
from activities.messaging.senders import Senders
from bench.bare import BareJourney, BareSends
from bench.scenario import frozen_playbook
from journey.outcomes import CloseRequest, DeliverAnswer, DeliverRequest, Status
from journey.playbook import Channel
from store.pool import connect
from workers import loop
from workers.connecting import temporal_client
from workers.logs import configure
from workers.services import load_templates
from workers.settings import Settings
from workers.worker import build_worker, deployment, playbooks_kept_fresh
from workflows.order_journey import OrderJourney
from workflows.registry import PLAYBOOKS


class Config(BaseModel):
    """What to run. `stub` is the journey with an activity that does nothing; `postlude` is the whole worker."""

    kind: Literal["bare", "stub", "postlude"]
    address: str
    queue: str
    database_url: str | None = None
    email_url: str | None = None


class Sends:
    """The activities begun so far, each with the monotonic clock, which all processes of a machine share."""

    def __init__(self) -> None:
        self.begun: dict[str, float] = {}

    def begin(self, order_id: str, touch: str) -> None:
        """Note that the body of an activity began."""
        self.begun[f"{order_id}/{touch}"] = time.monotonic()


class Stubs:
    """`deliver` and `close` that accept at once, so that the workflow's side alone is compared."""

    def __init__(self, sends: Sends) -> None:
        self._sends = sends

    @activity.defn(name="deliver")
    async def deliver(self, request: DeliverRequest) -> DeliverAnswer:
        """Say that it went out."""
        self._sends.begin(request.order_id, request.key)
        return DeliverAnswer(status=Status.SENT, **({"closed": True} if request.last else {}))

    @activity.defn(name="close")
    async def close(self, request: CloseRequest) -> None:
        """Close no books."""


def _plain(
    client: Client,
    config: Config,
    workflow: type,
    activities: list[Callable[..., Any]],
) -> Worker:
    settings = Settings(task_queue=config.queue)
    return Worker(
        client,
        task_queue=config.queue,
        workflows=[workflow],
        activities=activities,
        workflow_runner=UnsandboxedWorkflowRunner(),  # as `build_worker` runs journeys
        max_cached_workflows=settings.max_cached_workflows,
        max_concurrent_activities=settings.concurrent_activities,
        deployment_config=deployment(settings),  # its build id stands in every third event: the same for both
    )


@asynccontextmanager
async def _whole(client: Client, config: Config) -> AsyncIterator[Worker]:
    if config.database_url is None or config.email_url is None:
        raise ValueError("the whole worker needs a database and a provider")
    settings = Settings(task_queue=config.queue)
    senders, links = Senders.named_by({Channel.EMAIL: config.email_url}), Links("bench-secret-key", settings.public_url)
    pool = await connect(config.database_url)
    try:
        async with playbooks_kept_fresh(pool, PLAYBOOKS):
            templates = load_templates(settings)
            yield build_worker(
                client, pool, settings, senders=senders, templates=templates, links=links, playbook=PLAYBOOKS.get
            )
    finally:
        await senders.aclose()
        await pool.close()


@asynccontextmanager
async def _worker(client: Client, config: Config, sends: Sends) -> AsyncIterator[Worker]:
    match config.kind:
        case "bare":
            yield _plain(client, config, BareJourney, [BareSends(sends.begin).send])
        case "stub":
            playbook = frozen_playbook()
            PLAYBOOKS.add(playbook.digest, playbook)
            stubs = Stubs(sends)
            work: list[Callable[..., Any]] = [stubs.deliver, stubs.close]
            yield _plain(client, config, OrderJourney, work)
        case "postlude":
            async with _whole(client, config) as worker:
                yield worker


async def run(config: Config) -> None:
    """Work until stdin ends."""
    sends = Sends()
    client = await temporal_client(address=config.address)
    async with _worker(client, config, sends) as worker, worker:
        answer({"ready": True})
        while line := await asyncio.to_thread(sys.stdin.readline):
            match line.strip():
                case "count":
                    answer(len(sends.begun))
                case "cpu":
                    answer(time.process_time())
                case "memory":
                    gc.collect()  # what is garbage already is not what a journey holds
                    answer(psutil.Process().memory_info().rss)
                case "begun":
                    answer(sends.begun)
                case other:
                    answer({"unknown": other})


def answer(value: object) -> None:
    """One JSON line on stdout."""
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    configure("info")
    loop.run(run(Config.model_validate_json(sys.argv[1])))
