"""The demo from beginning to end: stack, stories, calendar, both sides, links."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, redirect_stderr, suppress
from typing import Any, Final, TextIO

from pydantic import SecretStr
from rich.console import Console
from rich.live import Live

from starters.account import Account, account
from starters.demo import second_shop
from starters.demo.backend import Backend
from starters.demo.calendar import Diary, totals
from starters.demo.ending import Report, links_of, show
from starters.demo.histories import attention, runs
from starters.demo.holds import holds, nights
from starters.demo.orders import own_id, stories
from starters.demo.payloads import OWN_SHOP
from starters.demo.play import DemoError, Player
from starters.demo.sides import Sides, sides
from starters.demo.story import Story
from starters.demo.terminal import own_terminal
from starters.demo.view import View
from starters.demo.wire import Senders
from starters.fast_forward import StartsWhenPlaced
from starters.serving import stop_signal
from starters.stack import Stack, whole_stack
from store import accounts, remedies
from store.pool import Pool
from workers.logs import configure
from workers.mail_catcher import CaughtMail
from workers.settings import Settings
from workers.shops import load_shops

LOG: Final = "demo.log"
OPERATORS: Final = "operators@fernhill.example"
"""Who is told of what the shop's people have to look at, where the environment names nobody else."""
_WATCH_SECONDS: Final = 0.3
_LIMIT_SECONDS: Final = 300.0
"""After this long something hangs."""


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
    backend = Backend(OWN_SHOP)
    with (
        backend.serving() as shop_url,
        Live(view, console=console, refresh_per_second=10, transient=not console.is_terminal) as live,
    ):
        settings = _with_shop(settings, shop_url)
        async with whole_stack(settings, tell=view.step, interceptor=StartsWhenPlaced()) as stack:
            played = stories(await _next_run(stack.pool))
            player = _player(stack, backend, played)
            await _unless(stopping, _play(player, view))
            live.stop()
            told = [await account(stack.pool, stack.client, story.shop, story.order_id) for story in played]
            diaries, both = [], []
            for story in played:
                diary, seen = await _diary(player, story)
                diaries.append(diary)
                both += [(diary, seen)] if story.both_sides else []
            mails = _mails(stack, played)
            report = Report(
                orders=told,
                seconds=round(view.seconds, 1),
                mails=len(mails),
                links=links_of(stack, played),
                sides=[seen for _, seen in both],
            )
            problems = _problems(stack, told, diaries, mails)
            show(console, report, diaries, both, problems, leave=leave)
            if as_json:
                terminal.write(report.model_dump_json(indent=2) + "\n")
                terminal.flush()
            if not leave:
                await stopping.wait()
                console.print("Stopping.")
    return 1 if problems else 0


def _with_shop(settings: Settings, url: str) -> Settings:
    """The settings with the shop's own backend, the second shop, and a mailbox for people where mails are caught."""
    urls = [one for one in (settings.given("shop_urls"), url) if one]
    more: dict[str, object] = {"shop_urls": SecretStr(" ".join(urls)), "shops": second_shop.write(settings.home)}
    if settings.alert_url is None and settings.email_url is None:
        more["alert_url"] = SecretStr(f"mailto:{OPERATORS}")
    return settings.model_copy(update=more)


def _player(stack: Stack, backend: Backend, played: list[Story]) -> Player:
    secret = {
        name: getattr(stack.settings, name).get_secret_value()
        for name in ("webhook_secret", "shopify_secret", "easypost_secret")
    }
    second = load_shops(stack.settings)[second_shop.SHOP].secrets["events"][0]
    return Player(stack, Senders(**secret, second_secret=second), backend, played)


async def _play(player: Player, view: View) -> None:
    view.progress = player.progress
    async with _watching(player.stack.pool, player.stories, view):
        try:
            async with asyncio.timeout(_LIMIT_SECONDS):
                await player.play()
        except TimeoutError:
            raise DemoError(f"the journeys did not end within {_LIMIT_SECONDS:.0f} s: see {LOG} in the home") from None


@asynccontextmanager
async def _watching(pool: Pool, played: Sequence[Story], view: View) -> AsyncIterator[None]:
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


async def _diary(player: Player, story: Story) -> tuple[Diary, Sides]:
    """What the customer got on which day, and the same order from both sides."""
    stack = player.stack
    row = await accounts.order(stack.pool, story.shop, story.order_id)
    if row is None:
        raise DemoError(f"order {story.order} is not in the database")
    messages = await accounts.messages(stack.pool, story.shop, story.order_id)
    history = await runs(stack.client, story.shop, story.order_id)
    held = await holds(stack.client, history)
    told = {hold.touch for hold in held}
    waited = nights(row, messages, stack.playbook(row.playbook).contact.quiet_hours)
    diary = Diary(story, row.placed_at, messages, [*(one for one in waited if one.touch not in told), *held])
    caught = stack.mail.messages() if stack.mail is not None else []
    seen = sides(
        diary,
        player.progress[story.name],
        attention(event for events in history for event in events),
        [mail for mail in caught if OPERATORS in mail.recipients],
        await remedies.listed(stack.pool, shop=story.shop, order_id=story.order_id),
    )
    return diary, seen


async def _next_run(pool: Pool) -> int:
    """The first run whose orders are not in the database yet."""
    run = 1
    while await accounts.order(pool, OWN_SHOP, own_id(run, 1)) is not None:
        run += 1
    return run


def _mails(stack: Stack, played: list[Story]) -> list[CaughtMail]:
    """This run's mails to customers by the receiving side's own account; the ledger's is not asked."""
    if stack.mail is None:
        return []
    orders = {story.order for story in played}
    return [mail for mail in stack.mail.messages() if mail.order in orders]


def _problems(stack: Stack, told: list[Account], diaries: list[Diary], mails: list[CaughtMail]) -> list[str]:
    found = [f"order {one.order} is still {one.status}: {one.next.why}" for one in told if one.status != "finished"]
    sent, _, _ = totals(diaries)
    if stack.mail is not None:
        if len(mails) != sent:
            found.append(f"the ledger says {sent} mails were sent, the mail catcher took {len(mails)}")
        twice = {name for name, count in Counter(mail.message_id for mail in mails).items() if count > 1}
        if twice:
            found.append(f"{len(twice)} mails came more than once")
    return found


def _first_of(group: BaseExceptionGroup[Exception]) -> Exception:
    """The one thing that went wrong first, without the tasks that were cancelled for it."""
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first if isinstance(first, Exception) else DemoError(type(first).__name__)
