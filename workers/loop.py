"""The event loop of the processes that stay: uvloop, for the many short waits between signal and provider."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a process's work to its end; on Windows, which has no uvloop, by asyncio itself."""
    if sys.platform == "win32":
        return asyncio.run(work)
    import uvloop  # noqa: PLC0415  not there on Windows

    return uvloop.run(work)
