"""What the order page says of parcels: every scan, when they come and how sure that is, and that one never came."""

import html
import json
import re

import pytest

from journey.events import DeliveryDenied
from journey.parcels import pickup_number
from store import intake, shipments


@pytest.fixture
async def placed(gate):
    await gate.send.order(customer={"locale": "en-GB"})
    await gate.relay.drain()
    gate.clock.forward(minutes=5)
    return gate


async def sent(gate, number="P-1", **more):
    await gate.send.event("shipment.created", shop="acme", order_id="1001", tracking_number=number, **more)
    await gate.relay.drain()


async def order_page(gate):
    page = await gate.client.get(gate.links.order("acme", "1001"))
    assert page.status_code == 200
    return html.unescape(page.text)


async def test_every_scan_is_told_with_day_time_and_place(placed):
    """The newest first, by the customer's own clock, each in plain words."""
    await sent(placed)
    told = {"carrier": "DHL", "tracking_number": "P-1"}
    for status, at, more in (
        ("in_transit", "2026-11-24T23:30:00Z", {"location": "Leipzig"}),
        ("exception", "2026-11-25T08:05:00Z", {"reason": "customs", "location": "<Köln>"}),
    ):
        await placed.send.event("shipment.updated", status=status, occurred_at=at, **told, **more)
    await placed.relay.drain()
    page = await order_page(placed)
    shown = ["Every scan (2)", "Wednesday 25 November", "09:05", "Problem reported (at customs)", "<Köln>", "00:30"]
    places = [page.find(text) for text in [*shown, "On its way", "Leipzig"]]
    assert -1 not in places
    assert [*places[:6], places[7]] == sorted([*places[:6], places[7]])
    assert "Tuesday 24 November" not in page


@pytest.mark.parametrize(
    ("locale", "shown"),
    [
        ("en-GB", ("Expected by Thursday 26 November", "4 of 5 parcels like this arrive by Thursday 26 November.")),
        ("de-DE", ("Erwartet bis Donnerstag, 26. November", "4 von 5 Paketen wie diesem kommen bis Donnerstag")),
        ("fr", ("Prévu d\u2019ici le jeudi 26 novembre", "4 colis comme celui-ci sur 5 arrivent d\u2019ici le jeudi")),
        ("es", ("como tarde, para el jueves, 26 de noviembre", "4 de cada 5 paquetes como este llegan")),
    ],
)
async def test_a_learnt_day_comes_with_its_probability(placed, locale, shown):
    """Without a date of the carrier's the shop's own parcels name the day and how sure it is, in words."""
    await placed.pool.execute("UPDATE customers SET locale = $1", locale)
    await placed.pool.execute(
        """INSERT INTO lanes (shop, carrier, service, country, samples, transit_days, learnt_at)
           VALUES ('acme', 'dhl', '', 'DE', 240, '{2, 4, 6}', now())"""
    )
    await sent(placed, carrier="DHL")
    page = await order_page(placed)
    assert [text for text in shown if text not in page] == []


async def test_no_probability_is_made_up(placed):
    """A lane nothing was learnt of has a day and no figure; the carrier's own date has one only where it was learnt."""
    await sent(placed, carrier="DHL")
    page = await order_page(placed)
    assert ("Expected by " in page, "usual on this way" in page, "parcels like this" in page) == (True, True, False)
    await placed.send.scan("P-1", "in_transit", "2026-11-22T10:04:00Z", est_delivery_date="2026-11-25")
    await placed.relay.drain()
    page = await order_page(placed)
    assert ("Expected Wednesday 25 November" in page, "parcels like this" in page) == (True, False)
    await placed.pool.execute(
        """INSERT INTO lanes (shop, carrier, service, country, samples, transit_days, kept, learnt_at)
           VALUES ('acme', 'dhl', '', 'DE', 240, '{2, 4, 6}', 0.93, now())"""
    )
    assert "9 of 10 parcels like this keep it" in await order_page(placed)


async def test_lateness_is_said_and_so_is_not_knowing(placed):
    """A promise that moved is named, one that has passed is apologised for, and in the end nobody can say."""
    await sent(placed, estimated_delivery="2026-11-24")
    await placed.send.scan("P-1", "in_transit", "2026-11-22T10:04:00Z", est_delivery_date="2026-11-26")
    await placed.relay.drain()
    page = await order_page(placed)
    assert ("Expected Thursday 26 November" in page, "It was due Tuesday 24 November." in page) == (True, True)
    placed.clock.forward(days=3)
    assert "It was due Tuesday 24 November and is late." in await order_page(placed)
    placed.clock.forward(days=60)
    assert "Nobody can say just now when it comes." in await order_page(placed)


async def test_a_split_order_says_what_is_where(gate):
    """Each parcel names its lines, and what is in none of them is not sent yet."""
    line = {"quantity": 1, "unit_price": "10.00", "kind": "physical"}
    lines = [line | {"sku": sku, "title": title} for sku, title in (("A", "Mat"), ("B", "Block"), ("C", "Cushion"))]
    await gate.send.order(lines=lines, total="30.00", customer={"locale": "en-GB"})
    await gate.relay.drain()
    await sent(gate, "P-1", lines=[{"sku": "A"}])
    await sent(gate, "P-2", lines=[{"sku": "B"}], timestamp="2026-11-22T10:01:00Z")
    cards = (await order_page(gate)).split("<section")
    found = {
        title: next(card for card in cards if f"<h2>{title}</h2>" in card)
        for title in ("Parcel 1 of 2", "Parcel 2 of 2", "Not sent yet")
    }
    inside = {title: re.findall(r"<li>(\w+)</li>", card) for title, card in found.items()}
    assert inside == {"Parcel 1 of 2": ["Mat"], "Parcel 2 of 2": ["Block"], "Not sent yet": ["Cushion"]}


