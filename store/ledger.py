"""The contact ledger: one row for every message and every non-send, and the claim that makes sending at-most-once.

A row lives through claimed → sent, or ends as refused, failed or in_doubt; held rows are asked for again. Key:
(shop, order, touch key, attempt class), unique; class 0 is the message itself, higher ones were sent again after
a doubt or on another channel. A row that is claimed, or held with its claim kept, is in doubt until it is settled. A
claim is a lease: while it lasts its holder may be sending, and nobody else settles the doubt.

A decision, its claim and the non-sends that ride along are one transaction under a lock on the customer's row, so two
journeys of one customer cannot both take the last slot of a day.
"""

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from journey.consent import Policy
from journey.contact import Evidence, Go, channels_in_order, decide
from journey.intervals import LEASE
from journey.outcomes import DeliverRequest, FindOutRequest, Held, Outcome, PassedOver, Refused, unsent
from journey.playbook import Channel, LatePolicy, Playbook, Touch
from store import ledger_sql as sql
from store.claims import (
    AlreadySent,
    Ask,
    Claim,
    Doubt,
    Final,
    IsShut,
    Latest,
    Settles,
    Settling,
    UnderWay,
    message_key,
)
from store.evidence import Providers, asks_for_contacts, gathered, window
from store.ledger_rows import Question, always_open, latest, look_it_up, nothing, pass_over, take_along, write
from store.pool import Connection, Pool

_LEAST = Policy()
SENT_AGAIN = "sent_again"
_LOOKED_AFTER = timedelta(minutes=15)
"""How long a message that went along waits until it is asked whether the other one has gone."""
CRASHED = "crash_between_send_and_record"
"""The rule of a message that an attempt left in doubt."""


