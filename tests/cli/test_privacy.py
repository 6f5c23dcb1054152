"""`postlude privacy`, run as support would."""

import asyncio
import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from starters.commands.privacy import app
from starters.commands.support import CommandError
from starters.dev_mails import forgetting
from store import privacy
from store.intake import CustomerDataRequested, CustomerRedacted
from tests.cli.commands import servers
from tests.support.orders import Order, Person, put
from tests.support.patience import PATIENCE
from workers.mail_catcher import MailFolder

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
PERSONAL = ("lovelace", "Ada")


@pytest.fixture
def environment(stack, database_url, tmp_path):
    return servers(stack, database_url, tmp_path) | {"COLUMNS": "160", "NO_COLOR": "1"}


@pytest.fixture
async def ada(pool):
    """Somebody with one order, who asks what is kept of her."""
    person = Person(customer_id="c-17", email="ada.lovelace@example.com", first_name="Ada")
    await put(pool, Order("1001", person=person, placed_at=NOON), "p")
    async with pool.acquire() as connection, connection.transaction():
        asked = CustomerDataRequested(at=NOON, shop="acme", customer_id="c-17", request_id="9")
        await privacy.record(connection, asked, now=NOON)
    return pool


async def privacy_command(*arguments, environment):
    """The command in a thread of its own, since it has an event loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, app, list(arguments), env=environment)


@pytest.mark.usefixtures("ada")
async def test_what_is_open_is_listed_until_it_is_done(environment):
    """A request stands there with its date, by ids alone, and is gone once it is answered; nothing else is done."""
    listed = await privacy_command("list", environment=environment)
    assert ("acme/c-17" in listed.output, "2026-12-22 12:00 UTC" in listed.output) == (True, True)
    (request,) = json.loads((await privacy_command("list", "--json", environment=environment)).output)
    assert (request["customer"], request["kind"], request["request_id"]) == ("acme/c-17", "data_request", "9")
    done = await privacy_command("done", str(request["id"]), environment=environment)
    assert done.output == f"request {request['id']} is done\n"
    assert (await privacy_command("list", environment=environment)).output == "Nothing is open.\n"
    again = await privacy_command("done", str(request["id"]), environment=environment)
    assert isinstance(again.exception, CommandError)


@pytest.mark.usefixtures("ada")
async def test_an_export_is_a_file_for_its_owner_alone(environment, tmp_path):
    """All that is kept goes into a new file, and not a word of it to the terminal."""
    file = tmp_path / "ada.json"
    told = await privacy_command("export", "acme/c-17", "--output", str(file), environment=environment)
    assert (told.exit_code, stat.S_IMODE(file.stat().st_mode)) == (0, 0o600)
    assert [word for word in PERSONAL if word in told.output] == []
    kept = json.loads(file.read_text())
    assert (kept["shop"], kept["customer_id"]) == ("acme", "c-17")
    assert kept["customers"][0]["email"] == "ada.lovelace@example.com"
    assert [line["title"] for line in kept["lines"]] == ["Yoga mat"]
    again = await privacy_command("export", "acme/c-17", "--output", str(file), environment=environment)
    assert str(again.exception) == f"{file} is there already: name a new file"
    shown = await privacy_command("export", "acme/c-17", environment=environment)
    assert json.loads(shown.output)["orders"] == kept["orders"]


async def test_a_person_is_erased_when_it_is_said_twice(environment, ada):
    """Without --yes nothing happens; with it she is gone, and so is an open request for just that."""
    await ada.execute(
        "INSERT INTO privacy_requests (shop, customer_id, kind, requested_at, due_at)"
        " VALUES ('acme', 'c-17', 'redact', $1, $2)",
        NOON,
        NOON + timedelta(days=30),
    )
    unsure = await privacy_command("erase", "acme/c-17", environment=environment)
    assert str(unsure.exception) == "this forgets acme/c-17 for good: say it again with --yes"
    assert await ada.fetchval("SELECT count(*) FROM customers") == 1
    gone = await privacy_command("erase", "acme/c-17", "--yes", environment=environment)
    assert gone.output == "acme/c-17: erased: 1 customers, 1 consents, 1 orders, 1 lines\n"
    assert [one.kind for one in await privacy.open_requests(ada)] == ["data_request"]
    again = await privacy_command("erase", "acme/c-17", "--yes", environment=environment)
    assert again.output == "acme/c-17: nothing was kept\n"


async def test_the_embedded_stacks_mails_forget_her_too(environment, ada):
    """Her order's mails go, and the link that was sent to her alone; others' mails and the people's own stay."""
    mails = MailFolder(Path(environment["POSTLUDE_HOME"]) / "mail")
    for recipient, headers in (
        ("ada.lovelace@example.com", "X-Postlude-Order: acme/1001\r\nX-Postlude-Touch: shipped\r\n"),
        ("ada.lovelace@example.com", ""),
        ("operators@shop.example", "X-Postlude-Order: acme/1001\r\n"),
        ("operators@shop.example", ""),
        ("bob@example.com", "X-Postlude-Order: acme/2001\r\nX-Postlude-Touch: shipped\r\n"),
    ):
        mails.keep("shop@example.com", [recipient], f"{headers}Subject: hello\r\n\r\nhello".encode())
    await privacy_command("erase", "acme/c-17", "--yes", environment=environment)
    assert "lovelace" not in "".join(path.read_text() for path in (mails.messages()[0].path.parent).iterdir())
    left = MailFolder(mails.messages()[0].path.parent)
    assert [mail.recipients[0] for mail in left.messages()] == ["operators@shop.example", "bob@example.com"]
    # A stack that is up knows them by its own index, and looks again by itself.
    async with forgetting(ada, mails):
        async with asyncio.timeout(PATIENCE):
            while len(mails.messages()) > 2:  # noqa: ASYNC110  what it waits for is another task's
                await asyncio.sleep(0.01)
    assert [mail.id for mail in mails.messages()] == [mail.id for mail in left.messages()]


@pytest.mark.parametrize("customer", ["ada.lovelace@example.com", "acme/", "/c-17"])
async def test_what_is_no_customer_is_not_repeated(customer):
    """Somebody may type an address where an id belongs."""
    for command in (["export", customer], ["erase", customer, "--yes"]):
        refused = await privacy_command(*command, environment={})
        assert str(refused.exception) == "that is not a customer: write SHOP/CUSTOMER_ID, such as acme/c-17"


@pytest.mark.usefixtures("pool")
async def test_nothing_is_exported_of_nobody(environment):
    """One line says so, and no file is made."""
    refused = await privacy_command("export", "acme/nobody", environment=environment)
    assert str(refused.exception) == "nothing is kept of acme/nobody"


async def test_a_redaction_that_was_dispatched_is_not_open(pool):
    """It is honoured at once: nobody has to do anything."""
    async with pool.acquire() as connection, connection.transaction():
        note = await privacy.record(connection, CustomerRedacted(at=NOON, shop="acme", customer_id="c"), now=NOON)
    assert (note, await privacy.open_requests(pool)) == ("nothing was kept", [])
