"""What a template may know of how an order gets to its customer, by the rules that the journey goes by."""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal

from journey.awaited import awaits_dispatch, awaits_pickup, left_to_send
from journey.order import LineKind, handover
from journey.parcels import ParcelStatus
from store.delivery import Address, PickupPoint
from store.messages import MessageFacts, MessageParcel


def handed_over(facts: MessageFacts) -> Mapping[str, object]:
    """How its goods are handed over, what is still waited for, and what of it needs no handing over."""
    kinds = [LineKind(line.kind) for line in facts.lines]
    way = handover(channel=facts.channel, kinds=kinds, collected=facts.collected)
    goods = [(line.sku, line.quantity) for line in facts.lines if line.kind == LineKind.PHYSICAL]
    over = facts.cancelled or facts.all_back or not left_to_send(goods, facts.taken_off)
    there = [parcel for parcel in facts.parcels if parcel.status != ParcelStatus.CANCELLED]
    ready = any(not parcel.pickup or parcel.status != ParcelStatus.PENDING for parcel in there)
    return {
        "handover": way.value,
        "awaits_dispatch": awaits_dispatch(way, over=over, sent=bool(there) or facts.came_before),
        "awaits_pickup": awaits_pickup(way, over=over, ready=ready),
        "digital": LineKind.DIGITAL in kinds,
        "service": LineKind.SERVICE in kinds,
        "physical": LineKind.PHYSICAL in kinds,
    }


def brought(facts: MessageFacts, country: Callable[[str], str]) -> Mapping[str, object]:
    """How an order comes: what was chosen, the lines of its address, and where it is fetched.

    `country` writes the country of a code. A person's own address is not where an order comes that they fetch.
    """
    said = facts.delivery
    point = said.pickup_point
    home = Address() if point.address != Address() else said.address
    return {
        "title": said.title or "",
        "address": list(home.lines(country)),
        "pickup_point": None
        if point == PickupPoint()
        else {
            "name": point.name or "",
            "address": list(point.address.lines(country)),
            "opening_hours": list(point.opening_hours),
        },
    }


def promised(facts: MessageFacts, day: Callable[[date | None], str | None]) -> Mapping[str, object]:
    """The days between which it was said to come when it was placed; `earliest` None where it is no other day."""
    earliest, latest = facts.promised
    return {"earliest": None if earliest == latest else day(earliest), "latest": day(latest)}


def followed(parcel: MessageParcel, number: Callable[[Decimal], str]) -> Mapping[str, object]:
    """Where a parcel is followed, and what it causes, as whoever says so says it; None where nobody does."""
    known = parcel.co2_grams is not None and parcel.co2_source is not None
    return {
        "tracking_url": parcel.tracking_url,
        "co2": {"grams": number(parcel.co2_grams), "source": parcel.co2_source}
        if known and parcel.co2_grams is not None
        else None,
    }
