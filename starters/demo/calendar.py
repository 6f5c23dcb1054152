"""The calendar: what each customer got on which day, and what was held or refused, and why."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from journey.durations import format_duration
from starters.demo.holds import Hold
from starters.demo.story import Story
from store.accounts import LedgerRow

_COLUMN = 16
"""A customer's days need this many columns of the terminal."""
# Not held nor refused: the playbook has this touch for other orders.
_NOT_MEANT = "condition"
# Nor is this: it was said, in the message about another parcel.
_ALONG = "merged"
RULES: Mapping[str, str] = {
    "quiet_hours": "it was night where they live",
    "cap_per_day": "one such mail a day is enough",
    "cap_per_week": "four such mails a week are enough",
    "yields_to_higher_priority": "something more important had the slot",
    "no_consent": "never agreed to marketing mail",
    "no_address": "there is no address",
    "too_late": "its moment had passed",
    "journey_ended": "the journey was over",
    "never_delivered": "it was never delivered",
    "order_cancelled": "the order was cancelled",
    "ended_by_order_cancelled": "the order was cancelled",
    "ended_by_order_refunded": "the order was refunded",
    "ended_by_order_returned": "the order came back",
    "ended_by_order_lost": "the parcel was lost",
    "ended_by_customer_reordered": "they ordered again by themselves",
    "ended_by_review_posted": "the review was there already",
    "ended_by_negative_review": "they were unhappy: a person writes, marketing stops",
    "ended_by_parcel_delivered": "the parcel was there already",
    "ended_by_parcel_out_for_delivery": "it was on the van already",
    "open_parcel_problem": "nobody wants an offer while a parcel is in trouble",
}


@dataclass(frozen=True, slots=True)
class Diary:
    """One order as it went: the ledger's rows, and the holds on the way."""

    story: Story
    placed: datetime
    messages: Sequence[LedgerRow]
    holds: Sequence[Hold] = field(default=())

    def day(self, at: datetime) -> int:
        """The day of the order's calendar, by the customer's own clock; 0 is the day of the order."""
        return self.story.day(self.placed, at)

    @property
    def sent(self) -> list[LedgerRow]:
        """What went out."""
        return [one for one in self.messages if one.status == "sent"]

    def words(self, one: LedgerRow) -> str:
        """A message in words, and of how many parcels it speaks where it speaks of several."""
        along = [
            other
            for other in self.messages
            if other.rule == _ALONG and other.at == one.at and _words(other.touch) == _words(one.touch)
        ]
        return f"{_words(one.touch)} ({len(along) + 1} parcels)" if along else _words(one.touch)


def calendar(diaries: Sequence[Diary], width: int) -> RenderableType:
    """The whole calendar for a terminal of `width` columns."""
    tables = ceil(len(diaries) / max(1, width // _COLUMN))
    per_table = ceil(len(diaries) / tables)
    parts: list[RenderableType] = []
    for first in range(0, len(diaries), per_table):
        parts += [_days(diaries[first : first + per_table]), Text()]
    parts += [Rule("held, then sent", style="dim"), _held(diaries), Text()]
    parts += [Rule("refused, and why", style="dim"), _refused(diaries)]
    return Group(*parts)


def _days(diaries: Sequence[Diary]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), expand=True, header_style="none")
    table.add_column(Text("day", style="dim"), justify="right", width=3, style="dim")
    for diary in diaries:
        story = diary.story
        header = Text.assemble((story.person, "bold"), "\n", (story.city, "cyan"), "\n", (story.kind, "dim"))
        table.add_column(header, ratio=1, overflow="fold")
    days = sorted({diary.day(one.at) for diary in diaries for one in diary.sent})
    for day in days:
        table.add_row(str(day), *(_cell(diary, day) for diary in diaries))
    table.add_section()
    table.add_row("", *(Text(f"{len(diary.sent)} mails", style="bold") for diary in diaries))
    return table


def _cell(diary: Diary, day: int) -> Text:
    cell = Text()
    held = {hold.touch for hold in diary.holds}
    for one in diary.sent:
        if diary.day(one.at) == day:
            waited = one.touch in held
            style = "yellow" if waited else "green" if one.purpose == "transactional" else "magenta"
            cell.append(("" if not cell else "\n") + ("◷ " if waited else "✉ ") + diary.words(one), style=style)
    return cell


def _held(diaries: Sequence[Diary]) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False, expand=True)
    _three_columns(table)
    for diary in diaries:
        by_rule: dict[str, list[Hold]] = {}
        for hold in diary.holds:
            by_rule.setdefault(hold.rule, []).append(hold)
        for rule, held in by_rule.items():
            waits = [f"{_words(hold.touch)} {_short(hold)}" for hold in held]
            why = Text.assemble((rule, "yellow"), f"\n{_meaning(rule)}")
            table.add_row(_who(diary), why, ", ".join(waits))
    return table if table.row_count else Text("Nothing had to wait.", style="dim")


def _three_columns(table: Table) -> None:
    """Who, by which rule, what."""
    table.add_column(style="bold", ratio=3)
    table.add_column(ratio=5, overflow="fold")
    table.add_column(ratio=7)


def _refused(diaries: Sequence[Diary]) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False, expand=True)
    _three_columns(table)
    for diary in diaries:
        by_rule: dict[str, list[str]] = {}
        for one in diary.messages:
            if one.status != "sent" and one.rule is not None and one.rule not in {_NOT_MEANT, _ALONG}:
                by_rule.setdefault(one.rule, []).append(_words(one.touch))
        for rule, touches in by_rule.items():
            why = Text.assemble((rule, "red"), f"\n{_meaning(rule)}")
            table.add_row(_who(diary), why, ", ".join(touches))
    return table if table.row_count else Text("Nothing was refused.", style="dim")


def _short(hold: Hold) -> str:
    """How long it waited, in whole hours from one hour on."""
    waited, hour = hold.until - hold.since, timedelta(hours=1)
    return f"{round(waited / hour)}h" if waited >= hour else format_duration(waited)


def _who(diary: Diary) -> str:
    return f"{diary.story.person}, {diary.story.kind}"


def _meaning(rule: str) -> str:
    return RULES.get(rule, "as the rule says")


def _words(touch: str) -> str:
    """A touch key as words: the parcel it speaks of stands elsewhere."""
    return touch.partition(":")[0].replace("_", " ")


def totals(diaries: Iterable[Diary]) -> tuple[int, int, int]:
    """How many messages went out, were held on the way, and were refused, over all orders."""
    sent = held = refused = 0
    for diary in diaries:
        sent += len(diary.sent)
        held += len({hold.touch for hold in diary.holds})
        refused += sum(1 for one in diary.messages if one.status == "refused" and one.rule not in {_NOT_MEANT, _ALONG})
    return sent, held, refused
