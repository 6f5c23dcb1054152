"""How fast one provider is asked: a token bucket, `?rate=14` (messages a second) in the provider's URL.

It is for what comes in bunches within one worker. What all workers together may send is the business of the task
queue (`max_task_queue_activities_per_second`).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Generic, TypeVar

from activities.messaging.protocol import Answering, Busy, Message, Provider, Receipt
from journey.intervals import TURN

M = TypeVar("M", bound=Message)

MOST_WAIT = TURN.total_seconds()
"""Seconds that a message waits here at most; what would wait longer is `Busy` and comes back."""
# How many seconds' worth of tokens a bucket holds: timers fire late, and the loss would never be caught up without.
_SLACK = 0.1


class Paced(Generic[M]):
    """Another provider, asked `per_second` times a second at most; whoever asks first goes first.

    In any `t` seconds that is `per_second * (t + 0.1) + 1` messages at most. Once it says `Busy` with a `retry_after`,
    nobody asks it before that. `clock` is monotonic, in seconds.

    Raises:
        ValueError: `per_second` is not a positive, finite number.
    """

    def __init__(
        self,
        provider: Provider[M],
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if not 0 < per_second < float("inf"):
            raise ValueError("a rate is a positive number of messages a second")
        self.name = provider.name
        self.remembers = provider.remembers
        self.looks_up = provider.looks_up
        self.settles_after = provider.settles_after
        self._provider = provider
        self._interval = 1 / per_second
        self._clock = clock
        self._sleep = sleep
        # The bucket as the time of its next token: each message takes one in the order of asking and sleeps till then.
        self._next = clock() - _SLACK
        self._paused_until = self._next

    async def send(self, message: M) -> Receipt:
        """Wait for a turn, then ask the provider; `Busy("paced")` when the turn would come too late."""
        return await self.turn() or await self.at_once(message)

    async def turn(self) -> Busy | None:
        """Wait for a turn; `Busy("paced")` when it would come too late."""
        give_up = self._clock() + MOST_WAIT
        while True:
            now = self._clock()
            turn = max(self._next, now - _SLACK)
            if turn > give_up:
                return Busy("paced", timedelta(seconds=turn - now))
            self._next = turn + self._interval
            if turn > now:
                await self._sleep(turn - now)
            if self._clock() >= self._paused_until:
                return None
            # Another message was told to wait while this one slept: that holds for all, in the order they had.

    async def at_once(self, message: M) -> Receipt:
        """Ask the provider, whose turn it is."""
        receipt = await self._provider.send(message)
        if isinstance(receipt, Busy) and receipt.retry_after is not None:
            self._paused_until = max(self._paused_until, self._clock() + receipt.retry_after.total_seconds())
            self._next = max(self._next, self._paused_until)
        return receipt

    async def find(self, key: str, message_id: str) -> str | None:
        """As the provider's own; a question is not a message, and waits for no turn.

        Raises:
            LookupUnavailableError: as the provider's own.
        """
        return await self._provider.find(key, message_id)

    async def answers(self) -> bool:
        """As the provider's own; one that cannot be asked is taken to be there."""
        return not isinstance(self._provider, Answering) or await self._provider.answers()

    async def aclose(self) -> None:
        """Close the provider."""
        await self._provider.aclose()
