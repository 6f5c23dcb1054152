"""Which rows are a person's: one list for those who ask what is kept of them, and for those who want it gone.

A new table with a customer or an order in it belongs into `TABLES`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from store.pool import Connection

_OF_CUSTOMER: Final = "shop = $1 AND customer_id = $2"
# The ids as an array, which is looked up by index: a join is planned by what is known of the tables.
_OF_ORDERS: Final = """shop = $1
    AND order_id = ANY (ARRAY(SELECT theirs.order_id FROM orders theirs WHERE shop = $1 AND customer_id = $2))"""
_OF_MESSAGES: Final = f"ledger_id = ANY (ARRAY(SELECT id FROM ledger WHERE {_OF_ORDERS}))"  # noqa: S608  a constant

TABLES: Final[Mapping[str, str]] = {
    "customers": _OF_CUSTOMER,
    "consents": _OF_CUSTOMER,
    "preferences": _OF_CUSTOMER,
    "double_opt_ins": _OF_CUSTOMER,
    "devices": _OF_CUSTOMER,
    "orders": _OF_CUSTOMER,
    "lines": _OF_ORDERS,
    "deliveries": _OF_ORDERS,
    "shipments": _OF_ORDERS,
    "fulfilments": _OF_ORDERS,
    "scans": _OF_ORDERS,
    "remedies": _OF_ORDERS,
    "refunds": _OF_ORDERS,
    "concerns": _OF_ORDERS,
    "reviews": _OF_ORDERS,
    "ledger": _OF_ORDERS,
    "journey_runs": _OF_ORDERS,
    "message_events": _OF_MESSAGES,
    "notes": _OF_ORDERS,
}
"""By table, what its rows of a person fulfil; `$1` is the shop, `$2` the customer id. All go with `customers`."""

# What a webhook said about people is kept for as long as somebody may ask what came of it, and no longer: a month for
# what was dispatched, a season for a dead letter, which somebody has yet to look into. What was ignored nobody asks
# for, and it has no subject that says whom it names: a day is for whoever sets a shop up.
FORGET_AFTER: Final = timedelta(days=30)
FORGET_DEAD_AFTER: Final = timedelta(days=90)
FORGET_IGNORED_AFTER: Final = timedelta(days=1)
# A past journey is for comparing with: this year's Christmas with the last one's, and the one before.
FORGET_PAST_AFTER: Final = timedelta(days=730)


def _days(span: timedelta) -> str:
    return "a day" if span.days == 1 else f"{span.days} days"


ERASED: Final = "until the person is erased"
KEPT_FOR: Final[Mapping[str, str]] = {
    **dict.fromkeys(TABLES, ERASED),
    "suppressions": "for ever; who is erased leaves a keyed hash instead",
    "erased_suppressions": "for ever: a keyed hash of an address that was not to be written to",
    "erased": "for ever: the shop's own ids of whom it had forgotten",
    "privacy_requests": "for ever: the shop's own id, and when it was asked and done",
    "journey_runs": f"{_days(FORGET_PAST_AFTER)} after the run ended",
    "inbox": f"what was said: {_days(FORGET_AFTER)} after it was dispatched, {_days(FORGET_DEAD_AFTER)} after it died,"
    f" {_days(FORGET_IGNORED_AFTER)} where it meant nothing",
}
"""By table that holds something about people, how long its rows stay where nobody erases them; `docs/privacy.md`."""
WITH_PERSON: Final = "with the person"
GOES: Final[Mapping[str, str]] = {
    **dict.fromkeys(TABLES, WITH_PERSON),
    "suppressions": "becomes a hash",
    "erased_suppressions": "stays: ids or hashes alone",
    "erased": "stays: ids or hashes alone",
    "privacy_requests": "stays: the shop's own ids alone",
    "inbox": "blanked with the person",
}
"""By the same tables, what an erasure makes of a person's rows."""
EXPORTED: Final = frozenset({*TABLES, "suppressions", "privacy_requests", "inbox"})
"""Those of them whose rows a person is handed; the others have nothing but hashes, or ids of who was forgotten."""
NOBODY: Final = frozenset(
    {
        "current_playbook",
        "dispatch_habits",
        "erasure_key",
        "lanes",
        "playbooks",
        "schema_migrations",
        "shop_sync",
        "shops",
    }
)
"""The tables that hold nothing about anybody."""

