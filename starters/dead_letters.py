"""Tells the shop's people of dead letters, by ids alone."""

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from activities.alerts import Alert, Alerting
from activities.messaging.protocol import Busy, Receipt, Rejected, Unclear
from starters.ports import Buried
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


def to_people(alerts: Alerting) -> Buried:
    """Makes what tells people of dead letters, in one try; False where it could not now and another is worth it."""

    async def tell(letters: Letters) -> bool:
        receipt: Receipt | None = Unclear("no_answer_in_time")
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                receipt = await alerts.tell(alert_of(letters))
        if isinstance(receipt, Busy | Rejected):
            _log.error("alert not sent", inbox_id=letters.first, rule=receipt.rule)
        return not isinstance(receipt, Busy)

    return tell
