"""The demo from beginning to end: stack, stories, calendar, links."""

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, redirect_stderr, suppress
from typing import Any, Final, TextIO

from pydantic import BaseModel
from rich.console import Console
from rich.live import Live
from rich.rule import Rule
from rich.table import Table

from journey.base import workflow_id
from starters.account import Account, account
from starters.demo.calendar import Diary, calendar, totals
from starters.demo.holds import holds, nights
from starters.demo.orders import own_id, stories
from starters.demo.payloads import OWN_SHOP
from starters.demo.play import DemoError, Player
from starters.demo.story import Story
from starters.demo.terminal import own_terminal
from starters.demo.view import View
from starters.demo.wire import Senders
from starters.fast_forward import StartsWhenPlaced
from starters.serving import stop_signal
from starters.stack import Stack, whole_stack
from store import accounts
from store.pool import Pool
from workers.logs import configure
from workers.settings import Settings
from workflows.registry import PLAYBOOKS

LOG: Final = "demo.log"
_WATCH_SECONDS: Final = 0.3
_LIMIT_SECONDS: Final = 300.0
"""After this long something hangs."""


class Report(BaseModel):
    """`postlude demo --exit --json`: every order's account, the seconds from the first start on, the mails caught."""

    orders: list[Account]
    seconds: float
    mails: int
    links: dict[str, str]


class _Interrupted(Exception):  # noqa: N818  not an error: Ctrl-C
    """Somebody had seen enough."""


async def run_demo(settings: Settings, *, leave: bool, as_json: bool) -> int:
    """Run the demo; the exit code is 0 when every journey finished and the mails caught are the mails sent.

    Args:
        settings: as for `postlude up`: what has no address is embedded.
        leave: end by itself instead of staying up until Ctrl-C.
        as_json: print one JSON object and nothing else; nothing is drawn.
    """
    with own_terminal(settings.home / LOG) as terminal:
        log = os.fdopen(os.dup(2), "w", encoding="utf-8", buffering=1)
        with log, redirect_stderr(log):
            configure("warning")
            try:
                return await _run(settings, terminal, leave=leave, as_json=as_json)
            except _Interrupted:
                return 130
            except ExceptionGroup as group:
                raise _first_of(group) from group


async def _run(settings: Settings, terminal: TextIO, *, leave: bool, as_json: bool) -> int:
    console = Console(file=terminal, highlight=False, quiet=as_json)
    stopping = stop_signal()
    view = View(stories(1))
    with Live(view, console=console, refresh_per_second=10, transient=not console.is_terminal) as live:
        async with whole_stack(settings, tell=view.step, interceptor=StartsWhenPlaced()) as stack:
            played = stories(await _next_run(stack.pool))
            await _unless(stopping, _play(stack, played, view))
            live.stop()
            told = [await account(stack.pool, stack.client, story.shop, story.order_id) for story in played]
            diaries = [await _diary(stack, story) for story in played]
            mails = _mails(stack, played)
            report = Report(orders=told, seconds=round(view.seconds, 1), mails=mails, links=_links(stack, played))
            problems = _problems(stack, told, diaries, mails)
            _print(console, report, diaries, problems, leave=leave)
            if as_json:
                terminal.write(report.model_dump_json(indent=2) + "\n")
                terminal.flush()
            if not leave:
                await stopping.wait()
                console.print("Stopping.")
    return 1 if problems else 0


async def _play(stack: Stack, played: list[Story], view: View) -> None:
    secret = {
        name: getattr(stack.settings, name).get_secret_value()
        for name in ("webhook_secret", "shopify_secret", "easypost_secret")
    }
    player = Player(stack, Senders(**secret), played)
    view.progress = player.progress
    async with _watching(stack.pool, played, view):
        try:
            async with asyncio.timeout(_LIMIT_SECONDS):
                await player.play()
        except TimeoutError:
            raise DemoError(f"the journeys did not end within {_LIMIT_SECONDS:.0f} s: see {LOG} in the home") from None


