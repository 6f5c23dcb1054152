"""Fulfilments through the real endpoints: what the tables know, and what each order's journey makes of it."""

from datetime import datetime, timedelta

import pytest

from journey.base import workflow_id
from journey.facts import attention, delivery_state
from journey.parcels import ParcelStatus
from store import inbox, intake, views
from tests.journey.driver import drive
from tests.journey.makers import begun
from tests.journey.stories import PLAYBOOK

SHOP = "acme.myshopify.com"
NOON = "2026-11-22T09:50:00Z"


def order(number, **changes):
    return {
        "id": number,
        "name": f"#{number}",
        "email": f"b{number}@buyer.example",
        "created_at": NOON,
        "updated_at": NOON,
        "currency": "EUR",
        "total_price": "49.90",
        "customer": {"id": 500 + number, "email": f"b{number}@buyer.example"},
        "shipping_address": {"country_code": "DE"},
        "line_items": [
            {"id": 1, "sku": "CUP-1", "title": "Cup", "quantity": 1, "current_quantity": 1, "price": "49.90"}
        ],
        "shipping_lines": [{"title": "Standard"}],
    } | changes


def fulfilment(number, *numbers, minute=55, **changes):
    return {
        "id": number * 100,
        "order_id": number,
        "status": "success",
        "created_at": "2026-11-22T09:55:00Z",
        "updated_at": f"2026-11-22T09:{minute}:00Z",
        "tracking_company": "DHL",
        "tracking_number": numbers[0] if numbers else None,
        "tracking_numbers": list(numbers),
        "shipment_status": None,
        "line_items": [{"id": 1, "sku": "CUP-1", "quantity": 1}],
    } | changes


async def told(gate, *webhooks):
    for topic, body in webhooks:
        answer = await gate.send.shopify(topic, body)
        assert answer.is_success, answer.text
    await gate.relay.drain()
    gate.clock.forward(minutes=1)


def journey(gate, number, *, days=30, shop=SHOP):
    """The order's journey with all that it was told, played to its end or for so many days."""
    key = workflow_id(shop, str(number))
    facts = gate.journeys.started[key]
    arrivals = [(max(event.at, facts.placed_at), event) for name, event in gate.journeys.told if name == key]
    return drive(begun(facts, now=facts.placed_at), PLAYBOOK, arrivals, now=facts.placed_at,
                 end=facts.placed_at + timedelta(days=days))  # fmt: skip


def keys(gate, number):
    return [parcel.tracking_number for parcel in journey(gate, number, days=1).state.parcels]


async def shown(gate, number, shop=SHOP):
    view = await views.order_view(gate.pool, shop, str(number))
    return [(parcel.number, parcel.status) for parcel in view.parcels]


async def test_an_order_that_is_fulfilled_without_a_number_was_sent(gate):
    """It is never told that it has not left; care comes by the usual transit, and delivered is said by nobody."""
    await told(gate, ("orders/create", order(100)), ("fulfillments/create", fulfilment(100, "JJD100")))
    await told(gate, ("orders/create", order(102)))
    await told(gate, ("orders/fulfilled", order(102, fulfillments=[fulfilment(102)])))

    played = journey(gate, 102)
    assert any(key.startswith("shipped:") for key in played.sent)
    assert not [key for key in played.sent if key.startswith(("not_dispatched", "not_scanned", "delivered"))]
    assert any(key.startswith("care:") for key in played.sent)
    assert attention(played.state, PLAYBOOK, played.state.order.placed_at + timedelta(days=6)) == ()
    assert await shown(gate, 102) == [(None, ParcelStatus.PENDING)]


async def test_what_the_shop_says_was_delivered_without_a_number_is_delivered(gate):
    """Shopify's own word about the fulfilment is enough."""
    arrived = fulfilment(103, minute=58, shipment_status="delivered")
    await told(gate, ("orders/create", order(103)), ("fulfillments/update", arrived))

    assert delivery_state(journey(gate, 103, days=1).state) == "delivered"


