"""The ledger's rows as a decision writes them: a claim, a hold or a refusal, and the non-sends that ride along."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime

from journey.contact import Evidence, Go, merge_with
from journey.outcomes import DeliverRequest, Held, PassedOver, Refused
from journey.playbook import Channel, Playbook, Touch, touch_id
from store import ledger_sql as sql
from store.claims import Claim, message_key
from store.evidence import Providers
from store.pool import Connection, Pool


def nothing() -> None:
    """Nobody wants to know."""


class Question:
    """What is asked, with all that does not change while it is asked again."""

    def __init__(
        self,
        request: DeliverRequest,
        playbook: Playbook,
        now: datetime,
        providers: Providers,
        segments: Mapping[Channel, int],
        *,
        going: Callable[[], object] = nothing,
    ) -> None:
        self.request = request
        self.playbook = playbook
        touch = playbook.by_id[touch_id(request.key)]
        self.served = frozenset(channel for channel in touch.channels if providers(channel, "") is not None)
        # A channel that the shop has nobody for is no choice, and no reason: unless it is all there is.
        self.touch = touch.but(channels=tuple(one for one in touch.channels if one in self.served or not self.served))
        self.now = now
        self.segments = segments
        self.going = going
        self._providers = providers

    def provider(self, channel: Channel, attempt_class: int) -> str:
        """Who serves the channel for this message; empty where nobody does."""
        return self._providers(channel, message_key(self.request, attempt_class)) or ""


async def write(
    connection: Connection | Pool,
    asked: Question,
    customer_id: str,
    answer: Go | Held | Refused,
    claim: Claim,
    *,
    version: int | None,
) -> int | None:
    """Write the row of a decision; its id, or None when something it was made of has changed."""
    go = isinstance(answer, Go)
    request, touch = asked.request, asked.touch
    why = answer.why
    row: int | None = await connection.fetchval(
        sql.WRITE,
        request.shop,
        request.order_id,
        request.key,
        claim.attempt_class,
        touch.id,
        touch.purpose.value,
        claim.channel.value,
        touch.priority,
        customer_id,
        "claimed" if go else answer.status,  # type: ignore[union-attr]  # Go is the one without
        None if isinstance(answer, Go) else answer.rule,
        request.due,
        asked.now,
        answer.until if isinstance(answer, Held) else None,
        claim.token if go else None,
        claim.message_id if go else None,
        claim.provider if go else None,
        claim.asked_at,
        claim.again,
        json.dumps(dict(why)) if why else None,
        touch.merge,
        version,
    )
    return row


async def take_along(
    connection: Connection | Pool, request: DeliverRequest, touch: Touch, evidence: Evidence, now: datetime
) -> None:
    """Settle the waiting messages of the merge group that go along; those that nobody else settled meanwhile."""
    for contact in merge_with(touch, evidence.waiting):
        order_id, _, key = contact.key.rpartition(" ")
        into = json.dumps({"merged_into": f"{request.order_id} {request.key}"})
        await connection.execute(sql.TAKE_ALONG, request.shop, order_id, key, now, into)


async def pass_over(
    connection: Connection,
    order: tuple[str, str],
    customer_id: str,
    passed: tuple[PassedOver, ...],
    playbook: Playbook,
    *,
    now: datetime,
) -> None:
    """A row for each non-send. One that was held is settled by it; what went out or ended stays as it is."""
    if not passed:
        return
    await connection.executemany(sql.SETTLE_HELD, [(*order, one.key, one.rule, now) for one in passed])
    rows = []
    for one in passed:
        touch = playbook.by_id[touch_id(one.key)]
        about = (touch.id, touch.purpose.value, touch.channels[0].value, touch.priority)
        rows.append((*order, one.key, *about, customer_id, one.rule, now))
    await connection.executemany(sql.LET_GO_BY, rows)
