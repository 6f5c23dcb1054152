"""What shops only hint at, what the law asks for, and what was chosen: each brought to where it belongs, once."""

from datetime import timedelta

import pytest

from journey.base import workflow_id
from journey.events import RemedyChosen
from journey.remedies import By, Choice
from store import inbox, intake, remedies
from tests.support.orders import Order
from tests.support.remedies import step

MINE = "acme.myshopify.com"
AT = "2026-11-22T10:01:00Z"


async def test_what_the_law_asks_for_is_done_or_written_down(gate):
    """A look at the data is due within the month; who is to be forgotten is, with every name, at once."""
    await gate.send.order(shop=MINE, customer={"customer_id": "17"})
    await gate.relay.drain()
    person = {"shop_id": 1, "shop_domain": MINE, "customer": {"id": 17, "email": "ada@example.com"}}
    await gate.send.shopify("customers/data_request", person | {"data_request": {"id": 9}})
    await gate.relay.drain()
    requests = "SELECT kind, customer_id, request_id, due_at - requested_at AS within, done_at FROM privacy_requests"
    assert [tuple(row) for row in await gate.pool.fetch(requests)] == [
        ("data_request", "17", "9", timedelta(days=30), None)
    ]
    assert await gate.pool.fetchval("SELECT first_name FROM customers") == "Ada"
    await gate.send.shopify("customers/redact", person | {"orders_to_redact": []})
    await gate.relay.drain()
    rows = [tuple(row)[:2] for row in await gate.pool.fetch(f"{requests} WHERE done_at IS NOT NULL")]
    assert rows == [("redact", "17")]
    assert await gate.states() == ["dispatched"] * 3
    kept = await gate.pool.fetch("SELECT to_jsonb(c)::text AS c FROM customers c UNION SELECT body::text FROM inbox")
    assert "Ada" not in str([row["c"] for row in kept])
    assert await gate.pool.fetchval("SELECT count(*) FROM customers WHERE email IS NOT NULL") == 0


async def test_a_shop_that_leaves_takes_its_people_along_and_nobody_elses(gate):
    """Forty-eight hours after it has gone Shopify asks for its customers to be forgotten."""
    await gate.send.order(shop=MINE)
    await gate.send.order()
    await gate.relay.drain()
    await gate.send.shopify("shop/redact", {"shop_id": 1, "shop_domain": MINE})
    await gate.relay.drain()
    gate.clock.forward(minutes=1)
    await gate.relay.drain()
    named = await gate.pool.fetch("SELECT shop FROM customers WHERE email IS NOT NULL")
    assert [row["shop"] for row in named] == ["acme"]


@pytest.fixture
async def one_number(gate):
    """A number that two shops have: one sent it with DHL, the other with UPS."""
    for shop, carrier in (("acme", "DHL"), ("bolt", "UPS")):
        await gate.send.order(shop=shop)
        await gate.send.event(
            "shipment.created", timestamp=AT, shop=shop, order_id="1001", tracking_number="P-1", carrier=carrier
        )
    await gate.relay.drain()
    return gate


@pytest.mark.parametrize(("carrier", "told"), [("UPS", ["bolt"]), ("DHL", ["acme"]), ("FedEx", ["acme", "bolt"])])
async def test_a_scan_of_a_number_that_two_shops_have_goes_to_the_carriers_own(one_number, carrier, told):
    """The carrier tells the two parcels apart; where it does not, nobody's news is lost."""
    await one_number.send.scan("P-1", "in_transit", "2026-11-22T12:00:00Z", carrier=carrier)
    await one_number.relay.drain()
    scanned = "SELECT shop FROM shipments WHERE status = 'in_transit' ORDER BY shop"
    assert [row["shop"] for row in await one_number.pool.fetch(scanned)] == told
    heard = [shop for shop in ("acme", "bolt") if "ShipmentUpdated" in one_number.journeys.kinds(shop, "1001")]
    assert heard == told


