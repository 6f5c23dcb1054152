"""The contact ledger: one row for every message and every non-send, and the claim that makes sending at-most-once.

A row lives through claimed → sent, or ends as refused, failed or in_doubt; held rows are asked for again. Key:
(shop, order, touch key, attempt class), unique; class 0 is the message itself, higher ones were sent again after
a doubt or on another channel. A row that is claimed, or held with its claim kept, is in doubt until somebody settles
it.

Two journeys of one customer cannot both take the last slot of a day: a decision is made on one look at everything, and
its claim is written only if the customer's `contact_version` is still the one looked at. Whoever was overtaken looks
again, in the end under a lock on the customer's row.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from journey.consent import Policy
from journey.contact import Evidence, Go, channels_in_order, decide
from journey.outcomes import DeliverRequest, Held, Outcome, PassedOver, Refused, unsent
from journey.playbook import Channel, LatePolicy, Playbook, Touch
from store import ledger_sql as sql
from store.claims import AlreadySent, Ask, Claim, Doubt, Final, message_key
from store.evidence import Providers, asks_for_contacts, gathered, window
from store.ledger_rows import Question, nothing, pass_over, take_along, write
from store.pool import Connection, Pool

_LEAST = Policy()
_LOOKS = 2
"""How often somebody is overtaken before taking the lock."""


class OvertakenError(Exception):
    """The message's own row changed under the lock: another attempt is at work. Ask again."""


