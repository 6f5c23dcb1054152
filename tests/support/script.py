"""A journey on the real server whose activities follow a script: what the shell does with each answer."""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from journey.outcomes import CloseRequest, DeliverAnswer, DeliverRequest, FindOutRequest, Status, WaitRequest
from journey.playbook import Playbook
from journey.remedies import RemedyAnswer, RemedyStep, Stand
from starters.fast_forward import Clocks
from starters.journeys import TemporalJourneys
from tests.support.orders import Order
from workflows.order_journey import OrderJourney
from workflows.registry import PLAYBOOKS

SENT = DeliverAnswer(status=Status.SENT)


def held(rule: str, *, waits_for: str | None = None, for_: timedelta = timedelta(days=1)) -> DeliverAnswer:
    """Not now, by this rule, for so long at the most."""
    return DeliverAnswer(status=Status.HELD, until=datetime.now(UTC) + for_, rule=rule, waits_for=waits_for)


@dataclass
class Script:
    """What each activity answers, by touch; everything asked is kept in `asked`, in order."""

    delivers: dict[str, list[DeliverAnswer | Exception | Callable[[], Awaitable[DeliverAnswer]]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    finds: dict[str, list[DeliverAnswer]] = field(default_factory=lambda: defaultdict(list))
    slow_finds: dict[str, Callable[[], Awaitable[DeliverAnswer]]] = field(default_factory=dict)
    closes: list[Exception] = field(default_factory=list)
    remedies: list[RemedyAnswer | Exception] = field(default_factory=list)
    open_ways: set[str] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    def sent(self) -> list[str]:
        """The touches that `deliver` was asked for, in order."""
        return [key for name, key in self.asked if name == "deliver"]

    async def until(self, name: str, key: str, *, times: int = 1) -> None:
        """Wait until that activity was asked about that so often."""
        while self.asked.count((name, key)) < times:  # noqa: ASYNC110  many touches, one list
            await asyncio.sleep(0.02)

    @activity.defn(name="deliver")
    async def deliver(self, request: DeliverRequest) -> DeliverAnswer:
        self.asked.append(("deliver", request.key))
        following = self.delivers[request.key]
        answer: Any = following.pop(0) if following else SENT
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, DeliverAnswer) else await answer()

    @activity.defn(name="find_out")
    async def find_out(self, request: FindOutRequest) -> DeliverAnswer:
        self.asked.append(("find_out", request.key))
        if request.key in self.slow_finds:
            return await self.slow_finds[request.key]()
        return self.finds[request.key].pop(0)

    @activity.defn(name="wait_for")
    async def wait_for(self, request: WaitRequest) -> None:
        self.asked.append(("wait_for", request.waits_for))
        if request.waits_for not in self.open_ways:
            raise ApplicationError("away", next_retry_delay=timedelta(milliseconds=200))

    @activity.defn(name="close")
    async def close(self, request: CloseRequest) -> None:
        self.asked.append(("close", request.why))
        if self.closes:
            raise self.closes.pop(0)
        self.closed.append(request.why)

    @activity.defn(name="remedy")
    async def remedy(self, step: RemedyStep) -> RemedyAnswer:
        self.asked.append(("remedy", step.action))
        answer = self.remedies.pop(0) if self.remedies else RemedyAnswer(status=Stand.WITHDRAWN)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def activities(self) -> list[Callable[..., object]]:
        return [self.deliver, self.find_out, self.wait_for, self.close, self.remedy]


@dataclass
class Stage:
    """Journeys over one script, with a worker for the workflows and another for the activities."""

    client: Client
    playbook: Playbook
    script: Script
    queue: str = field(default_factory=lambda: f"script-{uuid.uuid4().hex[:8]}")

    def __post_init__(self) -> None:
        PLAYBOOKS.add(self.playbook.digest, self.playbook)
        self.journeys = TemporalJourneys(self.client, self.queue)
        self.clocks = Clocks(self.client)

    async def start(self, order: Order) -> WorkflowHandle[OrderJourney, str]:
        await self.journeys.start(order.facts(), self.playbook.digest)
        return self.client.get_workflow_handle_for(OrderJourney.run, f"order:{order.shop}:{order.order_id}")

    @asynccontextmanager
    async def workflows(self) -> AsyncIterator[None]:
        """A worker that runs the journeys alone."""
        async with Worker(
            self.client,
            task_queue=self.queue,
            workflows=[OrderJourney],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ):
            yield

    @asynccontextmanager
    async def activities(self) -> AsyncIterator[None]:
        """A worker that runs the script alone."""
        async with Worker(
            self.client,
            task_queue=self.queue,
            activities=self.script.activities,
            max_heartbeat_throttle_interval=timedelta(seconds=1),
        ):
            yield
