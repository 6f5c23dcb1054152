"""Gateway and workers run under roles of their own, and can do with the database what they need alone."""

import re
from pathlib import Path

import asyncpg
import pytest

from journey.consent import Preferences
from journey.playbook import Channel
from starters.relay import Relay
from store import playbooks, preferences, privacy, roles
from store.preferences import Choices
from store.roles import GATEWAY, WORKER
from store.shops import Assumed, assume
from tests.support.roles import logged_in, running_as, with_roles

STORE = Path(roles.__file__).parent
_WRITES = re.compile(r"(INSERT INTO|UPDATE|DELETE FROM) (?!SET\b|OF\b|SKIP\b)([a-z_]+)")
OWNERS = {"schema_migrations", "playbooks", "current_playbook"}

REFUSED_TO_BOTH = [
    "CREATE TABLE mine (a int)",
    "DROP TABLE ledger",
    "ALTER TABLE customers ADD COLUMN more text",
    "TRUNCATE ledger",
    "UPDATE playbooks SET content = content",
    "INSERT INTO current_playbook SELECT * FROM current_playbook",
    "DELETE FROM schema_migrations",
    "UPDATE consents SET granted = true",
    "DELETE FROM consents",
    "DELETE FROM ledger",
    "DELETE FROM orders",
    "DELETE FROM privacy_requests",
    "CREATE ROLE another",
]
REFUSED_TO_WORKERS = [
    "SELECT body FROM inbox",
    "SELECT * FROM inbox",
    "UPDATE inbox SET status = 'dispatched'",
    "INSERT INTO consents (shop) VALUES ('acme')",
    "UPDATE customers SET email = 'eve@example.com'",
    "DELETE FROM customers",
    "DELETE FROM suppressions",
    "SELECT * FROM double_opt_ins",
    "SELECT * FROM erased_suppressions",
    "SELECT * FROM erasure_key",
    "SELECT * FROM privacy_requests",
    "INSERT INTO orders (shop) VALUES ('acme')",
    "UPDATE preferences SET frequency = 'all'",
]


@pytest.mark.parametrize("role", [GATEWAY, WORKER], ids=lambda role: role.name)
async def test_a_process_cannot_do_what_it_need_not(pool, role):
    """Neither changes the shape or the evidence; a worker reads no webhook as it came, and lifts no opt-out."""
    async with running_as(pool.dsn, role) as own:
        for statement in REFUSED_TO_BOTH + (REFUSED_TO_WORKERS if role is WORKER else []):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await own.execute(statement)


async def test_the_gateway_may_whatever_the_store_writes():
    """Each table that a statement of `store` writes is one that the gateway may write so, but for the owner's."""
    needed = {
        (way.split()[0], table)
        for file in STORE.glob("*.py")
        for way, table in _WRITES.findall(file.read_text(encoding="utf-8"))
        if table not in OWNERS
    }
    assert len(needed) > 40
    lacking = {
        (way, table)
        for way, table in needed
        if way not in GATEWAY.only.get(table, (*GATEWAY.everywhere, *GATEWAY.more.get(table, ())))
    }
    assert lacking == set()


async def test_the_gateway_takes_an_order_and_forgets_it(gate, playbook):
    """A shop's playbook is brought, a webhook dispatched and its customer erased under the gateway's role."""
    async with running_as(gate.pool.dsn, GATEWAY) as own:
        async with own.acquire() as connection:
            await assume(connection, [Assumed("acme", "de", "Europe/Berlin", "DE")])
        await playbooks.publish(own, playbook, shop="acme")
        await gate.send.order()
        await Relay(own, gate.journeys, clock=gate.clock).drain()
        assert await gate.states() == ["dispatched"]
        chosen = Choices(preferences=Preferences(), everything_off=True)
        at = {"shop": "acme", "order_id": "1001", "via": Channel.INBOX, "choices": chosen, "at": gate.clock()}
        assert await preferences.choose(own, **at) is not None
        assert not (await privacy.erase(own, "acme", "c-17", now=gate.clock())).nothing
    assert await gate.pool.fetchval("SELECT count(*) FROM customers") == 0


async def test_rights_follow_the_shape(pool):
    """A right that was given by hand is taken at the next upgrade; a table that is new has its rights then."""
    await with_roles(pool.dsn)
    await pool.execute("GRANT DELETE ON ledger TO postlude_worker")
    await pool.execute("CREATE TABLE newer (a int)")
    assert await roles.grant(pool.dsn) == ["postlude_gateway", "postlude_worker"]
    worker = await asyncpg.connect(logged_in(pool.dsn, WORKER.name))
    try:
        assert await worker.fetch("SELECT * FROM newer") == []
        for statement in ("DELETE FROM ledger", "INSERT INTO newer VALUES (1)"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await worker.execute(statement)
    finally:
        await worker.close()
    await pool.execute("DROP TABLE newer")


def test_the_owner_is_told_what_to_make():
    """The SQL makes roles that can log in, and says nothing of a password."""
    said = roles.creation()
    assert [f"CREATE ROLE {role.name} LOGIN" in said for role in (GATEWAY, WORKER)] == [True, True]
    assert "PASSWORD" not in said
