"""Whatever a proven sender or a customer's link brings, in whatever type or encoding: an answer below 500."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import Response

from starters.metrics import CountedFailures, Metrics
from tests.gateway.kit import (
    EASYPOST_SECRET,
    SEVENTEENTRACK_SECRET,
    SHOPIFY_SECRET,
    WEBHOOK_SECRET,
    WOO_SECRET,
    easypost_headers,
    order_data,
)

ODD = (None, "", " ", "x", [], {}, [[]], [None], {"a": 1}, True, 7, -1, 1e300, 10**400, "\ud800", "\x00")
NOT_UTF_8 = '{"type": "Grüße"}'.encode("latin-1")


def _base64(key, text):
    return base64.b64encode(
        hmac.new(key.encode() if isinstance(key, str) else key, text, hashlib.sha256).digest()
    ).decode()


def signed(name, body):
    """The headers that prove these bytes at an endpoint, whatever is in them."""
    if name == "events":
        moment = str(int(datetime.now(UTC).timestamp()))
        text = f"msg_1.{moment}.".encode() + body
        key = base64.b64decode(WEBHOOK_SECRET.removeprefix("whsec_"))
        signature = f"v1,{_base64(key, text)}"
        return {"webhook-id": "msg_1", "webhook-timestamp": moment, "webhook-signature": signature}
    if name == "shopify":
        proof = {"x-shopify-hmac-sha256": _base64(SHOPIFY_SECRET, body)}
        return proof | {"x-shopify-topic": "orders/create", "x-shopify-shop-domain": "acme.myshopify.com"}
    if name == "woocommerce":
        proof = {"x-wc-webhook-signature": _base64(WOO_SECRET, body)}
        return proof | {"x-wc-webhook-topic": "order.created", "x-wc-webhook-source": "https://woo.example/"}
    if name == "easypost":
        return easypost_headers(body, secret=EASYPOST_SECRET)
    return {"sign": hashlib.sha256(body + b"/" + SEVENTEENTRACK_SECRET.encode()).hexdigest()}


@pytest.mark.parametrize("notes", [7, True, "ring twice, she is ill", {"a": 1}, ["ring twice_invalid"], [[]], [7], 1.5])
async def test_a_shops_notes_on_a_person_go_no_further_than_the_door(gate, notes):
    """Of any type: the order is taken, and what somebody wrote about the customer is not in the event."""
    answer = await gate.send.order(customer={"notes": notes})
    (row,) = await gate.rows()
    assert (answer.status_code, "data.customer.notes" in answer.json()["unknown_fields"]) == (202, True)
    assert json.loads(row["event"])["customer"]["notes"] == []


async def test_our_own_notes_are_kept_until_the_event_is_delivered(gate):
    """What could not be used is still known when the inbox is read back, where the value itself is gone."""
    await gate.send.order(customer={"email": "nobody", "notes": ["phone_invalid"]})
    await gate.relay.drain()
    (row,) = await gate.rows()
    assert (row["status"], row["note"]) == ("dispatched", "email_invalid")


@pytest.mark.parametrize("name", ["events", "shopify", "woocommerce", "easypost", "seventeentrack"])
@pytest.mark.parametrize("body", [NOT_UTF_8, b"\xff\xfe\xfa", b"\x80", b'{"a": "\xc3('])
async def test_a_proven_body_that_is_no_utf_8_is_named(gate, name, body):
    """It is proven over its bytes, and then the body is what is wrong: 422, and nothing is kept."""
    answer = await gate.client.post(f"/webhooks/{name}", content=body, headers=signed(name, body))
    assert (answer.status_code, answer.json().get("field"), await gate.rows()) == (422, "body", [])


async def test_any_field_of_an_order_of_any_type_is_answered(gate):
    """Each field of an order and of its customer, with each type in its place, over the whole way."""
    order = order_data()
    for name in [*order, "customer.notes", "customer.consent", "customer.orders_count", "customer.locale"]:
        for odd in ODD:
            first, _, inner = name.partition(".")
            data = order | {first: order["customer"] | {inner: odd} if inner else odd}
            body = json.dumps({"type": "order.created", "timestamp": "2026-11-22T10:00:00Z", "data": data}).encode()
            answer = await gate.client.post("/webhooks/events", content=body, headers=signed("events", body))
            assert answer.status_code in {202, 422}, (name, odd)


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"choice=%FF", b"choice=\xff", b"[]", b"{", b'{"ids": {}}', b"&" * 999]
)
async def test_any_form_behind_a_link_is_answered(gate, body):
    """Forms and JSON that customers' pages never send are refused or passed over, never a failure."""
    await gate.send.order()
    await gate.relay.drain()
    token = gate.links.order("acme", "1001").rpartition("/")[2]
    for path in ("o/{}", "o/{}/denied", "p/{}", "notes/{}/read", "devices/{}", "r/{}", "confirm/{}", "u/{}"):
        for kind in ("application/x-www-form-urlencoded", "application/json", "multipart/form-data; boundary=x"):
            answer = await gate.client.post(f"/{path.format(token)}", content=body, headers={"content-type": kind})
            assert answer.status_code < 500, (path, kind)


@pytest.mark.parametrize("odd", ODD)
async def test_any_field_of_a_device_of_any_type_is_answered(gate, odd):
    """What an app registers with, with each type in each place."""
    await gate.send.order()
    await gate.relay.drain()
    token = gate.links.order("acme", "1001").rpartition("/")[2]
    subscription = {"endpoint": "https://push.example/x", "keys": {"p256dh": "a", "auth": "b"}}
    good = {"channel": "web_push", "subscription": subscription, "token": "t"}
    for name in (*good, "endpoint", "keys", "auth"):
        said = good | ({name: odd} if name in good else {"subscription": subscription | {name: odd}})
        said = said if name != "auth" else good | {"subscription": subscription | {"keys": {"auth": odd}}}
        answer = await gate.client.post(f"/devices/{token}", content=json.dumps(said).encode())
        assert answer.status_code < 500, name


async def test_failures_are_counted_by_what_was_asked():
    """An answer of 500 or above and an exception are in the figures; a path's ids are not."""
    metrics, app = Metrics(), FastAPI()

    @app.api_route("/{path:path}", methods=["GET"])
    async def answer(path: str) -> Response:
        if path.endswith("broken"):
            raise RuntimeError("broken")
        return Response(status_code=503 if path.endswith("away") else 404)

    counted = CountedFailures(app, metrics)
    transport = httpx.ASGITransport(counted, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        for path in ("webhooks/broken", "s/acme/o/broken", "o/away", "ada@example.com/broken", "o/fine"):
            await client.get(f"/{path}")
    found = {
        tuple(sample.labels.values()): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "postlude_failures_total"
    }
    assert found == {("webhooks", "500"): 1, ("o", "500"): 1, ("o", "503"): 1, ("other", "500"): 1}


async def test_the_gateway_counts_its_own(gate):
    """While the database is away a webhook is answered 503, and the figure says so."""
    await gate.pool.close()
    body = json.dumps({"type": "order.created", "timestamp": "2026-11-22T10:00:00Z", "data": order_data()}).encode()
    answer = await gate.client.post("/webhooks/events", content=body, headers=signed("events", body))
    assert answer.status_code in {500, 503}
    text = (await gate.operations.get("/metrics")).text
    assert f'postlude_failures_total{{asked="webhooks",status="{answer.status_code}"}} 1.0' in text
