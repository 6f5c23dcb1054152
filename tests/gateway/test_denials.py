"""A delivery that is denied when nobody listens any more: the shop's people are told instead."""

import pytest

from activities.alerts import Alerts
from journey.base import workflow_id
from starters.denials import to_people
from starters.relay import Relay
from tests.support.sockets import HOST
from tests.support.standin import Said, StandIn

AT = "2026-11-22T10:01:00Z"
ME = workflow_id("acme", "1001")


class Channel(StandIn):
    """A Slack channel; `lines` are what it was sent."""

    def usual(self, _request):
        return Said(200, b"ok")

    @property
    def lines(self):
        return [asked.json()["text"] for asked in self.asked]


@pytest.fixture
async def channel():
    made = Channel()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def people(gate, channel):
    made = Alerts(f"slack+https://{HOST}:{channel.port}/services/x?insecure=1", sender="a@shop.test")
    yield to_people(gate.pool, made)
    await made.aclose()


async def denied(gate, people, *, found=False):
    """A parcel that was delivered, and its customer's word after the journey's end; the relay that takes it."""
    await gate.send.order()
    await gate.send.event("shipment.created", timestamp=AT, shop="acme", order_id="1001", tracking_number="P-1")
    await gate.send.scan("P-1", "delivered", "2026-11-22T10:04:00Z")
    await gate.relay.drain()
    gate.clock.forward(days=1)
    relay = Relay(gate.pool, gate.journeys, clock=gate.clock, unheard=people)
    if found:
        await deny(gate, found=False)
        await relay.drain()
        gate.clock.forward(minutes=1)
    gate.journeys.ended.add(ME)
    await deny(gate, found=found)
    await relay.drain()
    return relay


async def deny(gate, *, found):
    word = {"shop": "acme", "order_id": "1001", "tracking_number": "P-1", "found": found}
    await gate.send.event("delivery.denied", timestamp=gate.clock.now.isoformat(), **word)


@pytest.mark.parametrize(("found", "kind"), [(False, "a delivery is denied"), (True, "a parcel was found after all")])
async def test_after_the_journeys_end_people_are_told(gate, channel, people, found, kind):
    """The page promises that somebody looks into it, so somebody hears of it, by the order and the parcel."""
    await denied(gate, people, found=found)
    assert channel.lines == [f"{kind} · acme/1001 · P-1 · journey has ended"]
    assert [(await gate.rows())[-1][name] for name in ("status", "note")] == ["dispatched", "journey has ended"]


async def test_an_alert_that_does_not_get_through_is_tried_again(gate, channel, people):
    """The row waits for it like for anything else that is away."""
    channel.then(Said(503))
    relay = await denied(gate, people)
    assert ((await gate.states())[-1], len(channel.lines)) == ("pending", 1)
    gate.clock.forward(minutes=1)
    await relay.drain()
    assert ((await gate.states())[-1], len(channel.lines)) == ("dispatched", 2)


async def test_a_journey_that_runs_hears_it_by_itself(gate, channel, people):
    """Nobody else is told twice."""
    relay = await denied(gate, people)
    gate.journeys.ended.clear()
    gate.clock.forward(minutes=1)
    await deny(gate, found=True)
    await relay.drain()
    assert gate.journeys.kinds("acme", "1001")[-1] == "DeliveryDenied"
    assert len(channel.lines) == 1


async def test_saying_to_and_fro_all_day_adds_a_bounded_number_of_rows(gate):
    """A page's word is kept ten times a day; after that the page says that it is enough, and tomorrow it is heard."""
    await gate.send.order()
    await gate.send.event("shipment.created", timestamp=AT, shop="acme", order_id="1001", tracking_number="P-1")
    await gate.send.scan("P-1", "delivered", "2026-11-22T10:04:00Z")
    await gate.relay.drain()
    gate.clock.forward(hours=1)
    await gate.relay.drain()
    link, said = gate.links.order("acme", "1001"), []
    for number in range(14):
        gate.clock.forward(minutes=1)
        found = "yes" if number % 2 else "no"
        answer = await gate.client.post(f"{link}/denied", data={"parcel": "P1", "found": found})
        said.append(answer.headers["location"].partition("said=")[2])
        await gate.relay.drain()
    assert said == ["denied", "found"] * 5 + ["enough", "found"] * 2
    assert sum(row["source"] == "portal" for row in await gate.rows()) == 10
    page = await gate.client.get(f"{link}?said=enough")
    assert "heute schon oft gesagt" in page.text
    gate.clock.forward(days=1)
    again = await gate.client.post(f"{link}/denied", data={"parcel": "P1", "found": "no"})
    assert again.headers["location"].endswith("said=denied")
