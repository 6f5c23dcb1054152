"""The kinds of provider, each with its receiving side."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from activities.messaging.email.smtp import Smtp
from activities.messaging.inbox import Inbox
from activities.messaging.push.fcm import Fcm
from activities.messaging.senders import Senders
from activities.messaging.templates import Templates
from journey.playbook import Playbook
from store.pool import Pool
from tests.activities.desk import Desk
from tests.activities.street import Street
from tests.messaging.push.kit import Google
from tests.messaging.text.standins import TwilioApi
from tests.support.loopback import Api
from tests.support.providers import CaughtMails, Impatient, PostmarkApi, ResendApi
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
    provider = Smtp(urlsplit(catcher.url), answer_timeout=3)
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


@pytest.fixture
async def twilio() -> AsyncIterator[TwilioApi]:
    made = TwilioApi()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def google() -> AsyncIterator[Google]:
    made = Google()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def mail(request: pytest.FixtureRequest) -> Api:
    """Whose API takes the street's mails: Resend's, unless the test asks for `postmark`."""
    made: Api = request.getfixturevalue(getattr(request, "param", "resend"))
    return made


@pytest.fixture
async def street(  # noqa: PLR0917  fixtures, not arguments
    mail: ResendApi | PostmarkApi,
    twilio: TwilioApi,
    google: Google,
    pool: Pool,
    templates: Templates,
    playbook: Playbook,
    tmp_path: Path,
) -> AsyncIterator[Street]:
    """All the channels, mail by the vendor of the parameter; the playbook's touches are to be changed by the test."""
    provider = mail.provider(settles_after=timedelta(0)) if isinstance(mail, PostmarkApi) else mail.provider()
    senders = Senders.of(provider, sms=twilio.sms(), push=Fcm(google.url(tmp_path), transport=Impatient()))
    yield Street(
        pool,
        provider,
        mail,
        templates,
        playbook,
        senders.with_inbox(Inbox(pool)),
        "https://shop.test/webhooks/twilio",
        mail=mail,
        twilio=twilio,
        google=google,
    )
    await senders.aclose()
