"""Shops' own APIs read into the inbox: whole, again, interrupted, and beside what webhooks said."""

import asyncio
import dataclasses
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlsplit

import pytest
from temporalio.client import WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Worker

from activities.shop_sync import ShopSyncs, SyncBusyError, SyncRequest
from activities.shops.api import Page
from activities.shops.apis import ShopApis
from activities.shops.backend import Backend
from activities.vendors.http import VendorBusyError, VendorRefusedError
from journey.base import workflow_id
from starters.relay import Relay
from starters.schedules import keep_schedules
from store import inbox, playbooks, privacy, shop_sync
from store.intake import OrderCancelled, ShopRedacted
from store.pool import connect
from tests.gateway.kit import Clock, Recorder
from tests.shops.api.backend_server import FIRST, BackendServer, Sold, answered, created, moment
from tests.support.patience import PATIENCE
from workflows.shop_sync import ShopSync, sync_id

ACME = SyncRequest(shop="acme", since=FIRST)


@dataclass
class Shop:
    """A shop on loopback, this database's sync of it, and a relay with a recorder for journeys."""

    server: BackendServer
    apis: ShopApis
    syncs: ShopSyncs
    relay: Relay
    journeys: Recorder
    clock: Clock
    pool: object

    async def rows(self):
        return await self.pool.fetch("SELECT source, event_id, topic, status, event FROM inbox ORDER BY id")

    async def standing(self):
        (one,) = await shop_sync.standings(self.pool)
        return one

    def pages(self):
        return [target.partition("cursor=")[2] for target in self.server.asked if "/orders?" in target]


@pytest.fixture
async def shop(pool, playbook):
    await playbooks.publish(pool, playbook)
    server = BackendServer()
    await server.start()
    apis = ShopApis([Backend(urlsplit(server.url), secret_key="k")])
    clock, journeys = Clock(), Recorder()
    clock.now = FIRST + timedelta(days=1)
    relay = Relay(pool, journeys, clock=clock)
    yield Shop(server, apis, ShopSyncs(pool, apis, clock=clock), relay, journeys, clock, pool)
    await apis.aclose()
    await server.stop()


async def webhook(shop, event_id, events):
    """Keep what a webhook said, as the gateway does."""
    await inbox.keep(
        shop.pool,
        source="events",
        event_id=event_id,
        topic=events[0].type,
        body=b"{}",
        events=events,
        received_at=shop.clock(),
    )


async def said(shop):
    """What the shop's API says of its first order, as canonical events."""
    return await shop.apis.of("acme").order("1001")


async def test_a_thousand_orders_are_read_once(shop):
    """Ten pages become a thousand rows; read again from the beginning they add none."""
    shop.server.sell(1000)
    first = await shop.syncs.run(ACME)
    again = await shop.syncs.run(ACME)
    assert (first.orders, first.gaps, first.rows) == (1000, 1000, 1000)
    assert (again.orders, again.gaps, again.rows) == (1000, 0, 0)
    assert await shop.pool.fetchval("SELECT count(*) FROM inbox") == 1000
    assert shop.pages() == ["", *[str(place) for place in range(100, 1000, 100)]] * 2


async def test_a_run_begins_a_little_before_the_last_one_ended(shop):
    """Without `since` a run reads from a quarter of an hour before the newest change that the last one saw."""
    shop.server.sell(100)
    await shop.syncs.run(ACME)
    newest = FIRST + timedelta(minutes=99)
    assert (await shop.standing()).changed_until == newest
    report = await shop.syncs.run(SyncRequest(shop="acme"))
    assert (report.since, report.orders, report.rows) == (newest - timedelta(minutes=15), 16, 0)


async def test_the_first_run_goes_back_as_far_as_it_is_told(shop):
    """A shop that was never read is read from so many days ago."""
    report = await shop.syncs.run(SyncRequest(shop="acme", days=3))
    assert report.since == shop.clock() - timedelta(days=3)


async def test_a_run_that_begins_late_leaves_no_gap_behind_it(shop):
    """Reading today alone says nothing of the days between: the next run reads them."""
    shop.server.sell(1)
    await shop.syncs.run(ACME)
    shop.server.sell(1, every=timedelta(days=2))
    shop.server.sell(1, every=timedelta(days=5))
    await shop.syncs.run(SyncRequest(shop="acme", since=FIRST + timedelta(days=9)))
    report = await shop.syncs.run(SyncRequest(shop="acme"))
    assert (report.since, report.gaps) == (FIRST - timedelta(minutes=15), 1)