KEPT: Final = "(octet_length(body) > 0 OR event IS NOT NULL)"
"""What a row of the inbox fulfils that still says anything; the indices of the migrations are by these words."""

# An address may have changed since: where a message went and what was to be confirmed name the earlier ones, and what
# has not been dispatched yet names one that no table knows.
_ADDRESSES: Final = f"""
SELECT lower(email) FROM customers WHERE {_OF_CUSTOMER} AND email <> ''
UNION SELECT phone FROM customers WHERE {_OF_CUSTOMER} AND phone <> ''
UNION SELECT lower(contact_email) FROM orders WHERE {_OF_CUSTOMER} AND contact_email <> ''
UNION SELECT contact_phone FROM orders WHERE {_OF_CUSTOMER} AND contact_phone <> ''
UNION SELECT address FROM double_opt_ins WHERE {_OF_CUSTOMER}
UNION SELECT address FROM message_events WHERE {_OF_MESSAGES} AND address <> ''
UNION SELECT lower(event->'customer'->>'email') FROM inbox
    WHERE subject = ANY($3) AND {KEPT} AND event->'customer'->>'email' <> ''
UNION SELECT event->'customer'->>'phone' FROM inbox
    WHERE subject = ANY($3) AND {KEPT} AND event->'customer'->>'phone' <> ''
UNION SELECT lower(event->>'email') FROM inbox WHERE subject = ANY($3) AND {KEPT} AND event->>'email' <> ''
UNION SELECT event->>'phone' FROM inbox WHERE subject = ANY($3) AND {KEPT} AND event->>'phone' <> ''
"""  # noqa: S608  only the constants above are put in
_SUBJECTS: Final = f"""
SELECT 'order:' || shop || ':' || order_id FROM orders WHERE {_OF_CUSTOMER}
UNION SELECT 'changed:' || shop || ':' || order_id FROM orders WHERE {_OF_CUSTOMER}
UNION SELECT 'customer:' || $1::text || ':' || $2::text
"""  # noqa: S608  as above
_PARCELS: Final = f"""
SELECT 'tracking:' || name, bool_or(EXISTS (
    SELECT FROM shipments other WHERE other.tracking_number = mine.tracking_number AND NOT ({_OF_ORDERS}))
    OR EXISTS (SELECT FROM shipments other WHERE other.number = mine.number AND NOT ({_OF_ORDERS})))
FROM shipments mine, LATERAL (VALUES (tracking_number), (written), (number), (':' || number),
    (shop || ':' || number)) AS by (name)
WHERE {_OF_ORDERS} AND name IS NOT NULL GROUP BY 1
"""  # noqa: S608  as above
_ORDERS: Final = f"SELECT order_id FROM orders WHERE {_OF_CUSTOMER}"  # noqa: S608  as above
# The names by which providers know a message, as subjects have them, see `MessageFeedback.subject`: the Message-ID
# whole, its UUID with or without dashes, and the provider's own name, which of WhatsApp is hashed.
_NAMES: Final = f"""
WITH sent AS (SELECT btrim(message_id, '<>') AS named, provider_id AS theirs FROM ledger WHERE {_OF_ORDERS})
SELECT 'message:' || name FROM sent, LATERAL (VALUES
    (named), ('<' || named || '>'), (split_part(named, '@', 1)), (replace(split_part(named, '@', 1), '-', '')),
    (theirs), (left(encode(sha256(convert_to(theirs, 'UTF8')), 'hex'), 32))) AS by (name)
WHERE name <> ''
"""  # noqa: S608  as above
MOST_SEARCHED: Final = 50_000
"""So many bodies that name nobody in their subject are looked through, the newest first. What is older goes by itself:
what was ignored after a day, what was dispatched after a month."""
IN_INBOX: Final = f"""id IN (
    SELECT id FROM inbox WHERE subject = ANY($1 || $5::text[]) AND {KEPT}
    UNION ALL SELECT i.id FROM unnest($3::text[]) AS begun, inbox i
        WHERE i.subject ~>=~ begun AND i.subject ~<~ (left(begun, -1) || '0') AND {KEPT}
    UNION ALL SELECT id FROM (
        SELECT id, lower(concat(encode(body, 'escape'), event)) AS said FROM (
            SELECT id, body, event FROM inbox WHERE subject = ANY($4) AND {KEPT}
            UNION ALL (
            SELECT id, body, event FROM inbox
            WHERE {KEPT} AND status = 'waiting' AND NOT starts_with(subject, 'message:') AND NOT subject = ANY($4)
            ORDER BY id DESC LIMIT {MOST_SEARCHED})
            UNION ALL (
            SELECT id, body, event FROM inbox
            WHERE {KEPT} AND (subject IS NULL OR status = 'dead' OR starts_with(subject, 'message:'))
            ORDER BY id DESC LIMIT {MOST_SEARCHED})) AS unplaced OFFSET 0) AS once
        WHERE EXISTS (SELECT FROM unnest($2::text[]) AS mark WHERE strpos(said, mark) > 0))
"""  # noqa: S608  as above
"""What the inbox's rows about a person fulfil, by `Traces.arguments`.

A subject says whose a row is: `$1`, and of messages `$5` and how they begin, `$3`, which ends with `/` (`0` is the
character behind it). What was ignored has none, what waits or died may be about an order that nobody knows, a message's
is often a provider's own, and a shared parcel's (`$4`) is not theirs alone: in these the marks (`$2`) are looked for.
"""
PATIENCE: Final = 600.0
"""Seconds: forgetting somebody is no query of a page."""
SURE_LENGTH: Final = 9
"""So many characters of an id stand for nothing else in a body."""


