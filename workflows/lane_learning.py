"""Learns the shops' lanes anew; a schedule starts it once a day."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from journey.learning import LearnAnswer, LearnRequest

# The query itself gives up after ten minutes.
_ATTEMPT = timedelta(minutes=15)
# What was learnt yesterday holds until it is replaced, so a bad hour is waited out and a bad day is given up.
_WITHIN = timedelta(hours=6)
_RETRIES = RetryPolicy(initial_interval=timedelta(seconds=30), maximum_interval=timedelta(minutes=15))


@workflow.defn(name="LaneLearning")
class LaneLearning:
    """One look over the shops' history."""

    @workflow.run
    async def run(self) -> LearnAnswer:
        """Learn from what has arrived by now."""
        answer: LearnAnswer = await workflow.execute_activity(
            "learn_lanes",
            LearnRequest(now=workflow.now()),
            result_type=LearnAnswer,
            start_to_close_timeout=_ATTEMPT,
            schedule_to_close_timeout=_WITHIN,
            retry_policy=_RETRIES,
        )
        return answer
