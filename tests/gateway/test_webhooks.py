"""Webhooks over HTTP: what is taken, what is refused and what is kept."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from starters.gateway import BODY_LIMIT, Front, Services, create_app, sources
from tests.gateway.kit import SECRET_KEY, SHOPIFY_SECRET, order_data


async def test_a_signed_order_is_kept_raw_and_read(gate):
    """A good webhook is answered 202 and stored with its body, subject and event."""
    answer = await gate.send.order(event_id="msg_1")
    (row,) = await gate.rows()
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
    assert (row["source"], row["event_id"], row["topic"], row["subject"], row["status"]) == (
        "events",
        "msg_1",
        "order.created",
        "order:acme:1001",
        "pending",
    )
    assert json.loads(row["body"])["data"]["order_id"] == "1001"
    assert json.loads(row["event"])["customer"]["email"] == "ada@example.com"


async def test_the_same_event_twice_is_one_event(gate):
    """A repeat under the same id is answered 2xx and not stored again."""
    await gate.send.order(event_id="msg_1")
    again = await gate.send.order(event_id="msg_1")
    assert (again.status_code, again.json()["status"], await gate.states()) == (202, "repeated", ["pending"])


@pytest.mark.parametrize(
    "headers",
    [
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "nonsense"},
        {"webhook-signature": "v1,ünï"},
        {"webhook-signature": ""},
        {"webhook-timestamp": "yesterday"},
        {"webhook-timestamp": "nan"},
        {"webhook-timestamp": "9" * 400},
        {"webhook-timestamp": ""},
        {"webhook-id": ""},
    ],
)
async def test_a_bad_signature_is_refused(gate, headers):
    """Whatever is wrong with the signature's headers, the answer is 401 and nothing is stored."""
    encoded = {name: value.encode("utf-8") for name, value in headers.items()}
    answer = await gate.send.standard({"type": "order.created"}, headers=encoded)
    assert (answer.status_code, await gate.rows()) == (401, [])


async def test_a_signature_over_other_bytes_is_refused(gate):
    """A body changed after signing is refused."""
    answer = await gate.send.standard(b'{"a": 1}')
    forged = await gate.client.post("/webhooks/events", content=b'{"a": 2}', headers=answer.request.headers)
    assert forged.status_code == 401


@pytest.mark.parametrize("minutes", [-6, 6])
async def test_a_replay_outside_five_minutes_is_refused(gate, minutes):
    """A well-signed webhook of another time is refused."""
    answer = await gate.send.standard({}, sent=datetime.now(UTC) + timedelta(minutes=minutes))
    assert answer.status_code == 401


async def test_a_good_signature_beside_odd_ones_is_enough(gate):
    """While a secret is rotated several signatures come; one good one is enough, whatever the others look like."""
    first = await gate.send.order(event_id="msg_1")
    given = dict(first.request.headers)
    given["webhook-signature"] = f"v2 v1a,x,y {given['webhook-signature']}"
    again = await gate.client.post("/webhooks/events", content=first.request.content, headers=given)
    assert again.json()["status"] == "repeated"


async def test_unsigned_shop_and_carrier_webhooks_are_refused(gate):
    """Shopify's and EasyPost's endpoints refuse what is unsigned or signed with another secret."""
    bare = [await gate.client.post(f"/webhooks/{name}", content=b"{}") for name in ("events", "shopify", "easypost")]
    other = [
        await gate.send.shopify("orders/create", {}, secret="other"),
        await gate.send.easypost({}, secret="other"),
    ]
    assert [answer.status_code for answer in (*bare, *other)] == [401] * 5


