"""One reading of a shop's own API: a single activity, retried until it is through."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from activities.shop_sync import ShopSyncs, SyncReport, SyncRequest
    from journey.markdown import summary

# The activity beats while it waits for the shop; a worker that died is found by its silence.
HEARTBEAT = timedelta(seconds=30)
# A shop's whole history takes hours; what an attempt did not reach the next one goes on with.
ATTEMPT = timedelta(hours=6)
# A shop's API that is away comes back; retries cost no history.
RETRIES = RetryPolicy(initial_interval=timedelta(seconds=10), maximum_interval=timedelta(minutes=10))


def sync_id(shop: str) -> str:
    """The id of a shop's schedule, and of the workflows it starts, which Temporal ends with their moment."""
    return f"sync:{shop}"


@workflow.defn(name="ShopSync")
class ShopSync:
    """Reads what changed at a shop since the last time, into the inbox."""

    @workflow.run
    async def run(self, request: SyncRequest) -> SyncReport:
        """Read it to the end; the result is what was read."""
        return await workflow.execute_activity_method(
            ShopSyncs.sync,
            request,
            start_to_close_timeout=ATTEMPT,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRIES,
            summary=summary(request.shop),
        )
