"""Starts the polling of every vendor that is configured, and ends that of those that no longer are."""

from collections.abc import Collection
from datetime import timedelta

from temporalio.client import Client
from temporalio.common import AutoUpgradeVersioningOverride, WorkflowIDConflictPolicy

from starters.ending import end_running
from workflows.carrier_polling import CarrierPolling, polling_id

_RPC = timedelta(seconds=10)


async def keep_polling(client: Client, vendors: Collection[str], *, task_queue: str) -> None:
    """Have exactly these vendors polled by the workers of this queue; may be called again and by any process.

    Every process that calls it has to be given the same POSTLUDE_CARRIER_URLS: what one does not know of it ends. One
    that was started a moment ago may be missed and goes on until the next call.

    Args:
        client: whose namespace the polling runs in.
        vendors: the pollers' names, `Pollers.names`.
        task_queue: of the workers that have them.

    Raises:
        RPCError: Temporal is away; call again later.
    """
    for vendor in vendors:
        await client.start_workflow(
            CarrierPolling.run,
            vendor,
            id=polling_id(vendor),
            task_queue=task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            # It outlives every version of a worker deployment, so it is pinned to none.
            versioning_override=AutoUpgradeVersioningOverride(),
            static_summary=f"Polls {vendor}",
            rpc_timeout=_RPC,
        )
    wanted = {polling_id(vendor) for vendor in vendors}
    await end_running(
        client,
        "CarrierPolling",
        task_queue=task_queue,
        unwanted=lambda execution: execution.id not in wanted,
        reason="its vendor is not in POSTLUDE_CARRIER_URLS any more",
    )