async def test_a_cancelled_run_goes_on_from_its_page(shop):
    """Stopped while it waits for the fourth page, the next run asks for that page and no earlier one."""
    shop.server.sell(1000)
    shop.server.hold_at = 4
    running = asyncio.create_task(ActivityEnvironment().run(shop.syncs.sync, ACME))
    async with asyncio.timeout(PATIENCE):
        await shop.server.held.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    shop.server.release.set()
    stopped = await shop.standing()
    assert (stopped.orders_read, stopped.changed_until) == (300, None)
    assert stopped.running_since is not None
    shop.server.asked.clear()
    report = await shop.syncs.run(SyncRequest(shop="acme"))
    assert shop.pages() == [str(place) for place in range(300, 1000, 100)]
    assert (report.orders, report.gaps, report.rows) == (1000, 1000, 1000)
    assert (await shop.standing()).running_since is None


async def test_another_beginning_gives_a_stopped_run_up(shop):
    """Asked for from elsewhere, the shop is read from there and not from the page that a stopped run left."""
    shop.server.sell(300)
    await stop_after_a_page(shop)
    shop.server.asked.clear()
    report = await shop.syncs.run(SyncRequest(shop="acme", since=FIRST + timedelta(minutes=250)))
    assert (report.orders, shop.pages()) == (50, [""])


async def stop_after_a_page(shop):
    """A run whose second page the shop does not give."""
    shop.server.page = 100
    pages = iter([False, True])
    good = shop.server._page

    def failing(query):
        return answered(503, {}) if next(pages, False) else good(query)

    shop.server._page = failing
    with pytest.raises(VendorBusyError):
        await shop.syncs.run(ACME)


async def test_a_cursor_that_the_shop_forgot_is_done_without(shop):
    """Where the page to go on from is refused, the run begins anew, and doubles nothing."""
    shop.server.sell(300)
    await stop_after_a_page(shop)
    shop.server.then.append(answered(410, {"rule": "cursor_unknown"}))
    report = await shop.syncs.run(ACME)
    assert report.rows == 300
    assert await shop.pool.fetchval("SELECT count(*) FROM inbox") == 300


async def test_a_shop_that_refuses_from_the_start_is_a_failure(shop):
    """A refused first page is no matter of cursors; the reason is written down until a page comes."""
    shop.server.then.append(answered(400, {}))
    with pytest.raises(VendorRefusedError):
        await shop.syncs.run(ACME)
    assert (await shop.standing()).failure == "http_400"
    await shop.syncs.run(ACME)
    assert (await shop.standing()).failure is None


async def test_the_activity_waits_as_the_shop_asks(shop):
    """429 with Retry-After becomes the delay of the next attempt, without a word of any order."""
    shop.server.then.append(answered(429, {}, {"Retry-After": "17"}))
    with pytest.raises(ApplicationError) as caught:
        await ActivityEnvironment().run(shop.syncs.sync, ACME)
    assert (caught.value.next_retry_delay, caught.value.non_retryable) == (timedelta(seconds=17), False)
    assert str(caught.value) == "VendorBusyError: backend: http_429"


@pytest.mark.parametrize(("minutes", "over"), [(59, False), (61, True)])
async def test_a_shop_nobody_configured_is_looked_for_again_in_a_minute(shop, minutes, over):
    """Another worker may know its API, or this one after its next start; a run that began an hour ago ends."""
    here = ActivityEnvironment()
    here.info = dataclasses.replace(here.info, scheduled_time=shop.clock() - timedelta(minutes=minutes))
    with pytest.raises(ApplicationError, match="POSTLUDE_SHOP_URLS") as caught:
        await here.run(shop.syncs.sync, SyncRequest(shop="bolt"))
    assert (caught.value.next_retry_delay, caught.value.non_retryable) == (timedelta(minutes=1), over)


async def test_one_shop_is_read_by_one_process_at_a_time(shop):
    """A second run is turned away while the first one reads, and let in afterwards."""
    shop.server.sell(1)
    async with shop_sync.alone(shop.pool, "acme") as held:
        assert held is not None
        with pytest.raises(SyncBusyError):
            await shop.syncs.run(ACME)
    assert (await shop.syncs.run(ACME)).orders == 1


async def test_an_order_that_a_lost_webhook_never_told_gets_its_journey(shop):
    """What the shop's API alone knows starts a journey, with its customer and lines in the tables."""
    shop.server.sell(1)
    report = await shop.syncs.run(ACME)
    await shop.relay.drain()
    assert report.gaps == 1
    assert shop.journeys.started[workflow_id("acme", "1001")].total == Decimal(79)
    assert await shop.pool.fetchval("SELECT email FROM customers") == "c1001@example.com"