class Ledger:
    """The ledger of one database. `domain` is the right side of the Message-IDs it makes.

    `policy` is what the shop does beyond the law's least about consent.
    """

    def __init__(self, pool: Pool, *, domain: str, policy: Policy = _LEAST) -> None:
        self._pool = pool
        self._domain = domain
        self._policy = policy

    async def ask(
        self,
        request: DeliverRequest,
        playbook: Playbook,
        *,
        now: datetime,
        providers: Providers,
        segments: Mapping[Channel, int] | None = None,
        going: Callable[[], object] = nothing,
    ) -> Ask:
        """Whether the message may go at `now`, and how; if so it is claimed, and if not the row says by which rule.

        Args:
            request: what is to be delivered; its non-sends are written in the same transaction.
            playbook: the journey's own.
            now: the journey's clock, UTC.
            providers: who serves which channel.
            segments: how many texts the message would be, by channel, where a touch bounds that.
            going: called once it may go and is about to be claimed, to make good use of the wait for the disk.

        Raises:
            OvertakenError: another attempt is at work on this very message.
        """
        asked = Question(request, playbook, now, providers, segments or {}, going=going)
        if not request.passed_over:
            for _ in range(_LOOKS):
                answer = await self._look(self._pool, asked, locked=False)
                if answer is not None:
                    return answer
        async with self._pool.acquire() as connection, connection.transaction():
            # A fact that came while the books were being closed: the journey goes on, so they are open again.
            await connection.execute(sql.REOPEN, request.shop, request.order_id)
            await connection.execute(sql.LOCK_PERSON, request.shop, request.order_id)
            answer = await self._look(connection, asked, locked=True)
        if answer is None:
            raise OvertakenError(f"{request.shop}/{request.order_id} {request.key}: another attempt is at work on it")
        return answer

    async def _look(self, connection: Connection | Pool, asked: Question, *, locked: bool) -> Ask | None:
        """Look at everything once, decide, and write; None when it has changed meanwhile, or wants a transaction."""
        request, playbook, touch, now = asked.request, asked.playbook, asked.touch, asked.now
        transactional = playbook.contact.transactional is not None
        known = await connection.fetchrow(
            sql.EVIDENCE,
            request.shop,
            request.order_id,
            request.key,
            asks_for_contacts(touch, playbook),
            *window(now),
            transactional,
        )
        if known is None:
            return Refused(rule="order_unknown_or_erased")
        if locked:
            order, customer = (request.shop, request.order_id), known["customer_id"]
            await pass_over(connection, order, customer, request.passed_over, playbook, now=now)
        elif known["ended_at"] is not None:
            return None
        over = _over(known)
        if over is not None:
            return over
        evidence = gathered(
            known, request, touch, now=now, served=asked.served, segments=asked.segments, policy=self._policy
        )
        doubtful = known["status"] == "claimed" or (known["status"] == "held" and known["claim"] is not None)
        if doubtful:
            # It may be on its way there: another channel only where that one is closed.
            evidence = replace(evidence, preferred=Channel(known["channel"]))
        asked_at = known["asked_at"] or now
        since = max(request.due, asked_at)
        answer = decide(touch, playbook.contact, evidence, due=since, now=now, forced=request.forced)
        if isinstance(answer, Go) and _too_late(touch, request, now):
            answer = Refused(rule="too_late")
        if isinstance(answer, Refused) and len(answer.why) <= 1:
            # Of one channel the rule says all.
            answer = Refused(rule=answer.rule)
        if doubtful:
            return _doubt(known, answer, asked_at, now)
        return await self._write(connection, asked, known, evidence, answer=answer, asked_at=asked_at, locked=locked)

    async def _write(
        self,
        connection: Connection | Pool,
        asked: Question,
        known: Any,
        evidence: Evidence,
        *,
        answer: Go | Held | Refused,
        asked_at: datetime,
        locked: bool,
    ) -> Ask | None:
        """Write the decision down; None when something it was made of has changed."""
        request, touch = asked.request, asked.touch
        # What a provider refused for good stays on record; the next channel's try is a row of its own.
        fell = known["status"] == "refused" and known["provider"] is not None
        if fell and isinstance(answer, Refused):
            return answer
        # Held is the word of the first channel that nothing else speaks against.
        order = channels_in_order(touch, evidence)
        closed = answer.why if isinstance(answer, Held) else {}
        channel = answer.channel if isinstance(answer, Go) else next((c for c in order if c not in closed), order[0])
        attempt_class = (known["attempt_class"] or 0) + fell
        claim = Claim(
            0,
            uuid.uuid4(),
            attempt_class,
            self.message_id(request, attempt_class),
            channel,
            asked.provider(channel, attempt_class),
            held_by=_held_by(known),
            asked_at=asked_at,
            again=known["again"] or 0,
            rings_until=answer.until if isinstance(answer, Go) else None,
            version=known["contact_version"],
        )
        if isinstance(answer, Go):
            asked.going()
        version = None if locked else known["contact_version"]
        row = await write(connection, asked, known["customer_id"], answer, claim, version=version)
        if row is None:
            return None
        if not isinstance(answer, Go):
            return answer
        await take_along(connection, request, touch, evidence, asked.now)
        return replace(claim, row=row)

    async def along(self, request: DeliverRequest) -> list[str]:
        """The ids of the orders whose messages go along in this one, since some attempt at it took them."""
        rows = await self._pool.fetch(sql.ALONG, request.shop, f"{request.order_id} {request.key}")
        return [row["order_id"] for row in rows]

    async def claim_again(self, doubt: Doubt) -> Claim | None:
        """Take over a doubtful claim to send the very same message; the doubt stays.

        None when somebody else just did, or what was decided on it does not hold any more.
        """
        token = uuid.uuid4()
        row = await self._pool.fetchval(sql.CLAIM_AGAIN, doubt.row, doubt.token, token, doubt.now, doubt.version)
        return None if row is None else replace(doubt.claim, token=token)

    async def claim_anew(
        self, doubt: Doubt, request: DeliverRequest, playbook: Playbook, *, now: datetime, providers: Providers
    ) -> Claim | None:
        """Leave the doubt on record and claim the message once more, in the next attempt class.

        None when somebody else just did, what was decided on it does not hold any more, or nobody serves the channel.
        """
        channel = doubt.answer.channel if isinstance(doubt.answer, Go) else doubt.channel
        asked = Question(request, playbook, now, providers, {})
        next_class = doubt.attempt_class + 1
        if channel not in asked.served:
            return None
        claim = replace(
            doubt.claim,
            row=0,
            token=uuid.uuid4(),
            attempt_class=next_class,
            message_id=self.message_id(request, next_class),
            channel=channel,
            provider=asked.provider(channel, next_class),
            doubtful=False,
            held_by=None,
            again=doubt.again + 1,
        )
        async with self._pool.acquire() as connection, connection.transaction():
            # The person first, as whoever brings news of the message does: two who wait for each other end in an error.
            person = await connection.fetchrow(sql.LOCK_PERSON, request.shop, request.order_id)
            if person is None or person["contact_version"] != doubt.version:
                return None
            left = await connection.fetchrow(sql.LEAVE_IN_DOUBT, doubt.row, doubt.token, "sent_again")
            if left is None:
                return None
            row = await write(connection, asked, left["customer_id"], Go(channel), claim, version=None)
        return None if row is None else replace(claim, row=row)

    async def hand_over(self, claim: Claim, provider: str) -> Claim | None:
        """Let another provider have the message, since the claim's was certainly too busy; None when it is not ours."""
        row = await self._pool.fetchval(sql.HAND_OVER, claim.row, claim.token, provider)
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

    async def pass_along(self, request: DeliverRequest, playbook: Playbook, outcome: Outcome, *, now: datetime) -> None:
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


def _over(known: Any) -> Ask | None:
    """What is to be said of a message that the ledger ended before; None while it has not."""
    if known["status"] == "sent":
        return AlreadySent(known["at"])
    if known["status"] in {"failed", "in_doubt"}:
        return Final(known["status"], known["rule"] or "")
    return Refused(rule="merged") if known["rule"] == "merged" else None


def _doubt(known: Any, answer: Go | Held | Refused, asked_at: datetime, now: datetime) -> Doubt:
    return Doubt(
        known["id"],
        known["claim"],
        known["attempt_class"],
        known["message_id"],
        Channel(known["channel"]),
        known["provider"],
        known["age"],
        answer,
        now,
        known["contact_version"],
        _held_by(known),
        asked_at,
        known["again"],
    )


def _held_by(known: Any) -> str | None:
    return known["rule"] if known["status"] == "held" else None
