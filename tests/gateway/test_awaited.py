"""What is still waited for, through the real endpoints: refunds before it left, ways back, days that nobody means."""

from datetime import UTC, datetime, timedelta

import pytest

from journey.facts import attention, delivery_state
from journey.parcels import ParcelStatus
from store import views
from tests.gateway.shopfront import of_woo
from tests.gateway.test_fulfilments import SHOP, fulfilment, journey, order, shown, told
from tests.journey.stories import PLAYBOOK

LINES = [
    {"id": 1, "sku": "CUP-1", "title": "Cup", "quantity": 1, "current_quantity": 1, "price": "49.90"},
    {"id": 2, "sku": "BOX-1", "title": "Box", "quantity": 1, "current_quantity": 1, "price": "24.90"},
]


def refund(number, *lines, amount="49.90", status="success", **changes):
    """As `refunds/create` tells it, and the order carries it."""
    items = [
        {"id": line["id"], "quantity": 1, "line_item_id": line["id"], "restock_type": "cancel", "line_item": line}
        for line in lines
    ]
    money = {"id": 1, "kind": "refund", "status": status, "amount": amount, "currency": "EUR"}
    return {
        "id": number * 10,
        "order_id": number,
        "created_at": "2026-11-22T09:58:00Z",
        "processed_at": "2026-11-22T09:58:00Z",
        "refund_line_items": items,
        "transactions": [money] if amount else [],
    } | changes


async def page(gate, number, shop=SHOP):
    return (await gate.client.get(gate.links.order(shop, str(number)))).text


@pytest.mark.parametrize("status", ["success", "pending"])
async def test_what_was_refunded_before_it_left_is_not_waited_for(gate, status):
    """Its shipping stays paid, so the refund is of less than the total; nobody is told that it has not left yet."""
    await told(gate, ("orders/create", order(60)))
    await told(gate, ("refunds/create", refund(60, LINES[0], amount="44.90", status=status)))

    played = journey(gate, 60)
    assert not [key for key in played.sent if key.startswith("not_dispatched")]
    assert attention(played.state, PLAYBOOK, played.now) == ()
    assert "We are packing it" not in await page(gate, 60)


async def test_a_refund_that_failed_leaves_the_order_to_be_sent(gate):
    """It truly has not left, and its customer is told."""
    await told(gate, ("orders/create", order(61)))
    for status in ("pending", "failure"):
        body = order(61, refunds=[refund(61, LINES[0], status=status)], updated_at="2026-11-22T09:59:00Z")
        await told(gate, ("orders/updated", body))

    assert journey(gate, 61).state.to_be_sent
    assert "We are packing it" in await page(gate, 61)


async def test_what_nobody_paid_for_and_is_taken_off_again_is_an_edit(gate):
    """A refund that moves no money tells nothing of its own."""
    nothing = [LINES[0] | {"current_quantity": 0}]
    off = refund(62, LINES[0], amount=None)
    edited = order(62, line_items=nothing, refunds=[off], current_total_price="0.00", updated_at="2026-11-22T09:59:00Z")
    await told(gate, ("orders/create", order(62)), ("orders/updated", edited))

    assert journey(gate, 62).state.to_be_sent is False


async def test_a_line_that_is_refunded_while_the_rest_is_sent_is_not_waited_for(gate):
    """The order is delivered with what was sent, and the page packs nothing."""
    await told(gate, ("orders/create", order(63, line_items=LINES)), ("fulfillments/create", fulfilment(63, "JJD6300")))
    await told(gate, ("refunds/create", refund(63, LINES[1], amount="24.90")))
    await gate.send.scan("JJD6300", "delivered", "2026-11-22T09:59:30Z")
    await gate.relay.drain()

    assert delivery_state(journey(gate, 63, days=1).state) == "delivered"
    assert "Not sent yet" not in await page(gate, 63)


async def test_a_parcel_that_came_before_it_was_called_off_was_sent(gate):
    """That the order has not left yet, or is being packed, would not be true."""
    await told(gate, ("orders/create", order(64)), ("fulfillments/create", fulfilment(64, "JJD6400")))
    await gate.send.scan("JJD6400", "delivered", "2026-11-22T09:57:00Z")
    await told(gate, ("fulfillments/update", fulfilment(64, "JJD6400", minute=59, status="cancelled")))

    assert not [key for key in journey(gate, 64).sent if key.startswith("not_dispatched")]
    assert "We are packing it" not in await page(gate, 64)


async def test_what_is_scanned_on_the_way_back_is_no_news_for_its_customer(gate):
    """The van brings it to its sender: page, mails and people know it as on its way back."""
    await told(gate, ("orders/create", order(65)), ("fulfillments/create", fulfilment(65, "JJD6500")))
    for status, minute in (("return_to_sender", 57), ("out_for_delivery", 58), ("in_transit", 59)):
        await gate.send.scan("JJD6500", status, f"2026-11-22T09:{minute}:00Z")
    await gate.relay.drain()

    assert await shown(gate, 65) == [("JJD6500", ParcelStatus.RETURNING)]
    played = journey(gate, 65, days=1)
    assert not [key for key in played.sent if key.startswith("out_for_delivery")]
    assert "returning" in attention(played.state, PLAYBOOK, played.now)


async def woo(gate, topic, body):
    answer = await gate.send.woo(topic, body)
    assert answer.is_success, answer.text
    await gate.relay.drain()
    gate.clock.forward(minutes=1)


