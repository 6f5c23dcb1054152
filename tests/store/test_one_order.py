"""What is done for one order does not look at the others, whatever the database happens to know about its tables."""

from collections.abc import Callable
from datetime import timedelta

from journey.base import TouchKey
from journey.events import Event
from journey.order import OrderFacts
from journey.outcomes import DeliverRequest, PassedOver
from journey.parcels import ParcelStatus
from journey.playbook import Playbook
from journey.remedies import RemedyRequest
from starters.dispatch import dispatch
from store import (
    accounts,
    history,
    inbox,
    intake,
    messages,
    notes,
    orders,
    people,
    playbooks,
    preferences,
    remedy_view,
    views,
)
from store.claims import Claim
from store.ledger import Ledger
from store.pool import Pool
from tests.store.books import by_mail
from tests.store.first_night import NOW
from tests.support.plans import explained

FEW = 60
"""Rows that one statement may work through: an order has a handful of everything, and there are 1,500 of them."""
SHOP, ORDER, CUSTOMER = "acme", "o-700", "c-700"


class Hearers:
    """Journeys that take whatever they are told."""

    async def start(self, _facts: OrderFacts, _playbook: str) -> bool:
        return True

    async def signal(self, _shop: str, _order_id: str, _event: Event) -> bool:
        return True

    async def settle(self, _request: RemedyRequest) -> bool:
        return True


async def test_an_order_is_worked_on_alone(
    known: str, database_url: str, playbook: Playbook, say: Callable[[str], None]
) -> None:
    """Whatever is known of the tables, no statement about one order works through more than a few rows."""
    async with explained(database_url) as (pool, taken):
        await playbooks.publish(pool, playbook)
        for fact in facts():
            await come(pool, fact)
        await told(pool, playbook)
        await looked_at(pool)
    say(f"most rows, {known}: {max(rows for rows, _, _ in taken)} in {len(taken)} statements")
    dear = {query: (rows, plan) for rows, query, plan in sorted(taken) if rows > FEW}
    assert not dear, "\n\n".join(f"{rows}: {query}\n{plan}" for query, (rows, plan) in dear.items())


def facts() -> list[intake.Event]:
    """A whole order's, of a customer who is known, and one of each kind about an order that is."""
    line = intake.Line(sku="YM-1", title="Yoga mat", quantity=1, unit_price="79.00")
    customer = intake.Customer(
        customer_id=CUSTOMER,
        email="700@example.com",
        phone="+4915112345678",
        consent=intake.Consent(email_marketing=True, sms_marketing=False),
    )
    bought = {"currency": "EUR", "total": "79.00", "customer": customer, "lines": (line,)}
    of = {"at": NOW, "shop": SHOP, "order_id": ORDER}
    return [
        intake.OrderCreated(**of | {"order_id": "new"}, **bought),
        intake.OrderCreated(**of, **bought),
        intake.OrderEdited(**of, total="158.00", lines=(line.model_copy(update={"quantity": 2}),)),
        intake.ShipmentCreated(**of, fulfilment_id="f-1", tracking_number="00340434161094042557", carrier="DHL"),
        intake.ShipmentUpdated(
            at=NOW, tracking_number="00340434161094042557", carrier="DHL", status=ParcelStatus.IN_TRANSIT
        ),
        intake.ShipmentUpdated(at=NOW, tracking_number="1000700", carrier="DHL", status=ParcelStatus.DELIVERED),
        intake.ShipmentCancelled(**of, fulfilment_id="f-1"),
        intake.ReviewPosted(**of, rating=5),
        intake.OrderRefunded(**of, refund_id="r-1", amount="10.00"),
        intake.OrderCancelled(**of),
        intake.CustomerUpdated(at=NOW, shop=SHOP, customer=customer),
    ]


async def come(pool: Pool, event: intake.Event) -> None:
    """A webhook, from the door to where it belongs. The relay's own look for what is due has a test of its own."""
    key = f"{event.type} {event.subject}"
    assert await inbox.keep(pool, source="events", event_id=key, topic="", body=b"", events=[event], received_at=NOW)
    row = await pool.fetchrow(
        """UPDATE inbox SET attempts = 1 WHERE source = 'events' AND event_id = $1
           RETURNING id, source, topic, subject, event, occurred_at, received_at, attempts, faults""",
        key,
    )
    assert await dispatch(pool, Hearers(), inbox.Claimed(**row), now=NOW) == "dispatched"


async def told(pool: Pool, playbook: Playbook) -> None:
    """A message, from the decision until it is written down that it went; then the journey's end."""
    ledger = Ledger(pool, domain="shop.test")
    for key in ("order_confirmation", "check_in"):
        request = DeliverRequest(
            shop=SHOP,
            order_id="o-702",
            playbook=playbook.digest,
            key=TouchKey(key),
            due=NOW,
            now=NOW,
            passed_over=(PassedOver(key=TouchKey("digital_access"), rule="condition"),),
        )
        claim = await ledger.ask(request, playbook, now=NOW, providers=by_mail)
        assert await messages.load(pool, SHOP, "o-702") is not None
        if isinstance(claim, Claim):
            await ledger.renew(claim)
            await ledger.record_sent(claim, now=NOW, provider_id="p")
        assert await ledger.latest(SHOP, "o-702", key) is not None
        await ledger.along(request)
    await ledger.close(SHOP, "o-702", (), playbook, now=NOW, why="finished")


async def looked_at(pool: Pool) -> None:
    """What pages and commands show of an order and of its customer."""
    assert await views.order_view(pool, SHOP, ORDER) is not None
    assert await accounts.order(pool, SHOP, ORDER) is not None
    await accounts.parcels(pool, SHOP, ORDER)
    await accounts.messages(pool, SHOP, ORDER)
    await orders.neighbours(pool, SHOP, ORDER)
    await people.locale_of(pool, SHOP, ORDER)
    await preferences.load(pool, SHOP, ORDER)
    assert await people.opt_out(pool, shop=SHOP, order_id=ORDER, at=NOW)
    assert await remedy_view.remedy_view(pool, SHOP, ORDER, "none") is None
    await notes.listed(pool, SHOP, ORDER, now=NOW + timedelta(days=1))
    await history.answers(pool, SHOP, CUSTOMER)
    await history.messages(pool, SHOP, CUSTOMER, limit=50)
