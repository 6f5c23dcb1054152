"""WooCommerce's REST API v3 on loopback: orders, refunds, coupons, products and stock that are really kept.

It holds to what WooCommerce documents and its source does: lists by `modified_after` (exclusive, whole seconds),
`exclude`, `parent`, `page`, `per_page` up to 100, sorted by change and id, with `X-WP-Total` and `X-WP-TotalPages`;
refunds that end in 500 when more is asked than is left or the gateway cannot; coupons whose code is taken; stock that
goes down with a paid order and comes back with a cancelled one; errors as `{code, message, data.status}`.
"""

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from tests.shops.api.misbehaving import Answer, MisbehavingShop
from tests.support.sockets import Request

KEY, SECRET = "ck_test", "cs_test"
FIRST = datetime(2026, 11, 1, 10, tzinfo=UTC)
ROOT = "/wp-json/wc/v3"


def moment(at: datetime) -> str:
    """As WooCommerce writes its `_gmt` dates."""
    return at.strftime("%Y-%m-%dT%H:%M:%S")


class WooCommerceServer(MisbehavingShop):
    """`orders` by id, `refunds` in order, `coupons` by code, `stock` by product; `asked` are names: `POST /orders`."""

    def __init__(self) -> None:
        super().__init__()
        self.orders: dict[int, dict[str, Any]] = {}
        self.refunds: list[dict[str, Any]] = []
        self.coupons: dict[str, dict[str, Any]] = {}
        self.stock: dict[int, int] = {}
        self.gateways = {"stripe": ["products", "refunds"], "cod": ["products"]}
        self.ids = count(5000)

    @property
    def url(self) -> SplitResult:
        """For `WooCommerceRest`."""
        return urlsplit(f"woocommerce://{KEY}:{SECRET}@{self.netloc}?insecure=1")

    @property
    def replacements(self) -> list[dict[str, Any]]:
        """Every order that was made for another one."""
        return [order for order in self.orders.values() if order["parent_id"]]

    def place(
        self, number: int = 1001, *lines: tuple[str, int, str], at: datetime | None = None, **fields: Any
    ) -> dict[str, Any]:
        """An order of (SKU, quantity, total of the line)."""
        lines = lines or (("YM-1", 1, "79.00"),)
        at = at or FIRST + timedelta(minutes=len(self.orders))
        billing = {"first_name": "Ada", "last_name": "Lovelace", "country": "DE", "email": "ada@example.com"}
        items = []
        for position, (sku, quantity, total) in enumerate(lines):
            product = number * 10 + position
            self.stock.setdefault(product, 10)
            items.append(
                {
                    "id": product * 10,
                    "product_id": product,
                    "variation_id": 0,
                    "sku": sku,
                    "name": "Yoga mat",
                    "quantity": quantity,
                    "total": total,
                    "total_tax": "0.00",
                }
            )
        order = {
            "id": number,
            "parent_id": 0,
            "status": "processing",
            "currency": "EUR",
            "created_via": "checkout",
            "total": str(sum((Decimal(total) for _, _, total in lines), Decimal(0))),
            "customer_id": 17,
            "date_created_gmt": moment(at),
            "date_modified_gmt": moment(at),
            "date_paid_gmt": moment(at),
            "date_completed_gmt": None,
            "payment_method": "stripe",
            "billing": billing,
            "shipping": billing,
            "line_items": items,
            "shipping_lines": [{"method_id": "flat_rate"}],
            "refunds": [],
            "meta_data": [],
        } | fields
        self.orders[number] = order
        return order

    def touch(self, number: int, at: datetime | None = None, **fields: Any) -> None:
        """Change an order: it is now the newest change, unless `at` says when."""
        newest = max(datetime.fromisoformat(order["date_modified_gmt"]) for order in self.orders.values())
        self.orders[number].update(fields, date_modified_gmt=moment(at or newest + timedelta(minutes=1)))

    def name_of(self, request: Request) -> str:
        """Method and path without ids: `POST /orders/refunds`."""
        path = urlsplit(request.target).path.removeprefix(ROOT)
        return f"{request.method} {re.sub(r'/[0-9]+', '', path)}"

    def handle(self, request: Request) -> Answer:  # noqa: PLR0911  one route a line
        """One request."""
        given = base64.b64decode(request.headers.get("authorization", "").removeprefix("Basic "))
        if given.decode() != f"{KEY}:{SECRET}":
            return _error(401, "woocommerce_rest_cannot_view")
        parts = urlsplit(request.target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        body = json.loads(request.body) if request.body else {}
        path = [part for part in parts.path.removeprefix(ROOT).split("/") if part]
        match request.method, path:
            case "GET", ["orders"]:
                return self._list(query)
            case "POST", ["orders"]:
                return self._ordered(body)
            case _, ["orders", number, *rest]:
                order = self.orders.get(int(number))
                if order is None:
                    return _error(404, "woocommerce_rest_shop_order_invalid_id")
                return self._of_order(request.method, order, rest, body)
            case "GET", ["products", number]:
                return self._product(int(number))
            case "GET", ["payment_gateways", name] if name in self.gateways:
                return Answer(200, {"id": name, "method_supports": self.gateways[name]})
            case _, ["coupons", *rest]:
                return self._coupons(request.method, rest, query, body)
        return _error(404, "rest_no_route")

    def _list(self, query: dict[str, str]) -> Answer:
        excluded = set(query.get("exclude", "").split(","))
        found = [
            order
            for order in self.orders.values()
            if str(order["id"]) not in excluded
            and order["date_modified_gmt"] > query.get("modified_after", "")
            and query.get("parent", str(order["parent_id"])) == str(order["parent_id"])
        ]
        if query.get("orderby") == "modified":
            found.sort(key=lambda order: (order["date_modified_gmt"], order["id"]))
        return _paged(found, query)

    def _of_order(self, method: str, order: dict[str, Any], rest: list[str], body: dict[str, Any]) -> Answer:
        if rest == ["refunds"]:
            mine = [refund for refund in self.refunds if refund["parent_id"] == order["id"]]
            return Answer(200, mine) if method == "GET" else self._refunded(order, body)
        if method == "PUT":
            for meta in body.pop("meta_data", []):
                order["meta_data"] = [one for one in order["meta_data"] if one["key"] != meta["key"]] + [meta]
            if body.get("status") == "cancelled" and order["status"] != "cancelled":
                self._restock(order, 1)
            order.update(body)
        return Answer(200, order)

    def _ordered(self, body: dict[str, Any]) -> Answer:
        number = next(self.ids)
        order = {"id": number, "refunds": [], "date_modified_gmt": moment(FIRST + timedelta(days=1)), **body}
        order["total"] = str(sum((Decimal(line["total"]) for line in body["line_items"]), Decimal(0)))
        self._restock(order, -1)
        self.orders[number] = order
        return Answer(201, order)

    def _restock(self, order: dict[str, Any], sign: int) -> None:
        for line in order["line_items"]:
            self.stock[line["product_id"]] += sign * line["quantity"]

    def _refunded(self, order: dict[str, Any], body: dict[str, Any]) -> Answer:
        left = Decimal(order["total"]) + sum((Decimal(one["total"]) for one in order["refunds"]), Decimal(0))
        pays = "refunds" in self.gateways[order["payment_method"]]
        if Decimal(body["amount"]) > left or (body["api_refund"] and not pays):
            return _error(500, "woocommerce_rest_cannot_create_order_refund")
        refund = {
            "id": next(self.ids),
            "parent_id": order["id"],
            "amount": body["amount"],
            "reason": body["reason"],
            "refunded_payment": body["api_refund"],
            "line_items": [],
        }
        self.refunds.append(refund)
        order["refunds"].append({"id": refund["id"], "reason": refund["reason"], "total": f"-{body['amount']}"})
        return Answer(201, refund)

    def _product(self, number: int) -> Answer:
        if number not in self.stock:
            return _error(404, "woocommerce_rest_product_invalid_id")
        counted = {"manage_stock": True, "stock_quantity": self.stock[number], "backorders_allowed": False}
        return Answer(200, {"id": number, **counted, "stock_status": "instock"})

    def _coupons(self, method: str, rest: list[str], query: dict[str, str], body: dict[str, Any]) -> Answer:
        if method == "GET":
            found = self.coupons.get(query["code"].lower())
            return _paged([found] if found else [], query)
        if method == "DELETE":
            gone = next((code for code, coupon in self.coupons.items() if str(coupon["id"]) == rest[0]), None)
            if gone is None:
                return _error(404, "woocommerce_rest_shop_coupon_invalid_id")
            return Answer(200, self.coupons.pop(gone))
        code = body["code"].lower()  # as wc_format_coupon_code keeps it
        if code in self.coupons:
            return _error(400, "woocommerce_rest_coupon_code_already_exists")
        self.coupons[code] = {"id": next(self.ids), **body, "code": code}
        return Answer(201, self.coupons[code])


def _paged(found: list[dict[str, Any]], query: dict[str, str]) -> Answer:
    size, page = int(query.get("per_page", "10")), int(query.get("page", "1"))
    if size > 100:
        return _error(400, "rest_invalid_param")
    pages = -(-len(found) // size)
    headers = {"X-WP-Total": str(len(found)), "X-WP-TotalPages": str(pages)}
    return Answer(200, found[(page - 1) * size : page * size], headers)


def _error(status: int, code: str) -> Answer:
    return Answer(status, {"code": code, "message": "Sorry.", "data": {"status": status}})
