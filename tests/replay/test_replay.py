"""Journeys that run for months meet every later version of this code: recorded histories must replay for ever."""

import os

import pytest
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from activities.messaging.email.smtp import Smtp
from activities.messaging.templates import Templates
from journey.base import workflow_id
from journey.playbook import Playbook, load_playbook
from store.pool import Pool
from tests.support.histories import FOLDER, commands, runs_of
from tests.support.orders import Order
from tests.support.stories import STORIES, buyer
from tests.support.world import order_id, world
from workers.connecting import DATA_CONVERTER
from workflows.order_journey import OrderJourney
from workflows.registry import PLAYBOOKS

HOW_TO_CHANGE = """
The journey {story!r} no longer issues the commands it did when it was recorded:

{difference}

Journeys with the old sequence are open in production for months, and would fail their next workflow task.
  1. If you did not mean to change what the workflow does: undo it.
  2. If you did: put the new branch behind `workflow.patched("what-changed")`, keep the old one in the else, and
     leave the recorded histories as they are: the replay test then still passes.
  3. If only the rules changed (the playbook, journey/), the pinned playbook of open journeys decides the same
     steps as before, or it does not: then gate it as in 2.
  4. Then record what new journeys do, beside the old files: RECORD_HISTORIES=1 uv run pytest tests/replay
See CONTRIBUTING.md, "Changing a workflow".
"""


@pytest.fixture(scope="module", autouse=True)
def recorded_playbooks() -> None:
    """The playbooks that the recorded journeys pinned."""
    for file in FOLDER.glob("playbooks/*.json"):
        PLAYBOOKS.add(file.stem, load_playbook(file.read_text()))


@pytest.mark.parametrize("runner", [SandboxedWorkflowRunner(), UnsandboxedWorkflowRunner()], ids=["sandboxed", "bare"])
async def test_every_recorded_history_replays(runner: WorkflowRunner) -> None:
    """Today's code makes the same commands from yesterday's events, inside the sandbox that forbids I/O too."""
    files = sorted(FOLDER.glob("*.history.json"))
    assert files, "tests/histories has no histories: RECORD_HISTORIES=1 uv run pytest tests/replay"
    replayer = Replayer(workflows=[OrderJourney], data_converter=DATA_CONVERTER, workflow_runner=runner)
    for file in files:
        history = WorkflowHistory.from_json(f"replay-{file.stem}", file.read_text())
        await replayer.replay_workflow(history)


@pytest.mark.parametrize("story", STORIES)
async def test_each_story_issues_the_commands_it_always_did(
    *, client: Client, pool: Pool, smtp: Smtp, templates: Templates, playbook: Playbook, story: str
) -> None:
    """A change of a command sequence is noticed here, with a text that says how to make it safely."""
    order = Order(order_id(), **buyer(story))  # type: ignore[arg-type]  # a story's own fields of Order
    async with world(client, pool, provider=smtp, templates=templates, playbook=playbook) as made:
        await made.place(order)
        # Until it rests: whether a fact comes during a send or after it would be two sequences, both right.
        await made.forward(order, 0.02)
        await STORIES[story](made, order)
        await made.handle(order).result()
        runs = await runs_of(client, workflow_id(order.shop, order.order_id))
    issued = [line for run in runs for line in commands(run)]
    file = FOLDER / f"{story}.commands"
    if os.environ.get("RECORD_HISTORIES"):
        _record(story, runs, issued, playbook)
    known = file.read_text().splitlines()
    if known != issued:
        pytest.fail(HOW_TO_CHANGE.format(story=story, difference=_difference(known, issued)), pytrace=False)


def _record(story: str, runs: list[WorkflowHistory], issued: list[str], playbook: Playbook) -> None:
    (FOLDER / "playbooks").mkdir(parents=True, exist_ok=True)
    (FOLDER / "playbooks" / f"{playbook.digest}.json").write_text(playbook.compact)
    for number, run in enumerate(runs, 1):
        # The digest of the playbook is in the name, so that an older recording stays beside a newer one.
        (FOLDER / f"{story}.{playbook.digest}.{number}.history.json").write_text(run.to_json())
    (FOLDER / f"{story}.commands").write_text("\n".join(issued) + "\n")


def _difference(known: list[str], issued: list[str]) -> str:
    import difflib  # noqa: PLC0415  only a failing test needs it

    return "\n".join(difflib.unified_diff(known, issued, "recorded", "now", lineterm="", n=2))
