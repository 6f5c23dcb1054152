"""One webhook's fact, out of the inbox: into the tables, then to the journey, then ticked off.

The three cannot be one transaction, so each may be repeated: tables are upserted, a journey that exists is not
started again, and a journey's fold takes a repeated fact for what it is. A crash between two of them ends in the
same state. A fact whose order or parcel is unknown is put aside until that comes.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from pydantic import ValidationError

from activities.shops.standard import StandardWebhooks
from journey import events as facts
from journey.base import TrackingNumber
from journey.numbers import made_up
from journey.remedies import RemedyRequest
from starters.begun import BegunOrders
from starters.ports import ENDED, Fetch, JourneyMissingError, Journeys, Replies, Unheard, no_shop, nobody
from store import (
    erased,
    feedback,
    inbox,
    intake,
    order_contacts,
    order_numbers,
    orders,
    people,
    playbooks,
    privacy,
    refunds,
    remedies,
    shipments,
    withdrawals,
)
from store.inbox import Begun, Claimed
from store.parcel_events import tracked
from store.pool import Connection, Pool

UNKNOWN_MESSAGE = "unknown message"
READ_LATE = timedelta(days=7)
"""An order that is first heard of this long after it was placed has no journey: its customer has the goods, or has
asked. Platforms and their APIs tell of old orders whenever one is touched. What the order tells of lanes and habits
counts all the same."""
COMMAND = "cli"
"""The source of orders that an operator starts from a file."""
_MEANT = frozenset({StandardWebhooks.name, COMMAND})
"""A backend of the shop's own, or an operator, names an order in order to start its journey, however old it is."""
TEST = "a test order: POSTLUDE_TEST_ORDERS=true follows them"
"""What the inbox says of an order that nobody means."""
_MAY_BE_TESTS = intake.OrderCreated | intake.OrderEdited | intake.OrderCancelled | intake.OrderRefunded
_HEARD = frozenset({"replied", "opted_out"})


async def dispatch(  # noqa: PLR0911  one return a kind of event
    pool: Pool,
    journeys: Journeys,
    row: Claimed,
    *,
    now: datetime,
    begun: BegunOrders | None = None,
    orders_ahead: bool = False,
    replies: Replies = feedback.unheard,
    fetch: Fetch = no_shop,
    unheard: Unheard = nobody,
    test_orders: bool = False,
) -> str:
    """Bring a row's fact where it belongs and mark the row; what became of it.

    That is `dispatched`, `waiting`, `ignored`, or `unread`: a newer version wrote it, and it waits for one that knows
    its words.

    `begun` is shared by what is dispatched side by side, so that orders are marked together; None marks this one alone.
    `orders_ahead` lets an order be dated ahead of its arrival, see `orders.create`; `replies` listens to what people
    answer to messages, `fetch` reads an order that is only said to have changed, `unheard` is told of a delivery that
    is denied once its journey has ended. `test_orders`: orders that nobody means have a journey, too.

    Raises:
        Exception: whatever the database or Temporal raise; the row is unchanged and may be tried again.
    """
    try:
        event = intake.from_json(row.event)
    except ValidationError as error:
        await inbox.set_aside(pool, row, why=intake.unknown(error))
        return "unread"
    if isinstance(event, _MAY_BE_TESTS) and event.test and not (test_orders or row.source == COMMAND):
        async with pool.acquire() as connection:
            await inbox.done(connection, row, now=now, note=TEST, status="ignored")
        return "ignored"
    if isinstance(event, intake.OrderCreated):
        begun = begun or BegunOrders(pool)
        return await _order_created(pool, journeys, row, event, now, begun=begun, ahead=orders_ahead)
    if isinstance(event, intake.ShipmentUpdated):
        return await _parcel_scanned(pool, journeys, row, event, now)
    if isinstance(event, intake.CustomerUpdated):
        return await _customer_updated(pool, journeys, row, event, now)
    if isinstance(event, intake.MessageFeedback):
        return await _message_feedback(pool, replies, row, event, now)
    if isinstance(event, intake.OrderChanged):
        return await _order_changed(pool, fetch, row, event, now)
    if isinstance(event, intake.CustomerDataRequested | intake.CustomerRedacted | intake.ShopRedacted):
        return await _right_used(pool, row, event, now)
    if isinstance(event, intake.RemedyChosen):
        return await _remedy_chosen(pool, journeys, row, event, now)
    return await _order_fact(pool, journeys, row, event, now, unheard=unheard)


