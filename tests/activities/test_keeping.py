"""What journeys were is kept before Temporal forgets it."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowFailureError
from temporalio.testing import ActivityEnvironment

from activities.decoding import _payloads, decoded
from activities.histories import UnreadableError, read_run
from activities.keeping import Keeping, read
from journey.events import CustomerReordered
from journey.keeping import KeepingAnswer, KeepingRequest
from journey.past import Attempted, Heard, Run, chain
from starters.relay import Relay
from store import erasure, pasts, personal
from tests.support.histories import recorded
from tests.support.orders import Order, Person
from tests.support.patience import PATIENCE
from tests.support.stories import STORIES, buyer
from tests.support.world import World, order_id
from workers.codec import EncryptedPayloads, PayloadKeyError
from workflows.past_keeping import PastKeeping


async def keep(world: World, since: datetime | None = None) -> KeepingAnswer:
    """One look through the runs that have ended."""
    request = KeepingRequest(now=datetime.now(UTC), since=since)
    return await ActivityEnvironment().run(Keeping(world.pool, world.client).keep_pasts, request)


async def lived(world: World, story: str) -> Order:
    """An order that lived that story to its end."""
    order = Order(order_id(), **buyer(story))  # type: ignore[arg-type]  # a story's own fields of Order
    handle = await world.place(order)
    await world.forward(order, 0.02)
    await STORIES[story](world, order)
    await handle.result()
    return order


async def listed(world: World, order: Order, runs: int) -> None:
    """Wait until Temporal's list has so many ended runs of the journey."""
    ended = f"WorkflowId = '{world.handle(order).id}' AND ExecutionStatus != 'Running'"
    async with asyncio.timeout(PATIENCE):
        while (await world.client.count_workflows(ended)).count < runs:  # noqa: ASYNC110  the server rings no bell
            await asyncio.sleep(0.05)


async def kept(world: World, order: Order) -> list[Run]:
    """What is kept of an order's journey, run by run."""
    found = await pasts.runs(world.pool, order.shop, order.order_id)
    return chain({run.run_id: run for run in found}) if found else []


async def test_every_run_is_kept_once_and_in_full(journeys: World) -> None:
    """Both runs of a journey are kept: its facts, operators' words and answers, each as the ledger has it."""
    order = await lived(journeys, "steered")
    runs = await runs_of(journeys, order)
    await listed(journeys, order, runs)
    assert (await keep(journeys)).kept == runs
    assert (await keep(journeys)).kept == 0
    found = await kept(journeys, order)
    assert [run.continues for run in found] == [None, *(run.run_id for run in found[:-1])]
    assert [run.ended for run in found] == ["continued"] * (runs - 1) + ["completed"]
    entries = [entry for run in found for entry in run.entries]
    assert {"pause", "resume", "skip_touch", "send_now", "shipment_created"} <= {
        entry.name for entry in entries if isinstance(entry, Heard)
    }
    sent = {
        entry.key: entry.done_at
        for entry in entries
        if isinstance(entry, Attempted) and entry.answer is not None and entry.answer.status == "sent"
    }
    rows = await journeys.pool.fetch(
        "SELECT touch_key, at FROM ledger WHERE status = 'sent' AND order_id = $1", order.order_id
    )
    assert sent == {row["touch_key"]: row["at"] for row in rows}
    assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)


async def test_nothing_that_names_a_person_is_kept(journeys: World) -> None:
    """No address, name or number of the customer is in what is kept of a journey."""
    person = Person(customer_id="c-named", email="lovelace@example.com", first_name="Augusta", phone="+4915112345678")
    order = Order(order_id(), person=person)
    handle = await journeys.place(order)
    await journeys.forward(order, 120)
    await handle.result()
    await listed(journeys, order, await runs_of(journeys, order))
    await keep(journeys)
    rows = await journeys.pool.fetch("SELECT to_jsonb(j) FROM journey_runs j")
    said = "".join(row[0] for row in rows).lower()
    assert order.order_id in said
    assert not [word for word in ("lovelace", "augusta", "15112345678", "c-named") if word in said]


async def test_an_ended_journey_is_kept_however_it_ended(journeys: World) -> None:
    """One that was terminated or cancelled is kept with how it ended; what it was told after that it never heard."""
    orders = [Order(order_id(), person=Person(customer_id=order_id())) for _ in range(2)]
    for order in orders:
        await journeys.place(order)
        await journeys.forward(order, 1)
    terminated, cancelled = [journeys.handle(order) for order in orders]
    await terminated.terminate()
    await cancelled.cancel()
    with pytest.raises(WorkflowFailureError):
        await cancelled.result()
    for order in orders:
        await listed(journeys, order, 1)
    await keep(journeys)
    assert [(await kept(journeys, order))[0].ended for order in orders] == ["terminated", "cancelled"]


async def test_an_open_journey_is_left_and_read_where_it_is(journeys: World) -> None:
    """Only what has ended is kept; what an open one heard so far its history says."""
    order = Order(order_id(), person=Person(customer_id=order_id()))
    await journeys.place(order)
    await journeys.forward(order, 1)
    at = await journeys.now(order)
    await journeys.tell(order, CustomerReordered(at=at, order_id="newer"))
    await journeys.forward(order, 1)
    await keep(journeys)
    assert await kept(journeys, order) == []
    run = await read(journeys.client, order.shop, order.order_id)
    assert run is not None
    assert (run.ended, run.ended_at) == (None, None)
    assert [entry.name for entry in run.entries if isinstance(entry, Heard)] == ["customer_reordered"]


