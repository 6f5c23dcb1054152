"""Relays of two versions on one inbox: what the older one cannot read waits for the newer one, and nothing is lost.

The older relay is played by a row with a word that does not exist, the newer one by the same row with a word that does.
"""

import json

import pytest

from store import inbox, intake
from tests.gateway.kit import CHANGED, PLACED

AT = CHANGED
ORDER = {"shop": "acme", "order_id": "1001"}
NEWER = {
    "a new type": ("review.posted", "type", "review.sung"),
    "a new value": ("shipment.created", "method", "pigeon"),
    "a new shape": ("order.refunded", "amount", {"value": "5.00", "currency": "EUR"}),
}
SAID = {
    "review.posted": {"rating": 5},
    "shipment.created": {"tracking_number": "T1", "carrier": "DHL"},
    "order.refunded": {"refund_id": "r1", "amount": "5.00", "currency": "EUR"},
}
FACTS = {"review.posted": "ReviewPosted", "shipment.created": "ShipmentCreated", "order.refunded": "OrderRefunded"}


async def reworded(gate, kind: str, field: str, value: object) -> object:
    """Change a word of the row of that kind; the word that stood there."""
    row = await gate.pool.fetchrow("SELECT id, event FROM inbox WHERE topic = $1", kind)
    event = json.loads(row["event"])
    before = event[field]
    await gate.pool.execute("UPDATE inbox SET event = $2 WHERE id = $1", row["id"], json.dumps(event | {field: value}))
    return before


async def state(gate, kind: str) -> tuple[str, str | None]:
    row = await gate.pool.fetchrow("SELECT status, note FROM inbox WHERE topic = $1", kind)
    return row["status"], row["note"]


@pytest.mark.parametrize(("kind", "field", "value"), NEWER.values(), ids=NEWER)
async def test_a_word_that_a_relay_does_not_know_waits_for_one_that_does(gate, kind, field, value):
    """The older relay drops nothing, gives up nothing within the month and holds up none of the order's other facts."""
    await gate.send.order(order_id="1001", placed_at=PLACED)
    await gate.send.event(kind, timestamp=AT, **ORDER, **SAID[kind])
    known = await reworded(gate, kind, field, value)
    await gate.send.event("order.cancelled", timestamp="2026-11-22T10:02:00Z", **ORDER)
    await gate.relay.drain()

    assert gate.journeys.kinds("acme", "1001") == ["OrderCancelled"]
    assert (await state(gate, kind))[0] == "waiting"
    assert (await state(gate, kind))[1].startswith(inbox.UNREAD)
    gate.clock.forward(days=8)
    await gate.relay.drain()
    assert (await state(gate, kind))[0] == "waiting"

    await reworded(gate, kind, field, known)
    gate.clock.forward(minutes=1)
    await gate.relay.drain()
    assert (await state(gate, kind))[0] == "dispatched"
    assert gate.journeys.kinds("acme", "1001") == ["OrderCancelled", FACTS[kind]]


async def test_an_order_in_newer_words_is_waited_for_by_its_facts(gate):
    """A creation that cannot be read here starts its journey later, and what came for it meanwhile follows."""
    await gate.send.order(order_id="1001", placed_at=PLACED)
    known = await reworded(gate, "order.created", "lines", {"by": "reference"})
    await gate.send.event("order.cancelled", timestamp=AT, **ORDER)
    await gate.relay.drain()
    assert list(gate.journeys.started) == []

    await reworded(gate, "order.created", "lines", known)
    gate.clock.forward(minutes=1)
    await gate.relay.drain()
    assert gate.journeys.kinds("acme", "1001") == ["OrderCancelled"]


def test_the_note_names_a_field_and_never_its_value():
    """What stands beside a row that cannot be read says nothing of a person."""
    with pytest.raises(ValueError, match="type") as error:
        intake.from_json('{"type": "customer.sang", "email": "ada@example.com"}')
    assert "ada" not in intake.unknown(error.value)
