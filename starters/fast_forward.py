"""Virtual clocks: lets time pass for one journey, on servers that allow it.

The API behind it is experimental: no other module of ours may use it.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from temporalio.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    StartWorkflowInput,
    WorkflowExecutionStatus,
    WorkflowHandle,
)
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from journey.base import workflow_id
from workflows.journey_input import JourneyInput
from workflows.order_journey import OrderJourney

_AHEAD: Final = timedelta(minutes=1)
_BETWEEN_RUNS: Final = 0.05
# A skip whose end passes while the journey is at work runs on to the journey's next timer, weeks beyond. Touches lie
# whole days from their anchors, so the end of a whole number of days is put well behind them.
_BEYOND: Final = timedelta(minutes=1)


class NotAllowedError(Exception):
    """Time cannot be skipped here; the text says why and what to do."""


class Clocks:
    """The clocks of journeys on one server."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._skipper = TimeSkipper(client, config=TimeSkippingConfig(enabled=False))

    async def now(self, shop: str, order_id: str) -> datetime:
        """The journey's own time (UTC): real time, plus all that was skipped.

        Raises:
            NotAllowedError: there is no such journey.
        """
        try:
            return await self._skipper.get_current_time(self._handle(shop, order_id))
        except RPCError as error:
            raise _explained(error, shop, order_id) from error

    async def forward(self, shop: str, order_id: str, span: timedelta) -> bool:
        """Let `span` and a minute pass for this journey, doing whatever falls due; False when it has ended meanwhile.

        Raises:
            NotAllowedError: the server does not allow it, or there is no such journey.
        """
        handle = self._handle(shop, order_id)
        while True:
            try:
                return await self._skipper.fast_forward(handle, span + _BEYOND)
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise _explained(error, shop, order_id) from error
            if not await self._runs(shop, order_id):
                return False
            # One run had just ended and the next one begins: nothing was skipped yet.
            await asyncio.sleep(_BETWEEN_RUNS)

    async def forward_to(self, shop: str, order_id: str, moment: datetime) -> bool:
        """Let time pass until `moment` (aware); nothing when the journey's clock is there already.

        Raises:
            NotAllowedError: as `forward`.
        """
        span = moment - await self.now(shop, order_id)
        return span <= timedelta() or await self.forward(shop, order_id, span)

    async def _runs(self, shop: str, order_id: str) -> bool:
        try:
            description = await self._handle(shop, order_id).describe()
        except RPCError as error:
            raise _explained(error, shop, order_id) from error
        return description.status in {WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW}

    def _handle(self, shop: str, order_id: str) -> WorkflowHandle[OrderJourney, str]:
        return self._client.get_workflow_handle_for(OrderJourney.run, workflow_id(shop, order_id))


class StartsWhenPlaced(Interceptor):
    """Lets the journey of an order dated ahead of real time begin on its own day.

    In the demo a customer orders again after forty days that took a second: the second order's clock then has to
    start where the first one's stands. Without this its journey would take the order as placed now.
    """

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002  the SDK's name
        """Stand in the way of `start_workflow`."""
        return _DelayedStart(next)


class _DelayedStart(OutboundInterceptor):
    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:  # noqa: A002  the SDK's name
        match input.args:
            case [JourneyInput(state=state)]:
                ahead = state.order.placed_at - datetime.now(UTC)
                if ahead > _AHEAD:
                    input.start_delay = ahead
        return await super().start_workflow(input)


def _explained(error: RPCError, shop: str, order_id: str) -> Exception:
    if error.status is RPCStatusCode.NOT_FOUND:
        return NotAllowedError(f"order {shop}/{order_id} has no journey, so no time can pass for it")
    if error.status in {RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.INVALID_ARGUMENT, RPCStatusCode.PERMISSION_DENIED}:
        return NotAllowedError(
            "this Temporal server does not let time be skipped, and a server with real customers should not: "
            "use the embedded one (`postlude up` without TEMPORAL_ADDRESS)"
        )
    return error