async def tables(shop):
    """Everything that must not be doubled."""
    counts = {}
    for table in ("orders", "customers", "consents", "lines", "shipments", "refunds"):
        counts[table] = await shop.pool.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608  the names are above
    return counts


def a_life():
    """An order with all that may happen to it, in the words of the contract."""
    at = [moment(FIRST + timedelta(hours=hour)) for hour in range(5)]
    common = {"shop": "acme", "order_id": "1001"}
    order = created("1001", FIRST)
    more = [
        ("order.edited", at[1], common | {"total": "99.00", "lines": order["data"]["lines"]}),
        ("shipment.created", at[2], common | {"tracking_number": "P-1", "carrier": "DHL", "lines": ["YM-1"]}),
        ("shipment.updated", at[3], {"tracking_number": "P-1", "status": "in_transit"}),
        ("order.refunded", at[4], common | {"refund_id": "r-1", "amount": "5.00"}),
    ]
    return [order, *({"type": kind, "timestamp": when, "data": data} for kind, when, data in more)]


@pytest.mark.parametrize("order", [["webhooks", "sync"], ["sync", "webhooks"], ["both"]])
async def test_told_twice_is_done_once(shop, order):
    """Webhooks and a run that tell the same facts, in either order or at once, leave one order and one journey."""
    shop.server.orders.append(Sold("1001", FIRST, a_life()))
    events = await said(shop)
    assert len(events) == 5
    for turn in order:
        if turn != "sync":
            for number, event in enumerate(events):
                await webhook(shop, f"msg_{number}", [event])
        if turn != "webhooks":
            await shop.syncs.run(ACME)
        await shop.relay.drain()
    assert await tables(shop) == {
        "orders": 1,
        "customers": 1,
        "consents": 0,
        "lines": 1,
        "shipments": 1,
        "refunds": 1,
    }
    assert len(shop.journeys.started) == 1
    assert {row["status"] for row in await shop.rows()} == {"dispatched"}
    assert set(shop.journeys.kinds("acme", "1001")) == {
        "OrderEdited",
        "ShipmentCreated",
        "ShipmentUpdated",
        "OrderRefunded",
    }


async def test_a_known_order_is_not_created_again(shop):
    """Where the webhook came, a run keeps no second creation and counts no gap; the next orders hear nothing twice."""
    shop.server.sell(2)
    for number in ("1001", "1002"):
        await webhook(shop, f"msg_{number}", list(await shop.apis.of("acme").order(number)))
    waiting = await shop.syncs.run(ACME)
    await shop.relay.drain()
    dispatched = await shop.syncs.run(ACME)
    assert (waiting.gaps, waiting.rows, dispatched.gaps, dispatched.rows) == (0, 0, 0, 0)


async def test_a_creation_that_was_given_up_is_told_again(shop):
    """An order whose creation is a dead letter is a gap, although the tables know it."""
    shop.server.sell(1)
    await webhook(shop, "msg_1", list(await said(shop)))
    await shop.relay.drain()
    await shop.pool.execute("UPDATE inbox SET status = 'dead'")
    report = await shop.syncs.run(ACME)
    assert (report.gaps, report.rows) == (1, 1)


async def test_a_change_adds_what_is_new_in_it(shop):
    """An order that was cancelled since adds its cancellation and nothing of what was read before."""
    shop.server.sell(1)
    await shop.syncs.run(ACME)
    later = FIRST + timedelta(hours=1)
    cancelled = {"type": "order.cancelled", "timestamp": moment(later), "data": {"shop": "acme", "order_id": "1001"}}
    shop.server.orders[0].changed = later
    shop.server.orders[0].events.append(cancelled)
    report = await shop.syncs.run(ACME)
    assert report.rows == 1
    assert [row["topic"] for row in await shop.rows()] == ["order.created", "order.cancelled"]
    await shop.relay.drain()
    assert shop.journeys.kinds("acme", "1001") == [OrderCancelled.__name__]


async def leave(shop):
    """The shop has left: nothing more is taken in."""
    async with shop.pool.acquire() as connection, connection.transaction():
        await privacy.record(connection, ShopRedacted(at=shop.clock(), shop="acme"), now=shop.clock())


