"""A customer's whole history, for whoever is asked "why did she not get it?": evidence, addresses, messages, echoes.

Read only, and without names: addresses are looked up by, and leave here masked. Moments are UTC; a message's are those
of its journey's clock, an event's those of the provider's.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from store.pool import Pool
from store.standing import ANY

MOST_FOUND = 20
"""Customers that one address is looked up for at most."""
_HASH_SHOWN = 12

_BY_EMAIL = """
SELECT shop, customer_id FROM customers WHERE lower(email) = lower($1)
UNION SELECT shop, customer_id FROM orders WHERE lower(contact_email) = lower($1) ORDER BY shop, customer_id LIMIT $2
"""
_BY_PHONE = """
SELECT shop, customer_id FROM customers WHERE phone = $1
UNION SELECT shop, customer_id FROM orders WHERE contact_phone = $1 ORDER BY shop, customer_id LIMIT $2
"""
_ANSWERS = """
SELECT channel, purpose, topic, granted, at, how, source, evidence, wording, jurisdiction, confirmed, source_hash
FROM consents WHERE shop = $1 AND customer_id = $2 ORDER BY at DESC, id DESC
"""
_SUPPRESSIONS = """
SELECT DISTINCT s.shop = '' AS everywhere, s.channel, s.reason, s.at, s.address
FROM (SELECT shop, lower(email) AS email, phone FROM customers WHERE shop = $1 AND customer_id = $2
      UNION SELECT shop, lower(contact_email), contact_phone FROM orders WHERE shop = $1 AND customer_id = $2) c
JOIN suppressions s ON s.shop IN (c.shop, '')
 AND (s.channel = 'email' AND s.address = c.email OR s.channel IN ('sms', 'whatsapp') AND s.address = c.phone)
ORDER BY s.channel, s.at
"""
_DEVICES = """
SELECT channel, count(DISTINCT address) FILTER (WHERE dead_at IS NULL) AS living,
       count(DISTINCT address) FILTER (WHERE dead_at IS NOT NULL) AS dead
FROM devices WHERE shop = $1 AND customer_id = $2 GROUP BY channel ORDER BY channel
"""
# By the customer's orders: the ledger's own index by customer leaves out what was refused.
_MESSAGES = """
SELECT l.id, l.order_id, l.touch_key, l.purpose, l.channel, l.status, l.rule, l.why, l.due, l.at, l.until, l.provider,
       coalesce((SELECT number FROM orders o WHERE o.shop = l.shop AND o.order_id = l.order_id), order_id) AS number
FROM ledger l
WHERE l.shop = $1 AND l.order_id = ANY (ARRAY(SELECT order_id FROM orders WHERE shop = $1 AND customer_id = $2))
  AND ($3::timestamptz IS NULL OR (l.at, l.id) < ($3, $4))
ORDER BY l.at DESC, l.id DESC LIMIT $5
"""
_EVENTS = """
SELECT ledger_id, kind, at, provider, machine, reason FROM message_events
WHERE ledger_id = ANY($1::bigint[]) ORDER BY at, id
"""


class Place(NamedTuple):
    """Where a page of messages ends. As a text, `2026-11-22T10:00:00+00:00_17`, it begins the next one."""

    at: datetime
    row: int

    def __str__(self) -> str:
        return f"{self.at.isoformat()}_{self.row}"

    @classmethod
    def parse(cls, text: str) -> "Place":
        """The place of a text.

        Raises:
            ValueError: it is none.
        """
        at, _, row = text.rpartition("_")
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None or not (row.isascii() and row.isdecimal()):
            raise ValueError("a place is a moment with its zone and a number")
        return cls(moment, int(row[:18]))


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One answer about marketing, as evidence.

    Attributes:
        channel: what it was about; None for all channels, as with a topic.
        purpose: marketing, in practice.
        topic: the one topic it was about, if it was.
        granted: yes or no.
        at: when it was said.
        how: by which way (`journey.consent.How`); of rows from before that was kept, their source.
        source: who brought it: the kind of event, the way itself, or `opt_out_upheld` for a no said once more behind
            a box that does not undo it.
        reference: what to look up, such as `order 1001`.
        wording: the text that was agreed to, where it was kept.
        jurisdiction: the country the person was in, as far as it was known.
        confirmed: whether it came from the address itself.
        source_hash: the first characters of the keyed hash of the network address it came from: enough to tell two
            apart.
    """

    channel: str | None
    purpose: str
    topic: str | None
    granted: bool
    at: datetime
    how: str
    source: str
    reference: str | None
    wording: str | None
    jurisdiction: str | None
    confirmed: bool
    source_hash: str | None


@dataclass(frozen=True, slots=True)
class SuppressionRow:
    """An address of the customer's that is not written to since `since`; `everywhere`: in no shop. Masked."""

    channel: str
    reason: str
    since: datetime
    everywhere: bool
    masked: str


@dataclass(frozen=True, slots=True)
class Devices:
    """How many of a customer's devices notifications reach, and how many are gone."""

    living: int
    dead: int


