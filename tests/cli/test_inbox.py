"""`postlude inbox`, run as an operator would."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from starters.commands.inbox import app
from starters.commands.support import CommandError
from store import inbox
from store.intake import OrderCancelled, OrderCreated, ShipmentUpdated
from tests.cli.commands import servers

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
PERSONAL = ("lovelace", "Ada")


@pytest.fixture
def command(stack, database_url, tmp_path):
    """The command in a thread of its own, since it has an event loop of its own."""
    environment = servers(stack, database_url, tmp_path) | {"COLUMNS": "200", "NO_COLOR": "1"}

    async def run(*arguments, says=None):
        return await asyncio.to_thread(CliRunner().invoke, app, list(arguments), env=environment, input=says)

    return run


@pytest.fixture
async def ids(pool):
    """A dead creation of acme's order, its cancellation that waits, and an older scan of nobody's that is pending."""
    order = OrderCreated(
        at=NOON,
        shop="acme",
        order_id="1001",
        currency="EUR",
        total="79",
        customer={"customer_id": "c-17", "email": "ada.lovelace@example.com", "first_name": "Ada"},
        lines=[{"sku": "YM-1", "quantity": 1, "unit_price": "79"}],
    )
    cancelled = OrderCancelled(at=NOON + timedelta(hours=1), shop="acme", order_id="1001")
    scan = ShipmentUpdated(at=NOON, tracking_number="P-1", status="in_transit")
    now = datetime.now(UTC)
    for event, came in ((order, now), (cancelled, now), (scan, now - timedelta(days=2))):
        text = event.model_dump_json().encode()
        kept = {"topic": event.type, "body": text, "events": [event], "received_at": came}
        await inbox.keep(pool, source="events", event_id=event.type, **kept)
    dead, waiting, pending = [row["id"] for row in await pool.fetch("SELECT id FROM inbox ORDER BY id")]
    await pool.execute(
        "UPDATE inbox SET status = 'dead', note = 'failed 5 times: ValueError', attempts = 5, faults = 5, done_at = $2"
        " WHERE id = $1",
        dead,
        now,
    )
    await pool.execute("UPDATE inbox SET status = 'waiting', note = 'not known yet' WHERE id = $1", waiting)
    return dead, waiting, pending


async def test_what_is_undelivered_is_listed_by_ids_alone(command, ids):
    """Dead, waiting and pending rows stand there with subject and note; no name and no address does."""
    shown = (await command("list")).output
    assert [line.split()[:2] for line in shown.splitlines()[1:]] == [
        [str(ids[0]), "dead"],
        [str(ids[1]), "waiting"],
        [str(ids[2]), "pending"],
    ]
    assert ("order:acme:1001" in shown, "failed 5 times: ValueError" in shown) == (True, True)
    assert not [word for word in PERSONAL if word in shown]


@pytest.mark.parametrize(
    ("filters", "places"),
    [
        (["--status", "dead"], [0]),
        (["--status", "dead", "--status", "pending"], [0, 2]),
        (["--shop", "acme"], [0, 1]),
        (["--shop", ""], [2]),
        (["--subject", "order:acme:1001"], [0, 1]),
        (["--older-than", "1d"], [2]),
        (["--limit", "1"], [0]),
        (["--status", "ignored"], []),
    ],
)
async def test_filters_narrow_the_list_down(command, ids, filters, places):
    """Status, shop, subject and age leave what they say, as JSON too."""
    shown = json.loads((await command("list", *filters, "--json")).output)
    assert [one["id"] for one in shown] == [ids[place] for place in places]


async def test_a_long_list_goes_on_behind_its_last_row(command, ids):
    """What was not shown is counted, with the word that shows it."""
    shown = (await command("list", "--limit", "2")).output
    assert f"2 of 3; go on with --after {ids[1]}" in shown
    rest = json.loads((await command("list", "--after", str(ids[1]), "--json")).output)
    assert [one["id"] for one in rest] == [ids[2]]


async def test_a_row_is_shown_without_its_words_unless_they_are_asked_for(command, ids):
    """The account has what is behind the row on its subject; the body comes with --body alone."""
    shown = (await command("show", str(ids[0]))).output
    assert f"row: {ids[0]}, dead" in shown
    assert "tries: 5, of which 5 failed by its own fault" in shown
    assert ("on the same subject, 1:" in shown, "order.cancelled" in shown) == (True, True)
    assert not [word for word in PERSONAL if word in shown]
    told = json.loads((await command("show", str(ids[0]), "--body", "--json")).output)
    assert told["event"]["customer"]["first_name"] == "Ada"
    assert json.loads(told["body"])["customer"]["email"] == "ada.lovelace@example.com"
    assert [one["id"] for one in told["beside"]] == [ids[1]]


async def test_a_dead_letter_is_tried_again(command, ids, pool):
    """It is pending with all its tries; another status is refused and left as it is."""
    assert (await command("retry", str(ids[0]))).output == "1 row given to the relays again\n"
    row = await pool.fetchrow("SELECT status, attempts, faults, note, done_at FROM inbox WHERE id = $1", ids[0])
    assert tuple(row) == ("pending", 0, 0, None, None)
    again = await command("retry", str(ids[2]))
    assert isinstance(again.exception, CommandError)
    assert str(ids[2]) in str(again.exception)


async def test_all_dead_letters_of_a_filter_are_tried_again(command, ids, pool):
    """--all-dead takes what the filters leave, and never what waits."""
    assert (await command("retry", "--all-dead", "--shop", "bolt")).output == "0 rows given to the relays again\n"
    assert (await command("retry", "--all-dead", "--shop", "acme")).output == "1 row given to the relays again\n"
    assert await pool.fetchval("SELECT status FROM inbox WHERE id = $1", ids[1]) == "waiting"


@pytest.mark.parametrize("arguments", [["retry"], ["retry", "1", "--all-dead"], ["retry", "1", "--shop", "acme"]])
async def test_a_retry_says_which(command, arguments):
    """Neither nothing nor two answers to the question which rows are meant."""
    assert isinstance((await command(*arguments)).exception, CommandError)


async def test_a_blanked_dead_letter_has_nothing_to_be_tried(command, ids, pool):
    """What was forgotten after its time cannot be delivered, and is said to be so."""
    await pool.execute("UPDATE inbox SET body = '', event = NULL WHERE id = $1", ids[0])
    assert isinstance((await command("retry", str(ids[0]))).exception, CommandError)
    assert (await command("retry", "--all-dead")).output == "0 rows given to the relays again\n"


async def test_a_drop_is_asked_for_and_recorded(command, ids, pool):
    """Nothing goes without a yes; who dropped it and why stands with the row, which no relay takes."""
    drop = ("drop", str(ids[0]), "--reason", "a test order", "--by", "ines")
    refused = await command(*drop, says="n\n")
    assert (refused.exit_code, await pool.fetchval("SELECT status FROM inbox WHERE id = $1", ids[0])) == (1, "dead")
    assert (await command(*drop, says="y\n")).exit_code == 0
    row = await pool.fetchrow("SELECT status, note FROM inbox WHERE id = $1", ids[0])
    assert tuple(row) == ("ignored", "dropped by ines: a test order")
    assert ids[0] not in [row.id for row in await inbox.claim(pool, now=datetime.now(UTC))]


async def test_a_row_in_a_relays_hands_is_not_dropped(command, ids, pool):
    """What is being delivered at this moment is left to it, and the command says so."""
    assert [row.id for row in await inbox.claim(pool, now=datetime.now(UTC))] == [ids[2]]
    dropped = await command("drop", str(ids[2]), "--reason", "late", "--by", "ines", "--yes")
    assert isinstance(dropped.exception, CommandError)
    assert await pool.fetchval("SELECT status FROM inbox WHERE id = $1", ids[2]) == "pending"
