"""What each kind of fact does to the tables and tells the journeys."""

from datetime import date
from decimal import Decimal

from journey import events
from journey.base import workflow_id
from journey.order import Buyer
from starters.relay import Relay
from tests.cli.commands import ROOT
from tests.gateway.kit import Recorder, order_data

AT = "2026-11-23T08:00:00Z"


async def test_an_order_that_says_no_moment_is_placed_when_it_is_sent(gate):
    """The README's webhook, sent on any day, is an order of that day: its signed header says when."""
    answer = await gate.send.standard((ROOT / "examples" / "orders" / "first-order.json").read_bytes())
    assert answer.is_success
    await gate.relay.drain()
    # The gateway's clock stands in the past, where no order is placed later than it comes.
    assert gate.journeys.started[workflow_id("acme", "1001")].placed_at == gate.clock.now


async def test_a_parcel_of_two_orders_tells_both(gate):
    """A number in two orders is one parcel for each of them."""
    for order_id in ("1", "2"):
        await gate.send.order(order_id=order_id)
        await gate.send.event("shipment.created", timestamp=AT, shop="acme", order_id=order_id, tracking_number="P-1")
    await gate.send.scan("P-1", "out_for_delivery", AT)
    await gate.relay.drain()
    assert gate.journeys.kinds("acme", "1")[-1] == gate.journeys.kinds("acme", "2")[-1] == "ShipmentUpdated"


async def test_an_order_waits_with_its_parcels_while_its_journey_is_not_there(gate):
    """A scan is not lost between an order's row and the start of its journey."""
    gate.journeys.away = True
    await gate.send.order()
    await gate.relay.drain()
    await gate.send.event(
        "shipment.created", timestamp="2020-01-01T00:00:00Z", shop="acme", order_id="1001", tracking_number="P"
    )
    gate.clock.forward(seconds=1)
    await gate.relay.drain()
    gate.journeys.away = False
    gate.clock.forward(seconds=60)
    await gate.relay.drain()
    assert gate.journeys.kinds("acme", "1001") == ["ShipmentCreated"]


async def test_a_newer_order_is_told_to_the_one_before(gate):
    """A known customer is a repeat buyer, and each journey learns of the next order, in whatever order they come."""
    await gate.send.order(order_id="2", placed_at="2026-11-22T09:00:00Z")
    await gate.relay.drain()
    await gate.send.order(order_id="3", placed_at="2026-11-22T09:30:00Z")
    await gate.send.order(order_id="1", placed_at="2026-11-01T09:00:00Z")
    await gate.relay.drain()
    told = {(key, event.order_id) for key, event in gate.journeys.told}
    assert {
        (workflow_id("acme", "1"), "2"),
        (workflow_id("acme", "2"), "3"),
    } == told
    assert gate.journeys.started[workflow_id("acme", "3")].buyer is Buyer.REPEAT


async def test_an_order_tells_two_journeys_at_most(gate):
    """However many orders a customer has, a new one is told to its neighbours alone."""
    for hour in range(8):
        await gate.send.order(order_id=str(hour), placed_at=f"2026-11-21T0{hour}:00:00Z")
        await gate.relay.drain()
    assert len(gate.journeys.told) == 7
    await gate.send.order(order_id="late", placed_at="2026-11-21T03:30:00Z")
    await gate.relay.drain()
    told = {(key, event.order_id) for key, event in gate.journeys.told[7:]}
    assert told == {(workflow_id("acme", "3"), "late"), (workflow_id("acme", "late"), "4")}


async def test_a_reopened_journey_is_told_of_the_next_order(gate):
    """What the journey answers counts, not what the tables say of its end; one that is gone is no trouble."""
    await gate.send.order(order_id="1", placed_at="2026-11-21T09:00:00Z")
    await gate.relay.drain()
    await gate.pool.execute("UPDATE orders SET ended_at = now()")
    await gate.send.order(order_id="2", placed_at="2026-11-21T10:00:00Z")
    await gate.relay.drain()
    assert gate.journeys.kinds("acme", "1") == ["CustomerReordered"]
    gate.journeys.lost.add(workflow_id("acme", "2"))
    await gate.send.order(order_id="3", placed_at="2026-11-21T11:00:00Z")
    await gate.relay.drain()
    assert await gate.states() == ["dispatched"] * 3


class _Meanwhile(Recorder):
    """While it starts order 1, somebody else writes order 2 down and looks in vain for order 1's journey."""

    def __init__(self, pool):
        super().__init__()
        self.pool = pool

    async def start(self, facts, playbook):
        await self.pool.execute(
            "INSERT INTO orders (shop, order_id, customer_id, placed_at, currency, total, buyer, playbook)"
            " SELECT shop, '2', customer_id, placed_at + interval '1 second', currency, total, buyer, playbook"
            " FROM orders"
        )
        return await super().start(facts, playbook)


