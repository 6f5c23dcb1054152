"""A shop and its carrier, who sign and send webhooks, and a gateway to send them to."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from standardwebhooks import Webhook as Signer

from activities.links import Links
from activities.messaging.templates import Templates
from starters.gateway import Front, Services, create_app, sources
from starters.relay import Relay
from store.pool import Pool
from tests.support.processes import serving
from tests.support.world import World

_SHOP_SECRET = "whsec_" + base64.b64encode(b"a shop's secret of thirty bytes").decode()
_CARRIER_SECRET = "a carrier's secret"  # noqa: S105  a test's own
_KEY = "test-secret-key"
_PATIENCE = 30.0
"""Seconds to wait for an answer."""


@dataclass(frozen=True)
class Webhook:
    """One event as its sender will sign and send it, however often."""

    source: str
    event_id: str
    body: bytes


def from_shop(event_id: str, kind: str, at: datetime, **data: Any) -> Webhook:
    """A Standard Webhook of that type."""
    moment = {"placed_at" if kind == "order.created" else "occurred_at": at.isoformat()}
    body = {"type": kind, "timestamp": at.isoformat(), "data": moment | data}
    return Webhook("events", event_id, json.dumps(body).encode())


def from_carrier(event_id: str, number: str, at: datetime, status: str, **more: Any) -> Webhook:
    """EasyPost's word about a parcel."""
    scan = {"datetime": at.isoformat(), "status": status, "message": "Scanned"}
    tracker = {"tracking_code": number, "status": status, "carrier": "DHL", "tracking_details": [scan], **more}
    body = {"id": event_id, "description": "tracker.updated", "result": tracker}
    return Webhook("easypost", event_id, json.dumps(body).encode())


class Senders:
    """Whoever sends webhooks to one gateway; by hand, since an HTTP client costs twice what the gateway does."""

    def __init__(self, url: str) -> None:
        self._host, self._port = urlsplit(url).hostname, urlsplit(url).port
        self._kept: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.acknowledged: set[str] = set()
        self.refused = 0

    async def post(self, webhook: Webhook) -> int | None:
        """Send it once; the answer's status, None when none came."""
        try:
            async with asyncio.timeout(_PATIENCE):
                status = await self._post(webhook)
        except (OSError, asyncio.IncompleteReadError):
            return None
        if 200 <= status < 300:
            self.acknowledged.add(webhook.event_id)
        return status

    async def insist(self, webhook: Webhook) -> None:
        """Send it until it is acknowledged, as shops do; only an outage may make that necessary."""
        while (status := await self.post(webhook)) is None or status >= 500:
            self.refused += 1
            await asyncio.sleep(0.25)
        assert status < 300, (status, webhook.event_id)

    def close(self) -> None:
        """Hang up."""
        for _, writer in self._kept:
            writer.close()

    async def _post(self, webhook: Webhook) -> int:
        reader, writer = self._kept.pop() if self._kept else await asyncio.open_connection(self._host, self._port)
        try:
            lines = [f"POST /webhooks/{webhook.source} HTTP/1.1", "Host: shop.test", "Content-Type: application/json"]
            lines += [f"Content-Length: {len(webhook.body)}"]
            lines += [f"{name}: {value}" for name, value in _signed(webhook).items()]
            writer.write("\r\n".join([*lines, "", ""]).encode() + webhook.body)
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            await reader.readexactly(int(head.partition("\r\ncontent-length:")[2].partition("\r\n")[0]))
        except BaseException:
            writer.close()
            raise
        self._kept.append((reader, writer))
        return int(head.split(" ")[1])


@asynccontextmanager
async def gateway(pool: Pool, place: World, templates: Templates) -> AsyncIterator[Senders]:
    """The product's gateway over HTTP, its relay dispatching to that world's journeys; yields who sends to it."""
    services = Services(
        pool=pool,
        sources=sources(secret_key=_KEY, webhook_secret=_SHOP_SECRET, easypost_secret=_CARRIER_SECRET),
        front=Front(Links(_KEY, "http://shop.test"), templates.brand),
        relay=Relay(pool, place.journeys),
    )
    async with serving(create_app(services)) as url:
        senders = Senders(url)
        try:
            yield senders
        finally:
            senders.close()


async def dispatched(pool: Pool) -> None:
    """Wait until nothing in the inbox is under way any more."""
    under_way = "SELECT count(*) FROM inbox WHERE status IN ('pending', 'waiting')"
    while await pool.fetchval(under_way):  # noqa: ASYNC110  the database rings no bell
        await asyncio.sleep(0.1)


def _signed(webhook: Webhook) -> Mapping[str, str]:
    if webhook.source == "easypost":
        digest = hmac.new(_CARRIER_SECRET.encode(), webhook.body, hashlib.sha256).hexdigest()
        return {"x-hmac-signature": f"hmac-sha256-hex={digest}"}
    now = datetime.now(UTC)
    return {
        "webhook-id": webhook.event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Signer(_SHOP_SECRET).sign(webhook.event_id, now, webhook.body.decode()),
    }