async def test_a_placeholder_on_two_orders_is_no_number_of_both(gate):
    """The shop's word about one order's fulfilment reaches that order alone."""
    for number in (1051, 1052):
        await told(gate, ("orders/create", order(number)), ("fulfillments/create", fulfilment(number, "N/A")))
    await told(gate, ("fulfillments/update", fulfilment(1051, "N/A", minute=59, shipment_status="delivered")))

    assert delivery_state(journey(gate, 1051, days=1).state) == "delivered"
    assert delivery_state(journey(gate, 1052, days=1).state) == "dispatched"


@pytest.mark.parametrize(
    ("typed", "scanned"),
    [
        ("1z 999 aa1 01 2345 6784", ["1Z999AA10123456784"]),
        ("UPS 1Z999AA10123456784", ["1z 999-aa1-0123456784"]),
        ("JJD106A, JJD106B", ["JJD106A", "JJD106B"]),
        ("DHL AWB# 1234567890", ["1234567890"]),
        ("1234567890 - DHL Paket", ["1234567890"]),
    ],
)
async def test_a_number_as_it_is_typed_is_the_carriers(gate, typed, scanned):
    """Blanks, case, words before it and two in one field: the scans find their parcels, shown as they were typed."""
    await told(gate, ("orders/create", order(106)), ("fulfillments/create", fulfilment(106, typed)))
    for number in scanned:
        await gate.send.scan(number, "delivered", "2026-11-22T09:59:00Z")
    await gate.relay.drain()

    assert [status for _, status in await shown(gate, 106)] == [ParcelStatus.DELIVERED] * len(scanned)
    assert all(number in typed for number, _ in await shown(gate, 106))
    assert delivery_state(journey(gate, 106, days=1).state) == "delivered"


async def test_a_scan_whose_time_has_no_zone_is_of_the_last_look(gate):
    """17TRACK's local times: the parcel is delivered when 17TRACK asked its carrier, and nobody is told it is late."""
    await told(gate, ("orders/create", order(115)), ("fulfillments/create", fulfilment(115, "ST115")))
    local = {"time_utc": None, "time_iso": "2026-11-22T17:00:00", "stage": "Delivered"}
    provider = {"provider": {"key": 3011}, "latest_sync_time": "2026-11-22T09:58:30Z", "events": []}
    info = {
        "latest_status": {"status": "Delivered", "sub_status": "Delivered_Other"},
        "latest_event": local,
        "tracking": {"providers": [provider]},
    }
    body = {"event": "TRACKING_UPDATED", "data": {"number": "ST115", "carrier": 3011, "track_info": info}}
    assert (await gate.send.seventeentrack(body)).is_success
    await gate.relay.drain()

    assert await shown(gate, 115) == [("ST115", ParcelStatus.DELIVERED)]
    played = journey(gate, 115)
    assert delivery_state(journey(gate, 115, days=1).state) == "delivered"
    assert not [key for key in played.sent if key.startswith(("not_scanned", "overdue"))]
    scanned = await gate.pool.fetchval("SELECT delivered_at FROM shipments WHERE order_id = '115'")
    assert scanned == datetime.fromisoformat("2026-11-22T09:58:30Z")


async def test_an_order_that_is_edited_down_to_nothing_is_promised_no_parcel(gate):
    """It is no longer waited for, and nobody is told that it has not left yet."""
    nothing = [order(112)["line_items"][0] | {"current_quantity": 0}]
    await told(gate, ("orders/create", order(112)))
    edited = order(112, line_items=nothing, updated_at="2026-11-22T09:58:00Z", current_total_price="0.00")
    await told(gate, ("orders/updated", edited))

    played = journey(gate, 112)
    assert set(played.sent) <= {"order_confirmation"}
    assert attention(played.state, PLAYBOOK, played.state.order.placed_at + timedelta(days=6)) == ()


