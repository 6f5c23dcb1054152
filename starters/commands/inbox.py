"""`postlude inbox …`: what came in and is not delivered, dead letters, and what a person decides about them."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from journey.durations import parse_duration
from starters.commands.naming import label
from starters.commands.support import CommandError, clock, connected_database, run_async, settings_from_environment
from starters.terminal import Screen, echo, styled
from store import letters
from store.letters import STATUSES, Chosen, Letter
from store.pool import Pool
from workers.settings import Settings

app = typer.Typer(
    help="What shops, carriers and providers said: undelivered, waiting, and dead letters.", no_args_is_help=True
)

_OPEN: Final = ("pending", "waiting", "dead")
Numbers = Mapping[str, str]
"""By a subject what the shop shows of its order."""

Id = Annotated[int, typer.Argument(metavar="ID", help="The row, as `postlude inbox list` says.")]
Ids = Annotated[list[int] | None, typer.Argument(metavar="ID…", help="The rows, as `postlude inbox list` says.")]
Shop = Annotated[str | None, typer.Option(help="Only this shop's; '' for what no shop is said of.")]
Subject = Annotated[str | None, typer.Option(help="Only of this subject, such as order:acme:1001.")]
OlderThan = Annotated[str | None, typer.Option(help="Only what came longer ago than this, such as 2h or 3d.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


@app.command("list")
def list_letters(
    *,
    status: Annotated[
        list[str] | None,
        typer.Option(help=f"Only these: {', '.join(STATUSES)}. Without: {', '.join(_OPEN)}."),
    ] = None,
    shop: Shop = None,
    subject: Subject = None,
    older_than: OlderThan = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many, the oldest first.")] = 50,
    after: Annotated[int | None, typer.Option(metavar="ID", help="Only what came after this row.")] = None,
    as_json: AsJson = False,
) -> None:
    """List rows of the inbox, the oldest first. Names nobody: ids, topics and kinds of errors."""
    unknown = set(status or ()) - set(STATUSES)
    if unknown:
        raise CommandError(f"there is no status {min(unknown)!r}: write one of {', '.join(STATUSES)}")
    chosen = _chosen(tuple(status or _OPEN), shop, subject, older_than)
    found, total, numbers = run_async(_list(settings_from_environment(), chosen, after, limit))
    if as_json:
        echo(json.dumps([_as_json(one, numbers) for one in found], indent=2))
    elif not found:
        echo("Nothing of that kind is in the inbox.")
    else:
        _console().print(_table(found, numbers))
        if total > len(found):
            echo(f"{len(found)} of {total}; go on with --after {found[-1].id}")


@app.command()
def show(
    letter: Id,
    *,
    body: Annotated[
        bool, typer.Option("--body", help="Also what came, word for word. It names people: keep it out of tickets.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show a row, and what else is open or dead on its subject."""
    (found, beside, came), numbers = run_async(_show(settings_from_environment(), letter, body))
    if as_json:
        said = _as_json(found, numbers) | {"beside": [_as_json(one, numbers) for one in beside]}
        echo(json.dumps(said if came is None else said | came, indent=2, ensure_ascii=False))
        return
    console = _console()
    for name, value in _account(found, numbers):
        if value:
            console.print(f"{name}: {value}")
    if beside:
        console.print(f"\non the same subject, {len(beside)}:")
        console.print(_table(beside, numbers))
    if came is not None:
        echo(f"\n{came['body']}\n\n{json.dumps(came['event'], indent=2, ensure_ascii=False)}")


@app.command()
def retry(
    rows: Ids = None,
    *,
    all_dead: Annotated[bool, typer.Option("--all-dead", help="Every dead letter that the filters leave.")] = False,
    shop: Shop = None,
    subject: Subject = None,
    older_than: OlderThan = None,
) -> None:
    """Give dead or waiting rows to the relays again, with all their tries."""
    if bool(rows) is all_dead:
        raise CommandError("say which: the rows' ids, or --all-dead with what narrows it down")
    if not all_dead and (shop, subject, older_than) != (None, None, None):
        raise CommandError("filters go with --all-dead: ids alone say which rows")
    chosen = _chosen(None, shop, subject, older_than)
    asked, done = run_async(_retry(settings_from_environment(), rows, chosen))
    echo(f"{_rows(len(done))} given to the relays again")
    _refuse_rest(asked, done, "not dead or waiting, or blanked, so that nothing is left to deliver")


