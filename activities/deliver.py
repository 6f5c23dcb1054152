"""The one activity that writes to people: eligibility, cap, claim, render, send, record.

Walk it with a crash between any two steps. Before the claim nothing happened. From the claim on the row is in
doubt until it is recorded: the next attempt finds it claimed and settles the doubt. A provider that answers a
repeated key with the first send gets the same message again; one that can be asked is asked; of plain SMTP
nobody can know, so a transactional message goes once more (as a new attempt class, counted) and a marketing
message does not. A provider that answered so that nobody can tell leaves the same doubt, settled the same way;
the doubt stays with the row while the journey waits for a provider that is away.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from temporalio import activity

from activities.alerts import Alert, Alerts
from activities.attempt import (
    QUICK_RETRIES,
    attempt_number,
    beating,
    count,
    discreet,
    domain_now,
    hold_until,
    patiently,
    soon,
    try_again,
)
from activities.handover import hand_over, remember
from activities.links import Links
from activities.messaging.inbox import Note
from activities.messaging.protocol import (
    Accepted,
    Busy,
    LookupUnavailableError,
    Message,
    Rejected,
    Unclear,
)
from activities.messaging.senders import Senders
from activities.messaging.templates import TemplateError, Templates
from activities.writing import segments, write
from journey.contact import Go
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
from journey.playbook import ABSENCES, Channel, Playbook, Touch, touch_id
from store import messages
from store.claims import AlreadySent, Claim, Doubt, Final, message_key
from store.ledger import Ledger
from store.messages import MessageFacts
from store.pool import Pool

log = structlog.get_logger()

Gap = Callable[[str, DeliverRequest], Awaitable[None]]
"""Called in every gap between two steps with the gap's name; tests crash there."""

MOST_AGAIN = 2
"""How often a transactional message goes again in doubt before it is left there."""
CLAIM_LASTS = 20.0
"""Seconds from asking for a claim within which its message must leave. A process that stood still for longer may
have been taken for dead and its message looked up in vain, so that what it sends then would be a second one. With
the time a provider has to answer this stays inside every `settles_after`."""
CRASHED = "crash_between_send_and_record"
_OURS = ("provider_", "template_")
"""What rules begin with that somebody here or at the provider has to mend, rather than the customer's day."""


async def no_gap(_name: str, _request: DeliverRequest) -> None:
    """Nothing happens in the gaps, outside of tests."""


@dataclass(frozen=True)
class Sender:
    """What sending needs: the providers, the templates, signed links, and the pinned playbooks.

    `callback` is where Twilio tells what became of a message, `alerts` who is told of what people have to mend.
    """

    senders: Senders
    templates: Templates
    links: Links
    playbook: Callable[[str], Playbook]
    callback: str | None = None
    alerts: Alerts | None = None


class _Facts:
    """The facts of an order's message, read once, from the moment that somebody wants them."""

    def __init__(self, read: Callable[[], Coroutine[Any, Any, MessageFacts | None]]) -> None:
        self._read = read
        self._task: asyncio.Task[MessageFacts | None] | None = None

    def begin(self) -> asyncio.Task[MessageFacts | None]:
        """Begin to read them, if nobody has."""
        if self._task is None:
            self._task = asyncio.create_task(self._read())
            # A claim that is lost in the end needs none, and nobody then asks what came of the reading.
            self._task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return self._task

    def __await__(self) -> Generator[Any, None, MessageFacts | None]:
        return self.begin().__await__()


@dataclass(frozen=True)
class _Job:
    """One attempt at one touch, at `now` of the journey's clock; `asked` is this process's monotonic clock.

    `facts` are read while the claim is on its way to the disk.
    """

    request: DeliverRequest
    touch: Touch
    now: datetime
    asked: float
    facts: "_Facts"
    playbook: Playbook


