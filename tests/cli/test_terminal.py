"""What commands print: words from outside are words there, and nothing else."""

import json
import re
from io import StringIO
from pathlib import Path

import pytest
from rich.table import Table

from starters.commands import customers, inbox, orders, playbooks, privacy, remedies, shops
from starters.terminal import Screen, echo, styled, visible

ACTING = [
    "\x1b[31m",
    "\x1b]8;;https://evil.example\x07",
    "\x9b31m",
    "\u202e",
    "\u2066",
    "\u200b",
    "\r",
    "\x07",
    "\ufeff",
]
MARKUP = ["[/b]", "[link=https://evil.example]1001[/link]", "[red]1001", "[/]", ":boom:", "[bold", "\\[b]"]
COMMANDS = (customers, inbox, orders, playbooks, privacy, remedies, shops)


def printed(*what, cell=False):
    screen = Screen(file=StringIO(), width=120, force_terminal=True, color_system=None)
    if cell:
        table = Table(box=None)
        table.add_column("Order")
        table.add_row(*what)
        screen.print(table)
    else:
        screen.print(*what)
    return screen.file.getvalue()


@pytest.mark.parametrize("cell", [True, False])
@pytest.mark.parametrize("word", MARKUP)
def test_markup_is_printed_as_it_is(word, cell):
    """An order called `[/b]` or `[link=…]` is shown by that name, in lines and in tables."""
    assert word in printed(word, cell=cell)
    assert "\x1b]8" not in printed(word, cell=cell)


@pytest.mark.parametrize("cell", [True, False])
@pytest.mark.parametrize("word", ACTING)
def test_what_a_terminal_obeys_is_written_out(word, cell):
    """Escape sequences, control characters and marks of direction are shown by their numbers."""
    for said in (f"1001{word}", styled(f"1001{word}", "")):
        out = printed(said, cell=cell)
        assert not re.search(r"[\x07\r\x1b\x9b\u200b\u202e\u2066\ufeff]", out)
        assert f"\\u{ord(word[0]):04x}" in out


def test_json_means_the_same(capsys):
    """A text that a command prints as JSON is read back as it was, whatever is in it."""
    said = {"order": "".join(ACTING) + "é漢"}
    echo(json.dumps(said, ensure_ascii=False))
    out = capsys.readouterr().out
    assert json.loads(out) == said
    assert visible(out) == out


def test_every_command_prints_through_the_one_place():
    """No command has a console, markup or an echo of its own."""
    for module in COMMANDS:
        text = Path(module.__file__).read_text()
        assert not re.search(r"rich\.console|rich\.markup|typer\.echo|(?<![\w.])print\(|\[/", text), module.__name__
