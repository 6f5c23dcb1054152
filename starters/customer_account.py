"""The account of one customer: what was agreed to, what may go now and by which rule, and all that went or did not."""

import asyncio
from collections.abc import Iterator
from datetime import datetime

from pydantic import BaseModel, Field

from journey.base import Instant
from journey.consent import Policy
from journey.playbook import Channel, Purpose
from starters.account import Heard
from starters.reasons import in_words
from store import history
from store.history import MessageRow, Place
from store.pool import Pool
from store.standing import Standing, standing

_LEAST = Policy()


class ChannelNow(BaseModel):
    """Whether marketing may go by a channel now. `rule` is consent's; `suppressed` why the address is on the list.

    `addressed`: there is an address or a device for it. `until`: when the permission runs out by itself.
    """

    channel: str
    addressed: bool
    allowed: bool
    rule: str
    until: Instant | None
    suppressed: str | None


class Wishes(BaseModel):
    """What the customer chose beyond yes and no; `channel` and `locale` None where nothing was chosen."""

    channel: str | None
    frequency: str
    paused_until: Instant | None
    locale: str | None
    topics_refused: list[str]


class Suppression(BaseModel):
    """A channel whose address is on the suppression list; `everywhere`: for all shops.

    `masked` is the address as a person can tell it from another; left out of JSON.
    """

    channel: str
    reason: str
    since: Instant
    everywhere: bool
    masked: str = Field(exclude=True)


class DeviceCount(BaseModel):
    """Devices of a channel: those that notifications reach, and those that are gone."""

    living: int
    dead: int


class Evidence(BaseModel):
    """One answer about marketing; the fields are those of `store.history.AnswerRow`."""

    at: Instant
    channel: str | None
    purpose: str
    topic: str | None
    granted: bool
    how: str
    source: str
    reference: str | None
    wording: str | None
    jurisdiction: str | None
    confirmed: bool
    source_hash: str | None


class Contact(BaseModel):
    """One message or non-send; the fields are those of `store.history.MessageRow`, `order` is SHOP/ID.

    `number` is what the shop shows of the order, its id where that is all.
    """

    at: Instant
    order: str
    number: str
    touch: str
    purpose: str
    channel: str
    status: str
    rule: str | None
    why: dict[str, str]
    merged_into: str | None
    due: Instant
    until: Instant | None
    provider: str | None
    events: list[Heard]


class CustomerAccount(BaseModel):
    """`postlude customer show --json`. Nothing in it names a person but the ids; `now` is the real clock's (UTC).

    `channels` are about marketing: messages about an order need no consent. `evidence` is complete, newest first;
    `messages` is one page, newest first, and `next` what `--after` wants for the one after it, None at the end.
    `words` says every rule in it in a sentence.
    """

    customer: str
    now: Instant
    country: str | None
    locale: str
    channels: list[ChannelNow]
    preferences: Wishes
    suppressions: list[Suppression]
    devices: dict[str, DeviceCount]
    evidence: list[Evidence]
    messages: list[Contact]
    next: str | None
    words: dict[str, str]


async def customer_account(
    pool: Pool,
    shop: str,
    customer_id: str,
    *,
    now: datetime,
    limit: int,
    after: Place | None = None,
    policy: Policy = _LEAST,
) -> CustomerAccount | None:
    """A customer's account; None when there is no such customer.

    Args:
        pool: the database.
        shop: the customer's shop.
        customer_id: the shop's own id.
        now: when permission is judged, aware.
        limit: how many messages at most.
        after: where the page of messages before this one ended.
        policy: what the shop does about consent beyond the law's least.
    """
    known = await standing(pool, shop, customer_id)
    if known is None:
        return None
    evidence, listed, devices, rows = await asyncio.gather(
        history.answers(pool, shop, customer_id),
        history.suppressions(pool, shop, customer_id),
        history.devices(pool, shop, customer_id),
        # One more than asked for tells whether there is another page.
        history.messages(pool, shop, customer_id, limit=limit + 1, after=after),
    )
    page = rows[:limit]
    channels = [_channel(known, channel, now, policy) for channel in Channel]
    messages = [_contact(shop, row) for row in page]
    return CustomerAccount(
        customer=f"{shop}/{customer_id}",
        now=now,
        country=known.country,
        locale=known.locale,
        channels=channels,
        preferences=Wishes(
            channel=known.preferences.channel,
            frequency=known.preferences.frequency,
            paused_until=known.preferences.rests_until(now),
            locale=known.preferences.locale,
            topics_refused=sorted(known.topics_refused),
        ),
        suppressions=[Suppression.model_validate(one, from_attributes=True) for one in listed],
        devices={channel: DeviceCount.model_validate(one, from_attributes=True) for channel, one in devices.items()},
        evidence=[Evidence.model_validate(one, from_attributes=True) for one in evidence],
        messages=messages,
        next=str(page[-1].place) if len(rows) > limit else None,
        words={rule: in_words(rule) for rule in sorted(set(_rules(channels, messages)))},
    )


def _rules(channels: list[ChannelNow], messages: list[Contact]) -> Iterator[str]:
    for channel in channels:
        yield channel.rule
        if channel.suppressed is not None:
            yield f"suppressed_{channel.suppressed}"
    for message in messages:
        if message.rule is not None:
            yield message.rule
        yield from message.why.values()


def _channel(known: Standing, channel: Channel, now: datetime, policy: Policy) -> ChannelNow:
    permission = known.permission(channel, Purpose.MARKETING, now=now, policy=policy)
    return ChannelNow(
        channel=channel,
        addressed=channel is Channel.INBOX or channel in known.addressed,
        allowed=permission.allowed,
        rule=permission.rule,
        until=permission.expires_at if permission.allowed else None,
        suppressed=known.suppressed.get(channel),
    )


def _contact(shop: str, row: MessageRow) -> Contact:
    return Contact(
        at=row.at,
        order=f"{shop}/{row.order_id}",
        number=row.number,
        touch=row.touch,
        purpose=row.purpose,
        channel=row.channel,
        status=row.status,
        rule=row.rule,
        why=dict(row.why),
        merged_into=row.merged_into,
        due=row.due,
        until=row.until,
        provider=row.provider,
        events=[Heard.model_validate(echo, from_attributes=True) for echo in row.echoes],
    )
