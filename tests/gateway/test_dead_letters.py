"""What fails by its own fault becomes a dead letter, holds up nobody, and people hear of it once."""

import asyncpg
import pytest
from asyncpg.exceptions._base import DataError
from temporalio.service import RPCError, RPCStatusCode

from activities.alerts import Alerts
from activities.messaging.protocol import Accepted, Busy
from activities.vendors.http import VendorBusyError, VendorGarbledError, VendorRefusedError
from journey import events
from journey.base import workflow_id
from starters import dead_letters
from starters.ports import JourneyMissingError
from starters.relay import Relay
from starters.replies import BusyError
from starters.troubles import MOST_FAULTS, Trouble, trouble
from store import letters
from store.playbooks import NoPlaybookError
from tests.gateway.kit import Recorder

AT = "2026-11-23T08:00:00Z"
LATER = "2026-11-23T09:00:00Z"


class Poisoned(Recorder):
    """Journeys that choke on some facts: `chokes` are orders that cannot be started, or kinds of facts."""

    def __init__(self):
        super().__init__()
        self.chokes = set()

    async def start(self, facts, playbook):
        if facts.order_id in self.chokes:
            raise ValueError("a value that names Ada")
        return await super().start(facts, playbook)

    async def signal(self, shop, order_id, event):
        if type(event) in self.chokes:
            raise RPCError("no such argument", RPCStatusCode.INVALID_ARGUMENT, b"")
        return await super().signal(shop, order_id, event)


class Mailbox:
    """Stands for the provider of alerts by mail; answers `busy` for as long as it is."""

    def __init__(self):
        self.busy = False
        self.mails = []

    async def send(self, mail):
        if self.busy:
            return Busy("provider_http_503")
        self.mails.append(mail)
        return Accepted("m-1")

    @property
    def subjects(self):
        return [mail.subject for mail in self.mails]


class Post:
    """A gate whose relay has poisoned journeys, and tells people by mail."""

    def __init__(self, gate):
        self.gate = gate
        self.journeys = Poisoned()
        self.mailbox = Mailbox()
        alerts = Alerts("mailto:ops@shop.example", sender="hello@shop.example", email=self.mailbox)
        self.relay = Relay(
            gate.pool,
            self.journeys,
            clock=gate.clock,
            buried=dead_letters.to_people(alerts),
            concerned=dead_letters.of_orders(alerts),
            poll=gate.relay._poll,
        )

    async def deliver(self, *, minutes=0):
        """Deliver what is due, and all that becomes due within so many minutes."""
        await self.relay.drain()
        for _ in range(minutes):
            self.gate.clock.forward(minutes=1)
            await self.relay.drain()


@pytest.fixture
def post(gate):
    return Post(gate)


async def test_what_fails_by_its_own_fault_is_dead_after_a_few_minutes(gate, post):
    """Five tries within some minutes, and no value of the row is in its note."""
    post.journeys.chokes.add("1001")
    await gate.send.order()
    began = gate.clock.now
    while (await gate.states()) == ["pending"]:
        await post.deliver(minutes=1)
    (row,) = await gate.rows()
    assert (row["status"], row["attempts"], row["note"]) == ("dead", MOST_FAULTS, "failed 5 times: ValueError")
    assert 120 < (row["done_at"] - began).total_seconds() < 600


async def test_an_outage_before_and_between_counts_for_nothing(gate, post):
    """Tries that failed because something was away do not bring a row nearer to its end."""
    await gate.send.order()
    post.journeys.away = True
    await post.deliver(minutes=20)
    post.journeys.away = False
    post.journeys.chokes.add("1001")
    await post.deliver(minutes=2)
    (row,) = await gate.rows()
    assert row["attempts"] > MOST_FAULTS > row["faults"] > 0
    assert row["status"] == "pending"


async def test_behind_a_dead_creation_all_waits_and_lives_when_it_is_repeated(gate, post):
    """The order's facts stand in the inbox as waiting; a creation that is right starts the journey and lets them go."""
    post.journeys.chokes.add("1001")
    await gate.send.order()
    await post.deliver()
    await gate.send.event("order.cancelled", timestamp=AT, shop="acme", order_id="1001")
    await post.deliver(minutes=10)
    assert await gate.states() == ["dead", "waiting"]
    post.journeys.chokes.clear()
    await gate.send.order()
    await post.deliver(minutes=1)
    assert await gate.states() == ["dead", "dispatched", "dispatched"]
    assert post.journeys.kinds("acme", "1001") == ["OrderCancelled"]


