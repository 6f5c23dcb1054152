"""`postlude`: every command, and the one place where the process ends."""

import importlib
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import typer

_PLACES: Final[Mapping[str, tuple[str, str]]] = {
    "demo": ("demo", "demo"),
    "up": ("processes", "up"),
    "gateway": ("processes", "gateway"),
    "worker": ("processes", "worker"),
    "db": ("processes", "database"),
    "inbox": ("inbox", "app"),
    "keys": ("keys", "app"),
    "customer": ("customers", "app"),
    "order": ("orders", "app"),
    "playbook": ("playbooks", "app"),
    "privacy": ("privacy", "app"),
    "remedy": ("remedies", "app"),
    "shop": ("shops", "app"),
    "template": ("templates", "app"),
}
"""For each command its module in `starters.commands`, and its name there: a function, or an app of subcommands."""


def application(command: str | None) -> typer.Typer:
    """The command line: with that one command when there is one, since loading all of them takes a while."""
    app = typer.Typer(
        name="postlude",
        help="What happens after the buy button: one durable Temporal workflow per order.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    # A callback keeps a lone command from being taken for the whole program.
    app.callback()(_postlude)
    for name, (module, attribute) in _PLACES.items():
        if command in _PLACES and command != name:
            continue
        found = getattr(importlib.import_module(f"starters.commands.{module}"), attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
    return app


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code: 0 done, 1 could not, 2 asked wrongly, 130 interrupted."""
    try:
        application(arguments[0] if arguments else None)(args=arguments, prog_name="postlude")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        message = importlib.import_module("starters.commands.failures").what_to_do(error)
        if message is None:
            raise  # a mistake of ours: the traceback is what helps then
        visible = importlib.import_module("starters.terminal").visible
        sys.stderr.write(f"postlude: {visible(message.strip())}\n")
        return 1
    return 0


def main() -> None:
    """Run the command line of this process and end it."""
    code = 1
    try:
        code = run(sys.argv[1:])
    except Exception:  # noqa: BLE001  shown as the interpreter would, then the one way out
        sys.excepthook(*sys.exc_info())
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    # Not sys.exit: with a Temporal client in the process the interpreter may abort while it shuts down
    # (PyGILState_Release, exit code 134, temporalio/sdk-python#300) after all work is done. Everything that must be
    # stopped has been by now.
    os._exit(code)


def _postlude() -> None:
    """What happens after the buy button: one durable Temporal workflow per order."""


if __name__ == "__main__":
    main()
