"""What a statement costs, in rows that it works through: the same on any machine, unlike its time."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from store.pool import Pool
from tests.support.patience import PATIENCE


def rows_worked_through(node: Mapping[str, Any]) -> int:
    """How many rows the nodes of a plan, as `EXPLAIN (ANALYZE, FORMAT JSON)` has it, gave or threw away, all loops."""
    looked = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Join Filter", "Rows Removed by Index Recheck")
    own = sum(float(node.get(name, 0)) for name in looked) * float(node.get("Actual Loops", 1))
    return round(own) + sum(rows_worked_through(below) for below in node.get("Plans", ()))


class Explained(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A connection that runs each statement twice, first explained and undone, and keeps what it took."""

    taken: list[tuple[int, str, str]]
    """Rows worked through, the statement, and its plan as JSON."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.taken = []

    async def execute(self, query: str, *args: Any, **more: Any) -> Any:
        await self._explain(query, args)
        return await super().execute(query, *args, **more)

    async def executemany(self, command: str, args: Any, **more: Any) -> Any:
        rows = list(args)
        if rows:
            await self._explain(command, rows[0])
        return await super().executemany(command, rows, **more)

    async def fetch(self, query: str, *args: Any, **more: Any) -> Any:
        await self._explain(query, args)
        return await super().fetch(query, *args, **more)

    async def fetchval(self, query: str, *args: Any, **more: Any) -> Any:
        await self._explain(query, args)
        return await super().fetchval(query, *args, **more)

    async def fetchrow(self, query: str, *args: Any, **more: Any) -> Any:
        await self._explain(query, args)
        return await super().fetchrow(query, *args, **more)

    async def _explain(self, query: str, args: tuple[Any, ...]) -> None:
        if query.split(None, 1)[0].upper() not in {"SELECT", "WITH", "INSERT", "UPDATE", "DELETE"}:
            return
        undone = self.transaction()
        await undone.start()
        try:
            said = await super().fetchval(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {query}", *args)
        finally:
            await undone.rollback()
        self.taken.append((rows_worked_through(json.loads(said)[0]["Plan"]), query, said))


@asynccontextmanager
async def explained(dsn: str) -> AsyncIterator[tuple[Pool, list[tuple[int, str, str]]]]:
    """A pool of one connection that explains, and what it took so far."""
    pool = await asyncpg.create_pool(
        dsn, min_size=1, max_size=1, connection_class=Explained, reset=_nothing, command_timeout=PATIENCE
    )
    try:
        async with pool.acquire() as connection:
            taken = connection.taken
        yield pool, taken
    finally:
        pool.terminate()


async def _nothing(_connection: object) -> None:
    """A reset would be explained, too."""
