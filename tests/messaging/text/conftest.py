"""Both vendors on loopback."""

from collections.abc import AsyncIterator

import pytest

from tests.messaging.text.standins import TwilioApi, WhatsAppApi


@pytest.fixture
async def twilio() -> AsyncIterator[TwilioApi]:
    api = TwilioApi()
    await api.start()
    yield api
    await api.stop()


@pytest.fixture
async def meta() -> AsyncIterator[WhatsAppApi]:
    api = WhatsAppApi()
    await api.start()
    yield api
    await api.stop()
