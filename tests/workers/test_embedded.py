import asyncio
import contextlib
import json
import re
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import aiosmtplib
import asyncpg
import psutil
import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client

from tests.support.patience import PATIENCE
from workers.embedded import StackInUseError, embedded_stack, read_stack
from workers.embedded_postgres import EmbeddedPostgres
from workers.embedded_temporal import EmbeddedTemporal, EmbeddedTemporalError, free_ports
from workers.mail_catcher import MailCatcher

KEYWORDS = {"OrderId": "Keyword", "Shop": "Keyword", "Country": "Keyword"}


@pytest.fixture
def home() -> Iterator[Path]:
    # Not pytest's own folder: that one is closed to the system user PostgreSQL runs as when the tests run as root.
    with tempfile.TemporaryDirectory(prefix="postlude-test-") as folder:
        yield Path(folder)


async def send(catcher: MailCatcher) -> None:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = "hello@shop.example", "ada@example.com", "Your order"
    message.set_content("Thank you.")
    await aiosmtplib.send(message, hostname="127.0.0.1", port=catcher.port, start_tls=False)


async def start_workflow(address: str, workflow_id: str) -> None:
    client = await Client.connect(address)
    await client.start_workflow("nobody-runs-it", id=workflow_id, task_queue="nobody")


async def started_at_all(address: str, workflow_id: str) -> bool:
    client = await Client.connect(address)
    description = await client.get_workflow_handle(workflow_id).describe()
    return description.id == workflow_id


async def test_temporal_keeps_its_data_over_a_stop_and_a_new_object_on_the_same_home(home):
    """A second start on the same home finds the workflows of the first one."""
    first = EmbeddedTemporal(home, search_attributes=KEYWORDS)
    await first.start()
    await start_workflow(first.address, "kept")
    await first.stop()

    second = EmbeddedTemporal(home)
    await second.start()
    try:
        assert await started_at_all(second.address, "kept")
    finally:
        await second.stop()


async def test_temporal_comes_back_on_the_same_port_after_sigkill_and_has_lost_nothing(home):
    """After kill -9 the server returns on its old address with the workflow it had acknowledged."""
    server = EmbeddedTemporal(home)
    await server.start()
    address, killed = server.address, server.pid
    await start_workflow(address, "acknowledged")
    await server.kill()
    assert server.pid is None
    assert not psutil.pid_exists(killed)

    await server.start()
    try:
        assert address == server.address
        assert await started_at_all(address, "acknowledged")
    finally:
        await server.stop()


async def test_temporal_knows_search_attributes_that_only_a_later_start_asks_for(home):
    """Search attributes are registered on an old database too, by the time start returns."""
    old = EmbeddedTemporal(home, search_attributes={"OrderId": "Keyword"})
    await old.start()
    await old.kill()
    new = EmbeddedTemporal(home, search_attributes={**KEYWORDS, "Tags": "KeywordList"})
    await new.start()
    try:
        client = await Client.connect(new.address)
        known = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace="default"))
        assert KEYWORDS.keys() | {"Tags"} <= known.custom_attributes.keys()
    finally:
        await new.kill()


async def test_a_temporal_whose_port_is_taken_says_so(home):
    """Whoever listens on the port is not mistaken for the server."""
    (port,) = free_ports(1)
    blocker = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", port)
    server = EmbeddedTemporal(home, port=port)
    with pytest.raises(EmbeddedTemporalError, match=f"{port} .* is taken"):
        await server.start()
    blocker.close()
    await blocker.wait_closed()


async def test_a_temporal_that_cannot_start_says_where_its_log_is_and_leaves_nothing_behind(home):
    """A database that is none ends in a clear error and no process."""
    (home / "temporal.db").write_bytes(b"not a database" * 1000)
    server = EmbeddedTemporal(home)
    with pytest.raises(EmbeddedTemporalError, match=re.escape(str(server.log_path))):
        await server.start()
    assert server.pid is None
    assert processes_of(home) == []


async def test_a_stale_pid_file_ends_only_a_server_of_this_home(home):
    """A pid in the file that now belongs to somebody else is left alone."""
    bystander = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(60)")
    try:
        (home / "temporal.pid").write_text(str(bystander.pid))
        server = EmbeddedTemporal(home)
        await server.start()
        await server.kill()
        assert bystander.returncode is None
        assert psutil.Process(bystander.pid).is_running()
    finally:
        bystander.kill()
        await bystander.wait()


async def test_postgres_keeps_its_data_over_stop_and_sigkill_with_open_connections(home):
    """Rows that were committed are there after an orderly stop and after kill -9, under the same address."""
    server = EmbeddedPostgres(home / "data")
    dsn = await server.start()
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE kept (n int)")
    for end in (server.kill, server.stop):
        await connection.execute("INSERT INTO kept VALUES (1)")
        await end()
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await connection.close(timeout=1)
        assert dsn == await server.start()
        connection = await asyncpg.connect(dsn)
    assert await connection.fetchval("SELECT sum(n) FROM kept") == 2
    await connection.close()
    await server.stop()