async def test_whoever_was_erased_is_no_gap(shop):
    """An hour later the shop's API tells of the same order: it is known for erased, and nobody is written down."""
    shop.server.sell(1)
    await shop.syncs.run(ACME)
    await shop.relay.drain()
    await privacy.erase(shop.pool, "acme", "c-1001", now=shop.clock())
    shop.server.orders[0].events[0]["data"]["total"] = "80.00"
    report = await shop.syncs.run(ACME)
    await shop.relay.drain()
    assert (report.gaps, report.rows) == (0, 0)
    assert await shop.pool.fetchval("SELECT count(*) FROM customers") == 0


async def test_an_unknown_order_of_an_erased_person_is_told_once(shop):
    """An old order that nobody had told of is let go with all it says, and is no gap from then on."""
    shop.server.sell(1)
    await privacy.erase(shop.pool, "acme", "c-1001", now=shop.clock())
    first = await shop.syncs.run(ACME)
    await shop.relay.drain()
    assert [(row["status"], row["event"]) for row in await shop.rows()] == [("ignored", None)]
    shop.server.orders[0].events[0]["data"]["total"] = "80.00"
    again = await shop.syncs.run(ACME)
    assert (first.gaps, again.gaps, again.rows) == (1, 0, 0)


async def test_a_shop_that_left_is_not_read(shop):
    """A schedule that still runs fails at once and is not tried again, until somebody says that the shop is back."""
    shop.server.sell(1)
    await leave(shop)
    with pytest.raises(ApplicationError, match="postlude shop readmit") as caught:
        await ActivityEnvironment().run(shop.syncs.sync, ACME)
    assert (caught.value.type, caught.value.non_retryable, shop.pages()) == ("ShopErasedError", True, [])
    assert not await privacy.readmit(shop.pool, "acme")
    await privacy.sweep(shop.pool, now=shop.clock())
    assert await privacy.readmit(shop.pool, "acme")
    assert (await shop.syncs.run(ACME)).rows == 1


async def test_a_run_under_way_ends_when_its_shop_leaves(shop):
    """The page that comes after the shop has left is not kept, and the run says why it ends."""
    shop.server.sell(300)
    shop.server.hold_at = 2
    running = asyncio.create_task(shop.syncs.run(ACME))
    async with asyncio.timeout(PATIENCE):
        await shop.server.held.wait()
    await leave(shop)
    shop.server.release.set()
    with pytest.raises(shop_sync.ShopErasedError):
        await running
    assert await shop.pool.fetchval("SELECT count(*) FROM inbox") == 100


async def lose_the_connection(pool):
    """A run whose connection the server ends in the middle of it."""
    async with shop_sync.alone(pool, "acme") as held:
        await held.execute("SET idle_session_timeout = 1")
        await asyncio.sleep(0.2)
        raise KeyError


async def test_reading_takes_no_connection_of_the_pool_and_lets_go_of_its_lock(database_url):
    """However a run ends, its lock goes with its own connection: here while another one has all of the pool."""
    pool = await connect(database_url, size=1)
    try:
        async with pool.acquire():
            with pytest.raises(KeyError):
                await lose_the_connection(pool)
            async with asyncio.timeout(PATIENCE):
                async with shop_sync.alone(pool, "acme") as again:
                    assert again is not None
    finally:
        pool.terminate()


async def test_live_webhooks_go_before_what_is_read(shop):
    """While a thousand rows of runs wait for the relay no further page is asked for; the run goes on behind it."""
    shop.server.page = 600
    shop.server.sell(1300)
    waiting = asyncio.Event()
    patient = ShopSyncs(shop.pool, shop.apis, clock=shop.clock, nap=timedelta(seconds=0.05))
    running = asyncio.create_task(patient.run(ACME, held=lambda _delay: waiting.set()))
    async with asyncio.timeout(PATIENCE):
        await waiting.wait()
    assert (shop.pages(), await shop.pool.fetchval("SELECT count(*) FROM inbox")) == (["", "600"], 1200)
    await shop.pool.execute("UPDATE inbox SET status = 'dispatched'")
    report = await running
    assert (report.orders, shop.pages()[2:]) == (1300, ["1200"])


class Unreadable:
    """A shop's API whose pages hold an order that nobody can make sense of, or that fails with something unforeseen."""

    name, shop = "shopify", "acme"

    def __init__(self, error=None):
        self.error = error

    async def changed(self, _since, _cursor):
        if self.error is not None:
            raise self.error
        return Page([], 3, None, FIRST, unreadable=2)

    async def aclose(self):
        """Nothing to close."""


async def test_orders_that_nobody_can_read_are_counted(shop):
    """They stay in sight with the shop's standing, since the next run begins behind them."""
    report = await ShopSyncs(shop.pool, ShopApis([Unreadable()]), clock=shop.clock).run(ACME)
    assert (report.orders, report.unreadable, (await shop.standing()).unreadable) == (3, 2, 2)


