"""The ledger's rows as a decision writes them: a claim, a hold or a refusal, and the non-sends that ride along."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from journey.contact import Evidence, Go, merge_with
from journey.outcomes import DeliverRequest, Held, PassedOver, Refused
from journey.playbook import Channel, Playbook, Touch, touch_id
from store import ledger_sql as sql
from store.claims import Claim, Doubt, IsShut, Latest, Settles, Settling, Shut, message_key
from store.evidence import Providers
from store.pool import Connection


def nothing() -> None:
    """Do nothing."""


def always_open(_channel: Channel, _provider: str | None) -> Shut | None:
    """No way is ever closed."""
    return None


def look_it_up(_doubt: Doubt) -> Settling:
    """Every doubt is for the caller to settle."""
    return Settling.LOOK_UP


@dataclass(frozen=True)
class Question:
    """What the ledger is asked, and what the one who asks knows: see `Ledger.ask`."""

    request: DeliverRequest
    playbook: Playbook
    now: datetime
    providers: Providers
    segments: Mapping[Channel, int] = field(default_factory=dict)
    going: Callable[[], object] = nothing
    is_shut: IsShut = always_open
    settles: Settles = look_it_up

    @cached_property
    def served(self) -> frozenset[Channel]:
        """The touch's channels that a provider serves here."""
        channels = self.playbook.by_id[touch_id(self.request.key)].channels
        return frozenset(channel for channel in channels if self.providers(channel, "") is not None)

    @cached_property
    def touch(self) -> Touch:
        """The touch on the channels that are served: another is no choice, and no reason, unless it is all there is."""
        touch = self.playbook.by_id[touch_id(self.request.key)]
        return touch.but(channels=tuple(one for one in touch.channels if one in self.served or not self.served))

    def provider(self, channel: Channel, attempt_class: int) -> str:
        """Who serves the channel for this message; empty where none does."""
        return self.providers(channel, message_key(self.request, attempt_class)) or ""


def latest(row: Any) -> Latest | None:
    """How a message stands, from a row with the columns of `ledger_sql.LATEST`; None where there is no row of it."""
    if row["status"] is None:
        return None
    zero = timedelta()
    age, rest = row["age"] or zero, row["rest"]
    held_by = row["rule"] if row["status"] == "held" else None
    open_claim = row["status"] in {"claimed", "held"} and row["claim"] is not None
    return Latest(
        row["status"],
        Channel(row["channel"]),
        row["provider"],
        row["rule"],
        row["until"],
        json.loads(row["why"] or "{}"),
        Claim(
            row["id"],
            row["claim"],
            row["attempt_class"],
            row["message_id"],
            Channel(row["channel"]),
            row["provider"],
            doubtful=True,
            held_by=held_by,
            asked_at=row["asked_at"],
            again=row["again"],
        )
        if open_claim
        else None,
        rest=max(rest or zero, zero) if row["status"] == "claimed" else zero,
        age=age,
        quiet=age if rest is None else max(-rest, zero),
    )


async def write(
    connection: Connection,
    asked: Question,
    customer_id: str,
    answer: Go | Held | Refused,
    claim: Claim,
    *,
    lease: timedelta,
) -> int | None:
    """Write the row of a decision; its id, or None when the row there is another's by now."""
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
        lease,
    )
    return row


async def take_along(
    connection: Connection, request: DeliverRequest, touch: Touch, evidence: Evidence, now: datetime
) -> None:
    """Settle the waiting messages of the merge group that go along."""
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