@pytest.mark.parametrize(
    ("status", "step", "said"),
    [
        (None, "Packed", "We are getting it ready"),
        ("available_for_pickup", "Ready", "Ready for you in the store."),
        ("delivered", "Collected", "Collected. Enjoy it!"),
        ("returning", None, "It was not collected"),
    ],
)
async def test_a_pick_up_is_ready_then_collected(placed, status, step, said):
    """It has its own steps, no carrier, no scans and nothing to deny."""
    number = pickup_number("acme", "1001")
    await sent(placed, number)
    await placed.pool.execute("UPDATE shipments SET method = 'pickup'")
    if status:
        at = "2026-11-22T10:04:00Z"
        await placed.send.event("shipment.updated", tracking_number=number, status=status, occurred_at=at)
        await placed.relay.drain()
    page = await order_page(placed)
    assert re.findall(r'aria-current="step">(\w+)', page) == ([step] if step else [])
    assert (said in page, number in page, "Every scan" in page, "/denied" in page) == (True, False, False, False)


@pytest.mark.parametrize(
    ("status", "reason", "action", "shown"),
    [
        ("exception", "refused", False, "refused at the door"),
        ("exception", "payment", True, "waits for duties or fees"),
        ("exception", "customs", True, "Held at customs, and the carrier is waiting"),
        ("exception", "customs", False, "usually clears by itself"),
        ("exception", None, True, "The carrier is waiting for an answer."),
        ("available_for_pickup", None, False, "pick-up point"),
    ],
)
async def test_problems_are_said_as_they_are(placed, status, reason, action, shown):
    """What the carrier wants and what comes next, without a comfort that does not fit."""
    await sent(placed)
    row = {"status": status, "reason": reason, "action_required": action, "occurred_at": "2026-11-22T10:04:00Z"}
    event = intake.ShipmentUpdated(tracking_number="P-1", at=row.pop("occurred_at"), **row)
    async with placed.pool.acquire() as connection, connection.transaction():
        await shipments.scan(connection, event, [("acme", "1001")], received_at=event.at)
    assert shown in await order_page(placed)


@pytest.fixture
async def delivered(placed):
    await sent(placed)
    await placed.send.scan("P-1", "delivered", "2026-11-22T10:04:00Z")
    await placed.relay.drain()
    placed.clock.forward(days=1)
    return placed


async def deny(gate, *, found="no", number="P1", link=None):
    link = link or gate.links.order("acme", "1001")
    return await gate.client.post(f"{link}/denied", data={"parcel": number, "found": found})


async def denials(gate):
    rows = await gate.pool.fetch("SELECT event, received_at FROM inbox WHERE source = 'portal' ORDER BY id")
    return [json.loads(row["event"])["found"] for row in rows]


async def test_a_delivery_is_denied_once_and_found_again(delivered):
    """Two clicks are one word; the page then says so and takes it back, and the word may be given again."""
    assert "It never came" in await order_page(delivered)
    answers = [await deny(delivered) for _ in range(2)]
    assert {answer.status_code for answer in answers} == {303}
    assert {answer.headers["location"].partition("?")[2] for answer in answers} == {"said=denied"}
    thanks = await delivered.client.get(answers[0].headers["location"])
    assert "Thank you for telling us" in thanks.text
    await delivered.relay.drain()
    page = await order_page(delivered)
    assert ("you told us that it never came" in page, "I found it after all" in page) == (True, True)
    await deny(delivered)
    assert await denials(delivered) == [False]
    for found in ("yes", "yes", "no"):
        delivered.clock.forward(minutes=1)
        await deny(delivered, found=found)
        await delivered.relay.drain()
    assert await denials(delivered) == [False, True, False]
    told = [event for _, event in delivered.journeys.told if isinstance(event, DeliveryDenied)]
    assert [(event.found, event.tracking_number) for event in told] == [(False, "P1"), (True, "P1"), (False, "P1")]


async def test_a_denial_is_shut_like_the_other_pages(delivered):
    """The forms go nowhere else, nothing is cached, and looking changes nothing."""
    page = await delivered.client.get(delivered.links.order("acme", "1001"))
    assert "form-action 'self'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    looked = await delivered.client.get(delivered.links.order("acme", "1001") + "/denied")
    assert (looked.status_code, await denials(delivered)) == (405, [])


@pytest.mark.parametrize("number", ["P-2", "", "x" * 70_000])
async def test_only_a_delivered_parcel_of_the_order_can_be_denied(delivered, number):
    """Another number, one on its way, none, or far too much of one: not found, and nothing is kept."""
    await sent(delivered, "P-2")
    answer = await deny(delivered, number=number)
    assert (answer.status_code, await denials(delivered)) == (404, [])


async def test_a_denial_needs_the_orders_own_link(delivered):
    """An altered link, or one of another kind, denies nothing; without the database nothing is promised."""
    link = delivered.links.order("acme", "1001")
    wrong = [link[:-1], link.replace("/o/", "/o/x"), delivered.links.unsubscribe("acme", "1001").replace("/u/", "/o/")]
    assert [(await deny(delivered, link=one)).status_code for one in wrong] == [404] * 3
    assert await denials(delivered) == []
    await delivered.pool.close()
    assert (await deny(delivered)).status_code == 503
