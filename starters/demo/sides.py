"""An order from both sides: what its customer saw, and what the shop's people were told and could look up."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from pydantic import BaseModel
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from starters.demo.calendar import Diary
from starters.demo.play import Progress
from store.remedy_rows import Remedy
from workers.mail_catcher import CaughtMail

_DIVIDES: Final = " · "
"""Between the parts of an alert's line: see `activities.alerts.Alert.line`."""


class OnDay(BaseModel):
    """Something on a day of the order's calendar."""

    day: int
    what: str


class Seen(OnDay):
    """Something that the customer saw or did; `marketing`: an offer rather than something about the order."""

    marketing: bool = False


class Looked(BaseModel):
    """A word by which people find the journey in the Temporal UI, from the first to the last day on which it stood."""

    what: str
    since: int
    until: int | None


class Sides(BaseModel):
    """One order from both sides.

    Attributes:
        order: SHOP/ID.
        kind: in two words.
        customer: every message, and what the customer did about a remedy.
        alerts: what the shop's people were told, each as `kind` or `kind: rule`, in the order in which they were.
        attention: what the search attribute Attention said.
        delivery: the order's state over its parcels, as the journey's timeline had it.
        remedies: how each remedy stands, in one line.
    """

    order: str
    kind: str
    customer: list[Seen]
    alerts: list[str]
    attention: list[Looked]
    delivery: list[OnDay]
    remedies: list[str]


def sides(
    diary: Diary,
    progress: Progress,
    attention: Sequence[tuple[datetime, Sequence[str]]],
    alerts: Iterable[CaughtMail],
    made_good: Iterable[Remedy],
) -> Sides:
    """One order from both sides.

    Args:
        diary: its messages.
        progress: what the player saw of it.
        attention: see `starters.demo.histories.attention`.
        alerts: all mails to the shop's people, oldest first.
        made_good: its remedies.
    """
    customer = [(one.at, diary.words(one), one.purpose == "marketing") for one in diary.sent]
    customer += [(at, f"pressed: {choice}", False) for at, choice in progress.pressed]
    customer.sort(key=lambda entry: entry[0])
    return Sides(
        order=diary.story.order,
        kind=diary.story.kind,
        customer=[Seen(day=diary.day(at), what=what, marketing=marketing) for at, what, marketing in customer],
        alerts=[said for mail in alerts if (said := _alert(mail.subject, diary.story.order)) is not None],
        attention=_looked(diary, attention),
        delivery=[OnDay(day=diary.day(at), what=what) for at, what in progress.delivery],
        remedies=[_stand(remedy) for remedy in made_good],
    )


def side_by_side(told: Sequence[tuple[Diary, Sides]]) -> RenderableType:
    """Both sides of these orders in two columns."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0), expand=True, header_style="dim")
    table.add_column("", style="bold", ratio=3)
    table.add_column("what the customer saw", ratio=9)
    table.add_column("what the operator saw", ratio=10)
    for diary, seen in told:
        table.add_row(Text(f"{diary.story.person}, {seen.kind}"), _days(seen.customer), _operator(seen))
    return table


def _looked(diary: Diary, attention: Sequence[tuple[datetime, Sequence[str]]]) -> list[Looked]:
    found: list[Looked] = []
    standing: dict[str, Looked] = {}
    for at, words in attention:
        for word in [known for known in standing if known not in words]:
            standing.pop(word).until = diary.day(at)
        for word in words:
            if word not in standing:
                standing[word] = Looked(what=word, since=diary.day(at), until=None)
                found.append(standing[word])
    return found


def _alert(subject: str, order: str) -> str | None:
    """What an alert about that order says beside its name; None where it is about another."""
    kind, *rest = subject.split(_DIVIDES)
    # An order that its shop shows by a number has that behind its id.
    if not any(part == order or part.startswith(f"{order} ") for part in rest):
        return None
    # The rule comes last: of a message it is the parcel's number, which says nothing more.
    rule = rest[2] if len(rest) > 2 and kind.replace(" ", "_") != rest[1] else None  # noqa: PLR2004  order, touch, rule
    return f"{kind}: {rule}" if rule else kind


def _stand(remedy: Remedy) -> str:
    chosen = f"{remedy.choice} by {remedy.chosen_by}" if remedy.choice else "nothing chosen"
    made = [f"the shop's {remedy.reference}"] if remedy.reference else []
    made += [f"coupon {remedy.coupon}"] if remedy.coupon else []
    return ", ".join([f"{remedy.reason}: {chosen}, {remedy.status}", f"{remedy.amount} {remedy.currency}", *made])


def _days(found: Sequence[OnDay], *, between: str = ", ") -> Text:
    """Day by day, each day's things behind its number."""
    text = Text()
    day: int | None = None
    for one in found:
        if one.day != day:
            text.append(("  " if text else "") + f"{one.day}: ", style="bold cyan")
            day = one.day
        else:
            text.append(between)
        text.append(one.what, style="dim" if isinstance(one, Seen) and one.marketing else "")
    return text


def _operator(seen: Sides) -> Text:
    text = Text()
    lines = {"told": Text(" · ".join(seen.alerts)), "attention": Text(", ".join(map(_span, seen.attention)))}
    lines |= {"remedy": Text("; ".join(seen.remedies)), "delivery": _days(seen.delivery, between="; ")}
    for name, said in lines.items():
        if said:
            text.append(("\n" if text else "") + f"{name}  ", style="yellow")
            text.append_text(said)
    return text


def _span(one: Looked) -> str:
    days = (
        f"day {one.since}"
        if one.until == one.since
        else f"day {one.since} to {'the end' if one.until is None else one.until}"
    )
    return f"{one.what} ({days})"
