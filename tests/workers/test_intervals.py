"""The time limits of an attempt follow from one another, and the parts that keep them are set to them."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from temporalio.client import Client

from activities.links import Links
from activities.messaging import exchange, pace
from activities.messaging.email.mailgun import Mailgun
from activities.messaging.email.postmark import Postmark
from activities.messaging.email.smtp import Smtp
from activities.messaging.protocol import EmailProvider
from activities.messaging.senders import Senders
from activities.messaging.templates import Templates
from journey.intervals import (
    ATTEMPT,
    BEAT,
    HEARTBEAT,
    LEASE,
    MOST_PROVIDERS,
    QUEUED,
    RECORDING,
    REQUEST,
    SILENCE_LEAST,
    SMTP_GREETING,
    SMTP_LAST_WORD,
    THROTTLE,
    TURN,
)
from store.ledger import Ledger
from store.pool import Pool
from workers.settings import Settings
from workers.worker import build_worker
from workflows.registry import PLAYBOOKS

FROZEN = timedelta(seconds=5.5)
"""A stand-still of a busy machine."""


def test_a_silence_is_what_is_left_of_the_heartbeat_when_a_beat_was_just_missed() -> None:
    """The server last heard of a process that stops one beat and one throttle ago."""
    assert SILENCE_LEAST == HEARTBEAT - BEAT - THROTTLE
    assert FROZEN < SILENCE_LEAST


def test_a_lease_ends_with_the_silence_and_is_renewed_several_times_in_it() -> None:
    """A dead attempt's message is not waited for twice; one beat that is lost ends no living one's lease."""
    assert LEASE <= SILENCE_LEAST
    assert 3 * BEAT < LEASE
    assert TURN < LEASE


def test_the_longest_attempt_is_longer_than_all_it_may_have_to_wait_for() -> None:
    """Every provider of a channel is slow with its last word, and then the database is away."""
    slowest = TURN + max(SMTP_GREETING + SMTP_LAST_WORD, REQUEST)
    assert MOST_PROVIDERS * slowest + RECORDING < ATTEMPT
    assert QUEUED < HEARTBEAT * 3


@pytest.mark.parametrize(
    "made",
    [
        Mailgun(urlsplit("mailgun://key@api.mailgun.net/mg.example.com?lookup=1")),
        Postmark(urlsplit("postmark://key@api.postmarkapp.com")),
    ],
    ids=lambda made: made.name,
)
def test_a_log_is_given_time_after_the_last_moment_at_which_a_message_may_have_left(made: EmailProvider) -> None:
    """That is when the lease ended; the request that was begun before it is over by then, with time to spare."""
    assert made.looks_up
    assert made.settles_after >= REQUEST


async def test_the_parts_are_set_to_them(client: Client, pool: Pool, templates: Templates) -> None:
    """The worker's throttle, the ledger's lease, the providers' patience."""
    smtp = Smtp(urlsplit("smtp://127.0.0.1:25"))
    links = Links("test-secret-key", "http://shop.test")
    worker = build_worker(
        client,
        pool,
        Settings(task_queue="intervals"),
        senders=Senders.of(smtp),
        templates=templates,
        links=links,
        playbook=PLAYBOOKS.get,
    )
    config = worker.config()
    assert config["max_heartbeat_throttle_interval"] == config["default_heartbeat_throttle_interval"] == THROTTLE
    assert Ledger(pool, domain="shop.test").lease == LEASE
    assert (smtp._timeout, smtp._answer_timeout) == (SMTP_GREETING.total_seconds(), SMTP_LAST_WORD.total_seconds())
    assert REQUEST.total_seconds() == exchange._PATIENCE
    assert TURN.total_seconds() == pace.MOST_WAIT
