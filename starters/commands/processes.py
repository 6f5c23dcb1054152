"""The processes: `worker`, `gateway`, `up`, and `db migrate`."""

import typer

from starters.commands.support import CommandError, run_async, settings_from_environment
from starters.local import SECRETS_FILE, configured_temporal, resolved, temporal_address
from starters.publishing import bring_shops, publish_if_none
from starters.serving import run_gateway
from starters.stack import Stack, stopped, whole_stack
from starters.terminal import echo
from store import roles
from store.migrate import migrate
from workers.logs import configure
from workers.loop import run
from workers.settings import SettingMissingError, Settings
from workers.shops import load_shops
from workers.worker import run_worker

database = typer.Typer(help="The database.", no_args_is_help=True)


@database.command("migrate")
def migrate_database() -> None:
    """Bring the database to this version's shape, and publish a playbook when none is."""
    settings = resolved(settings_from_environment())
    if settings.database_url is None:
        raise CommandError("no database is known: set POSTLUDE_DATABASE_URL")
    for line in run_async(_migrate(settings, settings.database_url)):
        echo(line)


@database.command("roles")
def print_roles() -> None:
    """Print the SQL that makes the roles of gateway and workers; `db migrate` then gives them their rights.

    For the owner, such as `postlude db roles | psql URL`, who then gives each a password.
    """
    echo(roles.creation())


async def _migrate(settings: Settings, dsn: str) -> list[str]:
    applied = await migrate(dsn)
    lines = [f"applied {name}" for name in applied] or ["the database is up to date"]
    granted = await roles.grant(dsn)
    if granted:
        lines.append(f"rights given to {', '.join(granted)}")
    published = await publish_if_none(dsn, settings.playbook_path)
    brought = await bring_shops(dsn, load_shops(settings).values())
    lines += [f"published the playbook of {shop}, since it had none" for shop in brought]
    if published is not None:
        lines.append(f"published playbook {published} from {settings.playbook_path.name}, since none was")
    return lines


def worker() -> None:
    """Run journeys and send their messages, until SIGTERM or Ctrl-C."""
    settings = resolved(settings_from_environment())
    configure(settings.log_level)
    run(run_worker(settings, temporal_address=_temporal(settings)))


def gateway() -> None:
    """Take webhooks in, start and signal journeys, and serve the customers' pages, until SIGTERM or Ctrl-C."""
    settings = resolved(settings_from_environment())
    configure(settings.log_level)
    run(run_gateway(settings, temporal_address=_temporal(settings)))


def up() -> None:
    """Run everything in one process: what has no address in the environment is embedded. Ctrl-C stops it."""
    settings = settings_from_environment()
    configure(settings.log_level)
    run(_up(settings))


async def _up(settings: Settings) -> None:
    async with whole_stack(settings) as stack:
        echo(_welcome(stack))
        await stopped()
        echo("Stopping.")
    echo("Stopped. Everything is kept; `postlude up` finds it again.")


def _welcome(stack: Stack) -> str:
    home = stack.settings.home
    lines = ["Postlude is up.", f"  gateway      {stack.url}", f"  webhooks     {stack.url}/webhooks/events"]
    if stack.ui_url is not None:
        lines.append(f"  Temporal UI  {stack.ui_url}")
    if stack.dev_url is not None:
        lines.append(f"  every mail   {stack.dev_url}/dev/mails")
    lines += [
        f"  operations   {stack.operations_url}/readyz, /metrics, /openapi.json",
        f"  secrets      {home / SECRETS_FILE}  (set -a; . {home / SECRETS_FILE}; set +a)",
        "Another terminal on the same folder can say `postlude order start FILE` and `postlude order list`.",
        "Ctrl-C stops it.",
    ]
    return "\n".join(lines)


def _temporal(settings: Settings) -> str | None:
    """As Temporal's environment says, else the stack's on POSTLUDE_HOME, else Temporal's own default."""
    try:
        return None if configured_temporal() else temporal_address(settings)
    except SettingMissingError:
        return None
