"""Reading a shop's own API, so that no order depends on a webhook: what it says goes into the inbox, page by page.

A run may be stopped anywhere and goes on from its page. Webhooks and runs may tell the same fact twice: a fact read
twice is one row of the inbox, and all that follows takes a repeated fact for what it is.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import asyncpg
import structlog
from pydantic import Field
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.attempt import beating, discreet
from activities.shops.api import Page, ShopApi
from activities.shops.apis import ShopApis
from activities.vendors.http import VendorBusyError, VendorError, VendorRefusedError
from journey.base import Frozen, Instant
from store import shop_sync
from store.pool import AWAY, Connection, Pool
from store.reading import noticing
from store.shop_sync import Run, ShopErasedError

_log = structlog.get_logger()

FIRST_DAYS = 60
"""How far back the first run of a shop goes, unless told otherwise."""
_BUSY_RETRY = timedelta(minutes=1)
_SETTINGS_REACH = timedelta(hours=1)
"""So long after its beginning a run waits for a worker that knows its shop: settings reach workers one by one."""
_NAP = timedelta(seconds=5)


class SyncRequest(Frozen):
    """Which shop to read. `since` is where to begin, else where the last run ended, else `days` ago."""

    shop: str
    since: Instant | None = None
    days: int = Field(default=FIRST_DAYS, ge=1, le=3660)


class SyncReport(Frozen):
    """What a whole run read: its orders, those among them that nobody had told of, and the new rows of the inbox.

    `unreadable` are orders that nobody could make sense of, which are not among the others' rows.
    """

    shop: str
    since: Instant
    orders: int
    gaps: int
    rows: int
    unreadable: int = 0


class SyncBusyError(Exception):
    """Another process is reading this shop just now."""


class ShopUnknownError(Exception):
    """No API of this shop is configured."""


def _nobody(_said: object) -> None:
    """Nobody watches."""


def _now() -> datetime:
    return datetime.now(UTC)


class ShopSyncs:
    """Reads shops into the inbox of one database.

    `clock` (UTC) says when a page came; real time by default. While the inbox is full of what was read, a run looks
    every `nap` whether the relay has caught up.
    """

    def __init__(
        self, pool: Pool, apis: ShopApis, *, clock: Callable[[], datetime] = _now, nap: timedelta = _NAP
    ) -> None:
        self._pool = pool
        self._apis = apis
        self._clock = clock
        self._nap = nap

    @activity.defn(name="sync_shop")
    async def sync(self, request: SyncRequest) -> SyncReport:
        """Read a shop to its end; fails, to be tried again, with whatever the shop's API fails with.

        Raises:
            ApplicationError: `next_retry_delay` is what the API asked for, or a minute where another process reads the
                shop, or this one does not know it; not to be retried where the shop has left, or is not known an hour
                after the run began: the schedule, as long as there is one, begins another. What nobody foresaw is
                named by its type alone: its text may quote an order.
        """
        try:
            async with beating():
                with discreet():
                    return await self.run(request)
        except VendorError as error:
            wait = error.retry_after if isinstance(error, VendorBusyError) else None
            raise ApplicationError(str(error), type=type(error).__name__, next_retry_delay=wait) from None
        except SyncBusyError as error:
            raise ApplicationError(str(error), type="SyncBusyError", next_retry_delay=_BUSY_RETRY) from None
        except ShopUnknownError as error:
            over = self._clock() - activity.info().scheduled_time >= _SETTINGS_REACH
            raise ApplicationError(
                str(error), type="ShopUnknownError", next_retry_delay=_BUSY_RETRY, non_retryable=over
            ) from None
        except ShopErasedError as error:
            raise ApplicationError(str(error), type="ShopErasedError", non_retryable=True) from None
        except ApplicationError:
            raise
        except Exception as error:  # noqa: BLE001  a history keeps whatever is raised
            raise ApplicationError(type(error).__name__, type=type(error).__name__) from None

    async def run(
        self,
        request: SyncRequest,
        *,
        tell: Callable[[Run], None] = _nobody,
        held: Callable[[timedelta], None] = _nobody,
    ) -> SyncReport:
        """The same outside of an activity.

        `tell` is called at the beginning and after each page, `held` before each wait for the relay.

        Raises:
            ShopUnknownError: no API of that shop is configured.
            ShopErasedError: the shop has left.
            SyncBusyError: another process is reading it.
            VendorError: its API failed; call again to go on from the page.
            OSError, asyncpg.PostgresError: the database did.
        """
        api = self._apis.of(request.shop)
        if api is None:
            raise ShopUnknownError(f"no API of {request.shop} is configured: name it in POSTLUDE_SHOP_URLS")
        async with shop_sync.alone(self._pool, request.shop) as connection:
            if connection is None:
                raise SyncBusyError(f"{request.shop} is being read by another process")
            now = self._clock()
            run = await shop_sync.begin(
                connection, request.shop, since=request.since, first=now - timedelta(days=request.days), now=now
            )
            tell(run)
            try:
                run = await self._read(connection, api, run, tell, held)
            except VendorError as error:
                # What the shop said is what counts, even where it cannot be written down.
                with suppress(*AWAY, asyncpg.PostgresError, TimeoutError):
                    await shop_sync.fail(connection, request.shop, rule=error.rule)
                raise
            await shop_sync.finish(connection, request.shop, now=self._clock())
        return SyncReport(
            shop=run.shop,
            since=run.since,
            orders=run.orders_read,
            gaps=run.gaps,
            rows=run.rows_kept,
            unreadable=run.unreadable,
        )

    async def _read(
        self,
        connection: Connection,
        api: ShopApi,
        run: Run,
        tell: Callable[[Run], None],
        held: Callable[[timedelta], None],
    ) -> Run:
        page = await _page_to_go_on_from(api, run)
        while True:
            run = await shop_sync.keep_page(
                connection,
                run.shop,
                page.events,
                source=f"sync:{api.name}",
                orders=page.orders,
                cursor=page.cursor,
                changed_until=page.changed_until,
                total=page.total,
                unreadable=page.unreadable,
                now=self._clock(),
            )
            tell(run)
            if page.cursor is None:
                return run
            while await shop_sync.crowded(connection):
                held(self._nap)
                await asyncio.sleep(self._nap.total_seconds())
            page = await _read(api, run.since, page.cursor)


async def _read(api: ShopApi, since: datetime, cursor: str | None) -> Page:
    """A page; what is lost of its orders is logged by the fields' names, which name nobody."""
    with noticing() as lost:
        page = await api.changed(since, cursor)
    if lost:
        _log.warning("orders_read_in_part", shop=api.shop, left_out=lost)
    return page


async def _page_to_go_on_from(api: ShopApi, run: Run) -> Page:
    try:
        return await _read(api, run.since, run.cursor)
    except VendorRefusedError:
        # Some cursors are forgotten after a while: then from the beginning, which doubles nothing.
        if run.cursor is None:
            raise
        return await _read(api, run.since, None)