async def test_who_was_erased_is_not_kept_again(journeys: World) -> None:
    """The rows go with the person, and what Temporal still has of them stays there."""
    order = Order(order_id(), person=Person(customer_id=order_id()))
    handle = await journeys.place(order)
    await journeys.forward(order, 120)
    await handle.result()
    await listed(journeys, order, await runs_of(journeys, order))
    assert (await keep(journeys)).kept > 0
    async with journeys.pool.acquire() as connection, connection.transaction():
        gone = await erasure.erase_customer(connection, order.shop, order.person.customer_id, now=datetime.now(UTC))
    assert gone.counts["journey_runs"] > 0
    assert (await keep(journeys)).kept == 0
    assert await journeys.pool.fetchval("SELECT count(*) FROM journey_runs") == 0


async def test_a_past_is_forgotten_in_its_time(journeys: World) -> None:
    """The relay deletes what ended longer ago than docs/privacy.md says, and nothing younger."""
    order = await lived(journeys, "cancelled")
    await listed(journeys, order, await runs_of(journeys, order))
    await keep(journeys)
    (run,) = await kept(journeys, order)
    assert run.ended_at is not None
    for extra, left in ((timedelta(minutes=-1), 1), (timedelta(minutes=1), 0)):
        now = run.ended_at + personal.FORGET_PAST_AFTER + extra
        await Relay(journeys.pool, journeys.journeys, clock=lambda now=now: now).drain()  # type: ignore[misc]
        assert await journeys.pool.fetchval("SELECT count(*) FROM journey_runs") == left


async def test_each_look_goes_on_where_the_last_one_got_to(journeys: World) -> None:
    """A run that ended long before the last look is not looked at again; the workflow hands over how far it got."""
    order = await lived(journeys, "cancelled")
    await listed(journeys, order, await runs_of(journeys, order))
    ahead = datetime.now(UTC) + timedelta(days=4000)
    assert (await keep(journeys, since=ahead)).ended == 0
    answer = await journeys.client.execute_workflow(
        PastKeeping.run, id=f"keep:{order.order_id}", task_queue=journeys.settings.task_queue
    )
    assert answer.kept == 1
    assert answer.through is not None
    assert abs(answer.through - datetime.now(UTC)) < timedelta(minutes=5)


def test_every_recorded_history_can_be_read() -> None:
    """Whatever version recorded it: all facts, in order, and an answer for each attempt that had one."""
    kinds: Counter[str] = Counter()
    for name, history in recorded().items():
        if not history.workflow_id.startswith("replay-") or not history.events:
            continue
        run = read_run(name, history.events)
        kinds.update(entry.kind for entry in run.entries)
        again = Run.model_validate_json(run.model_dump_json(exclude_unset=True))
        assert again == run, name
    assert min(kinds[kind] for kind in ("heard", "attempted", "mended")) > 0


def test_what_a_newer_version_wrote_is_left_to_it() -> None:
    """A history with words that this version does not know is not kept half."""
    history = next(history for name, history in recorded().items() if name.startswith("steered"))
    for event in history.events:
        if event.workflow_execution_signaled_event_attributes.signal_name:
            event.workflow_execution_signaled_event_attributes.signal_name = "order_beamed"
            break
    with pytest.raises(UnreadableError):
        read_run("r", history.events)


async def runs_of(world: World, order: Order) -> int:
    found = 0
    run_id: str | None = (await world.handle(order).describe()).run_id
    while run_id:
        found += 1
        run = await read(world.client, order.shop, order.order_id, run_id)
        run_id = run.continues if run else None
    return found


async def test_a_history_under_keys_is_read_like_one_without() -> None:
    """Every payload, wherever it stands in an event, is decoded before anything is made of it."""
    codec = EncryptedPayloads([("one", bytes(range(32)))])
    told = 0
    for name, history in list(recorded().items())[:6]:
        if not history.events:
            continue
        plain = read_run(name, history.events)
        sealed = [HistoryEvent.FromString(event.SerializeToString()) for event in history.events]
        for event in sealed:
            for payload in _payloads(event):
                payload.CopyFrom((await codec.encode([payload]))[0])
        with pytest.raises((UnreadableError, ValueError)):
            read_run(name, sealed)
        assert read_run(name, await decoded(sealed, codec)) == plain
        told += 1
    assert told


async def test_a_run_whose_key_is_gone_holds_up_no_other() -> None:
    """It cannot be read, and says so by the error that keeping counts for that run alone."""
    gone, here = (EncryptedPayloads([(name, bytes([place]) * 32)]) for place, name in enumerate(("old", "new")))
    history = next(iter(recorded().values()))
    sealed = [HistoryEvent.FromString(event.SerializeToString()) for event in history.events]
    for event in sealed:
        for payload in _payloads(event):
            payload.CopyFrom((await gone.encode([payload]))[0])
    with pytest.raises(PayloadKeyError):
        await decoded(sealed, here)
