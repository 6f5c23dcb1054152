"""Plays the stories: posts what the outside says on its day, and lets each order's own clock run to that day."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from temporalio.client import WorkflowHandle

from activities.messaging.http import client as http_client
from journey.base import workflow_id
from journey.remedies import ENDS, Choice
from journey.timeline import Timeline
from starters.commands.support import CommandError
from starters.demo.backend import Backend
from starters.demo.customer import PageError, page_of, press
from starters.demo.payloads import paid_back
from starters.demo.story import Defaults, Presses, Said, Story
from starters.demo.wire import Senders
from starters.fast_forward import Clocks
from starters.stack import Stack
from store import accounts, remedies
from workflows.order_journey import OrderJourney

_DISPATCH_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.015
_TO_THE_END: Final = timedelta(days=400)
"""Longer than any journey: the clock stops at the journey's own end."""
_ACCEPTED: Final = 202
_REFUND: Final = "refund"


class DemoError(CommandError):
    """The demo did not go as it should; the text says where."""


@dataclass(slots=True)
class Progress:
    """Where one story stands, for whoever watches. Moments are of the order's own clock (UTC).

    `delivery` is the order's state as the journey told it, from when on; `pressed` the customer's choices.
    """

    story: Story
    placed: datetime | None = None
    now: datetime | None = None
    finished: bool = False
    delivery: list[tuple[datetime, str]] = field(default_factory=list)
    pressed: list[tuple[datetime, Choice]] = field(default_factory=list)

    @property
    def day(self) -> int:
        """The order's day on its own clock, 0 on the day it was placed."""
        return (self.now - self.placed).days if self.now and self.placed else 0


@dataclass
class Player:
    """Plays all stories side by side, each on its own clock. `backend` is the sample shop's own, which is served."""

    stack: Stack
    senders: Senders
    backend: Backend
    stories: Sequence[Story]
    progress: dict[str, Progress] = field(init=False)

    def __post_init__(self) -> None:
        self.progress = {story.name: Progress(story) for story in self.stories}
        self._clocks = Clocks(self.stack.client)

    async def play(self) -> None:
        """Play until every journey has ended.

        Raises:
            DemoError: a webhook was refused or never reached its journey, or a remedy was not made good.
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
        await self._look(story, placed)
        for beat in story.beats:
            at = beat.at(placed, story.zone)
            await self._clocks.forward_to(story.shop, story.order_id, at)
            mine.now = at
            match beat.does:
                case Presses(part, choice):
                    await self._press(story, http, part, choice, at)
                case Defaults(part):
                    await self._made_good(story, http, part, at)
                case said:
                    await self._say(story, http, said, at)
            await self._look(story, at)
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

        async def begun() -> bool:
            return bool(await accounts.messages(self.stack.pool, story.shop, story.order_id))

        await _until(begun, f"order {story.order}: its journey did not begin")

    async def _say(self, story: Story, http: Any, said: Said, at: datetime) -> None:
        """Post a webhook and wait until its fact has reached the journey, so that no clock runs ahead of it."""
        post = said(self.senders, at)
        answer = await http.post(f"/webhooks/{post.source}", content=post.body, headers=dict(post.headers))
        if answer.status_code != _ACCEPTED:
            raise DemoError(
                f"order {story.order}: /webhooks/{post.source} answered {answer.status_code}: {answer.text}"
            )

        async def dispatched() -> bool:
            return not await accounts.undelivered(self.stack.pool, post.source, [post.event_id])

        await _until(dispatched, f"order {story.order}: a webhook of {post.source} did not reach its journey")

    # ---- remedies -------------------------------------------------------------------------------------------

    async def _press(self, story: Story, http: Any, part: str, choice: Choice, at: datetime) -> None:
        """Choose as a customer does: by the page behind the link in the mail."""
        key = f"remedy_offer:{part}"

        async def offered() -> bool:
            rows = await accounts.messages(self.stack.pool, story.shop, story.order_id)
            return any(row.touch == key and row.status == "sent" for row in rows)

        await _until(offered, f"order {story.order}: no mail offered to make parcel {part} good")
        try:
            await press(http, self._page(story, part, key), choice)
        except PageError as error:
            raise DemoError(f"order {story.order}: {error}") from None
        self.progress[story.name].pressed.append((at, choice))
        await self._made_good(story, http, part, at)

    def _page(self, story: Story, part: str, key: str) -> str:
        """The remedy's page, out of its mail; where the mail went somewhere else, the one that it leads to."""
        caught = self.stack.mail.messages() if self.stack.mail is not None else []
        mail = next((mail for mail in caught if mail.order == story.order and mail.touch == key), None)
        link = self.stack.links_of(story.shop).remedy(story.shop, story.order_id, part)
        return page_of(mail) if mail is not None else f"/r/{link.rpartition('/')[2]}"

    async def _made_good(self, story: Story, http: Any, part: str, at: datetime) -> None:
        """Wait, on no clock but the real one, until the saga is through and the journey knows it.

        Then the shop tells of what it paid back, as shops do.
        """

        async def settled() -> bool:
            row = await remedies.get(self.stack.pool, story.shop, story.order_id, part)
            if row is None or row.status not in ENDS:
                return False
            told = (await self._timeline(story)).remedies
            return any(remedy.part == part and remedy.stand in ENDS for remedy in told)

        await _until(settled, f"order {story.order}: parcel {part} was not made good")
        for entry in self.backend.book(story.order_id):
            if entry.kind == _REFUND:
                await self._say(story, http, paid_back(entry), at)

    # ---- what the journey says ------------------------------------------------------------------------------

    async def _look(self, story: Story, at: datetime) -> None:
        """Note where the order stands, when that has changed."""
        seen = self.progress[story.name].delivery
        now = (await self._timeline(story)).delivery
        if not seen or seen[-1][1] != now:
            seen.append((at, now))

    async def _timeline(self, story: Story) -> Timeline:
        handle: WorkflowHandle[OrderJourney, str] = self.stack.client.get_workflow_handle_for(
            OrderJourney.run, workflow_id(story.shop, story.order_id)
        )
        return await handle.query(OrderJourney.timeline)


async def _until(fulfilled: Callable[[], Awaitable[bool]], otherwise: str) -> None:
    """Ask until it is so.

    Raises:
        DemoError: says `otherwise`, when it takes too long.
    """
    try:
        async with asyncio.timeout(_DISPATCH_SECONDS):
            while not await fulfilled():  # noqa: ASYNC110  only the tables and the journey know
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError:
        raise DemoError(otherwise) from None
