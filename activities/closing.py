"""Closes the books of orders whose journey ended without doing so: terminated, timed out, failed, or forgotten.

A journey closes its own books. One that is ended from outside cannot, and its order would stay open in the tables: its
held messages would own slots of the customer's day, and its parcels would be polled. So each hour the open orders are
compared with the journeys that run.

The list of running journeys only narrows down what to look at: it lags, and misses a journey that has just begun or
continued as new. What an order's journey is, its description by id says, and nothing is closed without it.

Where a journey is not found at all, there are two readings: it ended, and Temporal has forgotten it after the
namespace's retention, or this is not where the journeys run (another namespace, a server restored from an old copy).
Books are closed for the first one only: the order came more than `_FORGOTTEN` ago, what told of it was dispatched, and
no more journeys are missing than are found.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog
from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.attempt import discreet
from activities.messaging.clock import utc_now
from journey.base import workflow_id
from journey.closing import GONE, WHY, ClosingAnswer
from store import open_orders
from store.open_orders import OpenOrder
from store.pool import Pool

log = structlog.get_logger()

_SETTLED: Final = timedelta(minutes=15)
"""So long an order, and the end of its journey, are left alone: what is under way then is written down by itself."""
_FORGOTTEN: Final = timedelta(days=1)
"""The shortest retention that Temporal allows."""
_RUNNING: Final = "WorkflowType = 'OrderJourney' AND ExecutionStatus = 'Running'"
_PAGE: Final = 500
_ABREAST: Final = 8
_RPC: Final = timedelta(seconds=10)


@dataclass(slots=True)
class _Sweep:
    """What one attempt has found so far."""

    running: frozenset[str]
    now: datetime
    looked_at: int = 0
    found: int = 0
    closed: Counter[str] = field(default_factory=Counter)
    missing: list[OpenOrder] = field(default_factory=list)


class Closing:
    """The activity, over one database and one namespace. Its clock is real time, as Temporal's list is."""

    def __init__(self, pool: Pool, client: Client, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._pool = pool
        self._client = client
        self._clock = clock

    @activity.defn(name="close_books")
    async def close_books(self) -> ClosingAnswer:
        """Look through the open orders, page by page; an attempt that is tried again goes on with the next page.

        Raises:
            ApplicationError, OSError: the database is away; ask again.
            RPCError: Temporal is; ask again.
        """
        with discreet():
            return await self._sweep(_after())

    async def _sweep(self, after: tuple[str, str]) -> ClosingAnswer:
        sweep = _Sweep(running=await self._running(after), now=self._clock())
        while orders := await open_orders.page(self._pool, after, created_by=sweep.now - _SETTLED, limit=_PAGE):
            sweep.looked_at += len(orders)
            await self._look_at(sweep, orders)
            after = (orders[-1].shop, orders[-1].order_id)
            _beat(after)
        missing = await self._close_forgotten(sweep)
        return ClosingAnswer(open=sweep.looked_at, closed=dict(sweep.closed), missing=missing)

    async def _running(self, after: tuple[str, str]) -> frozenset[str]:
        found = set()
        async for execution in self._client.list_workflows(_RUNNING, page_size=1000, rpc_timeout=_RPC):
            found.add(execution.id)
            if len(found) % 1000 == 0:
                _beat(after)
        return frozenset(found)

    async def _look_at(self, sweep: _Sweep, orders: Sequence[OpenOrder]) -> None:
        suspects = [one for one in orders if workflow_id(one.shop, one.order_id) not in sweep.running]
        sweep.found += len(orders) - len(suspects)
        for first in range(0, len(suspects), _ABREAST):
            await asyncio.gather(*(self._ask(sweep, one) for one in suspects[first : first + _ABREAST]))

    async def _ask(self, sweep: _Sweep, order: OpenOrder) -> None:
        """Close the order's books if its journey says that it has ended."""
        try:
            journey = await self._client.get_workflow_handle(workflow_id(order.shop, order.order_id)).describe(
                rpc_timeout=_RPC
            )
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            if order.created_at <= sweep.now - _FORGOTTEN and await open_orders.was_started(self._pool, order):
                sweep.missing.append(order)
            return
        sweep.found += 1
        why = WHY.get((journey.status or WorkflowExecutionStatus.RUNNING).name)
        if why is None or journey.close_time is None:
            return
        # A journey whose clock runs ahead of real time has its end there, too.
        if not sweep.now - _SETTLED < journey.close_time <= sweep.now:
            await self._close(sweep, order, at=journey.close_time, why=why)

    async def _close_forgotten(self, sweep: _Sweep) -> int:
        """Close the books of orders whose journey is forgotten; how many are left because too many are missing."""
        if len(sweep.missing) > sweep.found:
            log.error("journeys_missing", missing=len(sweep.missing), found=sweep.found)
            return len(sweep.missing)
        for order in sweep.missing:
            await self._close(sweep, order, at=sweep.now, why=GONE)
        return 0

    async def _close(self, sweep: _Sweep, order: OpenOrder, *, at: datetime, why: str) -> None:
        await open_orders.close(self._pool, order, now=at, why=why)
        sweep.closed[why] += 1
        log.info("books_closed", order=f"{order.shop}/{order.order_id}", why=why)


def _after() -> tuple[str, str]:
    """Where an attempt before this one came to."""
    told = activity.info().heartbeat_details if activity.in_activity() else ()
    return (told[0], told[1]) if len(told) == 2 else ("", "")  # noqa: PLR2004  shop and order id


def _beat(after: tuple[str, str]) -> None:
    if activity.in_activity():
        activity.heartbeat(*after)
