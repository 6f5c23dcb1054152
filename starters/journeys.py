"""Starts journeys and tells them facts; every call may be repeated without harm."""

from datetime import timedelta
from typing import Any

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from journey.base import cut, workflow_id
from journey.events import FACTS, Event
from journey.markdown import code, shown
from journey.order import OrderFacts
from journey.remedies import RemedyRequest
from journey.state import RULES, JourneyState
from journey.timeline import about
from starters.ports import JourneyMissingError
from workflows.journey_input import JourneyInput, search_attributes
from workflows.order_journey import OrderJourney
from workflows.remedy_case import RemedyInput, RemedySaga
from workflows.remedy_case import search_attributes as remedy_attributes

_RPC = timedelta(seconds=10)

_SIGNALS = {kind: name for name, kind in FACTS.items()}


class TemporalJourneys:
    """Journeys on a Temporal server, started on one task queue."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue

    async def start(self, facts: OrderFacts, playbook: str) -> bool:
        """Start the order's journey under that playbook's digest; False when it exists already, ended or not.

        Raises:
            RPCError: Temporal is away; call again later.
        """
        state = JourneyState(order=facts, playbook=playbook, rules=RULES)
        try:
            await self._client.start_workflow(
                OrderJourney.run,
                JourneyInput(state=state),
                id=workflow_id(facts.shop, facts.order_id),
                task_queue=self._task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                search_attributes=search_attributes(state),
                static_summary=cut(_named(facts.shop, facts.order_id, facts.number)),
                static_details=cut(about(facts), 10_000),
                rpc_timeout=_RPC,
            )
        except WorkflowAlreadyStartedError:
            return False
        return True

    async def settle(self, request: RemedyRequest) -> bool:
        """Start the saga of a remedy; False when it was started before, ended or not.

        Raises:
            RPCError: Temporal is away; call again later.
        """
        try:
            await self._client.start_workflow(
                RemedySaga.run,
                RemedyInput(request=request),
                id=request.workflow_id,
                task_queue=self._task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                search_attributes=remedy_attributes(request),
                static_summary=_summary(request),
                rpc_timeout=_RPC,
            )
        except WorkflowAlreadyStartedError:
            return False
        return True

    async def settle_anew(self, request: RemedyRequest) -> None:
        """Stop the saga of a remedy where it is, whatever version runs it, and begin it again from its row.

        The new one waits until what the old one asked the shop for can no longer be carried out, and then looks.

        Raises:
            RPCError: Temporal is away; call again later.
        """
        await self._client.start_workflow(
            RemedySaga.run,
            RemedyInput(request=request, restarted=True),
            id=request.workflow_id,
            task_queue=self._task_queue,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
            search_attributes=remedy_attributes(request),
            static_summary=_summary(request),
            rpc_timeout=_RPC,
        )

    async def signal(self, shop: str, order_id: str, event: Event) -> bool:
        """Tell a journey one fact; False when it has closed.

        Raises:
            JourneyMissingError: Temporal knows no such journey: never started, forgotten after its end, or looked for
                in the wrong place.
            RPCError: Temporal is away; call again later.
        """
        handle = self._client.get_workflow_handle(workflow_id(shop, order_id))
        try:
            await handle.signal(_SIGNALS[type(event)], args=[event], rpc_timeout=_RPC)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND or not await _closed(handle):
                raise
            return False
        return True


def _named(shop: str, order_id: str, number: str | None) -> str:
    """An order in one line of the UI, by its number too: what is in back quotes is shown as it is."""
    return f"Order {shown(f'{shop}/{order_id}')}" + (f" {code(number)}" if number and number != order_id else "")


def _summary(request: RemedyRequest) -> str:
    order = _named(request.shop, request.order_id, request.number)
    return cut(f"Remedy for {shown(request.part)} of {order[0].lower()}{order[1:]}")


async def _closed(handle: WorkflowHandle[Any, Any]) -> bool:
    """Whether a journey that takes no signal is one that ended; the same answer is given where there is none."""
    try:
        description = await handle.describe(rpc_timeout=_RPC)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise JourneyMissingError("Temporal knows no such journey") from None
        raise
    return description.status is not WorkflowExecutionStatus.RUNNING
