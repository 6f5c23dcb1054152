"""What a failed delivery means for its row: wait it out, wait for somebody to mend it, or take it for the row's fault.

What is away holds up its subject and is tried for as long as it is away. What somebody has to mend (a right that a shop
took back, a journey that Temporal does not know) is tried for a week. Whatever else is raised is the row's own fault:
the same words fail the same way, so after a few tries it is a dead letter, and it holds up nobody meanwhile.
"""

from datetime import timedelta
from enum import StrEnum
from typing import Final

import asyncpg
from asyncpg.exceptions._base import DataError as UnfitArgumentError
from temporalio.service import RPCError, RPCStatusCode

from activities.vendors.http import VendorBusyError, VendorError, VendorGarbledError, VendorUnclearError
from starters.ports import JourneyMissingError
from starters.replies import BusyError
from store.intake import Malformed
from store.playbooks import NoPlaybookError
from store.pool import AWAY

GIVEN_UP_AFTER: Final = timedelta(days=7)
"""So long somebody has for mending what patience does not mend."""
MOST_FAULTS: Final = 5
_PAUSES: Final = (1, 5, 30, 120)
"""Seconds after the first, second, … failure of a row's own: a deploy or a race that explains one is over by then."""
_BACKOFF_CAP_SECONDS: Final = 60

_PASSING: Final = {
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.RESOURCE_EXHAUSTED,
    RPCStatusCode.CANCELLED,
    RPCStatusCode.ABORTED,
    RPCStatusCode.INTERNAL,
    RPCStatusCode.UNKNOWN,
}
# No such namespace, no right to it, a server that is too old: settings, and no row's fault.
_MISPLACED: Final = {
    RPCStatusCode.NOT_FOUND,
    RPCStatusCode.PERMISSION_DENIED,
    RPCStatusCode.UNAUTHENTICATED,
    RPCStatusCode.UNIMPLEMENTED,
}
# By the first two characters of an SQLSTATE: lost, rolled back for another's sake, out of room, busy, stopped, broken.
_DATABASE_PASSING: Final = frozenset({"08", "40", "53", "55", "57", "58", "XX"})
# A migration that is still to come, a right that is still to be given, a standby that is still to take over.
_DATABASE_UNREADY: Final = frozenset({"42P01", "42703", "42883", "42704", "42501", "25006", "3D000", "28000", "28P01"})
# A token that was taken back, a right that is missing, a bill that is not paid: a person mends these, or nobody.
_SOMEBODY_MENDS: Final = frozenset({"http_401", "http_403", "access_denied", "shop_inactive"})
_TOKEN: Final = "token_"  # noqa: S105  the beginning of a rule


class Trouble(StrEnum):
    """What a failed delivery means for its row."""

    AWAY = "away"
    AMISS = "amiss"
    FAULT = "fault"


def trouble(error: BaseException) -> Trouble:
    """What a delivery that raised `error` means for its row."""
    if passes(error):
        return Trouble.AWAY
    if isinstance(error, RPCError):
        return Trouble.AMISS if error.status in _MISPLACED else Trouble.FAULT
    amiss = isinstance(error, JourneyMissingError | VendorBusyError | VendorGarbledError)
    return Trouble.AMISS if amiss else Trouble.FAULT


def passes(error: BaseException) -> bool:
    """Whether patience alone mends this: the database, Temporal or a shop's API away, or no playbook published yet."""
    if isinstance(error, RPCError):
        return error.status in _PASSING
    if isinstance(error, VendorBusyError):
        return error.rule not in _SOMEBODY_MENDS and not error.rule.startswith(_TOKEN)
    # The driver counts a value that no column takes among the errors of its connection.
    if isinstance(error, UnfitArgumentError):
        return False
    if isinstance(error, asyncpg.PostgresError):
        code = error.sqlstate or ""
        return isinstance(error, AWAY) or code[:2] in _DATABASE_PASSING or code in _DATABASE_UNREADY
    return isinstance(error, (*AWAY, TimeoutError, NoPlaybookError, VendorUnclearError, BusyError))


def pause(error: BaseException, *, attempts: int, faults: int) -> timedelta:
    """How long a row is left alone after its `attempts`-th try, the `faults`-th of its own fault, raised `error`."""
    if trouble(error) is Trouble.FAULT:
        return timedelta(seconds=_PAUSES[min(faults, len(_PAUSES)) - 1])
    pause = timedelta(seconds=min(2 ** min(attempts - 1, _BACKOFF_CAP_SECONDS), _BACKOFF_CAP_SECONDS))
    if isinstance(error, VendorBusyError) and error.retry_after is not None:
        pause = max(pause, error.retry_after)
    return pause


def said(error: BaseException) -> str:
    """What went wrong, by its kind; of an API also the vendor and its rule, of what it said the field."""
    if isinstance(error, VendorError):
        return f"{type(error).__name__} {error}"
    return f"{type(error).__name__} {error.field}" if isinstance(error, Malformed) else type(error).__name__
