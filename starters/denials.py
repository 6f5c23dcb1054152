"""A customer's word that a parcel which counts as delivered never came, and that it was found after all."""

import asyncio
import hashlib
from contextlib import suppress
from datetime import datetime
from typing import Final, Literal

import structlog

from activities.alerts import Alert, Alerting
from activities.messaging.protocol import Busy, Receipt, Rejected, Unclear
from starters.ports import ENDED, Unheard
from starters.replies import BusyError
from store import inbox, order_numbers
from store.denials import said_lately
from store.inbox import Claimed
from store.intake import DeliveryDenied
from store.pool import Pool
from store.views import ParcelView, order_view

SOURCE = "portal"
"""Where the inbox says that it came from."""
WORDS_A_DAY: Final = 10
"""What one order's page may say in a day; each is a row of the inbox and a word to its journey."""
Kept = Literal["new", "known", "enough"]
_PATIENCE_SECONDS: Final = 10.0
_TRIES: Final = 10
_log = structlog.get_logger(__name__)


async def keep(pool: Pool, *, shop: str, order_id: str, tracking_number: str, found: bool, at: datetime) -> Kept | None:
    """Keep the word in the inbox: `new`, `known` when it was said before, `enough` when it went to and fro all day.

    None where there is nothing to deny: no such parcel of this order, none that a carrier has delivered.
    """
    order = await order_view(pool, shop, order_id)
    parcels = order.parcels if order is not None else ()
    parcel = next((one for one in parcels if one.tracking_number == tracking_number), None)
    if parcel is None or parcel.delivered_at is None or parcel.pickup:
        return None
    if found is not (parcel.denied_at is not None):
        return "known"
    event = DeliveryDenied(at=at, shop=shop, order_id=order_id, tracking_number=tracking_number, found=found)
    if await said_lately(pool, event.subject, SOURCE, at=at) >= WORDS_A_DAY:
        return "enough"
    new = await inbox.keep(
        pool,
        source=SOURCE,
        event_id=_event_id(event, parcel),
        topic=event.type,
        body=event.model_dump_json().encode(),
        events=[event],
        received_at=at,
    )
    return "new" if new else "known"


def to_people(pool: Pool, alerts: Alerting) -> Unheard:
    """Tells the shop's people of a denial that no journey hears any more: nobody else would look into it.

    What it makes raises `BusyError` when they cannot be told now and another try by the relay is worth it.
    """

    async def tell(row: Claimed, event: DeliveryDenied) -> None:
        alert = Alert(
            kind="a parcel was found after all" if event.found else "a delivery is denied",
            order=f"{event.shop}/{event.order_id}",
            touch=event.tracking_number,
            rule=ENDED,
            number=await order_numbers.for_an_alert(pool, event.shop, event.order_id),
        )
        receipt: Receipt | None = Unclear("no_answer_in_time")
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                receipt = await alerts.tell(alert)
        if isinstance(receipt, Busy) and row.attempts < _TRIES:
            raise BusyError
        if isinstance(receipt, Busy | Rejected):
            _log.error("alert not sent", inbox_id=row.id, order=alert.order, rule=receipt.rule)

    return tell


def _event_id(event: DeliveryDenied, parcel: ParcelView) -> str:
    """The same for two clicks on one button, and another one once the first has been heard."""
    before = parcel.denied_at if event.found else parcel.found_at
    said = (event.subject, event.tracking_number, str(event.found), before.isoformat() if before else "")
    return hashlib.sha256("\0".join(said).encode()).hexdigest()
