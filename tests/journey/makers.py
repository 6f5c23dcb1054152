"""Orders, facts and outcomes with only what a test cares about named."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

from journey.base import TouchKey, TrackingNumber
from journey.events import Event, ShipmentCreated, ShipmentUpdated
from journey.order import Buyer, LineFacts, LineKind, OrderFacts
from journey.parcels import Method, ParcelStatus, Reason
from journey.playbook import Playbook, load_playbook
from journey.state import RULES, JourneyState, start
from journey.telling import apply

PLACED = datetime(2026, 11, 2, 10, tzinfo=UTC)
SHIPPED_PLAYBOOKS = Path(__file__).parents[2] / "playbooks"


@cache
def default_playbook() -> Playbook:
    return load_playbook((SHIPPED_PLAYBOOKS / "default.yaml").read_text())


def after(days: float = 0, hours: float = 0) -> datetime:
    """The moment so long after the order was placed."""
    return PLACED + timedelta(days=days, hours=hours)


def line(sku: str = "MAT", category: str | None = "fitness", kind: LineKind = LineKind.PHYSICAL) -> LineFacts:
    return LineFacts(sku=sku, quantity=1, category=category, kind=kind)


def order(
    *lines: LineFacts,
    buyer: Buyer = Buyer.FIRST,
    total: str = "79",
    channel: str = "online",
    placed_at: datetime = PLACED,
) -> OrderFacts:
    return OrderFacts(
        shop="acme",
        order_id="1001",
        placed_at=placed_at,
        channel=channel,
        currency="EUR",
        total=Decimal(total),
        country="DE",
        buyer=buyer,
        lines=lines or (line(),),
    )


def begun(facts: OrderFacts | None = None, playbook: Playbook | None = None, now: datetime = PLACED) -> JourneyState:
    pinned = playbook or default_playbook()
    return start(JourneyState(order=facts or order(), playbook=pinned.digest, rules=RULES), now=now)


def shipped(
    at: datetime, number: str = "T1", skus: tuple[str, ...] | None = None, promised: date | None = None
) -> ShipmentCreated:
    return ShipmentCreated(at=at, tracking_number=TrackingNumber(number), skus=skus, estimated_delivery=promised)


def scan(
    at: datetime,
    status: ParcelStatus,
    number: str = "T1",
    *,
    reason: Reason | None = None,
    promised: date | None = None,
    carrier: str | None = None,
) -> ShipmentUpdated:
    return ShipmentUpdated(
        at=at,
        tracking_number=TrackingNumber(number),
        carrier=carrier,
        status=status,
        reason=reason,
        estimated_delivery=promised,
    )


def delivered(at: datetime, number: str = "T1") -> ShipmentUpdated:
    return scan(at, ParcelStatus.DELIVERED, number)


def key(name: str) -> TouchKey:
    return TouchKey(name)


def folded(*told: Event, facts: OrderFacts | None = None) -> JourneyState:
    """The state that has heard of each fact when it happened."""
    state = begun(facts)
    for event in told:
        state = apply(state, event, now=event.at)
    return state


def pickup(at: datetime, number: str = "P1") -> ShipmentCreated:
    return ShipmentCreated(at=at, tracking_number=TrackingNumber(number), method=Method.PICKUP)
