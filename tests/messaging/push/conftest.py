"""Fcm and its Google, for the tests of both its halves."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from activities.messaging.push.fcm import Fcm
from tests.messaging.push.kit import Clock, Google
from tests.support.providers import Impatient


@pytest.fixture
async def google() -> AsyncIterator[Google]:
    made = Google()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def fcm(google: Google, clock: Clock, tmp_path: Path) -> AsyncIterator[Fcm]:
    made = Fcm(google.url(tmp_path), transport=Impatient(), clock=clock)
    yield made
    await made.aclose()
