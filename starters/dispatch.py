"""One webhook's fact, out of the inbox: into the tables, then to the journey, then ticked off.

The three cannot be one transaction, so each may be repeated: tables are upserted, a journey that exists is not
started again, and a journey's fold takes a repeated fact for what it is. A crash between two of them ends in the
same state. A fact whose order or parcel is unknown is put aside until that comes.
"""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol

from journey import events as facts
from journey.order import OrderFacts
from store import feedback, inbox, intake, orders, people, playbooks, shipments
from store.inbox import Claimed
from store.pool import Connection, Pool

ENDED = "journey has ended"
UNKNOWN_MESSAGE = "unknown message"
_HEARD = frozenset({"replied", "opted_out"})

Then = Callable[[Claimed], Awaitable[None]]
"""What is left to do once a word of somebody's is kept. It may be done again, with a row that comes again."""
Replies = Callable[[Connection, intake.MessageFeedback], Awaitable[Then | None]]
"""Listens to people: awaited with each `replied` and `opted_out`, in the transaction that keeps it."""


class JourneyMissingError(Exception):
    """There is no such journey where there should be one."""


class Journeys(Protocol):
    """Where journeys run. Both calls may be repeated, and raise `RPCError` while Temporal is away."""

    async def start(self, facts: OrderFacts, playbook: str) -> bool:
        """Start an order's journey under a playbook's digest; False when it exists already."""

    async def signal(self, shop: str, order_id: str, event: facts.Event) -> bool:
        """Tell a journey one fact; False when it has closed.

        Raises:
            JourneyMissingError: there is none by this name, or none any more.
        """


async def dispatch(
    pool: Pool,
    journeys: Journeys,
    row: Claimed,
    *,
    now: datetime,
    orders_ahead: bool = False,
    replies: Replies = feedback.unheard,
) -> str:
    """Bring a row's fact where it belongs and mark the row; what became of it: `dispatched` or `waiting`.

    `orders_ahead` lets an order be dated ahead of its arrival, see `orders.create`; `replies` listens to what people
    answer to messages.

    Raises:
        Exception: whatever the database or Temporal raise; the row is unchanged and may be tried again.
    """
    event = intake.from_json(row.event)
    if isinstance(event, intake.OrderCreated):
        return await _order_created(pool, journeys, row, event, now, ahead=orders_ahead)
    if isinstance(event, intake.ShipmentUpdated):
        return await _parcel_scanned(pool, journeys, row, event, now)
    if isinstance(event, intake.CustomerUpdated):
        return await _customer_updated(pool, row, event, now)
    if isinstance(event, intake.MessageFeedback):
        return await _message_feedback(pool, replies, row, event, now)
    return await _order_fact(pool, journeys, row, event, now)


async def _order_created(
    pool: Pool, journeys: Journeys, row: Claimed, event: intake.OrderCreated, now: datetime, *, ahead: bool
) -> str:
    playbook = await playbooks.current(pool)
    async with pool.acquire() as connection, connection.transaction():
        placed = await orders.create(connection, event, playbook=playbook, received_at=row.received_at, ahead=ahead)
    if not placed.ended:
        await journeys.start(placed.facts, placed.playbook)
    # Looked up once this journey can be told: of two orders that come together the later one to look sees the other.
    # The orders before the one just before were told when that one came.
    beside = await orders.neighbours(pool, event.shop, event.order_id)
    if beside.after is not None and beside.after_placed_at is not None:
        newer = facts.CustomerReordered(at=beside.after_placed_at, order_id=beside.after)
        await _tell(pool, journeys, event.shop, event.order_id, newer)
    if beside.before is not None:
        newer = facts.CustomerReordered(at=placed.facts.placed_at, order_id=event.order_id)
        # Whether it runs only the telling shows. One still to be started will find this order by itself.
        with contextlib.suppress(JourneyMissingError):
            await journeys.signal(event.shop, beside.before, newer)
    async with pool.acquire() as connection, connection.transaction():
        await inbox.lock(connection, event.subject)
        await inbox.done(connection, row, now=now, note=_noted(event.customer))
        parcels = await shipments.numbers_of(connection, event.shop, event.order_id)
        await inbox.release(connection, [event.subject, *(f"tracking:{number}" for number in parcels)], now=now)
    return "dispatched"


