"""Journeys that run for months meet every later version of this code: recorded histories must replay for ever."""

import difflib
import os

import pytest
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from activities.messaging.email.smtp import Smtp
from activities.messaging.protocol import EmailProvider
from activities.messaging.templates import Templates
from journey.base import workflow_id
from journey.playbook import Playbook
from store.pool import Pool
from tests.support.histories import commands, keep, known, recorded, runs_of
from tests.support.orders import Order
from tests.support.providers import WithoutAnswer
from tests.support.replaying import replay
from tests.support.stories import STORIES, UNANSWERED, buyer
from tests.support.world import order_id, world
from workflows.order_journey import OrderJourney

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


@pytest.mark.parametrize("runner", [SandboxedWorkflowRunner(), UnsandboxedWorkflowRunner()], ids=["sandboxed", "bare"])
async def test_every_recorded_history_replays(runner: WorkflowRunner) -> None:
    """Today's code asks for the same messages and the same waits from yesterday's events, inside the sandbox too."""
    histories = recorded()
    assert histories, "tests/histories has no histories: RECORD_HISTORIES=1 uv run pytest tests/replay"
    found = {name: await replay(history, OrderJourney, runner) for name, history in histories.items()}
    objections = {name: str(one.failure) for name, one in found.items() if one.failure}
    assert objections == {}
    assert {name: one.difference for name, one in found.items() if one.difference} == {}


@pytest.mark.parametrize("story", STORIES)
async def test_each_story_issues_the_commands_it_always_did(
    *, client: Client, pool: Pool, smtp: Smtp, templates: Templates, playbook: Playbook, story: str
) -> None:
    """A change of a command sequence is noticed here, with a text that says how to make it safely."""
    order = Order(order_id(), **buyer(story))  # type: ignore[arg-type]  # a story's own fields of Order
    provider: EmailProvider = WithoutAnswer(smtp, UNANSWERED[story]) if story in UNANSWERED else smtp
    async with world(client, pool, provider=provider, templates=templates, playbook=playbook) as made:
        await made.place(order)
        # Until it rests: whether a fact comes during a send or after it would be two sequences, both right.
        await made.forward(order, 0.02)
        await STORIES[story](made, order)
        await made.handle(order).result()
        runs = await runs_of(client, workflow_id(order.shop, order.order_id))
    issued = [line for run in runs for line in commands(run)]
    if os.environ.get("RECORD_HISTORIES"):
        keep(story, playbook, runs, issued)
    if known(story) != issued:
        difference = "\n".join(difflib.unified_diff(known(story), issued, "recorded", "now", lineterm="", n=2))
        pytest.fail(HOW_TO_CHANGE.format(story=story, difference=difference), pytrace=False)