async def test_an_endpoint_without_secret_is_closed(gate, brand):
    """Where no secret is set the endpoint does not exist."""
    opened = sources(secret_key=SECRET_KEY, shopify_secret=SHOPIFY_SECRET)
    app = create_app(Services(pool=gate.pool, sources=opened, front=Front(gate.links, brand)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gate") as client:
        answers = [await client.post(f"/webhooks/{name}", content=b"{}") for name in ("events", "easypost", "shopify")]
    assert [answer.status_code for answer in answers] == [404, 404, 401]


async def test_unknown_topics_are_taken_and_recorded(gate):
    """What means nothing here is answered 2xx and kept as ignored, with the reason."""
    answers = [
        await gate.send.shopify("carts/update", {"token": "a"}),
        await gate.send.easypost({"id": "evt_1", "description": "batch.created", "result": {}}),
    ]
    rows = await gate.rows()
    assert [answer.status_code for answer in answers] == [202, 202]
    assert [(row["topic"], row["status"], row["note"]) for row in rows] == [
        ("carts/update", "ignored", "unknown topic"),
        ("batch.created", "ignored", "unknown topic"),
    ]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"lines": []}, "data.lines"),
        ({"lines": None}, "data.lines"),
        ({"total": "-1"}, "data.total"),
        ({"total": "NaN"}, "data.total"),
        ({"total": "1e400"}, "data.total"),
        ({"line": {"quantity": -1}}, "data.lines.0.quantity"),
        ({"line": {"quantity": 0}}, "data.lines.0.quantity"),
        ({"line": {"unit_price": "-0.01"}}, "data.lines.0.unit_price"),
        ({"line": {"sku": ""}}, "data.lines.0.sku"),
        ({"line": {"kind": "liquid"}}, "data.lines.0.kind"),
        ({"currency": "XXQ"}, "data.currency"),
        ({"currency": None}, "data.currency"),
        ({"order_id": ""}, "data.order_id"),
        ({"order_id": "a\nb"}, "data.order_id"),
        ({"order_id": "x" * 181}, "data.order_id"),
        ({"order_id": "漢" * 61}, "data.order_id"),
        ({"shop": "a:b"}, "data.shop"),
        ({"shop": "a/b"}, "data.shop"),
        ({"shop": "x" * 61}, "data.shop"),
        ({"shop": "漢" * 21}, "data.shop"),
        ({"shop": None}, "data.shop"),
        ({"placed_at": "yesterday"}, "data.placed_at"),
        ({"placed_at": "2026-11-22T10:00:00"}, "data.placed_at"),
        ({"placed_at": "0001-01-01T00:00:00+14:00"}, "data.placed_at"),
        ({"placed_at": "1970-01-01T00:00:00+01:00"}, "data.placed_at"),
        ({"total": "999999999999.999"}, "total"),
    ],
)
async def test_a_malformed_order_names_its_field(gate, changes, field):
    """What cannot be an order is answered 422 with the field, and nothing of it is stored."""
    answer = await gate.send.order(**changes)
    assert (answer.status_code, answer.json()["field"], await gate.rows()) == (422, field, [])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"order", "body"),
        (b"[]", "body"),
        (b"[" * 100_000, "body"),
        (b'{"a": ' + b"9" * 5000 + b"}", "body"),
        (b"{}", "type"),
        (b'{"type": 7}', "type"),
        (b'{"type": "order.created"}', "data"),
        (b'{"type": "order.created", "data": []}', "data"),
        (b'{"type": "order.cancelled", "timestamp": "soon", "data": {}}', "timestamp"),
        (b'{"type": "order.cancelled", "data": {"shop": "s"}}', "data.order_id"),
        (b'{"type": "shipment.updated", "data": {"tracking_number": "1", "status": "lost"}}', "data.status"),
        (b'{"type": "review.posted", "data": {"shop": "s", "order_id": "1", "rating": 6}}', "data.rating"),
        (b'{"type": "customer.updated", "data": {"shop": "s"}}', "data.customer_id"),
    ],
)
async def test_a_malformed_body_names_its_field(gate, body, field):
    """Bodies that are no event at all are answered 422, with the first field that is wrong."""
    answer = await gate.send.standard(body)
    assert (answer.status_code, answer.json()["field"], await gate.rows()) == (422, field, [])


async def test_what_a_shop_cannot_help_is_forgiven(gate):
    """Impossible addresses, zones and locales become unknown and noted; the order is taken."""
    customer = {
        "email": "ada@example.com\r\nBcc: all@example.com",
        "phone": "call me",
        "time_zone": "Mars/Olympus",
        "locale": "xx-QQ-zz",
        "country": "Germany",
        "first_name": "Ada\r\n<b>\u202eevil\u2028" + "x" * 200,
    }
    answer = await gate.send.order(customer=customer)
    (row,) = await gate.rows()
    kept = json.loads(row["event"])["customer"]
    assert answer.status_code == 202
    assert [kept[name] for name in ("email", "phone", "time_zone", "locale", "country")] == [
        None,
        None,
        None,
        None,
        None,
    ]
    assert kept["notes"] == ["email_invalid", "phone_invalid", "time_zone_invalid"]
    assert kept["first_name"].startswith("Ada <b> evil x")
    assert len(kept["first_name"]) == 100