async def test_a_creation_that_is_retried_lets_go_what_waited_for_it(gate, post):
    """An operator's retry of the dead letter is as good as a repeat of the shop's."""
    post.journeys.chokes.add("1001")
    await gate.send.order()
    await gate.send.event("order.cancelled", timestamp=AT, shop="acme", order_id="1001")
    await post.deliver(minutes=10)
    post.journeys.chokes.clear()
    (dead,) = await letters.dead(gate.pool, letters.Chosen())
    assert await letters.retry(gate.pool, [dead], now=gate.clock.now) == [dead]
    await post.deliver(minutes=1)
    assert await gate.states() == ["dispatched", "dispatched"]
    assert post.journeys.kinds("acme", "1001") == ["OrderCancelled"]


@pytest.mark.parametrize("poison", ["order.edited", "order.refunded", "shipment.created", "review.posted"])
async def test_a_poisoned_sibling_holds_up_no_cancellation(gate, post, poison):
    """A cancellation behind a fact that fails by its own fault reaches the journey within its first pause."""
    await gate.send.order()
    await post.deliver()
    kinds = {
        "order.edited": (events.OrderEdited, {"total": "50.00", "currency": "EUR", "lines": [LINE]}),
        "order.refunded": (events.OrderRefunded, {"refund_id": "r1", "amount": "5.00"}),
        "shipment.created": (events.ShipmentCreated, {"tracking_number": "P-1"}),
        "review.posted": (events.ReviewPosted, {"rating": 5}),
    }
    fact, data = kinds[poison]
    post.journeys.chokes.add(fact)
    await gate.send.event(poison, timestamp=AT, shop="acme", order_id="1001", **data)
    await gate.send.event("order.cancelled", timestamp=LATER, shop="acme", order_id="1001")
    await post.deliver()
    assert post.journeys.kinds("acme", "1001") == ["OrderCancelled"]
    await post.deliver(minutes=10)
    assert await gate.states() == ["dispatched", "dead", "dispatched"]


LINE = {"sku": "YM-1", "quantity": 1, "unit_price": "50.00"}


async def test_a_later_edit_stands_when_an_earlier_one_is_retried(gate, post):
    """An edit that was dead does not undo what was said after it."""
    await gate.send.order()
    await post.deliver()
    post.journeys.chokes.add(events.OrderEdited)
    about = {"shop": "acme", "order_id": "1001", "currency": "EUR", "lines": [LINE]}
    await gate.send.event("order.edited", timestamp=AT, total="60.00", **about)
    await post.deliver(minutes=10)
    post.journeys.chokes.clear()
    await gate.send.event("order.edited", timestamp=LATER, total="50.00", **about)
    await post.deliver()
    await letters.retry(gate.pool, await letters.dead(gate.pool, letters.Chosen()), now=gate.clock.now)
    await post.deliver()
    assert await gate.states() == ["dispatched"] * 3
    assert await gate.pool.fetchval("SELECT total FROM orders") == 50


async def test_a_poisoned_repeat_holds_up_nothing_of_a_begun_order(gate, post):
    """A repeat of the creation that fails leaves the order's other facts alone, dead or not yet."""
    await gate.send.order()
    await post.deliver()
    await gate.pool.execute("UPDATE orders SET ended_at = NULL")
    post.journeys.chokes.add("1001")
    await gate.send.order(total="1.00")
    await gate.send.event("review.posted", timestamp=AT, shop="acme", order_id="1001", rating=5)
    await post.deliver()
    assert await gate.states() == ["dispatched", "pending", "dispatched"]
    await post.deliver(minutes=10)
    await gate.send.event("order.cancelled", timestamp=LATER, shop="acme", order_id="1001")
    await post.deliver()
    assert await gate.states() == ["dispatched", "dead", "dispatched", "dispatched"]


async def test_people_hear_once_of_many_dead_letters_of_one_kind(gate, post):
    """One alert names the first row's order, id, topic and error, how many there are, and nobody."""
    numbers = range(40)
    post.journeys.chokes.update(str(number) for number in numbers)
    for number in numbers:
        await gate.send.order(order_id=str(number), customer={"customer_id": f"c-{number}"})
    await post.deliver(minutes=15)
    assert await gate.states() == ["dead"] * 40
    first = (await gate.rows())[0]["id"]
    (subject,) = post.mailbox.subjects
    expected = f"acme/0 · inbox {first}: order.created by events · failed 5 times: ValueError"
    assert subject == f"40 dead letters · {expected}"
    assert "ada" not in repr(post.mailbox.mails).lower()


