"""Worker processes to be killed: the product's own worker, once for each task queue and mail provider it is given."""

import asyncio
import gc
import json
import os
from contextlib import AsyncExitStack

from activities.links import Links
from activities.messaging.senders import Senders
from activities.messaging.templates import Templates
from journey.playbook import Channel
from tests.support.processes import serve_forks
from workers.connecting import database, temporal_client
from workers.logs import configure
from workers.services import load_templates
from workers.settings import Settings
from workers.worker import build_worker, playbooks_kept_fresh
from workflows.registry import PLAYBOOKS

QUEUES = "FAULT_TEST_QUEUES"
"""JSON: task queue to `POSTLUDE_EMAIL_URL`."""


async def work(templates: Templates) -> None:
    """What `run_worker` does, for several queues and for ever: nobody asks these to stop."""
    settings = Settings()
    pool = await database(settings.needed("database_url"), size=20)
    client = await temporal_client()
    links = Links(settings.needed("secret_key"), settings.public_url)
    async with AsyncExitStack() as running:
        await running.enter_async_context(playbooks_kept_fresh(pool, PLAYBOOKS))
        for queue, url in json.loads(os.environ[QUEUES]).items():
            own = settings.model_copy(update={"task_queue": queue})
            senders = Senders.named_by({Channel.EMAIL: url})
            worker = build_worker(
                client, pool, own, senders=senders, templates=templates, links=links, playbook=PLAYBOOKS.get
            )
            await running.enter_async_context(worker)
        await asyncio.Event().wait()


if __name__ == "__main__":
    configure()
    loaded = load_templates(Settings())
    gc.freeze()  # as `run_worker` does; and a fork that looks it all over would copy it all
    serve_forks(lambda: asyncio.run(work(loaded)))
