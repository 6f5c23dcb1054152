"""Tells the shop's people of dead letters, and of what is amiss with an order, by ids alone."""

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from activities.alerts import Alert, Alerting
from activities.messaging.protocol import Busy, Receipt, Rejected, Unclear
from starters.ports import Buried, Concerned
from store.concerns import Concern
from store.letters import Letters

_PATIENCE_SECONDS: Final = 10.0
_log = structlog.get_logger(__name__)


def alert_of(letters: Letters) -> Alert:
    """Dead letters of one kind as one alert: how many, of which order or shop, the first one's id, and what failed."""
    return Alert(
        kind="dead letter" if letters.count == 1 else f"{letters.count} dead letters",
        order=letters.order or letters.shop or letters.source,
        touch=f"inbox {letters.first}: {letters.topic} by {letters.source}",
        rule=letters.note,
        number=letters.number,
    )


def concern_of(concern: Concern) -> Alert:
    """What is amiss with an order as an alert: which order, what, and of which refund."""
    order = f"{concern.shop}/{concern.order_id}"
    about = f"refund {concern.subject}" if concern.subject else None
    return Alert(kind=concern.kind, order=order, touch=about, number=concern.number)


def to_people(alerts: Alerting) -> Buried:
    """Makes what tells people of dead letters, in one try; False where it could not now and another is worth it."""

    async def tell(letters: Letters) -> bool:
        return await _told(alerts, alert_of(letters))

    return tell


def of_orders(alerts: Alerting) -> Concerned:
    """The same of what is amiss with an order."""

    async def tell(concern: Concern) -> bool:
        return await _told(alerts, concern_of(concern))

    return tell


async def _told(alerts: Alerting, alert: Alert) -> bool:
    receipt: Receipt | None = Unclear("no_answer_in_time")
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE_SECONDS):
            receipt = await alerts.tell(alert)
    if isinstance(receipt, Busy | Rejected):
        _log.error("alert not sent", kind=alert.kind, order=alert.order, rule=receipt.rule)
    return not isinstance(receipt, Busy)
