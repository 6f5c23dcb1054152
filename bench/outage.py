"""Journeys whose provider is away, flaps, and comes back: what that adds to their histories, and how soon all is out.

`python -m bench.outage --journeys 10000 --away 86400` measures a real day. Shorter times are the same outage on a
smaller scale: the waits between two tries do not shrink with it, so attempts and events are then a day's first ones.
Nothing here knows how the engine waits: orders are placed, the provider counts, the server tells of the histories.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from temporalio.api.enums.v1 import EventType

from bench.report import Row
from bench.scenario import new_order
from bench.sides import SHOP, Postlude
from bench.world import World, own_servers, percentile, world
from journey.base import workflow_id
from workers.logs import configure

_AT_ONCE = 16
_TOUCH = "order_confirmation"
_SAMPLE = 300
"""So many journeys' histories are read before and after: each is a request to the server."""
_CONTROL = 20
_LOOK_AGAIN = 0.2
_REST = 2.0
_HELD = """
SELECT count(*) FROM ledger WHERE shop = $1 AND order_id = ANY($2) AND touch = $3 AND status = 'held' AND until > now()
"""
_STARTS_FAIL = 120.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Seconds of an outage. Each of the `flaps` is `flap` seconds of answering and as long of none.

    `patience` is how long all mails have to get out once the provider is back for good.
    """

    journeys: int
    away: float
    flaps: int
    flap: float
    patience: float


@dataclass
class Outage:
    """What came of it.

    `added` are a journey's history events and `attempts` its activity attempts, beyond those of one without an outage;
    `recovered` are seconds from the provider's return for good until each mail arrived.
    """

    plan: Plan
    added: list[int] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    recovered: list[float] = field(default_factory=list)
    in_flaps: int = 0
    """Mails that went out while it flapped."""
    missing: int = 0
    held: int = 0
    """Mails that are not out when patience ends and that the ledger holds for a later try: they are late, not lost."""
    duplicates: int = 0
    """Mails that reached a customer twice: accepted under two keys."""
    repeats: int = 0
    """Requests with a key that had been accepted: answered with the first send, as Resend does."""
    refused: int = 0
    """Requests while it was away."""
    busiest: int = 0
    """Requests in the busiest second after its return."""


class Unsteady:
    """A mail provider in the shape of Resend's API that can be away: it then answers 503 to everything.

    A request that sends nothing is how a worker looks whether the provider is back.
    """

    def __init__(self) -> None:
        self.up = True
        self.accepted: dict[str, float] = {}
        """Monotonic moment of the first acceptance, by idempotency key."""
        self.repeats = self.refused = 0
        self.seconds: Counter[int] = Counter()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """What `POSTLUDE_EMAIL_URL` would say."""
        if self._server is None:
            raise RuntimeError("the provider is not started")
        return f"resend://key@127.0.0.1:{self._server.sockets[0].getsockname()[1]}?insecure=1"

    def orders(self) -> dict[str, list[float]]:
        """When an order's confirmation was accepted, once for each key."""
        found: dict[str, list[float]] = {}
        for key, at in self.accepted.items():
            _, order_id, touch, _ = key.split("/")
            if touch == _TOUCH:
                found.setdefault(order_id, []).append(at)
        return found

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n") if ": " in line)
                await reader.readexactly(int(fields.get("content-length", 0)))
                status, said = self._answer(fields.get("idempotency-key"))
                body = json.dumps(said).encode()
                writer.write(f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n".encode())
                writer.write(b"content-length: %d\r\n\r\n%s" % (len(body), body))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, key: str | None) -> tuple[str, dict[str, str]]:
        self.seconds[int(time.monotonic())] += 1
        if not self.up:
            self.refused += 1
            return "503 Service Unavailable", {"name": "internal_server_error", "message": "away"}
        if key is None:  # somebody looks whether anyone is here
            return "404 Not Found", {"name": "not_found", "message": "there is nothing here"}
        if key in self.accepted:
            self.repeats += 1
        self.accepted.setdefault(key, time.monotonic())
        return "200 OK", {"id": key}


@dataclass(frozen=True, slots=True)
class _Spent:
    """What one journey has in its history, and how often its activities were tried."""

    events: int
    attempts: int