async def _order_created(
    pool: Pool,
    journeys: Journeys,
    row: Claimed,
    event: intake.OrderCreated,
    now: datetime,
    *,
    begun: BegunOrders,
    ahead: bool,
) -> str:
    async with pool.acquire() as connection, connection.transaction():
        if not await erased.admit(connection, row, event, now=now):
            return "ignored"
        playbook = await playbooks.current(connection, event.shop)
        placed = await orders.create(
            connection,
            event,
            playbook=playbook,
            received_at=row.received_at,
            ahead=ahead,
            again=row.attempts > 1,
        )
        late = row.source not in _MEANT and row.received_at - placed.facts.placed_at > READ_LATE
        if placed.new and late:
            await orders.end(connection, event.shop, event.order_id, now=now, why="read too late for a journey")
            placed = replace(placed, ended=True)
    started = not placed.ended and await journeys.start(placed.facts, placed.playbook)
    for fact in () if started or placed.ended else placed.tell:
        await _tell(pool, journeys, event.shop, event.order_id, fact)
    # Shops repeat an order with every change of it: its neighbours heard of it from whoever brought it first.
    repeated = not started and not placed.new and row.attempts == 1
    if not repeated and placed.facts.channel != orders.REPLACEMENT:
        await _tell_neighbours(pool, journeys, event, placed.facts.placed_at)
    note = "nothing new" if repeated else _noted(event.customer)
    await begun.write(Begun(row, event.shop, event.order_id, note), now=now)
    return "dispatched"


async def _tell_neighbours(pool: Pool, journeys: Journeys, event: intake.OrderCreated, placed_at: datetime) -> None:
    """Tell the order before that its customer ordered again, and this one where a later order was here first."""
    # Looked up once this journey can be told: of two orders that come together the later one to look sees the other.
    # The orders before the one just before were told when that one came.
    beside = await orders.neighbours(pool, event.shop, event.order_id)
    if beside.after is not None and beside.after_placed_at is not None:
        newer = facts.CustomerReordered(at=beside.after_placed_at, order_id=beside.after)
        await _tell(pool, journeys, event.shop, event.order_id, newer)
    if beside.before is not None:
        newer = facts.CustomerReordered(at=placed_at, order_id=event.order_id)
        # Whether it runs only the telling shows. One still to be started will find this order by itself.
        with contextlib.suppress(JourneyMissingError):
            await journeys.signal(event.shop, beside.before, newer)


async def _order_fact(
    pool: Pool, journeys: Journeys, row: Claimed, event: intake.OrderEvent, now: datetime, *, unheard: Unheard
) -> str:
    sent = isinstance(event, intake.ShipmentCreated)
    parcels: list[str] = []
    if isinstance(event, intake.ShipmentCreated):
        parcels = _waited_under(event.shop, [*event.numbers, event.tracking_number or ""])
    async with pool.acquire() as connection, connection.transaction():
        for subject in parcels:
            await inbox.lock(connection, subject)
        if not await erased.admit(connection, row, event, now=now):
            return "ignored"
        if aside := await _put_aside(connection, row, event, now):
            return aside
        tell, changed = await _write(connection, event, again=row.attempts > 1, received_at=row.received_at)
    # A shop repeats itself with every update. On a second attempt the tables may know what the journey does not.
    if not changed and row.attempts == 1:
        tell = []
    alive = True
    for fact in tell:
        alive = await _tell(pool, journeys, event.shop, event.order_id, fact)
    if not alive and isinstance(event, intake.DeliveryDenied):
        await unheard(row, event)
    async with pool.acquire() as connection, connection.transaction():
        for subject in [*parcels, event.subject] if sent else []:
            await inbox.lock(connection, subject)
        note = ENDED if not alive else None if tell else "nothing new"
        await inbox.done(connection, row, now=now, note=note)
        if sent:
            await inbox.release(connection, [*parcels, event.subject], now=now)
    return "dispatched"


async def _put_aside(connection: Connection, row: Claimed, event: intake.OrderEvent, now: datetime) -> str | None:
    """What becomes of a fact about an order without a journey, None where it has one; a mere checkout is no order."""
    if await _has_journey(connection, event.shop, event.order_id):
        return None
    if isinstance(event, intake.OrderWithdrawn) and not await orders.exists(connection, event.shop, event.order_id):
        await inbox.done(connection, row, now=now, note="nothing is known of it")
        return "dispatched"
    await inbox.wait(connection, row, note="its order is not known yet")
    return "waiting"


def _waited_under(shop: str, numbers: Sequence[str]) -> list[str]:
    """The subjects under which scans of these numbers may wait, in a fixed order.

    A carrier names no shop; before subjects named any, they were the number alone.
    """
    known = [number for number in numbers if number]
    return sorted({one for n in known for one in (f"tracking:{n}", tracked(None, n), tracked(shop, n))})


async def _write(  # noqa: PLR0911  one return a kind of event
    connection: Connection, event: intake.OrderEvent, *, again: bool, received_at: datetime
) -> tuple[Sequence[facts.Event], bool]:
    """Bring the tables up to date; what to tell the journey, and whether the tables did not know it yet."""
    if isinstance(event, intake.OrderEdited):
        return await orders.edit(connection, event, again=again)
    if isinstance(event, intake.ShipmentCreated):
        return await shipments.ship(connection, event)
    if isinstance(event, intake.ShipmentCancelled):
        return await shipments.call_off(connection, event)
    if isinstance(event, intake.OrderCancelled):
        return await orders.cancel(connection, event), True
    if isinstance(event, intake.OrderWithdrawn):
        return await withdrawals.withdraw(connection, event)
    if isinstance(event, intake.OrderRefunded):
        return await refunds.write(connection, event, received_at=received_at)
    if isinstance(event, intake.ReviewPosted):
        return await orders.review(connection, event), True
    if isinstance(event, intake.DeliveryDenied):
        return await shipments.deny(connection, event)
    raise TypeError(f"{type(event).__name__} is no fact about an order")


