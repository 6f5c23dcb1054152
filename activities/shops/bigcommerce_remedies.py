"""Making good at BigCommerce: a free replacement order, a refund, a coupon. Each looks first whether it was made.

BigCommerce knows no idempotency keys. Of one remedy one attempt runs at a time; a request that got no answer may be
carried out for another `SETTLES`, and is neither repeated nor undone before.

- A replacement bears its key as `external_order_id`, which V2 can be asked for
  (https://developer.bigcommerce.com/docs/rest-management/orders); V2 sends no mail of its own about it.
- A refund bears its key in its reason, is quoted first, and goes back the way it was paid, never as store credit
  instead of money (https://developer.bigcommerce.com/docs/store-operations/orders/refunds). It is one of the whole
  order's amounts, which changes no tax. How long a reason may be was not found at its source.
- A coupon is V2's (https://developer.bigcommerce.com/docs/rest-management/marketing/coupons), whose percentages work in
  the store's default currency alone; its code is derived from the key, so that nobody can guess it from an order.
"""

import base64
import hmac
from collections.abc import Awaitable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from hashlib import sha256
from typing import Any, Final, Protocol

import httpx

from activities.shops.api import Cannot, Done, Outcome, Wanted
from activities.shops.payloads import rounded
from activities.vendors.http import VendorGarbledError, VendorRefusedError
from journey.made_good import Given
from journey.remedies import Choice

_NAME: Final = "bigcommerce"
_CANCELLED, _AWAITING_FULFILLMENT = 5, 11
_SENT: Final = frozenset({2, 3, 10})
_ADDRESS: Final = (
    "first_name", "last_name", "company", "street_1", "street_2", "city", "state", "zip", "country", "country_iso2",
    "phone", "email",
)  # fmt: skip
_UNKNOWN: Final = Cannot("order_unknown", unseen=True)
_STORE_CREDIT: Final = "storecredit"
_PAGE: Final = 50
SETTLES: Final = timedelta(minutes=2)
"""Longer than BigCommerce's own gateway waits for a request, which is a minute."""


class Call(Protocol):
    """`BigCommerceRest.call`."""

    def __call__(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, json_body: Any = None
    ) -> Awaitable[Any]:
        """Ask for a path under the store; the answer's JSON."""


