"""`postlude customer …`: why somebody did not get it, or did."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from rich.table import Table
from rich.text import Text

from starters.commands.naming import label
from starters.commands.support import (
    CommandError,
    clock,
    connected_database,
    run_async,
    settings_from_environment,
)
from starters.customer_account import Contact, CustomerAccount, Evidence, customer_account
from starters.reasons import in_words
from starters.terminal import Screen, echo, styled
from store import cleaning, history
from store.history import Place
from store.pool import Pool
from workers.settings import Settings

app = typer.Typer(help="Customers: consent with its evidence, and every message and non-send.", no_args_is_help=True)
# A callback keeps a lone command from being taken for the whole group.
app.callback()(lambda: None)

_ANSWERS_SHOWN: Final = 20
_WORDING_SHOWN: Final = 60
_STORY_WIDTH: Final = 36


@app.command()
def show(
    customer: Annotated[
        str | None, typer.Argument(metavar="[SHOP/CUSTOMER_ID]", help="The customer, such as acme/c-17.")
    ] = None,
    *,
    email: Annotated[str | None, typer.Option(help="Look the customer up by e-mail address instead.")] = None,
    phone: Annotated[str | None, typer.Option(help="Look the customer up by number, with its country's code.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most this many messages, newest first.")] = 50,
    after: Annotated[str | None, typer.Option(help="Go on where the page before ended, as it said.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Show why a customer got a message or did not: consent, suppressions, and every message with its rule.

    Addresses are looked up and never shown; the JSON names nobody but by ids.
    """
    found = run_async(_show(settings_from_environment(), (customer, email, phone), limit, _place(after)))
    if as_json:
        echo(found.model_dump_json(indent=2))
    else:
        _print(found, Screen())


async def _show(
    settings: Settings, named: tuple[str | None, str | None, str | None], limit: int, after: Place | None
) -> CustomerAccount:
    async with connected_database(settings) as pool:
        shop, customer_id = await chosen(pool, *named)
        found = await customer_account(pool, shop, customer_id, now=datetime.now(UTC), limit=limit, after=after)
    if found is None:
        raise CommandError(f"there is no customer {shop}/{customer_id}, or nothing is kept of them any more")
    return found


async def chosen(pool: Pool, customer: str | None, email: str | None, phone: str | None) -> tuple[str, str]:
    """The one customer that is named, as (shop, customer id).

    Args:
        pool: the database.
        customer: SHOP/CUSTOMER_ID, taken at its word.
        email: an address to look up instead.
        phone: or a number, with its country's code.

    Raises:
        CommandError: not exactly one of them is given, it cannot be one, or none or several customers have it. The
            text never repeats what was given: somebody may type an address anywhere.
    """
    if (customer, email, phone).count(None) != 2:  # noqa: PLR2004  one of the three
        raise CommandError("name one customer: SHOP/CUSTOMER_ID, --email ADDRESS or --phone NUMBER")
    if customer is not None:
        shop, _, customer_id = customer.partition("/")
        if not shop or not customer_id:
            raise CommandError("that is not a customer: write SHOP/CUSTOMER_ID, such as acme/c-17")
        return shop, customer_id
    what = "number" if email is None else "e-mail address"
    usable = cleaning.phone(phone, None) if email is None else cleaning.email(email)
    if usable is None:
        raise CommandError(f"that is no usable {what}" + (": write it with its country's code" if phone else ""))
    found = await (history.find(pool, phone=usable) if email is None else history.find(pool, email=usable))
    if not found:
        raise CommandError(f"no customer has this {what}")
    if len(found) > 1:
        names = ", ".join(f"{shop}/{customer_id}" for shop, customer_id in found)
        raise CommandError(f"several customers have this {what}, name one: {names}")
    return found[0]


def _place(after: str | None) -> Place | None:
    try:
        return Place.parse(after) if after is not None else None
    except ValueError as error:
        raise typer.BadParameter("write what the page before said", param_hint="--after") from error