@dataclass(frozen=True, slots=True)
class Echo:
    """What a provider, or our own click redirect, said of a message afterwards.

    `kind` is `store.message_feedback.Kind`; `machine`: it was a proxy or scanner that opened or clicked, no person;
    `reason` is the provider's code.
    """

    kind: str
    at: datetime
    provider: str
    machine: bool
    reason: str | None


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message or non-send of a customer.

    Attributes:
        place: of this row, for the page after it.
        order_id: its order.
        number: what the shop shows of that order, its id where that is all.
        touch: the touch's key.
        purpose: transactional or marketing.
        channel: the channel it went by, or would have been tried on first.
        status: as in the ledger; `claimed` is being sent at this moment, or was when a worker died.
        rule: why it did not go.
        why: by channel the rule that spoke against it there.
        merged_into: the order and touch key of the message it went along in.
        due: when it was due.
        at: when it was settled or decided on.
        until: when a held one may go.
        provider: whom it was given to.
        echoes: what was said of it afterwards, by time.
    """

    place: Place
    order_id: str
    number: str
    touch: str
    purpose: str
    channel: str
    status: str
    rule: str | None
    why: Mapping[str, str]
    merged_into: str | None
    due: datetime
    at: datetime
    until: datetime | None
    provider: str | None
    echoes: tuple[Echo, ...]


async def find(pool: Pool, *, email: str | None = None, phone: str | None = None) -> list[tuple[str, str]]:
    """The customers who have this address, or gave it for an order, as (shop, customer id), at most `MOST_FOUND`.

    Args:
        pool: the database.
        email: as `cleaning.email` has it; case makes no difference.
        phone: in E.164. One of the two.
    """
    query, address = (_BY_EMAIL, email) if email is not None else (_BY_PHONE, phone)
    return [(row["shop"], row["customer_id"]) for row in await pool.fetch(query, address, MOST_FOUND)]


async def answers(pool: Pool, shop: str, customer_id: str) -> list[AnswerRow]:
    """Everything a customer answered about marketing, newest first."""
    return [
        AnswerRow(
            channel=None if row["channel"] == ANY else row["channel"],
            purpose=row["purpose"],
            topic=row["topic"],
            granted=row["granted"],
            at=row["at"].astimezone(UTC),
            how=row["how"] or row["source"],
            source=row["source"],
            reference=row["evidence"],
            wording=row["wording"],
            jurisdiction=row["jurisdiction"],
            confirmed=row["confirmed"],
            source_hash=row["source_hash"][:_HASH_SHOWN] if row["source_hash"] else None,
        )
        for row in await pool.fetch(_ANSWERS, shop, customer_id)
    ]


async def suppressions(pool: Pool, shop: str, customer_id: str) -> list[SuppressionRow]:
    """The customer's present addresses that are on the suppression list, of the shop or of all shops."""
    return [
        SuppressionRow(
            row["channel"], row["reason"], row["at"].astimezone(UTC), row["everywhere"], _masked(row["address"])
        )
        for row in await pool.fetch(_SUPPRESSIONS, shop, customer_id)
    ]


async def devices(pool: Pool, shop: str, customer_id: str) -> dict[str, Devices]:
    """How many devices a customer has, by channel."""
    rows = await pool.fetch(_DEVICES, shop, customer_id)
    return {row["channel"]: Devices(row["living"], row["dead"]) for row in rows}


async def messages(
    pool: Pool, shop: str, customer_id: str, *, limit: int, after: Place | None = None
) -> list[MessageRow]:
    """A customer's messages and non-sends over all orders, newest first, at most `limit`, from `after` on."""
    rows = await pool.fetch(_MESSAGES, shop, customer_id, *(after or (None, None)), limit)
    heard = await echoes(pool, [row["id"] for row in rows])
    return [_message(row, heard.get(row["id"], ())) for row in rows]


async def echoes(pool: Pool, rows: Sequence[int]) -> dict[int, tuple[Echo, ...]]:
    """What was said of these messages afterwards, by the ledger's row; nothing of those that nothing was said of."""
    found: dict[int, tuple[Echo, ...]] = {}
    for row in await pool.fetch(_EVENTS, rows):
        echo = Echo(row["kind"], row["at"].astimezone(UTC), row["provider"], row["machine"], row["reason"])
        found[row["ledger_id"]] = (*found.get(row["ledger_id"], ()), echo)
    return found


def against(why: str | None) -> tuple[dict[str, str], str | None]:
    """The ledger's `why` (JSON): by channel the rule against it, and the message this one went along in."""
    said: dict[str, str] = json.loads(why) if why else {}
    merged_into = said.pop("merged_into", None)
    return said, merged_into


def _message(row: Any, heard: tuple[Echo, ...]) -> MessageRow:
    why, merged_into = against(row["why"])
    at = row["at"].astimezone(UTC)
    return MessageRow(
        place=Place(at, row["id"]),
        order_id=row["order_id"],
        number=row["number"],
        touch=row["touch_key"],
        purpose=row["purpose"],
        channel=row["channel"],
        status=row["status"],
        rule=row["rule"],
        why=why,
        merged_into=merged_into,
        due=row["due"].astimezone(UTC),
        at=at,
        until=row["until"].astimezone(UTC) if row["until"] else None,
        provider=row["provider"],
        echoes=heard,
    )


def _masked(address: str) -> str:
    """Enough of an address to know it again, too little to write to it: `a***@e***.com`, `***78`."""
    local, at, domain = address.rpartition("@")
    if not at:
        return f"***{address[-2:]}"
    name, dot, top = domain.rpartition(".")
    return f"{local[:1]}***@{name[:1]}***{dot}{top}" if dot else f"{local[:1]}***@***"
