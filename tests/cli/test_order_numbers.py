"""Orders named and shown by the number that the shop shows, beside the id."""

import asyncio
import json
import uuid
from datetime import UTC, datetime

import pytest

from store import inbox, order_numbers
from store.intake import OrderCancelled
from tests.cli.commands import Ran, postlude, servers
from tests.support.orders import Order, put

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
EVIL = "[red]#7"


@pytest.fixture
def shell(stack, database_url, tmp_path):
    environment = servers(stack, database_url, tmp_path) | {"TEMPORAL_ADDRESS": "127.0.0.1:1"}

    async def command(*arguments: str, **more: str) -> Ran:
        return await asyncio.to_thread(postlude, *arguments, environment=environment | more)

    return command


async def placed(pool, order_id, number, shop="acme"):
    await put(pool, Order(order_id, shop=shop), "p")
    async with pool.acquire() as connection, connection.transaction():
        await order_numbers.say(connection, shop, order_id, number, at=NOW)


@pytest.mark.parametrize("name", ["5001", "#1042", "1042", "#1042 "])
async def test_an_order_is_named_by_id_or_number(pool, shell, name):
    """Both lead to it, in whatever case and with the # or without; the account has both."""
    await placed(pool, "5001", "#1042")
    shown = await shell("order", "show", f"acme/{name.strip()}", "--json")
    found = json.loads(shown.out)
    assert list(found)[:2] == ["order", "number"]
    assert (found["order"], found["number"]) == ("acme/5001", "#1042")


async def test_several_orders_of_one_number_are_listed(pool, shell):
    """Nobody guesses which of them is meant; an id comes before a number, and another shop's order is another one."""
    await placed(pool, "5001", "RE-1")
    await placed(pool, "5002", "re-1")
    await placed(pool, "5003", "RE-1", shop="other")
    await placed(pool, "RE-9", None)
    await placed(pool, "5004", "RE-9")
    several = await shell("order", "show", "acme/RE-1")
    said = "postlude: several orders of acme have the number RE-1, so name one by its id: "
    assert (several.code, several.err.startswith(said), several.err.count("\n")) == (1, True, 1)
    assert sorted(several.err.removeprefix(said).strip().split(", ")) == ["acme/5001", "acme/5002"]
    assert json.loads((await shell("order", "show", "other/RE-1", "--json")).out)["order"] == "other/5003"
    assert json.loads((await shell("order", "show", "acme/RE-9", "--json")).out)["order"] == "acme/RE-9"


async def test_tables_have_the_number_beside_the_id(pool, shell):
    """Orders, the inbox and remedies are listed with both; brackets of a number are no markup."""
    await placed(pool, "5001", EVIL)
    await placed(pool, "5002", None)
    event = OrderCancelled(at=NOW, shop="acme", order_id="5001")
    await inbox.keep(
        pool, source="events", event_id="e", topic="order.cancelled", body=b"{}", events=[event], received_at=NOW
    )
    await pool.execute(
        "INSERT INTO remedies (shop, order_id, part, reason, playbook, skus, amount, currency, offered_at, choose_by)"
        " VALUES ('acme', '5001', 'P-1', 'lost', 'p', '[]', 79, 'EUR', $1, $1)",
        NOW,
    )
    listed = (await shell("order", "list")).out
    assert listed.splitlines()[0].split()[-2:] == ["Country", "Sent"]  # every title whole in 80 columns
    assert any("acme/5001" in line and EVIL in line for line in listed.splitlines())
    assert any(line.split()[:2] == ["acme/5002", "5002"] for line in listed.splitlines())
    assert f"acme/5001 {EVIL}" in (await shell("order", "show", f"acme/{EVIL}")).out
    assert f"order:acme:5001 {EVIL}" in (await shell("inbox", "list", COLUMNS="200")).out
    assert EVIL in (await shell("remedy", "list", COLUMNS="200")).out
    assert f"Order: acme/5001 {EVIL}" in (await shell("remedy", "show", f"acme/{EVIL}")).out


async def test_a_journey_is_steered_by_its_number(pool, shell, journeys, stack):
    """Pausing, time and the rest take a number as well, and an id where no database is known."""
    order = Order(f"cli-{uuid.uuid4().hex[:8]}")
    await journeys.place(order)
    async with pool.acquire() as connection, connection.transaction():
        await order_numbers.say(connection, order.shop, order.order_id, "#1042", at=NOW)
    there = {"TEMPORAL_ADDRESS": stack.temporal_address}
    paused = await shell("order", "pause", "acme/#1042", **there)
    assert (paused.code, paused.out) == (
        0,
        f"order acme/{order.order_id} #1042 is paused; next: paused by an operator\n",
    )
    resumed = await shell("order", "resume", f"acme/{order.order_id}", POSTLUDE_DATABASE_URL="", **there)
    assert resumed.out.startswith(f"order acme/{order.order_id} is running")
