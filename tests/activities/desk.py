"""Sending outside of a workflow: the activity on real parts, crashed and tried again as Temporal would."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.alerts import Alerts
from activities.deliver import Deliveries, Gap, Sender, no_gap
from activities.links import Links
from activities.messaging.protocol import EmailProvider
from activities.messaging.senders import Senders
from activities.messaging.templates import Templates
from journey.base import TouchKey
from journey.intervals import LEASE
from journey.outcomes import DeliverAnswer, DeliverRequest, FindOutRequest, Held, Outcome
from journey.playbook import Playbook, touch_id
from store.ledger import Ledger
from store.pool import Pool
from tests.support.loopback import Arrival
from tests.support.orders import Order, Person, put
from tests.support.providers import Receiving
from tests.support.world import order_id

PLACED = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
"""A Monday, eleven in the morning in Berlin."""
TRANSACTIONAL = "order_confirmation"
MARKETING = "check_in"
WAIT = timedelta(minutes=30)
"""How long a closed way is waited for here at first, on the journey's clock."""
GAPS = (
    "before_claim",
    "after_claim",
    "after_lookup",
    "after_reclaim",
    "before_send",
    "after_send",
    "after_record",
    "after_search",
)
"""Those between two steps of `deliver`, and the one of `find_out`."""
SEARCHES = frozenset({"after_lookup", "after_reclaim", "after_search"})
"""Those that only a provider that can be asked leads to."""


class KilledError(Exception):
    """Stands for a process that is no more: nothing catches it."""


@dataclass
class Crash:
    """A gap that kills the attempt at the gaps of `at`, one after the other, each once; `seen` is where it passed.

    The first `spares` times that it comes to the first of them it lets the attempt live.
    """

    at: list[str]
    seen: set[str] = field(default_factory=set)
    spares: int = 0

    async def __call__(self, name: str, _request: DeliverRequest) -> None:
        self.seen.add(name)
        if self.at and self.at[0] == name:
            if self.spares:
                self.spares -= 1
                return
            self.at.pop(0)
            raise KilledError(name)


def at(name: str, act: Callable[[], Awaitable[Any]]) -> Gap:
    """A gap that does something at one of the names, once."""
    done = False

    async def gap(here: str, _request: DeliverRequest) -> None:
        nonlocal done
        if here == name and not done:
            done = True
            await act()

    return gap


def then(*gaps: Gap) -> Gap:
    """One gap after the other."""

    async def gap(here: str, request: DeliverRequest) -> None:
        for one in gaps:
            await one(here, request)

    return gap


@dataclass(frozen=True)
class Desk:
    """One way to send, on one database, with the receiving side in view."""

    pool: Pool
    provider: EmailProvider
    receiving: Receiving
    templates: Templates
    playbook: Playbook
    senders: Senders | None = None
    """Everybody who can carry a message, where that is more than `provider`."""
    callback: str | None = None
    alerts: Alerts | None = None
    lease: timedelta = LEASE

    def deliveries(self, gap: Gap = no_gap, **options: Any) -> Deliveries:
        """The activities of one worker process."""
        links = Links("test-secret-key", "http://shop.test")
        senders = self.senders or Senders.of(self.provider)
        sender = Sender(senders, self.templates, links, self._playbook, self.callback, self.alerts)
        return Deliveries(
            self.pool, Ledger(self.pool, domain="shop.test", lease=self.lease), sender, gap=gap, **options
        )

    async def order(self, **changes: Any) -> Order:
        """An order of somebody nobody wrote to before."""
        usual = Order(order_id(), placed_at=PLACED, person=Person(customer_id=order_id()))
        order = replace(usual, **changes)
        await put(self.pool, order, self.playbook.digest)
        return order

    def request(self, order: Order, touch: str, *, after: timedelta = timedelta()) -> DeliverRequest:
        """Ask for a touch that is due now, `after` the order was placed."""
        now = order.placed_at + after
        return DeliverRequest(
            shop=order.shop,
            order_id=order.order_id,
            playbook=self.playbook.digest,
            key=TouchKey(touch),
            due=now,
            now=now,
            once=True,
        )

    async def settle(self, request: DeliverRequest, gap: Gap = no_gap, *, finds_out: bool = True) -> Outcome:
        """Ask as a journey does until it is settled, each attempt in a process of its own.

        What became of an attempt that died is found out; without `finds_out` it is asked for again at once, as journeys
        of the version before do. A hold lets its time go by; one that waits for a way is asked for again soon, as if
        the way had opened.
        """
        now, wait = request.now, WAIT
        for _ in range(60):
            answer = await self.attempt(request.but(now=now), gap, finds_out=finds_out)
            if answer is None:
                continue
            outcome = answer.outcome(now=now)
            if not isinstance(outcome, Held):
                return outcome
            if outcome.waits_for is None:
                now = max(now, outcome.until)
            else:
                now, wait = min(now + wait, outcome.until), wait * 2
        raise AssertionError("never settled")

    async def attempt(
        self, request: DeliverRequest, gap: Gap = no_gap, *, finds_out: bool = True
    ) -> DeliverAnswer | None:
        """One attempt; where it gives no answer, what became of it (None where that is not asked for)."""
        try:
            return await self.deliveries(gap).deliver(request)
        except (KilledError, ApplicationError, OSError):
            await self.lease_over(request)
            return await self.found_out(request, gap) if finds_out else None

    async def found_out(
        self, request: DeliverRequest, gap: Gap = no_gap, *, worker: Deliveries | None = None
    ) -> DeliverAnswer:
        """What became of an attempt that gave no answer."""
        asked = FindOutRequest(**request.model_dump(include=set(FindOutRequest.model_fields)))
        while True:
            try:
                return await (worker or self.deliveries(gap)).find_out(asked)
            except KilledError:
                continue

    async def lease_over(self, request: DeliverRequest) -> None:
        """Let the time of the message's lease go by."""
        await self.pool.execute(
            "UPDATE ledger SET lease_until = least(lease_until, clock_timestamp())"
            " WHERE order_id = $1 AND touch_key = $2",
            request.order_id,
            request.key,
        )

    def patience(self, request: DeliverRequest) -> datetime:
        """When the patience of a touch that is asked for first at `request` ends."""
        return request.due + self.playbook.by_id[touch_id(request.key)].patience

    def arrived(self, order: Order) -> list[Arrival]:
        """What really reached the customer of that order."""
        return [one for one in self.receiving.arrivals() if one.order == f"{order.shop}/{order.order_id}"]

    async def rows(self, order: Order) -> list[Any]:
        """The order's ledger, in order of attempt class."""
        return list(
            await self.pool.fetch(
                "SELECT * FROM ledger WHERE shop = $1 AND order_id = $2 ORDER BY touch_key, attempt_class",
                order.shop,
                order.order_id,
            )
        )

    async def row(self, order: Order) -> tuple[str, str | None]:
        """Status and rule of the order's only row."""
        (row,) = await self.rows(order)
        return row["status"], row["rule"]

    def _playbook(self, digest: str) -> Playbook:
        assert digest == self.playbook.digest
        return self.playbook


async def crashed(desk: Desk, request: DeliverRequest, gap: Gap) -> None:
    """One attempt that dies in a gap, and the end of its lease."""
    with pytest.raises(KilledError):
        await desk.deliveries(gap).deliver(request)
    await desk.lease_over(request)