@pytest.mark.parametrize("placed_at", ["1999-01-01T00:00:00Z", "2099-01-01T00:00:00+09:00"])
async def test_orders_of_other_times_are_taken(gate, placed_at):
    """An order years old or in the future is an order."""
    answer = await gate.send.order(placed_at=placed_at)
    assert answer.status_code == 202


async def test_the_longest_ids_are_taken(gate):
    """A shop of 60 bytes and an order id of 180 are within the limits, whatever the script."""
    answers = [
        await gate.send.order(shop="s" * 60, order_id="x" * 180),
        await gate.send.order(shop="漢" * 20, order_id="漢" * 60),
    ]
    assert [answer.status_code for answer in answers] == [202, 202]


async def test_amounts_without_minor_units_are_taken(gate):
    """79 yen are 79 yen, even when a shop writes decimals that say nothing."""
    answer = await gate.send.order(currency="JPY", total="79.00", line={"unit_price": 79})
    assert answer.status_code == 202


async def test_bodies_over_a_mebibyte_are_refused(gate):
    """A body over the limit is refused, whatever it declares, and one that never ends is not read for ever."""
    sent = 0

    async def endless():
        nonlocal sent
        while True:
            sent += 65536
            yield b" " * 65536

    declared = await gate.client.post("/webhooks/events", content=b" " * (BODY_LIMIT + 1))
    chunked = await gate.client.post("/webhooks/events", content=_first(endless(), 400))
    lying = await gate.client.post("/webhooks/events", content=_first(endless(), 400), headers={"content-length": "10"})
    assert [answer.status_code for answer in (declared, chunked, lying)] == [413, 413, 413]
    assert sent <= 12 * BODY_LIMIT


async def _first(chunks, count):
    async for chunk in chunks:
        yield chunk
        count -= 1
        if not count:
            return


async def test_a_body_of_exactly_the_limit_is_read(gate):
    """The limit itself is allowed: the answer is about the signature."""
    answer = await gate.client.post("/webhooks/events", content=b" " * BODY_LIMIT)
    assert answer.status_code == 401


async def test_health_readiness_and_figures(gate):
    """The process says that it lives, that webhooks can be taken, and how many were."""
    await gate.send.order()
    await gate.send.order(total="-1")
    health = await gate.client.get("/healthz")
    ready = await gate.client.get("/readyz")
    figures = (await gate.operations.get("/metrics")).text
    assert (health.status_code, ready.status_code) == (200, 200)
    assert ready.json() == {"status": "ready"}
    assert (await gate.operations.get("/readyz")).json() == {"database": "ok", "temporal": "unknown"}
    assert 'postlude_webhooks_total{outcome="accepted",source="events"} 1.0' in figures
    assert 'postlude_webhooks_total{outcome="malformed",source="events"} 1.0' in figures
    assert "postlude_inbox_pending 1.0" in figures
    assert "postlude_dead_letters 0.0" in figures
    assert 'postlude_webhook_seconds_count{source="events"} 2.0' in figures


async def test_while_the_database_is_away_senders_are_told_to_come_again(gate):
    """Without a place to keep it no webhook is acknowledged, and the gateway says that it is not ready."""
    await gate.pool.close()
    answer = await gate.send.order()
    ready = await gate.client.get("/readyz")
    assert (answer.status_code, answer.headers["retry-after"], ready.status_code) == (503, "5", 503)
    assert ready.json() == {"status": "not ready"}
    told = await gate.operations.get("/readyz")
    assert (told.status_code, told.json()["database"]) == (503, "away")
    assert (await gate.operations.get("/metrics")).status_code == 200


async def test_a_guest_has_an_id_that_tells_nothing(gate):
    """A guest's id is the same for the same address, whatever its case, and does not hold it."""
    await gate.send.order(order_id="1", customer={"customer_id": None, "email": "Ada@example.com"})
    await gate.send.order(order_id="2", customer={"customer_id": "", "email": "ada@example.com"})
    await gate.send.order(order_id="3", customer={"customer_id": None, "email": None})
    ids = [json.loads(row["event"])["customer"]["customer_id"] for row in await gate.rows()]
    assert ids[0] == ids[1]
    assert ids[0].startswith("guest-")
    assert "ada" not in ids[0]
    assert ids[2] == "guest-order-3"


async def test_an_order_without_a_customer_is_taken(gate):
    """Orders of a till may have nobody's name on them."""
    answer = await gate.send.event("order.created", **(order_data() | {"customer": None}))
    assert answer.status_code == 202
