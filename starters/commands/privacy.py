"""`postlude privacy …`: people's requests about their data, what is kept of a person, and forgetting them."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from starters.commands.support import CommandError, clock, connected_database, run_async, settings_from_environment
from starters.dev_mails import forget_erased_at
from starters.terminal import Screen, echo, styled
from store import privacy
from store.erasure import Erased
from store.privacy import Request
from workers.settings import Settings

app = typer.Typer(help="People's rights: what is kept of a person, and forgetting them.", no_args_is_help=True)

_WHAT: Final = {
    "data_request": "wants what is kept of them: `postlude privacy export`, then `postlude privacy done`",
    "redact": "is to be forgotten: `postlude privacy erase`",
    "shop_redact": "the shop has left: everybody of it is being forgotten, a part at a time",
}
_OWNER_ONLY: Final = 0o600
_Customer = Annotated[str, typer.Argument(metavar="SHOP/CUSTOMER_ID", help="The customer, such as acme/c-17.")]


@app.command("list")
def open_requests(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list and nothing else.")] = False
) -> None:
    """Show the requests that nobody has answered yet, the most pressing first."""
    found, now = run_async(_open(settings_from_environment())), datetime.now(UTC)
    if as_json:
        echo(json.dumps([_as_json(one) for one in found], indent=2))
    elif found:
        Screen().print(_table(found, now))
    else:
        echo("Nothing is open.")


@app.command()
def export(
    customer: _Customer,
    *,
    output: Annotated[
        Path | None, typer.Option(help="Write to this new file, which its owner alone can read; else to the terminal.")
    ] = None,
) -> None:
    """Print all that is kept of a customer as JSON, to be handed to them (GDPR Art. 15 and 20).

    It names them: keep it out of logs and tickets.
    """
    whose = split_customer(customer)
    kept = run_async(_kept(settings_from_environment(), whose))
    if kept is None:
        raise CommandError(f"nothing is kept of {customer}")
    shop, customer_id = whose
    head = {"shop": shop, "customer_id": customer_id, "exported_at": datetime.now(UTC).isoformat()}
    text = json.dumps(head | kept, indent=2, ensure_ascii=False) + "\n"
    if output is None:
        echo(text, nl=False)
        return
    _write(output, text)
    rows = sum(len(rows) for rows in kept.values())
    echo(f"{rows} rows of {len([one for one in kept.values() if one])} tables written to {output}", err=True)


@app.command()
def erase(
    customer: _Customer,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="They are to be forgotten; there is no way back.")] = False,
) -> None:
    """Forget a customer for good: orders, messages, consents, addresses, and what the inbox kept of them.

    What is left is their ids, by which what a shop tells of them later is not taken in, and that an address that had
    opted out is not to be written to, as a keyed hash. Their journeys go on for a while in Temporal, which knows ids
    alone, and send nothing more.
    """
    shop, customer_id = split_customer(customer)
    if not yes:
        raise CommandError(f"this forgets {customer} for good: say it again with --yes")
    gone = run_async(_erase(settings_from_environment(), shop, customer_id))
    echo(f"{customer}: {gone}")


@app.command()
def done(
    request: Annotated[int, typer.Argument(metavar="ID", help="The request, as `postlude privacy list` says.")],
) -> None:
    """Mark a request as answered."""
    if not run_async(_done(settings_from_environment(), request)):
        raise CommandError(f"there is no open request {request}: see `postlude privacy list`")
    echo(f"request {request} is done")


def split_customer(customer: str) -> tuple[str, str]:
    """SHOP/CUSTOMER_ID as its two parts; the id may hold further slashes.

    Raises:
        CommandError: there is no slash, or nothing on one of its sides. Repeats nothing: somebody may type an address.
    """
    shop, _, customer_id = customer.partition("/")
    if not shop or not customer_id:
        raise CommandError("that is not a customer: write SHOP/CUSTOMER_ID, such as acme/c-17")
    return shop, customer_id


async def _open(settings: Settings) -> list[Request]:
    async with connected_database(settings) as pool:
        return list(await privacy.open_requests(pool))


async def _kept(settings: Settings, whose: tuple[str, str]) -> dict[str, list[Any]] | None:
    async with connected_database(settings) as pool:
        return await privacy.kept(pool, *whose)


async def _erase(settings: Settings, shop: str, customer_id: str) -> Erased:
    async with connected_database(settings) as pool:
        gone = await privacy.erase(pool, shop, customer_id, now=datetime.now(UTC))
        await forget_erased_at(pool, settings.home)
        return gone


async def _done(settings: Settings, request: int) -> bool:
    async with connected_database(settings) as pool:
        return await privacy.finish(pool, request, datetime.now(UTC))


def _write(output: Path, text: str) -> None:
    """A new file: one that is there may be readable to others, or another person's."""
    try:
        opened = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    except FileExistsError:
        raise CommandError(f"{output} is there already: name a new file") from None
    except OSError as error:
        raise CommandError(f"{output} cannot be written: {error.strerror}") from error
    with os.fdopen(opened, "w", encoding="utf-8") as file:
        file.write(text)


def _as_json(request: Request) -> dict[str, Any]:
    return {
        "id": request.id,
        "customer": f"{request.shop}/{request.customer_id}" if request.customer_id else request.shop,
        "kind": request.kind,
        "request_id": request.request_id,
        "requested_at": request.requested_at.isoformat(),
        "due_at": request.due_at.isoformat(),
    }


def _table(found: list[Request], now: datetime) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("ID", "Who", "Asked", "Due", "What"):
        table.add_column(title, overflow="fold")
    for one in found:
        due = styled(clock(one.due_at), "red") if one.due_at <= now else clock(one.due_at)
        who = f"{one.shop}/{one.customer_id}" if one.customer_id else one.shop
        table.add_row(str(one.id), who, clock(one.requested_at), due, _WHAT[one.kind])
    return table
