"""The contact ledger: one row for every message and every non-send, and the claim that makes sending at-most-once.

A row lives through claimed → sent, or ends as refused, failed or in_doubt; held rows are asked for again. Key:
(shop, order, touch key, attempt class), unique; class 0 is the message itself, higher ones were sent again after
a doubt. Every decision is made under a lock on the customer's row, so that two journeys cannot both take the
last slot of a day.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from journey.contact import WEEK, Contact, Evidence, Go, decide
from journey.hours import possible_zones
from journey.outcomes import DeliverRequest, Held, PassedOver, Refused
from journey.playbook import Playbook, Touch, touch_id
from store.pool import Connection, Pool


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to send one message, held by whoever has the token. `row` is the ledger's id."""

    row: int
    token: uuid.UUID
    attempt_class: int
    message_id: str


@dataclass(frozen=True, slots=True)
class AlreadySent:
    """An earlier attempt sent it and said so; only Temporal did not hear of it."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Doubt:
    """An earlier attempt claimed it and was never heard of again. `claimed_at` is the database's clock.

    `allowed` says whether the contact rules would still let it go.
    """

    row: int
    token: uuid.UUID
    attempt_class: int
    message_id: str
    claimed_at: datetime
    age: timedelta
    allowed: bool


@dataclass(frozen=True, slots=True)
class Final:
    """The ledger ended this touch before; `status` is failed or in_doubt."""

    status: str
    rule: str


Ask = Claim | AlreadySent | Doubt | Final | Held | Refused

_PERSON = """
SELECT o.status AS order_status, c.customer_id, c.email, c.time_zone, c.country,
       s.reason AS suppressed,
       (SELECT granted FROM consents k
         WHERE k.shop = c.shop AND k.customer_id = c.customer_id AND k.channel = 'email' AND k.purpose = 'marketing'
         ORDER BY k.at DESC, k.id DESC LIMIT 1) AS consent
FROM orders o
JOIN customers c USING (shop, customer_id)
LEFT JOIN suppressions s ON s.shop = c.shop AND s.channel = 'email' AND s.address = lower(c.email)
WHERE o.shop = $1 AND o.order_id = $2
FOR UPDATE OF c
"""
_LATEST = """
SELECT *, now() - claimed_at AS age FROM ledger
WHERE shop = $1 AND order_id = $2 AND touch_key = $3 ORDER BY attempt_class DESC LIMIT 1
"""
# What was sent, may have been sent, or is being sent counts against the caps; what waits may own a slot ahead.
_CONTACTS = """
SELECT touch, status, priority, at, until, order_id, touch_key FROM ledger
WHERE shop = $1 AND customer_id = $2 AND purpose = 'marketing'
  AND (status IN ('sent', 'claimed', 'in_doubt') AND at BETWEEN $3 AND $5 OR status = 'held' AND until > $4)
"""
_WRITE = """
INSERT INTO ledger (shop, order_id, touch_key, attempt_class, touch, purpose, channel, priority, customer_id,
                    status, rule, due, at, until, claim, claimed_at, message_id, provider)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
        CASE WHEN $15::uuid IS NULL THEN NULL ELSE now() END, $16, $17)
ON CONFLICT (shop, order_id, touch_key, attempt_class) DO UPDATE SET
    status = excluded.status, rule = excluded.rule, due = excluded.due, at = excluded.at, until = excluded.until,
    claim = excluded.claim, claimed_at = excluded.claimed_at, message_id = excluded.message_id,
    provider = excluded.provider, priority = excluded.priority
    WHERE ledger.status IN ('held', 'refused')
