"""Processes that a test kills, and apps that it serves: what fault tests need beside the embedded servers."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import psutil
import uvicorn

from tests.support.patience import PATIENCE
from workers.embedded_temporal import free_ports

SEED = "POSTLUDE_TEST_SEED"
_KEEP_ALIVE = 120
"""Seconds; longer than a busy machine may keep a client waiting, so that none writes into a line just hung up."""


def chosen_seed() -> int:
    """The seed by `POSTLUDE_TEST_SEED`, else a new one; whoever draws from it prints it."""
    return int(os.environ.get(SEED) or int.from_bytes(os.urandom(3)))


def serve_forks(run: Callable[[], None]) -> None:
    """The child's side of `Forks`: for every line on standard input fork a process that does `run`, and say its pid.

    Call it from a process with one thread and nothing connected. Forks end when this process does, and it ends
    with its standard input, that is with whoever started it.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps what is killed
    own = os.getpid()
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _end_with(own)
            run()
            os._exit(0)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _end_with(parent: int) -> None:
    """Ask the kernel to kill this process when its parent ends."""
    import ctypes  # noqa: PLC0415  only forks need it

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(1)


class Forks:
    """Processes forked from one that has imported everything: as fresh as any, and there within milliseconds.

    `log` keeps what all of them said.
    """

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self.log = log

    def start(self) -> int:
        """Start one more; its pid."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("started without pipes")
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def kill(self, pid: int) -> bool:
        """End one with SIGKILL and wait until it is gone; False when it had ended by itself, which is nobody's plan."""
        try:
            process = psutil.Process(pid)
            alive = process.ppid() == self._process.pid and process.status() != psutil.STATUS_ZOMBIE
            if alive:
                process.kill()
                process.wait(PATIENCE)
        except psutil.NoSuchProcess:
            return False
        return alive


@contextmanager
def forks(module: str, environment: Mapping[str, str], log: Path) -> Iterator[Forks]:
    """`python -m MODULE`, which must call `serve_forks`; none of its forks outlives the block."""
    with log.open("ab") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
    try:
        yield Forks(process, log)
    finally:
        with suppress(OSError):
            process.communicate(timeout=PATIENCE)


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the signals of this process are pytest's."""

    def capture_signals(self) -> Any:
        return nullcontext()


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """The ASGI app on a loopback port, with its lifespan; yields `http://127.0.0.1:PORT`."""
    (port,) = free_ports(1)
    server = _Server(
        uvicorn.Config(
            app,
            host="127.0.0.1",
            port=port,
            log_level="error",
            access_log=False,
            timeout_keep_alive=_KEEP_ALIVE,
        )
    )
    task = asyncio.create_task(server.serve())
    while not server.started:
        if task.done():
            task.result()
            raise RuntimeError("the server ended at start")
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task
