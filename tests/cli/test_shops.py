"""`postlude shop …`, run as an operator would."""

import asyncio
import json
import os
import signal
from datetime import timedelta

import pytest

from tests.cli.commands import PROGRAM, ROOT, postlude, servers
from tests.shops.api.backend_server import FIRST, BackendServer, answered
from tests.support.patience import PATIENCE

SINCE = "2026-11-01"


@pytest.fixture
async def server():
    running = BackendServer()
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
def environment(stack, database_url, tmp_path, server):
    return servers(stack, database_url, tmp_path) | {"POSTLUDE_SHOP_URLS": server.url}


async def shop(environment, *arguments):
    return await asyncio.to_thread(postlude, "shop", *arguments, environment=environment)


def pages(server):
    return [target.partition("cursor=")[2] for target in server.asked]


async def test_a_shop_is_read_and_listed(environment, server):
    """The first run closes every gap and says so, the second finds none, and the list knows how far it came."""
    server.sell(250)
    before = await shop(environment, "list")
    first = await shop(environment, "sync", "acme", "--since", SINCE)
    again = await shop(environment, "sync", "acme", "--since", SINCE, "--json")
    listed = await shop(environment, "list", "--json")
    told = "acme: 250 orders changed since 2026-11-01 00:00 UTC, 250 of them nobody had told of.\n"
    assert (first.code, first.out) == (0, told)
    report = json.loads(again.out)
    assert (report["orders"], report["gaps"], report["rows"]) == (250, 0, 0)
    (one,) = json.loads(listed.out)["shops"]
    assert (one["shop"], one["platform"], one["sync"]["failure"]) == ("acme", "backend", None)
    assert one["sync"]["changed_until"] == (FIRST + timedelta(minutes=249)).isoformat().replace("+00:00", "Z")
    assert before.out.splitlines()[1].split() == ["acme", "backend", "-", "-"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
async def test_a_stopped_run_goes_on_from_its_page(environment, server, number, code):
    """After Ctrl-C or kill -9 in the middle the same command goes on at once with the page it had not got."""
    server.sell(1000)
    server.hold_at = 4
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("POSTLUDE_", "TEMPORAL_"))}
    command = [PROGRAM, "shop", "sync", "acme", "--since", SINCE]
    silent = {"stdout": asyncio.subprocess.DEVNULL, "stderr": asyncio.subprocess.DEVNULL}
    stopped = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=kept | environment, **silent)
    async with asyncio.timeout(PATIENCE):
        await server.held.wait()
        stopped.send_signal(number)
        await stopped.wait()
    server.release.set()
    server.asked.clear()
    report = json.loads((await shop(environment, "sync", "acme", "--json")).out)
    assert stopped.returncode == code
    assert pages(server) == [str(place) for place in range(300, 1000, 100)]
    assert (report["orders"], report["gaps"], report["rows"]) == (1000, 1000, 1000)


async def test_a_shop_that_asks_to_wait_is_waited_for(environment, server):
    """429 delays the run and ends in no error."""
    server.sell(1)
    server.then.append(answered(429, {}, {"Retry-After": "1"}))
    ran = await shop(environment, "sync", "acme", "--since", SINCE)
    assert (ran.code, len(server.asked)) == (0, 2)


async def test_a_refusal_is_told_and_listed(environment, server):
    """What the shop refuses ends the command with its rule, and stands in the list until a page comes."""
    server.then.append(answered(400, {}))
    ran = await shop(environment, "sync", "acme")
    listed = await shop(environment, "list")
    assert (ran.code, ran.err.splitlines()[-1]) == (
        1,
        "postlude: backend: http_400; the same command goes on where this one stopped",
    )
    assert "http_400" in listed.out


@pytest.mark.parametrize(
    ("urls", "arguments", "told"),
    [
        (None, ["sync", "bolt"], "no API of bolt is configured: name it in POSTLUDE_SHOP_URLS"),
        ("magento://t0ken@shop.example", ["list"], "POSTLUDE_SHOP_URLS: no shop platform magento://"),
        ("backend://t0ken@shop.example", ["list"], "POSTLUDE_SHOP_URLS: backend:// needs"),
    ],
)
async def test_a_setting_that_is_wrong_is_named(environment, urls, arguments, told):
    """The error names the setting in one line, and no secret."""
    ran = await shop(environment | ({"POSTLUDE_SHOP_URLS": urls} if urls else {}), *arguments)
    assert ran.code == 1
    assert told in ran.err
    assert "t0ken" not in ran.err


async def test_orders_that_nobody_can_read_are_listed(environment, pool):
    """Their number stands beside the shop until the next run begins."""
    await pool.execute("INSERT INTO shop_sync (shop, orders_read, unreadable) VALUES ('acme', 250, 3)")
    listed = await shop(environment, "list")
    assert [line.split()[-2:] for line in listed.out.splitlines()] == [["Unreadable", "Failure"], ["250", "3"]]


async def test_a_shop_that_is_back_is_taken_in_again(environment, pool):
    """Once, and only what had left; before that it is not read."""
    await pool.execute("INSERT INTO erased VALUES ('acme', 'shop', '', now())")
    refused = await shop(environment, "sync", "acme")
    taken = await shop(environment, "readmit", "acme")
    again = await shop(environment, "readmit", "acme")
    read = await shop(environment, "sync", "acme")
    assert "postlude shop readmit" in refused.err
    assert [one.code for one in (refused, taken, again, read)] == [1, 0, 1, 0]


async def test_no_shop_is_no_error(environment):
    """Without the setting the list says what to set."""
    ran = await shop(environment | {"POSTLUDE_SHOP_URLS": ""}, "list")
    assert (ran.code, ran.out) == (0, "No shop's API is configured: set POSTLUDE_SHOP_URLS.\n")
