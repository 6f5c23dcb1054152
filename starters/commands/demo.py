"""`postlude demo`: the whole product on one screen."""

from typing import Annotated

import typer

from starters.commands.support import settings_from_environment
from starters.demo.run import run_demo
from workers.loop import run


def demo(
    *,
    leave: Annotated[bool, typer.Option("--exit", help="End by itself instead of staying up.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --exit: print one JSON object, nothing else.")] = False,
) -> None:
    """Run two sample shops: eleven orders, from checkout to win-back, each on a clock of its own."""
    if as_json and not leave:
        raise typer.BadParameter("--json needs --exit: the object is printed at the end", param_hint="--json")
    code = run(run_demo(settings_from_environment(), leave=leave, as_json=as_json))
    raise typer.Exit(code)