class Deliveries:
    """The activities `deliver` and `close`, over one database and one sender."""

    def __init__(
        self, pool: Pool, ledger: Ledger, sender: Sender, *, gap: Gap = no_gap, claim_lasts: float = CLAIM_LASTS
    ) -> None:
        self._pool = pool
        self._ledger = ledger
        self._sender = sender
        self._gap = gap
        self._claim_lasts = claim_lasts

    @activity.defn(name="deliver")
    async def deliver(self, request: DeliverRequest) -> DeliverAnswer:
        """Send one touch, or say by which rule it did not go.

        Raises:
            ApplicationError: the provider was busy or unclear, with `next_retry_delay`, or the database failed,
                named by the error's type; ask again.
            OSError: the database is away; ask again.
        """
        now = domain_now(request.now)
        with structlog.contextvars.bound_contextvars(order=f"{request.shop}/{request.order_id}", touch=request.key):
            with discreet():
                async with beating():
                    outcome = await self._deliver(request, now)
                    if request.along and not isinstance(outcome, Held):
                        await self._ledger.pass_along(
                            request, self._sender.playbook(request.playbook), outcome, now=now
                        )
                    closes = request.last is not None and not isinstance(outcome, Held)
                    if request.last is not None and closes:
                        await self._close(request, request.last, now)
                    await self._alert(request, outcome)
            rule = None if isinstance(outcome, Sent) else outcome.rule
            log.info("touch_settled", outcome=outcome.status, rule=rule)
        count(request.key, outcome)
        return DeliverAnswer.of(outcome, closed=closes)

    async def _alert(self, request: DeliverRequest, outcome: Outcome) -> None:
        """Tell people of what the touch wants them told, and of a message that failed or waits for its template.

        At least once, in one try: a journey is not to wait for an alert.
        """
        touch = self._sender.playbook(request.playbook).by_id[touch_id(request.key)]
        if touch.alert and not request.again:
            subject = request.key.partition(":")[2]
            await self._tell(request, touch.id.replace("_", " "), subject or None)
        if isinstance(outcome, Failed):
            await self._tell(request, "message failed", outcome.rule)
        elif isinstance(outcome, Held) and outcome.rule == "template_error":
            await self._tell(request, "message waits for its template", outcome.rule)

    async def _tell(self, request: DeliverRequest, kind: str, rule: str | None) -> None:
        if self._sender.alerts is None:
            return
        order = f"{request.shop}/{request.order_id}"
        receipt = await self._sender.alerts.tell(Alert(kind=kind, order=order, touch=touch_id(request.key), rule=rule))
        if receipt is not None and not isinstance(receipt, Accepted):
            log.error("alert_not_sent", order=order, touch=request.key, rule=receipt.rule)

    @activity.defn(name="close")
    async def close(self, request: CloseRequest) -> None:
        """Write the journey's last non-sends and its end.

        Raises:
            ApplicationError, OSError: the database failed; ask again.
        """
        with discreet():
            await self._close(request, request.why, domain_now(None))

    async def _close(self, request: DeliverRequest | CloseRequest, why: str, now: datetime) -> None:
        playbook = self._sender.playbook(request.playbook)
        await self._ledger.close(request.shop, request.order_id, request.left_over, playbook, now=now, why=why)

    async def _deliver(self, request: DeliverRequest, now: datetime) -> Outcome:
        playbook = self._sender.playbook(request.playbook)
        await self._gap("before_claim", request)
        touch = playbook.by_id[touch_id(request.key)]
        job = _Job(request, touch, now, time.monotonic(), self._facts(request), playbook)
        return await self._ask(job)

    async def _ask(self, job: _Job) -> Outcome:
        request = job.request
        ask = await self._ledger.ask(
            request,
            job.playbook,
            now=job.now,
            providers=self._sender.senders.name_for,
            segments=await self._segments(job),
            going=job.facts.begin,
        )
        await self._gap("after_claim", request)
        match ask:
            case Claim():
                return await self._send(job, ask)
            case Doubt():
                return await self._settle_doubt(job, ask)
            case AlreadySent():
                return Sent(at=ask.at)
            case Final():
                return Failed(rule=ask.rule) if ask.status == "failed" else InDoubt(rule=ask.rule)
            case Held() | Refused():
                return ask

    async def _segments(self, job: _Job) -> Mapping[Channel, int]:
        """How many texts it would be, where that matters: it then has to be written before it is decided on."""
        if job.touch.most_segments is None or Channel.SMS not in job.touch.channels:
            return {}
        try:
            facts = await job.facts
            templates, links = self._sender.templates, self._sender.links
            return segments(facts, templates, links, job.request, touch=job.touch, now=job.now)
        except TemplateError:
            # It is written once more when it goes, and waits there to be mended.
            return {}

    def _facts(self, request: DeliverRequest) -> "_Facts":
        return _Facts(partial(messages.load, self._pool, request.shop, request.order_id))

    async def _settle_doubt(self, job: _Job, doubt: Doubt) -> Outcome:
        """Find out, or decide what is worse: a message twice, or none."""
        log.warning("in_doubt", attempt_class=doubt.attempt_class, provider=doubt.provider)
        # Another provider than the one it was given to knows nothing of it.
        provider = self._sender.senders.named(doubt.channel, doubt.provider)
        if provider is not None and provider.looks_up:
            return await self._look_up(job, doubt, provider)
        answer = doubt.answer
        remembered = provider is not None and provider.remembers is not None and doubt.age < provider.remembers
        if remembered and isinstance(answer, Held):
            await self._ledger.release(doubt.claim, answer.rule, until=answer.until)
            return answer
        if remembered and isinstance(answer, Go) and answer.channel is doubt.channel:
            claim = await self._ledger.claim_again(doubt)
        elif isinstance(answer, Go) and not job.touch.marketing and doubt.again < MOST_AGAIN:
            providers = self._sender.senders.name_for
            claim = await self._ledger.claim_anew(doubt, job.request, job.playbook, now=job.now, providers=providers)
        else:
            return await self._leave_in_doubt(doubt.claim, CRASHED)
        # An attempt that took part of its time to find out writes on what is known now.
        return await self._send_after_doubt(replace(job, facts=self._facts(job.request)), claim)

    async def _look_up(self, job: _Job, doubt: Doubt, provider: Any) -> Outcome:
        try:
            found = await provider.find(message_key(job.request, doubt.attempt_class), doubt.message_id)
        except LookupUnavailableError:
            return await self._wait(job, doubt.claim, "provider_lookup_unavailable", None)
        await self._gap("after_lookup", job.request)
        if found is not None:
            await self._record(doubt.claim, job.now, found)
            return Sent(at=job.now)
        if doubt.age < provider.settles_after:
            # Its log may not have caught up with what it took; asking too early would send twice.
            raise try_again("provider_log_not_settled", provider.settles_after - doubt.age)
        # It never went out, so the rules decide as if for the first time, on what is so after the search.
        # What it waited for until now it is still held by: who is away still is not asked in quick succession.
        rule = doubt.held_by or "never_went_out"
        await self._ledger.release(replace(doubt.claim, doubtful=False), rule, until=job.now)
        await self._gap("after_reclaim", job.request)
        return await self._ask(self._begun_anew(job))

    def _begun_anew(self, job: _Job) -> _Job:
        return replace(job, asked=time.monotonic(), facts=self._facts(job.request))

    async def _send_after_doubt(self, job: _Job, claim: Claim | None) -> Outcome:
        if claim is None:
            raise try_again("claimed_by_another_attempt", QUICK_RETRIES[0])
        await self._gap("after_reclaim", job.request)
        return await self._send(job, claim)

    async def _written(self, job: _Job, claim: Claim) -> tuple[Message | Note, ...]:
        """The message as it goes out; empty where there is no address."""
        request, touch = job.request, job.touch
        facts = await job.facts
        if facts is None or facts.version < claim.version:
            # Read before somebody changed what the claim was then decided on.
            facts = await messages.load(self._pool, request.shop, request.order_id)
        if facts is not None and facts.parcels and touch.anchor in ABSENCES:
            facts = await messages.with_revised_days(self._pool, facts, now=job.now)
        others = await self._ledger.along(request) if touch.merge is not None else ()
        along = [await messages.load(self._pool, request.shop, order) for order in others]
        return write(
            facts,
            self._sender.templates,
            self._sender.links,
            request,
            claim,
            touch=touch,
            now=job.now,
            along=[other for other in along if other is not None],
            callback=self._sender.callback,
        )

    async def _send(self, job: _Job, claim: Claim) -> Outcome:
        request = job.request
        try:
            written = await self._written(job, claim)
        except TemplateError:
            # Another worker may have it already, and this one after its next start.
            log.exception("template_failed", template=job.touch.template)
            return await self._wait(job, claim, "template_error", None)
        except BaseException:
            # Nothing was sent, and only this process knows: nobody else should have to doubt it.
            await self._release(claim, "attempt_failed", job.now)
            raise
        if not written:
            return await self._refused(job, claim, "no_address")
        await self._gap("before_send", request)
        if time.monotonic() - job.asked > self._claim_lasts:
            await self._release(claim, "attempt_stood_still", job.now + QUICK_RETRIES[0])
            raise try_again("attempt_stood_still", QUICK_RETRIES[0])
        claim, receipt = await hand_over(
            self._pool,
            self._ledger,
            self._sender.senders,
            request=request,
            claim=claim,
            written=written,
            now=job.now,
            gap=self._gap,
            claim_lasts=self._claim_lasts,
        )
        await self._gap("after_send", request)
        match receipt:
            case Accepted():
                await self._record(claim, job.now, receipt.provider_id)
                await self._gap("after_record", request)
                return Sent(at=job.now)
            case Rejected():
                return await self._rejected(job, claim, receipt, written[0])
            case Busy():
                return await self._wait(job, claim, f"provider_{receipt.rule}", receipt.retry_after)
            case Unclear():
                return await self._unclear(job, claim, f"provider_{receipt.rule}")

    async def _rejected(self, job: _Job, claim: Claim, receipt: Rejected, message: Message | Note) -> Outcome:
        """It will never pass this way: remember a dead or unwilling address, and try the touch's next channel."""
        await patiently(lambda: remember(self._ledger, job.request, claim, receipt, message, now=job.now))
        return await self._refused(job, claim, f"provider_{receipt.rule}")

    async def _refused(self, job: _Job, claim: Claim, rule: str) -> Outcome:
        """It does not go by the claim's channel; where the touch allows, the next one is asked for."""
        outcome = await self._end(job, claim, Refused(rule=rule))
        if isinstance(outcome, Refused) and job.touch.falls_through and len(job.touch.channels) > 1:
            return await self._ask(self._begun_anew(job))
        return outcome

    async def _unclear(self, job: _Job, claim: Claim, rule: str) -> Outcome:
        """Whether it was taken nobody here can tell. The claim stays, for the next attempt to settle the doubt."""
        provider = self._sender.senders.named(claim.channel, claim.provider)
        doubtful = replace(claim, doubtful=True)
        if provider is not None and (provider.looks_up or provider.remembers is not None):
            return await self._wait(job, doubtful, rule, None)
        if job.touch.marketing or claim.again >= MOST_AGAIN:
            return await self._leave_in_doubt(doubtful, rule)
        raise try_again(rule, QUICK_RETRIES[0])

    async def _wait(self, job: _Job, claim: Claim, rule: str, retry_after: timedelta | None) -> Outcome:
        """Retry soon a few times, then let the journey hold the touch, until its patience ends.

        Who is away still after a hold is not asked in quick succession again.
        """
        now, attempt = job.now, attempt_number()
        since = max(job.request.due, claim.asked_at or job.request.due)
        away_still = attempt == 1 and (claim.held_by or "").startswith(_OURS)
        delay = None if away_still else soon(attempt, retry_after)
        if delay is not None:
            await self._release(claim, rule, now + delay)
            raise try_again(rule, delay)
        until = hold_until(now, since, retry_after)
        if until > since + job.touch.patience:
            return await self._end(job, claim, Failed(rule=rule))
        await self._release(claim, rule, until)
        return Held(until=until, rule=rule)

    async def _release(self, claim: Claim, rule: str, until: datetime) -> None:
        await patiently(lambda: self._ledger.release(claim, rule, until=until))

    async def _end(self, job: _Job, claim: Claim, outcome: Failed | Refused) -> Outcome:
        if claim.doubtful:
            return await self._leave_in_doubt(claim, outcome.rule)
        await patiently(lambda: self._ledger.record_end(claim, outcome.status, outcome.rule, now=job.now))
        return outcome

    async def _leave_in_doubt(self, claim: Claim, rule: str) -> Outcome:
        await patiently(lambda: self._ledger.record_in_doubt(claim, rule))
        return InDoubt(rule=rule)

    async def _record(self, claim: Claim, now: datetime, provider_id: str | None) -> None:
        await patiently(lambda: self._ledger.record_sent(claim, now=now, provider_id=provider_id))
