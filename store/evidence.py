"""What a decision about one message is made on, gathered from the ledger's one look at order, customer and contacts."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from journey.consent import Policy
from journey.contact import WEEK, Contact, Evidence, Reach
from journey.outcomes import DeliverRequest
from journey.playbook import Channel, Playbook, Purpose, Touch
from journey.send_time import best_hour
from journey.zones import possible_zones
from store.standing import Standing, about_order, by_its_devices, standing_of

Providers = Callable[[Channel, str], str | None]
"""The name of the provider that a message of that key goes to on a channel; None when nobody serves the channel."""

DAY = timedelta(days=1)


def window(now: datetime) -> tuple[datetime, datetime, datetime]:
    """From when sent messages count, from when waiting ones do, and the last moment of either.

    Journeys have clocks of their own: what lies further ahead than any skew has not happened for this one.
    """
    return now - WEEK, now - DAY, now + DAY


def gathered(
    row: Any,
    request: DeliverRequest,
    touch: Touch,
    *,
    now: datetime,
    served: frozenset[Channel],
    segments: Mapping[Channel, int],
    policy: Policy,
) -> Evidence:
    """The evidence of a row of `ledger_sql.EVIDENCE` for a touch at `now`.

    Args:
        row: the ledger's look.
        request: what is to be delivered.
        touch: its touch.
        now: the journey's clock, UTC.
        served: the channels that have a provider here.
        segments: how many texts the message would be, by channel, where known.
        policy: what the shop does beyond the law's least about consent.
    """
    known = by_its_devices(standing_of(row), row)
    if not touch.marketing:
        known = about_order(known, row)
    zones = possible_zones(row["time_zone"], row["country"])
    contacts = [
        contact for one in json.loads(row["contacts"] or "[]") if (contact := _contact(one, request, now)) is not None
    ]
    failed = dict(one.split(" ", 1) for one in row["failed"])
    return Evidence(
        tuple(_reaches(known, touch, now=now, served=served, policy=policy)),
        preferred=known.preferences.channel,
        order_status=row["order_status"],
        zones=zones,
        country=known.country,
        region=known.region,
        sent=[contact for waits, contact in contacts if not waits],
        waiting=[contact for waits, contact in contacts if waits],
        paused_until=known.preferences.rests_until(now),
        wished_gap=known.preferences.wished_gap,
        topics_refused=known.topics_refused,
        segments=segments,
        failed={Channel(channel): rule for channel, rule in failed.items()},
        best_hour=best_hour(row["opens"] or (), now, zones[0]),
    )


def asks_for_contacts(touch: Touch, playbook: Playbook) -> bool:
    """Whether the customer's other messages matter: a word about the order need not wait for the count."""
    return touch.marketing or playbook.contact.transactional is not None


def _reaches(
    known: Standing, touch: Touch, *, now: datetime, served: frozenset[Channel], policy: Policy
) -> Iterator[Reach]:
    for channel in touch.channels:
        permission = known.permission(channel, touch.purpose, now=now, policy=policy)
        refusal = None if permission.allowed else permission.rule
        if channel is Channel.INBOX:
            if refusal is not None:
                yield Reach(channel, address=True, refusal=refusal)
        elif channel not in served:
            yield Reach(channel, address=True, refusal="no_provider")
        else:
            yield Reach(channel, channel in known.addressed, refusal, known.suppressed.get(channel))


def _contact(said: Mapping[str, Any], request: DeliverRequest, now: datetime) -> tuple[bool, Contact] | None:
    """One other message, and whether it waits; None for what does not count."""
    own = said["order_id"] == request.order_id
    if own and said["touch_key"] == request.key:
        return None
    # A touch of the same journey cannot wait beside this one: the journey sends one at a time.
    if said["waiting"] and own:
        return None
    # What waits for its provider may go at any moment.
    until = now.isoformat() if (said["rule"] or "").startswith("provider_") else said["until"]
    return said["waiting"], Contact(
        at=datetime.fromisoformat(until if said["waiting"] else said["at"]),
        priority=said["priority"],
        touch=said["touch"],
        channel=Channel(said["channel"]),
        purpose=Purpose(said["purpose"]),
        merge=said["merge"],
        key=f"{said['order_id']} {said['touch_key']}",
    )
