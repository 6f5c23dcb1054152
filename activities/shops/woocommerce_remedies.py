"""Remedies at WooCommerce: replacements, refunds and codes, each made once.

WooCommerce knows no idempotency keys and nothing like compare-and-set, so that what makes a remedy one is the order
of things. Of one remedy one attempt runs at a time (its saga sees to that); what can overlap is an attempt and the
request of the one before it, which nobody heard the end of. So every attempt:

1. looks for what its key made: a refund by the key in its `reason`, which is written together with it; a replacement
   among the orders whose `parent` is the original one; a code by the code itself. These are read from the tables, not
   from a search index.
2. writes into the original order's meta data that it is about to begin, and when;
3. makes it.

An attempt that finds a fresh note of step 2 and nothing made waits until the note is `SETTLED_AFTER` old: by then
PHP has ended the earlier request, and looking tells. So does what undoes a replacement. A failure that certainly
changed nothing takes the note away. Two attempts that begin at the same moment could both make it; nothing here can
prevent that, only that there is one.

- **Refund** (https://developer.woocommerce.com/docs/apis/rest-api/v3/order-refunds/): `api_refund` has the payment
  gateway pay; one that cannot (`method_supports` without `refunds`) is asked nothing. WooCommerce writes the refund
  down, has it paid, then marks it `refunded_payment` (`wc_create_refund` in its source), and takes it away again when
  the gateway declines: one that stays unmarked is for a person to look at, since the gateway may have been asked.
- **Replacement**: an order with `parent_id`, of the same products at 0, `set_paid`. WooCommerce holds stock only for a
  checkout, not for an order made here, and one put `on-hold` would write to the customer: so `reserve` looks whether
  there is enough, and reserves nothing.
- **Code** (https://developer.woocommerce.com/docs/apis/rest-api/v3/coupons/): derived from the key with the secret,
  bound to the buyer's address.
"""

import base64
import hmac
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

import httpx

from activities.shops.api import Cannot, Done, Outcome, Wanted
from activities.shops.payloads import rounded
from activities.shops.woocommerce_goods import (
    GONE,
    SENT,
    begun_key,
    child_given,
    enough,
    is_replacement,
    left_to_pay_back,
    mark,
    noted,
    refund_given,
    refundable,
    sku_of,
)
from activities.shops.woocommerce_orders import MARK
from activities.vendors.http import Vendor, VendorBusyError, VendorError, VendorGarbledError, VendorRefusedError
from journey.made_good import Given

NAME: Final = "woocommerce"
SETTLED_AFTER: Final = timedelta(minutes=5)
"""Longer than PHP is usually allowed to run for a request."""
_UNKNOWN: Final = Cannot("order_unknown", unseen=True)
_CODE_TAKEN: Final = "woocommerce_rest_coupon_code_already_exists"