@asynccontextmanager
async def _watching(pool: Pool, played: list[Story], view: View) -> AsyncIterator[None]:
    """Keep the view's figures fresh from the ledger."""

    async def look() -> None:
        for story in played:
            rows = await accounts.messages(pool, story.shop, story.order_id)
            sent = [row for row in rows if row.status == "sent"]
            view.last[story.name] = (sent[-1].touch if sent else "", len(sent))

    async def watch() -> None:
        while True:
            await look()
            await asyncio.sleep(_WATCH_SECONDS)

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await look()


async def _unless(stopping: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Do the work, or break it off when somebody stops the demo."""
    task = asyncio.create_task(work)
    stop = asyncio.create_task(stopping.wait())
    await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if not task.done():
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        raise _Interrupted
    await task


async def _diary(stack: Stack, story: Story) -> Diary:
    row = await accounts.order(stack.pool, story.shop, story.order_id)
    if row is None:
        raise DemoError(f"order {story.order} is not in the database")
    messages = await accounts.messages(stack.pool, story.shop, story.order_id)
    held = await holds(stack.client, story.shop, story.order_id)
    told = {hold.touch for hold in held}
    waited = nights(row, messages, PLAYBOOKS.get(row.playbook).contact.quiet_hours)
    return Diary(story, row.placed_at, messages, [*(one for one in waited if one.touch not in told), *held])


async def _next_run(pool: Pool) -> int:
    """The first run whose orders are not in the database yet."""
    run = 1
    while await accounts.order(pool, OWN_SHOP, own_id(run, 1)) is not None:
        run += 1
    return run


def _mails(stack: Stack, played: list[Story]) -> int:
    """The receiving side's own count of this run's mails; the ledger's is not asked."""
    if stack.mail is None:
        return 0
    orders = {story.order for story in played}
    return sum(1 for mail in stack.mail.messages() if mail.order in orders)


def _problems(stack: Stack, told: list[Account], diaries: list[Diary], mails: int) -> list[str]:
    found = [f"order {one.order} is still {one.status}: {one.next.why}" for one in told if one.status != "finished"]
    sent, _, _ = totals(diaries)
    if stack.mail is not None:
        if mails != sent:
            found.append(f"the ledger says {sent} mails were sent, the mail catcher took {mails}")
        twice = {name for name, count in stack.mail.count_by_message_id().items() if count > 1}
        if twice:
            found.append(f"{len(twice)} mails came more than once")
    return found


def _links(stack: Stack, played: list[Story]) -> dict[str, str]:
    """The order page of the first story; of the journeys the one where most happened within one run."""
    story = played[0]
    telling = next(one for one in played if one.name == "delayed")
    links = {"order_page": stack.links.order(story.shop, story.order_id)}
    if stack.mail is not None:
        links["mails"] = f"{stack.url}/dev/mails"
    if stack.ui_url is not None:
        links["temporal_ui"] = stack.ui_url
        links["workflow"] = f"{stack.ui_url}/namespaces/default/workflows/{workflow_id(telling.shop, telling.order_id)}"
    return links


def _print(console: Console, report: Report, diaries: list[Diary], problems: list[str], *, leave: bool) -> None:
    sent, held, refused = totals(diaries)
    console.print()
    console.print(Rule("what each customer got, by their own calendar"))
    console.print("[green]✉ about the order[/]  [magenta]✉ marketing[/]  [yellow]◷ held first, then sent[/]\n")
    console.print(calendar(diaries, console.width))
    console.print(Rule(style="dim"))
    console.print(
        f"[bold]{len(report.orders)} journeys[/] in {report.seconds:.0f} s: [bold]{sent}[/] messages sent,"
        f" {report.mails} mails caught, none twice; {held} held first, {refused} refused."
        if not problems
        else "[red]" + "\n".join(problems) + "[/]"
    )
    if leave:
        return
    names = {
        "mails": "every mail",
        "order_page": "a customer's page",
        "temporal_ui": "Temporal UI",
        "workflow": "one journey there",
    }
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, words in names.items():
        if name in report.links:
            table.add_row(words, f"[link={report.links[name]}]{report.links[name]}[/link]")
    console.print(table)
    console.print("Ctrl-C stops it.")


def _first_of(group: BaseExceptionGroup[Exception]) -> Exception:
    """The one thing that went wrong first, without the tasks that were cancelled for it."""
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first if isinstance(first, Exception) else DemoError(type(first).__name__)
