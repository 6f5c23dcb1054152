"""Remedies at Shopify: replacements, refunds and codes, each made once.

What finds again what an earlier attempt made is never Shopify's search (tags, `orders(query:)`), whose index lags
behind; it is always read by id, or by the code that is unique:

- **Replacement**: a draft order with everything taken off, its goods reserved for two days, that is then completed.
  A draft is no order: it is sent to nobody. Its id is written to a metafield of the original order by compare-and-set
  (`compareDigest: null`, "only if there is none": https://shopify.dev/docs/api/admin-graphql/2026-10/mutations/metafieldsSet)
  before it is completed, and only the draft that stands there ever is. Two attempts at once make two drafts, one of
  which gets the place; the other is deleted, or, when its maker died first, its reservation lapses. A draft is
  completed once: the second attempt reads its order.
- **Refund**: `refundCreate` under `@idempotent(key:)`, which 2026-04 made mandatory and which is kept for 24 hours
  (https://shopify.dev/docs/api/usage/implementing-idempotency); beyond that the refund's note, which carries the key,
  is looked for among the order's refunds. The user errors of this mutation have no code, so the sentences of the
  codes `IDEMPOTENCY_…` that inventory mutations document are what is recognised.
- **Code**: a shop has a code once. Ours is derived from the key with the secret, so nobody else can guess it.

`reserve`, `release`, `replace` and `cancel_replacement` of one remedy share one key. A draft that was deleted stays
named on the order, so that no late attempt makes another.
"""

import base64
import hmac
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from activities.shops import shopify_queries as documents
from activities.shops.api import Cannot, Done, Outcome, Wanted
from activities.shops.shopify_goods import Goods, goods, refund_given
from activities.shops.shopify_graphql import NAME, Graphql
from activities.shops.shopify_inputs import draft_input, order_gid, refund_input
from activities.shops.shopify_orders import number_of
from activities.vendors.http import VendorBusyError, VendorRefusedError, VendorUnclearError
from journey.made_good import Given
from journey.remedies import Choice

_NAMESPACE: Final = "postlude"
_CANCELLING: Final = timedelta(seconds=5)
_ATTEMPTS: Final = 5
"""After so many refunds that failed for certain, another key is no use."""
_SENT: Final = frozenset({"SUCCESS", "OPEN", "PENDING"})
_UNKNOWN: Final = Cannot("order_unknown", unseen=True)


