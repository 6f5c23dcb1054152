"""The terminal: the one place through which commands print, so that nothing from outside acts there.

Ids, notes and words of shops, carriers and customers are text: no markup of Rich's, no escape sequence, no mark that
hides or turns the direction of a line. What cannot be printed is shown as JSON writes it, a backslash and its number.
"""

import re
from typing import Any, Final

import typer
from rich.console import Console
from rich.text import Text

# Line ends stay. Everything else that a terminal obeys or nobody sees: control characters, ESC and the C1 ones that
# stand for it, marks of direction, and halves of characters.
_ACTING: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def visible(text: str) -> str:
    """The text with whatever would act in a terminal written out; in JSON it still means the same."""
    return _ACTING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def echo(text: str, *, nl: bool = True, err: bool = False) -> None:
    """Print a text as it is, but for what would act."""
    typer.echo(visible(text), nl=nl, err=err)


def styled(text: str, style: str) -> Text:
    """A text in a style of our own."""
    return Text(visible(text), style=style)


class Screen(Console):
    """Rich's console for tables and lines, to which every string is plain text; `styled` gives one a style."""

    def __init__(self, **options: Any) -> None:
        """Take Rich's options; what is said here cannot be said otherwise."""
        super().__init__(**options, markup=False, emoji=False, highlight=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """A string on its way to the terminal, on its own or in a table."""
        return super().render_str(visible(text), **options)
