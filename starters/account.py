"""The account of one order, in the shape others build on: from its workflow's own word and the ledger.

A finished journey's workflow may be gone from Temporal (its retention), and a worker may be away; the database then
tells the same story alone.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import BaseModel
from temporalio.client import Client, WorkflowHandle, WorkflowQueryFailedError
from temporalio.service import RPCError

from journey.base import Instant, workflow_id
from journey.estimates import Estimate
from journey.timeline import Ahead, RemedyView, Timeline
from journey.zones import possible_zones, zone_named
from starters.fast_forward import Clocks, NotAllowedError
from starters.money import Money
from store import accounts
from store.accounts import LedgerRow, OrderRow, ParcelRow
from store.lanes import estimates
from store.pool import Pool
from workflows.order_journey import OrderJourney

_QUERY: Final = timedelta(seconds=8)


class Next(BaseModel):
    """The touch that is next and when; both None when only an event, or nothing, can move the journey on."""

    touch: str | None
    at: Instant | None
    why: str


class Expected(BaseModel):
    """When a parcel is expected from what is usual on its lane: by `day` with `probability`, hardly after `latest`.

    ISO dates of the customer's calendar; `probability` None where it was not learnt. `why` is carrier, learnt or usual.
    """

    day: str
    latest: str
    probability: float | None
    why: str


class Parcel(BaseModel):
    """A parcel in the normal form; the estimate, an ISO date, is the carrier's or the shop's own word.

    `tracking_number` is the key by which everything names it, `number` what the shop wrote: None where it was sent
    without one.
    """

    tracking_number: str
    number: str | None = None
    carrier: str | None
    status: str
    estimated_delivery: str | None
    reason: str | None = None
    expected: Expected | None = None


class Heard(BaseModel):
    """What a provider, or our own click redirect, said of a message afterwards.

    `kind` is delivered, bounced, soft_bounce, complained, opened, clicked, replied, opted_out or failed; `machine`: no
    person opened or clicked; `reason` is the provider's code.
    """

    kind: str
    at: Instant
    provider: str
    machine: bool
    reason: str | None

    def __str__(self) -> str:
        by = " by a machine" if self.machine else ""
        code = f" ({self.reason})" if self.reason else ""
        return f"{self.kind}{by} {self.at:%Y-%m-%d %H:%M}, says {self.provider}{code}"


class Message(BaseModel):
    """A message or non-send. `touch` is its key (`shipped:1Z…` where one touch speaks of each parcel).

    `why` has by channel the rule that spoke against it there; of a message that went, against the channels before its
    own. `merged_into` is the order and touch key of the one it went along in, `events` what was said of it afterwards.
    """

    touch: str
    channel: str
    status: str
    at: Instant
    rule: str | None
    provider_id: str | None
    provider: str | None
    why: dict[str, str]
    merged_into: str | None
    events: list[Heard]


class Account(BaseModel):
    """`postlude order show --json`. `status` is running, paused or finished, `now` the journey's own clock (UTC).

    `number` is what the shop shows of the order, its id where that is all.

    `delivery` is the order's state over its parcels and lines, `attention` what a person may want to look at,
    `watching` the touches that go only if nothing comes before their time; all three are the journey's own word, and
    empty while it cannot be asked.
    """

    order: str
    number: str
    status: str
    phase: str
    now: Instant
    next: Next
    parcels: list[Parcel]
    messages: list[Message]
    delivery: str = ""
    attention: list[str] = []
    watching: list[Ahead] = []
    remedies: list[RemedyView] = []
    money: Money | None = None


class OrderUnknownError(Exception):
    """There is no such order."""


async def account(pool: Pool, client: Client | None, shop: str, order_id: str) -> Account:
    """An order's account; with no client, or one whose server is away, from the database alone.

    Raises:
        OrderUnknownError: there is no such order.
    """
    row = await accounts.order(pool, shop, order_id)
    if row is None:
        raise OrderUnknownError(f"there is no order {shop}/{order_id}: `postlude order list` shows those there are")
    timeline, ledger, parcels = await asyncio.gather(
        _timeline(client, shop, order_id),
        accounts.messages(pool, shop, order_id),
        accounts.parcels(pool, shop, order_id),
    )
    messages = [_message(one) for one in ledger]
    if client is None or timeline is None:
        return _alone(row, messages, parcels)
    now = timeline.now
    if timeline.status != "finished":
        # A workflow's own clock stands still between its tasks: what a person wants is the present.
        with suppress(NotAllowedError, RPCError):
            now = max(now, await Clocks(client).now(shop, order_id))
    zone = zone_named(possible_zones(row.zone, row.country)[0])
    async with pool.acquire() as connection:
        expected = await estimates(connection, shop, order_id, now=now, zone=zone)
    shown = {one.tracking_number: one.number for one in parcels}
    return _told(row, timeline, messages, (expected, shown), now)


async def _timeline(client: Client | None, shop: str, order_id: str) -> Timeline | None:
    if client is None:
        return None
    handle: WorkflowHandle[OrderJourney, str] = client.get_workflow_handle_for(
        OrderJourney.run, workflow_id(shop, order_id)
    )
    try:
        return await handle.query(OrderJourney.timeline, rpc_timeout=_QUERY)
    except (RPCError, WorkflowQueryFailedError):
        return None


def _told(
    row: OrderRow,
    timeline: Timeline,
    messages: list[Message],
    known: tuple[Mapping[str, Estimate], Mapping[str, str | None]],
    now: datetime,
) -> Account:
    """The account as the journey tells it; `known` when each parcel is expected, and the number it is shown with."""
    expected, shown = known
    return Account(
        order=timeline.order,
        number=row.number,
        status=timeline.status,
        phase=timeline.phase,
        now=now,
        next=Next(touch=timeline.next.touch, at=timeline.next.at, why=timeline.next.why),
        parcels=[
            Parcel(
                tracking_number=one.tracking_number,
                number=shown.get(one.tracking_number, one.tracking_number),
                carrier=one.carrier,
                status=one.status,
                estimated_delivery=one.estimated_delivery,
                reason=one.reason,
                expected=_expected(expected.get(one.tracking_number)),
            )
            for one in timeline.parcels
        ],
        messages=messages,
        delivery=timeline.delivery,
        attention=list(timeline.attention),
        watching=list(timeline.watching),
        remedies=list(timeline.remedies),
        money=Money.of(row),
    )


def _expected(estimate: Estimate | None) -> Expected | None:
    if estimate is None:
        return None
    return Expected(
        day=estimate.day.isoformat(),
        latest=estimate.latest.isoformat(),
        probability=estimate.probability,
        why=estimate.why,
    )


def _alone(row: OrderRow, messages: list[Message], parcels: Sequence[ParcelRow]) -> Account:
    ended = row.ended_at is not None
    return Account(
        order=f"{row.shop}/{row.order_id}",
        number=row.number,
        status="finished" if ended else "running",
        phase="finished" if ended else "unknown",
        now=row.ended_at or datetime.now(UTC),
        next=Next(touch=None, at=None, why=row.ended_why or "the journey itself cannot be asked at the moment"),
        parcels=[
            Parcel(
                tracking_number=one.tracking_number,
                number=one.number,
                carrier=one.carrier,
                status=one.status,
                estimated_delivery=one.estimated_delivery.isoformat() if one.estimated_delivery else None,
            )
            for one in parcels
        ],
        messages=messages,
        money=Money.of(row),
    )


def _message(row: LedgerRow) -> Message:
    return Message(
        touch=row.touch,
        channel=row.channel,
        status=row.status,
        at=row.until if row.status == "held" and row.until is not None else row.at,
        rule=row.rule,
        provider_id=row.provider_id,
        provider=row.provider,
        why=dict(row.why),
        merged_into=row.merged_into,
        events=[Heard.model_validate(echo, from_attributes=True) for echo in row.echoes],
    )
