"""`postlude playbook …`: lint, simulate, publish, list, diff, schema."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from journey.durations import parse_duration
from journey.lint import Finding, Level, lint
from journey.order import Buyer, LineFacts, OrderFacts
from journey.playbook import Playbook, PlaybookError, read_published
from journey.simulate import Recipient, Simulation, one_parcel, simulate
from journey.zones import zone_named
from starters.commands.files import read_order, read_playbook
from starters.commands.support import CommandError, connected_database, run_async, settings_from_environment
from starters.playbook_schema import playbook_schema
from starters.terminal import Screen, echo, styled
from store import accounts, playbooks
from store.intake import OrderCreated
from store.pool import Pool
from workers.services import load_templates
from workers.settings import Settings

app = typer.Typer(help="Playbooks: what customers get, and when.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="A playbook, YAML.")]
_SIMULATED_KEY: Final = "simulated"
"""Guests of a simulation get ids, too; nobody ever sees them."""
NOT_MEANT: Final = "condition"
"""The rule of a touch that the playbook has for other orders."""
_WAITED: Final = timedelta(minutes=1)


@app.command("lint")
def lint_file(file: File) -> None:
    """Check a playbook for the textbook mistakes, and that every mail it needs can be written."""
    found, broken = _findings(read_playbook(file), settings_from_environment())
    for finding in found:
        echo(str(finding))
    for problem in broken:
        echo(f"error: template {problem}")
    errors = sum(finding.level is Level.ERROR for finding in found) + len(broken)
    warnings = len(found) - (errors - len(broken))
    echo(f"{file.name}: {_count(errors, 'error')}, {_count(warnings, 'warning')}")
    if errors:
        raise typer.Exit(1)


@app.command("simulate")
def simulate_order(
    order_file: Annotated[Path, typer.Argument(help="An order.created event, or its data alone, as JSON.")],
    *,
    playbook: Annotated[Path | None, typer.Option(help="Else POSTLUDE_PLAYBOOK, or the shipped one.")] = None,
    delivered_after: Annotated[str, typer.Option(help="How long the parcel takes, such as 3d.")] = "3d",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Show what this order's customer would get, and when, by the rules alone: no server is asked."""
    settings = settings_from_environment()
    try:
        takes = parse_duration(delivered_after)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--delivered-after") from error
    rules = read_playbook(playbook or settings.playbook_path)
    event, _ = read_order(order_file, secret_key=_SIMULATED_KEY)
    facts, recipient = _facts(event), _recipient(event)
    found = simulate(facts, rules, recipient, one_parcel(facts, takes))
    if as_json:
        echo(found.model_dump_json(indent=2))
    else:
        _print(found, facts.placed_at, facts.zones[0])


@app.command()
def publish(
    file: File, shop: Annotated[str | None, typer.Option(help="For this shop alone; else for all without one.")] = None
) -> None:
    """Let new journeys follow this playbook; running ones keep the one they began with."""
    settings = settings_from_environment()
    playbook = read_playbook(file)
    found, broken = _findings(playbook, settings)
    errors = [str(finding) for finding in found if finding.level is Level.ERROR] + broken
    if errors:
        raise CommandError(f"{file.name} is not published, it has {_count(len(errors), 'error')}: {errors[0]}")
    for line in run_async(_publish(settings, playbook, shop)):
        echo(line)


@app.command("list")
def list_published() -> None:
    """Show which playbooks are published, how many journeys follow each, and which this version cannot read."""
    for line in run_async(_published(settings_from_environment())):
        echo(line)


@app.command()
def diff(old: File, new: File) -> None:
    """Compare two playbooks touch by touch."""
    lines = _differences(read_playbook(old), read_playbook(new))
    echo("\n".join(lines or ["the two say the same"]))


@app.command()
def schema() -> None:
    """Print the JSON Schema of playbooks, for editors."""
    echo(json.dumps(playbook_schema(), indent=2))


def _findings(playbook: Playbook, settings: Settings) -> tuple[list[Finding], list[str]]:
    """What the rules say, and what is wrong with the templates that this playbook uses."""
    templates = load_templates(settings)
    found = lint(playbook, templates.names, templates.brand.offers, templates.purposes)
    used = {touch.template for touch in playbook.touches}
    return found, [problem for problem in templates.check() if problem.partition(" ")[0] in used]


async def _publish(settings: Settings, playbook: Playbook, shop: str | None) -> list[str]:
    async with connected_database(settings) as pool:
        waiting = await _waiting(pool)
        digest = await playbooks.publish(pool, playbook, shop=shop)
    whose = "" if shop is None else f" of {shop}"
    lines = [f"published {playbook.name} as {digest}: new journeys{whose} follow it"]
    for (name, phase), journeys in sorted(waiting.items()):
        if name != digest:
            lines.append(f"{_count(journeys, 'journey')} in phase {phase} under {name} keep it")
    return lines


