"""Handing a written message to its provider, and to the next while one after the other is certainly too busy."""

import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial

import structlog

from activities.attempt import patiently
from activities.messaging.inbox import Note
from activities.messaging.protocol import Busy, Message, Receipt, Rejected
from activities.messaging.senders import Senders, carry
from activities.messaging.short import PUSHED
from journey.outcomes import DeliverRequest
from journey.playbook import Channel
from store import devices
from store.claims import Claim, message_key
from store.ledger import Ledger
from store.pool import Pool

log = structlog.get_logger()


async def hand_over(
    pool: Pool,
    ledger: Ledger,
    senders: Senders,
    *,
    request: DeliverRequest,
    claim: Claim,
    written: Sequence[Message | Note],
    now: datetime,
    gap: Callable[[str, DeliverRequest], Awaitable[None]],
    claim_lasts: float,
) -> tuple[Claim, Receipt]:
    """Hand it over at `now` of the journey's clock; the claim, with who has it in the end, and what came of it.

    `gap` is called before the next provider is asked; more than `claim_lasts` seconds after it was given the message
    it is not asked any more, as in `activities.deliver`.
    """
    key = message_key(request, claim.attempt_class)
    while True:
        provider = senders.named(claim.channel, claim.provider)
        if provider is None:
            return claim, Busy("not_configured")
        carried = await carry(provider, written)
        await _drop(pool, request.shop, claim.channel, carried.dead, now)
        following = senders.after(claim.channel, claim.provider, key)
        # What may have gone out by the first must not go by a second.
        if not isinstance(carried.receipt, Busy) or following is None or claim.doubtful:
            return claim, carried.receipt
        asked = time.monotonic()
        handed = await ledger.hand_over(claim, following)
        if handed is None:
            return claim, carried.receipt
        log.warning("failed_over", busy=claim.provider, next=following)
        claim = handed
        await gap("handed_over", request)
        if time.monotonic() - asked > claim_lasts:
            return claim, Busy("stood_still")


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
