"""`postlude order replay`: a past journey under another playbook, beside what it was."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table

from journey.outcomes import Status
from journey.playbook import Playbook
from journey.replay import Became, Compared, Message
from starters.commands.files import read_playbook
from starters.commands.naming import HELP, find, label
from starters.commands.support import (
    CommandError,
    clock,
    connected_database,
    connected_temporal,
    run_async,
    settings_from_environment,
)
from starters.replaying import Report, report
from starters.terminal import Screen, echo, styled
from workers.settings import SettingMissingError, Settings

_SHOWN: Final = (Became.SAME, Became.MOVED, Became.NEW, Became.GONE)


def replay(
    order: Annotated[str, typer.Argument(metavar="SHOP/ID", help=HELP)],
    *,
    playbook: Annotated[Path | None, typer.Option(help="Under this one; by default the one it followed.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Play an order's journey again under another playbook: what it did beside what it would do."""
    other = None if playbook is None else read_playbook(playbook)
    found = run_async(_replay(settings_from_environment(), order, other))
    if as_json:
        echo(found.model_dump_json(indent=2))
    else:
        _print(found)


async def _replay(settings: Settings, order: str, playbook: Playbook | None) -> Report:
    async with connected_database(settings) as pool:
        named = await find(pool, order)
        try:
            client = await connected_temporal(settings)
        except (CommandError, SettingMissingError):
            client = None  # what is kept needs no server
        return await report(pool, client, named.shop, named.order_id, playbook)


def _print(found: Report) -> None:
    console = Screen(soft_wrap=False)
    same = found.playbook == found.followed
    under = f"under its own playbook {found.followed}" if same else f"{found.followed} beside {found.playbook}"
    console.print(styled(label(found.order, found.number), "bold"), under)
    console.print(f"From {clock(found.began_at)} to {clock(found.ended_at)}: {found.why}")
    table = Table(box=None, pad_edge=False)
    for title in ("", "Touch", "Did", "Would"):
        table.add_column(title, overflow="fold")
    shown = [one for one in found.messages if one.became in _SHOWN]
    for one in shown:
        table.add_row(one.became.value, one.touch, _said(one.did), _said(one.would))
    console.print(table if shown else "No message was sent, and none would be.")
    counts = Counter(one.became for one in found.messages)
    console.print(", ".join(f"{counts[kind]} {kind}" for kind in Became if counts[kind]))
    if any(_assumed(one) for one in shown):
        console.print("~ is assumed: the journey did not ask then, so nobody can know the answer.")
    for note in found.notes:
        console.print(f"Note: {note}")


def _assumed(one: Compared) -> bool:
    return one.would is not None and one.would.assumed


def _said(message: Message | None) -> str:
    if message is None:
        return "-"
    how = message.channel or "sent" if message.status is Status.SENT else f"{message.status} ({message.rule or '-'})"
    return f"{'~' if message.assumed else ''}{message.at:%Y-%m-%d %H:%M} {how}"