async def test_a_scan_that_names_its_shop_is_that_shops(one_number):
    """Whose parcel it is goes before what the carriers say."""
    scan = {"tracking_number": "P-1", "carrier": "DHL", "status": "delivered", "occurred_at": "2026-11-22T12:00:00Z"}
    event = intake.ShipmentUpdated(at=scan.pop("occurred_at"), shop="bolt", **scan)
    await inbox.keep(
        one_number.pool,
        source="aftership",
        event_id="a-1",
        topic="delivered",
        body=b"",
        events=[event],
        received_at=one_number.clock.now,
    )
    await one_number.relay.drain()
    assert one_number.journeys.kinds("acme", "1001") == ["ShipmentCreated"]
    assert one_number.journeys.kinds("bolt", "1001") == ["ShipmentCreated", "ShipmentUpdated"]


async def test_a_scan_does_not_wait_for_the_other_shops_order(one_number):
    """While one shop's order is told again and cannot be, the other one's journey hears of its parcel."""
    one_number.journeys.broken.add(workflow_id("bolt", "1001"))
    await one_number.send.order(shop="bolt")
    await one_number.relay.drain()
    await one_number.send.scan("P-1", "in_transit", "2026-11-22T12:00:00Z", carrier="FedEx")
    await one_number.relay.drain()
    assert one_number.journeys.kinds("acme", "1001") == ["ShipmentCreated", "ShipmentUpdated"]
    assert one_number.journeys.kinds("bolt", "1001") == ["ShipmentCreated"]


@pytest.fixture
async def offered(gate):
    """An order whose parcel is lost, and something to choose from."""
    await gate.send.order()
    await gate.send.event("shipment.created", timestamp=AT, shop="acme", order_id="1001", tracking_number="T1")
    await gate.relay.drain()
    now = gate.clock.now
    async with gate.pool.acquire() as connection, connection.transaction():
        asked = step(Order("1001"), at=now, choose_by=now + timedelta(days=3))
        await remedies.offer(connection, asked, otherwise=Choice.REFUND)
    return gate


async def choose(gate, choice):
    async with gate.pool.acquire() as connection, connection.transaction():
        now = gate.clock.now
        given = {"by": By.CUSTOMER, "at": now, "received_at": now}
        return await remedies.choose(connection, "acme", "1001", "T1", choice, **given)


async def test_a_choice_starts_one_saga_and_tells_the_journey(offered):
    """Who clicks twice, or changes their mind, has chosen once; the journey hears what stands."""
    assert [(await choose(offered, choice)).new for choice in (Choice.REPLACEMENT, Choice.REFUND)] == [True, False]
    await offered.relay.drain()
    (saga,) = offered.journeys.settling.values()
    assert (saga.shop, saga.order_id, saga.part, saga.playbook) == ("acme", "1001", "T1", "digest")
    assert [event for _, event in offered.journeys.told if isinstance(event, RemedyChosen)] == [
        RemedyChosen(at=offered.clock.now, part="T1", choice=Choice.REPLACEMENT, by=By.CUSTOMER)
    ]
    assert (await offered.states())[-1] == "dispatched"


async def test_a_choice_made_while_temporal_is_away_is_not_lost(offered):
    """It is told later, and to one saga, though the first attempt had started it."""
    await choose(offered, Choice.REFUND)
    offered.journeys.lost.add(workflow_id("acme", "1001"))
    await offered.relay.drain()
    assert (await offered.states())[-1] == "pending"
    offered.journeys.lost.clear()
    offered.journeys.away = True
    offered.clock.forward(minutes=15)
    await offered.relay.drain()
    offered.journeys.away = False
    offered.clock.forward(minutes=15)
    await offered.relay.drain()
    assert (await offered.rows())[-1]["note"] == "nothing new"
    assert (len(offered.journeys.settling), offered.journeys.kinds("acme", "1001")[-1]) == (1, "RemedyChosen")


async def test_a_choice_after_the_journeys_end_still_has_its_saga(offered):
    """The money goes back though nobody is left to be told."""
    offered.journeys.ended.add(workflow_id("acme", "1001"))
    await choose(offered, Choice.REFUND)
    await offered.relay.drain()
    assert len(offered.journeys.settling) == 1
    assert [(await offered.rows())[-1][name] for name in ("status", "note")] == ["dispatched", "journey has ended"]
