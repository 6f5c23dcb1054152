import asyncio
import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from starters.cli import run
from starters.commands.files import read_order
from starters.fast_forward import Clocks
from starters.journeys import TemporalJourneys
from starters.playbook_schema import playbook_schema
from starters.relay import Relay
from tests.cli.commands import ROOT, Ran, postlude, servers
from tests.support.orders import Order
from workers.settings import shipped_playbooks

DEFAULT = shipped_playbooks() / "default.yaml"
EXAMPLES = ROOT / "examples" / "orders"
ORDER = EXAMPLES / "first-order.json"


@pytest.fixture
def nowhere(tmp_path):
    """An environment in which no server is known."""
    return {"POSTLUDE_HOME": str(tmp_path)}


@pytest.fixture
def here(capsys):
    """Run a command that needs no server in this process: a process of its own takes a second to start."""

    def command(*arguments):
        code = run(list(arguments))
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return command


@pytest.fixture
def environment(stack, database_url, tmp_path):
    return servers(stack, database_url, tmp_path)


def test_a_wrong_use_ends_with_two(nowhere):
    """An option that does not exist is a usage error, told on stderr, with exit code 2."""
    ran = postlude("order", "list", "--colour", environment=nowhere)
    assert (ran.code, ran.out) == (2, "")
    assert "--colour" in ran.err


def test_a_command_without_servers_says_what_to_do(nowhere):
    """No database known: one line naming the setting, exit code 1, no traceback."""
    ran = postlude("order", "list", environment=nowhere)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("postlude: no database is known: set POSTLUDE_DATABASE_URL")
    assert ran.err.count("\n") == 1


def test_a_database_that_is_not_there_is_one_line_without_its_password(nowhere):
    """A refused connection names no secret, and the command ends by itself."""
    url = "postgresql://u:hunter2@127.0.0.1:1/postlude"
    ran = postlude("order", "list", environment=nowhere | {"POSTLUDE_DATABASE_URL": url})
    assert ran.code == 1
    assert "Traceback" not in ran.err
    assert "hunter2" not in ran.err
    assert "a server does not answer" in ran.err


def test_lint_names_touch_and_rule_and_fails(here, tmp_path):
    """A playbook with a mistake is told apart by touch and rule, with exit code 1; the shipped one passes."""
    bad = tmp_path / "bad.yaml"
    bad.write_text(DEFAULT.read_text().replace("anchor: order_delivered, offset: 4d", "anchor: parcel_delayed"))
    ran = here("playbook", "lint", str(bad))
    assert ran.code == 1
    assert "error: touch 'check_in': marketing_on_problem: " in ran.out
    ran = here("playbook", "lint", str(DEFAULT))
    assert (ran.code, ran.out) == (0, "default.yaml: 0 errors, 0 warnings\n")


def test_a_playbook_that_is_none_is_one_line(here, tmp_path):
    """A file that no playbook can be made of names the touch and the field."""
    bad = tmp_path / "bad.yaml"
    bad.write_text(DEFAULT.read_text().replace("offset: 30d", "offset: soon"))
    ran = here("playbook", "simulate", str(ORDER), "--playbook", str(bad))
    assert ran.code == 1
    assert "bad.yaml: touch 'miss_you' → offset: 'soon' is not a length of time" in ran.err


def test_simulate_needs_no_server_and_can_answer_in_json(here, tmp_path):
    """The calendar of an order file is one JSON object, made by the rules alone, from the moment that the file says."""
    order = json.loads(ORDER.read_text())
    order["data"]["placed_at"] = "2026-11-22T09:59:58Z"
    (tmp_path / "order.json").write_text(json.dumps(order))
    ran = here("playbook", "simulate", str(tmp_path / "order.json"), "--delivered-after", "5d", "--json")
    assert ran.code == 0
    found = json.loads(ran.out)
    days = {entry["touch"].partition(":")[0]: entry["at"][:10] for entry in found["entries"]}
    assert (days["delivered"], days["review_request"]) == ("2026-11-27", "2026-12-03")


def test_an_order_file_that_is_wrong_names_the_field(here, tmp_path):
    """A bad order is refused with the field's own name."""
    bad = tmp_path / "order.json"
    bad.write_text(ORDER.read_text().replace('"79.00"', '"-1"'))
    ran = here("playbook", "simulate", str(bad))
    assert ran.code == 1
    assert "data.total" in ran.err


def test_diff_tells_touch_by_touch(here, tmp_path):
    """Two playbooks are compared by touch and field; a touch that is new or gone is said to be."""
    mine = tmp_path / "mine.yaml"
    mine.write_text(DEFAULT.read_text().replace("offset: 30d", "offset: 35d").replace("id: vip_invite", "id: club"))
    ran = here("playbook", "diff", str(DEFAULT), str(mine))
    assert (ran.code, ran.out.splitlines()) == (
        0,
        ["- touch vip_invite", "+ touch club", '~ touch miss_you: offset "30d" → "35d"'],
    )