async def _waiting(pool: Pool) -> dict[tuple[str, str], int]:
    """Running journeys by playbook and by the phase of the message they got last."""
    rules = {digest: _readable(content) for digest, content in (await playbooks.unknown_to(pool, ())).items()}
    counted: dict[tuple[str, str], int] = {}
    for digest, touch, journeys in await accounts.waiting(pool):
        book = rules.get(digest)
        if isinstance(book, Playbook):
            known = book.by_id.get(touch) if touch is not None else None
            place = (digest, known.phase if known is not None else book.phases[0].id)
        else:
            place = (digest, "unknown")
        counted[place] = counted.get(place, 0) + journeys
    return counted


async def _published(settings: Settings) -> list[str]:
    async with connected_database(settings) as pool:
        contents = await playbooks.unknown_to(pool, ())
        following: dict[str, int] = {}
        for digest, _, journeys in await accounts.waiting(pool):
            following[digest] = following.get(digest, 0) + journeys
        followed = await playbooks.of_shops(pool)
        try:
            current = await playbooks.current(pool)
        except playbooks.NoPlaybookError:
            return ["no playbook is published"]
    lines = []
    for digest, content in contents.items():
        book = _readable(content)
        name = book.name if isinstance(book, Playbook) else f"cannot be read by this version: {book}"
        own = [shop for shop, of_it in followed.items() if of_it == digest]
        newest = ", new journeys follow it" if digest == current else ""
        newest += f", those of {', '.join(own)} follow it" if own else ""
        lines.append(f"{digest} {name}: {_count(following.get(digest, 0), 'open journey')}{newest}")
    return lines


def _readable(content: str) -> Playbook | str:
    """The playbook, or the first reason why this version cannot read it."""
    try:
        return read_published(content)
    except PlaybookError as error:
        return str(error).partition("\n")[0]


def _differences(old: Playbook, new: Playbook) -> list[str]:
    before, after = old.model_dump(mode="json"), new.model_dump(mode="json")
    lines = []
    for kind in ("phases", "touches"):
        was, now = ({one["id"]: one for one in book.pop(kind)} for book in (before, after))
        name = kind.removesuffix("s") if kind == "phases" else "touch"
        lines += [f"- {name} {gone}" for gone in was if gone not in now]
        lines += [f"+ {name} {come}" for come in now if come not in was]
        for same in (one for one in now if one in was):
            lines += [f"~ {name} {same}: {change}" for change in _changes(was[same], now[same])]
    return [f"~ playbook: {change}" for change in _changes(before, after)] + lines


def _changes(was: dict[str, Any], now: dict[str, Any]) -> list[str]:
    return [
        f"{field} {json.dumps(_sorted(was[field]))} → {json.dumps(_sorted(now[field]))}"
        for field in now
        if _sorted(was[field]) != _sorted(now[field])
    ]


def _sorted(value: Any) -> Any:
    """Sets come out of the models as lists in any order."""
    return sorted(value) if isinstance(value, list) and all(isinstance(item, str) for item in value) else value


def _facts(event: OrderCreated) -> OrderFacts:
    repeat = (event.customer.orders_count or 0) > 1
    return OrderFacts(
        shop=event.shop,
        order_id=event.order_id,
        placed_at=event.at,
        channel=event.channel,
        currency=event.currency,
        total=event.total,
        country=event.customer.country,
        time_zone=event.customer.time_zone,
        buyer=Buyer.REPEAT if repeat else Buyer.FIRST,
        lines=tuple(
            LineFacts(sku=line.sku, quantity=line.quantity, category=line.category, kind=line.kind)
            for line in event.lines
        ),
    )


def _recipient(event: OrderCreated) -> Recipient:
    customer = event.customer
    return Recipient(
        address=(event.email or customer.email) is not None,
        consent=bool(customer.consent.email_marketing),
    )


def _print(found: Simulation, placed: datetime, zone: str) -> None:
    here = zone_named(zone)
    console = Screen()
    about = f" under playbook {found.playbook}, by the customer's clock ({zone})"
    console.print(styled(found.order, "bold"), about, sep="")
    table = Table("Day", "When", "Touch", "What becomes of it", box=None, pad_edge=False)
    styles = {"sent": "green", "held": "yellow", "refused": "red"}
    for entry in found.entries:
        local = entry.at.astimezone(here)
        what = entry.status if entry.rule is None else f"{entry.status}: {entry.rule}"
        if entry.rule == NOT_MEANT:
            what = "not for this order: its condition does not hold"
        if entry.status == "sent" and entry.due is not None and entry.at - entry.due >= _WAITED:
            what += f", due {entry.due.astimezone(here):%a %d %b %H:%M}"
        if entry.until is not None:
            what += f", until {entry.until.astimezone(here):%a %d %b %H:%M}"
        day = (local.date() - placed.astimezone(here).date()).days
        style = "dim" if entry.rule == NOT_MEANT else styles.get(entry.status, "red")
        table.add_row(str(day), f"{local:%a %d %b %H:%M}", entry.touch.partition(":")[0], styled(what, style))
    console.print(table)
    sent = sum(entry.status == "sent" for entry in found.entries)
    console.print(f"{_count(sent, 'message')}; ended: {found.why}")


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