@app.command()
def drop(
    rows: Annotated[list[int], typer.Argument(metavar="ID…", help="The rows, as `postlude inbox list` says.")],
    *,
    reason: Annotated[str, typer.Option(help="Why; kept with the row, so name nobody.")],
    by: Annotated[str, typer.Option("--by", help="Who says so.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Decide that rows are never delivered; their journeys do not hear of them."""
    if not reason.strip() or not by.strip():
        raise CommandError("a reason and a name are kept with what is dropped: give both")
    settings = settings_from_environment()
    if not yes:
        found, numbers = run_async(_each(settings, rows))
        if found:
            _console().print(_table(found, numbers))
        typer.confirm(f"Drop {_rows(len(rows))} for good?", abort=True)
    done = run_async(_drop(settings, rows, f"by {by.strip()}: {reason.strip()}"))
    echo(f"{_rows(len(done))} dropped")
    _refuse_rest(rows, done, "delivered, in a relay's hands, or not there")


def _chosen(statuses: tuple[str, ...] | None, shop: str | None, subject: str | None, older_than: str | None) -> Chosen:
    before = None
    if older_than is not None:
        try:
            before = datetime.now(UTC) - parse_duration(older_than)
        except (ValueError, OverflowError) as error:
            raise CommandError(str(error)) from None
    return Chosen(statuses, shop, subject, before)


async def _list(settings: Settings, chosen: Chosen, after: int | None, limit: int) -> tuple[list[Letter], int, Numbers]:
    async with connected_database(settings) as pool:
        found = await letters.page(pool, chosen, after=after, limit=limit)
        total = await letters.count(pool, chosen) if len(found) == limit else len(found)
        return found, total, await _numbers(pool, found)


async def _numbers(pool: Pool, found: list[Letter]) -> Numbers:
    return await letters.numbers(pool, [one.subject for one in found])


async def _show(
    settings: Settings, letter: int, body: bool
) -> tuple[tuple[Letter, list[Letter], dict[str, Any] | None], Numbers]:
    async with connected_database(settings) as pool:
        found = await letters.get(pool, letter)
        if found is None:
            raise CommandError(f"there is no row {letter} in the inbox")
        beside = await letters.beside(pool, found)
        numbers = await _numbers(pool, [found])
        if not body:
            return (found, beside, None), numbers
        came, event = await letters.body(pool, letter)
        return (found, beside, {"body": came.decode("utf-8", "replace"), "event": event}), numbers


async def _retry(settings: Settings, rows: list[int] | None, chosen: Chosen) -> tuple[list[int], list[int]]:
    async with connected_database(settings) as pool:
        asked = rows or await letters.dead(pool, chosen)
        return asked, await letters.retry(pool, asked, now=datetime.now(UTC))


async def _each(settings: Settings, rows: list[int]) -> tuple[list[Letter], Numbers]:
    async with connected_database(settings) as pool:
        found = [one for row in rows if (one := await letters.get(pool, row)) is not None]
        return found, await _numbers(pool, found)


async def _drop(settings: Settings, rows: list[int], why: str) -> list[int]:
    async with connected_database(settings) as pool:
        return await letters.drop(pool, rows, why=why, now=datetime.now(UTC))


def _refuse_rest(asked: list[int], done: list[int], why: str) -> None:
    """End with an error where some of what was asked for was not done."""
    rest = sorted(set(asked) - set(done))
    if rest:
        raise CommandError(f"left as they are ({why}): {', '.join(map(str, rest))}")


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _as_json(one: Letter, numbers: Numbers) -> dict[str, Any]:
    said = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(one).items()}
    return said | {"number": numbers.get(one.subject or "")}


def _account(one: Letter, numbers: Numbers) -> list[tuple[str, str | None]]:
    tries = f"{one.attempts}, of which {one.faults} failed by its own fault" if one.attempts else None
    return [
        ("row", f"{one.id}, {one.status}"),
        ("note", one.note),
        ("shop", one.shop),
        ("subject", one.subject),
        ("order", numbers.get(one.subject or "")),
        ("from", f"{one.source}, {one.topic}, {one.event_id}"),
        ("read as", one.type or ("blanked" if one.body_bytes == 0 else "not read")),
        ("speaks of", clock(one.occurred_at)),
        ("came", clock(one.received_at)),
        ("tries", tries),
        ("next try", clock(one.next_attempt) if one.next_attempt else None),
        ("done", clock(one.done_at) if one.done_at else None),
        ("body", f"{one.body_bytes} bytes" if one.body_bytes else None),
    ]


def _table(found: list[Letter], numbers: Numbers) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("ID", "Status", "Came", "From", "Subject", "Tries", "Note"):
        table.add_column(title, overflow="fold", no_wrap=title in {"ID", "Status", "Came"})
    for one in found:
        subject = label(one.subject or "-", numbers.get(one.subject or ""))
        cells = (f"{one.topic} by {one.source}", subject, str(one.attempts), one.note or "-")
        shown = styled(one.status, "red") if one.status == "dead" else one.status
        table.add_row(str(one.id), shown, clock(one.received_at), *cells)
    return table


def _console() -> Screen:
    return Screen()
