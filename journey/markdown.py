"""Words from outside, as they may stand in Markdown: the Temporal UI shows summaries and details as such.

Ids, numbers, SKUs, carriers and reasons come from shops, carriers and customers. None of them may become a link, a
picture, a heading or another row.
"""

import re
from typing import Final

from journey.base import cut

# Letters and digits with a little between them; nothing of it is markup, except what _MEANT finds.
_HARMLESS: Final = re.compile(r"[^\W_](?:[\w ,.;/:()#+%=?!'\"-]*[\w.?!)])?")
_MEANT: Final = re.compile(r"(?i)://|www\.|(?<![^\W_])_|_(?![^\W_])|\]\(")
# Control characters, line ends, and the marks that hide or turn the direction of a line.
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb]+")


def shown(text: str) -> str:
    """A text as it is, where nothing in it has a meaning; else as code, in which nothing has one."""
    return text if _HARMLESS.fullmatch(text) and not _MEANT.search(text) else code(text)


def code(text: str) -> str:
    """A text as code: one line, without what would end it or the cell of a table it stands in; empty for none."""
    line = " ".join(_UNPRINTABLE.sub(" ", text).replace("`", "'").replace("|", "\N{BROKEN BAR}").split())
    return f"`{line}`" if line else ""


def summary(text: str) -> str:
    """A text as a summary: as much of it as Temporal takes."""
    return shown(cut(text))
