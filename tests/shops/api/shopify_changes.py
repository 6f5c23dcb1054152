"""Stock, and what Shopify's mutations do to the stand-in's orders, drafts, refunds and codes."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from activities.shops.payloads import rounded
from tests.shops.api.graphql import Field, GraphqlError, resolved

CANCELLED_AT = "2026-11-22T10:00:00Z"
_REUSED = "The same idempotency key cannot be used with different operation parameters."
_FAILED = "A previous request with this idempotency key failed. Retry with a new idempotency key."

ADDRESS = {
    "firstName": "Ada",
    "lastName": "Lovelace",
    "company": None,
    "address1": "Ringstr. 1",
    "address2": None,
    "city": "Berlin",
    "provinceCode": None,
    "countryCodeV2": "DE",
    "zip": "10115",
    "phone": None,
}


class Changes:
    """The mutations, by the name of their field."""

    orders: dict[str, dict[str, Any]]
    drafts: dict[str, dict[str, Any]]
    codes: dict[str, dict[str, Any]]
    stock: dict[str, int]
    refunds: list[dict[str, Any]]
    idempotent: dict[str, tuple[str, dict[str, Any]]]
    failed: set[str]
    declines: int
    cancels_later: bool
    ids: Iterator[int]

    def change(self, one: Field, arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """One mutation."""
        if one.name == "refundCreate":
            directive = resolved(one.directives.get("idempotent", {}), variables)
            return self.refundCreate(directive.get("key"), **arguments)
        return getattr(self, one.name)(**arguments)

    def metafieldsSet(self, metafields: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N802
        """All or none; `compareDigest` null means that there must be none."""
        (given,) = metafields
        kept = self.orders[_number(given["ownerId"])]["metafields"]
        place = (given["namespace"], given["key"])
        if "compareDigest" in given and given["compareDigest"] is None and place in kept:
            return {"metafields": None, "userErrors": [{"code": "STALE_OBJECT"}]}
        if not 2 <= len(given["key"]) <= 64:
            return {"metafields": None, "userErrors": [{"code": "TOO_LONG"}]}
        kept[place] = {"value": given["value"]}
        return {"metafields": [kept[place]], "userErrors": []}

    def draftOrderCreate(self, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002, N802
        """A draft, whose goods are held."""
        number = str(next(self.ids))
        draft = {
            "id": f"gid://shopify/DraftOrder/{number}",
            "status": "OPEN",
            "order": None,
            "input": input,
            "held": [(_number(line["variantId"]), line["quantity"]) for line in input["lineItems"]],
        }
        for sku, quantity in draft["held"]:
            self.stock[sku] -= quantity
        self.drafts[number] = draft
        return {"draftOrder": draft, "userErrors": []}

    def draftOrderComplete(self, id: str) -> dict[str, Any]:  # noqa: A002, N802
        """An order of it, once."""
        draft = self.drafts.get(_number(id))
        if draft is None or draft["status"] == "COMPLETED":
            return {"draftOrder": None, "userErrors": [{"field": ["id"]}]}
        number = str(next(self.ids))
        order = {
            "id": f"gid://shopify/Order/{number}",
            "legacyResourceId": number,
            "tags": draft["input"]["tags"],
            "cancelledAt": None,
            "fulfillments": [],
            "replaces": draft["input"]["customAttributes"][0]["value"],
        }
        draft.update(status="COMPLETED", order=order)
        self.replacements.append(order)
        return {"draftOrder": draft, "userErrors": []}

    @property
    def replacements(self) -> list[dict[str, Any]]:
        """Every order that a draft became."""
        return self.__dict__.setdefault("_replacements", [])

    def draftOrderDelete(self, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002, N802
        """Only what is not completed."""
        draft = self.drafts.get(_number(input["id"]))
        if draft is None or draft["status"] == "COMPLETED":
            return {"deletedId": None, "userErrors": [{"field": ["id"]}]}
        for sku, quantity in draft["held"]:
            self.stock[sku] += quantity
        del self.drafts[_number(input["id"])]
        return {"deletedId": input["id"], "userErrors": []}

    def orderCancel(self, orderId: str, **_: Any) -> dict[str, Any]:  # noqa: N802, N803
        """What a draft became; by a job, which is mostly done at once."""
        draft = next(one for one in self.drafts.values() if one["order"] and one["order"]["id"] == orderId)
        if draft["order"]["cancelledAt"]:
            return {"job": None, "orderCancelUserErrors": [{"code": "INVALID"}]}
        if self.cancels_later:
            draft["cancelling"] = 1
        else:
            draft["order"]["cancelledAt"] = CANCELLED_AT
        for sku, quantity in draft["held"]:
            self.stock[sku] += quantity
        return {"job": {"done": not self.cancels_later}, "orderCancelUserErrors": []}

    def refundCreate(self, key: str | None, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002, N802
        """Under the key that 2026-04 made mandatory; the same again under the same key, another input never."""
        if not key:
            raise GraphqlError("The @idempotent directive is required for this mutation", "BAD_REQUEST")
        given = json.dumps(input, sort_keys=True)
        if key in self.failed:
            return {"refund": None, "userErrors": [{"field": None, "message": _FAILED}]}
        if self.declines:
            self.declines -= 1
            self.failed.add(key)
            return {"refund": None, "userErrors": [{"field": None, "message": "The payment provider declined"}]}
        if key in self.idempotent:
            before, refund = self.idempotent[key]
            if before != given:
                return {"refund": None, "userErrors": [{"field": None, "message": _REUSED}]}
            return {"refund": refund, "userErrors": []}
        order = self.orders[_number(input["orderId"])]
        problem = _wrong(order, input)
        if problem:
            return {"refund": None, "userErrors": [{"field": ["transactions"], "message": problem}]}
        factor = Decimal(order["money"](Decimal(1))["presentmentMoney"]["amount"])
        for given_line in input["refundLineItems"]:
            line = next(one for one in order["lineItems"] if one["id"] == given_line["lineItemId"])
            line["refundableQuantity"] -= given_line["quantity"]
            line["currentQuantity"] -= given_line["quantity"]
        number = str(next(self.ids))
        refund = {
            "id": f"gid://shopify/Refund/{number}",
            "legacyResourceId": number,
            "note": input["note"],
            "createdAt": order["updatedAt"],
            "processedAt": order["updatedAt"],
            "transactions": [],
            "totalRefundedSet": order["money"](
                sum((Decimal(paid["amount"]) / factor for paid in input["transactions"]), Decimal(0))
            ),
            "refundLineItems": [
                {
                    "quantity": one["quantity"],
                    "lineItem": next(line for line in order["lineItems"] if line["id"] == one["lineItemId"]),
                }
                for one in input["refundLineItems"]
            ],
        }
        for paid in input["transactions"]:
            amount = rounded(Decimal(paid["amount"]) / factor, order["currencyCode"])
            payment = next(one for one in order["paid"] if one["id"] == paid["parentId"])
            payment["presented"] = presented(order, payment) - Decimal(paid["amount"])
            payment["left"] -= amount
            refund["transactions"].append(
                {
                    "id": f"gid://shopify/OrderTransaction/{len(refund['transactions'])}",
                    "kind": "REFUND",
                    "status": "SUCCESS",
                    "parentTransaction": None,
                    "amountSet": order["money"](amount),
                }
            )
        order["refunds"].append(refund)
        self.refunds.append({"order": order["legacyResourceId"], **input})
        self.idempotent[key] = (given, refund)
        return {"refund": refund, "userErrors": []}

    def discountCodeBasicCreate(self, basicCodeDiscount: dict[str, Any]) -> dict[str, Any]:  # noqa: N802, N803
        """A code there is once."""
        code = basicCodeDiscount["code"].upper()
        if code in self.codes:
            return {"codeDiscountNode": None, "userErrors": [{"code": "TAKEN"}]}
        node = {"id": f"gid://shopify/DiscountCodeNode/{next(self.ids)}", "active": True, **basicCodeDiscount}
        self.codes[code] = node
        return {"codeDiscountNode": node, "userErrors": []}

    def discountCodeDeactivate(self, id: str) -> dict[str, Any]:  # noqa: A002, N802
        """It stays taken."""
        next(node for node in self.codes.values() if node["id"] == id)["active"] = False
        return {"userErrors": []}


class Stocked(dict[str, Any]):
    """A variant whose stock is the shop's."""

    def __init__(self, variant: dict[str, Any], stock: dict[str, int]) -> None:
        super().__init__(variant)
        self._stock = stock

    def __contains__(self, name: object) -> bool:
        return name == "inventoryQuantity" or super().__contains__(name)

    def __getitem__(self, name: str) -> Any:
        return self._stock[self["sku"]] if name == "inventoryQuantity" else super().__getitem__(name)


def _wrong(order: dict[str, Any], given: dict[str, Any]) -> str | None:
    if given["currency"] != order["presentmentCurrencyCode"]:
        return "Currency must be the presentment currency"
    for one in given["refundLineItems"]:
        line = next(line for line in order["lineItems"] if line["id"] == one["lineItemId"])
        if one["quantity"] > line["refundableQuantity"]:
            return "Quantity cannot refund more items than were purchased"
    for paid in given["transactions"]:
        payment = next(one for one in order["paid"] if one["id"] == paid["parentId"])
        if Decimal(paid["amount"]) > presented(order, payment):
            return "Refund amount is more than what was paid"
    return None


def presented(order: dict[str, Any], payment: dict[str, Any]) -> Decimal:
    """What is left of a payment in the customer's currency, which Shopify counts beside the shop's."""
    left = order["money"](payment["left"])["presentmentMoney"]["amount"]
    return payment.get("presented", Decimal(left))


def _number(gid: str) -> str:
    return gid.rpartition("/")[2]
