"""The saga of a remedy outlives a SIGKILL in each of its gaps: nothing is made twice, and never both."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import psutil

from journey.remedies import Choice, Stand
from store import remedies
from tests.faults.remedy_process import JOBS
from tests.support.counter import Counter, Odd
from tests.support.patience import PATIENCE
from tests.support.processes import forks
from tests.support.remedies import Case, until
from workflows.remedy_case import RemedySaga

COUPON = {"coupon_percent": 10}


async def nothing_more(_here, _handle):
    """Nobody has to say anything."""


async def approve(_here, handle):
    """A person says yes."""
    await until(handle, "waits for `approve`")
    await handle.execute_update(RemedySaga.approve, "Grace")


async def call_off(here, handle):
    """A person calls it off while it is not known whether the shop made the replacement."""
    await here.shop.reached("replace")
    await handle.execute_update(RemedySaga.call_off, "Grace")


async def refund_instead(here, handle):
    """A person takes the money while it is not known whether the shop made the replacement."""
    await here.shop.reached("replace")
    await handle.execute_update(RemedySaga.choose, args=[Choice.REFUND, "Grace"])


async def decide(_here, handle):
    """The shop will not; a person says what comes instead."""
    await until(handle, "the shop will not")
    await handle.execute_update(RemedySaga.choose, args=[Choice.REFUND, "Grace"])


@dataclass(frozen=True)
class Way:
    """A way through the saga: what was chosen, how the shop stumbles, who says what, and what stands in the end."""

    choice: Choice
    gaps: tuple[str, ...]
    stands: dict
    terms: dict = field(default_factory=lambda: COUPON)
    odd: tuple = ()
    then: Callable[..., Awaitable[None]] = nothing_more
    stand: Stand = Stand.DONE


def around(*steps):
    """The gaps round a step at the shop; `stall_…` is between what the shop did and its answer."""
    return tuple(f"{gap}_{step}" for step in steps for gap in ("before", "stall", "after", "recorded"))


SENT = {"reserve": 1, "replace": 1, "coupon": 1}
PAID = {"refund": 1, "coupon": 1}
WAYS = (
    Way(
        Choice.REFUND,
        ("before_look", "after_look", *around("refund", "coupon"), "before_settle", "after_settle"),
        PAID,
    ),
    Way(Choice.REPLACEMENT, around("reserve", "replace"), SENT),
    Way(
        Choice.REPLACEMENT,
        (*around("release"), "after_switched"),
        PAID,
        odd=(("replace", Odd("refuse", "out_of_stock")),),
    ),
    Way(
        Choice.REFUND,
        ("before_ask_approval", "after_ask_approval", "after_approved"),
        PAID,
        terms=COUPON | {"approve_above": {"EUR": "50"}},
        then=approve,
    ),
    Way(
        Choice.REPLACEMENT,
        around("cancel_replacement"),
        {},
        odd=(("replace", Odd("silent")),),
        then=call_off,
        stand=Stand.WITHDRAWN,
    ),
    Way(
        Choice.REPLACEMENT,
        (*around("cancel_replacement"), "before_refund", "stall_refund", "after_refund"),
        PAID,
        odd=(("replace", Odd("silent")),),
        then=refund_instead,
    ),
    Way(
        Choice.REPLACEMENT,
        ("before_ask_instead", "after_ask_instead", "after_switched"),
        PAID,
        odd=(("replace", Odd("refuse", "no_courier")),),
        then=decide,
    ),
)


async def play(case, jobs, workers, way, gap):
    """One saga whose worker dies in that gap; how it ended, and how long it took."""
    dies, _, step = gap.partition("_")
    for kind, odd in way.odd:
        case.shop.then(kind, odd)
    if dies == "stall":
        case.shop.then(step, Odd("stall"))
    order = await case.lost(way.choice)
    job = {"queue": case.queue, "shop": case.shop.url, "terms": way.terms, "dies": gap}
    pid = hire(workers, jobs, job)
    handle = await case.start(order)
    said = asyncio.create_task(way.then(case, handle))
    if dies == "stall":
        await asyncio.wait_for(case.shop.stalled.wait(), PATIENCE)
        assert await asyncio.to_thread(workers.kill, pid)
    await gone(pid)
    hire(workers, jobs, job | {"dies": None})
    ended = await asyncio.wait_for(handle.result(), 4 * PATIENCE)
    await said
    row = await remedies.get(case.pool, "acme", order.order_id, "T1")
    return ended, row, dict(case.shop.standing(order.order_id)), dict(case.shop.ever(order.order_id))


def hire(workers, jobs, job):
    """A worker for that job; its pid."""
    # One line in, one line out: nobody may come between.
    pid = workers.start()
    part = jobs / f"{pid}.part"
    part.write_text(json.dumps(job))
    part.rename(jobs / f"{pid}.job")
    return pid


async def gone(pid):
    """Wait until that process has killed itself."""
    for _ in range(12_000):
        if not psutil.pid_exists(pid):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the worker never came to its gap")


async def test_a_worker_killed_in_every_gap(client, pool, database_url, stack, tmp_path, say):  # noqa: PLR0917  fixtures
    """Before, in the middle of, and after every step, forward and back: each ends as it would have, each step once."""
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    environment = {
        "TEMPORAL_ADDRESS": stack.temporal_address,
        "POSTLUDE_DATABASE_URL": database_url,
        JOBS: str(jobs),
    }
    started = time.monotonic()
    plan = [(way, gap) for way in WAYS for gap in way.gaps]
    shops = [Counter() for _ in plan]
    for shop in shops:
        await shop.start()
    with forks("tests.faults.remedy_process", environment, tmp_path / "workers.log") as workers:
        async with asyncio.TaskGroup() as everything:
            played = [
                everything.create_task(play(Case(client, pool, shop, f"kill-{n}-{gap}"), jobs, workers, way, gap))
                for n, ((way, gap), shop) in enumerate(zip(plan, shops, strict=True))
            ]
    for shop in shops:
        await shop.stop()
    say(f"{len(plan)} gaps, a SIGKILL in each, {time.monotonic() - started:.0f} s")
    for (way, gap), task in zip(plan, played, strict=True):
        ended, row, standing, ever = task.result()
        assert (ended, row.status) == (way.stand, way.stand), gap
        assert standing == way.stands, gap
        assert set(ever.values()) <= {1}, (gap, ever)
