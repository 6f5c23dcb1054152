"""A terminal to ourselves: what libraries, the Temporal core or a child write goes to a log file meanwhile."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def own_terminal(log: Path) -> Iterator[TextIO]:
    """Yields the real standard output; file descriptors 1 and 2 lead to `log` until the block is left."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.dup2(target, 1)
        os.dup2(target, 2)
        with os.fdopen(os.dup(kept[0]), "w", encoding="utf-8") as terminal:
            yield terminal
            terminal.flush()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, original in zip((1, 2), kept, strict=True):
            os.dup2(original, number)
            os.close(original)
        os.close(target)