def _print(found: CustomerAccount, console: Screen) -> None:
    about = f"  {found.country or 'country unknown'}, {found.locale}"
    console.print(styled(found.customer, "bold"), about, sep="")
    console.print(styled(f"\nMarketing, at {clock(found.now)}", "bold"))
    console.print(_channels(found))
    for line in _wishes(found):
        console.print(line)
    console.print("What is about an order needs no consent; a bounced address stops that too, STOP its texts.")
    console.print(styled("\nWhat was said, newest first", "bold"))
    console.print(_answers(found.evidence) if found.evidence else "Nothing was ever said.")
    if len(found.evidence) > _ANSWERS_SHOWN:
        console.print(f"… and {len(found.evidence) - _ANSWERS_SHOWN} older: --json has them all")
    console.print(styled("\nMessages and non-sends, newest first", "bold"))
    console.print(_messages(found.messages) if found.messages else "None.")
    if found.next is not None:
        console.print(f"Older ones: --after {found.next}", soft_wrap=True)
    if found.messages:
        console.print("What is still to come: `postlude order show SHOP/ID`")


def _channels(found: CustomerAccount) -> Table:
    table = _table("Channel", "May go", "Why")
    for one in found.channels:
        devices = found.devices.get(one.channel)
        reasons = [f"{one.rule}: {in_words(one.rule)}" + (f", until {clock(one.until)}" if one.until else "")]
        if not one.addressed:
            reasons.append(f"no_address: {in_words('no_address')}")
        for listed in (listed for listed in found.suppressions if listed.channel == one.channel):
            where = " in every shop" if listed.everywhere else ""
            rule = f"suppressed_{listed.reason}"
            reasons.append(f"{rule} since {clock(listed.since)}{where} ({listed.masked}): {in_words(rule)}")
        if devices is not None:
            reasons.append(f"devices: {devices.living}" + (f", {devices.dead} gone" if devices.dead else ""))
        goes = one.allowed and one.addressed and one.suppressed is None
        table.add_row(one.channel, _yes(goes), "\n".join(reasons))
    return table


def _wishes(found: CustomerAccount) -> Iterator[str]:
    wishes = found.preferences
    if wishes.channel:
        yield f"Prefers {wishes.channel}."
    if wishes.frequency != "all":
        yield f"Wishes for {wishes.frequency} messages."
    if wishes.paused_until:
        yield f"Asked for a pause until {clock(wishes.paused_until)}."
    if wishes.topics_refused:
        yield f"Does not want: {', '.join(wishes.topics_refused)}."
    if wishes.locale:
        yield f"Chose the language {wishes.locale}."


def _answers(evidence: list[Evidence]) -> Table:
    table = _table("When (UTC)", "About", "Said", "How", "Where", "Wording, reference, source")
    for one in evidence[:_ANSWERS_SHOWN]:
        about = one.topic or one.channel or "everything"
        wording = one.wording or ""
        shown = f"“{wording[:_WORDING_SHOWN]}{'…' if len(wording) > _WORDING_SHOWN else ''}”" if wording else ""
        source = f"from {one.source_hash}" if one.source_hash else ""
        table.add_row(
            _when(one.at),
            about if one.purpose == "marketing" else f"{about} ({one.purpose})",
            _yes(one.granted),
            one.how + (", confirmed" if one.confirmed else "") + _upheld(one),
            one.jurisdiction or "?",
            "; ".join(part for part in (shown, one.reference or "", source) if part),
        )
    return table


def _yes(so: bool) -> Text:
    return styled("yes", "green") if so else styled("no", "red")


def _upheld(one: Evidence) -> str:
    return " (upheld)" if one.source == "opt_out_upheld" else ""


def _messages(messages: list[Contact]) -> Table:
    table = _table("When (UTC)", "Order, touch", "Channel", "Status", "Why, and what was heard of it")
    table.columns[-1].min_width = _STORY_WIDTH
    for one in messages:
        via = f"{one.channel}\n{one.provider}" if one.provider else one.channel
        what = f"{label(one.order, one.number)}\n{one.touch}"
        table.add_row(_when(one.at), what, via, one.status, "\n".join(_story(one)))
    return table


def _story(one: Contact) -> Iterator[str]:
    """Why it did not go, or not by another channel, and what was heard of it: a line each."""
    several = len(one.why) > 1
    # Where each channel says its own rule, the first of them is the message's.
    if one.rule is not None and not (several and one.rule in one.why.values()):
        until = f", until {clock(one.until)}" if one.until else ""
        into = f": {one.merged_into}" if one.merged_into else ""
        yield f"{one.rule}: {in_words(one.rule)}{until}{into}"
    for channel, rule in one.why.items():
        if several or rule != one.rule:
            yield f"not by {channel}: {rule}: {in_words(rule)}"
    if one.status == "claimed":
        yield "it is being sent at this moment, or a worker died over it; the next attempt settles it"
    yield from (str(event) for event in one.events)


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold", no_wrap=title.startswith("When"))
    return table


def _when(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"
