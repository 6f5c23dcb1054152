"""The live view: the stack coming up, then every order on its way through its own days."""

import time
from collections.abc import Mapping, Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from starters.demo.play import Progress
from starters.demo.story import Story

STEPS: Mapping[str, str] = {
    "servers": "Temporal, PostgreSQL and the mail catcher",
    "database": "tables and playbook",
    "worker": "worker",
    "gateway": "gateway and relay",
}
_WIDE = 100
"""From this many columns on a story's whole title has room."""
_DAYS = 64
"""About as long as a whole journey takes: what a full bar stands for."""


class View:
    """What is on the screen while the demo runs. Tell it what happened; it draws itself when asked."""

    def __init__(self, stories: Sequence[Story]) -> None:
        self._started = time.monotonic()
        self._stories = stories
        self._done: dict[str, float] = {}
        self._spinner = Spinner("dots", style="cyan")
        self.progress: Mapping[str, Progress] = {}
        self.last: dict[str, tuple[str, int]] = {}
        """By story: the touch settled last, and how many mails went out so far."""

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._started

    def step(self, name: str) -> None:
        """A part of the stack is up."""
        self._done[name] = self.seconds

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the present state."""
        parts = self._stack()
        if self.progress:
            parts += [Text(), self._orders(options.max_width)]
        yield Group(*parts)

    def _stack(self) -> list[RenderableType]:
        lines: list[RenderableType] = []
        for name, what in STEPS.items():
            if name in self._done:
                lines.append(Text.assemble(("✔ ", "green"), what, (f"  {self._done[name]:.1f} s", "dim")))
            else:
                line = Table.grid(padding=(0, 1))
                line.add_row(self._spinner, Text(what, style="dim"))
                lines.append(line)
                break
        return lines

    def _orders(self, width: int) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
        table.add_column(width=7)
        wide = width >= _WIDE
        table.add_column(width=31 if wide else 13, no_wrap=True)
        table.add_column(width=max(8, min(30, width - (84 if wide else 66))))
        table.add_column(width=7, justify="right", no_wrap=True)
        table.add_column(width=8, justify="right", no_wrap=True)
        table.add_column(no_wrap=True)
        for story in self._stories:
            now = self.progress[story.name]
            touch, mails = self.last.get(story.name, ("", 0))
            day = _DAYS if now.finished else min(now.day, _DAYS)
            style = "green" if now.finished else "cyan"
            table.add_row(
                Text(story.person, style="bold"),
                Text(story.title if wide else story.kind, style="dim"),
                ProgressBar(total=_DAYS, completed=day, complete_style=style, finished_style="green"),
                f"day {now.day}",
                f"{mails} mails",
                Text("✔ finished", style="green") if now.finished else Text(touch.partition(":")[0], style="cyan"),
            )
        return table
