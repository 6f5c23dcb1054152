"""`postlude template …`: see one touch as a customer would, and check all of them."""

import re
import webbrowser
from pathlib import Path
from typing import Annotated, Final

import typer

from activities.messaging.samples import DELAYS, PROBLEMS
from journey.playbook import Channel, PlaybookError, Touch, load_playbook
from starters.commands.files import read_order
from starters.commands.support import CommandError, settings_from_environment
from starters.gallery import Card, card, example_order, text_page
from starters.terminal import echo
from store import line_facts, sums
from store.intake import OrderCreated
from store.messages import MessageFacts, MessageLine
from workers.services import load_templates
from workers.settings import Settings

app = typer.Typer(help="Templates: what a message says, in every language and on every channel.", no_args_is_help=True)

_PREVIEWED_KEY: Final = "previewed"
"""Guests of a preview get ids, too; nobody ever sees them."""
_LOCALE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")


@app.command()
def preview(
    touch: Annotated[str, typer.Argument(metavar="TOUCH", help="A touch's id, as the playbook has it.")],
    *,
    locale: Annotated[str | None, typer.Option(help="Such as de or de-AT; else the order's own.")] = None,
    order: Annotated[Path | None, typer.Option(help="An order.created event as JSON; else a made-up one.")] = None,
    channel: Annotated[Channel, typer.Option(help="How it would travel.")] = Channel.EMAIL,
    reason: Annotated[str | None, typer.Option(help="The parcel's trouble, such as address or weather.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write; else in the home, by touch and locale.")] = None,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open it in the browser.")] = True,
) -> None:
    """Write a touch for an order to an HTML file, as its customer would read it."""
    settings = settings_from_environment()
    if locale is not None and not _LOCALE.fullmatch(locale):
        raise typer.BadParameter("give a language such as de, or de-AT", param_hint="--locale")
    if reason is not None and reason not in (*PROBLEMS, *DELAYS):
        known = ", ".join(sorted({*PROBLEMS, *DELAYS}))
        raise typer.BadParameter(f"know {known}", param_hint="--reason")
    facts = _facts(order, locale)
    shown = card(load_templates(settings), facts, _touch(settings, touch), channel, reason)
    file = out or settings.home / "previews" / f"{touch}-{facts.locale}-{channel.value}.html"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(shown.mail.html if shown.mail else text_page(shown), encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}") from error
    echo(_summary(shown))
    echo(str(file))
    if show and not webbrowser.open(file.absolute().as_uri()):
        echo("no browser was found: open the file by hand", err=True)


@app.command()
def check() -> None:
    """Try every template in every language on every channel, and name what is wrong."""
    templates = load_templates(settings_from_environment())
    problems = templates.check()
    for problem in problems:
        echo(f"error: {problem}")
    errors = f"{len(problems)} error{'' if len(problems) == 1 else 's'}"
    echo(f"{len(templates.names)} templates in {', '.join(templates.languages)}: {errors}")
    if problems:
        raise typer.Exit(1)


def _summary(shown: Card) -> str:
    if shown.mail is not None:
        return f"{shown.mail.subject}\n{shown.mail.preview}"
    if shown.short is None:
        return ""
    lines = [line for line in (shown.short.title, shown.short.body) if line]
    if shown.segments is not None:
        lines.append(f"{shown.segments.segments} SMS, {shown.segments.units} characters, {shown.segments.encoding}")
    if shown.short.template:
        lines.append(f"template {shown.short.template} ({shown.short.language}): {' | '.join(shown.short.parameters)}")
    return "\n".join(lines)


def _touch(settings: Settings, wanted: str) -> Touch:
    file = settings.playbook_path
    try:
        playbook = load_playbook(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from error
    except (PlaybookError, UnicodeDecodeError) as error:
        raise CommandError(f"{file.name}: {error}") from error
    if wanted not in playbook.by_id:
        raise CommandError(f"there is no touch {wanted!r} in {file.name}; it has {', '.join(sorted(playbook.by_id))}")
    return playbook.by_id[wanted]


def _facts(order: Path | None, locale: str | None) -> MessageFacts:
    if order is None:
        return example_order(locale or "en")
    event, _ = read_order(order, secret_key=_PREVIEWED_KEY)
    return _as_read(event, locale or event.customer.locale or "en")


def _as_read(event: OrderCreated, locale: str) -> MessageFacts:
    """What the store would hand out for this order: nothing shipped or refunded yet."""
    customer, promise = event.customer, event.estimated_delivery
    return MessageFacts(
        shop=event.shop,
        order_id=event.order_id,
        email=customer.email,
        first_name=customer.first_name,
        locale=locale,
        time_zone=customer.time_zone,
        country=customer.country,
        placed_at=event.at,
        currency=event.currency,
        total=event.total,
        channel=event.channel,
        buyer="repeat" if (customer.orders_count or 0) > 1 else "first",
        lines=tuple(
            MessageLine(
                *(line.sku, line.title, line.quantity, line.unit_price, line.category, line.kind),
                line_facts.said_of(line),
            )
            for line in event.lines
        ),
        parcels=(),
        collected=event.delivery.collected,
        delivery=event.delivery,
        promised=(None, None) if promise is None else (promise.earliest, promise.latest),
        sums=sums.of(event.sums, currency=event.currency, total=event.total, lines=event.lines),
        number=event.number or "",
        contact_email=event.email,
        contact_phone=event.phone,
    )
