"""The activities that write to people: `deliver` sends one message, the others serve it.

`deliver` is one attempt, and asks for no other: what it cannot do now it answers as a hold, and the journey decides
anew when the time or the way has come. An attempt that gave no answer leaves its row behind, and `find_out` says what
became of it. `wait_for` ends when a way is open. `close` writes the journey's end.

Its errors may be retried all the same: attempts that were scheduled by an older version are, for ever, and a journey
of that version would end with an error that may not be.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Final

import asyncpg
import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.alerts import Alert
from activities.attempt import Guard, beating, count, discreet, domain_now
from activities.finding import what_became_of
from activities.handover import Gap
from activities.lease import Lease, renewing
from activities.messaging.protocol import Accepted
from activities.sending import Attempt, Parts, Sender
from activities.ways import SHORTEST, Ways
from journey.outcomes import (
    CloseRequest,
    DeliverAnswer,
    DeliverRequest,
    Failed,
    FindOutRequest,
    Held,
    Outcome,
    Sent,
    WaitRequest,
)
from journey.playbook import touch_id
from journey.state import DATABASE
from store import order_numbers
from store.ledger import Ledger
from store.pool import AWAY, Pool

__all__ = ["Deliveries", "Gap", "Sender", "no_gap"]

log = structlog.get_logger()

_BENIGN: Final = ApplicationErrorCategory.BENIGN
"""An error that only asks for another attempt: no warning, and not counted as a failure."""


async def no_gap(_name: str, _request: DeliverRequest | FindOutRequest) -> None:
    """Nothing happens in the gaps, outside of tests."""


class Deliveries:
    """The activities of one worker process, over one database, one sender and the ways to its providers."""

    def __init__(
        self, pool: Pool, ledger: Ledger, sender: Sender, *, ways: Ways | None = None, gap: Gap = no_gap
    ) -> None:
        self._parts = Parts(pool, ledger, sender, Ways(sender.senders) if ways is None else ways, gap)

    @activity.defn(name="deliver")
    async def deliver(self, request: DeliverRequest) -> DeliverAnswer:
        """Send one touch, or say by which rule it did not go.

        A cancellation is honoured until the message is handed over; after that it is ignored, because a hand-over that
        is under way is never cut off.

        Raises:
            asyncio.CancelledError: it was cancelled in time, and nothing was sent.
            ApplicationError: another attempt is at work on the message, or the database failed, named by the error's
                type. What became of the message is for `find_out`.
            OSError: the database is away; as above.
        """
        now = domain_now(request.now)
        with _bound(request), discreet():
            guard = Guard()
            return await guard.run(self._deliver(request, now, guard))

    async def _deliver(self, request: DeliverRequest, now: datetime, guard: Guard) -> DeliverAnswer:
        lease = Lease(self._parts.ledger)
        playbook = self._parts.sender.playbook(request.playbook)
        async with beating(), renewing(lease):
            outcome = await Attempt(self._parts, request, now, guard=guard, lease=lease).run()
            closes = request.last is not None and not isinstance(outcome, Held)
            if request.along and not isinstance(outcome, Held):
                await self._parts.ledger.pass_along(request, playbook, outcome, now=now)
            if request.last is not None and closes:
                await self._close(request, request.last, now)
            await self._alert(request, outcome, again=request.again)
        _settled(request, outcome)
        return DeliverAnswer.of(outcome, closed=closes)

    @activity.defn(name="find_out")
    async def find_out(self, request: FindOutRequest) -> DeliverAnswer:
        """Say what became of a message whose attempt gave no answer; `doubtful` where that cannot be known yet.

        Raises:
            ApplicationError: the attempt may be alive, the provider's log lags behind, or the database is away; with
                `next_retry_delay`.
        """
        now = domain_now(request.now)
        with _bound(request):
            with self._database(now, _who(request)):
                outcome = await what_became_of(self._parts, request, now)
                if request.along and not isinstance(outcome, Held):
                    playbook = self._parts.sender.playbook(request.playbook)
                    await self._parts.ledger.pass_along(request, playbook, outcome, now=now)
            await self._alert(request, outcome, again=False)
            _settled(request, outcome)
        return DeliverAnswer.of(outcome)

    @activity.defn(name="wait_for")
    async def wait_for(self, request: WaitRequest) -> None:
        """End when the way is open, or is not known here.

        Raises:
            ApplicationError: it is shut; says since when and until when, with `next_retry_delay`.
        """
        now = domain_now(request.now)
        if request.waits_for == DATABASE:
            await self._reach_database(now, _who(request))
            return
        ways, who = self._parts.ways, _who(request)
        wait = ways.wait(request.waits_for, now, who) or await ways.knock(request.waits_for, now, who)
        if wait is None:
            return
        since = "" if wait.since is None else f" since {_minute(wait.since)} ({wait.rule})"
        raise ApplicationError(
            f"{request.waits_for} is closed{since}; asked again at {_minute(now + wait.delay)}",
            type="WayShut",
            next_retry_delay=wait.delay,
            category=_BENIGN,
        )

    async def _reach_database(self, now: datetime, who: str) -> None:
        wait = self._parts.ways.database.wait(now, who)
        if wait is not None:
            raise ApplicationError("database is closed", type="WayShut", next_retry_delay=wait, category=_BENIGN)
        with self._database(now, who):
            await self._parts.pool.fetchval("SELECT 1")

    @contextmanager
    def _database(self, now: datetime, who: str) -> Iterator[None]:
        """Tell the breaker of the database what came of asking it.

        Raises:
            ApplicationError: it is away, with `next_retry_delay`.
        """
        database = self._parts.ways.database
        try:
            yield
        except (*AWAY, asyncpg.PostgresError) as error:
            # By its type alone: its text may quote a row.
            rule = type(error).__name__
            database.failed(now, rule, who=who)
            delay = database.wait(now, who) or SHORTEST
            raise ApplicationError(rule, type="Database", next_retry_delay=delay) from None
        database.worked(now)

    async def _alert(self, request: DeliverRequest | FindOutRequest, outcome: Outcome, *, again: bool) -> None:
        """Tell people of what the touch wants them told, and of a message that failed or waits for its template.

        At least once, in one try: a journey is not to wait for an alert. `again`: the touch itself was told of before.
        """
        touch = self._parts.sender.playbook(request.playbook).by_id[touch_id(request.key)]
        if touch.alert and not again:
            subject = request.key.partition(":")[2]
            await self._tell(request, touch.id.replace("_", " "), subject or None)
        if isinstance(outcome, Failed):
            await self._tell(request, "message failed", outcome.rule)
        elif isinstance(outcome, Held) and outcome.rule == "template_error":
            await self._tell(request, "message waits for its template", outcome.rule)

    async def _tell(self, request: DeliverRequest | FindOutRequest, kind: str, rule: str | None) -> None:
        if self._parts.sender.alerts is None:
            return
        order = f"{request.shop}/{request.order_id}"
        receipt = await self._parts.sender.alerts.tell(
            Alert(
                kind=kind,
                order=order,
                touch=touch_id(request.key),
                rule=rule,
                number=await order_numbers.for_an_alert(self._parts.pool, request.shop, request.order_id),
            )
        )
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
        parts = self._parts
        playbook = parts.sender.playbook(request.playbook)
        await parts.ledger.close(request.shop, request.order_id, request.left_over, playbook, now=now, why=why)


def _who(request: FindOutRequest | WaitRequest) -> str:
    return f"{request.shop}/{request.order_id}/{request.key}"


def _bound(request: DeliverRequest | FindOutRequest) -> AbstractContextManager[None]:
    """Let every log line name the order and the touch."""
    return structlog.contextvars.bound_contextvars(order=f"{request.shop}/{request.order_id}", touch=request.key)


def _settled(request: DeliverRequest | FindOutRequest, outcome: Outcome) -> None:
    rule = None if isinstance(outcome, Sent) else outcome.rule
    log.info("touch_settled", outcome=outcome.status, rule=rule)
    count(request.key, outcome)


def _minute(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
