"""The three kinds of provider, each with its receiving side."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from activities.messaging.smtp import Smtp
from activities.messaging.templates import Templates
from journey.playbook import Playbook
from store.pool import Pool
from tests.activities.desk import Desk
from tests.support.providers import CaughtMails, PostmarkApi, ResendApi
from workers.mail_catcher import MailCatcher


@pytest.fixture
async def catcher(tmp_path: Path) -> AsyncIterator[MailCatcher]:
    """A mail server of this test's own, to be stopped and misled at will."""
    made = MailCatcher(tmp_path / "mail")
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def resend() -> AsyncIterator[ResendApi]:
    made = ResendApi()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def postmark() -> AsyncIterator[PostmarkApi]:
    made = PostmarkApi()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def smtp_desk(catcher: MailCatcher, pool: Pool, templates: Templates, playbook: Playbook) -> Desk:
    provider = Smtp(urlsplit(catcher.url), timeout=10, answer_timeout=0.8)
    return Desk(pool, provider, CaughtMails(catcher), templates, playbook)


@pytest.fixture
async def resend_desk(resend: ResendApi, pool: Pool, templates: Templates, playbook: Playbook) -> AsyncIterator[Desk]:
    provider = resend.provider()
    yield Desk(pool, provider, resend, templates, playbook)
    await provider.aclose()


@pytest.fixture
async def postmark_desk(
    postmark: PostmarkApi, pool: Pool, templates: Templates, playbook: Playbook
) -> AsyncIterator[Desk]:
    provider = postmark.provider(settles_after=timedelta(0))
    yield Desk(pool, provider, postmark, templates, playbook)
    await provider.aclose()


@pytest.fixture(params=["smtp", "resend", "postmark"])
def desk(request: pytest.FixtureRequest) -> Desk:
    """Each kind of provider in turn."""
    made: Desk = request.getfixturevalue(f"{request.param}_desk")
    return made
