"""Workers that fall silent without being dead: they stand still, or cannot reach Temporal, with a mail at the relay."""

import asyncio
import json
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from temporalio.client import Client

from activities.links import Links
from activities.messaging.email.smtp import Smtp
from activities.messaging.senders import Senders
from activities.messaging.templates import Templates
from journey.playbook import Playbook
from store.pool import Pool
from tests.faults.worker_process import QUEUES
from tests.support.cable import cable
from tests.support.orders import Order, Person
from tests.support.processes import forks
from tests.support.world import World, order_id, world
from workers.connecting import temporal_client
from workers.embedded import EmbeddedStack
from workers.mail_catcher import AnswerLate, MailCatcher
from workers.worker import build_worker
from workflows.registry import PLAYBOOKS


def mails(catcher: MailCatcher, order: Order) -> list[str]:
    """The touches that reached the customer of that order."""
    mine = f"{order.shop}/{order.order_id}"
    return [mail.touch or "" for mail in catcher.messages() if mail.order == mine]


def somebody() -> Order:
    """An order of somebody new."""
    return Order(order_id(), person=Person(customer_id=order_id()))


def takes(catcher: MailCatcher, seconds: float) -> None:
    """The relay has every mail at once, and says so so many seconds later."""

    def behave(_mail: object) -> None:
        raise AnswerLate(seconds)

    catcher.behaviour = behave


@pytest.fixture
async def relay(tmp_path: Path):
    """A mail server of this test's own."""
    made = MailCatcher(tmp_path / "mail")
    await made.start()
    yield made
    await made.stop()


async def arrived(catcher: MailCatcher, order: Order) -> None:
    """Wait until the relay has the order's first mail."""
    while not mails(catcher, order):  # noqa: ASYNC110  the mail is a file of another process
        await asyncio.sleep(0.05)


async def recorded(place: World, order: Order) -> dict[str, tuple[str, str | None]]:
    """The ledger, once the confirmation is neither claimed nor held."""
    unsettled = {"claimed", "held"}
    while (await place.ledger(order)).get("order_confirmation", ("claimed", None))[0] in unsettled:  # noqa: ASYNC110  as above
        await asyncio.sleep(0.2)
    return await place.ledger(order)


async def test_a_relay_that_answers_after_a_quarter_of_a_minute_gets_the_mail_once(
    client: Client, pool: Pool, relay: MailCatcher, templates: Templates, playbook: Playbook
) -> None:
    """As long as the heartbeat's whole timeout: the attempt beats on, and its claim is renewed."""
    takes(relay, 15)
    async with world(client, pool, provider=Smtp(urlsplit(relay.url)), templates=templates, playbook=playbook) as place:
        order = somebody()
        await place.place(order)
        ledger = await recorded(place, order)
        await place.handle(order).terminate()
    assert ledger["order_confirmation"] == ("sent", None)
    assert mails(relay, order).count("order_confirmation") == 1
    assert "order_confirmation+1" not in ledger


async def test_a_worker_that_stands_still_for_a_moment_is_not_taken_for_dead(  # noqa: PLR0917  fixtures
    client: Client,
    pool: Pool,
    database_url: str,
    stack: EmbeddedStack,
    relay: MailCatcher,
    smtp: Smtp,
    templates: Templates,
    playbook: Playbook,
    tmp_path: Path,
) -> None:
    """Stopped for 5.5 seconds just before a beat is due, with the mail at the relay: one mail, one row."""
    takes(relay, 25)
    async with AsyncExitStack() as running:
        place = await running.enter_async_context(
            world(client, pool, provider=smtp, templates=templates, playbook=playbook, with_worker=False)
        )
        environment = {
            "TEMPORAL_ADDRESS": stack.temporal_address,
            "POSTLUDE_DATABASE_URL": database_url,
            "POSTLUDE_SECRET_KEY": "test-secret-key",
            QUEUES: json.dumps({place.settings.task_queue: relay.url}),
        }
        workers = running.enter_context(forks("tests.faults.worker_process", environment, tmp_path / "workers.log"))
        pid = await asyncio.to_thread(workers.start)
        order = somebody()
        await place.place(order)
        await arrived(relay, order)
        await asyncio.sleep(10.5)
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(5.5)
        os.kill(pid, signal.SIGCONT)
        ledger = await recorded(place, order)
        await place.handle(order).terminate()
    assert ledger["order_confirmation"] == ("sent", None)
    assert mails(relay, order) == ["order_confirmation"]
    assert "order_confirmation+1" not in ledger


async def test_a_worker_cut_off_from_temporal_keeps_what_it_has_begun(  # noqa: PLR0917  fixtures
    client: Client,
    pool: Pool,
    stack: EmbeddedStack,
    relay: MailCatcher,
    templates: Templates,
    playbook: Playbook,
) -> None:
    """The server takes its attempt for dead; its claim is renewed in the database, so the next worker waits for it."""
    takes(relay, 26)
    provider = Smtp(urlsplit(relay.url))
    links = Links("test-secret-key", "http://shop.test")
    async with (
        world(client, pool, provider=provider, templates=templates, playbook=playbook, with_worker=False) as place,
        cable(stack.temporal_address) as line,
    ):
        parts = {
            "senders": Senders.of(provider),
            "templates": templates,
            "links": links,
            "playbook": PLAYBOOKS.get,
        }
        far = await temporal_client(address=line.address)
        cut_off = build_worker(far, pool, place.settings, **parts)
        running = asyncio.create_task(cut_off.run())
        order = somebody()
        await place.place(order)
        await arrived(relay, order)
        await line.cut()
        async with build_worker(client, pool, place.settings, **parts):
            ledger = await recorded(place, order)
            await place.handle(order).terminate()
        running.cancel()
        await asyncio.wait({running}, timeout=10)
    assert ledger["order_confirmation"] == ("sent", None)
    assert mails(relay, order) == ["order_confirmation"]
    assert "order_confirmation+1" not in ledger