async def test_what_nobody_foresaw_is_named_by_its_type_alone(shop):
    """A history keeps what is raised: the words of an error may quote an order."""
    syncs = ShopSyncs(shop.pool, ShopApis([Unreadable(KeyError("ada@example.com"))]), clock=shop.clock)
    with pytest.raises(ApplicationError) as caught:
        await ActivityEnvironment().run(syncs.sync, ACME)
    assert (str(caught.value), caught.value.__cause__) == ("KeyError: KeyError", None)


# ---- on a real server ---------------------------------------------------------------------------------------


@pytest.fixture
async def queue():
    return f"sync-{uuid.uuid4().hex[:8]}"


def worker(client, queue, syncs):
    return Worker(client, task_queue=queue, workflows=[ShopSync], activities=[syncs.sync])


async def test_a_workflow_reads_a_shop_in_one_activity(shop, client, queue):
    """The result is what was read; waiting as the shop asks adds nothing to the history."""
    shop.server.sell(250)
    shop.server.then.append(answered(429, {}, {"Retry-After": "1"}))
    async with worker(client, queue, shop.syncs):
        handle: WorkflowHandle = await client.start_workflow(ShopSync.run, ACME, id=f"sync:{queue}", task_queue=queue)
        report = await handle.result()
    history = await handle.fetch_history()
    assert (report.orders, report.gaps) == (250, 250)
    scheduled = [event for event in history.events if event.HasField("activity_task_scheduled_event_attributes")]
    assert (len(scheduled), len(history.events)) == (1, 11)


async def first_actions(handle):
    """What a schedule started, once it has started anything."""
    for _ in range(100):
        info = (await handle.describe()).info
        if info.recent_actions:
            return info.recent_actions
        await asyncio.sleep(0.1)
    return []


async def test_schedules_are_kept_and_not_doubled(client, queue, shop):
    """Kept twice there is one schedule, of the newest interval; it begins at once, and a pause survives."""
    name = f"shop{queue}"
    handle = client.get_schedule_handle(sync_id(name))
    try:
        await keep_schedules(client, [name], task_queue=queue)
        await handle.pause(note="looking into it")
        await keep_schedules(client, [name], task_queue=queue, every=timedelta(minutes=30))
        found = (await handle.describe()).schedule
        (interval,) = found.spec.intervals
        assert (interval.every, found.state.paused) == (timedelta(minutes=30), True)
        assert found.policy.overlap.name == "SKIP"
        async with worker(client, queue, shop.syncs):
            started = await first_actions(handle)
        assert [one.action.workflow_id.startswith(f"sync:{name}") for one in started] == [True]
    finally:
        await handle.delete()


async def test_the_run_of_a_shop_that_is_taken_out_ends(client, queue, shop):
    """With the schedule goes the run that it has begun, which says why; another shop's run goes on."""
    gone, kept = f"gone{queue}", f"kept{queue}"
    here = f"WorkflowType = 'ShopSync' AND TaskQueue = '{queue}' AND ExecutionStatus = '{{}}'"

    async def found(status, count):
        while True:
            runs = [run async for run in client.list_workflows(here.format(status))]
            if len(runs) == count:
                return runs
            await asyncio.sleep(0.1)

    try:
        async with asyncio.timeout(PATIENCE), worker(client, queue, shop.syncs):
            await keep_schedules(client, [gone, kept], task_queue=queue)
            await found("Running", 2)
            await keep_schedules(client, [kept], task_queue=queue)
            (ended,) = await found("Canceled", 1)
            assert ended.id.startswith(sync_id(gone))
            history = await client.get_workflow_handle(ended.id).fetch_history()
            (asked,) = [
                one for one in history.events if one.HasField("workflow_execution_cancel_requested_event_attributes")
            ]
            why = asked.workflow_execution_cancel_requested_event_attributes.cause
            assert why == "its shop is not in POSTLUDE_SHOP_URLS any more"
            (going,) = await found("Running", 1)
            assert going.id.startswith(sync_id(kept))
    finally:
        await keep_schedules(client, [], task_queue=queue)


def test_the_clock_of_requests_is_utc():
    """A beginning given in another zone is the same moment."""
    berlin = datetime.fromisoformat("2026-11-01T01:00:00+01:00")
    assert SyncRequest(shop="acme", since=berlin).since == datetime(2026, 11, 1, tzinfo=UTC)
