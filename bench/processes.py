"""Child processes that answer one JSON line for each line they are sent."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel

_LINE_BYTES = 1 << 22
_STOP_SECONDS = 15


class Child:
    """A running child; ask it one thing at a time. `greeting` is what it said when it was ready."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.greeting: Any = None

    async def ask(self, question: str) -> Any:
        """Its answer to one line.

        Raises:
            RuntimeError: it has ended.
        """
        self._write(question)
        return await self.hear()

    async def hear(self) -> Any:
        """The next line it says.

        Raises:
            RuntimeError: it has ended.
        """
        stdout = self._process.stdout
        line = await stdout.readline() if stdout is not None else b""
        if not line:
            raise RuntimeError(f"a child of the bench ended with {await self._process.wait()}; see its log")
        return json.loads(line)

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    def kill(self) -> None:
        """End it as a crash would: nothing it does is finished."""
        self._process.kill()

    async def stop(self) -> None:
        """End its stdin, wait, and kill it when it does not listen."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _STOP_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    def _write(self, line: str) -> None:
        if self._process.stdin is None:
            raise RuntimeError("the child has no stdin")
        self._process.stdin.write(line.encode() + b"\n")


@asynccontextmanager
async def child(module: str, config: BaseModel, log: Path) -> AsyncIterator[Child]:
    """`python -m MODULE CONFIG` until the block ends; its stderr is appended to `log`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("POSTLUDE_", "TEMPORAL_"))}
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            config.model_dump_json(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            limit=_LINE_BYTES,
            env=environment,
        )
    running = Child(process)
    try:
        running.greeting = await running.hear()
        yield running
    finally:
        await running.stop()