class Ledger:
    """The ledger of one database. `domain` is the right side of the Message-IDs it makes.

    `policy` is what the shop does beyond the law's least about consent, `lease` for how long a claim stands.
    """

    def __init__(self, pool: Pool, *, domain: str, policy: Policy = _LEAST, lease: timedelta = LEASE) -> None:
        self._pool = pool
        self._domain = domain
        self._policy = policy
        self.lease = lease

    async def ask(
        self,
        request: DeliverRequest,
        playbook: Playbook,
        *,
        now: datetime,
        providers: Providers,
        segments: Mapping[Channel, int] | None = None,
        going: Callable[[], object] = nothing,
        is_shut: IsShut = always_open,
        settles: Settles = look_it_up,
    ) -> Ask:
        """Whether the message may go at `now`, and how; if so it is claimed, and if not the row says by which rule.

        Args:
            request: what is to be delivered; its non-sends are written in the same transaction.
            playbook: the journey's own.
            now: the journey's clock, UTC.
            providers: who serves which channel.
            segments: how many texts the message would be, by channel, where a touch bounds that.
            going: called just before it is claimed; what it raises ends the transaction, and nothing happened.
            is_shut: whether a way is closed just now; until the touch's patience ends the message then waits for it.
            settles: what is to be done about a doubt; where that is to look it up, the doubt is answered.
        """
        asked = Question(request, playbook, now, providers, segments or {}, going, is_shut, settles)
        async with self._pool.acquire() as connection, connection.transaction():
            customer = await connection.fetchval(sql.LOCK, request.shop, request.order_id)
            if customer is None:
                return Refused(rule="order_unknown_or_erased")
            # A statement of its own, so that it sees what whoever held the lock has committed.
            known = await connection.fetchrow(
                sql.EVIDENCE,
                request.shop,
                request.order_id,
                request.key,
                asks_for_contacts(asked.touch, playbook),
                *window(now),
                playbook.contact.transactional is not None,
            )
            order = (request.shop, request.order_id)
            if known["ended_at"] is not None:
                # A fact that came while the books were being closed: the journey goes on, so they are open again.
                await connection.execute(sql.REOPEN, *order)
            await pass_over(connection, order, customer, request.passed_over, playbook, now=now)
            return await self._decide(connection, asked, known)

    async def _decide(self, connection: Connection, asked: Question, known: Any) -> Ask:
        request, touch, now = asked.request, asked.touch, asked.now
        row = latest(known)
        fell = row is not None and row.provider is not None and row.status in {"refused", "failed"}
        over = _over(known, goes_on=fell and touch.falls_through and len(touch.channels) > 1)
        if over is not None:
            return over
        along = await self._taken_along(connection, request, known, now) if known["rule"] == "merged" else None
        if along is not None:
            return along
        if row is not None and row.rest:
            return UnderWay(row.rest)
        evidence = gathered(
            known, request, touch, now=now, served=asked.served, segments=asked.segments, policy=self._policy
        )
        doubtful = row.claim if row is not None else None
        if doubtful is not None:
            # It may be on its way there: another channel only where that one is closed.
            evidence = replace(evidence, preferred=doubtful.channel)
        asked_at = known["asked_at"] or now
        since = max(request.due, asked_at)
        answer = decide(touch, asked.playbook.contact, evidence, due=since, now=now, forced=request.forced)
        if isinstance(answer, Go) and _too_late(touch, request, now):
            answer = Refused(rule="too_late")
        if isinstance(answer, Refused) and len(answer.why) <= 1:
            # Of one channel the rule says all.
            answer = Refused(rule=answer.rule)
        last = since + touch.patience
        if doubtful is not None and row is not None:
            return await self._settle(connection, asked, known["customer_id"], _doubt(doubtful, row, answer), last)
        if fell and isinstance(answer, Refused):
            # What a provider refused or would not take stays on record.
            return Final("failed", known["rule"]) if known["status"] == "failed" else answer
        attempt_class = (known["attempt_class"] or 0) + fell
        return await self._write(connection, asked, known, evidence, answer, attempt_class, asked_at, last)

    async def _taken_along(
        self, connection: Connection, request: DeliverRequest, known: Any, now: datetime
    ) -> Ask | None:
        """What is to be said of a message that went along in another one; None where that one will not go."""
        into = (json.loads(known["why"]) if known["why"] else {}).get("merged_into")
        if into is None:
            return Refused(rule="merged")
        order_id, _, key = into.rpartition(" ")
        other = await connection.fetchrow(sql.TAKEN_BY, request.shop, order_id, key)
        if other is not None and (other["status"] in {"sent", "in_doubt"} or other["rule"] == "merged"):
            return Refused(rule="merged")
        if other is not None and other["status"] in {"claimed", "held"}:
            return Held(until=max(now + _LOOKED_AFTER, other["until"] or now), rule="goes_along")
        # What was to tell it did not go: it is a message of its own again.
        await connection.execute(sql.LEFT_BEHIND, known["id"])
        return None

    async def _write(  # noqa: PLR0917  one decision
        self,
        connection: Connection,
        asked: Question,
        known: Any,
        evidence: Evidence,
        answer: Go | Held | Refused,
        attempt_class: int,
        asked_at: datetime,
        last: datetime,
    ) -> Ask:
        """Write the decision down. `last` is when the touch's patience ends."""
        request, touch = asked.request, asked.touch
        # Held is the word of the first channel that nothing else speaks against.
        order = channels_in_order(touch, evidence)
        closed = answer.why if isinstance(answer, Held) else {}
        channel = answer.channel if isinstance(answer, Go) else next((c for c in order if c not in closed), order[0])
        claim = Claim(
            0,
            uuid.uuid4(),
            attempt_class,
            self.message_id(request, attempt_class),
            channel,
            asked.provider(channel, attempt_class),
            held_by=known["rule"] if known["status"] == "held" else None,
            asked_at=asked_at,
            again=known["again"] or 0,
            rings_until=answer.until if isinstance(answer, Go) else None,
        )
        if isinstance(answer, Go):
            shut = asked.is_shut(channel, None) if asked.now < last else None
            if shut is not None:
                answer = Held(until=last, rule=shut.rule, why=answer.why, waits_for=shut.waits_for)
            else:
                asked.going()
        row = await write(connection, asked, known["customer_id"], answer, claim, lease=self.lease)
        if row is None:
            return UnderWay(timedelta())
        if not isinstance(answer, Go):
            return answer
        await take_along(connection, request, touch, evidence, asked.now)
        return replace(claim, row=row)

    async def _settle(
        self, connection: Connection, asked: Question, customer: str, doubt: Doubt, last: datetime
    ) -> Ask:
        """Do about a doubt what is to be done. `last` is when the touch's patience ends."""
        claim, answer, how = doubt.claim, doubt.answer, asked.settles(doubt)
        if how in {Settling.SAME_KEY, Settling.NEW_NAME}:
            channel = answer.channel if isinstance(answer, Go) else claim.channel
            provider = claim.provider if how is Settling.SAME_KEY else None
            shut = asked.is_shut(channel, provider) if asked.now < last else None
            if shut is not None:
                answer, how = Held(until=last, rule=shut.rule, waits_for=shut.waits_for), Settling.HOLD
        match how:
            case Settling.LOOK_UP:
                return doubt
            case Settling.HOLD if isinstance(answer, Held):
                await connection.execute(sql.RELEASE, claim.row, claim.token, answer.rule, answer.until, True)
                return answer.but(doubtful=True)
            case Settling.SAME_KEY:
                return await self._claim_again(connection, asked, claim)
            case Settling.NEW_NAME if isinstance(answer, Go):
                return await self._claim_anew(connection, asked, customer, claim, answer)
            case _:
                left = await connection.fetchval(sql.LEAVE_IN_DOUBT, claim.row, claim.token, CRASHED)
                return Final("in_doubt", CRASHED) if left is not None else UnderWay(timedelta())

    async def _claim_again(self, connection: Connection, asked: Question, claim: Claim) -> Ask:
        """Take over a doubtful claim to send the very same message; the doubt stays."""
        asked.going()
        token = uuid.uuid4()
        row = await connection.fetchval(sql.CLAIM_AGAIN, claim.row, claim.token, token, asked.now, self.lease)
        return UnderWay(timedelta()) if row is None else replace(claim, token=token)

    async def _claim_anew(
        self, connection: Connection, asked: Question, customer: str, claim: Claim, answer: Go
    ) -> Ask:
        """Leave the doubt on record and claim the message once more, in the next attempt class."""
        asked.going()
        next_class = claim.attempt_class + 1
        anew = replace(
            claim,
            row=0,
            token=uuid.uuid4(),
            attempt_class=next_class,
            message_id=self.message_id(asked.request, next_class),
            channel=answer.channel,
            provider=asked.provider(answer.channel, next_class),
            doubtful=False,
            held_by=None,
            again=claim.again + 1,
            rings_until=answer.until,
        )
        left = await connection.fetchval(sql.LEAVE_IN_DOUBT, claim.row, claim.token, SENT_AGAIN)
        if left is None:
            return UnderWay(timedelta())
        row = await write(connection, asked, customer, Go(answer.channel), anew, lease=self.lease)
        return UnderWay(timedelta()) if row is None else replace(anew, row=row)

    async def latest(self, shop: str, order_id: str, key: str) -> Latest | None:
        """How a message stands; None where there is no row of it."""
        row = await self._pool.fetchrow(sql.LATEST, shop, order_id, key)
        return None if row is None else latest(row)

    async def renew(self, claim: Claim) -> bool:
        """Let a claim's lease begin anew, since its holder is at work on it; False when it is not its holder's now."""
        return await self._pool.fetchval(sql.RENEW, claim.row, claim.token, self.lease) is not None

    async def along(self, request: DeliverRequest) -> list[str]:
        """The ids of the orders whose messages go along in this one, since some attempt at it took them."""
        rows = await self._pool.fetch(sql.ALONG, request.shop, f"{request.order_id} {request.key}")
        return [row["order_id"] for row in rows]

    async def hand_over(self, claim: Claim, provider: str) -> Claim | None:
        """Let another provider have the message, since the claim's was certainly too busy; None when it is not ours."""
        row = await self._pool.fetchval(sql.HAND_OVER, claim.row, claim.token, provider, self.lease)
        return None if row is None else replace(claim, provider=provider)

    async def record_sent(self, claim: Claim, *, now: datetime, provider_id: str | None) -> None:
        """It went out at `now`. A row that was already left in doubt is settled by this word too."""
        await self._pool.execute(sql.RECORD_SENT, claim.row, claim.token, now, provider_id)

    async def record_in_doubt(self, claim: Claim, rule: str) -> None:
        """Nobody can say, and it does not go again."""
        await self._pool.execute(sql.LEAVE_IN_DOUBT, claim.row, claim.token, rule)

    async def release(self, claim: Claim, rule: str, *, until: datetime) -> None:
        """It waits until `until` by `rule`. The row keeps a doubtful claim, so that the doubt is not forgotten."""
        await self._pool.execute(sql.RELEASE, claim.row, claim.token, rule, until, claim.doubtful)

    async def record_end(self, claim: Claim, status: str, rule: str, *, now: datetime) -> None:
        """It will not go out: `status` refused or failed, by `rule`."""
        await self._pool.execute(sql.RECORD_END, claim.row, claim.token, status, rule, now)

    async def suppress(self, shop: str, channel: Channel, address: str, reason: str, *, now: datetime) -> None:
        """Never write to this address on this channel again (`bounced`, `complained` or `opted_out`).

        A bounce overrules the other reasons, because it alone stops transactional mail too.
        """
        await self._pool.execute(sql.SUPPRESS, shop, address, reason, now, channel.value)

    async def close(
        self, shop: str, order_id: str, passed: tuple[PassedOver, ...], playbook: Playbook, *, now: datetime, why: str
    ) -> None:
        """The journey's end: its last non-sends, and when and why it ended. May be repeated."""
        async with self._pool.acquire() as connection, connection.transaction():
            customer = await connection.fetchval(sql.END_ORDER, shop, order_id, now, why)
            if customer is not None:
                await pass_over(connection, (shop, order_id), customer, passed, playbook, now=now)
                await connection.execute(sql.SETTLE_REST, shop, order_id, now)

    async def pass_along(
        self, request: DeliverRequest | FindOutRequest, playbook: Playbook, outcome: Outcome, *, now: datetime
    ) -> None:
        """What went along in a message of the same order shares its fate, and a row says so. May be repeated."""
        passed = tuple(PassedOver(key=key, rule=unsent(outcome)) for key in request.along)
        async with self._pool.acquire() as connection, connection.transaction():
            customer = await connection.fetchval(sql.LOCK_ORDER, request.shop, request.order_id)
            if customer is not None:
                await pass_over(connection, (request.shop, request.order_id), customer, passed, playbook, now=now)

    def message_id(self, request: DeliverRequest, attempt_class: int) -> str:
        """The Message-ID of an attempt: the same for ever, so that any crash can be reasoned about later."""
        name = uuid.uuid5(uuid.NAMESPACE_URL, message_key(request, attempt_class))
        return f"<{name}@{self._domain}>"


def _too_late(touch: Touch, request: DeliverRequest, now: datetime) -> bool:
    """Whether nobody was there to send it for longer than it may be late and may then wait."""
    skips = touch.late.policy is LatePolicy.SKIP and not request.forced
    return skips and now - request.due > touch.patience + touch.late.after


def _over(known: Any, *, goes_on: bool) -> Ask | None:
    """What is to be said of a message that the ledger ended before; None while it has not.

    `goes_on`: it may go by another channel than the one that would not have it.
    """
    if known["status"] == "sent":
        return AlreadySent(known["at"])
    if known["status"] == "in_doubt" or (known["status"] == "failed" and not goes_on):
        return Final(known["status"], known["rule"] or "")
    return None


def _doubt(claim: Claim, row: Latest, answer: Go | Held | Refused) -> Doubt:
    rings_until = answer.until if isinstance(answer, Go) else None
    return Doubt(replace(claim, rings_until=rings_until), row.age, row.quiet, answer)