@dataclass(frozen=True, slots=True)
class Traces:
    """By what a person is found outside their own rows.

    Attributes:
        subjects: of the inbox, theirs alone.
        shared: those of parcels that carry somebody else's order as well.
        addresses: e-mail addresses in lower case and numbers (E.164), present and former.
        marks: what names them in a body, in lower case: their addresses, numbers without `+`, and their own and their
            orders' ids where these are too long to stand for anything else.
        messages: how the inbox's subjects about messages to them begin, with a `/` at the end.
        names: those subjects of such messages that a provider's name made.
    """

    subjects: tuple[str, ...]
    shared: tuple[str, ...]
    addresses: tuple[str, ...]
    marks: tuple[str, ...]
    messages: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def arguments(self) -> tuple[list[str], ...]:
        """The arguments of `IN_INBOX`, `$1` to `$5`."""
        return tuple(list(one) for one in (self.subjects, self.marks, self.messages, self.shared, self.names))


async def traces(connection: Connection, shop: str, customer_id: str) -> Traces:
    """What a customer is found by, while their rows are still there."""
    whose = (shop, customer_id)
    parcels: dict[str, bool] = dict(await connection.fetch(_PARCELS, *whose))
    subjects = [row[0] for row in await connection.fetch(_SUBJECTS, *whose)]
    subjects += [number for number, shared in parcels.items() if not shared]
    addresses = [row[0] for row in await connection.fetch(_ADDRESSES, *whose, subjects)]
    names = [row[0] for row in await connection.fetch(_NAMES, *whose)]
    orders = [row[0] for row in await connection.fetch(_ORDERS, *whose)]
    ids = [one for one in (customer_id, *orders) if len(one) >= SURE_LENGTH]
    marks = {mark.removeprefix("+").lower() for mark in (*addresses, *ids)}
    return Traces(
        subjects=tuple(sorted(subjects)),
        shared=tuple(sorted(number for number, shared in parcels.items() if shared)),
        addresses=tuple(sorted(addresses)),
        marks=tuple(sorted(marks)),
        messages=tuple(f"message:{shop}/{order_id}/" for order_id in sorted(orders)),
        names=tuple(sorted(set(names))),
    )
