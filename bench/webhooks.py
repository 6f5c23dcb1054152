"""How long a webhook's answer takes, beside a bare handler of the same stack."""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Literal

from bench.processes import child
from bench.scenario import new_order
from bench.webhook_server import Config
from bench.world import World

_AT_ONCE = 4
_BLOCK = 40
_ACCEPTED = b"HTTP/1.1 202"
_KINDS: tuple[Literal["gateway", "bare"], ...] = ("gateway", "bare")


class Sender:
    """A shop that signs its webhooks, over connections it keeps: few bytes of its own CPU in each sample."""

    def __init__(self, port: int, secret: str) -> None:
        self._port = port
        self._key = base64.b64decode(secret.removeprefix("whsec_"))

    async def send(self, count: int) -> list[float]:
        """Milliseconds from the request's first byte to the whole answer, for `count` requests on one connection.

        Raises:
            RuntimeError: an answer was not 202.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        found = []
        for _ in range(count):
            request = self._request()
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
            )
            await reader.readexactly(length)
            found.append((time.perf_counter() - began) * 1000)
            if not head.startswith(_ACCEPTED):
                raise RuntimeError(f"a webhook was answered with {head[:40]!r}")
        writer.close()
        await writer.wait_closed()
        return found

    def _request(self) -> bytes:
        order_id, sent = new_order(), int(time.time())
        body = json.dumps(_order(order_id)).encode()
        signed = hmac.new(self._key, f"msg_{order_id}.{sent}.".encode() + body, hashlib.sha256).digest()
        head = (
            f"POST /webhooks/events HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
            f"webhook-id: msg_{order_id}\r\nwebhook-timestamp: {sent}\r\n"
            f"webhook-signature: v1,{base64.b64encode(signed).decode()}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


async def answers(world: World, *, requests: int) -> dict[str, list[float]]:
    """Milliseconds of each answer, by kind of server; blocks of requests take turns, a few connections at once.

    `relaying` is the gateway with its relay starting the journeys in the same process, after the others.
    """
    async with AsyncExitStack() as running:
        secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
        senders = {kind: await running.enter_async_context(_server(world, kind, secret)) for kind in _KINDS}
        for sender in senders.values():
            await _block(sender)
        found: dict[str, list[float]] = {kind: [] for kind in _KINDS}
        while len(found["bare"]) < requests:
            for kind, sender in senders.items():
                found[kind] += await _block(sender)
    await world.pool.execute("DELETE FROM inbox")  # nobody relayed these, and the next server's relay shall not
    async with _server(world, "relaying", secret) as sender:
        await _block(sender)
        found["relaying"] = []
        while len(found["relaying"]) < requests / 4:
            found["relaying"] += await _block(sender)
    return found


@asynccontextmanager
async def _server(world: World, kind: Literal["gateway", "relaying", "bare"], secret: str) -> AsyncIterator[Sender]:
    config = Config(
        kind=kind,
        database_url=world.database_url,
        temporal_address=world.stack.temporal_address,
        secret=secret,
    )
    async with child("bench.webhook_server", config, world.stack.home / "webhooks.log") as running:
        yield Sender(running.greeting["port"], secret)


async def _block(sender: Sender) -> list[float]:
    blocks = await asyncio.gather(*(sender.send(_BLOCK // _AT_ONCE) for _ in range(_AT_ONCE)))
    return [one for block in blocks for one in block]


def _order(order_id: str) -> dict[str, object]:
    now = datetime.now(UTC).isoformat()
    customer = {
        "customer_id": f"c-{order_id}",
        "email": f"buyer-{order_id}@example.com",
        "phone": "+4915112345678",
        "first_name": "Ada",
        "locale": "de-DE",
        "time_zone": "Europe/Berlin",
        "country": "DE",
        "consent": {"email_marketing": True, "sms_marketing": False},
    }
    line = {"sku": "YM-1", "title": "Yoga mat", "quantity": 1, "unit_price": "79.00", "category": "fitness"}
    data = {
        "shop": "webhooks",
        "order_id": order_id,
        "placed_at": now,
        "channel": "online",
        "currency": "EUR",
        "total": "79.00",
        "customer": customer,
        "lines": [line],
    }
    return {"type": "order.created", "timestamp": now, "data": data}
