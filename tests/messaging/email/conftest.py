"""The three vendors on loopback."""

from collections.abc import AsyncIterator

import pytest

from tests.messaging.email.vendor import Vendor
from tests.messaging.email.vendors import MailgunApi, SendGridApi, SesApi


@pytest.fixture
async def ses() -> AsyncIterator[SesApi]:
    made = SesApi()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def sendgrid() -> AsyncIterator[SendGridApi]:
    made = SendGridApi()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def mailgun() -> AsyncIterator[MailgunApi]:
    made = MailgunApi()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture(params=["ses", "sendgrid", "mailgun"])
def vendor(request: pytest.FixtureRequest) -> Vendor:
    """Each vendor in turn."""
    made: Vendor = request.getfixturevalue(request.param)
    return made
