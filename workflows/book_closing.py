"""Closes the books of orders whose journey was ended from outside; a schedule starts it every hour."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from journey.closing import ClosingAnswer

_ATTEMPT = timedelta(hours=1)
# It beats after each page of orders, and of running journeys.
_HEARTBEAT = timedelta(minutes=2)
# The next hour's run looks at the same orders again.
_WITHIN = timedelta(hours=6)
_RETRIES = RetryPolicy(initial_interval=timedelta(seconds=30), maximum_interval=timedelta(minutes=15))


@workflow.defn(name="BookClosing")
class BookClosing:
    """One look through the open orders."""

    @workflow.run
    async def run(self) -> ClosingAnswer:
        """Close what is over; the result is what was found."""
        answer: ClosingAnswer = await workflow.execute_activity(
            "close_books",
            result_type=ClosingAnswer,
            start_to_close_timeout=_ATTEMPT,
            schedule_to_close_timeout=_WITHIN,
            heartbeat_timeout=_HEARTBEAT,
            retry_policy=_RETRIES,
        )
        return answer
