"""Handing a written message to its provider, and to the next while one after the other is certainly too busy."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog

from activities.attempt import patiently
from activities.lease import Lease
from activities.messaging.inbox import Note
from activities.messaging.protocol import Busy, Message, Receipt, Rejected, Unclear
from activities.messaging.senders import Senders, carry
from activities.messaging.short import PUSHED
from activities.ways import Entry, Ways
from journey.outcomes import DeliverRequest, FindOutRequest
from journey.playbook import Channel
from store import devices
from store.claims import Claim, Shut, message_key
from store.ledger import Ledger
from store.pool import Pool

log = structlog.get_logger()

Gap = Callable[[str, DeliverRequest | FindOutRequest], Awaitable[None]]
"""Called in every gap between two steps with the gap's name; tests crash there."""
PROVIDER = "provider_"
"""What the rules begin with that say what a provider did."""


@dataclass(frozen=True, slots=True)
class Handed:
    """Who has it in the end, what came of it, and the way to wait for, where the provider turns everybody away.

    `suspect`: it came back to a way that was open and was turned away again, so the fault may be with it alone.
    """

    claim: Claim
    receipt: Receipt
    shut: Shut | None = None
    suspect: bool = False


@dataclass(frozen=True)
class HandOver:
    """What handing over needs: the database, who can carry, and which ways are open."""

    pool: Pool
    ledger: Ledger
    senders: Senders
    ways: Ways
    gap: Gap

    async def __call__(
        self,
        request: DeliverRequest,
        claim: Claim,
        written: Sequence[Message | Note],
        *,
        lease: Lease,
        now: datetime,
    ) -> Handed:
        """Hand it over at `now` of the journey's clock. Nothing is begun once the lease of the claim is over."""
        while True:
            handed = await self._to_one(request, claim, written, lease=lease, now=now)
            claim = handed.claim
            following = self.senders.after(claim.channel, claim.provider, message_key(request, claim.attempt_class))
            # What may have gone out by the first must not go by a second.
            if not isinstance(handed.receipt, Busy) or following is None or claim.doubtful:
                return handed
            lease.begin()
            next_claim = await self.ledger.hand_over(claim, following)
            if next_claim is None:
                return handed
            log.warning("failed_over", busy=claim.provider, next=following)
            claim = next_claim
            lease.take(claim)
            await self.gap("handed_over", request)

    async def _to_one(
        self,
        request: DeliverRequest,
        claim: Claim,
        written: Sequence[Message | Note],
        *,
        lease: Lease,
        now: datetime,
    ) -> Handed:
        channel, name = claim.channel, claim.provider
        provider = self.senders.named(channel, name)
        if provider is None:
            return Handed(claim, Busy("not_configured"))
        entry = self.ways.enter(channel, name, now)
        if entry is Entry.SHUT:
            rule = self.ways.rule(channel, name).removeprefix(PROVIDER)
            return Handed(claim, Busy(rule), self._shut(claim, now))
        carried = await carry(provider, written, lease.is_live)
        await _drop(self.pool, request.shop, channel, carried.dead, now)
        if not carried.asked:
            self.ways.leave(channel, name)
            return Handed(claim, carried.receipt)
        suspect = (claim.held_by or "").startswith(PROVIDER) and self.ways.works(channel, name)
        who = f"{request.shop}/{request.order_id}/{request.key}"
        self.ways.came_of(channel, name, carried.receipt, now, who)
        doubtful = isinstance(carried.receipt, Unclear)
        return Handed(claim, carried.receipt, self._shut(claim, now, doubtful=doubtful), suspect)

    def _shut(self, claim: Claim, now: datetime, *, doubtful: bool = False) -> Shut | None:
        # Only the provider that may have it can settle its doubt.
        provider = claim.provider if doubtful or claim.doubtful else None
        return self.ways.is_shut(claim.channel, provider, now)


async def remember(
    ledger: Ledger, request: DeliverRequest, claim: Claim, receipt: Rejected, message: Message | Note, *, now: datetime
) -> None:
    """Write a dead or unwilling address on the suppression list of its channel."""
    reason = "bounced" if receipt.address_dead else "opted_out" if receipt.opted_out else None
    if reason is not None and claim.channel not in PUSHED and not isinstance(message, Note):
        await ledger.suppress(request.shop, claim.channel, message.to, reason, now=now)


async def _drop(pool: Pool, shop: str, channel: Channel, dead: Sequence[str], now: datetime) -> None:
    if channel is Channel.PUSH or channel is Channel.WEB_PUSH:
        kind: devices.PushChannel = "push" if channel is Channel.PUSH else "web_push"
        for address in dead:
            # The message may be out already: no doubt about it for the sake of a device.
            await patiently(partial(devices.drop, pool, shop=shop, channel=kind, address=address, at=now))
