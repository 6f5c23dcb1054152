"""Shopify's GraphQL Admin API on loopback: orders, drafts, refunds, codes and stock that are really kept.

It holds to what Shopify documents: what a query may cost and the bucket of points, `THROTTLED` with its state, user
errors beside 200, compare-and-set of metafields, `@idempotent` of refunds, drafts that are completed once and codes
that are unique. `unindexed` are orders that the search does not know of yet.
"""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from urllib.parse import SplitResult, urlsplit

from activities.shops.payloads import rounded
from activities.shops.shopify_queries import VERSION
from tests.shops.api.graphql import Document, GraphqlError, cost, project, read, resolved
from tests.shops.api.misbehaving import Answer, MisbehavingShop
from tests.shops.api.shopify_changes import ADDRESS, CANCELLED_AT, Changes, Stocked, presented
from tests.support.sockets import Request

TOKEN = "shpat_test"  # noqa: S105
FIRST = datetime(2026, 11, 1, 10, tzinfo=UTC)


def moment(at: datetime) -> str:
    """As Shopify writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class ShopifyServer(MisbehavingShop, Changes):
    """`orders`, `drafts`, `codes` by number or code; `stock` by SKU; `refunds` all that were made, in order.

    Attributes:
        limit: what one query may cost at most.
        available: points in the bucket; `restore_rate` a second come back, by `restore`.
        cancels_later: whether a cancelled order is only seen as such after the answer.
        declines: how many refunds the payment provider will not make.
        asked: the names of the operations, such as `RefundCreate`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.orders: dict[str, dict[str, Any]] = {}
        self.drafts: dict[str, dict[str, Any]] = {}
        self.codes: dict[str, dict[str, Any]] = {}
        self.stock: dict[str, int] = {}
        self.refunds: list[dict[str, Any]] = []
        self.unindexed: set[str] = set()
        self.limit = 1000
        self.available = 10_000.0
        self.maximum = 10_000.0
        self.restore_rate = 100.0
        self.queries: list[str] = []
        self.denied: set[str] = set()
        self.idempotent: dict[str, tuple[str, dict[str, Any]]] = {}
        self.failed: set[str] = set()
        self.declines = 0
        self.cancels_later = False
        self.ids = count(5000)
        self.now = FIRST

    @property
    def url(self) -> SplitResult:
        """For `ShopifyAdmin`."""
        return urlsplit(f"shopify://{TOKEN}@{self.netloc}?insecure=1")

    def restore(self, seconds: float) -> None:
        """What the bucket gets in that time."""
        self.available = min(self.maximum, self.available + seconds * self.restore_rate)

    def place(
        self,
        number: str = "1001",
        *lines: tuple[str | None, int, str],
        at: datetime | None = None,
        currency: str = "EUR",
        rate: tuple[str, str] | None = None,
        **fields: Any,
    ) -> dict[str, Any]:
        """An order of (SKU, quantity, price); `rate` is the customer's currency and what one of the shop's is in it."""
        lines = lines or (("YM-1", 1, "79.00"),)
        at = at or FIRST + timedelta(minutes=len(self.orders))
        money = self._money(currency, rate)
        nodes = [self._line(number, position, line, money) for position, line in enumerate(lines)]
        total = sum((Decimal(price) * quantity for _, quantity, price in lines), Decimal(0))
        order: dict[str, Any] = {
            "id": f"gid://shopify/Order/{number}",
            "legacyResourceId": number,
            "name": f"#{number}",
            "createdAt": moment(at),
            "updatedAt": moment(at),
            "cancelledAt": None,
            "currencyCode": currency,
            "presentmentCurrencyCode": rate[0] if rate else currency,
            "sourceName": "web",
            "tags": [],
            "test": False,
            "customerLocale": "de-DE",
            "customerAcceptsMarketing": False,
            "email": "ada@example.com",
            "phone": None,
            "retailLocation": None,
            "shippingLine": {"title": "Standard"},
            "displayFinancialStatus": "PAID",
            "taxesIncluded": True,
            **dict.fromkeys(("totalPriceSet", "currentTotalPriceSet"), money(total)),
            **dict.fromkeys(("totalDiscountsSet", "currentTotalDiscountsSet"), money(Decimal(0))),
            **dict.fromkeys(("totalShippingPriceSet", "currentShippingPriceSet"), money(Decimal(0))),
            **dict.fromkeys(("totalTaxSet", "currentTotalTaxSet", "totalTipReceivedSet"), money(Decimal(0))),
            **dict.fromkeys(("originalTotalDutiesSet", "currentTotalDutiesSet")),
            "customer": {
                "id": "gid://shopify/Customer/17",
                "legacyResourceId": "17",
                "firstName": "Ada",
                "numberOfOrders": "3",
                "defaultEmailAddress": {"emailAddress": "ada@example.com", "marketingState": "SUBSCRIBED"},
                "defaultPhoneNumber": None,
            },
            "shippingAddress": ADDRESS,
            "billingAddress": ADDRESS,
            "lineItems": nodes,
            "fulfillments": [],
            "fulfillmentOrders": [
                {
                    "status": "OPEN",
                    "updatedAt": moment(at),
                    "deliveryMethod": {
                        "methodType": "SHIPPING",
                        "minDeliveryDateTime": None,
                        "maxDeliveryDateTime": None,
                    },
                    "assignedLocation": None,
                }
            ],
            "refunds": [],
            "metafields": {},
            "paid": [{"id": f"gid://shopify/OrderTransaction/{number}", "gateway": "shopify_payments", "left": total}],
            "money": money,
        } | fields
        order["metafield"] = lambda namespace, key: order["metafields"].get((namespace, key))
        order["suggestedRefund"] = lambda suggestFullRefund: self._suggested(order)  # noqa: ARG005, N803
        self.orders[number] = order
        return order

    def touch(self, number: str, at: datetime | None = None, **fields: Any) -> None:
        """Change an order: it is now the newest change, unless `at` says when."""
        newest = max(datetime.fromisoformat(order["updatedAt"]) for order in self.orders.values())
        self.orders[number].update(fields, updatedAt=moment(at or newest + timedelta(minutes=1)))

    def fulfil(self, number: str, *tracking: str, skus: Any = None, **fields: Any) -> None:
        """A parcel of the order, with all its lines unless `skus` says which."""
        order = self.orders[number]
        lines = [line for line in order["lineItems"] if skus is None or line["sku"] in skus]
        parcel = {
            "id": f"gid://shopify/Fulfillment/{next(self.ids)}",
            "status": "SUCCESS",
            "displayStatus": "IN_TRANSIT",
            "createdAt": order["updatedAt"],
            "updatedAt": order["updatedAt"],
            "estimatedDeliveryAt": None,
            "inTransitAt": None,
            "deliveredAt": None,
            "trackingInfo": [{"number": one, "company": "DHL", "url": None} for one in tracking],
            "fulfillmentLineItems": [{"quantity": line["quantity"], "lineItem": line} for line in lines],
        } | fields
        order["fulfillments"].append(parcel)

    def name_of(self, request: Request) -> str:
        """The operation's name."""
        return read(json.loads(request.body)["query"]).name

    def handle(self, request: Request) -> Answer:
        """One document."""
        path = f"/admin/api/{VERSION}/graphql.json"
        if (request.method, request.target, request.headers.get("x-shopify-access-token")) != ("POST", path, TOKEN):
            return Answer(401, {"errors": "[API] Invalid API key or access token (unrecognized login)"})
        body = json.loads(request.body)
        self.queries.append(body["query"])
        document, variables = read(body["query"]), body["variables"]
        requested = 10 if document.kind == "mutation" else cost(document.fields, variables)
        shown = {"requestedQueryCost": requested, "actualQueryCost": None}
        code = "MAX_COST_EXCEEDED" if requested > self.limit else "THROTTLED" if requested > self.available else ""
        code = code or ("ACCESS_DENIED" if document.name in self.denied else "")
        if code:
            return self._failed("No.", code, shown)
        self.available -= requested / 2  # half of what it could have cost, as it turned out
        try:
            data = {one.name: self._root(document, one, variables) for one in document.fields}
        except GraphqlError as error:
            return self._failed(str(error), error.code, shown)
        return Answer(200, {"data": data, "extensions": self._extensions(shown)})

    def _failed(self, message: str, code: str, shown: dict[str, Any]) -> Answer:
        errors = [{"message": message, "extensions": {"code": code}}]
        return Answer(200, {"errors": errors, "extensions": self._extensions(shown)})

    def _extensions(self, shown: dict[str, Any]) -> dict[str, Any]:
        bucket = {
            "maximumAvailable": self.maximum,
            "currentlyAvailable": self.available,
            "restoreRate": self.restore_rate,
        }
        return {"cost": {**shown, "throttleStatus": bucket}}

    def _root(self, document: Document, one: Any, variables: dict[str, Any]) -> Any:
        arguments = resolved(one.arguments, variables)
        if one.name == "orders":
            made = self._found(**arguments)
        elif document.kind == "mutation":
            made = self.change(one, arguments, variables)
        else:
            made = self._read(one.name, arguments)
        return project(made, one.selected, variables)

    def _found(self, *, first: int, query: str, sortKey: str, after: str | None = None) -> dict[str, Any]:  # noqa: N803
        matching = self._matching(query)
        if sortKey != "UPDATED_AT":
            raise GraphqlError("this stand-in sorts by UPDATED_AT alone", "undefined")
        matching.sort(key=_place)
        # The cursor is a place, not a number: what changes meanwhile is beyond it.
        rest = [order for order in matching if after is None or _place(order) > tuple(json.loads(after))]
        nodes = rest[:first]
        return {
            "nodes": nodes,
            "pageInfo": {
                "hasNextPage": len(rest) > first,
                "endCursor": json.dumps(_place(nodes[-1])) if nodes else None,
            },
        }

    def _matching(self, query: str) -> list[dict[str, Any]]:
        since = query.removeprefix("updated_at:>='").removesuffix("'")
        return [
            order
            for number, order in self.orders.items()
            if number not in self.unindexed and order["updatedAt"] >= since
        ]

    def _read(self, name: str, arguments: dict[str, Any]) -> Any:
        if name == "ordersCount":
            return {"count": len(self._matching(arguments["query"]))}
        if name == "codeDiscountNodeByCode":
            return self.codes.get(arguments["code"].upper())
        kind, _, number = arguments["id"].removeprefix("gid://shopify/").partition("/")
        match kind:
            case "Order":
                return self.orders.get(number)
            case "DraftOrder":
                return self._draft(number)
            case "Fulfillment" | "Refund":
                parts = "fulfillments" if kind == "Fulfillment" else "refunds"
                every = [part for order in self.orders.values() for part in order[parts]]
                return next((part for part in every if part["id"] == arguments["id"]), None)
        raise GraphqlError("Invalid global id", "INVALID")

    def _draft(self, number: str) -> dict[str, Any] | None:
        """A draft; one whose order is being cancelled shows it from the second look on."""
        draft = self.drafts.get(number)
        if draft is not None and "cancelling" in draft:
            if draft["cancelling"] == 0:
                draft["order"]["cancelledAt"] = CANCELLED_AT
            draft["cancelling"] -= 1
        return draft

    def _line(self, number: str, position: int, line: tuple[str | None, int, str], money: Any) -> dict[str, Any]:
        sku, quantity, price = line
        self.stock.setdefault(sku or "", 10)
        variant = {
            "id": f"gid://shopify/ProductVariant/{sku or position}",
            "legacyResourceId": f"9{position}",
            "sku": sku or "",
            "inventoryPolicy": "DENY",
            "inventoryItem": {"tracked": True},
        }
        return {
            "id": f"gid://shopify/LineItem/{number}{position:03}",
            "sku": sku,
            "title": "Yoga mat",
            "name": "Yoga mat",
            "quantity": quantity,
            "currentQuantity": quantity,
            "refundableQuantity": quantity,
            "requiresShipping": True,
            "isGiftCard": False,
            "variantTitle": None,
            "image": None,
            "sellingPlan": None,
            "originalUnitPriceSet": money(Decimal(price)),
            "variant": Stocked(variant, self.stock),
            "product": {"legacyResourceId": "7", "productType": "Fitness", "onlineStoreUrl": None},
        }

    def _money(self, currency: str, rate: tuple[str, str] | None) -> Any:
        code, factor = rate or (currency, "1")

        def money(amount: Decimal) -> dict[str, Any]:
            return {
                "shopMoney": {"amount": str(amount), "currencyCode": currency},
                "presentmentMoney": {"amount": str(rounded(amount * Decimal(factor), code)), "currencyCode": code},
            }

        return money

    def _suggested(self, order: dict[str, Any]) -> dict[str, Any]:
        def left(*payments: dict[str, Any]) -> dict[str, Any]:
            return {
                "shopMoney": {"amount": str(sum((one["left"] for one in payments), Decimal(0)))},
                "presentmentMoney": {"amount": str(sum((presented(order, one) for one in payments), Decimal(0)))},
            }

        return {
            "maximumRefundableSet": left(*order["paid"]),
            "suggestedTransactions": [
                {
                    "gateway": paid["gateway"],
                    "maximumRefundableSet": left(paid),
                    "parentTransaction": {"id": paid["id"]},
                }
                for paid in order["paid"]
                if paid["left"]
            ],
        }


def _place(order: dict[str, Any]) -> tuple[str, str]:
    return order["updatedAt"], order["legacyResourceId"]
