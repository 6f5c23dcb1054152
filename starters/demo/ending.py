"""What the demo leaves behind: its report, the calendar and both sides on the terminal, and links to look around."""

from pydantic import BaseModel
from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from journey.base import workflow_id
from starters.account import Account
from starters.demo.calendar import Diary, calendar, totals
from starters.demo.second_shop import SHOP
from starters.demo.sides import Sides, side_by_side
from starters.demo.story import Presses, Story
from starters.stack import Stack


class Report(BaseModel):
    """`postlude demo --exit --json`: every order's account, the seconds from the first start on, the mails caught.

    `mails` are those to customers; `sides` are the orders that are told from both sides.
    """

    orders: list[Account]
    seconds: float
    mails: int
    links: dict[str, str]
    sides: list[Sides]


def links_of(stack: Stack, played: list[Story]) -> dict[str, str]:
    """Of the pages those of the split order and of the remedy that was chosen, of the journeys that one's."""
    split, lost = (next(one for one in played if one.name == name) for name in ("split", "lost"))
    links = {"order_page": stack.links_of(split.shop).order(split.shop, split.order_id)}
    part = next(beat.does.part for beat in lost.beats if isinstance(beat.does, Presses))
    links["remedy_page"] = stack.links_of(lost.shop).remedy(lost.shop, lost.order_id, part)
    second = next(one for one in played if one.shop == SHOP)
    links["second_shop"] = stack.links_of(SHOP).order(second.shop, second.order_id)
    if stack.dev_url is not None:
        links["mails"] = f"{stack.dev_url}/dev/mails"
    links["figures"] = f"{stack.operations_url}/metrics"
    if stack.ui_url is not None:
        links["temporal_ui"] = stack.ui_url
        links["workflow"] = f"{stack.ui_url}/namespaces/default/workflows/{workflow_id(lost.shop, lost.order_id)}"
    return links


def show(
    console: Console,
    report: Report,
    diaries: list[Diary],
    both: list[tuple[Diary, Sides]],
    problems: list[str],
    *,
    leave: bool,
) -> None:
    """Print the calendar, both sides and, unless the demo is to `leave`, the links; or the problems in red."""
    sent, held, refused = totals(diaries)
    console.print()
    console.print(Rule("what each customer got, by their own calendar"))
    console.print("[green]✉ about the order[/]  [magenta]✉ marketing[/]  [yellow]◷ held first, then sent[/]\n")
    console.print(calendar(diaries, console.width))
    console.print(Text())
    console.print(Rule("both sides, day by day"))
    console.print(side_by_side(both))
    console.print(Rule(style="dim"))
    console.print(
        f"[bold]{len(report.orders)} journeys[/] in {report.seconds:.0f} s: [bold]{sent}[/] messages sent,"
        f" {report.mails} mails caught, none twice; {held} held first, {refused} refused."
        if not problems
        else "[red]" + "\n".join(problems) + "[/]"
    )
    if leave:
        return
    names = {
        "mails": "every mail",
        "order_page": "the page of the split order",
        "remedy_page": "the page of the lost parcel",
        "second_shop": "the second shop's page",
        "temporal_ui": "Temporal UI",
        "workflow": "the lost order there",
        "figures": "figures for operators",
    }
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, words in names.items():
        if name in report.links:
            table.add_row(words, f"[link={report.links[name]}]{report.links[name]}[/link]")
    console.print(table)
    console.print("Ctrl-C stops it.")
