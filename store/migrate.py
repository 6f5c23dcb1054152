"""Brings the database to the shape this version needs: `migrations/*.sql` in order, each once.

Two processes that migrate at the same time take turns (advisory lock); a migration that changed after it
ran is refused by its checksum, because nobody could say what shape the database has.
"""

import hashlib
from importlib import resources

import asyncpg

_LOCK = 7_067_853
_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())
"""


class MigrationError(Exception):
    """A migration that cannot be applied; the message names it and what to do."""


def migrations() -> list[tuple[str, str]]:
    """Every migration of this version as (name, SQL), in order."""
    folder = resources.files("store").joinpath("migrations")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [(file.name, file.read_text()) for file in files]


async def migrate(dsn: str) -> list[str]:
    """Apply what is missing and name it; an empty list when the database was up to date.

    Raises:
        MigrationError: an applied migration differs from the file of that name, or one fails.
    """
    connection = await asyncpg.connect(dsn)
    applied = []
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await connection.execute(_LEDGER)
        known = {row["name"]: row["checksum"] for row in await connection.fetch("SELECT * FROM schema_migrations")}
        for name, sql in migrations():
            checksum = hashlib.sha256(sql.encode()).hexdigest()
            if name in known:
                if known[name] != checksum:
                    raise MigrationError(f"{name} changed after it was applied: restore it and add a new file instead")
                continue
            try:
                async with connection.transaction():
                    await connection.execute(sql)
                    await connection.execute(
                        "INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)", name, checksum
                    )
            except asyncpg.PostgresError as error:
                raise MigrationError(f"{name} failed and was rolled back: {error}") from error
            applied.append(name)
    finally:
        await connection.close()
    return applied