class Remedies:
    """The remedies of one store, over its `call`; `secret_key` keys coupons' codes. See `ShopApi` for each."""

    def __init__(self, call: Call, secret_key: str) -> None:
        self._call = call
        self._secret_key = secret_key

    async def given(self, order_id: str, keys: Sequence[str]) -> Sequence[Given] | Cannot:
        """Every refund that was paid, with units where it is of products, and the replacements of these keys."""
        lines = await self._sold(order_id)
        if isinstance(lines, Cannot):
            return lines
        refunds = await self._refunds(order_id)
        found = [_refund_given(one, keys, lines) for one in refunds if isinstance(_paid(one), Done)]
        for key in keys:
            made = await self._replacement(key)
            if made is not None and made.get("status_id") != _CANCELLED:
                found.append(Given(what=Choice.REPLACEMENT, reference=str(made["id"]), key=key))
        return found

    async def in_stock(self, wanted: Wanted) -> Outcome:
        """Whether there is enough of everything; what nobody counts is there."""
        lines = await self._lines(wanted)
        if isinstance(lines, Cannot):
            return lines
        for line, quantity in lines:
            if line.get("product_id") and await self._stock(line) < quantity:
                return Cannot("out_of_stock")
        return Done("")

    async def replace(self, wanted: Wanted) -> Outcome:
        """The replacement order, free of charge, to the address that these goods went to."""
        made = await self._replacement(wanted.key)
        if made is not None:
            return Cannot("withdrawn") if made.get("status_id") == _CANCELLED else Done(str(made["id"]))
        lines, order = await self._lines(wanted), await self._order(wanted)
        if isinstance(lines, Cannot) or order is None:
            return lines if isinstance(lines, Cannot) else _UNKNOWN
        addresses = objects(await self._call("GET", f"/v2/orders/{wanted.order_id}/shipping_addresses"))
        theirs = {line.get("order_address_id") for line, _ in lines}
        address = next((one for one in addresses if one.get("id") in theirs), addresses[0] if addresses else None)
        if address is None:
            return Cannot("address_unknown")
        body = {
            "status_id": _AWAITING_FULFILLMENT,
            "customer_id": order.get("customer_id", 0),
            "channel_id": order.get("channel_id", 1),
            "billing_address": _only(order.get("billing_address"), _ADDRESS),
            "shipping_addresses": [_only(address, _ADDRESS)],
            "products": [_free(line, quantity) for line, quantity in lines],
            "shipping_cost_ex_tax": 0,
            "shipping_cost_inc_tax": 0,
            "external_order_id": wanted.key,
            "staff_notes": f"Replacement for order {wanted.order_id}. {wanted.note} {wanted.key}",
        }
        try:
            created = await self._call("POST", "/v2/orders", json_body=body)
        except VendorRefusedError:
            return Cannot("replacement_refused")
        if not isinstance(created, Mapping) or "id" not in created:
            raise VendorGarbledError(_NAME, "replacement_malformed")
        return Done(str(created["id"]))

    async def cancel_replacement(self, wanted: Wanted) -> Outcome:
        """Cancel the replacement, unless some of it was sent."""
        made = await self._replacement(wanted.key)
        if made is None:
            return Done("")
        reference = str(made["id"])
        if made.get("items_shipped") or made.get("status_id") in _SENT:
            return Cannot("already_sent", reference)
        if made.get("status_id") != _CANCELLED:
            await self._call("PUT", f"/v2/orders/{reference}", json_body={"status_id": _CANCELLED})
            now = await self._replacement(wanted.key)
            if now is not None and now.get("status_id") != _CANCELLED:
                return Cannot("not_cancelled", reference)
        return Done(reference)

    async def refund(self, wanted: Wanted) -> Outcome:
        """Quote it, then pay it back."""
        order = await self._order(wanted)
        if order is None:
            return _UNKNOWN
        path = f"/v3/orders/{wanted.order_id}/payment_actions"
        refunds = await self._refunds(wanted.order_id)
        made = next((one for one in refunds if _bears(one, wanted.key)), None)
        if made is not None:
            return _paid(made)
        if order.get("default_currency_code") != wanted.currency:
            return Cannot("currency_differs")
        before = sum((_money(one.get("total_amount")) for one in refunds), Decimal(0))
        if before + wanted.amount > rounded(_money(order.get("total_inc_tax")), wanted.currency):
            return Cannot("already_refunded")
        return await self._pay_back(wanted, order, path)

    async def coupon(self, wanted: Wanted, *, percent: int, days: int) -> Outcome:
        """A code for the whole store, once."""
        code = self._code(wanted)
        if await self._coupon(code) is not None:
            return Done(code)
        body = {
            "name": f"Postlude {code}",
            "code": code,
            "type": "percentage_discount",
            "amount": str(percent),
            "max_uses": 1,
            "enabled": True,
            "expires": format_datetime(datetime.now(UTC) + timedelta(days=days)),
            # Category 0 is all of them.
            "applies_to": {"entity": "categories", "ids": [0]},
        }
        try:
            await self._call("POST", "/v2/coupons", json_body=body)
        except VendorRefusedError:
            return Done(code) if await self._coupon(code) is not None else Cannot("coupon_refused")
        return Done(code)

    async def withdraw_coupon(self, wanted: Wanted) -> None:
        """Delete the code."""
        made = await self._coupon(self._code(wanted))
        if made is not None:
            await self._call("DELETE", f"/v2/coupons/{made['id']}")

    async def _order(self, wanted: Wanted) -> Mapping[str, Any] | None:
        if not wanted.order_id.isdecimal():
            return None
        try:
            found = await self._call("GET", f"/v2/orders/{wanted.order_id}")
        except VendorRefusedError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return None
            raise
        return found if isinstance(found, Mapping) else None

    async def _pay_back(self, wanted: Wanted, order: Mapping[str, Any], path: str) -> Outcome:
        # JSON's numbers are what the API takes; two decimals survive a float.
        item = {"item_type": "ORDER", "item_id": int(wanted.order_id), "amount": float(wanted.amount)}
        items = [{**item, "reason": f"{wanted.key} {wanted.note}".strip()}]
        try:
            quote = data(await self._call("POST", f"{path}/refund_quotes", json_body={"items": items}))
            payments = _payments(quote, order, wanted.amount)
            if isinstance(payments, Cannot):
                return payments
            body = {"items": items, "payments": payments}
            paid = data(await self._call("POST", f"{path}/refunds", json_body=body))
        except VendorRefusedError:
            return Cannot("refund_refused")
        if not isinstance(paid, Mapping) or "id" not in paid:
            raise VendorGarbledError(_NAME, "refund_malformed")
        return _paid(paid)

    async def _refunds(self, order_id: str) -> list[Mapping[str, Any]]:
        """All of the order's refunds; what is no list does not say that there are none."""
        found = data(await self._call("GET", f"/v3/orders/{order_id}/payment_actions/refunds"))
        if not isinstance(found, list):
            raise VendorGarbledError(_NAME, "refunds_malformed")
        return objects(found)

    async def _replacement(self, key: str) -> Mapping[str, Any] | None:
        found = await self._call("GET", "/v2/orders", params={"external_order_id": key})
        if found is not None and not isinstance(found, list):
            raise VendorGarbledError(_NAME, "orders_malformed")
        found = objects(found)
        return next((one for one in found if one.get("external_order_id") == key), None)

    async def _lines(self, wanted: Wanted) -> list[tuple[Mapping[str, Any], int]] | Cannot:
        """The order's products that are wanted, with how many."""
        sold = await self._sold(wanted.order_id)
        if isinstance(sold, Cannot):
            return sold
        lines = [(next((one for one in sold if sku in _names(one)), None), quantity) for sku, quantity in wanted.skus]
        known = [(line, quantity) for line, quantity in lines if line is not None]
        return known if len(known) == len(lines) else Cannot("sku_unknown")

    async def _sold(self, order_id: str) -> list[Mapping[str, Any]] | Cannot:
        """All of the order's products."""
        if not order_id.isdecimal():
            return _UNKNOWN
        sold: list[Mapping[str, Any]] = []
        more = True
        while more:
            page = {"page": str(len(sold) // _PAGE + 1), "limit": str(_PAGE)}
            try:
                found = objects(await self._call("GET", f"/v2/orders/{order_id}/products", params=page))
            except VendorRefusedError as error:
                if error.status == httpx.codes.NOT_FOUND:
                    return _UNKNOWN
                raise
            sold += found
            more = len(found) == _PAGE
        return sold

    async def _stock(self, line: Mapping[str, Any]) -> float:
        asked = {"include": "variants", "include_fields": "inventory_tracking,inventory_level"}
        try:
            product = data(await self._call("GET", f"/v3/catalog/products/{line['product_id']}", params=asked))
        except VendorRefusedError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return 0
            raise
        counted: Any = product if isinstance(product, Mapping) else {}
        tracking = counted.get("inventory_tracking")
        if tracking == "none":
            return float("inf")
        if tracking == "variant":
            variants = objects(counted.get("variants"))
            counted = next((one for one in variants if one.get("id") == line.get("variant_id")), {})
        level = counted.get("inventory_level")
        return level if isinstance(level, int) else 0

    async def _coupon(self, code: str) -> Mapping[str, Any] | None:
        found = objects(await self._call("GET", "/v2/coupons", params={"code": code}))
        return next((one for one in found if one.get("code") == code), None)

    def _code(self, wanted: Wanted) -> str:
        digest = hmac.new(self._secret_key.encode(), f"coupon:{wanted.key}".encode(), sha256).digest()
        return f"SORRY-{base64.b32encode(digest).decode()[:10]}"


def data(document: Any) -> Any:
    """What V3 wraps under `data`."""
    return document.get("data") if isinstance(document, Mapping) else None


def objects(document: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; none where there is no list, such as in V2's empty answer."""
    return [one for one in document if isinstance(one, Mapping)] if isinstance(document, list) else []


def _only(given: Any, names: Sequence[str]) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given} if isinstance(given, Mapping) else {}


def _names(line: Mapping[str, Any]) -> set[str]:
    """What a product is called in events: its SKU, else one of the names that stand for it."""
    stand_ins = (f"product-{line.get('variant_id')}", f"product-{line.get('product_id')}", f"line-{line.get('id')}")
    return {str(line.get("sku") or ""), *stand_ins}


def _free(line: Mapping[str, Any], quantity: int) -> dict[str, Any]:
    if line.get("product_id"):
        what = {name: line[name] for name in ("product_id", "variant_id") if line.get(name)}
    else:
        what = _only(line, ("name", "sku"))
    return {**what, "quantity": quantity, "price_inc_tax": 0, "price_ex_tax": 0}


def _bears(refund: Mapping[str, Any], key: str) -> bool:
    said = [refund.get("reason"), *(item.get("reason") for item in objects(refund.get("items")))]
    return any(isinstance(one, str) and (one == key or one.startswith(f"{key} ")) for one in said)


def _refund_given(refund: Mapping[str, Any], keys: Sequence[str], lines: Sequence[Mapping[str, Any]]) -> Given:
    items = objects(refund.get("items"))
    counted: dict[str, int] = {}
    for item in items:
        line = next((one for one in lines if one.get("id") == item.get("item_id")), None)
        quantity = item.get("quantity")
        # An amount of the whole order, or of a product without how many, says nothing of units: none are counted then.
        if item.get("item_type") != "PRODUCT" or line is None or type(quantity) is not int or quantity < 1:
            counted = {}
            break
        sku = _sku_of(line)
        counted[sku] = counted.get(sku, 0) + quantity
    return Given(
        what=Choice.REFUND,
        reference=str(refund["id"]),
        amount=_money(refund.get("total_amount")),
        units=tuple(sorted(counted.items())),
        at=_moment(refund.get("created")),
        key=next((key for key in keys if _bears(refund, key)), None),
    )


def _sku_of(line: Mapping[str, Any]) -> str:
    """What a product is called in events, see `bigcommerce_orders`."""
    sku = line.get("sku")
    if isinstance(sku, str) and sku.strip():
        return sku
    known = line.get("variant_id") or line.get("product_id")
    return f"product-{known}" if known else f"line-{line.get('id')}"


def _moment(text: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return None if at is None or at.tzinfo is None else at.astimezone(UTC)


def _paid(refund: Mapping[str, Any]) -> Outcome:
    payments = objects(refund.get("payments"))
    if payments and all(one.get("is_declined") for one in payments):
        return Cannot("payment_declined")
    return Done(str(refund["id"]))


def _payments(quote: Any, order: Mapping[str, Any], amount: Decimal) -> list[dict[str, Any]] | Cannot:
    """The way of paying back that the quote offers: through the provider that was paid, all of it online."""
    if not isinstance(quote, Mapping):
        raise VendorGarbledError(_NAME, "quote_malformed")
    if _money(quote.get("total_refund_amount")) != amount:
        return Cannot("amount_differs")
    methods = quote.get("refund_methods")
    ways = [objects(method) for method in methods] if isinstance(methods, list) else []
    online = [way for way in ways if way and not any(one.get("offline") for one in way)]
    money = [way for way in online if all(one.get("provider_id") != _STORE_CREDIT for one in way)]
    if not money and _money(order.get("store_credit_amount")) > 0:
        money = online
    if not money:
        return Cannot("not_refundable")
    return [_only(one, ("provider_id", "amount", "offline")) for one in money[0]]


def _money(value: Any) -> Decimal:
    try:
        return Decimal(str(value))
    except ArithmeticError:
        raise VendorGarbledError(_NAME, "amount_malformed") from None
