"""The database's roles: who owns it and migrates, and what gateway and workers may do in it.

The owner has everything and runs for a minute at each upgrade. The gateway takes in and forgets, but changes no
published playbook, no evidence and no shape. A worker sends and settles: it reads no webhook as it came, writes no
consent and erases nobody. What is not named here a role cannot do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import asyncpg

OWNER: Final = "postlude"


@dataclass(frozen=True, slots=True)
class Role:
    """What one process may do.

    Attributes:
        name: of the login role.
        everywhere: on every table that is not named otherwise, new ones too.
        more: beyond that, by table.
        only: instead of that, by table; none hides the table.
        columns: of a table that is hidden, those that may be read all the same.
    """

    name: str
    everywhere: Sequence[str]
    more: Mapping[str, Sequence[str]] = field(default_factory=dict)
    only: Mapping[str, Sequence[str]] = field(default_factory=dict)
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)


_DELETED_BY_GATEWAY: Final = (
    *("customers", "devices", "dispatch_habits", "double_opt_ins", "erased", "erased_suppressions", "journey_runs"),
    *("lanes", "lines", "shop_sync", "suppressions"),
)
GATEWAY: Final = Role(
    "postlude_gateway",
    ("SELECT", "INSERT", "UPDATE"),
    more=dict.fromkeys(_DELETED_BY_GATEWAY, ("DELETE",)),
    only={
        "consents": ("SELECT", "INSERT"),
        "current_playbook": ("SELECT",),
        "erasure_key": ("SELECT", "INSERT"),
        # A shop that has a file brings its playbook at the start; what was published is never changed.
        "playbooks": ("SELECT", "INSERT"),
        "schema_migrations": ("SELECT",),
    },
)
WORKER: Final = Role(
    "postlude_worker",
    ("SELECT",),
    more={
        # To lock a customer's row takes the right to change it.
        "customers": ("UPDATE (updated_at)",),
        "devices": ("UPDATE (dead_at)",),
        "dispatch_habits": ("INSERT", "UPDATE", "DELETE"),
        "journey_runs": ("INSERT", "UPDATE", "DELETE"),
        "lanes": ("INSERT", "UPDATE", "DELETE"),
        "ledger": ("INSERT", "UPDATE"),
        "notes": ("INSERT", "UPDATE"),
        "orders": ("UPDATE",),
        "remedies": ("INSERT", "UPDATE"),
        "shipments": ("UPDATE",),
        "shop_sync": ("INSERT", "UPDATE", "DELETE"),
        "suppressions": ("INSERT", "UPDATE"),
    },
    only={
        "double_opt_ins": (),
        "erased_suppressions": (),
        "erasure_key": (),
        "inbox": ("INSERT",),
        "privacy_requests": (),
    },
    # Not `body`, which is what was said word for word.
    columns={
        "inbox": (
            *("id", "source", "event_id", "topic", "subject", "event", "occurred_at", "received_at", "status"),
            *("attempts", "next_attempt", "note", "done_at", "shop"),
        )
    },
)
ROLES: Final = (GATEWAY, WORKER)

_TABLES: Final = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
_THERE: Final = "SELECT rolname FROM pg_roles WHERE rolname = ANY($1)"
# Two that migrate databases of one server at the same moment would write the roles' rows at the same time.
_TURN: Final = "SELECT pg_advisory_xact_lock(7067, 26)"


def creation() -> str:
    """SQL that makes the roles that are missing; who runs it gives them their passwords."""
    return "\n".join(
        f"DO $$ BEGIN CREATE ROLE {role.name} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
        for role in ROLES
    )


def grants(role: Role, tables: Sequence[str]) -> list[str]:
    """The statements that give a role what it may do with these tables, and take the rest."""
    said = [
        f"GRANT USAGE ON SCHEMA public TO {role.name}",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role.name}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role.name}",
    ]
    for table in tables:
        allowed = role.only.get(table, (*role.everywhere, *role.more.get(table, ())))
        readable = role.columns.get(table)
        allowed = (*allowed, f"SELECT ({', '.join(readable)})") if readable else allowed
        if allowed:
            said.append(f"GRANT {', '.join(allowed)} ON {table} TO {role.name}")
    return said


async def grant(dsn: str) -> list[str]:
    """Give each role that is there its rights in a database, as of this version; which were there.

    Raises:
        OSError, asyncpg.PostgresError: the server is away, or `dsn` is not the owner's.
    """
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.execute(_TURN)
            there = {row[0] for row in await connection.fetch(_THERE, [role.name for role in ROLES])}
            tables = [row[0] for row in await connection.fetch(_TABLES)]
            granted = [role for role in ROLES if role.name in there]
            for role in granted:
                for statement in grants(role, tables):
                    await connection.execute(statement)
    finally:
        await connection.close()
    return [role.name for role in granted]
