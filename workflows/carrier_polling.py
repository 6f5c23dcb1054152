"""One vendor, polled for as long as it is configured: a workflow of a single activity that is only ever retried.

The history is start, first task and one scheduled activity, for years: neither a timer nor an activity that completes
adds to it, only a change of a versioned deployment, by the three events of one task. `activities.polling` tells how an
attempt works and when the next one comes.

A change of this code, or of the activity's:

- An attempt ends when its worker stops and after some minutes in any case, and the next goes to any worker of the
  queue: whatever is deployed then polls on. Nothing is signalled and nothing restarted.
- The workflow is started so that it moves on to the current version of a worker deployment by itself, also where
  journeys are pinned to theirs (`starters.polling`): pinned, it would hold its first version up for ever.
- The arguments of the activity were written into the history once and stay, its timeouts and retry policy too. They
  change when the workflow is ended and started anew, which loses nothing: what is due stands in the tables.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

# More than an attempt and its last request take together (`activities.polling._LONGEST`); the heartbeat finds the dead.
ATTEMPT = timedelta(minutes=10)
HEARTBEAT = timedelta(seconds=30)
# Of attempts that did not say themselves when the next is due: a worker that was killed, a database that is away.
# `maximum_attempts` 0 is for ever, and the wait must not grow with the number of attempts, which have all "failed".
RETRIES = RetryPolicy(initial_interval=timedelta(seconds=5), backoff_coefficient=1.0, maximum_attempts=0)


@workflow.defn(name="CarrierPolling")
class CarrierPolling:
    """Polls one vendor, `polling:{vendor}`, until it is cancelled."""

    @workflow.run
    async def run(self, vendor: str) -> None:
        """Poll; ends by cancellation alone."""
        await workflow.execute_activity(
            "poll_carrier",
            vendor,
            start_to_close_timeout=ATTEMPT,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRIES,
            summary=vendor,
        )


def polling_id(vendor: str) -> str:
    """The id of a vendor's polling: `polling:{vendor}`."""
    return f"polling:{vendor}"
