"""`postlude remedy …`: what was offered for parcels that will not come, and people's words about it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from journey.remedies import ENDS, By, Choice, remedy_id
from starters.commands.naming import HELP, Named, Numbers, find, label_in
from starters.commands.support import (
    CommandError,
    clock,
    connected_database,
    connected_temporal,
    run_async,
    settings_from_environment,
)
from starters.journeys import TemporalJourneys
from starters.terminal import Screen, echo
from store import order_numbers, remedies
from store.pool import Pool
from store.remedy_rows import Remedy
from workers.settings import Settings
from workflows.remedy_case import TYPE, RemedySaga

app = typer.Typer(help="Replacements and refunds for parcels that will not come.", no_args_is_help=True)

# A step at the shop that is under way is heard to its end before a word is taken up.
_UPDATE: Final = timedelta(minutes=2)
_MOST: Final = 10_000

Order = Annotated[str, typer.Argument(metavar="SHOP/ID", help=HELP)]
Part = Annotated[str | None, typer.Option(help="The parcel's number, where the order has several remedies.")]
ByName = Annotated[str, typer.Option("--by", help="Who says so.")]


@app.command("list")
def list_remedies(
    *,
    shop: Annotated[str | None, typer.Option(help="Only this shop's.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what has ended.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many, newest first.")] = 100,
) -> None:
    """List remedies that are open, newest first."""
    rows, numbers = run_async(_list(settings_from_environment(), shop, everything, limit))
    table = Table(box=None, pad_edge=False)
    table.add_column("Order", overflow="fold", min_width=16)
    table.add_column("Parcel", overflow="fold")
    table.add_column("Offered (UTC)", no_wrap=True)
    for title in ("Reason", "Amount", "Status", "Choice"):
        table.add_column(title)
    for row in rows:
        order = label_in(numbers, row.shop, row.order_id)
        cells = (order, row.part, f"{row.offered_at.astimezone(UTC):%Y-%m-%d %H:%M}", row.reason)
        table.add_row(*cells, f"{row.amount} {row.currency}", row.status, row.choice or "-")
    _console().print(table if rows else "no such remedies")


async def _list(settings: Settings, shop: str | None, everything: bool, limit: int) -> tuple[list[Remedy], Numbers]:
    async with connected_database(settings) as pool:
        rows = await remedies.listed(pool, shop=shop, still_open=not everything, limit=limit)
        return rows, await _numbers(pool, rows)


@app.command()
def show(order: Order, *, part: Part = None) -> None:
    """Show a remedy: why, what there was to choose, who chose, and how far it is."""
    named, row = run_async(_find(settings_from_environment(), order, part))
    console = _console()
    for name, said in _account(named, row):
        if said:
            console.print(f"{name}: {said}")


@app.command()
def choose(order: Order, choice: Annotated[Choice, typer.Argument()], *, by: ByName, part: Part = None) -> None:
    """Choose for the customer, or something else than was chosen, as long as nothing was made."""
    echo(run_async(_choose(settings_from_environment(), order, part, choice, by)))


async def _choose(settings: Settings, order: str, part: str | None, choice: Choice, by: str) -> str:
    named, row = await _find(settings, order, part)
    if row.choice is None:
        now = datetime.now(UTC)
        async with connected_database(settings) as pool, pool.acquire() as connection, connection.transaction():
            chosen = await remedies.choose(
                *(connection, row.shop, row.order_id, row.part, choice),
                by=By.OPERATOR,
                at=max(now, row.offered_at),
                received_at=now,
                operator=by,
            )
        if chosen is not None and chosen.new:
            return f"parcel {row.part} of order {named}: {choice}"
        if chosen is None or chosen.stands is None:
            options = ", ".join(row.options) or "nothing"
            raise CommandError(f"order {named} refused: there is {options} to choose from")
    return await _update(settings, named, row, RemedySaga.choose, [choice, by])


@app.command()
def approve(order: Order, *, by: ByName, part: Part = None) -> None:
    """Say yes to what a remedy costs."""
    _say(order, part, RemedySaga.approve, [by])


@app.command()
def decline(
    order: Order,
    *,
    by: ByName,
    why: Annotated[str, typer.Option(help="The reason as one word, such as found_again.")],
    part: Part = None,
) -> None:
    """Say no to it."""
    _say(order, part, RemedySaga.decline, [by, why])


@app.command()
def done(
    order: Order,
    *,
    by: ByName,
    reference: Annotated[str, typer.Option(help="What the new order or the refund is called at the shop.")],
    what: Annotated[Choice | None, typer.Option(help="What was done; without it, what was chosen.")] = None,
    part: Part = None,
) -> None:
    """Say that it was done by hand, and what was done: its customer is told just that."""
    _say(order, part, RemedySaga.done, [by, reference, what])


@app.command("call-off")
def call_off(order: Order, *, by: ByName, part: Part = None) -> None:
    """Do nothing after all, as long as nothing was made; what was begun is undone."""
    _say(order, part, RemedySaga.call_off, [by])


@app.command()
def restart(
    order: Annotated[str | None, typer.Argument(metavar="SHOP/ID", help=HELP)] = None,
    *,
    part: Part = None,
    all_open: Annotated[bool, typer.Option("--all-open", help="All that an older version's workflow runs.")] = False,
) -> None:
    """Stop what is under way for a remedy and begin it again from its row, as after an upgrade that says so.

    Nothing is made twice: it waits until what the stopped one asked the shop for has been carried out, and then looks.
    """
    if (order is None) is not all_open:
        raise CommandError("say which order, or --all-open")
    for said in run_async(_restart(settings_from_environment(), order, part)):
        echo(said)


async def _restart(settings: Settings, order: str | None, part: str | None) -> list[str]:
    client = await connected_temporal(settings)
    journeys = TemporalJourneys(client, settings.task_queue)
    if order is not None:
        named, found = await _find(settings, order, part)
        rows, numbers = [found], {(named.shop, named.order_id): named.number or named.order_id}
    else:
        async with connected_database(settings) as pool:
            rows = await remedies.listed(pool, still_open=True, limit=_MOST)
            numbers = dict(await _numbers(pool, rows))
    said = []
    for row in rows:
        whose = label_in(numbers, row.shop, row.order_id)
        name = f"parcel {row.part} of order {whose}"
        if row.choice is None or row.status in ENDS:
            if order is not None:
                raise CommandError(f"order {whose} has no remedy under way: it is {row.status}")
            continue
        if order is None and await _of_today(client, row):
            continue
        shown = numbers.get((row.shop, row.order_id))
        await journeys.settle_anew(row.request.but(number=shown))
        said.append(f"{name}: begun again")
    return said or ["nothing to begin again"]


async def _of_today(client: Client, row: Remedy) -> bool:
    """Whether this version's workflow runs it; also where the relay is still to start one."""
    try:
        found = await client.get_workflow_handle(row.request.workflow_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return True
        raise
    return found.workflow_type == TYPE


def _say(order: str, part: str | None, update: Any, arguments: list[Any]) -> None:
    settings = settings_from_environment()

    async def work() -> str:
        return await _update(settings, *await _find(settings, order, part), update, arguments)

    echo(run_async(work()))


async def _numbers(pool: Pool, rows: list[Remedy]) -> Numbers:
    return await order_numbers.shown(pool, [(row.shop, row.order_id) for row in rows])


async def _find(settings: Settings, order: str, part: str | None) -> tuple[Named, Remedy]:
    async with connected_database(settings) as pool:
        named = await find(pool, order)
        rows = await remedies.listed(pool, shop=named.shop, order_id=named.order_id)
    found = [row for row in rows if part in {None, row.part}]
    if not found:
        raise CommandError(f"order {named} has no such remedy: postlude remedy list --all")
    if len(found) > 1:
        parts = ", ".join(row.part for row in found)
        raise CommandError(f"order {named} has several remedies: say which with --part, of {parts}")
    return named, found[0]


async def _update(settings: Settings, order: Named, row: Remedy, update: Any, arguments: list[Any]) -> str:
    client = await connected_temporal(settings)
    handle: WorkflowHandle[RemedySaga, str] = client.get_workflow_handle_for(
        RemedySaga.run, remedy_id(row.shop, row.order_id, row.part)
    )
    try:
        stands = await asyncio.wait_for(handle.execute_update(update, args=arguments), timeout=_UPDATE.total_seconds())
    except WorkflowUpdateFailedError as error:
        reason = error.cause.message if isinstance(error.cause, ApplicationError) else str(error.cause)
        raise CommandError(f"order {order} refused: {reason}") from error
    except TimeoutError as error:
        said = "the word is kept, and acted on once the shop has had its time: see postlude remedy show"
        raise CommandError(f"order {order} did not answer yet: {said}; is a worker running?") from error
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise CommandError(f"order {order} has no remedy under way: it is {row.status}") from error
        raise
    return f"parcel {row.part} of order {order}: {stands}"


def _account(named: Named, row: Remedy) -> list[tuple[str, str | None]]:
    goods = ", ".join(f"{quantity} x {sku}" for sku, quantity in row.skus)
    who = {By.OPERATOR: row.operator, By.DEFAULT: "default"}.get(row.chosen_by) if row.chosen_by else None
    chose = f"{row.choice} by {who or row.chosen_by}, {clock(row.chosen_at)}" if row.choice else None
    return [
        ("Order", str(named)),
        ("Parcel", f"{row.part}, {row.reason}"),
        ("Status", f"{row.status}" + (f", {row.failure}" if row.failure else "")),
        ("Goods", goods + ("" if row.sure else " (a guess)")),
        ("Amount", f"{row.amount} {row.currency}"),
        ("Options", ", ".join(row.options)),
        (
            "Offered",
            f"{clock(row.offered_at)}, to choose by {clock(row.choose_by)}, else {row.otherwise or 'a person'}",
        ),
        ("Chosen", chose),
        ("Approved", f"by {row.approved_by}, {clock(row.approved_at)}" if row.approved_by else None),
        ("Reserved as", row.reservation),
        ("At the shop", row.reference),
        ("Coupon", row.coupon),
    ]


def _console() -> Screen:
    return Screen()
