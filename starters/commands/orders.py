"""`postlude order …`: start one, look at it, let time pass for it, steer it."""

import asyncio
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from journey.base import workflow_id
from journey.durations import parse_duration
from starters.account import Account, Message, Parcel, account
from starters.commands.files import read_order
from starters.commands.naming import HELP, find, find_anywhere, label
from starters.commands.replays import replay
from starters.commands.support import (
    CommandError,
    clock,
    connected_database,
    connected_temporal,
    run_async,
    settings_from_environment,
)
from starters.dispatch import COMMAND
from starters.fast_forward import Clocks
from starters.local import resolved
from starters.terminal import Screen, echo, styled
from store import accounts, inbox
from workers.settings import SettingMissingError, Settings
from workflows.order_journey import OrderJourney

app = typer.Typer(help="Orders and their journeys.", no_args_is_help=True)
app.command()(replay)

_START_SECONDS: Final = 5.0
_UPDATE: Final = timedelta(seconds=15)

Order = Annotated[str, typer.Argument(metavar="SHOP/ID", help=HELP)]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


class OrderStatus(StrEnum):
    """What `order list` can be narrowed to."""

    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"


@app.command()
def start(
    file: Annotated[Path, typer.Argument(help="An order.created event, or its data alone, as JSON.", dir_okay=False)],
) -> None:
    """Start an order's journey from a file: it goes through the inbox, as a webhook would."""
    echo(run_async(_start(settings_from_environment(), file)))


async def _start(settings: Settings, file: Path) -> str:
    settings = resolved(settings)
    event, body = read_order(file, secret_key=settings.needed("secret_key"))
    # The same order said twice in the same words is one event, as with every webhook.
    event_id = hashlib.sha256(json.dumps(json.loads(body), sort_keys=True).encode()).hexdigest()
    order = f"{event.shop}/{event.order_id}"
    async with connected_database(settings) as pool:
        new = await inbox.keep(
            pool,
            source=COMMAND,
            event_id=event_id,
            topic=event.type,
            body=body,
            events=[event],
            received_at=datetime.now(UTC),
        )
        if not new:
            return f"order {order} was taken in before: postlude order show {order}"
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            if not await accounts.undelivered(pool, COMMAND, [event_id]):
                return f"order {order} is on its way: postlude order show {order}"
            await asyncio.sleep(0.1)
    return f"order {order} is kept in the inbox; it starts as soon as a gateway and Temporal are up"


@app.command()
def show(order: Order, *, as_json: AsJson = False) -> None:
    """Show what happened to an order, what is next, and every message with the rule of each that did not go."""
    found = run_async(_show(settings_from_environment(), order))
    if as_json:
        echo(found.model_dump_json(indent=2))
    else:
        _print_account(found)


async def _show(settings: Settings, order: str) -> Account:
    async with connected_database(settings) as pool:
        named = await find(pool, order)
        try:
            client = await connected_temporal(settings)
        except (CommandError, SettingMissingError):
            client = None  # the ledger still knows what was sent
        return await account(pool, client, named.shop, named.order_id)


@app.command("list")
def list_orders(
    *,
    shop: Annotated[str | None, typer.Option(help="Only this shop's.")] = None,
    status: Annotated[OrderStatus | None, typer.Option(help="Only these.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many, newest first.")] = 100,
) -> None:
    """List orders, newest first."""
    rows = run_async(_list(settings_from_environment(), shop, status, limit))
    table = Table(box=None, pad_edge=False)
    table.add_column("Order", overflow="fold")
    table.add_column("Number", overflow="fold")
    table.add_column("Placed (UTC)", no_wrap=True)
    table.add_column("Status", overflow="fold")
    for title in ("Country", "Sent"):
        table.add_column(title, no_wrap=True)
    for row in rows:
        state = (f"finished, {row.ended_why}" if row.ended_why else "finished") if row.ended_at else "running"
        table.add_row(
            f"{row.shop}/{row.order_id}",
            row.number,
            f"{row.placed_at.astimezone(UTC):%Y-%m-%d %H:%M}",
            f"{state}, cancelled" if row.status == "cancelled" else state,
            row.country or "-",
            str(row.sent),
        )
    _console().print(table if rows else "no such orders")


async def _list(
    settings: Settings, shop: str | None, status: OrderStatus | None, limit: int
) -> list[accounts.OrderRow]:
    async with connected_database(settings) as pool:
        return await accounts.orders(pool, shop=shop, status=status, limit=limit)


@app.command("fast-forward")
def fast_forward(order: Order, span: Annotated[str, typer.Argument(help="How long, such as 9d or 12h.")]) -> None:
    """Let time pass for one journey, where the server allows it: the embedded one does."""
    try:
        length = parse_duration(span)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="SPAN") from error
    echo(run_async(_fast_forward(settings_from_environment(), order, length)))


async def _fast_forward(settings: Settings, order: str, span: timedelta) -> str:
    named = await find_anywhere(settings, order)
    clocks = Clocks(await connected_temporal(settings))
    if not await clocks.forward(named.shop, named.order_id, span):
        return f"the journey of order {named} has ended: postlude order show {named.shop}/{named.order_id}"
    return f"for order {named} it is now {clock(await clocks.now(named.shop, named.order_id))}"


