"""BigCommerce's Management API on loopback: orders, refunds, coupons and stock of one store, really kept.

It holds to the specification (https://github.com/bigcommerce/docs, reference/orders.v2.oas2.yml and orders.v3.yml):
dates as mails write them, 204 for an empty list, numbers of pages over a list that moves, the quota in every answer,
errors of V2 as a list and of V3 as one object.
"""

import json
from collections import deque
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from itertools import count
from urllib.parse import parse_qs, urlsplit

from tests.shops.api.backend_server import answered
from tests.support.sockets import HOST, SocketServer

TOKEN, STORE = "bc-token", "abc123"
FIRST = datetime(2026, 11, 1, tzinfo=UTC)
ADDRESS = {
    "first_name": "Ada", "last_name": "Lovelace", "company": "", "street_1": "Main Street 1", "street_2": "",
    "city": "Austin", "state": "Texas", "zip": "78751", "country": "United States", "country_iso2": "US",
    "phone": "", "email": "ada@example.com", "form_fields": [],
}  # fmt: skip


class BigCommerceServer(SocketServer):
    """`then` queues whole answers for the next requests, `asked` are the requests, `left` is what remains of the quota.

    What is done for the request called `loses` is answered by a gateway's error, once.
    """

    def __init__(self):
        super().__init__()
        self.orders = {}
        self.products = {}
        self.shipments = {}
        self.refunds = {}
        self.coupons = {}
        self.stock = {77: ("product", 10), 78: ("variant", 0), 79: ("none", 0)}
        self.expands = True
        self.offline = False
        self.declines = False
        self.loses = ""
        self.left, self.reset_ms = 450, 30_000
        self.asked = []
        self.bodies = []
        self.then = deque()
        self.ids = count(9000)
        self.between = lambda: None

    @property
    def url(self):
        return f"bigcommerce://{TOKEN}@{HOST}:{self.port}/{STORE}?insecure=1"

    def sell(self, order_id, *, changed=FIRST, status_id=11, skus=(("YM-1", 77, 0),), **fields):
        """An order of one of each SKU (with its product and variant) for 79.00."""
        self.orders[order_id] = {
            "id": order_id, "customer_id": 20, "status_id": status_id, "channel_id": 1,
            "date_created": format_datetime(FIRST), "date_modified": format_datetime(changed),
            "total_inc_tax": "79.0000", "default_currency_code": "USD", "currency_code": "USD",
            "refunded_amount": "0.0000", "store_credit_amount": "0.0000", "payment_status": "captured",
            "items_total": len(skus), "items_shipped": 0, "billing_address": ADDRESS, "external_order_id": "",
            "customer_locale": "en", "is_deleted": False,
        } | fields  # fmt: skip
        self.products[order_id] = [
            {
                "id": order_id * 10 + place, "order_id": order_id, "product_id": product, "variant_id": variant,
                "order_address_id": order_id * 10, "sku": sku, "name": "Yoga mat", "type": "physical",
                "quantity": 1, "price_inc_tax": "79.0000", "parent_order_product_id": None,
            }
            for place, (sku, product, variant) in enumerate(skus)
        ]  # fmt: skip

    def touch(self, order_id, at):
        self.orders[order_id]["date_modified"] = format_datetime(at)

    async def answer(self, request, _reader, writer):
        parts = urlsplit(request.target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        path = parts.path.removeprefix(f"/stores/{STORE}")
        self.asked.append(f"{request.method} {path}")
        body = json.loads(request.body) if request.body else None
        if body is not None:
            self.bodies.append(body)
        if self.then:
            writer.write(self.then.popleft())
            return True
        if request.headers.get("x-auth-token") != TOKEN:
            status, document = 401, {"status": 401, "title": "X-Auth-Token header is required"}
        else:
            status, document = self._handle(request.method, path, query, body)
        if self.asked[-1] == self.loses:
            self.loses = ""
            status, document = 502, None
        self.left -= 1
        quota = {"X-Rate-Limit-Requests-Left": str(self.left), "X-Rate-Limit-Time-Reset-Ms": str(self.reset_ms)}
        quota |= {"X-Rate-Limit-Requests-Quota": "450", "X-Rate-Limit-Time-Window-Ms": "30000"}
        writer.write(answered(status, document, quota))
        return True

    def _handle(self, method, path, query, body):  # noqa: PLR0911  one return an endpoint
        match [method, *path.strip("/").split("/")]:
            case ["GET", "v2", "orders"]:
                return self._list(query)
            case ["GET", "v2", "orders", "count"]:
                return 200, {"statuses": [], "count": len(self._since(query))}
            case ["POST", "v2", "orders"]:
                return self._create(body)
            case ["GET", "v2", "coupons"]:
                return _listed([one for one in self.coupons.values() if one["code"] == query.get("code")])
            case ["POST", "v2", "coupons"]:
                return self._make_coupon(body)
            case ["DELETE", "v2", "coupons", number]:
                self.coupons.pop(int(number))
                return 204, None
            case ["GET", "v3", "catalog", "products", number]:
                return self._product(int(number))
            case [_, version, "orders", number, *rest] if int(number) in self.orders:
                return self._of_order([method, version, *rest], int(number), query, body)
        return 404, [{"status": 404, "message": "The requested resource was not found."}]

    def _of_order(self, asked, number, query, body):  # noqa: PLR0911  one return an endpoint
        match asked:
            case ["GET", "v2"]:
                return 200, self._shown(number, query)
            case ["PUT", "v2"]:
                self.orders[number] |= body
                return 200, self.orders[number]
            case ["GET", "v2", "products"]:
                return _listed(self.products[number], query)
            case ["GET", "v2", "shipments"]:
                return _listed(self.shipments.get(number, []), query)
            case ["GET", "v2", "shipping_addresses"]:
                return _listed([{"id": number * 10, "order_id": number, "items_shipped": 0, **ADDRESS}], query)
            case ["GET", "v3", "payment_actions", "refunds"]:
                return 200, {"data": self.refunds.get(number, []), "meta": {}}
            case ["POST", "v3", "payment_actions", "refund_quotes"]:
                return 201, {"data": self._quote(body), "meta": {}}
            case ["POST", "v3", "payment_actions", "refunds"]:
                return self._pay_back(number, body)
        return 404, {"status": 404, "title": "Not found"}

    def _since(self, query):
        begin = datetime.fromisoformat(query["min_date_modified"])
        found = [one for one in self.orders.values() if parsedate_to_datetime(one["date_modified"]) >= begin]
        return sorted(found, key=lambda one: (parsedate_to_datetime(one["date_modified"]), one["id"]))

    def _list(self, query):
        if "external_order_id" in query:
            return _listed(
                [one for one in self.orders.values() if one["external_order_id"] == query["external_order_id"]]
            )
        status, found = _listed(self._since(query), query)
        shown = found and [dict(self._shown(one["id"], query)) for one in found]
        self.between()
        return status, shown

    def _shown(self, number, query):
        order = self.orders[number]
        if query.get("include") != "consignments.line_items":
            return order
        items = self.products[number]
        if not self.expands:
            items = [{"url": f"https://api.bigcommerce.com/…/{item['id']}", "resource": "…"} for item in items]
        return order | {"consignments": {"pickups": [], "shipping": [{"id": 1, "line_items": items}], "downloads": []}}

    def _create(self, body):
        number = next(self.ids)
        self.orders[number] = {"id": number, "items_shipped": 0, **body}
        return 200, self.orders[number]

    def _make_coupon(self, body):
        if any(one["code"] == body["code"] or one["name"] == body["name"] for one in self.coupons.values()):
            return 409, [{"status": 409, "message": "The field 'code' is not unique."}]
        number = next(self.ids)
        self.coupons[number] = {"id": number, "num_uses": 0, **body}
        return 201, self.coupons[number]

    def _product(self, number):
        if number not in self.stock:
            return 404, {"status": 404, "title": "Product was not found"}
        tracking, level = self.stock[number]
        variants = [{"id": 780, "inventory_level": 3}, {"id": 781, "inventory_level": 0}]
        found = {"id": number, "inventory_tracking": tracking, "inventory_level": level, "variants": variants}
        return 200, {"data": found, "meta": {}}

    def _quote(self, body):
        amount = sum(item["amount"] for item in body["items"])
        credit = {"provider_id": "storecredit", "amount": amount, "offline": False}
        card = {"provider_id": "braintree", "amount": amount, "offline": self.offline, "offline_reason": ""}
        return {"total_refund_amount": amount, "total_refund_tax_amount": 0, "refund_methods": [[credit], [card]]}

    def _pay_back(self, number, body):
        made = {
            "id": next(self.ids),
            "order_id": number,
            "created": FIRST.isoformat(),
            "reason": "",
            "total_amount": sum(item["amount"] for item in body["items"]),
            "items": body["items"],
            "payments": [{**one, "is_declined": self.declines} for one in body["payments"]],
        }
        self.refunds.setdefault(number, []).append(made)
        return 201, {"data": made, "meta": {}}


def _listed(found, query=None):
    """A page of a list, by number; an empty one is 204."""
    page, limit = int((query or {}).get("page", "1")), int((query or {}).get("limit", "50"))
    here = list(found)[(page - 1) * limit : page * limit]
    return (200, here) if here else (204, None)


def a_second(number):
    """So many seconds after the first moment."""
    return FIRST + timedelta(seconds=number)