async def test_what_follows_is_told_an_hour_later_and_together(gate, post):
    """A kind that goes on dying is told of once an hour; another kind at once."""
    post.journeys.chokes.update({"1", "2", "3", events.ReviewPosted})
    await gate.send.order(order_id="1")
    await post.deliver(minutes=5)
    await gate.send.order(order_id="2")
    await gate.send.order(order_id="3")
    await gate.send.order(order_id="9")
    await gate.send.event("review.posted", timestamp=AT, shop="acme", order_id="9", rating=5)
    await post.deliver(minutes=10)
    assert [subject.partition(" · ")[0] for subject in post.mailbox.subjects] == ["dead letter", "dead letter"]
    await post.deliver(minutes=60)
    assert [subject.partition(" · ")[0] for subject in post.mailbox.subjects][2:] == ["2 dead letters"]


async def test_people_who_cannot_be_told_now_are_told_later(gate, post):
    """A provider that is away costs the alert time, and no second one."""
    post.mailbox.busy = True
    post.journeys.chokes.add("1001")
    await gate.send.order()
    await post.deliver(minutes=10)
    assert post.mailbox.mails == []
    post.mailbox.busy = False
    await post.deliver(minutes=5)
    assert len(post.mailbox.mails) == 1


async def test_what_never_came_is_told_to_nobody(gate, post):
    """Carriers tell of parcels that are not the shop's: their scans die without an alert."""
    await gate.send.scan("P-9", "in_transit", AT)
    await post.deliver()
    gate.clock.forward(days=8)
    await post.deliver(minutes=2)
    assert await gate.states() == ["dead"]
    assert post.mailbox.mails == []


FAULTS = [ValueError(), TypeError(), KeyError(), DataError("unfit"), asyncpg.CheckViolationError(), RecursionError()]
FAULTS += [asyncpg.ForeignKeyViolationError(), asyncpg.CharacterNotInRepertoireError(), asyncpg.UniqueViolationError()]
FAULTS += [RPCError("", RPCStatusCode.INVALID_ARGUMENT, b""), VendorRefusedError("a vendor", "http_422", 422)]
AWAY = [TimeoutError(), ConnectionRefusedError(), asyncpg.DeadlockDetectedError(), asyncpg.LockNotAvailableError()]
AWAY += [asyncpg.SerializationError(), asyncpg.QueryCanceledError(), asyncpg.DiskFullError(), NoPlaybookError()]
AWAY += [asyncpg.UndefinedTableError(), asyncpg.ReadOnlySQLTransactionError(), asyncpg.InterfaceError("closed")]
AWAY += [RPCError("", RPCStatusCode.UNAVAILABLE, b""), VendorBusyError("a vendor", "http_503"), BusyError()]
AMISS = [JourneyMissingError(), VendorBusyError("a vendor", "http_401"), VendorGarbledError("a vendor", "not_json")]
AMISS += [RPCError("", RPCStatusCode.NOT_FOUND, b""), RPCError("", RPCStatusCode.PERMISSION_DENIED, b"")]


@pytest.mark.parametrize(
    ("error", "kind"),
    [(error, Trouble.FAULT) for error in FAULTS]
    + [(error, Trouble.AWAY) for error in AWAY]
    + [(error, Trouble.AMISS) for error in AMISS],
    ids=repr,
)
def test_every_error_is_one_of_three_kinds(error, kind):
    """What is away is waited for, what somebody mends has a week, and the rest is the row's own fault."""
    assert trouble(error) is kind


async def test_an_order_that_cannot_be_reached_holds_up_its_own_facts(gate, post):
    """While Temporal is away for an order, its facts keep their order, and the cancellation stays behind."""
    await gate.send.order()
    await post.deliver()
    post.journeys.broken.add(workflow_id("acme", "1001"))
    await gate.send.event("review.posted", timestamp=AT, shop="acme", order_id="1001", rating=5)
    await gate.send.event("order.cancelled", timestamp=LATER, shop="acme", order_id="1001")
    await post.deliver(minutes=2)
    post.journeys.broken.clear()
    await post.deliver(minutes=2)
    assert post.journeys.kinds("acme", "1001") == ["ReviewPosted", "OrderCancelled"]


async def test_sums_that_do_not_add_up_are_said_to_people_once(gate, post):
    """Once for an order, by id and number, when people can be told; its customer's journey goes on."""
    post.mailbox.busy = True
    odd = {"shipping": "4.00", "tax": "0"}
    await gate.send.order(number="#7", sums=odd)
    await post.deliver(minutes=2)
    assert not post.mailbox.mails
    post.mailbox.busy = False
    await post.deliver(minutes=2)
    await gate.send.order(number="#7", sums=odd | {"shipping": "5.00"})
    await post.deliver(minutes=2)
    (subject,) = post.mailbox.subjects
    assert "sums do not add up" in subject
    assert "acme/1001 #7" in subject
