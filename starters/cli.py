"""`postlude`: every command, and the one place where the process ends."""

import os
import sys
from contextlib import suppress

import asyncpg
import typer
from temporalio.service import RPCError

from activities.messaging.templates import TemplateError
from journey.playbook import PlaybookError
from starters.account import OrderUnknownError
from starters.commands import demo, orders, playbooks, processes
from starters.commands.support import CommandError
from starters.demo.play import DemoError
from starters.fast_forward import NotAllowedError
from store.intake import Malformed
from store.migrate import MigrationError
from store.pool import AWAY
from workers.embedded import StackInUseError
from workers.embedded_postgres import EmbeddedPostgresError
from workers.embedded_temporal import EmbeddedTemporalError
from workers.settings import SettingMissingError

EXPECTED = (
    CommandError,
    DemoError,
    EmbeddedPostgresError,
    EmbeddedTemporalError,
    MigrationError,
    NotAllowedError,
    OrderUnknownError,
    PlaybookError,
    SettingMissingError,
    StackInUseError,
    TemplateError,
)
"""Errors whose text tells a person what to do."""

app = typer.Typer(
    name="postlude",
    help="What happens after the buy button: one durable Temporal workflow per order.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(orders.app, name="order")
app.add_typer(playbooks.app, name="playbook")
app.add_typer(processes.database, name="db")
app.command()(demo.demo)
app.command()(processes.up)
app.command()(processes.gateway)
app.command()(processes.worker)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code: 0 done, 1 could not, 2 asked wrongly, 130 interrupted."""
    try:
        app(args=arguments, prog_name="postlude")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        message = _what_to_do(error)
        if message is None:
            raise  # a mistake of ours: the traceback is what helps then
        sys.stderr.write(f"postlude: {message.strip()}\n")
        return 1
    return 0


def main() -> None:
    """Run the command line of this process and end it."""
    code = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    # Not sys.exit: with a Temporal client in the process the interpreter may abort while it shuts down
    # (PyGILState_Release, exit code 134, temporalio/sdk-python#300) after all work is done. Everything that must be
    # stopped has been by now.
    os._exit(code)


def _what_to_do(error: Exception) -> str | None:
    """An expected error in words; None for one that nobody expected."""
    text: str | None = None
    match error:
        case Malformed():
            text = f"the order file is not usable: {error.field}: {error.problem}"
        case RPCError():
            text = f"Temporal said {error.status.name}: {error.message}"
        case asyncpg.UndefinedTableError():
            text = "the database has no tables yet: run `postlude db migrate`"
        case asyncpg.InvalidAuthorizationSpecificationError():
            text = "the database refused the user or password: check POSTLUDE_DATABASE_URL"
        case asyncpg.InvalidCatalogNameError():
            text = "the database that POSTLUDE_DATABASE_URL names does not exist: create it first"
        case _ if isinstance(error, EXPECTED):
            text = str(error)
        case _ if isinstance(error, AWAY):
            reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            text = f"a server does not answer, or an address is taken ({reason}): check POSTLUDE_* and TEMPORAL_ADDRESS"
    return text


if __name__ == "__main__":
    main()
