"""The contact ledger: one row for every message and every non-send, and the claim that makes sending at-most-once.

A row lives through claimed → sent, or ends as refused, failed or in_doubt; held rows are asked for again. Key:
(shop, order, touch key, attempt class), unique; class 0 is the message itself, higher ones were sent again after
a doubt. Every decision is made under a lock on the customer's row, so that two journeys cannot both take the
last slot of a day. A row that is claimed, or held with its claim kept, is in doubt until somebody settles it.
"""

import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from journey.contact import WEEK, Contact, Evidence, Go, decide
from journey.hours import possible_zones
from journey.outcomes import DeliverRequest, Held, PassedOver, Refused
from journey.playbook import LatePolicy, Playbook, Touch, touch_id
from store import ledger_sql as sql
from store.claims import AlreadySent, Ask, Claim, Doubt, Final, message_key
from store.pool import Connection, Pool


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
            await connection.execute(sql.LOCK_PERSON, request.shop, request.order_id)
            known = await connection.fetchrow(sql.EVIDENCE, request.shop, request.order_id, request.key)
            if known is None:
                return Refused(rule="order_unknown_or_erased")
            if known["ended_at"] is not None:
                # A fact came while the books were being closed: the journey goes on, so they are open again.
                await connection.execute(sql.REOPEN, request.shop, request.order_id)
            order, customer = (request.shop, request.order_id), known["customer_id"]
            await _pass_over(connection, order, customer, request.passed_over, playbook, now=now)
            if known["status"] == "sent":
                return AlreadySent(known["at"])
            if known["status"] in {"failed", "in_doubt"}:
                return Final(known["status"], known["rule"] or "")
            touch = playbook.by_id[touch_id(request.key)]
            evidence = await self._evidence(connection, request, known, now, marketing=touch.marketing)
            asked_at = known["asked_at"] or now
            since = max(request.due, asked_at)
            answer = decide(touch, playbook.contact, evidence, due=since, now=now, forced=request.forced)
            if isinstance(answer, Go) and _too_late(touch, request, now):
                answer = Refused(rule="too_late")
            held = known["status"] == "held"
            held_by = known["rule"] if held else None
            if known["status"] == "claimed" or (held and known["claim"]):
                return Doubt(
                    known["id"],
                    known["claim"],
                    known["attempt_class"],
                    known["message_id"],
                    known["provider"],
                    known["age"],
                    answer,
                    held_by,
                    asked_at,
                )
            made = await self._write(
                connection,
                request,
                touch,
                answer,
                customer_id=customer,
                attempt_class=known["attempt_class"] or 0,
                now=now,
                asked_at=asked_at,
                provider=provider,
            )
            return replace(made, held_by=held_by) if isinstance(made, Claim) else made

    async def claim_again(self, doubt: Doubt, *, certain: bool) -> Claim | None:
        """Take over a doubtful claim to send the very same message; None when somebody else just did.

        `certain` when it is known by now that nothing went out: the doubt is over and its age begins anew.
        """
        token = uuid.uuid4()
        row = await self._pool.fetchval(sql.CLAIM_AGAIN, doubt.row, doubt.token, token, certain)
        if row is None:
            return None
        return replace(doubt.claim, token=token, doubtful=not certain)

    async def claim_anew(
        self, doubt: Doubt, request: DeliverRequest, touch: Touch, *, now: datetime, provider: str
    ) -> Claim | None:
        """Leave the doubt on record and claim the message once more, in the next attempt class.

        None when somebody else just did.
        """
        token = uuid.uuid4()
        next_class = doubt.attempt_class + 1
        message_id = self.message_id(request, next_class)
        async with self._pool.acquire() as connection, connection.transaction():
            left = await connection.fetchrow(sql.LEAVE_IN_DOUBT, doubt.row, doubt.token, "sent_again")
            if left is None:
                return None
            row = await connection.fetchval(
                sql.WRITE,
                *_columns(request, touch, left["customer_id"], next_class),
                "claimed",
                None,
                request.due,
                now,
                None,
                token,
                message_id,
                provider,
                doubt.asked_at,
            )
        return Claim(row, token, next_class, message_id, asked_at=doubt.asked_at)

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

    async def suppress(self, shop: str, address: str, reason: str, *, now: datetime) -> None:
        """Never write to this address again (`bounced`, `complained` or `opted_out`).

        A bounce overrules the other reasons, because it alone stops transactional mail too.
        """
        await self._pool.execute(sql.SUPPRESS, shop, address, reason, now)

    async def close(
        self, shop: str, order_id: str, passed: tuple[PassedOver, ...], playbook: Playbook, *, now: datetime, why: str
    ) -> None:
        """The journey's end: its last non-sends, and when and why it ended. May be repeated."""
        async with self._pool.acquire() as connection, connection.transaction():
            customer = await connection.fetchval(sql.END_ORDER, shop, order_id, now, why)
            if customer is not None:
                await _pass_over(connection, (shop, order_id), customer, passed, playbook, now=now)
                await connection.execute(sql.SETTLE_REST, shop, order_id, now)

    def message_id(self, request: DeliverRequest, attempt_class: int) -> str:
        """The Message-ID of an attempt: the same for ever, so that any crash can be reasoned about later."""
        name = uuid.uuid5(uuid.NAMESPACE_URL, message_key(request, attempt_class))
        return f"<{name}@{self._domain}>"

    async def _evidence(
        self, connection: Connection, request: DeliverRequest, person: Any, now: datetime, *, marketing: bool
    ) -> Evidence:
        sent, waiting = [], []
        # Journeys have clocks of their own: what lies further ahead than any skew has not happened for this one.
        window = (now - WEEK, now - timedelta(days=1), now + timedelta(days=1))
        # Caps are for marketing alone; a word about the order need not wait for the count.
        contacts = (
            await connection.fetch(sql.CONTACTS, request.shop, person["customer_id"], *window) if marketing else []
        )
        for row in contacts:
            if row["order_id"] == request.order_id and row["touch_key"] == request.key:
                continue
            if row["waiting"]:
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
        asked_at: datetime,
        provider: str,
    ) -> Claim | Held | Refused:
        claim = Claim(0, uuid.uuid4(), attempt_class, self.message_id(request, attempt_class), asked_at=asked_at)
        go = isinstance(answer, Go)
        row = await connection.fetchval(
            sql.WRITE,
            *_columns(request, touch, customer_id, attempt_class),
            "claimed" if go else answer.status,  # type: ignore[union-attr]  # Go is the one without
            None if isinstance(answer, Go) else answer.rule,
            request.due,
            now,
            answer.until if isinstance(answer, Held) else None,
            claim.token if go else None,
            claim.message_id if go else None,
            provider if go else None,
            asked_at,
        )
        return answer if not isinstance(answer, Go) else replace(claim, row=row)


def _too_late(touch: Touch, request: DeliverRequest, now: datetime) -> bool:
    """Whether nobody was there to send it for longer than it may be late and may then wait."""
    skips = touch.late.policy is LatePolicy.SKIP and not request.forced
    return skips and now - request.due > touch.patience + touch.late.after


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
    await connection.executemany(sql.SETTLE_HELD, [(*order, one.key, one.rule, now) for one in passed])
    rows = []
    for one in passed:
        touch = playbook.by_id[touch_id(one.key)]
        about = (touch.id, touch.purpose.value, touch.channels[0].value, touch.priority)
        rows.append((*order, one.key, *about, customer_id, one.rule, now))
    await connection.executemany(sql.LET_GO_BY, rows)
