"""Our own click redirect, `/c/{token}`: on to where the link leads, with the click written down meanwhile.

The token is signed over its target, so it leads only where a message of ours does. The answer never waits for the
database: what cannot be written down within a while is given up, since a click is worth less than a shop's visitor.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

import asyncpg
import structlog
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from activities.links import Click, Links
from activities.messaging.feedback.machines import asked_by_machine
from starters.portal import Pages
from starters.words import asked_for
from store import feedback
from store.pool import AWAY, Pool

_log = structlog.get_logger(__name__)

_WAITING_AT_MOST = 1000
# Of the pool's connections, so that a flood of clicks leaves webhooks and pages theirs.
_AT_ONCE = 3
_TRIES = 3
_PAUSE_SECONDS = 1.0
_TIME_LIMIT_SECONDS = 10.0
_FINISH_SECONDS = 5.0


class Clicks:
    """Writes clicks down in the background, at most so many at a time."""

    def __init__(self, pool: Pool, *, clock: Callable[[], datetime]) -> None:
        """Prepare to write to `pool`; `clock` (aware UTC) dates the clicks."""
        self._pool = pool
        self._clock = clock
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._writing: set[asyncio.Task[None]] = set()

    def note(self, click: Click, *, machine: bool) -> None:
        """Write a click down soon; returns at once, and drops it when too many are waiting."""
        if len(self._writing) >= _WAITING_AT_MOST:
            _log.warning("click dropped", shop=click.shop, touch=click.touch_key)
            return
        task = asyncio.create_task(self._write(click, at=self._clock(), machine=machine))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def finish(self) -> None:
        """Wait for what is being written, but not for long."""
        if self._writing:
            _, late = await asyncio.wait(self._writing, timeout=_FINISH_SECONDS)
            for task in late:
                task.cancel()

    async def _write(self, click: Click, *, at: datetime, machine: bool) -> None:
        try:
            async with asyncio.timeout(_TIME_LIMIT_SECONDS):
                for left in reversed(range(_TRIES)):
                    try:
                        return await self._record(click, at=at, machine=machine)
                    except AWAY:
                        if not left:
                            raise
                        await asyncio.sleep(_PAUSE_SECONDS)
        except (*AWAY, asyncpg.PostgresError, TimeoutError) as error:
            _log.warning("click lost", shop=click.shop, touch=click.touch_key, error=type(error).__name__)

    async def _record(self, click: Click, *, at: datetime, machine: bool) -> None:
        async with self._turns, self._pool.acquire() as connection, connection.transaction():
            await feedback.record_click(
                connection, click.shop, click.order_id, click.touch_key, link=click.url, at=at, machine=machine
            )


def router(clicks: Clicks, *, links: Links, pages: Pages) -> APIRouter:
    """The route `/c/{token}`, for GET and HEAD."""
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/c/{token}", methods=["GET", "HEAD"])
    async def follow(token: str, request: Request) -> Response:
        click = links.read_click(token)
        if click is None:
            return pages.not_found(asked_for(request))
        clicks.note(click, machine=asked_by_machine(request.method, request.headers))
        headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
        return RedirectResponse(click.url, status_code=302, headers=headers)

    return routes