class ShopifyRemedies:
    """The remedies of `ShopApi`. User errors without a meaning of their own are `Cannot("rejected")`."""

    name = NAME
    settles = timedelta(minutes=1)

    def __init__(self, graphql: Graphql, *, shop: str, secret_key: str) -> None:
        self.shop = shop
        self._secret_key = secret_key
        self._graphql = graphql

    async def given(self, order_id: str, keys: Sequence[str]) -> Sequence[Given] | Cannot:
        """Every refund with its lines, and the replacements of these keys; others name their order by a text alone."""
        order = (await self._graphql.ask(documents.GIVEN, id=order_gid(order_id)))["order"]
        if order is None:
            return _UNKNOWN
        found = []
        for refund in order["refunds"]:
            inside = (await self._graphql.ask(documents.REFUNDED, id=refund["id"]))["refund"]["refundLineItems"]
            found.append(refund_given(refund, inside, {_mark(key): key for key in keys}))
        for key in keys:
            noted = (await self._graphql.ask(documents.MENDING, id=order_gid(order_id), key=_mark(key)))["order"]
            draft = await self._draft(noted) if noted is not None else None
            made = draft["order"] if draft is not None else None
            if made is not None and made["cancelledAt"] is None:
                found.append(Given(what=Choice.REPLACEMENT, reference=str(made["legacyResourceId"]), key=key))
        return found

    async def reserve(self, wanted: Wanted) -> Outcome:
        """A draft order of the goods, which holds them for two days; the reference is the draft's id."""
        order = await self._order(wanted)
        if order is None:
            return _UNKNOWN
        if order["metafield"] is not None:
            draft = await self._draft(order)
            return Cannot("withdrawn") if draft is None else Done(number_of(draft["id"]))
        lines = await self._goods(wanted)
        if (problem := lines.missing(wanted)) is not None:
            return problem
        made, errors = await self._graphql.change(documents.DRAFT_CREATE, input=draft_input(wanted, order, lines))
        if errors or made["draftOrder"] is None:
            return Cannot("rejected")
        own = str(made["draftOrder"]["id"])
        stands = await self._claim(wanted, str(order["id"]), own)
        if stands != own:
            await self._graphql.change(documents.DRAFT_DELETE, input={"id": own})
        return Done(number_of(stands))

    async def release(self, wanted: Wanted) -> None:
        """Delete the draft order, unless it was completed."""
        order = await self._order(wanted)
        draft = await self._draft(order) if order is not None else None
        if draft is not None and draft["order"] is None:
            await self._graphql.change(documents.DRAFT_DELETE, input={"id": draft["id"]})

    async def replace(self, wanted: Wanted) -> Outcome:
        """Complete the draft order, made now where nothing was reserved; the reference is the new order's id."""
        reserved = await self.reserve(wanted)
        if isinstance(reserved, Cannot):
            return reserved
        gid = f"gid://shopify/DraftOrder/{reserved.reference}"
        draft = (await self._graphql.ask(documents.DRAFT, id=gid))["draftOrder"]
        if draft is not None and draft["order"] is None:
            await self._graphql.change(documents.DRAFT_COMPLETE, id=gid)
            # Whatever it said: another attempt may have completed it at the same moment.
            try:
                draft = (await self._graphql.ask(documents.DRAFT, id=gid))["draftOrder"]
            except (VendorBusyError, VendorRefusedError) as error:
                # Only the reading failed, but the order may be there: it is not certain that nothing was made.
                raise VendorUnclearError(NAME, error.rule) from None
        if draft is None:
            return Cannot("withdrawn")
        return Done(str(draft["order"]["legacyResourceId"])) if draft["order"] is not None else Cannot("rejected")

    async def cancel_replacement(self, wanted: Wanted) -> Outcome:
        """Cancel the replacement and put its goods back, or `Cannot("already_sent")`.

        Raises:
            VendorBusyError: Shopify cancels in its own time, and has not yet.
        """
        order = await self._order(wanted)
        draft = await self._draft(order) if order is not None else None
        if order is None or draft is None:
            # Of an order that is older than it lets the app see Shopify says that there is none.
            return _UNKNOWN if order is None else Done("")
        if draft["order"] is None:
            await self._graphql.change(documents.DRAFT_DELETE, input={"id": draft["id"]})
            draft = await self._draft(order)
            if draft is None:
                return Done("")
        made = draft["order"]
        if made is None:
            return Cannot("not_cancelled", number_of(draft["id"]))
        reference = str(made["legacyResourceId"])
        if made["cancelledAt"] is None:
            if any(parcel["status"] in _SENT for parcel in made["fulfillments"]):
                return Cannot("already_sent", reference)
            _, errors = await self._graphql.change(documents.ORDER_CANCEL, id=made["id"])
            if errors:
                return Cannot("rejected", reference)
            now = await self._draft(order)
            if now is not None and now["order"] is not None and now["order"]["cancelledAt"] is None:
                raise VendorBusyError(NAME, "cancelling", _CANCELLING)
        return Done(reference)

    async def refund(self, wanted: Wanted) -> Outcome:
        """Pay back the way it was paid, without restocking; the reference is the refund's id.

        `Cannot("already_refunded")` when the lines, or the money, have gone back in another way since.
        """
        mark = _mark(wanted.key)
        order = await self._refundable(wanted)
        if order is None:
            return _UNKNOWN
        if (known := _noted(order["refunds"], mark)) is not None:
            return known
        lines = await self._goods(wanted)
        refund = refund_input(wanted, order, lines, note=f"{wanted.note} [{mark}]".strip())
        if isinstance(refund, Cannot):
            return refund
        for attempt in range(_ATTEMPTS):
            # With the sum: Shopify refuses a key that comes again with another one.
            key = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{wanted.key}#{wanted.amount}#{attempt}"))
            made, errors = await self._graphql.change(documents.REFUND_CREATE, input=refund, key=key)
            if not errors and made["refund"] is not None:
                return Done(str(made["refund"]["legacyResourceId"]))
            said = " ".join(str(error.get("message")) for error in errors)
            if "idempotency key failed" in said:
                continue
            if "currently in progress" in said or "different operation parameters" in said:
                raise VendorUnclearError(NAME, "refund_in_doubt")
            break
        order = await self._refundable(wanted)
        return (_noted(order["refunds"], mark) if order is not None else None) or Cannot("rejected")

    async def coupon(self, wanted: Wanted, *, percent: int, days: int) -> Outcome:
        """A code for the order's customer alone, where it has one."""
        order = (await self._graphql.ask(documents.BUYER, id=order_gid(wanted.order_id)))["order"]
        if order is None:
            return _UNKNOWN
        code = self.code(wanted)
        if (await self._graphql.ask(documents.CODE, code=code))["codeDiscountNodeByCode"] is not None:
            return Done(code)
        now = datetime.now(UTC)
        buyer = order["customer"]
        code_input = {
            "title": code,
            "code": code,
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(days=days)).isoformat(),
            "usageLimit": 1,
            "appliesOncePerCustomer": True,
            "context": {"customers": {"add": [buyer["id"]]}} if buyer is not None else {"all": "ALL"},
            "customerGets": {"value": {"percentage": percent / 100}, "items": {"all": True}},
        }
        _, errors = await self._graphql.change(documents.CODE_CREATE, input=code_input)
        if errors and {error.get("code") for error in errors} != {"TAKEN"}:
            return Cannot("rejected")
        return Done(code)

    async def withdraw_coupon(self, wanted: Wanted) -> None:
        """Deactivate the code; it stays taken, so that no late attempt makes it again."""
        node = (await self._graphql.ask(documents.CODE, code=self.code(wanted)))["codeDiscountNodeByCode"]
        if node is not None:
            await self._graphql.change(documents.CODE_DEACTIVATE, id=node["id"])

    def code(self, wanted: Wanted) -> str:
        """The code of a remedy: the same for the same key, and nobody's guess without the secret."""
        digest = hmac.new(self._secret_key.encode(), f"coupon:{wanted.key}".encode(), sha256).digest()
        return f"SORRY-{base64.b32encode(digest)[:12].decode()}"

    async def aclose(self) -> None:
        """Close the connections."""
        await self._graphql.aclose()

    async def _order(self, wanted: Wanted) -> Mapping[str, Any] | None:
        data = await self._graphql.ask(documents.MENDING, id=order_gid(wanted.order_id), key=_mark(wanted.key))
        order: Mapping[str, Any] | None = data["order"]
        return order

    async def _refundable(self, wanted: Wanted) -> Mapping[str, Any] | None:
        order: Mapping[str, Any] | None = (
            await self._graphql.ask(documents.REFUNDABLE, id=order_gid(wanted.order_id))
        )["order"]
        return order

    async def _draft(self, order: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The draft that stands on the order, or None: there is none, or it was deleted."""
        if order["metafield"] is None:
            return None
        draft: Mapping[str, Any] | None
        draft = (await self._graphql.ask(documents.DRAFT, id=order["metafield"]["value"]))["draftOrder"]
        return draft

    async def _goods(self, wanted: Wanted) -> Goods:
        return goods(await self._graphql.pages(documents.GOODS, "order", "lineItems", id=order_gid(wanted.order_id)))

    async def _claim(self, wanted: Wanted, order: str, draft: str) -> str:
        """Write the draft's id on the order unless there is one; the id that stands there."""
        claim = {
            "ownerId": order,
            "namespace": _NAMESPACE,
            "key": _mark(wanted.key),
            "type": "single_line_text_field",
            "value": draft,
            "compareDigest": None,
        }
        _, errors = await self._graphql.change(documents.CLAIM, metafields=[claim])
        if not errors:
            return draft
        known = await self._order(wanted)
        if known is None or known["metafield"] is None:
            raise VendorUnclearError(NAME, "claim_lost")
        return str(known["metafield"]["value"])


def _mark(key: str) -> str:
    """A key as a metafield's key and a note can carry it: it names nobody, and is 64 characters at most."""
    return f"postlude-{sha256(key.encode()).hexdigest()[:24]}"


def _noted(refunds: Sequence[Mapping[str, Any]], mark: str) -> Done | None:
    return next((Done(str(one["legacyResourceId"])) for one in refunds if mark in (one["note"] or "")), None)
