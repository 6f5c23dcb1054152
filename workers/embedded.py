"""The embedded stack: Temporal, PostgreSQL and a mail catcher under one folder, for development, demo and tests.

One home belongs to one stack at a time. While it is up, ``stack.json`` in the home says where everything is, so that a
command in another terminal finds it.
"""

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from workers.embedded_postgres import EmbeddedPostgres
from workers.embedded_temporal import EmbeddedTemporal
from workers.mail_catcher import Behaviour, MailCatcher

_T = TypeVar("_T")

_ADDRESSES: Final = "stack.json"
_LOCK: Final = "stack.lock"


class StackInUseError(RuntimeError):
    """Another stack is up on the same home."""


class StackAddresses(BaseModel):
    """Where the parts of a stack that is up are found; None for a part that was not asked for.

    Attributes:
        pid: the process that holds the stack.
        temporal_address: ``host:port`` of Temporal's gRPC endpoint.
        ui_url: address of the Temporal UI.
        temporal_metrics_url: address of the Temporal server's Prometheus endpoint.
        database_url: connection string of the PostgreSQL database.
        smtp_url: ``smtp://host:port`` of the mail catcher.
        mail_folder: the folder with the caught mails.
    """

    model_config = ConfigDict(frozen=True)

    pid: int
    temporal_address: str | None = None
    ui_url: str | None = None
    temporal_metrics_url: str | None = None
    database_url: str | None = None
    smtp_url: str | None = None
    mail_folder: Path | None = None


@dataclass(frozen=True, slots=True)
class EmbeddedStack:
    """A stack that is up. Asking for the address of a part that was not started raises LookupError."""

    home: Path
    addresses: StackAddresses
    temporal: EmbeddedTemporal | None
    postgres: EmbeddedPostgres | None
    catcher: MailCatcher | None

    @property
    def temporal_address(self) -> str:
        """``host:port`` of Temporal's gRPC endpoint."""
        return _started(self.addresses.temporal_address, "Temporal")

    @property
    def ui_url(self) -> str:
        """Address of the Temporal UI."""
        return _started(self.addresses.ui_url, "Temporal")

    @property
    def temporal_metrics_url(self) -> str:
        """Address of the Temporal server's Prometheus endpoint."""
        return _started(self.addresses.temporal_metrics_url, "Temporal")

    @property
    def database_url(self) -> str:
        """Connection string of the PostgreSQL database."""
        return _started(self.addresses.database_url, "PostgreSQL")

    @property
    def smtp_url(self) -> str:
        """``smtp://host:port`` of the mail catcher."""
        return _started(self.addresses.smtp_url, "The mail catcher")

    @property
    def mail(self) -> MailCatcher:
        """The mail catcher itself."""
        return _started(self.catcher, "The mail catcher")


@asynccontextmanager
async def embedded_stack(
    home: Path,
    *,
    temporal: bool = True,
    postgres: bool = True,
    mail: bool = True,
    temporal_port: int | None = None,
    ui_port: int | None = None,
    temporal_metrics_port: int | None = None,
    smtp_port: int | None = None,
    search_attributes: Mapping[str, str] | None = None,
    mail_behaviour: Behaviour | None = None,
) -> AsyncIterator[EmbeddedStack]:
    """Bring up the parts asked for, side by side, and take them down in order: Temporal, mail, PostgreSQL.

    Args:
        home: the folder that keeps everything; created when missing, found again when not.
        temporal: whether to start Temporal.
        postgres: whether to start PostgreSQL.
        mail: whether to start the mail catcher.
        temporal_port: gRPC port, as for all four: 0 or None means a free one.
        ui_port: port of the Temporal UI.
        temporal_metrics_port: port of the Temporal server's Prometheus endpoint.
        smtp_port: port of the mail catcher.
        search_attributes: name to type of the search attributes Temporal must know.
        mail_behaviour: what the mail catcher makes of each message; None accepts all.

    Yields:
        The stack with its addresses.

    Raises:
        StackInUseError: another stack is up on this home.
        EmbeddedTemporalError: Temporal did not start.
        EmbeddedPostgresError: PostgreSQL did not start.
        OSError: the mail catcher's port is taken, or the home cannot be written.
    """
    with _only_stack_on(home) as root:
        temporal_part = None
        if temporal:
            temporal_part = EmbeddedTemporal(
                root / "temporal",
                port=temporal_port,
                ui_port=ui_port,
                metrics_port=temporal_metrics_port,
                search_attributes=search_attributes,
            )
        postgres_part = EmbeddedPostgres(root / "postgres") if postgres else None
        mail_part = MailCatcher(root / "mail", port=smtp_port, behaviour=mail_behaviour) if mail else None
        async with AsyncExitStack() as running:
            # Pushed in reverse of the order they stop in, and before they start: what fails half-way is stopped too.
            starts: list[Coroutine[Any, Any, object]] = []
            for part in (postgres_part, mail_part, temporal_part):
                if part is not None:
                    running.push_async_callback(part.stop)
                    starts.append(part.start())
            tasks = [asyncio.ensure_future(start) for start in starts]
            try:
                await asyncio.gather(*tasks)
            except BaseException:
                await _settle(tasks)
                raise
            database_url = tasks[0].result() if postgres_part is not None else None
            addresses = StackAddresses(
                pid=os.getpid(),
                temporal_address=temporal_part.address if temporal_part else None,
                ui_url=temporal_part.ui_url if temporal_part else None,
                temporal_metrics_url=temporal_part.metrics_url if temporal_part else None,
                database_url=str(database_url) if database_url else None,
                smtp_url=mail_part.url if mail_part else None,
                mail_folder=root / "mail" if mail_part else None,
            )
            running.callback((root / _ADDRESSES).unlink, missing_ok=True)
            _write_addresses(root, addresses)
            yield EmbeddedStack(root, addresses, temporal_part, postgres_part, mail_part)


def read_stack(home: Path) -> StackAddresses | None:
    """Return where the stack that is up on a home is found; None when none is up, whatever an old file says."""
    home = home.expanduser().resolve()
    try:
        with (home / _LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        with contextlib.suppress(OSError, ValidationError):  # it is still starting, or about to be gone
            return StackAddresses.model_validate_json((home / _ADDRESSES).read_bytes())
    except OSError:
        pass
    return None


@contextmanager
def _only_stack_on(folder: Path) -> Iterator[Path]:
    home = folder.expanduser().resolve()
    home.mkdir(parents=True, exist_ok=True)
    # The kernel drops the lock with the process that holds it, so a crash leaves no lock behind.
    with (home / _LOCK).open("ab") as lock:
        for tries_left in reversed(range(5)):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not tries_left:
                    raise StackInUseError(
                        f"Another Postlude is up on {home}. Stop it, or choose another folder with POSTLUDE_HOME."
                    ) from None
                time.sleep(0.02)  # a reader of the addresses holds the lock for a blink
        yield home


def _write_addresses(home: Path, addresses: StackAddresses) -> None:
    path = home / _ADDRESSES
    path.unlink(missing_ok=True)  # an old one may have been opened to others
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(addresses.model_dump_json(indent=2))


async def _settle(tasks: Sequence[asyncio.Future[object]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _started(part: _T | None, name: str) -> _T:
    if part is None:
        raise LookupError(f"{name} is not part of this stack.")
    return part