async def _order_fact(pool: Pool, journeys: Journeys, row: Claimed, event: intake.OrderEvent, now: datetime) -> str:
    parcel = f"tracking:{event.tracking_number}" if isinstance(event, intake.ShipmentCreated) else None
    async with pool.acquire() as connection, connection.transaction():
        if parcel:
            await inbox.lock(connection, parcel)
        await inbox.lock(connection, event.subject)
        if not await _has_journey(connection, event.shop, event.order_id):
            await inbox.wait(connection, row, note="its order is not known yet")
            return "waiting"
        tell, changed = await _write(connection, event)
    # A shop repeats itself with every update. On a second attempt the tables may know what the journey does not.
    if not changed and row.attempts == 1:
        tell = []
    alive = True
    for fact in tell:
        alive = await _tell(pool, journeys, event.shop, event.order_id, fact)
    async with pool.acquire() as connection, connection.transaction():
        if parcel:
            await inbox.lock(connection, parcel)
        note = ENDED if not alive else None if tell else "nothing new"
        await inbox.done(connection, row, now=now, note=note)
        if parcel:
            await inbox.release(connection, [parcel], now=now)
    return "dispatched"


async def _write(connection: Connection, event: intake.OrderEvent) -> tuple[Sequence[facts.Event], bool]:
    """Bring the tables up to date; what to tell the journey, and whether the tables did not know it yet."""
    if isinstance(event, intake.OrderEdited):
        return await orders.edit(connection, event)
    if isinstance(event, intake.ShipmentCreated):
        return await shipments.ship(connection, event)
    if isinstance(event, intake.OrderCancelled):
        return await orders.cancel(connection, event), True
    if isinstance(event, intake.OrderRefunded):
        return await orders.refund(connection, event), True
    if isinstance(event, intake.ReviewPosted):
        return await orders.review(connection, event), True
    raise TypeError(f"{type(event).__name__} is no fact about an order")


async def _parcel_scanned(
    pool: Pool, journeys: Journeys, row: Claimed, event: intake.ShipmentUpdated, now: datetime
) -> str:
    async with pool.acquire() as connection, connection.transaction():
        await inbox.lock(connection, event.subject)
        places = await shipments.carrying(connection, event.tracking_number)
        for shop, order_id in places:
            await inbox.lock(connection, f"order:{shop}:{order_id}")
        if not places or not all([await _has_journey(connection, *place) for place in places]):
            await inbox.wait(connection, row, note="its parcel is not known yet")
            return "waiting"
        tell = await shipments.scan(connection, event)
    alive = False
    missing: JourneyMissingError | None = None
    for shop, order_id in places:
        # One order's trouble is not the other's: both are told before the trouble is.
        try:
            for fact in tell:
                alive |= await _tell(pool, journeys, shop, order_id, fact)
        except JourneyMissingError as error:
            missing = error
    if missing is not None:
        raise missing
    async with pool.acquire() as connection:
        await inbox.done(connection, row, now=now, note=None if alive else ENDED)
    return "dispatched"


async def _customer_updated(pool: Pool, row: Claimed, event: intake.CustomerUpdated, now: datetime) -> str:
    async with pool.acquire() as connection, connection.transaction():
        at = min(event.at, row.received_at)
        await people.remember(
            connection, event.shop, event.customer, at=at, source=event.type, evidence=f"{row.source} {row.id}"
        )
        await inbox.done(connection, row, now=now, note=_noted(event.customer))
    return "dispatched"


async def _message_feedback(
    pool: Pool, replies: Replies, row: Claimed, event: intake.MessageFeedback, now: datetime
) -> str:
    then = None
    async with pool.acquire() as connection, connection.transaction():
        recorded = await feedback.record(connection, event)
        # Heard once, except where an earlier attempt kept it and did not get any further.
        if event.kind in _HEARD and (recorded is None or recorded.new or row.attempts > 1):
            then = await replies(connection, event)
        note = UNKNOWN_MESSAGE if recorded is None else None if recorded.new else "nothing new"
        if then is None:
            await inbox.done(connection, row, now=now, note=note)
    if then is not None:
        # Behind the transaction: nobody's row is locked while a provider takes its time.
        await then(row)
        async with pool.acquire() as connection:
            await inbox.done(connection, row, now=now, note=note)
    return "dispatched"


async def _tell(pool: Pool, journeys: Journeys, shop: str, order_id: str, fact: facts.Event) -> bool:
    """Tell a journey one fact; False when it has ended, be it so long ago that nobody but the tables remembers.

    Raises:
        JourneyMissingError: it is not there and never ended.
    """
    try:
        return await journeys.signal(shop, order_id, fact)
    except JourneyMissingError:
        if await orders.ended(pool, shop, order_id):
            return False
        raise


async def _has_journey(connection: Connection, shop: str, order_id: str) -> bool:
    return await orders.exists(connection, shop, order_id) and not await inbox.order_still_to_start(
        connection, shop, order_id
    )


def _noted(customer: intake.Customer) -> str | None:
    return ", ".join(customer.notes) or None