async def test_an_order_that_comes_while_a_journey_starts_is_told(gate):
    """Of two orders that come together the older one learns of the newer, whichever is the slower."""
    journeys = _Meanwhile(gate.pool)
    await gate.send.order(order_id="1")
    await Relay(gate.pool, journeys, clock=gate.clock).drain()
    assert [(key, event.order_id) for key, event in journeys.told] == [(workflow_id("acme", "1"), "2")]


async def test_an_order_dated_ahead_was_placed_when_it_came(gate):
    """A shop whose clock runs ahead does not make a journey that begins in years."""
    await gate.send.order(placed_at="2099-01-01T00:00:00Z")
    await gate.relay.drain()
    placed_at = await gate.pool.fetchval("SELECT placed_at FROM orders")
    assert placed_at == gate.clock.now == gate.journeys.started[workflow_id("acme", "1001")].placed_at


async def test_a_locale_that_is_not_said_stays(gate):
    """A newer order without a locale, or with an impossible one, leaves the known one alone."""
    for number, customer in enumerate(({}, {"locale": None}, {"locale": "xx-QQ-zz"})):
        placed_at = f"2026-11-22T09:0{number}:00Z"
        await gate.send.order(order_id=str(number), placed_at=placed_at, customer=customer)
        await gate.relay.drain()
    assert await gate.pool.fetchval("SELECT locale FROM customers") == "de-DE"
    await gate.send.order(order_id="9", placed_at="2026-11-22T09:30:00Z", customer={"locale": "en"})
    await gate.relay.drain()
    assert await gate.pool.fetchval("SELECT locale FROM customers") == "en"


async def test_a_customer_the_shop_has_counted_is_a_repeat_buyer(gate):
    """A shop that says it is the fifth order is believed."""
    await gate.send.order(customer={"orders_count": 5})
    await gate.relay.drain()
    assert gate.journeys.started[workflow_id("acme", "1001")].buyer is Buyer.REPEAT


async def test_an_old_edit_does_not_undo_a_newer_one(gate):
    """The newest edit holds, whichever comes last; an edit that changes nothing is not told."""
    await gate.send.order()
    lines = order_data()["lines"]
    await gate.relay.drain()
    for hour, quantity, total in ((12, 3, "237.00"), (11, 2, "158.00"), (13, 3, "237.00")):
        edited = [lines[0] | {"quantity": quantity}]
        at = f"2026-11-22T{hour}:00:00Z"
        await gate.send.event("order.edited", timestamp=at, shop="acme", order_id="1001", total=total, lines=edited)
        await gate.relay.drain()
    told = [event.total for _, event in gate.journeys.told]
    assert told == [Decimal("237.00")]
    assert await gate.pool.fetchval("SELECT quantity FROM lines") == 3
    assert [row["note"] for row in await gate.rows()] == [None, None, "nothing new", "nothing new"]


async def test_an_edit_whose_telling_failed_is_told_again(gate):
    """When the tables know an edit and the journey does not, the next attempt tells it."""
    await gate.send.order()
    await gate.relay.drain()
    gate.journeys.away = True
    lines = [order_data()["lines"][0] | {"quantity": 2}]
    await gate.send.event("order.edited", timestamp=AT, shop="acme", order_id="1001", total="158.00", lines=lines)
    await gate.relay.drain()
    gate.journeys.away = False
    gate.clock.forward(seconds=1)
    await gate.relay.drain()
    assert gate.journeys.kinds("acme", "1001") == ["OrderEdited"]


async def test_refunds_that_add_up_are_a_full_refund(gate):
    """The refund with which everything was paid back is full, in whatever order they become known."""
    await gate.send.order()
    for refund_id, amount, day in (("b", "39.00", 25), ("a", "40.00", 24)):
        at = f"2026-11-{day}T10:00:00Z"
        await gate.send.event(
            "order.refunded", shop="acme", order_id="1001", refund_id=refund_id, amount=amount, occurred_at=at
        )
        await gate.relay.drain()
    told = [(event.refund_id, event.full) for _, event in gate.journeys.told]
    assert told == [("b", False), ("a", False), ("b", True)]


