"""A shop whose API knows no keys: it makes whatever it is asked for, as often as it is asked. Its adapter looks first.

That is how the platforms are that cannot be given an idempotency key; whatever is done twice is there twice.
"""

import asyncio
import json
from collections import Counter as Count
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlsplit

from activities.shops.api import Cannot, Done, ShopApi
from activities.vendors.http import Vendor, VendorRefusedError
from journey.made_good import Given
from journey.remedies import Choice
from tests.support.sockets import HOST, SocketServer

BOOKED = {"refund": Choice.REFUND, "replace": Choice.REPLACEMENT}
UNDOES = {"release": "reserve", "cancel_replacement": "replace", "withdraw_coupon": "coupon"}


@dataclass
class Made:
    """Something the shop made, and whether it was undone."""

    kind: str
    key: str
    order_id: str
    reference: str
    amount: str
    skus: list
    undone: bool = False


@dataclass
class Odd:
    """How the next request for a kind goes.

    `silent` makes it and hangs up, `stall` makes it and says nothing until the other side hangs up, `busy` is 503,
    `refuse` is for good, by `rule`. `late` hangs up at once and makes it `rule` seconds later; `lost` never does.
    """

    manner: str
    rule: str = ""


@dataclass
class Counter(SocketServer):
    """The shop: everything it made, and what odd things it does next, by kind."""

    made: list[Made] = field(default_factory=list)
    odd: dict[str, deque] = field(default_factory=dict)
    asked: Count = field(default_factory=Count)
    heard: asyncio.Condition = field(default_factory=asyncio.Condition)
    stalled: asyncio.Event = field(default_factory=asyncio.Event)
    working: list = field(default_factory=list)

    def __post_init__(self):
        super().__init__()

    @property
    def url(self):
        return f"http://{HOST}:{self.port}"

    def then(self, kind, *odd):
        self.odd.setdefault(kind, deque()).extend(odd)

    async def reached(self, kind):
        """Wait until something of that kind is asked for."""
        async with self.heard:
            await self.heard.wait_for(lambda: self.asked[kind])

    def pay_back(self, order_id, amount, skus=()):
        """Somebody at the shop refunds by hand: these units, or an amount that names none; its reference."""
        return self._make(
            {"kind": "refund", "key": "", "order_id": order_id, "amount": str(amount), "skus": [list(s) for s in skus]}
        )

    async def caught_up(self):
        """Wait until the shop has done what it still had to do."""
        await asyncio.gather(*self.working)

    def standing(self, order_id):
        """What the order has of the shop in the end, by kind; reservations that became an order are none."""
        return Count(one.kind for one in self.made if one.order_id == order_id and not one.undone)

    def ever(self, order_id):
        """What was ever made for the order, by kind."""
        return Count(one.kind for one in self.made if one.order_id == order_id)

    async def answer(self, request, reader, writer):  # noqa: PLR0911  one return a manner
        body = json.loads(request.body)
        kind, key = body["kind"], body["key"]
        if request.target == "/look":
            found = [one for one in self.made if (one.kind, one.key) == (kind, key) and not one.undone]
            return await self._say(writer, 200, {"reference": found[0].reference if found else None})
        if request.target == "/given":
            given = [
                {"kind": one.kind, "key": one.key, "reference": one.reference, "amount": one.amount, "skus": one.skus}
                for one in self.made
                if one.kind in BOOKED and one.order_id == body["order_id"] and not one.undone
            ]
            return await self._say(writer, 200, {"given": given})
        async with self.heard:
            self.asked[kind] += 1
            self.heard.notify_all()
        odd = self.odd[kind].popleft() if self.odd.get(kind) else Odd("plain")
        if odd.manner == "busy":
            return await self._say(writer, 503, {})
        if odd.manner == "refuse":
            return await self._say(writer, 422, {"rule": odd.rule})
        if odd.manner in {"late", "lost"}:
            if odd.manner == "late":
                self.working.append(asyncio.create_task(self._make_late(body, float(odd.rule))))
            return False
        reference = self._make(body)
        if odd.manner == "plain":
            return await self._say(writer, 200, {"reference": reference})
        if odd.manner == "stall":
            self.stalled.set()
            await reader.read()
        return False

    async def _make_late(self, body, seconds):
        await asyncio.sleep(seconds)
        self._make(body)

    def _make(self, body):
        kind = body["kind"]
        if kind in UNDOES:
            for one in self.made:
                if (one.kind, one.key) == (UNDOES[kind], body["key"]):
                    one.undone = True
            return ""
        one = Made(kind, body["key"], body["order_id"], f"{kind}-{len(self.made) + 1}", body["amount"], body["skus"])
        self.made.append(one)
        return one.reference

    async def _say(self, writer, status, document):
        body = json.dumps(document).encode()
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        return True


class LookFirst(ShopApi):
    """The adapter: what a key asked for is looked for, and only made where it is not there."""

    name = "counter"

    def __init__(self, url, shop, *, settles=0.5):
        self.shop = shop
        self.settles = timedelta(seconds=settles)
        self._vendor = Vendor(f"counter-{urlsplit(url).port}", url, rest=0.05)

    async def _do(self, kind, wanted, *, undo=False):
        said = {"kind": kind, "key": wanted.key, "order_id": wanted.order_id}
        said |= {"amount": str(wanted.amount), "skus": [list(sku) for sku in wanted.skus]}
        if not undo:
            look = await self._vendor.call("POST", "/look", json_body=said)
            if look.document["reference"] is not None:
                return Done(look.document["reference"])
        try:
            made = await self._vendor.call("POST", "/make", json_body=said, changes=True)
        except VendorRefusedError as error:
            return Cannot(error.body["rule"], error.body.get("reference", ""))
        return Done(made.document["reference"])

    async def given(self, order_id, keys):
        said = {"kind": "given", "key": "", "order_id": order_id}
        reply = await self._vendor.call("POST", "/given", json_body=said)
        return [
            Given(
                what=BOOKED[one["kind"]],
                reference=one["reference"],
                amount=Decimal(one["amount"]),
                units=tuple(tuple(unit) for unit in one["skus"]),
                key=one["key"] if one["key"] in keys else None,
            )
            for one in reply.document["given"]
        ]

    async def reserve(self, wanted):
        return await self._do("reserve", wanted)

    async def release(self, wanted):
        await self._do("release", wanted, undo=True)

    async def replace(self, wanted):
        return await self._do("replace", wanted)

    async def cancel_replacement(self, wanted):
        return await self._do("cancel_replacement", wanted, undo=True)

    async def refund(self, wanted):
        return await self._do("refund", wanted)

    async def coupon(self, wanted, *, percent, days):  # noqa: ARG002  the counter does not read them
        return await self._do("coupon", wanted)

    async def withdraw_coupon(self, wanted):
        await self._do("withdraw_coupon", wanted, undo=True)

    async def aclose(self):
        await self._vendor.aclose()


class Unasked(ShopApi):
    """The API of a shop that is configured and asked for nothing, so that remedies are offered."""

    name = "unasked"
    shop = "acme"


class Only:
    """One shop's API and no other; none at all where it is taken away."""

    def __init__(self, api):
        self.api = api

    def of(self, shop):
        return self.api if self.api is not None and self.api.shop == shop else None
