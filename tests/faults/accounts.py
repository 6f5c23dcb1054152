"""Compares what arrived with what the ledger says, after the dust has settled."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from store.pool import Pool
from tests.faults.receivers import Arrival
from tests.support.orders import Order


@dataclass(frozen=True)
class Row:
    """One row of the ledger."""

    order: str
    touch: str
    attempt_class: int
    marketing: bool
    status: str
    rule: str | None
    message_id: str | None


@dataclass(frozen=True)
class Accounts:
    """Arrivals and ledger rows of the same orders."""

    arrivals: Sequence[Arrival]
    rows: Sequence[Row]

    @property
    def copies(self) -> dict[tuple[str, str], int]:
        """Messages that reached their customer more than once: how often too many."""
        count = Counter((arrival.order, arrival.touch) for arrival in self.arrivals)
        return {key: times - 1 for key, times in count.items() if times > 1}

    @property
    def sent_again(self) -> dict[tuple[str, str], int]:
        """What the ledger counts as sent again in doubt, where the doubtful message had arrived after all."""
        arrived = {arrival.message_id for arrival in self.arrivals}
        count = Counter((row.order, row.touch) for row in self.rows if row.message_id in arrived)
        again = {(row.order, row.touch) for row in self.rows if row.attempt_class > 0}
        return {key: times - 1 for key, times in count.items() if times > 1 and key in again}

    @property
    def doubts(self) -> list[Row]:
        """Rows that were left in doubt for good, and those whose message went again because of it."""
        return [row for row in self.rows if row.status == "in_doubt"]

    def is_marketing(self, key: tuple[str, str]) -> bool:
        """Whether that message of an order is marketing."""
        return any(row.marketing for row in self.rows if (row.order, row.touch) == key)

    def got(self, order: Order) -> set[str]:
        """The touches that reached an order's customer."""
        name = f"{order.shop}/{order.order_id}"
        return {arrival.touch for arrival in self.arrivals if arrival.order == name}

    def rows_of(self, order: Order, touches: set[str]) -> list[Row]:
        """What the ledger says about these touches of an order."""
        name = f"{order.shop}/{order.order_id}"
        return [row for row in self.rows if row.order == name and row.touch in touches]

    def left_in_doubt(self, order: Order) -> set[str]:
        """The marketing touches of an order that nobody can say of whether they arrived."""
        name = f"{order.shop}/{order.order_id}"
        return {row.touch for row in self.rows if row.order == name and row.marketing and row.status == "in_doubt"}

    def check(self, expected: Iterable[tuple[Order, set[str], set[str]]], *, idempotent: bool) -> None:
        """Fail unless nothing is missing, nothing came twice that may not, and the ledger tells the truth.

        `expected` is, for each order, what its customer must have got and what may have come beside it.
        """
        unsettled = [row for row in self.rows if row.status in {"claimed", "held", "failed"}]
        assert not unsettled, unsettled
        for order, must, may in expected:
            got, doubtful = self.got(order), set() if idempotent else self.left_in_doubt(order)
            missed = must - got - doubtful
            assert not missed, ("missing", missed, self.rows_of(order, missed))
            assert got <= must | may, (order.order_id, "unexpected", got - must - may)
        by_id = {row.message_id: row for row in self.rows if row.message_id}
        arrived = Counter(arrival.message_id for arrival in self.arrivals)
        assert max(arrived.values(), default=0) <= 1, "the very same message arrived twice"
        assert arrived.keys() <= by_id.keys(), "a message arrived that no row accounts for"
        missing = [row for row in self.rows if row.status == "sent" and row.message_id not in arrived]
        assert not missing, ("the ledger says sent, nothing came", missing)
        if idempotent:
            assert not self.copies
            assert not self.doubts
        assert not [key for key in self.copies if self.is_marketing(key)]
        assert self.copies == self.sent_again


async def accounts(pool: Pool, shop: str, arrivals: Sequence[Arrival]) -> Accounts:
    """The accounts of all orders of one shop."""
    rows = await pool.fetch("SELECT * FROM ledger WHERE shop = $1 ORDER BY id", shop)
    return Accounts(
        arrivals,
        [
            Row(
                f"{row['shop']}/{row['order_id']}",
                row["touch_key"],
                row["attempt_class"],
                row["purpose"] == "marketing",
                row["status"],
                row["rule"],
                row["message_id"],
            )
            for row in rows
        ],
    )
