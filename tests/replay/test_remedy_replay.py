"""A remedy may wait for weeks for a person: recorded histories of its saga must replay for ever, too."""

import os
from decimal import Decimal

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from journey.remedies import Choice, RemedyTerms
from tests.support.counter import Odd
from tests.support.histories import FOLDER, commands
from tests.support.remedies import case, until
from workers.connecting import DATA_CONVERTER
from workflows.remedy_case import RemedySaga

HERE = FOLDER / "remedies"
HOW_TO_CHANGE = """
The saga {story!r} no longer issues the commands it did when it was recorded, and open ones would fail their next task.
If you meant it, put the new branch behind `workflow.patched("what-changed")`, leave the recorded histories as they
are, and record what new sagas do beside them: RECORD_HISTORIES=1 uv run pytest tests/replay/test_remedy_replay.py
See CONTRIBUTING.md, "Changing a workflow".
"""
APPROVED = RemedyTerms(approve_above={"EUR": Decimal(50)}, coupon_percent=10)


async def nothing(_handle):
    """Nobody says anything."""


async def approved(handle):
    """A person says yes."""
    await until(handle, "or `decline`, next at")
    await handle.execute_update(RemedySaga.approve, "Grace")


async def instead(handle):
    """A person says yes, and then takes the money instead of goods that are not there."""
    await approved(handle)
    await until(handle, "(out_of_stock), next at")
    await handle.execute_update(RemedySaga.choose, args=[Choice.REFUND, "Grace"])


async def late(handle):
    """The shop gives no answer to the replacement, and a person takes the money meanwhile: undone, then paid."""
    await until(handle, "the replacement was asked for")
    await handle.execute_update(RemedySaga.choose, args=[Choice.REFUND, "Grace"])


async def by_hand(handle):
    """A person did it at the shop, and did the other thing."""
    await until(handle, "with what was done, next at")
    await handle.execute_update(RemedySaga.done, args=["Grace", "R-7", Choice.REFUND])


async def called_off(handle):
    """A person calls it off."""
    await until(handle, "or `decline`, next at")
    await handle.execute_update(RemedySaga.call_off, "Grace")


STORIES = {
    "refund": (Choice.REFUND, RemedyTerms(), None, nothing),
    "replacement": (Choice.REPLACEMENT, RemedyTerms(coupon_percent=10), None, nothing),
    "out_of_stock": (Choice.REPLACEMENT, RemedyTerms(), Odd("refuse", "out_of_stock"), nothing),
    "late": (Choice.REPLACEMENT, RemedyTerms(), Odd("silent"), late),
    "by_hand": (Choice.REPLACEMENT, RemedyTerms(), None, by_hand),
    "approved": (Choice.REFUND, APPROVED, None, approved),
    "instead": (Choice.REPLACEMENT, APPROVED, Odd("refuse", "out_of_stock"), instead),
    "called_off": (Choice.REPLACEMENT, APPROVED, None, called_off),
    # Its first history is of a run that turned by the first rules: a person was asked.
    "none_left": (Choice.REPLACEMENT, RemedyTerms(), Odd("refuse", "out_of_stock"), nothing),
}
AT_THE_STOCK = {"none_left"}
"""Stories whose shop refuses to set the goods aside, and not to send them."""


@pytest.mark.parametrize("runner", [SandboxedWorkflowRunner(), UnsandboxedWorkflowRunner()], ids=["sandboxed", "bare"])
async def test_every_recorded_saga_replays(runner):
    """Today's code makes the same commands from yesterday's events, inside the sandbox that forbids I/O too."""
    files = sorted(HERE.glob("*.history.json"))
    assert {file.name.partition(".")[0] for file in files} >= set(STORIES)
    replayer = Replayer(workflows=[RemedySaga], data_converter=DATA_CONVERTER, workflow_runner=runner)
    for file in files:
        await replayer.replay_workflow(WorkflowHistory.from_json(f"replay-{file.stem}", file.read_text()))


@pytest.mark.parametrize("story", STORIES)
async def test_each_saga_issues_the_commands_it_always_did(client, pool, playbook, story):
    """A change of a command sequence is noticed here, with a text that says how to make it safely."""
    choice, terms, odd, then = STORIES[story]
    async with case(client, pool, playbook, terms=terms, api=story != "by_hand") as here:
        if odd is not None:
            here.shop.then("reserve" if story in AT_THE_STOCK else "replace", odd)
        handle = await here.start(await here.lost(choice))
        await then(handle)
        await handle.result()
        history = await handle.fetch_history()
    issued = commands(history)
    file = HERE / f"{story}.commands"
    if os.environ.get("RECORD_HISTORIES"):
        HERE.mkdir(exist_ok=True)
        number = len(list(HERE.glob(f"{story}.*.history.json"))) + 1
        (HERE / f"{story}.{number}.history.json").write_text(history.to_json())
        file.write_text("\n".join(issued) + "\n")
    if file.read_text().splitlines() != issued:
        pytest.fail(HOW_TO_CHANGE.format(story=story) + "\n".join(issued), pytrace=False)
