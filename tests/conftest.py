"""One real server of each kind for each test process; every test has ids, a task queue or a database of its own."""

import gc
import logging
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import structlog
from temporalio.client import Client

from activities.messaging.email.smtp import Smtp
from activities.messaging.templates import Templates
from journey.playbook import Playbook, load_playbook
from store.pool import Pool, connect
from tests.support.databases import Databases
from tests.support.world import World, world
from workers.connecting import temporal_client
from workers.embedded import EmbeddedStack, embedded_stack
from workers.settings import shipped_playbooks
from workflows.journey_input import SEARCH_ATTRIBUTES

# A pretty line for every message of thousands of journeys costs more than the journeys.
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))

for name in [name for name in os.environ if name.startswith(("POSTLUDE_", "TEMPORAL_"))]:
    del os.environ[name]  # the tests' parts are their own, whatever the developer's shell says

# A shell that starts the suite in the background has it ignore Ctrl-C, and the programs that tests start inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# For the Temporal server, a Go program that need not save memory here.
os.environ.setdefault("GOGC", "400")


@pytest.fixture
def say(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Tells the reader of the run a seed or a figure, whether the test passes or not; see `pytest_terminal_summary`."""
    return lambda text: record_property("said", text)


LONG_LIMIT = 900
"""Seconds for a test that takes a minute on an idle machine; `timeout` in `pyproject.toml` is every other's limit."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that one process is not left alone with them at the end, and with a limit of their own."""
    longest = (
        "test_workers_killed",
        "test_shuffled_webhooks",
        "test_servers_killed",
        "test_demo",
        "test_bench_smoke",
        "test_campaign",
        "cli/test_commands",
        "workers/test_embedded",
    )

    def turn(item: pytest.Item) -> int:
        return next((place for place, name in enumerate(longest) if name in item.nodeid), len(longest))

    items.sort(key=turn)
    for item in items:
        if turn(item) < len(longest):
            item.add_marker(pytest.mark.timeout(LONG_LIMIT))


def pytest_collection_finish() -> None:
    """What is loaded by now stays: looking it over in every full collection would take time for nothing."""
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests had to say, also when they ran in a process of their own."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                for name, text in report.user_properties:
                    if name == "said":
                        terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {text}")


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """A short path: Unix sockets allow about a hundred characters."""
    with tempfile.TemporaryDirectory(prefix="postlude-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
async def stack(home: Path) -> AsyncIterator[EmbeddedStack]:
    async with embedded_stack(home / "stack", search_attributes=SEARCH_ATTRIBUTES) as running:
        yield running


@pytest.fixture(scope="session")
async def databases(stack: EmbeddedStack) -> AsyncIterator[Databases]:
    made = Databases(stack.database_url)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """A migrated, empty database for one test."""
    url = await databases.take()
    yield url
    await databases.give_back(url)


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    made = await connect(database_url)
    yield made
    made.terminate()


@pytest.fixture(scope="session")
async def client(stack: EmbeddedStack) -> Client:
    return await temporal_client(address=stack.temporal_address)


@pytest.fixture(scope="session")
def templates() -> Templates:
    return Templates.load(shipped_playbooks())


@pytest.fixture(scope="session")
def playbook() -> Playbook:
    return load_playbook((shipped_playbooks() / "default.yaml").read_text())


@pytest.fixture
def smtp(stack: EmbeddedStack) -> Smtp:
    """The session's mail catcher as a provider; its mails are told apart by order."""
    return Smtp(urlsplit(stack.smtp_url))


@pytest.fixture
async def journeys(
    client: Client, pool: Pool, smtp: Smtp, templates: Templates, playbook: Playbook
) -> AsyncIterator[World]:
    """A world on real parts: Temporal, PostgreSQL, SMTP."""
    async with world(client, pool, provider=smtp, templates=templates, playbook=playbook) as made:
        yield made
