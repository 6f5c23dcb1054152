"""What a person is told when a command could not do its work: one line that says what to do."""

import asyncpg
from temporalio.service import RPCError

from activities.messaging.templates import TemplateError
from journey.playbook import PlaybookError
from starters.account import OrderUnknownError
from starters.commands.support import CommandError
from starters.fast_forward import NotAllowedError
from starters.replaying import PastUnknownError
from store.intake import Malformed
from store.migrate import MigrationError
from store.pool import AWAY
from workers.embedded import StackInUseError
from workers.embedded_postgres import EmbeddedPostgresError
from workers.embedded_temporal import EmbeddedTemporalError
from workers.settings import SettingMissingError

_SPEAK_FOR_THEMSELVES = (
    CommandError,
    EmbeddedPostgresError,
    EmbeddedTemporalError,
    MigrationError,
    NotAllowedError,
    OrderUnknownError,
    PastUnknownError,
    PlaybookError,
    SettingMissingError,
    StackInUseError,
    TemplateError,
)


def what_to_do(error: Exception) -> str | None:
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
        case _ if isinstance(error, _SPEAK_FOR_THEMSELVES):
            text = str(error)
        case _ if isinstance(error, AWAY):
            reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            text = f"a server does not answer, or an address is taken ({reason}): check POSTLUDE_* and TEMPORAL_ADDRESS"
    return text
