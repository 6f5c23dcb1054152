"""Keeps what each journey was before Temporal forgets it: reads the histories of the runs that have ended.

A history has all that a journey heard, the words of operators and of remedies too, and every answer it got, in the true
order and with its moments. So nothing else has to be written while a journey runs, and there is no second account that
could differ from the first. What is kept is kept for good: an attempt that is stopped, or a whole day without workers,
is made up for by the next one, as long as Temporal remembers the run.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import asyncpg
import structlog
from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.attempt import discreet
from activities.decoding import decoded
from activities.histories import UnreadableError, read_run
from journey.base import order_of, workflow_id
from journey.keeping import KeepingAnswer, KeepingRequest
from journey.past import Run
from store import pasts
from store.pasts import Seen
from store.pool import Pool

log = structlog.get_logger()

# Runs that were continued as new are closed too, and forgotten long before their journey's end.
_ENDED: Final = "WorkflowType = 'OrderJourney' AND ExecutionStatus != 'Running'"
_PAGE: Final = 1000
_ABREAST: Final = 8
_RPC: Final = timedelta(seconds=20)
_LAG: Final = timedelta(days=1)
"""So much further back each look goes than the one before it got: Temporal's list lags, and databases are restored."""


async def read(client: Client, shop: str, order_id: str, run_id: str | None = None) -> Run | None:
    """A run of an order's journey, by default the latest; None where Temporal does not know it.

    Raises:
        UnreadableError: a newer version wrote it, or the key of a payload is not here.
        RPCError: Temporal is away.
    """
    handle = client.get_workflow_handle(workflow_id(shop, order_id), run_id=run_id)
    try:
        if run_id is None:
            handle = client.get_workflow_handle(handle.id, run_id=(await handle.describe(rpc_timeout=_RPC)).run_id)
        events = [event async for event in handle.fetch_history_events(rpc_timeout=_RPC)]
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None
    try:
        plain = await decoded(events, client.data_converter.payload_codec)
    except Exception as error:
        raise UnreadableError(f"its payloads cannot be decoded: {type(error).__name__}") from error
    return read_run(handle.run_id or "", plain)


class Keeping:
    """The activity, over one database and one namespace."""

    def __init__(self, pool: Pool, client: Client) -> None:
        self._pool = pool
        self._client = client

    @activity.defn(name="keep_pasts")
    async def keep_pasts(self, request: KeepingRequest) -> KeepingAnswer:
        """Look through the runs that have ended and keep what is not kept yet, of orders that are there.

        Raises:
            OSError, asyncpg.PostgresError: the database is away; ask again.
            RPCError: Temporal is; ask again.
        """
        with discreet():
            found: Counter[str] = Counter()
            page: list[Seen] = []
            since = "" if request.since is None else f" AND CloseTime > '{(request.since - _LAG).isoformat()}'"
            async for execution in self._client.list_workflows(_ENDED + since, page_size=_PAGE, rpc_timeout=_RPC):
                order = order_of(execution.id)
                if order is not None:
                    page.append(Seen(*order, execution.run_id))
                if len(page) == _PAGE:
                    await self._look_at(page, found)
                    page = []
            await self._look_at(page, found)
            through = request.since if found["unread"] else request.now
            counts = {name: found[name] for name in ("ended", "kept", "unread", "missed")}
            return KeepingAnswer(through=through, **counts)

    async def _look_at(self, page: Sequence[Seen], found: Counter[str]) -> None:
        found["ended"] += len(page)
        wanted = await pasts.wanted(self._pool, page)
        for first in range(0, len(wanted), _ABREAST):
            found.update(await asyncio.gather(*(self._keep(seen) for seen in wanted[first : first + _ABREAST])))
            _beat()
        _beat()

    async def _keep(self, seen: Seen) -> str:
        """What became of one run: one that cannot be kept holds up no other."""
        try:
            run = await read(self._client, *seen)
        except UnreadableError:
            log.warning("past_unread", order=f"{seen.shop}/{seen.order_id}", run=seen.run_id)
            return "unread"
        if run is None or run.ended is None:
            return "missed"
        try:
            return "kept" if await pasts.keep(self._pool, run) else "missed"
        except asyncpg.DataError as error:
            name = type(error).__name__
            log.error("past_not_kept", order=f"{seen.shop}/{seen.order_id}", run=seen.run_id, error=name)  # noqa: TRY400
            return "missed"


def _beat() -> None:
    if activity.in_activity():
        activity.heartbeat()
