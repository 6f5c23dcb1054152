"""The one activity that writes to people: eligibility, cap, claim, render, send, record.

Walk it with a crash between any two steps. Before the claim nothing happened. From the claim on the row is in
doubt until it is recorded: the next attempt finds it claimed and settles the doubt. A provider that answers a
repeated key with the first send gets the same message again; one that can be asked is asked; of plain SMTP
nobody can know, so a transactional message goes once more (as a new attempt class, counted) and a marketing
message does not.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.links import Links
from activities.messaging.context import build_message
from activities.messaging.protocol import (
    Accepted,
    Busy,
    EmailProvider,
    LookupUnavailableError,
    Message,
    Rejected,
    Unclear,
)
from activities.messaging.templates import TemplateError, Templates
from journey.outcomes import (
    CloseRequest,
    DeliverAnswer,
    DeliverRequest,
    Failed,
    Held,
    InDoubt,
    Outcome,
    Refused,
    Sent,
)
from journey.playbook import Playbook, Touch, touch_id
from store import messages
from store.ledger import AlreadySent, Claim, Doubt, Final, Ledger, message_key
from store.pool import AWAY, Pool

log = structlog.get_logger()

Gap = Callable[[str, DeliverRequest], Awaitable[None]]
"""Called in every gap between two steps with the gap's name; tests crash there."""

QUICK_RETRIES = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2))
"""Waits between the first tries within one activity; after them the journey itself holds the touch."""
HOLDS = (timedelta(minutes=15), timedelta(hours=6))
"""Shortest and longest hold while a provider is away: half of how long it has been, within these."""
MOST_AGAIN = 2
"""How often a transactional message goes again in doubt before it is left there."""
_BEAT = 2.0
_RECORD_PATIENCE = 25


async def no_gap(_name: str, _request: DeliverRequest) -> None:
    """Nothing happens in the gaps, outside of tests."""


@dataclass(frozen=True)
class Sender:
    """What sending needs: the mail provider, the templates, signed links, and the pinned playbooks."""

    provider: EmailProvider
    templates: Templates
    links: Links
    playbook: Callable[[str], Playbook]