@pytest.mark.parametrize(
    ("topic", "gone"),
    [("order.deleted", {"id": 70}), ("order.updated", {"status": "trash"}), ("order.updated", {"status": "failed"})],
)
async def test_an_order_that_its_shop_took_off_its_list_is_not_waited_for(gate, topic, gone):
    """WooCommerce tells no cancellation then; nobody is told anything, and a restored order is waited for again."""
    await woo(gate, "order.created", woo_order())
    body = gone if topic == "order.deleted" else woo_order(date_modified_gmt="2026-11-22T09:58:00") | gone
    await woo(gate, topic, body)

    played = journey(gate, 70, shop="woo.example")
    assert set(played.sent) <= {"order_confirmation", "welcome"}
    assert attention(played.state, PLAYBOOK, played.now) == ()
    assert "We are packing it" not in await page(gate, 70, shop="woo.example")

    # A deletion has no moment of its own: it is of when it came, by the clock on the wall.
    restored = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S")
    await woo(gate, "order.restored", woo_order(date_modified_gmt=restored))
    assert journey(gate, 70, shop="woo.example").state.to_be_sent


async def test_an_order_that_left_stays_sent_where_its_shop_tidies_up(gate):
    """What travels is followed on."""
    await woo(gate, "order.created", woo_order())
    await woo(gate, "order.updated", woo_order(status="completed", date_modified_gmt="2026-11-22T09:58:00"))
    await woo(gate, "order.deleted", {"id": 70})
    await told(gate, ("orders/create", order(71)), ("fulfillments/create", fulfilment(71, "JJD7100")))
    await told(gate, ("orders/delete", {"id": 71}))

    assert delivery_state(journey(gate, 70, days=1, shop="woo.example").state) == "dispatched"
    assert delivery_state(journey(gate, 71, days=1).state) == "dispatched"


async def test_woocommerces_refund_of_all_that_the_goods_cost_is_of_all_goods(gate):
    """Its refunds say no more than their sums: with the shipping kept, nothing is left to be sent."""
    await woo(gate, "order.created", woo_order(total="35.00"))
    part = {"id": 1, "reason": "", "total": "-12.00"}
    later = {"total": "35.00", "date_modified_gmt": "2026-11-22T09:58:00"}
    await woo(gate, "order.updated", woo_order(refunds=[part], **later))
    assert journey(gate, 70, days=1, shop="woo.example").state.to_be_sent
    await woo(gate, "order.updated", woo_order(refunds=[{"id": 2, "reason": "", "total": "-18.00"}, part], **later))

    assert not journey(gate, 70, days=1, shop="woo.example").state.to_be_sent


async def test_a_fulfilment_that_failed_was_not_sent(gate):
    """Whatever was said of it before: it has still to leave, and its customer is told if it does not."""
    await told(gate, ("orders/create", order(73)), ("fulfillments/create", fulfilment(73, "JJD7300")))
    await told(gate, ("fulfillments/update", fulfilment(73, "JJD7300", minute=57, status="failure")))

    assert (journey(gate, 73, days=1).state.to_be_sent, await shown(gate, 73)) == (True, [])


async def test_a_checkout_that_nobody_finished_waits_for_nothing(gate):
    """A failed payment of an order that never was."""
    await woo(gate, "order.updated", woo_order(status="failed"))
    await told(gate, ("orders/delete", {"id": 72}))

    assert {(row["status"], row["note"]) for row in await gate.rows()} == {("dispatched", "nothing is known of it")}


def woo_order(**changes):
    return of_woo(70, date_created_gmt="2026-11-22T09:50:00", date_modified_gmt="2026-11-22T09:50:00") | changes


@pytest.mark.parametrize("day", ["0001-01-01T00:00:00Z", "2020-01-01", "2199-12-31", "9999-12-31T00:00:00Z", "soon", 7])
async def test_a_day_that_nobody_means_costs_itself_and_not_the_scan(gate, day):
    """Neither page nor journey promises it, and nobody is told at once that it is missed."""
    sent = fulfilment(66, "JJD6600", estimated_delivery_at=day)
    await told(gate, ("orders/create", order(66)), ("fulfillments/create", sent))
    await gate.send.scan("JJD6600", "in_transit", "2026-11-22T09:59:00Z", est_delivery_date=day)
    await gate.relay.drain()

    (parcel,) = (await views.order_view(gate.pool, SHOP, "66")).parcels
    assert (parcel.status, parcel.first_estimate, parcel.estimated_delivery) == (ParcelStatus.IN_TRANSIT, None, None)
    assert not [key for key in journey(gate, 66, days=2).sent if key.startswith("overdue")]


async def test_a_number_that_was_put_right_is_expected_from_then_on(gate):
    """The fulfilment is days old when its number is corrected; it is not missed in the same hour."""
    await told(gate, ("orders/create", order(67)), ("fulfillments/create", fulfilment(67, "WRONG67")))
    right = fulfilment(67, "RIGHT67", updated_at="2026-11-25T09:50:00Z")
    await told(gate, ("fulfillments/update", right))

    played = journey(gate, 67, days=5)
    assert played.state.parcels[0].expected_since == datetime.fromisoformat("2026-11-25T09:50:00Z")
    assert not [key for key in played.sent if key.startswith("not_scanned:RIGHT67")]
