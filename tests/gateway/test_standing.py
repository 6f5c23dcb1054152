"""What is at work as long as Postlude runs, begun whatever goes wrong at first."""

import asyncio

import pytest
from temporalio.service import RPCError, RPCStatusCode

from starters.standing import kept_at_work
from tests.support.patience import PATIENCE


class Namespace:
    """A namespace that fails at first, as it is told to, and then is empty; `made` are its schedules."""

    def __init__(self, failure):
        self.failures = [failure]
        self.made = []
        self.swept = asyncio.Event()

    async def create_schedule(self, name, _schedule, **_how):
        if self.failures:
            raise self.failures.pop()
        self.made.append(name)

    async def list_schedules(self, **_how):
        return self._nothing()

    def list_workflows(self, _query, **_how):
        self.swept.set()
        return self._nothing()

    async def _nothing(self):
        for one in ():
            yield one


@pytest.mark.parametrize(
    "failure", [RPCError("away", RPCStatusCode.UNAVAILABLE, b""), ConnectionResetError(), ValueError("odd")]
)
async def test_whatever_goes_wrong_is_tried_again(failure):
    """Temporal away, a connection lost, or a fault that nobody thought of: the next try is not far."""
    namespace = Namespace(failure)
    async with kept_at_work(namespace, shops=[], vendors=[], task_queue="journeys", again=0.01):
        await asyncio.wait_for(namespace.swept.wait(), PATIENCE)
    assert namespace.made == ["learn:lanes", "close:books", "keep:pasts"]