RETURNING id
"""


class Ledger:
    """The ledger of one database. `domain` is the right side of the Message-IDs it makes."""

    def __init__(self, pool: Pool, *, domain: str) -> None:
        self._pool = pool
        self._domain = domain

    async def ask(self, request: DeliverRequest, playbook: Playbook, *, now: datetime, provider: str) -> Ask:
        """Whether the message may go at `now`; if so it is claimed, and if not the row says by which rule.

        One transaction under the customer's lock: evidence, decision, claim, and the non-sends that ride along.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            person = await connection.fetchrow(_PERSON, request.shop, request.order_id)
            if person is None:
                return Refused(rule="order_unknown_or_erased")
            await _pass_over(
                connection,
                (request.shop, request.order_id),
                person["customer_id"],
                request.passed_over,
                playbook,
                now=now,
            )
            row = await connection.fetchrow(_LATEST, request.shop, request.order_id, request.key)
            if row is not None and row["status"] == "sent":
                return AlreadySent(row["at"])
            if row is not None and row["status"] in {"failed", "in_doubt"}:
                return Final(row["status"], row["rule"] or "")
            evidence = await self._evidence(connection, request, person, now)
            touch = playbook.by_id[touch_id(request.key)]
            answer = decide(touch, playbook.contact, evidence, due=request.due, now=now, forced=request.forced)
            if row is not None and row["status"] == "claimed":
                return Doubt(
                    row["id"],
                    row["claim"],
                    row["attempt_class"],
                    row["message_id"],
                    row["claimed_at"],
                    row["age"],
                    allowed=isinstance(answer, Go),
                )
            attempt_class = row["attempt_class"] if row is not None else 0
            return await self._write(
                connection,
                request,
                touch,
                answer,
                customer_id=person["customer_id"],
                attempt_class=attempt_class,
                now=now,
                provider=provider,
            )

    async def claim_again(self, doubt: Doubt) -> Claim | None:
        """Take over a doubtful claim to send the very same message; None when somebody else just did."""
        token = uuid.uuid4()
        row = await self._pool.fetchval(
            "UPDATE ledger SET claim = $3, claimed_at = now() WHERE id = $1 AND claim = $2 AND status = 'claimed'"
            " RETURNING id",
            doubt.row,
            doubt.token,
            token,
        )
        return None if row is None else Claim(doubt.row, token, doubt.attempt_class, doubt.message_id)

    async def claim_anew(self, doubt: Doubt, request: DeliverRequest, touch: Touch, *, now: datetime) -> Claim | None:
        """Leave the doubt on record and claim the message once more, in the next attempt class.

        None when somebody else just did.
        """
        token = uuid.uuid4()
        next_class = doubt.attempt_class + 1
        message_id = self.message_id(request, next_class)
        async with self._pool.acquire() as connection, connection.transaction():
            left = await connection.fetchrow(
                "UPDATE ledger SET status = 'in_doubt', rule = 'sent_again' WHERE id = $1 AND claim = $2"
                " AND status = 'claimed' RETURNING customer_id, provider",
                doubt.row,
                doubt.token,
            )
            if left is None:
                return None
            row = await connection.fetchval(
                _WRITE,
                *_columns(request, touch, left["customer_id"], next_class),
                "claimed",
                None,
                request.due,
                now,
                None,
                token,
                message_id,
                left["provider"],
            )
        return Claim(row, token, next_class, message_id)

    async def record_sent(self, claim: Claim, *, now: datetime, provider_id: str | None) -> None:
        """It went out at `now`. A row that was already left in doubt is settled by this word too."""
        await self._pool.execute(
            "UPDATE ledger SET status = 'sent', rule = NULL, at = $3, provider_id = $4"
            " WHERE id = $1 AND claim = $2 AND status IN ('claimed', 'in_doubt')",
            claim.row,
            claim.token,
            now,
            provider_id,
        )

    async def record_found(self, doubt: Doubt, *, now: datetime, provider_id: str) -> None:
        """The provider knew the doubtful message: it is sent."""
        claim = Claim(doubt.row, doubt.token, doubt.attempt_class, doubt.message_id)
        await self.record_sent(claim, now=now, provider_id=provider_id)

    async def record_in_doubt(self, doubt: Doubt, rule: str) -> None:
        """Nobody can say, and it does not go again."""
        await self._pool.execute(
            "UPDATE ledger SET status = 'in_doubt', rule = $3 WHERE id = $1 AND claim = $2 AND status = 'claimed'",
            doubt.row,
            doubt.token,
            rule,
        )

    async def release(self, claim: Claim, rule: str, *, until: datetime) -> None:
        """It certainly did not go out: the row waits until `until` by `rule`."""
        await self._pool.execute(
            "UPDATE ledger SET status = 'held', rule = $3, until = $4, claim = NULL WHERE id = $1 AND claim = $2"
            " AND status = 'claimed'",
            claim.row,
            claim.token,
            rule,
            until,
        )

    async def record_end(self, claim: Claim, status: str, rule: str, *, now: datetime) -> None:
        """It will not go out: `status` refused or failed, by `rule`."""
        await self._pool.execute(
            "UPDATE ledger SET status = $3, rule = $4, at = $5 WHERE id = $1 AND claim = $2 AND status = 'claimed'",
            claim.row,
            claim.token,
            status,
            rule,
            now,
        )

    async def suppress(self, shop: str, address: str, reason: str, *, now: datetime) -> None:
        """Never write to this address again (`bounced`, `complained` or `opted_out`)."""
        await self._pool.execute(
            "INSERT INTO suppressions (shop, channel, address, reason, at) VALUES ($1, 'email', lower($2), $3, $4)"
            " ON CONFLICT DO NOTHING",
            shop,
            address,
            reason,
            now,
        )

    async def close(
        self, shop: str, order_id: str, passed: tuple[PassedOver, ...], playbook: Playbook, *, now: datetime, why: str
    ) -> None:
        """The journey's end: its last non-sends, and when and why it ended. May be repeated."""
        async with self._pool.acquire() as connection, connection.transaction():
            customer = await connection.fetchval(
                "UPDATE orders SET ended_at = coalesce(ended_at, $3), ended_why = coalesce(ended_why, $4)"
                " WHERE shop = $1 AND order_id = $2 RETURNING customer_id",
                shop,
                order_id,
                now,
                why,
            )
            if customer is not None:
                await _pass_over(connection, (shop, order_id), customer, passed, playbook, now=now)

    def message_id(self, request: DeliverRequest, attempt_class: int) -> str:
        """The Message-ID of an attempt: the same for ever, so that any crash can be reasoned about later."""
        name = uuid.uuid5(uuid.NAMESPACE_URL, message_key(request, attempt_class))
        return f"<{name}@{self._domain}>"

    async def _evidence(self, connection: Connection, request: DeliverRequest, person: Any, now: datetime) -> Evidence:
        sent, waiting = [], []
        # Journeys have clocks of their own: what lies further ahead than any skew has not happened for this one.
        window = (now - WEEK, now - timedelta(days=1), now + timedelta(days=1))
        for row in await connection.fetch(_CONTACTS, request.shop, person["customer_id"], *window):
            if row["order_id"] == request.order_id and row["touch_key"] == request.key:
                continue
            if row["status"] == "held":
                # A touch of the same journey cannot wait beside this one: the journey sends one at a time.
                if row["order_id"] != request.order_id:
                    waiting.append(Contact(at=row["until"], priority=row["priority"], touch=row["touch"]))
            else:
                sent.append(Contact(at=row["at"], priority=row["priority"], touch=row["touch"]))
        return Evidence(
            address=bool(person["email"]),
            consent=bool(person["consent"]),
            suppressed=person["suppressed"],
            order_status=person["order_status"],
            zones=possible_zones(person["time_zone"], person["country"]),
            sent=sent,
            waiting=waiting,
        )

    async def _write(
        self,
        connection: Connection,
        request: DeliverRequest,
        touch: Touch,
        answer: Go | Held | Refused,
        *,
        customer_id: str,
        attempt_class: int,
        now: datetime,
        provider: str,
    ) -> Claim | Held | Refused:
        claim = Claim(0, uuid.uuid4(), attempt_class, self.message_id(request, attempt_class))
        go = isinstance(answer, Go)
        row = await connection.fetchval(
            _WRITE,
            *_columns(request, touch, customer_id, attempt_class),
            "claimed" if go else answer.status,  # type: ignore[union-attr]  # Go is the one without
            None if isinstance(answer, Go) else answer.rule,
            request.due,
            now,
            answer.until if isinstance(answer, Held) else None,
            claim.token if go else None,
            claim.message_id if go else None,
            provider if go else None,
        )
        return answer if not isinstance(answer, Go) else Claim(row, claim.token, attempt_class, claim.message_id)


