"""Worker processes of remedies that kill themselves in one gap of the saga, once.

Each is told by a file of its own: the task queue, the shop's address, the terms, and the gap to die in, if any.
"""

import asyncio
import json
import os
import signal
from pathlib import Path

from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.remedies import Remedies
from journey.playbook import load_playbook
from journey.remedies import RemedyTerms
from tests.support.counter import LookFirst, Only
from tests.support.processes import serve_forks
from workers.connecting import database, temporal_client
from workers.logs import configure
from workers.settings import Settings, shipped_playbooks
from workflows.remedy_case import RemedySaga

JOBS = "FAULT_TEST_JOBS"
"""The folder of jobs."""


async def _job():
    """The job that was laid there under this process's number."""
    file = Path(os.environ[JOBS]) / f"{os.getpid()}.job"
    while not file.exists():  # noqa: ASYNC110  another process lays it there
        await asyncio.sleep(0.01)
    return json.loads(file.read_text())


async def work(playbook):
    """Serve one queue for ever, or until the gap."""
    # What the SDK's core has to say is for the log: the line to the parent is for pids.
    os.dup2(2, 1)
    job = await _job()

    async def gap(name):
        if name == job["dies"]:
            os.kill(os.getpid(), signal.SIGKILL)

    pool = await database(Settings().needed("database_url"), size=3)
    book = playbook.but(remedies=RemedyTerms.model_validate(job["terms"]))
    remedies = Remedies(
        pool,
        lambda _digest: book,
        Only(LookFirst(job["shop"], "acme")),
        gap=gap,
    )
    async with Worker(
        await temporal_client(),
        task_queue=job["queue"],
        workflows=[RemedySaga],
        activities=remedies.activities,
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        await asyncio.Event().wait()


if __name__ == "__main__":
    configure()
    loaded = load_playbook((shipped_playbooks() / "default.yaml").read_text())
    serve_forks(lambda: asyncio.run(work(loaded)))
