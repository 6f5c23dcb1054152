"""What an order is promised when it is placed: the shop's word or its own past, shown while it is so, kept for ever."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from activities.messaging.context import build_message
from activities.messaging.templates import Templates
from journey.lanes import USUAL
from journey.promises import Window, learnt_window
from journey.zones import zone_named
from store import messages
from tests.gateway.kit import CHANGED
from tests.journey.stories import PLAYBOOK

BERLIN = zone_named("Europe/Berlin")


@pytest.fixture(scope="module")
def templates():
    return Templates.load(Path(__file__).parents[2] / "playbooks")


async def confirmation(gate, templates):
    facts = await messages.load(gate.pool, "acme", "1001")
    touch = PLAYBOOK.by_id["order_confirmation"]
    mail = build_message(
        templates, gate.links, facts, touch, parcels=(), subject="t", key="k", message_id="<m@x>", now=gate.clock.now
    )
    return mail.text


async def page(gate):
    return (await gate.client.get(gate.links.order("acme", "1001"))).text


async def kept(gate):
    return tuple(await gate.pool.fetchrow("SELECT promised_from, promised_until, promised_by FROM orders"))


@pytest.mark.parametrize(
    ("said", "text", "row"),
    [
        ("2026-11-26", "By Thursday 26 November", (date(2026, 11, 26), date(2026, 11, 26), "shop")),
        (
            {"earliest": "2026-11-26", "latest": "2026-11-30T18:00:00Z"},
            "Between Thursday 26 November and Monday 30 November",
            (date(2026, 11, 26), date(2026, 11, 30), "shop"),
        ),
        ({"latest": "2026-11-30"}, "By Monday 30 November", (None, date(2026, 11, 30), "shop")),
    ],
)
async def test_the_shops_own_word_is_the_promise(gate, templates, said, text, row):
    """A day or a window of days, in the confirmation and on the page until it leaves."""
    await gate.send.order(customer={"locale": "en-GB"}, estimated_delivery=said)
    await gate.relay.drain()
    assert await kept(gate) == row
    assert text in await confirmation(gate, templates)
    assert "November.</p>" in await page(gate)


@pytest.mark.parametrize("said", ["soon", {}, [], None, {"earliest": "2026-12-01", "latest": "2026-11-01"}, 7])
async def test_a_word_that_is_no_day_promises_nothing(gate, templates, said):
    """What cannot be read costs the promise and not the order."""
    answer = await gate.send.order(customer={"locale": "en-GB"}, estimated_delivery=said)
    await gate.relay.drain()
    assert answer.status_code == 202
    assert await kept(gate) == (None, None, None)
    assert "Estimated delivery" not in await confirmation(gate, templates)
    assert "Expected" not in await page(gate)


async def learnt(gate):
    """A shop of which 19 of 20 orders leave within a day, and whose parcels to Germany take two to four days."""
    await gate.pool.execute("INSERT INTO dispatch_habits VALUES ('acme', 100, 86400, 'DE', now())")
    await gate.pool.execute(
        "INSERT INTO lanes VALUES ('acme', '', '', 'DE', 100, 3600, 3600, '{2,3,4}', 3600, NULL, now())"
    )


async def test_what_the_shops_lanes_taught_is_the_promise(gate, templates):
    """Where the shop says nothing, its own past does: placed on the 22nd, it comes from the 24th to the 27th."""
    await learnt(gate)
    await gate.send.order(customer={"locale": "en-GB"})
    await gate.relay.drain()
    assert await kept(gate) == (date(2026, 11, 24), date(2026, 11, 27), "lane")
    assert "Between Tuesday 24 November and Friday 27 November" in await confirmation(gate, templates)
    assert "Expected between Tuesday 24 November and Friday 27 November." in await page(gate)


@pytest.mark.parametrize(
    "changes",
    [
        {"channel": "pos"},
        {"delivery": {"method": "pickup"}},
        {"line": {"kind": "service"}},
        {"customer": {"country": None}},
    ],
)
async def test_nothing_is_promised_of_what_is_not_sent_or_not_known(gate, changes):
    """Tills, pick-ups and services have no lane; a country that nobody knows has none either."""
    await learnt(gate)
    await gate.send.order(**changes)
    await gate.relay.drain()
    assert await kept(gate) == (None, None, None)


async def test_a_promise_is_kept_as_it_was_made(gate):
    """A repeat with another day, a parcel and its carrier's word do not move it; a passed one is not shown."""
    await gate.send.order(customer={"locale": "en-GB"}, estimated_delivery="2026-11-26")
    await gate.send.order(customer={"locale": "en-GB"}, estimated_delivery="2026-12-24")
    await gate.relay.drain()
    gate.clock.forward(days=10)
    assert "26 November" not in await page(gate)
    parcel = {"shop": "acme", "order_id": "1001", "tracking_number": "P-1", "occurred_at": CHANGED}
    await gate.send.event("shipment.created", **parcel, estimated_delivery="2026-12-01")
    await gate.relay.drain()
    assert await kept(gate) == (date(2026, 11, 26), date(2026, 11, 26), "shop")


def test_a_window_is_of_the_customers_own_days():
    """Placed late in the evening in UTC, it is the next day where the customer lives; nothing learnt, no window."""
    placed = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    lane = USUAL.but(samples=50, transit=((0.5, 1.0), (0.8, 2.0), (0.95, 3.0)))
    within = timedelta(days=1)
    said = learnt_window(lane, dispatch_within=within, placed_at=placed, zone=BERLIN)
    assert said == Window(date(2026, 11, 24), date(2026, 11, 27))
    assert learnt_window(USUAL, dispatch_within=within, placed_at=placed, zone=BERLIN) is None
    assert learnt_window(lane, dispatch_within=None, placed_at=placed, zone=BERLIN) is None
