"""Where a customer stands: all that consent is judged on, read in one query fit for the ledger's decision."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from journey.consent import (
    Answer,
    Frequency,
    How,
    Permission,
    Policy,
    Preferences,
    permits,
    topics_refused,
    word_that_holds,
)
from journey.playbook import Channel, Purpose, Topic
from store.pool import Connection, Pool

ANY = "any"
"""The channel of an answer that goes for all of them."""
NUMBERS = frozenset({Channel.SMS, Channel.WHATSAPP})
"""Channels whose address is a telephone number."""

# What a decision needs of a customer `c` with preferences `p`: for a query that joins them, see `FROM`. Of many answers
# of one kind only the newest can count, so a customer of a hundred orders has a handful. As JSON, because the driver
# reads no array of rows that have no type of their own.
COLUMNS = """
       c.country, c.region, c.email, c.phone, c.locale AS known_locale,
       p.channel_preferred, p.frequency, p.paused_until, p.locale AS chosen_locale,
       (SELECT max(b.placed_at) FROM orders b
         WHERE b.shop = c.shop AND b.customer_id = c.customer_id AND b.status <> 'cancelled') AS last_purchase_at,
       ARRAY(SELECT s.channel || ' ' || s.reason FROM suppressions s
              WHERE s.shop IN (c.shop, '')
                AND (s.channel = 'email' AND s.address = lower(c.email)
                     OR s.channel IN ('sms', 'whatsapp') AND s.address = c.phone)) AS suppressed,
       ARRAY(SELECT DISTINCT d.channel FROM devices d
              WHERE d.shop = c.shop AND d.customer_id = c.customer_id AND d.dead_at IS NULL) AS devices,
       (SELECT json_agg(k) FROM (
            SELECT channel, purpose, topic, granted, source, how, confirmed, jurisdiction, max(at) AS at
            FROM consents WHERE shop = c.shop AND customer_id = c.customer_id AND source <> 'opt_out_upheld'
            GROUP BY channel, purpose, topic, granted, source, how, confirmed, jurisdiction) k) AS answers
"""
# What was given for an order `o` of theirs in place of their own, and what stands against that.
OF_ORDER = """
       o.contact_email, o.contact_phone,
       ARRAY(SELECT s.channel || ' ' || s.reason FROM suppressions s
              WHERE s.shop IN (o.shop, '')
                AND (s.channel = 'email' AND s.address = lower(o.contact_email)
                     OR s.channel IN ('sms', 'whatsapp') AND s.address = o.contact_phone)) AS contact_suppressed,
       ARRAY(SELECT DISTINCT d.channel FROM devices d
              WHERE d.shop = o.shop AND d.order_id = o.order_id AND d.dead_at IS NULL) AS order_devices
"""
_PUSHED = frozenset({Channel.WEB_PUSH, Channel.PUSH})
_STANDING = f"""
SELECT {COLUMNS} FROM customers c LEFT JOIN preferences p USING (shop, customer_id)
WHERE c.shop = $1 AND c.customer_id = $2
"""  # noqa: S608  only the constant above is put in

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
    else the one the shop knows. `addressed` are the channels there is an address or a device for.
    """

    country: str | None
    region: str | None
    locale: str
    answers: tuple[Answer, ...]
    preferences: Preferences
    last_purchase_at: datetime | None
    suppressed: Mapping[Channel, str]
    addressed: frozenset[Channel]

    def refused_by_person(self, channel: Channel) -> bool:
        """Whether a no of their own stands against marketing by `channel`, in an answer or on the list."""
        held = word_that_holds(self.answers, channel=channel, country=self.country)
        return channel in self.suppressed or (held is not None and held.own and not held.granted)

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
            region=self.region,
            last_purchase_at=self.last_purchase_at,
            now=now,
            policy=policy,
        )


async def standing(connection: Connection | Pool, shop: str, customer_id: str) -> Standing | None:
    """Where a customer stands, in one query; None when there is no such customer."""
    row = await connection.fetchrow(_STANDING, shop, customer_id)
    return None if row is None else standing_of(row)


def standing_of(row: Any) -> Standing:
    """Where the customer of a row with `COLUMNS` stands."""
    suppressed = _by_channel(row["suppressed"])
    addressed = {Channel(channel) for channel in row["devices"]}
    if row["email"]:
        addressed.add(Channel.EMAIL)
    if row["phone"]:
        addressed |= NUMBERS
    preferred = row["channel_preferred"]
    return Standing(
        country=row["country"],
        region=row["region"],
        locale=row["chosen_locale"] or row["known_locale"],
        answers=tuple(_answer(answer) for answer in json.loads(row["answers"] or "[]")),
        preferences=Preferences(
            channel=Channel(preferred) if preferred else None,
            frequency=Frequency(row["frequency"] or Frequency.ALL),
            paused_until=row["paused_until"],
            locale=row["chosen_locale"],
        ),
        last_purchase_at=row["last_purchase_at"],
        suppressed=suppressed,
        addressed=frozenset(addressed),
    )


def by_its_devices(known: Standing, row: Any) -> Standing:
    """The same person for any message of an order, by a row that has `OF_ORDER` as well: its links' devices alone."""
    devices = {Channel(channel) for channel in row["order_devices"]}
    return replace(known, addressed=(known.addressed - _PUSHED) | devices)


def about_order(known: Standing, row: Any) -> Standing:
    """The same person for messages about an order, by a row that has `OF_ORDER` as well: where they really go counts.

    Whoever opted out of texts to their own number has opted out of those to the order's as well.
    """
    own = {Channel.EMAIL} if row["contact_email"] else set()
    own |= NUMBERS if row["contact_phone"] else set()
    suppressed = _by_channel(row["contact_suppressed"])
    for channel, reason in known.suppressed.items():
        if channel not in own or (reason == "opted_out" and suppressed.get(channel) != "bounced"):
            suppressed[channel] = reason
    return replace(known, suppressed=suppressed, addressed=known.addressed | frozenset(own))


def _by_channel(suppressed: Iterable[str]) -> dict[Channel, str]:
    """Why each channel's address is on the list; a bounced one's reason comes first."""
    found: dict[Channel, str] = {}
    for channel, reason in sorted(one.split(" ") for one in suppressed):
        found.setdefault(Channel(channel), reason)
    return found


def _answer(row: Mapping[str, Any]) -> Answer:
    return Answer(
        channel=None if row["channel"] == ANY else Channel(row["channel"]),
        purpose=Purpose(row["purpose"]),
        granted=row["granted"],
        at=datetime.fromisoformat(row["at"]),
        how=How(row["how"]) if row["how"] else _BEFORE_HOW.get(row["source"], How.IMPORT),
        topic=Topic(row["topic"]) if row["topic"] else None,
        jurisdiction=row["jurisdiction"],
        confirmed=row["confirmed"],
    )
