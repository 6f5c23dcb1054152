"""Ends what runs in Temporal for something that is not configured any more."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

import structlog
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

log = structlog.get_logger()

_RPC: Final = timedelta(seconds=10)


async def end_running(
    client: Client, workflow_type: str, *, task_queue: str, unwanted: Callable[[WorkflowExecution], bool], reason: str
) -> None:
    """Cancel the running workflows of this type and task queue that are `unwanted`; `reason` is kept with each.

    One that was started a moment ago may be missed: the list lags a little behind.

    Raises:
        RPCError: Temporal is away; call again later.
    """
    running = f"WorkflowType = '{workflow_type}' AND ExecutionStatus = 'Running' AND TaskQueue = '{task_queue}'"
    async for execution in client.list_workflows(running, rpc_timeout=_RPC):
        if not unwanted(execution):
            continue
        try:
            await client.get_workflow_handle(execution.id).cancel(reason=reason, rpc_timeout=_RPC)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        log.info("ended", workflow=execution.id, reason=reason)
