"""One attempt at one touch: decide and claim, write, hand over, record.

Walk it with a crash between any two steps. Before the claim nothing happened. From the claim on the row is in
doubt until it is recorded, and while the claim's lease lasts the attempt may still be alive. After that the next one
settles the doubt. A provider that answers a repeated key with the first send gets the same message again; one that can
be asked is asked; of plain SMTP there is no knowing, so a transactional message goes once more (as a new attempt class,
counted) and a marketing message does not. A provider that answered so that it cannot be told leaves the same doubt,
settled the same way; the doubt stays with the row while the journey waits for a provider that is away.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import structlog
from temporalio.exceptions import ApplicationError

from activities.alerts import Alerting
from activities.attempt import MENDED, SOON, Guard, hold_until, patiently
from activities.handover import PROVIDER, Gap, Handed, HandOver, remember
from activities.lease import Lease
from activities.links import Links
from activities.messaging.inbox import Note
from activities.messaging.protocol import Accepted, Busy, LookupUnavailableError, Message, Rejected, Unclear
from activities.messaging.senders import Senders
from activities.messaging.templates import TemplateError, Templates
from activities.ways import Ways
from activities.writing import segments, write
from journey.contact import Go
from journey.outcomes import DeliverRequest, Failed, Held, InDoubt, Outcome, Refused, Sent
from journey.playbook import ABSENCES, Channel, Playbook, touch_id
from store import messages
from store.claims import AlreadySent, Claim, Doubt, Final, Settling, Shut, UnderWay, message_key
from store.ledger import Ledger
from store.ledger_rows import always_open
from store.messages import MessageFacts
from store.pool import Pool

log = structlog.get_logger()

MOST_AGAIN = 2
"""How often a transactional message goes again in doubt before it is left there."""


@dataclass(frozen=True)
class Sender:
    """What sending needs: the providers, the templates, signed links, and the pinned playbooks.

    `callback` is where Twilio tells what became of a message, `alerts` whom to tell of what people have to mend.
    """

    senders: Senders
    templates: Templates
    links: Links
    playbook: Callable[[str], Playbook]
    callback: str | None = None
    alerts: Alerting | None = None


@dataclass(frozen=True)
class Parts:
    """What every attempt of one process shares."""

    pool: Pool
    ledger: Ledger
    sender: Sender
    ways: Ways
    gap: Gap


def under_way(rest: timedelta) -> ApplicationError:
    """The error of an attempt that finds another one at work on the message; it may be asked again after `rest`."""
    return ApplicationError("claimed_by_another_attempt", type="UnderWay", next_retry_delay=max(rest, SOON / 5))


class Attempt:
    """One attempt at the touch of `request`, at `now` of the journey's clock."""

    def __init__(self, parts: Parts, request: DeliverRequest, now: datetime, *, guard: Guard, lease: Lease) -> None:
        self._parts = parts
        self._ledger = parts.ledger
        self._request = request
        self._now = now
        self._guard = guard
        self._lease = lease
        self._playbook = parts.sender.playbook(request.playbook)
        self._touch = self._playbook.by_id[touch_id(request.key)]
        self._facts: asyncio.Task[MessageFacts | None] | None = None

    async def run(self) -> Outcome:
        """What became of it.

        Raises:
            asyncio.CancelledError: it was stopped before the message was handed over; its claim was given back.
            ApplicationError: another attempt is at work on it.
            OSError, asyncpg.PostgresError: the database failed.
        """
        await self._parts.gap("before_claim", self._request)
        return await self._ask()

    async def _ask(self) -> Outcome:
        self._lease.give_up()
        ways, now = self._parts.ways, self._now
        ask = await self._ledger.ask(
            self._request,
            self._playbook,
            now=now,
            providers=lambda channel, key: ways.name_for(channel, key, now),
            segments=await self._segments(),
            going=self._going,
            is_shut=(lambda channel, provider: ways.is_shut(channel, provider, now))
            if self._request.once
            else always_open,
            settles=self._settles,
        )
        if isinstance(ask, Claim):
            self._lease.take(ask)
        await self._parts.gap("after_claim", self._request)
        match ask:
            case Claim():
                return await self._send(ask)
            case Doubt():
                return await self._look_up(ask)
            case UnderWay():
                raise under_way(ask.rest)
            case AlreadySent():
                return Sent(at=ask.at)
            case Final():
                return Failed(rule=ask.rule) if ask.status == "failed" else InDoubt(rule=ask.rule)
            case Held() | Refused():
                return ask

    def _going(self) -> None:
        """It is about to be claimed: from here on nothing is cut off, and its facts are read while the disk works."""
        self._guard.hold()
        self._lease.begin()
        self._facts = asyncio.create_task(self._read())
        # A claim that is lost in the end needs none, and then what came of the reading is not asked for.
        self._facts.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _read(self) -> MessageFacts | None:
        return await messages.load(self._parts.pool, self._request.shop, self._request.order_id)

    async def _segments(self) -> Mapping[Channel, int]:
        """How many texts it would be, where that matters: it then has to be written before it is decided on."""
        if self._touch.most_segments is None or Channel.SMS not in self._touch.channels:
            return {}
        sender = self._parts.sender
        try:
            facts = await self._read()
            return segments(facts, sender.templates, sender.links, self._request, touch=self._touch, now=self._now)
        except TemplateError:
            # It is written once more when it goes, and waits there to be mended.
            return {}

    # ---- doubts ---------------------------------------------------------------------------------------------

    def _settles(self, doubt: Doubt) -> Settling:
        """Find out, or decide what is worse: a message twice, or none."""
        claim, answer = doubt.claim, doubt.answer
        log.warning("in_doubt", attempt_class=claim.attempt_class, provider=claim.provider)
        # Another provider than the one it was given to knows nothing of it.
        provider = self._parts.sender.senders.named(claim.channel, claim.provider)
        if provider is not None and provider.looks_up:
            return Settling.LOOK_UP
        remembered = provider is not None and provider.remembers is not None and doubt.age < provider.remembers
        may_repeat = not self._touch.marketing and claim.again < MOST_AGAIN
        if isinstance(answer, Held):
            return Settling.HOLD if remembered or may_repeat else Settling.LEAVE
        if isinstance(answer, Go) and remembered and answer.channel is claim.channel:
            return Settling.SAME_KEY
        return Settling.NEW_NAME if isinstance(answer, Go) and may_repeat else Settling.LEAVE

    async def _look_up(self, doubt: Doubt) -> Outcome:
        claim = doubt.claim
        provider = self._parts.sender.senders.named(claim.channel, claim.provider)
        try:
            found = await provider.find(message_key(self._request, claim.attempt_class), claim.message_id)  # type: ignore[union-attr]  # it looks up
        except LookupUnavailableError:
            return await self._wait(claim, "provider_lookup_unavailable")
        await self._parts.gap("after_lookup", self._request)
        if found is not None:
            await self._record(claim, found)
            return Sent(at=self._now)
        if doubt.quiet < provider.settles_after:  # type: ignore[union-attr]  # as above
            # Its log may not have caught up with what it took; asking too early would send twice.
            until = self._now + provider.settles_after - doubt.quiet  # type: ignore[union-attr]  # as above
            return await self._hold(claim, "provider_log_not_settled", until)
        # It never went out, so the rules decide as if for the first time, on what is so after the search.
        rule = claim.held_by or "never_went_out"
        await self._release(replace(claim, doubtful=False), rule, self._now)
        await self._parts.gap("after_reclaim", self._request)
        return await self._ask()

    # ---- sending --------------------------------------------------------------------------------------------

    async def _send(self, claim: Claim) -> Outcome:
        try:
            self._guard.free()
            written = await self._written(claim)
        except TemplateError:
            # Another worker may have it already, and this one after its next start.
            self._guard.hold()
            log.exception("template_failed", template=self._touch.template)
            return await self._wait(claim, "template_error", shortest=MENDED)
        except BaseException as error:
            # Nothing was sent, and only this process knows: no other should have to doubt it.
            self._guard.hold()
            stopped = isinstance(error, asyncio.CancelledError)
            await self._release(claim, "attempt_stopped" if stopped else "attempt_failed", self._now)
            raise
        self._guard.hold()
        if not written:
            return await self._refused(claim, "no_address")
        await self._parts.gap("before_send", self._request)
        parts = self._parts
        hand_over = HandOver(parts.pool, parts.ledger, parts.sender.senders, parts.ways, parts.gap)
        handed = await hand_over(self._request, claim, written, lease=self._lease, now=self._now)
        await self._parts.gap("after_send", self._request)
        return await self._answered(handed, written[0])

    async def _answered(self, handed: Handed, message: Message | Note) -> Outcome:
        claim, receipt = handed.claim, handed.receipt
        match receipt:
            case Accepted():
                await self._record(claim, receipt.provider_id)
                await self._parts.gap("after_record", self._request)
                return Sent(at=self._now)
            case Rejected():
                # It will never pass this way: remember a dead or unwilling address.
                await patiently(lambda: remember(self._ledger, self._request, claim, receipt, message, now=self._now))
                return await self._refused(claim, PROVIDER + receipt.rule)
            case Busy():
                if handed.suspect and handed.shut is not None:
                    return await self._wait_alone(claim, PROVIDER + receipt.rule, receipt.retry_after)
                return await self._wait(claim, PROVIDER + receipt.rule, wished=receipt.retry_after, shut=handed.shut)
            case Unclear():
                return await self._unclear(claim, PROVIDER + receipt.rule, handed.shut)

    async def _written(self, claim: Claim) -> tuple[Message | Note, ...]:
        """The message as it goes out; empty where there is no address."""
        parts, touch = self._parts, self._touch
        facts = await (self._facts or self._read())
        if facts is not None and facts.parcels and touch.anchor in ABSENCES:
            facts = await messages.with_revised_days(parts.pool, facts, now=self._now)
        others = await self._ledger.along(self._request) if touch.merge is not None else ()
        along = [await messages.load(parts.pool, self._request.shop, order) for order in others]
        return write(
            facts,
            parts.sender.templates,
            parts.sender.links,
            self._request,
            claim,
            touch=touch,
            now=self._now,
            along=[other for other in along if other is not None],
            callback=parts.sender.callback,
        )

    async def _refused(self, claim: Claim, rule: str) -> Outcome:
        """It does not go by the claim's channel; where the touch allows, the next one is asked for."""
        return await self._end(claim, Refused(rule=rule))

    async def _unclear(self, claim: Claim, rule: str, shut: Shut | None) -> Outcome:
        """Whether it was taken cannot be told here. The claim stays, for the next attempt to settle the doubt."""
        provider = self._parts.sender.senders.named(claim.channel, claim.provider)
        doubtful = replace(claim, doubtful=True)
        settled_later = provider is not None and (provider.looks_up or provider.remembers is not None)
        if not settled_later and (self._touch.marketing or claim.again >= MOST_AGAIN):
            return await self._leave_in_doubt(doubtful, rule)
        return await self._wait(doubtful, rule, shut=shut)

    # ---- what is written down of it -------------------------------------------------------------------------

    async def _wait(
        self,
        claim: Claim,
        rule: str,
        *,
        shortest: timedelta = SOON,
        wished: timedelta | None = None,
        shut: Shut | None = None,
    ) -> Outcome:
        """Let the journey hold the touch until its way is open, or for a while; past its patience it failed."""
        since = max(self._request.due, claim.asked_at or self._request.due)
        last = since + self._touch.patience
        if self._now >= last:
            return await self._end(claim, Failed(rule=rule))
        if shut is not None and self._request.once:
            return await self._hold(claim, rule, last, waits_for=shut.waits_for)
        return await self._hold(claim, rule, min(last, hold_until(self._now, since, shortest, wished)))

    async def _wait_alone(self, claim: Claim, rule: str, wished: timedelta | None) -> Outcome:
        """Let it wait for a while by itself: were it to blame, it would close the way again for all others."""
        return await self._wait(claim, rule, wished=max(MENDED, wished or MENDED))

    async def _hold(self, claim: Claim, rule: str, until: datetime, *, waits_for: str | None = None) -> Held:
        await self._release(claim, rule, until)
        held = Held(until=until, rule=rule)
        held = held if waits_for is None else held.but(waits_for=waits_for)
        return held.but(doubtful=True) if claim.doubtful else held

    async def _release(self, claim: Claim, rule: str, until: datetime) -> None:
        await patiently(lambda: self._ledger.release(claim, rule, until=until))

    async def _end(self, claim: Claim, outcome: Failed | Refused) -> Outcome:
        """It does not go this way. The next channel is asked for, where the touch allows one."""
        if claim.doubtful:
            return await self._leave_in_doubt(claim, outcome.rule)
        await patiently(lambda: self._ledger.record_end(claim, outcome.status, outcome.rule, now=self._now))
        if self._touch.falls_through and len(self._touch.channels) > 1:
            return await self._ask()
        return outcome

    async def _leave_in_doubt(self, claim: Claim, rule: str) -> Outcome:
        await patiently(partial(self._ledger.record_in_doubt, claim, rule))
        return InDoubt(rule=rule)

    async def _record(self, claim: Claim, provider_id: str | None) -> None:
        await patiently(lambda: self._ledger.record_sent(claim, now=self._now, provider_id=provider_id))