async def test_a_corrected_number_replaces_the_wrong_one(gate):
    """Page and journey know the right one alone; a scan of the wrong one is no news of this order."""
    await told(gate, ("orders/create", order(7)), ("fulfillments/create", fulfilment(7, "jjd 111")))
    await told(gate, ("fulfillments/update", fulfilment(7, "JJD 222", minute=57)))
    await gate.send.scan("JJD111", "delivered", "2026-11-22T09:59:00Z")
    await gate.relay.drain()

    assert keys(gate, 7) == ["JJD222"]
    assert [status for _, status in await shown(gate, 7)] == [ParcelStatus.PENDING]


async def test_a_cancelled_fulfilment_that_is_made_again_lives_again(gate):
    """With the same number under another id, and with the words in any order."""
    words = [
        ("fulfillments/create", fulfilment(8, "JJD8001")),
        ("fulfillments/update", fulfilment(8, "JJD8001", minute=56, status="cancelled")),
        ("fulfillments/create", fulfilment(8, "JJD8001", minute=57, id=801)),
    ]
    for number, said in ((8, words), (9, words[::-1])):
        await told(gate, ("orders/create", order(number)))
        for topic, body in said:
            await told(gate, (topic, body | {"order_id": number}))
        assert keys(gate, number) == ["JJD8001"]
        assert [number for number, _ in await shown(gate, number)] == ["JJD8001"]


async def test_an_order_whose_fulfilment_is_cancelled_has_still_to_leave(gate):
    """No parcel of it is left, in the tables or for the journey."""
    await told(gate, ("orders/create", order(10)), ("fulfillments/create", fulfilment(10, "JJD1001")))
    await told(gate, ("fulfillments/update", fulfilment(10, "JJD1001", minute=57, status="cancelled")))

    assert (keys(gate, 10), await shown(gate, 10)) == ([], [])
    assert journey(gate, 10, days=1).state.to_be_sent


async def test_a_backend_tells_fulfilments_too(gate):
    """Sent without a number, then under one, then called off; the last word of each fulfilment counts."""
    await gate.send.order()

    async def said(kind, minute, **more):
        moment = f"2026-11-22T10:{minute}:00Z"
        answer = await gate.send.event(kind, timestamp=moment, shop="acme", order_id="1001", fulfilment_id="F1", **more)
        assert answer.is_success, answer.text
        await gate.relay.drain()
        return await shown(gate, 1001, shop="acme")

    assert await said("shipment.created", "01") == [(None, ParcelStatus.PENDING)]
    assert await said("shipment.created", "02", tracking_number="jjd 1") == [("jjd 1", ParcelStatus.PENDING)]
    assert await said("shipment.updated", "03", status="delivered", tracking_number="JJD1") == [
        ("jjd 1", ParcelStatus.DELIVERED)
    ]
    assert await said("shipment.cancelled", "04") == []


@pytest.mark.parametrize("numbers", [["JJD4301"], ["JJD4301", "JJD4302"]])
async def test_a_shops_word_about_a_fulfilment_is_of_its_parcels(gate, numbers):
    """Shopify's event of a fulfilment names no number, and a backend may name the fulfilment alone."""
    await told(gate, ("orders/create", order(43)), ("fulfillments/create", fulfilment(43, *numbers)))
    happened = {"id": 1, "order_id": 43, "fulfillment_id": 4300, "status": "delivered"}
    await told(gate, ("fulfillment_events/create", happened | {"happened_at": "2026-11-22T09:58:00Z"}))

    assert await shown(gate, 43) == [(number, ParcelStatus.DELIVERED) for number in numbers]
    assert delivery_state(journey(gate, 43, days=1).state) == "delivered"


