"""What is asked of a shop's own API: its orders, one by one or page by page, and remedies. One adapter a file.

Remedies are at most once: each carries a `key` that is the same on every attempt, and an adapter first looks whether
the shop has what that key asked for, or sends the key where the shop's API knows such keys. What the shop has on its
books for an order, whoever made it, is `given`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from journey.made_good import Given
from store.intake import Event


@dataclass(frozen=True, slots=True)
class Page:
    """One page of orders that changed, oldest change first.

    Attributes:
        events: the orders as canonical events, in the order in which they hold; what is known already changes nothing.
        orders: how many orders that is.
        cursor: where the next page begins; None after the last.
        changed_until: the newest change on the page, UTC; None on an empty one.
        total: how many orders there are in all, where the shop says so.
        unreadable: orders on the page that could not be made sense of, and are not among the events.
        unreadable: how many orders (of a backend: events) were left out and logged, since they make no sense.
    """

    events: Sequence[Event]
    orders: int
    cursor: str | None
    changed_until: datetime | None
    total: int | None = None
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Part of an order that is to be made good: how many of which SKUs, and what was paid for them, in `currency`."""

    key: str
    order_id: str
    skus: Sequence[tuple[str, int]]
    amount: Decimal
    currency: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """The shop did it; `reference` is its own id of what it made (an order, a refund, a code), for people."""

    reference: str


@dataclass(frozen=True, slots=True)
class Cannot:
    """The shop will not, for good; `rule` is one word such as `out_of_stock`, `already_refunded`, `order_unknown`.

    `reference` is its id of what stands in the way, such as the replacement that was `already_sent`. `unseen` where it
    was not looked whether an earlier request with this key had been carried out: that one may have been.
    """

    rule: str
    reference: str = ""
    unseen: bool = field(default=False, compare=False)


Outcome = Done | Cannot


class ShopApi(Protocol):
    """One shop's own API.

    Every method raises `activities.vendors.http.VendorError` when nothing was learnt: after `VendorUnclearError` the
    same call may simply be made again, since it looks first. `VendorRefusedError` is of the look.

    Attributes:
        name: the platform's, such as `shopify`.
        shop: the shop, as its webhooks' events name it.
        settles: how long a request for a change that got no answer may still be carried out there.
    """

    name: str
    shop: str
    settles: timedelta

    async def changed(self, since: datetime, cursor: str | None) -> Page:
        """A page of the orders that changed at or after `since` (UTC), going on from `cursor`."""

    async def order(self, order_id: str) -> Sequence[Event]:
        """One order as it stands now, as canonical events; none when the shop does not know it.

        Raises:
            Malformed: it cannot be read, which is not the same.
        """

    async def given(self, order_id: str, keys: Sequence[str]) -> Sequence[Given] | Cannot:
        """What the shop has given back for an order: its refunds, and the replacements that name it and still stand.

        `keys` are those of remedies' refunds and replacements: each that is there bears its own. `Cannot` where the
        shop does not say.
        """

    async def reserve(self, wanted: Wanted) -> Outcome:
        """Set goods aside for a replacement, or `Done("")` where the shop has no such thing and enough in stock."""

    async def release(self, wanted: Wanted) -> None:
        """Undo `reserve`; also when nothing was reserved."""

    async def replace(self, wanted: Wanted) -> Outcome:
        """Create the replacement order, free of charge, to the same address."""

    async def cancel_replacement(self, wanted: Wanted) -> Outcome:
        """Undo `replace`, where it has not been sent yet: `Done` once the shop says that none stands any more.

        `Done("")` when there was none; `Cannot("already_sent")` with its reference when it has left.
        """

    async def refund(self, wanted: Wanted) -> Outcome:
        """Pay `amount` back the way it was paid."""

    async def coupon(self, wanted: Wanted, *, percent: int, days: int) -> Outcome:
        """A code good for one use: `percent` off, for `days`; the reference is the code."""

    async def withdraw_coupon(self, wanted: Wanted) -> None:
        """Undo `coupon`; also when none was made."""

    async def aclose(self) -> None:
        """Close the connections."""
