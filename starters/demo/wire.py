"""Webhooks as their senders write them: the body, the signature, and the id under which the inbox keeps them."""

import base64
import hashlib
import hmac
import json
import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook

from activities.shops.protocol import Delivery
from activities.shops.shopify import Shopify
from starters.demo.second_shop import SHOP
from starters.doors import key_of


@dataclass(frozen=True, slots=True)
class Post:
    """One signed webhook, ready to go to `/webhooks/{source}`; `event_id` is what the inbox will call it."""

    source: str
    event_id: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Senders:
    """Everybody who posts webhooks to the sample shop's gateway, with the secrets they share with it."""

    webhook_secret: str
    shopify_secret: str
    easypost_secret: str
    second_secret: str

    def event(self, kind: str, data: Mapping[str, Any]) -> Post:
        """A canonical event by Standard Webhooks, by the secret of the shop that it is of.

        Its timestamp is real time: the signature is good for minutes.
        """
        own = SHOP if data["shop"] == SHOP else None
        secret = self.webhook_secret if own is None else self.second_secret
        now = datetime.now(UTC)
        body = json.dumps({"type": kind, "timestamp": now.isoformat(), "data": data})
        event_id = f"msg_{uuid.uuid4().hex}"
        headers = {
            "webhook-id": event_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign(event_id, now, body),
        }
        return Post("events", key_of(own, event_id), headers, body.encode())

    def shopify(self, topic: str, shop: str, payload: Mapping[str, Any]) -> Post:
        """A Shopify webhook."""
        body = json.dumps(payload).encode()
        digest = hmac.new(self.shopify_secret.encode(), body, hashlib.sha256).digest()
        event = str(uuid.uuid4())
        headers = {
            "X-Shopify-Topic": topic,
            "X-Shopify-Shop-Domain": shop,
            "X-Shopify-Event-Id": event,
            "X-Shopify-Webhook-Id": str(uuid.uuid4()),
            "X-Shopify-Triggered-At": datetime.now(UTC).isoformat(),
            "X-Shopify-Hmac-Sha256": base64.b64encode(digest).decode(),
        }
        # As the adapter names it.
        event_id = Shopify(self.shopify_secret, secret_key="").event_id(
            Delivery({name.lower(): value for name, value in headers.items()}, body)
        )
        return Post("shopify", event_id, headers, body)

    def easypost(self, tracker: Mapping[str, Any]) -> Post:
        """EasyPost's `tracker.updated`."""
        event_id = f"evt_{uuid.uuid4().hex}"
        event = {"object": "Event", "id": event_id, "description": "tracker.updated", "result": tracker}
        body = json.dumps(event).encode()
        key = unicodedata.normalize("NFKD", self.easypost_secret).encode()
        signature = hmac.new(key, body, hashlib.sha256).hexdigest()
        return Post("easypost", event_id, {"X-Hmac-Signature": f"hmac-sha256-hex={signature}"}, body)
