"""Temporal Schedules: what happens again and again without anybody asking."""

import zlib
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
    WorkflowExecution,
)
from temporalio.common import SearchAttributeKey

from activities.shop_sync import SyncRequest
from journey.markdown import shown
from starters.ending import end_running
from workflows.book_closing import BookClosing
from workflows.lane_learning import LaneLearning
from workflows.past_keeping import PastKeeping
from workflows.shop_sync import ShopSync, sync_id

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_RPC: Final = timedelta(seconds=10)
_SCHEDULED_BY: Final = SearchAttributeKey.for_keyword("TemporalScheduledById")
"""What the server says of a workflow that a schedule started."""
LEARNING: Final = "learn:lanes"
"""The schedule of learning, and the workflows it starts."""
CLOSING: Final = "close:books"
"""The schedule that closes the books of orders whose journey was ended from outside, and the workflows it starts."""
KEEPING: Final = "keep:pasts"
"""The schedule that keeps what journeys were before Temporal forgets them, and the workflows it starts."""


async def keep_schedules(client: Client, shops: Iterable[str], *, task_queue: str, every: timedelta = _HOUR) -> None:
    """Have what is done again and again done by schedules.

    `sync:{shop}` reads a shop, `learn:lanes` learns every day what is usual. Every hour `close:books` closes the books
    of journeys that were ended from outside, and `keep:pasts` keeps what journeys were that are over.

    Each is made where there is none, else brought to this version's shape. A new one begins at once. One that is still
    at it is not started again; of the turns that an outage swallowed one is made up for, since each goes on where the
    last one ended. Whether one is paused stays as it is. Those of shops that are not configured any more
    end, and the readings that they have begun; those of other task queues are left alone.

    Args:
        client: of the namespace.
        shops: whose APIs are configured.
        task_queue: where workers serve `ShopSync`, `LaneLearning`, `BookClosing` and `PastKeeping`.
        every: how often shops are read; they are spread over it.

    Raises:
        RPCError: Temporal is away.
    """
    wanted = {sync_id(shop): _schedule(_reading(shop, task_queue), every) for shop in shops}
    wanted[LEARNING] = _schedule(_learning(task_queue), _DAY)
    wanted[CLOSING] = _schedule(_closing(task_queue), _HOUR)
    wanted[KEEPING] = _schedule(_keeping(task_queue), _HOUR)
    for name, schedule in wanted.items():
        try:
            await client.create_schedule(name, schedule, trigger_immediately=True, rpc_timeout=_RPC)
        except ScheduleAlreadyRunningError:

            def updated(known: ScheduleUpdateInput, wanted: Schedule = schedule) -> ScheduleUpdate:
                wanted.state = known.description.schedule.state
                return ScheduleUpdate(wanted)

            await client.get_schedule_handle(name).update(updated, rpc_timeout=_RPC)
    async for known in await client.list_schedules(rpc_timeout=_RPC):
        if known.id.startswith(sync_id("")) and known.id not in wanted:
            handle = client.get_schedule_handle(known.id)
            action = (await handle.describe(rpc_timeout=_RPC)).schedule.action
            if isinstance(action, ScheduleActionStartWorkflow) and action.task_queue == task_queue:
                await handle.delete(rpc_timeout=_RPC)

    def unwanted(execution: WorkflowExecution) -> bool:
        schedule = execution.typed_search_attributes.get(_SCHEDULED_BY)
        return schedule is not None and schedule not in wanted

    await end_running(
        client,
        "ShopSync",
        task_queue=task_queue,
        unwanted=unwanted,
        reason="its shop is not in POSTLUDE_SHOP_URLS any more",
    )


def _reading(shop: str, task_queue: str) -> ScheduleActionStartWorkflow:
    return ScheduleActionStartWorkflow(
        ShopSync.run,
        SyncRequest(shop=shop),
        id=sync_id(shop),
        task_queue=task_queue,
        static_summary=f"Read {shown(shop)}",
    )


def _learning(task_queue: str) -> ScheduleActionStartWorkflow:
    return ScheduleActionStartWorkflow(
        LaneLearning.run, id=LEARNING, task_queue=task_queue, static_summary="Learn what is usual on each lane"
    )


def _closing(task_queue: str) -> ScheduleActionStartWorkflow:
    return ScheduleActionStartWorkflow(
        BookClosing.run, id=CLOSING, task_queue=task_queue, static_summary="Close the books of journeys that are over"
    )


def _keeping(task_queue: str) -> ScheduleActionStartWorkflow:
    return ScheduleActionStartWorkflow(
        PastKeeping.run, id=KEEPING, task_queue=task_queue, static_summary="Keep what past journeys were"
    )


def _schedule(action: ScheduleActionStartWorkflow, every: timedelta) -> Schedule:
    offset = timedelta(seconds=zlib.crc32(action.id.encode()) % max(1, int(every.total_seconds())))
    return Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every, offset=offset)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=every),
    )
