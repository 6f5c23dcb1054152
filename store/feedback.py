"""What became of a message once it was out: kept beside the ledger, and drawn the conclusions from.

Any word of a provider about a message proves that it took the message, so a row in doubt is settled as sent; only a
`failed` one proves nothing that the sender would want to rely on. A bounce for good and a complaint suppress the
address at once, three messages in a row that bounced for now do as well.
"""

import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from journey.playbook import Channel
from store.message_feedback import MessageFeedback
from store.pool import Connection

SOFT_BOUNCES = 3
"""So many messages bounced for now, none delivered between, are one for good."""
SOFT_WINDOW = timedelta(days=14)
AT_ONCE = timedelta(seconds=2)
"""Nobody opens or clicks that soon after the mail was delivered; gateways that look through mail do."""

Replies = Callable[[Connection, MessageFeedback], Awaitable[object]]
"""Who listens to people: awaited with each `replied` and `opted_out`, in the transaction that keeps it."""

_REASONS = {"bounced": "bounced", "complained": "complained", "opted_out": "opted_out"}
_COUNTED = frozenset({"soft_bounce", "delivered"})
_BY_PHONE = frozenset({Channel.SMS, Channel.WHATSAPP})
_EVERYWHERE = ""

_COLUMNS = "id, shop, order_id, touch_key, customer_id, channel, purpose"
# Of several rows (a message sent again after a doubt) the one that is known to be out.
_BY_NAME = f"""
SELECT {_COLUMNS} FROM ledger WHERE message_id IS NOT NULL AND split_part(message_id, '@', 1) = ANY($1::text[])
  AND ($2::text IS NULL OR shop = $2)
ORDER BY (status = 'sent') DESC, attempt_class DESC LIMIT 1
"""  # noqa: S608  only the constant above is put in
_BY_PROVIDER_ID = f"""
SELECT {_COLUMNS} FROM ledger WHERE provider_id = $1 AND ($2::text IS NULL OR shop = $2)
ORDER BY (status = 'sent') DESC, id DESC LIMIT 1
"""  # noqa: S608  as above
_BY_TOUCH = f"""
SELECT {_COLUMNS} FROM ledger WHERE shop = $1 AND order_id = $2 AND touch_key = $3
ORDER BY (status = 'sent') DESC, attempt_class DESC LIMIT 1
"""  # noqa: S608  as above
# As with every decision about a person, under the lock on their row: a sender about to decide sees all of it or none.
_LOCK = """
SELECT CASE WHEN $4 = 'marketing' THEN c.email ELSE coalesce(o.contact_email, c.email) END AS email,
       CASE WHEN $4 = 'marketing' THEN c.phone ELSE coalesce(o.contact_phone, c.phone) END AS phone
FROM customers c JOIN orders o USING (shop, customer_id)
WHERE c.shop = $1 AND c.customer_id = $2 AND o.order_id = $3 FOR UPDATE OF c
"""
_INSERT = """
INSERT INTO message_events (ledger_id, provider, event_id, kind, at, machine, link, reason, shop, channel, address)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (provider, event_id) DO NOTHING RETURNING id
"""
# `at` stays what the journey's clock said: a provider's clock may be months away from it.
_SETTLE = """
UPDATE ledger SET status = 'sent', rule = NULL, until = NULL, provider_id = coalesce(provider_id, $2)
WHERE id = $1 AND (status IN ('claimed', 'in_doubt') OR status = 'held' AND claim IS NOT NULL) RETURNING id
"""
# Whichever is told first, the delivery or the open.
_MARK_MACHINES = """
UPDATE message_events seen SET machine = true FROM message_events delivery
WHERE seen.ledger_id = $1 AND seen.kind IN ('opened', 'clicked') AND NOT seen.machine
  AND delivery.ledger_id = $1 AND delivery.kind = 'delivered' AND seen.at <= delivery.at + $2::interval
"""
# Messages are counted, not attempts: a server that is full for an hour refuses one mail many times.
_SOFT_BOUNCED = """
SELECT count(DISTINCT ledger_id) FROM message_events bounce
WHERE shop = $1 AND channel = $2 AND address = lower($3) AND kind = 'soft_bounce' AND at > $4
  AND NOT EXISTS (
    SELECT 1 FROM message_events arrival
    WHERE arrival.shop = $1 AND arrival.channel = $2 AND arrival.address = lower($3) AND arrival.kind = 'delivered'
      AND arrival.at >= bounce.at)
"""
# A bounce overrules the other reasons, because it alone stops transactional messages too.
_SUPPRESS = """
INSERT INTO suppressions (shop, channel, address, reason, at)
SELECT shop, $2, lower($3), $4, $5 FROM unnest($1::text[]) shop
ON CONFLICT (shop, channel, address) DO UPDATE SET reason = excluded.reason, at = excluded.at
WHERE excluded.reason = 'bounced' AND suppressions.reason <> 'bounced'
"""
# As in `_LOCK`, under the lock on everybody who has the address.
_SHOPS_OF_EMAIL = """
SELECT shop FROM customers WHERE (shop, customer_id) IN (
    SELECT shop, customer_id FROM customers WHERE lower(email) = lower($1)
    UNION ALL SELECT shop, customer_id FROM orders WHERE lower(contact_email) = lower($1))
ORDER BY shop, customer_id FOR UPDATE
"""
_SHOPS_OF_PHONE = """
SELECT shop FROM customers WHERE (shop, customer_id) IN (
    SELECT shop, customer_id FROM customers WHERE phone = $1
    UNION ALL SELECT shop, customer_id FROM orders WHERE contact_phone = $1)
ORDER BY shop, customer_id FOR UPDATE
"""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What an event came to.

    Attributes:
        ledger_id: the ledger's row of its message.
        shop: the message's shop.
        order_id: the message's order.
        touch_key: the message's touch key.
        new: False when the event was known already; nothing else happened then.
        settled: a message in doubt is known to be out by it.
        suppressed: why its address is not written to any more, None when it still is.
    """

    ledger_id: int
    shop: str
    order_id: str
    touch_key: str
    new: bool = True
    settled: bool = False
    suppressed: str | None = None


async def unheard(connection: Connection, event: MessageFeedback) -> None:
    """The `Replies` of nobody: what people write is kept with its event and no more."""


async def record(connection: Connection, event: MessageFeedback) -> Recorded | None:
    """Keep an event of a message and do what follows from it; None when it is of no message of ours.

    A bounce, complaint or opt-out of an unknown message suppresses its address all the same, in every shop that
    knows the address, or for all shops (the empty one) when none does; of a shop's own provider in that shop alone.

    Args:
        connection: in a transaction.
        event: what happened; repeats are known by `event.identity`.
    """
    row = await _row(connection, event)
    if row is not None:
        return await _keep(connection, row, event)
    reason = _REASONS.get(event.kind)
    if reason is not None and event.address is not None:
        await _suppress(connection, await _shops(connection, event), event, event.address, reason)
    return None


async def record_click(
    connection: Connection,
    shop: str,
    order_id: str,
    touch_key: str,
    *,
    link: str,
    at: datetime,
    machine: bool,
) -> Recorded | None:
    """Keep a click that came through our own redirect; None when there is no such message any more.

    The same link within the same minute is one click, by people and by machines each, so that nobody can fill the
    table by asking again and again.
    """
    row = await connection.fetchrow(_BY_TOUCH, shop, order_id, touch_key)
    if row is None:
        return None
    who = "machine" if machine else "person"
    name = sha256("\n".join((shop, order_id, touch_key, link, f"{at:%Y-%m-%dT%H:%M}", who)).encode()).hexdigest()
    event = MessageFeedback(
        provider="postlude",
        kind="clicked",
        at=at,
        channel=Channel(row["channel"]),
        link=link,
        machine=machine,
        event_id=name,
    )
    return await _keep(connection, row, event)


def names(event: MessageFeedback) -> list[str]:
    """The left sides (`<…` up to the @) that the Message-ID of the event's message may have.

    A ledger's Message-ID is `<{uuid5(NAMESPACE_URL, key)}@{domain}>`, see `store.ledger.Ledger.message_id`. So a key
    says it, and so does the UUID that stands for a key where a provider takes no other characters, with or without
    its dashes.
    """
    found = []
    if event.message_id is not None:
        found.append("<" + event.message_id.partition("@")[0].removeprefix("<"))
    if event.key is not None:
        found.append(f"<{uuid.uuid5(uuid.NAMESPACE_URL, event.key)}")
        with suppress(ValueError):
            found.append(f"<{uuid.UUID(event.key)}")
    return found


async def _row(connection: Connection, event: MessageFeedback) -> Any:
    row = None
    if known := names(event):
        row = await connection.fetchrow(_BY_NAME, known, event.shop)
    if row is None and event.provider_id is not None:
        row = await connection.fetchrow(_BY_PROVIDER_ID, event.provider_id, event.shop)
    return row


async def _keep(connection: Connection, row: Any, event: MessageFeedback) -> Recorded:
    person = await connection.fetchrow(_LOCK, row["shop"], row["customer_id"], row["order_id"], row["purpose"])
    address = event.address or _own(person, event.channel)
    new = await connection.fetchval(
        _INSERT,
        row["id"],
        event.provider,
        event.identity,
        event.kind,
        event.at,
        event.machine,
        event.link,
        event.reason,
        row["shop"],
        event.channel.value,
        address.lower() if address and event.kind in _COUNTED else None,
    )
    settled, reason = False, None
    if new is not None:
        if event.kind != "failed":
            settled = await connection.fetchval(_SETTLE, row["id"], event.provider_id) is not None
        # Who reads a text while it arrives has read it; only mail is looked through on its way.
        if event.channel is Channel.EMAIL and event.kind in {"delivered", "opened", "clicked"}:
            await connection.execute(_MARK_MACHINES, row["id"], AT_ONCE)
        reason = await _reason(connection, row["shop"], event, address)
        if reason is not None and address is not None:
            await _suppress(connection, [row["shop"]], event, address, reason)
    return Recorded(
        row["id"],
        row["shop"],
        row["order_id"],
        row["touch_key"],
        new=new is not None,
        settled=settled,
        suppressed=reason,
    )


async def _reason(connection: Connection, shop: str, event: MessageFeedback, address: str | None) -> str | None:
    if event.kind != "soft_bounce" or address is None:
        return _REASONS.get(event.kind)
    since = event.at - SOFT_WINDOW
    bounced = await connection.fetchval(_SOFT_BOUNCED, shop, event.channel.value, address, since)
    return "bounced" if bounced >= SOFT_BOUNCES else None


async def _shops(connection: Connection, event: MessageFeedback) -> Sequence[str]:
    if event.shop is not None:
        return [event.shop]
    rows = []
    if event.channel is Channel.EMAIL:
        rows = await connection.fetch(_SHOPS_OF_EMAIL, event.address)
    elif event.channel in _BY_PHONE:
        rows = await connection.fetch(_SHOPS_OF_PHONE, event.address)
    return list(dict.fromkeys(row["shop"] for row in rows)) or [_EVERYWHERE]


async def _suppress(
    connection: Connection, shops: Sequence[str], event: MessageFeedback, address: str, reason: str
) -> None:
    await connection.execute(_SUPPRESS, shops, event.channel.value, address, reason, event.at)


def _own(person: Any, channel: Channel) -> str | None:
    """The address that the message went to, where its provider does not say."""
    if person is None:
        return None
    if channel is Channel.EMAIL:
        return person["email"]  # type: ignore[no-any-return]  # text in the table
    return person["phone"] if channel in _BY_PHONE else None
