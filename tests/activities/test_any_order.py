"""Whatever happens in whatever order: the receiving sides and the ledger agree, and nobody hears what they must not.

Random weeks of two customers with two orders each: messages are asked for, also two at once, processes die in gaps,
vendors answer badly or not at all, customers opt out and change their wishes, callbacks tell of deliveries.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from temporalio.exceptions import ApplicationError

from activities.sending import MOST_AGAIN
from journey.playbook import Channel
from store import consents, feedback, people
from store.message_feedback import MessageFeedback
from tests.activities.desk import GAPS, PLACED, Crash, KilledError
from tests.activities.street import EMAIL, INBOX, SMS, Street, somebody
from tests.support.loopback import ERROR_AFTER_ACCEPTING, REFUSED, SERVER_ERROR, SILENT, Misdeed
from tests.support.orders import Order

MARKETING = ("check_in", "review_request", "also_enjoyed", "bundle")
TRANSACTIONAL = ("order_confirmation", "care")
PER_DAY, PER_WEEK = 2, 5
RULES = {"quiet_hours": {"start": "21:00", "end": "08:00"}, "per_day": PER_DAY, "per_week": PER_WEEK}
FAULTS = (SILENT, ERROR_AFTER_ACCEPTING, SERVER_ERROR, REFUSED, Misdeed(status=503))
BERLIN = ZoneInfo("Europe/Berlin")
STEPS = 60


@dataclass
class Life:
    """Two customers' weeks. `reached` is what arrived when, by order, touch, channel and attempt class."""

    street: Street
    dice: random.Random
    orders: list[Order]
    now: datetime = PLACED
    due: dict[tuple[str, str], datetime] = field(default_factory=dict)
    reached: dict[tuple[str, str, Channel, str], datetime] = field(default_factory=dict)
    closed: set[tuple[str, Channel]] = field(default_factory=set)
    """Customers and the channels they opted out of, before the step that is being made."""

    async def step(self) -> None:
        """Something happens, and then everything must still be right."""
        self.now += timedelta(minutes=self.dice.choice((0, 1, 30, 120, 300)))
        deeds: list[Callable[[], Awaitable[None]]] = [
            *[self.ask] * 6,
            self.ask_two,
            *[self.fault] * 2,
            self.opt_out,
            self.wish,
            self.tell,
        ]
        await self.dice.choice(deeds)()
        await self.look_around()

    async def ask(self) -> None:
        """One attempt at one message, which may die on the way; what became of it may be found out."""
        order, touch = self.dice.choice(self.orders), self.dice.choice(MARKETING + TRANSACTIONAL)
        due = self.due.setdefault((order.order_id, touch), self.now)
        gap = Crash([self.dice.choice(GAPS)] if self.dice.random() < 0.4 else [], spares=self.dice.choice((0, 0, 1)))
        request = self.street.request(order, touch).but(now=self.now, due=due)
        try:
            await self.street.deliveries(gap).deliver(request)
        except (KilledError, ApplicationError):
            await self.street.lease_over(request)
            if self.dice.random() < 0.7:
                with suppress(ApplicationError):
                    await self.street.found_out(request)

    async def ask_two(self) -> None:
        """Two journeys at once, or one message twice."""
        await asyncio.gather(self.ask(), self.ask())

    async def fault(self) -> None:
        """A vendor's next answer is a bad one."""
        self.dice.choice((self.street.mail, self.street.twilio)).then(self.dice.choice(FAULTS))

    async def opt_out(self) -> None:
        """A customer has had enough of one channel, by the way that it has."""
        if self.dice.random() < 0.6:
            return
        order, channel = self.dice.choice(self.orders), self.dice.choice((EMAIL, SMS, INBOX))
        pool = self.street.pool
        if channel is EMAIL:
            assert await people.opt_out(pool, shop="acme", order_id=order.order_id, at=self.now)
        async with pool.acquire() as connection, connection.transaction():
            if channel is SMS:
                number = order.person.phone or ""
                await consents.hear(
                    connection, shop="acme", channel=SMS, address=number, text="stop", at=self.now, provider="twilio"
                )
            elif channel is INBOX:
                await connection.execute(
                    "INSERT INTO consents (shop, customer_id, channel, purpose, granted, source, how, at)"
                    " VALUES ('acme', $1, 'inbox', 'marketing', false, 'test', 'preference_centre', $2)",
                    order.person.customer_id,
                    self.now,
                )
        self.closed.add((order.person.customer_id, channel))

    async def wish(self) -> None:
        """A customer prefers another channel."""
        await self.street.pool.execute(
            "INSERT INTO preferences (shop, customer_id, channel_preferred, updated_at) VALUES ('acme', $1, $2, $3)"
            " ON CONFLICT (shop, customer_id) DO UPDATE SET channel_preferred = excluded.channel_preferred",
            self.dice.choice(self.orders).person.customer_id,
            self.dice.choice(("email", "sms", "inbox", None)),
            self.now,
        )

    async def tell(self) -> None:
        """A callback tells of a text that truly arrived."""
        texts = [one for order in self.orders for one in self.street.texts(order)]
        if texts:
            one = self.dice.choice(texts)
            event = MessageFeedback(
                provider="twilio", kind="delivered", at=self.now, channel=SMS, key=one.key, provider_id=one.message_id
            )
            async with self.street.pool.acquire() as connection, connection.transaction():
                assert await feedback.record(connection, event)

    # ---- what must be so ------------------------------------------------------------------------------------

    async def look_around(self) -> None:
        """Everything that may be said of what arrived so far."""
        before = set(self.reached)
        arrived = await self.arrivals()
        twice = [key for key, times in arrived.items() if times > 1]
        assert not twice, f"one attempt arrived twice: {twice}"
        new = {key: self.now for key in arrived if key not in before}
        self.reached |= new
        for order_id, touch, channel, _ in new:
            whose = next(order.person.customer_id for order in self.orders if order.order_id == order_id)
            marketing = touch in MARKETING
            assert not (marketing or channel is SMS) or (whose, channel) not in self.closed, "heard after an opt-out"
        self.count_copies()
        self.count_days()
        await self.compare_with_the_ledger(arrived)

    async def arrivals(self) -> Counter[tuple[str, str, Channel, str]]:
        """What the receiving sides have; a note has no attempt class."""
        found: Counter[tuple[str, str, Channel, str]] = Counter()
        for order in self.orders:
            for channel, taken in ((EMAIL, self.street.mails(order)), (SMS, self.street.texts(order))):
                for one in taken:
                    _, order_id, touch, attempt_class = one.key.split("/")
                    found[order_id, touch, channel, attempt_class] += 1
        for row in await self.street.pool.fetch("SELECT order_id, touch_key FROM notes"):
            found[row["order_id"], row["touch_key"], INBOX, ""] += 1
        return found

    def count_copies(self) -> None:
        """Marketing comes once at most, and a word about the order once more for each doubt."""
        copies = Counter((order_id, touch) for order_id, touch, _, _ in self.reached)
        for (_, touch), times in copies.items():
            assert times <= (1 if touch in MARKETING else 1 + MOST_AGAIN), f"{touch} came {times} times"

    def count_days(self) -> None:
        """No customer has more marketing than the caps allow, by their own calendar."""
        for whose in {order.person.customer_id for order in self.orders}:
            mine = {order.order_id for order in self.orders if order.person.customer_id == whose}
            at = sorted(at for (order, touch, *_), at in self.reached.items() if order in mine and touch in MARKETING)
            days = Counter(moment.astimezone(BERLIN).date() for moment in at)
            assert max(days.values(), default=0) <= PER_DAY, "over the day's cap"
            for first in at:
                in_week = sum(first <= moment < first + timedelta(days=7) for moment in at)
                assert in_week <= PER_WEEK, "over the week's cap"

    async def compare_with_the_ledger(self, arrived: Counter[tuple[str, str, Channel, str]]) -> None:
        """Sent means arrived; refused, failed and waiting without a doubt mean not; nothing arrived without a row."""
        rows = await self.street.pool.fetch("SELECT * FROM ledger")
        known = set()
        for row in rows:
            channel = Channel(row["channel"])
            key = (row["order_id"], row["touch_key"], channel, "" if channel is INBOX else str(row["attempt_class"]))
            known.add(key)
            if row["status"] == "sent":
                assert arrived[key] == 1, f"sent, and never arrived: {dict(row)}"
            elif row["status"] in {"refused", "failed"} or (row["status"] == "held" and row["claim"] is None):
                assert arrived[key] == 0, f"arrived, and the ledger denies it: {dict(row)}"
        assert set(arrived) <= known, "arrived without a row"


