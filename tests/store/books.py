"""A ledger on a real database, and orders to ask it about."""

from datetime import UTC, datetime
from typing import Any

from journey.base import TouchKey
from journey.outcomes import DeliverRequest, PassedOver
from journey.playbook import Channel, ContactRules, Playbook
from store.claims import Ask, Claim, Doubt, Settles, Settling
from store.ledger import Ledger
from store.ledger_rows import look_it_up
from store.pool import Pool
from tests.support.orders import Order, Person, put
from tests.support.world import order_id

NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
"""A Monday, noon in Berlin."""
HIGHER, LOWER, CONFIRMATION = "review_request", "check_in", "order_confirmation"


def by_mail(channel: Channel, _key: str) -> str | None:
    """Mail goes by SMTP, and nobody serves another channel."""
    return "smtp" if channel is Channel.EMAIL else None


def same_key(_doubt: Doubt) -> Settling:
    """The provider remembers keys."""
    return Settling.SAME_KEY


def new_name(_doubt: Doubt) -> Settling:
    """Nothing but another try settles it."""
    return Settling.NEW_NAME


class Books:
    """A ledger, and orders to ask it about."""

    def __init__(self, pool: Pool, playbook: Playbook) -> None:
        self.pool = pool
        self.playbook = playbook
        self.ledger = Ledger(pool, domain="shop.test")

    async def order(self, person: Person | None = None, **changes: str) -> Order:
        order = Order(order_id(), placed_at=NOON, person=person or Person(customer_id=order_id()), **changes)  # type: ignore[arg-type]  # only texts are changed here
        await put(self.pool, order, self.playbook.digest)
        return order

    def request(self, order: Order, touch: str, now: datetime = NOON, over: tuple[str, ...] = ()) -> DeliverRequest:
        return DeliverRequest(
            shop=order.shop,
            order_id=order.order_id,
            playbook=self.playbook.digest,
            key=TouchKey(touch),
            due=now,
            now=now,
            passed_over=tuple(PassedOver(key=TouchKey(key), rule="condition") for key in over),
        )

    async def ask(
        self,
        order: Order,
        touch: str,
        now: datetime = NOON,
        *,
        due: datetime | None = None,
        settles: Settles = look_it_up,
    ) -> Ask:
        request = self.request(order, touch, now).but(due=due or now)
        return await self.ledger.ask(request, self.playbook, now=now, providers=by_mail, settles=settles)

    async def leases_over(self) -> None:
        """Let the time of every lease go by."""
        await self.pool.execute("UPDATE ledger SET lease_until = least(lease_until, clock_timestamp())")

    async def in_doubt(self, order: Order, touch: str, now: datetime = NOON) -> Doubt:
        """The doubt about a message that an attempt has claimed, as the next one finds it once the lease is over."""
        assert isinstance(await self.ask(order, touch, now), Claim)
        return await self.doubt(order, touch, now)

    async def doubt(self, order: Order, touch: str, now: datetime = NOON) -> Doubt:
        """The doubt about a message whose lease is over."""
        await self.leases_over()
        doubt = await self.ask(order, touch, now)
        assert isinstance(doubt, Doubt)
        return doubt

    async def send(self, order: Order, touch: str, now: datetime = NOON) -> None:
        claim = await self.ask(order, touch, now)
        assert isinstance(claim, Claim)
        await self.ledger.record_sent(claim, now=now, provider_id=None)

    async def rows(self, order: Order) -> dict[str, tuple[str, str | None]]:
        rows = await self.pool.fetch(
            "SELECT * FROM ledger WHERE shop = $1 AND order_id = $2", order.shop, order.order_id
        )
        return {row["touch_key"]: (row["status"], row["rule"]) for row in rows}

    async def suppress(self, address: str, reason: str, shop: str = "acme") -> None:
        await self.ledger.suppress(shop, Channel.EMAIL, address, reason, now=NOON)


def with_rules(books: Books, **rules: Any) -> Books:
    """The same books under other contact rules."""
    return Books(books.pool, books.playbook.but(contact=ContactRules(**{"per_week": 50, **rules})))


async def withdraw(books: Books, order: Order) -> None:
    """The customer says no."""
    await books.pool.execute(
        "INSERT INTO consents (shop, customer_id, channel, purpose, granted, source, at)"
        " VALUES ('acme', $1, 'email', 'marketing', false, 'test', $2)",
        order.person.customer_id,
        NOON,
    )