@app.command()
def pause(order: Order) -> None:
    """Send nothing for this order until it is resumed."""
    _steer(order, OrderJourney.pause)


@app.command()
def resume(order: Order) -> None:
    """Let a paused journey go on."""
    _steer(order, OrderJourney.resume)


@app.command()
def skip(order: Order, touch: Annotated[str, typer.Argument(help="The touch's key, as `order show` has it.")]) -> None:
    """Never send this touch to this order."""
    _steer(order, OrderJourney.skip_touch, touch)


@app.command("send-now")
def send_now(
    order: Order, touch: Annotated[str, typer.Argument(help="The touch's key, as `order show` has it.")]
) -> None:
    """Send this touch at once, whatever the hour and the caps say; consent still decides."""
    _steer(order, OrderJourney.send_now, touch)


def _steer(order: str, update: Any, touch: str | None = None) -> None:
    echo(run_async(_update(settings_from_environment(), order, update, [] if touch is None else [touch])))


async def _update(settings: Settings, order: str, update: Any, arguments: list[str]) -> str:
    named = await find_anywhere(settings, order)
    client = await connected_temporal(settings)
    handle: WorkflowHandle[OrderJourney, str] = client.get_workflow_handle_for(
        OrderJourney.run, workflow_id(named.shop, named.order_id)
    )
    try:
        timeline = await asyncio.wait_for(
            handle.execute_update(update, args=arguments), timeout=_UPDATE.total_seconds()
        )
    except WorkflowUpdateFailedError as error:
        reason = error.cause.message if isinstance(error.cause, ApplicationError) else str(error.cause)
        raise CommandError(f"order {named} refused: {reason}") from error
    except TimeoutError as error:
        raise CommandError(f"order {named} did not answer: is a worker running?") from error
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise CommandError(f"order {named} has no journey that still runs") from error
        raise
    following = timeline.next
    when = f" at {clock(following.at)}" if following.at is not None else ""
    return f"order {named} is {timeline.status}; next: {following.touch or following.why}{when}"


def _print_account(found: Account) -> None:
    console = _console()
    name = label(found.order, found.number)
    about = f"  {found.status}, phase {found.phase}, its clock {clock(found.now)}"
    console.print(styled(name, "bold"), about, sep="")
    what = found.next.touch or found.next.why
    console.print(f"Next: {what}" + (f" at {clock(found.next.at)}" if found.next.at else ""))
    if found.money is not None:
        console.print(f"Money: {found.money}")
    if found.delivery:
        console.print(f"Delivery: {found.delivery}")
    if found.attention:
        console.print(styled(f"Wants a look: {', '.join(found.attention)}", "yellow"))
    for parcel in found.parcels:
        console.print(_parcel(parcel))
    for remedy in found.remedies:
        chosen = f", {remedy.choice} by {remedy.by}" if remedy.choice else f", to choose by {clock(remedy.choose_by)}"
        console.print(f"Remedy for {remedy.part} ({remedy.reason}): {remedy.stand}{chosen}")
    for ahead in found.watching:
        console.print(f"Unless there is news: {ahead.touch} at {clock(ahead.at)}")
    table = Table(box=None, pad_edge=False)
    table.add_column("When (UTC)", no_wrap=True)
    table.add_column("Touch", overflow="fold")
    table.add_column("Channel", no_wrap=True)
    table.add_column("Status", no_wrap=True)
    table.add_column("Rule, and what was heard of it", overflow="fold")
    for message in found.messages:
        cells = (message.touch, message.channel, message.status, "\n".join(_story(message)))
        table.add_row(f"{message.at:%Y-%m-%d %H:%M}", *cells)
    console.print(table if found.messages else "No messages yet.")


def _parcel(parcel: Parcel) -> str:
    reason = f" ({parcel.reason})" if parcel.reason else ""
    promised = f", promised {parcel.estimated_delivery}" if parcel.estimated_delivery else ""
    expected = ""
    if parcel.expected is not None:
        sure = f" ({parcel.expected.probability:.0%})" if parcel.expected.probability is not None else ""
        expected = f", expected by {parcel.expected.day}{sure}, at the latest {parcel.expected.latest}"
    carrier = parcel.carrier or "carrier unknown"
    number = parcel.number or ("in the store" if parcel.tracking_number.startswith("pickup:") else "without a number")
    return f"Parcel {number} ({carrier}): {parcel.status}{reason}{promised}{expected}"


def _story(message: Message) -> Iterator[str]:
    """Its rule, those against other channels, and what was heard of it: a line each."""
    if message.rule is not None:
        yield f"{message.rule} ({message.merged_into})" if message.merged_into else message.rule
    for channel, rule in message.why.items():
        # Of the only channel there was, the rule has said it.
        if len(message.why) > 1 or rule != message.rule:
            yield f"not by {channel}: {rule}"
    yield from map(str, message.events)


def _console() -> Screen:
    return Screen()