class Deliveries:
    """The activities `deliver` and `close`, over one database and one sender."""

    def __init__(self, pool: Pool, ledger: Ledger, sender: Sender, *, gap: Gap = no_gap) -> None:
        self._pool = pool
        self._ledger = ledger
        self._sender = sender
        self._gap = gap

    @activity.defn(name="deliver")
    async def deliver(self, request: DeliverRequest) -> DeliverAnswer:
        """Send one touch, or say by which rule it did not go.

        Raises:
            ApplicationError: the provider was busy or unclear, with `next_retry_delay`; ask again.
            OSError, asyncpg.PostgresError: the database is away; ask again.
        """
        now = domain_now(request.now)
        with structlog.contextvars.bound_contextvars(order=f"{request.shop}/{request.order_id}", touch=request.key):
            async with _heartbeat():
                outcome = await self._deliver(request, now)
            rule = None if isinstance(outcome, Sent) else outcome.rule
            log.info("touch_settled", outcome=outcome.status, rule=rule)
        _count(request.key, outcome)
        return DeliverAnswer(outcome=outcome)

    @activity.defn(name="close")
    async def close(self, request: CloseRequest) -> None:
        """Write the journey's last non-sends and its end."""
        await self._ledger.close(
            request.shop,
            request.order_id,
            request.passed_over,
            self._sender.playbook(request.playbook),
            now=domain_now(request.now),
            why=request.why,
        )

    async def _deliver(self, request: DeliverRequest, now: datetime) -> Outcome:
        playbook = self._sender.playbook(request.playbook)
        touch = playbook.by_id[touch_id(request.key)]
        await self._gap("before_claim", request)
        ask = await self._ledger.ask(request, playbook, now=now, provider=self._sender.provider.name)
        await self._gap("after_claim", request)
        match ask:
            case Claim():
                return await self._send(request, touch, ask, now)
            case Doubt():
                return await self._settle_doubt(request, touch, ask, now)
            case AlreadySent():
                return Sent(at=ask.at)
            case Final():
                return Failed(rule=ask.rule) if ask.status == "failed" else InDoubt(rule=ask.rule)
            case Held() | Refused():
                return ask

    async def _settle_doubt(self, request: DeliverRequest, touch: Touch, doubt: Doubt, now: datetime) -> Outcome:
        """Find out, or decide what is worse: a message twice, or none."""
        provider = self._sender.provider
        log.warning("in_doubt", attempt_class=doubt.attempt_class, provider=provider.name)
        anew = False
        if provider.looks_up:
            found = await self._look_up(request, doubt)
            await self._gap("after_lookup", request)
            if found is not None:
                await self._ledger.record_found(doubt, now=now, provider_id=found)
                return Sent(at=now)
            again = doubt.allowed
        elif provider.remembers is not None and doubt.age < provider.remembers:
            again = doubt.allowed
        else:
            again = anew = not touch.marketing and doubt.attempt_class < MOST_AGAIN
        if not again:
            await self._ledger.record_in_doubt(doubt, "crash_between_send_and_record")
            return InDoubt(rule="crash_between_send_and_record")
        if anew:
            claim = await self._ledger.claim_anew(doubt, request, touch, now=now)
        else:
            claim = await self._ledger.claim_again(doubt)
        if claim is None:
            raise _again("claimed_by_another_attempt", QUICK_RETRIES[0])
        await self._gap("after_reclaim", request)
        return await self._send(request, touch, claim, now)

    async def _look_up(self, request: DeliverRequest, doubt: Doubt) -> str | None:
        provider = self._sender.provider
        try:
            found = await provider.find(message_key(request, doubt.attempt_class), doubt.message_id)
        except LookupUnavailableError as error:
            raise _again("provider_lookup_unavailable", QUICK_RETRIES[1]) from error
        if found is None and doubt.age < provider.settles_after:
            # Its log may not have caught up with what it took; asking too early would send twice.
            raise _again("provider_log_not_settled", provider.settles_after - doubt.age)
        return found

    async def _send(self, request: DeliverRequest, touch: Touch, claim: Claim, now: datetime) -> Outcome:
        try:
            message = await self._write(request, touch, claim, now)
        except TemplateError:
            log.exception("template_failed", template=touch.template)
            return await self._end(claim, Failed(rule="template_error"), now)
        if message is None:
            return await self._end(claim, Refused(rule="no_address"), now)
        await self._gap("before_send", request)
        receipt = await self._sender.provider.send(message)
        await self._gap("after_send", request)
        match receipt:
            case Accepted():
                await self._record(claim, now, receipt.provider_id)
                await self._gap("after_record", request)
                return Sent(at=now)
            case Rejected():
                if receipt.address_dead:
                    await self._ledger.suppress(request.shop, message.to, "bounced", now=now)
                return await self._end(claim, Refused(rule=f"provider_{receipt.rule}"), now)
            case Unclear():
                # The claim stays: the next attempt finds it and settles the doubt.
                raise _again(f"provider_unclear_{receipt.rule}", QUICK_RETRIES[0])
            case Busy():
                return await self._wait_for_provider(request, touch, claim, receipt, now)

    async def _write(self, request: DeliverRequest, touch: Touch, claim: Claim, now: datetime) -> Message | None:
        facts = await messages.load(self._pool, request.shop, request.order_id)
        if facts is None:
            return None
        return build_message(
            self._sender.templates,
            self._sender.links,
            facts,
            touch,
            parcel=facts.parcel(request.parcel),
            subject=request.key,
            key=message_key(request, claim.attempt_class),
            message_id=claim.message_id,
            now=now,
        )

    async def _wait_for_provider(
        self, request: DeliverRequest, touch: Touch, claim: Claim, busy: Busy, now: datetime
    ) -> Outcome:
        """Retry soon a few times, then let the journey hold the touch, until its patience ends."""
        attempt = activity.info().attempt if activity.in_activity() else 1
        rule = f"provider_{busy.rule}"
        if attempt <= len(QUICK_RETRIES):
            delay = max(QUICK_RETRIES[attempt - 1], busy.retry_after or timedelta())
            if delay < HOLDS[0] and now + delay <= request.due + touch.patience:
                await self._ledger.release(claim, rule, until=now + delay)
                raise _again(rule, delay)
        shortest, longest = HOLDS
        until = now + max(min((now - request.due) / 2, longest), shortest, busy.retry_after or timedelta())
        if until > request.due + touch.patience:
            return await self._end(claim, Failed(rule=rule), now)
        await self._ledger.release(claim, rule, until=until)
        return Held(until=until, rule=rule)

    async def _end(self, claim: Claim, outcome: Failed | Refused, now: datetime) -> Outcome:
        await self._ledger.record_end(claim, outcome.status, outcome.rule, now=now)
        return outcome

    async def _record(self, claim: Claim, now: datetime, provider_id: str | None) -> None:
        """The message is out: a database that is away for a moment is worth waiting for here, not a doubt."""
        for attempt in range(_RECORD_PATIENCE):
            try:
                return await self._ledger.record_sent(claim, now=now, provider_id=provider_id)
            except AWAY:
                if attempt == _RECORD_PATIENCE - 1:
                    raise
                await asyncio.sleep(1)
        return None


def domain_now(asked_at: datetime) -> datetime:
    """The journey's clock at this attempt: when it asked, plus how long the server let the attempt wait since.

    Both figures are the workflow's own clock, so that a retry after a virtual day sees a day gone by.
    """
    if not activity.in_activity():
        return asked_at
    info = activity.info()
    return asked_at + max(timedelta(), info.current_attempt_scheduled_time - info.scheduled_time)


def _again(rule: str, delay: timedelta) -> ApplicationError:
    return ApplicationError(rule, type="TryAgain", next_retry_delay=delay)


def _count(key: str, outcome: Outcome) -> None:
    if activity.in_activity():
        labels = {"touch": touch_id(key), "outcome": outcome.status}
        labels["rule"] = "" if isinstance(outcome, Sent) else outcome.rule
        meter = activity.metric_meter().with_additional_attributes(labels)
        meter.create_counter("postlude_messages_total", "Touches settled, by outcome and rule").add(1)


class _heartbeat:  # noqa: N801  reads as a verb where it is used
    """Beats while the block runs, so that a dead worker is told from a slow provider within seconds."""

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._beat()) if activity.in_activity() else None

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_BEAT)
            activity.heartbeat()
