"""A shop with a backend of its own: `backend://whsec_…@shop.example/api/postlude?shop=acme`.

The contract is Postlude's own and is written down for shops in docs/shops.md. Every request is signed as Standard
Webhooks are (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md), with the
secret of the URL: a POST over its body, and a GET, which has none, over its method and target (`GET /orders?since=…`)
in the body's place. No body begins with a method, so that neither signature stands for the other.

Orders come as the events of `POST /webhooks/events`. A remedy and what undoes it share the `key` in their bodies; the
`Idempotency-Key` is that key and the kind of request. One that was seen is answered with its first outcome, so that
asking again is always safe.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlencode

import httpx
import structlog
from pydantic import BaseModel, BeforeValidator, Field, ValidationError
from standardwebhooks import Webhook

from activities.messaging.email.resend import base_url
from activities.shops.api import Cannot, Done, Outcome, Page, Wanted
from activities.shops.payloads import rounded
from activities.shops.protocol import Delivery
from activities.shops.standard import StandardWebhooks
from activities.vendors.http import Reply, Vendor, VendorGarbledError, VendorRefusedError
from journey.made_good import Given
from journey.remedies import Choice
from store.fields import Amount, Moment, Units
from store.intake import (
    CustomerUpdated,
    Event,
    Malformed,
    OrderCancelled,
    OrderCreated,
    OrderEdited,
    OrderRefunded,
    ReviewPosted,
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentUpdated,
)

_log = structlog.get_logger(__name__)

_SETTING: Final = "POSTLUDE_SHOP_URLS: backend://"
_LONGEST_REFERENCE: Final = 200
# An order that is only said to have changed would be asked for again and again; people's rights come by webhook, once.
_TOLD: Final = (
    OrderCreated,
    OrderEdited,
    OrderCancelled,
    OrderRefunded,
    ShipmentCreated,
    ShipmentCancelled,
    ShipmentUpdated,
    ReviewPosted,
    CustomerUpdated,
)


def _dicts(value: object) -> object:
    return [one if isinstance(one, dict) else {} for one in value] if isinstance(value, list) else value


class _Changes(BaseModel):
    """One page as the backend answers it."""

    events: Annotated[list[dict[str, Any]], BeforeValidator(_dicts)]
    orders: int | None = Field(default=None, ge=0)
    next_cursor: str | None = Field(default=None, max_length=1000)
    changed_until: Moment | None = None
    total: int | None = Field(default=None, ge=0)


class _GivenOne(BaseModel):
    kind: Choice
    reference: Annotated[str, Field(min_length=1, max_length=_LONGEST_REFERENCE)]
    amount: Amount = Decimal(0)
    units: Annotated[Units, Field(alias="lines")] = ()
    at: Moment | None = None
    key: str | None = None


class _GivenBack(BaseModel):
    """What the backend has given back for an order."""

    given: list[_GivenOne]


class Backend:
    """The API that a shop's own backend serves; see the module."""

    name = "backend"
    settles = timedelta(minutes=2)

    def __init__(self, url: SplitResult, *, secret_key: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """Prepare the adapter.

        Args:
            url: see the module; `?insecure=1` is plain HTTP, for loopback.
            secret_key: keys the ids of guests.
            transport: for tests.

        Raises:
            ValueError: the secret, the host or the shop is missing or malformed.
        """
        secret = unquote(url.username or "")
        self.shop = parse_qs(url.query).get("shop", [""])[0]
        if not secret or not url.hostname or not self.shop:
            raise ValueError(f"{_SETTING} needs secret, host and shop: backend://whsec_…@shop.example/path?shop=NAME")
        if ":" in self.shop or "/" in self.shop:
            raise ValueError(f"{_SETTING} the shop's name must not contain a colon or a slash")
        try:
            self._words = StandardWebhooks(secret, secret_key=secret_key)
        except ValueError:
            raise ValueError(f"{_SETTING} the secret must be whsec_ and base64; write / as %2F, + as %2B") from None
        self._signer = Webhook(secret)
        self._path = url.path.rstrip("/")
        self._vendor = Vendor(self.name, base_url(url, ""), transport=transport)

    async def changed(self, since: datetime, cursor: str | None) -> Page:
        """See `ShopApi.changed`: `GET /orders?since=&cursor=`."""
        asked = {"since": _rfc3339(since)} | ({"cursor": cursor} if cursor is not None else {})
        reply = await self._get("/orders", asked)
        try:
            page = _Changes.model_validate(reply.document)
        except ValidationError:
            raise VendorGarbledError(self.name, "page_malformed") from None
        if page.next_cursor is not None and page.next_cursor == cursor:
            raise VendorGarbledError(self.name, "cursor_repeated")
        events, unreadable = self._readable(page.events)
        orders = page.orders if page.orders is not None else len({_order_of(event) for event in events})
        return Page(events, orders, page.next_cursor, page.changed_until, page.total, unreadable=unreadable)

    async def order(self, order_id: str) -> Sequence[Event]:
        """See `ShopApi.order`: `GET /orders/{order_id}`."""
        try:
            reply = await self._get(f"/orders/{quote(order_id, safe='')}", {})
        except VendorRefusedError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return []
            raise
        try:
            given = _Changes.model_validate(reply.document).events
        except ValidationError:
            raise VendorGarbledError(self.name, "order_malformed") from None
        return [event for position, one in enumerate(given) for event in self._event(one, position)]

    async def given(self, order_id: str, keys: Sequence[str]) -> Sequence[Given] | Cannot:
        """See `ShopApi.given`: `GET /orders/{order_id}/given`."""
        try:
            reply = await self._get(f"/orders/{quote(order_id, safe='')}/given", {})
        except VendorRefusedError as error:
            return Cannot("given_unknown" if error.status == httpx.codes.NOT_FOUND else error.rule)
        try:
            given = _GivenBack.model_validate(reply.document).given
        except ValidationError:
            raise VendorGarbledError(self.name, "given_malformed") from None
        return [
            Given(
                what=one.kind,
                reference=one.reference,
                amount=one.amount,
                units=one.units,
                at=one.at,
                key=one.key if one.key in keys else None,
            )
            for one in given
        ]

    async def reserve(self, wanted: Wanted) -> Outcome:
        """See `ShopApi.reserve`."""
        return await self._remedy("reserve", wanted)

    async def release(self, wanted: Wanted) -> None:
        """See `ShopApi.release`."""
        await self._remedy("release", wanted)

    async def replace(self, wanted: Wanted) -> Outcome:
        """See `ShopApi.replace`."""
        return await self._remedy("replacement", wanted)

    async def cancel_replacement(self, wanted: Wanted) -> Outcome:
        """See `ShopApi.cancel_replacement`."""
        return await self._remedy("cancel_replacement", wanted)

    async def refund(self, wanted: Wanted) -> Outcome:
        """See `ShopApi.refund`."""
        return await self._remedy("refund", wanted)

    async def coupon(self, wanted: Wanted, *, percent: int, days: int) -> Outcome:
        """See `ShopApi.coupon`."""
        return await self._remedy("coupon", wanted, percent=percent, days=days)

    async def withdraw_coupon(self, wanted: Wanted) -> None:
        """See `ShopApi.withdraw_coupon`."""
        await self._remedy("withdraw_coupon", wanted)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._vendor.aclose()

    async def _get(self, path: str, query: Mapping[str, str]) -> Reply:
        # Written out here, so that what is signed is what is sent, byte for byte.
        target = f"{self._path}{path}" + (f"?{urlencode(query, quote_via=quote)}" if query else "")
        return await self._vendor.call("GET", target, headers=self._signed(f"GET {target}"))

    async def _remedy(self, kind: str, wanted: Wanted, **more: int) -> Outcome:
        body = json.dumps(
            {
                "key": wanted.key,
                "kind": kind,
                "shop": self.shop,
                "order_id": wanted.order_id,
                "skus": [{"sku": sku, "quantity": quantity} for sku, quantity in wanted.skus],
                "amount": str(rounded(wanted.amount, wanted.currency)),
                "currency": wanted.currency,
                "note": wanted.note,
                **more,
            }
        )
        headers = self._signed(body) | {"content-type": "application/json", "idempotency-key": f"{wanted.key}:{kind}"}
        target = f"{self._path}/remedies"
        try:
            reply = await self._vendor.call("POST", target, content=body.encode(), headers=headers, changes=True)
        except VendorRefusedError as error:
            said = error.body if isinstance(error.body, dict) else {}
            rule, stands = said.get("rule"), said.get("reference")
            reference = stands if isinstance(stands, str) and len(stands) <= _LONGEST_REFERENCE else ""
            known = isinstance(rule, str) and rule.isidentifier()
            # Without a rule it may be anybody's word on the way to the backend, which had no look.
            return Cannot(str(rule) if known else error.rule, reference, unseen=not known)
        document = reply.document if isinstance(reply.document, dict) else {}
        reference = document.get("reference", "")
        if not isinstance(reference, str) or len(reference) > _LONGEST_REFERENCE:
            raise VendorGarbledError(self.name, "reference_malformed")
        return Done(reference)

    def _signed(self, content: str) -> dict[str, str]:
        now, name = datetime.now(UTC), f"msg_{uuid.uuid4().hex}"
        return {
            "accept": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(name, now, content),
        }

    def _readable(self, given: Sequence[Mapping[str, Any]]) -> tuple[list[Event], int]:
        """What can be understood of it, and how much cannot. That is logged by its field: it must not stop the rest."""
        events: list[Event] = []
        unreadable = 0
        for position, one in enumerate(given):
            try:
                events += self._event(one, position)
            except Malformed as error:
                _log.warning("event_unreadable", shop=self.shop, field=error.field, problem=error.problem)
                unreadable += 1
        return events, unreadable

    def _event(self, given: Mapping[str, Any], position: int) -> Sequence[Event]:
        try:
            return self._fact(given)
        except Malformed as error:
            raise Malformed(f"events.{position}.{error.field}", error.problem) from None

    def _fact(self, given: Mapping[str, Any]) -> Sequence[Event]:
        if "timestamp" not in given:
            raise Malformed("timestamp", "must be there")
        found = self._words.translate(Delivery({}, json.dumps(given).encode()))
        if not isinstance(found, Sequence):
            raise Malformed("type", found.reason)
        if not all(isinstance(event, _TOLD) for event in found):
            raise Malformed("type", "must be a fact about an order")
        if any(getattr(event, "shop", None) not in {None, self.shop} for event in found):
            raise Malformed("data.shop", "must be the shop that was asked")
        return [
            event.model_copy(update={"shop": self.shop}) if isinstance(event, ShipmentUpdated) else event
            for event in found
        ]


def _order_of(event: Event) -> str:
    return getattr(event, "order_id", event.subject)


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
