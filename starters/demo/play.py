"""Plays the stories: posts what the outside says on its day, and lets each order's own clock run to that day."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from activities.messaging.http import client as http_client
from starters.commands.support import CommandError
from starters.demo.story import Said, Story
from starters.demo.wire import Senders
from starters.fast_forward import Clocks
from starters.stack import Stack
from store import accounts

_DISPATCH_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.015
_TO_THE_END: Final = timedelta(days=400)
"""Longer than any journey: the clock stops at the journey's own end."""
_ACCEPTED: Final = 202


class DemoError(CommandError):
    """The demo did not go as it should; the text says where."""


@dataclass(slots=True)
class Progress:
    """Where one story stands, for whoever watches. `placed` and `now` are moments of the order's own clock (UTC)."""

    story: Story
    placed: datetime | None = None
    now: datetime | None = None
    finished: bool = False

    @property
    def day(self) -> int:
        """The order's day on its own clock, 0 on the day it was placed."""
        return (self.now - self.placed).days if self.now and self.placed else 0


@dataclass
class Player:
    """Plays all stories side by side, each on its own clock."""

    stack: Stack
    senders: Senders
    stories: Sequence[Story]
    progress: dict[str, Progress] = field(init=False)

    def __post_init__(self) -> None:
        self.progress = {story.name: Progress(story) for story in self.stories}
        self._clocks = Clocks(self.stack.client)

    async def play(self) -> None:
        """Play until every journey has ended.

        Raises:
            DemoError: a webhook was refused or never reached its journey.
            NotAllowedError: the server does not let time be skipped.
        """
        http = http_client(self.stack.url, {})
        try:
            async with asyncio.TaskGroup() as group:
                for story in self.stories:
                    if story.follows is None:
                        group.create_task(self._play(story, http, group, placed=datetime.now(UTC)))
        finally:
            await http.aclose()

    async def _play(self, story: Story, http: Any, group: asyncio.TaskGroup, *, placed: datetime) -> None:
        await self._say(story, http, story.place, placed)
        await self._follow(story, http, group, placed=placed)

    async def _follow(self, story: Story, http: Any, group: asyncio.TaskGroup, *, placed: datetime) -> None:
        mine = self.progress[story.name]
        mine.placed = mine.now = placed
        await self._clocks.forward_to(story.shop, story.order_id, placed)
        await self._until_begun(story)
        for beat in story.beats:
            at = beat.at(placed, story.zone)
            await self._clocks.forward_to(story.shop, story.order_id, at)
            mine.now = at
            await self._say(story, http, beat.say, at)
            if beat.begins is not None:
                other = self.progress[beat.begins].story
                group.create_task(self._follow(other, http, group, placed=at))
        while await self._clocks.forward(story.shop, story.order_id, _TO_THE_END):
            pass
        row = await accounts.order(self.stack.pool, story.shop, story.order_id)
        mine.now = (row.ended_at if row is not None else None) or mine.now
        mine.finished = True

    async def _until_begun(self, story: Story) -> None:
        """Wait for the first word to the customer: no clock may be moved before the journey has looked at it."""
        try:
            async with asyncio.timeout(_DISPATCH_SECONDS):
                while not await accounts.messages(self.stack.pool, story.shop, story.order_id):  # noqa: ASYNC110  only the ledger knows
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            raise DemoError(f"order {story.order}: its journey did not begin") from None

    async def _say(self, story: Story, http: Any, said: Said, at: datetime) -> None:
        """Post a webhook and wait until its fact has reached the journey, so that no clock runs ahead of it."""
        post = said(self.senders, at.astimezone(UTC))
        answer = await http.post(f"/webhooks/{post.source}", content=post.body, headers=dict(post.headers))
        if answer.status_code != _ACCEPTED:
            raise DemoError(
                f"order {story.order}: /webhooks/{post.source} answered {answer.status_code}: {answer.text}"
            )
        try:
            async with asyncio.timeout(_DISPATCH_SECONDS):
                while await accounts.undelivered(self.stack.pool, post.source, [post.event_id]):  # noqa: ASYNC110  the inbox has no event to wait for
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            raise DemoError(f"order {story.order}: a webhook of {post.source} did not reach its journey") from None