class WooCommerceRemedies:
    """The remedies of `ShopApi`. A request that WooCommerce refuses for a reason of its own is `Cannot("rejected")`."""

    name = NAME

    def __init__(
        self, vendor: Vendor, root: str, *, shop: str, secret_key: str, settled_after: timedelta = SETTLED_AFTER
    ) -> None:
        self.shop = shop
        self._secret_key = secret_key
        self._vendor = vendor
        self._root = root
        self.settles = settled_after

    async def given(self, order_id: str, keys: Sequence[str]) -> Sequence[Given] | Cannot:
        """Every refund, by its lines where they have a quantity, and every free order whose parent this one is.

        A refund that nobody has marked as paid bears no key: whether it was is for a person to look at.
        """
        order = await self._order(order_id)
        if order is None:
            return _UNKNOWN
        marks = {mark(key): key for key in keys}
        found = [refund_given(one, marks) for one in await self._all(f"/orders/{order['id']}/refunds")]
        children = await self._all("/orders", parent=order_id, status="any")
        return found + [child_given(one, marks) for one in children if is_replacement(one)]

    async def reserve(self, wanted: Wanted) -> Outcome:
        """`Done("")` when there is enough in stock; see above."""
        order = await self._order(wanted.order_id)
        if order is None:
            return _UNKNOWN
        goods = await self._goods(order, wanted)
        return goods if isinstance(goods, Cannot) else Done("")

    async def release(self, wanted: Wanted) -> None:
        """Nothing was reserved."""

    async def replace(self, wanted: Wanted) -> Outcome:
        """Create the replacement order; the reference is its id. `Cannot("withdrawn")` once it was cancelled."""
        order = await self._order(wanted.order_id)
        if order is None:
            return _UNKNOWN
        known = await self._replacement(wanted)
        if known is not None:
            return Cannot("withdrawn") if known["status"] in GONE else Done(str(known["id"]))
        goods = await self._goods(order, wanted)
        if isinstance(goods, Cannot):
            return goods
        replacement = {
            "parent_id": order["id"],
            "status": "processing",
            "set_paid": True,
            "currency": order["currency"],
            "customer_id": order["customer_id"],
            "billing": order["billing"],
            "shipping": order["shipping"],
            "line_items": goods,
            "shipping_lines": [{"method_id": "free_shipping", "method_title": "Replacement", "total": "0"}],
            "meta_data": [{"key": MARK, "value": mark(wanted.key)}],
        }
        return await self._make(order, wanted, "/orders", replacement)

    async def cancel_replacement(self, wanted: Wanted) -> Outcome:
        """Cancel the replacement order, which puts its goods back; `Cannot("already_sent")` once it is completed.

        Raises:
            VendorBusyError: also where our own note is so fresh that a request to make it may still run.
        """
        order = await self._order(wanted.order_id)
        known = await self._replacement(wanted)
        if known is None:
            if order is not None:
                self._settle(order, wanted)
            return Done("")
        reference = str(known["id"])
        if known["status"] == SENT:
            return Cannot("already_sent", reference)
        if known["status"] not in GONE:
            body = {"status": "cancelled"}
            await self._vendor.call("PUT", self._path(f"/orders/{reference}"), json_body=body, changes=True)
            now = await self._one(f"/orders/{reference}")
            if now is not None and now["status"] not in GONE:
                return Cannot("not_cancelled", reference)
        return Done(reference)

    async def refund(self, wanted: Wanted) -> Outcome:
        """Pay back through the order's gateway, without restocking; the reference is the refund's id."""
        order = await self._order(wanted.order_id)
        if order is None:
            return _UNKNOWN
        refunds = await self._all(f"/orders/{order['id']}/refunds")
        sign = mark(wanted.key)
        known = next((refund for refund in refunds if sign in (refund["reason"] or "")), None)
        if known is not None:
            if not known["refunded_payment"]:
                self._settle(order, wanted)
                return Cannot("refund_in_doubt", unseen=True)
            return Done(str(known["id"]))
        problem = refundable(wanted, order, refunds)
        if problem is None and not await self._pays_back(str(order["payment_method"])):
            problem = Cannot("gateway_cannot_refund")
        if problem is not None:
            return problem
        refund = {
            # All of 2157.84 yen are 2158 here: more than the shop has left it would refuse.
            "amount": str(min(rounded(wanted.amount, wanted.currency), left_to_pay_back(order, refunds))),
            "reason": f"{wanted.note} [{sign}]".strip(),
            "api_refund": True,
            "api_restock": False,
        }
        return await self._make(order, wanted, f"/orders/{order['id']}/refunds", refund)

    async def coupon(self, wanted: Wanted, *, percent: int, days: int) -> Outcome:
        """A code for one use, by the order's e-mail address where it has one."""
        order = await self._order(wanted.order_id)
        if order is None:
            return _UNKNOWN
        code = self.code(wanted)
        if await self._all("/coupons", code=code):
            return Done(code)
        email = order["billing"].get("email")
        body = {
            "code": code,
            "discount_type": "percent",
            "amount": str(percent),
            "usage_limit": 1,
            "usage_limit_per_user": 1,
            "email_restrictions": [email] if email else [],
            "date_expires_gmt": (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S"),
        }
        try:
            await self._vendor.call("POST", self._path("/coupons"), json_body=body, changes=True)
        except VendorRefusedError as refused:
            taken = isinstance(refused.body, dict) and refused.body.get("code") == _CODE_TAKEN
            return Done(code) if taken else Cannot("rejected")
        return Done(code)

    async def withdraw_coupon(self, wanted: Wanted) -> None:
        """Delete the code for good."""
        for coupon in await self._all("/coupons", code=self.code(wanted)):
            try:
                path = self._path(f"/coupons/{coupon['id']}")
                await self._vendor.call("DELETE", path, params={"force": "true"}, changes=True)
            except VendorRefusedError as refused:
                if refused.status != httpx.codes.NOT_FOUND:
                    raise

    def code(self, wanted: Wanted) -> str:
        """The code of a remedy: the same for the same key, and nobody's guess without the secret."""
        digest = hmac.new(self._secret_key.encode(), f"coupon:{wanted.key}".encode(), sha256).digest()
        return f"SORRY-{base64.b32encode(digest)[:12].decode()}"

    async def aclose(self) -> None:
        """Close the connections."""
        await self._vendor.aclose()

    def _path(self, path: str) -> str:
        return self._root + path

    async def _one(self, path: str) -> dict[str, Any] | None:
        try:
            document = (await self._vendor.call("GET", self._path(path))).document
        except VendorRefusedError as refused:
            if refused.status != httpx.codes.NOT_FOUND:
                raise
            return None
        if not isinstance(document, dict):
            raise VendorGarbledError(NAME, "no_object")
        return document

    async def _order(self, order_id: str) -> dict[str, Any] | None:
        return await self._one(f"/orders/{order_id}") if order_id.isascii() and order_id.isdecimal() else None

    async def _all(self, path: str, **params: str) -> list[dict[str, Any]]:
        """All pages of a list."""
        found: list[dict[str, Any]] = []
        page = 1
        while True:
            query = {**params, "per_page": "100", "page": str(page)}
            reply = await self._vendor.call("GET", self._path(path), params=query)
            if not isinstance(reply.document, list):
                raise VendorGarbledError(NAME, "no_list")
            found += reply.document
            if page >= int(reply.headers.get("x-wp-totalpages") or 1):
                return found
            page += 1

    async def _replacement(self, wanted: Wanted) -> dict[str, Any] | None:
        if not wanted.order_id.isdecimal():
            return None
        children = await self._all("/orders", parent=wanted.order_id, status="any")
        return next((child for child in children if noted(child, MARK) == mark(wanted.key)), None)

    async def _goods(self, order: Mapping[str, Any], wanted: Wanted) -> list[dict[str, Any]] | Cannot:
        """The lines of a replacement at 0: `line_unknown`, `product_gone` or `out_of_stock`."""
        lines = {sku_of(line): line for line in reversed(order["line_items"])}
        goods = []
        for sku, count in wanted.skus:
            if sku not in lines:
                return Cannot("line_unknown")
            product, variation = lines[sku]["product_id"], lines[sku]["variation_id"]
            path = f"/products/{product}/variations/{variation}" if variation else f"/products/{product}"
            known = await self._one(path) if product else None
            if known is None:
                return Cannot("product_gone")
            if not enough(known, count):
                return Cannot("out_of_stock")
            free = {"subtotal": "0", "total": "0"}
            goods.append({"product_id": product, "variation_id": variation, "quantity": count, **free})
        return goods

    async def _pays_back(self, gateway: str) -> bool:
        """Whether the gateway pays back by itself (`method_supports` of a payment gateway)."""
        known = await self._one(f"/payment_gateways/{gateway}") if gateway else None
        return known is not None and "refunds" in known.get("method_supports", ())

    async def _make(self, order: Mapping[str, Any], wanted: Wanted, path: str, body: Mapping[str, Any]) -> Outcome:
        self._settle(order, wanted)
        async with self._begun(order, wanted):
            try:
                made = (await self._vendor.call("POST", self._path(path), json_body=body, changes=True)).document
            except VendorRefusedError:
                await self._note(order, wanted, "")
                return Cannot("rejected")
        if not isinstance(made, dict) or "id" not in made:
            raise VendorGarbledError(NAME, "no_object")
        return Done(str(made["id"]))

    def _settle(self, order: Mapping[str, Any], wanted: Wanted) -> None:
        """Wait for the end of an earlier attempt's request, which may still run."""
        begun = noted(order, begun_key(wanted))
        if begun:
            left = datetime.fromisoformat(begun) + self.settles - datetime.now(UTC)
            if left > timedelta(0):
                raise VendorBusyError(NAME, "settling", left)

    @asynccontextmanager
    async def _begun(self, order: Mapping[str, Any], wanted: Wanted) -> AsyncIterator[None]:
        await self._note(order, wanted, datetime.now(UTC).isoformat())
        try:
            yield
        except VendorBusyError:
            # Certainly not made, so the next attempt need not wait; if this cannot be said either, it waits.
            with suppress(VendorError):
                await self._note(order, wanted, "")
            raise

    async def _note(self, order: Mapping[str, Any], wanted: Wanted, text: str) -> None:
        body = {"meta_data": [{"key": begun_key(wanted), "value": text}]}
        await self._vendor.call("PUT", self._path(f"/orders/{order['id']}"), json_body=body, changes=True)
