"""Where a customer stands: all that consent is judged on, read in one query fit for the ledger's decision."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from journey.consent import Answer, Frequency, How, Permission, Policy, Preferences, permits, topics_refused
from journey.playbook import Channel, Purpose, Topic
from store.pool import Connection, Pool

ANY = "any"
"""The channel of an answer that goes for all of them."""
NUMBERS = frozenset({Channel.SMS, Channel.WHATSAPP})
"""Channels whose address is a telephone number."""

# Of many answers of one kind only the newest can count, so a customer of a hundred orders is a handful of rows.
STANDING = """
SELECT c.country, c.email, c.phone, c.locale AS known_locale,
       p.channel_preferred, p.frequency, p.paused_until, p.locale AS chosen_locale,
       (SELECT max(o.placed_at) FROM orders o
         WHERE o.shop = c.shop AND o.customer_id = c.customer_id AND o.status <> 'cancelled') AS last_purchase_at,
       ARRAY(SELECT s.channel || ' ' || s.reason FROM suppressions s
              WHERE s.shop IN (c.shop, '')
                AND (s.channel = 'email' AND s.address = lower(c.email)
                     OR s.channel IN ('sms', 'whatsapp') AND s.address = c.phone)) AS suppressed,
       k.*
FROM customers c
LEFT JOIN preferences p USING (shop, customer_id)
LEFT JOIN LATERAL (
    SELECT channel, purpose, topic, granted, source, how, confirmed, jurisdiction, max(at) AS at
    FROM consents WHERE shop = c.shop AND customer_id = c.customer_id AND source <> 'opt_out_upheld'
    GROUP BY channel, purpose, topic, granted, source, how, confirmed, jurisdiction) k ON true
WHERE c.shop = $1 AND c.customer_id = $2
"""

_LEAST = Policy()
_BEFORE_HOW = {
    "order.created": How.ORDER_CHECKBOX,
    "customer.updated": How.SHOP_API,
    "unsubscribe_link": How.UNSUBSCRIBE_LINK,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """All that consent is judged on, for one customer at one moment.

    `suppressed` is by channel; a bounced address comes before the other reasons. `locale` is the one they chose, or
    else the one the shop knows. `addressed` are the channels there is an address for in the customer's own record.
    """

    country: str | None
    locale: str
    answers: tuple[Answer, ...]
    preferences: Preferences
    last_purchase_at: datetime | None
    suppressed: Mapping[Channel, str]
    addressed: frozenset[Channel]

    @property
    def topics_refused(self) -> frozenset[Topic]:
        """The topics that they do not want to hear about."""
        return topics_refused(self.answers)

    def permission(
        self,
        channel: Channel,
        purpose: Purpose,
        *,
        now: datetime,
        topic: Topic | None = None,
        policy: Policy = _LEAST,
    ) -> Permission:
        """What `journey.consent.permits` says of it."""
        return permits(
            self.answers,
            channel=channel,
            purpose=purpose,
            topic=topic,
            country=self.country,
            last_purchase_at=self.last_purchase_at,
            now=now,
            policy=policy,
        )


async def standing(connection: Connection | Pool, shop: str, customer_id: str) -> Standing | None:
    """A customer's answers, wishes and suppressions in one query; None when there is no such customer.

    For a decision, inside its transaction and after the customer's row is locked.
    """
    rows = await connection.fetch(STANDING, shop, customer_id)
    if not rows:
        return None
    first = rows[0]
    suppressed: dict[Channel, str] = {}
    for channel, reason in sorted(one.split(" ") for one in first["suppressed"]):
        suppressed.setdefault(Channel(channel), reason)
    addressed = {Channel.EMAIL} if first["email"] else set()
    preferred = first["channel_preferred"]
    return Standing(
        country=first["country"],
        locale=first["chosen_locale"] or first["known_locale"],
        answers=tuple(_answer(row) for row in rows if row["channel"] is not None),
        preferences=Preferences(
            channel=Channel(preferred) if preferred else None,
            frequency=Frequency(first["frequency"] or Frequency.ALL),
            paused_until=first["paused_until"],
            locale=first["chosen_locale"],
        ),
        last_purchase_at=first["last_purchase_at"],
        suppressed=suppressed,
        addressed=frozenset(addressed | (NUMBERS if first["phone"] else frozenset())),
    )


def _answer(row: Any) -> Answer:
    return Answer(
        channel=None if row["channel"] == ANY else Channel(row["channel"]),
        purpose=Purpose(row["purpose"]),
        granted=row["granted"],
        at=row["at"],
        how=How(row["how"]) if row["how"] else _BEFORE_HOW.get(row["source"], How.IMPORT),
        topic=Topic(row["topic"]) if row["topic"] else None,
        jurisdiction=row["jurisdiction"],
        confirmed=row["confirmed"],
    )