def test_the_schema_takes_the_forms_that_marketers_write():
    """Spans are `9d`, times of day `21:00`, and `late` has its short forms."""
    schema = playbook_schema()
    offset = schema["$defs"]["Touch"]["properties"]["offset"]
    assert offset["pattern"] == r"^(\d+[wdhms])+$"
    assert {"enum": ["send", "reschedule"]} in schema["$defs"]["Late"]["anyOf"]
    assert "duration" not in json.dumps(schema)


async def test_an_order_file_goes_through_the_inbox_and_is_shown_from_the_ledger_alone(environment, pool, client):
    """A database is migrated once, an order started from a file is one event, and needs no Temporal to be shown."""
    migrated = await later("db", "migrate", environment=environment)
    assert (migrated.code, migrated.out.splitlines()[0]) == (0, "the database is up to date")
    assert "published playbook" in migrated.out
    relay = Relay(pool, TemporalJourneys(client, f"nobody-{uuid.uuid4().hex[:8]}"))
    running = asyncio.create_task(relay.run())
    started = await later("order", "start", str(ORDER), environment=environment)
    relay.stop()
    await running
    assert (started.code, started.out) == (0, "order acme/1001 is on its way: postlude order show acme/1001\n")
    again = await later("order", "start", str(ORDER), environment=environment)
    assert (again.code, again.out) == (0, "order acme/1001 was taken in before: postlude order show acme/1001\n")
    alone = environment | {"TEMPORAL_ADDRESS": "127.0.0.1:1"}
    shown = await later("order", "show", "acme/1001", "--json", environment=alone)
    assert shown.code == 0, shown.err
    found = json.loads(shown.out)
    told = {"order", "number", "status", "phase", "now", "next", "parcels", "messages"}
    assert set(found) == told | {"attention", "delivery", "money", "remedies", "watching"}
    assert (found["order"], found["status"]) == ("acme/1001", "running")
    listed = await later("order", "list", "--status", "running", environment=environment)
    assert "acme/1001" in listed.out
    unknown = await later("order", "show", "acme/9", environment=environment)
    assert (unknown.code, unknown.err.count("\n")) == (1, 1)
    assert "there is no order acme/9" in unknown.err


async def test_steering_a_journey_from_the_command_line(environment, journeys):
    """Pause, a refused update with the validator's own words, fast-forward, and the account as JSON."""
    order = Order(f"cli-{uuid.uuid4().hex[:8]}")
    name = f"{order.shop}/{order.order_id}"
    await journeys.place(order)
    paused = await later("order", "pause", name, environment=environment)
    assert (paused.code, paused.out) == (0, f"order {name} is paused; next: paused by an operator\n")
    refused = await later("order", "pause", name, environment=environment)
    assert (refused.code, refused.err) == (1, f"postlude: order {name} refused: the journey is paused already\n")
    assert (await later("order", "resume", name, environment=environment)).code == 0
    forward = await later("order", "fast-forward", name, "2d", environment=environment)
    assert forward.code == 0, forward.err
    shown = await later("order", "show", name, "--json", environment=environment)
    found = json.loads(shown.out)
    assert "order_confirmation" in {message["touch"] for message in found["messages"] if message["status"] == "sent"}
    assert found["next"]["why"] == "not_dispatched unless there is news"
    behind = await Clocks(journeys.client).now(order.shop, order.order_id) - datetime.fromisoformat(found["now"])
    assert behind.total_seconds() < 60
    unknown = await later("order", "fast-forward", "acme/nobody", "2d", environment=environment)
    assert (unknown.code, "acme/nobody has no journey" in unknown.err) == (1, True)


async def test_publishing_says_who_keeps_the_old_rules(environment, journeys, tmp_path):
    """A published playbook is for new journeys; those under the old one are counted by phase."""
    order = Order(f"cli-{uuid.uuid4().hex[:8]}")
    await journeys.place(order)
    mine = tmp_path / "mine.yaml"
    mine.write_text(DEFAULT.read_text().replace("offset: 30d", "offset: 35d"))
    ran = await later("playbook", "publish", str(mine), environment=environment)
    assert ran.code == 0, ran.err
    assert f"1 journey in phase transactional under {journeys.playbook.digest} keep it" in ran.out


def test_order_files_may_hold_the_event_or_its_data_alone(tmp_path):
    """Both forms of an order file are the same order."""
    order = json.loads(ORDER.read_text()) | {"timestamp": "2026-11-22T10:00:00Z"}
    order["data"]["placed_at"] = "2026-11-22T09:59:58Z"
    bare, event = tmp_path / "bare.json", tmp_path / "event.json"
    bare.write_text(json.dumps(order["data"]))
    event.write_text(json.dumps(order))
    assert read_order(bare, secret_key="k")[0] == read_order(event, secret_key="k")[0]
    assert read_order(bare, secret_key="k")[0].at == datetime(2026, 11, 22, 9, 59, 58, tzinfo=UTC)


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.json")), ids=lambda file: file.name)
def test_an_example_is_an_order_of_the_moment_it_is_read(file):
    """The examples name no moment: on any day each is an order that was placed just now."""
    earliest = datetime.now(UTC)
    assert timedelta() <= read_order(file, secret_key="k")[0].at - earliest < timedelta(minutes=10)


async def later(*arguments, environment):
    """A command while this process's own worker goes on working."""
    return await asyncio.to_thread(postlude, *arguments, environment=environment)
