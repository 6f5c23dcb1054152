"""What became of a message whose attempt gave no answer: the ledger's word, or the provider's.

Nothing is sent here. What is still in doubt is answered as a doubtful hold, and stays with its row: either the journey
asks for the message again, and the next attempt settles the doubt, or it does not want it any more, and the row ends in
doubt.
"""

from dataclasses import replace
from datetime import datetime

from temporalio.exceptions import ApplicationError

from activities.handover import PROVIDER
from activities.messaging.protocol import LookupUnavailableError
from activities.sending import Parts, under_way
from journey.outcomes import Failed, FindOutRequest, Held, InDoubt, Outcome, Refused, Sent
from journey.playbook import touch_id
from store.claims import Claim, Latest, message_key
from store.ledger import CRASHED


async def what_became_of(parts: Parts, request: FindOutRequest, now: datetime) -> Outcome:
    """How the message of `request` stands at `now` of the journey's clock.

    Raises:
        ApplicationError: its attempt may be alive, or the provider's log lags behind; with `next_retry_delay`.
        OSError, asyncpg.PostgresError: the database failed.
    """
    row = await parts.ledger.latest(request.shop, request.order_id, request.key)
    if row is None:
        return Held(until=now, rule="attempt_lost")
    if row.claim is not None:
        if row.rest:
            raise under_way(row.rest)
        return await _doubtful(parts, request, row, row.claim, now)
    return Sent(at=now) if row.status == "sent" else _settled(parts, request, row, now)


def _settled(parts: Parts, request: FindOutRequest, row: Latest, now: datetime) -> Outcome:
    """What a row without a doubt says of a message that was not sent."""
    rule = row.rule or ""
    if row.status == "held":
        return _held(parts, row, now)
    if row.status == "in_doubt":
        return InDoubt(rule=rule)
    touch = parts.sender.playbook(request.playbook).by_id[touch_id(request.key)]
    served = [channel for channel in touch.channels if parts.sender.senders.names(channel)]
    falls_through = row.provider is not None and touch.falls_through and len(served) > 1
    if row.status == "failed" and not falls_through:
        return Failed(rule=rule)
    if row.provider is not None and not falls_through:
        return Refused(rule=rule, why=row.why) if row.why else Refused(rule=rule)
    # A rule's refusal may be older than the attempt: the message was passed over, and then wanted again. And the
    # attempt may have died on its way to the next channel. The ledger decides both on what is so now.
    return Held(until=now, rule="attempt_lost")


async def _doubtful(parts: Parts, request: FindOutRequest, row: Latest, claim: Claim, now: datetime) -> Outcome:
    provider = parts.sender.senders.named(claim.channel, claim.provider)
    if provider is not None and provider.looks_up:
        try:
            found = await provider.find(message_key(request, claim.attempt_class), claim.message_id)
        except LookupUnavailableError:
            return await _stays(parts, row, claim, now)
        await parts.gap("after_search", request)
        if found is not None:
            await parts.ledger.record_sent(claim, now=now, provider_id=found)
            return Sent(at=now)
        if row.quiet < provider.settles_after:
            rest = provider.settles_after - row.quiet
            raise ApplicationError("provider_log_not_settled", type="NotSettled", next_retry_delay=rest)
        await parts.ledger.release(replace(claim, doubtful=False), claim.held_by or "never_went_out", until=now)
        return Held(until=now, rule="never_went_out")
    return await _stays(parts, row, claim, now)


async def _stays(parts: Parts, row: Latest, claim: Claim, now: datetime) -> Held:
    """The doubt stays with the row."""
    if row.status == "held":
        return _held(parts, row, now).but(doubtful=True)
    await parts.ledger.release(claim, CRASHED, until=now)
    return Held(until=now, rule=CRASHED, doubtful=True)


def _held(parts: Parts, row: Latest, now: datetime) -> Held:
    """The row's own hold. That it waits for a way follows from its rule."""
    held = Held(until=row.until or now, rule=row.rule or "")
    held = held.but(why=row.why) if row.why else held
    if not held.rule.startswith(PROVIDER):
        return held
    return held.but(waits_for=parts.ways.waits_for(row.channel, row.provider if row.claim is not None else None))