async def _parcel_scanned(
    pool: Pool, journeys: Journeys, row: Claimed, event: intake.ShipmentUpdated, now: datetime
) -> str:
    async with pool.acquire() as connection, connection.transaction():
        if event.order_id is not None:
            # The shop's own word about an order goes by the rules of any fact about one.
            if not await erased.admit(connection, row, event, now=now):
                return "ignored"
        elif event.number is None and not made_up(event.tracking_number or ""):
            await inbox.done(connection, row, now=now, note="names no parcel")
            return "dispatched"
        await inbox.lock(connection, event.subject)
        places = await shipments.carrying(connection, event)
        await inbox.lock_all(connection, [f"order:{shop}:{order_id}" for shop, order_id in places])
        # Two shops may have one number: what is here already does not wait for the other's order.
        places = [place for place in places if await _has_journey(connection, *place)]
        if not places:
            await inbox.wait(connection, row, note="its parcel is not known yet")
            return "waiting"
        told = await shipments.scan(connection, event, places, received_at=row.received_at, again=row.attempts > 1)
    alive = False
    missing: JourneyMissingError | None = None
    for (shop, order_id), tell in told.items():
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


async def _order_changed(pool: Pool, fetch: Fetch, row: Claimed, event: intake.OrderChanged, now: datetime) -> str:
    """Ask the shop what the order is like now, and take its answer in like any other webhook."""
    async with pool.acquire() as connection, connection.transaction():
        if not await erased.admit(connection, row, event, now=now):
            return "ignored"
    found = await fetch(event.shop, event.order_id)
    note = "no API of this shop is configured" if found is None else None if found else "the shop does not know it"
    if found:
        # The id of the webhook and not of the answer: the same news asked for twice is one answer, the first one.
        await inbox.keep(
            pool,
            source=f"{row.source}:api",
            event_id=str(row.id),
            topic=row.topic,
            body=b"",
            events=found,
            received_at=row.received_at,
        )
    async with pool.acquire() as connection:
        await inbox.done(connection, row, now=now, note=note)
    return "dispatched"


async def _right_used(
    pool: Pool,
    row: Claimed,
    event: intake.CustomerDataRequested | intake.CustomerRedacted | intake.ShopRedacted,
    now: datetime,
) -> str:
    async with pool.acquire() as connection, connection.transaction():
        note = await privacy.record(connection, event, now=now)
        await inbox.done(connection, row, now=now, note=note)
    return "dispatched"


async def _remedy_chosen(
    pool: Pool, journeys: Journeys, row: Claimed, event: intake.RemedyChosen, now: datetime
) -> str:
    remedy = await remedies.get(pool, event.shop, event.order_id, event.part)
    if remedy is None or remedy.choice is None or remedy.chosen_by is None or remedy.chosen_at is None:
        note: str | None = "its remedy is not there any more"
    else:
        started = await journeys.settle(
            RemedyRequest(
                shop=event.shop,
                order_id=event.order_id,
                part=event.part,
                playbook=remedy.playbook,
                at=remedy.chosen_at,
                number=await order_numbers.known(pool, event.shop, event.order_id),
            )
        )
        fact = facts.RemedyChosen(
            at=remedy.chosen_at, part=TrackingNumber(event.part), choice=remedy.choice, by=remedy.chosen_by
        )
        told = await _tell(pool, journeys, event.shop, event.order_id, fact)
        note = ENDED if not told else None if started else "nothing new"
    async with pool.acquire() as connection:
        await inbox.done(connection, row, now=now, note=note)
    return "dispatched"


async def _customer_updated(
    pool: Pool, journeys: Journeys, row: Claimed, event: intake.CustomerUpdated, now: datetime
) -> str:
    async with pool.acquire() as connection, connection.transaction():
        if not await erased.admit(connection, row, event, now=now):
            return "ignored"
        at = min(event.at, row.received_at)
        unreached = await order_contacts.unreached(connection, event.shop, event.customer.customer_id or "")
        await people.remember(
            connection, event.shop, event.customer, at=at, source=event.type, evidence=f"{row.source} {row.id}"
        )
        tell = {
            order_id: await orders.readdressed(connection, event.shop, order_id, before, at=at, again=row.attempts > 1)
            for order_id, before in unreached.items()
        }
    for order_id, news in tell.items():
        for fact in news:
            with contextlib.suppress(JourneyMissingError):
                await journeys.signal(event.shop, order_id, fact)
    async with pool.acquire() as connection:
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
