"""A shop's own backend on loopback, by the contract in docs/shops.md: signed requests, pages, remedies made once."""

import asyncio
import base64
import json
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, quote, unquote, urlsplit

from standardwebhooks import Webhook, WebhookVerificationError

from tests.support.sockets import HOST, Request, SocketServer

SECRET = "whsec_" + base64.b64encode(b"a test secret of thirty bytes!").decode()
FIRST = datetime(2026, 11, 1, tzinfo=UTC)


def answered(status, document=None, headers=None):
    """A whole answer with this JSON; None is an empty body."""
    body = b"" if document is None else json.dumps(document).encode()
    said = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
    return "\r\n".join([f"HTTP/1.1 {status} Said", *(f"{n}: {v}" for n, v in said.items()), "", ""]).encode() + body


@dataclass
class Sold:
    """An order of the shop; `changed` is its newest change."""

    order_id: str
    changed: datetime
    events: list


def moment(at):
    return at.isoformat().replace("+00:00", "Z")


def created(order_id, at, *, shop="acme", **changes):
    """The event of an order."""
    data = {
        "shop": shop,
        "order_id": order_id,
        "placed_at": moment(at),
        "currency": "EUR",
        "total": "79.00",
        "customer": {"customer_id": f"c-{order_id}", "email": f"c{order_id}@example.com", "country": "DE"},
        "lines": [{"sku": "YM-1", "title": "Yoga mat", "quantity": 1, "unit_price": "79.00"}],
    } | changes
    return {"type": "order.created", "timestamp": moment(at), "data": data}


class BackendServer(SocketServer):
    """`then` queues whole answers for the next requests, before any of them is looked at; `asked` are their targets."""

    def __init__(self, *, page=100):
        super().__init__()
        self.orders = []
        self.page = page
        self.asked = []
        self.remedies = {}
        self.refuses = {}
        self.given_back = []
        self.then = deque()
        self.hold_at = None
        self.held = asyncio.Event()
        self.release = asyncio.Event()

    @property
    def url(self):
        return f"backend://{quote(SECRET, safe='')}@{HOST}:{self.port}/api/postlude?shop=acme&insecure=1"

    def sell(self, count, *, at=FIRST, every=timedelta(minutes=1)):
        """That many orders, one after the other."""
        for number in range(len(self.orders), len(self.orders) + count):
            changed = at + every * number
            self.orders.append(Sold(str(1001 + number), changed, [created(str(1001 + number), changed)]))

    async def answer(self, request: Request, _reader, writer):
        self.asked.append(f"{request.method} {request.target}")
        if self.hold_at == len(self.asked):
            self.held.set()
            await self.release.wait()
        if self.then:
            writer.write(self.then.popleft())
            return True
        writer.write(self._answer(request))
        return True

    def _answer(self, request):
        content = request.body.decode() if request.method == "POST" else f"GET {request.target}"
        try:
            Webhook(SECRET).verify(content, request.headers, json_parse=False)
        except WebhookVerificationError:
            return answered(401, {"rule": "signature"})
        parts = urlsplit(request.target)
        path = parts.path.removeprefix("/api/postlude")
        if request.method == "POST" and path == "/remedies":
            return self._remedy(request.headers["idempotency-key"], json.loads(request.body))
        if path == "/orders":
            return self._page({name: values[0] for name, values in parse_qs(parts.query).items()})
        if path.endswith("/given"):
            return self._given(unquote(path.removeprefix("/orders/").removesuffix("/given")))
        sold = next((one for one in self.orders if one.order_id == unquote(path.removeprefix("/orders/"))), None)
        return answered(404, {"rule": "order_unknown"}) if sold is None else answered(200, {"events": sold.events})

    def _page(self, query):
        since = datetime.fromisoformat(query["since"])
        changed = sorted((one for one in self.orders if one.changed >= since), key=lambda one: one.changed)
        begin = int(query.get("cursor", "0"))
        here = changed[begin : begin + self.page]
        more = begin + self.page < len(changed)
        return answered(
            200,
            {
                "events": [event for one in here for event in one.events],
                "orders": len(here),
                "next_cursor": str(begin + self.page) if more else None,
                "changed_until": moment(here[-1].changed) if here else None,
                "total": len(changed),
            },
        )

    def _remedy(self, key, body):
        if body["kind"] in self.refuses:
            return answered(409, {"rule": self.refuses[body["kind"]]})
        made = self.remedies.setdefault(key, {"reference": f"R-{len(self.remedies) + 1}", "asked": body})
        return answered(200, {"reference": made["reference"]})

    def _given(self, order_id):
        if not any(one.order_id == order_id for one in self.orders):
            return answered(404, {"rule": "order_unknown"})
        undone = {
            made["asked"]["key"] for made in self.remedies.values() if made["asked"]["kind"] == "cancel_replacement"
        }
        ours = [
            {
                "kind": made["asked"]["kind"],
                "reference": made["reference"],
                "amount": made["asked"]["amount"] if made["asked"]["kind"] == "refund" else "0",
                "lines": made["asked"]["skus"],
                "key": made["asked"]["key"],
            }
            for made in self.remedies.values()
            if made["asked"]["kind"] in {"refund", "replacement"}
            and made["asked"]["order_id"] == order_id
            and (made["asked"]["kind"] == "refund" or made["asked"]["key"] not in undone)
        ]
        return answered(200, {"given": [*self.given_back, *ours]})