async def test_a_customer_is_updated_by_the_newest_word(gate):
    """Newer data replace older ones, late data only fill gaps, and consent is kept as its history."""
    await gate.send.order()
    newer = {"customer_id": "c-17", "email": "new@example.com", "consent": {"email_marketing": False}}
    await gate.send.event("customer.updated", timestamp="2026-11-22T09:59:59Z", shop="acme", customer=newer)
    late = {"customer_id": "c-17", "email": "old@example.com", "first_name": "Old"}
    await gate.send.event("customer.updated", timestamp="2026-11-01T09:00:00Z", shop="acme", **late)
    await gate.relay.drain()
    customer = await gate.pool.fetchrow("SELECT * FROM customers")
    assert (customer["email"], customer["first_name"], customer["country"]) == ("new@example.com", "Ada", "DE")
    latest = await gate.pool.fetchval("SELECT granted FROM consents WHERE channel = 'email' ORDER BY at DESC, id DESC")
    assert latest is False


async def test_reviews_are_kept_and_told_without_their_words(gate):
    """A journey learns the stars; what the customer wrote stays in the database, once."""
    await gate.send.order()
    review = {"shop": "acme", "order_id": "1001", "sku": "YM-1", "rating": 2, "text": "It smells.\nBadly."}
    await gate.send.event("review.posted", timestamp=AT, **review)
    await gate.send.event("review.posted", timestamp=AT, **review)
    await gate.relay.drain()
    assert [(row["rating"], row["body"]) for row in await gate.pool.fetch("SELECT * FROM reviews")] == [
        (2, "It smells. Badly.")
    ]
    assert "smells" not in str(gate.journeys.told)


async def test_estimates_and_late_scans(gate):
    """A late scan never moves the parcel back, and the last promise is the one shown."""
    await gate.send.order()
    await gate.send.event("shipment.created", timestamp=AT, shop="acme", order_id="1001", tracking_number="P-1")
    await gate.send.scan("P-1", "out_for_delivery", "2026-11-26T06:00:00Z", est_delivery_date="2026-11-26")
    await gate.send.scan("P-1", "in_transit", "2026-11-24T06:00:00Z", est_delivery_date="2026-11-25")
    await gate.relay.drain()
    row = await gate.pool.fetchrow("SELECT * FROM shipments")
    assert (row["status"], row["estimated_delivery"]) == ("out_for_delivery", date(2026, 11, 26))


async def test_any_order_of_arrival_ends_the_same(gate):
    """Facts arriving backwards leave the same tables as in order."""
    sends = [
        gate.send.order,
        lambda: gate.send.event("shipment.created", timestamp=AT, shop="acme", order_id="1001", tracking_number="P-1"),
        lambda: gate.send.scan("P-1", "in_transit", "2026-11-24T06:00:00Z"),
        lambda: gate.send.scan("P-1", "delivered", "2026-11-25T06:00:00Z"),
        lambda: gate.send.event(
            "order.refunded", timestamp=AT, shop="acme", order_id="1001", refund_id="r", amount="79"
        ),
    ]
    for send in reversed(sends):
        await send()
        await gate.relay.drain()
    assert await gate.states() == ["dispatched"] * 5
    assert await gate.pool.fetchval("SELECT status FROM shipments") == "delivered"
    assert [event.full for _, event in gate.journeys.told if isinstance(event, events.OrderRefunded)] == [True]


async def test_a_consent_in_the_future_does_not_outlive_an_opt_out(gate):
    """An order dated years ahead counts from its arrival, so that a later opt-out is the newer word."""
    await gate.send.order(placed_at="2099-01-01T00:00:00Z")
    await gate.relay.drain()
    gate.clock.forward(minutes=1)
    await gate.client.post(gate.links.unsubscribe("acme", "1001"))
    rows = await gate.pool.fetch("SELECT granted FROM consents WHERE channel = 'email' ORDER BY at, id")
    assert [row["granted"] for row in rows] == [True, False]


async def test_a_region_goes_with_its_country(gate):
    """It is kept while nobody says otherwise, and gone when the customer turns up in another country."""

    async def told(at, **person):
        customer = {"customer_id": "c-17", **person}
        await gate.send.event("customer.updated", timestamp=at, shop="acme", customer=customer)
        await gate.relay.drain()
        return tuple(await gate.pool.fetchrow("SELECT country, region FROM customers"))

    gate.clock.forward(days=9)
    await gate.send.order(customer={"country": "US", "region": "US-CA"})
    await gate.relay.drain()
    assert await told("2026-11-23T10:00:00Z", country="US") == ("US", "CA")
    assert await told("2026-11-24T10:00:00Z", region="NY") == ("US", "NY")
    assert await told("2026-11-25T10:00:00Z", country="FR") == ("FR", None)
    assert await told("2026-11-24T12:00:00Z", country="US", region="FL") == ("FR", None)
    assert await told("2026-11-26T10:00:00Z", country="CA", region="QC") == ("CA", "QC")