async def outage(made: World, side: Postlude, provider: Unsteady, plan: Plan) -> Outage:
    """Orders come in while the provider is away; it flaps and comes back. Each has its confirmation to send."""
    found = Outage(plan)
    control = await _placed(side, _CONTROL)
    await _until_out(provider, control, _STARTS_FAIL)
    await asyncio.sleep(_REST)
    usual = [await _spent(made, order_id) for order_id in control]
    events = statistics.median(one.events for one in usual)
    attempts = statistics.median(one.attempts for one in usual)
    provider.up, began = False, time.monotonic()
    orders = await _placed(side, plan.journeys)
    await asyncio.sleep(max(0.0, began + plan.away - time.monotonic()))
    for _ in range(plan.flaps):
        provider.up = True
        await asyncio.sleep(plan.flap)
        provider.up = False
        await asyncio.sleep(plan.flap)
    back = time.monotonic()
    provider.up = True
    await _until_out(provider, orders, plan.patience)
    await asyncio.sleep(_REST)
    arrived = provider.orders()
    late = [order_id for order_id in orders if order_id not in arrived]
    found.held = await made.pool.fetchval(_HELD, SHOP, late, _TOUCH)
    found.missing = len(late) - found.held
    moments = [arrived[order_id] for order_id in orders if order_id in arrived]
    found.duplicates = sum(len(each) - 1 for each in moments)
    found.in_flaps = sum(min(each) < back for each in moments)
    found.recovered = sorted(max(0.0, min(each) - back) for each in moments)
    found.repeats, found.refused = provider.repeats, provider.refused
    found.busiest = max((count for at, count in provider.seconds.items() if at >= int(back)), default=0)
    for order_id in orders[:: max(1, len(orders) // _SAMPLE)]:
        spent = await _spent(made, order_id)
        found.added.append(round(spent.events - events))
        found.attempts.append(round(spent.attempts - attempts))
    return found


def rows(found: Outage) -> list[Row]:
    """The table's rows; the targets are that nothing is lost and nothing comes twice."""
    plan = found.plan
    what = (
        f"{plan.journeys:,} journeys, provider away {_span(plan.away)}, then {plan.flaps} flaps of {_span(plan.flap)}"
    )
    recovered = "-"
    if len(found.recovered) > 1:
        middle, late = percentile(found.recovered, 50), percentile(found.recovered, 99)
        recovered = f"{middle:.1f} / {late:.1f} / {found.recovered[-1]:.1f} s"
    return [
        Row(
            f"{what}: mails lost; doubled",
            f"{found.missing}; {found.duplicates}",
            "",
            "0; 0",
            found.missing == found.duplicates == 0,
        ),
        Row(f"{what}: history events added to a journey, median / most", _middle_and_most(found.added), "", "", None),
        Row(f"{what}: activity attempts added, median / most", _middle_and_most(found.attempts), "", "", None),
        Row(
            f"{what}: from its return to each mail, p50 / p99 / last; still held after {_span(plan.patience)}",
            f"{recovered}; {found.held}",
            "",
            "",
            None,
        ),
        Row(
            f"{what}: requests while away; in the busiest second after its return",
            f"{found.refused:,}; {found.busiest:,}",
            "",
            "",
            None,
        ),
    ]


async def measured(plan: Plan, home: Path) -> Outage:
    """On servers and a worker of its own under `home`."""
    async with world(home) as made, Unsteady() as provider, made.whole(email_url=provider.url) as (side, _):
        return await outage(made, side, provider, plan)


async def _placed(side: Postlude, count: int) -> list[str]:
    orders = [new_order() for _ in range(count)]
    waiting = iter(orders)

    async def line(orders: Iterator[str]) -> None:
        for order_id in orders:
            await side.start(order_id, datetime.now(UTC))

    await asyncio.gather(*(line(waiting) for _ in range(_AT_ONCE)))
    return orders


async def _until_out(provider: Unsteady, orders: Sequence[str], patience: float) -> None:
    """Wait until every order has its confirmation, or patience ends."""
    until = time.monotonic() + patience
    while set(orders) - provider.orders().keys() and time.monotonic() < until:  # noqa: ASYNC110  no event for it
        await asyncio.sleep(_LOOK_AGAIN)


async def _spent(made: World, order_id: str) -> _Spent:
    """Of all runs of the journey; attempts under way count too."""
    handle = made.client.get_workflow_handle(workflow_id(SHOP, order_id))
    described = (await handle.describe()).raw_description
    attempts = sum(one.attempt for one in described.pending_activities)
    events, run_id = 0, described.workflow_execution_info.first_run_id
    while run_id:
        history = await made.client.get_workflow_handle(handle.id, run_id=run_id).fetch_history()
        events += len(history.events)
        attempts += sum(
            max(1, event.activity_task_started_event_attributes.attempt)
            for event in history.events
            if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED
        )
        run_id = history.events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return _Spent(events, attempts)


def _middle_and_most(values: Sequence[int]) -> str:
    return f"{statistics.median(values):g} / {max(values)}" if values else "-"


def _span(seconds: float) -> str:
    return f"{seconds / 3600:g} h" if seconds >= 3600 else f"{seconds:g} s"  # noqa: PLR2004  an hour


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bench.outage", description="Journeys whose provider is away for a while.")
    parser.add_argument("--journeys", type=int, default=1000)
    parser.add_argument("--away", type=float, default=90.0, metavar="SECONDS")
    parser.add_argument("--flaps", type=int, default=3)
    parser.add_argument("--flap", type=float, default=5.0, metavar="SECONDS")
    parser.add_argument("--patience", type=float, default=1800.0, metavar="SECONDS", help="once it is back for good")
    given = parser.parse_args()
    own_servers()
    configure("error")
    with tempfile.TemporaryDirectory(prefix="postlude-outage-", ignore_cleanup_errors=True) as folder:
        found = asyncio.run(measured(Plan(**vars(given)), Path(folder) / "home"))
    for row in rows(found):
        print(f"{row.figure}: {row.postlude}")
    json.dump(asdict(found), sys.stdout)
    print()


if __name__ == "__main__":
    main()