@pytest.mark.parametrize("nth", range(4))
async def test_any_order_of_events_keeps_every_promise(street: Street, say: Callable[[str], None], nth: int) -> None:
    """After each of sixty random events, and once all is settled in the end, nothing is lost, doubled or forced."""
    seed = random.SystemRandom().randrange(10**6)
    say(f"seed {seed}")
    dice = random.Random(seed)
    street = street.with_touches(SMS, EMAIL, INBOX, rules=RULES)
    people_of = [somebody(phone=f"+49151123400{nth}{one}") for one in range(2)]
    life = Life(street, dice, [await street.order(person=one) for one in people_of for _ in range(2)])
    for number in range(STEPS):
        try:
            await life.step()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, step {number}: {error}") from error
    street.mail.always = street.twilio.always = None
    for order in life.orders:
        for touch in TRANSACTIONAL:
            request = street.request(order, touch).but(now=life.now, due=life.now)
            await street.settle(request)
            life.now += timedelta(minutes=1)
            await life.look_around()
    told = {(order_id, touch) for order_id, touch, *_ in life.reached}
    rows = await street.pool.fetch("SELECT order_id, touch_key FROM ledger WHERE status IN ('in_doubt', 'failed')")
    given_up = {(row["order_id"], row["touch_key"]) for row in rows}
    assert {(order.order_id, touch) for order in life.orders for touch in TRANSACTIONAL} <= told | given_up