async def test_postgres_lives_in_a_folder_whose_path_is_too_long_for_a_socket(home):
    """A home with a long path works, and the socket elsewhere is open to its owner alone."""
    server = EmbeddedPostgres(home / ("long" * 30) / "data")
    dsn = await server.start()
    try:
        socket = Path(re.findall(r"host=([^&]+)", dsn)[0]) / ".s.PGSQL.5432"
        assert stat.S_IMODE(socket.stat().st_mode) == 0o600
        connection = await asyncpg.connect(dsn)
        assert await connection.fetchval("SELECT current_database()") == "postlude"
        await connection.close()
    finally:
        await server.stop()


async def test_the_stack_comes_up_again_with_everything_it_had(home, say):
    """Workflow, row and mail are there the second time; how long the first took is told, since no test judges time."""
    began = time.monotonic()
    async with embedded_stack(home, search_attributes=KEYWORDS) as stack:
        say(f"up in {time.monotonic() - began:.1f} s")
        await start_workflow(stack.temporal_address, "kept")
        connection = await asyncpg.connect(stack.database_url)
        await connection.execute("CREATE TABLE kept ()")
        await connection.close()
        await send(stack.mail)
    async with embedded_stack(home, search_attributes=KEYWORDS) as stack:
        assert await started_at_all(stack.temporal_address, "kept")
        connection = await asyncpg.connect(stack.database_url)
        assert await connection.fetchval("SELECT to_regclass('kept')::text") == "kept"
        await connection.close()
        assert len(stack.mail.messages()) == 1


async def test_a_second_stack_on_one_home_is_refused_and_the_first_lives_on(home):
    """One home, one stack: the second gets a clear error."""
    async with embedded_stack(home, temporal=False, postgres=False) as stack:
        with pytest.raises(StackInUseError, match="POSTLUDE_HOME"):
            async with embedded_stack(home, temporal=False, postgres=False):
                pass
        await send(stack.mail)
    async with embedded_stack(home, temporal=False, postgres=False):
        pass


async def test_the_addresses_are_there_for_the_owner_while_the_stack_is_up_and_only_then(home):
    """Another process finds a stack that is up; a file that a crash left behind deceives nobody."""
    assert read_stack(home) is None
    async with embedded_stack(home, temporal=False, postgres=False) as stack:
        assert read_stack(home) == stack.addresses
        assert stat.S_IMODE((home / "stack.json").stat().st_mode) == 0o600
        with pytest.raises(LookupError, match="Temporal"):
            _ = stack.temporal_address
        left_behind = (home / "stack.json").read_text()
    assert not (home / "stack.json").exists()
    (home / "stack.json").write_text(left_behind)
    assert read_stack(home) is None


async def test_what_started_is_stopped_when_another_part_fails(home):
    """A mail port that is taken takes PostgreSQL and Temporal down again."""
    (port,) = free_ports(1)
    blocker = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", port)
    with pytest.raises(OSError, match=str(port)):
        async with embedded_stack(home, smtp_port=port):
            pass
    blocker.close()
    await blocker.wait_closed()
    assert processes_of(home) == []


async def test_nothing_outlives_an_owner_that_is_killed(home):
    """Kill -9 of the process that holds a stack ends Temporal and PostgreSQL too, and the next stack starts."""
    script = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from workers.embedded import embedded_stack\n"
        "async def main():\n"
        "    async with embedded_stack(Path(sys.argv[1])) as stack:\n"
        "        print(stack.addresses.model_dump_json(), flush=True)\n"
        "        await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(home), stdout=asyncio.subprocess.PIPE
    )
    try:
        said = json.loads(await owner.stdout.readline())
        assert said["pid"] == owner.pid
        assert processes_of(home)
    finally:
        owner.kill()
        await owner.wait()
    async with asyncio.timeout(PATIENCE):
        while processes_of(home):  # noqa: ASYNC110  # other processes tell us nothing
            await asyncio.sleep(0.05)
    async with embedded_stack(home, mail=False):
        pass


def processes_of(home: Path) -> list[str]:
    """Return the names of the processes, other than pytest's, that serve a home."""
    found = []
    for process in psutil.process_iter(["name", "cmdline", "status"]):
        words = process.info["cmdline"] or []
        serves = any(word.startswith(str(home)) for word in words)
        if (
            serves
            and process.info["status"] != psutil.STATUS_ZOMBIE
            and process.info["name"] in {"temporal", "postgres"}
        ):
            found.append(process.info["name"])
    return found
