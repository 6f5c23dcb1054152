"""`postlude shop …`: the shops whose own APIs are read, and reading one now."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer
from pydantic import BaseModel
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from activities.shop_sync import ShopSyncs, ShopUnknownError, SyncBusyError, SyncReport, SyncRequest
from activities.shops.apis import ShopApis
from activities.vendors.http import VendorBusyError, VendorError
from starters.commands.support import CommandError, clock, connected_database, run_async, settings_from_environment
from starters.local import resolved
from starters.terminal import Screen, echo, styled
from store import privacy, shop_sync
from store.shop_sync import Run, ShopErasedError, Standing
from workers.services import apis_of
from workers.settings import Settings
from workers.shops import load_shops

app = typer.Typer(
    help="The shops whose own APIs are read, so that no order depends on a webhook.", no_args_is_help=True
)
# A callback keeps a lone command from being taken for the whole group.
app.callback()(lambda: None)

_TRIES: Final = 8
"""So often a shop that is away is asked again without having read a page between."""
_LONGEST_WAIT: Final = timedelta(minutes=1)
"""Between two tries, unless the shop asks for more."""

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


class _Shop(BaseModel):
    """A shop as `shop list` shows it; `platform` None when no API of it is configured, `sync` before its first run."""

    shop: str
    platform: str | None
    sync: Standing | None


class _Shops(BaseModel):
    shops: list[_Shop]


@app.command()
def sync(
    shop: Annotated[str, typer.Argument(metavar="SHOP", help="The shop, as `postlude shop list` names it.")],
    *,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"],
            help="Read what changed since then (UTC), rather than since the last time.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read a shop's orders and close the gaps that webhooks left. Stopped anywhere, it goes on where it was."""
    request = SyncRequest(shop=shop, since=since.replace(tzinfo=UTC)) if since else SyncRequest(shop=shop)
    report = run_async(_sync(settings_from_environment(), request))
    if as_json:
        echo(report.model_dump_json(indent=2))
    else:
        gaps = f"{report.gaps} of them nobody had told of" if report.gaps else "all of them known"
        bad = f" {report.unreadable} could not be read: see the log." if report.unreadable else ""
        echo(f"{report.shop}: {report.orders} orders changed since {clock(report.since)}, {gaps}.{bad}")


@app.command("list")
def list_shops(*, as_json: AsJson = False) -> None:
    """List the shops whose APIs are configured, how far each was read, and what keeps one standing still."""
    found = run_async(_list(settings_from_environment()))
    if as_json:
        echo(found.model_dump_json(indent=2))
    elif not found.shops:
        echo("No shop's API is configured: set POSTLUDE_SHOP_URLS.")
    else:
        Screen().print(_table(found.shops))


@app.command()
def readmit(
    shop: Annotated[str, typer.Argument(metavar="SHOP", help="A shop that had left, and is back.")],
) -> None:
    """Take a shop in again that had left and was forgotten. Those who were its customers stay forgotten."""
    if not run_async(_readmit(settings_from_environment(), shop)):
        raise CommandError(f"{shop} has not left, or is being forgotten still: see `postlude privacy list`")
    echo(f"{shop} is taken in again")


async def _readmit(settings: Settings, shop: str) -> bool:
    async with connected_database(settings) as pool:
        return await privacy.readmit(pool, shop)


async def _list(settings: Settings) -> _Shops:
    async with _apis(settings) as apis, connected_database(settings) as pool:
        known = {one.shop: one for one in await shop_sync.standings(pool)}
    platforms = {shop: api.name for shop in apis.shops() if (api := apis.of(shop)) is not None}
    # A shop that was read once and is configured no more is shown, too.
    everyone = dict.fromkeys([*platforms, *known])
    return _Shops(shops=[_Shop(shop=one, platform=platforms.get(one), sync=known.get(one)) for one in everyone])


def _table(shops: list[_Shop]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("Shop", "Platform", "Read up to", "Last whole run", "Orders", "Unreadable", "Failure"):
        table.add_column(title, overflow="fold")
    for one in shops:
        sync = one.sync
        orders = "" if sync is None else str(sync.orders_read)
        if sync is not None and sync.running_since is not None:
            orders += f" of {'?' if sync.total is None else sync.total}, under way or stopped"
        table.add_row(
            one.shop,
            one.platform or "not configured",
            clock(sync.changed_until if sync else None),
            clock(sync.finished_at if sync else None),
            orders,
            str(sync.unreadable) if sync and sync.unreadable else "",
            styled(sync.failure if sync and sync.failure else "", "red"),
        )
    return table


async def _sync(settings: Settings, request: SyncRequest) -> SyncReport:
    async with _apis(settings) as apis, connected_database(settings) as pool:
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f} of {task.fields[total_text]} orders, {task.fields[gaps]} gaps closed"),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Screen(stderr=True),
            transient=True,
        ) as progress:
            bar = _Bar(progress, request.shop)
            return await patiently(ShopSyncs(pool, apis), request, bar)


class _Bar:
    """A run as a line of progress."""

    def __init__(self, progress: Progress, shop: str) -> None:
        self._progress = progress
        self._shop = shop
        self._task: TaskID = progress.add_task(shop, total=None, total_text="?", gaps=0, rate="")

    def tell(self, run: Run) -> None:
        """Show how far the run is."""
        speed = self._progress.tasks[0].speed
        self._progress.update(
            self._task,
            description=self._shop,
            # An order that changes while it is read comes again.
            completed=min(run.orders_read, run.total or run.orders_read),
            total=run.total,
            total_text="?" if run.total is None else str(run.total),
            gaps=run.gaps,
            rate=f"{speed:.0f}/s" if speed else "",
        )

    def hold(self, _delay: timedelta) -> None:
        """Show that the relay is being waited for."""
        self._progress.update(self._task, description=f"{self._shop} (waiting until what was read is dispatched)")

    def wait(self, rule: str, delay: timedelta) -> None:
        """Show that the shop is being waited for."""
        self._progress.update(self._task, description=f"{self._shop} ({rule}: waiting {delay.total_seconds():.0f} s)")


async def patiently(syncs: ShopSyncs, request: SyncRequest, bar: _Bar) -> SyncReport:
    """Read a shop, waiting out what its API asks to wait for.

    Raises:
        CommandError: the shop is unknown, has left, is being read by another process, refuses, or stays away.
    """
    tries, furthest = 0, 0

    def told(run: Run) -> None:
        nonlocal tries, furthest
        if run.orders_read > furthest:
            tries, furthest = 0, run.orders_read
        bar.tell(run)

    while True:
        try:
            return await syncs.run(request, tell=told, held=bar.hold)
        except (ShopUnknownError, ShopErasedError, SyncBusyError) as error:
            raise CommandError(str(error)) from error
        except VendorBusyError as error:
            tries += 1
            if tries >= _TRIES:
                raise CommandError(f"{error}; the same command goes on where this one stopped") from error
            delay = error.retry_after or min(timedelta(seconds=2**tries), _LONGEST_WAIT)
            bar.wait(error.rule, delay)
            await asyncio.sleep(delay.total_seconds())
        except VendorError as error:
            raise CommandError(f"{error}; the same command goes on where this one stopped") from error


@asynccontextmanager
async def _apis(settings: Settings) -> AsyncIterator[ShopApis]:
    """The APIs that the environment names.

    Raises:
        CommandError: a URL is not usable.
        SettingMissingError: the secret that keys guests' ids is not set.
    """
    settings = resolved(settings)
    apis = apis_of(settings, load_shops(settings).values())
    try:
        yield apis
    finally:
        await apis.aclose()