def message_key(request: DeliverRequest, attempt_class: int) -> str:
    """The message's name at the provider: at most 256 characters, the same for every try of one attempt class."""
    key = f"{request.shop}/{request.order_id}/{request.key}/{attempt_class}"
    return key if len(key.encode()) <= 200 and key.isascii() else str(uuid.uuid5(uuid.NAMESPACE_URL, key))  # noqa: PLR2004  room below Resend's 256


def _columns(request: DeliverRequest, touch: Touch, customer_id: str, attempt_class: int) -> tuple[object, ...]:
    return (
        request.shop,
        request.order_id,
        request.key,
        attempt_class,
        touch.id,
        touch.purpose.value,
        touch.channels[0].value,
        touch.priority,
        customer_id,
    )


async def _pass_over(
    connection: Connection,
    order: tuple[str, str],
    customer_id: str,
    passed: tuple[PassedOver, ...],
    playbook: Playbook,
    *,
    now: datetime,
) -> None:
    """A row for each non-send. One that was held is settled by it; what went out or ended stays as it is."""
    if not passed:
        return
    shop, order_id = order
    await connection.executemany(
        "UPDATE ledger SET status = 'refused', rule = $4, at = $5, until = NULL"
        " WHERE shop = $1 AND order_id = $2 AND touch_key = $3 AND status = 'held'",
        [(shop, order_id, one.key, one.rule, now) for one in passed],
    )
    rows = []
    for one in passed:
        touch = playbook.by_id[touch_id(one.key)]
        about = (touch.id, touch.purpose.value, touch.channels[0].value, touch.priority)
        rows.append((shop, order_id, one.key, *about, customer_id, one.rule, now))
    await connection.executemany(
        "INSERT INTO ledger (shop, order_id, touch_key, touch, purpose, channel, priority, customer_id,"
        " status, rule, due, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'refused', $9, $10, $10)"
        " ON CONFLICT DO NOTHING",
        rows,
    )
