"""What is at work as long as Postlude runs: polling, and what schedules do; begun as soon as Temporal is there."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import structlog
from temporalio.client import Client
from temporalio.service import RPCError

from starters.polling import keep_polling
from starters.schedules import keep_schedules

_log = structlog.get_logger(__name__)
_AGAIN_SECONDS = 5.0


@asynccontextmanager
async def kept_at_work(
    client: Client,
    *,
    shops: Sequence[str],
    vendors: Sequence[str],
    task_queue: str,
    again: float = _AGAIN_SECONDS,
) -> AsyncIterator[None]:
    """Have these shops read and these vendors polled; tried again until Temporal takes it, and then let be.

    Args:
        client: of the namespace.
        shops: whose APIs are configured.
        vendors: the pollers that are configured.
        task_queue: of the workers.
        again: seconds between two tries.
    """

    async def keep() -> None:
        while True:
            try:
                await keep_schedules(client, shops, task_queue=task_queue)
                await keep_polling(client, vendors, task_queue=task_queue)
            except Exception as error:  # noqa: BLE001  whatever it is, nothing is polled or read until it is over
                kind = error.status.name if isinstance(error, RPCError) else type(error).__name__
                _log.warning("not at work yet", error=kind)
                await asyncio.sleep(again)
            else:
                return

    task = asyncio.create_task(keep())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
