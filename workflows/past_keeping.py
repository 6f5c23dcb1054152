"""Keeps what past journeys were before Temporal forgets them; a schedule starts it every hour."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from journey.keeping import KeepingAnswer, KeepingRequest

# The first time there may be a month of journeys to read; what an attempt did not reach the next one does.
_ATTEMPT = timedelta(hours=3)
# It beats after every few runs that it kept.
_HEARTBEAT = timedelta(minutes=3)
_WITHIN = timedelta(hours=12)
_RETRIES = RetryPolicy(initial_interval=timedelta(seconds=30), maximum_interval=timedelta(minutes=15))


@workflow.defn(name="PastKeeping")
class PastKeeping:
    """One look through the runs that have ended."""

    @workflow.run
    async def run(self) -> KeepingAnswer:
        """Keep what is not kept yet, from where the last look got to; the result is what was found."""
        last = workflow.get_last_completion_result(KeepingAnswer)
        request = KeepingRequest(now=workflow.now(), since=last.through if last else None)
        answer: KeepingAnswer = await workflow.execute_activity(
            "keep_pasts",
            request,
            result_type=KeepingAnswer,
            start_to_close_timeout=_ATTEMPT,
            schedule_to_close_timeout=_WITHIN,
            heartbeat_timeout=_HEARTBEAT,
            retry_policy=_RETRIES,
        )
        return answer
