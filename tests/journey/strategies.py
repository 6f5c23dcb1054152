"""Strategies: any fact, dated and arriving at any time, and any outcome of a delivery."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from journey.base import TouchKey, TrackingNumber
from journey.events import (
    AddressGiven,
    CustomerReordered,
    DeliveryDenied,
    Event,
    OrderCancelled,
    OrderEdited,
    OrderNumbered,
    OrderRefunded,
    Paused,
    RemedyChosen,
    RemedySettled,
    Resumed,
    ReviewPosted,
    SendNow,
    ShipmentCancelled,
    ShipmentCreated,
    ShipmentUpdated,
    TouchSkipped,
)
from journey.lanes import USUAL, Expectation
from journey.order import Buyer, LineKind, OrderFacts
from journey.outcomes import Failed, Held, InDoubt, Outcome, Refused, Sent
from journey.parcels import Method, ParcelStatus, Reason
from journey.remedies import By, Choice, Stand
from tests.journey.driver import LOST_BEFORE_IT, LOST_BEHIND_THE_SEND, LOST_IN_DOUBT
from tests.journey.makers import PLACED, default_playbook, line, order

numbers = st.sampled_from([TrackingNumber(one) for one in ("T1", "T2", "T3", "fulfilment:F1")])
fulfilments = st.sampled_from(["F1", "F2"])
carriers = st.sampled_from([None, "dhl", "ups"])
# Mostly within the journey, sometimes years away: carriers' clocks are what they are.
hours = st.one_of(st.integers(0, 24 * 20), st.integers(-36, 24 * 120), st.sampled_from([-24 * 4000, 24 * 4000]))
moments = hours.map(lambda count: PLACED + timedelta(hours=count))
promises = st.sampled_from([None, date(2026, 11, 5), date(2026, 11, 6), date(2026, 11, 20), date.max])
skus = st.sampled_from([None, (), ("MAT",), ("MUG",), ("MAT", "MUG"), ("??",)])
statuses = st.one_of(
    st.sampled_from([ParcelStatus.DELIVERED, ParcelStatus.IN_TRANSIT, ParcelStatus.OUT_FOR_DELIVERY]),
    st.sampled_from(list(ParcelStatus)),
)
lines = st.lists(
    st.sampled_from([line(), line("MUG", "kitchen"), line("APP", "electronics", LineKind.DIGITAL)]), max_size=3
).map(tuple)
totals = st.sampled_from([Decimal(0), Decimal(19), Decimal(60)])

services = st.sampled_from([None, "express", "ground"])
lanes: st.SearchStrategy[Expectation | None] = st.sampled_from(
    [None, USUAL, USUAL.but(gap=timedelta(days=1), transit=((0.5, 1.0), (0.8, 2.0), (0.95, 3.0)), lane="dhl/*/DE")]
)
_ENDS = {
    "T1": (Choice.REFUND, By.CUSTOMER, Stand.DONE),
    "T2": (Choice.REPLACEMENT, By.OPERATOR, Stand.FAILED),
    "T3": (Choice.REFUND, By.DEFAULT, Stand.DECLINED),
}
# A remedy is chosen once and settled once, as its row says: what varies is whether, when and how often that is heard.
_MENDINGS: list[Event] = [
    fact
    for days, (part, (choice, by, stand)) in enumerate(_ENDS.items(), 9)
    for fact in (
        RemedyChosen(at=PLACED + timedelta(days=days), part=TrackingNumber(part), choice=choice, by=by),
        RemedySettled(at=PLACED + timedelta(days=days + 1), part=TrackingNumber(part), stand=stand, choice=choice),
    )
]
about_parcels: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        ShipmentUpdated,
        at=moments,
        tracking_number=numbers,
        carrier=carriers,
        service=services,
        status=statuses,
        reason=st.one_of(st.none(), st.sampled_from(list(Reason))),
        estimated_delivery=promises,
        expected=lanes,
        by_shop=st.booleans(),
    ),
    st.builds(
        ShipmentCreated,
        at=moments,
        tracking_number=numbers,
        carrier=carriers,
        service=services,
        method=st.sampled_from([Method.DELIVERY, Method.DELIVERY, Method.PICKUP]),
        skus=skus,
        estimated_delivery=promises,
        expected=lanes,
        fulfilment=st.one_of(st.none(), fulfilments),
        parcels=st.lists(numbers, max_size=2).map(tuple),
        said_at=st.one_of(st.none(), moments),
    ),
    st.builds(ShipmentCancelled, at=moments, fulfilment=fulfilments),
    st.builds(DeliveryDenied, at=moments, tracking_number=numbers, found=st.booleans()),
    st.sampled_from(_MENDINGS),
)
"""What carriers, shops, customers and sagas tell of parcels."""

outside: st.SearchStrategy[Event] = st.one_of(
    about_parcels,
    about_parcels,
    st.builds(OrderCancelled, at=moments),
    st.builds(OrderEdited, at=moments, total=totals, lines=lines),
    st.builds(OrderNumbered, at=moments, number=st.sampled_from(["#1", "#2"])),
    st.builds(AddressGiven, at=moments),
    st.builds(OrderRefunded, at=moments, refund_id=st.sampled_from(["r1", "r2"]), amount=totals, full=st.booleans()),
    st.builds(ReviewPosted, at=moments, rating=st.integers(1, 5)),
    st.builds(CustomerReordered, at=moments, order_id=st.sampled_from(["1001", "1002"])),
)
"""What the outside may tell."""

keys = st.sampled_from(
    [
        *(touch.id for touch in default_playbook().touches),
        "shipped:T1",
        "delivered:T1",
        "delayed:T2",
        "order_refunded:r1",
    ]
).map(TouchKey)
operators: st.SearchStrategy[Event] = st.one_of(
    st.builds(Paused, at=moments),
    st.builds(Resumed, at=moments),
    st.builds(TouchSkipped, at=moments, key=keys),
    st.builds(SendNow, at=moments, key=keys),
)
"""What an operator may ask for."""


@st.composite
def parcels(draw: st.DrawFn) -> list[Event]:
    """What usually becomes of one or two parcels: sent within days, and most of them delivered."""
    told: list[Event] = []
    for number in [TrackingNumber("T1"), TrackingNumber("T2")][: draw(st.integers(0, 2))]:
        sent = PLACED + timedelta(hours=draw(st.integers(1, 72)))
        arrives = sent + timedelta(hours=draw(st.integers(20, 24 * 12)))
        told.append(ShipmentCreated(at=sent, tracking_number=number, estimated_delivery=draw(promises)))
        for status, at in (
            (draw(statuses), sent + (arrives - sent) / 2),
            (ParcelStatus.OUT_FOR_DELIVERY, arrives - timedelta(hours=5)),
            (ParcelStatus.DELIVERED, arrives),
        ):
            if draw(st.integers(0, 9)):
                told.append(ShipmentUpdated(at=at, tracking_number=number, status=status))
    return told


@st.composite
def arrivals(draw: st.DrawFn) -> list[tuple[datetime, Event]]:
    """Facts in any order and number, each arriving before or long after the moment it is dated; some repeated."""
    found = []
    anything = draw(st.lists(st.one_of(outside, outside, operators), max_size=8))
    for event in [*draw(parcels()), *anything]:
        delay = timedelta(hours=draw(st.sampled_from([0, 0, 0, 0, 1, 30, -48, 24 * 9])))
        arrives = min(max(event.at + delay, PLACED), PLACED + timedelta(days=200))
        found.append((arrives, event))
        if draw(st.integers(0, 3)) == 0:
            found.append((arrives + timedelta(hours=draw(st.integers(0, 50))), event))
    return found


orders: st.SearchStrategy[OrderFacts] = st.builds(
    lambda lines, buyer, total, channel: order(buyer=buyer, total=total, channel=channel).but(lines=lines),
    st.one_of(st.just((line("MAT", "electronics"),)), lines),
    st.sampled_from(list(Buyer)),
    st.sampled_from(["0", "19", "79"]),
    st.sampled_from(["online", "online", "online", "pos"]),
)


def _held(hours: int) -> Callable[[datetime], Outcome]:
    return lambda now: Held(until=now + timedelta(hours=hours), rule="quiet_hours")


outcomes: st.SearchStrategy[list[Callable[[datetime], Outcome]]] = st.lists(
    st.one_of(
        st.just(lambda now: Sent(at=now)),
        st.integers(0, 72).map(_held),
        st.just(lambda _: Refused(rule="no_consent")),
        st.just(lambda _: Failed(rule="provider_500")),
        st.just(lambda _: InDoubt(rule="crash_between_send_and_record")),
        st.just(lambda now: Held(until=now + timedelta(days=2), rule="provider_unreachable", waits_for="email")),
        st.sampled_from([LOST_BEHIND_THE_SEND, LOST_BEFORE_IT, LOST_IN_DOUBT]),
    ),
    max_size=12,
)
"""What `deliver` may answer, in turn; a hold of zero hours is one that has passed when it is heard."""
