"""Migrated, empty databases. To empty one for the next test takes a tenth of what a new one does."""

import uuid
from urllib.parse import urlsplit

import asyncpg

from store.migrate import migrate

_TABLES = """
SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migrations' ORDER BY tablename
"""
_SEQUENCES = "SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'"
_SHAPE = """
SELECT md5(string_agg(line, ',' ORDER BY line)) FROM (
    SELECT concat(attrelid::regclass, '.', attname, atttypid, attnotnull, atthasdef) AS line FROM pg_attribute
      JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT concat(conrelid::regclass, ':', conname) FROM pg_constraint
      WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT concat(tgrelid::regclass, '!', tgname) FROM pg_trigger
    UNION ALL SELECT concat(proname, '()') FROM pg_proc WHERE pronamespace = 'public'::regnamespace)
"""


class Databases:
    """The databases of one server; a test takes one and gives it back."""

    def __init__(self, url: str) -> None:
        """`url` is that of any database of the server."""
        self._url = url
        self._free: list[str] = []
        self._shape = ""
        self._empty = ""

    async def start(self) -> None:
        """Connect, and spare the disk: nothing in here has to outlive a power cut."""
        self._admin = await asyncpg.connect(self._url)
        for setting in ("fsync", "full_page_writes"):
            await self._admin.execute(f"ALTER SYSTEM SET {setting} = off")
        await self._admin.execute("SELECT pg_reload_conf()")

    async def stop(self) -> None:
        """Hang up; the databases go with their server."""
        await self._admin.close()

    async def take(self) -> str:
        """The URL of an empty database."""
        if self._free:
            return self._free.pop()
        name = _new_name()
        await self._admin.execute(f"CREATE DATABASE {name}")
        url = self._of(name)
        await migrate(url)
        if not self._shape:
            await self._learn(url)
        return url

    async def give_back(self, url: str) -> None:
        """Empty a database for the next test; one that was altered is dropped.

        Whoever is still at work on it is thrown out. It gets another name, so that nobody finds the way back.
        """
        name, other = urlsplit(url).path.removeprefix("/"), _new_name()
        await self._admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")  # pools connect again by themselves
        await self._admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1", name
        )
        await self._admin.execute(f"ALTER DATABASE {name} RENAME TO {other}")
        await self._admin.execute(f"ALTER DATABASE {other} ALLOW_CONNECTIONS true")
        connection = await asyncpg.connect(self._of(other))
        try:
            as_made = await connection.fetchval(_SHAPE) == self._shape
            if as_made:
                await connection.execute(self._empty)
        finally:
            await connection.close()
        if as_made:
            self._free.append(self._of(other))
        else:
            await self._admin.execute(f"DROP DATABASE {other} WITH (FORCE)")

    async def _learn(self, url: str) -> None:
        """What a fresh database looks like, and what makes a used one look so again."""
        connection = await asyncpg.connect(url)
        try:
            self._shape = await connection.fetchval(_SHAPE)
            tables = [row[0] for row in await connection.fetch(_TABLES)]
            filled = [table for table in tables if await connection.fetchval(f"SELECT EXISTS (TABLE {table})")]
            assert not filled, f"migrations fill {filled}: a test's rows could not be told from theirs"
            sequences = [row[0] for row in await connection.fetch(_SEQUENCES)]
        finally:
            await connection.close()
        # As a replica would: without looking after foreign keys, since everything goes.
        steps = ["SET session_replication_role = replica"]
        steps += [f"DELETE FROM {table}" for table in tables]  # noqa: S608  the names are the catalogue's own
        steps += [f"SELECT setval('{sequence}', 1, false)" for sequence in sequences]
        self._empty = "; ".join(steps)

    def _of(self, name: str) -> str:
        return urlsplit(self._url)._replace(path=f"/{name}").geturl()


def _new_name() -> str:
    return f"test_{uuid.uuid4().hex[:12]}"