async def test_a_backends_word_about_an_order_is_of_its_only_parcel(gate):
    """Of several it is of none of them, and two numbers in one field are two parcels."""
    await gate.send.order()

    async def said(kind, minute, **more):
        moment = f"2026-11-22T10:{minute}:00Z"
        answer = await gate.send.event(kind, timestamp=moment, shop="acme", order_id="1001", **more)
        assert answer.is_success, answer.text
        await gate.relay.drain()
        return [status for _, status in await shown(gate, 1001, shop="acme")]

    await said("shipment.created", "01", tracking_number="JJD44011")
    assert await said("shipment.updated", "02", status="in_transit") == [ParcelStatus.IN_TRANSIT]
    await said("shipment.created", "03", tracking_number="JJD44022")
    typed = {"tracking_number": "JJD44011 / JJD44022", "status": "delivered"}
    assert await said("shipment.updated", "04", **typed) == [ParcelStatus.DELIVERED] * 2


async def test_that_an_order_was_sent_somehow_gives_way_to_its_fulfilments(gate):
    """Fulfilled without a word how, it was sent; once a fulfilment is told of, that is its parcel."""
    await told(gate, ("orders/create", order(45)))
    await told(gate, ("orders/updated", order(45, fulfillment_status="fulfilled", updated_at="2026-11-22T09:54:00Z")))
    assert await shown(gate, 45) == [(None, ParcelStatus.PENDING)]
    await told(gate, ("fulfillments/create", fulfilment(45, "JJD4500")))

    assert await shown(gate, 45) == [("JJD4500", ParcelStatus.PENDING)]
    assert keys(gate, 45) == ["JJD4500"]


async def test_a_shared_parcel_still_tells_every_order(gate):
    """A carrier's word is about the parcel, whoever's orders are in it."""
    for number in (21, 22):
        await told(gate, ("orders/create", order(number)), ("fulfillments/create", fulfilment(number, "JJD2100")))
    await gate.send.scan("jjd 2100", "delivered", "2026-11-22T09:59:00Z")
    await gate.relay.drain()

    assert {delivery_state(journey(gate, number, days=1).state) for number in (21, 22)} == {"delivered"}


async def test_delivered_after_it_went_back_is_told_to_nobody(gate):
    """The carrier brought it to its sender; where the shop says delivered as well, a person is asked."""
    await told(gate, ("orders/create", order(30)), ("fulfillments/create", fulfilment(30, "JJD3000")))
    await gate.send.scan("JJD3000", "return_to_sender", "2026-11-22T09:57:00Z")
    await gate.send.scan("JJD3000", "delivered", "2026-11-22T09:58:00Z")
    await told(gate, ("fulfillments/update", fulfilment(30, "JJD3000", minute=59, shipment_status="delivered")))

    assert await shown(gate, 30) == [("JJD3000", ParcelStatus.RETURNED)]
    played = journey(gate, 30, days=1)
    assert "delivered:JJD3000" not in played.sent
    assert "delivery_disputed" in attention(played.state, PLAYBOOK, played.state.order.placed_at + timedelta(hours=1))


@pytest.mark.parametrize("subject", ["tracking:JJD4000", "tracking::JJD4000", f"tracking:{SHOP}:JJD4000"])
async def test_scans_that_wait_under_any_subject_are_let_go(gate, subject):
    """Rows of before subjects named the shop wait under the number alone."""
    scan = intake.ShipmentUpdated(
        at=datetime.fromisoformat("2026-11-22T09:57:00+00:00"), tracking_number="JJD4000", status="in_transit"
    )
    await inbox.keep(
        gate.pool, source="easypost", event_id="old", topic="t", body=b"", events=[scan], received_at=gate.clock.now
    )
    await gate.pool.execute("UPDATE inbox SET subject = $1", subject)
    await gate.relay.drain()
    await told(gate, ("orders/create", order(40)), ("fulfillments/create", fulfilment(40, "JJD4000")))
    await gate.relay.drain()

    assert await shown(gate, 40) == [("JJD4000", ParcelStatus.IN_TRANSIT)]


async def test_a_carriers_word_about_a_placeholder_is_about_nobody(gate):
    """It does not wait for a parcel that never comes."""
    await gate.send.scan("N/A", "delivered", "2026-11-22T09:59:00Z")
    await gate.relay.drain()

    assert [(row["status"], row["note"]) for row in await gate.rows()] == [("dispatched", "names no parcel")]
